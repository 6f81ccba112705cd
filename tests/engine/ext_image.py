"""A tiny ext4 writer for tests: any bytes for a name, any number for a size, any inode behind a name; nothing is checked.

One block group, no journal, no checksums, contents in one piece. It follows the kernel's *ext4 Data Structures and Algorithms* and
shares no code with the reader.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

ROOT = 2
_FIRST = 11  # the first inode that is not reserved
_INODE = 128
_TIME = 1_700_000_000
_FILE, _DIRECTORY, _LINK = 0o100644, 0o040755, 0o120777
_TYPES = {0o100000: 1, 0o040000: 2, 0o020000: 3, 0o060000: 4, 0o010000: 5, 0o140000: 6, 0o120000: 7}
_EXTENTS = 0x80000


@dataclass
class _Inode:
    mode: int
    data: bytes = b""
    size: int | None = None
    names: list[tuple[bytes, int]] = field(default_factory=list)
    parent: int = ROOT
    links: int = 1
    device: int = 0
    gap: int = 0


class ExtImage:
    """Collects inodes and names; :meth:`build` lays them out."""

    def __init__(self, *, block: int = 1024) -> None:
        self.block = block
        self._inodes: dict[int, _Inode] = {ROOT: _Inode(_DIRECTORY, links=2)}

    def _add(self, inode: _Inode, parent: int, name: bytes | None) -> int:
        number = max(self._inodes, default=0) + 1 if len(self._inodes) > 1 else _FIRST
        self._inodes[number] = inode
        if name is not None:
            self.name(parent, name, number)
        return number

    def file(self, name: bytes | None, data: bytes = b"", parent: int = ROOT, *, size: int | None = None, gap: int = 0) -> int:
        """Add a file. ``size`` is what its inode says if that is a lie; ``gap`` is a hole of so many blocks before the data."""
        return self._add(_Inode(_FILE, data, size, gap=gap), parent, name)

    def directory(self, name: bytes, parent: int = ROOT) -> int:
        """Add a directory."""
        self._inodes[parent].links += 1
        return self._add(_Inode(_DIRECTORY, parent=parent, links=2), parent, name)

    def link(self, name: bytes, target: bytes, parent: int = ROOT) -> int:
        """Add a symbolic link."""
        return self._add(_Inode(_LINK, target), parent, name)

    def special(self, name: bytes, mode: int, parent: int = ROOT, device: int = 0x0801) -> int:
        """Add a device, pipe or socket."""
        return self._add(_Inode(mode, device=device), parent, name)

    def name(self, parent: int, name: bytes, inode: int) -> None:
        """Give an inode one more name, whatever it is."""
        self._inodes[parent].names.append((name, inode))

    def build(self, blocks: int = 0) -> bytes:
        """Return the medium, of at least ``blocks`` blocks."""
        block = self.block
        count = -(-max(self._inodes) // (block // _INODE)) * (block // _INODE)
        table = (2 if block == 1024 else 1) + 3  # behind superblock, descriptors and two bitmaps
        free = table + count * _INODE // block
        bodies: dict[int, tuple[int, bytes]] = {}
        for number, inode in self._inodes.items():
            if inode.mode & 0o170000 == 0o040000:
                inode.data = self._entries(number, inode)
            if inode.data and not (inode.mode == _LINK and len(inode.data) < 60):
                bodies[number] = (free, inode.data)
                free += -(-len(inode.data) // block)
        total = max(blocks, free + 8)
        if total > 8 * block or count > 8 * block:
            raise ValueError("more than one block group")
        image = bytearray(total * block)
        image[1024:2048] = self._superblock(total, count, total - free)
        first = 2 if block == 1024 else 1
        struct.pack_into("<IIIHHH", image, first * block, first + 1, first + 2, table, total - free, count - max(self._inodes),
                         sum(i.mode & 0o170000 == 0o040000 for i in self._inodes.values()))
        used = [*range(1 if block == 1024 else 0, free)]
        self._mark(image, (first + 1) * block, [b - (1 if block == 1024 else 0) for b in used], total - (block == 1024))
        self._mark(image, (first + 2) * block, [*range(10), *(n - 1 for n in self._inodes)], count)
        for number, inode in self._inodes.items():
            at, data = bodies.get(number, (0, b""))
            image[at * block : at * block + len(data)] = data
            where = table * block + (number - 1) * _INODE
            image[where : where + _INODE] = self._inode(inode, at, len(data))
        return bytes(image)

    def _mark(self, image: bytearray, at: int, bits: list[int], total: int) -> None:
        for bit in bits:
            image[at + bit // 8] |= 1 << bit % 8
        for bit in range(total, 8 * self.block):
            image[at + bit // 8] |= 1 << bit % 8

    def _entries(self, number: int, inode: _Inode) -> bytes:
        out, here = [], bytearray()
        rows = [(b".", number), (b"..", inode.parent), *inode.names]
        for at, (name, target) in enumerate(rows):
            need = (8 + len(name) + 3) & ~3
            after = (8 + len(rows[at + 1][0]) + 3) & ~3 if at + 1 < len(rows) else self.block
            last = len(here) + need + after > self.block
            length = self.block - len(here) if last else need
            known = self._inodes.get(target)
            kind = _TYPES[known.mode & 0o170000] if known else 1
            here += (struct.pack("<IHBB", target, length, len(name), kind) + name).ljust(length, b"\0")
            if last:
                out.append(bytes(here))
                here = bytearray()
        return b"".join(out)

    def _inode(self, inode: _Inode, at: int, length: int) -> bytes:
        size = len(inode.data) if inode.size is None else inode.size
        blocks = -(-length // self.block)
        flags, body = 0, b""
        if inode.mode == _LINK and not at:
            body = inode.data
        elif inode.mode & 0o170000 in (0o020000, 0o060000):
            body = struct.pack("<I", inode.device)
        elif inode.mode & 0o170000 in (0o100000, 0o040000, 0o120000):
            flags = _EXTENTS
            body = struct.pack("<HHHHI", 0xF30A, 1 if at else 0, 4, 0, 0)
            if at:
                body += struct.pack("<IHHI", inode.gap, blocks, 0, at)
        head = struct.pack("<HHIIIIIHHIII", inode.mode, 0, size & 0xFFFFFFFF, _TIME, _TIME, _TIME, 0, 0, inode.links,
                           blocks * self.block // 512, flags, 0)
        return (head + body.ljust(60, b"\0") + struct.pack("<III", 0, 0, size >> 32)).ljust(_INODE, b"\0")

    def _superblock(self, blocks: int, inodes: int, free: int) -> bytes:
        shift = self.block.bit_length() - 11
        first = 1 if self.block == 1024 else 0
        per_group = 8 * self.block
        head = struct.pack("<IIIIIIIIIII", inodes, blocks, 0, free, inodes - max(self._inodes), first, shift, shift, per_group, per_group,
                           inodes)
        head += struct.pack("<IIHHHHHHIIIIHH", _TIME, _TIME, 1, 20, 0xEF53, 1, 1, 0, _TIME, 0, 0, 1, 0, 0)
        # first inode, inode size, group, compatible, incompatible (types in entries, extents), read-only compatible (large files)
        head += struct.pack("<IHHIII", _FIRST, _INODE, 0, 0, 0x42, 0x2) + bytes(range(16)) + b"HOSTILE".ljust(16, b"\0")
        return head.ljust(1024, b"\0")
