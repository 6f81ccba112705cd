"""Chromium's simple cache: a file an entry (``HASH_0``), as Linux, macOS, Android and WebViews have it.

Layout (little-endian; ``net/disk_cache/simple/simple_entry_format.h``): a header (u64 magic, u32 version, u32 length of the key, u32 hash
of the key, padded to 24 bytes), the key, stream 1 (the body), an end record, stream 0 (the answer's head), perhaps the SHA-256 of the key,
an end record. An end record has a magic, flags (1: has a CRC-32, 2: has the key's SHA-256), CRC-32 and size of its stream: 20 bytes,
padded to 24. Entries that are larger have ranges in ``HASH_s``; what is there is not read.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

MAGIC, _END = 0xFCFB6D1BA7725C30, 0xF4FA6F45970D41D8
_HEADER = struct.Struct("<QIII4x")
_RECORD = struct.Struct("<QIII4x")
_LONGEST_KEY = 64 << 10
_LARGEST_HEAD = 1 << 20


class SimpleEntry(NamedTuple):
    """An entry. ``body``: offset and length of its body; ``head``: the answer's pickled head; ``whole``: whether checksums agree.

    ``ends``: whether both end records were there: without them the body is all that follows the key.
    """

    key: bytes
    version: int
    body: tuple[int, int]
    head: bytes
    ends: bool
    whole: bool | None


def parse_simple(read_at: ReadAt, size: int) -> SimpleEntry | None:
    """Return the entry that a file is, ``None`` for what is none."""
    raw = read_at(0, _HEADER.size)
    if len(raw) < _HEADER.size:
        return None
    magic, version, length, _ = _HEADER.unpack(raw)
    if magic != MAGIC or not 0 < length <= _LONGEST_KEY or _HEADER.size + length > size:
        return None
    key = read_at(_HEADER.size, length)
    start = _HEADER.size + length
    last = _record(read_at, size - _RECORD.size)
    if last is None:
        return SimpleEntry(key, version, (start, size - start), b"", False, None)
    flags, crc, head_size = last
    head_at = size - _RECORD.size - (32 if flags & 2 else 0) - head_size
    before = head_at - _RECORD.size
    if before < start or head_size > _LARGEST_HEAD:
        return SimpleEntry(key, version, (start, size - _RECORD.size - start), b"", False, None)
    head = read_at(head_at, head_size)
    whole = zlib.crc32(head) == crc if flags & 1 else None
    ends = _record(read_at, before) is not None
    return SimpleEntry(key, version, (start, before - start), head, ends, whole)


def _record(read_at: ReadAt, offset: int) -> tuple[int, int, int] | None:
    raw = read_at(offset, _RECORD.size) if offset >= _HEADER.size else b""
    if len(raw) < _RECORD.size:
        return None
    magic, flags, crc, size = _RECORD.unpack(raw)
    return (flags, crc, size) if magic == _END else None
