"""Where a checksummed stretch breaks: CRC-32 is linear, so that every break of it is tried in one pass.

With ``x`` what lies there and ``y`` what lies a gap further on, the bytes that belong together are ``x`` up to the break and ``y`` from it.
The CRC of the two joined is that of ``y`` alone, changed by the difference of both at the break, carried on over as many zeros as follow
(the arithmetic of zlib's ``crc32_combine``). Carrying what is wanted back block by block gives what that difference must be at each.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_COST = 2500
"""What trying a break costs, in bytes read."""


class Seam:
    """A stretch from ``start`` to ``end`` with its CRC-32 behind it, in big-endian order or as ``order`` says.

    It breaks at a multiple of ``block``, or inside its checksum. Offsets are the window's.
    """

    def __init__(self, window: Window, start: int, end: int, block: int, *, order: str = "big") -> None:
        self._window, self._start, self._end, self._block = window, start, end, block
        self._big = order == "big"
        self._cuts = range(-(-start // block) * block, end + 1, block)
        self._here = self._states(0)
        self._back = _inverse([_carried(1 << bit, block) for bit in range(32)])
        self._last = _inverse([_carried(1 << bit, end - self._cuts[-1]) for bit in range(32)]) if self._cuts else []

    def _states(self, gap: int) -> list[int]:
        """Return the CRC up to each possible break, and last up to the end."""
        states: list[int] = []
        checksum, done = 0, self._start
        cuts = iter(self._cuts)
        cut = next(cuts, self._end)
        for offset, data in self._window.chunks(self._start + gap, self._end + gap):
            view, at = memoryview(data), offset - gap
            while cut <= at + len(view) and len(states) < len(self._cuts):
                checksum = zlib.crc32(view[done - at : cut - at], checksum)
                states.append(checksum)
                done, cut = cut, next(cuts, self._end)
            checksum = zlib.crc32(view[done - at :], checksum)
            done = at + len(view)
        states.extend([checksum] * (len(self._cuts) + 1 - len(states)))
        return states

    def find(self, gap: int) -> int | None:
        """Return the break behind which the stretch goes on ``gap`` bytes further on, with the right checksum; the last of several."""
        stored = self._window.at(self._end + gap, 4)
        if len(stored) < 4:
            return None
        inside = self._inside(gap, stored)
        if inside is not None or not self._cuts:
            return inside
        return next(self.breaks(gap, int.from_bytes(stored, "big" if self._big else "little")), None)

    def breaks(self, gap: int, checksum: int) -> Iterator[int]:
        """Yield the breaks, the last one first, behind which the stretch goes on ``gap`` bytes further on and has a known checksum."""
        if not self._cuts:
            return
        self._window.spend(_COST * len(self._cuts))
        there = self._states(gap)
        wanted = _applied(self._last, checksum ^ there[-1])
        for number in range(len(self._cuts) - 1, -1, -1):
            if self._here[number] ^ there[number] == wanted:
                yield self._cuts[number]
            wanted = _applied(self._back, wanted)

    def _inside(self, gap: int, stored: bytes) -> int | None:
        """Return a break inside the checksum's own four bytes."""
        cut = -(-(self._end + 1) // self._block) * self._block
        if cut >= self._end + 4:
            return None
        joined = self._window.at(self._end, cut - self._end) + stored[cut - self._end :]
        return cut if int.from_bytes(joined, "big" if self._big else "little") == self._here[-1] else None


def _carried(difference: int, zeros: int) -> int:
    """Return what a difference of two CRCs becomes when so many zeros follow."""
    nothing = bytes(min(zeros, 1 << 16))
    one, other = difference, 0
    while zeros > 0:
        piece = nothing[: min(zeros, len(nothing))]
        one, other = zlib.crc32(piece, one), zlib.crc32(piece, other)
        zeros -= len(piece)
    return one ^ other


def _applied(columns: list[int], value: int) -> int:
    """Return the product of a matrix over GF(2), given by what each bit becomes, and a value."""
    result = 0
    for column in columns:
        if value & 1:
            result ^= column
        value >>= 1
    return result


def _inverse(columns: list[int]) -> list[int]:
    """Return the inverse matrix; carrying a CRC on can always be taken back, since its polynomial has a constant term."""
    rows = [(column, 1 << bit) for bit, column in enumerate(columns)]
    done: list[int] = []
    for bit in range(32):
        pivot = next(n for n, (value, _) in enumerate(rows) if value >> bit & 1 and n not in done)
        done.append(pivot)
        value, made = rows[pivot]
        rows = [(v ^ value, m ^ made) if v >> bit & 1 and n != pivot else (v, m) for n, (v, m) in enumerate(rows)]
    return [rows[done[bit]][1] for bit in range(32)]
