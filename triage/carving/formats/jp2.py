"""JPEG 2000: a codestream of tile-parts that each say how long they are (ISO/IEC 15444-1, annex A), alone or in boxes (annex I).

Coded data never have a byte FF followed by one above 8F (B.10.1): where they do, they are somebody else's.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_BOXES = {
    *(b"ftyp", b"jp2h", b"jp2c", b"jp2i", b"xml ", b"uuid", b"uinf", b"rreq", b"jpch", b"jplh", b"asoc", b"nlst", b"lbl ", b"free"),
    *(b"ftbl", b"flst", b"cref", b"comp", b"drep", b"gtso", b"chck", b"mp7b", b"roid", b"dbtl", b"jumb", b"colr", b"res "),
}
_MARKERS = {0x51, 0x52, 0x53, 0x5C, 0x5D, 0x5E, 0x5F, 0x55, 0x57, 0x60, 0x63, 0x64, 0x50, 0x56, 0x59, 0x74, 0x75, 0x77, 0x78}
_FOREIGN = re.compile(rb"\xff[\x90\x94-\xff]")
"""What cannot be among coded data; FF91 and FF92 may stand between packets, FF93 before them."""
_NEAR = 64
"""Bytes behind a tile-part's beginning within which its data begin, mostly."""
_MOST_MARKERS = 10_000
_MOST_PARTS = 100_000
_MOST_BOXES = 10_000


@dataclass(slots=True)
class _Stream:
    """A codestream. ``end``: behind it, or where it broke off; ``parts``: tile-parts; ``foreign``: where bytes are not its own, or -1."""

    width: int = 0
    height: int = 0
    end: int = 0
    parts: int = 0
    foreign: int = -1
    ended: bool = False
    why: str = ""


def _codestream(window: Window, start: int, limit: int) -> _Stream:
    """Follow a codestream."""
    found = _Stream(end=start)
    head = window.at(start, 42)
    if len(head) < 42 or head[:4] != b"\xff\x4f\xff\x51":
        return found
    length, _, right, bottom, left, top = struct.unpack_from(">HHIIII", head, 4)
    components = int.from_bytes(head[40:42], "big")
    if length != 38 + 3 * components or not components or right <= left or bottom <= top:
        return found
    at = start + 4 + length
    for _ in range(_MOST_MARKERS):
        marker = window.at(at, 4)
        if marker[:2] == b"\xff\x90":
            break
        if len(marker) < 4 or marker[0] != 0xFF or marker[1] not in _MARKERS:
            return found
        at += 2 + int.from_bytes(marker[2:4], "big")
    found.width, found.height = right - left, bottom - top
    for _ in range(_MOST_PARTS):
        found.end = at
        head = window.at(at, 12)
        if head[:2] == b"\xff\xd9":
            found.end, found.ended = at + 2, True
            return found
        if len(head) < 12 or head[:4] != b"\xff\x90\0\x0a":
            found.why = "the space ends inside it" if len(head) < 12 else f"what follows byte {at} is no tile-part"
            return found
        size = int.from_bytes(head[6:10], "big")
        data = window.at(at + 12, _NEAR).find(b"\xff\x93")
        data = at + 12 + data if data >= 0 else window.find(b"\xff\x93", at + 12 + _NEAR - 1, min(at + 12 + (1 << 20), limit))
        if data < 0 or (size and (size < data + 2 - at or at + size > limit)):
            found.why = "the space ends inside it" if at + size > window.size else f"the tile-part at byte {at} is none"
            return found
        end = at + size if size else limit
        other = window.search(_FOREIGN, data + 2, end, longest=2)
        if not size and other is not None and other[1] == b"\xff\xd9":  # the last one may say no length: it goes on to the end
            end, other = other[0], None
        if other is not None and found.foreign < 0:
            found.foreign = other[0]
        found.parts += 1
        at = end
    return found


def _judged(stream: _Stream, window: Window, end: int, extension: str, *, whole: bool) -> Walked | None:
    facts: Facts = {"width": stream.width, "height": stream.height}
    if not stream.width or (not stream.parts and not stream.ended):
        return None
    if not stream.ended or not whole:
        if stream.foreign >= 0 and stream.parts < 2:
            return None
        reached = min(stream.end if stream.foreign < 0 else stream.foreign, window.size)
        why = stream.why or "its codestream ends before the box around it does"
        return Walked(length=reached, structure=Structure.TRUNCATED, why=why, extension=extension, facts=facts)
    if stream.foreign >= 0:
        why = f"its end was reached, but at byte {stream.foreign} is what coded data cannot have"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, extension=extension, valid=stream.foreign, facts=facts)
    why = "tile-part by tile-part up to its end marker"
    return Walked(length=end, structure=Structure.COMPLETE, why=why, extension=extension, checked=True, facts=facts)


def _walk(window: Window) -> Walked | None:
    if window.at(0, 4) == b"\xff\x4f\xff\x51":
        alone = _codestream(window, 0, window.size)
        return _judged(alone, window, alone.end, "j2k", whole=True)
    if window.at(0, 12) != b"\0\0\0\x0cjP  \r\n\x87\n":
        return None
    at, extension = 12, "jp2"
    stream: _Stream | None = None
    whole = False
    for _ in range(_MOST_BOXES):
        head = window.at(at, 16)
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        if len(head) < 8 or name not in _BOXES:
            break
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(head[8:16], "big"), at + 16
        end = at + size if size else window.size
        if (size and at + size < start) or (end > window.size and name != b"jp2c"):
            break
        if name == b"ftyp" and head[8:12] in {b"jpx ", b"jpm ", b"mjp2"}:
            extension = {b"jpx ": "jpx", b"jpm ": "jpm", b"mjp2": "mj2"}[head[8:12]]
        if name == b"jp2c" and stream is None:
            stream = _codestream(window, start, min(end, window.size))
            whole = stream.ended and (not size or stream.end <= end)
            end = stream.end if not size else end
            if not whole or end > window.size:
                at = min(stream.end, window.size)
                whole = False
                break
        at = end
    return _judged(stream, window, at, extension, whole=whole) if stream is not None else None


FORMATS = (
    Format(
        name="jp2",
        extension="jp2",
        headers=(Header(b"jP  \r\n\x87\n", at=4), Header(b"\xff\x4f\xff\x51\0")),
        walk=_walk,
        largest=1 << 34,
    ),
)
