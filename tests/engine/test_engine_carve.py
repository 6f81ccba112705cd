"""Carving as a step of a run: the same whatever the workers and interruptions, and none the worse for what kills a worker."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import random
import sqlite3
from typing import TYPE_CHECKING, Any

import carved_media
import pytest
from engine_support import coverage, digest, files, problems, profile_with, run_case
from ext_image import ExtImage
from PIL import Image

from triage.case.store import Case
from triage.cli import run as cli
from triage.errors import UsageError
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, bytes]]:
    path = tmp_path_factory.mktemp("carved") / "medium.raw"
    return path, carved_media.build(path)


@pytest.fixture(scope="module")
def whole(medium: tuple[Path, dict[int, bytes]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("whole") / "case"
    run_case(medium[0], case)
    return case


def carved(case: Path) -> dict[int, dict[str, Any]]:
    return {row["runs"][0][0]: row for row in files(case).values() if row["kind"] == "carved"}


def test_what_is_carved_is_an_entry_like_any_other(medium: tuple[Path, dict[int, bytes]], whole: Path) -> None:
    rows = carved(whole)
    assert set(rows) == set(medium[1])
    for offset, data in medium[1].items():
        row = rows[offset]
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert (row["state"], row["size"], row["category"], row["volume"]) == ("carved", len(data), "picture", 1)
        assert row["runs"] == [[offset, len(data)]]
        assert row["path"].startswith(f"vol1/$CarvedFiles/{offset:012d}.")
        assert row["score"] > 0
    with Case.open(whole) as case:
        findings = [f for f in case.findings() if f["kind"] == "carved"]
    assert len(findings) == len(rows)
    assert {f["data"]["structure"] for f in findings} == {"complete"}
    assert all(f["data"]["why"] and f["data"]["confidence"] >= 80 for f in findings)


def test_what_was_carved_was_read_and_is_nobodys(medium: tuple[Path, dict[int, bytes]], whole: Path) -> None:
    (row,) = coverage(whole)["ledger"]
    assert row["read"] == sum(map(len, medium[1].values()))
    assert (row["owned"], row["deleted_only"], row["unowned"], row["not_listed"]) == (0, 0, 0, row["size"])


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_number_of_workers_changes_nothing(jobs: int, medium: tuple[Path, dict[int, bytes]], whole: Path, tmp_path: Path) -> None:
    run_case(medium[0], tmp_path / "case", jobs=jobs)
    assert digest(tmp_path / "case") == digest(whole)
    assert coverage(tmp_path / "case") == coverage(whole)


def test_a_run_that_is_interrupted_goes_on_behind_the_last_unit(
    medium: tuple[Path, dict[int, bytes]], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triage.case.writer import CaseWriter

    real, calls = CaseWriter.add_carved, 0

    def dies(self: CaseWriter, area: Any, progress: Any, *rest: Any) -> list[int]:
        nonlocal calls
        calls += 1
        if calls == 3:  # the area is begun, its first unit is in the case
            raise KeyboardInterrupt
        return real(self, area, progress, *rest)

    case = tmp_path / "case"
    monkeypatch.setattr(CaseWriter, "add_carved", dies)
    with pytest.raises(KeyboardInterrupt):
        run_case(medium[0], case)
    monkeypatch.undo()
    left = sqlite3.connect(case / "case.db").execute("SELECT json_extract(progress, '$.next') FROM carving").fetchall()
    assert left == [(32 << 20,)]
    run_case(medium[0], case)
    assert digest(case) == digest(whole)
    assert coverage(case) == coverage(whole)


@pytest.mark.parametrize(("hook", "limits"), [("crash", {}), ("abort", {}), ("garbage", {}), ("hang", {"stall_seconds": 1})])
def test_a_candidate_that_ends_its_worker_costs_itself_only(
    hook: str, limits: dict[str, Any], medium: tuple[Path, dict[int, bytes]], whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = sorted(medium[1])[5]
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"carve-{hook}=0:{victim}")
    run_case(medium[0], tmp_path / "case", profile=profile_with("full", **limits))
    rows, before = carved(tmp_path / "case"), carved(whole)
    assert set(before) - set(rows) == {victim}
    assert {o: r["sha256"] for o, r in rows.items()} == {o: r["sha256"] for o, r in before.items() if o != victim}
    (said,) = [p for p in problems(tmp_path / "case") if p["stage"] == "carving"]
    assert f"what begins at byte {victim} could not be searched for files" in said["message"]


def test_a_unit_on_which_every_worker_dies_is_given_up_and_said(
    medium: tuple[Path, dict[int, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triage.engine import carvework

    monkeypatch.setattr(carvework, "CARVING", 99)  # nobody knows which candidate it was
    first = min(medium[1])
    monkeypatch.setenv("TRIAGE_TEST_HOOK", f"carve-crash=0:{first}")
    run_case(medium[0], tmp_path / "case")
    assert set(carved(tmp_path / "case")) == {o for o in medium[1] if o >= 32 << 20}
    said = coverage(tmp_path / "case")["not_done"]
    assert "33,554,432 bytes were not searched for files by their content: workers were lost over them" in said


def test_a_time_budget_leaves_carving_for_the_next_run(medium: tuple[Path, dict[int, bytes]], whole: Path, tmp_path: Path) -> None:
    case = tmp_path / "case"
    assert not run_case(medium[0], case, time_budget=0.0).complete
    assert coverage(case)["carving"]["searched"] == 0
    assert any("was not searched" in s or "were not searched for files" in s for s in coverage(case)["not_done"])
    assert run_case(medium[0], case).complete
    assert digest(case) == digest(whole)


def test_a_profile_says_what_is_carved(medium: tuple[Path, dict[int, bytes]], tmp_path: Path) -> None:
    profile = load_profile("full")
    only = dataclasses.replace(profile, carve=dataclasses.replace(profile.carve, types=("gif",)))
    run_case(medium[0], tmp_path / "gif", profile=only)
    assert {r["path"].rpartition(".")[2] for r in carved(tmp_path / "gif").values()} == {"gif"}
    none = dataclasses.replace(profile, carve=dataclasses.replace(profile.carve, sources=("none",)))
    run_case(medium[0], tmp_path / "none", profile=none)
    assert not carved(tmp_path / "none")
    assert any(s.startswith("space that no file owns was not searched") for s in coverage(tmp_path / "none")["not_done"])


def test_a_case_that_goes_on_with_other_formats_is_carved_anew(medium: tuple[Path, dict[int, bytes]], whole: Path, tmp_path: Path) -> None:
    profile = load_profile("full")
    only = dataclasses.replace(profile, carve=dataclasses.replace(profile.carve, types=("gif",)))
    run_case(medium[0], tmp_path / "case", profile=only)
    run_case(medium[0], tmp_path / "case")
    assert digest(tmp_path / "case") == digest(whole)


def test_a_medium_without_a_file_system_is_said_to_have_been_searched_only(medium: tuple[Path, dict[int, bytes]], tmp_path: Path) -> None:
    (said,) = run_case(medium[0], tmp_path / "case").unreadable
    assert said.endswith("no partition table and no file system was recognised; it was only searched for files by their content")
    profile = load_profile("full")
    none = dataclasses.replace(profile, carve=dataclasses.replace(profile.carve, sources=("none",)))
    (said,) = run_case(medium[0], tmp_path / "none", profile=none).unreadable
    assert said.endswith("nothing in it was examined")


def test_a_format_that_there_is_not_is_refused_before_anything_is_done(medium: tuple[Path, dict[int, bytes]], tmp_path: Path) -> None:
    profile = load_profile("full")
    wrong = dataclasses.replace(profile, carve=dataclasses.replace(profile.carve, types=("jpge",)))
    with pytest.raises(UsageError, match="jpge"):
        run_case(medium[0], tmp_path / "case", profile=wrong)
    assert not (tmp_path / "case").exists()


def test_a_deleted_file_that_has_a_name_is_not_carved_once_more(image: Callable[[str], Path], tmp_path: Path) -> None:
    """The built-in FAT image has deleted pictures whose names are there: their bytes are listed once."""
    run_case(image("fat32.E01"), tmp_path / "case")
    rows = files(tmp_path / "case").values()
    named = {r["sha256"] for r in rows if r["state"] in ("deleted", "orphan") and r["recoverability"] == "intact" and r["sha256"]}
    assert not [r["path"] for r in rows if r["kind"] == "carved" and r["sha256"] in named]
    assert coverage(tmp_path / "case")["carving"]["already_listed"] > 0


def test_carved_files_of_shared_images_are_what_was_deleted(evidence_root: Path, tmp_path: Path) -> None:
    """Four file systems with the same photographs, some deleted: each is there, by its name or carved."""
    truth = [line.split("\t") for line in (evidence_root / "images" / "made" / "truth.tsv").read_text().splitlines()]
    deleted = {md5 for state, md5, _ in truth if state == "deleted"}
    assert len(deleted) > 5
    for name in ("exfat", "ext4", "fat32", "ntfs"):
        run_case(evidence_root / "images" / "made" / f"{name}.E01", tmp_path / name)
        found = {r["md5"] for r in files(tmp_path / name).values() if r["state"] != "allocated"}
        assert not deleted - found, name


def _small(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.frombytes("L", (width, height), random.Random(width).randbytes(width * height)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A file system with pictures where no listing shows them: in a page file, a database's deleted row, slack, behind its own end."""
    folder = tmp_path_factory.mktemp("hidden")
    found = {"page": carved_media.picture(50), "row": _small(20, 30), "behind": carved_media.picture(52), "slack": _small(12, 12)}
    database = folder / "chat.db"
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA secure_delete = 0")
    connection.execute("CREATE TABLE picture (id INTEGER PRIMARY KEY, data BLOB)")
    connection.executemany("INSERT INTO picture (data) VALUES (?)", [(bytes(3000),), (found["row"],), (bytes(3000),)])
    connection.commit()
    connection.execute("DELETE FROM picture WHERE id = 2")
    connection.commit()
    connection.close()
    image = ExtImage(block=4096)
    image.file(b"pagefile.sys", random.Random(1).randbytes(5001) + found["page"] + random.Random(2).randbytes(3000))
    image.file(b"chat.db", database.read_bytes())
    image.file(b"note.txt", b"the host of what lies behind it")
    data = bytearray(image.build())
    at = data.index(b"the host of what lies behind it") + 100
    data[at : at + len(found["slack"])] = found["slack"]
    path = folder / "hidden.raw"
    path.write_bytes(bytes(data) + bytes(512) + found["behind"] + bytes(-len(found["behind"]) % 512))
    return path, found


def test_pictures_in_page_files_deleted_rows_slack_and_behind_a_file_system_are_found(
    hidden: tuple[Path, dict[str, bytes]], tmp_path: Path
) -> None:
    run_case(hidden[0], tmp_path / "case")
    rows = {row["sha256"]: row for row in files(tmp_path / "case").values() if row["kind"] == "carved"}
    where = {name: rows[hashlib.sha256(data).hexdigest()]["path"] for name, data in hidden[1].items()}
    assert where["page"].startswith("vol1/pagefile.sys/$CarvedFiles/")
    assert where["row"].startswith("vol1/chat.db/$CarvedFiles/")
    assert where["slack"].startswith("vol1/$CarvedFiles/")
    with Case.open(tmp_path / "case") as case:
        found = {f["path"]: f["data"] for f in case.findings() if f["kind"] == "carved"}
    assert {name: found[path]["area"] for name, path in where.items() if name != "behind"} == {
        "page": "container",
        "row": "container",
        "slack": "slack",
    }
    assert files(tmp_path / "case")["vol1/chat.db"]["id"] == found[where["row"]]["source"]


def test_carving_alone_searches_what_lies_behind_a_file_systems_end(hidden: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    assert cli(["carve", str(hidden[0]), "--out", str(tmp_path / "out"), "--quiet"]) == 0
    digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in (tmp_path / "out" / "complete").iterdir()}
    assert hashlib.sha256(hidden[1]["behind"]).hexdigest() in digests
