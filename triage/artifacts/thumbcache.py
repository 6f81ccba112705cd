"""Windows' thumbnail cache (``thumbcache_*.db``, ``iconcache_*.db``), entry by entry.

Layout (little-endian; libyal, "Windows Explorer Thumbnail Cache database format"): a header ``CMMM``, u32 version (20 Vista, 21 Windows 7,
26, 28, 30, 31 Windows 8, 32 Windows 10 and 11), u32 type, u32 offset of the first entry …; an entry: ``CMMM``, u32 size of the entry,
u64 hash, in version 20 four characters of the extension in UTF-16, u32 size of the identifier, u32 padding, u32 size of the data, from
version 30 on u32 width and height, u32, u64 checksum of the data, u64 of the header; the identifier in UTF-16, padding, data. Entries are
found by their mark, so that a damaged cache gives what is whole.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

MARK = b"CMMM"
_MOST_ENTRIES = 500_000
_STEP = 1 << 20
VERSIONS = {20: "Vista", 21: "7", 26: "8", 28: "8", 30: "8", 31: "8.1", 32: "10 or 11"}


class Thumbnail(NamedTuple):
    """An entry. ``hash`` is what Windows knows the picture by; ``data``: offset and length of the thumbnail, (0, 0) for none."""

    hash: int
    identifier: str
    offset: int
    size: int
    data: tuple[int, int]
    extension: str = ""


def version_of(read_at: ReadAt) -> int | None:
    """Return a cache's version, ``None`` for what is no cache."""
    head = read_at(0, 24)
    if len(head) < 24 or not head.startswith(MARK):
        return None
    version = int.from_bytes(head[4:8], "little")
    return version if version in VERSIONS else None


def entries(read_at: ReadAt, size: int, version: int) -> Iterator[Thumbnail]:
    """Yield the entries of a cache, wherever their mark stands behind the header."""
    at, count = 24, 0
    while at + 48 <= size and count < _MOST_ENTRIES:
        head = read_at(at, 640)
        entry = _entry(head, at, size, version) if head.startswith(MARK) else None
        if entry is None:
            found = _find(read_at, at + 1, size)
            if found is None:
                return
            at = found
            continue
        count += 1
        yield entry
        at += entry.size


def _entry(head: bytes, at: int, size: int, version: int) -> Thumbnail | None:
    if len(head) < 48:
        return None
    length, digest = struct.unpack_from("<IQ", head, 4)
    extension, place = "", 16
    if version == 20:
        extension, place = head[16:24].decode("utf-16-le", "replace").partition("\0")[0], 24
    name_length, padding, data_length = struct.unpack_from("<III", head, place)
    place += 12 + (8 if version >= 30 else 0) + 4 + 16  # width and height; unknown; two checksums
    if name_length > 520 or length < place or at + length > size or place + name_length + padding + data_length > length:
        return None
    identifier = head[place : place + name_length].decode("utf-16-le", "replace").partition("\0")[0]
    start = at + place + name_length + padding
    return Thumbnail(digest, identifier, at, length, (start, data_length) if data_length else (0, 0), extension)


def _find(read_at: ReadAt, start: int, size: int) -> int | None:
    while start < size:
        window = read_at(start, min(_STEP, size - start))
        at = window.find(MARK)
        if at >= 0:
            return start + at
        if len(window) < len(MARK):
            return None
        start += len(window) - len(MARK) + 1
    return None
