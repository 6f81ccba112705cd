"""Apple's files of cookies (``*.binarycookies``): each cookie with its host, name, path, value and times.

Format as publicly described (Satishb3, "BinaryCookieReader"; libyal, "Safari cookies"): ``cook``, the number of pages and the size of each
(big-endian), then the pages. A page: 0x00000100 (big-endian), count and places of its cookies (little-endian). A cookie: u32 size, u32
version, u32 flags (1 secure, 4 not for scripts), u32 whether a port follows, the places of host, name, path, value, comment and comment's
address, seconds since 2001 (doubles) of its end and its making, then texts that end with a zero.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import times
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"cook"
_PAGE = 0x00000100
_HEAD = 56
_SECURE, _HIDDEN = 1, 4


class Cookie(NamedTuple):
    """A cookie. Times are nanoseconds since 1970; ``start`` and ``size`` say where in the file it stands."""

    host: str
    name: str
    path: str
    value: str
    comment: str
    created: int | None
    expires: int | None
    secure: bool
    hidden: bool
    start: int
    size: int


def read_cookies(data: bytes, notes: Notes) -> Iterator[Cookie]:
    """Yield the cookies of a file; what cannot be read is noted. Raises :class:`StructureError` for a file of another kind.

    No page, and no cookie of a page, reaches over the end of the file, and no byte is read as two cookies.
    """
    if data[:4] != MAGIC or len(data) < 8:
        raise StructureError("no file of cookies")
    count = int.from_bytes(data[4:8], "big")
    if count > (len(data) - 8) // 4:
        notes.add("the list of the pages of a file of cookies breaks off")
        count = (len(data) - 8) // 4
    at = 8 + 4 * count
    for number in range(count):
        size = int.from_bytes(data[8 + 4 * number : 12 + 4 * number], "big")
        if at + size > len(data):
            notes.add("a file of cookies breaks off within a page")
        yield from _page(data, at, min(at + size, len(data)), notes)
        at += size
        if at >= len(data):
            if number + 1 < count:
                notes.add("a page of a file of cookies is not there", count - number - 1)
            return


def _page(data: bytes, start: int, end: int, notes: Notes) -> Iterator[Cookie]:
    if end - start < 12 or int.from_bytes(data[start : start + 4], "big") != _PAGE:
        notes.add("a page of a file of cookies cannot be read")
        return
    count = int.from_bytes(data[start + 4 : start + 8], "little")
    room = (end - start - 8) // 4
    if count > room:
        notes.add("the list of the cookies of a page breaks off")
        count = room
    last = start
    for number in sorted(struct.unpack_from(f"<{count}I", data, start + 8)):
        place = start + number
        size = int.from_bytes(data[place : place + 4], "little") if place + _HEAD <= end else 0
        if size < _HEAD or place < last:
            notes.add("a cookie cannot be read")
            continue
        if place + size > end:
            notes.add("a cookie breaks off")
        last = min(place + size, end)
        yield _cookie(data[place:last], place)


def _cookie(raw: bytes, start: int) -> Cookie:
    _, _, flags, _, *places = struct.unpack_from("<4I5I", raw)
    expires, created = struct.unpack_from("<dd", raw, 40)
    host, name, path, value, comment = (_text(raw, place) for place in places)
    return Cookie(
        host,
        name,
        path,
        value,
        comment,
        times.cocoa(created),
        times.cocoa(expires),
        bool(flags & _SECURE),
        bool(flags & _HIDDEN),
        start,
        len(raw),
    )


def _text(raw: bytes, place: int) -> str:
    if not _HEAD <= place < len(raw):
        return ""
    end = raw.find(b"\0", place)
    return raw[place : end if end >= 0 else len(raw)].decode("utf-8", "replace")
