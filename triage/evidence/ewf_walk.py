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
from typing import TYPE_CHECKING

import numpy as np

from triage.evidence.ewf_index import checksum_fits
from triage.evidence.ewf_runs import Place, Walked, most_stored
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
_MOST_SUMMED = 1 << 20
"""Bytes of the largest chunks whose checksum is looked for at every byte."""


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


def walk(
    reader: Reader, start: int, ends: Sequence[int], size: int, *, rest: int | None, tables: Sequence[np.ndarray], sure: bool
) -> Walked:
    """Find a sectors section's chunks from ``start`` on. It ends at one of ``ends``, or somewhere before the reader's limit.

    ``size`` is a chunk's bytes, ``rest`` those of the medium's last if this section may hold it (0: not known). ``tables`` are
    the offsets that damaged tables name, in the file. ``sure``: the first chunk is known to begin at ``start``.
    """
    result = Walked(start, sure, size, list(_runs(reader, start, ends, size, rest, tables)))
    result.hold(ends, tables)
    return result


def _runs(
    reader: Reader, start: int, ends: Sequence[int], size: int, rest: int | None, tables: Sequence[np.ndarray]
) -> Iterator[list[Place]]:
    """Yield runs of chunks that lie back to back, in order."""
    limit = reader.limit
    named: list[int] = np.unique(np.concatenate([t[(t >= start) & (t < limit)] for t in tables])).tolist() if tables else []
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
        reader.beat()
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
