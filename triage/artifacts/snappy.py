"""Snappy blocks: what a compressed block is when undone, within a limit.

Format: "Snappy compressed format description" (``format_description.txt``, BSD): the length undone as a varint, then elements,
whose two lowest bits tell what they are: a literal, or a copy with a distance of one and a half, two or four bytes.
"""

from __future__ import annotations


def undo_snappy(data: bytes, limit: int) -> tuple[bytes, str]:
    """Return what a block is, at most ``limit`` bytes, and why not all of it, "" if all. What is damaged gives as much as there is."""
    stated, at = _varint(data)
    if at == 0:
        return b"", "a block of Snappy is damaged"
    if stated > limit:
        return b"", f"a block of Snappy is larger than {limit:,} bytes"
    found = bytearray()
    end = len(data)
    while at < end:
        tag = data[at]
        kind = tag & 3
        at += 1
        if kind == 0:
            count = tag >> 2
            if count >= 60:
                width = count - 59
                count = int.from_bytes(data[at : at + width], "little")
                at += width
            count += 1
            if at + count > end or len(found) + count > stated:
                found += data[at : min(at + count, end)][: stated - len(found)]
                return bytes(found), "a block of Snappy is damaged"
            found += data[at : at + count]
            at += count
            continue
        if kind == 1:
            count, distance, width = 4 + (tag >> 2 & 7), (tag >> 5) << 8 | int.from_bytes(data[at : at + 1], "little"), 1
        else:
            width = 2 if kind == 2 else 4
            count, distance = (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little")
        at += width
        if at > end or not 0 < distance <= len(found) or len(found) + count > stated:
            return bytes(found), "a block of Snappy is damaged"
        start = len(found) - distance
        if distance >= count:
            found += found[start : start + count]
        else:
            piece = bytes(found[start:])
            found += (piece * (count // distance + 1))[:count]
    return bytes(found), "" if len(found) == stated else "a block of Snappy breaks off"


def _varint(data: bytes) -> tuple[int, int]:
    """Return a number of at most 32 bits and where it ends; 0 as its end if it has none."""
    value = 0
    for place, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, place + 1
    return 0, 0
