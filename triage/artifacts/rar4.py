"""The blocks of RAR archives of versions 1.5 to 4.

Source: the descriptions in libarchive (archive_read_support_format_rar.c, BSD) and rarfile (ISC), checked with both's test files.
"""

from __future__ import annotations

import struct
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from triage.artifacts.rar import LONGEST_NAME, RarFile
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.artifacts.rar import RarArchive
    from triage.artifacts.structure import ReadAt

_MAIN, _FILE, _OLD_SERVICE, _SERVICE, _END = 0x73, 0x74, 0x77, 0x7A, 0x7B
_LARGE, _WIDE, _SALT, _TIMES, _LONG = 0x100, 0x200, 0x400, 0x1000, 0x8000
_OLD_OWNERS = (0x101, 0x102)
DICTIONARY = 1 << 22
"""Bytes that repetitions reach back at most, in any archive of these versions."""


def read_block(archive: RarArchive, read_at: ReadAt, at: int) -> int:
    """Add what a block says to an archive; return where the next one is, -1 for none. Raises ``StructureError`` with what to note."""
    head = read_at(at, 7)
    if len(head) < 7:
        raise StructureError("a RAR archive without its end mark: it may be cut off")
    length: int
    check, kind, flags, length = struct.unpack("<HBHH", head)
    raw = read_at(at, length) if length >= 7 else b""
    if len(raw) < max(length, 7) or not _right(raw, check, kind, flags):
        raise StructureError("a block of a RAR archive is damaged: what follows it is left out")
    added = int.from_bytes(raw[7:11], "little") if flags & _LONG and length >= 11 else 0
    if kind == _END:
        return -1
    if kind == _MAIN:
        if flags & 2:
            archive.notes.add("a comment of a RAR archive before 3.0 is not read")
        if flags & 0x80:
            archive.encrypted = True
            return -1
    elif kind in (_FILE, _SERVICE) and length >= 32:
        one = _file(raw, flags, at, length)
        added = one.packed
        if kind == _FILE:
            archive.files.append(one)
            if flags & 8:
                archive.notes.add("a comment of a RAR archive before 3.0 is not read")
        elif one.name == "CMT":
            one.name, one.service, one.solid = "comment of the archive", True, False
            archive.files.append(one)
        elif one.name == "STM":
            archive.notes.add("an alternate stream of a file in a RAR archive is not read")
    elif kind == _OLD_SERVICE and raw[11:13] == b"\x05\x01":
        archive.notes.add("an alternate stream of a file in a RAR archive is not read")
    return at + length + added


def _right(raw: bytes, check: int, kind: int, flags: int) -> bool:
    """Whether a block's checksum is right. That of old ones leaves out comments, and covers what follows when that has none of its own."""
    end = len(raw)
    if kind == _OLD_SERVICE and int.from_bytes(raw[11:13], "little") in _OLD_OWNERS:
        return True
    if kind == _MAIN and flags & 2:
        end = 13
    elif kind == _FILE and flags & 8 and len(raw) >= 32:
        end = (40 if flags & _LARGE else 32) + int.from_bytes(raw[26:28], "little")
    return zlib.crc32(raw[2:end]) & 0xFFFF == check


def _file(raw: bytes, flags: int, head: int, length: int) -> RarFile:
    packed, size, host, crc, dos, version, method, named, attributes = struct.unpack_from("<IIBIIBBHI", raw, 7)
    at = 32
    if flags & _LARGE and len(raw) >= 40:
        high_packed, high = struct.unpack_from("<II", raw, 32)
        packed, size, at = packed | high_packed << 32, size | high << 32, 40
    name = raw[at : at + min(named, LONGEST_NAME)]
    modified = _dos(dos)
    created = accessed = None
    if flags & _TIMES:
        modified, created, accessed = _exact(raw[at + named + (8 if flags & _SALT else 0) :], modified)
    return RarFile(
        name=_name(name, wide=bool(flags & _WIDE)).replace("\\", "/"), head=head, start=head + length, packed=packed,
        size=None if size in (0xFFFFFFFF, (1 << 64) - 1) else size, generation=3 if version >= 29 else 2 if version >= 20 else 0,
        stored=method == 0x30, solid=bool(flags & 0x10), directory=flags & 0xE0 == 0xE0, link=host == 3 and attributes >> 12 == 0xA,
        encrypted=bool(flags & 4), before=bool(flags & 1), after=bool(flags & 2), crc=crc, mtime=modified, crtime=created, atime=accessed,
        version=version, dictionary=DICTIONARY,
    )  # fmt: skip


def _exact(raw: bytes, modified: int | None) -> tuple[int | None, int | None, int | None]:
    """Return when a file was last changed, made and last read, with the parts of a second that MS-DOS' times lack."""
    flags, at = int.from_bytes(raw[:2], "little"), 2
    found: list[int | None] = [modified, None, None]
    for number in range(3):
        way = flags >> (12 - 4 * number) & 15
        if not way & 8:
            continue
        when = modified
        if number:
            when, at = _dos(int.from_bytes(raw[at : at + 4], "little")), at + 4
        count = way & 3
        parts = int.from_bytes(raw[at : at + count].rjust(3, b"\0"), "little")  # of 100 ns; the lowest bytes are left out
        at += count
        if when is None or at > len(raw):
            break
        found[number] = when + (10**9 if way & 4 else 0) + 100 * parts
    return found[0], found[1], found[2]


def _name(raw: bytes, *, wide: bool) -> str:
    """Return a name; behind a zero byte stands how it is made wide (by the differences to the narrow one)."""
    narrow, zero, coded = raw.partition(b"\0")
    if not wide:
        return _narrow(narrow)
    if not zero or len(coded) < 2:
        return narrow.decode("utf-8", "replace")
    high, at, flags, bits = coded[0], 1, 0, 0
    found: list[int] = []
    while at < len(coded) and len(found) < LONGEST_NAME:
        if not bits:
            flags, bits, at = coded[at], 8, at + 1
        bits -= 2
        way = flags >> bits & 3
        if at >= len(coded):
            break
        byte, at = coded[at], at + 1
        if way == 0:
            found.append(byte)
        elif way == 1:
            found.append(byte | high << 8)
        elif way == 2:
            found.append(byte | (coded[at] if at < len(coded) else 0) << 8)
            at += 1
        else:
            change = 0
            if byte & 0x80 and at < len(coded):
                change, at = coded[at], at + 1
            for _ in range((byte & 0x7F) + 2):
                plain = narrow[len(found)] if len(found) < len(narrow) else 0x3F
                found.append((plain + change & 0xFF) | high << 8 if byte & 0x80 else plain)
    return struct.pack(f"<{len(found)}H", *found).decode("utf-16-le", "replace")


def _narrow(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp437", "replace")


def _dos(value: int) -> int | None:
    """Return an MS-DOS date and time, as if it were UTC."""
    date, time = value >> 16, value & 0xFFFF
    try:
        when = datetime(1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2, tzinfo=UTC)
    except ValueError:
        return None
    return int(when.timestamp()) * 10**9
