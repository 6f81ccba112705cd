"""Chromium's disk cache of block files (``index``, ``data_0`` to ``data_3``, ``f_000001`` …), entry by entry.

Layout (little-endian; Chromium, ``net/disk_cache/blockfile/disk_format.h``): block files have a header of 8,192 bytes, then blocks of
36, 256, 1,024 or 4,096 bytes; an address names file, first block and how many. An ``EntryStore`` of 256 bytes holds hash, next, state,
creation time, key, sizes and addresses of up to four streams; stream 0 is the answer's head (a pickle), stream 1 its body. Entries are
found by reading every block of the file that holds them, not by the index, and believed when the hash of the key is right: so an index
that is lost or damaged costs nothing, and entries that it no longer reaches are found as well.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

MAGIC_INDEX, MAGIC_BLOCK = 0xC103CAC3, 0xC104CAC3
HEADER = 8192
_ENTRY = struct.Struct("<IIIiiiQiI4i4II")  # hash next rankings reuse refetch state created key-length long-key sizes addresses flags
_KEY = 96
_BLOCK = 256
_SIZES = {1: 36, 2: 256, 3: 1024, 4: 4096}
_TABLE = 368
_MOST_ENTRIES = 400_000
_LONGEST_KEY = 64 << 10


class Place(NamedTuple):
    """Where a stream's bytes are: the file's name, the offset in it, and how many there are."""

    file: str
    offset: int
    length: int


class CacheEntry(NamedTuple):
    """An entry. ``address`` is its own; ``long_key``: where its key is when it is not in the entry; ``streams``: where they are."""

    address: int
    offset: int
    next: int
    state: int
    created: int
    hash: int
    key: bytes
    key_length: int
    long_key: Place | None
    streams: tuple[Place | None, ...]


def place_of(address: int, length: int) -> Place | None:
    """Return where an address leads; ``None`` for one that leads nowhere."""
    if not address & 0x80000000 or length <= 0:
        return None
    kind = address >> 28 & 7
    if kind == 0:
        return Place(f"f_{address & 0x0FFFFFFF:06x}", 0, length)
    size = _SIZES.get(kind)
    if size is None or length > ((address >> 24 & 3) + 1) * size:
        return None
    return Place(f"data_{address >> 16 & 0xFF}", HEADER + (address & 0xFFFF) * size, length)


def entries(read_at: ReadAt, size: int, number: int) -> Iterator[CacheEntry]:
    """Yield what can be an entry in a file of 256-byte blocks (``data_NUMBER``); its key's hash is not asked."""
    step = 1 << 20
    count = 0
    for start in range(HEADER, size - _BLOCK + 1, step):
        data = read_at(start, min(step + 3 * _BLOCK, size - start))
        for at in range(0, min(step, len(data) - _BLOCK + 1), _BLOCK):
            entry = _entry(data, at, start + at, number)
            if entry is not None:
                count += 1
                if count > _MOST_ENTRIES:
                    return
                yield entry


def _entry(data: bytes, at: int, offset: int, number: int) -> CacheEntry | None:
    fields = _ENTRY.unpack_from(data, at)
    digest, following, _, reuse, refetch, state, created, length, long_key, *rest = fields
    sizes, addresses = rest[:4], rest[4:8]
    if not 0 < length <= _LONGEST_KEY or not 0 <= state <= 2 or reuse < 0 or refetch < 0 or min(sizes) < 0 or not digest:
        return None
    block = (offset - HEADER) // _BLOCK
    place = place_of(long_key, length)
    if long_key and place is None:
        return None
    key = b"" if long_key else data[at + _KEY : at + min(_KEY + length, 4 * _BLOCK)]
    if not long_key and len(key) < length:
        return None
    address = 0xA0000000 | number << 16 | block
    streams = tuple(place_of(a, s) for a, s in zip(addresses, sizes, strict=True))
    return CacheEntry(address, offset, following, state, created, digest, key, length, place, streams)


def reachable(index: bytes, known: dict[int, CacheEntry]) -> set[int]:
    """Return the addresses of the entries that an index leads to, by its table and the entries' chains; flags of length are left off."""
    if len(index) < _TABLE or int.from_bytes(index[:4], "little") != MAGIC_INDEX:
        return set()
    table = np.frombuffer(index, "<u4", (len(index) - _TABLE) // 4, _TABLE)
    found: set[int] = set()
    for first in table[table >= 0x80000000].tolist():
        address = first & 0xF0FFFFFF
        while address and address not in found:
            found.add(address)
            entry = known.get(address)
            address = entry.next & 0xF0FFFFFF if entry is not None else 0
    return found


def key_hash(key: bytes) -> int:
    """Return Chromium's hash of a key (``base::PersistentHash``, which is Paul Hsieh's SuperFastHash)."""
    mask = 0xFFFFFFFF
    value = length = len(key)
    rest = length & 3
    for at in range(0, length - rest, 4):
        low, high = int.from_bytes(key[at : at + 2], "little"), int.from_bytes(key[at + 2 : at + 4], "little")
        value = value + low & mask
        value = (value << 16 ^ (high << 11 ^ value)) & mask
        value = value + (value >> 11) & mask
    tail = key[length - rest :]
    if rest == 3:
        value = value + int.from_bytes(tail[:2], "little") & mask
        value ^= value << 16 & mask
        value ^= (tail[2] - 256 if tail[2] > 127 else tail[2]) << 18 & mask
        value = value + (value >> 11) & mask
    elif rest == 2:
        value = value + int.from_bytes(tail, "little") & mask
        value ^= value << 11 & mask
        value = value + (value >> 17) & mask
    elif rest == 1:
        value = value + (tail[0] - 256 if tail[0] > 127 else tail[0]) & mask
        value ^= value << 10 & mask
        value = value + (value >> 1) & mask
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value ^= value << left & mask
        value = value + (value >> right) & mask
    return value


def answer_head(pickle: bytes) -> tuple[int | None, bytes]:
    """Return when an answer came (microseconds since 1601) and its head, lines ended by zeros, out of a pickled ``HttpResponseInfo``.

    ``net/http/http_response_info.cc``: u32 size of what follows, u32 flags, i64 time of the request, i64 of the answer, then in later
    versions more times; the head is a text with its length before it.
    """
    if len(pickle) < 28:
        return None, b""
    at = pickle.find(b"HTTP/", 20, 64)
    if at < 24:
        return None, b""
    length = int.from_bytes(pickle[at - 4 : at], "little")
    return int.from_bytes(pickle[16:24], "little"), pickle[at : at + min(length, 256 << 10)]
