"""Values as Chromium keeps them in IndexedDB: what JavaScript's structured clone wrote, as plain values.

Format: V8's ``src/objects/value-serializer.cc`` and Blink's ``serialization_tag.h`` (BSD): a tag of one byte before each value; varints;
Blink's version and V8's before all. Written for what is found: what stands before a tag that is not known is given, and that it ends there.
"""

from __future__ import annotations

import struct
from typing import Any

from triage.artifacts.leveldb import varint
from triage.artifacts.snappy import undo_snappy
from triage.artifacts.times import iso, unix_ms

_MOST_VALUES, _DEEPEST = 50_000, 60
_LARGEST = 16 << 20
_BYTES_SHOWN = 32
_CONSTANTS: dict[int, Any] = {
    ord("_"): None,
    ord("0"): None,
    ord("-"): None,
    ord("T"): True,
    ord("F"): False,
    ord("y"): True,
    ord("x"): False,
}


def read_value(data: bytes) -> tuple[Any, str]:
    """Return a value, and why not all of it, "" if all. Bytes are given as text that says how many and how they begin."""
    if data[:3] == b"\xff\x11\x02":
        data, why = undo_snappy(data[3:], _LARGEST)
        if why:
            return None, why
    elif data[:2] == b"\xff\x11" and data[2:3] in (b"\x01", b"\x03"):
        return None, "a value lies in a file of its own, or is compressed in a way that is not read"
    reader = _Reader(data)
    try:
        reader.versions()
        return reader.value(0), ""
    except _End as end:
        return end.found, str(end)


class _End(Exception):  # noqa: N818 - never leaves this file
    """Nothing more can be read. ``found``: what stood before."""

    def __init__(self, why: str, found: Any = None) -> None:
        super().__init__(why)
        self.found = found


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._count = data, 0, 0

    def versions(self) -> None:
        """Pass over the versions of Blink and of V8, and over where Blink's trailer stands."""
        for _ in range(3):
            if self._data[self._at : self._at + 1] == b"\xff":
                self._at += 1
                self._number()
            elif self._data[self._at : self._at + 1] == b"\xfe":
                self._at += 13

    def value(self, depth: int) -> Any:
        self._count += 1
        if self._count > _MOST_VALUES or depth > _DEEPEST:
            raise _End("a value is larger or nests deeper than may be read")
        tag = self._tag()
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        match chr(tag):
            case "I":
                number = self._number()
                return number >> 1 ^ -(number & 1)
            case "U":
                return self._number()
            case "N" | "n":
                return self._real()
            case "D":
                return iso(unix_ms(self._real()))
            case "Z" | "z":
                return self._large()
            case '"':
                return self._bytes(self._number()).decode("latin-1")
            case "c":
                return self._bytes(self._number()).decode("utf-16-le", "replace")
            case "S":
                return self._bytes(self._number()).decode("utf-8", "replace")
            case "s":
                return self.value(depth + 1)
            case "^":
                return f"(the same as value {self._number():,})"
            case "o":
                return self._pairs("{", 1, depth)
            case ";":
                return self._pairs(":", 1, depth)
            case "a":
                self._number()
                return self._pairs("@", 2, depth)
            case "'":
                return self._list(",", depth)
            case "A":
                return self._array(depth)
            case "B" | "~":
                return self._buffer(resizable=chr(tag) == "~")
            case "R":
                text = self.value(depth + 1)
                self._number()
                return text
            case "\\":
                return self._host()
        raise _End("a value has a part that is not known")

    def _pairs(self, end: str, numbers: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        try:
            while not self._ends(end, numbers):
                key = self.value(depth + 1)
                try:
                    found[str(key)[:500]] = self.value(depth + 1)
                except _End as inner:
                    if inner.found is not None:
                        found[str(key)[:500]] = inner.found
                    raise
        except _End as cut:
            raise _End(str(cut), found) from cut
        return found

    def _list(self, end: str, depth: int) -> list[Any]:
        found: list[Any] = []
        try:
            while not self._ends(end, 1):
                found.append(self.value(depth + 1))
        except _End as cut:
            raise _End(str(cut), [*found, *([cut.found] if cut.found is not None else [])]) from cut
        return found

    def _array(self, depth: int) -> list[Any]:
        found: list[Any] = []
        try:
            count = self._number()
            while len(found) < count:
                found.append(self.value(depth + 1))
        except _End as cut:
            raise _End(str(cut), [*found, *([cut.found] if cut.found is not None else [])]) from cut
        try:
            more = self._pairs("$", 2, depth)
        except _End as cut:
            raise _End(str(cut), found) from cut
        return [*found, more] if more else found

    def _buffer(self, *, resizable: bool) -> str:
        length = self._number()
        if resizable:
            self._number()
        raw = self._bytes(length)
        if self._data[self._at : self._at + 1] == b"V":  # the view of it that the program had
            self._at += 2
            for _ in range(3):
                self._number()
        return f"({length:,} bytes: {raw[:_BYTES_SHOWN].hex()})"

    def _large(self) -> int | str:
        fields = self._number()
        raw = self._bytes(fields >> 1)
        if len(raw) > 64:
            return f"(a number of {len(raw):,} bytes)"
        number = int.from_bytes(raw, "little")
        return -number if fields & 1 else number

    def _host(self) -> str:
        kind = chr(self._tag())
        if kind in ("i", "e"):
            return f"({'a blob' if kind == 'i' else 'a file'} of its own, number {self._number():,})"
        raise _End("a value has a part that is not known")

    def _ends(self, end: str, numbers: int) -> bool:
        if self._peek() != ord(end):
            return False
        self._at += 1
        for _ in range(numbers):
            self._number()
        return True

    def _peek(self) -> int:
        while self._data[self._at : self._at + 1] == b"\0":  # wide texts begin on an even place
            self._at += 1
        if self._at >= len(self._data):
            raise _End("a value breaks off")
        return self._data[self._at]

    def _tag(self) -> int:
        tag = self._peek()
        self._at += 1
        return tag

    def _number(self) -> int:
        number, self._at = varint(self._data, self._at)
        if number is None:
            raise _End("a value breaks off")
        return number

    def _real(self) -> float | str:
        number = float(struct.unpack("<d", self._bytes(8))[0])
        return number if abs(number) < float("inf") else str(number)

    def _bytes(self, length: int) -> bytes:
        if self._at + length > len(self._data):
            raise _End("a value breaks off")
        self._at += length
        return self._data[self._at - length : self._at]
