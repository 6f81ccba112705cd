"""Bencoded data (BitTorrent, BEP 3), within bounds; the place of the dictionary ``info`` is kept: a torrent's hash is of its bytes."""

from __future__ import annotations

from triage.artifacts.structure import StructureError

MAX_BYTES = 64 << 20
_MOST_VALUES, _DEEPEST = 1_000_000, 50
Value = int | bytes | list["Value"] | dict[bytes, "Value"]


class Bencoded:
    """A parsed file. ``places``: where each dictionary stands that is called ``info`` at depth 1."""

    def __init__(self, data: bytes) -> None:
        """Raise :class:`StructureError` for what is no bencoded dictionary, or more than is read."""
        if not data.startswith(b"d") or len(data) > MAX_BYTES:
            raise StructureError("no bencoded dictionary, or a larger one than is read")
        self._data = data
        self._values = 0
        self.info: tuple[int, int] | None = None
        value, self.end = self._value(0, 0)
        self.root: dict[bytes, Value] = value if isinstance(value, dict) else {}

    def _value(self, at: int, depth: int) -> tuple[Value, int]:
        self._values += 1
        if depth > _DEEPEST or self._values > _MOST_VALUES:
            raise StructureError("bencoded data of more values or levels than are read")
        mark = self._data[at : at + 1]
        if mark == b"i":
            end = self._data.find(b"e", at, at + 24)
            if end < 0:
                raise StructureError("a bencoded number that does not end")
            return self._number(self._data[at + 1 : end]), end + 1
        if mark == b"l":
            found: list[Value] = []
            at += 1
            while self._data[at : at + 1] != b"e":
                value, at = self._value(at, depth + 1)
                found.append(value)
            return found, at + 1
        if mark == b"d":
            table: dict[bytes, Value] = {}
            at += 1
            while self._data[at : at + 1] != b"e":
                key, at = self._text(at)
                start = at
                value, at = self._value(at, depth + 1)
                table.setdefault(key, value)
                if depth == 0 and key == b"info":
                    self.info = (start, at)
            return table, at + 1
        return self._text(at)

    def _number(self, digits: bytes) -> int:
        if not digits.lstrip(b"-").isdigit() or digits.count(b"-") > 1:
            raise StructureError("a bencoded number that is none")
        return int(digits)

    def _text(self, at: int) -> tuple[bytes, int]:
        colon = self._data.find(b":", at, at + 12)
        if colon < 0 or not self._data[at:colon].isdigit():
            raise StructureError("bencoded data that break off, or are none")
        start = colon + 1
        end = start + int(self._data[at:colon])
        if end > len(self._data):
            raise StructureError("a bencoded text that breaks off")
        return self._data[start:end], end


def text(value: object) -> str:
    """Return a value as text of at most 2,000 characters, "" for what is none."""
    return value[:4000].decode("utf-8", "replace")[:2000] if isinstance(value, bytes) else ""


def number(value: object) -> int | None:
    """Return a value that is a number."""
    return value if isinstance(value, int) else None


def table(value: object) -> dict[bytes, Value]:
    """Return a value that is a dictionary, an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Value]:
    """Return a value that is a list, an empty one for what is none."""
    return value if isinstance(value, list) else []
