"""Values of Qt's settings files (``QSettings``, INI): escapes undone, lists divided, and the numbers in a serialised table.

Format (Qt's documentation of ``QSettings::IniFormat`` and ``QDataStream``): ``\\x`` with hexadecimal digits, ``\\0`` and the escapes of
C; ``@Variant(...)`` holds the bytes of a value: 32-bit type (28: a table), then keys and values; numbers are big-endian.
"""

from __future__ import annotations

import re

from triage.artifacts.structure import StructureError

_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{1,4})|([0-7]{1,3})|(.))", re.DOTALL)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ITEM = re.compile(r'"((?:[^"\\]|\\.)*+)"|([^",]++)', re.DOTALL)
_TABLE, _MOST = 28, 1000
_WIDTHS = {1: 1, 2: 4, 3: 4, 4: 8, 5: 8}
"""Bytes of a value by its type: truth, int, unsigned, 64 bits with and without a sign."""


def unescape(text: str) -> str:
    """Return a value with its escapes undone."""

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return chr(int(match[2], 8)) if match[2] else _PLAIN.get(match[3], match[3])

    return _ESCAPE.sub(one, text)


def values_of(text: str) -> list[str]:
    """Return the values of a setting: of a list each, of another the one."""
    text = text.strip()
    if text.startswith("@") and not text.startswith("@@"):
        return []
    found = [unescape(quoted if quoted else plain.strip()) for quoted, plain in _ITEM.findall(text)]
    return [value for value in found if value]


def numbers_of(text: str) -> dict[str, int]:
    """Return the numbers of a serialised table by name. Raises :class:`StructureError` for what is none."""
    if not text.startswith("@Variant(") or not text.rstrip('"').endswith(")"):
        raise StructureError("no value of Qt")
    raw = unescape(text.rstrip('"')[9:-1]).encode("latin-1", "replace")
    if int.from_bytes(raw[:4]) != _TABLE:
        raise StructureError("a value of Qt of another type")
    found: dict[str, int] = {}
    at = 8
    for _ in range(min(int.from_bytes(raw[4:8]), _MOST)):
        length = int.from_bytes(raw[at : at + 4])
        name = raw[at + 4 : at + 4 + length].decode("utf-16-be", "replace")
        at += 4 + length
        width = _WIDTHS.get(int.from_bytes(raw[at : at + 4]), 0)
        value = raw[at + 4 : at + 4 + width]
        if not width or len(value) < width:
            raise StructureError("a value of Qt that breaks off or has other things than numbers")
        found.setdefault(name, int.from_bytes(value))
        at += 4 + width
    return found
