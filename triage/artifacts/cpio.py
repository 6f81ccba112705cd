"""cpio archives: their files and where the bytes of each stand. Nothing is extracted.

Formats: ``newc`` and ``crc`` (SVR4, numbers in hexadecimal; Linux' buffer-format.rst), ``odc`` (POSIX.1-1988, octal) and the old binary
form in either order of bytes (cpio(5) of FreeBSD). Archives that follow each other, as in an initial file system of Linux, are read on.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

MOST_FILES = 100_000
_LONGEST_NAME = 4096
_TRAILER = b"TRAILER!!!"
_MOST_ZEROS = 1 << 20  # that pad an archive's end
_PIECE = 4096


class CpioFile(NamedTuple):
    """A file: ``name`` as bytes, ``mode`` of Unix, ``start`` of its bytes in the item and their ``size``, ``time`` in seconds since 1970.

    ``inode``: device and number, the same for all names of one file; ``links``: how many names it has.
    """

    name: bytes
    mode: int
    size: int
    start: int
    time: int
    inode: tuple[int, ...]
    links: int

    @property
    def regular(self) -> bool:
        """Whether it is a file, and no folder, link or device."""
        return stat.S_ISREG(self.mode)


@dataclass(slots=True)
class CpioArchive:
    """An opened archive. ``end``: where what was read ends; more bytes may follow."""

    files: list[CpioFile] = field(default_factory=list)
    end: int = 0
    notes: Notes = field(default_factory=Notes)


def read_cpio(read_at: ReadAt, size: int) -> CpioArchive:
    """Return the files of an archive in its order; raise :class:`StructureError` for what is none.

    In ``newc`` and ``crc`` a file of several names has its bytes behind the last one: the others are given the same place.
    """
    found = CpioArchive()
    at, whole = 0, False
    waiting: dict[tuple[int, ...], list[int]] = {}
    while at < size:
        header = _header(read_at, at)
        if header is None:
            break
        file, behind = header
        if file.start + file.size > size:
            found.notes.add("a cpio archive ends inside a file")
            file = file._replace(size=max(0, size - file.start))
        whole = file.name == _TRAILER
        if whole:
            at = _behind_zeros(read_at, behind, size)
            waiting.clear()
            continue
        if len(found.files) >= MOST_FILES:
            found.notes.add(f"a cpio archive goes on behind the first {MOST_FILES:,} files: the rest is not looked at")
            break
        if file.regular and file.links > 1 and file.size == 0:
            waiting.setdefault(file.inode, []).append(len(found.files))
        elif file.regular:
            for number in waiting.pop(file.inode, ()) if file.links > 1 else ():
                found.files[number] = found.files[number]._replace(start=file.start, size=file.size)
        found.files.append(file)
        at = behind
    if not found.files and not whole:
        raise StructureError("no cpio archive")
    found.end = min(at, size)
    if not whole and found.end < size:
        found.notes.add("a cpio archive has no header where its next file should be")
    elif not whole:
        found.notes.add("a cpio archive has no end mark: it is cut off")
    return found


def _behind_zeros(read_at: ReadAt, at: int, size: int) -> int:
    """Return where something else than zeros begins; the item's end when they are as many as are looked through."""
    end = min(size, at + _MOST_ZEROS)
    while at < end:
        piece = read_at(at, min(_PIECE, end - at))
        if not piece:
            return size
        rest = piece.lstrip(b"\0")
        if rest:
            return at + len(piece) - len(rest)
        at += len(piece)
    return at


def _header(read_at: ReadAt, at: int) -> tuple[CpioFile, int] | None:
    """Return the file whose header is at a place, and where the next header is; ``None`` for no header."""
    raw = read_at(at, 110)
    try:
        if raw[:6] in (b"070701", b"070702") and len(raw) == 110:
            return _new(read_at, at, raw)
        if raw[:6] == b"070707" and len(raw) >= 76:
            return _octal(read_at, at, raw)
        if raw[:2] in (b"\xc7\x71", b"\x71\xc7") and len(raw) >= 26:
            return _binary(read_at, at, raw)
    except ValueError:
        return None
    return None


def _number(raw: bytes, base: int) -> int:
    if not raw.strip(b" \0").isalnum():  # int() would take signs and underscores
        raise ValueError("no number")
    return int(raw.strip(b" \0"), base)


def _new(read_at: ReadAt, at: int, raw: bytes) -> tuple[CpioFile, int] | None:
    ino, mode, _, _, links, time, size, major, minor, _, _, length, _ = (_number(raw[n : n + 8], 16) for n in range(6, 110, 8))
    name = _name(read_at, at + 110, length)
    start = at + (110 + length + 3 & ~3)
    if name is None:
        return None
    return CpioFile(name, mode, size, start, time, (major, minor, ino), links), start + (size + 3 & ~3)


def _octal(read_at: ReadAt, at: int, raw: bytes) -> tuple[CpioFile, int] | None:
    dev, ino, mode, _, _, links, _ = (_number(raw[n : n + 6], 8) for n in range(6, 48, 6))
    time, length, size = _number(raw[48:59], 8), _number(raw[59:65], 8), _number(raw[65:76], 8)
    name = _name(read_at, at + 76, length)
    start = at + 76 + length
    if name is None:
        return None
    return CpioFile(name, mode, size, start, time, (dev, ino), links), start + size


def _binary(read_at: ReadAt, at: int, raw: bytes) -> tuple[CpioFile, int] | None:
    words = struct.unpack_from("<13H" if raw[:2] == b"\xc7\x71" else ">13H", raw)
    _, dev, ino, mode, _, _, links, _, time_high, time_low, length, size_high, size_low = words
    size = size_high << 16 | size_low
    name = _name(read_at, at + 26, length)
    start = at + 26 + (length + 1 & ~1)
    if name is None:
        return None
    return CpioFile(name, mode, size, start, time_high << 16 | time_low, (dev, ino), links), start + (size + 1 & ~1)


def _name(read_at: ReadAt, at: int, length: int) -> bytes | None:
    """Return a name, which ends in a zero; ``None`` when there is none."""
    raw = read_at(at, length) if 1 <= length <= _LONGEST_NAME else b""
    return raw[:-1] if raw[-1:] == b"\0" and len(raw) == length else None
