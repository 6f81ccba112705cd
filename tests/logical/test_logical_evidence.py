"""Logical evidence through the whole tool: the same door as a disk, read-only, the same findings each time, no password kept."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest
from backup_maker import FILES, PASSWORD, make_backup
from test_logical_archives import FILES as MEMBERS
from test_logical_archives import tarred, zipped

from triage.case.store import Case
from triage.cli import run as triage
from triage.engine.session import Session
from triage.errors import EvidenceError, PasswordError
from triage.evidence.folder import FolderMedium
from triage.evidence.opening import open_evidence

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))
EVIDENCE = Path(os.environ.get("TRIAGE_EVIDENCE") or Path(__file__).resolve().parents[3] / "shared" / "evidence")


def all_bytes(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def digests(case: Path) -> dict[str, str | None]:
    with Case.open(case) as opened:
        return {row["path"]: row["md5"] for row in opened.files() if row["kind"] == "file" and "$" not in row["path"]}


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(("name", "data"), [("x.zip", zipped()), ("x.tar", tarred())])
def test_an_archive_is_examined_like_a_medium(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert triage(["run", str(tmp_path / name), "--case", str(tmp_path / "case"), "-q"]) == 0
    found = digests(tmp_path / "case")
    assert {path: found[f"vol1/{path}"] for path in MEMBERS} == {path: md5(data) for path, data in MEMBERS.items()}
    with Case.open(tmp_path / "case") as opened:
        assert not [row for row in opened.files() if row["kind"] == "carved"]


def test_a_folder_is_examined_and_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "extraction"
    (folder / "data" / "x").mkdir(parents=True)
    (folder / "data" / "x" / "a.txt").write_bytes(b"hello")
    (folder / "data" / "link").symlink_to("/etc/passwd")
    before = all_bytes(folder)
    assert triage(["run", str(folder), "--case", str(tmp_path / "case"), "-q"]) == 0
    assert digests(tmp_path / "case") == {"vol1/data/x/a.txt": md5(b"hello")}
    assert all_bytes(folder) == before


def test_a_folder_that_has_changed_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "extraction"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"hello")
    assert triage(["run", str(folder), "--case", str(tmp_path / "case"), "-q"]) == 0
    (folder / "b.txt").write_bytes(b"more")
    assert triage(["run", str(folder), "--case", str(tmp_path / "case"), "-q"]) == 4


def test_the_string_of_a_folders_files_is_read_across_their_borders(tmp_path: Path) -> None:
    for name, data in (("a", b"123"), ("b", b""), ("c", b"456789")):
        (tmp_path / name).write_bytes(data)
    medium = FolderMedium(tmp_path)
    assert medium.read_at(0, 100) == b"123456789"
    assert medium.read_at(2, 3) == b"345"
    (tmp_path / "c").write_bytes(b"4")
    with pytest.raises(OSError, match="became shorter"):
        medium.read_at(0, 100)
    medium.close()


def test_an_encrypted_backup_is_examined_and_its_password_kept_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_backup(tmp_path / "backup", encrypted=True)
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    assert triage(["run", str(folder), "--case", str(tmp_path / "none"), "-q"]) == 3
    assert "encrypted with a password" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    assert triage(["run", str(folder), "--case", str(tmp_path / "case"), "-q", "--password-file", str(secret)]) == 0
    found = digests(tmp_path / "case")
    assert found["vol1/private/var/mobile/Library/SMS/sms.db"] == md5(FILES["HomeDomain", "Library/SMS/sms.db"])
    kept = b"".join(p.read_bytes() for p in (tmp_path / "case").rglob("*") if p.is_file())
    assert PASSWORD.encode() not in kept
    assert str(secret).encode() not in kept
    assert triage(["run", str(folder), "--case", str(tmp_path / "two"), "-q", "--password", PASSWORD]) == 0
    assert PASSWORD.encode() not in b"".join(p.read_bytes() for p in (tmp_path / "two").rglob("*") if p.is_file())


def test_a_wrong_password_is_one_line_that_does_not_repeat_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_backup(tmp_path / "backup", encrypted=True)
    assert triage(["info", str(folder), "--password", "open-sesame"]) == 3
    said = capsys.readouterr().err
    assert "open-sesame" not in said
    assert len(said.strip().splitlines()) == 1
    with pytest.raises(PasswordError), Session(passwords=["open-sesame"]) as session:
        session.open(folder)


def test_a_password_file_that_is_none_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_backup(tmp_path / "backup")
    assert triage(["info", str(folder), "--password-file", str(tmp_path / "nothing")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zipped())
    said = []
    for jobs in ("1", "3"):
        assert triage(["run", str(tmp_path / "x.zip"), "--case", str(tmp_path / jobs), "-q", "--jobs", jobs]) == 0
        said.append((tmp_path / jobs / "findings.jsonl").read_bytes())
        said.append((tmp_path / jobs / "report" / "report.json").read_bytes())
    assert said[0] == said[2]


def test_an_archive_without_its_list_is_examined_and_said_to_be_in_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.zip").write_bytes(zipped()[:-60])
    assert triage(["run", str(tmp_path / "x.zip"), "--case", str(tmp_path / "case")]) == 0
    said = capsys.readouterr()
    assert "LISTED IN PART: vol1 (ZIP archive)" in said.out + said.err
    assert "3 of 3 contents read" in said.out + said.err


def test_an_archive_of_which_nothing_can_be_found_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.zip").write_bytes(zipped()[:20] + b"\xff" * 1000)
    assert triage(["run", str(tmp_path / "x.zip"), "--case", str(tmp_path / "case"), "-q"]) == 3
    assert "cannot be listed: its list of members is missing" in capsys.readouterr().err
    assert not (tmp_path / "case").exists()


def test_a_folder_that_is_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(EvidenceError, match="empty folder"):
        open_evidence(tmp_path / "x")


@pytest.mark.evidence
@pytest.mark.skipif(not EVIDENCE.is_dir(), reason="the shared evidence is not here")
@pytest.mark.parametrize("name", ["artifacts/mvt/androidqf.zip", "artifacts/mvt/ios_backup", "images/fatcat/hello-world.img.gz"])
def test_real_ones_are_listed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert triage(["ls", str(EVIDENCE / name), "-r", "--format", "jsonl"]) == 0
    assert capsys.readouterr().out.count("\n") >= 2
