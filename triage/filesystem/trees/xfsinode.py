"""XFS: where inodes lie, what they say, and where their bytes are. Big-endian throughout.

Source: "XFS Algorithms & Data Structures", 3rd edition (superblocks, AG inode management, on-disk inode, data extents, B+tree extent list,
extended attributes' forks); Linux, ``fs/xfs/libxfs/xfs_format.h``, for what came later (big timestamps, large extent counts).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.filesystem.trees.tree import ReadAt

LOCAL, EXTENTS, BTREE = 1, 2, 3
_OLD_CORE, _NEW_CORE = 100, 176
_FTYPE, _FTYPE_OLD = 1, 0x200
_BIGTIME, _MANY_EXTENTS, _METADATA, _REALTIME = 8, 0x10, 0x20, 1
_EPOCH = 1 << 31
_MOST_GROUPS, _MOST_EXTENTS, _MOST_LEVELS = 1 << 20, 2_000_000, 9
_RECORD = struct.Struct(">QQ")


class XfsError(ValueError):
    """What is no XFS, or a structure of it that cannot be used."""


class Extent(NamedTuple):
    """A stretch of a file, in blocks: where in the file, where on the volume (its byte), how many; ``unwritten`` ones read as zeros."""

    first: int
    place: int
    many: int
    unwritten: bool


class Inode(NamedTuple):
    """A file's metadata. Times in nanoseconds since 1970. ``raw``: the whole inode; ``core``: bytes of it before its forks."""

    number: int
    mode: int
    form: int
    uid: int
    gid: int
    links: int
    size: int
    atime: int
    mtime: int
    ctime: int
    crtime: int | None
    extents: int
    attribute_extents: int
    attribute_form: int
    forkoff: int
    flags: int
    more_flags: int
    core: int
    raw: bytes

    @property
    def data_fork(self) -> bytes:
        """The bytes that say where its data are, or are its data."""
        return self.raw[self.core : self.core + self.forkoff] if self.forkoff else self.raw[self.core :]

    @property
    def attribute_fork(self) -> bytes:
        """The same of its extended attributes; b"" when it has none."""
        return self.raw[self.core + self.forkoff :] if self.forkoff else b""

    @property
    def realtime(self) -> bool:
        """Whether its bytes lie on a device of their own."""
        return bool(self.flags & _REALTIME)

    @property
    def internal(self) -> bool:
        """Whether it is the file system's own: metadata in a directory that no name leads to."""
        return bool(self.more_flags & _METADATA)


class Xfs:
    """One file system. ``read_at`` is relative to its first byte. Raises :class:`XfsError` or ``OSError`` when it cannot be opened."""

    def __init__(self, read_at: ReadAt, beat: Callable[[], None] = lambda: None) -> None:
        self.read_at, self._beat = read_at, beat
        head = read_at(0, 512)
        if len(head) < 512 or not head.startswith(b"XFSB"):
            raise XfsError("it has no XFS superblock")
        self.head = head
        self.block: int
        self.blocks: int
        self.block, self.blocks = struct.unpack_from(">IQ", head, 4)
        (self.root,) = struct.unpack_from(">Q", head, 56)
        self.group_blocks, self.groups = struct.unpack_from(">II", head, 84)
        version, self.sector, self.inode_size, per_block = struct.unpack_from(">HHHH", head, 100)
        self.label = head[108:120].rstrip(b"\0").decode("utf-8", "replace")
        self._block_log, self._inode_log, self._group_log = head[120], head[123], head[124]
        directory_log = head[192]
        more, = struct.unpack_from(">I", head, 200)
        incompatible, = struct.unpack_from(">I", head, 216)
        self.v5 = version & 15 == 5
        self.file_types = bool(incompatible & _FTYPE) if self.v5 else bool(more & _FTYPE_OLD)
        if self.block not in (512 << n for n in range(8)) or self.block != 1 << self._block_log:
            raise XfsError("the size of its blocks cannot be")
        if self.inode_size not in (256, 512, 1024, 2048) or per_block != self.block // self.inode_size or 1 << self._inode_log != per_block:
            raise XfsError("the size of its inodes cannot be")
        if not 0 < self.groups <= _MOST_GROUPS or not 0 < self.group_blocks <= 1 << min(self._group_log, 32):
            raise XfsError("the size of its allocation groups cannot be")
        if directory_log > 7 or not 512 <= self.sector <= 32768:
            raise XfsError("the sizes in its superblock cannot be")
        self.directory_block = self.block << directory_log
        self.chunk_blocks = max(1, 64 // per_block)
        """Blocks of a chunk of 64 inodes."""
        self.aligned = max(1, struct.unpack_from(">I", head, 180)[0])
        """Blocks at whose multiples chunks of inodes begin."""
        self.group_bits = self._group_log + self._inode_log
        """How many low bits of an inode's number count within its allocation group."""

    # ---- places ------------------------------------------------------------------------------------------------------------

    def place(self, number: int) -> int:
        """Return the byte of a block by its number, which has the allocation group in its high bits; -1 when there is none."""
        group, block = number >> self._group_log, number & (1 << self._group_log) - 1
        at = group * self.group_blocks + block
        return at * self.block if group < self.groups and block < self.group_blocks and at < self.blocks else -1

    def inode_place(self, number: int) -> int:
        """Return the byte of an inode by its number; -1 when there is none."""
        at = self.place(number >> self._inode_log)
        return at + (number & (1 << self._inode_log) - 1) * self.inode_size if at >= 0 else -1

    def number_at(self, group: int, block: int) -> int:
        """Return the number that the first inode in a block of an allocation group has."""
        return group << self.group_bits | block << self._inode_log

    def inode(self, number: int) -> Inode | None:
        """Return an inode, in use or not; ``None`` when it is none."""
        at = self.inode_place(number)
        return self.parse(number, self.read_at(at, self.inode_size)) if at >= 0 else None

    def parse(self, number: int, raw: bytes) -> Inode | None:
        """Return what bytes say as an inode; ``None`` when they are none, or another's."""
        if len(raw) < self.inode_size or raw[:2] != b"IN" or raw[4] not in (1, 2, 3):
            return None
        mode, version, form, old_links, uid, gid, links = struct.unpack_from(">HBBHIII", raw, 2)
        size, extents, attribute_extents = struct.unpack_from(">Q12xIH", raw, 56)
        core, crtime, more = _OLD_CORE, None, 0
        if version == 3:
            core = _NEW_CORE
            if struct.unpack_from(">Q", raw, 152)[0] != number:
                return None
            (more,) = struct.unpack_from(">Q", raw, 120)
            crtime = _time(raw, 144, more)
            if more & _MANY_EXTENTS:
                (extents,) = struct.unpack_from(">Q", raw, 24)
                (attribute_extents,) = struct.unpack_from(">I", raw, 76)
        forkoff = min(raw[82] * 8, self.inode_size - core)
        return Inode(
            number, mode, form, uid, gid, old_links if version == 1 else links, size, _time(raw, 32, more), _time(raw, 40, more),
            _time(raw, 48, more), crtime, extents, attribute_extents, raw[83], forkoff, int.from_bytes(raw[90:92], "big"), more, core, raw,
        )  # fmt: skip

    # ---- extents -----------------------------------------------------------------------------------------------------------

    def extents(self, inode: Inode, *, attributes: bool = False) -> list[Extent]:
        """Return a fork's extents in order; raise :class:`XfsError` when they cannot be had all."""
        fork = inode.attribute_fork if attributes else inode.data_fork
        if inode.size >> 62:
            raise XfsError("the size of a file cannot be")
        form, many = (inode.attribute_form, inode.attribute_extents) if attributes else (inode.form, inode.extents)
        if form == EXTENTS:
            if many * 16 > len(fork):
                raise XfsError("an inode says more extents than it has room for")
            found = self._records(fork[: many * 16])
        elif form == BTREE:
            found = self._tree(fork)
        else:
            raise XfsError("an inode keeps its data in a way that it cannot")
        behind = 0
        for one in found:
            if one.first < behind or one.place < 0 or not one.many:
                raise XfsError("the places of a file's blocks cannot be")
            behind = one.first + one.many
        return found

    def _records(self, raw: bytes) -> list[Extent]:
        found = []
        for high, low in _RECORD.iter_unpack(raw):
            count = low & 0x1FFFFF
            number = (high & 0x1FF) << 43 | low >> 21
            at = self.place(number)
            if at >= 0 and self.place(number + max(count, 1) - 1) < 0:
                at = -1
            found.append(Extent(high >> 9 & (1 << 54) - 1, at, count, bool(high >> 63)))
        return found

    def _tree(self, root: bytes, owner: int | None = None) -> list[Extent]:
        """Return the extents that a tree holds whose root is in an inode. ``owner``: the inode whose blocks count, of a deleted file."""
        level, many = struct.unpack_from(">HH", root)
        most = (len(root) - 4) // 16
        if not 0 < level <= _MOST_LEVELS or not 0 < many <= most:
            raise XfsError("the tree of a file's extents cannot be")
        found: list[Extent] = []
        seen: set[int] = set()

        def descend(numbers: tuple[int, ...], level: int) -> None:
            for number in numbers:
                self._beat()
                at = self.place(number)
                if at < 0 or at in seen:
                    raise XfsError("the tree of a file's extents leads outside, or in a circle")
                seen.add(at)
                block = self.read_at(at, self.block)
                head = 72 if block[:4] == b"BMA3" else 24
                if block[:4] not in (b"BMA3", b"BMAP") or len(block) < self.block or struct.unpack_from(">H", block, 4)[0] != level:
                    raise XfsError("the tree of a file's extents is damaged")
                if owner is not None and head == 72 and struct.unpack_from(">Q", block, 56)[0] != owner:
                    raise XfsError("the tree of a file's extents is another file's")
                (count,) = struct.unpack_from(">H", block, 6)
                most = (self.block - head) // 16
                if count > most or len(found) > _MOST_EXTENTS:
                    raise XfsError("the tree of a file's extents is damaged")
                if level:
                    descend(struct.unpack_from(f">{count}Q", block, head + most * 8), level - 1)
                else:
                    found.extend(self._records(block[head : head + count * 16]))

        descend(struct.unpack_from(f">{many}Q", root, 4 + most * 8), level - 1)
        return found

    def left_behind(self, inode: Inode) -> list[Extent]:
        """Return the extents that are still written in an inode that is not in use, as far as they can be: of a deleted file.

        When a file is deleted, XFS sets the count of its extents to none and leaves their records where they were.
        """
        fork = inode.raw[inode.core :]
        level, many = struct.unpack_from(">HH", fork)
        if 0 < level <= _MOST_LEVELS and 0 < many <= (len(fork) - 4) // 16:
            for length in range(len(fork), 19, -8):  # where the attributes' fork began is not known any more
                if many <= (length - 4) // 16:
                    try:
                        return _sensible(self._tree(fork[:length], inode.number))
                    except (XfsError, OSError):
                        continue
            return []
        return _sensible(self._records(fork[: len(fork) // 16 * 16]))

    # ---- which inodes there are --------------------------------------------------------------------------------------------

    def group_head(self, group: int) -> tuple[int, int, int, int] | None:
        """Return an allocation group's inodes, how many of them are free, and root and levels of the tree of them."""
        head = self.read_at(group * self.group_blocks * self.block + 2 * self.sector, 32)
        if len(head) < 32 or not head.startswith(b"XAGI"):
            return None
        count, root, levels, free = struct.unpack_from(">IIII", head, 16)
        return count, free, root, levels

    def chunks(self, group: int) -> Iterator[tuple[int, int, int]]:
        """Yield a group's chunks of 64 inodes: the first's number, a bit for each that is there, and for each that is not in use.

        Raises :class:`XfsError` where the tree of them is damaged.
        """
        head = self.group_head(group)
        if head is None:
            raise XfsError(f"the header of allocation group {group} is damaged")
        for first, holes, free in self._leaves(group, head[2], head[3], (b"IABT", b"IAB3"), struct.Struct(">IH2xQ"), 8):
            there = sum(0xF << 4 * bit for bit in range(16) if not holes >> bit & 1) if holes and self.v5 else (1 << 64) - 1
            yield group << self.group_bits | first, there, free & there

    def free_blocks(self, group: int) -> Iterator[tuple[int, int]]:
        """Yield a group's free stretches: the first block, within the group, and how many; raise :class:`XfsError` as above."""
        head = self.read_at(group * self.group_blocks * self.block + self.sector, 32)
        if len(head) < 32 or not head.startswith(b"XAGF"):
            raise XfsError(f"the header of allocation group {group}'s free space is damaged")
        root, levels = struct.unpack_from(">I8xI", head, 16)
        stretches = self._leaves(group, root, levels, (b"ABTB", b"AB3B"), struct.Struct(">II"), 12)
        yield from ((first, many) for first, many in stretches)

    def _leaves(
        self, group: int, root: int, levels: int, marks: tuple[bytes, bytes], record: struct.Struct, below: int
    ) -> Iterator[tuple[int, ...]]:
        """Yield the records of a group's tree; ``marks``: of its blocks, the newer second; ``below``: bytes of a key and a pointer."""
        what = f"a tree of allocation group {group} ({marks[0].decode()}) is damaged"
        stack, seen = [(root, levels - 1)], set[int]()
        while stack:
            number, level = stack.pop()
            self._beat()
            if number in seen or not 0 < number < self.group_blocks or not 0 <= level < _MOST_LEVELS:
                raise XfsError(what)
            seen.add(number)
            block = self.read_at((group * self.group_blocks + number) * self.block, self.block)
            if block[:4] not in marks or len(block) < self.block or struct.unpack_from(">H", block, 4)[0] != level:
                raise XfsError(what)
            start = 56 if block[:4] == marks[1] else 16
            (count,) = struct.unpack_from(">H", block, 6)
            most = (self.block - start) // (below if level else record.size)
            if count > most:
                raise XfsError(what)
            if level:
                stack += [(n, level - 1) for n in reversed(struct.unpack_from(f">{count}I", block, start + most * (below - 4)))]
            else:
                yield from record.iter_unpack(block[start : start + count * record.size])


def _sensible(found: list[Extent]) -> list[Extent]:
    """Return extents up to the first that cannot be one."""
    behind = 0
    for number, one in enumerate(found):
        if one.place < 0 or not one.many or one.first < behind or one.first - behind > 1 << 33:
            return found[:number]
        behind = one.first + one.many
    return found


def _time(raw: bytes, at: int, more: int) -> int:
    if more & _BIGTIME:
        return int(struct.unpack_from(">Q", raw, at)[0]) - _EPOCH * 10**9
    seconds, nanoseconds = struct.unpack_from(">iI", raw, at)
    return int(seconds) * 10**9 + (nanoseconds if nanoseconds < 10**9 else 0)
