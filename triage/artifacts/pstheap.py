"""Properties and tables in a node of Outlook's stores ([MS-PST] 2.3): the heap, its trees, property and table contexts."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from triage.artifacts import mapi
from triage.artifacts.pst import LARGE
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.mapi import Properties
    from triage.artifacts.pst import Node, Pst

PROPERTIES, TABLE = 0xBC, 0x7C
_TREE = 0xB5
_MOST_RECORDS, _DEEPEST, _MOST_COLUMNS = 200_000, 8, 2000
_MOST_VALUE, _MOST_BODY = 64 << 10, 1 << 20


class Heap:
    """The heap of a node, opened: its pieces by their numbers. Raises :class:`StructureError` for a node without one."""

    def __init__(self, pst: Pst, node: Node, kind: int) -> None:
        self.pst = pst
        self.node = node
        self.blocks = pst.data(node.data)
        self._held: dict[int, bytes] = {}
        self._below: dict[int, Node] | None = None
        head = self._block(0)
        if len(head) < 12 or head[2] != 0xEC or head[3] != kind:
            raise StructureError("a node without the heap that it should have")
        self.root = int.from_bytes(head[4:8], "little")

    @property
    def below(self) -> dict[int, Node]:
        """The node's own nodes."""
        if self._below is None:
            self._below = self.pst.below(self.node.below)
        return self._below

    def place(self, number: int) -> tuple[int, int, int] | None:
        """Return the block, offset and length of a piece of the heap (2.3.1.1, 2.3.1.5)."""
        index, block = (number >> 5 & 0x3FFF, number >> 19) if self.pst.layout is LARGE else (number >> 5 & 0x7FF, number >> 16)
        data = self._block(block)
        at = int.from_bytes(data[:2], "little")
        place = at + 4 + (index - 1) * 2
        if index < 1 or index > int.from_bytes(data[at : at + 2], "little") or place + 4 > len(data):
            return None
        start, end = struct.unpack_from("<HH", data, place)
        return (block, start, end - start) if start <= end <= len(data) else None

    def piece(self, number: int) -> bytes:
        """Return a piece of the heap; nothing for one that is not there."""
        found = self.place(number) if number else None
        return self._block(found[0])[found[1] : found[1] + found[2]] if found is not None else b""

    def value(self, number: int, limit: int) -> bytes:
        """Return a value by its number, in the heap or in a node of its own."""
        if not number & 0x1F:
            return self.piece(number)[:limit]
        node = self.below.get(number)
        return self.pst.bytes_of(node.data, limit) if node is not None else b""

    def steps(self, number: int) -> tuple[list[list[Any]], int]:
        """Return the recipe of a value's bytes and how many they are; no steps for one that is not there."""
        if not number & 0x1F:
            found = self.place(number) if number else None
            if found is None or not found[2]:
                return [], 0
            steps, _ = self.pst.steps([self.blocks[found[0]]])
            return [*steps, ["cut", found[1], found[2]]], found[2]
        node = self.below.get(number)
        blocks = self.pst.data(node.data) if node is not None else []
        return self.pst.steps(blocks) if blocks else ([], 0)

    def records(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Yield key and value of each record of a tree on the heap (2.3.2)."""
        head = self.piece(number)
        if len(head) < 8 or head[0] != _TREE or not 1 <= head[1] <= 16 or not 1 <= head[2] <= 32:
            raise StructureError("a tree on a heap does not begin where it should")
        key, size, levels = head[1], head[2], head[3]
        if levels > _DEEPEST:
            raise StructureError("a tree on a heap is too deep")
        waiting = [(int.from_bytes(head[4:8], "little"), levels)]
        left = _MOST_RECORDS
        while waiting and left > 0:
            place, level = waiting.pop()
            data = self.piece(place)
            width = key + (4 if level else size)
            rows = [data[at : at + width] for at in range(0, len(data) - width + 1, width)]
            left -= len(rows) + 1
            if level:
                waiting += [(int.from_bytes(row[key:], "little"), level - 1) for row in reversed(rows)]
            else:
                for row in rows:
                    yield int.from_bytes(row[:key], "little"), row[key:]

    def _block(self, number: int) -> bytes:
        if number >= len(self.blocks):
            return b""
        if number not in self._held:
            self._held[number] = self.pst.read(self.blocks[number])
        return self._held[number]


def properties_of(heap: Heap, names: dict[int, int], charset: str = "") -> tuple[Properties, dict[int, tuple[int, int]], str]:
    """Return a node's properties (2.3.3), the type and number of those that stand elsewhere, and the character set of its texts."""
    found: Properties = {}
    placed: dict[int, tuple[int, int]] = {}
    for number, raw in heap.records(heap.root):
        kind, value = struct.unpack("<HI", raw[:6].ljust(6, b"\0"))
        number = names.get(number, number)  # noqa: PLW2901 - the same number, as it is everywhere
        if kind in mapi.FIXED and mapi.FIXED[kind] <= 4:
            found[number] = mapi.value_of(kind, raw[2:6])
        elif value:
            placed[number] = (kind, value)
    charset = charset or mapi.pages_of(found)
    for number, (kind, value) in placed.items():
        if number == mapi.ATTACHED or kind not in (mapi.STRING, mapi.STRING8, mapi.BINARY, *mapi.FIXED):
            continue
        raw = heap.value(value, _MOST_BODY if number in mapi.BODIES else _MOST_VALUE)
        read = mapi.value_of(kind, raw, charset)
        if read is not None:
            found[number] = read
    return found, placed, charset


def row_numbers(heap: Heap) -> set[int]:
    """Return the numbers of a table's rows (2.3.4.3): those of the nodes that it lists."""
    head = heap.piece(heap.root)
    if len(head) < 22 or head[0] != TABLE:
        raise StructureError("a table does not begin where it should")
    index = int.from_bytes(head[10:14], "little")
    return {number for number, _ in heap.records(index)} if index else set()


def rows_of(heap: Heap, names: dict[int, int], charset: str, limit: int) -> list[Properties]:
    """Return the rows of a table as properties, at most ``limit`` of them (2.3.4.4)."""
    head = heap.piece(heap.root)
    if len(head) < 22 or head[0] != TABLE:
        raise StructureError("a table does not begin where it should")
    _, _, bits_at, width, _, matrix = struct.unpack_from("<HHHHII", head, 2)
    columns = []
    for at in range(22, min(len(head) - 7, 22 + 8 * min(head[1], _MOST_COLUMNS)), 8):
        kind, number, offset, size, bit = struct.unpack_from("<HHHBB", head, at)
        columns.append((names.get(number, number), kind, offset, size, bit))
    if not matrix or width < 4 or bits_at > width:
        return []
    if not matrix & 0x1F:
        pieces = [heap.piece(matrix)]
    else:
        node = heap.below.get(matrix)
        pieces = [heap.pst.read(block) for block in heap.pst.data(node.data)] if node is not None else []
    known = sorted((int.from_bytes(raw[:4], "little"), number) for number, raw in heap.records(int.from_bytes(head[10:14], "little")))
    rows = [piece[at : at + width] for piece in pieces for at in range(0, len(piece) - width + 1, width)]
    return [_row(heap, rows[place], columns, bits_at, charset) for place, _ in known[:limit] if place < len(rows)]


def _row(heap: Heap, row: bytes, columns: list[tuple[int, int, int, int, int]], bits_at: int, charset: str) -> Properties:
    found: Properties = {}
    for number, kind, offset, size, bit in columns:
        place = bits_at + bit // 8
        if place >= len(row) or not row[place] >> (7 - bit % 8) & 1 or offset + size > len(row):
            continue
        raw = row[offset : offset + size]
        if kind not in mapi.FIXED:
            raw = heap.value(int.from_bytes(raw[:4], "little"), 4096)
        elif mapi.FIXED[kind] > size:
            raw = raw.ljust(8, b"\0")
        value = mapi.value_of(kind, raw, charset)
        if value is not None:
            found[number] = value
    return found
