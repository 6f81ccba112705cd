"""Which pages of a SQLite database lead where: its header, its trees, its free list, and what is left for overflow.

Format: sqlite.org/fileformat2.html, sections 1.2 (pages), 1.3 (header), 1.5 (free list), 1.6 (b-tree pages), 1.8 (pointer map). Pages are
numbered from 1, as there. Nothing in a page says whose it is, so that a database is believed as far as its trees lead: a page that should
be of a tree and is none has been overwritten.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.carving.window import Window

MAGIC = b"SQLite format 3\0"
_HEADER = struct.Struct(">16sHBBBBBBIIIIIIIIIIII20sII")
_LOCK = 1 << 30
"""The byte whose page is never used (1.2)."""
_MOST_PAGES = 1 << 24
HEAD = 16
"""Bytes of a page that are looked at: its tree header and its first cell pointer."""
_LOST = 4 << 20
_EMPTY = 64 << 20
"""Bytes that can be of no database, and of zeros, at which reading stops."""
_MOST_TABLES = 5000
_TABLE, _INDEX, _EITHER = 1, 2, 3
FAMILY = {5: _TABLE, 13: _TABLE, 2: _INDEX, 10: _INDEX}
_NAME = re.compile(r"[^\x00-\x1f]{1,200}")
_ENCODINGS = {2: "utf-16-le", 3: "utf-16-be"}

Heads = np.ndarray[Any, np.dtype[np.uint8]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHeader:
    """A database's header. Sizes are bytes; ``pages`` is ``None`` where it is not kept (1.3.7), as versions before 3.7 do not."""

    page_size: int
    usable: int
    pages: int | None
    first_trunk: int
    free_pages: int
    pointer_map: bool
    encoding: int
    user_version: int
    application: int
    log: bool


def read_header(head: bytes) -> DatabaseHeader | None:
    """Return the header in the first 100 bytes, or ``None`` when a field has a value that no version writes."""
    if len(head) < 100 or not head.startswith(MAGIC):
        return None
    _, size, write, read, reserved, most, least, leaf, *words = _HEADER.unpack_from(head)
    changes, pages, trunk, free, _, schema, _, root, encoding, user, vacuum, application, zeros, valid_for, _ = words
    page = 65536 if size == 1 else size
    if not 512 <= page <= 65536 or page & (page - 1) or (most, least, leaf) != (64, 32, 32):
        return None
    if not (1 <= write <= 3 and 1 <= read <= 2) or page - reserved < 480 or schema > 4 or encoding > 3 or vacuum > 1 or any(zeros):
        return None
    known = pages if pages and changes == valid_for else None
    if known is not None and (trunk > known or root > known or free >= known):
        return None
    if bool(trunk) != bool(free):
        return None
    return DatabaseHeader(
        page_size=page,
        usable=page - reserved,
        pages=known,
        first_trunk=trunk,
        free_pages=free,
        pointer_map=root != 0,
        encoding=encoding,
        user_version=user,
        application=application,
        log=write == 2,
    )


def free_list(read: Callable[[int, int], bytes], header: DatabaseHeader, pages: int) -> tuple[list[int], list[int], bool]:
    """Return the free list's trunk pages, the leaf pages they name, and whether it is what the header says (1.5).

    ``read(offset, length)`` reads the database; pages above ``pages`` are not followed.
    """
    trunks: list[int] = []
    leaves: list[int] = []
    seen: set[int] = set()
    number, sound = header.first_trunk, True
    while number:
        raw = read((number - 1) * header.page_size, header.usable) if 1 < number <= pages and number not in seen else b""
        count = int.from_bytes(raw[4:8], "big")
        if len(raw) < header.usable or count > header.usable // 4 - 2 or len(seen) > pages:
            return trunks, leaves, False
        seen.add(number)
        trunks.append(number)
        for leaf in struct.unpack_from(f">{count}I", raw, 8):
            if not 1 < leaf <= pages or leaf in seen:
                sound = False
            else:
                seen.add(leaf)
                leaves.append(leaf)
        number = int.from_bytes(raw[:4], "big")
    return trunks, leaves, sound and len(seen) == header.free_pages


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Return an integer of one to nine bytes and the offset behind it (1.6). Raises ``IndexError`` past the end."""
    value = 0
    for number in range(9):
        byte = data[at + number]
        if number == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + number + 1
    raise AssertionError


@dataclass(frozen=True, slots=True)
class Table:
    """One line of the schema: what it is, its name, the page at which its tree begins, and the page that the line stands in (2.6)."""

    kind: str
    name: str
    root: int
    page: int


@dataclass(frozen=True, slots=True)
class Spilled:
    """A cell with overflow: where in its page its payload begins, bytes of it there and altogether, and the page on which it goes on."""

    start: int
    kept: int
    payload: int
    page: int


class Pages:
    """The pages of a database that lies at the beginning of a window, as far as it goes.

    ``last``: the number of the last page that is there. ``wrong``: pages of trees that are none, or lead nowhere. ``tree``: which pages
    trees led to, by what tree it is; ``parents``: and from which page. ``sound``: whether the free list is what the header says.
    """

    def __init__(self, window: Window, header: DatabaseHeader) -> None:
        self._window = window
        self.header = header
        self._size = header.page_size
        self.last = min(window.size // self._size, header.pages or _MOST_PAGES, _MOST_PAGES)
        self.heads = self._read_heads()
        self.last = len(self.heads)
        self.good = self._good()
        self.tree = np.zeros(self.last + 1, np.uint8)
        self.parents: dict[int, int] = {}
        self.wrong: set[int] = set()
        self.beyond = 0
        self.tables: list[Table] = []
        self.trunks, self.leaves, self.sound = free_list(window.at, header, self.last)

    def _read_heads(self) -> Heads:
        """Read the first bytes of every page, up to a long stretch of what can be none."""
        size = self._size
        parts: list[Heads] = []
        lost = empty = 0
        most = self.header.pages or self.last
        tail = b""
        for _, chunk in self._window.chunks(0, self.last * size):
            data = tail + chunk if tail else chunk
            whole = len(data) // size
            tail = data[whole * size :]
            if not whole:
                continue
            heads = np.frombuffer(data, np.uint8, whole * size).reshape(whole, size)[:, :HEAD].copy()
            if not parts:
                start = np.frombuffer(data, np.uint8, HEAD, 100)
                heads[0] = start
            parts.append(heads)
            first = _u32(heads, 0)
            zero = ~heads.any(axis=1)
            likely = (np.isin(heads[:, 0], (2, 5, 10, 13)) | (first <= most)) & ~zero
            lost = 0 if likely.any() else lost + len(data)
            empty = empty + len(data) if zero.all() else 0
            if lost - empty >= _LOST or empty >= _EMPTY:
                break
        return np.concatenate(parts) if parts else np.zeros((0, HEAD), np.uint8)

    def _good(self) -> Mask:
        """Tell which pages have the header of a tree's page."""
        good = tree_pages(self.heads, self.header.usable)
        if len(good):
            good[0] &= 108 + 2 * int(_u16(self.heads[:1], 3)[0]) <= self.header.usable
        return good

    # -- trees --------------------------------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Follow every tree from the schema on."""
        schema = self._tree([1], _TABLE)
        for page in schema:
            if self.heads[page - 1, 0] == 13 and page not in self.wrong:
                self.tables += self._lines(page)
        tables = [t for t in self.tables[:_MOST_TABLES] if t.root > 1]
        for table in tables:
            self.parents.setdefault(table.root, table.page)
        for family in (_TABLE, _INDEX):
            kinds = [n for n, f in FAMILY.items() if f == family]
            self._tree([t.root for t in tables if t.root <= self.last and self.heads[t.root - 1, 0] in kinds], family)
        for table in tables:
            if table.root > self.last:
                self.beyond = max(self.beyond, table.root)
            elif not self.tree[table.root]:
                self.tree[table.root] = _INDEX if table.kind == "index" else _EITHER
                self.wrong.add(table.root)

    def _tree(self, roots: list[int], family: int) -> list[int]:
        """Follow trees of one family; return their pages, level by level."""
        kinds = [n for n, f in FAMILY.items() if f == family]
        reached: list[int] = []
        level = roots
        while level:
            below: list[int] = []
            for page in level:
                if self.tree[page] or page in self.wrong:
                    self.wrong.add(page)
                    continue
                self.tree[page] = family
                kind = int(self.heads[page - 1, 0])
                if not self.good[page - 1] or kind not in kinds:
                    self.wrong.add(page)
                    continue
                reached.append(page)
                if kind in (2, 5):
                    children = self._children(page)
                    for child in children:
                        self.parents.setdefault(child, page)
                    below += children
            level = below
        return reached

    def page(self, number: int) -> bytes:
        """Return a page's bytes."""
        return self._window.at((number - 1) * self._size, self._size)

    def cells(self, number: int, data: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return where the cells of a page begin, those outside of it left out."""
        start = 100 if number == 1 else 0
        start += 12 if data[start] in (2, 5) else 8
        count = int.from_bytes(self.heads[number - 1, 3:5].tobytes(), "big")
        found = np.frombuffer(data, ">u2", count, start).astype(np.int64)
        return found[found <= self.header.usable - 4]

    def _children(self, number: int) -> list[int]:
        data = self.page(number)
        at = self.cells(number, data)
        raw = np.frombuffer(data, np.uint8)
        count = int.from_bytes(self.heads[number - 1, 3:5].tobytes(), "big")
        children = [*_u32(raw[at[:, None] + np.arange(4)], 0).tolist()] if len(at) else []
        children.append(int.from_bytes(self.heads[number - 1, 8:12].tobytes(), "big"))
        most = self.header.pages or _MOST_PAGES
        inside = [c for c in children if 1 < c <= self.last]
        ahead = [c for c in children if self.last < c <= most]
        self.beyond = max([self.beyond, *ahead])
        if len(at) < count or len(inside) + len(ahead) < len(children):
            self.wrong.add(number)
        return inside

    def _lines(self, number: int) -> Iterator[Table]:
        """Yield the lines of a page of the schema: type, name, table, root page, statement."""
        data = self.page(number)
        encoding = _ENCODINGS.get(self.header.encoding, "utf-8")
        for at in self.cells(number, data).tolist():
            try:
                _, start = varint(data, at)
                _, start = varint(data, start)
                size, types = varint(data, start)
                body = start + size
                kinds: list[int] = []
                while types < start + size and len(kinds) < 5:
                    kind, types = varint(data, types)
                    kinds.append(kind)
                lengths = [_length(k) for k in kinds]
                if len(kinds) < 4 or min(lengths) < 0 or sum(lengths[:4]) > len(data) - body:
                    continue
                raw = []
                for length in lengths[:4]:
                    raw.append(data[body : body + length])
                    body += length
            except IndexError:
                continue
            root = {8: 0, 9: 1}.get(kinds[3], int.from_bytes(raw[3], "big"))
            kind_of, name = raw[0].decode(encoding, "replace"), raw[1].decode(encoding, "replace")
            if kind_of in ("table", "index", "view", "trigger"):
                yield Table(kind_of, show(name) if _NAME.fullmatch(name) else "", root if kind_of in ("table", "index") else 0, number)

    # -- what is left -------------------------------------------------------------------------------------------------------------

    def rest(self) -> Mask:
        """Tell which pages only overflow can explain; the first stands for page 1."""
        left: Mask = self.tree[1:] == 0
        for pages in (self.trunks, self.leaves):
            if pages:
                left[np.array(pages) - 1] = False
        if self.header.pointer_map:
            left[1 :: self.header.usable // 5 + 1] = False
        lock = _LOCK // self._size
        if lock < len(left):
            left[lock] = False
        return left

    def broken_overflow(self) -> list[int]:
        """Return pages that only overflow can explain and that lead elsewhere than overflow can, or where another one leads as well."""
        left = self.rest()
        pages = np.flatnonzero(left) + 1
        following = _u32(self.heads[pages - 1], 0)
        ends = following == 0
        inside = (following > 1) & (following <= (self.header.pages or self.last))
        wrong = ~(ends | inside)
        here = inside & (following <= self.last)
        wrong[here] |= ~left[following[here] - 1]
        numbers, counts = np.unique(following[inside], return_counts=True)
        wrong |= inside & np.isin(following, numbers[counts > 1])
        return [int(p) for p in pages[wrong]]

    def broken_maps(self) -> list[int]:
        """Return pages of the pointer map that say of pages that they are of another kind than they are (1.8)."""
        if not self.header.pointer_map:
            return []
        kinds = np.full(self.last + 1, 3, np.uint8)  # 1: of a tree, 2: free, 3: overflow, 0: anything
        kinds[np.flatnonzero(self.tree)] = 1
        for pages in (self.trunks, self.leaves):
            kinds[pages] = 2
        if _LOCK // self._size < self.last:
            kinds[_LOCK // self._size + 1] = 0
        said_of = np.array([0, 1, 2, 3, 3, 1], np.uint8)
        wrong, each = [], self.header.usable // 5
        for number in range(2, self.last + 1, each + 1):
            count = min(each, self.last - number)
            said = np.frombuffer(self.page(number), np.uint8, count * 5).reshape(count, 5)[:, 0]
            meant = kinds[number + 1 : number + 1 + count]
            if said.max(initial=0) > 5 or bool(((said_of[np.minimum(said, 5)] != meant) & (meant > 0)).any()):
                wrong.append(number)
        return wrong

    def plausible(self) -> int:
        """Return how many pages look as pages of a database do: free ones hold what they held before."""
        return int((self.good | (_u32(self.heads, 0) <= (self.header.pages or self.last))).sum())

    def reached(self) -> int:
        """Return the last page that anything leads to: where a database ends that does not keep its size."""
        last = max([int(np.flatnonzero(self.tree)[-1]) if self.tree.any() else 0, *self.trunks, *self.leaves, self.beyond])
        for page in np.flatnonzero(self.tree).tolist():
            if self.good[page - 1] and self.heads[page - 1, 0] != 5:
                for start in self._overflows(page):
                    last = max(last, self._chain_end(start))
        return last

    def _chain_end(self, page: int) -> int:
        last = page
        for _ in range(self.last):
            last = max(last, page)
            if not 1 < page <= self.last:
                return last if page <= 1 else max(last, page)
            page = int.from_bytes(self.heads[page - 1, :4].tobytes(), "big")
            if page > _MOST_PAGES:
                return last
        return last

    def _overflows(self, number: int) -> Iterator[int]:
        """Yield the first overflow page of every cell that has one."""
        for cell in self.spilled(number, self.page(number)):
            yield cell.page

    def spilled(self, number: int, data: bytes) -> Iterator[Spilled]:
        """Yield the cells of a page whose payload goes on in overflow pages (1.6: the sizes kept in the page)."""
        usable = self.header.usable
        kind = data[100] if number == 1 else data[0]
        most = usable - 35 if kind == 13 else (usable - 12) * 64 // 255 - 23
        least = (usable - 12) * 32 // 255 - 23
        for at in self.cells(number, data).tolist():
            try:
                payload, start = varint(data, at + (4 if kind == 2 else 0))
                if payload <= most:
                    continue
                if kind == 13:
                    _, start = varint(data, start)
            except IndexError:
                continue
            kept = least + (payload - least) % (usable - 4)
            kept = kept if kept <= most else least
            page = int.from_bytes(data[start + kept : start + kept + 4], "big")
            if 1 < page <= _MOST_PAGES:
                yield Spilled(start, kept, payload, page)


def tree_pages(heads: Heads, usable: int) -> Mask:
    """Tell which of these beginnings of pages are those of a tree's page (1.6). ``usable``: bytes of a page that are used."""
    kind = heads[:, 0]
    inner = (kind == 2) | (kind == 5)
    leaf = (kind == 10) | (kind == 13)
    free, cells, content = _u16(heads, 1), _u16(heads, 3), _u16(heads, 5)
    content = np.where(content == 0, 65536, content)
    start = np.where(inner, 12, 8)
    first = np.where(inner, _u16(heads, 12), _u16(heads, 8))
    good: Mask = inner | leaf
    good &= (start + 2 * cells <= content) & (content <= usable) & (heads[:, 7] <= 60)
    good &= (free == 0) | ((free >= content) & (free <= usable - 4))
    good &= (cells == 0) | ((first >= content) & (first <= usable - 4))
    good &= ~inner | (_u32(heads, 8) > 1)
    return good


def cells_are_whole(page: bytes, usable: int) -> bool:
    """Whether every cell of a leaf page is: its size, its record's header, and the values that fit it (1.6, 2.1). Not of page 1."""
    kind, count = page[0], int.from_bytes(page[3:5], "big")
    most = usable - 35 if kind == 13 else (usable - 12) * 64 // 255 - 23
    before = None
    try:
        for number in range(count):
            at = int.from_bytes(page[8 + 2 * number : 10 + 2 * number], "big")
            payload, at = varint(page, at)
            if kind == 13:
                row, at = varint(page, at)
                row -= (row >> 63) << 64  # they are signed, and in order
                if before is not None and row <= before:
                    return False
                before = row
            size, types = varint(page, at)
            lengths = 0
            while types < at + size and (payload > most) <= (types < usable):
                one, types = varint(page, types)
                lengths += _length(one)
            if types != at + size or size + lengths != payload or (payload <= most and at + payload > usable):
                return False
    except IndexError:
        return False
    return True


def _length(kind: int) -> int:
    """Return the bytes of a value by its serial type (2.1); -1 for the two that are not used."""
    if kind >= 12:
        return (kind - 12) // 2
    return (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, -1, -1)[kind]


def _u16(heads: Heads, at: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return heads[..., at].astype(np.int64) << 8 | heads[..., at + 1]


def _u32(heads: Heads, at: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return _u16(heads, at) << 16 | _u16(heads, at + 2)
