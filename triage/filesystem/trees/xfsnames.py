"""XFS: what stands in directories, also names that were taken out, and extended attributes.

Source: "XFS Algorithms & Data Structures", 3rd edition (directories; extended attributes).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.filesystem.trees.xfsinode import LOCAL, XfsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.trees.xfsinode import Extent, Inode, Xfs

DIRECTORY, LINK = 2, 7
"""Types of a name."""
_LEAVES = 1 << 35
"""The byte of a directory behind which its blocks hold no names."""
_FREED = 0xFFFF
_LONGEST_VALUE, _MOST_BLOCKS = 65536, 1 << 20
_SPACES = {0: "user.", 2: "trusted.", 4: "security."}
_LOCAL, _PARENT, _INCOMPLETE = 1, 8, 0x80


class Name(NamedTuple):
    """A name in a directory. ``kind``: its type, 0 when not known; ``low``: whether only the low 32 bits of ``number`` are known."""

    text: bytes
    number: int
    kind: int
    used: bool
    low: bool = False


class Attribute(NamedTuple):
    """An extended attribute: its name, how long its value is, and the value, or the block of the fork where it begins."""

    name: bytes
    size: int
    value: bytes
    block: int | None = None


def names_of(fs: Xfs, folder: Inode, extents: list[Extent], *, owner: bool = False) -> Iterator[Name]:
    """Yield the names of a directory, those taken out too. ``owner``: only of blocks that say that they are this directory's.

    Raises :class:`XfsError` at the end when a block of it is none.
    """
    if folder.form == LOCAL and not owner:
        yield from _short(fs, folder)
        return
    wrong = 0
    for start, block in _blocks(fs, extents):
        mark = block[:4]
        new = mark in (b"XDB3", b"XDD3")
        if mark not in (b"XD2B", b"XD2D", b"XDB3", b"XDD3") or (new and struct.unpack_from(">Q", block, 40)[0] != folder.number):
            wrong += 1
            continue
        if owner and not new:
            if start:
                continue
            if not any(name.text == b"." and name.number == folder.number for name in _names_in(fs, block, 16)):
                return
        yield from _names_in(fs, block, 64 if new else 16)
    if wrong:
        raise XfsError(f"{wrong} blocks of the directory are damaged")


def _short(fs: Xfs, folder: Inode) -> Iterator[Name]:
    raw = folder.data_fork[: folder.size]
    if len(raw) < 6:
        raise XfsError("the directory is damaged")
    wide = 8 if raw[1] else 4
    at = 2 + wide
    for _ in range(raw[0]):
        length = raw[at] if at < len(raw) else 0
        end = at + 3 + length + fs.file_types
        if not length or end + wide > len(raw):
            raise XfsError("the directory is damaged")
        kind = raw[end - 1] if fs.file_types else 0
        yield Name(raw[at + 3 : at + 3 + length], int.from_bytes(raw[end : end + wide], "big"), kind, used=True)
        at = end + wide


def _blocks(fs: Xfs, extents: list[Extent]) -> Iterator[tuple[int, bytes]]:
    """Yield place in the directory and bytes of its blocks that hold names; one may lie in several pieces.

    Of one whose pieces are not all there, no bytes.
    """
    size, held, begun = fs.directory_block, b"", 0
    for one in extents:
        at, place = one.first * fs.block, one.place
        end = min(at + one.many * fs.block, _LEAVES)
        while at < end:
            take = min(size - at % size, end - at)
            piece = fs.read_at(place, take)
            if at % size == 0:
                if held:
                    yield begun, b""
                held, begun = piece, at
            elif held and begun + len(held) == at:
                held += piece
            else:
                yield at, b""
                held = b""
            if len(held) == size:
                yield begun, held
                held = b""
            at, place = at + take, place + take
    if held:
        yield begun, b""


def _names_in(fs: Xfs, block: bytes, start: int) -> Iterator[Name]:
    end = len(block)
    if block[:4] in (b"XD2B", b"XDB3"):  # behind the names: their hashes
        (count,) = struct.unpack_from(">I", block, end - 8)
        end = max(start, end - 8 - 8 * count)
    at = start
    while at + 16 <= end:
        if struct.unpack_from(">H", block, at)[0] == _FREED:
            (length,) = struct.unpack_from(">H", block, at + 2)
            if length < 8 or length % 8 or at + length > end:
                raise XfsError("a block of the directory is damaged")
            yield from _freed(fs, block, at, at + length)
            at += length
            continue
        size = _entry_size(fs, block[at + 8])
        if at + size > end or not block[at + 8]:
            raise XfsError("a block of the directory is damaged")
        yield _name(fs, block, at, used=True)
        at += size


def _freed(fs: Xfs, block: bytes, start: int, end: int) -> Iterator[Name]:
    """Yield the names that stood in what is free. A name's last two bytes say where it begins, which proves it.

    Of the first, the number's high half is written over; of what was joined to it later only the tag of the last.
    """
    at = start
    while at + 16 <= end:
        length = block[at + 8]
        size = _entry_size(fs, length)
        tag = struct.unpack_from(">H", block, at + size - 2)[0] if length and at + size <= end else -1
        if not length or at + size > end or tag not in (at, start) or (tag == start != at and at + size != end):
            at += 8
            continue
        one = _name(fs, block, at, used=False)
        low = at == start or struct.unpack_from(">H", block, at)[0] == _FREED
        if low:
            one = one._replace(number=one.number & 0xFFFFFFFF, low=True)
        if one.number and b"/" not in one.text and b"\0" not in one.text and one.kind <= 8:
            yield one
        at += size


def _entry_size(fs: Xfs, length: int) -> int:
    return -(-(11 + length + fs.file_types) // 8) * 8


def _name(fs: Xfs, block: bytes, at: int, *, used: bool) -> Name:
    (number,) = struct.unpack_from(">Q", block, at)
    length = block[at + 8]
    kind = block[at + 9 + length] if fs.file_types else 0
    return Name(block[at + 9 : at + 9 + length], number, kind, used)


# ---- extended attributes ---------------------------------------------------------------------------------------------------------


def attributes_of(fs: Xfs, inode: Inode) -> list[Attribute]:
    """Return a file's extended attributes, with the names that Linux gives them; raise :class:`XfsError` when they are damaged."""
    fork = inode.attribute_fork
    if not fork or (inode.attribute_form != LOCAL and not inode.attribute_extents):
        return []
    if inode.attribute_form == LOCAL:
        return list(_short_attributes(fork))
    extents = fs.extents(inode, attributes=True)
    found: list[Attribute] = []
    number, seen = 0, set[int]()
    while True:
        if number in seen or len(seen) >= _MOST_BLOCKS:
            raise XfsError("the chain of a file's extended attributes turns back")
        seen.add(number)
        block = _fork_block(fs, extents, number)
        (mark,) = struct.unpack_from(">H", block, 8)
        if mark in (0xFEBE, 0x3EBE):  # a node: down to its first child
            (number,) = struct.unpack_from(">I", block, (64 if mark == 0x3EBE else 16) + 4)
            continue
        if mark not in (0xFBEE, 0x3BEE):
            raise XfsError("extended attributes of a file are damaged")
        found += _leaf(block, mark == 0x3BEE)
        (number,) = struct.unpack_from(">I", block)
        if not number:
            return found


def _short_attributes(fork: bytes) -> Iterator[Attribute]:
    count, at = fork[2], 4
    for _ in range(count):
        if at + 3 > len(fork):
            raise XfsError("extended attributes of a file are damaged")
        length, size, flags = fork[at], fork[at + 1], fork[at + 2]
        name, value = fork[at + 3 : at + 3 + length], fork[at + 3 + length : at + 3 + length + size]
        if len(value) < size or not length:
            raise XfsError("extended attributes of a file are damaged")
        if not flags & (_PARENT | _INCOMPLETE):
            yield Attribute(_SPACES.get(flags & 6, "").encode() + name, size, value)
        at += 3 + length + size


def _leaf(block: bytes, new: bool) -> Iterator[Attribute]:
    head = 80 if new else 32
    (count,) = struct.unpack_from(">H", block, 56 if new else 12)
    for number in range(min(count, (len(block) - head) // 8)):
        _, at, flags, _ = struct.unpack_from(">IHBB", block, head + 8 * number)
        if flags & (_PARENT | _INCOMPLETE):
            continue
        if at + (3 if flags & _LOCAL else 9) > len(block):
            raise XfsError("extended attributes of a file are damaged")
        space = _SPACES.get(flags & 6, "").encode()
        if flags & _LOCAL:
            size, length = struct.unpack_from(">HB", block, at)
            value = block[at + 3 + length : at + 3 + length + size]
            if not length or len(value) < size:
                raise XfsError("extended attributes of a file are damaged")
            yield Attribute(space + block[at + 3 : at + 3 + length], size, value)
        else:
            first, size, length = struct.unpack_from(">IIB", block, at)
            if not length or size > _LONGEST_VALUE:
                raise XfsError("extended attributes of a file are damaged")
            yield Attribute(space + block[at + 9 : at + 9 + length], size, b"", first)


def value_of(fs: Xfs, inode: Inode, one: Attribute) -> bytes:
    """Return an attribute's value."""
    if one.block is None:
        return one.value
    extents = fs.extents(inode, attributes=True)
    value, number = b"", one.block
    while len(value) < one.size:
        block = _fork_block(fs, extents, number)
        number += 1
        if fs.v5:
            if block[:4] != b"XARM":
                raise XfsError("the value of an extended attribute is damaged")
            value += block[56 : 56 + struct.unpack_from(">I", block, 8)[0]]
        else:
            value += block
    return value[: one.size]


def _fork_block(fs: Xfs, extents: list[Extent], number: int) -> bytes:
    for one in extents:
        if one.first <= number < one.first + one.many:
            block = fs.read_at(one.place + (number - one.first) * fs.block, fs.block)
            if len(block) == fs.block:
                return block
    raise XfsError("extended attributes of a file are damaged")
