"""An ext volume's blocks: what the block bitmaps mark as in use against what inodes and the file system itself say is theirs.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Layout", "Block and Inode Bitmaps", "Bigalloc".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks.extinodes import PADDING, padded
from triage.filesystem.checks.exttally import PLACES, Kind
from triage.filesystem.crc32c import crc32c
from triage.filesystem.extlayout import (
    COMPAT_RESIZE_INODE,
    GROUP_BLOCKS_UNUSED,
    INCOMPAT_META_BG,
    INCOMPAT_MMP,
    RO_SHARED_BLOCKS,
)
from triage.model import Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.extblocks import BlockMaps
    from triage.filesystem.checks.exttally import Tally
    from triage.filesystem.extlayout import ExtLayout, Groups

    Numbers = NDArray[np.int64]
    Flags = NDArray[np.bool_]

TWICE = Kind(Severity.ERROR, "{n} [run|runs] of blocks [is|are] claimed twice: the content of one of the claimants is wrong")
LOST = Kind(Severity.ERROR, "{n} [block|blocks] marked as in use [belongs|belong] to nothing: files or content may be missing", cross=True)
FREED = Kind(
    Severity.WARNING, "{n} [block|blocks] in use [is|are] marked as free: the file that holds [it|them] may be damaged", cross=True
)
COUNT = Kind(Severity.WARNING, "{n} [group counts|groups count] more or fewer free blocks than the bitmap shows", cross=True)
SUM = Kind(Severity.WARNING, "{n} block [bitmap fails its|bitmaps fail their] checksum: what is free may be mixed up", cross=True)
PARTLY = Kind(Severity.WARNING, "the file system has more pieces of files than are compared: whether blocks are lost was not checked")


class _Ranges:
    """Runs of blocks, sorted and apart from each other."""

    def __init__(self, starts: Numbers, ends: Numbers) -> None:
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], np.maximum.accumulate(ends[order]) if len(ends) else ends
        heads = np.concatenate(([True], starts[1:] > ends[:-1])) if len(starts) else np.zeros(0, dtype=bool)
        self._starts = starts[heads]
        self._ends = ends[np.concatenate((heads[1:], [True]))] if len(starts) else ends

    def bits(self, start: int, count: int, cluster: int) -> Flags:
        """Return which of ``count`` clusters from the block ``start`` on the runs touch."""
        end = start + count * cluster
        low = int(np.searchsorted(self._ends, start, side="right"))
        high = int(np.searchsorted(self._starts, end, side="left"))
        steps = np.zeros(count + 1, dtype=np.int32)
        if low < high:
            first = (np.maximum(self._starts[low:high], start) - start) // cluster
            last = -(-(np.minimum(self._ends[low:high], end) - start) // cluster)
            np.add.at(steps, first, 1)
            np.add.at(steps, last, -1)
        return np.cumsum(steps[:-1]) > 0


def system_runs(layout: ExtLayout, groups: Groups) -> tuple[Numbers, Numbers]:
    """Return the runs of blocks that hold the file system's own structures, as starts and ends."""
    starts: list[int] = []
    lengths: list[int] = []
    meta = bool(layout.incompat & INCOMPAT_META_BG)
    each = layout.block // layout.descriptor
    reserved = layout.number(0xCE, 2) if layout.compat & COMPAT_RESIZE_INODE else 0
    old = min(layout.number(0x104, 4), layout.descriptor_blocks) if meta else layout.descriptor_blocks + reserved
    joined = layout.number(0x104, 4) * each if meta else layout.groups
    boot = int(layout.block == 1024 and not layout.first)  # bigalloc with small blocks: the first superblock is in block 1
    for group in range(len(groups)):
        home = layout.group_start(group)
        copy = layout.has_superblock(group)
        if copy:
            starts.append(home)
            lengths.append(1 + old + (boot if not group else 0))
        if meta and group >= joined and group % each in (0, 1, each - 1):
            starts.append(home + copy)
            lengths.append(1)
    if layout.incompat & INCOMPAT_MMP:
        starts.append(layout.number(0x168, 8))
        lengths.append(1)
    first = np.concatenate((np.array(starts, dtype=np.int64), groups.block_bitmap, groups.inode_bitmap, groups.inode_table))
    size = np.concatenate(
        (
            np.array(lengths, dtype=np.int64),
            np.ones(2 * len(groups), dtype=np.int64),
            np.full(len(groups), layout.table_blocks, dtype=np.int64),
        )
    )
    inside = (first >= 0) & (first < layout.blocks)
    return first[inside], np.minimum(first[inside] + size[inside], layout.blocks)


def check_space(reader: VolumeReader, layout: ExtLayout, groups: Groups, maps: BlockMaps, tally: Tally) -> int:
    """Compare bitmaps and claims; return how many bytes the bitmaps call free."""
    starts, lengths, owners = maps.claims()
    if not maps.complete:
        tally.add(PARTLY, f"{len(starts)} runs of blocks")
    own_starts, own_ends = system_runs(layout, groups)
    all_starts = np.concatenate((own_starts, starts))
    all_ends = np.concatenate((own_ends, starts + lengths))
    all_owners = np.concatenate((np.zeros(len(own_starts), dtype=np.int64), owners))
    if not layout.ro_compat & RO_SHARED_BLOCKS:
        _claimed_twice(all_starts, all_ends, all_owners, tally)
    system, everything = _Ranges(own_starts, own_ends), _Ranges(all_starts, all_ends)
    free = 0
    for group in range(len(groups)):
        free += _group(reader, layout, groups, group, (system, everything), tally, compare=maps.complete)
    return free * layout.cluster * layout.block


def _group(
    reader: VolumeReader, layout: ExtLayout, groups: Groups, group: int, ranges: tuple[_Ranges, _Ranges], tally: Tally, *, compare: bool
) -> int:
    """Compare one group; return its number of free clusters."""
    start = layout.group_start(group)
    count = -(-layout.group_length(group) // layout.cluster)
    system, everything = ranges
    if int(groups.flags[group]) & GROUP_BLOCKS_UNUSED:
        marked = system.bits(start, count, layout.cluster)
    else:
        data = reader.read(int(groups.block_bitmap[group]) * layout.block, layout.block)
        marked = np.zeros(count, dtype=bool)
        there = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little", count=min(count, len(data) * 8))
        marked[: len(there)] = there
        if not padded(reader, int(groups.block_bitmap[group]), layout.block, count):
            tally.add(PADDING, f"block bitmap of group {group}")
        if layout.checksums:
            mask = 0xFFFFFFFF if layout.descriptor >= 64 else 0xFFFF
            if crc32c(layout.seed, data[: layout.per_group // layout.cluster // 8]) & mask != groups.block_bitmap_checksum[group]:
                tally.add(SUM, f"group {group}")
    free = count - int(np.count_nonzero(marked))
    if free != groups.free_blocks[group]:
        tally.add(COUNT, f"group {group}: {groups.free_blocks[group]}, not {free}")
    owned = everything.bits(start, count, layout.cluster)
    if compare:
        _say(LOST, marked & ~owned, start, layout.cluster, tally)
    _say(FREED, owned & ~marked, start, layout.cluster, tally)
    return free


def _say(kind: Kind, wrong: Flags, start: int, cluster: int, tally: Tally) -> None:
    places = np.flatnonzero(wrong)
    if len(places):
        tally.add(kind, f"from block {start + int(places[0]) * cluster} on", len(places) * cluster)


def _claimed_twice(starts: Numbers, ends: Numbers, owners: Numbers, tally: Tally) -> None:
    order = np.lexsort((ends, starts))
    starts, ends, owners = starts[order], ends[order], owners[order]
    reach = np.maximum.accumulate(ends) if len(ends) else ends
    twice = np.flatnonzero(starts[1:] < reach[:-1]) + 1
    for index in twice[:PLACES].tolist():
        other = int(np.flatnonzero(ends[:index] == reach[index - 1])[-1])
        names = ["the file system" if not owner else f"inode {owner}" for owner in (int(owners[other]), int(owners[index]))]
        tally.add(TWICE, f"block {starts[index]}: {names[0]} and {names[1]}")
    for index in twice[PLACES:].tolist():
        tally.add(TWICE, f"block {starts[index]}")
