"""Outlook's stores, PST and OST ([MS-PST] 2.2): the trees of nodes and blocks, read by ranges and only as far as they are asked for.

Three layouts: 32 bits (versions 14 and 15), 64 bits (23), and 64 bits with pages of 4 KiB and packed blocks (36, offline stores since
Outlook 2013), of which [MS-PST] says nothing; that one follows libpff's description. A node has a tree of data blocks and perhaps a tree
of nodes of its own. Whatever a file says, no more is read of it than some times its size.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts import pstcodec
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.artifacts.structure import ReadAt

MAGIC = b"!BDN"
_CLIENTS = (b"SM", b"SO", b"AB")
NODES, BLOCKS = 0x81, 0x80
_DEEPEST, _MOST_PAGES, _KEPT_PAGES = 16, 4_000_000, 8192
_MOST_BLOCKS, _MOST_SUBNODES = 100_000, 100_000
_INTERNAL = 2


class Layout(NamedTuple):
    """Where things stand. ``page``, ``meta``: bytes of a page, and where it says how many entries; ``trailer``, ``unit``: of a block."""

    number: str
    page: int
    meta: int
    trailer: int
    unit: int
    nodes_at: int
    blocks_at: int
    crypt_at: int

    @property
    def wide(self) -> bool:
        """Whether numbers have 64 bits."""
        return self.number == "Q"


NARROW = Layout("I", 512, 496, 12, 64, 0xBC, 0xC4, 0x1CD)
WIDE = Layout("Q", 512, 488, 16, 64, 0xE0, 0xF0, 0x201)
LARGE = Layout("Q", 4096, 4056, 24, 512, 0xE0, 0xF0, 0x201)


class Node(NamedTuple):
    """A node: its number, the numbers of its data and of the tree of its own nodes (0 for none), and of the node above it."""

    number: int
    data: int
    below: int
    parent: int = 0


class Block(NamedTuple):
    """A block: its number, where it is, its bytes there, and how many they are when unpacked."""

    number: int
    offset: int
    size: int
    raw: int


class Page(NamedTuple):
    """A page of a tree: how far above the leaves it is, its keys in order, and its entries."""

    level: int
    keys: list[int]
    entries: list[tuple[int, ...]]


class Pst:
    """An opened store. ``version`` as in its header; ``method``: how its blocks are hidden (:mod:`triage.artifacts.pstcodec`).

    ``lost``: blocks that are in the tree no more, by their numbers, once somebody has looked for them (:mod:`triage.artifacts.pstlost`).
    """

    def __init__(self, read_at: ReadAt, size: int) -> None:
        head = read_at(0, 580)
        if len(head) < 564 or head[:4] != MAGIC or head[8:10] not in _CLIENTS:
            raise StructureError("no store of Outlook")
        self.version = int.from_bytes(head[10:12], "little")
        layout = NARROW if self.version in (14, 15) else LARGE if self.version >= 36 else WIDE if self.version >= 21 else None
        if layout is None:
            raise StructureError(f"a store of a version that is not read ({self.version})")
        self.layout = layout
        self.method = head[layout.crypt_at]
        if self.method == 0x10:
            raise StructureError("it is encrypted by Windows Information Protection")
        if self.method not in pstcodec.METHODS:
            raise StructureError("its blocks are hidden in a way that is not known")
        self.client = head[8:10].decode("ascii")
        self.notes = Notes()
        self._read_at = read_at
        self.size = size
        self._entry = struct.Struct(f"<3{layout.number}")
        self._number = struct.Struct(f"<{layout.number}")
        self._roots = {kind: self._number.unpack_from(head, at)[0] for kind, at in ((NODES, layout.nodes_at), (BLOCKS, layout.blocks_at))}
        self.lost: dict[int, Block] = {}
        self._pages: OrderedDict[int, Page | None] = OrderedDict()
        self._looks = 100_000 + size // 64
        self._bytes = (64 << 20) + 16 * size
        if self._page(self._roots[NODES], NODES) is None or self._page(self._roots[BLOCKS], BLOCKS) is None:
            raise StructureError("the trees of its nodes or blocks do not begin where they should")

    @property
    def form(self) -> str:
        """What kind of file it is, in words."""
        kind = {"SM": "PST", "SO": "OST", "AB": "PAB"}[self.client]
        return f"{kind}, {'64' if self.layout.wide else '32'} bits" + (", pages of 4 KiB" if self.layout is LARGE else "")

    def nodes(self) -> Iterator[Node]:
        """Yield all nodes, in the order of their numbers where the tree is whole."""
        waiting, seen = [(self._roots[NODES], _DEEPEST)], set[int]()
        while waiting:
            at, most = waiting.pop()
            if at in seen or len(seen) >= _MOST_PAGES:
                self.notes.add("a page of the tree of nodes stands in it more than once")
                continue
            seen.add(at)
            page = self._page(at, NODES)
            if page is None or page.level >= most:
                self.notes.add("a page of the tree of nodes is not there or damaged: what it lists is missing")
                continue
            if page.level:
                waiting += [(entry[2], page.level) for entry in reversed(page.entries)]
            else:
                for entry in page.entries:
                    yield Node(*entry)

    def node(self, number: int) -> Node | None:
        """Return a node by its number."""
        found = self._find(NODES, number)
        return Node(*found) if found is not None else None

    def block(self, number: int) -> Block | None:
        """Return where a block is, ``None`` if it is not there."""
        found = self._find(BLOCKS, number & ~1)
        if found is None:
            return self.lost.get(number & ~1)
        _, offset, size = found[:3]
        raw = size
        if self.layout is LARGE:
            end = offset + -(-(size + 24) // 512) * 512
            tail = self.bytes_at(end - 24, 24)
            stated = int.from_bytes(tail[18:20], "little")
            raw = stated or size
        if not size or offset + size > self.size or size > pstcodec.LARGEST_BLOCK:
            return None
        return Block(number & ~1, offset, size, raw)

    def read(self, block: Block) -> bytes:
        """Return a block's bytes, unpacked and no longer hidden."""
        self._bytes -= block.size + block.raw
        if self._bytes < 0:
            raise StructureError("more is said to be in it than can be: reading ends here")
        data = self.bytes_at(block.offset, block.size)
        if block.raw != block.size:
            data = pstcodec.unpack(data, block.raw)
        if block.number & _INTERNAL:
            return data
        return pstcodec.decode(self.method, data, block.number & 0xFFFFFFFF)

    def data(self, number: int) -> list[Block]:
        """Return the blocks of a tree of data, in order; what is missing is noted."""
        found: list[Block] = []
        if number:
            self._data(number, found, 2)
        return found

    def bytes_of(self, number: int, limit: int) -> bytes:
        """Return the data of a tree, at most ``limit`` bytes of it."""
        pieces, size = [], 0
        for block in self.data(number):
            if size >= limit:
                break
            pieces.append(self.read(block))
            size += len(pieces[-1])
        return b"".join(pieces)[:limit]

    def below(self, number: int) -> dict[int, Node]:
        """Return the nodes of a node's own tree by their numbers (2.2.2.8.3.3)."""
        found: dict[int, Node] = {}
        if number:
            self._below(number, found, 1)
        return found

    def steps(self, blocks: Sequence[Block]) -> tuple[list[list[Any]], int]:
        """Return the recipe that gives the bytes of some blocks, one behind the other, and how many they are."""
        steps: list[list[Any]] = [["cut", *(number for block in blocks for number in (block.offset, block.size))]]
        size = sum(block.raw for block in blocks)
        undone = pstcodec.step_of(self.method, [(block.size, block.number & 0xFFFFFFFF, block.raw) for block in blocks])
        if undone is not None:
            steps.append(["undo", *undone])
        return steps, size

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Return bytes as they stand in the file; fewer, and a note, where the medium is damaged."""
        try:
            return self._read_at(offset, length)
        except OSError:
            self.notes.add("a part of the medium cannot be read")
            return b""

    def _look(self) -> None:
        self._looks -= 1
        if self._looks < 0:
            raise StructureError("more is said to be in it than can be: reading ends here")

    def _data(self, number: int, found: list[Block], level: int) -> None:
        block = self.block(number)
        self._look()
        if block is None:
            self.notes.add("a block is not there")
            return
        if not number & _INTERNAL:
            if len(found) < _MOST_BLOCKS:
                found.append(block)
            else:
                self.notes.add("a value of more than 100,000 blocks was cut")
            return
        data = self.read(block)
        if data[:1] != b"\x01" or not data[1:2] or not 1 <= data[1] <= level:
            self.notes.add("a list of blocks is damaged")
            return
        width = self._number.size
        count = min(int.from_bytes(data[2:4], "little"), (len(data) - 8) // width)
        for at in range(8, 8 + count * width, width):
            below = self._number.unpack_from(data, at)[0]
            if below & _INTERNAL and data[1] < 2:
                self.notes.add("a list of blocks is damaged")
                return
            self._data(below, found, level - 1)

    def _below(self, number: int, found: dict[int, Node], level: int) -> None:
        block = self.block(number)
        self._look()
        data = self.read(block) if block is not None and number & _INTERNAL else b""
        if data[:1] != b"\x02" or not data[1:2] or data[1] > level:
            self.notes.add("a list of a node's own nodes is damaged or not there")
            return
        first, width = (8, 8) if self.layout.wide else (4, 4)
        entry = 2 * width if data[1] else 3 * width
        count = min(int.from_bytes(data[2:4], "little"), (len(data) - first) // entry)
        for at in range(first, first + count * entry, entry):
            numbers = struct.unpack_from(f"<{entry // width}{self.layout.number}", data, at)
            if data[1]:
                self._below(numbers[1], found, 0)
            elif len(found) < _MOST_SUBNODES:
                self._look()
                found.setdefault(numbers[0] & 0xFFFFFFFF, Node(numbers[0] & 0xFFFFFFFF, numbers[1], numbers[2]))

    def _find(self, kind: int, number: int) -> tuple[int, ...] | None:
        at = self._roots[kind]
        for _ in range(_DEEPEST):
            page = self._page(at, kind)
            if page is None:
                self.notes.add("a page of the trees is not there or damaged")
                return None
            place = bisect_right(page.keys, number) - 1
            if place < 0:
                return None
            if not page.level:
                return page.entries[place] if page.keys[place] == number else None
            at = page.entries[place][2]
        return None

    def _page(self, at: int, kind: int) -> Page | None:
        """Return a page of a tree, its entries in order (2.2.2.7.7); ``None`` for one that is not there."""
        if at in self._pages:
            self._pages.move_to_end(at)
            return self._pages[at]
        self._look()
        found = self.parse(self.bytes_at(at, self.layout.page) if at + self.layout.page <= self.size else b"", kind)
        self._pages[at] = found
        if len(self._pages) > _KEPT_PAGES:
            self._pages.popitem(last=False)
        return found

    def parse(self, data: bytes, kind: int) -> Page | None:
        """Return a page of a tree of that kind from its bytes, ``None`` if they are none."""
        layout = self.layout
        end = layout.page - layout.trailer
        if len(data) != layout.page or not data[end] == kind == data[end + 1]:
            return None
        if layout is LARGE:
            count, size, level = int.from_bytes(data[layout.meta : layout.meta + 2], "little"), data[4060], data[4061]
        else:
            count, _, size, level = data[layout.meta : layout.meta + 4]
        return self._entries(data, kind, level, count, size)

    def _entries(self, data: bytes, kind: int, level: int, count: int, size: int) -> Page | None:
        width, number = self._number.size, self.layout.number
        leaf = f"<4{number}" if kind == NODES else f"<2{number}H"
        if kind == NODES and self.layout.wide:
            leaf = "<3QI"
        form = self._entry if level else struct.Struct(leaf)
        if size < form.size or count * size > self.layout.meta or level > _DEEPEST:
            return None
        entries = [form.unpack_from(data, n * size) for n in range(count)]
        if kind == NODES:
            entries = [(entry[0] & 0xFFFFFFFF, *entry[1:]) for entry in entries]
        elif width == 8 and not level:
            entries = [(entry[0] & ~1, *entry[1:]) for entry in entries]
        entries.sort(key=lambda entry: entry[0])
        return Page(level, [entry[0] for entry in entries], entries)
