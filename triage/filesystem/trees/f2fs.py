"""F2FS, the file system of most Androids: its structures, by Linux (``include/linux/f2fs_fs.h``; little-endian).

Blocks are 4,096 bytes. A superblock stands at 1,024 and at 5,120. The newer of two checkpoints says which half of the node address table
(NAT) counts for each of its blocks, and holds a journal of entries newer than both. The table leads from a node's number to its block: an
inode, or a list of addresses. The last 24 bytes of a node are its footer: number, number of its inode, flags, version of the checkpoint.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.filesystem.trees.tree import ReadAt

BLOCK = 4096
MAGIC = 0xF2F52010
_FOOTER = 4072
_ADDRESSES = 1018
_IN_INODE = 923
_NAT_ENTRIES, _NAT_ENTRY = 455, 9
_UNMOUNTED, _COMPACT = 1, 4
_LARGE_BITMAP, _NEVER, _NEW = 0x400, 0xFFFFFFFF, 0xFFFFFFFE
_EXTRA, _INLINE_XATTR, _INLINE_DATA, _INLINE_DENTRY = 0x20, 1, 2, 4
_FLEXIBLE_XATTR, _CRTIME_FEATURE = 0x40, 0x100
_ENCRYPTED_ADVICE = 4
_COMPRESSED_FLAG = 0x4
_MOST_BLOCKS = 1 << 32
_HELD = 512


class F2fsError(ValueError):
    """What is no F2FS, or one that cannot be read."""


class Inode(NamedTuple):
    """A file's metadata. Times in nanoseconds since 1970. ``block``: the whole node; ``first``: where its addresses begin, of how many."""

    number: int
    mode: int
    uid: int
    gid: int
    links: int
    size: int
    atime: int
    ctime: int
    mtime: int
    crtime: int | None
    parent: int
    name: bytes
    encrypted: bool
    compressed: bool
    inline_data: bool
    inline_names: bool
    first: int
    many: int
    version: int
    block: bytes


class F2fs:
    """One file system. ``read_at`` is relative to its first byte. Raises :class:`F2fsError` when it cannot be opened."""

    def __init__(self, read_at: ReadAt, beat: Callable[[], None] = lambda: None) -> None:
        self._read_at = read_at
        self._beat = beat
        self._held: dict[int, bytes] = {}
        self.superblock = self._superblock()
        block = self.superblock
        self.label = block[124:1148].decode("utf-16-le", "replace").partition("\0")[0]
        self.segment = 1 << int.from_bytes(block[20:24], "little")
        self.blocks = int.from_bytes(block[36:44], "little")
        # From 64 on: segments of the main area, then block addresses of the first segment, checkpoint, SIT, NAT, SSA and main area.
        self._sit_segments, = struct.unpack_from("<I", block, 56)
        nat_segments, = struct.unpack_from("<I", block, 60)
        self.most_nodes = min(nat_segments // 2 * self.segment * _NAT_ENTRIES, 0xFFFFFFFF)
        self.main_segments, _, self._checkpoints, self._sit, self._nat, _, self.main, self.root = struct.unpack_from("<8I", block, 68)
        self._payload = int.from_bytes(block[1664:1668], "little")
        self.hidden = sum(1 for number in struct.unpack_from("<3I", block, 2745) if number)
        """Inodes of quota files, which no name leads to."""
        self.features = int.from_bytes(block[2180:2184], "little")
        self._checkpoint, self._at = self._newest_checkpoint()
        self.version = int.from_bytes(self._checkpoint[:8], "little")
        self._flags = int.from_bytes(self._checkpoint[132:136], "little")
        self.unmounted = bool(self._flags & _UNMOUNTED)
        """Whether its newest checkpoint is that of an unmounting: else files that were written out since are not in it."""
        self.valid_inodes = int.from_bytes(self._checkpoint[148:152], "little")
        sit, nat = struct.unpack_from("<II", self._checkpoint, 156)
        start = 196 if self._flags & _LARGE_BITMAP else 192 if self._payload else 192 + sit
        self._bitmap = self._checkpoint[start : start + min(nat, BLOCK)]
        if self._flags & _LARGE_BITMAP and start + nat > BLOCK:
            self._bitmap += b"".join(self.block(self._at + 1 + n) for n in range(min(-(-nat // BLOCK), 64)))[: start + nat - BLOCK]
        self._sit_bitmap = b"" if self._payload or self._flags & _LARGE_BITMAP else self._checkpoint[192 : 192 + min(sit, BLOCK)]
        self._journal = self._read_journal()

    # ---- where it begins ---------------------------------------------------------------------------------------------------

    def _superblock(self) -> bytes:
        for at in (1024, 1024 + BLOCK):
            try:
                block = self._read_at(at, 3072)
            except OSError:
                continue
            magic, = struct.unpack_from("<I", block) if len(block) == 3072 else (0,)
            if magic != MAGIC:
                continue
            size, shift = struct.unpack_from("<II", block, 16)
            if size == 12 and shift == 9:
                return block
        raise F2fsError("its superblocks are damaged, or its blocks are of a size that is not read")

    def _newest_checkpoint(self) -> tuple[bytes, int]:
        best: tuple[int, int, bytes] | None = None
        for at in (self._checkpoints, self._checkpoints + self.segment):
            head = self.block(at)
            version, = struct.unpack_from("<Q", head)
            total, = struct.unpack_from("<I", head, 136)
            if not 0 < total <= self.segment:
                continue
            if struct.unpack_from("<Q", self.block(at + total - 1))[0] == version and (best is None or version > best[0]):
                best = (version, at, head)
        if best is None:
            raise F2fsError("it has no checkpoint that is whole")
        return best[2], best[1]

    def _read_journal(self) -> dict[int, tuple[int, int]]:
        """Return the entries of the address table that are newer than its blocks: number → (inode, address)."""
        start, = struct.unpack_from("<I", self._checkpoint, 140)
        block = self.block(self._at + start)
        at = 0 if self._flags & _COMPACT else 7 * 512
        count, = struct.unpack_from("<H", block, at)
        found = {}
        for number in range(min(count, 38)):
            nid, _, inode, address = struct.unpack_from("<IBII", block, at + 2 + 13 * number)
            found[nid] = (inode, address)
        return found

    def segment_info(self, segment: int) -> int | None:
        """Return type (high 6 bits) and number of valid blocks (low 10) of a segment of the main area; ``None`` when it is not known."""
        number, entry = divmod(segment, 55)
        if number >> 3 >= len(self._sit_bitmap):
            return None
        half = self._sit_segments // 2 * self.segment
        at = self._sit + number + (half if self._sit_bitmap[number >> 3] & (0x80 >> (number & 7)) else 0)
        return int.from_bytes(self.block(at)[entry * 74 : entry * 74 + 2], "little")

    # ---- nodes -------------------------------------------------------------------------------------------------------------

    def block(self, address: int) -> bytes:
        """Return a block by its address, zeros for what cannot be."""
        if not 0 < address < min(max(self.blocks, 1), _MOST_BLOCKS):
            return bytes(BLOCK)
        data = self._read_at(address * BLOCK, BLOCK)
        return data if len(data) == BLOCK else data.ljust(BLOCK, b"\0")

    def address_of(self, node: int) -> int:
        """Return where a node lies by the address table, 0 when it is not in use."""
        found = self._journal.get(node)
        if found is not None:
            return found[1]
        number, entry = divmod(node, _NAT_ENTRIES)
        segment, inside = divmod(number, self.segment)
        at = self._nat + 2 * segment * self.segment + inside
        if number >> 3 < len(self._bitmap) and self._bitmap[number >> 3] & (0x80 >> (number & 7)):
            at += self.segment
        block = self._held.get(at)
        if block is None:
            if len(self._held) >= _HELD:
                self._held.clear()
            block = self._held[at] = self.block(at)
        return int.from_bytes(block[entry * _NAT_ENTRY + 5 : entry * _NAT_ENTRY + 9], "little")

    def node(self, number: int) -> bytes | None:
        """Return a node in use by its number; ``None`` when it is none, or its footer says that it is another."""
        address = self.address_of(number)
        if address in (0, _NEVER, _NEW):
            return None
        block = self.block(address)
        return block if int.from_bytes(block[_FOOTER : _FOOTER + 4], "little") == number else None

    def inode(self, number: int) -> Inode | None:
        """Return an inode in use."""
        block = self.node(number)
        return self.parse(number, block) if block is not None else None

    def parse(self, number: int, block: bytes) -> Inode:
        """Return what a block says as an inode."""
        mode, advice, inline, uid, gid, links, size, _, atime, ctime, mtime, an, cn, mn = struct.unpack_from("<HBBIIIQQQQQIII", block)
        flags, parent, length = struct.unpack_from("<III", block, 80)
        extra = int.from_bytes(block[360:362], "little") // 4 if inline & _EXTRA else 0
        extra = min(extra, 100)
        if self.features & _FLEXIBLE_XATTR:
            xattr = int.from_bytes(block[362:364], "little") if inline & _EXTRA else 0
        else:
            xattr = 50 if inline & (_INLINE_XATTR | _INLINE_DENTRY) else 0
        crtime = None
        if self.features & _CRTIME_FEATURE and extra >= 6:
            seconds, nanoseconds = struct.unpack_from("<QI", block, 372)
            crtime = _time(seconds, nanoseconds)
        return Inode(
            number, mode, uid, gid, links, size, _time(atime, an), _time(ctime, cn), _time(mtime, mn), crtime, parent,
            block[92 : 92 + min(length, 255)], bool(advice & _ENCRYPTED_ADVICE), bool(flags & _COMPRESSED_FLAG) and mode >> 12 == 8,
            bool(inline & _INLINE_DATA), bool(inline & _INLINE_DENTRY), 360 + 4 * extra, max(0, _IN_INODE - extra - min(xattr, 800)),
            int.from_bytes(block[_FOOTER + 12 : _FOOTER + 20], "little"), block,
        )  # fmt: skip

    def addresses(self, inode: Inode, node: Callable[[int], bytes | None]) -> Iterator[int]:
        """Yield the addresses of a file's blocks in order, 0 for a hole. ``node``: finds the nodes that hold more of them."""
        yield from struct.unpack_from(f"<{inode.many}I", inode.block, inode.first)
        first, second, third, fourth, last = struct.unpack_from("<5I", inode.block, 4052)

        def listed(number: int, depth: int) -> Iterator[int]:
            block = node(number) if number else None
            if block is None:
                for _ in range(_ADDRESSES**depth):
                    yield 0
                return
            numbers = struct.unpack_from(f"<{_ADDRESSES}I", block)
            if depth == 1:
                yield from numbers
                return
            self._beat()
            for one in numbers:
                yield from listed(one, depth - 1)

        for number, depth in ((first, 1), (second, 1), (third, 2), (fourth, 2), (last, 3)):
            yield from listed(number, depth)

    def names(self, inode: Inode) -> Iterator[tuple[bytes, int, int, bool]]:
        """Yield a folder's names: name, inode, type (1 file, 2 folder, 7 link), whether it is in use."""
        if inode.inline_names:
            size = 4 * max(0, inode.many - 1)
            count = size * 8 // ((11 + 8) * 8 + 1)
            bitmap = (count + 7) // 8
            reserved = size - (19 * count + bitmap)
            area = inode.block[inode.first + 4 : inode.first + 4 + size]
            yield from _dentries(area[:bitmap], area[bitmap + reserved :], area[bitmap + reserved + 11 * count :], count)
            return
        left = -(-inode.size // BLOCK)
        for address in self.addresses(inode, self.node):
            if left <= 0:
                return
            left -= 1
            if address not in (0, _NEVER, _NEW):
                self._beat()
                block = self.block(address)
                yield from _dentries(block[:27], block[30:], block[30 + 11 * 214 :], 214)


def _dentries(bitmap: bytes, entries: bytes, names: bytes, count: int) -> Iterator[tuple[bytes, int, int, bool]]:
    at = 0
    while at < count:
        used = bool(bitmap[at >> 3] >> (at & 7) & 1) if at >> 3 < len(bitmap) else False
        if 11 * at + 11 > len(entries):
            return
        _, inode, length, kind = struct.unpack_from("<IIHB", entries, 11 * at)
        name = names[8 * at : 8 * at + length] if 0 < length <= 255 else b""
        if name and inode and (used or len(name) == length):
            yield name, inode, kind, used
        at += max(1, -(-length // 8)) if used and length else 1


def _time(seconds: int, nanoseconds: int) -> int:
    value = seconds - (1 << 64) if seconds >> 63 else seconds
    return value * 10**9 + (nanoseconds if nanoseconds < 10**9 else 0)
