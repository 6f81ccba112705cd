"""Records of HFS+'s catalog and attributes file by the number of whom they are of, looked up in their trees.

TN1150, "B-Trees", "Catalog File Keys", "Attributes File"; Apple, ``hfs_format.h``, HFSPlusAttrKey. A tree's nodes are read through TSK,
some of them kept; what cannot be read has no records.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.filesystem.checks.hfsformat import ATTRIBUTES, CATALOG
from triage.filesystem.checks.hfstree import INDEX, LEAF, TreeHeader, read_tree_header

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT_NODES = 64
_MAX_DEPTH = 16
_KEYS = {CATALOG: (">2xIH", 6), ATTRIBUTES: (">4xI4xH", 12)}
"""Of a key the number, and how many letters its name has; and how long it is at least, its own length not counted."""


class Record(NamedTuple):
    """A record: whose it is, its name in UTF-16, what follows the key, and where that stands in the tree's file."""

    owner: int
    name: bytes
    body: bytes
    place: int

    @property
    def letters(self) -> int:
        """How many letters the name has; 0 of a thread record."""
        return len(self.name) // 2


class Records:
    """The records of one tree of a volume that TSK opened: ``number`` is CATALOG or ATTRIBUTES."""

    def __init__(self, fs: Any, number: int) -> None:
        self._key, self._shortest = _KEYS[number]
        self._nodes: dict[int, bytes] = {}
        self.file: Any = None
        self._header: TreeHeader | None = None
        try:
            self.file = fs.open_meta(number)
            self._header = read_tree_header(self.file.read_random(0, 512))
        except OSError:
            self._header = None

    @property
    def readable(self) -> bool:
        """Whether the tree can be looked into."""
        return self._header is not None

    def of(self, owner: int) -> Iterator[Record]:
        """Yield the records of a number, in the order of their names."""
        number = self._leaf(owner)
        seen: set[int] = set()
        while number and number not in seen:
            seen.add(number)
            node = self._node(number)
            if len(node) < 14 or node[8] != LEAF:
                return
            for record in self._records(number, node):
                if record.owner > owner:
                    return
                if record.owner == owner:
                    yield record
            number = int.from_bytes(node[:4], "big")

    def _node(self, number: int) -> bytes:
        size = self._header.node if self._header is not None else 0
        if number not in self._nodes:
            if len(self._nodes) >= _KEPT_NODES:
                self._nodes.clear()
            try:
                self._nodes[number] = self.file.read_random(number * size, size)
            except OSError:
                self._nodes[number] = b""
        return self._nodes[number]

    def _leaf(self, owner: int) -> int:
        """Return the leaf where the first record of a number is, if there is one; 0 when none is found."""
        number = self._header.root if self._header is not None else 0
        for _ in range(_MAX_DEPTH):
            node = self._node(number)
            if len(node) < 14 or node[8] != INDEX:
                return number if len(node) >= 14 and node[8] == LEAF else 0
            below = 0
            for record in self._records(number, node):
                if below and (record.owner, record.letters) > (owner, 0):
                    break
                below = int.from_bytes(record.body[:4], "big")
            number = below
        return 0

    def _records(self, number: int, node: bytes) -> Iterator[Record]:
        """Yield a node's records, up to the first that does not fit."""
        count, size = int.from_bytes(node[10:12], "big"), len(node)
        for slot in range(min(count, size // 4)):
            start, end = (struct.unpack_from(">H", node, size - 2 * (slot + more))[0] for more in (1, 2))
            if not 14 <= start < end <= size or end - start < 4 + self._shortest:
                return
            length = struct.unpack_from(">H", node, start)[0]
            owner, letters = struct.unpack_from(self._key, node, start)
            body, name = start + 2 + length, start + 2 + self._shortest
            if length < self._shortest or body > end:
                return
            yield Record(owner, node[name : min(name + 2 * letters, body)], node[body:end], number * size + body)
