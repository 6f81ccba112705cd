"""Evidence inside evidence: told by every run, copied into the case and examined on request, in its turn; what cannot be opened is said."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fat_image import make_fat

from triage.case.store import Case
from triage.cli import run as triage
from triage.engine import nested

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("evidence", "logical")]
from backup_maker import PASSWORD, make_backup
from ewf_writer import write_ewf

if TYPE_CHECKING:
    import pytest

NOTE, DEEP = b"a note in an image\n", b"a note in an image in an image\n"
BACKUP = "Users/ann/Library/Application Support/MobileSync/Backup/00008020-001122AA"


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def laptop(folder: Path, *, encrypted: bool = False) -> Path:
    """A home folder: an E01 in two segments, in it a card's image, and a phone's backup."""
    (folder / "Users/ann").mkdir(parents=True)
    (inner,) = write_ewf(folder.parent, make_fat({"DEEP.TXT": DEEP}), packed=lambda number: True).paths
    image = make_fat({"NOTE.TXT": NOTE, "CARD.E01": inner.read_bytes()})
    write_ewf(folder / "Users/ann", image, name="old disk", extensions=("E01", "E02"))
    make_backup(folder / BACKUP, encrypted=encrypted)
    return folder


def run(evidence: Path, case: Path, *more: str) -> int:
    return triage(["run", str(evidence), "--case", str(case), "-q", *more])


def rows(case: Path) -> dict[str, str]:
    with Case.open(case) as opened:
        return {row["path"]: row["md5"] for row in opened.files() if row["md5"]}


def test_a_run_says_what_it_found_and_did_not_open(tmp_path: Path) -> None:
    assert run(laptop(tmp_path / "laptop"), tmp_path / "case") == 0
    with Case.open(tmp_path / "case") as case:
        found = [(f["path"], f["title"], f["data"].get("user")) for f in case.findings() if f["kind"] == nested.FINDING]
        said = case.coverage()["not_done"]
        assert len(case.evidence()) == 1
    assert found == [
        (f"vol1/{BACKUP}/Manifest.db", "a backup of an iPhone or iPad by iTunes or the Finder", "ann"),
        ("vol1/Users/ann/old disk.E01", "an Expert Witness image (E01)", "ann"),
    ]
    assert "2 images of media and backups of phones were found inside the evidence and not opened: triage run --nested does" in said


def test_what_is_inside_is_examined_and_what_is_inside_of_that(tmp_path: Path) -> None:
    assert run(laptop(tmp_path / "laptop"), tmp_path / "case", "--nested", "--jobs", "2") == 0
    found = rows(tmp_path / "case")
    assert found["vol1/NOTE.TXT"] == md5(NOTE)
    assert found["vol1/DEEP.TXT"] == md5(DEEP)
    with Case.open(tmp_path / "case") as case:
        inside = [e["facts"].get("inside", "").partition(": ")[2] for e in case.evidence()]
        kinds = [e["kind"] for e in case.evidence()]
        coverage = case.coverage()
        names = {row["path"] for row in case.files()}
        assert [p["message"] for p in case.problems() if p["severity"] == "error"] == []
    assert inside == ["", f"vol1/{BACKUP}/Manifest.db", "vol1/Users/ann/old disk.E01", "vol1/CARD.E01"]
    assert kinds == ["folder", "folder", "split ewf", "ewf"]
    assert any("Library/SMS" in name for name in names)
    assert not any("not opened" in sentence for sentence in coverage["not_done"] if "inside the evidence" in sentence)
    files = sorted(
        p.relative_to(tmp_path / "case" / "nested").as_posix().partition("/")[2] for p in (tmp_path / "case").rglob("evidence.*")
    )
    assert files == ["evidence.E01", "evidence.E01", "evidence.E02"]


def test_the_same_case_however_it_came_about(tmp_path: Path) -> None:
    evidence = laptop(tmp_path / "laptop")
    assert run(evidence, tmp_path / "once", "--nested", "--jobs", "2") == 0
    assert run(evidence, tmp_path / "later", "--jobs", "1") == 0
    assert run(evidence, tmp_path / "later", "--nested", "--jobs", "1") == 0
    assert run(evidence, tmp_path / "later", "--nested") == 0  # again: nothing is left to do
    assert rows(tmp_path / "later") == rows(tmp_path / "once")
    with Case.open(tmp_path / "later") as later, Case.open(tmp_path / "once") as once:
        assert [f["title"] for f in later.findings()] == [f["title"] for f in once.findings()]
        assert later.coverage()["not_done"] == once.coverage()["not_done"]


def test_a_case_with_nested_evidence_goes_on_without_being_asked_again(tmp_path: Path) -> None:
    evidence = laptop(tmp_path / "laptop")
    assert run(evidence, tmp_path / "case", "--nested") == 0
    before = rows(tmp_path / "case")
    assert run(evidence, tmp_path / "case") == 0
    assert rows(tmp_path / "case") == before


def test_an_encrypted_backup_stays_closed_without_its_password(tmp_path: Path) -> None:
    evidence = laptop(tmp_path / "laptop", encrypted=True)
    assert run(evidence, tmp_path / "case", "--nested") == 0
    with Case.open(tmp_path / "case") as case:
        said = [p["message"] for p in case.problems()]
        assert any(m.startswith(f"vol1/{BACKUP}/Manifest.db could not be opened, and nothing in it was examined: ") for m in said), said
        assert any("not opened" in sentence for sentence in case.coverage()["not_done"])
    assert run(evidence, tmp_path / "open", "--nested", "--password", PASSWORD) == 0
    with Case.open(tmp_path / "open") as case:
        assert not [p["message"] for p in case.problems() if "could not be opened" in p["message"]]
        assert len(case.evidence()) == 4


def test_what_does_not_fit_on_the_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "KEPT_FREE", 1 << 60)
    assert run(laptop(tmp_path / "laptop"), tmp_path / "case", "--nested") == 0
    with Case.open(tmp_path / "case") as case:
        said = [p["message"] for p in case.problems()]
    assert [m for m in said if "do not fit on the case's disk" in m and m.startswith("vol1/Users/ann/old disk.E01 was not opened")]
    assert not (tmp_path / "case" / "nested").exists()


def test_a_broken_image_does_not_keep_the_others_closed(tmp_path: Path) -> None:
    evidence = laptop(tmp_path / "laptop")
    (evidence / "bad.E01").write_bytes((evidence / "Users/ann/old disk.E01").read_bytes()[:700])
    assert run(evidence, tmp_path / "case", "--nested") == 0
    assert rows(tmp_path / "case")["vol1/NOTE.TXT"] == md5(NOTE)
    with Case.open(tmp_path / "case") as case:
        assert any(p["message"].startswith("vol1/bad.E01 could not be opened") for p in case.problems())


def test_names_of_evidence_never_become_names_of_files(tmp_path: Path) -> None:
    evidence = tmp_path / "laptop"
    (evidence / "a b").mkdir(parents=True)
    (evidence / "a b" / "..%2f$(x);.E01").write_bytes(b"")
    write_ewf(evidence / "a b", make_fat({"NOTE.TXT": NOTE}), name="we ird$(touch x)")
    assert run(evidence, tmp_path / "case", "--nested") == 0
    names = {p.name for p in (tmp_path / "case" / "nested").rglob("*")}
    assert all(set(name) <= set("0123456789abcdef") or name == "evidence.E01" for name in names), names
    assert next((tmp_path / "case" / "nested").rglob("evidence.E01")).stat().st_mode & 0o222 == 0
