"""Where a picture ends by its own structure, whatever stands behind it.

JPEG (ITU-T T.81, annex B): segments by their lengths, coded data to the next marker, to EOI. PNG (W3C, 5.3): chunks to IEND. GIF (89a):
blocks to the trailer. RIFF (WebP): its stated length.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

TYPES = ("jpeg", "png", "gif", "webp")
"""The types whose end :func:`end_of` can tell."""
_MOST_PARTS, _PIECE = 200_000, 1 << 20
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def end_of(read_at: ReadAt, size: int, kind: str) -> int | None:
    """Return the offset behind the last byte of a picture; ``None`` when it breaks off, or is of another type."""
    walk = {"jpeg": _jpeg, "png": _png, "gif": _gif, "webp": _webp}.get(kind)
    end = walk(read_at, size) if walk is not None else None
    return end if end is not None and end <= size else None


def _jpeg(read_at: ReadAt, size: int) -> int | None:
    at = 2
    for _ in range(_MOST_PARTS):
        head = read_at(at, 4)
        if len(head) < 2 or head[0] != 0xFF:
            return None
        marker = head[1]
        if marker == 0xFF:
            at += 1
        elif marker == 0xD9:
            return at + 2
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            length = int.from_bytes(head[2:4], "big")
            if length < 2:
                return None
            at += 2 + length
            if marker == 0xDA:
                found = _next_marker(read_at, at, size)
                if found is None:
                    return None
                at = found
    return None


def _next_marker(read_at: ReadAt, at: int, size: int) -> int | None:
    """Return where coded data end: at a marker that is neither a stuffed byte nor a restart."""
    while at < size - 1:
        piece = read_at(at, _PIECE)
        if len(piece) < 2:
            return None
        match = _MARKER.search(piece)
        if match:
            return at + match.start()
        at += len(piece) - 1
    return None


def _png(read_at: ReadAt, _: int) -> int | None:
    at = 8
    for _ in range(_MOST_PARTS):
        head = read_at(at, 8)
        if len(head) < 8:
            return None
        at += 12 + int.from_bytes(head[:4], "big")
        if head[4:] == b"IEND":
            return at
    return None


def _gif(read_at: ReadAt, _: int) -> int | None:
    flags = read_at(10, 1)
    if not flags:
        return None
    at = 13 + (3 << ((flags[0] & 7) + 1) if flags[0] & 0x80 else 0)
    for _ in range(_MOST_PARTS):
        kind = read_at(at, 1)
        if kind == b";":
            return at + 1
        if kind == b"!":
            at += 2
        elif kind == b",":
            flags = read_at(at + 9, 1)
            if not flags:
                return None
            at += 11 + (3 << ((flags[0] & 7) + 1) if flags[0] & 0x80 else 0)
        else:
            return None
        for _ in range(_MOST_PARTS):
            length = read_at(at, 1)
            if not length:
                return None
            at += 1 + length[0]
            if not length[0]:
                break
    return None


def _webp(read_at: ReadAt, _: int) -> int | None:
    head = read_at(0, 8)
    length = int.from_bytes(head[4:8], "little")
    return 8 + length + (length & 1) if len(head) == 8 else None
