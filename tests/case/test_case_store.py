"""The case folder: what is in it, who may read it, and what happens to one that is damaged, newer, foreign or in use."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from engine_support import Silent, digest, run_case

from triage.case.store import Case
from triage.case.writer import CaseWriter
from triage.engine.run import RunOptions, run
from triage.errors import CaseError, OutputError
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "id",
    "evidence",
    "exhibit",
    "volume",
    "alike",
    "likeness",
    "spared",
    "path",
    "name",
    "name_raw",
    "kind",
    "state",
    "recoverability",
    "size",
    "mtime",
    "atime",
    "ctime",
    "crtime",
    "time_basis",
    "meta_addr",
    "runs",
    "mime",
    "type",
    "category",
    "extension_mismatch",
    "entropy",
    "md5",
    "sha1",
    "sha256",
    "known",
    "matches",
    "score",
    "reasons",
    "parent",
    "link_target",
    "outcome",
    "outcome_reason",
    "problems",
}


@pytest.fixture(scope="module")
def made(small_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with a report, and a list that two files are on."""
    folder = tmp_path_factory.mktemp("store")
    first = b"this is file number 3\n" * 4
    (folder / "list.txt").write_text(hashlib.md5(first).hexdigest() + "\n", encoding="ascii")
    run_case(small_image, folder / "case", report=True, hashsets=(str(folder / "list.txt"),), exhibit="A-1")
    return folder / "case"


@pytest.fixture
def case(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "case")
    return tmp_path / "case"


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


def test_rows_have_the_names_that_scripts_rely_on(made: Path) -> None:
    with Case.open(made) as opened:
        row = next(opened.files(where="name=FILE03.TXT"))
        queue = next(opened.queue())
        finding = next(opened.findings())
        assert set(row) == FILES
        assert set(queue) == FILES | {"rank", "copies"}
        assert set(finding) == {"id", "entry", "path", "plugin", "kind", "title", "data", "ranges"}
        assert row["matches"] == [
            {
                "set": "list.txt",
                "meaning": "notable",
                "category": "",
                "how": "md5",
                "distance": 0,
                "tier": "exact",
                "label": "",
                "detail": {},
            }
        ]
        assert set(row["reasons"][0]) == {"rule", "points", "text"}
        assert (row["exhibit"], row["known"], queue["path"], queue["rank"]) == ("A-1", "notable", row["path"], 1)
        assert [length >= 88 for _, length in row["runs"]] == [True]
        assert {"severity", "stage", "evidence", "volume", "entry", "path", "plugin", "message", "detail", "count"} >= {
            key for problem in opened.problems() for key in problem
        }


def test_deleted_bytes_are_where_the_row_says(made: Path, small_image: Path) -> None:
    with Case.open(made) as opened:
        row = next(opened.files(where="state=deleted"))
    data = small_image.read_bytes()
    content = b"".join(data[offset : offset + length] for offset, length in row["runs"])
    assert hashlib.sha256(content[: row["size"]]).hexdigest() == row["sha256"]


def test_limits_sorts_and_lookups(made: Path) -> None:
    with Case.open(made) as opened:
        rows = list(opened.files(sort="-size", limit=3))
        assert [r["size"] for r in rows] == sorted((r["size"] for r in opened.files()), reverse=True)[:3]
        scores = [r["score"] for r in opened.files(sort="score")]
        assert scores == sorted(scores, reverse=True)
        assert list(opened.files(limit=0)) == []
        assert opened.file(rows[0]["id"]) == rows[0]
        assert opened.file("' or 1=1") is None
        entry = opened.entry(rows[0]["id"])
        assert entry is not None
        assert entry.path == rows[0]["path"]
        assert [e.id for e in opened.entries(rows[0]["path"])] == [rows[0]["id"]]
        assert opened.entries("nowhere") == []
        known = [r["known"] for r in opened.queue(unknown_only=True)]
        assert known
        assert set(known) == {None}
        ranks = [r["rank"] for r in opened.queue()]
        assert ranks == list(range(1, len(ranks) + 1))
        assert len(list(opened.queue(2))) == 2


def test_counts_and_coverage_add_up(made: Path) -> None:
    with Case.open(made) as opened:
        counts, coverage = opened.counts(), opened.coverage()
        rows = list(opened.files())
    assert counts["entries"] == len(rows) == sum(counts["by_state"].values()) == sum(counts["by_kind"].values())
    assert counts["by_known"] == {"notable": 1}
    assert counts["matches_by_set"] == {"list.txt": 1}
    items = coverage["items"]
    assert items["seen"] == sum(v for k, v in items.items() if k != "seen")
    assert items["analysed"] == sum(r["outcome"] == "done" for r in rows)
    assert items["skipped"] == sum(coverage["skipped_why"].values())
    assert coverage["not_done"]


def test_reading_makes_and_changes_no_file(case: Path) -> None:
    before = listing(case)
    with Case.open(case) as opened:
        list(opened.files())
        list(opened.queue())
        opened.digest()
        assert listing(case) == before
    assert listing(case) == before


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_nobody_else_may_read_a_case(small_image: Path, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        run_case(small_image, tmp_path / "case", report=True)
    finally:
        os.umask(old)
    case = tmp_path / "case"
    assert stat.S_IMODE(case.stat().st_mode) == 0o700
    for name in ("case.db", "audit.jsonl", "findings.jsonl"):
        assert stat.S_IMODE((case / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((case / "report").stat().st_mode) == 0o700


def test_the_digest_ignores_times_and_places(case: Path, made: Path, small_image: Path, tmp_path: Path) -> None:
    image = tmp_path / "moved.raw"
    shutil.copy(small_image, image)
    os.utime(image, (1, 1))
    run_case(image, case, hashsets=(str(made.parent / "list.txt"),))
    assert digest(case) == digest(made)
    with Case.open(case) as opened:
        assert opened.evidence()[0]["paths"] == [str(image)]
        assert opened.run_times()["runs"] == 2
        assert "paths" not in str(opened.run_facts())


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE entry SET name = 'x' WHERE n = 3",
        "DELETE FROM content WHERE key = (SELECT min(key) FROM content)",
        "UPDATE content SET md5 = x'00' WHERE key = (SELECT min(key) FROM content)",
        "DELETE FROM match",
        "DELETE FROM finding",
        "DELETE FROM score WHERE entry = (SELECT min(entry) FROM score)",
        "UPDATE queue SET rank = rank + 1000",
        "UPDATE volume SET walk = 'pending'",
    ],
)
def test_the_digest_sees_every_result(sql: str, case: Path, made: Path) -> None:
    connection = sqlite3.connect(case / "case.db")
    assert connection.execute(sql).rowcount
    connection.commit()
    connection.close()
    assert digest(case) != digest(made)


def change(case: Path, sql: str) -> None:
    connection = sqlite3.connect(case / "case.db")
    connection.executescript(sql)
    connection.close()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE meta SET value = '999' WHERE key = 'schema'", "schema 999"),
        ("UPDATE meta SET value = '0' WHERE key = 'schema'", "schema 0"),
        ("UPDATE meta SET value = 'x' WHERE key = 'schema'", "not a triage case"),
        ("UPDATE meta SET value = '²' WHERE key = 'schema'", "not a triage case"),
        ("DELETE FROM meta", "not a triage case"),
        ("DROP TABLE meta", "cannot be read as a case"),
    ],
)
def test_a_case_of_another_version_or_kind_is_refused_and_stays(sql: str, said: str, case: Path, small_image: Path) -> None:
    change(case, sql)
    before = (case / "case.db").read_bytes()
    with pytest.raises(CaseError, match=said) as caught:
        Case.open(case)
    assert caught.value.hint
    with pytest.raises(CaseError, match=said):
        run_case(small_image, case)
    assert (case / "case.db").read_bytes() == before


@pytest.mark.parametrize("cut", [0, 10, 100, 5000])
def test_a_damaged_database_is_said(cut: int, case: Path, small_image: Path) -> None:
    data = (case / "case.db").read_bytes()
    (case / "case.db").write_bytes(data[:cut] if cut != 5000 else b"\xff" * 5000 + data[5000:])
    with pytest.raises(CaseError) as caught, Case.open(case) as opened:
        list(opened.files())
    assert caught.value.exit_code == 4
    with pytest.raises(CaseError):
        run_case(small_image, case)


def read_all(case: Path) -> None:
    with Case.open(case) as opened:
        list(opened.files())
        list(opened.queue())
        list(opened.findings())
        list(opened.problems())
        opened.counts()
        opened.coverage()
        opened.digest()


@pytest.mark.parametrize("page", range(1, 30, 2))
def test_a_damaged_page_of_a_database_is_said_or_not_met(page: int, case: Path, made: Path) -> None:
    data = bytearray((case / "case.db").read_bytes())
    data[4096 * page : 4096 * (page + 1)] = b"\xa5" * len(data[4096 * page : 4096 * (page + 1)])
    (case / "case.db").write_bytes(data)
    try:
        read_all(case)
    except CaseError as error:
        assert error.exit_code == 4  # noqa: PT017 - a page that nothing reads does no harm
    else:
        assert digest(case) == digest(made)


def test_damage_all_over_a_database_is_said(case: Path) -> None:
    data = bytearray((case / "case.db").read_bytes())
    data[4096 * 2 :] = b"\xa5" * (len(data) - 4096 * 2)
    (case / "case.db").write_bytes(data)
    with pytest.raises(CaseError):
        read_all(case)


@pytest.mark.parametrize("make", ["missing", "empty", "file"])
def test_what_is_no_case_is_said(make: str, tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    if make == "empty":
        folder.mkdir()
    elif make == "file":
        folder.write_text("x")
    with pytest.raises(CaseError, match="not a case folder") as caught:
        Case.open(folder)
    assert caught.value.hint


def test_a_folder_with_other_things_is_left_alone(small_image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty") as caught:
        run_case(small_image, folder)
    assert caught.value.exit_code == 7
    assert [p.name for p in folder.iterdir()] == ["letter.txt"]


def test_an_empty_folder_becomes_a_case(small_image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    assert run_case(small_image, folder).complete


def test_a_folder_that_cannot_be_made_is_said(small_image: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError) as caught:
        run_case(small_image, tmp_path / "file" / "case")
    assert caught.value.exit_code == 7
    assert caught.value.hint
    with pytest.raises(OutputError):
        run_case(small_image, tmp_path / "file")


def test_a_case_in_use_is_refused_and_can_be_read(case: Path, made: Path, small_image: Path) -> None:
    writer = CaseWriter.create(case)
    try:
        with pytest.raises(CaseError, match="in use") as caught:
            run_case(small_image, case)
        assert caught.value.exit_code == 4
        with Case.open(case) as opened:
            assert opened.digest() == digest(made)
    finally:
        writer.close()


def test_a_full_disk_is_said_and_the_run_can_go_on(case: Path, made: Path, small_image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = CaseWriter.set_scores

    def full(writer: CaseWriter, *arguments: object) -> None:
        writer._db.execute("PRAGMA max_page_count = 1")
        pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
        writer._db.execute(f"PRAGMA max_page_count = {pages}")
        try:
            real(writer, [(n, 1, "x" * 100_000) for n in range(100)], [])
        finally:
            writer._db.execute("PRAGMA max_page_count = 1000000")

    monkeypatch.setattr(CaseWriter, "set_scores", full)
    options = RunOptions(
        evidence=(small_image,), case=case, profile=load_profile("full"), jobs=1, hashsets=(str(made.parent / "list.txt"),)
    )
    with pytest.raises(OutputError) as caught:
        run(options, Silent())
    assert caught.value.exit_code == 7
    assert "resumes" in str(caught.value.hint)
    monkeypatch.undo()
    assert run(options, Silent()).complete
    assert digest(case) == digest(made)
