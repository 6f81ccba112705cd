"""Registry hives of Windows NT and later: keys with their last-write times, values of every type, and what was deleted from them.

Layout by Maxim Suhanov, "Windows registry file format specification", and libyal, "Windows NT Registry File (REGF) format"
(little-endian): a base block of 4,096 bytes (two sequence numbers at 4 and 8, version at 20, offset of the root at 36, length of the bins
at 40, a checksum at 508), then bins, cut into cells: i32 length, negative while the cell is in use. Offsets of cells count from 4,096.
A record begins with its signature: ``nk`` a key, ``vk`` a value, ``lf``/``lh``/``li``/``ri`` lists of keys, ``db`` data over 16,344 bytes.

Nothing is trusted: a key is entered once, a list of lists is two deep, counts are held against the length of their cell.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = 4096
LARGEST = 512 << 20
_MOST_KEYS, _MOST_VALUES, _MOST_DEPTH = 2_000_000, 200_000, 512
_MOST_DELETED, _MOST_DATA = 50_000, 16 << 20
_SEGMENT = 16344
_NONE = 0xFFFFFFFF
_SIGNATURE = re.compile(rb"nk[\x00-\xff]{2}|vk", re.DOTALL)
STRINGS, BINARY, DWORD, DWORD_BE, MULTI, QWORD = (1, 2, 6), 3, 4, 5, 7, 11

CUT = "a record of the registry points outside the file, or is none"
AGAIN = "a key of the registry is reached more than once, and was entered once"
SHORT = "a value of the registry breaks off"


class Value(NamedTuple):
    """A value. ``name`` is "" for the default one; ``kind``: the type's number (REG_SZ = 1); ``data``: its bytes, what is there of them."""

    name: str
    kind: int
    data: bytes

    @property
    def text(self) -> str:
        """Its text: strings to their first zero character, of lists the parts with ``; `` between, numbers in digits; "" of bytes."""
        if self.kind in STRINGS:
            return utf16(self.data)
        if self.kind == MULTI:
            return "; ".join(part for part in self.data.decode("utf-16-le", "replace").split("\0") if part)
        number = self.number
        return "" if number is None else str(number)

    @property
    def number(self) -> int | None:
        """Its number, ``None`` if it is none."""
        if self.kind in (DWORD, DWORD_BE) and len(self.data) >= 4:
            return int.from_bytes(self.data[:4], "little" if self.kind == DWORD else "big")
        if self.kind == QWORD and len(self.data) >= 8:
            return int.from_bytes(self.data[:8], "little")
        return None


class Deleted(NamedTuple):
    """A key or value that stands in a cell not in use. ``path``: as far as its parents are still there; ``value`` is set for a value."""

    path: str
    written: int
    value: Value | None
    offset: int


@dataclass(slots=True, eq=False)
class Key:
    """A key. ``written``: FILETIME; ``offset``: of its record, from the first bin on."""

    hive: Hive = field(repr=False)
    name: str
    path: str
    written: int
    offset: int
    subkeys: tuple[int, int]
    values_list: tuple[int, int]
    parent: int

    def inner(self) -> Iterator[Key]:
        """Yield the keys in it, in the order of the hive."""
        return self.hive.keys_of(self)

    def values(self) -> Iterator[Value]:
        """Yield its values."""
        return self.hive.values_of(self)

    def table(self) -> dict[str, Value]:
        """Return its values by their names in lower case; of several of one name the first."""
        found: dict[str, Value] = {}
        for value in self.values():
            found.setdefault(value.name.lower(), value)
        return found

    def find(self, path: str) -> Key | None:
        """Return the key at a path from here (``a\\b``, in any case); ``None`` when there is none."""
        key: Key | None = self
        for part in path.lower().split("\\"):
            key = next((one for one in key.inner() if one.name.lower() == part), None) if key is not None else None
        return key


def utf16(data: bytes) -> str:
    """Return text of UTF-16 to its first zero character."""
    return data[: len(data) & ~1].decode("utf-16-le", "replace").partition("\0")[0]


class Hive:
    """A hive in memory. ``dirty``: it was not written whole, and its logs hold what is newer; ``name``: as its base block calls it."""

    def __init__(self, data: bytes) -> None:
        if len(data) < BASE + 32 or data[:4] != b"regf":
            raise StructureError("it is no registry hive")
        if len(data) > LARGEST:
            raise StructureError("it is larger than 512 MiB")
        first, second, self.written, self.major, self.minor = struct.unpack_from("<IIQII", data, 4)
        root, length = struct.unpack_from("<II", data, 36)
        self.notes = Notes()
        self._data = data
        self._end = min(len(data) - BASE, length)
        self.missing = max(0, length - (len(data) - BASE))
        self.sequence = second
        self.dirty = first != second or checksum(data) != int.from_bytes(data[508:512], "little")
        self.name = utf16(data[48:112])
        self._cells: dict[int, int] = {}
        found = self._key(root, "")
        if found is None:
            raise StructureError("its root key cannot be read")
        self.root = found
        self.root.path = ""

    def _cell(self, offset: int) -> bytes:
        """Return the bytes of a cell without its length; b"" for none. A cell that is not in use is read too: a list may be older."""
        if offset < 0 or offset + 4 > self._end or offset & 7:
            return b""
        at = BASE + offset
        length = abs(int.from_bytes(self._data[at : at + 4], "little", signed=True))
        if length < 8 or offset + length > self._end:
            return b""
        return self._data[at + 4 : at + length]

    def _key(self, offset: int, parent: str) -> Key | None:
        if offset + 84 > self._end:
            return None
        at = BASE + offset
        return self._key_in(self._data[at + 4 : at + 84 + 1024], offset, parent)

    def _key_in(self, raw: bytes, offset: int, parent: str) -> Key | None:
        """Read the record of a key (``nk``): flags at 2, FILETIME at 4, parent at 16, keys at 20, 28, values at 36, 40, name at 76."""
        if len(raw) < 76 or raw[:2] != b"nk":
            return None
        flags, written, _, above, count, _, listed, _, values, at_values = struct.unpack_from("<HQIIIIIIII", raw, 2)
        length = int.from_bytes(raw[72:74], "little")
        name = raw[76 : 76 + length]
        if len(name) < length:
            return None
        text = name.decode("latin-1") if flags & 0x20 else name.decode("utf-16-le", "replace")
        path = f"{parent}\\{text}" if parent else text
        return Key(self, text, path, written, offset, (count, listed), (values, at_values), above)

    def keys_of(self, key: Key) -> Iterator[Key]:
        """Yield the keys in a key."""
        count, listed = key.subkeys
        if not count or listed == _NONE:
            return
        found = 0
        for offset in self._listed(listed, 0):
            one = self._key(offset, key.path)
            if one is None:
                self.notes.add(CUT)
                continue
            found += 1
            yield one
            if found >= min(count, _MOST_KEYS):
                return

    def _listed(self, offset: int, depth: int) -> Iterator[int]:
        cell = self._cell(offset)
        kind, count = cell[:2], int.from_bytes(cell[2:4], "little")
        width = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind, 0)
        if not width or (kind == b"ri" and depth):
            self.notes.add(CUT)
            return
        if 4 + count * width > len(cell):
            self.notes.add(CUT)
        for at in range(4, min(4 + count * width, len(cell) - 3), width):
            inner = int.from_bytes(cell[at : at + 4], "little")
            if kind == b"ri":
                yield from self._listed(inner, depth + 1)
            else:
                yield inner

    def values_of(self, key: Key) -> Iterator[Value]:
        """Yield the values of a key."""
        count, at = key.values_list
        if not count or at == _NONE:
            return
        cell = self._cell(at)
        if count * 4 > len(cell):
            self.notes.add(CUT)
        for place in range(0, min(count * 4, len(cell) - 3, _MOST_VALUES * 4), 4):
            value = self.value_at(self._cell(int.from_bytes(cell[place : place + 4], "little")))
            if value is None:
                self.notes.add(CUT)
            else:
                yield value

    def value_at(self, raw: bytes) -> Value | None:
        """Read the record of a value (``vk``): length of the name at 2, of the data at 4, its place at 8, type at 12, flags at 16, name."""
        if len(raw) < 20 or raw[:2] != b"vk":
            return None
        long, size, where, kind, flags = struct.unpack_from("<HIIIH", raw, 2)
        name = raw[20 : 20 + long]
        if len(name) < long:
            return None
        text = name.decode("latin-1") if flags & 1 else name.decode("utf-16-le", "replace")
        if size & 0x80000000:
            return Value(text, kind, raw[8:12][: min(size & 0x7FFFFFFF, 4)])
        return Value(text, kind, self._value_data(where, size))

    def _value_data(self, where: int, size: int) -> bytes:
        if not size or where == _NONE:
            return b""
        cell = self._cell(where)
        if size > _SEGMENT and cell[:2] == b"db" and self.minor > 3:
            cell = self._segments(cell, min(size, _MOST_DATA))
        if len(cell) < size:
            self.notes.add(SHORT)
        return cell[: min(size, _MOST_DATA)]

    def _segments(self, cell: bytes, size: int) -> bytes:
        count, listed = struct.unpack_from("<HI", cell.ljust(8, b"\0"), 2)
        places, parts = self._cell(listed), []
        for at in range(0, min(count, size // _SEGMENT + 1) * 4, 4):
            part = self._cell(int.from_bytes(places[at : at + 4], "little"))[:_SEGMENT] if at + 4 <= len(places) else b""
            parts.append(part)
            if not part:
                break
        return b"".join(parts)

    def walk(self, key: Key | None = None) -> Iterator[Key]:
        """Yield a key (the root, if none is named) and all under it, each before those in it; each record once."""
        start = key or self.root
        seen = {start.offset}
        stack: list[Iterator[Key]] = [iter((start,))]
        while stack:
            one = next(stack[-1], None)
            if one is None:
                stack.pop()
                continue
            if len(stack) > 1:
                if one.offset in seen:
                    self.notes.add(AGAIN)
                    continue
                seen.add(one.offset)
            yield one
            if len(seen) > _MOST_KEYS or len(stack) > _MOST_DEPTH:
                self.notes.add("a hive has more keys, or deeper ones, than are looked at")
            else:
                stack.append(self.keys_of(one))

    def deleted(self) -> Iterator[Deleted]:
        """Yield keys and values that stand in cells not in use, in the order of the file.

        A value is given with the deleted key whose list still holds it, else with no path. Cells are walked bin by bin; in one that is not
        in use a record may begin at any multiple of eight, since neighbouring free cells are made one.
        """
        places: dict[int, bytes] = {}
        for start, end in self._free():
            raw = self._data[BASE + start : BASE + end]
            for match in _SIGNATURE.finditer(raw):
                at = match.start() - 4
                if at >= 0 and (start + at) & 7 == 0 and len(places) < _MOST_DELETED:
                    places[start + at] = raw[match.start() : match.start() + 84 + 1024]
        taken: set[int] = set()
        paths: dict[int, str] = {}
        values: dict[int, Value] = {
            offset: value for offset, raw in places.items() if raw[:2] == b"vk" and (value := self._plausible(raw)) is not None
        }
        for offset, raw in places.items():
            key = self._key_in(raw, offset, "") if raw[:2] == b"nk" else None
            if key is None or not key.name or "\0" in key.name or key.written >> 56 not in (1, 2) or len(key.name) > 255:
                continue
            path = self._path_of(key, places, paths)
            yield Deleted(path, key.written, None, offset)
            count, listed = key.values_list
            cell = self._cell(listed) if count and listed != _NONE else b""
            for place in range(0, min(count * 4, len(cell) - 3, 4000), 4):
                inner = int.from_bytes(cell[place : place + 4], "little")
                if inner in values and inner not in taken:
                    taken.add(inner)
                    yield Deleted(path, key.written, values[inner], inner)
        for offset, value in values.items():
            if offset not in taken:
                yield Deleted("", 0, value, offset)

    def _plausible(self, raw: bytes) -> Value | None:
        """Read a deleted value, whose data must still be there: its type is one that is, its name is printable."""
        long, size, where, kind = struct.unpack_from("<HIII", raw.ljust(20, b"\0"), 2)
        if kind > 11 or long > 1024 or (not size & 0x80000000 and (size > len(self._cell(where)) or size > _SEGMENT)):
            return None
        value = self.value_at(raw)
        return value if value is not None and value.name.isprintable() else None

    def _path_of(self, key: Key, places: dict[int, bytes], paths: dict[int, str]) -> str:
        """Return the path of a deleted key by its parents, deleted or not; ``?`` where one is no key any more."""
        names, at = [key.name], key.parent
        known = paths.get(at)
        for _ in range(_MOST_DEPTH):
            if known is not None or at == self.root.offset:
                break
            above = self._key_in(places[at], at, "") if at in places else self._key(at, "")
            if above is None:
                known = "?"
                break
            names.append(above.name)
            at = above.parent
            if len(names) > 64:
                known = "?"
                break
        path = "\\".join([*([known] if known else []), *reversed(names)])
        paths[key.offset] = path
        return path

    def _free(self) -> Iterator[tuple[int, int]]:
        """Yield start and end of the cells not in use; what follows a cell that lies about its length is passed over to the next bin."""
        at = 0
        while at + 32 <= self._end:
            if self._data[BASE + at : BASE + at + 4] != b"hbin":
                at += 4096
                continue
            size = int.from_bytes(self._data[BASE + at + 8 : BASE + at + 12], "little")
            end = at + size if 4096 <= size <= self._end - at and not size & 4095 else min(at + 4096, self._end)
            cell = at + 32
            while cell + 4 <= end:
                length = int.from_bytes(self._data[BASE + cell : BASE + cell + 4], "little", signed=True)
                if abs(length) < 8 or abs(length) & 7 or cell + abs(length) > end:
                    self.notes.add(
                        "a bin of the registry has a cell of an impossible length; the rest of it was not searched for deleted keys"
                    )
                    break
                if length > 0:
                    yield cell, cell + length
                cell += abs(length)
            at = end


def checksum(data: bytes) -> int:
    """Return the checksum of a base block: its first 508 bytes as numbers of four, XORed; 0 and the highest number are not used."""
    total = 0
    for (number,) in struct.iter_unpack("<I", data[:508]):
        total ^= number
    return {0xFFFFFFFF: 0xFFFFFFFE, 0: 1}.get(total, total)
