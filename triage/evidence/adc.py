"""Apple Data Compression, the oldest packing of disk images: literals, and copies from what came out before.

Source: the format as QEMU's and libdmg's descriptions tell it: a byte of 0x80 and up is followed by literals, one of 0x40 and up begins a
copy with two bytes of distance, all others a short copy with ten bits.
"""

from __future__ import annotations


def adc(raw: bytes, size: int) -> bytes:
    """Return at most ``size`` bytes; raise ``ValueError`` for a copy from before the beginning."""
    out = bytearray()
    at, end = 0, len(raw)
    while at < end and len(out) < size:
        first = raw[at]
        if first & 0x80:
            count = (first & 0x7F) + 1
            out += raw[at + 1 : at + 1 + count]
            at += 1 + count
            continue
        wide = first & 0x40
        if at + (2 if wide else 1) >= end:
            break
        if wide:
            count, distance = (first & 0x3F) + 4, int.from_bytes(raw[at + 1 : at + 3], "big") + 1
        else:
            count, distance = (first >> 2) + 3, ((first & 3) << 8 | raw[at + 1]) + 1
        at += 3 if wide else 2
        if distance > len(out):
            raise ValueError("a copy from before the beginning")
        piece = out[-distance:] if count <= distance else out[-distance:] * (count // distance + 1)
        out += piece[:count]
    return bytes(out[:size])
