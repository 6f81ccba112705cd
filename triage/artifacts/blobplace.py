"""Where the bytes of a database's value lie in its files, found by looking for them.

SQLite spreads a large value over the leaf of a table and a chain of overflow pages. The reader of databases gives values, not places; but a
value's bytes stand in the file, a page's worth at a time, and are found by their beginnings. What is found is checked byte by byte, so a
place is right or not given at all. It may be an older copy of the same bytes: that makes no difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_PIECES = 50_000
_PROBE = 24


class Source(NamedTuple):
    """A file's bytes. ``page``: bytes of a page; ``frame``: bytes before each page (24 in a write-ahead log, none in a database).

    ``frames``: of a log, where the copies of each page begin; ``reserved``: bytes at the end of each page that hold nothing.
    """

    data: bytes
    page: int
    frame: int = 0
    header: int = 0
    frames: dict[int, list[int]] | None = None
    reserved: int = 0

    def pages(self, number: int) -> list[int]:
        """Return where the content of a page begins, counted from 1; of a log each copy, the last first."""
        if self.frames is not None:
            return self.frames.get(number, [])[::-1]
        start = (number - 1) * self.page
        return [start] if number > 0 and start < len(self.data) else []


def source_of(data: bytes, *, log: bool = False, page: int = 0, reserved: int = 0) -> Source:
    """Return a database's file, or its write-ahead log's, as a source. ``page`` and ``reserved`` are for a log that does not say so."""
    if log:
        stated = int.from_bytes(data[8:12], "big")
        size = stated or page or 4096
        frames: dict[int, list[int]] = {}
        for at in range(32, len(data) - 24, size + 24):
            frames.setdefault(int.from_bytes(data[at : at + 4], "big"), []).append(at + 24)
        return Source(data, size, 24, 32, frames, reserved)
    stated = int.from_bytes(data[16:18], "big")
    return Source(data, 65536 if stated == 1 else stated or 4096, reserved=data[20] if len(data) > 20 else 0)


def place_of(value: bytes, sources: Sequence[Source]) -> tuple[int, list[int]] | None:
    """Return the number of the source that has a value's bytes, and offsets and lengths in turn; ``None`` when none has all of them."""
    if not value:
        return None
    for number, source in enumerate(sources):
        places = _places(value, source)
        if places is not None:
            return number, places
    return None


def _places(value: bytes, source: Source) -> list[int] | None:
    data = source.data
    start = data.find(value[: max(_PROBE, min(len(value), 64))])
    tries = 0
    while start >= 0 and tries < 50:
        tries += 1
        found = _follow(value, start, source)
        if found is not None:
            return found
        start = data.find(value[: max(_PROBE, min(len(value), 64))], start + 1)
    return None


def _follow(value: bytes, start: int, source: Source) -> list[int] | None:
    """Return the pieces of a value that begins at a place: its part in the leaf, then a page's worth from each overflow page."""
    matched = _common(value, 0, source.data, start, min(source.page, len(value)))
    if matched == len(value):
        return [start, matched]
    # Where the part in the leaf ends is not told here. Its last bytes that agree may be those of the page's number, which stands behind it.
    for length in range(matched, max(matched - 4, 0), -1):
        places = _chain(value, length, start + length, source)
        if places is not None:
            return [start, length, *places]
    return None


def _chain(value: bytes, done: int, pointer: int, source: Source) -> list[int] | None:
    data, full = source.data, source.page - source.reserved - 4
    places: list[int] = []
    while done < len(value):
        length = min(full, len(value) - done)
        at = _next(value[done : done + length], pointer, source)
        if at is None or len(places) >= 2 * _MOST_PIECES:
            return None
        places += [at, length]
        done += length
        pointer = at - 4
        if data[at : at + length] != value[done - length : done]:
            return None
    return places


def _next(piece: bytes, pointer: int, source: Source) -> int | None:
    """Return where a value's next bytes are: on the page that is named, else on the one that follows, else wherever they are found."""
    data, step = source.data, source.page + source.frame
    for start in source.pages(int.from_bytes(data[pointer : pointer + 4], "big")):
        if data[start + 4 : start + 4 + len(piece)] == piece:
            return start + 4
    page = (pointer - source.header) // step
    for guess in (page + 1, page + 2):
        at = source.header + guess * step + source.frame + 4
        if data[at : at + len(piece)] == piece:
            return at
    at = data.find(piece)
    while at >= 0:
        if (at - source.header - source.frame - 4) % step == 0:
            return at
        at = data.find(piece, at + 1)
    return None


def _common(value: bytes, done: int, data: bytes, at: int, most: int) -> int:
    """Return how many bytes of a value stand at a place, at most so many."""
    if value[done : done + most] == data[at : at + most]:
        return most
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if value[done : done + middle] == data[at : at + middle]:
            low = middle
        else:
            high = middle - 1
    return low
