"""Directories of FAT and exFAT, walked from one to those in it: what both kinds have in common, and what either may have wrong."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from triage.filesystem.checks import Fault, Found
from triage.filesystem.checks.owners import Owners, Seen
from triage.filesystem.listed import Folder
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from triage.filesystem.checks import Missed, VolumeReader
    from triage.filesystem.checks.faults import Faults
    from triage.filesystem.dostime import Stamp
    from triage.filesystem.listed import Listed

MAX_BYTES = 256 << 20
"""Bytes of directories that are read on one volume: 8 million slots."""
MAX_DEPTH = 1024
ROOT_ADDRESS = 2
"""TSK's metadata address of the root directory."""
_PIECE = 1 << 20


class Place(Protocol):
    """A directory to read."""

    @property
    def cluster(self) -> int:
        """Its first cluster, 0 for what lies in none."""


P = TypeVar("P", bound=Place)


class ChainTree(ABC, Generic[P]):
    """Walks the directories, each once. ``owners`` collects who has which clusters."""

    def __init__(self, reader: VolumeReader, listed: Listed, faults: Faults) -> None:
        self.owners = Owners(reader.volume.name)
        self._reader = reader
        self._faults = faults
        self._listed = listed
        self._seen = Seen(listed)
        self._walked: set[int] = set()
        self._bytes = 0

    def _descend(self, top: P) -> Iterator[Fault | Missed | Found]:
        stack = [top]
        while stack:
            place = stack.pop()
            if place.cluster in self._walked:
                continue
            self._walked.add(place.cluster)
            if self._bytes >= MAX_BYTES:
                message = f"the directories hold more than {MAX_BYTES} bytes: whether names are missing was not checked in the rest"
                yield Fault(Severity.ERROR, message)
                return
            below: list[P] = []
            yield from self._directory(place, below)
            stack.extend(reversed(below))

    @abstractmethod
    def _directory(self, place: P, below: list[P]) -> Iterator[Fault | Missed | Found]:
        """Read one directory; put into ``below`` those in it."""

    def _read(self, runs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes of ``(offset, length)`` runs in pieces with where they lie, until :data:`MAX_BYTES` are read."""
        for offset, length in runs:
            for skip in range(0, length, _PIECE):
                if self._bytes >= MAX_BYTES:
                    return
                data = self._reader.read(offset + skip, min(_PIECE, length - skip))
                self._bytes += len(data)
                yield offset + skip, data

    def _tell_behind(self, behind: int, path: str) -> Iterator[Fault]:
        if behind:
            message = f"{behind} names stand behind the end of this directory: what stood before them was overwritten, or they are old"
            yield from self._faults.tell(Severity.ERROR, "directories with names behind their end", message, path)

    def _tell_unreadable(self, unreadable: int, path: str) -> Iterator[Fault]:
        if unreadable:
            message = f"{unreadable} places of this directory hold what is no entry: names are missing, or it is no directory"
            yield from self._faults.tell(Severity.ERROR, "directories with unreadable entries", message, path)

    def _check_times(self, stamps: Mapping[str, Stamp], path: str) -> Iterator[Fault]:
        for field, stamp in stamps.items():
            if stamp.wrong:
                message = f"the {field} field holds no time that a calendar has ({stamp.shown}): none is given"
                yield from self._faults.tell(Severity.WARNING, "times that no calendar has", message, path)

    def _folder(self, path: tuple[bytes, ...], address: int, above: int | None) -> Found:
        """Give back a directory that was not listed. What it holds can be opened: it is listed below this path."""
        self._listed.folders.setdefault(address, Folder(self.owners.shown(path), above))
        return Found(path, directory=True)
