"""Files that ext4 encrypts one by one, as Android does: the kernel's own image, without its key (``bench/fscrypt.py`` makes it)."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from triage.case.store import Case
from triage.cli import main
from triage.commands.progress import Silent
from triage.engine.run import RunOptions, run
from triage.priority.profile import load_profile
from triage.report.document import build
from triage.report.verdict import alarms

WHY = "encrypted, with a key that is not here"


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fscrypt")
    image = folder / "userdata.img"
    image.write_bytes(lzma.decompress((Path(__file__).parent / "fscrypt.img.xz").read_bytes()))
    run(RunOptions(evidence=(image,), case=folder / "case", profile=load_profile("full")), Silent())
    return folder / "case"


def test_what_is_encrypted_is_listed_and_not_read_as_if_it_were_plain(case: Path) -> None:
    with Case.open(case) as opened:
        rows = [row for row in opened.files() if row["path"].startswith("vol1/data/") and row["kind"] == "file"]
        assert len(rows) == 20
        assert {(row["size"], row["outcome"], row["outcome_reason"], row["sha256"], row["type"]) for row in rows} == {
            (5100, "skipped", WHY, None, None)
        }
        assert not list(opened.findings())
        (plain,) = [row for row in opened.files() if row["path"] == "vol1/plain.txt"]
        assert plain["outcome"] == "done"
        (link,) = [row for row in opened.files() if row["kind"] == "link"]
        assert link["link_target"] is None


def test_it_is_said_and_takes_from_what_is_complete(case: Path) -> None:
    with Case.open(case) as opened:
        stated = opened.coverage()
        assert stated["skipped_why"] == {WHY: 20}
        assert not stated["complete"]
        assert f"20 items were listed but not read ({WHY})" in stated["not_done"]
        said = [p["message"] for p in opened.problems()]
        named = "names are shown as they are stored, and nothing in files was examined"
        assert f"23 files and directories are encrypted by the file system: {named}" in said
        assert "20 files are ENCRYPTED, with a key that is not here: nothing in them was examined." in alarms(build(opened))


def test_they_can_be_asked_for(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["files", str(case), "--where", "encrypted = true and kind = file", "--format", "csv"])
    assert left.value.code in (0, None)
    assert len(capsys.readouterr().out.splitlines()) == 21
