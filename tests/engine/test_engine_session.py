"""One worker asked one thing at a time: a worker that is lost over one item is replaced for the next."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from triage.engine.listing import list_entries
from triage.engine.local import LocalEngine
from triage.engine.session import Session
from triage.errors import EngineError, EvidenceError
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from triage.model import Entry


def names(image: Path) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    with Session() as session:
        evidence, volumes, _ = session.open(image)
    list_entries(evidence, volumes, Limits(), lambda _, entries, __: found.update((e.path, e) for e in entries))
    return found


def locator_of(entry: Entry) -> Any:
    assert entry.locator is not None
    return entry.locator


def test_bytes_come_out_whole_and_in_part(small_image: Path) -> None:
    entry = names(small_image)["vol1/BIG.BIN"]
    with Session() as session:
        session.open(small_image)
        assert b"".join(session.read(locator_of(entry), entry.size)) == bytes(range(256)) * 300
        assert b"".join(session.read(locator_of(entry), 10, 250)) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_lost_worker_costs_one_item(small_image: Path) -> None:
    entry = names(small_image)["vol1/FILE03.TXT"]
    with Session() as session:
        session.open(small_image)
        os.kill(session._worker.pid, signal.SIGKILL)
        with pytest.raises(EvidenceError, match="ended the worker"):
            list(session.read(locator_of(entry), entry.size))
        for _ in range(2):
            assert b"".join(session.read(locator_of(entry), entry.size)) == b"this is file number 3\n" * 4


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
def test_a_worker_that_stands_still_is_given_up_and_replaced(small_image: Path) -> None:
    entry = names(small_image)["vol1/FILE03.TXT"]
    with Session(Limits(stall_seconds=1)) as session:
        session.open(small_image)
        os.kill(session._worker.pid, signal.SIGSTOP)
        with pytest.raises(EvidenceError, match="stalled"):
            list(session.read(locator_of(entry), entry.size))
        assert b"".join(session.read(locator_of(entry), 4)) == b"this"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGSTOP")
def test_a_dead_idle_worker_does_not_hide_that_opening_stalls(small_image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.session._STARTING", 1.0)
    engine = LocalEngine(Limits(), {"memory": 0}, 2)
    try:
        session = engine.spawn()
        os.kill(engine._seats[0].worker.pid, signal.SIGSTOP)
        os.kill(engine._seats[1].worker.pid, signal.SIGKILL)
        with pytest.raises(EvidenceError, match="stalled"):
            session.open(small_image)
    finally:
        engine.close()


def test_what_cannot_be_opened_keeps_its_reason(tmp_path: Path) -> None:
    with Session() as session, pytest.raises(EvidenceError, match="does not exist") as caught:
        session.open(tmp_path / "none.raw")
    assert caught.value.hint


def test_a_worker_that_cannot_begin_is_no_fault_of_the_evidence(small_image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.engine.process._START", "raise SystemExit(3)")
    with Session() as session, pytest.raises(EngineError, match="exit code 3"):
        session.open(small_image)


def test_a_command_that_there_is_not_is_answered_not_died_of(small_image: Path) -> None:
    with Session() as session:
        session.open(small_image)
        session._worker.send({"do": "take over"})
        event = session._next("nothing", 5)
        assert event.message is not None
        assert str(event.message["error"]).startswith("bug")
        assert session.open(small_image)[0].size == small_image.stat().st_size
