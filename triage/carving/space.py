"""Which bytes are looked at: stretches of the medium, one behind the other, as one string with offsets of its own ("logical")."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from triage.evidence.medium import DamagedRangeError
from triage.model import Json, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.evidence.medium import Medium

SECTOR = 512
UNIT = 32 << 20
"""Bytes of an area in which a unit's candidates begin."""
_AHEAD = 256 << 10
"""Bytes that are read at once behind the block that is being scanned: walks ask for little at a time."""
_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One thing to scan. Several make up a medium: each volume's free space, its slack, gaps, chosen files.

    ``kind``: ``unallocated``, ``slack``, ``gap``, ``volume`` (one without a readable file system) or ``container`` (inside a file).
    ``stretches``: ``(offset on the medium, length)`` in the order in which they are read. ``joined``: a file may go on from one stretch
    to the next. ``aligned``: files begin at multiples of 512; otherwise anywhere. ``block``: the file system's allocation unit in bytes.
    ``name``: what paths of things found here begin with. ``source``: the entry whose bytes these are, for containers.
    """

    evidence: str
    volume: int | None
    volume_offset: int
    kind: str
    name: str
    stretches: tuple[tuple[int, int], ...]
    block: int = SECTOR
    joined: bool = True
    aligned: bool = True
    source: str = ""

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(length for _, length in self.stretches)

    def facts(self) -> Json:
        """Return what a worker needs besides the stretches."""
        return {"evidence": self.evidence, "block": self.block, "joined": self.joined, "aligned": self.aligned}


class Space:
    """Stretches as one string. Offsets without another name are relative to its start."""

    def __init__(self, stretches: Sequence[tuple[int, int]]) -> None:
        self._places: list[int] = []
        lengths: list[int] = []
        for place, length in stretches:
            if length <= 0:
                continue
            if self._places and self._places[-1] + lengths[-1] == place:
                lengths[-1] += length
            else:
                self._places.append(place)
                lengths.append(length)
        self._ends = list(accumulate(lengths))
        self._starts = [end - length for end, length in zip(self._ends, lengths, strict=True)]
        self.size = self._ends[-1] if self._ends else 0

    def pieces(self, offset: int, length: int) -> list[tuple[int, int]]:
        """Return ``(offset on the medium, length)`` of the bytes, in order; what lies past the end is left out."""
        found: list[tuple[int, int]] = []
        length = min(length, self.size - offset)
        index = bisect_right(self._starts, offset) - 1
        while length > 0 and index < len(self._starts):
            skip = offset - self._starts[index]
            take = min(length, self._ends[index] - offset)
            found.append((self._places[index] + skip, take))
            offset += take
            length -= take
            index += 1
        return found

    def runs(self, pieces: Sequence[tuple[int, int]]) -> tuple[Run, ...]:
        """Return the pieces' places on the medium, those that touch as one."""
        found: list[tuple[int, int]] = []
        for offset, length in pieces:
            for place, size in self.pieces(offset, length):
                if found and sum(found[-1]) == place:
                    found[-1] = (found[-1][0], found[-1][1] + size)
                else:
                    found.append((place, size))
        return tuple(Run(image_offset=place, length=size) for place, size in found)

    def place(self, offset: int) -> int:
        """Return where on the medium a byte is."""
        index = bisect_right(self._starts, offset) - 1
        return self._places[index] + offset - self._starts[index]

    def joints(self, start: int, end: int) -> list[int]:
        """Return the offsets between two others at which a new stretch begins."""
        return self._starts[bisect_right(self._starts, start) : bisect_right(self._starts, end - 1)]

    def stretch_end(self, offset: int) -> int:
        """Return where the stretch ends that a byte is in."""
        return self._ends[bisect_right(self._starts, offset) - 1]


class SpaceReader:
    """Reads a space: a large block that is scanned, and small ones that walks ask for.

    ``unreadable`` counts the bytes of scanned blocks that are zeros because they cannot be read.
    """

    def __init__(self, medium: Medium, space: Space, beat: Callable[[], None] = lambda: None) -> None:
        self.space = space
        self.unreadable = self._missing = 0
        self._medium = medium
        self.beat = beat
        self._block = b""
        self._block_start = 0
        self._kept: dict[int, bytes] = {}

    def load(self, start: int, length: int) -> bytes:
        """Read the block that is scanned next, and keep it."""
        self._block = b""  # before the next one is read: one in memory at a time
        before, self._missing = self._missing, 0
        self._block = self._fetch(start, length)
        self.unreadable += self._missing
        self._missing += before
        self._block_start = start
        return self._block

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes, fewer at the end of the space."""
        skip = offset - self._block_start
        if skip >= 0 and skip + length <= len(self._block):
            return self._block[skip : skip + length]
        if length > _AHEAD:
            return self._fetch(offset, length)
        pieces = []
        length = max(0, min(length, self.space.size - offset))
        while length > 0:
            number, skip = divmod(offset, _AHEAD)
            piece = self._ahead(number)[skip : skip + length]
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _ahead(self, number: int) -> bytes:
        data = self._kept.pop(number, None)
        if data is None:
            data = self._fetch(number * _AHEAD, _AHEAD)
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
        self._kept[number] = data  # the one used last stands last
        return data

    def _fetch(self, offset: int, length: int) -> bytes:
        pieces = [self._medium_bytes(place, size) for place, size in self.space.pieces(offset, length)]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _medium_bytes(self, place: int, length: int) -> bytes:
        self.beat()
        try:
            data = self._medium.read_at(place, length)
        except DamagedRangeError:
            data = b"".join(self._sector(at, min(SECTOR, place + length - at)) for at in range(place, place + length, SECTOR))
        return data + bytes(length - len(data))

    def _sector(self, place: int, length: int) -> bytes:
        self.beat()
        try:
            data = self._medium.read_at(place, length)
        except DamagedRangeError:
            data = b""
        self._missing += length - len(data)
        return data + bytes(length - len(data))
