"""The journal of ext3 and ext4 (jbd2): every copy of a block that still lies in it, from transactions long carried out as well.

A journal is written round and round, and nothing in it is wiped: what lies behind its end are older transactions, with whole copies of
blocks of inodes and of directories as they were then. Nothing is replayed here. Revocations, which keep a replay from writing old copies
over what a block was used for later, do not matter: old is what is wanted.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Journal (jbd2)". The journal's numbers are big-endian.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.filesystem.checks.extblocks import BlockMaps
from triage.filesystem.checks.extinodes import FLAG_EXTENTS
from triage.filesystem.checks.exttally import Tally
from triage.filesystem.crc32c import crc32c
from triage.filesystem.extlayout import COMPAT_HAS_JOURNAL, INCOMPAT_RECOVER, inode_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.extlayout import ExtLayout, Groups

    Numbers = NDArray[np.int64]

MAX_JOURNAL = 2 << 30
"""Bytes of a journal that are looked through; tools make none of more than 1 GiB."""
_PIECE = 4 << 20
_MAGIC = 0xC03B3998
_DESCRIPTOR, _SUPERBLOCK_1, _SUPERBLOCK_2 = 1, 3, 4
_64BIT, _CHECKSUM_2, _CHECKSUM_3, _FAST_COMMIT = 0x2, 0x8, 0x10, 0x20
"""Incompatible features of the journal."""
_ESCAPED, _SAME_UUID, _LAST = 1, 2, 8
"""A tag's flags. ``_ESCAPED``: the block began with the journal's magic number, which is left out of the copy."""
_FAST_COMMIT_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class _Super:
    """The journal's superblock: ``first`` to ``last`` are its blocks that transactions lie in."""

    first: int
    last: int
    sequence: int
    start: int
    features: int
    seed: int

    @property
    def tag(self) -> int:
        """Bytes of a descriptor's tag."""
        if self.features & _CHECKSUM_3:
            return 16
        return 8 + (4 if self.features & _64BIT else 0) + (2 if self.features & _CHECKSUM_2 else 0)

    @property
    def tail(self) -> int:
        """Bytes at a descriptor's end that are no tags."""
        return 4 if self.features & (_CHECKSUM_2 | _CHECKSUM_3) else 0


class Copy(NamedTuple):
    """A copy of a block. ``age`` orders copies: the greater, the newer; from 0 on they are of transactions not carried out yet."""

    age: int
    place: int
    """Where it lies, in bytes from the volume's start."""
    row: int


class Journal:
    """The copies of blocks that a journal holds. ``blocks`` are the numbers of those that there are copies of, sorted.

    ``places`` are the volume's blocks that the journal itself lies in, -1 where it has a hole.
    """

    def __init__(self, reader: VolumeReader, layout: ExtLayout, places: Numbers, head: _Super, tags: array[int]) -> None:
        self._reader = reader
        self._layout = layout
        self._head = head
        self.places = places
        self._live = bool(layout.incompat & INCOMPAT_RECOVER and head.start)
        table = np.frombuffer(tags, dtype=np.int64).reshape(-1, 5)
        table = table[(places[table[:, 2]] >= 0) & (table[:, 1] > 0) & (table[:, 1] < layout.blocks)]
        # Where two transactions say that a copy lies, the newer one has written over the older one's.
        order = np.lexsort((table[:, 0], table[:, 2]))
        table = table[order]
        newest = np.append(table[1:, 2] != table[:-1, 2], True) if len(table) else np.zeros(0, dtype=bool)
        table = table[newest]
        table = table[np.lexsort((-table[:, 0], table[:, 1]))]
        self._age, self._block, index, self._flags, self._checksum = table.T
        self._place = places[index] * layout.block
        self.blocks: Numbers = np.unique(self._block)

    def __len__(self) -> int:
        return len(self._block)

    def copies(self, block: int) -> list[Copy]:
        """Return the copies of a block, the newest first."""
        low, high = (int(n) for n in (np.searchsorted(self._block, block, side) for side in ("left", "right")))
        return [Copy(int(self._age[row]), int(self._place[row]), row) for row in range(low, high)]

    def pending(self, copy: Copy) -> bool:
        """Whether a copy is newer than the block itself: the transaction was not carried out yet."""
        return self._live and copy.age >= 0

    def read(self, copy: Copy, *, checked: bool = True) -> bytes:
        """Return a copy's bytes, empty where they cannot be read or are not what was written (by the checksum, where there is one)."""
        missing = self._reader.unreadable
        data = self._reader.read(copy.place, self._layout.block)
        if len(data) < self._layout.block or self._reader.unreadable > missing:
            return b""
        head = self._head
        if checked and head.tail:
            sequence = (copy.age + head.sequence & 0xFFFFFFFF).to_bytes(4, "big")
            mask = 0xFFFFFFFF if head.features & _CHECKSUM_3 else 0xFFFF
            if crc32c(crc32c(head.seed, sequence), data) & mask != int(self._checksum[copy.row]):
                return b""
        return _MAGIC.to_bytes(4, "big") + data[4:] if int(self._flags[copy.row]) & _ESCAPED else data


def read_journal(reader: VolumeReader, layout: ExtLayout, groups: Groups) -> Journal | None:
    """Return the copies in a volume's journal, ``None`` where it has none, it lies on another device, or it makes no sense."""
    if not layout.compat & COMPAT_HAS_JOURNAL:
        return None
    places = _places(reader, layout, groups)
    if not len(places) or places[0] < 0:
        return None
    head = _superblock(reader.read(int(places[0]) * layout.block, layout.block), layout.block, len(places))
    if head is None:
        return None
    descriptors = _headers(reader, layout, places, head)
    tags = array("q")
    for number, (index, kind, sequence) in enumerate(descriptors):
        if kind != _DESCRIPTOR:
            continue
        # The copies follow up to the next block of the journal's own; behind its last block comes its first.
        if number + 1 < len(descriptors):
            room = descriptors[number + 1][0] - index - 1
        else:
            room = head.last - index - 1 + descriptors[0][0] - head.first
        age = (sequence - head.sequence + (1 << 31)) % (1 << 32) - (1 << 31)
        data = reader.read(int(places[index]) * layout.block, layout.block)
        _tags(data, head, age, index, room, tags)
    return Journal(reader, layout, places, head, tags)


def _places(reader: VolumeReader, layout: ExtLayout, groups: Groups) -> Numbers:
    """Return the volume's block of each of the journal's, -1 for holes; by its inode, or by the copy of that in the superblock."""
    place = inode_at(layout, groups, layout.number(0xE0, 4))
    inode = reader.read(place, 128) if place is not None else b""
    kept = layout.raw[0x10C:0x150] if layout.raw[0xFD] == 1 else b""  # s_jnl_backup_type, s_jnl_blocks
    tries = []
    if len(inode) == 128:
        tries.append((inode[0x28:0x64], int.from_bytes(inode[4:8], "little"), bool(inode[0x22] & FLAG_EXTENTS >> 16)))
    if len(kept) == 68:
        tries.append((kept[:60], int.from_bytes(kept[64:68], "little"), kept[:2] == b"\x0a\xf3"))
    for held, size, tree in tries:
        found = BlockMaps(reader, layout, Tally()).one(held, 0, tree=tree)
        count = min(size, MAX_JOURNAL, reader.size) // layout.block
        if found is None or not count:
            continue
        places = np.full(count, -1, dtype=np.int64)
        for runs in found.runs:
            for logical, start, length in zip(*(column.tolist() for column in runs), strict=True):
                here = min(length, max(0, count - logical))
                places[logical : logical + here] = np.arange(start, start + here)
        if (places >= 0).any():
            return places
    return np.empty(0, dtype=np.int64)


def _superblock(data: bytes, block: int, blocks: int) -> _Super | None:
    """Return what a journal's superblock says, ``None`` where it is none or cannot be."""
    if len(data) < 1024:
        return None
    magic, kind, _, size, length, first, sequence, start = struct.unpack_from(">8I", data)
    if magic != _MAGIC or kind not in (_SUPERBLOCK_1, _SUPERBLOCK_2) or size != block:
        return None
    features = struct.unpack_from(">I", data, 0x28)[0] if kind == _SUPERBLOCK_2 else 0
    last = min(length, blocks)
    if features & _FAST_COMMIT:
        last -= struct.unpack_from(">I", data, 0x54)[0] or _FAST_COMMIT_BLOCKS
    if not 0 < first < last:
        return None
    return _Super(first, last, sequence, start, features, crc32c(0xFFFFFFFF, data[0x30:0x40]))


def _headers(reader: VolumeReader, layout: ExtLayout, places: Numbers, head: _Super) -> list[tuple[int, int, int]]:
    """Return number, kind and sequence of the journal's own blocks, in order: copies of others never begin with its magic number."""
    found: list[tuple[int, int, int]] = []
    step = max(1, _PIECE // layout.block)
    inside = places[: head.last]
    breaks = np.flatnonzero(np.diff(inside) != 1) + 1
    for start, end in zip(np.concatenate(([0], breaks)).tolist(), np.append(breaks, len(inside)).tolist(), strict=True):
        if inside[start] < 0:
            continue
        for at in range(start, end, step):
            data = reader.read(int(inside[at]) * layout.block, min(step, end - at) * layout.block)
            rows = np.frombuffer(data, dtype=">u4", count=len(data) // layout.block * (layout.block // 4)).reshape(-1, layout.block // 4)
            own = np.flatnonzero(rows[:, 0] == _MAGIC)
            found.extend((at + row, int(rows[row, 1]), int(rows[row, 2])) for row in own.tolist() if at + row >= head.first)
    return found


def _tags(data: bytes, head: _Super, age: int, index: int, room: int, tags: array[int]) -> None:
    """Add a descriptor's tags, no more than there are copies behind it: age, block, the copy's number in the journal, flags, checksum."""
    at, end = 12, len(data) - head.tail
    place = index
    for _ in range(room):
        if at + head.tag > end:
            break
        if head.features & _CHECKSUM_3:
            block, flags, high, checksum = struct.unpack_from(">4I", data, at)
        else:
            block, checksum, flags = struct.unpack_from(">IHH", data, at)
            high = struct.unpack_from(">I", data, at + 8)[0] if head.features & _64BIT else 0
        if head.features & _64BIT:
            block |= (high & 0x7FFFFFFF) << 32
        place = place + 1 if place + 1 < head.last else head.first
        tags.extend((age, block, place, flags, checksum))
        at += head.tag + (0 if flags & _SAME_UUID else 16)
        if flags & _LAST:
            break
