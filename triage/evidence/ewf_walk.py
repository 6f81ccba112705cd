"""Chunks of a damaged E01 that no sound table names: found one behind the other, and numbered by counting.

A chunk is believed when its checksum says so: a deflated one inflates to exactly a chunk's bytes and its zlib stream ends with
the right Adler-32 (RFC 1950), a plain one is followed by its Adler-32. Chunks lie back to back, in the medium's order
(specification, section 3.8), so that a run of believed chunks that begins where the sectors section begins is numbered from its
start, and one that ends where the section ends from its end. What lies between two damaged places is numbered by the damaged
tables where they still agree with where the chunks lie; else its chunks are right but nobody knows which they are.
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.ewf_index import checksum_fits
from triage.evidence.ewf_scan import checksummed
from triage.evidence.medium import open_read_only, pread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_WINDOW = 8 << 20
_ZLIB_HEADS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
USUAL = 10
"""Two to this power of sectors a chunk has at most, usually; 32768 are the most there are (specification, section 3.8)."""
_NEAR = 256 << 10
_SAMPLES = 64
_MOST_TRIES = 200_000
_MOST_WORK = 16 << 30
"""How many places of one sectors section are tried for a chunk's beginning, and how many bytes are summed up for it."""
_MOST_REPEATS = 4
_ANY = 1 << 62
_MOST_SUMMED = 1 << 20
"""Bytes of the largest chunks whose checksum is looked for at every byte."""
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


def prove(data: bytes | memoryview, offset: int, size: int, rest: int | None = None) -> Place | None:
    """Return the chunk that begins with ``data``, if a checksum says that there is one.

    It holds ``size`` bytes, or ``rest`` where that is given (the medium's last); ``offset`` is only passed on. A plain chunk is
    looked for first: its bytes may begin with a zlib stream of their own, while a stream is not followed by a fitting checksum.
    """
    for length in (size, rest) if rest and rest != size else (size,):
        if checksum_fits(data[:length], data[length : length + 4]):
            return Place(offset, length + 4, length, False)
    if len(data) < 8 or data[0] & 15 != 8 or (data[0] << 8 | data[1]) % 31:
        return None
    stream = zlib.decompressobj()
    limited = data[: most_stored(size)]
    try:
        found = len(stream.decompress(limited, size + 1))
    except zlib.error:
        return None
    if not stream.eof or not found or found not in (size, rest):
        return None
    return Place(offset, len(limited) - len(stream.unused_data), found, True)


def measure(data: bytes, most: int) -> int:
    """Return the bytes of the chunk that begins with ``data`` when nothing says what a chunk's size is; 0 if there is none.

    It is a power of two of sectors, from 64 to 2 to the ``most`` (specification, section 3.8), unless it is deflated.
    """
    for power in range(6, most + 1):
        size = 512 << power
        if size + 4 <= len(data) and checksum_fits(memoryview(data)[:size], data[size : size + 4]):
            return size
    stream = zlib.decompressobj()
    try:
        size = len(stream.decompress(data, (512 << most) + 1))
    except zlib.error:
        return 0
    return size if stream.eof and 0 < size <= 512 << most and not size % 512 else 0


def search_size(file: int, start: int, limit: int) -> int:
    """Return the size of a chunk near byte ``start`` that another of that size follows; 0 when there is none."""
    for power in range(6, USUAL + 1):
        size = 512 << power
        raw = pread(file, max(0, min(limit - start, size + _NEAR)), start)
        places = checksummed(raw, size)[:_SAMPLES]
        place = raw.find(b"\x78")
        while 0 <= place < _NEAR and len(places) < 2 * _SAMPLES:
            if not (raw[place] << 8 | (raw[place + 1 : place + 2] or b"\1")[0]) % 31:
                places.append(place)
            place = raw.find(b"\x78", place + 1)
        for place in places:
            at = start + place
            first = prove(pread(file, min(limit - at, most_stored(size)), at), at, size)
            if first is not None and prove(pread(file, max(0, min(limit - first.end, most_stored(size))), first.end), first.end, size):
                return size
    return 0


def holds_chunks(path: Path) -> bool:
    """Whether a file holds two chunks one behind the other near its start: an E01 all of whose descriptors are gone."""
    file = open_read_only(path)
    try:
        return bool(search_size(file, 0, os.lseek(file, 0, os.SEEK_END)))
    finally:
        os.close(file)


def prove_last(data: memoryview, offset: int, size: int) -> Place | None:
    """Return the medium's last chunk if ``data`` is exactly one that holds whole sectors, less than ``size`` bytes."""
    length = len(data) - 4
    if 0 < length < size and not length % 512 and checksum_fits(data[:length], data[length:]):
        return Place(offset, len(data), length, False)
    stream = zlib.decompressobj()
    try:
        found = len(stream.decompress(data, size + 1))
    except zlib.error:
        return None
    if not stream.eof or stream.unused_data or not 0 < found <= size or found % 512:
        return None
    return Place(offset, len(data), found, True)


class Reader:
    """Bytes of one segment at any place, through a window: chunks are tried by the thousand."""

    def __init__(self, file: int, limit: int, beat: Callable[[], None]) -> None:
        self.file = file
        self.limit = limit
        self.beat = beat
        self._start = 0
        self._window = memoryview(b"")

    def at(self, offset: int, length: int) -> memoryview:
        """Return at most ``length`` bytes, none behind :attr:`limit`."""
        length = min(length, self.limit - offset)
        if length <= 0 or offset < 0:
            return memoryview(b"")
        skip = offset - self._start
        if skip < 0 or skip + length > len(self._window):
            self.beat()
            window = max(_WINDOW, length)
            # Going back, what lies before is wanted next; going on, what lies behind.
            self._start = max(0, offset + length - window) if skip < 0 else offset
            self._window = memoryview(pread(self.file, min(window, self.limit - self._start), self._start))
            skip = offset - self._start
        return self._window[skip : skip + length]


class _Names:
    """What damaged tables say: the offset at each position, and where each offset stands."""

    def __init__(self, tables: Sequence[Sequence[int]]) -> None:
        self.tables = tables
        self._places: list[dict[int, list[int]]] = []
        for table in tables:
            places: dict[int, list[int]] = {}
            for n, offset in enumerate(table):
                found = places.setdefault(offset, [])
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
                    between = table[i : j + 1]
                    if j > i and all(a < b for a, b in pairwise(between)):
                        said.add(j - i)
        return said.pop() if len(said) == 1 else None

    def votes(self, offset: int) -> list[set[int]]:
        """Return, for each table, the positions at which it names an offset."""
        return [set(places.get(offset, ())) for places in self._places]


@dataclass(slots=True)
class Walked:
    """A section's chunks as they were found: runs of chunks that lie back to back, and the holes before, between and behind them.

    ``start`` is where the first chunk should begin, for certain if ``sure``. ``closed``: the last run ends where the section does;
    else ``tail`` chunks at least lie behind it. ``holes`` are how many chunks lie in the hole before each run, where that is
    known, ``least`` how many at least; ``backed`` are first numbers that tables give.
    """

    start: int = 0
    sure: bool = False
    runs: list[list[Place]] = field(default_factory=list)
    closed: bool = False
    tail: int = 0
    holes: list[int | None] = field(default_factory=list)
    least: list[int] = field(default_factory=list)
    backed: list[int | None] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many chunks were found, with or without a number."""
        return sum(map(len, self.runs))

    @property
    def count(self) -> int | None:
        """How many chunks the section has, if that is certain by what was found alone."""
        if not self.runs or not self.closed or None in self.holes:
            return None
        return self.found + sum(h or 0 for h in self.holes)

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
        for n, number in enumerate(self.backed):
            if number is not None and low[n] <= number <= high[n]:
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


    def close(self, ends: Sequence[int], size: int) -> None:
        """See whether the last run ends where the section does, or how many chunks must lie behind it."""
        last = self.runs[-1][-1].end
        self.closed = last in ends
        self.tail = 0 if self.closed else min((-(-(end - last) // most_stored(size)) for end in ends if end > last), default=0)

    def hold(self, tables: Sequence[Sequence[int]], scraps: Sequence[Sequence[int]] = ()) -> None:
        """Number the runs by what damaged tables name. ``scraps`` are entries whose place in their table is not known."""
        names, more = _Names(tables), _Names(scraps)
        behind = self.start
        self.holes, self.backed = [], []
        for run in self.runs:
            hole = 0 if run[0].offset == behind else names.between(behind, run[0].offset)
            self.holes.append(more.between(behind, run[0].offset) if hole is None else hole)
            behind = run[-1].end
        first = 0
        while first < len(self.runs):  # runs whose distance is known are numbered as one
            last = first + 1
            while last < len(self.runs) and self.holes[last] is not None:
                last += 1
            self.backed += self._backed(first, last, names)
            first = last

    def _backed(self, first: int, last: int, names: _Names) -> list[int | None]:
        """Return the first numbers of a block of runs if the positions of their entries say them and nothing speaks against it.

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
        if not backed or len(said) != 1:
            return [None] * (last - first)
        number = said.pop()
        return [number + start for start in starts]


def walk(
    reader: Reader, start: int, ends: Sequence[int], size: int, *, rest: int | None, tables: Sequence[Sequence[int]], sure: bool
) -> Walked:
    """Find a sectors section's chunks from ``start`` on. It ends at one of ``ends``, or somewhere before the reader's limit.

    ``size`` is a chunk's bytes, ``rest`` those of the medium's last if this section may hold it (0: not known). ``tables`` are
    the offsets that damaged tables name, in the file. ``sure``: the first chunk is known to begin at ``start``.
    """
    result = Walked(start, sure, list(_runs(reader, start, ends, size, rest, tables)))
    if result.runs:
        behind = [start, *(run[-1].end for run in result.runs)]
        result.least = [max(1, -(-(run[0].offset - behind[n]) // most_stored(size))) for n, run in enumerate(result.runs)]
        if not sure:  # before the first, there may be other things than chunks
            result.least[0] = 0
        result.close(ends, size)
        result.hold(tables)
    return result


def _runs(
    reader: Reader, start: int, ends: Sequence[int], size: int, rest: int | None, tables: Sequence[Sequence[int]]
) -> Iterator[list[Place]]:
    """Yield runs of chunks that lie back to back, in order."""
    limit = reader.limit
    named = sorted({offset for table in tables for offset in table if start <= offset < limit})
    reach = max(most_stored(size), size + 4)
    tries = max(1000, min(_MOST_TRIES, _MOST_WORK // size))
    at = start
    run: list[Place] = []
    while at < limit:
        data = reader.at(at, min(reach, limit - at))
        place = prove(data, at, size, rest)
        if place is None and rest == 0:
            place = next((p for e in ends if 0 < e - at <= len(data) and (p := prove_last(data[: e - at], at, size))), None)
        if place is not None:
            run.append(place)
            at = place.end
            continue
        if run:
            yield run
            run = []
        floor = at
        for candidate in _candidates(reader, at, limit, size, named):
            tries -= 1
            if not tries % 64:
                reader.beat()
            place = prove(reader.at(candidate, min(reach, limit - candidate)), candidate, size, rest)
            if place is not None or tries <= 0:
                break
        if place is None:
            break
        # Plain chunks right before it have no mark of their own, but their length is known.
        run = [place]
        while (before := run[0].offset - size - 4) > floor:
            earlier = prove(reader.at(before, size + 4), before, size)
            if earlier is None or earlier.end != run[0].offset:
                break
            run.insert(0, earlier)
        at = place.end
    if run:
        yield run
    else:
        yield from next((tail for e in ends if (tail := list(_plain_tail(reader, at, e, size, rest)))), ())


def _candidates(reader: Reader, at: int, limit: int, size: int, named: Sequence[int]) -> Iterator[int]:
    """Yield places behind ``at`` where a chunk may begin, in order: named by a table, like a zlib stream, or in front of a checksum."""
    known = iter([*named[bisect_right(named, at) :], limit])
    following = next(known)
    step = 4096
    start = at + 1
    while start < limit:
        block = bytes(reader.at(start, step + 1))
        places = [at + size + 4] if start <= at + size + 4 < start + step else []
        for head in _ZLIB_HEADS:
            place = block.find(head)
            while place >= 0:
                places.append(start + place)
                place = block.find(head, place + 1)
        if size <= _MOST_SUMMED:
            places += [start + place for place in checksummed(bytes(reader.at(start, step + size + 3)), size)]
        stop = start + step
        while following < min(stop, limit):
            places.append(following)
            following = next(known)
        yield from sorted({p for p in places if p < limit})
        start = stop
        step = min(step * 2, 1 << 20)


def _plain_tail(reader: Reader, floor: int, end: int, size: int, rest: int | None) -> Iterator[list[Place]]:
    """Yield the run of plain chunks that ends where the section ends: behind a damaged deflated one nothing marks their start."""
    run: list[Place] = []
    for length in {size, rest or size}:
        start = end - length - 4
        place = prove(reader.at(start, length + 4), start, size, rest) if start > floor else None
        if place is not None and place.end == end:
            run = [place]
            break
    while run and (start := run[0].offset - size - 4) > floor:
        place = prove(reader.at(start, size + 4), start, size)
        if place is None or place.end != run[0].offset:
            break
        run.insert(0, place)
    if run:
        yield run
