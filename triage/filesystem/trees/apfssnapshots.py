"""Snapshots of APFS volumes, which libfsapfs does not open: a container seen as it would be if a snapshot were its volume's state.

Source: Apple, "Apple File System Reference" (2020): nx_superblock_t, omap_phys_t, btree_node_phys_t, apfs_superblock_t and
j_snap_metadata_val_t. A snapshot has a superblock of its own and shares its volume's object map, in which an object's mapping of the newest
transaction that is not newer than the snapshot is its own. So two things are put in place of what stands in the container: the snapshot's
superblock where the volume's is, and, where the object map's nodes are, a map of just those mappings.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.evidence.medium import Medium

_MOST_NODES, _MOST_SNAPSHOTS, _MOST_VOLUMES = 30_000, 200, 100
_NODE, _INFO, _OMAP_ENTRY = 56, 40, struct.Struct("<QQIIQ")
_ROOT, _LEAF, _FIXED = 1, 2, 4
_DELETED = 1
_NONE = 0xFFFF
_SNAPSHOT_VALUE = struct.Struct("<QQQQQIIH")


class SnapshotError(ValueError):
    """A container whose snapshots cannot be read."""


class Snapshot(NamedTuple):
    """A snapshot: its transaction, its name, when it was made in nanoseconds since 1970, and the block of its superblock."""

    xid: int
    name: str
    made: int
    block: int


class _Node(NamedTuple):
    """A node of a B-tree: what it is, its level, its block, and its keys with their values."""

    flags: int
    level: int
    data: bytes
    rows: list[tuple[bytes, bytes]]


class SnapshotReader:
    """Finds the snapshots of a container's volumes. Raises :class:`SnapshotError` or ``OSError``."""

    def __init__(self, container: Medium) -> None:
        self._container = container
        head = container.read_at(0, 4096)
        self.block = int.from_bytes(head[36:40], "little")
        if head[32:36] != b"NXSB" or not 4096 <= self.block <= 65536:
            raise SnapshotError("it has no superblock")
        newest = self._newest(head)
        (most,) = struct.unpack_from("<I", newest, 0xB4)
        numbers = struct.unpack_from(f"<{min(most, _MOST_VOLUMES)}Q", newest, 0xB8)
        omap = self._tree_of(int.from_bytes(newest[0xA0:0xA8], "little"))
        newer = int.from_bytes(newest[16:24], "little")
        held = {oid: place for oid, (place, _) in _latest(self._mappings(omap)[0], newer).items()}
        # One that the map lacks keeps its turn: libfsapfs counts it, and the others must not be taken for it.
        self._volumes = [held.get(number, -1) for number in numbers if number]
        """Blocks of the volumes' superblocks, in the order in which libfsapfs gives them."""

    def of(self, volume: int) -> list[Snapshot]:
        """Return a volume's snapshots, the newest first."""
        if volume >= len(self._volumes):
            return []
        superblock = self._read(self._volumes[volume])
        if superblock[32:36] != b"APSB" or not int.from_bytes(superblock[0xD8:0xE0], "little"):
            return []
        found = []
        for node in self._nodes(int.from_bytes(superblock[0x98:0xA0], "little")):
            for key, value in node[1].rows if node[1].flags & _LEAF else ():
                number = int.from_bytes(key[:8], "little")
                if number >> 60 != 1 or len(value) < _SNAPSHOT_VALUE.size:
                    continue
                _, block, made, _, _, _, _, length = _SNAPSHOT_VALUE.unpack_from(value)
                name = value[_SNAPSHOT_VALUE.size :][:length].rstrip(b"\0").decode("utf-8", "replace")
                found.append(Snapshot(number & (1 << 60) - 1, name, made, block))
                if len(found) > _MOST_SNAPSHOTS:
                    raise SnapshotError("it has more snapshots than are read")
        return sorted(found, reverse=True)

    def at(self, volume: int, snapshot: Snapshot) -> Medium:
        """Return the container as it would be with the snapshot as the volume's state."""
        place = self._volumes[volume]
        live = self._read(place)
        old = bytearray(self._read(snapshot.block))
        if old[32:36] != b"APSB":
            raise SnapshotError("a snapshot's superblock is damaged")
        old[0x80:0x88] = live[0x80:0x88]
        root = self._tree_of(int.from_bytes(live[0x80:0x88], "little"))
        rows, nodes = self._mappings(root)
        kept = sorted((oid, *mapping) for oid, mapping in _latest_rows(rows, snapshot.xid).items())
        blocks = self._rebuilt(root, nodes, kept)
        blocks[place] = _summed(old)
        return Overlaid(self._container, self.block, blocks)

    # ---- blocks and trees --------------------------------------------------------------------------------------------------

    def _read(self, number: int) -> bytes:
        data = self._container.read_at(number * self.block, self.block) if 0 <= number < self._container.size // self.block else b""
        if len(data) < self.block:
            raise SnapshotError("a block lies beyond its end")
        return data

    def _newest(self, head: bytes) -> bytes:
        """Return the container's newest superblock that is whole."""
        many, first = int.from_bytes(head[0x68:0x6C], "little"), int.from_bytes(head[0x70:0x78], "little")
        if many >> 31 or many > 1 << 16:
            raise SnapshotError("its checkpoints lie in pieces")
        found = head if self.block == 4096 else self._read(0)
        for number in range(many):
            one = self._read(first + number)
            if one[32:36] == b"NXSB" and one[16:24][::-1] > found[16:24][::-1] and _summed(bytearray(one)) == one:
                found = one
        return found

    def _tree_of(self, omap: int) -> int:
        """Return the block of an object map's tree."""
        return int.from_bytes(self._read(omap)[0x30:0x38], "little")

    def _nodes(self, root: int) -> Iterator[tuple[int, _Node]]:
        """Yield the nodes of a tree whose children are named by their blocks, with these, the root first."""
        waiting, seen = [root], {root}
        while waiting:
            number = waiting.pop()
            node = self._node(number)
            yield number, node
            for _, value in node.rows if not node.flags & _LEAF else ():
                child = int.from_bytes(value[:8], "little")
                if child in seen or len(seen) > _MOST_NODES:
                    raise SnapshotError("a tree is damaged, or larger than is read")
                seen.add(child)
                waiting.append(child)

    def _node(self, number: int) -> _Node:
        data = self._read(number)
        flags, level, many, start, length = struct.unpack_from("<HHIHH", data, 32)
        keys, end = _NODE + start + length, self.block - (_INFO if flags & _ROOT else 0)
        fixed = flags & _FIXED
        rows = []
        if many * (4 if fixed else 8) > length or keys > end:
            raise SnapshotError("a tree's node is damaged")
        for slot in range(many):
            if fixed:
                key, value = struct.unpack_from("<HH", data, _NODE + start + 4 * slot)
                long, wide = 16, 16 if flags & _LEAF else 8
            else:
                key, long, value, wide = struct.unpack_from("<HHHH", data, _NODE + start + 8 * slot)
            if value == _NONE:
                continue
            rows.append((data[keys + key : keys + key + long], data[end - value : end - value + wide]))
        return _Node(flags, level, data, rows)

    def _mappings(self, root: int) -> tuple[list[tuple[int, int, int, int, int]], list[tuple[int, _Node]]]:
        """Return an object map's rows (object, transaction, flags, size, block), and its nodes."""
        nodes = list(self._nodes(root))
        rows = []
        for _, node in nodes:
            for key, value in node.rows if node.flags & _LEAF else ():
                if len(key) < 16 or len(value) < 16:
                    raise SnapshotError("an object map is damaged")
                rows.append(_OMAP_ENTRY.unpack(key[:16] + value[:16]))
        return rows, nodes

    def _rebuilt(self, root: int, nodes: list[tuple[int, _Node]], rows: list[tuple[int, int, int, int, int]]) -> dict[int, bytes]:
        """Return the blocks of a map of some rows, which stand where the nodes of the whole map were."""
        by_number = dict(nodes)
        free = [number for number, _ in nodes if number != root]
        pattern = by_number[free[0]].data if free else by_number[root].data
        entries = [(struct.pack("<QQ", oid, xid), struct.pack("<IIQ", flags, size, place)) for oid, xid, flags, size, place in rows]
        total, level = len(entries), 0
        made: dict[int, bytes] = {}
        while True:
            room = (self.block - _NODE - _INFO) // (4 + 16 + (8 if level else 16))
            if len(entries) <= room:
                info = by_number[root].data[-_INFO:-16] + struct.pack("<QQ", total, len(made) + 1)
                made[root] = self._packed(by_number[root].data, entries, level, info)
                return made
            above = []
            for at in range(0, len(entries), room):
                if not free:
                    raise SnapshotError("an object map has no room for that of a snapshot")
                number = free.pop()
                made[number] = self._packed(pattern, entries[at : at + room], level, b"", number)
                above.append((entries[at][0], struct.pack("<Q", number)))
            entries, level = above, level + 1

    def _packed(self, pattern: bytes, entries: Sequence[tuple[bytes, bytes]], level: int, info: bytes, number: int | None = None) -> bytes:
        """Return a node of fixed keys and values, with the head of another one."""
        node = bytearray(self.block)
        node[:32] = pattern[:32]
        if number is not None:
            node[8:16] = number.to_bytes(8, "little")
        flags = _FIXED | (_LEAF if not level else 0) | (_ROOT if info else 0)
        table, end = 4 * len(entries), self.block - len(info)
        keys = _NODE + table
        back = 0
        for slot, (key, value) in enumerate(entries):
            back += len(value)
            struct.pack_into("<HH", node, _NODE + 4 * slot, 16 * slot, back)
            node[keys + 16 * slot : keys + 16 * slot + 16] = key
            node[end - back : end - back + len(value)] = value
        free = 16 * len(entries)
        struct.pack_into("<HHIHHHHHHHH", node, 32, flags, level, len(entries), 0, table, free, end - back - keys - free, _NONE, 0, _NONE, 0)
        node[end:] = info
        return _summed(node)


class Overlaid:
    """A container some of whose blocks are replaced."""

    def __init__(self, medium: Medium, block: int, blocks: dict[int, bytes]) -> None:
        self.size, self.sector_size, self.damaged = medium.size, medium.sector_size, medium.damaged
        self._medium, self._block, self._blocks = medium, block, blocks

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        data = self._medium.read_at(offset, length)
        first, last = offset // self._block, (offset + max(length, 1) - 1) // self._block
        for number in range(first, last + 1) if last - first <= len(self._blocks) else sorted(self._blocks):
            block = self._blocks.get(number) if first <= number <= last else None
            if block is not None:
                start = number * self._block
                begin, end = max(start, offset), min(start + self._block, offset + len(data))
                if begin < end:
                    data = data[: begin - offset] + block[begin - start : end - start] + data[end - offset :]
        return data

    def close(self) -> None:
        """Leave the container open: whoever opened it closes it."""


def _latest_rows(rows: list[tuple[int, int, int, int, int]], xid: int) -> dict[int, tuple[int, int, int, int]]:
    """Return the newest row of each object that is no newer than a transaction, if it does not say that it is deleted."""
    found: dict[int, tuple[int, int, int, int]] = {}
    for oid, at, flags, size, place in rows:
        if at <= xid and (oid not in found or at > found[oid][0]):
            found[oid] = (at, flags, size, place)
    return {oid: row for oid, row in found.items() if not row[1] & _DELETED}


def _latest(rows: list[tuple[int, int, int, int, int]], xid: int) -> dict[int, tuple[int, int]]:
    """Return where the newest state of each object is, and its transaction."""
    return {oid: (row[3], row[0]) for oid, row in _latest_rows(rows, xid).items()}


def _summed(block: bytearray) -> bytes:
    """Return a block with its checksum in front (Fletcher 64, "obj_phys_t")."""
    words = np.frombuffer(bytes(block[8:]), "<u4").astype(np.uint64)
    most = 0xFFFFFFFF
    first = int(words.sum())
    second = int((words * np.arange(len(words), 0, -1, dtype=np.uint64)).sum()) % most
    first %= most
    low = most - (first + second) % most
    high = most - (first + low) % most
    block[:8] = struct.pack("<II", low, high)
    return bytes(block)
