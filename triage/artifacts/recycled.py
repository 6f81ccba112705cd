"""Windows' notes of what was thrown away: ``$I…`` files (Vista and later) and ``INFO2`` or ``INFO`` (95 to XP).

``$I`` (little-endian): u64 version 1 or 2, u64 size, u64 FILETIME; version 1: the path in 260 characters of UTF-16; version 2: u32 length
in characters, the path. ``INFO2``: u32 version (0 for 95, 4 for 98 and ME, 5 for NT and later), two numbers, u32 bytes a record at 12. A
record: the path in 260 bytes of the system's code page, u32 index, u32 drive, FILETIME, u32 size on disk, and from NT on the path in
UTF-16. Of a record whose file was taken out again the first byte is zero.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = 20
_SHORT = 543
"""Bytes of notes that Vista now and then wrote with one byte of the size missing."""
_RECORDS = (280, 800)
_MOST_RECORDS = 200_000


class Recycled(NamedTuple):
    """What was thrown away. ``deleted``: FILETIME; ``gone``: it is in the bin no more; ``number``: its number there."""

    path: str
    size: int | None
    deleted: int
    offset: int
    length: int
    number: int | None = None
    gone: bool = False
    exact: bool = True


def read_i(data: bytes) -> Recycled | None:
    """Return what a ``$I`` file says, ``None`` for what is none."""
    if len(data) < 28:
        return None
    version, size, deleted = struct.unpack_from("<QQQ", data)
    if version == 1 and len(data) == _SHORT:
        size, deleted = 1 << 62, int.from_bytes(data[15:23], "little")  # what is left of the size is not to be relied on
        raw = data[23:]
    elif version == 1:
        raw = data[24 : 24 + 520]
    elif version == 2:
        length = int.from_bytes(data[24:28], "little")
        if not 0 < length <= 32768:
            return None
        raw = data[28 : 28 + 2 * length]
    else:
        return None
    path = raw[: len(raw) & ~1].decode("utf-16-le", "replace").partition("\0")[0]
    return Recycled(path, size if size < 1 << 62 else None, deleted, 0, len(data)) if path else None


def read_info2(data: bytes) -> tuple[list[Recycled], str]:
    """Return the records of an INFO2 file, and why not all of them, "" if all. For what is none both are empty."""
    if len(data) < _HEADER:
        return [], ""
    version, _, _, length = struct.unpack_from("<IIII", data)
    if version not in (0, 2, 4, 5) or length not in _RECORDS:
        return [], ""
    found = list(_records(data, length))
    rest = (len(data) - _HEADER) % length
    return found, f"its last {rest} bytes are no whole record" if rest else ""


def _records(data: bytes, length: int) -> Iterator[Recycled]:
    for at in range(_HEADER, min(len(data) - length + 1, _HEADER + length * _MOST_RECORDS), length):
        record = data[at : at + length]
        index, _, deleted, size = struct.unpack_from("<IIQI", record, 260)
        gone = record[0] == 0
        narrow = record[:260].partition(b"\0")[0] if not gone else record[1:260].partition(b"\0")[0]
        path, exact = narrow.decode("cp1252", "replace"), narrow.isascii()
        if length == 800:
            wide = record[280:800].decode("utf-16-le", "replace").partition("\0")[0]
            path, exact = (wide, True) if wide else (path, exact)
        if path:
            yield Recycled(path, size, deleted, at, length, index, gone, exact and not (gone and length == 280))
