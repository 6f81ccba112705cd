"""Property lists of Apple systems, in XML and binary form, as plain values.

Formats: Apple's PropertyList-1.0 document type; for the binary form, the comment at the head of CFBinaryPList.c. In the binary form an
object may be referred to from many places: a reference to an object that holds the reference is refused, and everything counts as often
as it is reached, since a few hundred bytes can otherwise stand for billions of values.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.xmlfile import parse_xml

if TYPE_CHECKING:
    from triage.artifacts.xmlfile import Element

MAGIC = b"bplist0"
MAX_BYTES = 64 << 20
MAX_DEPTH = 100
MAX_VALUES = 500_000
"""Values that are reached, keys included."""
MAX_TEXT = 64 << 20
"""Bytes of text and data that are reached."""
_EPOCH = 978_307_200  # 2001-01-01 in seconds since 1970
_FARTHEST = 1 << 36  # seconds: some two thousand years either way
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}|[+-]?0[xX][0-9A-Fa-f]{1,16}")
_REAL = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?|[+-]?(?:inf|infinity|nan)", re.IGNORECASE)
_DATE = re.compile(r"(-?[0-9]{4,5})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z?")


@dataclass(frozen=True, slots=True)
class Date:
    """A date, in nanoseconds since 1970-01-01 UTC; ``None`` when it is out of range."""

    nanoseconds: int | None


@dataclass(frozen=True, slots=True)
class Uid:
    """A reference inside of a keyed archive (NSKeyedArchiver)."""

    number: int


Value = dict[str, "Value"] | list["Value"] | str | bytes | int | float | bool | Date | Uid | None


@dataclass(frozen=True, slots=True)
class Plist:
    """A property list's value, and notes on what was left out."""

    value: Value
    notes: tuple[str, ...]


def parse_plist(data: bytes) -> Plist:
    """Return the value of a property list of either form. Raises :class:`StructureError` when nothing of it can be read."""
    if len(data) > MAX_BYTES:
        raise StructureError(f"a property list of more than {MAX_BYTES:,} bytes is not read")
    if data.startswith(MAGIC):
        return _Binary(data).parse()
    document = parse_xml(data)
    root = document.root
    if root.name != "plist" or not root.children:
        raise StructureError("not a property list")
    notes = Notes()
    for line in document.notes:
        notes.add(line)
    value = _Xml(notes).value(root.children[0], 1)
    notes.add("a value of a property list stands beside the first one and was left out", len(root.children) - 1)
    return Plist(value, notes.lines())


# -- XML --------------------------------------------------------------------------------------------------------------------------


class _Xml:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def value(self, element: Element, depth: int) -> Value:
        """Return an element's value; ``None`` for one that makes no sense, which is noted."""
        if depth > MAX_DEPTH:
            self._notes.add(f"a property list nests more than {MAX_DEPTH} deep: what lies deeper was left out")
            return None
        text = element.text
        match element.name:
            case "dict":
                return self._dict(element, depth)
            case "array":
                return [self.value(child, depth + 1) for child in element.children]
            case "string":
                return text
            case "true" | "false":
                return element.name == "true"
            case "integer":
                if _INTEGER.fullmatch(text.strip()):
                    return int(text, 16 if "x" in text.lower() else 10)
            case "real":
                if _REAL.fullmatch(text.strip()):
                    return float(text)
            case "data":
                try:
                    return base64.b64decode("".join(text.split()), validate=True)
                except (binascii.Error, ValueError):
                    pass
            case "date":
                return Date(_date(text.strip()))
        self._notes.add("a value of a property list cannot be read and was left out")
        return None

    def _dict(self, element: Element, depth: int) -> Value:
        found: dict[str, Value] = {}
        key: str | None = None
        for child in element.children:
            if child.name == "key":
                if key is not None:
                    self._notes.add("a key of a property list has no value")
                key = child.text
            elif key is None:
                self._notes.add("a value of a property list has no key and was left out")
            else:
                if key in found:
                    self._notes.add("a key of a property list stands twice: the first value was kept")
                found.setdefault(key, self.value(child, depth + 1))
                key = None
        return found


def _date(text: str) -> int | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        moment = datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**9


# -- binary -----------------------------------------------------------------------------------------------------------------------


class _Damage(Exception):  # noqa: N818 - never leaves this file
    """An object that cannot be read."""


class _Binary:
    """The binary form: objects, a table of their offsets, and a trailer of 32 bytes at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.notes = Notes()
        if len(data) < 40:
            raise StructureError("a binary property list that is too short")
        self._offset_size, self._ref_size, self._count, self._top, self._table = struct.unpack(">6xBBQQQ", data[-32:])
        end = len(data) - 32
        if not (1 <= self._offset_size <= 8 and 1 <= self._ref_size <= 8 and self._top < self._count and 8 <= self._table < end):
            raise StructureError("a binary property list without a valid trailer")
        if self._count > (end - self._table) // self._offset_size:
            raise StructureError("a binary property list whose table of objects is cut off")
        self._reached = 0
        self._text = 0
        self._inside: set[int] = set()

    def parse(self) -> Plist:
        """Return the top object."""
        return Plist(self._value(self._top, 1), self.notes.lines())

    def _value(self, number: int, depth: int) -> Value:
        """Return an object, ``None`` for one that cannot be read or reached, which is noted."""
        if depth > MAX_DEPTH:
            self.notes.add(f"a property list nests more than {MAX_DEPTH} deep: what lies deeper was left out")
            return None
        self._reached += 1
        if self._reached > MAX_VALUES or self._text > MAX_TEXT:
            self.notes.add("a property list expands to more than may be read: the rest was left out")
            return None
        if number in self._inside:
            self.notes.add("a value of a property list holds itself: it was left out there")
            return None
        try:
            return self._object(number, depth)
        except _Damage:
            self.notes.add("a value of a property list cannot be read and was left out")
            return None

    def _object(self, number: int, depth: int) -> Value:
        if number >= self._count:
            raise _Damage
        at = self._table + number * self._offset_size
        start = int.from_bytes(self._data[at : at + self._offset_size], "big")
        if not 8 <= start < self._table:
            raise _Damage
        kind, low = self._data[start] >> 4, self._data[start] & 15
        match kind:
            case 0:
                return self._singleton(low)
            case 1:
                return self._integer(self._bytes(start + 1, 1 << low) if low <= 4 else b"")
            case 2:
                raw = self._bytes(start + 1, 1 << low)
                if low not in (2, 3):
                    raise _Damage
                return float(struct.unpack(">f" if low == 2 else ">d", raw)[0])
            case 3:
                return Date(_seconds(struct.unpack(">d", self._bytes(start + 1, 8))[0]))
            case 8:
                return Uid(int.from_bytes(self._bytes(start + 1, low + 1), "big"))
            case 4 | 5 | 6 | 7:
                return self._string(kind, *self._length(start, low))
            case 10 | 11 | 12 | 13:
                self._inside.add(number)
                try:
                    return self._collection(kind, *self._length(start, low), depth)
                finally:
                    self._inside.discard(number)
        raise _Damage

    def _singleton(self, low: int) -> Value:
        if low not in (0, 8, 9):
            raise _Damage
        return {8: False, 9: True}.get(low)

    def _integer(self, raw: bytes) -> int:
        if not raw:
            raise _Damage
        return int.from_bytes(raw, "big", signed=len(raw) >= 8)

    def _length(self, start: int, low: int) -> tuple[int, int]:
        """Return a count and the place of what is counted; counts from 15 on stand in an integer of their own."""
        if low != 15:
            return low, start + 1
        marker = self._bytes(start + 1, 1)[0]
        if marker >> 4 != 1 or marker & 15 > 3:
            raise _Damage
        size = 1 << (marker & 15)
        return int.from_bytes(self._bytes(start + 2, size), "big"), start + 2 + size

    def _string(self, kind: int, count: int, at: int) -> Value:
        raw = self._bytes(at, count * 2 if kind == 6 else count)
        self._text += len(raw)
        if kind == 4:
            return raw
        encoding = {5: "ascii", 6: "utf-16-be", 7: "utf-8"}[kind]
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            self.notes.add("a text of a property list has bytes that are no characters: they are shown as \\xNN")
            return raw.decode(encoding, "backslashreplace")

    def _collection(self, kind: int, count: int, at: int, depth: int) -> Value:
        width = self._ref_size
        raw = self._bytes(at, count * width * (2 if kind == 13 else 1))
        refs = [int.from_bytes(raw[i : i + width], "big") for i in range(0, len(raw), width)]
        if kind != 13:
            found = []
            for ref in refs:
                if self._reached > MAX_VALUES:
                    self._value(ref, depth + 1)  # says so
                    break
                found.append(self._value(ref, depth + 1))
            return found
        pairs: dict[str, Value] = {}
        for key_ref, ref in zip(refs[:count], refs[count:], strict=True):
            if self._reached > MAX_VALUES:
                self._value(ref, depth + 1)
                break
            key = self._value(key_ref, depth + 1)
            if not isinstance(key, str):
                self.notes.add("a key of a property list is not text: it and its value were left out")
                continue
            if key in pairs:
                self.notes.add("a key of a property list stands twice: the first value was kept")
                continue
            pairs[key] = self._value(ref, depth + 1)
        return pairs

    def _bytes(self, at: int, length: int) -> bytes:
        if length < 0 or at + length > self._table:
            raise _Damage
        return self._data[at : at + length]


def _seconds(value: float) -> int | None:
    """Return nanoseconds since 1970 from seconds since 2001."""
    if not -_FARTHEST < value < _FARTHEST:  # false for NaN as well
        return None
    return (round(value * 1000) + _EPOCH * 1000) * 1_000_000
