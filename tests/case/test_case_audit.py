"""The audit chain: whatever is done to its lines afterwards shows."""

from __future__ import annotations

import hashlib
import json
import random
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.case.audit import FIRST, AuditLog, verify
from triage.errors import CaseError, OutputError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, number: int = 30) -> str:
    log = AuditLog(path)
    for n in range(number):
        log.record("event", {"n": n, "text": "é\n\u202e" * (n % 3), "list": [1, None, {"a": True}]})
    log.close()
    return log.head


def test_a_log_that_nobody_touched_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    head = write(path)
    assert verify(path) == (30, [])
    assert verify(path, head) == (30, [])
    assert verify(path, head[:32].upper()) == (30, [])
    records = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [r["n"] for r in records] == list(range(1, 31))
    assert records[0]["prev"] == FIRST
    assert path.read_bytes().isascii()


def test_a_log_that_is_opened_again_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first = write(path, 3)
    second = write(path, 2)
    assert verify(path) == (5, [])
    assert verify(path, first) == (5, [])
    assert verify(path, second) == (5, [])


def damage(dice: random.Random, lines: list[bytes]) -> list[bytes]:
    """Do one thing to a log that changes what it says."""
    lines = list(lines)
    at = dice.randrange(len(lines))
    how = dice.randrange(8)
    if how == 0:  # a byte is changed
        position = dice.randrange(len(lines[at]) - 1)
        lines[at] = lines[at][:position] + bytes([lines[at][position] ^ dice.randint(1, 255)]) + lines[at][position + 1:]
    elif how == 1:  # a line is removed
        del lines[at]
    elif how == 2:  # two lines change places
        other = (at + dice.randint(1, len(lines) - 1)) % len(lines)
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 3:  # the end is cut off, at a line's end or within
        whole = b"".join(lines)
        lines = whole[: dice.randrange(len(whole))].splitlines(keepends=True)
    elif how == 4:  # a line is there twice
        lines.insert(at, lines[at])
    elif how == 5:  # a value is changed and the line is a proper record
        record = json.loads(lines[at])
        record["data"]["n"] += 1
        lines[at] = json.dumps(record, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    elif how == 6:  # a line is put in
        record = {"n": at + 1, "at": "", "event": "x", "data": {}, "prev": json.loads(lines[at])["prev"]}
        lines.insert(at, json.dumps(record).encode() + b"\n")
    else:  # the beginning is cut off
        lines = lines[at + 1:]
    return lines


def test_a_thousand_changes_all_show(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    head = write(path, 12)
    lines = path.read_bytes().splitlines(keepends=True)
    dice = random.Random(1000)
    unseen_without_the_digest = 0
    for number in range(1000):
        changed = damage(dice, lines)
        path.write_bytes(b"".join(changed))
        assert verify(path, head)[1], f"change {number} does not show"
        if not verify(path)[1]:
            unseen_without_the_digest += 1
            assert changed[:-1] == lines[: max(0, len(changed) - 1)], f"change {number} is not at the end"
    assert unseen_without_the_digest < 150


def test_a_hundred_thousand_lines_are_checked_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    previous = FIRST
    with path.open("wb") as file:
        for number in range(1, 100_001):
            record = {"n": number, "at": "", "event": "listed", "data": {"names": number}, "prev": previous}
            line = json.dumps(record, sort_keys=True, separators=(",", ":")).encode()
            file.write(line + b"\n")
            previous = hashlib.sha256(line).hexdigest()
    began = time.process_time()
    assert verify(path, previous) == (100_000, [])
    assert time.process_time() - began < 5


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_judged_not_died_of(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("log") / "audit.jsonl"
    path.write_bytes(data)
    lines, faults = verify(path)
    assert (lines == 0) == (not data)
    assert bool(faults) == bool(data)


@pytest.mark.parametrize("line", [b"[]\n", b"5\n", b"null\n", b'"x"\n', b"{}\n", b"[" * 100_000 + b"\n", b'{"prev":1,"n":1}\n', b"\xff\n"])
def test_what_is_no_record_shows(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(line)
    assert len(verify(path)[1]) >= 1


def test_a_torn_last_line_is_closed_and_the_chain_goes_on_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    write(path, 2)
    assert path.read_bytes().startswith(whole[:-20] + b"\n")
    lines, faults = verify(path)
    assert lines == 5
    assert faults == ["line 3 is not a whole record"]


def test_a_second_writer_is_sent_away(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    first = AuditLog(path)
    with pytest.raises(CaseError, match="in use") as caught:
        AuditLog(path)
    assert caught.value.exit_code == 4
    assert caught.value.hint
    first.record("still", {})
    first.close()
    write(path, 1)
    assert verify(path) == (2, [])


def test_a_log_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(OutputError):
        AuditLog(tmp_path / "audit.jsonl")
