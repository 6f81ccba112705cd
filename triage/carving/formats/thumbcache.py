"""Thumbnail caches of Windows since Vista (thumbcache_*.db): entries with their sizes, one after the other, to the end of the file.

Format: libwtcdb, "Windows Explorer Thumbnail Cache database file format" (Metz), Cache file. What is free at the end is an entry as well.
Files are multiples of 1 MiB; those without an entry are 24 bytes and hold nothing. The pictures in it are files of their own.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_MAGIC = b"CMMM"
_HEADER = struct.Struct("<4sIIIII")
_WINDOWS = {20: "Vista", 21: "7", 30: "8", 31: "8.1", 32: "10 or 11"}
_PLACES = {20: (24, 56), 21: (16, 48), 30: (16, 56), 31: (16, 56), 32: (16, 56)}
"""By version: where the three sizes stand in an entry, and how long it is without what follows."""
_STEP = 1 << 20
_LARGEST = 1 << 32
_ENTRIES = 1_000_000
_PARTS = 10_000
_LONGEST_NAME = 4096
_PICTURES = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"BM", "bmp"))


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 24)
    if len(head) < 24:
        return None
    _, version, kind, first, free, _ = _HEADER.unpack(head)
    if version not in _WINDOWS or kind > 13 or first not in (0, 24) or free > _LARGEST:
        return None
    at, entries = 24, 0
    parts: list[Part] = []
    while entries < _ENTRIES:
        entry = window.at(at, 128)
        size = int.from_bytes(entry[4:8], "little")
        if len(entry) < 8 or not entry.startswith(_MAGIC) or size < _PLACES[version][1] or at + size > _LARGEST:
            break
        place = _data(entry, size, version)
        if place is None or at + size > window.size:
            break
        if (part := _picture(window, at, entry, place)) is not None and len(parts) < _PARTS:
            parts.append(part)
        at += size
        entries += 1
    if not entries:
        return None
    facts: Facts = {"windows": _WINDOWS[version], "entries": entries, "pictures": len(parts)}
    end = -(-at // _STEP) * _STEP
    empty = end <= window.size and all(data.count(0) == len(data) for _, data in window.chunks(at, end))
    if end == at or empty:
        why = "its entries go to the end of a megabyte"
        return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=True, parts=tuple(parts), facts=facts)
    if not parts:
        return None
    why = f"what should be an entry at byte {at} is none"
    return Walked(length=at, structure=Structure.TRUNCATED, why=why, parts=tuple(parts), facts=facts)


def _data(entry: bytes, size: int, version: int) -> tuple[int, int, int, int] | None:
    """Return where in an entry its name and its data are and how long, ``None`` where the sizes do not fit into it."""
    place, length = _PLACES[version]
    if len(entry) < length:
        return None
    name, padding, data = struct.unpack_from("<III", entry, place)
    if length + name + padding + data > size or name > _LONGEST_NAME:
        return None
    return length, name, length + name + padding, data


def _picture(window: Window, at: int, entry: bytes, place: tuple[int, int, int, int]) -> Part | None:
    """Return the picture that an entry holds, ``None`` for one that holds none."""
    name, length, start, size = place
    if not size:
        return None
    magic = window.at(at + start, 4)
    for found, extension in _PICTURES:
        if magic.startswith(found):
            label = entry[name : name + min(length, 64)].decode("utf-16-le", "replace")
            return Part(offset=at + start, length=size, extension=extension, name=show(label))
    return None


FORMATS = (
    Format(
        name="thumbcache",
        extension="db",
        headers=tuple(Header(_MAGIC + struct.pack("<I", version)) for version in _WINDOWS),
        walk=_walk,
        largest=_LARGEST,
    ),
)
