"""Self-checks: what a walk listed, held against what the file system says of itself. One file a kind of file system.

TSK lists what it can follow and is silent about the rest: of 300 damaged images of one kind, names were missing without any error in up
to a quarter. Every file system keeps the same facts in more than one place (copies of its superblock, counts of files, bitmaps of
what is in use, checksums); where two places differ, names may be missing, and that is said.

A check yields a :class:`Fault` for what differs, a :class:`Missed` or :class:`Found` for each entry that is in use and that the walk
did not list: the walk then lists it. On a sound file system, also one that was not unmounted cleanly as far as its format lets that be
told, it yields nothing.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from triage.evidence.layers import extent_of
from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.listed import Listed
    from triage.model import Severity, Volume

_CHECKS = {  # the name that triage.filesystem.volumes.file_system_name gives → module here
    "ext2": "ext",
    "ext3": "ext",
    "ext4": "ext",
    "FAT12": "fat",
    "FAT16": "fat",
    "FAT32": "fat",
    "exFAT": "exfat",
    "NTFS": "ntfs",
    "HFS+": "hfs",
    "ISO 9660": "iso9660",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Two places that should agree and do not. The message says what an examiner must know: what may be missing or wrong."""

    severity: Severity
    message: str
    path: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """An entry in use that the walk did not list, by TSK's metadata address.

    ``name`` and ``folder`` (the metadata address of the directory that holds it) where they are known. ``otherwise`` is listed in its
    stead when TSK cannot open the address.
    """

    address: int
    name: bytes = b""
    folder: int | None = None
    otherwise: Found | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An entry in use that the walk did not list and that TSK cannot open: it is listed by its place on the medium.

    ``path`` holds the names from below the root, ``runs`` ``(byte offset relative to the volume, length)``; none for a size above 0
    means that the bytes cannot be named. ``crtime`` is in the basis of the file system's other times.
    """

    path: tuple[bytes, ...]
    size: int = 0
    runs: tuple[tuple[int, int], ...] = ()
    directory: bool = False
    crtime: int | None = None


class VolumeReader:
    """The bytes of one volume. Offsets are relative to it."""

    def __init__(self, medium: Medium, volume: Volume, beat: Callable[[], None]) -> None:
        self.volume = volume
        self.size = max(0, min(volume.size, extent_of(medium) - volume.offset))
        self.unreadable = 0
        self._medium = medium
        self._beat = beat

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes, fewer at the volume's end and none past it; zeros for what the container cannot give.

        ``unreadable`` counts the zeros. At most 16 MiB at once: whoever wants more asks in pieces, so that the watchdog sees that
        something moves. Raises ``ValueError`` for a negative or larger request: such numbers come from damaged metadata.
        """
        if offset < 0 or not 0 <= length <= 16 << 20:
            raise ValueError(f"{length} bytes at {offset} cannot be asked for")
        self._beat()
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        at = self.volume.offset + offset
        try:
            return self._medium.read_at(at, length)
        except DamagedRangeError:
            return b"".join(self._sector(at + skip, min(512, length - skip)) for skip in range(0, length, 512))

    def _sector(self, at: int, length: int) -> bytes:
        try:
            return self._medium.read_at(at, length)
        except DamagedRangeError:
            self.unreadable += length
            return bytes(length)


class Check(Protocol):
    """The function ``check`` of each module here."""

    def __call__(self, reader: VolumeReader, listed: Listed) -> Iterator[Fault | Missed | Found]:
        """Yield what differs and what was missed."""


def check_for(file_system: str) -> Check | None:
    """Return the check of a kind of file system, ``None`` where there is none."""
    module = _CHECKS.get(file_system)
    if module is None:
        return None
    check: Check = importlib.import_module(f"{__name__}.{module}").check
    return check
