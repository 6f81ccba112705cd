"""WebP: chunks inside a RIFF of a known length (RFC 9649; VP8 key frames: RFC 6386, 9.1).

What the codecs make of other bytes cannot be told from a picture, except that neither ever gives hundreds of zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.riff import Chunk, walk_chunks

if TYPE_CHECKING:
    from triage.carving.window import Window

_CHUNKS = 100_000
_FIRST = {b"VP8 ", b"VP8L", b"VP8X"}
_PICTURES = {b"VP8 ", b"VP8L"}
_SECTOR = 512
_SEEN = 1024
"""Bytes of a picture that there must be of one that is cut off."""


@dataclass(slots=True)
class _Pictures:
    """What the chunks show. ``last``: the chunk that was reached last; ``behind``: chunks that stand behind a picture."""

    width: int = 0
    height: int = 0
    frames: int = 0
    behind: int = 0
    zeros: int = 0
    last: Chunk | None = None
    data: list[tuple[int, int]] = field(default_factory=list)


def _size(window: Window, name: bytes, at: int, length: int) -> tuple[int, int]:
    """Return width and height of coded data that begin at ``at``; zeros where none do."""
    head = window.at(at, 10)
    if len(head) < 10 or length < 10:
        return 0, 0
    if name == b"VP8 ":
        tag = int.from_bytes(head[:3], "little")
        # A key frame, shown, of one of four versions, whose first partition lies inside.
        if tag & 1 or tag >> 1 & 7 > 3 or not tag >> 4 & 1 or tag >> 5 >= length or head[3:6] != b"\x9d\x01\x2a":
            return 0, 0
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    bits = int.from_bytes(head[1:5], "little")
    if head[0] != 0x2F or bits >> 29:
        return 0, 0
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _frame(window: Window, chunk: Chunk) -> tuple[int, int]:
    """Return where the coded data of an animation's frame lie, and how many they are (RFC 9649, 2.7.1.1); zeros where none do."""
    for inner in walk_chunks(window, chunk.start + 16, chunk.end, most=16):
        if inner.name in _PICTURES and inner.end <= chunk.end and _size(window, inner.name, inner.start, inner.size)[0]:
            return inner.start, inner.size
        if inner.name not in {b"ALPH"} and inner.name.isupper():
            break
    return 0, 0


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 34)
    length = int.from_bytes(head[4:8], "little") + 8
    length += length & 1
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP" or head[12:16] not in _FIRST or length < 26:
        return None
    pictures = _Pictures()
    if head[12:16] == b"VP8X":
        if head[16:20] != b"\x0a\0\0\0" or head[20] & 0xC1 or head[21:24] != bytes(3):
            return None
        pictures.width = int.from_bytes(head[24:27], "little") + 1
        pictures.height = int.from_bytes(head[27:30], "little") + 1
    _follow(window, pictures, length)
    last = pictures.last
    facts: Facts = {"width": pictures.width, "height": pictures.height}
    if pictures.frames > 1:
        facts["frames"] = pictures.frames
    if not pictures.width or last is None or not pictures.data:
        return None
    if last.end < length - 1 or length > window.size or last.end > length + 1:
        start, size = pictures.data[-1]
        here = window.size - start if last.end > window.size else size
        if not pictures.behind and here < min(_SEEN, size):
            return None
        inside = last.end > window.size or length > window.size
        why = "the space ends inside it" if inside else f"what follows byte {last.end} is no chunk, though it should go on to byte {length}"
        reached = min(last.end, window.size)
        return Walked(length=reached, structure=Structure.TRUNCATED, why=why, valid=min(start, reached), facts=facts)
    length = min(max(last.end, length), window.size) if last.end == length else min(length, window.size)
    for start, size in pictures.data:
        if size > 2 * _SECTOR and window.find(bytes(_SECTOR), start, start + size) >= 0:
            why = "hundreds of zeros are among its coded pixels, which none of its encoders writes"
            return Walked(length=length, structure=Structure.DAMAGED, why=why, valid=start, facts=facts)
    why = "its chunks end where the length in its header says"
    return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=pictures.behind > 0, facts=facts)


def _follow(window: Window, pictures: _Pictures, length: int) -> None:
    """Go from chunk to chunk, as long as they keep within the file and show what they should."""
    for chunk in walk_chunks(window, 12, length, most=_CHUNKS):
        place = (0, 0)
        if chunk.name in _PICTURES:
            width, height = _size(window, chunk.name, chunk.start, chunk.size)
            if not width or not height:
                return
            if not pictures.width:
                pictures.width, pictures.height = width, height
            place = chunk.start, chunk.size
        elif chunk.name == b"ANMF":
            place = _frame(window, chunk)
            if not place[0]:
                return
        pictures.behind += bool(pictures.data)
        if place[0]:
            pictures.frames += 1
            pictures.data.append(place)
        pictures.last = chunk
        if chunk.end > length + 1 or chunk.end > window.size:
            return


FORMATS = (
    Format(
        name="webp",
        extension="webp",
        headers=(Header(b"RIFF\0\0\0\0WEBPVP8", mask=b"\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\xff"),),
        walk=_walk,
        largest=1 << 32,
    ),
)
