"""Snappy, tables of LevelDB, and values of V8, where hostile: limits and damage."""

from __future__ import annotations

import struct

import pytest

from triage.artifacts.leveldb import FOOT, records
from triage.artifacts.snappy import undo_snappy
from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.v8values import read_value
from triage.artifacts.webstorage import origin_of


@pytest.mark.parametrize(
    ("block", "plain"),
    [
        (b"\x05\x10hello", b"hello"),
        (b"\x07\x00a\x09\x01", b"a" * 7),
        (b"\x08\x04ab\x16\x02\x00", b"abababab"),
        (b"\x06\x00a\x13\x01\x00\x00\x00", b"a" * 6),
        (b"\x41\xf0\x40" + b"z" * 65, b"z" * 65),
        (b"\x00", b""),
    ],
)
def test_a_block_of_snappy_is_undone(block: bytes, plain: bytes) -> None:
    assert undo_snappy(block, 1000) == (plain, "")


@pytest.mark.parametrize(
    "block", [b"", b"\x05\x10he", b"\x05\x01\x01", b"\x05\x00a\x01\x00", b"\x05\x00a", b"\xff\xff\xff\xff\xff", b"\xff\x7f\x00a"]
)
def test_damage_or_what_is_too_large_is_said(block: bytes) -> None:
    found, why = undo_snappy(block, 1000)
    assert why
    assert len(found) <= 5


def table(block: bytes) -> bytes:
    """Return a table of one block that stands as it is."""
    restart = struct.pack("<II", 0, 1)
    block += restart
    handle = bytes([0]) + varint(len(block))
    index = bytes([0, 1, len(handle)]) + b"k" + handle + restart
    foot = (b"\0\0" + varint(len(block) + 5) + varint(len(index))).ljust(40, b"\0") + FOOT
    return block + bytes(5) + index + bytes(5) + foot


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


def entry(shared: int, own: bytes, value: bytes = b"") -> bytes:
    return varint(shared) + varint(len(own)) + varint(len(value)) + own + value


def test_keys_that_repeat_the_one_before_them_are_bounded() -> None:
    long = b"k" * 60_000 + struct.pack("<Q", 1 << 8 | 1)
    data = table(entry(0, long) + entry(60_008, b"") * 20_000)
    notes = Notes()
    assert len(list(records(data, notes))) < 3000
    assert "keys of a table come to more" in notes.lines()[0]


def test_a_table_gives_what_was_set_and_what_was_taken_out() -> None:
    data = table(entry(0, b"key1" + struct.pack("<Q", 7 << 8 | 1), b"value") + entry(3, b"2" + struct.pack("<Q", 8 << 8)))
    notes = Notes()
    assert [(r.key, r.value, r.sequence, r.deleted) for r in records(data, notes)] == [
        (b"key1", b"value", 7, False),
        (b"key2", b"", 8, True),
    ]
    assert notes.lines() == ()


def test_a_table_without_an_index_is_said_to_be_that() -> None:
    with pytest.raises(StructureError, match="index cannot be read"):
        list(records(bytes(8) + b"\0\0\xff\x01\xff\x01".ljust(40, b"\0") + FOOT, Notes()))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b'\xff\x0f"\x02hi', "hi"),
        (b"\xff\x15\xfe" + bytes(12) + b"\xff\x0fI\x03", -2),
        (b'\xff\x0fo"\x01aI\x02"\x01b_{\x02', {"a": 1, "b": None}),
        (b"\xff\x0fa\x03I\x02I\x04@\x01\x03", {"1": 2}),
        (b"\xff\x0f;I\x02T:\x02", {"1": True}),
        (b"\xff\x0f'I\x02I\x04,\x02", [1, 2]),
        (b"\xff\x0fA\x01^\x00$\x00\x01", ["(the same as value 0)"]),
        (b"\xff\x0fZ\x11\x05" + bytes(7), -5),
        (b"\xff\x0f\\i\x00", "(a blob of its own, number 0)"),
        (b"\xff\x0fB\x02\x01\x02VB\x00\x02\x00", "(2 bytes: 0102)"),
        (b'\xff\x11\x02\x06\x14\xff\x0f"\x02hi', "hi"),
    ],
)
def test_values_of_v8_are_read(raw: bytes, value: object) -> None:
    assert read_value(raw) == (value, "")


def test_what_stands_before_an_unknown_part_is_given() -> None:
    assert read_value(b'\xff\x0fo"\x01aI\x02"\x01b?') == ({"a": 1}, "a value has a part that is not known")
    assert read_value(b'\xff\x0fA\x05I\x02o"\x01aI\x02') == ([1, {"a": 1}], "a value breaks off")
    assert "deeper" in read_value(b"\xff\x0f" + b"A\x01" * 5000)[1]
    assert "own" in read_value(b"\xff\x11\x01\x05\x00")[1]


def test_origins_are_read_from_the_names_of_folders() -> None:
    assert origin_of("https_teams.microsoft.com_0.indexeddb.leveldb") == "https://teams.microsoft.com"
    assert origin_of("chrome-extension_abc_0.indexeddb.leveldb") == "chrome-extension://abc"
    assert origin_of("words") == ""
