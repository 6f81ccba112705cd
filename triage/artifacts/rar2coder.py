"""Decompression of RAR 2.0 to 2.8: LZ77 with Huffman codes, and sound of up to four channels.

Written from rardecode (decode20.go, BSD). Few such archives are left, so this is written short rather than fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.rar3coder import DISTANCE_BITS, DISTANCES, LENGTH_BITS, LENGTHS, SHORT, SHORT_BITS
from triage.artifacts.rarbits import Bits, forget, make_table
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.artifacts.rarbits import Table, Work

_MAIN, _SLOTS, _REPEAT, _SOUND = 298, 48, 28, 257
_TABLES_COST, _STEP, _COST = 4096, 1024, 6


class _Channel:
    """What foretells the next sample of a channel."""

    def __init__(self) -> None:
        self.weights = [0] * 5
        self.steps = [0] * 4
        self.sums = [0] * 11
        self.last_step = self.last = self.count = 0

    def sample(self, change: int, other: int) -> tuple[int, int]:
        """Return the next byte and the step to it; ``other``: the step of the channel before this one."""
        self.count += 1
        steps = self.steps
        steps[:] = [self.last_step, self.last_step - steps[0], steps[1], steps[2]]
        guess = 8 * self.last + sum([weight * step for weight, step in zip(self.weights, (*steps, other), strict=True)])
        value = ((guess >> 3) & 255) - change
        eight = (change - 256 if change > 127 else change) << 3
        sums = self.sums
        sums[0] += abs(eight)
        for number, step in enumerate((*steps, other)):
            sums[2 * number + 1] += abs(eight - step)
            sums[2 * number + 2] += abs(eight + step)
        step = (value - self.last + 128 & 255) - 128
        self.last_step, self.last = step, value
        if not self.count & 31:
            best = sums.index(min(sums))
            self.sums = [0] * 11
            if best:
                weight = self.weights[(best - 1) // 2]
                change = -1 if best & 1 and weight >= -16 else 1 if not best & 1 and weight < 16 else 0
                self.weights[(best - 1) // 2] = weight + change
        return value & 255, step


class Rar2Decoder:
    """One solid group."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._out = bytearray()
        self._old = [0] * (4 * _SOUND)
        self._tables: list[Table] = []
        self._sound = False
        self._near = [0, 0, 0, 0]
        self._length = 0
        self._channels = [_Channel() for _ in range(4)]
        self._channel = self._step = 0

    def member(self, data: bytes, size: int, dictionary: int) -> tuple[bytes, str]:
        """Return at most ``size`` bytes that a member's packed ones are, and why not all; see :class:`rarcodec.Decoder`."""
        forget(self._out, dictionary)
        start, why = len(self._out), ""
        end = start + size
        bits = Bits(data, 8 * len(data))
        try:
            if not self._tables and size:
                self._read_tables(bits)
            while len(self._out) < end:
                before = len(self._out)
                due = self._samples(bits, min(end, before + _STEP)) if self._sound else self._symbols(bits, min(end, before + _STEP))
                self._work.spend(_COST * (len(self._out) - before) + 64)
                if due:
                    self._read_tables(bits)
            last = 256 if self._sound else 269
            if bits.end - bits.place >= 40 and bits.symbol(self._tables[self._channel if self._sound else 0]) == last:
                self._read_tables(bits)  # those of the next member
        except StructureError as error:
            why = str(error) if len(self._out) < end else ""
        del self._out[end:]
        return bytes(self._out[start:]), why

    def _read_tables(self, bits: Bits) -> None:
        self._work.spend(_TABLES_COST)
        self._sound = bool(bits.take(1))
        if not bits.take(1):
            self._old = [0] * (4 * _SOUND)
        sizes = [_MAIN, _SLOTS, _REPEAT]
        if self._sound:
            sizes = [_SOUND] * (bits.take(2) + 1)
            self._channel = self._channel if self._channel < len(sizes) else 0
        table = make_table([bits.take(4) for _ in range(19)])
        found: list[int] = []
        while len(found) < sum(sizes):
            if bits.ended:
                raise StructureError("ends before its compressed data do")
            symbol = bits.symbol(table)
            if symbol < 16:
                found.append((symbol + self._old[len(found)]) & 15)
            elif symbol == 16:
                if not found:
                    raise StructureError("code lengths that repeat nothing")
                found += [found[-1]] * (bits.take(2) + 3)
            else:
                found += [0] * (bits.take(3) + 3 if symbol == 17 else bits.take(7) + 11)
        del found[sum(sizes) :]
        self._old[: len(found)] = found
        self._tables = [make_table(found[sum(sizes[:n]) : sum(sizes[: n + 1])]) for n in range(len(sizes))]

    def _samples(self, bits: Bits, end: int) -> bool:
        """Decode sound; return whether new tables follow."""
        out = self._out
        while len(out) < end:
            if bits.ended:
                raise StructureError("ends before its compressed data do")
            symbol = bits.symbol(self._tables[self._channel])
            if symbol == 256:
                return True
            value, self._step = self._channels[self._channel].sample(symbol, self._step)
            out.append(value)
            self._channel = (self._channel + 1) % len(self._tables)
        return False

    def _symbols(self, bits: Bits, end: int) -> bool:
        """Decode bytes and repetitions; return whether new tables follow."""
        out, (main, far, repeat) = self._out, self._tables
        while len(out) < end:
            if bits.ended:
                raise StructureError("ends before its compressed data do")
            symbol = bits.symbol(main)
            if symbol < 256:
                out.append(symbol)
                continue
            if symbol == 269:
                return True
            distance = self._near[0]
            if symbol > 269:
                self._length = LENGTHS[symbol - 270] + 3 + bits.take(LENGTH_BITS[symbol - 270])
                slot = bits.symbol(far)
                distance = DISTANCES[slot] + bits.take(DISTANCE_BITS[slot])
                self._length += (distance >= 0x2000) + (distance >= 0x40000)
            elif symbol > 260:
                self._length = 2
                distance = SHORT[symbol - 261] + bits.take(SHORT_BITS[symbol - 261])
            elif symbol > 256:
                distance = self._near[symbol - 257]
                slot = bits.symbol(repeat)
                self._length = LENGTHS[slot] + 2 + bits.take(LENGTH_BITS[slot])
                self._length += (distance >= 0x101) + (distance >= 0x2000) + (distance >= 0x40000)
            self._near = [distance, *self._near[:3]]
            start = len(out) - distance
            if start < 0 or not distance or not self._length:
                raise StructureError("a repetition of what was not there")
            out += (out[start : start + self._length] * (self._length // distance + 1))[: self._length]
        return False
