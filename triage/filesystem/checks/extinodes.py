"""Every inode of an ext volume that is in use, read from the inode tables: what its own fields and the bitmaps say against it.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Index Nodes", "Block and Inode Bitmaps", "Checksums".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.filesystem.checks.exttally import Kind
from triage.filesystem.crc32c import crc32c, crc32c_rows
from triage.filesystem.extlayout import GROUP_INODES_UNUSED, ROOT
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.exttally import Tally
    from triage.filesystem.extlayout import ExtLayout, Groups

    Octets = NDArray[np.uint8]
    Flags = NDArray[np.bool_]
    Addresses = NDArray[np.int64]

INODE = np.dtype(
    {
        "names": [
            *("mode", "size", "dtime", "links", "sectors", "flags", "block"),
            *("generation", "acl", "size_high", "sectors_high", "acl_high", "sum"),
        ],
        "formats": ["<u2", "<u4", "<u4", "<u2", "<u4", "<u4", ("u1", 60), "<u4", "<u4", "<u4", "<u2", "<u2", "<u2"],
        "offsets": [0x00, 0x04, 0x14, 0x1A, 0x1C, 0x20, 0x28, 0x64, 0x68, 0x6C, 0x74, 0x76, 0x7C],
        "itemsize": 128,
    }
)
FIFO, CHARACTER, DIRECTORY, BLOCK, REGULAR, LINK, SOCKET = 1, 2, 4, 6, 8, 10, 12
"""The kinds that the upper four bits of i_mode know."""
FLAG_ENCRYPTED, FLAG_INDEX, FLAG_HUGE, FLAG_EXTENTS, FLAG_VERITY, FLAG_EA_INODE, FLAG_INLINE = (
    0x800,
    0x1000,
    0x40000,
    0x80000,
    0x100000,
    0x200000,
    0x10000000,
)
_TABLE_ZEROED = 4
_PIECE = 256 << 10
MAX_TABLES = 64 << 30
"""Bytes of inode tables that are read; no more than the volume has, however many groups say that theirs lie in one place."""
_SPECIAL = (0xE0, 0x240, 0x244, 0x26C, 0x280)
"""Where the superblock names inodes of its own: journal, the three quotas, the orphan file."""

CHECKSUM = Kind(Severity.WARNING, "{n} [inode fails its|inodes fail their] checksum: size, times, owner or places may be wrong")
OLD_CHECKSUM = Kind(
    Severity.WARNING, "{n} [deleted file's inode fails its|deleted files' inodes fail their] checksum: what is shown of them may be wrong"
)
MODE = Kind(Severity.ERROR, "{n} [inode|inodes] in use [is|are] of no kind that there is: what [it was|they were] cannot be told")
EMPTY = Kind(
    Severity.ERROR, "{n} [inode is|inodes are] marked as in use and [is|are] empty: files or directories may be missing", cross=True
)
UNMARKED = Kind(
    Severity.ERROR, "{n} [inode|inodes] of files that exist [is|are] marked as free: what they are is shown as deleted", cross=True
)
UNLINKED = Kind(
    Severity.WARNING, "{n} [file was|files were] deleted while still open: the content is still in place, without a name", cross=True
)
DELETED = Kind(Severity.WARNING, "{n} [inode|inodes] in use [has|have] a time of deletion: the inode is damaged", cross=True)
BITMAP_SUM = Kind(
    Severity.WARNING, "{n} inode [bitmap fails its|bitmaps fail their] checksum: what exists may be taken for deleted", cross=True
)
FREE = Kind(
    Severity.WARNING, "{n} [group counts|groups count] more or fewer free inodes than the bitmap shows: files may be missing", cross=True
)
DIRECTORIES = Kind(
    Severity.ERROR, "{n} [group counts|groups count] more or fewer directories than there are: directories may be missing", cross=True
)
PADDING = Kind(Severity.WARNING, "the {n} [bitmap|bitmaps] named here [is|are] damaged behind the last bit that counts", cross=True)
MANY = Kind(Severity.ERROR, "the inode tables of {n} [group was|groups were] not read: they are larger than they can be")
UNREADABLE = Kind(Severity.ERROR, "the inode tables of {n} [group|groups] lie outside of the volume: names are missing")


@dataclass(slots=True)
class Inodes:
    """The inodes in use, by columns and in order of their addresses. A kind of 0 stands for those that no name leads to."""

    addresses: list[Addresses] = field(default_factory=list)
    links: list[Addresses] = field(default_factory=list)
    kinds: list[Octets] = field(default_factory=list)

    def columns(self) -> tuple[Addresses, Addresses, Octets]:
        """Return addresses, links and kinds."""
        if not self.addresses:
            none = np.empty(0, dtype=np.int64)
            return none, none, none.astype(np.uint8)
        return np.concatenate(self.addresses), np.concatenate(self.links), np.concatenate(self.kinds)


@dataclass(frozen=True, slots=True)
class Piece:
    """Inodes in use that lie together: ``rows`` by :data:`INODE`, ``raw`` their bytes whole."""

    addresses: Addresses
    rows: Any
    raw: Octets
    kinds: Octets
    seeds: NDArray[np.uint32]


def special_inodes(layout: ExtLayout) -> frozenset[int]:
    """Return the inodes that no name leads to: the reserved ones but the root, and those that the superblock names."""
    named = {layout.number(offset, 4) for offset in _SPECIAL}
    return frozenset((set(range(1, min(layout.first_inode, 1024))) | named) - {ROOT, 0})


def padded(reader: VolumeReader, place: int, block: int, bits: int) -> bool:
    """Whether a bitmap is filled up with ones behind its last bit, as every program that makes one does."""
    data = np.frombuffer(reader.read(place * block + bits // 8, block - bits // 8), dtype=np.uint8)
    first = data[:1] | np.uint8((1 << bits % 8) - 1)
    return bool((first == 0xFF).all() and (data[1:] == 0xFF).all())


class InodeTables:
    """Goes once through the bitmaps and the tables' used stretches. ``listed`` are the addresses that the walk has, sorted."""

    def __init__(self, reader: VolumeReader, layout: ExtLayout, groups: Groups, tally: Tally, listed: Addresses) -> None:
        self._reader = reader
        self._layout = layout
        self._groups = groups
        self._tally = tally
        self._listed = listed
        self._special = np.array(sorted(special_inodes(layout)), dtype=np.int64)
        self.inodes = Inodes()
        self.free = 0
        self._left = min(MAX_TABLES, reader.size)

    def pieces(self) -> Iterator[Piece]:
        """Yield the inodes in use, in order; what is wrong with them goes to the tally."""
        layout, groups = self._layout, self._groups
        for group in range(len(groups)):
            first = group * layout.inodes_per_group + 1
            count = min(layout.inodes_per_group, layout.inodes - first + 1)
            if count <= 0:
                break
            directories = 0
            for piece in self._group(group, first, count):
                directories += int(np.count_nonzero(piece.kinds == DIRECTORY))
                yield piece
            if directories != groups.directories[group]:
                self._tally.add(DIRECTORIES, f"group {group}: {directories}, not {groups.directories[group]}")

    def _bitmap(self, group: int, count: int) -> tuple[Flags, bool]:
        """Return which inodes of a group are in use, and whether there is reason to look at them all."""
        layout, groups = self._layout, self._groups
        bits = np.zeros(count, dtype=bool)
        suspect = False
        if not int(groups.flags[group]) & GROUP_INODES_UNUSED:
            data = self._reader.read(int(groups.inode_bitmap[group]) * layout.block, -(-layout.inodes_per_group // 8))
            there = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little", count=min(count, len(data) * 8))
            bits[: len(there)] = there
            if not padded(self._reader, int(groups.inode_bitmap[group]), layout.block, layout.inodes_per_group):
                self._tally.add(PADDING, f"inode bitmap of group {group}")
            mask = 0xFFFFFFFF if layout.descriptor >= 64 else 0xFFFF
            if layout.checksums and crc32c(layout.seed, data) & mask != groups.inode_bitmap_checksum[group]:
                self._tally.add(BITMAP_SUM, f"group {group}")
                suspect = True
        free = count - int(np.count_nonzero(bits))
        self.free += free
        if free != groups.free_inodes[group]:
            self._tally.add(FREE, f"group {group}: {free}, not {groups.free_inodes[group]}")
            suspect = True
        return bits, suspect

    def _group(self, group: int, first: int, count: int) -> Iterator[Piece]:
        layout, groups = self._layout, self._groups
        bits, suspect = self._bitmap(group, count)
        low, high = np.searchsorted(self._listed, (first, first + count))
        own = self._listed[low:high] - first
        suspect = suspect or not bits[own].all()
        table = int(groups.inode_table[group]) * layout.block
        if not layout.first <= groups.inode_table[group] < layout.blocks or table >= self._reader.size:
            self._tally.add(UNREADABLE, f"group {group}")
            return
        reach = count
        if layout.counts_unused and not (suspect and (layout.checksums or int(groups.flags[group]) & _TABLE_ZEROED)):
            marked = np.flatnonzero(bits)
            reach = max(count - int(groups.unused[group]), int(marked[-1]) + 1 if len(marked) else 0)
            if int(groups.flags[group]) & GROUP_INODES_UNUSED:
                reach = 0
        step = max(1, _PIECE // layout.inode_size)
        for start in range(0, reach, step):
            here = bits[start : start + step]
            if not (suspect or layout.checksums or here.any()):
                continue
            self._left -= min(step, reach - start) * layout.inode_size
            if self._left < 0:
                self._tally.add(MANY, f"group {group}")
                return
            data = self._reader.read(table + start * layout.inode_size, min(step, reach - start) * layout.inode_size)
            whole = len(data) // layout.inode_size
            if whole < min(step, reach - start):
                self._tally.add(UNREADABLE, f"group {group}")
            if whole:
                raw = np.frombuffer(data, dtype=np.uint8, count=whole * layout.inode_size).reshape(whole, layout.inode_size)
                yield from self._piece(first + start, raw, here[:whole])

    def _piece(self, first: int, raw: Octets, marked: Flags) -> Iterator[Piece]:
        """Judge a stretch of a table and yield those of its inodes that are in use."""
        layout, tally = self._layout, self._tally
        rows = np.ascontiguousarray(raw[:, :128]).view(INODE)[:, 0]
        addresses = np.arange(first, first + len(raw), dtype=np.int64)
        kinds = (rows["mode"] >> 12).astype(np.uint8)
        written = raw.any(axis=1)
        seeds = np.zeros(len(raw), dtype=np.uint32)
        sound = np.ones(len(raw), dtype=bool)
        if layout.checksums:
            seeds = layout.inode_seeds(addresses.astype(np.uint32), rows["generation"])
            sound = ~written | checksums_hold(raw, rows, seeds)
            tally.add_all(CHECKSUM, "inode", addresses[~sound & marked])
            tally.add_all(OLD_CHECKSUM, "inode", addresses[~sound & ~marked & (rows["mode"] != 0)])
        known = np.isin(kinds, (FIFO, CHARACTER, DIRECTORY, BLOCK, REGULAR, LINK, SOCKET))
        own = np.isin(addresses, self._special)
        alive = known & (rows["links"] > 0) & (rows["dtime"] == 0) & sound & ~own
        tally.add_all(MODE, "inode", addresses[marked & ~known & (rows["mode"] != 0) & ~own])
        tally.add_all(EMPTY, "inode", addresses[marked & (rows["mode"] == 0) & ~own])
        tally.add_all(DELETED, "inode", addresses[marked & known & (rows["links"] > 0) & (rows["dtime"] != 0) & ~own])
        tally.add_all(UNMARKED, "inode", addresses[alive & ~marked])
        tally.add_all(UNLINKED, "inode", addresses[marked & known & (rows["links"] == 0) & ~own & (rows["flags"] & FLAG_EA_INODE == 0)])
        used = marked & ((rows["mode"] != 0) | own) | alive
        if not used.any():
            return
        kept = np.flatnonzero(used)
        self.inodes.addresses.append(addresses[kept])
        self.inodes.links.append(rows["links"][kept].astype(np.int64))
        self.inodes.kinds.append(np.where(own[kept] | (rows["flags"][kept] & FLAG_EA_INODE != 0), 0, kinds[kept]).astype(np.uint8))
        yield Piece(addresses[kept], rows[kept], raw[kept], kinds[kept], seeds[kept])


def checksums_hold(raw: Octets, rows: Any, seeds: NDArray[np.uint32]) -> Flags:
    """Whether each inode's checksum is right: its fields count as nought in it, the upper half only where the inode has it."""
    bare = raw.copy()
    bare[:, 0x7C:0x7E] = 0
    stored = rows["sum"].astype(np.uint32)
    if raw.shape[1] <= 128:
        short: Flags = (crc32c_rows(seeds, bare) & np.uint32(0xFFFF)) == stored
        return short
    extra = np.ascontiguousarray(raw[:, 0x80:0x84]).view("<u2").astype(np.uint32)
    wide = extra[:, 0] >= 4
    bare[wide, 0x82:0x84] = 0
    right = crc32c_rows(seeds, bare)
    hold: Flags = np.where(wide, right == (stored | extra[:, 1] << np.uint32(16)), (right & np.uint32(0xFFFF)) == stored)
    return hold
