"""Whoever writes to evidence is found out, during a run and between two; whoever only moves it is not accused."""

from __future__ import annotations

import os
import random
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_support import Silent, digest, problems, until
from fat_image import make_fat

from triage.case.store import Case
from triage.cli import run as triage
from triage.engine import integrity
from triage.engine.run import RunOptions, RunResult, run
from triage.errors import CaseError, EvidenceError
from triage.evidence import fingerprint
from triage.evidence.segments import check_file
from triage.priority.profile import load_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MANY = 100
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="there a file's change time is not its last change")


def run_all(images: Sequence[Path], case: Path) -> RunResult:
    return run(RunOptions(evidence=tuple(images), case=case, profile=load_profile("full"), jobs=1), Silent())


def alter(path: Path, offset: int) -> None:
    """Change one byte and put the times back that can be put back."""
    info = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        old = file.read(1)
        file.seek(offset)
        file.write(bytes([old[0] ^ 0xFF]))
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def not_sampled(path: Path, dice: random.Random) -> int:
    """Return an offset whose byte no sampled fingerprint sees."""
    size = path.stat().st_size
    seen = fingerprint._pieces(size)
    while True:
        offset = dice.randrange(size)
        if not any(at <= offset < at + length for at, length in seen):
            return offset


@pytest.fixture
def media(tmp_path: Path) -> list[Path]:
    """A hundred media that differ in their serial number."""
    (tmp_path / "media").mkdir()
    images = [tmp_path / "media" / f"disk{n:03}.raw" for n in range(MANY)]
    for n, image in enumerate(images):
        image.write_bytes(make_fat({"A.TXT": b"alpha", "B.TXT": b"beta"}, serial=1000 + n))
    return images


@pytest.mark.slow
@POSIX
def test_a_hundred_changes_of_one_byte_during_a_run_are_all_announced(media: list[Path], tmp_path: Path) -> None:
    dice = random.Random(7)
    case = tmp_path / "case"
    written = threading.Event()

    def write() -> None:
        assert until(lambda: _entries(case) > 0, 120)
        for image in media:
            alter(image, dice.randrange(image.stat().st_size))
        written.set()

    class Waits(Silent):
        """Lets no run end before the writer is done."""

        def stage(self, name: str) -> None:
            if name == "scoring":
                assert written.wait(120)

    writer = threading.Thread(target=write)
    writer.start()
    result = run(RunOptions(evidence=tuple(media), case=case, profile=load_profile("full"), jobs=1), Waits())
    writer.join()
    assert result.changed == [str(p) for p in media]
    assert sum("changed while" in p["message"] for p in problems(case)) == MANY


def _entries(case: Path) -> int:
    if not (case / "case.db").is_file():
        return 0
    connection = sqlite3.connect(f"file:{case / 'case.db'}?mode=ro", uri=True, timeout=0.1)
    try:
        return int(connection.execute("SELECT count(*) FROM entry").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("small", [True, False], ids=["compared whole", "compared by times"])
def test_a_hundred_changes_of_one_byte_between_two_runs_are_all_announced(
    small: bool, media: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not small:
        monkeypatch.setattr(integrity, "SMALL", 0)
    dice = random.Random(8)
    case = tmp_path / "case"
    run_all(media, case)
    before = digest(case)
    for image in media:
        alter(image, not_sampled(image, dice))
    if small:  # refused at the first; told of each when the others are as they were
        for number, image in enumerate(media):
            with pytest.raises(EvidenceError, match="has changed since the last run"):
                integrity.compare_with_last_run(*_resumed(case, image, number))
    else:
        assert run_all(media, case).resumed
        said = [p["message"] for p in problems(case) if p["stage"] == integrity.STAGE]
        assert sorted(m.split(":")[0] for m in said) == [p.name for p in media]
    assert digest(case) == before


def _resumed(case: Path, image: Path, number: int) -> tuple[object, list[object], dict[str, integrity.Before]]:
    """Return what a run that resumes the case begins with, as if this were its only evidence."""

    class Reader:
        audit = type("Log", (), {"record": lambda *_: None})()

        def fact(self, key: str) -> object:
            with Case.open(case) as opened:
                return opened._fact(key)

        set_fact = add_problems = None  # it must not come to that

    with Case.open(case) as opened:
        one = opened.evidence_records()[number]
    assert one.paths == (str(image),)
    return Reader(), [one], {one.id: integrity.note([image], full=False)}


@pytest.mark.parametrize("where", [0, 600, -1])
def test_a_change_that_the_sample_sees_is_other_evidence(where: int, media: list[Path], tmp_path: Path) -> None:
    run_all(media[:1], tmp_path / "case")
    alter(media[0], where % media[0].stat().st_size)
    with pytest.raises(CaseError, match="other evidence"):
        run_all(media[:1], tmp_path / "case")


@POSIX
def test_a_change_between_two_runs_ends_the_command_with_one_line(
    media: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(media[0]), "--case", str(tmp_path / "case"), "--jobs", "1", "-q"]
    assert triage(command) == 0
    alter(media[0], not_sampled(media[0], random.Random(1)))
    capsys.readouterr()
    assert triage(command) == 3
    [line] = capsys.readouterr().err.splitlines()
    assert "has changed since the last run" in line
    assert "files differ" in (tmp_path / "case" / "audit.jsonl").read_text(encoding="ascii")


@POSIX
def test_a_copy_that_is_too_large_to_compare_is_said_and_not_called_changed(
    media: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(integrity, "SMALL", 0)
    case, copy = tmp_path / "case", tmp_path / "elsewhere.raw"
    assert triage(["run", str(media[0]), "--case", str(case), "--jobs", "1", "-q"]) == 0
    before = digest(case)
    shutil.copy2(media[0], copy)
    capsys.readouterr()
    assert triage(["run", str(copy), "--case", str(case), "--jobs", "1", "-q"]) == 0
    assert "content was not compared in full" in capsys.readouterr().err
    assert digest(case) == before
    with Case.open(case) as opened:
        assert opened.evidence()[0]["fingerprint_state"].startswith("unchanged")
    capsys.readouterr()
    assert triage(["run", str(copy), "--case", str(case), "--jobs", "1", "-q"]) == 0  # these files are known by now
    assert sum(p["stage"] == integrity.STAGE for p in problems(case)) == 1


@POSIX
def test_a_copy_that_is_compared_whole_is_no_news(media: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = tmp_path / "case"
    run_all(media[:1], case)
    copy = tmp_path / "elsewhere.raw"
    shutil.copy(media[0], copy)
    assert run_all([copy], case).changed == []
    assert problems(case) == []


def test_a_case_whose_evidence_changed_says_so_for_ever(media: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triage.engine import run as run_module

    case = tmp_path / "case"
    real = run_module.score_case
    at = not_sampled(media[0], random.Random(3))
    monkeypatch.setattr(integrity, "SMALL", 0)
    monkeypatch.setattr(run_module, "score_case", lambda *a: (alter(media[0], at), real(*a)))
    assert run_all(media[:1], case).changed == [str(media[0])]
    monkeypatch.setattr(run_module, "score_case", real)
    assert run_all(media[:1], case).changed == [str(media[0])]
    with Case.open(case) as opened:
        assert opened.evidence()[0]["fingerprint_state"] == "CHANGED in an earlier run"


def test_evidence_that_is_gone_at_the_end_has_changed(media: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from triage.engine import run as run_module

    real = run_module.score_case
    monkeypatch.setattr(run_module, "score_case", lambda *a: (media[0].rename(tmp_path / "away"), real(*a)))
    assert run_all(media[:1], tmp_path / "case").changed == [str(media[0])]


def test_a_file_that_was_just_written_is_looked_at_once_its_clock_has_ticked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(bytes(1024))
    slept: list[float] = []
    monkeypatch.setattr(integrity.time, "sleep", slept.append)
    monkeypatch.setattr(integrity.time, "time_ns", lambda: path.stat().st_ctime_ns + 10_000_000)
    integrity.note([path], full=False)
    assert slept == [pytest.approx(0.04, abs=0.001)] or path.stat().st_ctime_ns % 10**9 == 0
    monkeypatch.setattr(integrity.time, "time_ns", lambda: path.stat().st_ctime_ns + 10**10)
    slept.clear()
    integrity.note([path], full=False)
    assert slept == []


# ---- what is no file ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[dict[str, Path]]:
    fifo, folder, link, listening = tmp_path / "fifo", tmp_path / "folder", tmp_path / "link", tmp_path / "socket"
    os.mkfifo(fifo)
    folder.mkdir()
    link.symlink_to(fifo)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listening))
        yield {"fifo": fifo, "folder": folder, "link to a fifo": link, "socket": listening, "zero": Path("/dev/zero"),
               "null": Path("/dev/null"), "tty": Path("/dev/tty"), "broken link": tmp_path / "broken"}


@pytest.mark.skipif(sys.platform == "win32", reason="other kinds of files there")
@pytest.mark.parametrize("kind", ["fifo", "folder", "link to a fifo", "socket", "zero", "null", "tty", "broken link"])
def test_what_is_no_file_is_refused_in_one_line_and_at_once(
    kind: str, odd: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").symlink_to("nowhere")
    for words in (["run", str(odd[kind]), "--case", str(tmp_path / "case")], ["info", str(odd[kind])], ["verify", str(odd[kind])]):
        assert triage(words) in (2, 3)
        [line] = capsys.readouterr().err.splitlines()
        assert str(odd[kind]) in line
    assert not (tmp_path / "case").exists()


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0 or not shutil.which("losetup"), reason="needs loop devices")
def test_a_device_that_can_be_written_to_is_said(media: list[Path], tmp_path: Path) -> None:
    for words, warned in ((["--read-only"], False), ([], True)):
        made = subprocess.run(["losetup", "--find", "--show", *words, media[0]], capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no loop devices here: {made.stderr.strip()}")
        device = Path(made.stdout.strip())
        try:
            assert stat.S_ISBLK(device.stat().st_mode)
            assert check_file(device).kind == "raw"
            case = tmp_path / f"case{warned}"
            assert run_all([device], case).complete
            assert any("write blocker" in p["message"] for p in problems(case)) == warned
            with Case.open(case) as opened:
                assert "a device has no times" in opened.evidence()[0]["fingerprint_state"]
        finally:
            subprocess.run(["losetup", "-d", device], check=True)
