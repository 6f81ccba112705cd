"""What a walk listed: what the self-checks of :mod:`triage.filesystem.checks` hold against the file system's own books."""

from __future__ import annotations

import zlib
from array import array
from dataclasses import dataclass, field

from triage.filesystem.ownership import Ownership
from triage.model import Entry, Kind


@dataclass(slots=True)
class Folder:
    """A directory that was opened: ``names`` counts its allocated names, ``folders`` those of them that are directories."""

    path: str
    parent: int | None
    names: int = 0
    folders: int = 0


@dataclass(slots=True)
class Listed:
    """The allocated names of one volume, by metadata address as TSK numbers it.

    ``addresses`` has one element a name (streams left out), and so has ``digests``: see :func:`name_digest`; ``links`` the stored number
    of links and ``names`` the number of names seen, of what is not a directory and says that it has another number than one. ``paths``
    is kept only for file systems whose check goes by path: each path with where its first run begins on the medium, and the size.
    ``unopened`` are the addresses of names whose metadata TSK could not open. ``free`` is set by a check that reads the file system's
    own books: bytes that they call free.
    """

    addresses: array[int] = field(default_factory=lambda: array("Q"))
    digests: array[int] = field(default_factory=lambda: array("I"))
    links: dict[int, int] = field(default_factory=dict)
    names: dict[int, int] = field(default_factory=dict)
    folders: dict[int, Folder] = field(default_factory=dict)
    ownership: Ownership = field(default_factory=Ownership)
    paths: dict[str, tuple[int | None, int]] | None = None
    unopened: set[int] = field(default_factory=set)
    free: int | None = None

    def note(self, entry: Entry, folder: int) -> None:
        """Take note of a name in the directory ``folder``; of a deleted one or a stream none is taken."""
        address = entry.meta_addr
        if address is None or not entry.name_allocated or entry.kind is Kind.STREAM:
            return
        self.addresses.append(address)
        self.digests.append(name_digest(entry.name_raw if entry.name_raw is not None else entry.name.encode(), folder))
        if entry.locator is None and entry.nlink is None:
            self.unopened.add(address)
        if self.paths is not None:
            self.paths[entry.path] = (entry.runs[0].image_offset if entry.runs else None, entry.size)
        here = self.folders.get(folder)
        if here is not None:
            here.names += 1
        if entry.kind is Kind.DIRECTORY:
            if here is not None:
                here.folders += 1
        elif entry.nlink is not None and entry.nlink != 1:
            self.links[address] = entry.nlink
            self.names[address] = self.names.get(address, 0) + 1


def name_digest(name: bytes, folder: int) -> int:
    """Return 32 bits by which a name in a folder can be told from another one."""
    return zlib.crc32(name, folder & 0xFFFFFFFF)
