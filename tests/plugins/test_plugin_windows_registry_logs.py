"""Logs beside hives: what stands only there, what they took away, of both formats, and damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hive_maker import hive, sz
from real_samples import findings, item_of, mutants, never_fails, problems, run
from test_plugin_windows_registry import EXPLORER, WHEN, nested

from triage.artifacts.hive import BASE, checksum
from triage.artifacts.hivelog import marvin32, replay

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/Users/kim/NTUSER.DAT"


def typed(path: str) -> bytes:
    return hive(nested(EXPLORER, {"TypedPaths": {"=url1": sz(path), "@": WHEN}}))


def dirty(data: bytes) -> bytes:
    """Return a hive that was being written: its first sequence number is ahead of the second."""
    new = bytearray(data)
    struct.pack_into("<II", new, 4, 8, 7)
    struct.pack_into("<I", new, 508, checksum(bytes(new)))
    return bytes(new)


def base(new: bytes, kind: int, sequence: int) -> bytes:
    head = bytearray(new[:512])
    struct.pack_into("<II", head, 4, sequence, sequence)
    struct.pack_into("<I", head, 28, kind)
    struct.pack_into("<I", head, 508, checksum(bytes(head)))
    return bytes(head)


def entry(new: bytes, sequence: int, pages: list[tuple[int, int]]) -> bytes:
    refs = b"".join(struct.pack("<II", *page) for page in pages)
    body = refs + b"".join(new[BASE + at : BASE + at + size] for at, size in pages)
    size = -(-(40 + len(body)) // 512) * 512
    head = b"HvLE" + struct.pack("<5I", size, 0, sequence, len(new) - BASE, len(pages))
    body = body.ljust(size - 40, b"\0")
    head += struct.pack("<Q", marvin32(body))
    return head + struct.pack("<Q", marvin32(head)) + body


def new_log(new: bytes, sequence: int = 7) -> bytes:
    """Return a log of Windows 8.1 and later with every page of a hive."""
    return base(new, 6, sequence) + entry(new, sequence, [(at, 4096) for at in range(0, len(new) - BASE, 4096)])


def old_log(new: bytes) -> bytes:
    count = (len(new) - BASE) // 512
    log = base(new, 1, 8) + b"DIRT" + b"\xff" * (count // 8)
    return log.ljust(-(-len(log) // 512) * 512, b"\0") + new[BASE:]


BEFORE, AFTER = typed("C:\\old"), typed("E:\\private")


def samples() -> list[Item]:
    return [item_of(new_log(AFTER), f"{PATH}.LOG1", {"NTUSER.DAT": dirty(BEFORE)})]


@pytest.mark.parametrize(("log", "end"), [(new_log(AFTER), "LOG1"), (new_log(AFTER), "LOG2"), (old_log(AFTER), "LOG")])
def test_what_the_log_added_and_took_away_is_said_with_its_state(log: bytes, end: str) -> None:
    said = run("windows_registry_logs", item_of(log, f"{PATH}.{end}", {"NTUSER.DAT": dirty(BEFORE)}))
    assert [(f.data["path"], f.data["state"], f.data["user"]) for f in findings(said)] == [
        ("E:\\private", "only in the log", "kim"),
        ("C:\\old", "superseded by the log", "kim"),
    ]
    assert problems(said) == []


def test_of_two_logs_the_first_speaks_for_both() -> None:
    pages = [(at, 4096) for at in range(0, len(AFTER) - BASE, 4096)]
    middle = typed("D:\\between")
    logs = {"NTUSER.DAT.LOG1": base(AFTER, 6, 7) + entry(middle, 7, pages), "NTUSER.DAT.LOG2": base(AFTER, 6, 8) + entry(AFTER, 8, pages)}
    near = {"NTUSER.DAT": dirty(BEFORE), **logs}
    said = findings(run("windows_registry_logs", item_of(logs["NTUSER.DAT.LOG1"], f"{PATH}.LOG1", near)))
    assert "E:\\private" in [f.data["path"] for f in said]
    assert "D:\\between" not in [f.data["path"] for f in said]
    assert run("windows_registry_logs", item_of(logs["NTUSER.DAT.LOG2"], f"{PATH}.LOG2", near)) == []


def test_what_is_older_than_the_hive_or_behind_a_gap_is_not_put_in() -> None:
    pages = [(0, 4096)]
    assert replay(dirty(BEFORE), [base(AFTER, 6, 3) + entry(AFTER, 3, pages)]).why == "its logs hold only what is older"
    gap = [base(AFTER, 6, 7) + entry(AFTER, 7, pages), base(AFTER, 6, 9) + entry(AFTER, 9, pages)]
    found = replay(dirty(BEFORE), gap)
    assert (found.entries, found.why) == (1, "between entries of its logs others are missing")


def test_an_entry_whose_hash_is_wrong_is_not_believed() -> None:
    log = bytearray(new_log(AFTER))
    log[-100] ^= 1
    said = run("windows_registry_logs", item_of(bytes(log), f"{PATH}.LOG1", {"NTUSER.DAT": dirty(BEFORE)}))
    assert findings(said) == []
    assert "no log that can be used" in problems(said)[0].message


def test_the_log_of_a_hive_that_was_closed_says_nothing() -> None:
    assert run("windows_registry_logs", item_of(new_log(AFTER), f"{PATH}.LOG1", {"NTUSER.DAT": BEFORE})) == []
    assert run("windows_registry_logs", item_of(new_log(AFTER), f"{PATH}.LOG1")) == []


def test_marvin32_gives_the_published_values() -> None:
    """Of .NET's tests of the same hash, with their seed."""
    expected = {"": 0x30ED35C100CD3C7D, "AF": 0x48E73FC77D75DDC1, "37F495": 0xF0B07C789B8CF7E8, "8642DC59": 0x7008F2E87E9CF556}
    assert {data: marvin32(bytes.fromhex(data), 0x004FB61A001BDBCC) for data in expected} == expected


def test_damaged_logs_and_hives_never_break_it() -> None:
    for data in mutants(new_log(AFTER), 100):
        never_fails("windows_registry_logs", item_of(data, f"{PATH}.LOG1", {"NTUSER.DAT": dirty(BEFORE)}))
    for data in mutants(old_log(AFTER), 100):
        never_fails("windows_registry_logs", item_of(data, f"{PATH}.LOG", {"NTUSER.DAT": dirty(BEFORE)}))
    for data in mutants(dirty(BEFORE), 100):
        never_fails("windows_registry_logs", item_of(new_log(AFTER), f"{PATH}.LOG1", {"NTUSER.DAT": data}))
