"""Which blocks an ext volume's inodes in use say are theirs: extent trees and block lists, read from raw bytes.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "The Contents of inode.i_block", "Extent Tree".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from triage.filesystem.checks.extinodes import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FLAG_EA_INODE,
    FLAG_ENCRYPTED,
    FLAG_EXTENTS,
    FLAG_HUGE,
    FLAG_INLINE,
    FLAG_VERITY,
    LINK,
    REGULAR,
    SOCKET,
)
from triage.filesystem.checks.exttally import Kind
from triage.filesystem.crc32c import crc32c
from triage.filesystem.extlayout import BAD_BLOCKS, INCOMPAT_EA_INODE, RESIZE, RO_HUGE_FILE
from triage.model import Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.filesystem.checks.extinodes import Piece
    from triage.filesystem.checks.exttally import Tally
    from triage.filesystem.extlayout import ExtLayout

    Numbers = NDArray[np.int64]

MAX_CLAIMS = 8 << 20
"""Runs of blocks that are kept for comparing; a volume with more is compared in part."""
MAX_BAD = 32
"""Impossible places within one inode's map after which the rest of it is not followed: it is no map."""
_MAGIC = 0xF30A
_DEEPEST = 5
_WRITTEN = 32768
"""The longest extent; a larger length means one that was set aside and not written, shorter by so much."""

TREE = Kind(Severity.ERROR, "{n} [inode|inodes] in use [has|have] a damaged extent tree: content may be missing or wrong")
TREE_SUM = Kind(Severity.WARNING, "{n} [extent tree's block fails its|extent trees' blocks fail their] checksum: content may be wrong")
PLACE = Kind(Severity.ERROR, "{n} [inode points|inodes point] to blocks that there are not: content may be missing or wrong")
SIZE = Kind(Severity.ERROR, "{n} [inode gives a size that its|inodes give sizes that their] blocks cannot have: content may be cut short")
SECTORS = Kind(
    Severity.WARNING, "{n} [inode counts|inodes count] more or fewer blocks than [it has|they have]: content may be missing", cross=True
)
ENCRYPTED = Kind(
    Severity.WARNING,
    "{n} [file or directory is|files and directories are] encrypted by the file system: names are shown as they are stored, and nothing in "
    "files was examined",
)
FIELDS = Kind(Severity.WARNING, "{n} [link or device holds|links or devices hold] what cannot be: the inode is damaged")


class Source(Protocol):
    """Where blocks of maps are read: the volume as it is, or as it was."""

    def read(self, offset: int, length: int) -> bytes:
        """Return the volume's bytes, fewer at its end."""


class DirectoryMap(NamedTuple):
    """Where a directory lies: runs by first block of the directory, first block of the volume and length, or its inode (inline)."""

    size: int
    flags: int
    seed: int
    runs: tuple[tuple[int, int, int], ...]
    inline: bytes = b""


class Map:
    """One inode's blocks: runs as ``(first block of the file, first block of the volume, length)`` and what holds the map itself."""

    def __init__(self) -> None:
        self.runs: list[tuple[Numbers, Numbers, Numbers]] = []
        self.nodes: list[int] = []
        self.unwritten: list[Numbers] = []  # of a tree's runs, in their order: set aside and never written
        self.written = 0  # how many blocks of the file reach to the last one that was written
        self.bad = 0

    def add(self, logical: Numbers, start: Numbers, length: Numbers) -> None:
        """Add runs that are known to lie in the volume."""
        self.runs.append((logical, start, length))


class BlockMaps:
    """Reads the maps of the inodes in use, piece by piece. ``claims`` are runs of blocks with the inode that says they are its own."""

    def __init__(self, reader: Source, layout: ExtLayout, tally: Tally) -> None:
        self._reader = reader
        self._layout = layout
        self._tally = tally
        self._nodes: set[int] = set()
        self._budget = min(layout.blocks // 16 + 4096, 1 << 20)
        self._claims: list[tuple[Numbers, Numbers, Numbers]] = []
        self._kept = 0
        self._shared: dict[int, int] = {}
        self.complete = True
        self.reserve: int | None = None  # the block that lists what is reserved for more descriptors
        self.directories: dict[int, DirectoryMap] = {}

    def one(self, held: bytes, seed: int, *, tree: bool) -> Map | None:
        """Follow the map that one inode's ``i_block`` begins, whatever others hold; ``None`` where it is not sound."""
        self._nodes.clear()
        found = Map()
        if not tree:
            self._list(np.frombuffer(held, "<u4").astype(np.int64), found)
            return None if found.bad else found
        magic, entries, most, depth = (int.from_bytes(held[at : at + 2], "little") for at in (0, 2, 4, 6))
        if magic != _MAGIC or not entries <= most <= 4 or depth > _DEEPEST or not self._tree(held, depth, seed, found):
            return None
        return None if found.bad else found

    def claims(self) -> tuple[Numbers, Numbers, Numbers]:
        """Return starts, lengths and owners."""
        if self._shared:  # blocks of attributes may serve several inodes: each counts once
            starts = np.fromiter(self._shared, dtype=np.int64, count=len(self._shared))
            owners = np.fromiter(self._shared.values(), dtype=np.int64, count=len(self._shared))
            self._claims.append((starts, np.ones_like(starts), owners))
            self._shared = {}
        if not self._claims:
            none = np.empty(0, dtype=np.int64)
            return none, none, none
        first, second, third = zip(*self._claims, strict=True)
        return np.concatenate(first), np.concatenate(second), np.concatenate(third)

    def _claim(self, starts: Numbers, lengths: Numbers, owners: Numbers) -> None:
        if self._kept + len(starts) > MAX_CLAIMS:
            self.complete = False
            return
        self._kept += len(starts)
        self._claims.append((starts, lengths, owners))

    def take(self, piece: Piece) -> None:
        """Read the maps of a piece's inodes and judge their sizes by them."""
        rows, addresses, kinds = piece.rows, piece.addresses, piece.kinds
        flags = rows["flags"]
        size = rows["size"].astype(np.int64) | (rows["size_high"].astype(np.int64) << 32)
        attributes = rows["acl"].astype(np.int64) | rows["acl_high"].astype(np.int64) << 32
        fast = (kinds == LINK) & (flags & FLAG_EXTENTS == 0) & (size >= 0) & (size < 60)
        inline = flags & FLAG_INLINE != 0
        self._tally.add_all(ENCRYPTED, "inode", addresses[flags & FLAG_ENCRYPTED != 0])
        mapped = (np.isin(kinds, (REGULAR, DIRECTORY, LINK)) | (addresses == BAD_BLOCKS)) & ~fast & ~inline & (addresses != RESIZE)
        counted = np.zeros(len(rows), dtype=np.int64)
        written = np.zeros(len(rows), dtype=np.int64)
        trees = mapped & (flags & FLAG_EXTENTS != 0)
        self._trees(piece, np.flatnonzero(trees), counted, written)
        self._lists(piece, np.flatnonzero(mapped & ~trees), counted, written)
        for index in np.flatnonzero(addresses == RESIZE):  # what it maps are the reserved descriptors; its own is the block that says so
            own = np.ascontiguousarray(rows["block"][index]).view("<u4")[13:14].astype(np.int64)
            self._claim(own[own > 0], np.ones_like(own[own > 0]), np.full(int((own > 0).sum()), RESIZE))
            self.reserve = int(own[0])
        for index in np.flatnonzero(inline & (kinds == DIRECTORY)):
            whole = piece.raw[index].tobytes()
            self.directories[int(addresses[index])] = DirectoryMap(int(rows["size"][index]), int(flags[index]), 0, (), whole)
        held = attributes != 0
        for place, address in zip(attributes[held].tolist(), addresses[held].tolist(), strict=True):
            if self._layout.first < place < self._layout.blocks:
                self._shared.setdefault(place, address)
            else:
                self._tally.add(PLACE, f"inode {address}")
        counted += held
        ordinary = addresses >= self._layout.first_inode
        self._sizes(piece, size, written, counted - held, mapped & ordinary)
        self._sectors(piece, counted, (mapped | fast) & ordinary)
        self._fields(piece, size, fast & ordinary)

    def _keep(self, piece: Piece, index: int, found: Map, counted: Numbers, written: Numbers) -> None:
        """Account for the map of one inode."""
        address = int(piece.addresses[index])
        for _, start, length in found.runs:
            self._claim(start, length, np.full(len(start), address, dtype=np.int64))
            counted[index] += int(length.sum())
        if found.nodes:
            nodes = np.array(found.nodes, dtype=np.int64)
            self._claim(nodes, np.ones_like(nodes), np.full(len(nodes), address, dtype=np.int64))
            counted[index] += len(nodes)
        written[index] = found.written
        if found.bad:
            self._tally.add(PLACE, f"inode {address}")
        if piece.kinds[index] == DIRECTORY:
            runs = tuple((*run,) for part in found.runs for run in zip(*(column.tolist() for column in part), strict=True))
            self.directories[address] = DirectoryMap(
                int(piece.rows["size"][index]), int(piece.rows["flags"][index]), int(piece.seeds[index]), runs
            )

    # ---- extent trees ------------------------------------------------------------------------------------------------------

    def _trees(self, piece: Piece, chosen: Numbers, counted: Numbers, written: Numbers) -> None:
        if not len(chosen):
            return
        held = np.ascontiguousarray(piece.rows["block"][chosen])
        heads = held[:, :8].copy().view("<u2")
        sound = (heads[:, 0] == _MAGIC) & (heads[:, 1] <= heads[:, 2]) & (heads[:, 2] <= 4) & (heads[:, 3] <= _DEEPEST)
        self._tally.add_all(TREE, "inode", piece.addresses[chosen[~sound]])
        plain = sound & (heads[:, 3] == 0) & (piece.kinds[chosen] != DIRECTORY)
        self._leaves(piece, chosen[plain], held[plain, 12:], heads[plain, 1], counted, written)
        for position in np.flatnonzero(sound & ~plain).tolist():
            index = int(chosen[position])
            found = Map()
            if not self._tree(held[position].tobytes(), int(heads[position, 3]), int(piece.seeds[index]), found):
                self._tally.add(TREE, f"inode {piece.addresses[index]}")
            self._keep(piece, index, found, counted, written)

    def _leaves(self, piece: Piece, chosen: Numbers, held: Any, entries: Any, counted: Numbers, written: Numbers) -> None:
        """Take the extents of many inodes whose tree is the inode alone."""
        table = held.reshape(len(chosen), 4, 12)
        there = np.arange(4) < entries[:, None]
        logical, length, start, unwritten = _extents(table.reshape(-1, 12))
        logical, length, start = logical.reshape(-1, 4), length.reshape(-1, 4), start.reshape(-1, 4)
        ends = logical + length
        ordered = (logical[:, 1:] >= ends[:, :-1]) | ~there[:, 1:]
        self._tally.add_all(TREE, "inode", piece.addresses[chosen[~ordered.all(axis=1)]])
        inside = (length > 0) & (start > self._layout.first) & (start + length <= self._layout.blocks)
        self._tally.add_all(PLACE, "inode", piece.addresses[chosen[(there & ~inside).any(axis=1)]])
        good = there & inside
        counted[chosen] = np.where(good, length, 0).sum(axis=1)
        written[chosen] = np.where(good & ~unwritten.reshape(-1, 4), ends, 0).max(axis=1)
        owners = np.broadcast_to(piece.addresses[chosen][:, None], good.shape)
        self._claim(start[good], length[good], owners[good])

    def _tree(self, root: bytes, depth: int, seed: int, found: Map) -> bool:
        """Follow one extent tree; return whether all of it is as it should be."""
        layout = self._layout
        sound = True
        stack = [(root, depth)]
        behind = 0  # the file's blocks so far: extents come in order
        while stack:
            node, level = stack.pop()
            entries = int.from_bytes(node[2:4], "little")
            table = np.frombuffer(node, dtype=np.uint8, offset=12, count=entries * 12).reshape(-1, 12)
            if not level:
                logical, length, start, unwritten = _extents(table)
                inside = (length > 0) & (start > layout.first) & (start + length <= layout.blocks)
                found.bad += int(np.count_nonzero(~inside))
                ends = logical + length
                if len(logical):
                    sound = sound and bool((logical[1:] >= ends[:-1]).all()) and int(logical[0]) >= behind
                    behind = int(ends[-1])
                found.add(logical[inside], start[inside], length[inside])
                found.unwritten.append(unwritten[inside])
                found.written = max(found.written, int(ends[inside & ~unwritten].max(initial=0)))
                continue
            low = np.ascontiguousarray(table[:, 4:8]).view("<u4")[:, 0].astype(np.int64)
            places = low | np.ascontiguousarray(table[:, 8:10]).view("<u2")[:, 0].astype(np.int64) << 32
            below = []
            for place in places.tolist():
                child = self._node(place, found)
                if child is None:
                    sound = False
                    continue
                magic, count, most, child_level = (int.from_bytes(child[at : at + 2], "little") for at in (0, 2, 4, 6))
                if magic != _MAGIC or not count <= most <= (layout.block - 12) // 12 or child_level != level - 1:
                    sound = False
                    continue
                tail = 12 + 12 * most
                if layout.checksums and crc32c(seed, child[:tail]) != int.from_bytes(child[tail : tail + 4], "little"):
                    self._tally.add(TREE_SUM, f"block {place}")
                below.append((child, child_level))
            stack.extend(reversed(below))
        return sound

    def _node(self, place: int, found: Map) -> bytes | None:
        """Return a block of a map, ``None`` where there can be none or it was seen before."""
        layout = self._layout
        if found.bad > MAX_BAD:
            return None
        if not layout.first < place < layout.blocks or place in self._nodes:
            found.bad += 1
            return None
        if len(self._nodes) >= self._budget:
            self.complete = False
            return None
        self._nodes.add(place)
        data = self._reader.read(place * layout.block, layout.block)
        if len(data) < layout.block:
            found.bad += 1
            return None
        found.nodes.append(place)
        return data

    # ---- block lists -------------------------------------------------------------------------------------------------------

    def _lists(self, piece: Piece, chosen: Numbers, counted: Numbers, written: Numbers) -> None:
        if not len(chosen):
            return
        pointers = np.ascontiguousarray(piece.rows["block"][chosen]).view("<u4").astype(np.int64)
        simple = ~pointers[:, 12:].any(axis=1) & (piece.kinds[chosen] != DIRECTORY)
        direct = pointers[simple, :12]
        inside = (direct > self._layout.first) & (direct < self._layout.blocks)
        self._tally.add_all(PLACE, "inode", piece.addresses[chosen[simple][((direct != 0) & ~inside).any(axis=1)]])
        counted[chosen[simple]] = inside.sum(axis=1)
        written[chosen[simple]] = np.where(inside, np.arange(1, 13), 0).max(axis=1, initial=0)
        owners = np.broadcast_to(piece.addresses[chosen[simple]][:, None], direct.shape)[inside]
        starts, lengths, owners = _joined(direct[inside], owners)
        self._claim(starts, lengths, owners)
        for position in np.flatnonzero(~simple).tolist():
            found = Map()
            self._list(pointers[position], found)
            self._keep(piece, int(chosen[position]), found, counted, written)

    def _list(self, pointers: Numbers, found: Map) -> None:
        """Follow one inode's twelve blocks and three levels of blocks that list blocks."""
        each = self._layout.block // 4
        self._listed(pointers[:12], 0, found)
        logical = 12
        for level, place in enumerate(pointers[12:].tolist(), 1):
            self._below(place, level, logical, found)
            logical += each**level

    def _below(self, place: int, level: int, logical: int, found: Map) -> None:
        node = self._node(place, found) if place else None
        if node is None:
            return
        pointers = np.frombuffer(node, dtype="<u4").astype(np.int64)
        if level == 1:
            self._listed(pointers, logical, found)
            return
        reach = len(pointers) ** (level - 1)
        for index in np.flatnonzero(pointers).tolist():
            self._below(int(pointers[index]), level - 1, logical + index * reach, found)

    def _listed(self, pointers: Numbers, logical: int, found: Map) -> None:
        there = pointers != 0
        inside = there & (pointers > self._layout.first) & (pointers < self._layout.blocks)
        found.bad += int(np.count_nonzero(there & ~inside))
        kept = np.flatnonzero(inside)
        if not len(kept):
            return
        where = kept + logical
        starts = pointers[kept]
        breaks = np.flatnonzero((np.diff(starts) != 1) | (np.diff(where) != 1)) + 1
        heads = np.concatenate(([0], breaks))
        found.add(where[heads], starts[heads], np.diff(np.concatenate((heads, [len(kept)]))))
        found.written = max(found.written, int(where[-1]) + 1)

    # ---- what the fields say -----------------------------------------------------------------------------------------------

    def _sizes(self, piece: Piece, size: Numbers, written: Numbers, blocks: Numbers, chosen: Any) -> None:
        """Sizes against maps: a file can have holes, but no written block past its end; a directory has no holes."""
        layout = self._layout
        kinds, flags = piece.kinds, piece.rows["flags"]
        trees = flags & FLAG_EXTENTS != 0
        each = layout.block // 4
        most = np.where(trees, 1 << 32, 12 + each + each**2 + each**3) * layout.block
        past = (written > 0) & (written - 1 > (size - 1) // layout.block) & (flags & (FLAG_VERITY | FLAG_EA_INODE) == 0)
        wrong = chosen & (kinds != DIRECTORY) & ((size < 0) | (size > most) | past)
        low = piece.rows["size"].astype(np.int64)  # a directory's other half was an access list once
        holes = chosen & (kinds == DIRECTORY) & ((written * layout.block != low) | (low == 0))
        self._tally.add_all(SIZE, "inode", piece.addresses[wrong | holes])

    def _sectors(self, piece: Piece, counted: Numbers, chosen: Any) -> None:
        """i_blocks, in units of 512 bytes unless the inode says blocks, against the blocks that were found."""
        layout = self._layout
        if layout.cluster > 1 or layout.incompat & INCOMPAT_EA_INODE or not self.complete:
            return
        rows = piece.rows
        stored = rows["sectors"].astype(np.int64)
        unit = np.full(len(rows), layout.block // 512, dtype=np.int64)
        if layout.ro_compat & RO_HUGE_FILE:
            stored |= rows["sectors_high"].astype(np.int64) << 32
            unit[rows["flags"] & FLAG_HUGE != 0] = 1
        self._tally.add_all(SECTORS, "inode", piece.addresses[chosen & (stored != counted * unit)])

    def _fields(self, piece: Piece, size: Numbers, fast: Any) -> None:
        """Links that lie in their inode end where the size says; devices have a number and nothing else."""
        rows = piece.rows
        held = rows["block"]
        ends = np.where((held == 0).any(axis=1), (held == 0).argmax(axis=1), 60)
        links = fast & (rows["flags"] & FLAG_ENCRYPTED == 0) & (ends != size)
        devices = np.isin(piece.kinds, (CHARACTER, BLOCK, FIFO, SOCKET)) & ((size != 0) | held[:, 16:].any(axis=1))
        self._tally.add_all(FIELDS, "inode", piece.addresses[links | devices])


def _extents(table: Any) -> tuple[Numbers, Numbers, Numbers, Any]:
    """Return the file's block, length, the volume's block of each 12-byte extent, and whether it was never written."""
    raw = np.ascontiguousarray(table)
    logical = raw[:, 0:4].copy().view("<u4")[:, 0].astype(np.int64)
    length = raw[:, 4:6].copy().view("<u2")[:, 0].astype(np.int64)
    high = raw[:, 6:8].copy().view("<u2")[:, 0].astype(np.int64)
    start = raw[:, 8:12].copy().view("<u4")[:, 0].astype(np.int64) | high << 32
    unwritten = length > _WRITTEN
    return logical, np.where(unwritten, length - _WRITTEN, length), start, unwritten


def _joined(blocks: Numbers, owners: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return single blocks as runs of those that follow each other and have one owner."""
    if not len(blocks):
        return blocks, blocks, owners
    heads = np.concatenate(([0], np.flatnonzero((np.diff(blocks) != 1) | (np.diff(owners) != 0)) + 1))
    return blocks[heads], np.diff(np.concatenate((heads, [len(blocks)]))), owners[heads]
