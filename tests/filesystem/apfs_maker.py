"""A snapshot put into a real APFS container: the state before a file got another name. libfsapfs reads its list of snapshots as well."""

from __future__ import annotations

import struct
from typing import Any

from triage.filesystem.trees import apfssnapshots as apfs

BLOCK = 4096
NAME = b"com.apple.TimeMachine.2024-05-06-070810.local"
MADE = 1_714_979_290 * 10**9


class Container:
    """A container in memory."""

    def __init__(self, data: bytes) -> None:
        self.data, self.size, self.sector_size = data, len(data), 512
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self.data[offset : offset + max(length, 0)])

    def close(self) -> None:
        pass


def with_snapshot(raw: bytes, old: bytes, new: bytes) -> bytes:
    """Return a container whose volume has a snapshot, and in which a name of the same length has changed since."""
    reader = apfs.SnapshotReader(Container(raw))  # type: ignore[arg-type]
    data = bytearray(raw)
    place = reader._volumes[0]
    live = bytearray(reader._read(place))
    xid = int.from_bytes(live[16:24], "little")
    root = reader._tree_of(int.from_bytes(live[0x80:0x88], "little"))
    rows, nodes = reader._mappings(root)
    unused = [n for n in range(len(raw) // BLOCK - 1, 0, -1) if not any(raw[n * BLOCK : (n + 1) * BLOCK])]
    leaf, superblock, tree = unused[:3]

    def put(number: int, block: bytearray | bytes) -> None:
        data[number * BLOCK : (number + 1) * BLOCK] = apfs._summed(bytearray(block))

    oid, _, flags, size, where = next(row for row in rows if old in raw[row[4] * BLOCK : (row[4] + 1) * BLOCK])
    changed = bytearray(raw[where * BLOCK : (where + 1) * BLOCK].replace(old, new))
    changed[16:24] = (xid + 1).to_bytes(8, "little")
    put(leaf, changed)
    kept = bytearray(live)
    kept[0x80:0x88] = bytes(8)
    put(superblock, kept)
    put(tree, _metadata(reader._read(root)[:32], tree, superblock, xid))
    for number, block in reader._rebuilt(root, nodes, sorted([*rows, (oid, xid + 1, flags, size, leaf)])).items():
        put(number, block)
    live[16:24] = (xid + 1).to_bytes(8, "little")
    live[0x98:0xA0] = tree.to_bytes(8, "little")
    live[0xD8:0xE0] = (1).to_bytes(8, "little")
    put(place, live)
    return bytes(data)


def smallest() -> bytes:
    """Return a container of nine blocks that has nothing but what the reader of snapshots looks at."""
    blocks = [bytearray(BLOCK) for _ in range(9)]
    blocks[0][32:40] = b"NXSB" + struct.pack("<I", BLOCK)
    struct.pack_into("<Q", blocks[0], 16, 5)
    struct.pack_into("<Q", blocks[0], 0xA0, 1)
    struct.pack_into("<IQ", blocks[0], 0xB4, 1, 1026)
    blocks[1][0x30:0x38], blocks[4][0x30:0x38] = (2).to_bytes(8, "little"), (5).to_bytes(8, "little")
    reader = apfs.SnapshotReader.__new__(apfs.SnapshotReader)
    reader.block = BLOCK
    info = struct.pack("<IIIIIIQQ", 0, BLOCK, 16, 16, 16, 16, 1, 1)
    for number, rows in ((2, [(1026, 4, 3)]), (5, [(1028, 3, 8), (1028, 5, 8)])):
        entries = [(struct.pack("<QQ", oid, xid), struct.pack("<IIQ", 0, BLOCK, place)) for oid, xid, place in rows]
        blocks[number][:] = reader._packed(bytes(BLOCK), entries, 0, info)
    for number in (3, 7):
        blocks[number][32:36] = b"APSB"
        struct.pack_into("<QQQQ", blocks[number], 0x80, 4, 1028, 0, 6)
        struct.pack_into("<Q", blocks[number], 0xD8, 1)
    blocks[6][:] = _metadata(bytes(32), 6, 7, 4)
    return b"".join(blocks)


def _metadata(head: bytes, number: int, superblock: int, xid: int) -> bytes:
    """Return the tree of snapshots: one node with one record."""
    name = NAME + b"\0"
    value: Any = struct.pack("<QQQQQIIH", 0, superblock, MADE, MADE, 0, 0, 0, len(name)) + name
    node = bytearray(BLOCK)
    node[:32] = head
    node[8:16], node[28:32] = number.to_bytes(8, "little"), (0x10).to_bytes(4, "little")
    struct.pack_into("<HHIHHHHHHHH", node, 32, 3, 0, 1, 0, 8, 8, 0, 0xFFFF, 0, 0xFFFF, 0)
    struct.pack_into("<HHHHQ", node, 56, 0, 8, len(value), len(value), 1 << 60 | xid)
    node[BLOCK - 40 - len(value) : BLOCK - 40] = value
    struct.pack_into("<IIIIIIQQ", node, BLOCK - 40, 0x40, BLOCK, 0, 0, 8, len(value), 1, 1)
    return bytes(node)
