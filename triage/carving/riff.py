"""RIFF chunks: four letters, a length in little-endian order, so many bytes, and one more when the length is odd.

Source: Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft, 1991), "Resource Interchange File Format".
WebP, AVI and WAV are built so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

MOST_CHUNKS = 4_000_000
"""Chunks after which a walk stops: a film of a day has about as many."""
_FOUR_LETTERS = re.compile(rb"[ -~]{4}")
_AHEAD = 4096


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk. ``offset`` is that of its letters; ``size`` is that of its data, ``end`` behind them and their padding."""

    name: bytes
    offset: int
    size: int
    end: int

    @property
    def start(self) -> int:
        """Where the data begin. Those of ``RIFF`` and ``LIST`` begin with four more letters, then chunks."""
        return self.offset + 8


def walk_chunks(window: Window, start: int, end: int, *, most: int = MOST_CHUNKS) -> Iterator[Chunk]:
    """Yield the chunks from ``start`` on until ``end``, or until what follows is none: then the last ``Chunk.end`` is not ``end``.

    The last one may go past ``end`` or the window: the caller decides what that means. Some writers leave the padding out; where no
    letters follow it, but letters follow at once, so it was. Reads ahead a little, so that thousands of small chunks cost few reads.
    """
    buffer, base = b"", 0
    for _ in range(most):
        at = start - base
        if at < 0 or at + 8 > len(buffer):
            # A big chunk is likely followed by another: only behind small ones it pays to read ahead.
            buffer, base, at = window.at(start, min(_AHEAD if 0 <= at <= len(buffer) + _AHEAD else 64, max(end - start, 0))), start, 0
        name = buffer[at : at + 4]
        if at + 8 > len(buffer) or not _FOUR_LETTERS.fullmatch(name):
            return
        size = int.from_bytes(buffer[at + 4 : at + 8], "little")
        after = start + 8 + size
        if size & 1:
            here = window.at(after, 5) if after + 5 <= end else b""
            if len(here) < 5 or _FOUR_LETTERS.fullmatch(here, 1) or not _FOUR_LETTERS.match(here):
                after += 1
        yield Chunk(name, start, size, after)
        start = after
        if start >= end:
            return
