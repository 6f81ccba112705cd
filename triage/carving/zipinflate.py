"""Raw deflate streams (RFC 1951) of a window: where one ends, what it expands to, and carrying one on behind a gap.

What comes out is counted and checksummed piece by piece and dropped. Python's zlib does not say where in its input a stream broke: the
piece at fault is fed again in small steps.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.carving.window import Window

PIECE = 1 << 20
"""Bytes that are expanded at once."""
_STEP = 512
"""Bytes of input by which the place of an error is narrowed down."""
_CHEAP = 4
"""Bytes that come out for what one that is read costs: much comes out of little fast."""
_FREE, MUCH = 16 << 20, 256 << 20
_RATIO = 64
"""What may come out for each byte that goes in, on average, besides the free amount: deflate makes up to 1032 of one. What is only checked
gets little; what must be expanded to know where it ends gets much.
"""


@dataclass(slots=True)
class Budget:
    """How many bytes a candidate may still expand to. Input earns some, so that large files are read and small bombs are not."""

    left: int = _FREE

    def earn(self, consumed: int) -> None:
        """Count input."""
        self.left += _RATIO * consumed

    def take(self, expanded: int) -> bool:
        """Count output; False when there was too much of it."""
        self.left -= expanded
        return self.left >= 0


class Ending(Enum):
    """How reading a stream ended: at its own end, at bytes that are no deflate, at the end of what there is, or at the budget's."""

    ENDED = "ended"
    BROKEN = "broken"
    CUT = "cut"
    SPENT = "spent"


@dataclass(slots=True)
class Inflated:
    """What became of a stream. ``consumed``: bytes of input that are its own, to within 512 when broken. ``head``: its first output."""

    ending: Ending
    consumed: int
    crc: int
    size: int
    head: bytes = b""


@dataclass(slots=True)
class Saved:
    """A decoder as it was when it had read up to ``at``."""

    at: int
    decoder: zlib._Decompress
    crc: int = 0
    size: int = 0


@dataclass(slots=True)
class _Run:
    """A decoder on its way."""

    window: Window
    budget: Budget
    saved: Saved
    keep: int = 0
    head: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> bool:
        """Expand a piece of input; False when the budget ends. Raises ``zlib.error``."""
        decoder, saved = self.saved.decoder, self.saved
        while True:
            out = decoder.decompress(data, PIECE)
            self.window.spend(len(out) // _CHEAP)
            if len(self.head) < self.keep:
                self.head += out[: self.keep - len(self.head)]
            saved.crc = zlib.crc32(out, saved.crc)
            saved.size += len(out)
            if not self.budget.take(len(out)):
                return False
            data = decoder.unconsumed_tail
            if decoder.eof or (not data and len(out) < PIECE):
                return True


def inflate(window: Window, start: int, end: int, budget: Budget, *, keep: int = 0) -> Inflated:
    """Expand the stream that begins at ``start`` and must end by ``end``; ``keep`` bytes of output are returned."""
    return carry_on(window, Saved(start, zlib.decompressobj(-15)), start, end, budget, keep=keep)


def carry_on(window: Window, saved: Saved, start: int, end: int, budget: Budget, *, keep: int = 0) -> Inflated:
    """Expand on from a decoder's state with the bytes at ``start``, which it changes."""
    run = _Run(window, budget, saved, keep)
    decoder = saved.decoder
    for offset, data in window.chunks(start, end):
        before = decoder.copy()
        budget.earn(len(data))
        try:
            within = run.feed(data)
        except zlib.error:
            return Inflated(Ending.BROKEN, offset + _first_error(before, data) - start, saved.crc, saved.size, bytes(run.head))
        if decoder.eof:
            consumed = offset + len(data) - len(decoder.unused_data) - start
            return Inflated(Ending.ENDED, consumed, saved.crc, saved.size, bytes(run.head))
        if not within:
            return Inflated(Ending.SPENT, offset - start, saved.crc, saved.size, bytes(run.head))
    return Inflated(Ending.CUT, max(min(end, window.size) - start, 0), saved.crc, saved.size, bytes(run.head))


def _first_error(decoder: zlib._Decompress, data: bytes) -> int:
    """Return how many bytes can be fed before the error, to within a step."""
    for at in range(0, len(data), _STEP):
        rest = data[at : at + _STEP]
        try:
            while True:
                out = decoder.decompress(rest, PIECE)
                rest = decoder.unconsumed_tail
                if decoder.eof or (not rest and len(out) < PIECE):
                    break
        except zlib.error:
            return at
    return len(data)


def states(window: Window, start: int, end: int, budget: Budget, *, keep: int) -> list[Saved]:
    """Return decoders as they were at the last ``keep`` multiples of the block before ``end`` or the end of the stream at ``start``."""
    block = window.block
    kept: deque[Saved] = deque(maxlen=keep)
    run = _Run(window, budget, Saved(start, zlib.decompressobj(-15)))
    saved = run.saved
    for offset, data in window.chunks(start, end):
        at = 0
        budget.earn(len(data))
        while at < len(data):
            step = min(block - (offset + at) % block, len(data) - at)
            try:
                within = run.feed(data[at : at + step])
            except zlib.error:
                return list(kept)
            at += step
            if saved.decoder.eof or not within:
                return list(kept)
            if (offset + at) % block == 0:
                kept.append(Saved(offset + at, saved.decoder.copy(), saved.crc, saved.size))
    return list(kept)
