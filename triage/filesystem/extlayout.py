"""Where ext2, ext3 and ext4 keep their own structures: the superblock, the group descriptors, the place of an inode.

Read from raw bytes, not through TSK: for what TSK does not give (times past 2038) and for the self-checks.

Source: Linux kernel documentation, *ext4 data structures and algorithms* ("The Super Block", "Block Group Descriptors", "Meta Block
Groups", "Checksums"). All numbers are little-endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.crc32c import crc32c, crc32c_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Read = Callable[[int, int], bytes]
    """Bytes of the volume by offset and length, fewer at its end."""
    Octets = NDArray[np.uint8]
    Numbers = NDArray[np.int64]

SUPERBLOCK = 1024
"""The superblock's offset and its size."""
MAX_GROUPS = 1 << 21
"""Groups whose descriptors are read: 256 TiB at the usual 128 MiB a group."""
ROOT, BAD_BLOCKS, RESIZE, JOURNAL = 2, 1, 7, 8

COMPAT_HAS_JOURNAL, COMPAT_RESIZE_INODE, COMPAT_SPARSE_SUPER2, COMPAT_ORPHAN_FILE = 0x4, 0x10, 0x200, 0x1000
INCOMPAT_FILETYPE, INCOMPAT_RECOVER, INCOMPAT_JOURNAL_DEVICE, INCOMPAT_META_BG = 0x2, 0x4, 0x8, 0x10
INCOMPAT_EXTENTS, INCOMPAT_64BIT, INCOMPAT_MMP, INCOMPAT_FLEX_BG, INCOMPAT_EA_INODE = 0x40, 0x80, 0x100, 0x200, 0x400
INCOMPAT_CSUM_SEED, INCOMPAT_LARGE_DIRECTORY, INCOMPAT_INLINE_DATA = 0x2000, 0x4000, 0x8000
INCOMPAT_ENCRYPT, INCOMPAT_CASEFOLD = 0x10000, 0x20000
INCOMPAT_KNOWN = (
    INCOMPAT_FILETYPE
    | INCOMPAT_RECOVER
    | INCOMPAT_META_BG
    | INCOMPAT_EXTENTS
    | INCOMPAT_64BIT
    | INCOMPAT_MMP
    | INCOMPAT_FLEX_BG
    | INCOMPAT_EA_INODE
    | INCOMPAT_CSUM_SEED
    | INCOMPAT_LARGE_DIRECTORY
    | INCOMPAT_INLINE_DATA
    | INCOMPAT_ENCRYPT
    | INCOMPAT_CASEFOLD
)
RO_SPARSE_SUPER, RO_LARGE_FILE, RO_HUGE_FILE, RO_GDT_CHECKSUM = 0x1, 0x2, 0x8, 0x10
RO_QUOTA, RO_BIGALLOC, RO_CHECKSUMS, RO_PROJECT, RO_SHARED_BLOCKS, RO_VERITY = 0x100, 0x200, 0x400, 0x2000, 0x4000, 0x8000

GROUP_INODES_UNUSED, GROUP_BLOCKS_UNUSED = 1, 2
"""bg_flags INODE_UNINIT and BLOCK_UNINIT: the group's bitmap was never written."""


@dataclass(frozen=True, slots=True)
class ExtLayout:
    """What a superblock says, checked as far as arithmetic needs it. Places and sizes are in blocks unless they say otherwise."""

    raw: bytes
    block: int
    """Bytes a block."""
    blocks: int
    first: int
    """s_first_data_block: the block that group 0 begins with."""
    per_group: int
    cluster: int
    """Blocks that one bit of a block bitmap stands for (bigalloc); 1 otherwise."""
    groups: int
    inodes: int
    inodes_per_group: int
    inode_size: int
    """Bytes an inode."""
    first_inode: int
    """The first inode that is not reserved."""
    descriptor: int
    """Bytes a group descriptor."""
    compat: int
    incompat: int
    ro_compat: int
    seed: int
    """What every checksum begins with."""

    @property
    def checksums(self) -> bool:
        """Whether structures carry a CRC-32C (metadata_csum)."""
        return bool(self.ro_compat & RO_CHECKSUMS)

    @property
    def counts_unused(self) -> bool:
        """Whether descriptors say how much of their inode table was ever used (uninit_bg, metadata_csum)."""
        return bool(self.ro_compat & (RO_CHECKSUMS | RO_GDT_CHECKSUM))

    @property
    def table_blocks(self) -> int:
        """Blocks of a group's inode table."""
        return -(-self.inodes_per_group * self.inode_size // self.block)

    @property
    def descriptor_blocks(self) -> int:
        """Blocks of all group descriptors together."""
        return -(-self.groups * self.descriptor // self.block)

    @property
    def clean(self) -> bool:
        """Whether it was unmounted in order: no journal to replay and, without a journal, the state that says so."""
        return not self.incompat & INCOMPAT_RECOVER and bool(self.number(0x3A, 2) & 1)

    def number(self, offset: int, size: int) -> int:
        """Return a field of the superblock."""
        return int.from_bytes(self.raw[offset : offset + size], "little")

    def group_start(self, group: int) -> int:
        """Return the first block of a group."""
        return self.first + group * self.per_group

    def group_length(self, group: int) -> int:
        """Return how many blocks a group has: fewer in the last."""
        return max(0, min(self.per_group, self.blocks - self.group_start(group)))

    def has_superblock(self, group: int) -> bool:
        """Whether a group begins with a copy of the superblock."""
        if self.compat & COMPAT_SPARSE_SUPER2:
            return group == 0 or group in (self.number(0x24C, 4), self.number(0x250, 4))
        if group <= 1 or not self.ro_compat & RO_SPARSE_SUPER:
            return True
        return any(_is_power(group, base) for base in (3, 5, 7))

    def superblock_at(self, group: int) -> int:
        """Return the byte offset of a group's copy of the superblock."""
        return SUPERBLOCK if group == 0 else self.group_start(group) * self.block

    def descriptor_places(self, copy: int) -> list[tuple[int, int, int]]:
        """Return ``(group, byte offset, how many)`` for each stretch of descriptors, of the copy that begins in group ``copy``.

        With meta_bg the later ones lie apart, in the first group of each metagroup; ``copy`` 1 then means those in the second.
        """
        each = self.block // self.descriptor
        meta = bool(self.incompat & INCOMPAT_META_BG)
        groups = min(self.groups, MAX_GROUPS)
        joined = min(groups, self.number(0x104, 4) * each) if meta else groups
        places = []
        if joined:
            start = self.superblock_at(copy) if copy else (self.first if self.block > 1024 else 1) * self.block
            places.append((0, start // self.block * self.block + self.block, joined))
        if meta and copy <= 1:
            for group in range(joined, groups, each):
                home = group + copy
                if home >= groups:
                    break
                behind = self.has_superblock(home)
                places.append((group, (self.group_start(home) + behind) * self.block, min(each, groups - group)))
        return places

    def inode_seeds(self, addresses: NDArray[np.uint32], generations: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Return what the checksums of inodes, and of the directories and extent trees they own, begin with."""
        rows = np.stack((addresses.astype("<u4"), generations.astype("<u4")), axis=1).view(np.uint8)
        return crc32c_rows(np.full(len(rows), self.seed, dtype=np.uint32), rows.reshape(len(addresses), 8))


def _is_power(number: int, base: int) -> bool:
    while number > 1 and number % base == 0:
        number //= base
    return number == 1


def parse_superblock(raw: bytes) -> ExtLayout | None:
    """Return what a superblock says, ``None`` where it is none or cannot be one."""
    if len(raw) < SUPERBLOCK or raw[0x38:0x3A] != b"\x53\xef":
        return None
    raw = raw[:SUPERBLOCK]
    inodes, low, first, log_block, log_cluster, per_group, inodes_per_group = struct.unpack_from("<II12xIIII4xI", raw)
    revision, first_inode, inode_size, compat, incompat, ro_compat = struct.unpack_from("<I4xIH2xIII", raw, 0x4C)
    if not revision:
        first_inode, inode_size, compat, incompat, ro_compat = 11, 128, 0, 0, 0
    if log_block > 6 or (log_cluster > 20 and ro_compat & RO_BIGALLOC):
        return None
    block = 1024 << log_block
    cluster = 1 << max(0, log_cluster - log_block) if ro_compat & RO_BIGALLOC else 1
    large = bool(incompat & INCOMPAT_64BIT)
    blocks = low | (int.from_bytes(raw[0x150:0x154], "little") << 32 if large else 0)
    descriptor = int.from_bytes(raw[0xFE:0x100], "little") if large else 32
    possible = (
        128 <= inode_size <= block
        and not inode_size & (inode_size - 1)
        and 0 < per_group <= 8 * block * cluster
        and 0 < inodes_per_group <= 8 * block
        and 32 <= descriptor <= min(block, 1024)
        and not descriptor & (descriptor - 1)
        and first < blocks
        and inodes
    )
    if not possible:
        return None
    seed = int.from_bytes(raw[0x270:0x274], "little") if incompat & INCOMPAT_CSUM_SEED else crc32c(0xFFFFFFFF, raw[0x68:0x78])
    groups = -(-(blocks - first) // per_group)
    return ExtLayout(
        raw,
        block,
        blocks,
        first,
        per_group,
        cluster,
        groups,
        inodes,
        inodes_per_group,
        inode_size,
        max(first_inode, 1),
        descriptor,
        compat,
        incompat,
        ro_compat,
        seed,
    )


def read_layout(read: Read) -> ExtLayout | None:
    """Return the layout that the volume's first superblock says, ``None`` where there is none."""
    return parse_superblock(read(SUPERBLOCK, SUPERBLOCK))


class Groups:
    """The group descriptors, as columns. ``raw`` has one row a descriptor; fields that a descriptor is too short for are 0."""

    def __init__(self, layout: ExtLayout, raw: Octets) -> None:
        self.raw = raw
        wide = layout.descriptor >= 64
        self.block_bitmap = self._place(0x00, 0x20, wide)
        self.inode_bitmap = self._place(0x04, 0x24, wide)
        self.inode_table = self._place(0x08, 0x28, wide)
        self.free_blocks = self._count(0x0C, 0x2C, wide)
        self.free_inodes = self._count(0x0E, 0x2E, wide)
        self.directories = self._count(0x10, 0x30, wide)
        self.flags = self._field(0x12, 2) if layout.counts_unused else np.zeros(len(raw), dtype=np.int64)
        self.unused = self._count(0x1C, 0x32, wide) if layout.counts_unused else np.zeros(len(raw), dtype=np.int64)
        self.checksum = self._field(0x1E, 2)
        self.block_bitmap_checksum = self._count(0x18, 0x38, wide)
        self.inode_bitmap_checksum = self._count(0x1A, 0x3A, wide)

    def __len__(self) -> int:
        return len(self.raw)

    def _field(self, offset: int, size: int) -> Numbers:
        return np.ascontiguousarray(self.raw[:, offset : offset + size]).view(f"<u{size}")[:, 0].astype(np.int64)

    def _place(self, low: int, high: int, wide: bool) -> Numbers:
        # Not beyond what a signed number holds: a hostile one must stay a place outside of the volume.
        return self._field(low, 4) | ((self._field(high, 4) & 0x7FFFFFFF) << 32 if wide else 0)

    def _count(self, low: int, high: int, wide: bool) -> Numbers:
        return self._field(low, 2) | (self._field(high, 2) << 16 if wide else 0)


def read_descriptors(read: Read, layout: ExtLayout, copy: int = 0) -> Groups:
    """Return the group descriptors, as many as there are to be read and at most :data:`MAX_GROUPS`."""
    pieces: list[Octets] = []
    got = 0
    for group, offset, count in layout.descriptor_places(copy):
        if group != got:
            break
        wanted = min(count, MAX_GROUPS - got)
        for start in range(0, wanted * layout.descriptor, 4 << 20):
            data = read(offset + start, min(4 << 20, wanted * layout.descriptor - start))
            whole = len(data) // layout.descriptor
            pieces.append(np.frombuffer(data, dtype=np.uint8, count=whole * layout.descriptor).reshape(whole, layout.descriptor))
            got += whole
            if whole * layout.descriptor < len(data) or not whole:
                break
        if got < group + count:
            break
    return Groups(layout, np.concatenate(pieces) if pieces else np.empty((0, layout.descriptor), dtype=np.uint8))


def group_checksums(layout: ExtLayout, groups: Groups) -> Numbers | None:
    """Return what the descriptors' checksums must be, ``None`` where they have none (a feature of the file system)."""
    numbers = np.arange(len(groups), dtype="<u4").view(np.uint8).reshape(-1, 4)
    if layout.checksums:
        rows = np.concatenate((numbers, groups.raw), axis=1)
        rows[:, 4 + 0x1E : 4 + 0x20] = 0
        states = crc32c_rows(np.full(len(rows), layout.seed, dtype=np.uint32), rows)
        return (states & np.uint32(0xFFFF)).astype(np.int64)
    if layout.ro_compat & RO_GDT_CHECKSUM:
        identity = np.broadcast_to(np.frombuffer(layout.raw[0x68:0x78], dtype=np.uint8), (len(groups), 16))
        return _crc16(np.concatenate((identity, numbers, groups.raw[:, :0x1E], groups.raw[:, 0x20:]), axis=1))
    return None


def _crc16(rows: Octets) -> Numbers:
    """Return each row's CRC-16 (polynomial 0x8005, reflected), as uninit_bg has it."""
    states = np.full(len(rows), 0xFFFF, dtype=np.int64)
    for column in range(rows.shape[1]):
        states ^= rows[:, column]
        for _ in range(8):
            states = states >> 1 ^ 0xA001 * (states & 1)
    return states


def inode_at(layout: ExtLayout, groups: Groups, address: int) -> int | None:
    """Return the byte offset of an inode in the volume, ``None`` where it has none."""
    group, index = divmod(address - 1, layout.inodes_per_group)
    if address < 1 or address > layout.inodes or group >= len(groups):
        return None
    return int(groups.inode_table[group]) * layout.block + index * layout.inode_size
