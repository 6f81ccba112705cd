"""UFS, made by NetBSD's makefs where it is installed."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from triage.case.store import Case
from triage.commands.progress import Silent
from triage.engine.run import RunOptions, run
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from pathlib import Path


def test_ufs1_is_listed_and_read(tmp_path: Path) -> None:
    makefs = shutil.which("makefs")
    if makefs is None:
        pytest.skip("makefs is not installed (Debian: makefs)")
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_bytes(b"hello\n")
    large = bytes(range(256)) * 300
    (source / "sub" / "b.bin").write_bytes(large)
    image = tmp_path / "ufs.img"
    subprocess.run([makefs, "-t", "ffs", "-s", "2m", str(image), str(source)], check=True, capture_output=True)
    run(RunOptions(evidence=(image,), case=tmp_path / "case", profile=load_profile("full")), Silent())
    with Case.open(tmp_path / "case") as case:
        assert [v["file_system"] for v in case.volumes()] == ["UFS1"]
        found = {row["path"]: row["md5"] for row in case.files(where="kind=file")}
    assert found == {"vol1/a.txt": hashlib.md5(b"hello\n").hexdigest(), "vol1/sub/b.bin": hashlib.md5(large).hexdigest()}
