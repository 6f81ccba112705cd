"""OLE compound files: their streams, each with its path and where its bytes are ([MS-CFB]).

A stream's bytes are given as stretches of the file, so that it can be read again without this reader. Chains that loop, leave the file
or are longer than it end where they do; what was cut is in ``notes``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from triage.artifacts.structure import ReadAt

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MINI_CUTOFF, _MINI = 4096, 64
_END, _MOST_SECTOR = 0xFFFFFFFE, 0xFFFFFFFA
_NONE = 0xFFFFFFFF
_MOST_ENTRIES, _DEEPEST = 100_000, 64
_MOST_TABLE = 64 << 20


class Stream(NamedTuple):
    """A stream. ``path``: names from the root on; ``places``: offsets and lengths of its bytes in the file, in order."""

    path: tuple[str, ...]
    size: int
    places: tuple[tuple[int, int], ...]
    modified: int

    def cut(self) -> list[object]:
        """Return the step of a recipe that gives its bytes."""
        return ["cut", *(number for place in self.places for number in place)]

    def read(self, read_at: ReadAt, limit: int = 1 << 20) -> bytes:
        """Return its bytes, at most ``limit`` of them."""
        found, left = [], limit
        for offset, length in self.places:
            if left <= 0:
                break
            found.append(read_at(offset, min(length, left)))
            left -= length
        return b"".join(found)[:limit]


@dataclass(slots=True)
class _Entry:
    name: str
    kind: int
    left: int
    right: int
    child: int
    modified: int
    start: int
    size: int


@dataclass(slots=True)
class Compound:
    """An opened file."""

    streams: list[Stream] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)


def open_compound(read_at: ReadAt, size: int) -> Compound:
    """Return the streams of a compound file; raise :class:`StructureError` for what is none."""
    head = read_at(0, 512)
    if len(head) < 512 or not head.startswith(MAGIC):
        raise StructureError("no compound file")
    version, _, shift, mini_shift = struct.unpack_from("<HHHH", head, 26)
    if shift not in (9, 12) or mini_shift != 6 or version not in (3, 4):
        raise StructureError("a compound file of a version that is not read")
    found = Compound()
    reader = _Reader(read_at, size, shift, head, found.notes)
    entries = reader.directory()
    if not entries:
        raise StructureError("a compound file without a directory")
    reader.mini_stream = reader.chain(entries[0].start, entries[0].size)
    mini_table = reader.table(reader.chain(struct.unpack_from("<I", head, 60)[0], _MOST_TABLE))
    seen: set[int] = set()
    waiting: list[tuple[int, tuple[str, ...]]] = [(entries[0].child, ())]
    while waiting:
        number, above = waiting.pop()
        if number == _NONE or number >= len(entries) or number in seen:
            continue
        seen.add(number)
        entry = entries[number]
        waiting += [(entry.right, above), (entry.left, above)]
        if entry.kind == 1 and len(above) < _DEEPEST:
            waiting.append((entry.child, (*above, entry.name)))
        elif entry.kind == 2:
            mini = entry.size < _MINI_CUTOFF
            places = reader.mini_chain(entry.start, entry.size, mini_table) if mini else reader.chain(entry.start, entry.size)
            if sum(length for _, length in places) < entry.size:
                found.notes.add("a stream of a compound file is not all there")
            found.streams.append(Stream((*above, entry.name), sum(length for _, length in places), tuple(places), entry.modified))
    found.streams.sort(key=lambda s: s.path)
    return found


class _Reader:
    def __init__(self, read_at: ReadAt, size: int, shift: int, head: bytes, notes: Notes) -> None:
        self._read_at = read_at
        self._size = size
        self._shift = shift
        self._head = head
        self._notes = notes
        self._sectors = max(0, (size - 1 >> shift))
        self.mini_stream: list[tuple[int, int]] = []
        self._fat = self._load_fat()

    def _load_fat(self) -> NDArray[np.uint32]:
        sector, per = 1 << self._shift, (1 << self._shift) // 4
        listed = list(struct.unpack_from("<109I", self._head, 76))
        following, count = struct.unpack_from("<II", self._head, 68)
        seen: set[int] = set()
        while following < _MOST_SECTOR and following not in seen and len(seen) < min(count, self._sectors + 1):
            seen.add(following)
            raw = self._read_at((following + 1) << self._shift, sector)
            numbers = struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4])
            listed += numbers[: per - 1]
            following = numbers[per - 1] if len(numbers) == per else _END
        places = [((n + 1) << self._shift, sector) for n in listed if n < _MOST_SECTOR and n <= self._sectors]
        return self.table(places[: _MOST_TABLE // sector])

    def table(self, places: Sequence[tuple[int, int]]) -> NDArray[np.uint32]:
        """Return the numbers that stand in some stretches."""
        raw = b"".join(self._read_at(offset, length) for offset, length in places)
        return np.frombuffer(raw[: len(raw) // 4 * 4], "<u4")

    def chain(self, start: int, size: int) -> list[tuple[int, int]]:
        """Return the stretches of a chain of sectors, as much of it as there is."""
        sector = 1 << self._shift
        places: list[tuple[int, int]] = []
        left, steps = size, 0
        while left > 0 and start < _MOST_SECTOR and start <= self._sectors:
            steps += 1
            if steps > self._sectors + 1:
                self._notes.add("a chain of a compound file's sectors runs in a circle")
                break
            _append(places, (start + 1) << self._shift, min(sector, left))
            left -= sector
            start = int(self._fat[start]) if start < len(self._fat) else _END
        return places

    def mini_chain(self, start: int, size: int, table: NDArray[np.uint32]) -> list[tuple[int, int]]:
        """Return the stretches of a small stream, which lies in the mini stream in pieces of 64 bytes."""
        places: list[tuple[int, int]] = []
        left, steps = size, 0
        while left > 0 and start < _MOST_SECTOR and steps <= _MINI_CUTOFF // _MINI:
            steps += 1
            place = self._in_mini(start * _MINI)
            if place is None:
                break
            _append(places, place, min(_MINI, left))
            left -= _MINI
            start = int(table[start]) if start < len(table) else _END
        return places

    def _in_mini(self, offset: int) -> int | None:
        for place, length in self.mini_stream:
            if offset < length:
                return place + offset
            offset -= length
        return None

    def directory(self) -> list[_Entry]:
        """Return all entries of the directory, in their places."""
        start = struct.unpack_from("<I", self._head, 48)[0]
        found: list[_Entry] = []
        for offset, length in self.chain(start, _MOST_ENTRIES * 128):
            raw = self._read_at(offset, length)
            for at in range(0, len(raw) - 127, 128):
                name_length, kind = int.from_bytes(raw[at + 64 : at + 66], "little"), raw[at + 66]
                name = raw[at : at + max(0, min(name_length, 64) - 2)].decode("utf-16-le", "replace")
                left, right, child = struct.unpack_from("<III", raw, at + 68)
                modified, first, size = struct.unpack_from("<QIQ", raw, at + 108)
                if self._shift == 9:
                    size &= 0xFFFFFFFF
                found.append(_Entry(name, kind, left, right, child, modified, first, min(size, self._size)))
        return found


def _append(places: list[tuple[int, int]], offset: int, length: int) -> None:
    if places and places[-1][0] + places[-1][1] == offset:
        places[-1] = (places[-1][0], places[-1][1] + length)
    else:
        places.append((offset, length))
