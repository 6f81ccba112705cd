"""B-trees of HFS+, all nodes of one at once: header, map, links, heights, record offsets, and where the leaves' records are.

TN1150, "B-Trees". TSK goes from the root to the leaves; here every node is looked at, so that leaves to which no damaged index leads
are found too.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks.columns import Bytes, Columns, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.filesystem.checks.columns import Column

LEAF, INDEX, HEADER, MAP = 255, 0, 1, 2
"""BTNodeDescriptor.kind, as an unsigned byte."""
MAX_MAPS = 4096
_DESCRIPTOR = 14


@dataclass(frozen=True, slots=True)
class TreeHeader:
    """The header record (BTHeaderRec)."""

    depth: int
    root: int
    records: int
    first: int
    last: int
    node: int
    nodes: int
    free: int
    compare: int


def read_tree_header(data: bytes) -> TreeHeader | None:
    """Return the header out of a tree's first bytes, ``None`` when they are none."""
    if len(data) < 120 or data[8] != HEADER:
        return None
    depth, root, records, first, last, node, _, nodes, free = struct.unpack_from(">HIIIIHHII", data, _DESCRIPTOR)
    if not 512 <= node <= 32768 or node & (node - 1) or not nodes:
        return None
    return TreeHeader(depth, root, records, first, last, node, nodes, free, data[_DESCRIPTOR + 37])


class Tree:
    """Feed it the nodes, then :meth:`settle` it. ``faults`` says in words what is wrong with it; ``live`` which nodes are leaves in use.

    ``records`` is given the leaves' records: the bytes, each record's place in them, its length, and the number of its node.
    """

    def __init__(self, header: TreeHeader, records: Callable[[Bytes, Column, Column, Column], None]) -> None:
        self.header = header
        self.faults: list[str] = []
        self.live = np.zeros(0, bool)
        self.count = 0
        self._records = records
        self._columns = Columns()
        self._wrong = Tally()
        self._maps: dict[int, bytes] = {}
        self._children: list[tuple[int, int, bytes]] = []  # index node, the node below, and the key between them
        self._keys: dict[int, bytes] = {}  # of each node, the first

    def feed(self, data: bytes) -> None:
        """Look at the next nodes, whole ones."""
        size = self.header.node
        number = len(data) // size
        here = Bytes(data[: number * size], ">")
        start = np.arange(number, dtype=np.int64) * size
        kind, records = here.raw[start + 8], here.at(start + 10, 2)
        self._columns.add(
            following=here.at(start, 4),
            before=here.at(start + 4, 4),
            kind=kind,
            height=here.raw[start + 9].astype(np.int64),
            records=records,
        )
        fits = (records <= (size - _DESCRIPTOR) // 4) & ((kind == LEAF) | (kind == INDEX) | (kind == MAP) | (kind == HEADER))
        used = fits & (records > 0)
        rows = np.repeat(np.nonzero(used)[0], records[used])
        place = np.arange(len(rows)) - np.repeat(np.cumsum(records[used]) - records[used], records[used])
        end = start[rows] + size
        at, after = here.at(end - 2 * (place + 1), 2), here.at(end - 2 * (place + 2), 2)
        room = size - 2 * (records[rows] + 1)
        sound = (at >= _DESCRIPTOR) & (after > at) & (after <= room) & ((place > 0) | (at == _DESCRIPTOR))
        torn = np.zeros(number, bool)
        torn[rows[~sound]] = True
        torn[~fits] = True
        self._columns.add(torn=torn)
        leaves = sound & (kind[rows] == LEAF)
        self._records(here, (start[rows] + at)[leaves], (after - at)[leaves], rows[leaves] + self.count)
        self._keep_first_keys(here, start, rows, at, after, sound & (place == 0))
        for row in np.nonzero((kind == HEADER) | (kind == MAP))[0].tolist():
            self._keep_map(row + self.count, bytes(here.raw[row * size : (row + 1) * size]), int(kind[row]))
        self._index(here, start, rows, at, after, sound & (kind[rows] == INDEX))
        self.count += number

    def _keep_first_keys(self, here: Bytes, start: Column, rows: Column, at: Column, after: Column, which: Column) -> None:
        for row, first, last in zip(rows[which].tolist(), at[which].tolist(), after[which].tolist(), strict=True):
            key = _key(here, int(start[row]) + first, last - first)
            if key is not None:
                self._keys[row + self.count] = key

    def _index(self, here: Bytes, start: Column, rows: Column, at: Column, after: Column, which: Column) -> None:
        for row, first, last in zip(rows[which].tolist(), at[which].tolist(), after[which].tolist(), strict=True):
            place = int(start[row]) + first
            key = _key(here, place, last - first - 4)
            if key is None:
                self._wrong.add("index nodes hold a record that does not fit", np.array([row + self.count]))
                continue
            child = here.raw[place + 2 + len(key) : place + 6 + len(key)].tobytes()
            self._children.append((row + self.count, int.from_bytes(child, "big"), key))

    def _keep_map(self, number: int, node: bytes, kind: int) -> None:
        if len(self._maps) >= MAX_MAPS:
            return
        record = 2 if kind == HEADER else 0
        first, last = (int.from_bytes(node[len(node) - 2 * (record + n) : len(node) - 2 * (record + n) + 2], "big") for n in (1, 2))
        if _DESCRIPTOR <= first < last <= len(node):
            self._maps[number] = node[first:last]

    def settle(self) -> None:
        """Hold the nodes against the header and each other."""
        header = self.header
        if self.count < header.nodes:
            self.faults.append(f"only {self.count} of its {header.nodes} nodes are there")
        count = min(self.count, header.nodes)
        following, before, kind, height, records, torn = (
            self._columns.whole(c)[:count] for c in ("following", "before", "kind", "height", "records", "torn")
        )
        marked = self._marked(following, count)
        chain = self._chain(header.first, following, count)
        chained = np.zeros(count, bool)
        chained[chain] = True
        leaves = marked & (kind == LEAF)
        self.live = np.zeros(self.count, bool)
        self.live[:count] = (marked | chained) & (kind == LEAF)
        if chain and chain[-1] != header.last:
            self.faults.append(f"the chain of its leaves ends at node {chain[-1]}, not {header.last}")
        elif not chain and (header.first or header.records):
            self.faults.append("its first leaf is none")
        self._say("leaves are in use and not in the chain of leaves", np.nonzero(leaves & ~chained)[0])
        self._say("nodes in the chain of leaves are none or marked free", np.nonzero(chained & ~leaves)[0])
        back = np.array([0, *chain[:-1]], dtype=np.int64)
        self._say(
            "leaves do not lead back to the one before", np.array(chain, dtype=np.int64)[before[chain] != back] if chain else back[:0]
        )
        self._say("leaves are not at the lowest level", np.nonzero(leaves & (height != 1))[0])
        self._say("nodes have records that do not fit", np.nonzero(marked & torn)[0])
        self._say("nodes in use hold nothing", np.nonzero(leaves & (records == 0))[0])
        if int(records[leaves].sum()) != header.records:
            self.faults.append(f"its leaves hold {int(records[leaves].sum())} records, its header says {header.records}")
        if int((~marked).sum()) != header.free:
            self.faults.append(f"{int((~marked).sum())} of its nodes are free, its header says {header.free}")
        self._levels(kind, height, marked)
        for what, number in self._wrong.counts.items():
            places = ", ".join(str(n) for n in self._wrong.first[what])
            self.faults.append(f"{number} {what} ({places}{' …' if number > len(self._wrong.first[what]) else ''})")

    def _say(self, what: str, nodes: Column) -> None:
        self._wrong.add(what, nodes)

    def _marked(self, following: Column, count: int) -> Column:
        """Return which nodes the map records call used."""
        bits = bytearray()
        node = 0
        while node in self._maps and len(bits) * 8 < count:
            bits += self._maps[node]
            node = int(following[node]) if node < len(following) else 0
            if not node:
                break
        if len(bits) * 8 < count:
            self.faults.append("its map of nodes in use is cut short")
        marked = np.zeros(count, bool)
        known = np.unpackbits(np.frombuffer(bits, np.uint8))[:count].astype(bool)
        marked[: len(known)] = known
        return marked

    def _chain(self, first: int, following: Column, count: int) -> list[int]:
        chain: list[int] = []
        seen = np.zeros(count, bool)
        links = following.tolist()
        node = first
        while 0 < node < count and not seen[node]:
            seen[node] = True
            chain.append(node)
            node = links[node]
        if node:
            self.faults.append(
                f"the chain of its leaves leads to node {node}, " + ("which it was at before" if node < count else "which is none")
            )
        return chain

    def _levels(self, kind: Column, height: Column, marked: Column) -> None:
        """Every node but the root has one index record above it, with its first key."""
        count, header = len(kind), self.header
        reached = np.zeros(count, np.int64)
        wrong: list[int] = []
        for node, child, key in self._children:
            if node >= count or not marked[node]:
                continue
            if not 0 < child < count or not marked[child] or height[child] + 1 != height[node]:
                wrong.append(node)
                continue
            reached[child] += 1
            if self._keys.get(child) != key:
                wrong.append(node)
        self._say("index nodes lead to the wrong nodes", np.unique(np.array(wrong, dtype=np.int64)))
        below = marked & ((kind == LEAF) | (kind == INDEX))
        if header.root < count:
            below[header.root] = False
        self._say("nodes have no index record above them, or several", np.nonzero(below & (reached != 1))[0])
        if header.root and (header.root >= count or not marked[header.root] or height[header.root] != header.depth):
            self.faults.append("its root is none, or its depth is not the one that its header says")
        if not header.root and (header.records or header.depth):
            self.faults.append("it has no root, but records")


def _key(here: Bytes, place: int, room: int) -> bytes | None:
    """Return a record's key without its length, ``None`` when it is longer than the record."""
    length = int(here.raw[place]) << 8 | int(here.raw[place + 1])
    return here.raw[place + 2 : place + 2 + length].tobytes() if length + 2 <= room else None
