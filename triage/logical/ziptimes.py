"""Times in ZIP archives: of the headers, in local time, and of extra fields, in UTC."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

_EPOCH_1601 = 11_644_473_600 * 10_000_000


def dos_time(value: int) -> int | None:
    """Return nanoseconds since 1970 of a DOS date (high 16 bits) and time, as if it were UTC; ``None`` for what is no time."""
    date, time = value >> 16, value & 0xFFFF
    try:
        when = datetime(
            1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, min((time & 31) * 2, 59), tzinfo=UTC
        )  # fmt: skip
    except ValueError:
        return None
    return int(when.timestamp()) * 1_000_000_000


def extra_fields(extra: bytes) -> dict[int, bytes]:
    """Return a header's extra fields by number (APPNOTE, 4.5); of several of one number the first."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(extra):
        number, length = struct.unpack_from("<HH", extra, at)
        if at + 4 + length > len(extra):
            break
        found.setdefault(number, extra[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def times_of(fields: dict[int, bytes]) -> dict[str, int | None]:
    """Return the times of the extra fields by name, nanoseconds since 1970, UTC; nothing when there are none.

    0x5455 (Info-ZIP, "extended timestamp"; of the list it has the time of modification alone), 0x000A (APPNOTE 4.5.5, NTFS: 100 ns since
    1601), 0x5855 (Info-ZIP, "Unix": access and modification).
    """
    found: dict[str, int | None] = {}
    ntfs = fields.get(0x000A, b"")
    if len(ntfs) >= 32 and ntfs[4:8] == b"\1\0\x18\0":
        for name, value in zip(("mtime", "atime", "crtime"), struct.unpack_from("<QQQ", ntfs, 8), strict=True):
            if value:
                found[name] = (value - _EPOCH_1601) * 100
        return found
    unix = fields.get(0x5455, b"")
    if len(unix) >= 5:
        names = [name for bit, name in enumerate(("mtime", "atime", "crtime")) if unix[0] >> bit & 1]
        for name, at in zip(names, range(1, len(unix) - 3, 4), strict=False):
            found[name] = int.from_bytes(unix[at : at + 4], "little", signed=True) * 1_000_000_000
        return found
    old = fields.get(0x5855, b"")
    if len(old) >= 8:
        found["atime"], found["mtime"] = (n * 1_000_000_000 for n in struct.unpack_from("<ii", old))
    return found
