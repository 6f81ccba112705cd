"""Pictures in ISO base media files: the items of HEIF and AVIF, and the plain JPEG and PNG files that others carry.

ISO/IEC 14496-12, 8.11 (metadata, item locations) and ISO/IEC 23008-12, 6.2, 6.5 and 9.3 (items and their properties). Previews of
Canon's CR3 as L. Chevallier describes them; cover art of the iTunes metadata list as in QuickTime File Format: Metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.bmff import Track, children
from triage.carving.forms import Part

if TYPE_CHECKING:
    from triage.carving.bmff import Box
    from triage.carving.window import Window

_LARGEST_META = 8 << 20
_MOST_ITEMS = 16384
_PREVIEW = bytes.fromhex("eaf42b5e1c984b88b9fbb7dc406e4d16")


@dataclass(slots=True)
class Items:
    """The items of a ``meta`` box: their bytes as tracks, one for each kind and setting; what of them are files of their own."""

    tracks: list[Track] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    width: int = 0
    height: int = 0


def read_items(window: Window, box: Box) -> Items | None:
    """Read a ``meta`` box at the top of a file; ``None`` when it holds no pictures."""
    if not 4 < box.end - box.start <= _LARGEST_META:
        return None
    data = window.at(box.start, box.end - box.start)
    boxes = {kind: (a, b) for kind, a, b in children(data, 4, len(data))}
    if b"hdlr" not in boxes or data[boxes[b"hdlr"][0] + 8 : boxes[b"hdlr"][0] + 12] != b"pict" or b"iloc" not in boxes:
        return None
    kinds = _kinds(data, *boxes.get(b"iinf", (0, 0)))
    properties = _properties(data, *boxes.get(b"iprp", (0, 0)))
    items = Items()
    groups: dict[tuple[bytes, bytes], list[tuple[int, int]]] = {}
    primary = 0
    if b"pitm" in boxes:
        start = boxes[b"pitm"][0]
        primary = int.from_bytes(data[start + 4 : start + (8 if data[start] else 6)], "big")
    for number, extents in _locations(data, *boxes[b"iloc"]).items():
        kind, config = kinds.get(number, b""), b""
        for name, value in properties.get(number, ()):
            if name in {b"hvcC", b"avcC"}:
                config = (len(value) + 8).to_bytes(4, "big") + name + value
        if len(extents) == 1:
            groups.setdefault((kind, config), []).append(extents[0])
            if kind == b"jpeg":
                offset, length = extents[0]
                items.parts.append(Part(offset=offset, length=length, extension="jpg", name=f"item {number}"))
        else:
            groups.setdefault((b"", b""), []).extend(extents)
    for name, value in properties.get(primary, ()):
        if name == b"ispe" and len(value) >= 12:
            items.width, items.height = int.from_bytes(value[4:8], "big"), int.from_bytes(value[8:12], "big")
    for (kind, config), extents in groups.items():
        rows = np.array(extents, np.int64)
        track = Track(handler=b"pict", codec=kind, config=config, samples=len(rows), offsets=rows[:, 0], sizes=rows[:, 1])
        track.times = np.zeros(len(rows), np.int64)
        items.tracks.append(track)
    return items


def _kinds(data: bytes, start: int, end: int) -> dict[int, bytes]:
    """Return each item's type (8.11.6)."""
    found = {}
    if start < end:
        for kind, a, b in children(data, start + (8 if data[start] else 6), end):
            if kind == b"infe" and b - a >= 12 and data[a] >= 2:
                width = 2 if data[a] == 2 else 4
                found[int.from_bytes(data[a + 4 : a + 4 + width], "big")] = data[a + 6 + width : a + 10 + width]
    return found


def _locations(data: bytes, start: int, end: int) -> dict[int, list[tuple[int, int]]]:
    """Return the ``(offset, length)`` of each item's extents, of those that lie in the file itself (8.11.3)."""
    version, at = data[start], start + 6
    widths = data[start + 4] >> 4, data[start + 4] & 15, data[start + 5] >> 4, data[start + 5] & 15 if version else 0
    if any(width not in {0, 4, 8} for width in widths):
        return {}
    length_width, base_width = widths[1], widths[2]

    def number(width: int) -> int:
        nonlocal at
        at += width
        if at > end:
            raise ValueError("an item location table ends early")
        return int.from_bytes(data[at - width : at], "big")

    found: dict[int, list[tuple[int, int]]] = {}
    total = 0
    for _ in range(number(2 if version < 2 else 4)):
        item = number(2 if version < 2 else 4)
        method = number(2) & 15 if version else 0
        outside = number(2)
        base = number(base_width)
        extents = []
        for _ in range(number(2)):
            number(widths[3])
            offset = base + number(widths[0])
            extents.append((offset, number(length_width)))
            total += 1
            if total > _MOST_ITEMS:
                return found
        if not method and not outside and extents and all(length and offset + length < 1 << 62 for offset, length in extents):
            found[item] = extents
    return found


def _properties(data: bytes, start: int, end: int) -> dict[int, list[tuple[bytes, bytes]]]:
    """Return the properties of each item (23008-12, 9.3)."""
    values: list[tuple[bytes, bytes]] = []
    found: dict[int, list[tuple[bytes, bytes]]] = {}
    for kind, a, b in children(data, start, end):
        if kind == b"ipco":
            values = [(name, data[c:d] if d - c <= 4096 else b"") for name, c, d in children(data, a, b)]
        elif kind == b"ipma":
            width, wide = 4 if data[a] else 2, data[a + 3] & 1
            at = a + 8
            for _ in range(min(int.from_bytes(data[a + 4 : a + 8], "big"), _MOST_ITEMS)):
                item, count = int.from_bytes(data[at : at + width], "big"), data[at + width] if at + width < b else 0
                at += width + 1
                for _ in range(count):
                    index = int.from_bytes(data[at : at + 2], "big") & 0x7FFF if wide else data[at] & 0x7F
                    at += 2 if wide else 1
                    if 0 < index <= len(values) and at <= b:
                        found.setdefault(item, []).append(values[index - 1])
                if at >= b:
                    break
    return found


def pictures_in(data: bytes, offset: int) -> list[Part]:
    """Return cover art and Canon's thumbnail in a movie box's content, which lies at ``offset``."""
    parts = []
    at = data.find(b"covr")
    for number, (kind, a, b) in enumerate(children(data, at + 4, at - 4 + int.from_bytes(data[at - 4 : at], "big")) if at >= 4 else ()):
        extension = {13: "jpg", 14: "png"}.get(int.from_bytes(data[a : a + 4], "big"), "")
        if kind == b"data" and extension and b - a > 16 and number < 64:
            parts.append(Part(offset=offset + a + 8, length=b - a - 8, extension=extension, name=f"cover {number + 1}"))
    at = data.find(b"THMB")
    if at >= 4:
        part = _canon(data[at : at + 40], offset + at, "thumbnail", 12)
        parts += [part] if part else []
    return parts


def preview_in(window: Window, box: Box) -> Part | None:
    """Return the JPEG preview in a box of Canon's."""
    head = window.at(box.start, 64)
    if head[:16] != _PREVIEW:
        return None
    at = head.find(b"PRVW", 16)
    part = _canon(head[at:], box.start + at, "preview", 16) if at > 0 else None
    return part if part and part.offset + part.length <= box.end else None


def _canon(data: bytes, offset: int, name: str, at: int) -> Part | None:
    """Return the JPEG in ``THMB`` or ``PRVW``: version and flags, fields among them its length, then it."""
    length, start = int.from_bytes(data[at : at + 4], "big"), data.find(b"\xff\xd8\xff", 8)
    return Part(offset=offset + start, length=length, extension="jpg", name=name) if 0 < start <= 40 and length > 64 else None
