"""Databases of Microsoft's Extensible Storage Engine (WebCacheV01.dat, Windows.edb, SRUDB.dat), read as they stand in the file.

Nothing is written or recovered: what stands in transaction logs alone is not seen, and a database that was not closed says so. The
source is the description that goes with libesedb ("Extensible Storage Engine (ESE) Database File (EDB) format", J. Metz); sections are
named. Page ``n`` lies at ``(n + 1)`` page sizes. Pages make trees; entries of their leaves are rows, whose columns the catalog names.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import esevalue
from triage.artifacts.structure import Notes, ReadAt, StructureError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from triage.artifacts.esevalue import Value

MARK = b"\xef\xcd\xab\x89"
_SIZES = (2048, 4096, 8192, 16384, 32768)
_CATALOG, _SHADOW = 4, 24
_ROOT, _LEAF, _EMPTY, _SPACE, _INDEX, _LONG, _NEW_FORMAT = 1, 2, 8, 0x20, 0x40, 0x80, 0x2000
_DEFUNCT, _COMMON = 2, 4
_PACKED, _SEPARATE, _MULTI, _TWO, _NULL = 0x02, 0x04, 0x08, 0x10, 0x20
_MOST_TABLES, _MOST_COLUMNS, _MOST_ROWS, _MOST_VALUES = 20_000, 10_000, 5_000_000, 1000
_LARGEST_VALUE = 16 << 20
_HELD_PAGES = 256
_TOO_MUCH = "long values are more together than are read"


class Column(NamedTuple):
    """A column. ``kind``: its type; ``offset``: of its value in a row, for those of fixed size; ``default``: its value where none is."""

    number: int
    name: str
    kind: int
    size: int
    codepage: int
    offset: int
    default: bytes


class Table(NamedTuple):
    """A table: the pages at which its tree and that of its long values begin (0: it has none), and the columns."""

    name: str
    number: int
    root: int
    long_root: int
    columns: tuple[Column, ...]


class Row(NamedTuple):
    """A row: values by column, those that are not set left out; ``deleted``: it is marked as no longer in use; ``offset`` of its page."""

    values: dict[str, Value]
    deleted: bool
    offset: int


class _Entry(NamedTuple):
    key: bytes
    data: bytes
    flags: int


class _Page(NamedTuple):
    number: int
    owner: int
    next: int
    flags: int
    entries: tuple[_Entry, ...]


class Ese:
    """An open database. ``tables`` by name; ``notes``: what could not be read, complete when the rows that are wanted are read."""

    def __init__(self, read_at: ReadAt, size: int) -> None:
        """Raise ``StructureError`` where there is no database, or none whose catalog can be read."""
        self._read_at = read_at
        self.notes = Notes()
        self._held: OrderedDict[int, _Page | None] = OrderedDict()
        head = self._header()
        self.page_size = int.from_bytes(head[236:240], "little")
        self.revision = int.from_bytes(head[232:236], "little")
        self.clean = int.from_bytes(head[52:56], "little") == 3
        self._large = self.page_size > 8192
        self._pages = size // self.page_size - 1
        # A value that many rows share is read for each: together no more than this.
        self._budget = max(64 << 20, 4 * size)
        self._turns = 100_000 + 4 * self._pages
        self.tables = self._catalog()

    def _header(self) -> bytes:
        """Return the header or its copy in the second page."""
        for at in (0, *_SIZES):
            head = self._read_at(at, 512)
            if len(head) >= 512 and head[4:8] == MARK and int.from_bytes(head[236:240], "little") in _SIZES:
                if int.from_bytes(head[8:12], "little") != 0x620 or int.from_bytes(head[12:16], "little"):
                    raise StructureError("a version or kind of file that is not read")
                if at:
                    self.notes.add("its header is damaged: the copy was read")
                return head
        raise StructureError("it has no header of an ESE database")

    # -- pages ---------------------------------------------------------------------------------------------------------------------

    def _page(self, number: int, *, spending: bool = False) -> _Page | None:
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        if spending:
            self._turns -= 1
            if self._turns < 0:
                raise StructureError(_TOO_MUCH)
        page = self._parsed(number) if 0 < number <= self._pages else None
        self._held[number] = page
        if len(self._held) > _HELD_PAGES:
            self._held.popitem(last=False)
        return page

    def _parsed(self, number: int) -> _Page | None:
        """Return a page ("Page header", "Page tags"), ``None`` for one that is empty or none."""
        size = self.page_size
        data = self._read_at((number + 1) * size, size)
        if len(data) < size:
            return None
        flags, count = int.from_bytes(data[36:40], "little"), int.from_bytes(data[34:36], "little") & 0xFFF
        start, mask = (80, 0x7FFF) if self._large else (40, 0x1FFF)
        if flags & _EMPTY or not count or start + 4 * count > size:
            return None
        common = b""
        entries = []
        room = size
        for tag in range(count):
            at = size - 4 * (tag + 1)
            length, offset = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
            if not self._large:
                how = offset >> 13
            length, offset = length & mask, offset & mask
            raw = data[start + offset : start + offset + length]
            room -= len(raw)
            if len(raw) < length or room < 0:  # entries never share bytes, and are never more than the page
                self.notes.add("a page has entries that do not fit into it")
                break
            if not tag:
                common = b"" if flags & _ROOT else raw
                continue
            if self._large:
                how = raw[1] >> 5 if len(raw) > 1 else 0
            entry = _entry(raw, how, common)
            if entry is not None:
                entries.append(entry)
        owner, following = int.from_bytes(data[24:28], "little"), int.from_bytes(data[20:24], "little")
        return _Page(number, owner, following, flags, tuple(entries))

    def _leaves(self, root: int) -> Iterator[_Page]:
        """Yield a tree's leaves from left to right, then those that only their neighbours lead to. Each page is visited once."""
        top = self._page(root)
        if top is None:
            self.notes.add("a table's first page cannot be read")
            return
        stack, neighbours = [root], list[int]()
        seen: set[int] = set()
        while stack or neighbours:
            led = bool(stack)
            number = stack.pop() if stack else neighbours.pop()
            if number in seen or (not led and not number):
                continue
            seen.add(number)
            page = self._page(number)
            if page is None or page.owner != top.owner or page.flags & _SPACE:
                if led:
                    self.notes.add("a page of a table cannot be read, or belongs to another by now")
            elif page.flags & _LEAF:
                yield page
                neighbours.append(page.next)
            elif led:
                stack.extend(int.from_bytes(entry.data[:4], "little") for entry in reversed(page.entries) if not entry.flags & _DEFUNCT)

    # -- catalog -------------------------------------------------------------------------------------------------------------------

    def _catalog(self) -> dict[str, Table]:
        """Return the tables that the catalog names ("Catalog"), or its copy where it cannot be read."""
        for root in (_CATALOG, _SHADOW):
            found = self._read_catalog(root)
            if found:
                return found
            if root == _CATALOG:
                self.notes.add("the catalog cannot be read: its copy was")
        raise StructureError("its catalog cannot be read")

    def _read_catalog(self, root: int) -> dict[str, Table]:
        names: dict[int, tuple[str, int, bool]] = {}
        columns: dict[int, list[Column]] = {}
        longs: dict[int, int] = {}
        for page in self._leaves(root):
            for entry in page.entries:
                raw = entry.data
                if entry.flags & _DEFUNCT or len(raw) < 30:
                    continue
                fixed_end = int.from_bytes(raw[2:4], "little")
                table, kind = int.from_bytes(raw[4:8], "little"), int.from_bytes(raw[8:10], "little")
                number, place = int.from_bytes(raw[10:14], "little"), int.from_bytes(raw[14:18], "little")
                space, codepage = int.from_bytes(raw[18:22], "little"), int.from_bytes(raw[26:30], "little")
                name = (_variable(raw, fixed_end, 128) or b"").decode("cp1252", "replace")
                mine = columns.setdefault(table, []) if kind == 2 and len(columns) < _MOST_TABLES else []
                if kind == 1 and len(names) < _MOST_TABLES:
                    names[table] = (name, place, bool(_variable(raw, fixed_end, 130)))
                elif kind == 2 and place and len(mine) < _MOST_COLUMNS:
                    # The offset of a fixed column counts from the row's beginning.
                    offset = int.from_bytes(raw[31:33], "little") if raw[0] >= 9 and number < 128 else 0
                    default = _variable(raw, fixed_end, 131) or b""
                    mine.append(Column(number, name, place, space, codepage, offset, default))
                elif kind == 4:
                    longs[table] = place
        found = {}
        for one, (title, place, derived) in names.items():
            if derived:
                self.notes.add("a table is made after another one, whose columns are left out")
            found[title] = Table(title, one, place, longs.get(one, 0), _placed(columns.get(one, [])))
        return found

    # -- rows ----------------------------------------------------------------------------------------------------------------------

    def rows(self, table: Table, wanted: Collection[str] | None = None) -> Iterator[Row]:
        """Yield the rows of a table in the order of their keys, deleted ones that are still there included.

        ``wanted``: names of the columns to read, all if ``None``; what is not asked for costs nothing.
        """
        columns = [c for c in table.columns if wanted is None or c.name in wanted]
        count = 0
        for page in self._leaves(table.root):
            offset = (page.number + 1) * self.page_size
            for entry in page.entries:
                if count >= _MOST_ROWS:
                    self.notes.add("a table has more rows than are read")
                    return
                count += 1
                row = _Record(entry.data, large=self._large, new=bool(page.flags & _NEW_FORMAT))
                if row.bad:
                    self.notes.add("a row cannot be read")
                    continue
                if row.old:
                    self.notes.add("a row keeps values in a form of before Windows 2000, which is not read")
                values: dict[str, Value] = {}
                for column in columns:
                    value = self._value(table, column, row)
                    if value is not None:
                        values[column.name] = value
                yield Row(values, bool(entry.flags & _DEFUNCT), offset)

    def _value(self, table: Table, column: Column, row: _Record) -> Value:
        found = row.raw(column)
        if found is None:
            return None
        raw, flags = found
        try:
            if flags & _MULTI:
                return [esevalue.decoded(column.kind, column.codepage, one) for one in self._several(table, raw, flags)]
            if flags & _SEPARATE:
                raw = self._long(table, raw)
            elif flags & _PACKED:
                raw = esevalue.unpacked(raw, _LARGEST_VALUE)
            return esevalue.decoded(column.kind, column.codepage, raw)
        except StructureError as error:
            self.notes.add(str(error))
            return None

    def _several(self, table: Table, raw: bytes, flags: int) -> list[bytes]:
        """Return the parts of a value of several ("Multi values"); of packed ones the first alone is packed."""
        if flags & _TWO and raw:
            parts = [raw[1 : 1 + raw[0]], raw[1 + raw[0] :]]
        else:
            first = int.from_bytes(raw[:2], "little") & 0x7FFF
            offsets = [int.from_bytes(raw[at : at + 2], "little") for at in range(0, min(first, len(raw)) // 2 * 2, 2)]
            if len(offsets) > _MOST_VALUES:
                self.notes.add("a value has more parts than are read")
            parts = []
            for at, end in zip(offsets[:_MOST_VALUES], [*(o & 0x7FFF for o in offsets[1:]), len(raw)], strict=False):
                part = raw[at & 0x7FFF : end]
                parts.append(self._long(table, part) if at & 0x8000 else part)
        if flags & _PACKED and parts:
            parts[0] = esevalue.unpacked(parts[0], _LARGEST_VALUE)
        return parts

    def _long(self, table: Table, number: bytes) -> bytes:
        """Return a long value ("Long Values"): its key is its number turned round, that of a piece has the piece's offset behind it."""
        key = number[::-1]
        if not table.long_root or len(key) not in (4, 8):
            raise StructureError("a long value is not where it should be")
        entries = self._from(table.long_root, key)
        head = next(entries, None)
        if head is None or head.key != key or len(head.data) < 8:
            raise StructureError("a long value is not there")
        size = min(int.from_bytes(head.data[4:8], "little"), _LARGEST_VALUE)
        pieces: list[tuple[int, bytes]] = []
        for entry in entries:
            if not entry.key.startswith(key) or len(entry.key) != len(key) + 4:
                break
            at = int.from_bytes(entry.key[-4:], "big")
            if at >= size:
                break
            pieces.append((at, entry.data))
            self._spend(len(entry.data) + 64)
        out = bytearray()
        # Whether a piece is packed stands nowhere: it is when it is shorter than the next one's offset says.
        for (at, raw), end in zip(pieces, [*(at for at, _ in pieces[1:]), size], strict=False):
            if at != len(out):
                raise StructureError("a piece of a long value is missing")
            plain = raw if len(raw) >= end - at else esevalue.unpacked(raw, end - at)
            self._spend(len(plain))
            out += plain
        if len(out) < size:
            raise StructureError("a long value is not all there")
        return bytes(out[:size])

    def _spend(self, count: int) -> None:
        self._budget -= count
        if self._budget < 0:
            raise StructureError(_TOO_MUCH)

    def _from(self, root: int, key: bytes) -> Iterator[_Entry]:
        """Yield a tree's entries from a key on. A branch's key is above all keys below its page; the last one's is empty."""
        number = root
        for _ in range(32):
            page = self._page(number, spending=True)
            if page is None or not page.entries:
                return
            if page.flags & _LEAF:
                break
            place = bisect_right(page.entries, key, hi=len(page.entries) - 1, key=_key)
            number = int.from_bytes(page.entries[place].data[:4], "little")
        else:
            return
        owner, seen = page.owner, set()
        while page is not None and page.owner == owner and page.number not in seen:
            seen.add(page.number)
            for entry in page.entries[bisect_left(page.entries, key, key=_key) :]:
                if not entry.flags & _DEFUNCT:
                    yield entry
            page = self._page(page.next, spending=True)


def _key(entry: _Entry) -> bytes:
    return entry.key


def _placed(columns: list[Column]) -> tuple[Column, ...]:
    """Return columns in the order of their numbers; where their offsets make no sense (the catalog's own) they lie one behind the other."""
    ordered = sorted(columns, key=lambda c: c.number)
    fixed = [c for c in ordered if c.number < 128]
    if any(b.offset <= a.offset for a, b in itertools.pairwise(fixed)):
        at = 4
        for number, column in enumerate(fixed):
            size = column.size or esevalue.SIZES.get(column.kind, 0)
            ordered[number] = column._replace(offset=at)
            at += size
    return tuple(ordered)


def _entry(raw: bytes, how: int, common: bytes) -> _Entry | None:
    """Return an entry of a page: how much of the page's common key it has, the rest of its key, its data ("Leaf page entry")."""
    at, prefix = 0, b""
    if how & _COMMON:
        prefix = common[: int.from_bytes(raw[:2], "little") & 0x1FFF]
        at = 2
    length = int.from_bytes(raw[at : at + 2], "little") & 0x1FFF
    end = at + 2 + length
    if end > len(raw):
        return None
    return _Entry(prefix + raw[at + 2 : end], raw[end:], how)


def _variable(raw: bytes, start: int, number: int) -> bytes | None:
    """Return a column of variable size: u16 ends of all of them, the highest bit for none, then their bytes."""
    count = raw[1] - 127
    place = number - 128
    if not 0 <= place < count:
        return None
    end = int.from_bytes(raw[start + 2 * place : start + 2 * place + 2], "little")
    before = int.from_bytes(raw[start + 2 * place - 2 : start + 2 * place], "little") & 0x7FFF if place else 0
    if end & 0x8000:
        return None
    base = start + 2 * count
    return raw[base + before : base + end]


class _Record:
    """A row's bytes ("Data definitions").

    A head of four bytes, columns of fixed size, bits for those that are not set, columns of variable size, and tagged ones, with their
    numbers and offsets before them.
    """

    __slots__ = ("_fixed_end", "_large", "_raw", "_tagged", "bad", "old")

    def __init__(self, raw: bytes, *, large: bool, new: bool) -> None:
        self._raw, self._large = raw, large
        self._tagged: dict[int, tuple[int, int, int]] = {}
        self.old = False
        self.bad = len(raw) < 4
        if self.bad:
            return
        self._fixed_end = int.from_bytes(raw[2:4], "little")
        count = max(raw[1] - 127, 0)
        start = self._fixed_end + 2 * count
        self.bad = self._fixed_end < 4 or start > len(raw)
        if self.bad:
            return
        if count:
            start += int.from_bytes(raw[start - 2 : start], "little") & 0x7FFF
        if start + 4 > len(raw):
            return
        if not new:
            self.old = True
            return
        mask = 0x7FFF if large else 0x1FFF
        first = int.from_bytes(raw[start + 2 : start + 4], "little") & mask
        places = [int.from_bytes(raw[at : at + 4], "little") for at in range(start, min(start + first, len(raw) - 3), 4)]
        ends = [*(place >> 16 & mask for place in places[1:]), len(raw) - start]
        for place, end in zip(places, ends, strict=False):  # there may be no place at all
            self._tagged.setdefault(place & 0xFFFF, (place >> 16, start + (place >> 16 & mask), start + end))

    def raw(self, column: Column) -> tuple[bytes, int] | None:
        """Return a column's bytes and how they are kept, ``None`` if it is not set."""
        number, raw = column.number, self._raw
        default = (column.default, 0) if column.default else None
        if number < 128:
            if number > raw[0]:
                return default
            size = column.size or esevalue.SIZES.get(column.kind, 0)
            missing = self._fixed_end - (raw[0] + 7) // 8
            if raw[missing + (number - 1) // 8] >> (number - 1) % 8 & 1 or column.offset < 4 or column.offset + size > missing:
                return None
            return raw[column.offset : column.offset + size], 0
        if number < 256:
            if number > raw[1]:
                return default
            value = _variable(raw, self._fixed_end, number)
            return None if value is None else (value, 0)
        if number not in self._tagged:
            return default
        how, start, end = self._tagged[number]
        flags = 0
        if self._large or how & 0x4000:
            flags = raw[start] if start < len(raw) else _NULL
            start += 1
        if flags & _NULL or (not self._large and how & 0x2000):
            return None
        return raw[start:end], flags


def open_ese(read_at: ReadAt, size: int) -> Ese:
    """Open a database of ``size`` bytes. Raise ``StructureError`` for what is none, or none that can be read."""
    return Ese(read_at, size)
