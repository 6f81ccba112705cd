"""The bytes of a member of a ZIP archive, undone and held against their checksum."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from triage.evidence import decoders
from triage.evidence.inflated import Inflated
from triage.logical.zipheaders import METHODS

if TYPE_CHECKING:
    from triage.filesystem.trees.tree import ReadAt
    from triage.logical.zipheaders import Central

DECODED = {8, 9, 12, 14, 93, 95}
"""Methods that are undone."""


def packed_bytes(read_at: ReadAt, start: int, packed: int) -> ReadAt:
    """Return what reads a member's bytes as they stand in the archive."""
    return lambda offset, length: read_at(start + offset, max(0, min(length, packed - offset)))


def unpacked(packed: ReadAt, one: Central, size: int | None) -> Inflated:
    """Return what a compressed member becomes; ``size`` is ``None`` where it is not known. Raises ``OSError`` for what is not read."""
    if one.method == 8:
        return Inflated(packed, one.packed, -zlib.MAX_WBITS, size)
    if one.method == 14:  # 5.8.8: version, length of the properties, properties
        head = packed(0, 9)
        make = decoders.lzma1_decoders(head[4:9]) if len(head) == 9 and head[2:4] == b"\5\0" else None
        if make is None:
            raise OSError("the properties of its compression cannot be")
        return Inflated(lambda at, length: packed(9 + at, length), one.packed - 9, make, size)
    plain = {9: decoders.deflate64_decoder, 12: decoders.bzip2_decoder, 93: decoders.zstd_decoder, 95: decoders.xz_decoder}.get(one.method)
    if plain is None:
        raise OSError(f"it is compressed by {METHODS.get(one.method, f'method {one.method}')}, which is not read")
    return Inflated(packed, one.packed, plain, size)


def reader(read_at: ReadAt, one: Central, start: int) -> ReadAt:
    """Return what reads a member whose bytes begin at ``start``. Raises ``OSError`` when they cannot be had."""
    if one.encrypted:
        raise OSError("it is encrypted")
    packed = packed_bytes(read_at, start, one.packed)
    plain = packed if one.method == 0 else unpacked(packed, one, one.size).read_at
    return plain if one.crc32 is None else Checked(plain, one.size, one.crc32)


class Checked:
    """A member's bytes, held against the archive's CRC-32 when read in order: the last read of such a pass fails where they differ."""

    def __init__(self, read_at: ReadAt, size: int, crc32: int) -> None:
        self._read_at, self._size, self._stated = read_at, size, crc32
        self._at, self._crc = 0, 0

    def __call__(self, offset: int, length: int) -> bytes:
        """Return the bytes."""
        data = self._read_at(offset, length)
        if offset == 0:
            self._at, self._crc = 0, 0
        if offset == self._at and data:
            self._crc = zlib.crc32(data, self._crc)
            self._at += len(data)
            if self._at == self._size and self._crc != self._stated:
                raise OSError("its checksum is wrong")
        return data
