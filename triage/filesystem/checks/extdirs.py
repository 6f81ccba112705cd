"""An ext volume's directories, read from their own blocks: chains of records, the index over them, what each name leads to.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Directory Entries" (linear, hash tree), "Inline Directories".
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.filesystem.checks.exthash import half_md4
from triage.filesystem.checks.extinodes import (
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    FLAG_ENCRYPTED,
    FLAG_INDEX,
    FLAG_INLINE,
    LINK,
    REGULAR,
    SOCKET,
)
from triage.filesystem.checks.exttally import Kind
from triage.filesystem.crc32c import crc32c, crc32c_rows
from triage.filesystem.extdir import read_chain, read_slack
from triage.filesystem.extlayout import INCOMPAT_FILETYPE, ROOT
from triage.model import Severity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.extblocks import BlockMaps, DirectoryMap
    from triage.filesystem.checks.exttally import Tally
    from triage.filesystem.extdir import Record
    from triage.filesystem.extlayout import ExtLayout
    from triage.filesystem.listed import Listed

    Octets = NDArray[np.uint8]
    Numbers = NDArray[np.int64]

MAX_DIRECTORY = 64 << 20
MAX_DIRECTORIES = 2 << 30
"""Bytes of a directory, and of all together, that are looked at."""
MAX_NAMES = 500_000
"""Names of one directory that are compared with each other and with its index."""
_DIR_NLINK = 0x20
_HALF_MD4, _SIGNED, _UNSIGNED, _CASEFOLD = 1, 1, 2, 0x40000000
"""The usual hash; s_flags' bits for whether its bytes have a sign; the inode flag of directories that hash names in one case."""
_PIECE = 1 << 20
_TAIL = b"\0\0\0\0\x0c\0\0\xde"
_FILE_TYPE = np.zeros(16, dtype=np.uint8)
_FILE_TYPE[[REGULAR, DIRECTORY, CHARACTER, BLOCK, FIFO, SOCKET, LINK]] = range(1, 8)

CHAIN = Kind(Severity.ERROR, "{n} directory [block is|blocks are] damaged: a record does not lead to the next, names may be missing")
HOLE = Kind(Severity.ERROR, "{n} [directory lacks|directories lack] blocks that [it|they] should have: names are missing")
CHECKSUM = Kind(Severity.ERROR, "{n} directory [block fails its|blocks fail their] checksum: names may be missing or wrong")
INDEX = Kind(Severity.WARNING, "{n} [directory has|directories have] a damaged index: names may be missing or wrong")
DOTS = Kind(Severity.ERROR, "{n} [directory does|directories do] not know [itself or its|themselves or their] parent: names may be missing")
PARENT = Kind(Severity.WARNING, "{n} [directory names|directories name] another parent than the one that holds [it|them]")
NOWHERE = Kind(Severity.ERROR, "{n} [name leads|names lead] to no inode in use: what [it|they] stood for is missing", cross=True)
TYPE = Kind(Severity.WARNING, "{n} [name says|names say] another kind of entry than the inode: one of the two is wrong", cross=True)
DUPLICATE = Kind(Severity.WARNING, "{n} [name stands|names stand] twice in one directory: a name may be wrong")
HASH = Kind(Severity.WARNING, "{n} [name does|names do] not belong where the index has [it|them]: names may be wrong or made up")
BAD_NAME = Kind(Severity.WARNING, "{n} [name holds|names hold] a byte of nought, which no name can: it is shown cut short")
UNEVEN = Kind(Severity.ERROR, "{n} [directory was|directories were] listed otherwise than [its|their] blocks say: names may be missing")
FEWER_LINKS = Kind(
    Severity.ERROR, "{n} [directory counts|directories count] more or fewer folders than there are: folders may be missing", cross=True
)
LONG = Kind(Severity.WARNING, "{n} [directory is|directories are] longer than what is looked at: the rest was not checked")


class Place(NamedTuple):
    """Where an inode's name was read that the walk did not list."""

    name: bytes
    folder: int


class Directories:
    """Goes through the directories in use. ``lost`` are inodes in use that the walk did not list: their names are looked for."""

    def __init__(
        self,
        reader: VolumeReader,
        layout: ExtLayout,
        tally: Tally,
        listed: Listed,
        used: tuple[Numbers, Numbers, Octets],
        lost: set[int],
    ) -> None:
        self._reader = reader
        self._layout = layout
        self._tally = tally
        self._listed = listed
        self._used, self._links, self._kinds = used
        self._lost = lost
        self.names: dict[int, Place] = {}
        self.guesses: dict[int, Place] = {}
        self.parents: dict[int, int] = {}
        self._left = MAX_DIRECTORIES

    def read(self, maps: BlockMaps) -> None:
        """Read them all; what is wrong goes to the tally, names of what was lost to ``names``, or to ``guesses`` from slack."""
        for address in sorted(maps.directories):
            self._one(address, maps.directories[address])

    def _one(self, address: int, where: DirectoryMap) -> None:
        folder = self._listed.folders.get(address)
        shown = folder.path if folder is not None else f"inode {address}"
        inodes = array("Q")
        types = bytearray()
        names: set[bytes] = set()
        ordered: list[tuple[int, bytes]] = []  # names of a hashed directory, by block
        bounds: dict[int, tuple[int, int]] = {}
        if where.flags & FLAG_INLINE:
            blocks = list(enumerate(_inline_parts(where.inline)))
            parent = int.from_bytes(where.inline[0x28:0x2C], "little")
            self.parents[address] = parent
            self._compare_parent(address, parent, shown)
        else:
            blocks, bounds = self._blocks(where, shown)
        for number, block in blocks:
            chain, end = read_chain(block)
            if end != len(block):
                self._tally.add(CHAIN, f"{shown}, block {number}")
                self._guess(block, end, len(block), address)
            if not number and not where.flags & FLAG_INLINE:
                self._dots(address, block, chain, shown)
            for offset, inode, length, name_length, file_type in chain:
                name = block[offset + 8 : offset + 8 + name_length]
                if inode and not name_length:
                    self._tally.add(CHAIN, f"{shown}, block {number}: a record without a name")
                if length >= 24 + name_length and self._lost:
                    self._guess(block, offset + (8 + name_length + 3 & ~3), offset + length, address)
                if not inode or not name_length or (not number and name in (b".", b"..")):
                    continue
                inodes.append(inode)
                types.append(file_type)
                if name in names:
                    self._tally.add(DUPLICATE, shown)
                if len(names) < MAX_NAMES:
                    names.add(name)
                    if number in bounds:
                        ordered.append((number, name))
                if b"\0" in name:
                    self._tally.add(BAD_NAME, shown)
                if inode in self._lost and inode not in self.names:
                    self.names[inode] = Place(name, address)
        if ordered:
            self._compare_hashes(ordered, bounds, shown)
        self._judge(address, np.array(inodes, dtype=np.int64), np.frombuffer(bytes(types), dtype=np.uint8), shown)

    def _guess(self, block: bytes, start: int, end: int, address: int) -> None:
        for found in read_slack(block, start, end, self._layout.inodes):
            if found.inode in self._lost and found.inode not in self.guesses:
                self.guesses[found.inode] = Place(found.name, address)

    def _dots(self, address: int, block: bytes, chain: list[Record], shown: str) -> None:
        """Hold ``.`` against the directory's address and ``..`` against where it was found."""
        first = [(inode, block[offset + 8 : offset + 8 + length]) for offset, inode, _, length, _ in chain[:2]]
        if len(first) < 2 or first[0] != (address, b".") or first[1][1] != b".." or not 1 <= first[1][0] <= self._layout.inodes:
            self._tally.add(DOTS, shown)
        if len(first) == 2 and first[1][1] == b"..":
            self.parents[address] = first[1][0]
            self._compare_parent(address, first[1][0], shown)

    def _compare_parent(self, address: int, parent: int, shown: str) -> None:
        folder = self._listed.folders.get(address)
        if folder is not None and parent != (ROOT if address == ROOT else folder.parent):
            self._tally.add(PARENT, shown)

    def _compare_hashes(self, ordered: list[tuple[int, bytes]], bounds: dict[int, tuple[int, int]], shown: str) -> None:
        """Hold each name's hash against what the index says of its block."""
        layout = self._layout
        signed = not layout.number(0x160, 4) & _UNSIGNED
        hashes = half_md4([name for _, name in ordered], layout.raw[0xEC:0xFC], signed=signed).astype(np.int64)
        low, high = (np.array([bounds[number][side] for number, _ in ordered], dtype=np.int64) for side in (0, 1))
        odd = int(np.count_nonzero((hashes < low) | (hashes >= high)))
        if odd:
            self._tally.add(HASH, shown, odd)

    def _judge(self, address: int, inodes: Numbers, types: Octets, shown: str) -> None:
        """Hold the names against what they lead to, against what was listed, and against the directory's own count of folders."""
        layout = self._layout
        used = self._used
        position = np.searchsorted(used, inodes)
        position[position == len(used)] = 0
        there = used[position] == inodes if len(used) else np.zeros(len(inodes), dtype=bool)
        kinds = np.where(there, self._kinds[position], 0) if len(used) else np.zeros(len(inodes), dtype=np.uint8)
        gone = int(np.count_nonzero(kinds == 0))
        if gone:
            self._tally.add(NOWHERE, shown, gone)
        if layout.incompat & INCOMPAT_FILETYPE:
            odd = int(np.count_nonzero((kinds != 0) & (types != 0) & (types != _FILE_TYPE[kinds & 15])))
            if odd:
                self._tally.add(TYPE, shown, odd)
        folder = self._listed.folders.get(address)
        if folder is not None and folder.names != len(inodes):
            self._tally.add(UNEVEN, f"{shown}: {folder.names} names listed, {len(inodes)} in its blocks")
        at = int(np.searchsorted(used, address))
        links = int(self._links[at]) if at < len(used) and used[at] == address else 0
        folders = int(np.count_nonzero(kinds == DIRECTORY))
        if links != folders + 2 and not (links == 1 and layout.ro_compat & _DIR_NLINK) and links:
            self._tally.add(FEWER_LINKS, f"{shown}: {links - 2}, not {folders}")

    # ---- blocks ------------------------------------------------------------------------------------------------------------

    def _blocks(self, where: DirectoryMap, shown: str) -> tuple[list[tuple[int, bytes]], dict[int, tuple[int, int]]]:
        """Return a directory's blocks in order, each checked against its checksum, and the hashes that its index has for them.

        Hashes are compared only where no checksum holds the names already. Holes are left out.
        """
        layout = self._layout
        size = layout.block
        blocks: dict[int, bytes] = {}
        left = min(MAX_DIRECTORY, self._left) // size
        step = max(1, _PIECE // size)
        for logical, start, length in where.runs:
            taken = min(length, left)
            left -= taken
            self._left -= taken * size
            for done in range(0, taken, step):
                data = self._reader.read((start + done) * size, min(step, taken - done) * size)
                for index in range(len(data) // size):
                    blocks[logical + done + index] = data[index * size : (index + 1) * size]
            if taken < length:
                self._tally.add(LONG, shown)
                break
        wanted = -(-where.size // size)
        if left and (len(blocks) < wanted or set(blocks) != set(range(len(blocks)))):
            self._tally.add(HOLE, shown)
        nodes: set[int] = set()
        bounds: dict[int, tuple[int, int]] = {}
        if where.flags & FLAG_INDEX and blocks:
            nodes, bounds = self._index(blocks, where.seed, shown)
        if layout.checksums:
            self._checksums({n: b for n, b in blocks.items() if n not in nodes}, where.seed, shown)
        known = blocks.get(0, bytes(32))[28] == _HALF_MD4 and layout.number(0x160, 4) & (_SIGNED | _UNSIGNED)
        if layout.checksums or not known or where.flags & (FLAG_ENCRYPTED | _CASEFOLD):
            bounds = {}
        return sorted(blocks.items()), bounds

    def _checksums(self, leaves: dict[int, bytes], seed: int, shown: str) -> None:
        """Blocks of records end in a record of twelve bytes that holds the checksum of what is before it."""
        size = self._layout.block
        numbers = list(leaves)
        step = max(1, _PIECE // size)
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            rows = np.frombuffer(b"".join(leaves[n] for n in some), dtype=np.uint8).reshape(len(some), size)
            right = crc32c_rows(np.full(len(some), seed, dtype=np.uint32), rows[:, : size - 12])
            stored = np.ascontiguousarray(rows[:, size - 4 :]).view("<u4")[:, 0]
            tailed = (rows[:, size - 12 : size - 4] == np.frombuffer(_TAIL, dtype=np.uint8)).all(axis=1)
            for at in np.flatnonzero((right != stored) | ~tailed):
                self._tally.add(CHECKSUM, f"{shown}, block {some[at]}")

    def _index(self, blocks: dict[int, bytes], seed: int, shown: str) -> tuple[set[int], dict[int, tuple[int, int]]]:
        """Follow a directory's index, a tree of hashes.

        Return which blocks are of it, not of records, and for the others from which hash on and up to which their names are.
        """
        root = blocks.get(0, b"")
        nodes: set[int] = {0}
        if len(root) < 40:
            return set(), {}
        levels = root[30]
        sound = not int.from_bytes(root[24:28], "little") and root[29] == 8 and levels <= 3
        below = self._index_entries(root, 32, seed, f"{shown}, block 0", (0, 1 << 32))
        sound = sound and below is not None
        leaves = below or []
        for _ in range(min(levels, 3)):
            deeper: list[tuple[int, tuple[int, int]]] = []
            for number, bound in leaves:
                if number in nodes or number not in blocks:
                    sound = False
                    continue
                nodes.add(number)
                found = self._index_entries(blocks[number], 8, seed, f"{shown}, block {number}", bound)
                sound = sound and found is not None
                deeper += found or []
            leaves = deeper
        if not sound or sorted(number for number, _ in leaves) != sorted(set(blocks) - nodes):
            self._tally.add(INDEX, shown)
        return nodes, dict(leaves)

    def _index_entries(
        self, block: bytes, at: int, seed: int, shown: str, bound: tuple[int, int]
    ) -> list[tuple[int, tuple[int, int]]] | None:
        """Return the blocks that a node of the index leads to and their hashes; ``None`` where it is no node.

        Hashes grow from ``bound`` to ``bound``; the first block has none of its own. The lowest bit is no part of a hash: it says
        that names with this hash began in the block before.
        """
        most, count = int.from_bytes(block[at : at + 2], "little"), int.from_bytes(block[at + 2 : at + 4], "little")
        room = (len(block) - at) // 8 - bool(self._layout.checksums)
        if not 1 <= count <= most <= room:
            return None
        if self._layout.checksums:
            tail = at + most * 8
            state = crc32c(seed, block[: at + count * 8] + block[tail : tail + 4] + bytes(4))
            if state != int.from_bytes(block[tail + 4 : tail + 8], "little"):
                self._tally.add(CHECKSUM, shown)
        table = np.frombuffer(block, dtype="<u4", offset=at, count=count * 2).reshape(count, 2)
        hashes = [bound[0], *(int(value) for value in table[1:, 0]), bound[1]]
        if any(low > high for low, high in pairwise(hashes)):
            return None
        return [(int(place) & 0x0FFFFFFF, (low & ~1, high)) for place, (low, high) in zip(table[:, 1], pairwise(hashes), strict=True)]


def _inline_parts(inode: bytes) -> list[bytes]:
    """Return the two stretches of records of a directory that lies in its inode: behind its parent's number, and in an attribute."""
    parts = [inode[0x2C : 0x28 + 60]]
    start = 0x80 + int.from_bytes(inode[0x80:0x82], "little")
    if len(inode) <= 0x80 or inode[start : start + 4] != b"\0\0\x02\xea":
        return parts
    first = at = start + 4
    while at + 16 <= len(inode) and inode[at : at + 4] != bytes(4):
        length, index, offset = inode[at], inode[at + 1], int.from_bytes(inode[at + 2 : at + 4], "little")
        size = int.from_bytes(inode[at + 8 : at + 12], "little")
        if index == 7 and inode[at + 16 : at + 16 + length] == b"data" and size:
            parts.append(inode[first + offset : first + offset + size])
        at += 16 + (length + 3 & ~3)
    return parts
