"""Deleted files of ext3 and ext4 whose inodes the journal still holds as they were before: size, places, times.

Deleting a file takes its map and its size out of its inode; the name may be wiped as well. Blocks of the inode table are journalled whole,
though, so that older copies of an inode lie in the journal for as long as it is not written over. Of each deleted inode the newest copy
is taken that still has a size and a map which holds together: blocks of the map are read as they were then (the newest copy of that time
in the journal, else the medium), checksums must fit where there are any, and the number of blocks must be the inode's.

An inode that was given to another file since has another generation: then the copies with the older one are of a deleted file all the same.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Index Nodes", "The Contents of inode.i_block".
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.filesystem.checks.extblocks import BlockMaps
from triage.filesystem.checks.extinodes import (
    DIRECTORY,
    FLAG_EXTENTS,
    FLAG_HUGE,
    FLAG_INLINE,
    INODE,
    LINK,
    REGULAR,
    checksums_hold,
    special_inodes,
)
from triage.filesystem.checks.exttally import Tally
from triage.filesystem.extlayout import INCOMPAT_EA_INODE, RO_HUGE_FILE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.extblocks import Map
    from triage.filesystem.extjournal import Copy, Journal
    from triage.filesystem.extlayout import ExtLayout, Groups

MAX_DELETED = 100_000
"""Deleted files that are taken from one journal."""
MAX_PIECES, MAX_ALL_PIECES = 16_384, 1 << 20
"""Pieces that one of them, and all of them together, may lie in."""
MAX_NODES = 1 << 16
"""Blocks of maps that are read for all of them together, copies that do not fit counted as well."""
_MAX_COPIES = 32 << 20
"""Bytes of copies of one block that are looked at together, the newest."""
_IN_INODE = 60
NEVER = 1 << 40
"""An age that no copy has."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted file, directory or link.

    ``runs`` are ``(byte offset from the volume's start, length)`` and make up ``size`` bytes; ``None`` stands for a hole, whose bytes are
    noughts. ``inode`` holds the bytes of the copy. ``current``: the inode has been no other file's since. Copies that are older than
    or as old as ``after``, or as new as ``before`` or newer, are of another file with this number.
    """

    address: int
    generation: int
    kind: int
    size: int
    runs: tuple[tuple[int | None, int], ...]
    inode: bytes
    age: int
    after: int
    before: int
    current: bool

    @property
    def link(self) -> bytes | None:
        """Where a symbolic link leads that lies in its inode."""
        return self.inode[0x28 : 0x28 + self.size] if self.kind == LINK and not self.runs else None

    @property
    def inside(self) -> bool:
        """Whether the content lies in the inode itself."""
        return bool(int.from_bytes(self.inode[0x20:0x24], "little") & FLAG_INLINE)


class _Then:
    """The volume's blocks as they were at some time: copies in the journal before what lies on the medium."""

    def __init__(self, reader: VolumeReader, layout: ExtLayout, journal: Journal) -> None:
        self._reader = reader
        self._block = layout.block
        self._journal = journal
        self.age = 0
        self.left = MAX_NODES

    def read(self, offset: int, length: int) -> bytes:
        """Return a block; nothing when too many were read."""
        for copy in self._journal.copies(offset // self._block):
            if copy.age > self.age:
                continue
            self.left -= 1
            if self.left < 0:
                return b""
            if data := self._journal.read(copy):
                return data
        self.left -= 1
        return self._reader.read(offset, length) if self.left >= 0 else b""


class Search:
    """Looks for deleted inodes in a journal. ``left_out`` counts those that there was no room for.

    ``bare`` are deleted inodes, as they are now and by address, of whose content nothing is known (or all, without the journal): the
    journal may still have their names.
    """

    def __init__(self, reader: VolumeReader, layout: ExtLayout, groups: Groups, journal: Journal) -> None:
        self._reader = reader
        self._layout = layout
        self._groups = groups
        self._journal = journal
        self._then = _Then(reader, layout, journal)
        self._special = np.array(sorted(special_inodes(layout)), dtype=np.int64)
        self._found: list[Deleted] = []
        self._whole: set[tuple[int, int]] = set()
        self._pieces = 0
        self.left_out = 0
        self.bare: dict[int, Deleted] = {}

    def tables(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which blocks of the journal's are of inode tables, and the first inode in each."""
        layout, blocks = self._layout, self._journal.blocks
        order = np.argsort(self._groups.inode_table, kind="stable")
        starts = self._groups.inode_table[order]
        if not len(starts):
            return blocks[:0], blocks[:0]
        at = np.maximum(np.searchsorted(starts, blocks, "right") - 1, 0)
        inside = (blocks >= starts[at]) & (blocks - starts[at] < layout.table_blocks)
        first = order[at] * layout.inodes_per_group + (blocks - starts[at]) * (layout.block // layout.inode_size) + 1
        return blocks[inside], first[inside]

    def run(self) -> list[Deleted]:
        """Return what is found, by address and then the newest first."""
        for block, first in zip(*(column.tolist() for column in self.tables()), strict=True):
            self._block(block, first)
        return self._found

    def _block(self, block: int, first: int) -> None:
        """Look at the copies of one block of an inode table."""
        layout, journal = self._layout, self._journal
        each = layout.block // layout.inode_size
        copies, pieces = [], []
        for copy in journal.copies(block)[: max(16, _MAX_COPIES // layout.block)]:
            data = journal.read(copy, checked=not layout.checksums)  # inodes have their own
            if data:
                copies.append(copy)
                pieces.append(data)
        now = self._reader.read(block * layout.block, layout.block)
        if not copies or len(now) < layout.block:
            return
        raw = np.frombuffer(b"".join(pieces), np.uint8).reshape(len(copies), each, layout.inode_size)
        rows = np.ascontiguousarray(raw[:, :, :128]).view(INODE)[:, :, 0]
        present = np.frombuffer(now, np.uint8).reshape(each, layout.inode_size)[:, :128].copy().view(INODE)[:, 0]
        kinds = rows["mode"] >> 12
        size = rows["size"].astype(np.int64) | np.where(kinds == REGULAR, rows["size_high"].astype(np.int64), 0) << 32
        content = np.isin(kinds, (REGULAR, DIRECTORY, LINK)) & (size > 0) & rows["block"].any(axis=2)
        lost = content & ~((present["generation"] == rows["generation"]) & (_alive(present) | _mapped(present)))
        if journal.pending(copies[0]):  # what a replay would bring is not deleted
            lost &= ~((rows["generation"][0] == rows["generation"]) & _alive(rows[0]))
        addresses = first + np.arange(each)
        last = (first - 1) // layout.inodes_per_group * layout.inodes_per_group + layout.inodes_per_group
        usual = ~np.isin(addresses, self._special) & (addresses <= min(layout.inodes, last))
        lost &= usual
        for slot in np.flatnonzero(lost.any(axis=0)).tolist():
            self._slot(first + slot, slot, copies, rows[:, slot], raw[:, slot], (lost[:, slot], size[:, slot]), present[slot])
        ages = np.array([copy.age for copy in copies])
        for slot in np.flatnonzero(usual & (present["mode"] != 0) & (present["links"] == 0)).tolist():
            address, generation = first + slot, int(present["generation"][slot])
            if len(self.bare) < MAX_DELETED and (address, generation) not in self._whole:
                others = ages[(rows["mode"][:, slot] != 0) & (rows["generation"][:, slot] != generation)]
                after, kind = int(others.max(initial=-NEVER)), int(present["mode"][slot]) >> 12
                inode = now[slot * layout.inode_size : (slot + 1) * layout.inode_size]
                self.bare[address] = Deleted(address, generation, kind, 0, (), inode, NEVER, after, NEVER, True)

    def _slot(self, address: int, slot: int, copies: list[Copy], rows: Any, raw: Any, what: tuple[Any, Any], present: Any) -> None:
        """Look at the copies of one inode, the newest first: those of one generation are one file."""
        lost, size = what
        layout = self._layout
        if layout.checksums:
            seeds = layout.inode_seeds(np.full(len(rows), address, np.uint32), rows["generation"])
            lost = lost & checksums_hold(raw, rows, seeds)
        ages = np.array([copy.age for copy in copies])
        generations = rows["generation"]
        used = rows["mode"] != 0
        for generation in dict.fromkeys(generations[lost].tolist()):
            mine = used & (generations == generation)
            low, high = int(ages[mine].min()), int(ages[mine].max())
            others = ages[used & ~mine]
            after = int(others[others < low].max(initial=-NEVER))
            before = int(others[others > high].min(initial=NEVER))
            current = int(present["generation"]) == generation
            if before == NEVER and not current:
                before = high + 1  # the file that has the inode by now is not in the journal: its name may be
            if len(self._found) >= MAX_DELETED or self._pieces >= MAX_ALL_PIECES:
                self.left_out += 1
                continue
            seen: set[bytes] = set()
            for index in np.flatnonzero(mine & lost).tolist():
                inode = raw[index].tobytes()
                if inode[0x28:0x64] in seen:
                    continue
                seen.add(inode[0x28:0x64])
                kind = int(rows["mode"][index]) >> 12
                runs = self._runs(address, inode, rows[index], int(size[index]), copies[index], slot)
                if runs is not None:
                    found = Deleted(address, generation, kind, int(size[index]), runs, inode, copies[index].age, after, before, current)
                    self._found.append(found)
                    self._whole.add((address, generation))
                    self._pieces += len(runs)
                    break
                if self._then.left < 0:
                    self.left_out += 1
                    break

    def _runs(self, address: int, inode: bytes, row: Any, size: int, copy: Copy, slot: int) -> tuple[tuple[int | None, int], ...] | None:
        """Return where the content lay, ``None`` where that is not known for certain; none for a link within its inode."""
        layout, flags = self._layout, int(row["flags"])
        if flags & FLAG_INLINE:
            return ((copy.place + slot * layout.inode_size + 0x28, size),) if size <= _IN_INODE else None
        if int(row["mode"]) >> 12 == LINK and size < _IN_INODE and not flags & FLAG_EXTENTS:
            return ()
        self._then.age = copy.age
        tally = Tally()
        seed = 0
        if layout.checksums:
            seed = int(layout.inode_seeds(np.array([address], np.uint32), row["generation"].reshape(1))[0])
        found = BlockMaps(self._then, layout, tally).one(inode[0x28:0x64], seed, tree=bool(flags & FLAG_EXTENTS))
        if found is None or any(tally.faults()) or not self._counts(row, found):
            return None
        return _pieces(found, layout.block, size)

    def _counts(self, row: Any, found: Map) -> bool:
        """Whether an inode's number of blocks is that of its map."""
        layout = self._layout
        if layout.cluster > 1 or layout.incompat & INCOMPAT_EA_INODE:
            return True
        there = sum(int(length.sum()) for _, _, length in found.runs) + len(found.nodes) + bool(row["acl"] or row["acl_high"])
        stored, unit = int(row["sectors"]), layout.block // 512
        if layout.ro_compat & RO_HUGE_FILE:
            stored |= int(row["sectors_high"]) << 32
            unit = 1 if int(row["flags"]) & FLAG_HUGE else unit
        return stored == there * unit


def buried(found: list[Deleted]) -> dict[tuple[int, int], int]:
    """Return how many bytes of each deleted file others took that were deleted later, by address and generation."""
    spans = [(start, start + length, number) for number, one in enumerate(found) for start, length in one.runs if start is not None]
    spans.sort()
    places = sorted({place for start, end, _ in spans for place in (start, end)})
    seen = [0] * len(found)
    open_here: list[tuple[int, int, int]] = []  # the newest first
    at = 0
    for place, following in pairwise(places):
        while at < len(spans) and spans[at][0] == place:
            heappush(open_here, (-found[spans[at][2]].age, spans[at][2], spans[at][1]))
            at += 1
        while open_here and open_here[0][2] <= place:
            heappop(open_here)
        if open_here:
            seen[open_here[0][1]] += following - place
    whole = [sum(length for start, length in one.runs if start is not None) for one in found]
    return {(one.address, one.generation): whole[number] - seen[number] for number, one in enumerate(found) if whole[number] > seen[number]}


def _alive(rows: Any) -> Any:
    return (rows["mode"] != 0) & (rows["links"] > 0) & (rows["dtime"] == 0)


def _mapped(rows: Any) -> Any:
    """Whether inodes still have size and map: what reads them needs no journal."""
    trees = rows["flags"] & FLAG_EXTENTS != 0
    entries = rows["block"][:, 2] | rows["block"][:, 3]
    return (rows["size"] > 0) & rows["block"].any(axis=1) & (~trees | (entries > 0))


def _pieces(found: Map, block: int, size: int) -> tuple[tuple[int | None, int], ...] | None:
    """Return a map's runs in bytes, with what lies between them as holes, cut to a size; ``None`` when there are too many."""
    table: list[tuple[int, int, int, bool]] = []
    for number, columns in enumerate(found.runs):
        unwritten = found.unwritten[number].tolist() if found.unwritten else [False] * len(columns[0])
        table.extend(zip(*(column.tolist() for column in columns), unwritten, strict=True))
    pieces: list[tuple[int | None, int]] = []
    reached = 0

    def add(start: int | None, length: int) -> None:
        nonlocal reached
        length = min(length, size - reached)
        if length <= 0:
            return
        reached += length
        if pieces:
            before, long = pieces[-1]
            if (start is None and before is None) or (start is not None and before is not None and before + long == start):
                pieces[-1] = before, long + length
                return
        pieces.append((start, length))

    for logical, start, length, unwritten in sorted(table):
        if logical * block < reached < size:
            return None  # two runs for one place
        add(None, logical * block - reached)
        add(None if unwritten else start * block, length * block)
    add(None, size - reached)
    if len(pieces) > MAX_PIECES or all(start is None for start, _ in pieces):
        return None
    return tuple(pieces)
