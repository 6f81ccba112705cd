"""The files of a folder as a tree: an extraction that a tool has written as files, or anything that was copied."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from triage.filesystem.trees.tree import Fault, Named
from triage.model import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.folder import FolderFile, FolderMedium
    from triage.filesystem.trees.tree import ReadAt


class FolderTree:
    """What lies in a folder. A name's address is its number in the order of paths, from 1 on."""

    def __init__(self, medium: FolderMedium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        self.label = ""
        self.block_size = 1
        self.checked = True
        self._medium = medium
        self._beat = beat

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name with the times and the owner that the examiner's disk has of it."""
        for number, one in enumerate(self._medium.files, 1):
            yield named(one, number, one.path)

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return a file's bytes by its number."""
        if not 0 < address <= len(self._medium.files):
            raise OSError("there is no file of this number in the folder")
        return reader(self._medium, self._medium.files[address - 1])


def named(one: FolderFile, number: int, path: tuple[bytes, ...]) -> Named:
    """Return a file of a folder under a path."""
    info = one.info
    mode = info.st_mode
    kind = Kind.SPECIAL
    for is_kind, what in ((stat.S_ISREG, Kind.FILE), (stat.S_ISDIR, Kind.DIRECTORY), (stat.S_ISLNK, Kind.LINK)):
        if is_kind(mode):
            kind = what
    return Named(
        path=path, kind=kind, address=number, size=one.size, mtime=info.st_mtime_ns, atime=info.st_atime_ns, ctime=info.st_ctime_ns,
        mode=mode, uid=info.st_uid, gid=info.st_gid, nlink=info.st_nlink, link_target=one.target,
        runs=((one.offset, one.size),) if one.size else (), readable=kind is Kind.FILE,
    )  # fmt: skip


def reader(medium: FolderMedium, one: FolderFile) -> ReadAt:
    """Return ``read_at`` over a file's bytes."""
    return lambda offset, length: medium.read_at(one.offset + offset, max(0, min(length, one.size - offset)))
