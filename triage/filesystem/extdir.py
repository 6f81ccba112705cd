"""Linear directories of ext2/3/4, for when TSK's own listing hangs on one of the inodes they name, and for the self-checks.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Linear (Classic) Directories".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = struct.Struct("<IHBB")
_LARGE = 1 << 16
"""From this size of blocks on, a record's length is coded: two bytes cannot hold it."""


class ExtName(NamedTuple):
    """One record. Deleted ones are those that lie in the slack of the record before them."""

    inode: int
    name: bytes
    file_type: int
    allocated: bool


class Record(NamedTuple):
    """One record of a block's chain, at its offset in the block. ``inode`` is 0 where it is not in use."""

    offset: int
    inode: int
    length: int
    name_length: int
    file_type: int


def read_chain(block: bytes) -> tuple[list[Record], int]:
    """Return the records of one block as they follow each other, and where that ends: at the block's length when it is sound."""
    chain: list[Record] = []
    offset, end = 0, len(block)
    large = end >= _LARGE
    unpack = _HEAD.unpack_from
    while offset + 8 <= end:
        inode, length, name_length, file_type = unpack(block, offset)
        if large:
            length = end if length in (0, 0xFFFF) else length & 0xFFFC | (length & 3) << 16
        if length < 8 + name_length or length % 4 or offset + length > end:
            break
        chain.append(Record(offset, inode, length, name_length, file_type))
        offset += length
    return chain, offset


def read_ext_directory(data: bytes, block_size: int, last_inode: int) -> Iterator[ExtName]:
    """Yield the records of each block, then what is left of deleted ones in their slack, or behind a record that leads nowhere."""
    for start in range(0, len(data), block_size):
        block = data[start : start + block_size]
        chain, end = read_chain(block)
        for record in chain:
            offset, inode, length, name_length, file_type = record
            if name_length and inode <= last_inode:
                yield ExtName(inode, block[offset + 8 : offset + 8 + name_length], file_type, allocated=inode != 0)
            yield from read_slack(block, offset + (8 + name_length + 3 & ~3), offset + length, last_inode)
        yield from read_slack(block, end, len(block), last_inode)


def read_slack(block: bytes, offset: int, end: int, last_inode: int) -> Iterator[ExtName]:
    """Yield records that a longer one has swallowed: plausible inode, type, lengths and name only."""
    while offset + 12 <= end:
        inode, length, name_length, file_type = _HEAD.unpack_from(block, offset)
        needed = (8 + name_length + 3) & ~3
        fits = 0 < inode <= last_inode and name_length and file_type <= 7 and length >= needed and offset + needed <= end
        name = block[offset + 8 : offset + 8 + name_length]
        if fits and b"\0" not in name and b"/" not in name:
            yield ExtName(inode, name, file_type, allocated=False)
            offset += needed
        else:
            offset += 4
