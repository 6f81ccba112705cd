"""An entry of Firefox's cache (``cache2/entries``): the body, then hashes of its pieces, then what is said of it.

Layout (big-endian; Mozilla, ``netwerk/cache2/CacheFileMetadata.h``): the body; u32 hash of the metadata; u16 a 256 KiB of body; a header of
u32 version, fetch count, last fetched, last modified, frecency, expiry, length of the key, from version 2 on flags; the key and a zero;
elements ``name\\0value\\0``; u32 size of the body, the file's last four bytes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

_PIECE = 256 << 10
_LARGEST_METADATA = 4 << 20
_LONGEST_KEY = 64 << 10
_MOST_ELEMENTS = 500


class Cache2Entry(NamedTuple):
    """An entry. Times are seconds since 1970; ``elements`` are by name (``response-head``, ``request-method`` …)."""

    url: bytes
    key: bytes
    body: int
    fetched: int
    modified: int
    fetches: int
    elements: dict[str, bytes]


def parse_cache2(read_at: ReadAt, size: int) -> Cache2Entry | None:
    """Return the entry that a file is, ``None`` for what is none."""
    if size < 40:
        return None
    body = int.from_bytes(read_at(size - 4, 4), "big")
    start = body + 4 + 2 * -(-body // _PIECE)
    if start + 28 > size or size - start > _LARGEST_METADATA:
        return None
    raw = read_at(start, size - 4 - start)
    if len(raw) < 32:
        return None
    version, count, fetched, modified, _, _, length = struct.unpack_from(">7I", raw)
    at = 28 + (4 if version >= 2 else 0)
    if not 1 <= version <= 10 or not 0 < length <= _LONGEST_KEY or at + length >= len(raw) or raw[at + length]:
        return None
    key = raw[at : at + length]
    values = raw[at + length + 1 :].split(b"\0", 2 * _MOST_ELEMENTS)
    elements: dict[str, bytes] = {}
    for name, value in zip(values[::2], values[1::2], strict=False):
        elements.setdefault(name[:100].decode("latin-1"), value)
    return Cache2Entry(_url(key), key, body, fetched, modified, count, elements)


def _url(key: bytes) -> bytes:
    """Return the address behind a key's marks (``O^…,~0123,a,:https://…``)."""
    if key.startswith(b":"):
        return key[1:]
    for mark in (b",:", b":"):
        before, found, url = key.partition(mark)
        if found and (mark == b",:" or b"/" not in before):
            return url
    return key
