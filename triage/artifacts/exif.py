"""EXIF: camera, serial number, time and place of a picture, with no trust in the file.

Formats: CIPA DC-008 (EXIF 3.0) and TIFF 6.0; where the block stands in JPEG (APP1), PNG (eXIf), WebP (EXIF),
HEIF (ISO/IEC 23008-12, an item of type ``Exif``), Fuji RAF. At most three directories are read, each by its
one pointer; the chain to further directories is not followed, so that no file can make this loop.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

ReadAt = Callable[[int, int], bytes]

TYPES: Final = (
    "jpeg",
    "tiff",
    "png",
    "webp",
    "heic",
    "avif",
    "cr3",
    "cr2",
    "nef",
    "arw",
    "dng",
    "pef",
    "srw",
    "orf",
    "rw2",
    "raf",
)
"""The types that :func:`read_exif` knows where to look in."""

_MAX_TAGS = 512
_MAX_TEXT = 256
_MAX_PARTS = 100
_MAX_META = 1 << 20

_EXIF_POINTER, _GPS_POINTER = 0x8769, 0x8825
_TEXT_TAGS = {
    0x010F: "make",
    0x0110: "model",
    0x0131: "software",
    0x9003: "taken",
    0x9011: "taken_offset",
    0xA431: "serial",
    0xC62F: "serial",
    0xA430: "owner",
    0xA433: "lens_make",
    0xA434: "lens_model",
    0xA435: "lens_serial",
    0xA420: "image_id",
}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 9: 4, 10: 8, 129: 1}


@dataclass(frozen=True, slots=True)
class Exif:
    """What was found. Texts are as stored, cut at 256 characters, hostile; "" when absent.

    ``taken`` is local time of the camera (``YYYY:MM:DD HH:MM:SS``), ``taken_offset`` its distance from UTC if
    the camera said so. Latitude and longitude are decimal degrees (WGS 84, north and east positive), altitude
    is in metres.
    """

    make: str = ""
    model: str = ""
    software: str = ""
    taken: str = ""
    taken_offset: str = ""
    serial: str = ""
    owner: str = ""
    lens_make: str = ""
    lens_model: str = ""
    lens_serial: str = ""
    image_id: str = ""
    orientation: int | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    gps_time: str = ""


def read_exif(read_at: ReadAt, size: int, type_name: str) -> Exif | None:
    """Return the EXIF of a picture of ``size`` bytes; ``None`` when there is none or it is beyond use.

    ``read_at(offset, length)`` may return less; its ``OSError`` passes through. Nothing else is raised.
    """
    place = _LOCATE[type_name](read_at, size) if type_name in _LOCATE else None
    if place is None:
        return None
    base, length = place
    return _read_block(lambda offset, n: read_at(base + offset, min(n, length - offset)) if 0 <= offset < length else b"")


# -- where the block stands: (offset, length) in the file -----------------------------------------------

_Place = tuple[int, int] | None


def _in_tiff(_read_at: ReadAt, size: int) -> _Place:
    return 0, size


def _in_jpeg(read_at: ReadAt, _size: int, start: int = 0) -> _Place:
    at = start + 2
    for _ in range(_MAX_PARTS):
        head = read_at(at, 10)
        if len(head) < 10 or head[0] != 0xFF:
            return None
        if head[1] == 0xFF:  # fill byte
            at += 1
            continue
        if head[1] in {0xDA, 0xD9}:
            return None
        length = head[2] << 8 | head[3]
        if head[1] == 0xE1 and head[4:9] == b"Exif\0":
            return at + 10, length - 8
        at += 2 + max(length, 2)
    return None


def _in_png(read_at: ReadAt, _size: int) -> _Place:
    at = 8
    for _ in range(_MAX_PARTS):
        head = read_at(at, 8)
        if len(head) < 8 or head[4:] == b"IEND":
            return None
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"eXIf":
            return at + 8, length
        at += 12 + length
    return None


def _in_webp(read_at: ReadAt, _size: int) -> _Place:
    at = 12
    for _ in range(_MAX_PARTS):
        head = read_at(at, 14)
        if len(head) < 14:
            return None
        length = int.from_bytes(head[4:8], "little")
        if head[:4] == b"EXIF":
            skip = 6 if head[8:14] == b"Exif\0\0" else 0
            return at + 8 + skip, length - skip
        at += 8 + length + (length & 1)
    return None


def _in_raf(read_at: ReadAt, size: int) -> _Place:
    head = read_at(84, 4)
    start = int.from_bytes(head, "big")
    return _in_jpeg(read_at, size, start) if len(head) == 4 and 0 < start < size else None


def _boxes(read_at: ReadAt, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, content offset and content end of the ISO media boxes between ``at`` and ``end``."""
    for _ in range(_MAX_PARTS):
        head = read_at(at, 16) if at + 8 <= end else b""
        if len(head) < 8:
            return
        length, start = int.from_bytes(head[:4], "big"), at + 8
        if length == 1 and len(head) == 16:
            length, start = int.from_bytes(head[8:], "big"), at + 16
        stop = end if length == 0 else min(at + length, end)
        if stop < start:
            return
        yield head[4:8], start, stop
        at = stop


def _in_heif(read_at: ReadAt, size: int) -> _Place:
    meta = next(((start, stop) for kind, start, stop in _boxes(read_at, 0, size) if kind == b"meta"), None)
    if meta is None or meta[1] - meta[0] > _MAX_META:
        return None
    data = read_at(meta[0], meta[1] - meta[0])
    parts = {kind: data[start:stop] for kind, start, stop in _boxes(lambda o, n: data[o : o + n], 4, len(data))}
    try:
        number = _exif_item(parts.get(b"iinf", b""))
        place = _item_place(parts.get(b"iloc", b""), number) if number is not None else None
    except (IndexError, struct.error):
        return None
    if place is None or place[1] < 8:
        return None
    skip = 4 + int.from_bytes(read_at(place[0], 4), "big")
    return (place[0] + skip, place[1] - skip) if skip < place[1] else None


def _exif_item(iinf: bytes) -> int | None:
    start = 6 if iinf and iinf[0] == 0 else 8
    for kind, at, stop in _boxes(lambda o, n: iinf[o : o + n], start, len(iinf)):
        entry = iinf[at:stop]
        if kind == b"infe" and len(entry) >= 12 and entry[0] in (2, 3):
            width = 2 if entry[0] == 2 else 4
            if entry[6 + width : 10 + width] == b"Exif":
                return int.from_bytes(entry[4 : 4 + width], "big")
    return None


def _item_place(iloc: bytes, wanted: int) -> _Place:
    """Return where an item's first extent stands in the file (ISO/IEC 14496-12, 8.11.3)."""
    version = iloc[0]
    offset_size, length_size, base_size, index_size = iloc[4] >> 4, iloc[4] & 15, iloc[5] >> 4, iloc[5] & 15
    wide = 4 if version == 2 else 2
    count, at = int.from_bytes(iloc[6 : 6 + wide], "big"), 6 + wide
    for _ in range(min(count, 4096)):
        number, at = int.from_bytes(iloc[at : at + wide], "big"), at + wide
        method = 0
        if version in (1, 2):
            method, at = iloc[at + 1] & 15, at + 2
        at += 2
        base, at = int.from_bytes(iloc[at : at + base_size], "big"), at + base_size
        extents, at = struct.unpack_from(">H", iloc, at)[0], at + 2
        step = (index_size if version in (1, 2) else 0) + offset_size + length_size
        if number == wanted:
            if method or not extents:
                return None
            at += step - offset_size - length_size
            offset = int.from_bytes(iloc[at : at + offset_size], "big")
            return base + offset, int.from_bytes(iloc[at + offset_size : at + offset_size + length_size], "big")
        at += extents * step
    return None


_LOCATE: Final[dict[str, Callable[[ReadAt, int], _Place]]] = {
    **dict.fromkeys(("tiff", "cr2", "nef", "arw", "dng", "pef", "srw", "orf", "rw2"), _in_tiff),
    "jpeg": _in_jpeg,
    "png": _in_png,
    "webp": _in_webp,
    "raf": _in_raf,
    "heic": _in_heif,
    "avif": _in_heif,
    "cr3": _in_heif,
}


# -- the block: a TIFF of its own -----------------------------------------------------------------------

_Value = tuple[int, int, int, bytes]  # type, count, offset (when out of line), the four bytes in the entry


def _read_block(block: ReadAt) -> Exif | None:
    head = block(0, 8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    first = _directory(block, order, struct.unpack_from(order + "I", head, 4)[0])
    found: dict[str, str] = {}
    _texts(block, first, found)
    if _EXIF_POINTER in first:
        _texts(block, _directory(block, order, first[_EXIF_POINTER][2]), found)
    latitude = longitude = altitude = None
    gps_time = ""
    if _GPS_POINTER in first:
        gps = _directory(block, order, first[_GPS_POINTER][2])
        latitude = _degrees(block, order, gps, 2, b"NS")
        longitude = _degrees(block, order, gps, 4, b"EW")
        altitude = _altitude(block, order, gps)
        gps_time = _gps_time(block, order, gps)
    orientation = None
    if 0x0112 in first and first[0x0112][0] == 3:
        orientation = struct.unpack_from(order + "H", first[0x0112][3])[0]
    if not found and latitude is None and longitude is None and not gps_time and orientation is None:
        return None
    return Exif(
        **found,
        orientation=orientation if orientation in range(1, 9) else None,
        latitude=latitude,
        longitude=longitude,
        altitude=altitude,
        gps_time=gps_time,
    )


def _directory(block: ReadAt, order: str, offset: int) -> dict[int, _Value]:
    raw = block(offset, 2)
    if len(raw) < 2 or not offset:
        return {}
    count = min(struct.unpack(order + "H", raw)[0], _MAX_TAGS)
    table = block(offset + 2, count * 12)
    tags: dict[int, _Value] = {}
    for tag, kind, number, value in struct.iter_unpack(order + "HHI4s", table[: len(table) // 12 * 12]):
        if tag not in tags:
            tags[tag] = (kind, number, int.from_bytes(value, "little" if order == "<" else "big"), value)
    return tags


def _bytes_of(block: ReadAt, value: _Value, limit: int) -> bytes:
    kind, count, offset, inline = value
    length = _SIZES.get(kind, 0) * count
    if length <= 4:
        return inline[:length]
    return block(offset, min(length, limit))


def _texts(block: ReadAt, tags: dict[int, _Value], found: dict[str, str]) -> None:
    for tag in _TEXT_TAGS.keys() & tags.keys():
        if tags[tag][0] not in {2, 7, 129}:
            continue
        raw = _bytes_of(block, tags[tag], _MAX_TEXT * 4).partition(b"\0")[0]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        if text := text.strip()[:_MAX_TEXT]:
            found.setdefault(_TEXT_TAGS[tag], text)


def _rationals(block: ReadAt, order: str, value: _Value | None, count: int) -> tuple[float | None, ...]:
    """Return ``count`` fractions, ``None`` for one over zero; nothing when they are not there."""
    if value is None or value[0] not in {5, 10} or not 0 < value[1] <= 8:
        return ()
    raw = _bytes_of(block, value, 64)
    form = order + ("II" if value[0] == 5 else "ii")
    parts = [a / b if b else None for a, b in struct.iter_unpack(form, raw[: len(raw) // 8 * 8])]
    return tuple(parts[:count]) if len(parts) >= count else ()


def _degrees(block: ReadAt, order: str, gps: dict[int, _Value], tag: int, letters: bytes) -> float | None:
    """Return a latitude or longitude. Without its letter it is not known which half of the globe it is on."""
    parts = _rationals(block, order, gps.get(tag), 3)
    reference = gps.get(tag - 1)
    if not parts or parts[0] is None or reference is None:
        return None
    letter = _bytes_of(block, reference, 4)[:1].upper()
    if not letter or letter not in letters:
        return None
    degrees = parts[0] + (parts[1] or 0.0) / 60 + (parts[2] or 0.0) / 3600
    if not 0 <= degrees <= (90 if tag == 2 else 180) or not math.isfinite(degrees):
        return None
    return round(-degrees if letter in b"SW" and degrees else degrees, 8)


def _altitude(block: ReadAt, order: str, gps: dict[int, _Value]) -> float | None:
    parts = _rationals(block, order, gps.get(6), 1)
    if not parts or parts[0] is None or abs(parts[0]) > 1e6:
        return None
    below = 5 in gps and gps[5][3][:1] == b"\x01"
    return round(-parts[0] if below else parts[0], 3)


def _gps_time(block: ReadAt, order: str, gps: dict[int, _Value]) -> str:
    """Return the satellites' time (UTC) as ISO 8601, if date and time of day are there and make sense."""
    clock = _rationals(block, order, gps.get(7), 3)
    if 29 not in gps or not clock or None in clock:
        return ""
    day = _bytes_of(block, gps[29], 16).partition(b"\0")[0].decode("latin-1").split(":")
    numbers = [int(part) for part in day if part.isascii() and part.isdigit() and len(part) <= 4]
    hour, minute, second = (part or 0.0 for part in clock)
    if len(numbers) != 3 or not (1 <= numbers[1] <= 12 and 1 <= numbers[2] <= 31):
        return ""
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 61):
        return ""
    date = "{:04d}-{:02d}-{:02d}".format(*numbers)
    return f"{date}T{int(hour):02d}:{int(minute):02d}:{int(second):02d}Z"
