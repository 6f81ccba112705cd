"""Which bytes of a volume belong to files that still exist, and what that leaves of deleted ones."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from triage.model import Recoverability

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.model import Run


class Ownership:
    """The byte ranges owned by allocated files. Add them all, then ask."""

    def __init__(self) -> None:
        self._raw: list[tuple[int, int]] = []
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, length: int) -> None:
        """Record ``length`` bytes at ``start`` (relative to the medium) as owned."""
        if length > 0:
            self._raw.append((start, start + length))

    def _settle(self) -> None:
        """Merge what was added into sorted ranges that do not touch."""
        if not self._raw:
            return
        self._raw.extend(zip(self._starts, self._ends, strict=True))
        self._raw.sort()
        starts: list[int] = []
        ends: list[int] = []
        for start, end in self._raw:
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        self._starts, self._ends, self._raw = starts, ends, []

    def overlap(self, start: int, length: int) -> int:
        """Return how many of the bytes are owned."""
        self._settle()
        end, owned = start + length, 0
        position = max(0, bisect_right(self._starts, start) - 1)
        while position < len(self._starts) and self._starts[position] < end:
            owned += max(0, min(end, self._ends[position]) - max(start, self._starts[position]))
            position += 1
        return owned

    def ranges(self) -> list[tuple[int, int]]:
        """Return the owned ``(start, end)`` ranges, sorted and apart from each other."""
        self._settle()
        return list(zip(self._starts, self._ends, strict=True))

    def recoverability(self, runs: Sequence[Run]) -> Recoverability:
        """Judge a deleted file by its runs: sparse ones count for nothing, none at all leaves it unknown."""
        real = [(r.image_offset, r.length) for r in runs if r.image_offset is not None and r.length > 0]
        if not real:
            return Recoverability.UNKNOWN
        total = sum(length for _, length in real)
        owned = sum(self.overlap(start, length) for start, length in real)
        if owned == 0:
            return Recoverability.INTACT
        return Recoverability.OVERWRITTEN if owned >= total else Recoverability.PARTLY_OVERWRITTEN


def total(ranges: Iterable[tuple[int, int]]) -> int:
    """Return how many bytes the ranges hold."""
    return sum(end - start for start, end in ranges)
