"""Inodes of ext over which TSK would spin for many seconds, told beforehand by their own fields.

TSK builds the whole block list of an inode that is only named in a directory (``unix_make_data_run_indirect``). If its size needs the
third level of indirection and hardly a block is there, TSK goes through all that the level could hold, whatever the size: 16 million
pointers with blocks of 1 KiB (some ten seconds), a milliard with 4 KiB. Whether that is longer than a watchdog waits depends on the
machine, and the findings would, too; so such inodes are never opened.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Index Nodes" and "The Contents of inode.i_block".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.extlayout import read_descriptors, read_layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.extlayout import ExtLayout

MAX_TABLES = 256 << 20
"""Bytes of inode tables that are looked at; what lies behind is left to the watchdog."""
_PIECE = 4 << 20
_EXTENTS, _INLINE = 0x80000, 0x10000000
_FEWER = 16


def poisoned_inodes(reader: VolumeReader) -> frozenset[int]:
    """Return the inodes that TSK must not open; none when the volume's own books cannot be read."""
    found: set[int] = set()
    try:
        layout = read_layout(reader.read)
        if layout is None:
            return frozenset()
        groups = read_descriptors(reader.read, layout)
        left = MAX_TABLES
        for group in range(len(groups)):
            used = layout.inodes_per_group - min(int(groups.unused[group]), layout.inodes_per_group)
            place = int(groups.inode_table[group]) * layout.block
            length = min(used * layout.inode_size, left)
            step = max(1, _PIECE // layout.inode_size) * layout.inode_size
            for start in range(0, length, step):
                data = reader.read(place + start, min(step, length - start))
                if not data:
                    break
                left -= len(data)
                first = group * layout.inodes_per_group + start // layout.inode_size + 1
                found.update(first + int(n) for n in _poisoned(data, layout))
            if left <= 0:
                break
    except ValueError:  # a place that no volume has
        return frozenset(found)
    return frozenset(found)


def _poisoned(data: bytes, layout: ExtLayout) -> list[int]:
    """Return which of the inodes in a piece of a table need the third level of indirection and have next to no blocks for it."""
    count = len(data) // layout.inode_size
    rows = np.frombuffer(data, np.uint8, count * layout.inode_size).reshape(count, layout.inode_size)

    def field(offset: int) -> NDArray[np.uint64]:
        return np.ascontiguousarray(rows[:, offset : offset + 4]).view("<u4")[:, 0].astype(np.uint64)

    pointers = layout.block // 4
    block = np.uint64(layout.block)
    needed = (field(4) | field(108) << np.uint64(32)) // block
    stored = field(28) * np.uint64(512) // block
    stored[stored > layout.blocks] = 0  # more than the volume has: nothing that could be believed
    deep = needed > 12 + pointers + pointers**2
    listed = field(32) & np.uint64(_EXTENTS | _INLINE) == 0
    return [int(n) for n in np.nonzero(listed & deep & (stored * np.uint64(_FEWER) < needed))[0]]
