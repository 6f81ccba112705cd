"""Property sets of OLE documents: title, author, times, program ([MS-OLEPS] 2.20, [MS-OSHARED] 2.3.3.2)."""

from __future__ import annotations

import struct
from typing import Any

from triage.artifacts.mapi import charset_of, letters

SUMMARY, DOCUMENT = "\x05SummaryInformation", "\x05DocumentSummaryInformation"
SUMMARY_NAMES = {
    2: "title",
    3: "subject",
    4: "author",
    5: "keywords",
    6: "comments",
    7: "template",
    8: "last_saved_by",
    9: "revision",
    10: "edited_for",
    11: "printed",
    12: "created",
    13: "modified",
    14: "pages",
    18: "program",
}
"""What the properties of the set ``SUMMARY`` are; times are FILETIMEs, in units of 100 nanoseconds since 1601."""
DOCUMENT_NAMES = {14: "manager", 15: "company"}
_MOST, _LONGEST = 200, 2000
_UTF16 = 1200
_I2, _I4, _LPSTR, _LPWSTR, _FILETIME = 2, 3, 30, 31, 64


def read_properties(data: bytes) -> dict[int, Any]:
    """Return the properties of the first set of a stream by their numbers: text, numbers, FILETIMEs; {} for what is no property set."""
    if len(data) < 48 or data[:2] != b"\xfe\xff":
        return {}
    start = struct.unpack_from("<I", data, 44)[0]
    if start + 8 > len(data):
        return {}
    count = min(struct.unpack_from("<I", data, start + 4)[0], _MOST)
    places: dict[int, int] = {}
    for number in range(count):
        at = start + 8 + 8 * number
        if at + 8 > len(data):
            break
        key, offset = struct.unpack_from("<II", data, at)
        places.setdefault(key, start + offset)
    page = _value(data, places.get(1, len(data)), "cp1252")
    wide = isinstance(page, int) and page & 0xFFFF == _UTF16
    charset = "utf-16-le" if wide else charset_of(page & 0xFFFF if isinstance(page, int) else 1252)
    found = {}
    for key, at in sorted(places.items()):
        value = _value(data, at, charset) if key > 1 else None
        if value not in (None, "", 0):
            found[key] = value
    return found


def _value(data: bytes, at: int, charset: str) -> Any:
    if at + 8 > len(data):
        return None
    kind, first = struct.unpack_from("<II", data, at)
    kind &= 0xFFFF
    if kind == _I2:
        return struct.unpack_from("<h", data, at + 4)[0]
    if kind == _I4:
        return struct.unpack_from("<i", data, at + 4)[0]
    if kind == _FILETIME and at + 12 <= len(data):
        return struct.unpack_from("<Q", data, at + 4)[0]
    if kind == _LPSTR:
        raw = data[at + 8 : at + 8 + min(first, _LONGEST)]
        if charset == "utf-16-le":
            return letters(raw[: len(raw) // 2 * 2], charset).partition("\0")[0].strip()
        return letters(raw.partition(b"\0")[0], charset).strip()
    if kind == _LPWSTR:
        raw = data[at + 8 : at + 8 + 2 * min(first, _LONGEST)]
        return raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace").partition("\0")[0].strip()
    return None
