"""Rows of a SQLite database that were deleted and whose bytes are still there, told by the form of their records.

Format: sqlite.org/fileformat2.html, 1.5 (free list), 1.6 (cells, freeblocks), 2.1 (records). A row that is deleted stays in its page until
something is written over it: as a freeblock, which has lost its first four bytes, in the gap between the cells, or in a page that is free
as a whole. What stands there is taken for a row of a table when its header has as many columns as the table, each of a kind that the
column takes, and all of it fits. So a row can be told that was never in this table, if another one has columns of the same kinds; where
the page still belongs to a tree, only that tree's table is asked. Where the end of a row was written over, its last value may be what was
written. Values that went on on other pages are not followed.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Value = int | float | str | bytes | None

MOST_ROWS = 50_000
"""Rows that are given of a database at most."""
_MOST_PAGES = 1 << 20
_MOST_TRIES = 400_000
_LEAST_COLUMNS = 3
_FRAGMENT = 3
"""Bytes that may lie between two cells unused (1.6)."""
_LONGEST_REST = 4
_LONGEST_NUMBERS = 13
"""Bytes at most of a payload's length and a row's number."""
_MANY_COLUMNS = 8
"""Columns whose kinds, one after the other, hardly stand anywhere by chance."""
_SHORT_TYPES = (*range(10), *range(13, 13 + 2 * 100, 2))
"""What a first type that is lost may have been: a row whose head was so short has less than 128 bytes."""
_LEAF, _INTERIOR = 13, 5
_NOTHING = (0, 8, 9, 12, 13)
"""Types of values that have no bytes."""
_NO_TEXT = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\ufffd]")
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
_TEXTS = re.compile(r"CHAR|CLOB|TEXT", re.IGNORECASE)
_NUMBERS = re.compile(r"INT|REAL|FLOA|DOUB|NUM|BOOL|DATE|TIME|DEC", re.IGNORECASE)


class TableForm(NamedTuple):
    """A table as its rows are told by: name, root page, the columns' declared types, and which column is the row's number (-1: none)."""

    name: str
    root: int
    types: tuple[str, ...]
    alias: int


class _Column(NamedTuple):
    """What a column's declared type says of the values in it."""

    integer: bool
    text: bool
    typed: bool

    @classmethod
    def of(cls, declared: str) -> _Column:
        """Return it by the rules of affinity, as programs keep to them (datatype3.html, 3.1)."""
        text = _TEXTS.search(declared) is not None
        return cls("INT" in declared.upper(), text, text or _NUMBERS.search(declared) is not None)


class Found(NamedTuple):
    """A row. ``rowid`` is ``None`` where it was written over; ``offset``: where the row stands in the file."""

    table: str
    rowid: int | None
    values: tuple[Value, ...]
    offset: int


class DeletedRows:
    """The rows of a database's free space, for tables of three columns at least. ``cut``: whether some were left out."""

    def __init__(self, data: bytes, forms: Sequence[TableForm]) -> None:
        self._data = data
        stated = int.from_bytes(data[16:18], "big")
        self._page = 65536 if stated == 1 else stated
        self._usable = self._page - (data[20] if len(data) > 20 else 0)
        self._encoding = {2: "utf-16-le", 3: "utf-16-be"}.get(int.from_bytes(data[56:60], "big"), "utf-8")
        self._wide = self._encoding != "utf-8"
        self._forms = [form for form in forms if len(form.types) >= _LEAST_COLUMNS]
        self._patterns: dict[str, tuple[re.Pattern[bytes], re.Pattern[bytes] | None]] = {}
        self._columns = {form.name: [_Column.of(declared) for declared in form.types] for form in self._forms}
        self._tries = 0
        self.cut = False
        for form in self._forms:
            self._patterns[form.name] = self._patterns_of(form)

    def __iter__(self) -> Iterator[Found]:
        if self._page < 512 or self._usable < 480 or not self._forms:
            return
        pages = min(len(self._data) // self._page, _MOST_PAGES)
        free = self._free_pages(pages)
        owners = self._owners(pages)
        count = 0
        for number in range(1, pages + 1):
            forms = [owners[number]] if number in owners else self._forms if number in free else []
            for start, end, block in self._regions(number, whole=number in free):
                for found in self._scan(start, end, forms, block=block):
                    count += 1
                    if count > MOST_ROWS:
                        self.cut = True
                        return
                    yield found

    def _at(self, number: int) -> int:
        return (number - 1) * self._page

    def _u32(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 4], "big")

    def _u16(self, at: int) -> int:
        return int.from_bytes(self._data[at : at + 2], "big")

    def _free_pages(self, pages: int) -> set[int]:
        """Return the pages of the free list: its trunks and those that they name."""
        found: set[int] = set()
        number = self._u32(32)
        while 1 < number <= pages and number not in found:
            found.add(number)
            at = self._at(number)
            count = min(self._u32(at + 4), self._usable // 4 - 2)
            found.update(n for n in struct.unpack_from(f">{count}I", self._data, at + 8) if 1 < n <= pages)
            number = self._u32(at)
        return found

    def _owners(self, pages: int) -> dict[int, TableForm]:
        """Return the leaf pages of each table's tree."""
        found: dict[int, TableForm] = {}
        for form in self._forms:
            waiting, seen = [form.root], set()
            while waiting:
                number = waiting.pop()
                if not 1 <= number <= pages or number in seen:
                    continue
                seen.add(number)
                at = self._at(number) + (100 if number == 1 else 0)
                kind, cells = self._data[at], self._u16(at + 3)
                if kind == _LEAF:
                    found.setdefault(number, form)
                elif kind == _INTERIOR and cells <= self._page // 6:
                    waiting.append(self._u32(at + 8))
                    places = (self._u16(at + 12 + 2 * n) for n in range(cells))
                    waiting += [self._u32(self._at(number) + place) for place in places if place + 4 <= self._page]
        return found

    def _regions(self, number: int, *, whole: bool) -> Iterator[tuple[int, int, bool]]:
        """Yield the stretches of a page that hold no row in force, and whether each is a freeblock."""
        base = self._at(number)
        head = base + (100 if number == 1 else 0)
        end = base + self._usable
        if whole:
            # A trunk has its list at the beginning; a free page of a tree still has its rows at the end.
            yield base + 8, end, False
            return
        if self._data[head] != _LEAF:
            return
        cells, start = self._u16(head + 3), self._u16(head + 5) or 65536
        gap = head + 8 + 2 * cells
        if gap < base + start <= end:
            yield gap, base + start, False
        block, seen = self._u16(head + 1), 0
        while 0 < block <= self._usable - 4 and seen < self._page // 4:
            seen += 1
            following, size = self._u16(base + block), self._u16(base + block + 2)
            if size >= 4 and block + size <= self._usable:
                yield base + block, base + block + size, True
            if following and following <= block:
                return
            block = following

    def _scan(self, start: int, end: int, forms: Sequence[TableForm], *, block: bool) -> Iterator[Found]:
        """Yield the rows of a stretch. Cells lie one behind the other: where a freeblock begins and behind a row is where to look."""
        if start >= end:
            return
        raw = self._data[start:end]
        last = start
        aligned = start if block else -1
        for place, number in sorted((place, n) for n, form in enumerate(forms) for place in self._candidates(form, raw)):
            at = start + place
            if at < last or at >= end - _LEAST_COLUMNS - 1:
                continue
            self._tries += 1
            if self._tries > _MOST_TRIES:
                self.cut = True
                return
            hit = self._row_at(forms[number], forms, at, end, aligned=0 <= aligned <= at <= aligned + _FRAGMENT)
            if hit is not None:
                yield hit[0]
                last = aligned = hit[1]

    def _candidates(self, form: TableForm, raw: bytes) -> set[int]:
        """Return where cells of a table may begin in bytes: before what may be the types of its columns."""
        whole, beheaded = self._patterns[form.name]
        found: set[int] = set()
        for match in whole.finditer(raw):
            # The header's length, before it what is left of the row's number, and the payload's length if that is whole.
            found.update(range(match.start() - _LONGEST_NUMBERS, match.start() - 1))
        if beheaded is not None:
            found.update(match.start() - 4 for match in beheaded.finditer(raw))
        return {place for place in found if place >= 0}

    def _row_at(self, form: TableForm, forms: Sequence[TableForm], at: int, end: int, *, aligned: bool) -> tuple[Found, int] | None:
        whole = self._cell(form, at, end)
        if whole is not None:
            return whole
        for hit, sure in self._beheaded(form, at, end, guess=aligned):
            if (aligned and sure) or self._follows(forms, hit[1], end):
                return hit
        return None

    def _follows(self, forms: Sequence[TableForm], at: int, end: int) -> bool:
        """Whether what stands right behind a row bears it out: the end of the stretch or another row."""
        return at >= end or any(self._cell(form, at, end) is not None or any(self._beheaded(form, at, end, guess=False)) for form in forms)

    def _cell(self, form: TableForm, at: int, end: int) -> tuple[Found, int] | None:
        """Return the row whose cell is whole at a place: length, number, record."""
        if self._data[at] < _LEAST_COLUMNS:
            return None
        length, behind = self._varint(at, end)
        rowid, start = self._varint(behind, end)
        if length < len(form.types) + 1 or start + length > end or rowid < 0:
            return None
        header, types_at = self._varint(start, end)
        types = self._types(form, types_at, start + header, end)
        if types is None or header + sum(map(_length, types)) != length:
            return None
        return self._row(form, types, start + header, at, rowid)

    def _beheaded(self, form: TableForm, at: int, end: int, *, guess: bool = True) -> Iterator[tuple[tuple[Found, int], bool]]:
        """Yield readings of a cell whose first four bytes a freeblock wrote over, each with whether it needs no bearing out.

        What is lost is the payload's length, the row's number or a part of it, perhaps the header's length, perhaps the first type.
        """
        # The header's length is there, behind what is left of the number.
        for behind in range(at + 4, min(at + 4 + _LONGEST_REST, end)):
            header, types_at = self._varint(behind, end)
            types = self._types(form, types_at, behind + header, end)
            if types is not None:
                yield from self._headless(form, types, behind + header, at, end, sure=True)
            if self._data[behind] < 0x80 and behind > at + 4:
                break
        columns = len(form.types)
        if not self._is_telling(form):
            return
        types, place = self._run_of_types(columns, at + 4, end)
        if types:
            yield from self._headless(form, types, place, at, end, sure=columns >= _MANY_COLUMNS)
        types, place = self._run_of_types(columns - 1, at + 4, end)
        if not types:
            return
        if form.alias == 0:
            yield from self._headless(form, [0, *types], place, at, end, sure=columns >= _MANY_COLUMNS)
        elif guess:
            # The kinds that are there are looked at once, beside a first one that fits any row.
            firsts = [kind for kind in _SHORT_TYPES if self._takes(form, 0, kind)]
            if sum(kind not in _NOTHING for kind in types) >= 1 and all(self._takes(form, n + 1, kind) for n, kind in enumerate(types)):
                for first in firsts:
                    yield from self._headless(form, [first, *types], place, at, end, sure=False)

    def _headless(
        self, form: TableForm, types: list[int], place: int, at: int, end: int, *, sure: bool
    ) -> Iterator[tuple[tuple[Found, int], bool]]:
        if self._fit(form, types) and place + sum(map(_length, types)) <= end:
            row = self._row(form, types, place, at, None)
            if row is not None:
                yield row, sure

    def _run_of_types(self, count: int, at: int, end: int) -> tuple[list[int], int]:
        """Return so many serial types that stand at a place, and where they end; none if they are not there."""
        types: list[int] = []
        while len(types) < count:
            kind, at = self._varint(at, end)
            if not 0 <= kind <= self._usable * 2 + 13:
                return [], at
            types.append(kind)
        return types, at

    def _types(self, form: TableForm, at: int, stop: int, end: int) -> list[int] | None:
        if stop > end or not len(form.types) < stop - at + 1 <= 1 + 9 * len(form.types):
            return None
        types: list[int] = []
        while at < stop and len(types) <= len(form.types):
            kind, at = self._varint(at, stop)
            if kind < 0:
                return None
            types.append(kind)
        return types if at == stop and len(types) == len(form.types) and self._fit(form, types) else None

    def _fit(self, form: TableForm, types: Sequence[int]) -> bool:
        """Whether each value is of a kind that its column takes, and enough of them are anything."""
        return sum(kind not in _NOTHING for kind in types) >= 2 and all(self._takes(form, n, kind) for n, kind in enumerate(types))

    def _patterns_of(self, form: TableForm) -> tuple[re.Pattern[bytes], re.Pattern[bytes] | None]:
        """Return what finds the head of a whole record, and the types of one whose head is lost, the first of them perhaps, too."""
        count = len(form.types)
        kinds = [self._class_of(form, column) for column in range(count)]
        some = rb"(?!\x00{%d})" % (count - 1)
        lengths = b"[\\x%02x-\\x7f]" % min(count + 1, 127) if count < 127 else b"[\\x80-\\xff][\\x00-\\x7f]"
        whole = re.compile(rb"(?=" + lengths + some + b"".join(kinds) + rb")", re.DOTALL)
        return whole, re.compile(rb"(?=" + some + b"".join(kinds[1:]) + rb")", re.DOTALL) if self._is_telling(form) else None

    def _class_of(self, form: TableForm, column: int) -> bytes:
        """Return the pattern of the types that a column takes, as varints."""
        single = b"".join(b"\\x%02x" % kind for kind in range(128) if self._takes(form, column, kind))
        longer = column != form.alias and (self._takes(form, column, 1001) or self._takes(form, column, 1000))
        return b"(?:[" + single + b"]" + (rb"|[\x81-\xff][\x80-\xff]{0,2}[\x00-\x7f]" if longer else b"") + b")"

    def _is_telling(self, form: TableForm) -> bool:
        """Whether the kinds that the columns take tell a row from other bytes, without the length of its header."""
        return sum(column.typed for column in self._columns[form.name]) >= 2

    def _takes(self, form: TableForm, column: int, kind: int) -> bool:
        if kind in (10, 11) or kind > 1 << 31:
            return False
        if column == form.alias:
            return kind == 0
        kept = self._columns[form.name][column]
        if kind < 12:
            return kind == 0 or not kept.text
        if kind & 1:
            return kind == 13 or (not kept.integer and not (self._wide and (kind - 13) % 4))
        return not kept.typed

    def _row(self, form: TableForm, types: Sequence[int], at: int, offset: int, rowid: int | None) -> tuple[Found, int] | None:
        values: list[Value] = []
        readable = False
        for number, kind in enumerate(types):
            length = _length(kind)
            raw = self._data[at : at + length]
            value = self._value(kind, raw)
            if isinstance(value, str):
                if _NO_TEXT.search(value):
                    return None
                readable = readable or len(value) > 2
            values.append(rowid if number == form.alias and rowid is not None else value)
            at += length
        if not readable and (not self._is_telling(form) or any(column.text for column in self._columns[form.name])):
            return None
        return Found(form.name, rowid, tuple(values), offset), at

    def _value(self, kind: int, raw: bytes) -> Value:
        if kind in (0, 8, 9):
            return None if kind == 0 else kind - 8
        if kind < 7:
            return int.from_bytes(raw, "big", signed=True)
        if kind == 7:
            number: float = struct.unpack(">d", raw)[0] if len(raw) == 8 else 0.0
            return number if number == number else None  # noqa: PLR0124 - not a number
        return raw.decode(self._encoding, "replace") if kind & 1 else raw

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for number in range(9):
            if at + number >= end:
                return -1, end
            byte = self._data[at + number]
            if number == 8:
                value = value << 8 | byte
                return (value - (1 << 64) if value >> 63 else value), at + 9
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value, at + number + 1
        return -1, end


def _length(kind: int) -> int:
    """Return how many bytes a value of a serial type has (2.1)."""
    return _SIZES[kind] if kind < 10 else (kind - 12) // 2 if kind >= 12 else 0
