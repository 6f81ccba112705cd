"""NTFS times before 1970 and after 2106, for which TSK gives 0 seconds: read from $STANDARD_INFORMATION as they are stored.

TSK keeps seconds in 32 bits without a sign. A FILETIME counts 100 nanoseconds since 1601 in 64 bits ([MS-DTYP] 2.3.3); our times
are 64 bits of nanoseconds around 1970 and reach from 1677 to 2262. What is stored beyond that is left out and said, never given as
another date.
"""

from __future__ import annotations

import struct
from typing import Any

_STANDARD_INFORMATION = 16
_SINCE_1601 = 116_444_736_000_000_000
_FIELDS = ("crtime", "mtime", "ctime", "atime")
"""The order of the times in STANDARD_INFORMATION."""


def decode_filetime(value: int) -> tuple[int | None, str]:
    """Return nanoseconds since 1970, and what is wrong with a FILETIME: it is ``None`` then. 0 is no time."""
    if not value:
        return None, ""
    nanoseconds = (value - _SINCE_1601) * 100
    if not -(1 << 63) <= nanoseconds < 1 << 63:
        return None, f"FILETIME {value} is outside of the years 1677 to 2262"
    return nanoseconds, ""


def ntfs_times(file: Any) -> dict[str, Any] | None:
    """Return the times of an MFT entry that TSK opened, by name; ``None`` when they cannot be read. ``wrong`` says what is left out."""
    try:
        # Without an identifier the binding would read the file's content instead.
        standard = next((int(a.info.id) for a in file if int(a.info.type) == _STANDARD_INFORMATION), None)
        data: bytes = file.read_random(0, 32, _STANDARD_INFORMATION, standard) if standard is not None else b""
    except OSError:
        return None
    if len(data) < 32:
        return None
    times: dict[str, Any] = {}
    wrong = []
    for name, value in zip(_FIELDS, struct.unpack("<4Q", data), strict=True):
        times[name], why = decode_filetime(value)
        if why:
            wrong.append(f"{name}: {why}")
    if wrong:
        times["wrong"] = "; ".join(wrong)
    return times
