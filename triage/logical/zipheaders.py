"""The headers of members of a ZIP archive: in its list, and before their bytes.

Format: PKWARE APPNOTE 6.3.10, sections named where they matter; extra fields by Info-ZIP's ``proginfo/extrafld.txt``.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from triage.logical.ziptimes import extra_fields

LOCAL_MARK, CENTRAL_MARK = b"PK\3\4", b"PK\1\2"
LOCAL = struct.Struct("<4sHHHHHIIIHH")
CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
USUAL = 4096
"""Bytes that nearly every header fits in."""
LONGEST = CENTRAL.size + 3 * 0xFFFF
METHODS = {
    0: "stored", 1: "shrinking", 6: "imploding", 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd",
    99: "AES",
}  # fmt: skip
_FULL = 0xFFFFFFFF


class Central(NamedTuple):
    """What an archive says of a member.

    ``place``: of the header that says it; ``offset``: of the local header, as stated; ``crc32``: ``None`` where it is not known.
    """

    place: int
    made_by: int
    flags: int
    method: int
    dos_time: int
    crc32: int | None
    packed: int
    size: int
    attributes: int
    offset: int
    name: bytes
    extra: bytes

    @property
    def encrypted(self) -> bool:
        """Whether the member is (4.4.4: bit 0; bit 13 hides its header as well)."""
        return bool(self.flags & 0x2001) or self.method == 99

    @property
    def streamed(self) -> bool:
        """Whether a record behind its bytes has its sizes (4.4.4, bit 3)."""
        return bool(self.flags & 8)


def parse_central(buffer: bytes, at: int, place: int) -> Central | None:
    """Return the header of the list at a place of a buffer (4.3.12), with the wide numbers of its extra field (4.5.3)."""
    if len(buffer) - at < CENTRAL.size or buffer[at : at + 4] != CENTRAL_MARK:
        return None
    (_, made, _, flags, method, time, date, crc, packed, size, name_length, extra_length, comment, _, _, attributes, offset) = (
        CENTRAL.unpack_from(buffer, at)
    )
    start = at + CENTRAL.size
    if start + name_length + extra_length + comment > len(buffer):
        return None
    name, extra = buffer[start : start + name_length], buffer[start + name_length : start + name_length + extra_length]
    size, packed, offset = _wide(extra, (size, packed, offset))
    return Central(place, made >> 8, flags, method, date << 16 | time, crc, packed, size, attributes, offset, name, extra)


def parse_local(raw: bytes, place: int) -> Central | None:
    """Return what the header before a member's bytes says of it (4.3.7), if these bytes are one that an archive may have."""
    if len(raw) < LOCAL.size or not raw.startswith(LOCAL_MARK):
        return None
    _, _, flags, method, time, date, crc, packed, size, name_length, extra_length = LOCAL.unpack_from(raw)
    start = LOCAL.size
    name, extra = raw[start : start + name_length], raw[start + name_length : start + name_length + extra_length]
    if method not in METHODS or not name_length or len(name) + len(extra) < name_length + extra_length or 0 in name:
        return None
    size, packed = _wide(extra, (size, packed))
    return Central(place, 0, flags, method, date << 16 | time, crc, packed, size, 0, place, name, extra)


def _wide(extra: bytes, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return numbers with those put in that are too large for their place in the header (4.5.3), as far as they are there."""
    if _FULL not in numbers:
        return numbers
    wide = extra_fields(extra).get(1, b"")
    held = [int.from_bytes(wide[at : at + 8], "little") for at in range(0, len(wide) & ~7, 8)]
    return tuple(held.pop(0) if number == _FULL and held else number for number in numbers)


def owner_of(extra: bytes) -> tuple[int | None, int | None]:
    """Return user and group of the field 0x7875 (Info-ZIP, "Unix UID/GID"): version 1, then each number with its length before it."""
    field = extra_fields(extra).get(0x7875, b"")
    if len(field) < 3 or field[0] != 1:
        return None, None
    many = field[1]
    uid = int.from_bytes(field[2 : 2 + many], "little")
    rest = field[2 + many :]
    gid = int.from_bytes(rest[1 : 1 + rest[0]], "little") if rest else None
    return (uid if uid < 1 << 32 else None), (gid if gid is not None and gid < 1 << 32 else None)


def name_of(one: Central) -> bytes:
    """Return a member's name in UTF-8 where that is known: by its flag (4.4.4, bit 11), the field 0x7075, or as it stands."""
    if not one.flags & 0x800 and not one.name.isascii():
        field = extra_fields(one.extra).get(0x7075, b"")
        if len(field) > 5 and field[0] == 1 and int.from_bytes(field[1:5], "little") == zlib.crc32(one.name):
            return field[5:]
        try:
            one.name.decode("utf-8")
        except UnicodeDecodeError:
            return one.name.decode("cp437").encode("utf-8")
    return one.name
