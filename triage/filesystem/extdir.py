"""Linear directories of ext2/3/4, for when TSK's own listing hangs on one of the inodes they name, and for the self-checks.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Linear (Classic) Directories".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def index_size(block_size: int) -> int:
    """Return from which size on a directory can have an index: its root and two blocks of records."""
    return 3 * block_size


def index_names(read: Callable[[int, int], bytes], size: int, block_size: int, last_inode: int) -> frozenset[tuple[int, bytes]]:
    """Return what the index of a hashed directory looks like where it is taken for records: inode and name, cut at a byte of nought.

    TSK reads every block of a directory as records, also those that hold hashes and block numbers, and lists by chance names that
    there are not: deleted ones in the index's root, allocated ones in the blocks below it that directories of thousands have. What lies
    behind the part of a block that the index uses can be left of real names. ``read`` gives the directory's bytes by offset and length.
    Source: as above, "Hash Tree Directories".
    """
    root = read(0, block_size)
    levels = root[30] if len(root) == block_size else 0
    if root[4:9] != b"\x0c\0\x01\x02." or root[24:28] != bytes(4) or root[29:30] != b"\x08" or levels > 3:
        return frozenset()
    below = _leads_to(root, 32)
    found = set(_as_records(root, 24, 32 + 8 * len(below), last_inode))
    seen = {0}
    for _ in range(levels):
        deeper: list[int] = []
        for number in below:
            if number in seen or (number + 1) * block_size > size:
                continue
            seen.add(number)
            node = read(number * block_size, block_size)
            leads = _leads_to(node, 8)
            found.update(_as_records(node, 0, 8 + 8 * len(leads), last_inode))
            deeper += leads
        below = deeper
    return frozenset(found)


def _leads_to(node: bytes, at: int) -> list[int]:
    """Return the blocks that a node of the index leads to: behind its limit and count, 8 bytes each, the first without a hash."""
    count = min(int.from_bytes(node[at + 2 : at + 4], "little"), (len(node) - at) // 8)
    return [int.from_bytes(node[at + 8 * n + 4 : at + 8 * n + 8], "little") & 0x0FFFFFFF for n in range(count)]


def _as_records(block: bytes, start: int, end: int, last_inode: int) -> Iterator[tuple[int, bytes]]:
    """Yield whatever passes for a record that begins in a part of a block."""
    for offset in range(start, min(end, len(block) - 11), 4):
        inode, length, name_length, _ = _HEAD.unpack_from(block, offset)
        if name_length and inode <= last_inode and length % 4 == 0 and 8 + name_length <= length <= len(block) - offset:
            yield inode, block[offset + 8 : offset + 8 + name_length].split(b"\0")[0]
