"""PPMd variant H, with the range coders that RAR 3 and 7z read it by: what byte comes next is foretold from up to 64 bytes before it.

Written from D. Shkarin's model in I. Pavlov's Ppmd7.c (public domain). The model grows in a memory of a stated size and begins anew when
that is full, so the allocator is part of the format: its memory is kept here as slots of six bytes, two a unit.

A context is one unit: slot ``c`` has the number of its states less one in ``sym`` and the next shorter context in ``succ``. Slot ``c + 1``
is its only state, or has the sum of frequencies in ``freq`` and the place of its states in ``succ``. A state has symbol, frequency and
successor: a context above zero, below it a place in the text of what came, 0 for none.
"""

from __future__ import annotations

from triage.artifacts.ppmdmemory import INDEX, PpmdMemory
from triage.artifacts.structure import StructureError

_M, _TOP, _BOTTOM = 0xFFFFFFFF, 1 << 24, 1 << 15
_MOST = 124
_BEGIN_ESCAPE = (0x3CDD, 0x1F3F, 0x59BF, 0x48F3, 0x64A1, 0x5ABC, 0x6632, 0x6051)
_ESCAPE = (25, 14, 9, 7, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2)
_BY_SUFFIX = [0, 2, *[4] * 9, *[6] * 245]  # part of a binary context's place, by the states of its suffix
_DAMAGED = "its PPMd data are damaged"


def _see_rows() -> list[int]:
    """Return the row of escape estimates by the number of states that are not masked, less one."""
    rows, row, left = [0, 1, 2], 3, 1
    while len(rows) < 256:
        rows.append(row)
        left -= 1
        if not left:
            row += 1
            left = row - 2
    return rows


_SEE_ROW = _see_rows()


class Ppmd(PpmdMemory):
    """The model. ``order``: how many bytes it looks back; ``size``: bytes of memory; ``seven``: the range coder is that of 7z.

    :meth:`start` it on bytes, then :meth:`run`.
    """

    def __init__(self, order: int, size: int, *, seven: bool = False) -> None:
        self._order = order
        self._seven = seven
        super().__init__(size)
        self._data, self._place = b"", 0
        self._low = self._code = self._range = self._escape = 0
        self._begin_anew()

    def start(self, data: bytes, place: int) -> None:
        """Begin to read at a byte."""
        place += self._seven  # whose first byte is zero
        self._data, self._place = data, place + 4
        self._low, self._range = 0, _M
        self._code = int.from_bytes(data[place : place + 4].ljust(4, b"\0"), "big")

    @property
    def place(self) -> int:
        """The byte that is read next."""
        return self._place

    def _begin_anew(self) -> None:
        self._forget()
        self._hi -= 1
        self._fall = self._order
        self._run = self._run_start = -min(self._order, 12) - 1
        self._success = 0
        root, states = 2 * self._hi, 2 * self._lo
        self._lo += 128
        sym, freq, succ = self._sym, self._freq, self._succ
        sym[root], succ[root] = 255, 0
        freq[root + 1], succ[root + 1] = 257, states
        for number in range(256):
            sym[states + number], freq[states + number], succ[states + number] = number, 1, 0
        self._context = root
        self._before = 0  # the symbol before
        self._binary = [(1 << 14) - _BEGIN_ESCAPE[k & 7] // (i + 2) for i in range(128) for k in range(64)]
        self._see_sum = [(5 * i + 10) << 3 for i in range(25) for _ in range(16)] + [0]
        self._see_shift = [3] * 400 + [7]
        self._see_count = [4] * 400 + [64]

    # -- what is learned -------------------------------------------------------------------------------

    def _swap(self, state: int) -> None:
        """Exchange a state with the one before it."""
        sym, freq, succ = self._sym, self._freq, self._succ
        sym[state], sym[state - 1] = sym[state - 1], sym[state]
        freq[state], freq[state - 1] = freq[state - 1], freq[state]
        succ[state], succ[state - 1] = succ[state - 1], succ[state]

    def _find(self, context: int, symbol: int) -> int:
        """Return the state of a symbol in a context that has it."""
        if not self._sym[context]:
            return context + 1
        states = self._succ[context + 1]
        found = self._sym.find(symbol, states, states + self._sym[context] + 1)
        if found < 0:
            raise StructureError(_DAMAGED)
        return found

    def _rescale(self, context: int, state: int) -> int:
        """Halve the frequencies of a context, bring its states in order; return the state, which is now the first."""
        sym, freq, succ = self._sym, self._freq, self._succ
        states, count = succ[context + 1], sym[context] + 1
        rows = [(sym[i], freq[i], succ[i]) for i in range(states, states + count)]
        rows.insert(0, rows.pop(state - states))
        adder = 1 if self._fall else 0
        left = freq[context + 1] - rows[0][1]
        rows[0] = (rows[0][0], (rows[0][1] + 4 + adder) >> 1, rows[0][2])
        total = rows[0][1]
        for number in range(1, count):
            symbol, frequency, successor = rows[number]
            left -= frequency
            frequency = (frequency + adder) >> 1
            total += frequency
            at = number
            while at and frequency > rows[at - 1][1]:
                at -= 1
            del rows[number]
            rows.insert(at, (symbol, frequency, successor))
        kept = count
        while not rows[kept - 1][1]:
            kept -= 1
        left += count - kept
        if kept == 1:
            symbol, frequency, successor = rows[0]
            while True:
                frequency -= frequency >> 1
                left >>= 1
                if left <= 1:
                    break
            self._free[INDEX[((count + 1) >> 1) - 1]].append(states // 2)
            sym[context] = 0
            sym[context + 1], freq[context + 1], succ[context + 1] = symbol, frequency, successor
            return context + 1
        for number in range(kept):
            sym[states + number], freq[states + number], succ[states + number] = rows[number]
        if kept != count:
            sym[context] = kept - 1
            old, new = (count + 1) >> 1, (kept + 1) >> 1
            if old != new:
                states = self._shrink(states, old, new)
                succ[context + 1] = states
        freq[context + 1] = total + left - (left >> 1)
        return states

    def _successors(self, context: int, state: int, *, skip: bool) -> int:
        """Return the context of what was seen after a state, made where it is not there yet; 0 when there is no room."""
        sym, freq, succ = self._sym, self._freq, self._succ
        symbol, branch = sym[state], succ[state]
        waiting = [] if skip else [state]
        while succ[context]:
            context = succ[context]
            other = self._find(context, symbol)
            if succ[other] != branch:
                context = succ[other]
                if not waiting:
                    return context
                break
            waiting.append(other)
        if branch >= 0 or -branch >= len(self._text) or context <= 0:
            raise StructureError(_DAMAGED)
        next_symbol = self._text[-branch]
        other = self._find(context, next_symbol)
        if sym[context]:
            seen = freq[other] - 1
            rest = freq[context + 1] - sym[context] - 1 - seen
            often = 2 * seen > rest
            frequency = (1 + (2 * seen + 3 * rest - 1) // (2 * rest)) & 255 if often else 1 + (5 * seen > rest)
        else:
            frequency = freq[other]
        for one in reversed(waiting):
            new = self._new_context()
            if not new:
                return 0
            sym[new], succ[new] = 0, context
            sym[new + 1], freq[new + 1], succ[new + 1] = next_symbol, frequency, branch - 1
            succ[one] = new
            context = new
        return context

    def _learn(self, context: int, top: int, state: int) -> int:
        """Take note of a state of ``context`` that came after the escapes from ``top`` down to it; return the context that is next."""
        following = self._noted(context, top, state)
        if not following:
            self._begin_anew()
            return self._context
        self._before = self._sym[state]
        return following

    def _noted(self, context: int, top: int, state: int) -> int:
        sym, freq, succ = self._sym, self._freq, self._succ
        symbol, frequency, successor = sym[state], freq[state], succ[state]
        shorter = succ[context]
        if frequency < _MOST // 4 and shorter:
            other = self._find(shorter, symbol)
            if not sym[shorter]:
                if freq[other] < 32:
                    freq[other] += 1
            else:
                if other != succ[shorter + 1] and freq[other] >= freq[other - 1]:
                    self._swap(other)
                    other -= 1
                if freq[other] < _MOST - 9:
                    freq[other] += 2
                    freq[shorter + 1] += 2
        if not self._fall:
            following = self._successors(context, state, skip=True)
            if following:
                succ[state] = following
            return following
        self._text.append(symbol)
        branch = -len(self._text)
        if len(self._text) >= 12 * self._lowest + self._odd:
            return 0
        if successor:
            if successor < 0:
                successor = self._successors(context, state, skip=False)
                if not successor:
                    return 0
            self._fall -= 1
            if not self._fall:
                branch = successor
                if top != context:
                    self._text.pop()
        else:
            succ[state] = branch
            successor = context
        count = sym[context] + 1
        # The sum of a context that rescaling left one state lies where that state's symbol and frequency do.
        total = freq[context + 1] if sym[context] else sym[context + 1] | freq[context + 1] << 8
        rest = total - count - (frequency - 1)
        while top != context:
            states = sym[top] + 1
            if states != 1:
                if not states & 1:
                    index = INDEX[(states >> 1) - 1]
                    if index != INDEX[states >> 1]:
                        place = self._allocate(index + 1)
                        if not place:
                            return 0
                        self._move(succ[top + 1], place, states)
                        self._free[index].append(succ[top + 1] // 2)
                        succ[top + 1] = place
                total = freq[top + 1]
                total += (2 * states < count) + 2 * (4 * states <= count and total <= 8 * states)
            else:
                place = self._allocate(0)
                if not place:
                    return 0
                self._move(top + 1, place, 1)
                succ[top + 1] = place
                first = freq[place]
                first = first << 1 if first < _MOST // 4 - 1 else _MOST - 4
                freq[place] = first
                total = first + self._escape + (count > 3)
            weight = 2 * frequency * (total + 6)
            scale = rest + total
            if weight < 6 * scale:
                weight = 1 + (weight > scale) + (weight >= 4 * scale)
                total += 3
            else:
                weight = 4 + (weight >= 9 * scale) + (weight >= 12 * scale) + (weight >= 15 * scale)
                total += weight
            new = succ[top + 1] + states
            sym[new], freq[new], succ[new] = symbol, weight, branch
            freq[top + 1] = total
            sym[top] = states
            top = succ[top]
        return successor

    # -- the next bytes --------------------------------------------------------------------------------

    def run(self, out: bytearray, stop: int, end: int) -> bool:
        """Add bytes to ``out`` until ``stop`` comes, which is not added, or there are ``end`` of them; return whether it came.

        Raise ``StructureError`` where the bytes read are no PPMd.
        """
        try:
            return self._decode(out, stop, end)
        except (ZeroDivisionError, IndexError, OverflowError, ValueError) as error:
            raise error if isinstance(error, StructureError) else StructureError(_DAMAGED) from error

    def _decode(self, out: bytearray, stop: int, end: int) -> bool:
        sym, freq, succ, data = self._sym, self._freq, self._succ, self._data
        low, code, range_, place = self._low, self._code, self._range, self._place
        context, came, seven = self._context, False, self._seven
        while not came and len(out) < end:
            top, masked = context, None
            if sym[context]:
                total, states = freq[context + 1], succ[context + 1]
                range_ //= total
                count = ((code - low) & _M) // range_
                frequency = freq[states]
                if count < frequency:
                    range_ *= frequency
                    state = states
                    self._success = 1 if 2 * frequency > total else 0
                    self._run += self._success
                    freq[context + 1] = total + 4
                    freq[state] = frequency + 4
                    if frequency + 4 > _MOST:
                        state = self._rescale(context, state)
                else:
                    self._success = 0
                    reached = frequency
                    last = states + sym[context]
                    state = states
                    while state < last:
                        state += 1
                        frequency = freq[state]
                        reached += frequency
                        if reached > count:
                            break
                    else:
                        if count >= total:
                            raise StructureError(_DAMAGED)
                        masked = set(sym[states : last + 1])
                    if masked is None:
                        low = (low + (reached - frequency) * range_) & _M
                        range_ *= frequency
                        freq[context + 1] = total + 4
                        freq[state] = frequency + 4
                        if frequency + 4 > freq[state - 1]:
                            self._swap(state)
                            state -= 1
                            if frequency + 4 > _MOST:
                                state = self._rescale(context, state)
                    else:
                        low = (low + reached * range_) & _M
                        range_ *= total - reached
            else:
                state = context + 1
                frequency, symbol = freq[state], sym[state]
                at = (
                    64 * (frequency - 1)
                    + self._success
                    + _BY_SUFFIX[sym[succ[context]]]
                    + (8 if self._before > 63 else 0)
                    + (16 if symbol > 63 else 0)
                    + (self._run >> 26 & 32)
                )
                chance = self._binary[at]
                rest = range_
                range_ >>= 14
                bound = range_ * chance
                if ((code - low) & _M) < bound:
                    range_ = bound
                    self._binary[at] = chance + 128 - ((chance + 32) >> 7)
                    if frequency < 128:
                        freq[state] = frequency + 1
                    self._success = 1
                    self._run += 1
                else:
                    if ((code - low) & _M) >= (rest if seven else range_ << 14):
                        raise StructureError(_DAMAGED)
                    low = (low + bound) & _M
                    range_ = rest - bound if seven else range_ * (16384 - chance)
                    chance -= (chance + 32) >> 7
                    self._binary[at] = chance
                    self._escape = _ESCAPE[chance >> 10]
                    self._success = 0
                    masked = {symbol}
            while True:  # once, and once more for each escape
                while True:
                    if seven:
                        if range_ >= _TOP:
                            break
                    elif (low ^ (low + range_ & _M)) >= _TOP:
                        if range_ >= _BOTTOM:
                            break
                        range_ = -low & (_BOTTOM - 1)
                    code = (code << 8 & _M) | (data[place] if place < len(data) else 0)
                    range_ = range_ << 8 & _M
                    low = low << 8 & _M
                    place += 1
                    if place > len(data) + 8:
                        raise StructureError("ends before its compressed data do")
                if masked is None:
                    break
                hidden = sym[context]
                while sym[context] == hidden:
                    self._fall += 1
                    context = succ[context]
                    if not context:
                        raise StructureError(_DAMAGED)
                states, number = succ[context + 1], sym[context] + 1
                open_ = [i for i, symbol in enumerate(sym[states : states + number], states) if symbol not in masked]
                reached = sum([freq[i] for i in open_])
                total = freq[context + 1]
                see = 400
                if number != 256:
                    see = (
                        16 * _SEE_ROW[len(open_) - 1]
                        + (len(open_) < sym[succ[context]] + 1 - number)
                        + 2 * (total < 11 * number)
                        + 4 * (hidden + 1 > len(open_))
                        + (8 if self._before > 63 else 0)
                    )
                    escape = self._see_sum[see] >> self._see_shift[see]
                    self._see_sum[see] = self._see_sum[see] - escape & 0xFFFF
                    escape = escape or 1
                else:
                    escape = 1
                whole = reached + escape
                range_ //= whole
                count = ((code - low) & _M) // range_
                if count >= reached:
                    if count >= whole:
                        raise StructureError(_DAMAGED)
                    low = (low + reached * range_) & _M
                    range_ *= escape
                    self._see_sum[see] = self._see_sum[see] + whole & 0xFFFF
                    masked.update(sym[states : states + number])
                    continue
                reached = 0
                for state in open_:
                    frequency = freq[state]
                    reached += frequency
                    if reached > count:
                        break
                low = (low + (reached - frequency) * range_) & _M
                range_ *= frequency
                if self._see_shift[see] < 7:
                    self._see_count[see] -= 1
                    if not self._see_count[see]:
                        self._see_sum[see] = self._see_sum[see] << 1 & 0xFFFF
                        self._see_count[see] = 3 << self._see_shift[see] & 255
                        self._see_shift[see] += 1
                freq[context + 1] = total + 4
                freq[state] = frequency + 4
                if frequency + 4 > _MOST:
                    state = self._rescale(context, state)
                self._run = self._run_start
                masked = None
            symbol = sym[state]
            if symbol == stop:
                came = True
            else:
                out.append(symbol)
            following = succ[state]
            if following > 0 and not self._fall:
                context = following
                self._before = symbol
            else:
                context = self._learn(context, top, state)
        self._low, self._code, self._range, self._place, self._context = low, code, range_, place, context
        return came
