"""Records of NTFS's change journal (``$UsnJrnl:$J``): what happened to which file when.

Source: Microsoft, USN_RECORD_V2 and USN_RECORD_V3 (winioctl.h). The stream begins with a hole as long as all that was thrown away.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import Notes, ReadAt

CREATED, DELETED, RENAMED_FROM, RENAMED_TO, CLOSED = 0x100, 0x200, 0x1000, 0x2000, 0x80000000
DIRECTORY = 0x10
_PIECE, _LONGEST = 4 << 20, 1024
_PAGE = 4096
_V2, _V3 = struct.Struct("<IHHQQQQIIIIHH"), struct.Struct("<IHH16s16sQQIIIIHH")


class Change(NamedTuple):
    """A record: file and folder by their number in the table of files and its use, reasons, time (100 ns since 1601), attributes, name."""

    file: int
    folder: int
    number: int
    time: int
    reasons: int
    attributes: int
    name: str
    at: int


def changes(read_at: ReadAt, start: int, size: int, notes: Notes) -> Iterator[Change]:
    """Yield each record from ``start`` on. Between records are zeros, up to the next page; what is no record is passed over by 8 bytes."""
    at, lost = start - start % 8, 0
    data, begin = b"", at
    while at < size:
        if at - begin + _LONGEST > len(data) and begin + len(data) < size:
            data, begin = read_at(at, _PIECE), at
            if not data:
                notes.add("a change journal ends before its end")
                return
            if not any(data):  # a hole, or pages that were never written
                at += len(data)
                data = b""
                begin = at
                continue
        place = at - begin
        if data[place : place + 8] == bytes(8):
            rest = data[place : place + _PAGE - at % _PAGE]
            ahead = next((n for n in range(0, len(rest), 8) if rest[n : n + 8] != bytes(8)), len(rest))
            at += max(8, ahead)
            continue
        one, length = _record(data[place : place + _LONGEST], at)
        if one is None:
            lost += 1
            at += 8
            continue
        yield one
        at += length
    notes.add("eight bytes of a change journal that are no record were passed over", lost)


def _record(raw: bytes, at: int) -> tuple[Change | None, int]:
    if len(raw) < 60:
        return None, 0
    length, major, _minor = struct.unpack_from("<IHH", raw)
    if major not in (2, 3) or not 60 <= length <= len(raw) or length % 8:
        return None, 0
    layout = _V2 if major == 2 else _V3
    if length < layout.size:
        return None, 0
    _, _, _, file, folder, number, time, reasons, _source, _security, attributes, long, begin = layout.unpack_from(raw)
    if begin < layout.size or long % 2 or begin + long > length:
        return None, 0
    if major == 3:
        file, folder = (int.from_bytes(one[:8], "little") for one in (file, folder))
    return Change(file, folder, number, time, reasons, attributes, raw[begin : begin + long].decode("utf-16-le", "replace"), at), length
