"""Whole pictures and films inside bytes of an unknown form: by their first bytes, and only those whose end their own structure tells.

JPEG, PNG, GIF and WebP end as :mod:`triage.artifacts.pictureend` says. HEIC, AVIF, MP4 and QuickTime (ISO/IEC 14496-12, 4.2) are boxes,
each with its length: the file ends behind the last box of a known kind, and needs a ``moov``, ``moof`` or ``meta`` to be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.pictureend import end_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import Notes, ReadAt

# What is looked for, where it stands in a file of its kind, and the kind.
_MAGICS = (
    (b"\xff\xd8\xff", 0, "jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, "png"),
    (b"GIF8", 0, "gif"),
    (b"WEBPVP8", 8, "webp"),
    (b"ftyp", 4, "ftyp"),
)
_BOXES = frozenset(
    b"ftyp moov mdat free skip wide uuid meta moof mfra sidx styp udta pdin pnot prft emsg ssix mpvd imda".split()
)  # fmt: skip
_HOLDS = frozenset((b"moov", b"moof", b"meta"))
_BRANDS = {
    "heic": ".heic",
    "heix": ".heic",
    "mif1": ".heic",
    "msf1": ".heic",
    "hevc": ".heic",
    "avif": ".avif",
    "avis": ".avif",
    "qt  ": ".mov",
}
_ENDINGS = {"jpeg": ".jpg", "png": ".png", "gif": ".gif", "webp": ".webp"}
_PAGE, _PIECE, _CALL, _LEAST, _MOST_BOXES = 64 << 10, 1 << 20, 64, 100, 10_000


class Embedded(NamedTuple):
    """A picture or film: where it begins, how many bytes it is, and the ending of a name that fits it."""

    offset: int
    length: int
    ending: str


class _SpentError(Exception):
    """The walks have read more than the whole may cost."""


class _Meter:
    """Bytes by pages of 64 KiB, the last two of which are kept; what is asked for is counted, so that time is linear in the size."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._read_at, self._size = read_at, size
        self._left = 8 * size + (16 << 20)
        self._pages: dict[int, bytes] = {}

    def spend(self, amount: int) -> None:
        self._left -= amount
        if self._left < 0:
            raise _SpentError

    def from_(self, start: int) -> ReadAt:
        """Return ``read_at`` from a place on; a read ends with its page, or the next one when it has only a few bytes of the first."""

        def read(offset: int, length: int) -> bytes:
            at = start + offset
            page, inside = divmod(at, _PAGE)
            found = self._page(page)[inside : inside + length]
            if len(found) < min(length, _CALL):
                found += self._page(page + 1)[: length - len(found)]
            self.spend(len(found) + _CALL)
            return found

        return read

    def _page(self, number: int) -> bytes:
        found = self._pages.get(number)
        if found is None:
            if len(self._pages) >= 2:
                del self._pages[next(iter(self._pages))]
            at = number * _PAGE
            found = self._pages[number] = self._read_at(at, min(_PAGE, self._size - at)) if at < self._size else b""
        return found


def embedded(read_at: ReadAt, size: int, most: int, notes: Notes) -> Iterator[Embedded]:
    """Yield whole pictures and films in order, at most ``most``; what lies inside of one is its own affair. ``notes``: what was left."""
    meter = _Meter(read_at, size)
    free = count = 0
    try:
        for at, kind in _beginnings(read_at, size):
            meter.spend(_CALL)
            if at < free:
                continue
            length, ending = _walk(meter.from_(at), size - at, kind)
            if length < _LEAST:
                continue
            free = at + length
            count += 1
            if count > most:
                notes.add(f"more than {most:,} pictures inside: the rest was not looked for")
                return
            yield Embedded(at, length, ending)
    except _SpentError:
        notes.add("too much in it looks like the beginning of a picture: the rest was not looked for")


def _beginnings(read_at: ReadAt, size: int) -> Iterator[tuple[int, str]]:
    for start in range(0, size, _PIECE):
        data = read_at(start, min(_PIECE + 16, size - start))
        found: list[tuple[int, str]] = []
        for magic, inside, kind in _MAGICS:
            at = data.find(magic)
            while 0 <= at < _PIECE:
                if start + at >= inside:
                    found.append((start + at - inside, kind))
                at = data.find(magic, at + 1)
        yield from sorted(found)


def _walk(read_at: ReadAt, size: int, kind: str) -> tuple[int, str]:
    """Return how long a picture is and the ending of its name; 0 for what is none."""
    head = read_at(0, 32)
    if kind == "ftyp":
        return _boxes(read_at, size), _BRANDS.get(head[8:12].decode("latin-1"), ".mp4")
    fits = {"png": head[12:16] == b"IHDR", "webp": head[:4] == b"RIFF", "gif": head[4:6] in (b"7a", b"9a"), "jpeg": head[3:4] in _SEGMENTS}
    return (end_of(read_at, size, kind) or 0, _ENDINGS[kind]) if fits[kind] else (0, "")


_SEGMENTS = frozenset(bytes([n]) for n in (0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)))


def _boxes(read_at: ReadAt, size: int) -> int:
    at, holds = 0, False
    for _ in range(_MOST_BOXES):
        head = read_at(at, 16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind not in _BOXES or (at and kind == b"ftyp"):
            break
        length = int.from_bytes(head[8:16], "big") if length == 1 else length
        if not 8 <= length <= size - at or (not at and length > 4096):
            return 0  # it breaks off
        holds = holds or kind in _HOLDS
        at += length
    return at if holds else 0
