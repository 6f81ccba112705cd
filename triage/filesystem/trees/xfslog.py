"""XFS: whether its journal holds what has not been put in its place, since the volume was not unmounted.

Source: "XFS Algorithms & Data Structures", 3rd edition, "Journaling log": sectors of 512 bytes begin with the number of the round in which
they were written (in a record's first, behind its mark); when a volume is unmounted, a record of one operation that says so is the last.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.filesystem.trees.xfsinode import Xfs

_SECTOR, _MARK = 512, 0xFEEDBABE
_UNMOUNTED = 0x20
_LONGEST = 8192
"""Sectors that a record takes at most, and as many that were written out of turn."""
_PIECE = 32768
"""Bytes of a record for which one sector of header stands."""


def was_unmounted(fs: Xfs) -> bool | None:
    """Return whether the last record of the journal says so; ``None`` when that cannot be told (a journal elsewhere, or damaged)."""
    (start,) = struct.unpack_from(">Q", fs.head, 48)
    (blocks,) = struct.unpack_from(">I", fs.head, 96)
    place = fs.place(start)
    sectors = blocks * fs.block // _SECTOR
    if not start or place < 0 or sectors < 2 or place + sectors * _SECTOR > fs.blocks * fs.block:
        return None

    def round_of(sector: int) -> int:
        first, second = struct.unpack(">II", fs.read_at(place + sector * _SECTOR, 8))
        return int(second if first == _MARK else first)

    newest = round_of(0)
    low, high = 0, sectors  # the last sector of the newest round lies at ``low`` or behind it, and before ``high``
    while high - low > 1:
        middle = (low + high) // 2
        if round_of(middle) == newest:
            low = middle
        else:
            high = middle
    for back in range(min(high, _LONGEST)):
        sector = high - 1 - back
        raw = fs.read_at(place + sector * _SECTOR, _SECTOR)
        if len(raw) < _SECTOR or struct.unpack_from(">I", raw)[0] != _MARK:
            continue
        (operations,) = struct.unpack_from(">I", raw, 40)
        size = struct.unpack_from(">I", raw, 320)[0] if struct.unpack_from(">I", raw, 8)[0] == 2 else 0
        headers = max(1, -(-size // _PIECE)) if size <= 1 << 20 else 1
        operation = fs.read_at(place + (sector + headers) % sectors * _SECTOR, 12)
        return operations == 1 and len(operation) == 12 and bool(operation[9] & _UNMOUNTED)
    return None
