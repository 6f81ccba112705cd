"""PNG, and APNG which is built alike: chunks with a checksum each, from IHDR to IEND (W3C PNG specification, third edition, 5)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LONGEST = (1 << 31) - 1
"""Bytes a chunk's data may have (5.3)."""
_CHUNKS = 1_000_000


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 33)
    if head[12:16] != b"IHDR" or head[8:12] != b"\0\0\0\x0d" or zlib.crc32(head[12:29]) != int.from_bytes(head[29:33], "big"):
        return None
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    facts: Facts = {"width": width, "height": height}
    offset, wrong = 33, 0
    for _ in range(_CHUNKS):
        start = window.at(offset, 8)
        if len(start) < 8:
            return Walked(length=window.size, structure=Structure.TRUNCATED, why="the space ends inside it", valid=offset, facts=facts)
        length, name = int.from_bytes(start[:4], "big"), start[4:]
        if length > _LONGEST or not name.isalpha() or not name.isascii():
            why = f"what follows byte {offset} is no chunk"
            return Walked(length=offset, structure=Structure.TRUNCATED, why=why, facts=facts)
        end = offset + 12 + length
        if end > window.size:
            return Walked(length=window.size, structure=Structure.TRUNCATED, why="the space ends inside it", valid=offset, facts=facts)
        if not _intact(window, offset, length):
            # Half a chunk is worth keeping: decoders show what came before the damage.
            if window.at(end + 4, 4) in (b"IDAT", b"IEND", b"fcTL", b"fdAT", b"tEXt"):
                wrong += 1
            else:
                why = f"the chunk at byte {offset} does not have the checksum that it should"
                return Walked(length=end, structure=Structure.TRUNCATED, why=why, valid=offset, facts=facts)
        if name == b"IEND":
            if wrong:
                why = f"{wrong} chunks do not have the checksums that they should"
                return Walked(length=end, structure=Structure.DAMAGED, why=why, facts=facts)
            return Walked(length=end, structure=Structure.COMPLETE, why="its IEND chunk was reached", checked=True, facts=facts)
        offset = end
    return Walked(length=offset, structure=Structure.TRUNCATED, why=f"it has more than {_CHUNKS} chunks: given up", facts=facts)


def _intact(window: Window, offset: int, length: int) -> bool:
    """Whether a chunk's checksum, over its type and data, is right (5.3)."""
    checksum = 0
    for _, data in window.chunks(offset + 4, offset + 8 + length):
        checksum = zlib.crc32(data, checksum)
    return checksum == int.from_bytes(window.at(offset + 8 + length, 4), "big")


FORMATS = (Format(name="png", extension="png", headers=(Header(_SIGNATURE),), walk=_walk, largest=1 << 32),)
