"""Apple's bookmark data: where a file lay that a program kept a bookmark of (a download, a recent document).

Format as publicly described (mac_alias, "Bookmark data"): ``book``, u32 size, u32 version, u32 length of the head; behind the head u32 the
place of a table of contents. All places count from the end of the head. A table: u32 size, u32 0xFFFFFFFE, u32 number, u32 the place of
the next one, u32 count, then for each entry u32 key, u32 place, u32 nothing. An item: u32 length, u32 type, its bytes. All little-endian.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"book"
_PATH, _VOLUME_NAME, _VOLUME_URL = 0x1004, 0x2010, 0x2005
_TEXT, _URL, _ARRAY = 0x0101, 0x0901, 0x0601
_MOST_TABLES, _MOST_ENTRIES, _MOST_PARTS = 8, 200, 200


class Bookmark(NamedTuple):
    """Where the file lay: a path from the volume's root on, and the volume's name; "" for what is not told."""

    path: str
    volume: str


def read_bookmark(data: bytes) -> Bookmark | None:
    """Return what bookmark data say, ``None`` for what are none or say no path."""
    if data[:4] != MAGIC or len(data) < 56:
        return None
    base = int.from_bytes(data[12:16], "little")
    if not 16 <= base <= len(data) - 4:
        return None
    entries: dict[int, int] = {}
    at = _u32(data, base)
    for _ in range(_MOST_TABLES):
        start = base + at
        if at <= 0 or start + 20 > len(data):
            break
        _, magic, _, following, count = struct.unpack_from("<5I", data, start)
        if magic != 0xFFFFFFFE:
            break
        for number in range(min(count, _MOST_ENTRIES, (len(data) - start - 20) // 12)):
            key, place, _ = struct.unpack_from("<3I", data, start + 20 + 12 * number)
            entries.setdefault(key, place)
        at = following
    kind, raw = _item(data, base, entries.get(_PATH))
    if kind != _ARRAY:
        return None
    places = [int.from_bytes(raw[n : n + 4], "little") for n in range(0, min(len(raw), 4 * _MOST_PARTS) - 3, 4)]
    parts = [_text(data, base, place) for place in places]
    if not parts or not all(parts):
        return None
    return Bookmark("/" + "/".join(parts), _text(data, base, entries.get(_VOLUME_NAME)))


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _item(data: bytes, base: int, place: int | None) -> tuple[int, bytes]:
    if place is None or base + place + 8 > len(data):
        return 0, b""
    start = base + place
    return _u32(data, start + 4), data[start + 8 : start + 8 + _u32(data, start)]


def _text(data: bytes, base: int, place: int | None) -> str:
    kind, raw = _item(data, base, place)
    return raw[:1024].decode("utf-8", "replace") if kind in (_TEXT, _URL) else ""
