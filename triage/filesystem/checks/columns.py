"""Structures of a file system by the million: columns of numbers out of bytes, and bitmaps against ranges, with NumPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable

Column = NDArray[Any]
KEPT = 20
PAD = 512
_FAR = 1 << 62


class Tally:
    """Counts what is odd by kind, and keeps the numbers of the first of each kind."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.first: dict[str, list[int]] = {}

    def add(self, kind: str, numbers: Column) -> None:
        """Count some."""
        if not len(numbers):
            return
        self.counts[kind] = self.counts.get(kind, 0) + len(numbers)
        kept = self.first.setdefault(kind, [])
        kept.extend(int(n) for n in numbers[: KEPT - len(kept)])


@dataclass(slots=True)
class Columns:
    """Columns that grow by pieces."""

    pieces: dict[str, list[Column]] = field(default_factory=dict)

    def add(self, **columns: Column) -> None:
        """Add to the ends of some columns."""
        for name, column in columns.items():
            self.pieces.setdefault(name, []).append(column)

    def whole(self, name: str) -> Column:
        """Return a column, an empty one if nothing was added."""
        pieces = self.pieces.get(name)
        if not pieces:
            return np.zeros(0, np.int64)
        if len(pieces) > 1:
            self.pieces[name] = pieces = [np.concatenate(pieces)]
        return pieces[0]


class Bytes:
    """Numbers at any places of a buffer. Places may lie up to ``PAD - 16`` bytes behind its end, where zeros are."""

    def __init__(self, data: bytes, order: str = "<") -> None:
        self.raw = np.frombuffer(data + bytes(PAD), np.uint8).copy()
        self._views: dict[int, Column] = {
            width: np.ndarray((len(self.raw) - 8,), f"{order}u{width}", self.raw.data, 0, (1,)) for width in (2, 4, 8)
        }

    def at(self, places: Column, width: int) -> Column:
        """Return the numbers of ``width`` bytes (2, 4, 8) as signed 64 bits: the largest of 8 bytes are negative then."""
        return self._views[width][places].astype(np.int64)

    def unsigned(self, places: Column) -> Column:
        """Return numbers of 8 bytes."""
        return self._views[8][places].astype(np.uint64)


@dataclass(slots=True)
class BitmapCounts:
    """A bitmap against the ranges that are owned, in its units: ``nobody`` marked and not owned, ``free`` owned and not marked."""

    checked: int = 0
    marked: int = 0
    nobody: int = 0
    free: int = 0
    shared: int = 0


def count_bitmap(pieces: Iterable[bytes], order: str, total: int, start: Column, end: Column) -> BitmapCounts:
    """Hold a bitmap of ``total`` bits (``order``: ``little`` when the lowest bit comes first) against ranges sorted by ``start``."""
    counts = BitmapCounts()
    reach = np.maximum.accumulate(end) if len(end) else end
    for data in pieces:
        at = counts.checked
        if at >= total:
            break
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little" if order == "little" else "big")[: total - at].astype(bool)
        first, last = int(np.searchsorted(reach, at, "right")), int(np.searchsorted(start, at + len(bits), "left"))
        owners = np.zeros(len(bits) + 1, np.int32)
        np.add.at(owners, np.clip(start[first:last] - at, 0, len(bits)), 1)
        np.add.at(owners, np.clip(end[first:last] - at, 0, len(bits)), -1)
        owners = np.cumsum(owners)[:-1]
        counts.marked += int(bits.sum())
        counts.nobody += int((bits & (owners == 0)).sum())
        counts.free += int((~bits & (owners > 0)).sum())
        counts.shared += int((owners > 1).sum())
        counts.checked += len(bits)
    return counts


def uncovered(ranges: Iterable[tuple[int, int]], first: Column, last: Column) -> int:
    """Return how many bytes of what lies from ``first`` to ``last`` no range covers. Ranges are sorted and apart."""
    kept = np.array([(start, min(end, _FAR)) for start, end in ranges if start < _FAR], dtype=np.int64).reshape(-1, 2)
    return int((last - first).sum() - (_covered(kept, last) - _covered(kept, first)).sum())


def _covered(ranges: Column, places: Column) -> Column:
    """Return how many bytes of the ranges lie before each place."""
    if not len(ranges):
        return np.zeros(len(places), np.int64)
    before = np.concatenate(([0], np.cumsum(ranges[:, 1] - ranges[:, 0])))
    at = np.searchsorted(ranges[:, 0], places, "right")
    inside = np.minimum(places, ranges[np.maximum(at - 1, 0), 1]) - ranges[np.maximum(at - 1, 0), 0]
    covered: Column = np.where(at > 0, before[np.maximum(at - 1, 0)] + inside, 0)
    return covered
