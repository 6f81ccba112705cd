"""The list of files of a RAR archive: versions 1.5 to 4, and 5 with 7, also behind a program that unpacks it.

Source: RAR 5.0 archive format (rarlab.com, "technote"); for 4 the description in libarchive (archive_read_support_format_rar.c, BSD).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

MARK_4, MARK_5 = b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\x01\0"
_SEARCHED, _MOST_BLOCKS, _LONGEST_HEAD, _LONGEST_NAME = 1 << 20, 500_000, 2 << 20, 4096
_FROM_DOS = 315_532_800


@dataclass(slots=True, kw_only=True)
class RarFile:
    """A file as the list has it.

    ``generation``: 2, 3 or 5, which decoder reads it, 0 for none. Times in nanoseconds since 1970, UTC if ``utc``, else in the time of the
    computer that packed it. ``solid``: it goes on with the dictionary of the one before it. ``before``, ``after``: parts of it lie in other
    volumes.
    """

    name: str
    start: int
    packed: int
    size: int | None
    generation: int
    stored: bool = False
    solid: bool = False
    directory: bool = False
    link: bool = False
    encrypted: bool = False
    before: bool = False
    after: bool = False
    crc: int | None = None
    mtime: int | None = None
    atime: int | None = None
    crtime: int | None = None
    utc: bool = False
    dictionary: int = 0
    version: int = 0


@dataclass(slots=True)
class RarArchive:
    """An archive: its files, whether its list is encrypted, whether it is a part of several."""

    files: list[RarFile] = field(default_factory=list)
    encrypted: bool = False
    volume: bool = False
    solid: bool = False
    notes: Notes = field(default_factory=Notes)


def open_rar(read_at: ReadAt, size: int) -> RarArchive:
    """Return the list of an archive. Raises :class:`StructureError` when there is none; what is behind damage is left out and noted."""
    head = read_at(0, min(size, _SEARCHED))
    places = [(at, mark) for mark in (MARK_4, MARK_5) if (at := head.find(mark)) >= 0]
    if not places:
        raise StructureError("it has no mark of a RAR archive")
    at, mark = min(places)
    archive = RarArchive()
    (_blocks_4 if mark == MARK_4 else _blocks_5)(archive, read_at, at + len(mark), size)
    return archive


# ---- versions 1.5 to 4 ------------------------------------------------------------------------------------------------------


def _blocks_4(archive: RarArchive, read_at: ReadAt, at: int, size: int) -> None:
    for _ in range(_MOST_BLOCKS):
        head = read_at(at, 7)
        if len(head) < 7:
            archive.notes.add("a RAR archive without its end mark: it may be cut off")
            return
        check, kind, flags, length = struct.unpack("<HBHH", head)
        raw = read_at(at, length) if length >= 7 else b""
        if len(raw) < max(length, 7) or (zlib.crc32(raw[2:]) & 0xFFFF != check and kind != 0x72):
            archive.notes.add("a block of a RAR archive is damaged: what follows it is left out")
            return
        added = int.from_bytes(raw[7:11], "little") if flags & 0x8000 and length >= 11 else 0
        if kind == 0x73:
            archive.volume, archive.solid = bool(flags & 1), bool(flags & 8)
            if flags & 0x80:
                archive.encrypted = True
                return
        elif kind == 0x74 and length >= 32:
            one = _file_4(raw, flags, at + length)
            archive.files.append(one)
            added = one.packed
        elif kind in (0x7A, 0x74) and length >= 32 and flags & 0x100:
            added |= int.from_bytes(raw[32:36], "little") << 32
        elif kind == 0x7B:
            return
        at += length + added
        if at > size:
            archive.notes.add("a RAR archive is cut off")
            return
    archive.notes.add(f"a RAR archive of more than {_MOST_BLOCKS:,} blocks: the rest is left out")


def _file_4(raw: bytes, flags: int, start: int) -> RarFile:
    packed, size, host, crc, dos, version, method, named, attributes = struct.unpack_from("<IIBIIBBHI", raw, 7)
    at = 32
    if flags & 0x100 and len(raw) >= 40:
        high_packed, high = struct.unpack_from("<II", raw, 32)
        packed, size, at = packed | high_packed << 32, size | high << 32, 40
    name = raw[at : at + min(named, _LONGEST_NAME)]
    directory = flags & 0xE0 == 0xE0
    mode = attributes >> 12 if host == 3 else 0
    return RarFile(
        name=_name_4(name, wide=bool(flags & 0x200)).replace("\\", "/"), start=start, packed=packed,
        size=None if size == 0xFFFFFFFF else size, generation=3 if version >= 29 else 2 if version >= 20 else 0, stored=method == 0x30,
        solid=bool(flags & 0x10), directory=directory, link=mode == 0xA, encrypted=bool(flags & 4), before=bool(flags & 1),
        after=bool(flags & 2), crc=crc, mtime=_dos_time(dos), version=version,
        dictionary=0x10000 << (flags >> 5 & 7) if not directory else 0,
    )  # fmt: skip


def _name_4(raw: bytes, *, wide: bool) -> str:
    """Return a name; behind a zero byte stands how it is made wide (by the differences to the narrow one)."""
    narrow, zero, coded = raw.partition(b"\0")
    if not wide:
        return _narrow(narrow)
    if not zero or len(coded) < 2:
        return narrow.decode("utf-8", "replace")
    high, at, flags, bits = coded[0], 1, 0, 0
    found: list[int] = []
    while at < len(coded) and len(found) < _LONGEST_NAME:
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


def _dos_time(value: int) -> int | None:
    """Return an MS-DOS date and time, as if it were UTC."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only these need it

    date, time = value >> 16, value & 0xFFFF
    try:
        when = datetime(1980 + (date >> 9), date >> 5 & 15, date & 31, time >> 11, time >> 5 & 63, (time & 31) * 2, tzinfo=UTC)
    except ValueError:
        return None
    return int(when.timestamp()) * 10**9


# ---- version 5 --------------------------------------------------------------------------------------------------------------


class _Numbers:
    """Reads the fields of a head: numbers of 7 bits a byte, the lowest first."""

    def __init__(self, raw: bytes, at: int = 0) -> None:
        self.raw, self.at = raw, at

    def number(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            if self.at >= len(self.raw):
                raise StructureError("a head that breaks off")
            byte = self.raw[self.at]
            self.at += 1
            found |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return found
        raise StructureError("a number that does not end")

    def take(self, length: int) -> bytes:
        if not 0 <= length <= len(self.raw) - self.at:
            raise StructureError("a head that breaks off")
        self.at += length
        return self.raw[self.at - length : self.at]


def _blocks_5(archive: RarArchive, read_at: ReadAt, at: int, size: int) -> None:
    for _ in range(_MOST_BLOCKS):
        first = read_at(at, 16)
        if len(first) < 7:
            archive.notes.add("a RAR archive without its end mark: it may be cut off")
            return
        try:
            numbers = _Numbers(first, 4)
            length = numbers.number()
            begin = at + numbers.at
            raw = read_at(begin, length) if 0 < length <= _LONGEST_HEAD else b""
            _check(raw, length, zlib.crc32(first[4 : numbers.at] + raw) == int.from_bytes(first[:4], "little"))
            at = begin + length
            fields = _Numbers(raw)
            kind, flags = fields.number(), fields.number()
            extra = fields.number() if flags & 1 else 0
            data = fields.number() if flags & 2 else 0
            if kind == 1:
                own = fields.number()
                archive.volume, archive.solid = bool(own & 1), bool(own & 4)
            elif kind == 4:
                archive.encrypted = True
                return
            elif kind == 5:
                return
            elif kind == 2:
                one = _file_5(fields, at, data, flags)
                _extras(one, raw[len(raw) - extra :] if 0 < extra <= len(raw) else b"")
                archive.files.append(one)
        except StructureError:
            archive.notes.add("a block of a RAR archive is damaged: what follows it is left out")
            return
        at += data
        if at > size:
            archive.notes.add("a RAR archive is cut off")
            return
    archive.notes.add(f"a RAR archive of more than {_MOST_BLOCKS:,} blocks: the rest is left out")


def _check(raw: bytes, length: int, right: bool) -> None:
    if not right or len(raw) < max(length, 1):
        raise StructureError("a block whose checksum is wrong")


def _file_5(fields: _Numbers, start: int, packed: int, head: int) -> RarFile:
    flags, size, _attributes = fields.number(), fields.number(), fields.number()
    when = int.from_bytes(fields.take(4), "little") if flags & 2 else None
    crc = int.from_bytes(fields.take(4), "little") if flags & 4 else None
    how, _host = fields.number(), fields.number()
    name = fields.take(min(fields.number(), 1 << 16))
    return RarFile(
        name=name[:_LONGEST_NAME].decode("utf-8", "replace"), start=start, packed=packed, size=None if flags & 8 else size, generation=5,
        stored=not how >> 7 & 7, solid=bool(how & 0x40), directory=bool(flags & 1), before=bool(head & 8), after=bool(head & 16), crc=crc,
        mtime=when * 10**9 if when is not None else None, utc=True, dictionary=0x20000 << (how >> 10 & 15), version=how & 63,
    )  # fmt: skip


def _extras(one: RarFile, raw: bytes) -> None:
    """Read what stands behind a file's fields: encryption, exact times, links."""
    fields = _Numbers(raw)
    try:
        while fields.at < len(raw):
            length = fields.number()
            record = _Numbers(fields.take(length))
            kind = record.number()
            if kind == 1:
                one.encrypted = True
            elif kind == 3:
                flags = record.number()
                for bit, name in ((2, "mtime"), (4, "crtime"), (8, "atime")):
                    if flags & bit:
                        value = int.from_bytes(record.take(4 if flags & 1 else 8), "little")
                        seconds = value * 10**9 if flags & 1 else value * 100 - 11_644_473_600 * 10**9
                        setattr(one, name, seconds if 0 < seconds < 1 << 63 else None)
            elif kind == 5:
                one.link = True
    except StructureError:
        return
