"""The list of files of a RAR archive: versions 1.5 to 4 (:mod:`triage.artifacts.rar4`), and 5 with 7 (:mod:`triage.artifacts.rar5`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

MARK_4, MARK_5 = b"Rar!\x1a\x07\0", b"Rar!\x1a\x07\x01\0"
MARK_OLDEST = b"RE~^"
LONGEST_NAME = 4096
_SEARCHED, _MOST_MARKS, _MOST_BLOCKS = 1 << 20, 100, 500_000


@dataclass(slots=True, kw_only=True)
class RarFile:
    """A file as the list has it.

    ``head`` is where its block begins, ``start`` its packed bytes, up to ``end``. ``generation``: 2, 3, 5 or 7, which decoder reads it, 0
    for none. Times in nanoseconds since 1970, UTC if ``utc``, else in the time of the computer that packed it. ``solid``: it goes on with
    the dictionary of the one before it. ``before``, ``after``: parts of it lie in other volumes. ``service``: no file but a comment.
    ``same``: the name of the one in the archive whose bytes are its own, too. ``dictionary``: bytes that repetitions reach back at most.
    """

    name: str
    start: int
    packed: int
    size: int | None
    generation: int
    head: int = 0
    stored: bool = False
    solid: bool = False
    directory: bool = False
    link: bool = False
    same: str = ""
    service: bool = False
    encrypted: bool = False
    before: bool = False
    after: bool = False
    crc: int | None = None
    blake: bytes = b""
    mtime: int | None = None
    atime: int | None = None
    crtime: int | None = None
    utc: bool = False
    dictionary: int = 0
    version: int = 0

    @property
    def end(self) -> int:
        """Where its packed bytes end."""
        return self.start + self.packed


@dataclass(slots=True)
class RarArchive:
    """An archive: its files, and whether its list is encrypted, so that there are none."""

    files: list[RarFile] = field(default_factory=list)
    encrypted: bool = False
    notes: Notes = field(default_factory=Notes)


def open_rar(read_at: ReadAt, size: int) -> RarArchive:
    """Return the list of an archive, which may stand behind a program that unpacks it, within the first MiB.

    Raises :class:`StructureError` when there is none; what is behind damage is left out and noted. ``read_at``'s ``OSError`` passes
    through.
    """
    head = read_at(0, min(size, _SEARCHED))
    if head.startswith(MARK_OLDEST):
        raise StructureError("it was packed by RAR 1.3 or 1.4, which is not read")
    at = head.find(MARK_4[:6])
    first: RarArchive | None = None
    for _ in range(_MOST_MARKS):
        if at < 0:
            break
        mark = next((mark for mark in (MARK_4, MARK_5) if head.startswith(mark, at)), b"")
        if mark:
            archive = RarArchive()
            if read_blocks(archive, read_at, at + len(mark), size, new=mark == MARK_5):
                return archive
            first = first or archive if not at else first
        # Programs that pack or unpack have the mark among their own bytes: no archive begins there.
        at = head.find(MARK_4[:6], at + 1)
    if first is None:
        raise StructureError("it has no mark of a RAR archive")
    return first


def read_blocks(archive: RarArchive, read_at: ReadAt, at: int, size: int, *, new: bool) -> int:
    """Add the files of the blocks from a place on to an archive; return how many blocks were whole. ``new``: of version 5 or 7."""
    from triage.artifacts import rar4, rar5  # noqa: PLC0415 - they need the names above

    read = rar5.read_block if new else rar4.read_block
    for count in range(_MOST_BLOCKS):
        try:
            following = read(archive, read_at, at)
        except StructureError as error:
            archive.notes.add(str(error))
            return count
        if following < 0:
            return count + 1
        if following > size:
            archive.notes.add("a RAR archive is cut off")
            return count + 1
        at = following
    archive.notes.add(f"a RAR archive of more than {_MOST_BLOCKS:,} blocks: the rest is left out")
    return _MOST_BLOCKS
