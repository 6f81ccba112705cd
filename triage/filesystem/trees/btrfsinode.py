"""What a Btrfs tree of files says of one inode: its item, names, extended attributes and extents (Btrfs wiki, "On-disk Format")."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from triage.filesystem.trees.btrfsdata import Extent, extent_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.filesystem.trees.btrfs import Key

INODE_ITEM, INODE_REF, INODE_EXTREF, XATTR_ITEM, DIR_ITEM, DIR_INDEX, EXTENT_DATA = 1, 12, 13, 24, 84, 96, 108
_INODE = struct.Struct("<QQQQQIIIIQQQ32x")
_TIME, _ENTRY, _REF, _EXTREF = struct.Struct("<QI"), struct.Struct("<QBQQHHB"), struct.Struct("<QH"), struct.Struct("<QQH")
_MOST_EXTENTS, _MOST_ATTRIBUTES = 4_000_000, 100_000


class Entry(NamedTuple):
    """A name in a folder: what it leads to (a number and the type of its key), and its type of file."""

    name: bytes
    number: int
    kind: int
    form: int


@dataclass(slots=True)
class Inode:
    """An inode. ``item``: its numbers as they stand; times in nanoseconds since 1970."""

    number: int
    item: bytes = b""
    names: list[tuple[int, bytes]] = field(default_factory=list)
    attributes: list[tuple[tuple[int, int], bytes, bytes]] = field(default_factory=list)
    extents: list[Extent] = field(default_factory=list)
    damaged: int = 0
    left_out: int = 0
    """Attributes that are more than are kept."""

    @property
    def whole(self) -> bool:
        """Whether its item was found."""
        return len(self.item) >= 160

    def numbers(self) -> tuple[int, ...]:
        """Return generation, transaction, size, bytes, group, links, user, group, mode, device, flags, sequence."""
        return _INODE.unpack_from(self.item) if self.whole else (0,) * 12

    def time(self, which: int) -> int | None:
        """Return a time: 0 access, 1 change, 2 modification, 3 birth."""
        if not self.whole:
            return None
        seconds, rest = _TIME.unpack_from(self.item, 112 + 12 * which)
        seconds -= (seconds >> 63) << 64
        return seconds * 10**9 + rest if rest < 10**9 and (seconds or rest) and abs(seconds) < 1 << 33 else None


def gather(number: int, items: Iterable[tuple[Key, bytes]]) -> Inode:
    """Return an inode from its items."""
    found = Inode(number)
    for (_, kind, offset), data in items:
        if kind == INODE_ITEM:
            found.item = data
        elif kind == INODE_REF:
            found.names += [(offset, name) for name in _names(data)]
        elif kind == INODE_EXTREF:
            found.names += list(_far_names(data))
        elif kind == XATTR_ITEM:
            for index, (name, value) in enumerate(_attributes(data)):
                if len(found.attributes) < _MOST_ATTRIBUTES:
                    found.attributes.append(((kind + 256 * index, offset), name, value))
                else:
                    found.left_out += 1
        elif kind == EXTENT_DATA:
            extent = extent_of(offset, data)
            if extent is None or len(found.extents) >= _MOST_EXTENTS:
                found.damaged += 1
            else:
                found.extents.append(extent)
    return found


def _names(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 10 <= len(data):
        _, length = _REF.unpack_from(data, at)
        if at + 10 + length > len(data):
            return
        yield data[at + 10 : at + 10 + length]
        at += 10 + length


def _far_names(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 18 <= len(data):
        parent, _, length = _EXTREF.unpack_from(data, at)
        if at + 18 + length > len(data):
            return
        yield parent, data[at + 18 : at + 18 + length]
        at += 18 + length


def _attributes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + _ENTRY.size <= len(data):
        *_, value, name, _ = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        if at + name + value > len(data):
            return
        yield data[at : at + name], data[at + name : at + name + value]
        at += name + value


def entry_of(data: bytes) -> Entry | None:
    """Return a name of a folder by its DIR_INDEX item; ``None`` when it cannot be."""
    if len(data) < _ENTRY.size:
        return None
    number, kind, _, _, value, name, form = _ENTRY.unpack_from(data)
    text = data[_ENTRY.size : _ENTRY.size + name]
    if not text or len(text) < name or value or text in (b".", b"..") or b"/" in text or b"\0" in text:
        return None
    return Entry(text, number, kind, form)
