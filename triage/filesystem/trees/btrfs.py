"""Btrfs: superblock, chunks and trees (Linux kernel documentation and the Btrfs wiki, "On-disk Format"; little-endian).

All places in a tree are logical; the chunk tree says where on which device a stretch of them lies, once or in copies. The superblock
(at 64 KiB, copies at 64 MiB and 256 GiB) leads to the chunk tree, whose own chunks it holds itself, and to the tree of tree roots. A node
is a head of 101 bytes (checksum, file system, its own place, owner, count, level) and items by ascending keys (number, type, offset).
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from triage.filesystem.crc32c import crc32c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.filesystem.trees.tree import ReadAt

SUPERBLOCKS = (1 << 16, 1 << 26, 1 << 38)
MOST = (1 << 64) - 1
ROOT_ITEM, ROOT_BACKREF = 132, 144
_CHUNK_ITEM = 228
_MAGIC = b"_BHRfS_M"
_CHECKSUMS = {0: "crc32c", 1: "xxhash", 2: "sha256", 3: "blake2b"}
_HEAD, _ITEM, _POINTER = 101, struct.Struct("<QBQII"), struct.Struct("<QBQQQ")
_KEY, _CHUNK, _STRIPE = struct.Struct("<QBQ"), struct.Struct("<QQQQIIIHH"), struct.Struct("<QQ16x")
_RAID0, _RAID10, _PARITY = 8, 0x40, 0x180
_DEEPEST, _MOST_CHUNKS, _MOST_LOST, _MOST_READ = 8, 1 << 20, 10_000, 1 << 26
_HELD_BYTES = 8 << 20
_METADATA_UUID = 0x400
Key = tuple[int, int, int]


class BtrfsError(ValueError):
    """What is no Btrfs, or one that cannot be read."""


class NodeError(OSError):
    """A node of a tree, or a stretch of data, that cannot be had."""


class Chunk(NamedTuple):
    """A stretch of logical places: where it lies. ``stripes``: device and place there; ``together``: copies of a stripe (RAID10)."""

    start: int
    length: int
    stripe: int
    kind: int
    together: int
    stripes: tuple[tuple[int, int], ...]


class Root(NamedTuple):
    """Where a tree begins."""

    at: int
    level: int


class Node(NamedTuple):
    """A node: its keys; of a leaf where each item's data lie in ``data``, of another its children."""

    keys: list[Key]
    places: list[tuple[int, int]]
    data: bytes


class Btrfs:
    """One device of a file system. ``read_at`` is relative to its first byte. Raises :class:`BtrfsError` when it cannot be opened."""

    def __init__(self, read_at: ReadAt, beat: Callable[[], None] = lambda: None) -> None:
        self._read_at, self._beat = read_at, beat
        self._nodes: OrderedDict[int, Node | None] = OrderedDict()
        self.lost = 0
        head = self._superblock()
        # Nodes bear this one where the superblock's own was changed later (feature METADATA_UUID).
        (features,) = struct.unpack_from("<Q", head, 0xBC)
        self._system_id = head[0x23B:0x24B] if features & _METADATA_UUID else head[32:48]
        self.generation, root, chunks, self.log = struct.unpack_from("<QQQQ", head, 0x48)
        (self.devices,) = struct.unpack_from("<Q", head, 0x88)
        sector, self.node_size = struct.unpack_from("<II", head, 0x90)
        (table,) = struct.unpack_from("<I", head, 0xA0)
        root_level, chunk_level = head[0xC6], head[0xC7]
        self.device, self.size = struct.unpack_from("<QQ", head, 0xC9)
        self.block_size = sector
        self.label = head[0x12B : 0x12B + 256].split(b"\0")[0].decode("utf-8", "replace")
        powers = {1 << n for n in range(9, 17)}
        if sector not in powers or self.node_size not in powers or self.node_size < 4096 or table > 2048:
            raise BtrfsError("the sizes in its superblock cannot be")
        self._chunks: list[Chunk] = []
        self._starts: list[int] = []
        self._system(head[0x32B : 0x32B + table])
        self._arrange(self._chunks)
        found = list(self._chunks)
        for (_, kind, start), data in self.items(Root(chunks, chunk_level), (0, 0, 0), (MOST, 255, MOST)):
            if kind == _CHUNK_ITEM and (chunk := _chunk(start, data)) is not None and len(found) < _MOST_CHUNKS:
                found.append(chunk)
        self.lost_chunks, self.lost = self.lost, 0
        self._arrange(found)
        self.root = Root(root, root_level)
        if self.node(root, root_level) is None:
            raise BtrfsError("the root of its trees cannot be read")

    def _superblock(self) -> bytes:
        """Return the first superblock whose checksum is right."""
        for at in SUPERBLOCKS:
            try:
                head = self._read_at(at, 4096)
            except OSError:
                continue
            if len(head) < 4096 or head[64:72] != _MAGIC or int.from_bytes(head[48:56], "little") != at:
                continue
            self.checksum = _CHECKSUMS.get(int.from_bytes(head[0xC4:0xC6], "little"), "unknown")
            if self._right(head):
                self.superblock = at
                return head
        raise BtrfsError("it has no superblock that is whole")

    def _right(self, block: bytes) -> bool:
        """Whether a block's checksum is right, as far as its kind is known here."""
        body = block[32:]
        if self.checksum == "crc32c":
            return crc32c(0xFFFFFFFF, body) ^ 0xFFFFFFFF == int.from_bytes(block[:4], "little")
        if self.checksum == "sha256":
            return hashlib.sha256(body).digest() == block[:32]
        if self.checksum == "blake2b":
            return hashlib.blake2b(body, digest_size=32).digest() == block[:32]
        return True

    # ---- places ------------------------------------------------------------------------------------------------------------

    def _system(self, table: bytes) -> None:
        at = 0
        while at + 17 + _CHUNK.size <= len(table):
            _, kind, start = _KEY.unpack_from(table, at)
            chunk = _chunk(start, table[at + 17 :])
            if kind != _CHUNK_ITEM or chunk is None:
                break
            self._chunks.append(chunk)
            at += 17 + _CHUNK.size + 32 * len(chunk.stripes)
        if not self._chunks:
            raise BtrfsError("its superblock names no chunk")

    def _arrange(self, chunks: list[Chunk]) -> None:
        self._chunks = sorted({one.start: one for one in chunks}.values())
        self._starts = [one.start for one in self._chunks]

    def chunks(self) -> list[Chunk]:
        """Return all chunks by their logical places."""
        return self._chunks

    def places(self, logical: int, length: int) -> Iterator[tuple[tuple[int, ...], int]]:
        """Yield where a stretch lies on this device, in pieces: the places of its copies (none: not on this device) and length."""
        while length > 0:
            number = bisect_right(self._starts, logical) - 1
            chunk = self._chunks[number] if number >= 0 else None
            if chunk is None or logical >= chunk.start + chunk.length:
                yield (), length
                return
            inside = logical - chunk.start
            take = min(length, chunk.length - inside)
            stripes, at = chunk.stripes, inside
            if chunk.kind & _PARITY:
                stripes = ()
            elif chunk.kind & (_RAID0 | _RAID10):
                together = chunk.together if chunk.kind & _RAID10 else 1
                groups = max(1, len(stripes) // together)
                row, rest = divmod(inside, chunk.stripe)
                take = min(take, chunk.stripe - rest)
                group = row % groups
                stripes, at = stripes[group * together : (group + 1) * together], row // groups * chunk.stripe + rest
            yield tuple(place + at for device, place in stripes if device == self.device), take
            logical, length = logical + take, length - take

    def copies(self, logical: int, length: int) -> Iterator[bytes]:
        """Yield each copy of a short stretch that can be read."""
        pieces = list(self.places(logical, length))
        for number in range(min((len(places) for places, _ in pieces), default=0)):
            try:
                data = b"".join(self._read_at(places[number], take) for places, take in pieces)
            except OSError:
                continue
            if len(data) == length:
                yield data

    def read(self, logical: int, length: int) -> bytes:
        """Return data as they are stored; raises :class:`NodeError` when no copy of a part is on this device or can be read."""
        if not 0 <= length <= _MOST_READ:
            raise NodeError("a stretch is longer than can be")
        out = []
        for places, take in self.places(logical, length):
            for place in places:
                try:
                    data = self._read_at(place, take)
                except OSError:
                    continue
                if len(data) == take:
                    out.append(data)
                    break
            else:
                raise NodeError("its bytes lie on a device that is not there, or cannot be read")
        return b"".join(out)

    # ---- trees -------------------------------------------------------------------------------------------------------------

    def node(self, at: int, level: int) -> Node | None:
        """Return a node; ``None`` when no copy of it is right."""
        if at in self._nodes:
            self._nodes.move_to_end(at)
            found = self._nodes[at]
        else:
            self._beat()
            found = None
            for data in self.copies(at, self.node_size):
                if self._right(data) and (found := self._parse(at, data)) is not None:
                    break
            self._nodes[at] = found
            if len(self._nodes) > _HELD_BYTES // self.node_size:
                self._nodes.popitem(last=False)
        return found if found is not None and found.data[100] == level else None

    def _parse(self, at: int, data: bytes) -> Node | None:
        (here,) = struct.unpack_from("<Q", data, 48)
        many, level = struct.unpack_from("<IB", data, 96)
        shape = _POINTER if level else _ITEM
        if here != at or level > _DEEPEST or many > (self.node_size - _HEAD) // shape.size:
            return None
        rows = list(shape.iter_unpack(data[_HEAD : _HEAD + many * shape.size]))
        keys: list[Key] = [row[:3] for row in rows]
        if not all(one < other for one, other in pairwise(keys)):
            return None
        places = [row[3:] for row in rows]
        if not level and not all(_HEAD + start + size <= self.node_size for start, size in places):
            return None
        return Node(keys, places, data)

    def leaf(self, at: int) -> tuple[int, int, list[tuple[Key, bytes]]] | None:
        """Return owner, transaction and items of a leaf at a logical place, in use or not; ``None`` for what is none of this volume."""
        for data in self.copies(at, self.node_size):
            if data[32:48] != self._system_id or data[100] or not self._right(data):
                continue
            node = self._parse(at, data)
            if node is not None:
                generation, owner = struct.unpack_from("<QQ", data, 80)
                return (
                    owner,
                    generation,
                    [(key, data[_HEAD + start : _HEAD + start + size]) for key, (start, size) in zip(node.keys, node.places, strict=True)],
                )
        return None

    def items(self, root: Root, first: Key, last: Key, *, strict: bool = False) -> Iterator[tuple[Key, bytes]]:
        """Yield a tree's items from one key to another. Nodes that are damaged are counted (``lost``), or raise :class:`NodeError`.

        A child begins with the key that leads to it, and keys only rise: what leads back ends there.
        """
        stack: list[tuple[int, int, Key | None]] = [(root.at, root.level, None)]
        reached: Key | None = None
        while stack:
            at, level, wanted = stack.pop()
            node = self.node(at, level)
            if node is None or (wanted is not None and (not node.keys or node.keys[0] != wanted or (reached and wanted <= reached))):
                self.lost += 1
                if strict or self.lost > _MOST_LOST:
                    raise NodeError("a node of its tree is damaged, or on a device that is not there")
                continue
            keys = node.keys
            if level:
                begin = max(0, bisect_right(keys, first) - 1)
                below = range(begin, bisect_right(keys, last))
                stack.extend((node.places[n][0], level - 1, keys[n]) for n in reversed(below))
                continue
            for n in range(bisect_left(keys, first), bisect_right(keys, last)):
                start, size = node.places[n]
                yield keys[n], node.data[_HEAD + start : _HEAD + start + size]
            if keys:
                reached = keys[-1]


def _chunk(start: int, data: bytes) -> Chunk | None:
    if len(data) < _CHUNK.size:
        return None
    length, _, stripe, kind, _, _, _, many, together = _CHUNK.unpack_from(data)
    if not many or len(data) < _CHUNK.size + 32 * many or not length or not 512 <= stripe <= 1 << 30 or start + length > MOST:
        return None
    stripes = tuple(_STRIPE.unpack_from(data, _CHUNK.size + 32 * n) for n in range(many))
    return Chunk(start, length, stripe, kind, max(1, together), stripes)
