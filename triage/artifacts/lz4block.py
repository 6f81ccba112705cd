"""LZ4 blocks: what a compressed block is when undone, within a limit.

Format: "LZ4 Block Format Description" of the LZ4 project (doc/lz4_Block_format.md, BSD). A sequence is a token (high half: literals, low
half: length of the match less four; 15 goes on in bytes until one is not 255), the literals, two bytes of distance back, the match. The
last sequence ends behind its literals.
"""

from __future__ import annotations

MOZILLA = b"mozLz40\0"
_MINIMUM = 4


def undo_block(data: bytes, limit: int) -> tuple[bytes, str]:
    """Return what a block is, at most ``limit`` bytes, and why not all of it, "" if all. What is damaged gives as much as there is."""
    found = bytearray()
    at, end = 0, len(data)
    while at < end:
        token = data[at]
        at += 1
        count, at = _count(data, at, token >> 4)
        if count > end - at:
            found += data[at:end]
            return bytes(found[:limit]), "a block of LZ4 breaks off"
        found += data[at : at + count]
        at += count
        if len(found) > limit:
            return bytes(found[:limit]), f"a block of LZ4 is larger than {limit:,} bytes"
        if at == end:
            break
        if end - at < 2:
            return bytes(found), "a block of LZ4 breaks off"
        distance = data[at] | data[at + 1] << 8
        count, at = _count(data, at + 2, token & 15)
        count += _MINIMUM
        if not 0 < distance <= len(found):
            return bytes(found), "a block of LZ4 is damaged"
        if len(found) + count > limit:
            _repeat(found, distance, limit - len(found))
            return bytes(found), f"a block of LZ4 is larger than {limit:,} bytes"
        _repeat(found, distance, count)
    return bytes(found), ""


def undo_mozilla(data: bytes, limit: int) -> tuple[bytes, str]:
    """Return what a file of Mozilla's is: ``mozLz40``, a zero, the size undone (four bytes), one block (toolkit/components/lz4).

    Gives no more than the size that the file states, and never more than ``limit`` bytes. ``b""`` with a reason for another file.
    """
    if not data.startswith(MOZILLA) or len(data) < 12:
        return b"", "not a file of Mozilla's LZ4"
    stated = int.from_bytes(data[8:12], "little")
    found, why = undo_block(data[12:], min(stated, limit) if stated else limit)
    if not why and len(found) != stated:
        why = "a file of Mozilla's LZ4 is not of the size that it states"
    return found, why


def _count(data: bytes, at: int, count: int) -> tuple[int, int]:
    if count == 15:
        while at < len(data):
            more = data[at]
            at += 1
            count += more
            if more != 255:
                break
    return count, at


def _repeat(found: bytearray, distance: int, count: int) -> None:
    start = len(found) - distance
    if distance >= count:
        found += found[start : start + count]
    else:
        piece = bytes(found[start:])
        found += (piece * (count // distance + 1))[:count]
