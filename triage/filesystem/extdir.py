"""Linear directories of ext2/3/4, for when TSK's own listing hangs on one of the inodes they name.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Linear (Classic) Directories".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class ExtName(NamedTuple):
    """One record. Deleted ones are those that lie in the slack of the record before them."""

    inode: int
    name: bytes
    file_type: int
    allocated: bool


def read_ext_directory(data: bytes, block_size: int, last_inode: int) -> Iterator[ExtName]:
    """Yield the records of each block, then what is left of deleted ones in their slack."""
    for start in range(0, len(data), block_size):
        block = data[start : start + block_size]
        offset = 0
        while offset + 8 <= len(block):
            inode, length, name_length, file_type = struct.unpack_from("<IHBB", block, offset)
            if length < 8 or length % 4 or offset + length > len(block):
                break
            used = (8 + name_length + 3) & ~3
            if name_length and 8 + name_length <= length and inode <= last_inode:
                name = block[offset + 8 : offset + 8 + name_length]
                yield ExtName(inode, name, file_type, allocated=inode != 0)
            yield from _slack(block, offset + used, offset + length, last_inode)
            offset += length


def _slack(block: bytes, offset: int, end: int, last_inode: int) -> Iterator[ExtName]:
    """Yield records that a longer one has swallowed: plausible inode, type, lengths and name only."""
    while offset + 12 <= end:
        inode, length, name_length, file_type = struct.unpack_from("<IHBB", block, offset)
        needed = (8 + name_length + 3) & ~3
        fits = 0 < inode <= last_inode and name_length and file_type <= 7 and length >= needed and offset + needed <= end
        name = block[offset + 8 : offset + 8 + name_length]
        if fits and b"\0" not in name and b"/" not in name:
            yield ExtName(inode, name, file_type, allocated=False)
            offset += needed
        else:
            offset += 4
