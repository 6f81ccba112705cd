"""Xpress Huffman ([MS-XCA] 2.1, 2.2), in which Windows 8.1 and later keep prefetch files, decoded within a bound.

Each chunk of up to 65,536 bytes has a table of 512 symbols' code lengths, of four bits each, then codes read from little-endian words of
16 bits, the highest bit first. Symbols below 256 are bytes; others say how long a repetition is and how far back it lies.
"""

from __future__ import annotations

from triage.artifacts.structure import StructureError

_CHUNK, _TABLE, _LONGEST = 1 << 16, 256, 15


def decode(data: bytes, size: int) -> bytes:
    """Return ``size`` bytes at most out of data. Raise ``StructureError`` for what is not so packed; what breaks off ends early."""
    out = bytearray()
    at = 0
    while len(out) < size and at + _TABLE < len(data):
        at = _chunk(data, at, out, min(size, len(out) + _CHUNK), size)
    return bytes(out)


def _table(lengths: bytes) -> list[tuple[int, int]]:
    """Return symbol and code length by the next 15 bits. Codes are given out by length, then by symbol (2.1.4.1)."""
    codes = [length & 15 if half == 0 else length >> 4 for length in lengths for half in (0, 1)]
    found: list[tuple[int, int]] = []
    room = 1 << _LONGEST
    for length in range(1, _LONGEST + 1):
        width = 1 << (_LONGEST - length)
        for symbol, wanted in enumerate(codes):
            if wanted == length:
                found.extend([(symbol, length)] * width)
                if len(found) > room:
                    raise StructureError("its code lengths are no code")
    if not found:
        raise StructureError("its code lengths are no code")
    found.extend([(0, 0)] * (room - len(found)))
    return found


def _chunk(data: bytes, at: int, out: bytearray, end: int, size: int) -> int:
    """Decode one chunk, whose table is at ``at``, to the end of what it gives; return where the next one begins.

    A repetition may go on past the end of its chunk, not past ``size``.
    """
    table = _table(data[at : at + _TABLE])
    at += _TABLE
    bits = (int.from_bytes(data[at : at + 2], "little") << 16) | int.from_bytes(data[at + 2 : at + 4], "little")
    at += 4
    extra = 16  # bits that are left of the second word
    last = len(data)
    while len(out) < end:
        if at > last + 4:
            return at
        symbol, length = table[bits >> 17]
        if not length:
            raise StructureError("a code that its table does not have")
        bits = (bits << length) & 0xFFFFFFFF
        extra -= length
        if extra < 0:
            bits |= int.from_bytes(data[at : at + 2], "little") << -extra
            extra += 16
            at += 2
        if symbol < 256:
            out.append(symbol)
            continue
        symbol -= 256
        run, far = symbol & 15, symbol >> 4
        if run == 15:
            run = int.from_bytes(data[at : at + 1], "little")
            at += 1
            if run == 255:
                run = int.from_bytes(data[at : at + 2], "little")
                at += 2
                if run == 0:
                    run = int.from_bytes(data[at : at + 4], "little")
                    at += 4
                if run < 15:
                    raise StructureError("a repetition of an impossible length")
                run -= 15
            run += 15
        run += 3
        back = (1 << far) + (bits >> (32 - far) if far else 0)
        bits = (bits << far) & 0xFFFFFFFF
        extra -= far
        if extra < 0:
            bits |= int.from_bytes(data[at : at + 2], "little") << -extra
            extra += 16
            at += 2
        if back > len(out):
            raise StructureError("a repetition of what was not there")
        run = min(run, size - len(out))
        start = len(out) - back
        if back >= run:
            out += out[start : start + run]
        else:
            piece = bytes(out[start:])
            out += (piece * (run // back + 1))[:run]
    return at
