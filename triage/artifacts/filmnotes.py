"""What cameras and programs note in films: time, place, make, model, software (MP4, QuickTime, 3GP).

Formats: ISO/IEC 14496-12 (boxes; ``mvhd`` 8.2.2); Apple, QuickTime File Format, "Metadata" (``meta`` with ``keys`` and ``ilst``) and "User
data" (``udta``: items whose type begins with 0xA9 have a u16 length and a u16 language before the text); 3GPP TS 26.244, 8.10 (``loci``).
Places are ISO 6709.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts import times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

_MOST_BOXES, _MOST_ITEMS, _LARGEST, _LONGEST = 5000, 500, 1 << 20, 500
_POINT = re.compile(r"([+-]\d{1,3}(?:\.\d{1,12})?)([+-]\d{1,4}(?:\.\d{1,12})?)([+-]\d{1,6}(?:\.\d{1,12})?)?")
_USER = {
    b"\xa9mak": "make", b"\xa9mod": "model", b"\xa9swr": "software", b"\xa9too": "software", b"\xa9xyz": "place", b"\xa9nam": "title",
    b"\xa9cmt": "comment", b"\xa9day": "day", b"\xa9ART": "artist",
}  # fmt: skip
_KEYS = {
    "com.apple.quicktime.make": "make", "com.apple.quicktime.model": "model", "com.apple.quicktime.software": "software",
    "com.apple.quicktime.location.iso6709": "place", "com.apple.quicktime.creationdate": "taken", "com.apple.quicktime.title": "title",
    "com.apple.quicktime.author": "artist", "com.apple.quicktime.content.identifier": "content_id", "com.android.version": "android",
    "com.android.manufacturer": "make", "com.android.model": "model", "com.apple.quicktime.camera.identifier": "serial",
    "com.apple.quicktime.displayname": "title", "com.apple.quicktime.comment": "comment",
}  # fmt: skip


@dataclass(slots=True)
class FilmNotes:
    """What was found. ``created``: ns since 1970, UTC as cameras ought to write; ``said``: texts by what they are; ``whole``: all read."""

    created: int | None = None
    said: dict[str, str] = field(default_factory=dict)
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    whole: bool = True


def read_film(read_at: ReadAt, size: int) -> FilmNotes | None:
    """Return the notes of a film; ``None`` when it has no ``moov`` box: it breaks off, or is none."""
    for kind, start, end in _boxes(read_at, 0, size):
        if kind == b"moov":
            found = FilmNotes()
            _movie(read_at, start, end, found)
            _place(found)
            return found
    return None


def _boxes(read_at: ReadAt, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of each box; one that lies about its length ends them."""
    for _ in range(_MOST_BOXES):
        head = read_at(at, 16)
        if at + 8 > end or len(head) < 8:
            return
        length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if length == 1 and len(head) == 16:
            length, start = int.from_bytes(head[8:], "big"), at + 16
        elif length == 0:
            length = end - at
        if length < start - at or at + length > end:
            # What breaks off is looked into as far as it goes.
            if length >= start - at and kind == b"moov":
                yield kind, start, end
            return
        yield kind, start, at + length
        at += length


def _movie(read_at: ReadAt, at: int, end: int, found: FilmNotes) -> None:
    for kind, start, stop in _boxes(read_at, at, end):
        if kind == b"mvhd":
            head = read_at(start, 20)
            width = 8 if head[:1] == b"\x01" else 4
            found.created = times.hfs(int.from_bytes(head[4 : 4 + width], "big")) if len(head) >= 4 + width else None
        elif kind == b"udta":
            _user_data(read_at, start, stop, found)
        elif kind == b"meta":
            _metadata(read_at, start, stop, found)


def _user_data(read_at: ReadAt, at: int, end: int, found: FilmNotes) -> None:
    for number, (kind, start, stop) in enumerate(_boxes(read_at, at, end)):
        if number >= _MOST_ITEMS:
            found.whole = False
            return
        if kind == b"meta":
            _metadata(read_at, start, stop, found)
        elif kind in _USER:
            raw = read_at(start, min(stop - start, _LARGEST))
            length = int.from_bytes(raw[:2], "big")
            _keep(found, _USER[kind], raw[4 : 4 + length])
        elif kind == b"loci":
            _loci(read_at(start, min(stop - start, _LARGEST)), found)


def _loci(raw: bytes, found: FilmNotes) -> None:
    """Read a place of 3GPP: version, language, a name to its zero, role, longitude, latitude, altitude of 16.16 bits."""
    at = raw.find(b"\0", 6) + 1
    if at and len(raw) >= at + 13 and found.latitude is None:
        longitude, latitude, altitude = (number / 65536 for number in struct.unpack_from(">iii", raw, at + 1))
        if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
            found.latitude, found.longitude, found.altitude = round(latitude, 6), round(longitude, 6), round(altitude, 2)


def _metadata(read_at: ReadAt, at: int, end: int, found: FilmNotes) -> None:
    # QuickTime's box has no version before its boxes, MP4's has.
    at = at if read_at(at + 4, 4) in (b"hdlr", b"keys", b"ilst") else at + 4
    names: list[str] = []
    for kind, start, stop in _boxes(read_at, at, end):
        raw = read_at(start, min(stop - start, _LARGEST))
        found.whole &= stop - start <= _LARGEST
        if kind == b"keys":
            names = _key_names(raw)
        elif kind == b"ilst":
            _items(raw, names, found)


def _key_names(raw: bytes) -> list[str]:
    names: list[str] = []
    at = 8
    while at + 8 <= len(raw) and len(names) < _MOST_ITEMS:
        length = int.from_bytes(raw[at : at + 4], "big")
        if length < 8:
            break
        names.append(raw[at + 8 : at + length].decode("utf-8", "replace").lower())
        at += length
    return names


def _items(raw: bytes, names: list[str], found: FilmNotes) -> None:
    at = 0
    for _ in range(_MOST_ITEMS):
        if at + 8 > len(raw):
            return
        length, kind = int.from_bytes(raw[at : at + 4], "big"), raw[at + 4 : at + 8]
        if length < 8:
            return
        number = int.from_bytes(kind, "big")
        name = _USER.get(kind) or (_KEYS.get(names[number - 1]) if 0 < number <= len(names) else None)
        data = raw[at + 8 : at + length]
        if name and data[4:8] == b"data" and data[8:12] == b"\0\0\0\x01":
            _keep(found, name, data[16 : int.from_bytes(data[:4], "big")])
        at += length
    found.whole = found.whole and at + 8 > len(raw)


def _keep(found: FilmNotes, name: str, raw: bytes) -> None:
    text = raw.decode("utf-8", "replace").strip("\0 ")[:_LONGEST]
    if text:
        found.said.setdefault(name, text)


def _place(found: FilmNotes) -> None:
    match = _POINT.match(found.said.pop("place", ""))
    if match and found.latitude is None and abs(float(match[1])) <= 90 and abs(float(match[2])) <= 180:
        found.latitude, found.longitude = float(match[1]), float(match[2])
        found.altitude = float(match[3]) if match[3] else None
