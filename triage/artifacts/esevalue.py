"""Values of ESE databases: types of columns, texts by code page, and the compressions of a value, each within a bound."""

from __future__ import annotations

import struct

from triage.artifacts.structure import StructureError

Plain = None | bool | int | float | str | bytes
Value = Plain | list[Plain]
"""What a column holds: numbers, text, bytes; a list of several. A date is a float of days since 30 December 1899, or a FILETIME as int."""

TEXT, LONG_TEXT = 10, 12
_BYTES = (9, 11, 13)
_NUMBERS = {1: "?", 2: "B", 3: "<h", 4: "<i", 5: "<q", 6: "<f", 7: "<d", 8: "<d", 14: "<I", 15: "<q", 17: "<H"}
SIZES = {kind: struct.calcsize(code) for kind, code in _NUMBERS.items()} | {16: 16}
_UTF16 = 1200
_LARGEST = 16 << 20


def decoded(kind: int, codepage: int, raw: bytes) -> Plain:
    """Return a value of a column's type ("Column type"); bytes for types that are not known, ``None`` where they are too few."""
    if kind in (TEXT, LONG_TEXT):
        return text(raw, codepage)
    code = _NUMBERS.get(kind)
    if code is not None:
        size = SIZES[kind]
        if len(raw) < size:
            return None
        number: bool | int | float = struct.unpack(code, raw[:size])[0]
        if kind == 8 and 0 < abs(number) < 1e-200:  # no date in days is: programs put FILETIMEs there as well
            return int.from_bytes(raw[:8], "little")
        return None if number != number else number  # noqa: PLR0124 - not a number is no JSON
    if kind == 16 and len(raw) >= 16:
        a, b, c = struct.unpack("<IHH", raw[:8])
        return f"{a:08x}-{b:04x}-{c:04x}-{raw[8:10].hex()}-{raw[10:16].hex()}"
    return raw


def text(raw: bytes, codepage: int) -> str:
    """Return text of a code page, without zeros at its end.

    Of 1200 (UTF-16) an odd number of bytes without zeros is ASCII ("Catalog", note); with zeros, it fills a column of odd size.
    """
    if codepage == _UTF16 and (not len(raw) % 2 or b"\0" in raw):
        return raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace").rstrip("\0")
    return raw.decode("cp1252", "replace").rstrip("\0")


def unpacked(raw: bytes, limit: int = _LARGEST) -> bytes:
    """Return a packed value ("Compression"): by the upper five bits of its first byte 1 and 2: of 7 bits each, 3: LZXPRESS.

    Bytes of no such kind are returned as they are. Raise ``StructureError`` for XPRESS9 and XPRESS10, which are not read.
    """
    kind = raw[0] >> 3 if raw else 0
    if kind in (1, 2):
        return _seven_bits(raw, wide=kind == 2)[:limit]
    if kind == 3 and len(raw) >= 3:
        return lzxpress(raw[3:], min(int.from_bytes(raw[1:3], "little"), limit))
    if kind in (5, 6):
        raise StructureError("a value is packed in a way that is not read")
    return raw


def _seven_bits(raw: bytes, *, wide: bool) -> bytes:
    """The lower three bits of the first byte are the number of bits in use of the last one, less one."""
    bits = max(0, 8 * (len(raw) - 2) + (raw[0] & 7) + 1)
    out = bytearray()
    held = have = 0
    for byte in raw[1:]:
        held |= byte << have
        have += 8
        while have >= 7:
            out.append(held & 0x7F)
            held >>= 7
            have -= 7
    found = bytes(out[: bits // 7])
    return found.decode("ascii").encode("utf-16-le") if wide else found


def lzxpress(data: bytes, size: int) -> bytes:
    """Return plain LZ77 ([MS-XCA] 2.4) undone, at most ``size`` bytes; what is damaged ends early.

    Flags of 32 bits say, the highest bit first, whether a byte or a repetition follows: of 16 bits, the lower three its length, which
    goes on in half a byte (shared by two), a byte, two or four when it is large, the others its distance less one.
    """
    out = bytearray()
    at = half = flags = left = 0
    while len(out) < size and at < len(data):
        if not left:
            flags, left, at = int.from_bytes(data[at : at + 4], "little"), 32, at + 4
            continue
        left -= 1
        if not flags >> left & 1:
            out.append(data[at])
            at += 1
            continue
        pair = int.from_bytes(data[at : at + 2], "little")
        at += 2
        distance, length = (pair >> 3) + 1, pair & 7
        if length == 7:
            if half:
                length = (data[half] if half < len(data) else 0) >> 4
                half = 0
            else:
                half = at
                length = (data[at] if at < len(data) else 0) & 15
                at += 1
            if length == 15:
                length = data[at] if at < len(data) else 0
                at += 1
                if length == 255:
                    length = int.from_bytes(data[at : at + 2], "little")
                    at += 2
                    if not length:
                        length = int.from_bytes(data[at : at + 4], "little")
                        at += 4
                    length -= 22
                length += 15
            length += 7
        length = min(length + 3, size - len(out))
        start = len(out) - distance
        if start < 0 or length <= 0:
            break
        if distance >= length:
            out += out[start : start + length]
        else:
            piece = bytes(out[start:])
            out += (piece * (length // distance + 1))[:length]
    return bytes(out)
