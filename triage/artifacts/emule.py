"""eMule's and aMule's lists of files: ``known.met`` (all that was shared) and ``*.part.met`` (one that was being loaded).

Layout (little-endian; aMule, ``KnownFile.cpp``, ``Tag.cpp``): a first byte (0x0E, 0x0F with sizes of 64 bits; of part.met 0xE0, 0xE2), for
known.met u32 count; a file: u32 time, 16 bytes ed2k hash, u16 how many hashes of parts, those, u32 how many tags, tags. A tag: u8 type, its
name (one byte when the type's high bit is set, else u16 length and bytes), its value.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

KNOWN = (0x0E, 0x0F)
PART = (0xE0, 0xE1, 0xE2)
_MOST_FILES, _MOST_TAGS, _MOST_PARTS = 200_000, 500, 200_000
_LONGEST = 4096
_NAME, _SIZE, _PARTFILE, _LAST_SEEN, _TRANSFERRED, _AICH, _SIZE_HIGH = 0x01, 0x02, 0x12, 0x05, 0x08, 0x27, 0x3A
_REQUESTED, _ACCEPTED, _ALL_TRANSFERRED = 0x51, 0x52, 0x50


@dataclass(slots=True)
class KnownFile:
    """A file. ``time``: last changed, seconds since 1970; ``tags``: values by number or name; ``start`` and ``end`` in the list."""

    time: int
    ed2k: str
    start: int
    end: int = 0
    tags: dict[int | str, int | str | float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The file's name."""
        return str(self.tags.get(_NAME, ""))

    @property
    def size(self) -> int | None:
        """Its size in bytes."""
        low, high = self.tags.get(_SIZE), self.tags.get(_SIZE_HIGH, 0)
        return low + ((high if isinstance(high, int) else 0) << 32) if isinstance(low, int) else None

    @property
    def aich(self) -> str:
        """Its AICH hash as it stands there (Base32), "" when there is none."""
        value = self.tags.get(_AICH, "")
        return value if isinstance(value, str) else ""

    def said(self) -> dict[str, int | str | float | None]:
        """What else is known of it: how often it was asked for and given, and the name of its parts."""
        names: dict[str, int] = {"times_requested": _REQUESTED, "times_accepted": _ACCEPTED, "bytes_uploaded": _ALL_TRANSFERRED,
                                 "bytes_loaded": _TRANSFERRED}  # fmt: skip
        found: dict[str, int | str | float | None] = {name: self.tags.get(number) for name, number in names.items()}
        return found | {"part_file": self.tags.get(_PARTFILE)}


class _CutError(Exception):
    """The list ends in the middle of something."""


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, length: int) -> bytes:
        piece = self.data[self.at : self.at + length]
        if len(piece) < length:
            raise _CutError
        self.at += length
        return piece

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")


def read_known(data: bytes) -> tuple[list[KnownFile], str]:
    """Return the files of a list, and why not all of them, "" if all. For what is no such list both are empty."""
    if len(data) < 25 or data[0] not in (*KNOWN, *PART):
        return [], ""
    reader = _Reader(data, 1)
    found: list[KnownFile] = []
    count = reader.number(4) if data[0] in KNOWN else 1
    if count > _MOST_FILES or count * 22 > len(data):
        return [], "its count of files is larger than it can hold"
    try:
        while len(found) < count:
            found.append(_file(reader))
    except _CutError:
        return found, f"it breaks off behind {len(found):,} of {count:,} files"
    except ValueError as error:
        return found, f"it is damaged behind {len(found):,} of {count:,} files ({error})"
    return found, ""


def _file(reader: _Reader) -> KnownFile:
    start = reader.at
    file = KnownFile(reader.number(4), reader.take(16).hex(), start)
    parts = reader.number(2)
    if parts > _MOST_PARTS:
        raise ValueError("too many parts")
    reader.take(16 * parts)
    tags = reader.number(4)
    if tags > _MOST_TAGS:
        raise ValueError("too many tags")
    for _ in range(tags):
        name, value = _tag(reader)
        if value is not None:
            file.tags.setdefault(name, value)
    file.end = reader.at
    return file


def _tag(reader: _Reader) -> tuple[int | str, int | str | float | None]:
    kind = reader.number(1)
    name: int | str
    if kind & 0x80:
        kind &= 0x7F
        name = reader.number(1)
    else:
        length = reader.number(2)
        raw = reader.take(length)
        name = raw[0] if length == 1 else raw[:_LONGEST].decode("utf-8", "replace")
    return name, _value(reader, kind)


def _value(reader: _Reader, kind: int) -> int | str | float | None:
    if kind == 0x02:
        return reader.take(reader.number(2))[:_LONGEST].decode("utf-8", "replace")
    if 0x11 <= kind <= 0x20:
        return reader.take(kind - 0x10).decode("utf-8", "replace")
    widths = {0x03: 4, 0x08: 2, 0x09: 1, 0x0B: 8, 0x05: 1}
    if kind in widths:
        return reader.number(widths[kind])
    if kind == 0x04:
        (value,) = struct.unpack("<f", reader.take(4))
        return float(value) if value == value and abs(value) < 1e30 else None  # noqa: PLR0124 - not a number
    if kind == 0x01:
        return reader.take(16).hex()
    if kind in (0x07, 0x0A):
        reader.take(reader.number(4 if kind == 0x07 else 1))
        return None
    raise ValueError(f"a tag of type {kind}")
