"""Writes HFS+ volumes as Apple's Technical Note TN1150 describes them: catalog, extents overflow, attributes, both volume headers.

Nothing but Python is needed. What is written is settled by the calls alone: the same calls write the same bytes. In paths ``:`` stands for
a ``/`` in a name. Names sort as Apple's do for ASCII (letters without their case); keep others apart by their first letters.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

BLOCK = 4096
ROOT = 2
EXTENTS, CATALOG, ALLOCATION, ATTRIBUTES = 3, 4, 6, 8
FIRST_USER = 16
SINCE_1904 = 2_082_844_800
"""Seconds from 1904, which HFS+ counts from, to 1970."""
_DIRECTORY, _FILE, _LINK = 0o040755, 0o100644, 0o120755


@dataclass
class Fork:
    """The blocks of one content: ``(start, count)`` runs."""

    size: int = 0
    extents: list[tuple[int, int]] = field(default_factory=list)

    @property
    def blocks(self) -> int:
        return sum(count for _, count in self.extents)

    def pack(self) -> bytes:
        rows = [*self.extents[:8], *[(0, 0)] * (8 - len(self.extents[:8]))]
        return struct.pack(">QII", self.size, 0, self.blocks) + b"".join(struct.pack(">II", *row) for row in rows)


@dataclass
class Node:
    """A file or folder. ``times`` in seconds since 1904: created, content changed, attributes changed, read."""

    id: int
    parent: int
    name: str
    folder: bool
    times: tuple[int, int, int, int]
    mode: int
    data: Fork = field(default_factory=Fork)
    resource: Fork = field(default_factory=Fork)
    finder: bytes = b""
    special: int = 0
    children: int = 0


class Volume:
    """An HFS+ volume in memory. Add to it, then take :meth:`image`. ``when`` (seconds since 1970) is the time of all that has no other."""

    def __init__(self, blocks: int, name: str, when: int, *, hfsx: bool = False, node_size: int = 4096) -> None:
        self.blocks = blocks
        self.when = when + SINCE_1904
        self.hfsx = hfsx
        self.node_size = node_size
        self.data = bytearray(blocks * BLOCK)
        self.used = bytearray(blocks)
        self.used[0] = self.used[blocks - 1] = 1
        self.nodes: dict[int, Node] = {}
        self.attributes: list[tuple[int, str, bytes]] = []
        self.next_id = FIRST_USER
        self._paths: dict[str, int] = {"": ROOT}
        self.bitmap = self._take(-(-blocks // 8 // BLOCK) or 1)
        self._free_from = self.bitmap[0][0] + 1
        self.nodes[ROOT] = Node(ROOT, 1, name, True, (self.when,) * 4, _DIRECTORY)

    # ---- what a volume holds ----------------------------------------------------------------------------------------------

    def folder(self, path: str, **more: int) -> Node:
        """Make a folder; those above it must be there."""
        return self._add(path, folder=True, mode=_DIRECTORY, **more)

    def file(self, path: str, data: bytes, *, resource: bytes = b"", pieces: int = 1, finder: bytes = b"", **more: int) -> Node:
        """Make a file, its content in ``pieces`` runs with a block free between each two."""
        node = self._add(path, folder=False, mode=_FILE, **more)
        node.data, node.resource, node.finder = self._store(data, pieces), self._store(resource, 1), finder
        return node

    def link(self, path: str, target: str) -> Node:
        """Make a symbolic link."""
        node = self._add(path, folder=False, mode=_LINK)
        node.data, node.finder = self._store(target.encode(), 1), b"slnkrhap"
        return node

    def hard_links(self, data: bytes, *paths: str) -> Node:
        """Make one file with several names: links to an indirect node in the private folder (TN1150, "Hard Links")."""
        private = "\0\0\0\0HFS+ Private Data"
        if private not in self._paths:
            self.folder(private)
        node = self.file(f"{private}/iNode{self.next_id}", data)
        node.special = len(paths)
        for path in paths:
            link = self.file(path, b"", finder=b"hlnkhfs+")
            link.special = node.id
        return node

    def attribute(self, node: Node, name: str, value: bytes) -> None:
        """Give a file or folder an extended attribute that is kept inline."""
        self.attributes.append((node.id, name, value))

    def _add(self, path: str, *, folder: bool, mode: int, created: int | None = None, changed: int | None = None) -> Node:
        above, _, name = path.rpartition("/")
        parent, name = self._paths[above], name.replace(":", "/")
        first = self.when if created is None else created
        node = Node(self.next_id, parent, name, folder, (first, self.when if changed is None else changed, self.when, self.when), mode)
        self.nodes[node.id] = node
        self.nodes[parent].children += 1
        self._paths[path] = node.id
        self.next_id += 1
        return node

    # ---- blocks -----------------------------------------------------------------------------------------------------------

    def _take(self, count: int) -> list[tuple[int, int]]:
        """Take blocks in one run, the first that is long enough."""
        start = bytes(self.used).find(bytes(count), 1)
        if start < 0:
            raise ValueError("the volume is full")
        self.used[start : start + count] = b"\1" * count
        return [(start, count)]

    def _store(self, data: bytes, pieces: int) -> Fork:
        count = -(-len(data) // BLOCK)
        fork = Fork(len(data))
        if not count:
            return fork
        if pieces == 1:
            fork.extents = self._take(count)
        else:
            each = count // pieces
            start = bytes(self.used).find(bytes(count + pieces), 1)
            if each < 1 or start < 0:
                raise ValueError("too few blocks for so many pieces")
            for number in range(pieces):
                length = each if number < pieces - 1 else count - each * (pieces - 1)
                fork.extents.append((start, length))
                self.used[start : start + length] = b"\1" * length
                start += length + 1
        self._write(fork.extents, data)
        return fork

    def _write(self, extents: list[tuple[int, int]], data: bytes) -> None:
        at = 0
        for start, count in extents:
            piece = data[at : at + count * BLOCK]
            self.data[start * BLOCK : start * BLOCK + len(piece)] = piece
            at += count * BLOCK

    # ---- trees ------------------------------------------------------------------------------------------------------------

    def image(self) -> bytes:
        """Write the special files and both volume headers; return the volume."""
        forks = {kind: Fork() for kind in (EXTENTS, CATALOG, ATTRIBUTES)}
        compare = 0xBC if self.hfsx else 0xCF
        trees = {
            EXTENTS: _tree(self._extent_records(), self.node_size, 10, 0, fixed=True),
            CATALOG: _tree(self._catalog_records(), self.node_size, 516, compare if self.hfsx else 0, fixed=False),
            ATTRIBUTES: _tree(self._attribute_records(), self.node_size, 266, 0, fixed=False),
        }
        for kind, data in trees.items():
            forks[kind] = self._store(data + bytes(-len(data) % BLOCK), 1)
        bits = bytearray(BLOCK * self.bitmap[0][1])
        for block, taken in enumerate(self.used):
            bits[block // 8] |= taken << 7 - block % 8
        self._write(self.bitmap, bytes(bits))
        allocation = Fork(len(bits), self.bitmap)
        files = sum(not n.folder for n in self.nodes.values())
        header = struct.pack(
            ">2sHI4sIIIIIIIIIIIIIIIQ",
            b"HX" if self.hfsx else b"H+",
            5 if self.hfsx else 4,
            1 << 8,
            b"10.0",
            0,
            self.when,
            self.when,
            0,
            self.when,
            files,
            len(self.nodes) - files - 1,
            BLOCK,
            self.blocks,
            self.used.count(0),
            max(block for block, taken in enumerate(self.used[:-1]) if taken) + 1,
            65536,
            65536,
            self.next_id,
            1,
            1,
        )
        header += bytes(24) + bytes.fromhex("7ea6e00000000001")  # Finder information: only the volume's identifier
        header += b"".join(fork.pack() for fork in (allocation, forks[EXTENTS], forks[CATALOG], forks[ATTRIBUTES], Fork()))
        self.data[1024:1536] = header
        self.data[-1024:-512] = header
        return bytes(self.data)

    def _catalog_records(self) -> list[tuple[bytes, bytes]]:
        rows: list[tuple[tuple[int, bytes], bytes, bytes]] = []
        for node in self.nodes.values():
            flags = 0 if node.folder else 2  # a thread exists
            permissions = struct.pack(">IIBBHI", 99, 99, 0, 0, node.mode, node.special)
            times = struct.pack(">IIIII", *node.times, 0)
            if node.folder:
                body = struct.pack(">HHII", 1, flags, node.children, node.id) + times + permissions + bytes(32) + struct.pack(">II", 0, 0)
            else:
                body = struct.pack(">HHII", 2, flags, 0, node.id) + times + permissions + node.finder.ljust(32, b"\0")
                body += struct.pack(">II", 0, 0) + node.data.pack() + node.resource.pack()
            letters = node.name.encode("utf-16-be")
            name = struct.pack(">H", len(letters) // 2) + letters
            thread = struct.pack(">HhI", 3 if node.folder else 4, 0, node.parent) + name
            order = letters if self.hfsx else node.name.replace("\0", "\uffff").lower().encode("utf-16-be")  # TN1150: NUL sorts last
            rows.append(((node.parent, order), struct.pack(">I", node.parent) + name, body))
            rows.append(((node.id, b""), struct.pack(">IH", node.id, 0), thread))
        return [(struct.pack(">H", len(key)) + key, body) for _, key, body in sorted(rows)]

    def _extent_records(self) -> list[tuple[bytes, bytes]]:
        rows = []
        for node in self.nodes.values():
            for kind, fork in ((0, node.data), (0xFF, node.resource)):
                reached = sum(count for _, count in fork.extents[:8])
                for at in range(8, len(fork.extents), 8):
                    eight = fork.extents[at : at + 8]
                    body = b"".join(struct.pack(">II", *row) for row in [*eight, *[(0, 0)] * (8 - len(eight))])
                    rows.append(((node.id, kind, reached), struct.pack(">HBBII", 10, kind, 0, node.id, reached), body))
                    reached += sum(count for _, count in eight)
        return [(key, body) for _, key, body in sorted(rows)]

    def _attribute_records(self) -> list[tuple[bytes, bytes]]:
        rows = []
        for owner, name, value in self.attributes:
            letters = name.encode("utf-16-be")
            key = struct.pack(">HIIH", 0, owner, 0, len(letters) // 2) + letters
            body = struct.pack(">IIII", 0x10, 0, 0, len(value)) + value + bytes(len(value) % 2)
            rows.append(((owner, letters), struct.pack(">H", len(key)) + key, body))
        return [(key, body) for _, key, body in sorted(rows)]


def _tree(records: list[tuple[bytes, bytes]], size: int, longest: int, compare: int, *, fixed: bool) -> bytes:
    """Lay out a B-tree: header node, leaves, then the levels of index nodes over them (TN1150, "B-Trees")."""
    levels: list[list[list[tuple[bytes, bytes]]]] = []
    rows = records
    while rows:
        nodes: list[list[tuple[bytes, bytes]]] = [[]]
        room = size - 16
        for row in rows:
            need = len(row[0]) + len(row[1]) + 2
            if need > room:
                nodes.append([])
                room = size - 16
            nodes[-1].append(row)
            room -= need
        levels.append(nodes)
        if len(nodes) == 1:
            break
        first = 1 + sum(len(level) for level in levels[:-1])
        rows = [(node[0][0], struct.pack(">I", first + number)) for number, node in enumerate(nodes)]
    used = 1 + sum(len(level) for level in levels)
    total = -(-(used + 2) * size // BLOCK) * BLOCK // size
    root = used - 1 if levels else 0
    leaves = len(levels[0]) if levels else 0
    attributes = 2 | (0 if fixed else 4)  # big keys; index keys of variable length
    head = struct.pack(">HIIIIHHII", len(levels), root, len(records), bool(leaves), leaves, size, longest, total, total - used)
    head += struct.pack(">HIBBI", 0, 65536, 0, compare, attributes)
    bits = bytearray(size - 256)
    for number in range(used):
        bits[number // 8] |= 128 >> number % 8
    out = bytearray(_node(0, 0, 1, 0, [(head + bytes(64), b""), (bytes(128), b""), (bytes(bits), b"")], size))
    number = 1
    for height, level in enumerate(levels, 1):
        for place, node in enumerate(level):
            following = number + 1 if place < len(level) - 1 else 0
            out += _node(following, number - 1 if place else 0, -1 if height == 1 else 0, height, node, size)
            number += 1
    return bytes(out) + bytes((total - used) * size)


def _node(following: int, before: int, kind: int, height: int, records: list[tuple[bytes, bytes]], size: int) -> bytes:
    out = bytearray(struct.pack(">IIbBHH", following, before, kind, height, len(records), 0))
    offsets = [14]
    for key, body in records:
        out += key + body
        offsets.append(len(out))
    tail = b"".join(struct.pack(">H", offset) for offset in reversed(offsets))
    return bytes(out) + bytes(size - len(out) - len(tail)) + tail
