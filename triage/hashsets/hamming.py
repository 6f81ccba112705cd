"""Find the 256-bit hashes that differ from others in few bits, among millions.

Multi-index hashing (Norouzi, Punjani, Fleet: "Fast Exact Search in Hamming Space with Multi-Index Hashing", 2014): the bits are divided
into chunks, and of two hashes that differ in few bits at least one chunk differs in very few. For each chunk a table leads from its value
to the rows that have it; a search looks up all values near the query's and compares the rows that it finds in full.

A search within :data:`EXACT` bits finds all. Beyond that it finds all in sets of up to :data:`BRUTE_ROWS` hashes, which are compared one
by one; in larger ones what the tables lead to, which is a part (``bench/likeness.py`` measures it).
"""

from __future__ import annotations

from itertools import combinations, pairwise
from math import comb
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    U64 = NDArray[np.uint64]
    I64 = NDArray[np.int64]

BITS = 256
EXACT = 31
"""Bits within which a search is exact at any size: what PDQ's authors recommend for a match."""
BRUTE_ROWS = 1 << 18
"""Up to so many hashes all are compared: it takes no longer than the tables do with what they find beyond ``EXACT`` bits."""
_WIDTHS = range(12, 25)  # bits of a chunk that are considered; a table of more values than twice the rows is mostly empty
_QUERIES = 64  # queries looked up at once
_CANDIDATES = 1 << 18  # rows compared at once: what bounds the memory of a search
_ROWS = 1 << 14  # rows that are compared with all queries before the next, since they stay in the cache
_LIMIT = 100


class Hits(NamedTuple):
    """What a search found, sorted by query, distance and row. ``cut``: how many queries had more hits than were asked for."""

    query: I64
    row: I64
    distance: NDArray[np.int16]
    cut: int


def chunks_of(rows: int, exact: int = EXACT, brute: int = BRUTE_ROWS) -> list[tuple[int, int, int]]:
    """Return the chunks of an index of so many hashes: first bit, bits, and in how many bits a value may differ from the query's.

    None for up to ``brute`` hashes. A search within ``exact`` bits finds all.
    """
    if rows <= brute:
        return []
    widths = [width for width in _WIDTHS if width <= rows.bit_length() + 1] or [_WIDTHS[0]]
    count = min((-(-BITS // width) for width in widths), key=lambda chunks: _cost(chunks, rows, exact))
    edges = [BITS * n // count for n in range(count + 1)]
    near, more = divmod(exact, count)
    # All bits that may differ, spread as evenly as they can: one of the first ``more + 1`` chunks differs in ``near`` bits at most, or one
    # of the others in fewer.
    found = [(a, b - a, near if n <= more else near - 1) for n, (a, b) in enumerate(pairwise(edges))]
    return [chunk for chunk in found if chunk[2] >= 0]


def _cost(count: int, rows: int, exact: int) -> float:
    """Return what a search costs with so many chunks: a look-up each value, and three times that each row that is compared."""
    width, near = BITS / count, exact // count
    values = count * sum(comb(int(width), n) for n in range(near + 1))
    return values + 3 * values * rows / 2**width


def build_columns(hashes: U8, exact: int = EXACT, brute: int = BRUTE_ROWS) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the tables of an index of hashes (rows, 32 bytes): the rows sorted by each chunk, and where each value begins."""
    words = _words(hashes)
    for number, (start, width, _) in enumerate(chunks_of(len(hashes), exact, brute)):
        keys = _values(words, start, width)
        joined = (keys.astype(np.uint64) << np.uint64(32)) | np.arange(len(keys), dtype=np.uint64)
        joined.sort()
        yield f"rows{number:02d}", (joined & np.uint64(0xFFFFFFFF)).astype("<u4")
        del joined
        starts = np.zeros((1 << width) + 1, np.int64)
        np.cumsum(np.bincount(keys, minlength=1 << width), out=starts[1:])
        yield f"starts{number:02d}", starts.astype("<u4")


class HammingIndex:
    """An index over arrays that may be mapped from a file. ``hashes``: (rows, 32 bytes); ``columns``: as :func:`build_columns` made them.

    ``exact`` and ``brute`` are those that it had.

    Raises ``ValueError`` when they do not fit each other. Whatever they hold, a search ends and reads nothing outside of them.
    """

    def __init__(self, hashes: U8, columns: Mapping[str, NDArray[Any]], exact: int = EXACT, brute: int = BRUTE_ROWS) -> None:
        self.hashes = hashes
        self._exact = exact
        self._words = _words(hashes)
        self._chunks = chunks_of(len(hashes), exact, brute)
        if len(columns) != 2 * len(self._chunks):
            raise ValueError("the index has not the tables that it must have")
        self._tables: list[tuple[NDArray[Any], NDArray[Any]]] = []
        for number, (_, width, _) in enumerate(self._chunks):
            rows, starts = columns.get(f"rows{number:02d}"), columns.get(f"starts{number:02d}")
            if rows is None or starts is None or rows.shape != (len(hashes),) or starts.shape != ((1 << width) + 1,):
                raise ValueError("a table of the index has not the size that it must have")
            if rows.dtype != np.dtype("<u4") or starts.dtype != np.dtype("<u4"):
                raise ValueError("a table of the index has no proper type")
            self._tables.append((rows, starts))
        self._masks = {(width, near): _masks(width, near) for _, width, near in self._chunks}

    def exact_radius(self) -> int:
        """Return up to how many bits a search finds all."""
        return self._exact if self._chunks else BITS

    def search(self, queries: U8, radius: int, limit: int = _LIMIT) -> Hits:
        """Return the rows that differ from each query (queries, 32 bytes) in at most ``radius`` bits, the ``limit`` nearest of each."""
        asked = _words(np.ascontiguousarray(queries))
        found: list[tuple[I64, I64, I64]] = []
        if not self._chunks:
            found.append(self._all(asked, np.arange(len(asked)), radius))
        else:
            for start in range(0, len(asked), _QUERIES):
                part = np.arange(start, min(start + _QUERIES, len(asked)))
                found += self._near(asked, part, radius)
        return _sorted(found, len(asked), limit)

    def _near(self, asked: U64, part: I64, radius: int) -> Iterator[tuple[I64, I64, I64]]:
        """Yield what the tables lead to for some of the queries."""
        places = [self._places(number, asked[part]) for number in range(len(self._chunks))]
        # Where values are common the tables lead to more rows than there are: then comparing all is the shorter way.
        work = np.sum([length.sum(axis=1) for _, length in places], axis=0)
        long = work > len(self.hashes)
        if long.any():
            yield self._all(asked, part[long], radius)
        for (rows, _), (first, length) in zip(self._tables, places, strict=True):
            query = np.repeat(part[~long], first.shape[1])
            yield from self._compared(asked, query, first[~long].ravel(), length[~long].ravel(), rows, radius)

    def _places(self, number: int, asked: U64) -> tuple[I64, I64]:
        """Return where in a table the rows are that each query leads to, and how many: (queries, values) each."""
        start, width, near = self._chunks[number]
        keys = _values(asked, start, width).astype(np.int64)
        values = keys[:, None] ^ self._masks[width, near][None, :]
        starts = self._tables[number][1]
        total = len(self.hashes)
        first = np.minimum(starts[values].astype(np.int64), total)
        last = np.minimum(starts[values + 1].astype(np.int64), total)
        return first, np.maximum(last - first, 0)

    def _compared(
        self, asked: U64, query: I64, first: I64, length: I64, rows: NDArray[Any], radius: int
    ) -> Iterator[tuple[I64, I64, I64]]:
        """Yield the rows of some places that are near enough, comparing a bounded number at once."""
        some = np.flatnonzero(length)
        query, first, length = query[some], first[some], length[some]
        ends = np.cumsum(length)
        done, total = 0, int(ends[-1]) if len(ends) else 0
        while done < total:
            stop = min(done + _CANDIDATES, total)
            low, high = np.searchsorted(ends, done, "right"), np.searchsorted(ends, stop, "left")
            piece = slice(int(low), int(high) + 1)
            begin = ends[piece] - length[piece]
            take = np.minimum(ends[piece], stop) - np.maximum(begin, done)
            skip = np.maximum(begin, done) - begin
            within = np.arange(stop - done) - np.repeat(np.cumsum(take) - take, take)
            at = rows[np.repeat(first[piece] + skip, take) + within].astype(np.int64)
            at = np.minimum(at, len(self.hashes) - 1)
            who = np.repeat(query[piece], take)
            distance = np.bitwise_count(self._words[at] ^ asked[who]).sum(axis=1, dtype=np.int64)
            near = distance <= radius
            yield who[near], at[near], distance[near]
            done = stop

    def _all(self, asked: U64, part: I64, radius: int) -> tuple[I64, I64, I64]:
        """Return what is near enough when every row is compared."""
        queries: list[I64] = []
        found: list[I64] = []
        distances: list[I64] = []
        for start in range(0, len(self.hashes), _ROWS):
            block = self._words[start : start + _ROWS]
            columns = np.ascontiguousarray(block.T)
            for number in part.tolist():
                one = asked[number]
                # Three quarters of the bits leave next to nothing that is not a hit.
                count = np.bitwise_count(columns[0] ^ one[0])
                count += np.bitwise_count(columns[1] ^ one[1])
                count += np.bitwise_count(columns[2] ^ one[2])
                maybe = np.flatnonzero(count <= radius)
                if not len(maybe):
                    continue
                distance = count[maybe].astype(np.int64) + np.bitwise_count(columns[3, maybe] ^ one[3])
                near = distance <= radius
                if near.any():
                    found.append(maybe[near] + start)
                    distances.append(distance[near])
                    queries.append(np.full(int(near.sum()), number, np.int64))
        none = np.zeros(0, np.int64)
        return (
            np.concatenate(queries) if queries else none,
            np.concatenate(found) if found else none,
            np.concatenate(distances) if distances else none,
        )


def _sorted(found: list[tuple[I64, I64, I64]], queries: int, limit: int) -> Hits:
    """Return hits in order, each row once a query and no more than the limit."""
    none = np.zeros(0, np.int64)
    query, row, distance = (np.concatenate(column) if column else none for column in zip(*found, strict=True)) if found else (none,) * 3
    order = np.lexsort((row, distance, query))
    query, row, distance = query[order], row[order], distance[order]
    if len(query):
        fresh = np.ones(len(query), bool)
        fresh[1:] = (query[1:] != query[:-1]) | (row[1:] != row[:-1])
        query, row, distance = query[fresh], row[fresh], distance[fresh]
    counts = np.bincount(query, minlength=queries)
    rank = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
    keep = rank < limit
    return Hits(query[keep], row[keep], distance[keep].astype(np.int16), int(np.count_nonzero(counts > limit)))


def _words(hashes: U8) -> U64:
    """Return hashes as (rows, 4) numbers. Which bit is where does not matter, only that it is the same for all."""
    if hashes.ndim != 2 or hashes.shape[1] != BITS // 8:
        raise ValueError("not hashes of 256 bits")
    return hashes.view("<u8")


def _values(words: U64, start: int, width: int) -> NDArray[np.uint32]:
    """Return the values of a chunk."""
    word, shift = divmod(start, 64)
    value = words[:, word] >> np.uint64(shift)
    if shift + width > 64:
        value |= words[:, word + 1] << np.uint64(64 - shift)
    return (value & np.uint64((1 << width) - 1)).astype(np.uint32)


def _masks(width: int, near: int) -> I64:
    """Return all numbers of so many bits of which at most ``near`` are set."""
    masks = [sum(1 << bit for bit in bits) for count in range(near + 1) for bits in combinations(range(width), count)]
    return np.array(masks, np.int64)
