"""AFF4's logical images (AFF4-L): files in a ZIP archive, with a description that has their paths, times and digests.

Source: Schatz, "AFF4-L: A Scalable Open Logical Evidence Container" (DFRWS 2019); pyaff4's containers. A file is a member of the archive,
or a stream of compressed chunks as disks have them ("AFF4 Standard v1.0", 6). Its bytes are held against its digest.
"""

from __future__ import annotations

import hashlib
import urllib.parse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from triage.evidence.aff4 import Aff4Error, Stream, Volume, first, number
from triage.evidence.aff4turtle import local
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.paths import Folders, split_path
from triage.logical.zipfiles import NoListError, ZipTree
from triage.logical.zipheaders import name_of
from triage.model import Kind, Severity, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.aff4turtle import Table
    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt
    from triage.logical.zipheaders import Central

_OWN = {"container.description", "information.turtle", "version.txt"}
_TIMES = {"birthTime": "crtime", "lastWritten": "mtime", "lastAccessed": "atime", "recordChanged": "ctime"}
_DIGESTS = ("SHA512", "SHA256", "SHA1", "MD5")
_STREAM = (1, 0)
"""Stands for the attribute of a file that is a stream: its address is the place of the header of its first segment."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def looks_logical(medium: Medium) -> bool:
    """Whether a ZIP archive may be such an image, by its first and last bytes."""
    tail = 1 << 10
    return b"aff4" in medium.read_at(0, 512) + medium.read_at(max(medium.size - tail, 0), tail)


class Aff4LogicalTree:
    """The files of one image. Raises :class:`Aff4Error` when the archive describes none."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        self.label = ""
        self.block_size = 1
        self._volume = Volume(medium)
        self._table: Table = self._volume.table
        try:
            self._zip = ZipTree(medium, offset, size, beat)
        except NoListError as error:
            raise Aff4Error(str(error)) from error
        self._members: dict[str, Central] = {name_of(one).decode("utf-8", "replace"): one for one in self._zip.members()}
        described = {name: {local(kind) for kind in facts.get("a", ())} for name, facts in self._table.items()}
        self._folders = [name for name, kinds in described.items() if "Folder" in kinds]
        self._files = {name: "ImageStream" in kinds for name, kinds in described.items() if "FileImage" in kinds}
        """Names of files, and whether they are streams."""
        if not self._files:
            raise Aff4Error("it describes no files")
        self._heads = {name: self._head(name) for name in self._files}
        self._at = {one.place: name for name, one in self._heads.items() if one is not None}
        self.checked = False

    def names(self) -> Iterator[Named | Fault]:
        """Yield each file, before it the folders that lead to it; then what the description does not name."""
        folders = Folders()
        lost = 0
        for name in self._folders:
            path = self._path(name)
            yield from folders.above(path, 0)
            if folders.add(path):
                yield self._timed(Named(path=path, kind=Kind.DIRECTORY, address=0, readable=False), name)
        for name, stream in self._files.items():
            path, head = self._path(name), self._heads[name]
            yield from folders.above(path, 0)
            size = head.size if head is not None and not stream else number(self._table[name], "size")
            lost += head is None and size > 0
            made = Named(path=path, kind=Kind.FILE, address=head.place if head is not None else 0, size=size, readable=head is not None)
            made.attribute = _STREAM if stream else None
            yield self._timed(made, name)
        if lost:
            yield Fault(Severity.ERROR, f"{lost} files of the image are kept in a way that is not read, or are missing in it")
        self.checked = len(self._members) >= self._zip.count and not lost
        streams = {_segment(name, None)[:-1] for name, stream in self._files.items() if stream}
        for text, one in self._members.items():
            if one.place in self._at or text in _OWN or text.partition("/")[0] in streams or text.endswith("/"):
                continue
            path = split_path(name_of(one))
            yield from folders.above(path, 0)
            yield Named(path=path, kind=Kind.FILE, address=one.place, size=one.size, time_basis=TimeBasis.UNKNOWN)

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return a file's bytes by the place of its header in the archive's list."""
        name = self._at.get(address)
        if name is None:
            return self._zip.open(address)
        if self._files[name]:
            try:
                stream = Stream(self._volume, name)
            except Aff4Error as error:
                raise OSError(str(error)) from error
            return self._held_against(stream.read_at, name, stream.size)
        head = self._heads[name]
        return self._held_against(self._zip.open(address), name, head.size if head is not None else 0)

    def _path(self, name: str) -> tuple[bytes, ...]:
        facts = self._table[name]
        return split_path((first(facts, "originalFileName", "pathName", "fileName") or name).encode("utf-8", "surrogatepass"))

    def _head(self, name: str) -> Central | None:
        """Return the member whose bytes a file's are, whose name is the file's without that of the container; of a stream the first."""
        if self._files[name]:
            return self._members.get(_segment(name, 0))
        home = first(self._table[name], "stored")
        inner = name.removeprefix(home).removeprefix("/") if home else name
        for text in (inner, urllib.parse.unquote(inner), urllib.parse.quote(inner), urllib.parse.quote(name, safe="")):
            if text in self._members:
                return self._members[text]
        return None

    def _timed(self, made: Named, name: str) -> Named:
        times = {to: _time(first(self._table[name], of)) for of, to in _TIMES.items()}
        for to, value in times.items():
            setattr(made, to, value)
        made.time_basis = TimeBasis.UTC if any(value is not None for value in times.values()) else TimeBasis.UNKNOWN
        return made

    def _held_against(self, read_at: ReadAt, name: str, size: int) -> ReadAt:
        facts = self._table[name]
        for kind in _DIGESTS:
            if digest := first(facts, f"hash:{kind}").lower():
                return Digested(read_at, size, kind.lower(), digest)
        return read_at


class Digested:
    """A file's bytes, held against its digest when read in order: the last read of such a pass fails where they differ."""

    def __init__(self, read_at: ReadAt, size: int, kind: str, digest: str) -> None:
        self._read_at, self._size, self._kind, self._stated = read_at, size, kind, digest
        self._at, self._sum = 0, hashlib.new(kind, usedforsecurity=False)

    def __call__(self, offset: int, length: int) -> bytes:
        """Return the bytes."""
        data = self._read_at(offset, length)
        if offset == 0:
            self._at, self._sum = 0, hashlib.new(self._kind, usedforsecurity=False)
        if offset == self._at and data:
            self._sum.update(data)
            self._at += len(data)
            if self._at == self._size and self._sum.hexdigest() != self._stated:
                raise OSError(f"its {self._kind.upper()} is not the one that the image has of it")
        return data


def _segment(name: str, which: int | None) -> str:
    """Return the name of a stream's segment in the archive, or how those of all begin."""
    return f"{urllib.parse.quote(name, safe='')}/{'' if which is None else f'{which:08d}'}"


def _time(text: str) -> int | None:
    """Return nanoseconds since 1970 of a time with its distance from UTC (xsd:dateTime); ``None`` for none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000 if when.tzinfo is not None else None
