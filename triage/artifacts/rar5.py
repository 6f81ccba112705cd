"""The blocks of RAR archives of versions 5 and 7. Source: RAR 5.0 archive format (rarlab.com, "technote")."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from triage.artifacts.rar import LONGEST_NAME, RarFile
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.artifacts.rar import RarArchive
    from triage.artifacts.structure import ReadAt

_MAIN, _FILE, _SERVICE, _ENCRYPTION, _END = 1, 2, 3, 4, 5
_LONGEST_HEAD = 2 << 20
_HARD_LINK, _COPY = 4, 5
_DAMAGED = "a block of a RAR archive is damaged: what follows it is left out"
_EPOCH = 11_644_473_600 * 10**9  # of FILETIMEs, in nanoseconds before 1970


class _Fields:
    """Reads a head: numbers of 7 bits a byte, the lowest first, and runs of bytes."""

    def __init__(self, raw: bytes, at: int = 0) -> None:
        self.raw, self.at = raw, at

    def number(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            if self.at >= len(self.raw):
                raise StructureError(_DAMAGED)
            byte = self.raw[self.at]
            self.at += 1
            found |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return found
        raise StructureError(_DAMAGED)

    def take(self, length: int) -> bytes:
        if not 0 <= length <= len(self.raw) - self.at:
            raise StructureError(_DAMAGED)
        self.at += length
        return self.raw[self.at - length : self.at]


def read_block(archive: RarArchive, read_at: ReadAt, at: int) -> int:
    """Add what a block says to an archive; return where the next one is, -1 for none. Raises ``StructureError`` with what to note."""
    first = read_at(at, 16)
    if len(first) < 7:
        raise StructureError("a RAR archive without its end mark: it may be cut off")
    measure = _Fields(first, 4)
    length = measure.number()
    begin = at + measure.at
    raw = read_at(begin, length) if 0 < length <= _LONGEST_HEAD else b""
    if not 0 < length <= len(raw) or zlib.crc32(first[4 : measure.at] + raw) != int.from_bytes(first[:4], "little"):
        raise StructureError(_DAMAGED)
    start = begin + length
    fields = _Fields(raw)
    kind, flags = fields.number(), fields.number()
    extra = fields.number() if flags & 1 else 0
    data = fields.number() if flags & 2 else 0
    if kind == _ENCRYPTION:
        archive.encrypted = True
        return -1
    if kind == _END:
        return -1
    if kind in (_FILE, _SERVICE):
        one = _file(fields, start, data, flags)
        one.head = at
        _extras(one, raw[len(raw) - extra :] if 0 < extra <= len(raw) else b"")
        if kind == _FILE:
            archive.files.append(one)
        elif one.name == "CMT":
            one.name, one.service, one.solid = "comment of the archive", True, False
            archive.files.append(one)
        elif one.name == "STM":
            archive.notes.add("an alternate stream of a file in a RAR archive is not read")
    return start + data


def _file(fields: _Fields, start: int, packed: int, head: int) -> RarFile:
    flags, size, _attributes = fields.number(), fields.number(), fields.number()
    when = int.from_bytes(fields.take(4), "little") if flags & 2 else None
    crc = int.from_bytes(fields.take(4), "little") if flags & 4 else None
    how, _host = fields.number(), fields.number()
    name = fields.take(fields.number())
    version = how & 63
    dictionary = 0x20000 << (how >> 10 & 15)
    if version:
        dictionary = (0x20000 << (how >> 10 & 31)) // 32 * (32 + (how >> 15 & 31))
    return RarFile(
        name=name[:LONGEST_NAME].decode("utf-8", "replace"), start=start, packed=packed, size=None if flags & 8 else size,
        generation={0: 5, 1: 7}.get(version, 0), stored=not how >> 7 & 7, solid=bool(how & 0x40), directory=bool(flags & 1),
        before=bool(head & 8), after=bool(head & 16), crc=crc, mtime=when * 10**9 if when is not None else None, utc=True,
        dictionary=dictionary, version=version,
    )  # fmt: skip


def _extras(one: RarFile, raw: bytes) -> None:
    """Read what stands behind a file's fields: encryption, a checksum, exact times, links."""
    fields = _Fields(raw)
    try:
        while fields.at < len(raw):
            record = _Fields(fields.take(fields.number()))
            kind = record.number()
            if kind == 1:
                one.encrypted = True
            elif kind == 2 and record.number() == 0:
                one.blake = record.take(32)
            elif kind == 3:
                _times(one, record)
            elif kind == 5:
                way, _flags = record.number(), record.number()
                one.link = True
                if way in (_HARD_LINK, _COPY):
                    one.same = record.take(record.number())[:LONGEST_NAME].decode("utf-8", "replace")
    except StructureError:
        return


def _times(one: RarFile, record: _Fields) -> None:
    """Read exact times: seconds since 1970, to which nanoseconds may be added, or FILETIMEs."""
    flags = record.number()
    chosen = [name for bit, name in ((2, "mtime"), (4, "crtime"), (8, "atime")) if flags & bit]
    when = {}
    for name in chosen:
        value = int.from_bytes(record.take(4 if flags & 1 else 8), "little")
        when[name] = value * 10**9 if flags & 1 else value * 100 - _EPOCH
    if flags & 0x11 == 0x11:
        for name in chosen:
            when[name] += int.from_bytes(record.take(4), "little") % 10**9
    for name, value in when.items():
        setattr(one, name, value if 0 < value < 1 << 63 else None)
