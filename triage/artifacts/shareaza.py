"""Shareaza's library (``Library1.dat``, ``Library2.dat``): every folder and file that the program knew, shared or not.

Layout (Shareaza's sources: ``Library.cpp``, ``LibraryMaps.cpp``, ``LibraryFolders.cpp``, ``SharedFolder.cpp``, ``SharedFile.cpp``,
``AlbumFolder.cpp``, ``LibraryHistory.cpp``, up to version 29 of the file): when it was written (FILETIME), version, then values of an MFC
archive: sizes of tables, folders with their files, albums, files that were added last, and the "ghosts" of files that were deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from triage.artifacts.mfc import MfcArchive
from triage.artifacts.structure import StructureError

NEWEST = 29
_DEEPEST_FOLDERS, _DEEPEST_XML, _DEEPEST_ALBUMS = 64, 32, 64
_KEPT_FACTS, _KEPT_SOURCES = 40, 20
_UNSAID, _NOT, _YES = 0, 1, 2


@dataclass(slots=True)
class LibraryFile:
    """A file. ``time``, ``noted``: FILETIME of its change and of its metadata; ``shared``: whether others were offered it."""

    name: str
    folder: str
    start: int
    end: int = 0
    index: int = 0
    size: int = 0
    time: int = 0
    shared: bool = True
    deleted: bool = False
    hashes: dict[str, str] = field(default_factory=dict)
    schema: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    rating: int = 0
    comments: str = ""
    tags: str = ""
    hits: int = 0
    uploads: int = 0
    bogus: bool = False
    sources: list[tuple[str, int]] = field(default_factory=list)
    added: int = 0


@dataclass(slots=True)
class LibraryFolder:
    """A folder. ``shared``: whether what is in it was offered, where a file does not say otherwise."""

    path: str
    shared: bool
    top: bool
    start: int
    end: int


@dataclass(slots=True)
class Library:
    """What was read. ``written``: FILETIME; ``seeded``: name, path, info hash and Unix time of the torrent that was last offered."""

    version: int
    written: int
    folders: list[LibraryFolder] = field(default_factory=list)
    files: list[LibraryFile] = field(default_factory=list)
    seeded: tuple[str, str, str, int] | None = None
    why: str = ""
    """Why not all of it was read; "" if it was."""


def read_xml(archive: MfcArchive, depth: int = 0) -> dict[str, str]:
    """Return the attributes of an element of metadata and of those in it, by name (``CXMLElement``)."""
    if depth > _DEEPEST_XML:
        raise StructureError("its metadata are nested deeper than is read")
    archive.text()
    archive.text()
    found: dict[str, str] = {}
    for _ in range(archive.count()):
        name, value = archive.text(), archive.text()
        if len(found) < _KEPT_FACTS and value and ":" not in name:
            found.setdefault(name.lower()[:100], value[:1000])
    for _ in range(archive.count()):
        inner = read_xml(archive, depth + 1)
        for name, value in inner.items():
            if len(found) < _KEPT_FACTS:
                found.setdefault(name, value)
    return found


def read_library(data: bytes) -> Library:
    """Return a library. Raises :class:`StructureError` for what is none; what breaks off gives what came before, and ``why``."""
    archive = MfcArchive(data)
    written, version = archive.number(8), archive.number(4)
    if not 1 <= version <= NEWEST:
        raise StructureError(f"a version of Shareaza's library that is not read ({version})")
    reader = _Reader(archive, Library(version, written))
    try:
        reader.read()
    except StructureError as error:
        reader.library.why = f"{error} (at byte {archive.at:,}, behind {len(reader.library.files):,} files)"
    return reader.library


class _Reader:
    def __init__(self, archive: MfcArchive, library: Library) -> None:
        self.archive = archive
        self.library = library
        self.version = library.version

    def read(self) -> None:
        archive, version = self.archive, self.version
        # How many words, names and paths there were: for tables' sizes only.
        archive.skip(4 * (1 + (version >= 29) + 3 * (version >= 28)))
        for _ in range(archive.count()):
            self._folder(shared=True, depth=0)
        if version >= 6:
            self._album(0)
        if version >= 7:
            self._history()
        if version >= 18:
            for _ in range(archive.count()):
                self._file("", shared=True).deleted = True

    def _three(self) -> int:
        """Return what is one of unsaid, no and yes."""
        if self.version >= 5:
            value = self.archive.number(4)
            if value > _YES:
                raise StructureError("a mark that is neither yes, no nor unsaid")
            return value
        return _UNSAID if self.archive.number(1) else _NOT

    def _folder(self, *, shared: bool, depth: int) -> None:
        if depth > _DEEPEST_FOLDERS:
            raise StructureError("folders are nested deeper than is read")
        archive, start = self.archive, self.archive.at
        path = archive.text()
        said = self._three()
        shared = said == _YES if said else shared
        if self.version >= 3:
            archive.skip(4)
        self.library.folders.append(LibraryFolder(path, shared, depth == 0, start, archive.at))
        for _ in range(archive.count()):
            self._folder(shared=shared, depth=depth + 1)
        for _ in range(archive.count()):
            self._file(path, shared=shared)

    def _file(self, folder: str, *, shared: bool) -> LibraryFile:
        archive, version = self.archive, self.version
        start = archive.at
        file = LibraryFile(archive.text(), folder, start)
        file.index = archive.number(4)
        file.size = archive.number(8 if version >= 17 else 4)
        file.time = archive.number(8)
        said = self._three()
        file.shared = said == _YES if said else shared
        if version >= 21 and archive.number(8) > 0:
            archive.skip(8)
        for name, length, since in (("sha1", 20, 1), ("tth", 24, 8), ("md5", 16, 11), ("ed2k", 16, 11), ("btih", 20, 26)):
            if version >= since and (raw := archive.flagged(length)):
                file.hashes[name] = raw.hex()
        if version >= 4:
            archive.skip(4)
        self._metadata(file)
        file.hits, file.uploads = archive.number(4), archive.number(4)
        archive.skip(4 * (version >= 14))
        file.bogus = version >= 20 and archive.number(4) != 0
        if version >= 2:
            for _ in range(archive.count()):
                source = archive.text(), archive.number(8 if version >= 10 else 4)
                if len(file.sources) < _KEPT_SOURCES:
                    file.sources.append(source if version >= 10 else (source[0], 0))
        file.end = archive.at
        self.library.files.append(file)
        return file

    def _metadata(self, file: LibraryFile) -> None:
        archive, version = self.archive, self.version
        automatic = True
        file.schema = archive.text()
        if file.schema:
            if version < 27:
                automatic = archive.number(4) != 0
                archive.skip(0 if automatic else 8)
            file.facts = read_xml(archive)
        if version >= 13:
            file.rating = archive.number(4)
            file.comments = archive.text()
            file.tags = archive.text() if version >= 16 else ""
            if version >= 27:
                archive.skip(12)
            elif automatic and (file.rating or file.comments):
                archive.skip(8)

    def _album(self, depth: int) -> None:
        """Pass over an album: it repeats files by number."""
        if depth > _DEEPEST_ALBUMS:
            raise StructureError("albums are nested deeper than is read")
        archive, version = self.archive, self.version
        archive.text()
        if archive.count():
            read_xml(archive)
        if version >= 19:
            archive.flagged(20)
        if version >= 24:
            archive.flagged(16)
        archive.text()
        archive.skip(8)
        if version >= 9:
            archive.text()
        for _ in range(archive.count()):
            self._album(depth + 1)
        archive.skip(4 * archive.count())

    def _history(self) -> None:
        archive = self.archive
        by_index = {file.index: file for file in self.library.files}
        for _ in range(archive.count()):
            added, index = archive.number(8), archive.number(4)
            if index in by_index:
                by_index[index].added = added
        if self.version > 22 and (path := archive.text()):
            name, time = archive.text(), archive.number(4)
            self.library.seeded = (name, path, archive.take(20).hex(), time)
