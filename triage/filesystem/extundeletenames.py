"""Names of deleted ext files out of the journal: copies of directories' blocks say what was called what, and in which folder.

Since Linux 5.13 the kernel wipes a name as it deletes it; before, it stayed behind in its block until another was written over it. A name
counts for an inode only in copies from the time when that was the file's: see :class:`~triage.filesystem.extundelete.Deleted`.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Linear (Classic) Directories".
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.escape import show_name
from triage.filesystem.checks.extinodes import DIRECTORY
from triage.filesystem.extdir import read_chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from triage.filesystem.extjournal import Journal
    from triage.filesystem.extlayout import ExtLayout, Groups
    from triage.filesystem.extundelete import Deleted
    from triage.filesystem.listed import Folder

MAX_SIGHTINGS = 1 << 20
"""Names in copies of directories that are kept, the newest of each block first."""
_MAX_DEPTH = 256
ORPHANS = "$OrphanFiles"
"""The folder of what no name leads to, as Sleuth Kit calls it."""


class _Sighting(NamedTuple):
    """A name in a copy of a directory's block; ``folder`` is the directory's inode where the block says it."""

    age: int
    block: int
    name: bytes
    folder: int


class Where(NamedTuple):
    """A name and the folder that it stood in, as raw and as shown path."""

    name: bytes
    raw: bytes
    shown: str


class JournalNames:
    """Gives deleted files their names. ``full``: there were more than are kept."""

    def __init__(self, layout: ExtLayout, groups: Groups, journal: Journal, deleted: list[Deleted], tables: Iterable[int]) -> None:
        self._layout = layout
        self._journal = journal
        self._seen: dict[int, list[_Sighting]] = {}
        self._by_address: dict[int, list[Deleted]] = {}
        self._by_block: dict[int, list[Deleted]] = {}
        for one in deleted:
            if one.kind == DIRECTORY:
                self._by_address.setdefault(one.address, []).append(one)
                for block in self._blocks(one):
                    self._by_block.setdefault(block, []).append(one)
        self._live: list[tuple[int, int, int]] = []
        self.full = False
        other = np.setdiff1d(journal.blocks, np.concatenate((groups.block_bitmap, groups.inode_bitmap, np.array([*tables], np.int64))))
        if deleted:
            self._look(other.tolist(), np.array(sorted({one.address for one in deleted}), np.uint32))

    def _blocks(self, one: Deleted) -> Iterator[int]:
        """Yield those blocks of a deleted directory that there are copies of."""
        blocks, size = self._journal.blocks, self._layout.block
        for start, length in one.runs:
            if start is not None:
                low, high = (int(n) for n in np.searchsorted(blocks, (start // size, (start + length - 1) // size + 1)))
                yield from blocks[low:high].tolist()

    def _look(self, blocks: list[int], wanted: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> None:
        kept = 0
        size = self._layout.block
        for block in blocks:
            for copy in self._journal.copies(block):
                data = self._journal.read(copy, checked=False)
                if len(data) < size or not self._plausible(data):
                    continue
                words = np.frombuffer(data, "<u4")
                at = np.minimum(np.searchsorted(wanted, words), len(wanted) - 1)
                if not (wanted[at] == words).any():
                    continue
                chain, end = read_chain(data)
                if end != size or not self._journal.read(copy):
                    continue
                first = chain[0]
                folder = first.inode if data[first.offset + 8 : first.offset + 8 + first.name_length] == b"." else 0
                for offset, inode, _, length, _ in chain:
                    name = data[offset + 8 : offset + 8 + length]
                    place = int(np.searchsorted(wanted, inode))
                    if place >= len(wanted) or wanted[place] != inode or not _can_be(name):
                        continue
                    if kept >= MAX_SIGHTINGS:
                        self.full = True
                        return
                    kept += 1
                    self._seen.setdefault(inode, []).append(_Sighting(copy.age, block, name, folder))

    def _plausible(self, data: bytes) -> bool:
        """Whether a block begins like one of a directory; cheap."""
        inode, length, letters = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:6], "little"), data[6]
        return inode <= self._layout.inodes and length % 4 == 0 and 8 + letters <= max(length, 12) and data[7] & 0x0F <= 7

    def live(self, runs: Iterable[tuple[int, int]], address: int) -> None:
        """Take note of where a directory lies that exists: ``(first block, blocks)``."""
        self._live.extend((start, start + count, address) for start, count in runs)

    def where(self, one: Deleted, folders: Mapping[int, Folder], root: str) -> Where | None:
        """Return a deleted file's name and folder, ``None`` where the journal has none. ``root`` is what the volume is called."""
        self._live.sort()
        return self._where(one, folders, root, set())

    def _where(self, one: Deleted, folders: Mapping[int, Folder], root: str, under: set[tuple[int, int]]) -> Where | None:
        mine = [seen for seen in self._seen.get(one.address, ()) if one.after < seen.age < one.before]
        if not mine or len(under) >= _MAX_DEPTH or (one.address, one.generation) in under:
            return None
        newest = max(mine, key=lambda seen: seen.age)
        above = self._folder(newest)
        if isinstance(above, int):
            folder = folders.get(above)
            shown = folder.path if folder is not None else f"{root}/{ORPHANS}"
            return Where(newest.name, shown.encode(), shown)
        place = self._where(above, folders, root, under | {(one.address, one.generation)})
        if place is not None:
            return Where(newest.name, place.raw + b"/" + place.name, f"{place.shown}/{show_name(place.name)[0]}")
        shown = f"{root}/{ORPHANS}/OrphanFile-{above.address}"
        return Where(newest.name, shown.encode(), shown)

    def _folder(self, seen: _Sighting) -> Deleted | int:
        """Return the directory that a block was of at that time: a deleted one, or the inode of one that exists; 0 for none known."""
        for one in self._by_address.get(seen.folder, ()) if seen.folder else self._by_block.get(seen.block, ()):
            if one.after < seen.age < one.before:
                return one
        if seen.folder:
            return seen.folder
        at = bisect_right(self._live, (seen.block, 1 << 62, 0)) - 1
        return self._live[at][2] if at >= 0 and seen.block < self._live[at][1] else 0


def _can_be(name: bytes) -> bool:
    return bool(name) and name not in (b".", b"..") and b"/" not in name and b"\0" not in name
