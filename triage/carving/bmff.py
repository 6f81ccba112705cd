"""Boxes of ISO base media files, and the movie box's tables: where each sample lies and how long it shows.

ISO/IEC 14496-12 (2022): boxes (4.2), movie and tracks (8.2 to 8.4), sample tables (8.6, 8.7), fragments (8.8); sample entries of
ISO/IEC 14496-14 and -15; QuickTime File Format Specification for what is older. Offsets are those of the file, sizes bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

Numbers = NDArray[np.int64]

MOST_SAMPLES = 1 << 21
"""Samples of one file that are looked at: nine hours at 60 frames a second."""
_MOST_ALIKE = 1 << 14
"""Samples of a run in which all are alike, and take no place in the table."""
_MOST_TRACKS = 64
_MOST_CHILDREN = 65536
_LARGEST_MOVIE = 32 << 20
_CONTAINERS = frozenset({b"trak", b"mdia", b"minf", b"stbl"})
_NONE: Numbers = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Box:
    """A box at the top of a file. ``end`` is what its length says, or -1 for "to the end of the file"; ``start`` is its content's."""

    kind: bytes
    offset: int
    start: int
    end: int


def box_at(window: Window, offset: int) -> Box | None:
    """Return the box that begins there, if its length makes sense at all."""
    head = window.at(offset, 16)
    if len(head) < 8:
        return None
    size, start = int.from_bytes(head[:4], "big"), offset + 8
    if size == 0:
        return Box(head[4:8], offset, start, -1)
    if size == 1:
        size, start = int.from_bytes(head[8:16], "big"), offset + 16
        if size >> 62:
            return None
    return Box(head[4:8], offset, start, offset + size) if offset + size >= start else None


def children(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield ``(kind, start, end)`` of the content of each box in a box's content; stop at what is none."""
    for _ in range(_MOST_CHILDREN):
        if start + 8 > end:
            return
        size, kind, head = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start
        if size < head or start + size > end:
            return
        yield kind, start + head, start + size
        start += size


def child(data: bytes, start: int, end: int, *path: bytes) -> tuple[int, int] | None:
    """Return where the content of the first box with such a path lies."""
    for wanted in path:
        found = next(((a, b) for kind, a, b in children(data, start, end) if kind == wanted), None)
        if found is None:
            return None
        start, end = found
    return start, end


@dataclass(slots=True)
class Track:
    """A track. ``offsets``, ``sizes``: of its units, in the order of time; ``times``: when each begins, in ``scale`` a second.

    A unit is a sample; or a chunk where all samples have one size, as uncompressed sound has millions of. ``samples`` counts samples.
    ``config``: the boxes behind the sample entry's fields. ``elsewhere``: its bytes lie in another file.
    """

    number: int = 0
    handler: bytes = b""
    codec: bytes = b""
    config: bytes = b""
    width: int = 0
    height: int = 0
    scale: int = 0
    duration: int = 0
    samples: int = 0
    elsewhere: bool = False
    offsets: Numbers = field(default_factory=lambda: _NONE)
    sizes: Numbers = field(default_factory=lambda: _NONE)
    times: Numbers = field(default_factory=lambda: _NONE)
    defaults: tuple[int, int] = (0, 0)
    runs: list[tuple[Numbers, Numbers, Numbers]] = field(default_factory=list)
    ended: int = 0

    def settle(self) -> None:
        """Join what fragments added."""
        if self.runs:
            runs = [(self.offsets, self.sizes, self.times), *self.runs]
            self.offsets, self.sizes, self.times = (np.concatenate([run[i] for run in runs]) for i in range(3))
            self.runs = []


@dataclass(slots=True)
class Movie:
    """What the movie box says. ``promised``: duration of all fragments, or 0.

    ``stops``: where in its content boxes stop following each other before their container's end, -1 for nowhere; ``last``: where the
    last box before that begins.
    """

    tracks: list[Track]
    scale: int
    duration: int
    fragmented: bool
    stops: int = -1
    last: int = 0
    promised: int = 0

    @property
    def whole(self) -> bool:
        """Whether its boxes follow each other to its end."""
        return self.stops < 0


def read_movie(window: Window, box: Box) -> Movie | None:
    """Read a movie box; ``None`` if it is none, or too large."""
    if not 0 < box.end - box.start <= _LARGEST_MOVIE:
        return None
    if window.at(box.start + 4, 4) not in {b"mvhd", b"cmov", b"trak", b"udta", b"iods", b"meta", b"mvex", b"uuid", b"free", b"clip"}:
        return None
    data = window.at(box.start, box.end - box.start)
    if data[4:8] == b"cmov":
        data = _inflated(data)
    return movie_of(data)


def _inflated(data: bytes) -> bytes:
    """Return the content of a compressed movie box (QuickTime File Format: Compressed Movie Resources)."""
    found = child(data, 0, len(data), b"cmov", b"cmvd")
    if found is None:
        return b""
    inner = zlib.decompressobj().decompress(data[found[0] + 4 : found[1]], _LARGEST_MOVIE)
    return inner[8:] if inner[4:8] == b"moov" else b""


def movie_of(data: bytes) -> Movie | None:
    """Return what a movie box's content says; ``None`` without a header."""
    movie = Movie([], 0, 0, fragmented=False)
    extends: dict[int, tuple[int, int]] = {}
    for kind, start, end in children(data, 0, len(data)):
        if kind == b"mvhd":
            movie.scale, movie.duration = _clock(data, start)
        elif kind == b"trak" and len(movie.tracks) < _MOST_TRACKS:
            track = _track(data, start, end, MOST_SAMPLES - sum(len(t.offsets) for t in movie.tracks))
            if track is not None:
                movie.tracks.append(track)
        elif kind == b"mvex":
            movie.fragmented = True
            for inner, a, b in children(data, start, end):
                if inner == b"trex" and b - a >= 24:
                    number, _, length, size = struct.unpack_from(">4I", data, a + 4)
                    extends[number] = (length, size)
                elif inner == b"mehd":
                    movie.promised = int.from_bytes(data[a + 4 : a + (12 if data[a] else 8)], "big")
    for track in movie.tracks:
        track.defaults = extends.get(track.number, (0, 0))
    stop = _stop(data, 0, len(data), 0)
    if stop is not None:
        movie.last, movie.stops = stop
    return movie if movie.scale else None


def _stop(data: bytes, start: int, end: int, depth: int) -> tuple[int, int] | None:
    """Return ``(where the last right box begins, where none follows it)`` in a container whose boxes do not reach its end."""
    last = start
    at = start
    while at + 8 <= end:
        kind, content, following = next(children(data, at, end), (b"", 0, 0))
        if not kind.strip(b"\0"):
            break
        if kind in _CONTAINERS and depth < 5:
            inner = _stop(data, content, following, depth + 1)
            if inner is not None:
                return inner
        last, at = at, following
    return (last, at) if end - at >= 8 else None


def _clock(data: bytes, start: int) -> tuple[int, int]:
    """Return time scale and duration of ``mvhd`` or ``mdhd`` (8.2.2, 8.4.2)."""
    if data[start] == 1:
        scale, duration = struct.unpack_from(">IQ", data, start + 20)
        unknown = (1 << 64) - 1
    else:
        scale, duration = struct.unpack_from(">II", data, start + 12)
        unknown = (1 << 32) - 1
    return scale, 0 if duration == unknown else duration


def _track(data: bytes, start: int, end: int, most: int) -> Track | None:
    track = Track()
    head, media = child(data, start, end, b"tkhd"), child(data, start, end, b"mdia")
    if head is None or media is None:
        return None
    track.number = int.from_bytes(data[head[0] + (20 if data[head[0]] == 1 else 12) :][:4], "big")
    clock, handler = child(data, *media, b"mdhd"), child(data, *media, b"hdlr")
    if clock is None:
        return None
    track.scale, track.duration = _clock(data, clock[0])
    if handler is not None:
        track.handler = data[handler[0] + 8 : handler[0] + 12]
    reference = child(data, *media, b"minf", b"dinf", b"dref")
    if reference is not None:
        first = next(children(data, reference[0] + 8, reference[1]), None)
        track.elsewhere = first is not None and not data[first[1] + 3] & 1
    table = child(data, *media, b"minf", b"stbl")
    if table is None:
        return None
    boxes = {kind: (a, b) for kind, a, b in children(data, *table)}
    if b"stsd" in boxes:
        _entry(track, data, *boxes[b"stsd"])
    _samples(track, data, boxes, most)
    return track


def _entry(track: Track, data: bytes, start: int, end: int) -> None:
    """Read the first sample entry (8.5.2, 12.1.3, 12.2.3)."""
    found = next(children(data, start + 8, end), None)
    if found is None:
        return
    track.codec, start, end = found
    if track.handler in {b"vide", b"pict", b"auxv"}:
        if end - start >= 78:
            track.width, track.height = struct.unpack_from(">HH", data, start + 24)
        track.config = data[start + 78 : end]
    elif track.handler == b"soun" and end - start >= 28:
        version = int.from_bytes(data[start + 8 : start + 10], "big")
        extra = {1: 16, 2: 36}.get(version, 0) if end - start >= 64 else 0
        track.config = data[start + 28 + extra : end]
        channels, bits = struct.unpack_from(">HH", data, start + 16)
        packet, _, frame = struct.unpack_from(">3I", data, start + 28) if extra == 16 else (0, 0, 0)
        track.defaults = (packet, frame) if packet and frame else (1, channels * bits // 8)


def _table(data: bytes, where: tuple[int, int] | None, code: str, columns: int) -> Numbers:
    """Return the rows of a table box: version and flags, a count, then rows of big-endian numbers."""
    if where is None or where[1] - where[0] < 8:
        return _NONE.reshape(0, columns)
    kind = np.dtype(code)
    count = int.from_bytes(data[where[0] + 4 : where[0] + 8], "big")
    count = min(count, (where[1] - where[0] - 8) // (kind.itemsize * columns), MOST_SAMPLES)
    rows = np.frombuffer(data, kind, count * columns, where[0] + 8)
    return rows.astype(np.int64).reshape(count, columns)


def _sizes(data: bytes, boxes: dict[bytes, tuple[int, int]]) -> tuple[int, int, Numbers]:
    """Return ``(size of all, number of samples, sizes)`` of ``stsz`` or ``stz2`` (8.7.3)."""
    if b"stsz" in boxes:
        start, end = boxes[b"stsz"]
        size, count = struct.unpack_from(">II", data, start + 4)
        if size:
            return size, count, _NONE
        return 0, count, _table(data, (start + 4, end), ">u4", 1).ravel()
    if b"stz2" not in boxes:
        return 0, 0, _NONE
    start, end = boxes[b"stz2"]
    width, count = data[start + 7], int.from_bytes(data[start + 8 : start + 12], "big")
    if width == 4:
        pairs = np.frombuffer(data, np.uint8, max(min((count + 1) // 2, end - start - 12, MOST_SAMPLES), 0), start + 12)
        count = min(count, 2 * len(pairs), MOST_SAMPLES)
        return 0, count, np.stack((pairs >> 4, pairs & 15), 1).ravel()[:count].astype(np.int64)
    return 0, count, _table(data, (start + 4, end), ">u2" if width == 16 else ">u1", 1).ravel()


def _samples(track: Track, data: bytes, boxes: dict[bytes, tuple[int, int]], most: int) -> None:
    """Work out where each unit lies (8.7.4, 8.7.5) and when it shows (8.6.1)."""
    one, track.samples, sizes = _sizes(data, boxes)
    chunks = _table(data, boxes.get(b"co64"), ">u8", 1) if b"co64" in boxes else _table(data, boxes.get(b"stco"), ">u4", 1)
    chunks = chunks.ravel()
    runs = _table(data, boxes.get(b"stsc"), ">u4", 3)
    if not len(chunks) or not len(runs) or not track.samples or np.any(np.diff(runs[:, 0]) <= 0) or runs[0, 0] != 1 or len(chunks) > most:
        return
    runs = runs[runs[:, 0] <= len(chunks)]
    each = np.repeat(runs[:, 1], np.diff(np.append(runs[:, 0], len(chunks) + 1)))
    first = np.cumsum(each) - each
    held = np.minimum(each, np.maximum(track.samples - first, 0))
    if one:
        if track.handler == b"soun" and one <= 1:  # sizes of uncompressed sound count time, not bytes
            packet, frame = track.defaults
            track.sizes = held // max(packet, 1) * frame
        else:
            track.sizes = held * one
        track.offsets, starts = chunks, first
        track.sizes = np.where(track.sizes < 1 << 48, track.sizes, 0)
    else:
        total = min(len(sizes), int(held.sum()))
        if int(held.sum()) > most:
            return
        sizes, number = sizes[:total], np.repeat(np.arange(len(chunks)), held)[:total]
        before = np.cumsum(sizes) - sizes
        opening = before[np.minimum(first, max(total - 1, 0))]
        track.sizes, track.offsets = sizes, chunks[number] + before - opening[number]
        starts = np.arange(total, dtype=np.int64)
    track.times = _times(_table(data, boxes.get(b"stts"), ">u4", 2), starts)
    there = track.sizes > 0
    track.offsets, track.sizes, track.times = track.offsets[there], track.sizes[there], track.times[there]


def _times(table: Numbers, starts: Numbers) -> Numbers:
    """Return when the samples with these numbers begin, by a table of ``(count, duration)``."""
    if not len(table):
        return np.zeros(len(starts), np.int64)
    counts, lengths = table[:, 0], table[:, 1]
    first = np.cumsum(counts) - counts
    begun = np.cumsum(counts * lengths) - counts * lengths
    row = np.searchsorted(first, starts, side="right") - 1
    within = np.minimum(starts - first[row], counts[row])
    return np.asarray(begun[row] + within * lengths[row], np.int64)


def add_fragment(movie: Movie, data: bytes, offset: int) -> int:
    """Add the runs of a movie fragment's content that lies at the file's ``offset`` less 8 (8.8.4 to 8.8.8); return its number, or -1."""
    number, following = -1, offset
    for kind, start, end in children(data, 0, len(data)):
        if kind == b"mfhd":
            number = int.from_bytes(data[start + 4 : start + 8], "big")
        elif kind == b"traf":
            following = _track_fragment(movie, data, start, end, offset, following)
    return number


def _track_fragment(movie: Movie, data: bytes, start: int, end: int, moof: int, following: int) -> int:
    track: Track | None = None
    length, size, base = 0, 0, following
    for kind, inner, b in children(data, start, end):
        a = inner
        if kind == b"tfhd":
            flags, number = int.from_bytes(data[a + 1 : a + 4], "big"), int.from_bytes(data[a + 4 : a + 8], "big")
            track = next((t for t in movie.tracks if t.number == number), None)
            if track is None:
                return following
            length, size = track.defaults
            a += 8
            if flags & 1:
                base = int.from_bytes(data[a : a + 8], "big")
                a += 8
            elif flags & 0x20000:
                base = moof
            a += 4 if flags & 2 else 0
            if flags & 8:
                length = int.from_bytes(data[a : a + 4], "big")
                a += 4
            if flags & 0x10:
                size = int.from_bytes(data[a : a + 4], "big")
            following = base
        elif kind == b"tfdt" and track is not None:
            track.ended = int.from_bytes(data[a + 4 : a + (12 if data[a] else 8)], "big")
        elif kind == b"trun" and track is not None:
            following = _run(track, data, a, b, (base, following), (length, size))
    return following


def _run(track: Track, data: bytes, start: int, end: int, places: tuple[int, int], defaults: tuple[int, int]) -> int:
    """Add one run of samples (8.8.8); return where it ends."""
    flags, count = int.from_bytes(data[start + 1 : start + 4], "big"), int.from_bytes(data[start + 4 : start + 8], "big")
    offset, start = places[1], start + 8
    if flags & 1:
        offset = places[0] + struct.unpack_from(">i", data, start)[0]
        start += 4
    start += 4 if flags & 4 else 0
    columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    if columns:
        count = min(count, (end - start) // (4 * len(columns)))
        rows: Numbers = np.frombuffer(data, ">u4", count * len(columns), start).astype(np.int64).reshape(count, len(columns))
    following = offset + count * defaults[1]
    if not columns:
        count = min(count, _MOST_ALIKE)
    count = min(count, MOST_SAMPLES - track.samples)
    if count <= 0 or (0x200 not in columns and not defaults[1]):
        return offset
    lengths = rows[:count, columns.index(0x100)] if 0x100 in columns else np.full(count, defaults[0], np.int64)
    sizes = rows[:count, columns.index(0x200)] if 0x200 in columns else np.full(count, defaults[1], np.int64)
    ends = offset + np.cumsum(sizes)
    track.runs.append((ends - sizes, sizes, track.ended + np.cumsum(lengths) - lengths))
    track.ended += int(lengths.sum())
    track.samples += count
    return int(ends[-1]) if 0x200 in columns else following
