"""LevelDB: the records of one of its files, also those that were replaced or deleted later.

Format: LevelDB's ``doc/log_format.md``, ``doc/table_format.md`` (BSD). A log: blocks of 32 KiB of pieces (checksum, u16 length,
u8 whether whole, first, middle or last), which make batches: u64 sequence, u32 count, then u8 whether set or deleted, key and value with
their lengths before them. A table (``.ldb``, ``.sst``): blocks, an index of them, a foot of 48 bytes. Keys of a table end in u64: the
sequence, and in the lowest byte whether set or deleted. Checksums are not verified: what can be read is given.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.snappy import undo_snappy
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

FOOT = struct.pack("<Q", 0xDB4775248B80FB57)
_BLOCK = 32 << 10
_LARGEST_BLOCK = 16 << 20
_MOST_UNDONE = 128 << 20
_MOST_KEYS = 128 << 20
"""Bytes of the keys of a table together: each may repeat the one before it at the cost of three bytes."""
_MOST_INDEX = 100_000


class Record(NamedTuple):
    """A record. ``deleted``: it says that the key was taken out. ``start`` and ``size``: of the batch or block in the file."""

    key: bytes
    value: bytes
    sequence: int
    deleted: bool
    start: int
    size: int


def records(data: bytes, notes: Notes) -> Iterator[Record]:
    """Yield the records of a table or a log, told apart by the table's foot; what cannot be read is noted.

    Raises :class:`StructureError` for a table whose index cannot be read.
    """
    return _table(data, notes) if data.endswith(FOOT) and len(data) >= 48 else _log(data, notes)


# -- logs -------------------------------------------------------------------------------------------------------------------------


def _log(data: bytes, notes: Notes) -> Iterator[Record]:
    for start, end, batch in _batches(data, notes):
        if len(batch) < 12:
            notes.add("a batch of a log cannot be read")
            continue
        sequence, count = struct.unpack_from("<QI", batch)
        at = 12
        for number in range(min(count, len(batch))):
            kind = batch[at] if at < len(batch) else 2
            key, at = _sized(batch, at + 1)
            value: bytes | None = b""
            if kind == 1 and key is not None:
                value, at = _sized(batch, at)
            if kind > 1 or key is None or value is None:
                notes.add("a batch of a log breaks off")
                break
            yield Record(key, value, sequence + number, kind == 0, start, end - start)


def _batches(data: bytes, notes: Notes) -> Iterator[tuple[int, int, bytes]]:
    """Yield where each batch begins and ends, and its bytes put together; of one whose end is lost, those that are there."""
    pieces: list[bytes] = []
    begin = at = 0
    while at + 7 <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if kind == 0 and length == 0:  # set aside and not written yet: the next block may hold more
            at += left
            continue
        end = at + 7 + length
        if kind > 4 or kind == 0 or 7 + length > left:
            notes.add("a block of a log cannot be read: the rest of it was left out")
            if pieces:
                yield begin, at, b"".join(pieces)
            pieces = []
            at += left
            continue
        if kind in (1, 2):
            if pieces:
                notes.add("a batch of a log has no end")
                yield begin, at, b"".join(pieces)
            pieces, begin = [], at
        elif not pieces:
            notes.add("a batch of a log has no beginning")
            at = end
            continue
        pieces.append(data[at + 7 : end])
        at = min(end, len(data))
        if kind in (1, 4):
            yield begin, at, b"".join(pieces)
            pieces = []
    if pieces:
        notes.add("a batch of a log has no end")
        yield begin, len(data), b"".join(pieces)


def _sized(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = varint(data, at)
    if length is None or at + length > len(data):
        return None, at
    return data[at : at + length], at + length


def varint(data: bytes, at: int) -> tuple[int | None, int]:
    """Return a number of at most 64 bits and the place behind it; ``None`` if none ends within the bytes."""
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return None, at


# -- tables -----------------------------------------------------------------------------------------------------------------------


class _Budget:
    def __init__(self) -> None:
        self.undone, self.keys = _MOST_UNDONE, _MOST_KEYS


def _table(data: bytes, notes: Notes) -> Iterator[Record]:
    budget = _Budget()
    foot = data[-48:]
    _, at = varint(foot, 0)
    _, at = varint(foot, at)
    offset, at = varint(foot, at)
    size, _ = varint(foot, at)
    if offset is None or size is None:
        raise StructureError("a table whose foot cannot be read")
    index = _block(data, offset, size, budget, notes)
    if index is None:
        raise StructureError("a table whose index cannot be read")
    seen: set[int] = set()
    for number, (_, handle) in enumerate(_entries(index, budget, notes)):
        if number >= _MOST_INDEX:
            notes.add("a table has more blocks than are read")
            return
        place, at = varint(handle, 0)
        length, _ = varint(handle, at)
        if place is None or length is None or place in seen:
            notes.add("a block of a table cannot be found")
            continue
        seen.add(place)
        block = _block(data, place, length, budget, notes)
        if block is None:
            continue
        for key, value in _entries(block, budget, notes):
            if len(key) < 8:
                notes.add("a key of a table is too short")
                continue
            packed = int.from_bytes(key[-8:], "little")
            yield Record(key[:-8], value, packed >> 8, packed & 0xFF == 0, place, length)


def _block(data: bytes, offset: int, size: int, budget: _Budget, notes: Notes) -> bytes | None:
    if offset + size + 1 > len(data):
        notes.add("a block of a table lies outside of it")
        return None
    raw, kind = data[offset : offset + size], data[offset + size]
    if kind == 0:
        return raw
    if kind != 1:
        notes.add(f"a block of a table is compressed in a way that is not read ({kind})")
        return None
    if budget.undone <= 0:
        notes.add("a table comes to more than may be undone: the rest was left out")
        return None
    found, why = undo_snappy(raw, _LARGEST_BLOCK)
    budget.undone -= len(found)
    if why:
        notes.add(why)
        return None  # the places of its entries stand at its end
    return found


def _entries(block: bytes, budget: _Budget, notes: Notes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(block[-4:], "little") if len(block) >= 4 else 0
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        notes.add("a block of a table cannot be read")
        return
    key, at = b"", 0
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        if shared is None or own is None or length is None or shared > len(key) or at + own + length > end:
            notes.add("a block of a table breaks off")
            return
        key = key[:shared] + block[at : at + own]
        budget.keys -= len(key)
        if budget.keys < 0:
            notes.add("the keys of a table come to more than may be read: the rest was left out")
            return
        at += own + length
        yield key, block[at - length : at]
