"""The memory of a PPMd model (:mod:`triage.artifacts.ppmd`), whose allocator is part of the format: the model begins anew when it is full.

Written from I. Pavlov's Ppmd7.c (public domain). Memory is kept as slots of six bytes, two a unit; blocks are of 1 to 128 units. What came
as text grows from its low end; from a place on in its midst there are blocks from below and contexts, of one unit each, from above.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableSequence

_INDEXES, _ROOM_IN_LIST = 38, 3_000_000
_UNITS = (1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24, *range(28, 129, 4))  # of the blocks of each index
INDEX = [next(i for i, units in enumerate(_UNITS) if units >= n) for n in range(1, 129)]
"""The index of a block that holds ``n`` units, at ``n - 1``."""


class PpmdMemory:
    """``size`` bytes of slots: ``_sym``, ``_freq`` and ``_succ`` are the fields of each."""

    def __init__(self, size: int) -> None:
        units = size // 8 // 12 * 7
        text = size - 12 * units
        self._first, self._odd = text // 12, text % 12
        self._end = self._first + units
        slots = 2 * self._end + 2
        self._sym = bytearray(slots)
        self._freq = array("H", [0]) * slots
        # A list is faster, but its numbers take up to 32 bytes more each.
        self._succ: MutableSequence[int] = [0] * slots if slots <= _ROOM_IN_LIST else array("i", [0]) * slots
        self._text = bytearray()
        self._forget()

    def _forget(self) -> None:
        """Make all of it free."""
        self._free: list[list[int]] = [[] for _ in range(_INDEXES)]
        self._text.clear()
        self._lowest = self._lo = self._first  # units: the lowest that is in use, and the bounds of the stretch that is not yet
        self._hi = self._end
        self._until_glue = 0

    def _give_back(self, unit: int, units: int) -> None:
        """Put a stretch of up to 128 units, which need not be a block's size, among the free ones."""
        index = INDEX[units - 1]
        if _UNITS[index] != units:
            index -= 1
            kept = _UNITS[index]
            self._free[units - kept - 1].append(unit + kept)
        self._free[index].append(unit)

    def _glue(self) -> None:
        """Make one of free blocks that touch."""
        self._until_glue = 255
        order: list[int] = []
        size: dict[int, int] = {}
        for units, blocks in zip(_UNITS, self._free, strict=True):
            for unit in reversed(blocks):
                order.append(unit)
                size[unit] = units
            blocks.clear()
        order.reverse()
        for unit in order:
            units = size.get(unit, 0)
            while units:
                more = size.get(unit + units, 0)
                if not more or units + more >= 1 << 16:
                    break
                del size[unit + units]
                units += more
                size[unit] = units
        for unit in order:
            units, at = size.get(unit, 0), unit
            while units > 128:
                self._free[-1].append(at)
                at += 128
                units -= 128
            if units:
                self._give_back(at, units)

    def _rare(self, index: int) -> int:
        """Return a block when there is none of its size and no fresh room; 0 when there is none at all."""
        if not self._until_glue:
            self._glue()
            if self._free[index]:
                return self._free[index].pop()
        units = _UNITS[index]
        for larger in range(index + 1, _INDEXES):
            if self._free[larger]:
                unit = self._free[larger].pop()
                self._give_back(unit + units, _UNITS[larger] - units)
                return unit
        self._until_glue -= 1
        if 12 * self._lowest + self._odd - len(self._text) > 12 * units:
            self._lowest -= units
            return self._lowest
        return 0

    def _allocate(self, index: int) -> int:
        """Return the first slot of a block of this index, 0 when there is no room."""
        if self._free[index]:
            return 2 * self._free[index].pop()
        if _UNITS[index] <= self._hi - self._lo:
            unit = self._lo
            self._lo += _UNITS[index]
            return 2 * unit
        return 2 * self._rare(index)

    def _new_context(self) -> int:
        if self._hi != self._lo:
            self._hi -= 1
            return 2 * self._hi
        return 2 * (self._free[0].pop() if self._free[0] else self._rare(0))

    def _move(self, source: int, target: int, slots: int) -> None:
        self._sym[target : target + slots] = self._sym[source : source + slots]
        self._freq[target : target + slots] = self._freq[source : source + slots]
        self._succ[target : target + slots] = self._succ[source : source + slots]

    def _shrink(self, states: int, old: int, new: int) -> int:
        """Return the place of a block of ``new`` units that holds what began one of ``old`` units."""
        before, after = INDEX[old - 1], INDEX[new - 1]
        if before == after:
            return states
        if self._free[after]:
            place = 2 * self._free[after].pop()
            self._move(states, place, 2 * new)
            self._free[before].append(states // 2)
            return place
        self._give_back(states // 2 + _UNITS[after], _UNITS[before] - _UNITS[after])
        return states
