"""JSON documents from evidence (RFC 8259), decoded within limits that are the same on every version of Python.

What JSON's numbers can say and Python or a report cannot hold stays as it is written, as text, and is noted: integers of more than 64
bits, numbers out of a float's range, ``NaN`` and ``Infinity``.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from triage.artifacts.structure import Notes, StructureError

MAX_BYTES = 64 << 20
MAX_DEPTH = 200
MAX_VALUES = 1_000_000
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_DIGITS = 19


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A document's value, and notes on what was taken otherwise than it stands."""

    value: Any
    notes: tuple[str, ...]


def parse_json(data: bytes) -> JsonDocument:
    """Return a document's value. Raises :class:`StructureError` when it is none, too large or too deep; there is no half of one."""
    if len(data) > MAX_BYTES:
        raise StructureError(f"a JSON document of more than {MAX_BYTES:,} bytes is not read")
    notes = Notes()
    text = _decoded(data, notes)
    _check_shape(text)
    reader = _Reader(notes)
    try:
        value = json.loads(
            text, parse_int=reader.integer, parse_float=reader.real, parse_constant=reader.constant, object_pairs_hook=reader.pairs
        )
    except json.JSONDecodeError as error:
        raise StructureError(f"not JSON: line {error.lineno:,}, column {error.colno:,}") from error
    except RecursionError as error:  # the shape was checked: only deep inside another recursion
        raise StructureError("a JSON document is nested too deep") from error
    return JsonDocument(value, notes.lines())


def _decoded(data: bytes, notes: Notes) -> str:
    encoding = json.detect_encoding(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        notes.add("a JSON document has bytes that are no characters: they are replaced by U+FFFD")
        return data.decode(encoding, "replace")


def _check_shape(text: str) -> None:
    """Refuse what nests too deep or has too many values, before anything is built: a byte may become a hundred."""
    depth = values = 0
    for mark in _marks(text):
        if mark in "[{":
            depth += 1
            values += 1
            if depth > MAX_DEPTH:
                raise StructureError(f"a JSON document is nested more than {MAX_DEPTH} deep")
        elif mark in "]}":
            depth -= 1
        else:
            values += 1
        if values > MAX_VALUES:
            raise StructureError(f"a JSON document has more than {MAX_VALUES:,} values")


def _marks(text: str) -> str:
    """Return the brackets and commas that stand outside of strings."""
    return re.sub(r"[^\[\]{},]++", "", _STRING.sub("", text))


class _Reader:
    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def integer(self, text: str) -> int | str:
        if len(text) <= _DIGITS or (len(text) == _DIGITS + 1 and -(1 << 63) <= int(text) < 1 << 64):
            return int(text)
        self._notes.add("a number of a JSON document has more than 64 bits and is kept as text")
        return text

    def real(self, text: str) -> float | str:
        value = float(text)
        if math.isfinite(value):
            return value
        self._notes.add("a number of a JSON document is too large and is kept as text")
        return text

    def constant(self, text: str) -> str:
        self._notes.add("NaN or Infinity in a JSON document is kept as text")
        return text

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self._notes.add("a name stands more than once in an object of a JSON document: the last value was kept", len(pairs) - len(found))
        return found
