"""Protocol Buffers messages as they stand on the wire, without the description that names their fields.

Format: the Protocol Buffers encoding guide (protobuf.dev/programming-guides/encoding). A message is a row of fields, each a number, a kind
and a value; a value with a length is bytes, text or a message inside, and which of them is for the caller to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FIELDS = 20_000
"""Fields that are read of one message, those of messages inside not counted."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LARGEST_NUMBER = (1 << 29) - 1
_LONGEST_VARINT = 10

Value = int | bytes


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Yield a message's fields in order: their numbers, and whole numbers (unsigned, also for fixed ones, little-endian) or bytes.

    Raises :class:`StructureError` where the bytes are no message, behind the fields that could be read; so do the old groups.
    """
    at = count = 0
    while at < len(data):
        count += 1
        if count > MAX_FIELDS:
            raise StructureError(f"a message of more than {MAX_FIELDS:,} fields")
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if not 1 <= number <= _LARGEST_NUMBER:
            raise StructureError("a field of a message has no number")
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise StructureError("a field of a message is of no known kind")
        if length > len(data) - at:
            raise StructureError("a field of a message runs past its end")
        raw, at = data[at : at + length], at + length
        yield number, raw if kind == _BYTES else int.from_bytes(raw, "little")


def values_at(data: bytes, *path: int) -> Iterator[Value]:
    """Yield the values at a path of field numbers, through messages inside; nothing past what is damaged."""
    try:
        for number, value in fields(data):
            if number != path[0]:
                continue
            if len(path) == 1:
                yield value
            elif isinstance(value, bytes):
                yield from values_at(value, *path[1:])
    except StructureError:
        return


def text_at(data: bytes, *path: int) -> str:
    """Return the first value at a path that is text, "" if none is."""
    for value in values_at(data, *path):
        if isinstance(value, bytes):
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                continue
    return ""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for number in range(_LONGEST_VARINT):
        if at + number >= len(data):
            raise StructureError("a number of a message is cut off")
        byte = data[at + number]
        value |= (byte & 0x7F) << (7 * number)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + number + 1
    raise StructureError("a number of a message does not end")
