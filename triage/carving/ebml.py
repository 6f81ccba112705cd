"""Elements of EBML documents (RFC 8794, 4 to 6 and 11.3.1): identifiers, lengths, checksums."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

CRC32 = 0xBF
VOID = 0xEC
LONGEST_HEAD = 12
"""Bytes of the longest identifier and the longest length that are used."""
_MOST = 1 << 17


def head_of(data: bytes, at: int = 0) -> tuple[int, int, int] | None:
    """Return ``(identifier, length of the head, length of the content)`` of the element whose head lies there.

    The content's is -1 where it is not told. ``None``: that is no element.
    """
    if at >= len(data) or not data[at] >> 4:
        return None
    width = 9 - data[at].bit_length()
    place = at + width
    if place >= len(data) or not data[place]:
        return None
    wide = 9 - data[place].bit_length()
    if place + wide > len(data):
        return None
    length = int.from_bytes(data[place : place + wide], "big") & ((1 << 7 * wide) - 1)
    if length == (1 << 7 * wide) - 1:
        length = -1
    return int.from_bytes(data[at : at + width], "big"), width + wide, length


def element_at(window: Window, offset: int) -> tuple[int, int, int] | None:
    """Return ``(identifier, start, end)`` of the content of an element; ``end`` is -1 where it is not told."""
    found = head_of(window.at(offset, LONGEST_HEAD))
    if found is None:
        return None
    identifier, head, length = found
    return identifier, offset + head, offset + head + length if length >= 0 else -1


def elements(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Yield ``(identifier, start, end)`` of each element in some content; stop at what is none."""
    end = len(data) if end is None else end
    for _ in range(_MOST):
        found = head_of(data, start) if start < end else None
        if found is None or found[2] < 0 or start + found[1] + found[2] > end:
            return
        start += found[1]
        yield found[0], start, start + found[2]
        start += found[2]


def number(data: bytes, start: int, end: int) -> int:
    """Return an unsigned integer element's value; 0 for one longer than eight bytes."""
    return int.from_bytes(data[start:end], "big") if end - start <= 8 else 0


def intact(data: bytes) -> bool | None:
    """Whether an element's content has the checksum that it begins with (11.3.1); ``None`` if it has none."""
    if len(data) < 6 or data[0] != CRC32 or data[1] != 0x84:
        return None
    return zlib.crc32(memoryview(data)[6:]) == int.from_bytes(data[2:6], "little")
