"""The search for file systems by their marks, in what no known volume covers.

Every sector of 512 bytes is looked at, with NumPy, up to a budget; behind it only where partitions begin since about 2007: at each MiB
(in areas beyond 64 GiB at every second, fourth …), and in the sector before it, where copies of boot sectors lie. What was passed over
is counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.filesystem.headers import MARKS, Header, header_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium

SECTOR = 512
DENSE = 4 << 30
"""Bytes of which every sector is looked at."""
PIECE = 8 << 20
STEP = 1 << 20
PROBES = 65_536
"""Places that are looked at behind the budget in one area, at most: the step grows until that is enough."""
MAX_CANDIDATES = 100_000
"""Marks that are followed up: a hostile medium may have one in each sector."""


class _Test(NamedTuple):
    """A mark as one comparison of the four bytes at a column of a sector, and how many sectors before it the volume begins."""

    name: str
    mark: bytes
    within: int
    before: int
    column: int
    mask: int
    value: int


def _test(name: str, offset: int, mark: bytes) -> _Test:
    before, within = divmod(offset, SECTOR)
    column = min((within + 3) // 4, 127)
    if column * 4 + 4 > within + len(mark):  # no whole four bytes of it stand at a multiple of four
        column = within // 4
    window = range(column * 4, column * 4 + 4)
    value = sum(mark[p - within] << 8 * n for n, p in enumerate(window) if within <= p < within + len(mark))
    mask = sum(0xFF << 8 * n for n, p in enumerate(window) if within <= p < within + len(mark))
    return _Test(name, mark, within, before, column, mask, value)


_TESTS = tuple(_test(*row) for row in MARKS)


@dataclass(slots=True)
class Scan:
    """One search over a medium, in areas that are asked for one after the other.

    ``sparse`` bytes were looked at only once every ``step`` bytes, ``unread`` ones could not be read; ``candidates`` marks were followed.
    """

    medium: Medium
    beat: Callable[[], None]
    budget: int = DENSE
    step: int = STEP
    sparse: int = 0
    unread: int = 0
    candidates: int = 0

    def area(self, start: int, end: int) -> Iterator[Header]:
        """Yield the headers of volumes that begin from ``start`` on, and those copies of headers that lie there, in order."""
        first = -(-start // SECTOR) * SECTOR
        at = first
        while at < end and self.budget > 0:
            length = min(PIECE, end - at, self.budget)
            self.budget -= length
            yield from self._look(at, length, first)
            at += length
        if at < end:
            step = STEP
            while (end - at) // step > PROBES:
                step *= 2
            self.sparse += end - at
            self.step = max(self.step, step)
            for place in range(-(-at // step) * step, end, step):
                yield from self._look(place - SECTOR, min(4096 + SECTOR, end - place + SECTOR), first)

    def _look(self, at: int, length: int, lowest: int) -> Iterator[Header]:
        self.beat()
        data = self._read(at, length)
        data = data[: len(data) // SECTOR * SECTOR]
        if not data or self.candidates >= MAX_CANDIDATES:
            return
        words = np.frombuffer(data, "<u4").reshape(-1, SECTOR // 4)
        if not words.any():
            return
        hits: set[tuple[int, str]] = set()
        for test in _TESTS:
            for row in np.flatnonzero((words[:, test.column] & np.uint32(test.mask)) == test.value).tolist():
                place = row * SECTOR + test.within
                if data[place : place + len(test.mark)] == test.mark:
                    hits.add((at + (row - test.before) * SECTOR, test.name))
        for base, name in sorted(hits):
            self.candidates += 1
            if self.candidates % 64 == 0:
                self.beat()
            if self.candidates > MAX_CANDIDATES:
                return
            header = header_at(self.medium, name, base)
            if header is not None and (header.copy is not None or base >= lowest):
                yield header

    def _read(self, at: int, length: int) -> bytes:
        """Return the bytes, zeros for what cannot be read."""
        try:
            return self.medium.read_at(at, length)
        except OSError:
            pieces = []
        for start in range(at, at + length, 4096):
            size = min(4096, at + length - start)
            try:
                pieces.append(self.medium.read_at(start, size))
            except OSError:
                pieces.append(bytes(size))
                self.unread += size
        return b"".join(pieces)
