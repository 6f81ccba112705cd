"""Deleted inodes of an ext volume, by our own reading: TSK gives up its search for orphans at the first deleted directory.

Deleting takes a directory's size and map; TSK 4.15 then cannot open it, and its list of orphans ends in an error instead of a list.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Index Nodes", "Block and Inode Bitmaps".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks.extinodes import special_inodes
from triage.filesystem.extlayout import GROUP_INODES_UNUSED, read_descriptors, read_layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader

_PIECE = 256 << 10


def deleted_inodes(reader: VolumeReader) -> Iterator[int]:
    """Yield the inodes that were used and are not any more, in order: those that TSK would call orphans, and deleted ones with names."""
    layout = read_layout(reader.read)
    if layout is None:
        return
    groups = read_descriptors(reader.read, layout)
    special = special_inodes(layout)
    left = reader.size  # tables cannot be larger together, however many groups say that theirs lie in one place
    step = max(1, _PIECE // layout.inode_size)
    for group in range(len(groups)):
        first = group * layout.inodes_per_group + 1
        count = min(layout.inodes_per_group, layout.inodes - first + 1)
        if count <= 0:
            return
        if int(groups.flags[group]) & GROUP_INODES_UNUSED or not layout.first <= groups.inode_table[group] < layout.blocks:
            continue
        if not layout.first <= groups.inode_bitmap[group] < layout.blocks:
            continue
        bitmap = reader.read(int(groups.inode_bitmap[group]) * layout.block, -(-layout.inodes_per_group // 8))
        marked = np.unpackbits(np.frombuffer(bitmap, np.uint8), bitorder="little", count=min(count, len(bitmap) * 8)).astype(bool)
        reach = min(len(marked), max(0, count - int(groups.unused[group])))
        table = int(groups.inode_table[group]) * layout.block
        for start in range(0, reach, step):
            length = min(step, reach - start) * layout.inode_size
            left -= length
            if left < 0:
                return
            data = reader.read(table + start * layout.inode_size, length)
            whole = len(data) // layout.inode_size
            raw = np.frombuffer(data, np.uint8, count=whole * layout.inode_size).reshape(whole, layout.inode_size)
            # A mode, and a time of the last change: what was never used has neither.
            used = raw[:, 0:2].any(axis=1) & raw[:, 0x0C:0x10].any(axis=1) & ~marked[start : start + whole]
            yield from (address for address in (np.flatnonzero(used) + first + start).tolist() if address not in special)
