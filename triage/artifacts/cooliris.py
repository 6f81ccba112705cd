"""The cache of Android's first gallery (``com.cooliris.media/cache``: ``local-image-thumbschunk_0``, ``…index``, ``local-album-cache…``).

Layout (AOSP, ``com.cooliris.media.DiskCache``, ``CacheService``; big-endian; proved on a phone's card of 2011). An index: u32 0xCAFE, u32
2, u16 last chunk, u32 records; records of u64 key, u16 chunk, u32 offset, u32 size, u32 size on disk, u64 time (milliseconds since 1970).
A thumbnail in a chunk: u64 the picture's id in MediaStore, u16 and u16 its focal point, a JPEG. The key is a checksum of the picture's
path. An album: pictures with u64 id, caption, media type, u32 kind, two doubles, u64 time taken, u8, u64 added and changed (seconds),
u32, u32 rotation, path; texts have u16 their length before them. Records that were superseded stay in the chunk until it is written anew.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_RECORD = struct.Struct(">QHIIIQ")
_ITEM = struct.Struct(">IddQBQQII")
_MOST_RECORDS, _MOST_KNOWN, _LONGEST_CAPTION = 100_000, 50_000, 300
_MEDIA = re.compile(rb"\0([\x07-\x40])((?:image|video)/[A-Za-z0-9.+-]{1,56})")
_JPEG = re.compile(rb"\xff\xd8\xff")
_POLYNOMIAL, _MASK = 0x95AC9329AC4BC9B5, (1 << 64) - 1


class Thumb(NamedTuple):
    """A thumbnail in a chunk: the offset of its JPEG there, and the id of its picture."""

    offset: int
    id: int


class Indexed(NamedTuple):
    """What an index says of a record: key, chunk, offset, bytes, time in milliseconds since 1970."""

    key: int
    chunk: int
    offset: int
    size: int
    time: int


class Known(NamedTuple):
    """A picture or film as an album has it: times in milliseconds (taken) and seconds (added, changed) since 1970; degrees."""

    id: int
    path: str
    mime: str
    taken: int
    added: int
    changed: int
    latitude: float
    longitude: float
    offset: int


def parse_index(data: bytes) -> list[Indexed]:
    """Return the records of an index, none for what is none."""
    if len(data) < 14 or data[:8] != b"\0\0\xca\xfe\0\0\0\2":
        return []
    count = min(int.from_bytes(data[10:14], "big"), (len(data) - 14) // _RECORD.size, _MOST_RECORDS)
    rows = (_RECORD.unpack_from(data, 14 + _RECORD.size * number) for number in range(count))
    return [Indexed(key, chunk, offset, size, time) for key, chunk, offset, _, size, time in rows]


def thumbs(chunk: bytes) -> Iterator[Thumb]:
    """Yield the thumbnails of a chunk, those that its index has no more as well."""
    for match in _JPEG.finditer(chunk):
        at = match.start()
        if at >= 12 and chunk[at - 12 : at - 8] == b"\0\0\0\0":  # ids are small; a JPEG inside of another has other bytes there
            yield Thumb(at, int.from_bytes(chunk[at - 12 : at - 4], "big"))


def known_in(album: bytes) -> Iterator[Known]:
    """Yield the pictures and films that a chunk of albums names, in records of any age; 50,000 at most, which is far more than one has."""
    count = 0
    for match in _MEDIA.finditer(album):
        mime, at = match[2][: match[1][0]], match.start() + 2 + match[1][0]
        if len(mime) != match[1][0] or at + _ITEM.size + 2 > len(album):
            continue
        _, latitude, longitude, taken, _, added, changed, _, _ = _ITEM.unpack_from(album, at)
        at += _ITEM.size
        length = int.from_bytes(album[at : at + 2], "big")
        path = album[at + 2 : at + 2 + length]
        if not path.startswith(b"/") or len(path) < length:
            continue
        count += 1
        if count > _MOST_KNOWN:
            return
        yield Known(
            _id_before(album, match.start()), path.decode("utf-8", "replace"), mime.decode(), taken, added, changed,
            latitude if -90 <= latitude <= 90 else 0.0, longitude if -180 <= longitude <= 180 else 0.0, match.start(),
        )  # fmt: skip


def _id_before(album: bytes, end: int) -> int:
    """Return the id before a caption that ends at a place; 0 when no length fits."""
    for length in range(min(_LONGEST_CAPTION, end - 10) + 1):
        start = end - length - 2
        if start >= 8 and album[start] << 8 | album[start + 1] == length and album[start - 8 : start - 4] == b"\0\0\0\0":
            return int.from_bytes(album[start - 8 : start], "big")
    return 0


def _table() -> tuple[int, ...]:
    found = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = _halved(value, 1) ^ (_POLYNOMIAL if value & 1 else 0)
        found.append(value)
    return tuple(found)


def _halved(value: int, bits: int) -> int:
    """Shift a 64-bit number right as Java's ``>>`` does, which keeps the sign: the gallery's checksum is not quite CRC-64."""
    return (value - (value >> 63 << 64) >> bits) & _MASK


_TABLE = _table()


def key_of(path: str) -> int:
    """Return the key of a picture's thumbnail by its path (``/sdcard/DCIM/Camera/a.jpg``)."""
    value = _MASK
    for letter in path[:4096]:
        value = _TABLE[(value ^ ord(letter)) & 0xFF] ^ _halved(value, 8)
    return value
