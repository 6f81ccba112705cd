"""Decompression of RAR 2.9 to 4: LZ77 with Huffman codes, PPMd, and filters, which are programs and are known by their checksums.

Written from the descriptions of the format in libarchive (archive_read_support_format_rar.c) and rardecode (decode29.go), both BSD.
A solid group is one dictionary: the decoder is kept from member to member.
"""

from __future__ import annotations

import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import rarfilters
from triage.artifacts.ppmd import Ppmd
from triage.artifacts.rarbits import MASKS, NONE, STRETCH, Bits, ExhaustedError, forget, make_table, read_lengths
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.artifacts.rarbits import Table, Work

_MAIN, _SLOTS, _LOW, _REPEAT = 299, 60, 17, 28
_TABLES_COST, _PPMD_COST, _MODEL_COST, _PPMD_STEP = 4096, 24, 1 << 16, 4096
_MOST_BY_MODEL = 16 << 20  # bytes that come out of PPMd: it takes minutes
_MOST_PROGRAMS, _MOST_FILTERS, _LONGEST_FILTER = 1024, 8192, 1 << 22
_FILTERS = {
    (53, 0xAD576887): "e8",
    (57, 0x3CD7E57E): "e8e9",
    (120, 0x3769893F): "itanium",
    (29, 0x0E06077D): "delta",
    (149, 0x1C2C5DC8): "rgb",
    (216, 0xBC85E701): "audio",
}
_UNKNOWN = "a filter that is not known: the bytes are as they were before it was undone"

LENGTH_BITS = [0] * 8 + [bits for bits in range(1, 6) for _ in range(4)]
LENGTHS = [sum(1 << bits for bits in LENGTH_BITS[:code]) for code in range(_REPEAT)]
DISTANCE_BITS = [0] * 4 + [bits for bits in range(1, 16) for _ in range(2)] + [16] * 14 + [18] * 12
DISTANCES = [1 + sum(1 << bits for bits in DISTANCE_BITS[:slot]) for slot in range(_SLOTS)]
SHORT = (1, 5, 9, 17, 33, 65, 129, 193)
SHORT_BITS = (2, 2, 3, 4, 5, 6, 6, 6)


class _Filter(NamedTuple):
    """What is to be undone over a stretch of what came out, ``start`` from its member's on."""

    start: int
    length: int
    kind: str
    registers: tuple[int, ...]


class Rar3Decoder:
    """One solid group: its dictionary, which is what came out before filters, and all that is kept from member to member."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._out = bytearray()
        self._first = 0  # where the member begins there
        self._header_due = True
        self._kind = 0  # the symbol at which decoding stopped
        self._lengths = [0] * (_MAIN + _SLOTS + _LOW + _REPEAT)
        self._tables: tuple[Table, Table, Table, Table] | None = None
        self._near = [0, 0, 0, 0]
        self._length = self._low = self._low_again = 0
        self._model: Ppmd | None = None
        self._by_model = False
        self._model_left = _MOST_BY_MODEL
        self._stop = 2  # the byte that is an escape in PPMd
        self._programs: list[str] = []
        self._program_lengths: list[int] = []
        self._program = 0
        self._filters: list[_Filter] = []

    def member(self, data: bytes, size: int, dictionary: int) -> tuple[bytes, str]:
        """Return at most ``size`` bytes that a member's packed ones are, and why not all; see :class:`rarcodec.Decoder`."""
        forget(self._out, dictionary)
        self._first, why = len(self._out), ""
        self._filters = []
        end = self._first + size
        bits = Bits(data, 8 * len(data))
        try:
            while not bits.ended and len(self._out) <= end:
                if self._header_due:
                    self._read_header(bits)
                if self._by_model:
                    if self._by_ppmd(bits, end):
                        break
                elif self._by_codes(bits, end):
                    break
        except StructureError as error:
            why = str(error)
        del self._out[end:]
        if len(self._out) < end:
            why = why or "ends before its compressed data do"
        result, reason = self._filtered()
        return result, why or reason

    # -- blocks ----------------------------------------------------------------------------------------

    def _read_header(self, bits: Bits) -> None:
        bits.align()
        self._by_model = bool(bits.take(1))
        self._header_due = False
        if self._by_model:
            self._read_model(bits)
            return
        self._low = self._low_again = 0
        old = self._lengths if bits.take(1) else None
        self._work.spend(_TABLES_COST)
        self._lengths = lengths = read_lengths(bits, len(self._lengths), old)
        places = (0, _MAIN, _MAIN + _SLOTS, _MAIN + _SLOTS + _LOW, len(lengths))
        main, far, low, repeat = (make_table(lengths[start:end]) for start, end in pairwise(places))
        self._tables = (main, far, low, repeat)

    def _read_model(self, bits: Bits) -> None:
        flags = bits.take(7)
        memory = bits.take(8) + 1 if flags & 0x20 else 0
        if flags & 0x40:
            self._stop = bits.take(8)
        if memory:
            order = (flags & 0x1F) + 1
            if order > 16:
                order = 16 + 3 * (order - 16)
            if order < 2:
                raise StructureError("its PPMd data are damaged")
            self._work.spend(_MODEL_COST + memory * 8192)
            self._model = Ppmd(order, memory << 20)
        if self._model is None:
            raise StructureError("its PPMd data have no beginning")
        self._model.start(bits.data, bits.place // 8)

    def _by_ppmd(self, bits: Bits, end: int) -> bool:
        """Decode bytes by the model; return whether the member ends."""
        model, out = self._model, self._out
        if model is None:
            raise StructureError("its PPMd data have no beginning")
        try:
            while len(out) <= end:
                before = len(out)
                came = model.run(out, self._stop, min(end + 1, before + _PPMD_STEP))
                self._work.spend(_PPMD_COST * (len(out) - before + came))
                self._model_left -= len(out) - before
                if self._model_left < 0:
                    raise ExhaustedError(f"more than {_MOST_BY_MODEL >> 20} MiB that PPMd packed: it takes too much work")
                if not came:
                    continue
                (code,) = self._plain(1)
                if code in (0, 2):
                    self._header_due = True
                    return bool(code)
                if code == 3:
                    self._read_filter(self._plain)
                elif code == 4:
                    far2, far1, far0, length = self._plain(4)
                    self._copy((far2 << 16 | far1 << 8 | far0) + 2, length + 32)
                elif code == 5:
                    self._copy(1, self._plain(1)[0] + 4)
                else:
                    out.append(self._stop)
        finally:
            bits.seek(8 * model.place)
        return True

    def _plain(self, count: int) -> bytes:
        """Return bytes that stand behind an escape."""
        found = bytearray()
        if self._model is None:
            raise StructureError("text without a model")
        self._model.run(found, -1, count)
        self._work.spend(_PPMD_COST * count)
        return bytes(found)

    def _copy(self, distance: int, length: int) -> None:
        out = self._out
        start = len(out) - distance
        if start < 0:
            raise StructureError("a repetition of what was not there")
        out += (out[start : start + length] * (length // distance + 1))[:length]

    def _by_codes(self, bits: Bits, end: int) -> bool:
        """Decode a block of codes; return whether the member ends."""
        before = len(self._out)
        while True:
            self._codes(bits, min(end, before + STRETCH))
            self._work.spend(len(self._out) - before + 64)
            before = len(self._out)
            if bits.ended or before > end:
                return True
            if self._kind == 256:
                if bits.take(1):
                    self._header_due = True
                    return False
                self._header_due = bool(bits.take(1))
                return True
            if self._kind == 257:
                self._read_filter(lambda count: bytes(bits.take(8) for _ in range(count)))

    def _codes(self, bits: Bits, end: int) -> None:
        """Decode to a symbol that is no data, which is kept as ``_kind``, to the end, or to where more than ``end`` bytes came out."""
        if self._tables is None:
            raise StructureError("a block without tables")
        main, far, low_table, repeat = self._tables
        out, words, count, masks = self._out, bits.words, bits.count, MASKS
        append, near0, near1, near2, near3 = out.append, *self._near
        length, low_last, low_again = self._length, self._low, self._low_again
        acc, have, at, low = bits.acc, bits.have, bits.at, bits.low
        whole = 64 * count + 129 - bits.end
        self._kind = 0
        while True:
            if have < low:
                if at == count or len(out) > end:
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
            if symbol > 270:
                if symbol == NONE:
                    raise StructureError("a code that its table does not have")
                symbol -= 271
                length = LENGTHS[symbol] + 3
                extra = LENGTH_BITS[symbol]
                if extra:
                    have -= extra
                    length += (acc >> have) & masks[extra]
                slot, width = far[(acc >> (have - 15)) & 0x7FFF]
                have -= width
                if slot == NONE:
                    raise StructureError("a code that its table does not have")
                distance = DISTANCES[slot]
                extra = DISTANCE_BITS[slot]
                if extra > 3:
                    if extra > 4:
                        have -= extra - 4
                        distance += ((acc >> have) & masks[extra - 4]) << 4
                    if low_again:
                        low_again -= 1
                    else:
                        slot, width = low_table[(acc >> (have - 15)) & 0x7FFF]
                        have -= width
                        if slot == 16:
                            low_again = 15
                        else:
                            low_last = slot
                    distance += low_last
                elif extra:
                    have -= extra
                    distance += (acc >> have) & masks[extra]
                if distance >= 0x2000:
                    length += 1 if distance < 0x40000 else 2
                near3 = near2
                near2 = near1
                near1 = near0
                near0 = distance
            elif symbol > 262:
                symbol -= 263
                extra = SHORT_BITS[symbol]
                have -= extra
                near3 = near2
                near2 = near1
                near1 = near0
                near0 = SHORT[symbol] + ((acc >> have) & masks[extra])
                length = 2
            elif symbol > 258:
                if symbol == 259:
                    distance = near0
                elif symbol == 260:
                    distance, near1 = near1, near0
                elif symbol == 261:
                    distance, near2, near1 = near2, near1, near0
                else:
                    distance, near3, near2, near1 = near3, near2, near1, near0
                near0 = distance
                slot, width = repeat[(acc >> (have - 15)) & 0x7FFF]
                have -= width
                if slot == NONE:
                    raise StructureError("a code that its table does not have")
                length = LENGTHS[slot] + 2
                extra = LENGTH_BITS[slot]
                if extra:
                    have -= extra
                    length += (acc >> have) & masks[extra]
            elif symbol < 258:
                self._kind = symbol
                break
            start = len(out) - near0
            if start < 0 or not near0 or not length:
                raise StructureError("a repetition of what was not there")
            if near0 >= length:
                out += out[start : start + length]
            else:
                out += (out[start:] * (length // near0 + 1))[:length]
        self._near = [near0, near1, near2, near3]
        self._length, self._low, self._low_again = length, low_last, low_again
        bits.acc, bits.have, bits.at, bits.low = acc, have, at, low

    # -- filters ---------------------------------------------------------------------------------------

    def _read_filter(self, read: Callable[[int], bytes]) -> None:
        """Read a filter's description, of which ``read`` gives the next bytes."""
        flags = read(1)[0]
        length = (flags & 7) + 1
        if length == 7:
            length = read(1)[0] + 7
        elif length == 8:
            length = int.from_bytes(read(2), "big")
        self._work.spend(64 + length)
        told = read(length)
        bits = Bits(told, 8 * length)
        if flags & 0x80:
            number = _number(bits)
            if not number:
                self._programs, self._program_lengths = [], []
            self._program = max(number - 1, 0)
        if self._program > len(self._programs) or self._program >= _MOST_PROGRAMS:
            raise StructureError("a filter that there is not")
        start = _number(bits) + (258 if flags & 0x40 else 0)
        if self._program == len(self._program_lengths):
            self._program_lengths.append(0)
        if flags & 0x20:
            self._program_lengths[self._program] = _number(bits)
        stretch = self._program_lengths[self._program]
        registers = [0] * 7
        if flags & 0x10:
            chosen = bits.take(7)
            for register in range(7):
                if chosen >> register & 1:
                    registers[register] = _number(bits)
        if self._program == len(self._programs):
            size = _number(bits)
            if not 0 < size <= length:
                raise StructureError("a filter that there is not")
            code = bytes(bits.take(8) for _ in range(size))
            self._programs.append(_FILTERS.get((size, zlib.crc32(code)), ""))
        if len(self._filters) >= _MOST_FILTERS or stretch > _LONGEST_FILTER:
            raise StructureError("a filter that there is not")
        kind = self._programs[self._program]
        self._work.spend(stretch * (4 if kind in ("rgb", "audio") else 1))
        self._filters.append(_Filter(len(self._out) - self._first + start, stretch, kind, tuple(registers)))

    def _filtered(self) -> tuple[bytes, str]:
        """Return what came out of the member with its filters undone, and which could not be."""
        result, why = self._out[self._first :], ""
        for one in self._filters:
            data = bytes(result[one.start : one.start + one.length])
            if len(data) < one.length or not one.kind:
                why = why or (_UNKNOWN if not one.kind else "a filter over more than there is")
                continue
            result[one.start : one.start + one.length] = _undone(one, data)
        return bytes(result), why


def _undone(one: _Filter, data: bytes) -> bytes:
    first, second = one.registers[0], one.registers[1]
    if one.kind in ("e8", "e8e9"):
        return rarfilters.x86(data, one.start, jumps=one.kind == "e8e9", wraps=False)
    if one.kind == "itanium":
        return rarfilters.itanium(data, one.start)
    if one.kind == "rgb":
        return rarfilters.rgb(data, first - 3, second)
    if not first:
        return data
    return rarfilters.delta(data, first) if one.kind == "delta" else rarfilters.audio(data, first)


def _number(bits: Bits) -> int:
    """Return a number as filters' descriptions have it, of 4, 8, 16 or 32 bits, or a negative one of 8 as 32."""
    width = bits.take(2)
    if width == 1:
        value = bits.take(8)
        return value if value > 15 else 0xFFFFFF00 | value << 4 | bits.take(4)
    return bits.take(4 << width)
