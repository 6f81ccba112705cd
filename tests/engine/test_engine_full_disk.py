"""A disk that is full at any moment: one line, exit code 7; and with room, the case of a run that nothing disturbed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from engine_support import THOROUGH, digest

from triage.case.audit import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="needs tmpfs or limits")]
ROOT = Path(__file__).resolve().parents[2]
ROOM = "64m"


class Left(NamedTuple):
    digest: str
    findings: bytes
    report: bytes


def left(case: Path) -> Left:
    return Left(digest(case), (case / "findings.jsonl").read_bytes(), (case / "report" / "report.json").read_bytes())


def triage(image: Path, case: Path, *, limit: int = 0) -> tuple[int, list[str]]:
    """Run in a process of its own, in which no file may grow past ``limit`` bytes; return exit code and what it said."""
    def bound() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run([sys.executable, "-m", "triage", "run", image, "--case", case, "--jobs", "1", "-q"], cwd=ROOT, check=False,
                          capture_output=True, text=True, timeout=120, preexec_fn=bound if limit else None)
    return done.returncode, done.stderr.splitlines()


@pytest.fixture(scope="module")
def undisturbed(many_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Left:
    case = tmp_path_factory.mktemp("undisturbed") / "case"
    assert triage(many_image, case) == (0, [])
    return left(case)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A tiny disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a disk; the test with limits stands in")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def is_one_line(said: list[str]) -> bool:
    return len(said) == 1 and said[0].startswith("triage: ") and said[0].endswith(")") and "a bug" not in said[0]


def test_a_disk_that_is_full_at_any_moment_leaves_the_same_case(many_image: Path, undisturbed: Left, disk: Path) -> None:
    what = set()
    for kib in (16, 150, 290, 430, 580, 1000) if THOROUGH else (16, 290, 1000):
        resize(disk, f"{kib}k")
        code, said = triage(many_image, disk / "case")
        assert code == 7, (kib, said)
        assert is_one_line(said), said
        what.add("report" if "report" in said[0] else "case")
        assert not list((disk / "case").glob("report/.report-*"))
        resize(disk, ROOM)
        assert triage(many_image, disk / "case") == (0, [])
        assert left(disk / "case") == undisturbed, kib
        assert verify(disk / "case" / "audit.jsonl")[1] == []
        shutil.rmtree(disk / "case")
    assert what == {"case", "report"}


def test_a_disk_that_is_still_full_is_said_again(many_image: Path, undisturbed: Left, disk: Path) -> None:
    resize(disk, "300k")
    assert triage(many_image, disk / "case")[0] == 7
    for _ in range(2):
        code, said = triage(many_image, disk / "case")
        assert code == 7, said
        assert is_one_line(said), said
    resize(disk, ROOM)
    assert triage(many_image, disk / "case") == (0, [])
    assert left(disk / "case") == undisturbed


@pytest.mark.parametrize("limit", [8_000, 60_000, 330_000])
def test_a_file_that_may_not_grow_leaves_the_same_case(limit: int, many_image: Path, undisturbed: Left, tmp_path: Path) -> None:
    case = tmp_path / "case"
    code, said = triage(many_image, case, limit=limit)
    assert code == 7, said
    assert is_one_line(said), said
    assert triage(many_image, case) == (0, [])
    assert left(case) == undisturbed
    assert verify(case / "audit.jsonl")[1] == []
