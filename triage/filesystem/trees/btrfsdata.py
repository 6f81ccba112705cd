"""A Btrfs file's bytes: its extents (inline, as they are, compressed, holes) and the decoders they need, all bounded.

Sources: the Btrfs wiki, "On-disk Format" (EXTENT_DATA); Linux kernel documentation, "LZO stream format as understood by Linux's LZO
decompressor".
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import zstandard

from triage.filesystem.trees.btrfs import NodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from triage.filesystem.trees.btrfs import Btrfs
    from triage.filesystem.trees.tree import ReadAt

_INLINE, _REGULAR, _PREALLOCATED = 0, 1, 2
_LONGEST = 1 << 20
"""Compressed extents are 128 KiB; some room is left."""
_PIECE = 1 << 22
_LZO_PIECE = 1 << 16
_NAMES = {1: "zlib", 2: "lzo", 3: "zstd"}


class Extent(NamedTuple):
    """A piece of a file. ``place``: logical, 0 for a hole; ``skip``: where it begins in what is (or becomes, undone) ``whole`` bytes."""

    start: int
    length: int
    place: int
    stored: int
    skip: int
    whole: int
    packing: int
    data: bytes | None = None


def extent_of(start: int, item: bytes) -> Extent | None:
    """Return one EXTENT_DATA item; ``None`` when it cannot be."""
    if len(item) < 21:
        return None
    whole, packing, locked, other, kind = struct.unpack_from("<QBBHB", item, 8)
    if locked or other or packing > 3:
        return None
    if kind == _INLINE:
        data = item[21:]
        if whole > _LONGEST or (not packing and whole > len(data)):
            return None
        return Extent(start, whole, 0, len(data), 0, whole, packing, data)
    if kind not in (_REGULAR, _PREALLOCATED) or len(item) < 53:
        return None
    place, stored, skip, length = struct.unpack_from("<QQQQ", item, 21)
    if kind == _PREALLOCATED or not place:
        return Extent(start, length, 0, 0, 0, 0, 0)
    if packing and (whole > _LONGEST or stored > _LONGEST or skip + length > whole):
        return None
    if not packing and skip + length > stored:
        return None
    return Extent(start, length, place, stored, skip, whole, packing)


def unpack(packing: int, data: bytes, length: int, sector: int) -> bytes:
    """Return ``length`` bytes of a compressed extent; raises :class:`NodeError` when it is damaged.

    What is packed may end before the last sector does: the rest is zeros, as Linux has it.
    """
    ended = True
    try:
        if packing == 1:
            unpacker = zlib.decompressobj()
            out = unpacker.decompress(data, length) if length else b""
            ended = unpacker.eof or len(out) >= length
        elif packing == 3:
            decoder = zstandard.ZstdDecompressor(max_window_size=1 << 20).decompressobj()
            held = bytearray()
            for at in range(0, len(data), 1024):
                if len(held) >= length or decoder.eof:
                    break
                held += decoder.decompress(data[at : at + 1024])
            out = bytes(held[:length])
            ended = decoder.eof or len(held) >= length
        else:
            out = _lzo(data, length, sector)
    except (zlib.error, zstandard.ZstdError, ValueError, IndexError) as error:
        raise NodeError(f"a compressed extent ({_NAMES.get(packing, packing)}) is damaged: {error}") from error
    if not ended or (length and not out):
        raise NodeError(f"a compressed extent ({_NAMES.get(packing, packing)}) ends early")
    return out.ljust(length, b"\0")


def _lzo(data: bytes, length: int, sector: int) -> bytes:
    """Undo pieces of one sector each; their lengths (32 bits) never lie across the border of a sector of the input."""
    total = min(int.from_bytes(data[:4], "little"), len(data))
    out, at = bytearray(), 4
    while at < total and len(out) < length:
        if -at % sector < 4 and at % sector:
            at += -at % sector
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4
        if not 0 < size <= total - at:
            raise ValueError("a piece reaches past the end")
        out += lzo1x(data[at : at + size], _LZO_PIECE)
        at += size
    return bytes(out[:length])


def lzo1x(data: bytes, most: int) -> bytes:
    """Undo LZO1X; raises ``ValueError`` or ``IndexError`` when it is damaged or more than ``most`` bytes come out."""
    out, at, state = bytearray(), 0, 0
    if data[0] > 17:
        count = data[0] - 17
        out += data[1 : 1 + count]
        at, state = 1 + count, min(count, 4)
    while True:
        code = data[at]
        at += 1
        if code >= 64:
            length = 5 + (code >> 5 & 3) if code >= 128 else 3 + (code >> 5 & 1)
            distance, follow = (data[at] << 3) + (code >> 2 & 7) + 1, code & 3
            at += 1
        elif code >= 16:
            mask = 31 if code >= 32 else 7
            length, at = _length(data, at, code & mask, mask)
            length += 2
            word = data[at] | data[at + 1] << 8
            at += 2
            distance, follow = (word >> 2) + 1, word & 3
            if code < 32:
                distance += 16383 + ((code & 8) << 11)
                if distance == 16384:
                    return bytes(out)
        elif state == 0:
            length, at = _length(data, at, code, 15)
            length += 3
            if at + length > len(data) or len(out) + length > most:
                raise ValueError("it reaches past the end")
            out += data[at : at + length]
            at, state = at + length, 4
            continue
        else:
            distance, follow = (data[at] << 2) + (code >> 2) + (2049 if state == 4 else 1), code & 3
            length = 3 if state == 4 else 2
            at += 1
        if distance > len(out) or len(out) + length > most:
            raise ValueError("it reaches before the beginning, or past the end")
        if distance >= length:
            begin = len(out) - distance
            out += out[begin : begin + length]
        else:
            pattern = bytes(out[-distance:])
            out += (pattern * (length // distance + 1))[:length]
        out += data[at : at + follow]
        at, state = at + follow, follow


def _length(data: bytes, at: int, short: int, base: int) -> tuple[int, int]:
    """Return a length and where reading goes on: bytes of nought stand for 255 each when the short one is 0."""
    if short:
        return short, at
    length = base
    while not data[at]:
        length += 255
        at += 1
    return length + data[at], at + 1


def reader_of(fs: Btrfs, extents: Iterable[Extent], size: int) -> ReadAt:
    """Return ``read_at(offset, length)`` over extents; between them and in holes are zeros."""
    pieces = sorted(extents, key=lambda one: one.start)
    starts = [one.start for one in pieces]
    last: list[tuple[Extent, bytes]] = []

    def whole(one: Extent) -> bytes:
        if last and last[0][0] is one:
            return last[0][1]
        data = one.data if one.data is not None else fs.read(one.place, one.stored)
        out = unpack(one.packing, data, one.whole, fs.block_size) if one.packing else data
        last[:] = [(one, out)]
        return out

    def part(one: Extent, inside: int, length: int) -> bytes:
        if one.packing or one.data is not None:
            return whole(one)[one.skip + inside : one.skip + inside + length]
        if not one.place:
            return bytes(length)
        return fs.read(one.place + one.skip + inside, length)

    def read_at(offset: int, length: int) -> bytes:
        end = min(offset + max(0, length), size)
        out = []
        while 0 <= offset < end:
            number = bisect_right(starts, offset) - 1
            until = min(end, starts[number + 1] if number + 1 < len(starts) else end, offset + _PIECE)
            one = pieces[number] if number >= 0 else None
            if one is None or offset >= one.start + one.length:
                out.append(bytes(until - offset))
            else:
                until = min(until, one.start + one.length)
                out.append(part(one, offset - one.start, until - offset))
            offset = until
        return b"".join(out)

    return read_at
