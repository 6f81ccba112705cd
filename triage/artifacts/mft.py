"""Records of an NTFS master file table: name, folder and both sets of times of each file.

Layout by [MS-FSCC] and Microsoft's FILE_RECORD_SEGMENT_HEADER, ATTRIBUTE_RECORD_HEADER, STANDARD_INFORMATION and FILE_NAME
(little-endian). The last two bytes of each sector are replaced by a number of the record, and stand in an array of its head.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

_STANDARD, _NAME, _END = 0x10, 0x30, 0xFFFFFFFF
_DOS = 2
_SECTOR = 512
_PIECE = 1 << 20
_SIZES = (1024, 4096)


class Times(NamedTuple):
    """FILETIMEs as they are stored: creation, modification of content, of metadata, last access."""

    created: int
    modified: int
    changed: int
    accessed: int


class Record(NamedTuple):
    """A file. ``number``: of its record; ``parent``: of its folder's; ``standard`` and ``named``: its times, by both attributes."""

    number: int
    used: bool
    directory: bool
    name: str
    parent: int
    standard: Times
    named: Times


def record_size(read_at: ReadAt) -> int | None:
    """Return how many bytes a record of the table takes; ``None`` for what is no table."""
    head = read_at(0, 64)
    if len(head) < 64 or head[:4] not in (b"FILE", b"BAAD"):
        return None
    size = int.from_bytes(head[28:32], "little")
    return size if size in _SIZES else None


def records(read_at: ReadAt, size: int, step: int, most: int) -> Iterator[Record]:
    """Yield the base records of a table that have a name and both sets of times, at most ``most`` records looked at."""
    for start in range(0, min(size, most * step), _PIECE):
        try:
            piece = read_at(start, min(_PIECE, size - start))
        except OSError:
            continue
        for at in range(0, len(piece) - step + 1, step):
            if piece[at : at + 4] == b"FILE":
                found = _record(piece[at : at + step], (start + at) // step)
                if found is not None:
                    yield found


def _record(raw: bytes, number: int) -> Record | None:
    fix_at, fixes, _, _, _, first, flags, used, _, base = struct.unpack_from("<HHQHHHHIIQ", raw, 4)
    if base & 0xFFFFFFFFFFFF or not 42 <= first < used <= len(raw):
        return None
    data = _mended(raw, fix_at, fixes)
    if data is None:
        return None
    standard: Times | None = None
    named: tuple[str, int, Times] | None = None
    at = first
    while at + 24 <= used:
        kind, length, resident = struct.unpack_from("<IIB", data, at)
        if kind == _END or length < 24 or at + length > used:
            break
        if not resident and kind in (_STANDARD, _NAME):
            size, offset = struct.unpack_from("<IH", data, at + 16)
            value = data[at + offset : at + min(offset + size, length)]
            if kind == _STANDARD and len(value) >= 32:
                standard = Times(*struct.unpack_from("<4Q", value))
            elif kind == _NAME and len(value) >= 66 and (named is None or value[65] != _DOS):
                text = value[66 : 66 + 2 * value[64]].decode("utf-16-le", "replace")
                named = (text, int.from_bytes(value[:6], "little"), Times(*struct.unpack_from("<4Q", value, 8)))
        at += length
    if standard is None or named is None:
        return None
    return Record(number, bool(flags & 1), bool(flags & 2), named[0], named[1], standard, named[2])


def _mended(raw: bytes, at: int, count: int) -> bytes | None:
    """Return a record with the ends of its sectors put back; ``None`` when they are not of one writing."""
    if not 0 < count <= len(raw) // _SECTOR + 1 or at + 2 * count > len(raw):
        return None
    data = bytearray(raw)
    mark = raw[at : at + 2]
    for number in range(1, count):
        end = number * _SECTOR
        if raw[end - 2 : end] != mark:
            return None
        data[end - 2 : end] = raw[at + 2 * number : at + 2 * number + 2]
    return bytes(data)


class Folders:
    """Names and folders of records, to tell a record's path. At most ``most`` are kept."""

    def __init__(self, most: int) -> None:
        self._known: dict[int, tuple[str, int]] = {}
        self._most = most

    def note(self, record: Record) -> None:
        """Keep a folder's name."""
        if record.directory and len(self._known) < self._most:
            self._known[record.number] = (record.name, record.parent)

    def path_of(self, record: Record) -> str:
        """Return a record's path as far as its folders are known."""
        parts, parent = [record.name], record.parent
        for _ in range(100):
            found = self._known.get(parent)
            if found is None or parent == found[1]:
                break
            parts.append(found[0])
            parent = found[1]
        return "/".join(reversed(parts))
