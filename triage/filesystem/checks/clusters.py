"""Clusters of FAT and exFAT: the table that chains them, the chains, and which name has which.

A chain is followed from one place where it jumps to the next, not cluster by cluster, so a file in one piece costs one step however
large it is. Tables are read in pieces and at most some of them are kept: memory does not depend on what a boot sector claims.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader

FREE, BAD, END = 0, 0x0FFFFFF7, 0x0FFFFFF8
"""Values of a table's entries in 28 bits, to which those of 12 and 16 bits are widened; ``END`` and above end a chain."""
_PAGE = 1 << 16
_PAGES_KEPT = 48
MAX_STEPS = 2_000_000
"""Jumps that are followed on one volume: more is what nobody's file system has, and would take minutes."""


class Stop(StrEnum):
    """Why a chain goes no further."""

    END = "the end mark"
    FREE = "a cluster that is marked free"
    BAD = "a cluster that is marked bad"
    OUTSIDE = "a cluster that does not exist"
    LOOP = "one of its own clusters"
    GIVEN_UP = "more pieces than are followed"


class Chain(NamedTuple):
    """The clusters from a first one on, as ``(first, count)`` runs; ``last`` is the one whose table entry ends it."""

    runs: list[tuple[int, int]]
    length: int
    stop: Stop
    last: int


class Table:
    """A file allocation table of 12, 16 or 32 bits an entry, ``start`` bytes into the volume."""

    def __init__(self, reader: VolumeReader, start: int, bits: int, clusters: int) -> None:
        self.last = clusters + 1
        self.entries = clusters + 2
        self.steps = 0
        self._reader = reader
        self._start = start
        self._bits = bits
        self._pages: OrderedDict[int, tuple[NDArray[Any], NDArray[Any]]] = OrderedDict()

    def read(self, first: int, count: int) -> NDArray[Any]:
        """Return the values of some entries, widened to 28 bits; zeros for what lies past the volume's end."""
        count = max(0, min(count, self.entries - first))
        if self._bits == 12:
            even = first & ~1
            pairs = -(-(first + count - even) // 2)
            raw = self._raw(self._start + even * 3 // 2, pairs * 3)
            three = np.frombuffer(raw, np.uint8).reshape(-1, 3).astype(np.uint32)
            values = np.empty(pairs * 2, np.uint32)
            values[0::2] = three[:, 0] | (three[:, 1] & 15) << 8
            values[1::2] = three[:, 1] >> 4 | three[:, 2] << 4
            values = values[first - even : first - even + count]
        elif self._bits == 16:
            values = np.frombuffer(self._raw(self._start + first * 2, count * 2), "<u2").astype(np.uint32)
        else:
            return np.frombuffer(self._raw(self._start + first * 4, count * 4), "<u4") & np.uint32(0x0FFFFFFF)
        values[values >= (1 << self._bits) - 9] |= 0x0FFFFFFF ^ ((1 << self._bits) - 1)
        return values

    def _raw(self, offset: int, length: int) -> bytes:
        return self._reader.read(offset, length).ljust(length, b"\0")

    def _page(self, number: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return a page's values and, sorted, where in it a chain does not go on to the very next cluster."""
        page = self._pages.get(number)
        if page is None:
            values = self.read(number * _PAGE, _PAGE)
            onward = np.arange(number * _PAGE + 1, number * _PAGE + 1 + len(values), dtype=np.uint32)
            page = values, np.flatnonzero(values != onward)
            self._pages[number] = page
            if len(self._pages) > _PAGES_KEPT:
                self._pages.popitem(last=False)
        else:
            self._pages.move_to_end(number)
        return page

    def value(self, cluster: int) -> int:
        """Return one entry's value, :data:`FREE` for a cluster that does not exist."""
        if not 0 <= cluster <= self.last:
            return FREE
        return int(self._page(cluster // _PAGE)[0][cluster % _PAGE])

    def chain(self, first: int) -> Chain:
        """Follow a chain; one that runs in a circle is given once around."""
        runs: list[tuple[int, int]] = []
        length, cluster, last = 0, first, first
        seen: set[int] = set()
        while True:
            if cluster == FREE or not 2 <= cluster <= self.last:
                stop = Stop.END if cluster >= END else Stop.BAD if cluster == BAD else Stop.FREE if cluster == FREE else Stop.OUTSIDE
                return Chain(runs, length, stop, last)
            if cluster in seen or length > self.last:
                runs = _merged(runs)
                return Chain(runs, sum(count for _, count in runs), Stop.LOOP, last)
            if self.steps >= MAX_STEPS:
                return Chain(runs, length, Stop.GIVEN_UP, last)
            seen.add(cluster)
            self.steps += 1
            number, index = divmod(cluster, _PAGE)
            values, breaks = self._page(number)
            at = int(np.searchsorted(breaks, index))
            final = int(breaks[at]) if at < len(breaks) else len(values) - 1
            count = final - index + 1
            if runs and sum(runs[-1]) == cluster:
                runs[-1] = (runs[-1][0], runs[-1][1] + count)
            else:
                runs.append((cluster, count))
            length += count
            last = cluster + count - 1
            cluster = int(values[final])


def _merged(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return runs sorted and without overlap: what a chain in a circle covers."""
    merged: list[tuple[int, int]] = []
    for first, count in sorted(runs):
        if merged and first <= sum(merged[-1]):
            merged[-1] = (merged[-1][0], max(merged[-1][1], first + count - merged[-1][0]))
        else:
            merged.append((first, count))
    return merged


def byte_runs(chain: Chain, size: int, heap: int, cluster: int) -> tuple[tuple[int, int], ...]:
    """Return a chain as ``(offset, length)`` up to a size; ``heap`` is where cluster 2 begins, in bytes from the volume's start."""
    runs: list[tuple[int, int]] = []
    for first, count in chain.runs:
        length = min(size, count * cluster)
        if length:
            runs.append((heap + (first - 2) * cluster, length))
        size -= length
    return tuple(runs)


class Claims:
    """Which name has which clusters: runs with the number of their owner."""

    def __init__(self) -> None:
        self._first, self._count, self._owner = array("Q"), array("Q"), array("Q")

    def add(self, owner: int, runs: Iterable[tuple[int, int]]) -> None:
        """Take down an owner's runs."""
        for first, count in runs:
            self._first.append(first)
            self._count.append(count)
            self._owner.append(owner)

    def _sorted(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        first, count, owner = (np.array(a, np.int64) for a in (self._first, self._count, self._owner))
        order = np.lexsort((owner, first))
        return first[order], first[order] + count[order], owner[order]

    def spans(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return where each run starts and ends, sorted by the start."""
        first, end, _ = self._sorted()
        return first, end

    def shared(self) -> Iterator[tuple[int, int, int]]:
        """Yield ``(owner, other owner, first cluster that both have)``, by cluster."""
        first, end, owner = self._sorted()
        if len(first) < 2:
            return
        reach = np.maximum.accumulate(end)
        holder = np.maximum.accumulate(np.where(end == reach, np.arange(len(end)), 0))
        for at in np.flatnonzero(first[1:] < reach[:-1]) + 1:
            yield int(owner[holder[at - 1]]), int(owner[at]), int(first[at])


def covered(first: int, count: int, starts: NDArray[Any], ends: NDArray[Any]) -> NDArray[Any]:
    """Return for each of ``count`` clusters from ``first`` on whether a span has it. Spans are sorted by their start."""
    change = np.zeros(count + 1, np.int32)
    inside = (starts < first + count) & (ends > first)
    np.add.at(change, np.clip(starts[inside] - first, 0, count), 1)
    np.add.at(change, np.clip(ends[inside] - first, 0, count), -1)
    result: NDArray[Any] = np.cumsum(change[:-1]) > 0
    return result


def runs_of(mask: NDArray[Any], first: int) -> Iterator[tuple[int, int]]:
    """Yield the ``(first, count)`` runs of a mask's true elements; its first element is cluster ``first``."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    for start, end in zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True):
        yield first + start, end - start


def owned_spans(ranges: list[tuple[int, int]], heap: int, cluster: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return byte ranges of the medium as spans of clusters; ``heap`` is where cluster 2 begins on the medium."""
    spans = np.array(ranges, np.int64).reshape(-1, 2) - heap
    spans = spans[spans[:, 1] > 0]
    return spans[:, 0].clip(0) // cluster + 2, -(-spans[:, 1] // cluster) + 2
