"""Announcements in shared memory: what a worker was about to touch outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.engine.slot import Announcement, Slot

ROOT = str(Path(__file__).resolve().parents[2])
NUMBERS = st.integers(0, 2**64 - 1)
CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from triage.engine.slot import Slot
slot = Slot(sys.argv[2])
slot.announce(7, 2**63 + 5, 3)
slot.beat()
print("said", flush=True)
sys.stdin.read()
"""


@settings(max_examples=50, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_what_is_announced_is_read(phase: int, address: int, position: int) -> None:
    slot = Slot()
    try:
        assert slot.read() == Announcement(0, 0, 0, 0)
        slot.announce(phase, address, position)
        assert slot.read() == (phase, address, position, 1)
        slot.beat()
        assert slot.read() == (phase, address, position, 2)
        slot.reset()
        assert slot.read() == (0, 0, 0, 0)
    finally:
        slot.close()


def test_addresses_past_64_bits_or_below_zero_do_not_stop_a_walk() -> None:
    slot = Slot()
    slot.announce(1, -1, 1 << 70)
    assert slot.read() == (1, 2**64 - 1, 0, 1)
    slot.close()


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are not inherited")
def test_a_killed_process_leaves_its_last_word() -> None:
    slot = Slot()
    child = subprocess.Popen([sys.executable, "-I", "-c", CHILD, ROOT, slot.handle], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             pass_fds=slot.descriptors)
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin, child.stdout:
        assert child.stdout.readline() == b"said\n"
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(timeout=10) == -signal.SIGKILL
    assert slot.read() == (7, 2**63 + 5, 3, 2)
    slot.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no file there")
def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    slot = Slot()
    assert list(tmp_path.iterdir()) == []
    slot.close()
