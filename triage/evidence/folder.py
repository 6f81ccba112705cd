"""A folder of the examiner's disk as a medium: the bytes of its files one behind the other, in the order of their paths.

So whatever reads media reads folders: a file's bytes are a stretch of that string. Links are listed and never followed, pipes and devices
never opened.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from triage.errors import EvidenceError
from triage.evidence.medium import DamagedRangeError, open_read_only, pread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOST_FILES = 5_000_000
_OPEN_FILES = 64


class FolderFile(NamedTuple):
    """What lies in a folder. ``path``: the names from the folder on; ``offset``: where a file's bytes begin in the string of all."""

    path: tuple[bytes, ...]
    info: os.stat_result
    target: bytes | None
    offset: int

    @property
    def size(self) -> int:
        """Bytes of a file; 0 of anything else."""
        return self.info.st_size if stat.S_ISREG(self.info.st_mode) else 0


def list_folder(folder: Path, beat: Callable[[], None] = lambda: None) -> list[FolderFile]:
    """Return all that lies in a folder and below, sorted by path; raise ``EvidenceError`` when a part of it cannot be listed."""
    found: list[FolderFile] = []
    root = os.fsencode(folder)
    stack: list[tuple[bytes, ...]] = [()]
    while stack:
        here = stack.pop()
        try:
            with os.scandir(os.path.join(root, *here)) as entries:  # noqa: PTH118 - names are bytes
                for entry in entries:
                    info = entry.stat(follow_symlinks=False)
                    path = (*here, entry.name)
                    target = os.readlink(entry.path) if stat.S_ISLNK(info.st_mode) else None  # noqa: PTH115 - names are bytes
                    found.append(FolderFile(path, info, target, 0))
                    if stat.S_ISDIR(info.st_mode):
                        stack.append(path)
        except OSError as error:
            shown = os.fsdecode(os.path.join(root, *here))  # noqa: PTH118
            raise EvidenceError(f"{shown} cannot be listed: {error.strerror or error}", hint="check its permissions") from error
        beat()
        if len(found) > MOST_FILES:
            raise EvidenceError(f"{folder} holds more than {MOST_FILES:,} files", hint="give its parts one by one")
    found.sort(key=lambda one: one.path)
    offset = 0
    for number, one in enumerate(found):
        found[number] = one._replace(offset=offset)
        offset += one.size
    return found


class FolderMedium:
    """The files of a folder as one string of bytes. ``files``: all that lies in it."""

    def __init__(self, folder: Path, beat: Callable[[], None] = lambda: None) -> None:
        self.sector_size = 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self.folder = folder
        self.files = list_folder(folder, beat)
        self._regular = [one for one in self.files if one.size]
        self._starts = [one.offset for one in self._regular]
        self.size = self._regular[-1].offset + self._regular[-1].size if self._regular else 0
        self._open: OrderedDict[int, int] = OrderedDict()

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        pieces = []
        number = bisect_right(self._starts, offset) - 1
        while length > 0 and number < len(self._regular):
            one = self._regular[number]
            take = min(length, one.offset + one.size - offset)
            piece = self._read(number, offset - one.offset, take, offset)
            pieces.append(piece)
            offset, length, number = offset + take, length - take, number + 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, number: int, start: int, length: int, offset: int) -> bytes:
        try:
            piece = pread(self._descriptor(number), length, start)
        except OSError as error:
            raise self._damage(offset, length, error.strerror or str(error)) from error
        if len(piece) < length:
            raise self._damage(offset + len(piece), length - len(piece), "the file became shorter while it was read")
        return piece

    def _damage(self, offset: int, length: int, reason: str) -> DamagedRangeError:
        self.damaged[offset] = (length, reason)
        return DamagedRangeError(offset, length, reason)

    def _descriptor(self, number: int) -> int:
        found = self._open.pop(number, None)
        if found is None:
            if len(self._open) >= _OPEN_FILES:
                os.close(self._open.popitem(last=False)[1])
            found = open_read_only(self.folder.joinpath(*map(os.fsdecode, self._regular[number].path)))
        self._open[number] = found
        return found

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
