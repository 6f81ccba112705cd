"""Runs of chunks of a damaged E01 and the numbers they must have: between what lies before and behind, and by what is left of tables.

A run that begins where its section begins is numbered from its start, one that ends where the section ends from its end. Between
two holes a run's number lies between a least and a greatest; where these are the same, or damaged tables say one of them, it is
certain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.evidence.ewf_index import DESCRIPTOR

if TYPE_CHECKING:
    from collections.abc import Sequence

_ANY = 1 << 62
_MOST_REPEATS = 4
"""Positions of one offset in one table that are looked at."""
_MOST_BETWEEN = 1 << 17
_SHORT = 4096
"""Bytes that a sector or page holds: so much may have been written to a wrong place at once."""
_MOVED = 128
"""Entries in a block of 512 bytes."""


class Place(NamedTuple):
    """Where a chunk is stored: bytes of its segment file, how many bytes it holds, and how it is kept."""

    offset: int
    length: int
    size: int
    packed: bool

    @property
    def end(self) -> int:
        """The byte behind it."""
        return self.offset + self.length


def most_stored(size: int) -> int:
    """Return how many bytes a chunk of ``size`` bytes takes at most: deflate adds 5 a block of 16 KiB at worst, zlib 6."""
    return size + size // 1000 + 64


class _Names:
    """What damaged tables say of some offsets: at which positions they stand."""

    def __init__(self, tables: Sequence[np.ndarray], wanted: np.ndarray) -> None:
        self.tables = tables
        self._places: list[dict[int, list[int]]] = []
        for table in tables:
            places: dict[int, list[int]] = {}
            for n in np.nonzero(np.isin(table, wanted))[0].tolist():
                found = places.setdefault(int(table[n]), [])
                if len(found) < _MOST_REPEATS:
                    found.append(n)
            self._places.append(places)

    def between(self, first: int, second: int) -> int | None:
        """Return how many chunks begin from byte ``first`` until before byte ``second``, if that can still be told.

        It can when a table names both bytes, with rising offsets between. Only the distance within one table counts: a block of
        entries that was copied elsewhere keeps it.
        """
        said: set[int] = set()
        for table, places in zip(self.tables, self._places, strict=True):
            for i in places.get(first, ()):
                for j in places.get(second, ()):
                    if i < j <= i + _MOST_BETWEEN and (np.diff(table[i : j + 1]) > 0).all():
                        said.add(j - i)
        return said.pop() if len(said) == 1 else None

    def votes(self, offset: int) -> list[set[int]]:
        """Return, for each table, the positions at which it names an offset."""
        return [set(places.get(offset, ())) for places in self._places]


def moved(count: int) -> int:
    """Return by how many positions a block of 512 bytes moves entries at least, copied within two tables of ``count`` entries.

    Blocks begin at multiples of 512 bytes; from one table to the other the distance is that of a table section (specification,
    section 3.9) less whole blocks.
    """
    across = ((DESCRIPTOR + 28) // 4 + count) % _MOVED
    return min(across, _MOVED - across)


@dataclass(slots=True)
class Walked:
    """A section's chunks as they were found: runs of chunks that lie back to back, and the holes before, between and behind them.

    ``start`` is where the first chunk should begin, for certain if ``sure``; ``size`` a chunk's bytes; ``all_runs`` what was found,
    ``runs`` less what a moved block may have brought. ``closed``: the last run ends where the section does; else ``tail`` chunks
    at least lie behind it. ``holes`` are how many chunks lie in the hole before each run, where that is known, ``least`` how many
    at least; ``backed`` are first numbers that tables give, ``alone`` those that one block of one gives.
    """

    start: int = 0
    sure: bool = False
    size: int = 0
    all_runs: list[list[Place]] = field(default_factory=list)
    runs: list[list[Place]] = field(default_factory=list)
    closed: bool = False
    tail: int = 0
    holes: list[int | None] = field(default_factory=list)
    least: list[int] = field(default_factory=list)
    backed: list[int | None] = field(default_factory=list)
    alone: list[int | None] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many chunks were found, with or without a number."""
        return sum(map(len, self.all_runs))

    @property
    def kept(self) -> int:
        """How many chunks the section has at least."""
        return sum(map(len, self.runs))

    @property
    def count(self) -> int | None:
        """How many chunks the section has, if that is certain by what was found alone."""
        if not self.runs or not self.closed or None in self.holes:
            return None
        return self.kept + sum(h or 0 for h in self.holes)

    def front(self) -> dict[int, Place]:
        """Return the chunks whose number from the section's start is certain, whatever their count."""
        return self._numbered(None)

    def back(self) -> dict[int, Place]:
        """Return the chunks whose number from the section's end is certain, whatever their count; 0 is the last."""
        found: dict[int, Place] = {}
        behind = 0
        for run, hole in zip(reversed(self.runs), reversed(self.holes), strict=True) if self.closed else ():
            found.update({behind + n: place for n, place in enumerate(reversed(run))})
            if hole is None:
                break
            behind += len(run) + hole
        return found

    def numbered(self, count: int) -> dict[int, Place]:
        """Return the chunks by their number once the section has ``count`` for certain; none when that does not go."""
        return self._numbered(count)

    def _numbered(self, count: int | None) -> dict[int, Place]:
        """Number the runs by what must lie before and behind each: certain where the least and the greatest number are the same."""
        low, high = self.bounds(count)
        # What tables say must go with it; else something was taken for a chunk that is none, and only the ends are left.
        said = [(n, number) for n, number in enumerate(self.alone) if number is not None]
        if any(not low[n] <= number <= high[n] for n, number in said) and count is not None:
            both = self._numbered(None)
            both.update({count - 1 - n: place for n, place in self.back().items()})
            return both
        for numbers in (self.backed, self.alone):
            for n, number in enumerate(numbers):
                near = numbers is self.backed or (count is not None and high[n] - low[n] < moved(count))
                if number is not None and low[n] <= number <= high[n] and near:
                    low[n] = high[n] = number
                    self._narrow(low, high)
        if any(least > most for least, most in zip(low, high, strict=True)):
            return {}
        certain = zip(self.runs, low, high, strict=True)
        return {least + n: place for run, least, most in certain if least == most for n, place in enumerate(run)}

    def bounds(self, count: int | None) -> tuple[list[int], list[int]]:
        """Return the least and the greatest number that each run can begin with, by the holes and the count."""
        low = list(self.least)
        high = [_ANY] * len(self.runs)
        if self.runs:
            if self.holes[0] is not None:
                low[0] = high[0] = self.holes[0]
            if count is not None:
                high[-1] = min(high[-1], count - len(self.runs[-1]) - self.tail)
                if self.closed:
                    low[-1] = max(low[-1], high[-1])
            self._narrow(low, high)
        return low, high

    def _narrow(self, low: list[int], high: list[int]) -> None:
        """Carry what is known of each run's number to its neighbours."""
        lengths = [len(run) for run in self.runs]
        for n in range(1, len(lengths)):
            hole = self.holes[n]
            low[n] = max(low[n], low[n - 1] + lengths[n - 1] + (self.least[n] if hole is None else hole))
            if hole is not None:
                high[n] = min(high[n], high[n - 1] + lengths[n - 1] + hole)
        for n in range(len(lengths) - 2, -1, -1):
            hole = self.holes[n + 1]
            high[n] = min(high[n], high[n + 1] - lengths[n] - (self.least[n + 1] if hole is None else hole))
            if hole is not None:
                low[n] = max(low[n], low[n + 1] - lengths[n] - hole)


    def borders(self) -> np.ndarray:
        """Return every byte where a chunk was found to begin or to end."""
        return np.unique([self.start, *(byte for run in self.runs for place in run for byte in (place.offset, place.end))])

    def hold(self, ends: Sequence[int], tables: Sequence[np.ndarray], scraps: Sequence[np.ndarray] = ()) -> None:
        """Number the runs by what damaged tables name. The section ends at one of ``ends``, if that is known.

        ``scraps`` are entries whose place in their table is not known.
        """
        wanted = np.unique([self.start, *(byte for run in self.all_runs for place in run for byte in (place.offset, place.end))])
        names, more = _Names(tables, wanted), _Names(scraps, wanted)
        self._keep(ends, names, more)
        behind = self.start
        self.holes, self.least, self.backed, self.alone = [], [], [], []
        for run in self.runs:
            begins = run[0].offset
            hole = 0 if begins == behind else names.between(behind, begins)
            self.holes.append(more.between(behind, begins) if hole is None else hole)
            # Before the first, there may be other things than chunks.
            self.least.append(max(1, -(-(begins - behind) // most_stored(self.size))) if self.sure or self.least else 0)
            behind = run[-1].end
        self.closed = behind in ends
        self.tail = 0 if self.closed else min((-(-(end - behind) // most_stored(self.size)) for end in ends if end > behind), default=0)
        first = 0
        while first < len(self.runs):  # runs whose distance is known are numbered as one
            last = first + 1
            while last < len(self.runs) and self.holes[last] is not None:
                last += 1
            numbers, backed = self._said(first, last, names)
            self.backed += numbers if backed else [None] * len(numbers)
            self.alone += numbers
            first = last

    def _keep(self, ends: Sequence[int], names: _Names, more: _Names) -> None:
        """Leave out what may be a copy of chunks from elsewhere inside a damaged one: short runs, and those that tables leave out."""
        runs = self.all_runs
        self.runs = []
        for n, run in enumerate(runs):
            named = any(names.votes(run[0].offset)) or any(more.votes(run[0].offset))
            if run[0].offset != self.start and run[-1].end not in ends and not named:
                before = runs[n - 1][-1].end if n else self.start
                after = runs[n + 1][0].offset if n + 1 < len(runs) else None
                passed = after is not None and (names.between(before, after) or more.between(before, after))
                if passed or run[-1].end - run[0].offset <= _SHORT:
                    continue
            self.runs.append(run)

    def _said(self, first: int, last: int, names: _Names) -> tuple[list[int | None], bool]:
        """Return the first numbers of a block of runs if the positions of all their entries say the same, and whether it is backed.

        A copied block of 512 bytes may have moved entries: two tables must name a chunk at the same position, or the positions of
        one lie further apart than such a block is long.
        """
        said: set[int] = set()
        backed = False
        positions: list[set[int]] = [set() for _ in names.tables]
        starts: list[int] = []
        at = 0
        for n in range(first, last):
            at += (self.holes[n] or 0) if n > first else 0
            starts.append(at)
            for place in self.runs[n]:
                votes = names.votes(place.offset)
                said |= {i - at for i in set().union(*votes)} if votes else set()
                backed = backed or (len(votes) > 1 and bool(set.intersection(*votes)))
                for table, vote in enumerate(votes):
                    positions[table] |= vote
                at += 1
        backed = backed or any(found and max(found) - min(found) > _MOVED for found in positions)
        if len(said) != 1:
            return [None] * (last - first), False
        number = said.pop()
        return [number + start for start in starts], backed
