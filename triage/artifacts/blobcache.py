"""Android Gallery's cache of pictures (``imgcache.0``, ``imgcache.1``, ``imgcache.idx``): blobs one behind the other, and a table of them.

Layout (AOSP, ``com.android.gallery3d.common.BlobCache``; little-endian). A data file begins with u32 0xBD248510; a blob has u64 key, u32
Adler-32 of its bytes, u32 its own offset in the file, u32 length, then the bytes. The index: u32 0xB3273030, entries at most, bytes at
most, active region, entries, bytes, version, checksum, then for either region a table of u64 key, u32 offset (0: free). In ``imgcache`` a
blob is the key's text in UTF-16 (path, time of change, kind of thumbnail, with ``+`` between), then the picture.

Blobs are found by that they state their own offset: so damage, or an index that is lost, costs only what is damaged.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

MAGIC_DATA, MAGIC_INDEX = 0xBD248510, 0xB3273030
_BLOB = struct.Struct("<QIII")
_PIECE = 4 << 20
_LARGEST_BLOB, _LONGEST_KEY = 64 << 20, 4096
_KEY = re.compile(r"(.{1,2000}?)\+(\d{1,19})\+(\d{1,3})", re.DOTALL)
_MAGICS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF8")


class Blob(NamedTuple):
    """A blob: its key, where its bytes are (without its header), and whether they agree with the checksum."""

    key: int
    offset: int
    length: int
    sound: bool


class Picture(NamedTuple):
    """What a blob of ``imgcache`` says: the key's text, its path, time of change and kind if it has them, where the picture begins."""

    text: str
    path: str
    time: int | None
    kind: int | None
    start: int


def blobs(read_at: ReadAt, size: int) -> Iterator[Blob]:
    """Yield the blobs of a data file in order."""
    free = 4
    for start in range(0, size, _PIECE):
        data = read_at(start, min(_PIECE + _BLOB.size, size - start))
        for at in _candidates(data, start):
            if at < free or at >= start + _PIECE:
                continue
            key, checksum, _, length = _BLOB.unpack_from(data, at - start)
            if not 0 < length <= _LARGEST_BLOB or at + _BLOB.size + length > size:
                continue
            content = read_at(at + _BLOB.size, length)
            free = at + _BLOB.size + length
            yield Blob(key, at + _BLOB.size, length, zlib.adler32(content) == checksum)


def _candidates(data: bytes, start: int) -> list[int]:
    """Return the offsets, in the file, at which a number says just that offset where a blob's header has it."""
    found: list[int] = []
    for shift in range(4):
        whole = (len(data) - shift - 12) // 4
        if whole <= 0:
            continue
        numbers = np.frombuffer(data, "<u4", whole, shift + 12)
        places = np.arange(start + shift, start + shift + 4 * whole, 4, dtype=np.int64)
        found += places[numbers == places].tolist()
    return sorted(at for at in found if at >= 4 and at - start + _BLOB.size <= len(data))


def indexed(index: bytes, region: int) -> set[tuple[int, int]] | None:
    """Return keys and offsets of the blobs that an index has of a region (0 or 1), the offsets without a header; ``None``: it is none."""
    if len(index) < 32 or int.from_bytes(index[:4], "little") != MAGIC_INDEX:
        return None
    most = int.from_bytes(index[4:8], "little")
    start = 32 + 12 * most * region
    count = min(most, (len(index) - start) // 12)
    found = (struct.unpack_from("<QI", index, start + 12 * number) for number in range(max(count, 0)))
    return {(key, offset + _BLOB.size) for key, offset in found if offset}


def picture_of(head: bytes) -> Picture | None:
    """Return what a blob of ``imgcache`` says by its first bytes; ``None`` when no picture begins in them."""
    start = min((at for magic in _MAGICS if (at := head.find(magic, 0, _LONGEST_KEY)) >= 0), default=-1)
    if start < 0:
        return None
    text = head[: start - start % 2].decode("utf-16-le", "replace").rstrip("\0")
    match = _KEY.match(text)
    if match is None:
        return Picture(text, "", None, None, start)
    return Picture(text, match[1], int(match[2]), int(match[3]), start)
