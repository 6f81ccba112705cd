"""Decompression of RAR 5 and 7: blocks of LZ77 with Huffman codes, and filters over what comes out of them.

Written from the description of the format in libarchive (archive_read_support_format_rar5.c) and rardecode (decode50.go), both BSD.
A solid group is one dictionary: the decoder is kept from member to member.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import rarfilters
from triage.artifacts.rarbits import MASKS, NONE, STRETCH, Bits, forget, make_table, read_lengths
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.artifacts.rarbits import Table, Work

_MAIN, _SLOTS, _SLOTS_7, _LOW, _REPEAT = 306, 64, 80, 16, 44
_MOST_FILTERS, _LONGEST_FILTER = 8192, 1 << 22
_FARTHEST = 55  # the last slot of distances up to 256 MiB: a larger dictionary is not kept, and more bits would not fit
_TABLES_COST = 4096  # of work: reading the tables of a block takes as long as so many bytes

_LENGTHS = [2 + code if code < 8 else 2 + ((4 | code & 3) << code // 4 - 1) for code in range(_REPEAT)]
_LENGTH_BITS = [0 if code < 8 else code // 4 - 1 for code in range(_REPEAT)]
_DISTANCES = [1 + slot if slot < 4 else 1 + ((2 | slot & 1) << slot // 2 - 1) for slot in range(_SLOTS_7)]
_DISTANCE_BITS = [0 if slot < 4 else slot // 2 - 1 for slot in range(_SLOTS_7)]


class _Filter(NamedTuple):
    """What is to be undone over a stretch of what came out; ``channels`` of differences."""

    start: int
    length: int
    kind: int
    channels: int


class Rar5Decoder:
    """One solid group: its dictionary, which is what came out before filters, its tables and last distances.

    ``version`` is 0 for RAR 5 and 1 for RAR 7, whose distances may be longer.
    """

    def __init__(self, work: Work, version: int = 0) -> None:
        self._work = work
        self._slots = _SLOTS_7 if version else _SLOTS
        self._out = bytearray()
        self._tables: tuple[Table, Table, Table, Table] | None = None
        self._near = [0, 0, 0, 0]
        self._length = 0
        self._filters: list[_Filter] = []

    def member(self, data: bytes, size: int, dictionary: int) -> tuple[bytes, str]:
        """Return at most ``size`` bytes that a member's packed ones are, and why not all; see :class:`rarcodec.Decoder`."""
        forget(self._out, dictionary)
        start, why = len(self._out), ""
        self._filters = []
        try:
            self._blocks(data, start + size)
        except StructureError as error:
            why = str(error)
        del self._out[start + size :]
        if len(self._out) < start + size:
            why = why or "ends before its compressed data do"
        try:
            return self._filtered(start), why
        except StructureError as error:
            return bytes(self._out[start:]), why or str(error)

    def _blocks(self, data: bytes, end: int) -> None:
        at, last = 0, False
        while not last and len(self._out) < end:
            flags, check, *rest = data[at : at + 5].ljust(5, b"\0")
            width = (flags >> 3 & 3) + 1
            if width > 3 or at + 2 + width > len(data):
                raise StructureError("ends before its compressed data do" if at + 2 + width > len(data) else "a block that there is not")
            size, sum_ = 0, 0x5A ^ flags
            for number in range(width):
                size |= rest[number] << (8 * number)
                sum_ ^= rest[number]
            if sum_ != check:
                raise StructureError("a block whose checksum is wrong")
            at += 2 + width
            bits = Bits(data[at : at + size], max(0, 8 * (size - 1) + (flags & 7) + 1))
            at += size
            last = bool(flags & 0x40)
            if flags & 0x80:
                self._read_tables(bits)
            if self._tables is None:
                raise StructureError("a block without tables")
            self._work.spend(64)
            while not bits.ended and len(self._out) < end:
                before = len(self._out)
                self._block(bits, min(end, before + STRETCH))
                self._work.spend(len(self._out) - before + 64)

    def _read_tables(self, bits: Bits) -> None:
        self._work.spend(_TABLES_COST)
        lengths = read_lengths(bits, _MAIN + self._slots + _LOW + _REPEAT)
        places = (0, _MAIN, _MAIN + self._slots, _MAIN + self._slots + _LOW, len(lengths))
        main, far, low, repeat = (make_table(lengths[start:end]) for start, end in pairwise(places))
        self._tables = (main, far, low, repeat)

    def _block(self, bits: Bits, end: int) -> None:
        """Decode a block to its end, or to where ``end`` bytes came out (a few more may)."""
        if self._tables is None:
            raise StructureError("a block without tables")
        main, far, low_table, repeat = self._tables
        out, words, count, masks = self._out, bits.words, bits.count, MASKS
        append, near0, near1, near2, near3 = out.append, *self._near
        length = self._length
        acc, have, at, low = bits.acc, bits.have, bits.at, bits.low
        whole = 64 * count + 129 - bits.end
        lengths, length_bits, distances, distance_bits = _LENGTHS, _LENGTH_BITS, _DISTANCES, _DISTANCE_BITS
        while True:
            if have < low:
                if at == count or len(out) >= end:
                    break
                acc = ((acc & 0x7FFF) << 64) | words[at]
                have += 64
                at += 1
                if at == count:
                    acc <<= 128
                    have += 128
                    low = whole
            symbol, width = main[(acc >> (have - 15)) & 0x7FFF]
            have -= width
            if symbol < 256:
                append(symbol)
                continue
            if have < 62 and at < count:
                acc = ((acc & masks[have]) << 64) | words[at]
                have += 64
                at += 1
                if at == count:
                    acc <<= 128
                    have += 128
                    low = whole
            if symbol > 261:
                if symbol == NONE:
                    raise StructureError("a code that its table does not have")
                symbol -= 262
                length = lengths[symbol]
                extra = length_bits[symbol]
                if extra:
                    have -= extra
                    length += (acc >> have) & masks[extra]
                slot, width = far[(acc >> (have - 15)) & 0x7FFF]
                have -= width
                if slot > _FARTHEST:
                    raise StructureError("a repetition of what was not there")
                distance = distances[slot]
                extra = distance_bits[slot]
                if extra > 3:
                    if extra > 4:
                        have -= extra - 4
                        distance += ((acc >> have) & masks[extra - 4]) << 4
                    slot, width = low_table[(acc >> (have - 15)) & 0x7FFF]
                    have -= width
                    distance += slot
                elif extra:
                    have -= extra
                    distance += (acc >> have) & masks[extra]
                if distance > 0x100:
                    length += 1 if distance <= 0x2000 else 2 if distance <= 0x40000 else 3
                near3 = near2
                near2 = near1
                near1 = near0
                near0 = distance
            elif symbol == 256:
                bits.acc, bits.have, bits.at, bits.low = acc, have, at, low
                self._read_filter(bits)
                acc, have, at, low = bits.acc, bits.have, bits.at, bits.low
                continue
            elif symbol > 257:
                if symbol == 258:
                    distance = near0
                elif symbol == 259:
                    distance, near1 = near1, near0
                elif symbol == 260:
                    distance, near2, near1 = near2, near1, near0
                else:
                    distance, near3, near2, near1 = near3, near2, near1, near0
                near0 = distance
                slot, width = repeat[(acc >> (have - 15)) & 0x7FFF]
                have -= width
                if slot == NONE:
                    raise StructureError("a code that its table does not have")
                length = lengths[slot]
                extra = length_bits[slot]
                if extra:
                    have -= extra
                    length += (acc >> have) & masks[extra]
            start = len(out) - near0
            if start < 0 or not near0 or not length:
                raise StructureError("a repetition of what was not there")
            if near0 >= length:
                out += out[start : start + length]
            else:
                out += (out[start:] * (length // near0 + 1))[:length]
        self._near = [near0, near1, near2, near3]
        self._length = length
        bits.acc, bits.have, bits.at, bits.low = acc, have, at, low

    def _read_filter(self, bits: Bits) -> None:
        start, length = _number(bits), _number(bits)
        kind = bits.take(3)
        channels = bits.take(5) + 1 if kind == 0 else 0
        if len(self._filters) >= _MOST_FILTERS or length > _LONGEST_FILTER or kind > 3:
            raise StructureError("a filter that there is not")
        self._work.spend(64 + length)
        self._filters.append(_Filter(len(self._out) + start, length, kind, channels))

    def _filtered(self, first: int) -> bytes:
        """Return what came out of the member that begins at ``first`` with its filters undone. Their places count from its start."""
        result = self._out[first:]
        for one in self._filters:
            start = one.start - first
            data = bytes(result[start : start + one.length])
            if len(data) < one.length:
                raise StructureError("a filter over more than there is")
            if one.kind == 0:
                data = rarfilters.delta(data, one.channels)
            elif one.kind == 3:
                data = rarfilters.arm(data, start)
            else:
                data = rarfilters.x86(data, start, jumps=one.kind == 2, wraps=True)
            result[start : start + one.length] = data
        return bytes(result)


def _number(bits: Bits) -> int:
    """Return a number of one to four bytes, the lowest first."""
    count = bits.take(2) + 1
    return int.from_bytes(bytes(bits.take(8) for _ in range(count)), "little")
