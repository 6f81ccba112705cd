"""Names of deleted ext files out of the journal: copies of directories' blocks say what was called what, and in which folder.

Since Linux 5.13 the kernel wipes a name as it deletes it; before, it stayed behind in its block until another was written over it. A name
counts for an inode only in copies from the time when that was the file's: see :class:`~triage.filesystem.extundelete.Deleted`.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Linear (Classic) Directories".
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.escape import show_name
from triage.filesystem.checks.extinodes import DIRECTORY
from triage.filesystem.extdir import read_chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from triage.filesystem.extjournal import Copy, Journal
    from triage.filesystem.extlayout import ExtLayout, Groups
    from triage.filesystem.extundelete import Deleted
    from triage.filesystem.listed import Folder

    _Words = np.ndarray[tuple[int], np.dtype[np.uint32]]

MAX_SIGHTINGS, MAX_NAMES = 1 << 20, 256
"""Names in copies of directories that are kept, and those of one inode; the newest of each block first."""
MAX_PARSED = 256 << 20
"""Bytes of copies of directories that are gone through."""
_MAX_DEPTH = 256
_LOWER = np.uint32((1 << 20) - 1)
ORPHANS = "$OrphanFiles"
"""The folder of what no name leads to, as Sleuth Kit calls it."""


@dataclass(slots=True)
class _Sighting:
    """A name in copies of a directory's block, from the age ``first`` to that of the copy ``last``.

    ``folder`` is the directory's inode where the block says it.
    """

    last: Copy
    first: int
    block: int
    name: bytes
    folder: int

    def within(self, one: Deleted) -> int | None:
        """Return when it was seen last while the inode was a deleted file's, ``None`` if it was not."""
        age = min(self.last.age, one.before - 1)
        return age if age > one.after and age >= self.first else None


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
        self._checked: dict[int, bool] = {}
        self._kept = self._parsed = 0
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

    def _look(self, blocks: list[int], wanted: _Words) -> None:
        likely = np.zeros(1 << 20, dtype=bool)  # by their lower bits: one look-up a word leaves few to be looked for
        likely[wanted & _LOWER] = True
        for block in blocks:
            known: dict[int, _Sighting | None] = {}
            for copy in self._journal.copies(block):
                data = self._journal.read(copy, checked=False)
                if len(data) < self._layout.block or not self._plausible(data):
                    continue
                words = np.frombuffer(data, "<u4")
                at = np.flatnonzero(likely[words & _LOWER])
                at = at[_among(words[at], wanted)]
                new: dict[int, int] = {}
                for mark, place in zip(_marks(words, at), at.tolist(), strict=True):  # older copies mostly hold what newer ones do
                    if mark not in known:
                        new[place * 4] = mark
                    elif (sighting := known[mark]) is not None:
                        sighting.first = copy.age
                if new and not self._take(copy, block, data, new, known):
                    return

    def _take(self, copy: Copy, block: int, data: bytes, new: dict[int, int], known: dict[int, _Sighting | None]) -> bool:
        """Keep those names in a copy that are new, by their offsets; return whether there is room for more."""
        self._parsed += len(data)
        if self._parsed > MAX_PARSED:
            self.full = True
            return False
        chain, end = read_chain(data)
        if end != len(data):
            return True
        first = chain[0]
        folder = first.inode if data[first.offset + 8 : first.offset + 8 + first.name_length] == b"." else 0
        known.update(dict.fromkeys(new.values()))
        for offset, inode, _, length, _ in chain:
            name = data[offset + 8 : offset + 8 + length]
            if offset not in new or not _can_be(name):
                continue
            if self._kept >= MAX_SIGHTINGS:
                self.full = True
                return False
            names = self._seen.setdefault(inode, [])
            if len(names) >= MAX_NAMES:
                self.full = True
                continue
            self._kept += 1
            known[new[offset]] = sighting = _Sighting(copy, copy.age, block, name, folder)
            names.append(sighting)
        return True

    def _sound(self, copy: Copy) -> bool:
        """Whether a copy is what was written, by its checksum."""
        if copy.row not in self._checked:
            self._checked[copy.row] = bool(self._journal.read(copy))
        return self._checked[copy.row]

    def _plausible(self, data: bytes) -> bool:
        """Whether a block begins like one of a directory; cheap."""
        inode, length, letters = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:6], "little"), data[6]
        return inode <= self._layout.inodes and length % 4 == 0 and 8 + letters <= max(length, 12) and data[7] & 0x0F <= 7

    def live(self, runs: Iterable[tuple[int, int, int]]) -> None:
        """Take note of where directories lie that exist: ``(first block, blocks, inode)``."""
        self._live = sorted((start, start + count, address) for start, count, address in runs)

    def where(self, one: Deleted, folders: Mapping[int, Folder], root: str) -> Where | None:
        """Return a deleted file's name and folder, ``None`` where the journal has none. ``root`` is what the volume is called."""
        return self._where(one, folders, root, set())

    def _where(self, one: Deleted, folders: Mapping[int, Folder], root: str, under: set[tuple[int, int]]) -> Where | None:
        if len(under) >= _MAX_DEPTH or (one.address, one.generation) in under:
            return None
        mine = [(age, seen) for seen in self._seen.get(one.address, ()) if (age := seen.within(one)) is not None]
        mine.sort(key=lambda each: -each[0])
        newest = next(((age, seen) for age, seen in mine if self._sound(seen.last)), None)
        if newest is None:
            return None
        age, seen = newest
        above = self._folder(seen, age)
        if isinstance(above, int):
            folder = folders.get(above)
            shown = folder.path if folder is not None else f"{root}/{ORPHANS}"
            return Where(seen.name, shown.encode(), shown)
        place = self._where(above, folders, root, under | {(one.address, one.generation)})
        if place is not None:
            return Where(seen.name, place.raw + b"/" + place.name, f"{place.shown}/{show_name(place.name)[0]}")
        shown = f"{root}/{ORPHANS}/OrphanFile-{above.address}"
        return Where(seen.name, shown.encode(), shown)

    def _folder(self, seen: _Sighting, age: int) -> Deleted | int:
        """Return the directory that a block was of at that time: a deleted one, or the inode of one that exists; 0 for none known."""
        for one in self._by_address.get(seen.folder, ()) if seen.folder else self._by_block.get(seen.block, ()):
            if one.after < age < one.before:
                return one
        if seen.folder:
            return seen.folder
        at = bisect_right(self._live, (seen.block, 1 << 62, 0)) - 1
        return self._live[at][2] if at >= 0 and seen.block < self._live[at][1] else 0


def _among(numbers: _Words, wanted: _Words) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which numbers are among sorted ones, of which there is one at least."""
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = wanted[np.minimum(np.searchsorted(wanted, numbers), len(wanted) - 1)] == numbers
    return found


def _marks(words: _Words, at: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[int]:
    """Return what tells records at these words apart: their place, inode, lengths and the first 24 letters."""
    wide = np.concatenate((words, np.zeros(8, np.uint32))).astype(np.uint64)
    marks = at.astype(np.uint64)
    for step in range(8):
        marks = marks * np.uint64(0x9E3779B97F4A7C15) + wide[at + step]
    found: list[int] = marks.tolist()
    return found


def _can_be(name: bytes) -> bool:
    return bool(name) and name not in (b".", b"..") and b"/" not in name and b"\0" not in name
