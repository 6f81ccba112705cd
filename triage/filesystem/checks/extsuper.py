"""An ext volume's superblock and group descriptors against their checksums, their copies, and the volume itself.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "The Super Block", "Block Group Descriptors".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks.exttally import Kind
from triage.filesystem.crc32c import crc32c
from triage.filesystem.extlayout import (
    INCOMPAT_FLEX_BG,
    INCOMPAT_KNOWN,
    INCOMPAT_META_BG,
    SUPERBLOCK,
    group_checksums,
    read_descriptors,
)
from triage.model import Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.exttally import Tally
    from triage.filesystem.extlayout import ExtLayout, Groups

MAX_COPIES = 64
"""Copies of the superblock that are compared; a volume of 16 TiB with sparse_super has 21."""
_PIECE = 1 << 20
_FIXED = (
    ("number of inodes", 0x00, 4, -1),
    ("number of blocks", 0x04, 4, -1),
    ("first block", 0x14, 4, -1),
    ("block size", 0x18, 4, -1),
    ("cluster size", 0x1C, 4, -1),
    ("blocks a group", 0x20, 4, -1),
    ("inodes a group", 0x28, 4, -1),
    ("revision", 0x4C, 4, -1),
    ("first inode", 0x54, 4, -1),
    ("inode size", 0x58, 2, -1),
    ("compatible features", 0x5C, 4, 0x210),
    ("incompatible features", 0x60, 4, 0x292),
    ("read-only features", 0x64, 4, 0x611),
    ("descriptor size", 0xFE, 2, -1),
    ("first metagroup", 0x104, 4, -1),
    ("number of blocks, upper half", 0x150, 4, -1),
)
"""Fields that only making or resizing a file system writes, in every copy: name, offset, size, the bits that count."""

SUM = Kind(Severity.ERROR, "the superblock fails its checksum: the file system may be read wrongly, names may be missing")
COPY = Kind(Severity.ERROR, "{n} [copy|copies] of the superblock [differs|differ] from the first: one is damaged, names may be missing")
NO_COPY = Kind(Severity.WARNING, "{n} [copy|copies] of the superblock [is|are] damaged")
SHORT = Kind(Severity.ERROR, "the file system is larger than its volume: the image is cut short, names and content are missing")
INODES = Kind(Severity.ERROR, "the superblock gives a number of inodes that its groups do not have: names may be missing")
FEATURES = Kind(Severity.WARNING, "the file system has features that are not known here: what they change was not checked")
ERRORS = Kind(Severity.WARNING, "the file system itself says that errors were found in it")
GROUP_SUM = Kind(Severity.ERROR, "{n} group [descriptor fails its|descriptors fail their] checksum: names may be missing")
GROUP_COPY = Kind(Severity.ERROR, "{n} group [descriptor differs from its|descriptors differ from their] copy: names may be missing")
GROUP_COPY_BAD = Kind(Severity.WARNING, "the copies of {n} group [descriptor|descriptors] are damaged")
GROUP_PLACE = Kind(Severity.ERROR, "{n} group [descriptor points|descriptors point] where [its|their] tables cannot be: names are missing")
GROUPS = Kind(Severity.ERROR, "{n} group [descriptor|descriptors] cannot be read: names are missing")
RESERVED = Kind(
    Severity.WARNING,
    "{n} [block|blocks] kept for growing the file system [is|are] damaged, where nothing is ever written",
    cross=True,
)
FREE_INODES = Kind(Severity.WARNING, "the superblock counts other free inodes than its groups have: files may be missing", cross=True)
FREE_BLOCKS = Kind(Severity.WARNING, "the superblock counts other free blocks than its groups have", cross=True)


def check_superblock(reader: VolumeReader, layout: ExtLayout, tally: Tally) -> None:
    """Hold the first superblock against its checksum, the volume and its copies."""
    if layout.checksums and crc32c(0xFFFFFFFF, layout.raw[:0x3FC]) != layout.number(0x3FC, 4):
        tally.add(SUM, "superblock at byte 1024")
    if layout.blocks * layout.block > reader.size:
        tally.add(SHORT, f"{layout.blocks * layout.block} bytes, of which {reader.size} are there")
    if layout.inodes != layout.groups * layout.inodes_per_group:
        tally.add(INODES, f"{layout.inodes} inodes, {layout.groups} groups of {layout.inodes_per_group}")
    unknown = layout.incompat & ~INCOMPAT_KNOWN
    if unknown:
        tally.add(FEATURES, f"incompatible features {unknown:#x}")
    if layout.number(0x3A, 2) & 2:
        tally.add(ERRORS, f"state {layout.number(0x3A, 2)}")
    copies = 0
    for group in range(1, min(layout.groups, 1 << 20)):
        if not layout.has_superblock(group):
            continue
        at = layout.superblock_at(group)
        if copies >= MAX_COPIES or at + SUPERBLOCK > reader.size:
            break
        copies += 1
        copy = reader.read(at, SUPERBLOCK)
        if copy[0x38:0x3A] != b"\x53\xef" or int.from_bytes(copy[0x5A:0x5C], "little") not in (0, group & 0xFFFF):
            tally.add(NO_COPY, f"group {group}")
            continue
        differing = [name for name, offset, size, mask in _FIXED if (_field(copy, offset, size) ^ layout.number(offset, size)) & mask]
        if differing:
            tally.add(COPY, f"group {group}: {', '.join(differing)}")


def _field(raw: bytes, offset: int, size: int) -> int:
    return int.from_bytes(raw[offset : offset + size], "little")


def check_descriptors(reader: VolumeReader, layout: ExtLayout, groups: Groups, tally: Tally) -> None:
    """Hold the group descriptors against their checksums, one copy of them, and the places that they can have."""
    if len(groups) < layout.groups:
        tally.add(GROUPS, f"groups from {len(groups)} on", layout.groups - len(groups))
    sound = np.ones(len(groups), dtype=bool)
    right = group_checksums(layout, groups)
    if right is not None:
        sound = right == groups.checksum
        tally.add_all(GROUP_SUM, "group", np.flatnonzero(~sound))
    _compare_copy(reader, layout, groups, sound if right is not None else None, tally)
    starts = np.arange(len(groups), dtype=np.int64) * layout.per_group + layout.first
    loose = layout.incompat & (INCOMPAT_FLEX_BG | INCOMPAT_META_BG)
    low, high = (layout.first, layout.blocks) if loose else (starts, np.minimum(starts + layout.per_group, layout.blocks))
    wrong = np.zeros(len(groups), dtype=bool)
    for places, length in ((groups.block_bitmap, 1), (groups.inode_bitmap, 1), (groups.inode_table, layout.table_blocks)):
        wrong |= (places < low) | (places + length > high)
    tally.add_all(GROUP_PLACE, "group", np.flatnonzero(wrong))


def _compare_copy(reader: VolumeReader, layout: ExtLayout, groups: Groups, sound: NDArray[np.bool_] | None, tally: Tally) -> None:
    """Compare the places of bitmaps and tables with the first copy: nothing else is kept up in it."""
    home = next((g for g in range(1, min(layout.groups, 1 << 20)) if layout.has_superblock(g)), 0)
    if not home:
        return
    copy = read_descriptors(reader.read, layout, home)
    count = min(len(groups), len(copy))
    differing = np.zeros(count, dtype=bool)
    for name in ("block_bitmap", "inode_bitmap", "inode_table"):
        differing |= getattr(groups, name)[:count] != getattr(copy, name)[:count]
    if sound is None:
        tally.add_all(GROUP_COPY, "group", np.flatnonzero(differing))
    else:
        tally.add_all(GROUP_COPY_BAD, "group", np.flatnonzero(differing & sound[:count]))


def check_reserved(reader: VolumeReader, layout: ExtLayout, listing: int | None, tally: Tally) -> None:
    """Hold the blocks that are reserved for more descriptors against what must stand in them: the places of their copies.

    They are listed by a block of the resize inode, in order, from the entry on that has the number of descriptor blocks.
    """
    reserved = layout.number(0xCE, 2)
    if not reserved or listing is None or layout.incompat & INCOMPAT_META_BG or layout.cluster > 1:
        return
    each = layout.block // 4
    start = layout.descriptor_blocks
    first = layout.first + 1 + start
    reserved = min(reserved, each)
    listed = _numbers(reader.read(listing * layout.block, layout.block), each)
    wanted = np.arange(first, first + reserved)
    places = (start + np.arange(reserved)) % each
    wrong = listed[places] != wanted
    listed[places] = 0
    if listed.any():
        tally.add(RESERVED, f"block {listing}")
    copies = [group * layout.per_group for group in range(1, min(layout.groups, 1 << 20)) if layout.has_superblock(group)][:each]
    for done in range(0, reserved, _PIECE // layout.block):
        count = min(_PIECE // layout.block, reserved - done)
        table = _numbers(reader.read((first + done) * layout.block, count * layout.block), count * each).reshape(count, each)
        table[:, : len(copies)] -= wanted[done : done + count, None] + np.array(copies, dtype=np.int64)[None, :]
        wrong[done : done + count] |= table.any(axis=1)
    tally.add_all(RESERVED, "block", wanted[wrong])


def _numbers(data: bytes, count: int) -> NDArray[np.int64]:
    """Return 32-bit numbers; noughts for those that are not there."""
    whole = len(data) // 4
    return np.concatenate((np.frombuffer(data, dtype="<u4", count=whole).astype(np.int64), np.zeros(count - whole, dtype=np.int64)))


def check_counts(layout: ExtLayout, groups: Groups, tally: Tally) -> None:
    """Hold the superblock's counts of what is free against the sums of its groups'."""
    inodes, stored = int(groups.free_inodes.sum()), layout.number(0x10, 4)
    if inodes != stored:
        tally.add(FREE_INODES, f"{stored}, not {inodes}")
    blocks = int(groups.free_blocks.sum()) * layout.cluster
    stored = layout.number(0x0C, 4) | (layout.number(0x158, 4) << 32 if layout.descriptor > 32 else 0)
    if blocks != stored:
        tally.add(FREE_BLOCKS, f"{stored}, not {blocks}")
