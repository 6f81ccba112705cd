"""Mozilla's cache of block files (``_CACHE_MAP_``, ``_CACHE_001_`` to ``_003_``, ``A/BC/DEF01d02``): Firefox to 31, Thunderbird, SeaMonkey.

Layout (big-endian; Mozilla, ``netwerk/cache/nsDiskCacheMap.h``, ``nsDiskCacheEntry.h``; libyal, *Firefox cache file format*). Block files
have a bitmap first (4,096 bytes; from version 1.19 on 16,384, 4,096, 1,024), then blocks of 256, 1,024, 4,096 bytes. A location: bit 31 in
use, bits 28 and 29 the block file, bits 24 and 25 blocks more than one, the rest the block; with no block file the generation of a file of
its own. The map: version, size, entries, dirty, records, 2 x 32 numbers, then records of hash, rank, location of body, location of entry.
An entry: u16 version major and minor, u32 its location, fetches, last fetched, last modified, expiry (seconds since 1970), sizes of body,
key and metadata; then the key with its zero, and elements ``name\\0value\\0``. Only the map says where a body is.

Entries are found by reading the block files, not by the map: one that is lost costs no entry, and evicted ones are found as well.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

BLOCKS = (0, 256, 1024, 4096)
_ENTRY = struct.Struct(">HHIiIIIIII")
_RECORD = struct.Struct(">4I")
_MAP_HEADER = 20 + 2 * 32 * 4
_LONGEST_KEY, _LARGEST_METADATA = 64 << 10, 4 << 20
_MOST_ENTRIES, _MOST_RECORDS, _MOST_ELEMENTS = 400_000, 1 << 20, 500
_STEP = 1 << 20
_IN_USE = 0x80000000


class Cache1Entry(NamedTuple):
    """An entry. ``offset``, ``length``: its own bytes in its file; ``location``: what it says of its place, 0 when nothing.

    ``block``: number of its first block, -1 when it has a file of its own. Times are seconds since 1970.
    """

    offset: int
    length: int
    minor: int
    location: int
    fetches: int
    fetched: int
    modified: int
    expires: int
    body: int
    key: bytes
    elements: dict[str, bytes]


class Record(NamedTuple):
    """What the map says of an entry: the hash of its key, where its body and where the entry itself is."""

    digest: int
    body: int
    entry: int


class Map(NamedTuple):
    """The map: its version, whether it was not closed, its records by where their entries are."""

    minor: int
    dirty: bool
    records: dict[int, Record]


def parse_map(data: bytes) -> Map | None:
    """Return what a map says, ``None`` for what is none."""
    if len(data) < _MAP_HEADER:
        return None
    major, minor, _, _, dirty = struct.unpack_from(">HHIiI", data)
    if major != 1 or minor > 100:
        return None
    found: dict[int, Record] = {}
    for number in range(min((len(data) - _MAP_HEADER) // 16, _MOST_RECORDS)):
        digest, _, body, entry = _RECORD.unpack_from(data, _MAP_HEADER + 16 * number)
        if digest and entry & _IN_USE:
            found.setdefault(_plain(digest, entry), Record(digest, body, entry))
    return Map(minor, dirty != 0, found)


def _plain(digest: int, location: int) -> int:
    """Return a location as a key: block file and block; of an entry with a file of its own the hash of its key."""
    return location & 0x30FFFFFF if location & 0x30000000 else digest | 1 << 40


def record_of(known: Map, entry: Cache1Entry, number: int, header: int) -> Record | None:
    """Return the map's record of an entry that stands in block file ``number`` (0: in a file of its own)."""
    digests = (hash_of(entry.key), old_hash_of(entry.key))
    if not number:
        return next((r for d in digests if (r := known.records.get(d | 1 << 40)) is not None), None)
    block, rest = divmod(entry.offset - header, BLOCKS[number])
    if rest or block < 0:
        return None
    found = known.records.get(number << 28 | block & 0x00FFFFFF)
    return found if found is not None and found.digest in digests else None


def entries(read_at: ReadAt, size: int) -> Iterator[Cache1Entry]:
    """Yield what is an entry in a block file. They begin at multiples of 256 bytes whatever the size of blocks and bitmap."""
    count, free = 0, 0
    for start in range(0, size, _STEP):
        data = read_at(start, min(_STEP + 16384, size - start))
        for at in range(0, min(_STEP, len(data) - _ENTRY.size), 256):
            if start + at < free or data[at : at + 2] != b"\0\1":
                continue
            entry = parse_entry(data, at, start)
            if entry is None:
                continue
            count += 1
            if count > _MOST_ENTRIES:
                return
            free = entry.offset + entry.length
            yield entry


def parse_entry(data: bytes, at: int = 0, start: int = 0) -> Cache1Entry | None:
    """Return the entry at a place in bytes that begin at ``start`` in their file; ``None`` for what is none, or breaks off."""
    if at + _ENTRY.size > len(data):
        return None
    major, minor, location, fetches, fetched, modified, expires, body, key_length, length = _ENTRY.unpack_from(data, at)
    if major != 1 or minor > 100 or not fetched or fetches <= 0 or not 1 < key_length <= _LONGEST_KEY or length > _LARGEST_METADATA:
        return None
    begin = at + _ENTRY.size
    end = begin + key_length + length
    if end > len(data) or data[begin + key_length - 1] or b":" not in data[begin : begin + min(key_length, 200)]:
        return None
    key = data[begin : begin + key_length - 1]
    if b"\0" in key:
        return None
    values = data[begin + key_length : end].split(b"\0", 2 * _MOST_ELEMENTS)
    elements: dict[str, bytes] = {}
    for name, value in zip(values[::2], values[1::2], strict=False):
        elements.setdefault(name[:100].decode("latin-1"), value)
    return Cache1Entry(start + at, end - at, minor, location, fetches, fetched, modified, expires, body, key, elements)


def header_of(number: int, found: list[Cache1Entry], minor: int | None) -> int:
    """Return the bytes before the first block of a block file: as its entries' own locations say, else by the version."""
    votes: dict[int, int] = {}
    for entry in found:
        if entry.location & _IN_USE and entry.location >> 28 & 3 == number:
            header = entry.offset - (entry.location & 0x00FFFFFF) * BLOCKS[number]
            if 0 <= header <= 16384:
                votes[header] = votes.get(header, 0) + 1
    if votes:
        return max(sorted(votes), key=lambda header: votes[header])
    version = minor if minor is not None else max((entry.minor for entry in found), default=0)
    return 16384 >> 2 * (number - 1) if version >= 19 else 4096


def place_of(location: int) -> tuple[int, int, int] | None:
    """Return block file, block and number of blocks of a location; for a file of its own 0, the generation and 0; ``None``: unused."""
    if not location & _IN_USE:
        return None
    number = location >> 28 & 3
    return (number, location & 0x00FFFFFF, (location >> 24 & 3) + 1) if number else (0, location & 0xFF, 0)


def file_names(digest: int, generation: int, *, kind: str = "d") -> tuple[str, str]:
    """Return the names that a body (``d``) or entry (``m``) in a file of its own has, in small letters: in folders, and the older form."""
    name = f"{digest:08x}"
    return f"{name[0]}/{name[1:3]}/{name[3:]}{kind}{generation:02x}", f"{name}{kind}{generation:02x}"


def url_of(key: bytes) -> bytes:
    """Return the address in a key (``HTTP:https://…``, ``HTTP:anon&uri=https://…``, ``HTTP:id=5363a864&uri=https://…``)."""
    client, colon, rest = key.partition(b":")
    if not colon or b"/" in client:
        return key
    if rest.startswith((b"anon&", b"id=")):
        return rest.partition(b"uri=")[2] or rest
    return rest


def hash_of(key: bytes) -> int:
    """Return Mozilla's hash of a key (``nsDiskCache::Hash``, which is Bob Jenkins' of 1996)."""
    mask = 0xFFFFFFFF
    a = b = 0x9E3779B9
    c = 0
    whole = len(key) // 12 * 12
    for at in range(0, whole, 12):
        first, second, third = struct.unpack_from("<3I", key, at)
        a, b, c = _mixed(a + first & mask, b + second & mask, c + third & mask)
    tail = key[whole:]
    # The first byte of the last number is the length's.
    first, second = int.from_bytes(tail[:4], "little"), int.from_bytes(tail[4:8], "little")
    third = int.from_bytes(tail[8:], "little") << 8
    return _mixed(a + first & mask, b + second & mask, c + len(key) + third & mask)[2]


def _mixed(a: int, b: int, c: int) -> tuple[int, int, int]:
    mask = 0xFFFFFFFF
    for right, left, again in ((13, 8, 13), (12, 16, 5), (3, 10, 15)):
        a = (a - b - c & mask) ^ c >> right
        b = (b - c - a & mask) ^ a << left & mask
        c = (c - a - b & mask) ^ b >> again
    return a, b, c


def old_hash_of(key: bytes) -> int:
    """Return the hash of a key that Mozilla used before (to Firefox 3)."""
    value = 0
    for byte in key:
        value = value >> 28 ^ value << 4 & 0xFFFFFFFF ^ byte
    return value or 0xFFFFFFFF
