"""Small ESE databases, made page by page as the format says; libesedb and dissect.database read them as they were meant."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

BIT, U8, I16, I32, I64, DOUBLE, DATE, BINARY, TEXT, LONG_BINARY, LONG_TEXT, U32, LL, GUID = 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16
_FORMS = {BIT: "<B", U8: "<B", I16: "<h", I32: "<i", I64: "<q", DOUBLE: "<d", DATE: "<d", U32: "<I", LL: "<q"}
_ROOT, _LEAF, _PARENT, _LONG, _NEW = 1, 2, 4, 0x80, 0x2000 | 0x800
DEFUNCT = 2


class Packed(bytes):
    """A value that stands packed."""


class Long(bytes):
    """A value that stands in the tree of long values, in pieces of 1000 bytes."""


@dataclass
class Made:
    """A table: columns are (number, name, type), rows values by name; a list is a value of several; ``gone``: numbers of deleted rows."""

    name: str
    columns: list[tuple[int, str, int]]
    rows: list[dict[str, Any]]
    gone: frozenset[int] = field(default_factory=frozenset)
    a_page: int = 50


def database(tables: list[Made], *, page_size: int = 32768, state: int = 3, revision: int = 0x14) -> bytes:
    """Return a database. The catalog is at page 4, as always, its copy at 24; tables begin at page 32."""
    maker = _Maker(page_size)
    catalog: list[tuple[bytes, bytes, int]] = []
    for number, table in enumerate(tables, 10):
        root, long_root = maker.take(), maker.take()
        longs: list[bytes] = []
        rows = []
        offsets, at = {}, 4
        for one, name, kind in sorted(table.columns):
            offsets[name] = at if one < 128 else 0
            at += _width(kind) if one < 128 else 0
        for place, row in enumerate(table.rows):
            rows.append((struct.pack(">I", place + 1), _row(table, row, longs, large=page_size > 8192), DEFUNCT * (place in table.gone)))
        maker.tree(root, number, rows, 0, table.a_page)
        catalog.append(_listed(number, 1, number, root, 0, 0, table.name))
        for one, name, kind in table.columns:
            page = 1200 if kind in (TEXT, LONG_TEXT) else 0
            catalog.append(_listed(number, 2, one, kind, _width(kind), page, name, offsets[name]))
        if longs:
            entries = []
            for lid, value in enumerate(longs, 1):
                entries.append((struct.pack(">I", lid), struct.pack("<II", 1, len(value)), 0))
                pieces = range(0, len(value), 1000)
                entries += [(struct.pack(">II", lid, start), value[start : start + 1000], 0) for start in pieces]
            maker.tree(long_root, number + 1000, entries, _LONG, 3)
            catalog.append(_listed(number, 4, number + 1000, long_root, 0, 0, "LV"))
    maker.tree(4, 2, catalog, 0, 40)
    maker.tree(24, 3, catalog, 0, 40)
    return maker.whole(state, revision)


class _Maker:
    def __init__(self, page_size: int) -> None:
        self.size = page_size
        self.pages: dict[int, bytes] = {}
        self.next = 32

    def take(self) -> int:
        self.next += 1
        return self.next - 1

    def tree(self, root: int, owner: int, entries: list[tuple[bytes, bytes, int]], kind: int, a_page: int) -> None:
        if len(entries) <= a_page:
            self.page(root, owner, _ROOT | _LEAF | kind, entries)
            return
        parts = [entries[at : at + a_page] for at in range(0, len(entries), a_page)]
        numbers = [self.take() for _ in parts]
        branch = []
        for place, (number, part) in enumerate(zip(numbers, parts, strict=True)):
            last = place == len(parts) - 1
            self.page(number, owner, _LEAF | kind, part, following=0 if last else numbers[place + 1])
            branch.append((b"" if last else parts[place + 1][0][0], struct.pack("<I", number), 0))
        self.page(root, owner, _ROOT | _PARENT | kind, branch)

    def page(self, number: int, owner: int, flags: int, entries: list[tuple[bytes, bytes, int]], following: int = 0) -> None:
        large = self.size > 8192
        head = 80 if large else 40
        common = b"" if flags & _ROOT or not entries else entries[0][0][:2]
        values = [(struct.pack("<IIII", 1, 1, 0, 0) if flags & _ROOT else common, 0)]
        for key, data, how in entries:
            marks = how | (4 if common and key.startswith(common) else 0)
            first = struct.pack("<H", len(common)) if marks & 4 else b""
            rest = key[len(common) :] if marks & 4 else key
            raw = bytearray(first + struct.pack("<H", len(rest)) + rest + data)
            if large:
                raw[1] |= marks << 5
            values.append((bytes(raw), marks))
        body, tags = b"", b""
        for raw, marks in values:
            tags = struct.pack("<HH", len(raw), len(body) | (0 if large else marks << 13)) + tags
            body += raw
        room = self.size - head - len(body) - len(tags)
        assert room >= 0, "too much for a page"
        fields = struct.pack("<QQIIIHHHHI", 0, 1, 0, following, owner, room, 0, len(body), len(values), flags | _NEW)
        extended = struct.pack("<QQQQQ", 0, 0, 0, number, 0) if large else b""
        self.pages[number] = fields + extended + body + bytes(room) + tags

    def whole(self, state: int, revision: int) -> bytes:
        head = bytearray(self.size)
        struct.pack_into("<4sII", head, 4, b"\xef\xcd\xab\x89", 0x620, 0)
        struct.pack_into("<I", head, 52, state)
        struct.pack_into("<II", head, 232, revision, self.size)
        total = 0
        for at in range(4, len(head), 4):
            total ^= int.from_bytes(head[at : at + 4], "little")
        struct.pack_into("<I", head, 0, total ^ 0x89ABCDEF)
        return bytes(head) * 2 + b"".join(self.pages.get(number, bytes(self.size)) for number in range(1, self.next))


def _width(kind: int) -> int:
    return 16 if kind == GUID else struct.calcsize(_FORMS[kind]) if kind in _FORMS else 255 if kind in (TEXT, BINARY) else 0


def _listed(table: int, kind: int, number: int, place: int, space: int, page: int, name: str, offset: int = 0) -> tuple[bytes, bytes, int]:
    fixed = struct.pack("<IHIIIIIBHI", table, kind, number, place, space, 0, page, 0, offset, 0)
    text = name.encode()
    raw = struct.pack("<BBH", 10, 128, 4 + len(fixed) + 2) + fixed + bytes(2) + struct.pack("<H", len(text)) + text
    return struct.pack(">IHI", table, kind, number), raw, 0


def _row(table: Made, row: dict[str, Any], longs: list[bytes], *, large: bool) -> bytes:
    columns = sorted(table.columns)
    fixed = [c for c in columns if c[0] < 128]
    body, bits = b"", 0
    for place, (_, name, kind) in enumerate(fixed):
        bits |= (name not in row) << place
        body += _raw(kind, row[name]) if name in row else bytes(_width(kind))
    body += bits.to_bytes((len(fixed) + 7) // 8, "little")
    ends, texts, last = b"", b"", 127
    for number, name, kind in columns:
        if 128 <= number < 256 and name in row:
            for _ in range(last + 1, number):
                ends += struct.pack("<H", len(texts) | 0x8000)
            texts += _raw(kind, row[name])
            ends, last = ends + struct.pack("<H", len(texts)), number
    tagged = [(number, *_tagged(kind, row[name], longs)) for number, name, kind in columns if number >= 256 and name in row]
    at, places, data = 4 * len(tagged), b"", b""
    for number, flags, raw in tagged:
        kept = bytes([flags]) + raw if large or flags else raw
        places += struct.pack("<HH", number, (at + len(data)) | (0 if large or not flags else 0x4000))
        data += kept
    return struct.pack("<BBH", len(fixed), last, 4 + len(body)) + body + ends + texts + places + data


def _tagged(kind: int, value: Any, longs: list[bytes]) -> tuple[int, bytes]:
    if isinstance(value, Packed):
        return 3, bytes(value)
    if isinstance(value, Long):
        longs.append(bytes(value))
        return 5, struct.pack("<I", len(longs))[:4]
    if isinstance(value, list):
        parts, offsets, data = [_raw(kind, one) for one in value], b"", b""
        for part in parts:
            offsets += struct.pack("<H", 2 * len(parts) + len(data))
            data += part
        return 9, offsets + data
    return 1, _raw(kind, value)


def _raw(kind: int, value: Any) -> bytes:
    if kind in _FORMS:
        return struct.pack(_FORMS[kind], value)
    return value.encode("utf-16-le") if isinstance(value, str) else bytes(value)


def seven_bits(text: str) -> Packed:
    """Return text packed to seven bits a letter."""
    held = sum(ord(letter) << 7 * place for place, letter in enumerate(text))
    bits = 7 * len(text)
    return Packed(bytes([2 << 3 | (bits - 1) % 8]) + held.to_bytes((bits + 7) // 8, "little"))
