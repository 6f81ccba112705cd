"""What the decoders of RAR share: bits read from the highest on, tables of Huffman codes, and a count of the work that is done.

Everything about speed: a decoder's inner loop keeps the fields of :class:`Bits` in local variables and puts them back when it ends.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING

from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Callable

WIDEST = 15
"""Bits of the longest code; tables are looked up by as many."""
NONE = 1 << 10
"""The symbol of a code that its table does not have: larger than any other."""
MASKS = [(1 << width) - 1 for width in range(65)]
_PAD = 128
_SIGN = 1 << 20
STRETCH = 1 << 18
"""Bytes that are decoded before their work is counted."""

Table = list[tuple[int, int]]
"""Symbol and length of the code by the next :data:`WIDEST` bits."""


class ExhaustedError(StructureError):
    """To undo it takes more work than may be spent on it."""


class Work:
    """Units of work that are left; one is about what a byte costs that comes out of a dictionary.

    ``alive`` is called some times a second, so that those who watch see that it gets on.
    """

    __slots__ = ("_alive", "_since", "left")

    def __init__(self, units: int, alive: Callable[[], object] = lambda: None) -> None:
        self.left = units
        self._alive = alive
        self._since = 0

    def spend(self, units: int) -> None:
        """Count work. Raise :class:`ExhaustedError` when there is none left."""
        self.left -= units
        if self.left < 0:
            raise ExhaustedError("it takes too much work")
        self._since += units
        if self._since >= _SIGN:
            self._since = 0
            self._alive()


class Bits:
    """``end`` bits of some bytes. ``acc`` holds the ``have`` next ones (and, above them, some that were read) out of ``words`` of 64 bits.

    Words before ``at`` are in ``acc``. When all ``count`` are, zeros follow them, and less than ``low`` bits left means that the end is
    reached. Before that ``low`` is the width of the longest code: less of them means that a word must be added. So there is one test a
    symbol for both.
    """

    __slots__ = ("acc", "at", "count", "data", "end", "have", "low", "words")

    def __init__(self, data: bytes, end: int) -> None:
        self.data = data
        self.end = min(end, 8 * len(data))
        self.count = (self.end + 63) // 64
        self.words = array("Q", data[: 8 * self.count].ljust(8 * self.count, b"\0"))
        if sys.byteorder == "little":
            self.words.byteswap()
        self.seek(0)

    def seek(self, place: int) -> None:
        """Go on at a bit."""
        self.at = min(place // 64, self.count)
        self.acc, self.have, self.low = 0, 0, WIDEST
        if self.at < self.count:
            self.acc, self.have = self.words[self.at], 64 - place % 64
            self.at += 1
        self._pad()

    def _pad(self) -> None:
        if self.at == self.count and self.low == WIDEST:
            self.acc <<= _PAD
            self.have += _PAD
            self.low = 64 * self.count + _PAD - self.end + 1

    @property
    def place(self) -> int:
        """How many bits were read."""
        return 64 * self.at + (_PAD if self.low != WIDEST else 0) - self.have

    @property
    def ended(self) -> bool:
        """Whether no bit is left."""
        return self.place >= self.end

    def take(self, width: int) -> int:
        """Return the next bits, 32 at most. Raise ``StructureError`` well behind the end."""
        if self.have < width:
            if self.at == self.count:
                raise StructureError("ends before its compressed data do")
            self.acc = ((self.acc & MASKS[self.have]) << 64) | self.words[self.at]
            self.have += 64
            self.at += 1
            self._pad()
        self.have -= width
        return (self.acc >> self.have) & MASKS[width]

    def symbol(self, table: Table) -> int:
        """Return the next symbol of a code; ``StructureError`` when there is none."""
        window = self.take(WIDEST)
        symbol, length = table[window]
        if symbol == NONE:
            raise StructureError("a code that its table does not have")
        self.have += WIDEST - length
        return symbol

    def align(self) -> None:
        """Go on at the next whole byte."""
        self.take(-self.place % 8)


def forget(out: bytearray, dictionary: int) -> None:
    """Take away what is farther back than a dictionary reaches, once it is as much again."""
    if len(out) > 2 * dictionary:
        del out[:-dictionary]


def make_table(lengths: list[int]) -> Table:
    """Return the table of a code by its symbols' lengths of 0 to 15 bits: shorter codes are smaller, as are smaller symbols of one length.

    Raise ``StructureError`` when there are more codes than there is room. Codes that are not given out give :data:`NONE`.
    """
    by_length: list[list[int]] = [[] for _ in range(WIDEST + 1)]
    for symbol, length in enumerate(lengths):
        by_length[length].append(symbol)
    table: Table = []
    for length in range(1, WIDEST + 1):
        width = 1 << (WIDEST - length)
        for symbol in by_length[length]:
            table += [(symbol, length)] * width
        if len(table) > 1 << WIDEST:
            raise StructureError("its code lengths are no code")
    table += [(NONE, 1)] * ((1 << WIDEST) - len(table))
    return table


def read_lengths(bits: Bits, count: int, old: list[int] | None = None) -> list[int]:
    """Return ``count`` code lengths as RAR 3 and 5 pack them; to ``old`` ones they are added, each modulo 16."""
    first: list[int] = []
    while len(first) < 20:
        length = bits.take(4)
        zeros = bits.take(4) if length == 15 else 0
        first += [0] * (zeros + 2) if zeros else [length]
    table = make_table(first[:20])
    found: list[int] = []
    while len(found) < count:
        if bits.ended:
            raise StructureError("ends before its compressed data do")
        symbol = bits.symbol(table)
        if symbol < 16:
            found.append((symbol + old[len(found)]) & 15 if old else symbol)
            continue
        run = bits.take(3) + 3 if symbol in (16, 18) else bits.take(7) + 11
        if symbol < 18 and not found:
            raise StructureError("code lengths that repeat nothing")
        found += [found[-1] if symbol < 18 else 0] * run
    return found[:count]
