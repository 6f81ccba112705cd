"""Reading the codes of a JPEG's scans without making a picture of them, to find the byte from which on they make no sense.

ITU-T T.81: Huffman codes (F.2.2), progressive scans (G.1.2), restart intervals (E.2.4). libjpeg forgives much that no encoder writes:
runs that lead past a block's last coefficient, means that no picture has, runs of empty blocks past the end of the picture. Here each
of them counts, so that bytes that are not the picture's are noticed within a few dozen. Positions are in bytes of the scan's data as
they are in the file, with their stuffing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.carving.jpegparts import Frame, Scan

COST = 5
"""What reading a byte here costs, in bytes read from the medium: far less than the time it takes, since there are few that need it."""
_RESTART = re.compile(rb"\xff+([\xd0-\xd7])")
_WINDOW = 8192
"""Bytes whose words are laid out at once."""
_SLACK = 260
"""Bytes that a block may have: 64 codes of at most 32 bits, and what is looked at behind the last."""
_EVERY = 192
"""Bytes between two states that are kept, at least."""
_END = 1 << 13


@dataclass(frozen=True, slots=True)
class State:
    """Where the reading of a scan stands before a unit: ``at`` the byte, ``bit`` the first of it that is not used up.

    ``unit``: how many are done. ``means``: the last mean of each component of the scan. ``run``: how many empty blocks are still to come
    (progressive). ``interval``: the unit in which the restart interval began.
    """

    at: int = 0
    bit: int = 0
    unit: int = 0
    means: tuple[int, ...] = ()
    run: int = 0
    interval: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """How far a scan's data make sense.

    ``verdict``: ``whole`` when they end just where the picture does; ``open`` when they make sense as far as they go; ``bad`` when
    they do not at ``at``. ``states``: some of the states on the way, in order, the first at the start. ``unit``: how many are done.
    """

    verdict: str
    at: int
    unit: int
    states: tuple[State, ...]


class _BadCodeError(Exception):
    """The codes make no sense from this bit on."""

    def __init__(self, place: int, unit: int) -> None:
        super().__init__()
        self.place, self.unit = place, unit


class Reader:
    """Reads one scan. ``masks``: for each component of the frame which coefficients of its blocks are set so far (progressive)."""

    def __init__(self, frame: Frame, scan: Scan, steps: dict[int, int], masks: list[list[int]] | None = None) -> None:
        self.frame, self.scan = frame, scan
        self.across, self.down = frame.units(scan.selected)
        self.total = self.across * self.down
        parts = [frame.components[one] for one in scan.selected]
        self.layout = [n for n, c in enumerate(parts) for _ in range(c.across * c.down if len(parts) > 1 else 1)]
        self.slack = _SLACK * len(self.layout)
        # A block's mean is at most 1024 times 8 / 8 steps away from the middle grey (A.3.3), at 8 bits; its step may round it.
        reach = 8 << (frame.precision - 1)
        self.reach = [(reach >> scan.low) // max(1, steps.get(c.table, 1)) + 2 for c in parts]
        self.wide = 11 if frame.precision == 8 else 15
        self.masks = masks[scan.selected[0]] if masks is not None and scan.first else []
        self.changed: list[tuple[int, int]] = []
        self.dc = [dc_codes(spec, self.wide) if spec else [] for spec in scan.dc]
        self.ac: list[tuple[list[int], list[int]]] = []
        if not frame.progressive:
            self.ac = [ac_codes(spec, self.wide - 1) for spec in scan.ac]
        elif scan.first:
            self.ac = [([], plain_codes(scan.ac[0]))]

    def start(self) -> State:
        """Return the state before the first unit."""
        return State(means=(0,) * len(self.scan.selected))

    def forget(self, unit: int) -> None:
        """Make the blocks from ``unit`` on what they were before this scan was read: it will be read again from there."""
        while self.changed and self.changed[-1][0] >= unit:
            number, mask = self.changed.pop()
            self.masks[number] = mask

    def read(self, data: bytes, state: State, *, ended: bool) -> Trace:
        """Read on from ``state``; ``data`` begin at the byte of the scan where that stands. ``ended``: a marker follows behind them."""
        origin, states, at = state.at, [state], 0
        self.forget(state.unit)
        restart, marks = self.scan.restart, list(_RESTART.finditer(data)) if self.scan.restart else []
        for number in range(len(marks) + 1):
            mark = marks[number] if number < len(marks) else None
            stop = mark.start() if mark is not None else len(data)
            goal = min(self.total, state.interval + restart) if restart else self.total
            closed = ended or mark is not None
            plain, stuffed = _plain(data[at:stop])
            found: list[tuple[int, int, tuple[int, ...], int]] = []
            try:
                place, unit = self._interval(plain, state, goal, found)
                # Fewer bits fill the last byte; some cameras add a byte or two to that.
                bad = unit == goal and len(plain) * 8 - place >= (8 if restart and closed else 32)
            except _BadCodeError as error:
                place, unit, bad = error.place, error.unit, True
                if place + 16 > len(plain) * 8 and not closed:  # what the code would be lies behind what there is
                    bad = False
            if found:
                bits = np.array([one[0] for one in found])
                raw = _raw(bits >> 3, stuffed) + origin + at
                states += [
                    State(int(r), int(b) & 7, u, m, run, state.interval) for r, b, (_, u, m, run) in zip(raw, bits, found, strict=True)
                ]
            where = origin + at + int(_raw(np.array([min(place >> 3, len(plain))]), stuffed)[0])
            if bad:
                return Trace("bad", where, unit, tuple(states))
            if mark is None:
                verdict = "open" if not ended else "whole" if unit == self.total else "bad"
                return Trace(verdict, origin + len(data), unit, tuple(states))
            if unit != goal or unit >= self.total or mark[1][0] & 7 != (unit // restart - 1) & 7:
                return Trace("bad", origin + stop, unit, tuple(states))
            at = mark.end()
            state = State(origin + at, 0, unit, (0,) * len(self.scan.selected), 0, unit)
            states.append(state)
        raise AssertionError("the last interval ends the loop")

    def _interval(self, data: bytes, state: State, goal: int, found: list[tuple[int, int, tuple[int, ...], int]]) -> tuple[int, int]:
        """Read the units up to ``goal``; return the bit behind them and how many are done: fewer when the data end before."""
        if self.frame.progressive:
            if self.scan.first:
                return self._refine(data, state, goal, found) if self.scan.high else self._spectrum(data, state, goal, found)
            if self.scan.high:
                place = state.bit + (goal - state.unit) * len(self.layout)
                short = max(0, place - len(data) * 8)
                if short:
                    return len(data) * 8, goal - -(-short // len(self.layout))
                return place, goal
        return self._units(data, state, goal, found)

    def _units(self, data: bytes, state: State, goal: int, found: list[tuple[int, int, tuple[int, ...], int]]) -> tuple[int, int]:
        """Read units of blocks: all coefficients of them, or only the means (the first scan of a progressive picture)."""
        only_means = self.frame.progressive or not self.scan.last
        blocks = [(n, self.dc[n], *(self.ac[n] if not only_means else ([], [])), self.reach[n]) for n in self.layout]
        means, unit, place, size = list(state.means), state.unit, state.bit, len(data) * 8
        kept, last = state.bit - _EVERY * 8 + 1, self.scan.last
        while unit < goal and place < size:
            base = place >> 3
            words = _words(data, base, self.slack)
            p, limit = place - base * 8, _WINDOW * 8
            shift = base * 8
            while unit < goal and p < limit:
                if p + shift - kept >= _EVERY * 8:
                    found.append((p + shift, unit, tuple(means), 0))
                    kept = p + shift
                begin = p
                for n, dc, many, one, reach in blocks:
                    e = dc[words[p >> 3] >> 16 - (p & 7) & 0xFFFF]
                    if e < 0:
                        raise self._fail(p + shift, unit, size)
                    p += e & 31
                    if s := e >> 5:
                        v = words[p >> 3] >> 32 - (p & 7) - s & (1 << s) - 1
                        means[n] += v if v >> s - 1 else v - (1 << s) + 1
                        if not -reach <= means[n] <= reach:
                            raise self._fail(p + shift, unit, size)
                        p += s
                    if only_means:
                        continue
                    k = 0
                    while True:
                        e = many[words[p >> 3] >> 16 - (p & 7) & 0xFFFF]
                        if e < 0:
                            raise self._fail(p + shift, unit, size)
                        k += e >> 6 & 127
                        if k < last:
                            p += e & 63
                            if e & _END:
                                break
                            continue
                        if k == last and not e & _END:
                            p += e & 63
                            break
                        # The block may end within these codes: they are taken one by one.
                        k -= e >> 6 & 127
                        while True:
                            e = one[words[p >> 3] >> 16 - (p & 7) & 0xFFFF]
                            if e < 0:
                                raise self._fail(p + shift, unit, size)
                            p += e & 63
                            k += e >> 6 & 127
                            if e & _END or k == last:
                                break
                            if k > last:
                                raise self._fail(p + shift, unit, size)
                        break
                if p + shift > size:
                    return begin + shift, unit
                unit += 1
            place = p + shift
        return place, unit

    @staticmethod
    def _fail(place: int, unit: int, size: int) -> _BadCodeError:
        return _BadCodeError(min(place, size), unit)

    def _spectrum(self, data: bytes, state: State, goal: int, found: list[tuple[int, int, tuple[int, ...], int]]) -> tuple[int, int]:
        """Read the first bits of a band of coefficients (G.1.2.2)."""
        codes, masks, first, last = self.ac[0][1], self.masks, self.scan.first, self.scan.last
        unit, place, run, size, kept = state.unit, state.bit, state.run, len(data) * 8, state.bit - _EVERY * 8 + 1
        while unit < goal and (place < size or run):
            base = place >> 3
            words, shift = _words(data, base, self.slack), base * 8
            p, limit = place - shift, _WINDOW * 8
            while unit < goal and p < limit:
                if p + shift - kept >= _EVERY * 8:
                    found.append((p + shift, unit, (0,), run))
                    kept = p + shift
                if run:
                    step = min(run, goal - unit)
                    run, unit = run - step, unit + step
                    continue
                k, begin, mask = first, p, 0
                while k <= last:
                    e = codes[words[p >> 3] >> 16 - (p & 7) & 0xFFFF]
                    r, s = e >> 4 & 15, e & 15
                    if e < 0 or s > 14:
                        raise self._fail(p + shift, unit, size)
                    p += e >> 8
                    if s:
                        k += r
                        mask |= 1 << k
                        k += 1
                        p += s
                        if k > last + 1:
                            raise self._fail(p + shift, unit, size)
                    elif r == 15:
                        k += 16
                        if k > last:
                            raise self._fail(p + shift, unit, size)
                    else:
                        run = (1 << r) + (words[p >> 3] >> 32 - (p & 7) - r & (1 << r) - 1 if r else 0)
                        p += r
                        if run > goal - unit:
                            raise self._fail(p + shift, unit, size)
                        run -= 1
                        break
                if p + shift > size:
                    return begin + shift, unit
                if mask and unit < len(masks):
                    masks[unit] |= mask
                unit += 1
            place = p + shift
        return place, unit

    def _refine(self, data: bytes, state: State, goal: int, found: list[tuple[int, int, tuple[int, ...], int]]) -> tuple[int, int]:
        """Read one more bit of a band of coefficients: of those that are set already, and of those that now are (G.1.2.3)."""
        codes, masks, first, last = self.ac[0][1], self.masks, self.scan.first, self.scan.last
        band = (1 << last + 1) - (1 << first)
        unit, place, run, size, kept = state.unit, state.bit, state.run, len(data) * 8, state.bit - _EVERY * 8 + 1
        while unit < goal and place < size + 1:
            base = place >> 3
            words, shift = _words(data, base, self.slack), base * 8
            p, limit = place - shift, _WINDOW * 8
            while unit < goal and p < limit:
                if p + shift - kept >= _EVERY * 8:
                    found.append((p + shift, unit, (0,), run))
                    kept = p + shift
                mask = old = masks[unit] & band if unit < len(masks) else 0
                k, begin = first, p
                while not run and k <= last:
                    e = codes[words[p >> 3] >> 16 - (p & 7) & 0xFFFF]
                    r, s = e >> 4 & 15, e & 15
                    if e < 0 or s > 1:
                        raise self._fail(p + shift, unit, size)
                    p += (e >> 8) + s
                    if not s and r < 15:
                        run = (1 << r) + (words[p >> 3] >> 32 - (p & 7) - r & (1 << r) - 1 if r else 0)
                        p += r
                        if run > goal - unit:
                            raise self._fail(p + shift, unit, size)
                        break
                    while k <= last:
                        if old >> k & 1:
                            p += 1
                        elif not r:
                            break
                        else:
                            r -= 1
                        k += 1
                    if k > last:
                        raise self._fail(p + shift, unit, size)
                    mask |= s << k
                    k += 1
                if run:
                    p += (old >> k).bit_count()
                    run -= 1
                if p + shift > size:
                    return begin + shift, unit
                if mask != old:
                    self.changed.append((unit, masks[unit]))
                    masks[unit] |= mask
                unit += 1
            place = p + shift
            if place >= size and unit < goal:
                break
        return place, unit


@dataclass(frozen=True, slots=True)
class Followed:
    """How far the scans of a picture make sense: all before ``index``, and that one as ``trace`` says, which ``reader`` reads."""

    index: int
    reader: Reader
    trace: Trace

    def shown(self, at: int) -> tuple[int, int]:
        """Return how many units, and rows of the picture, the data up to a byte of the scan show: of a progressive one, however coarse."""
        frame = self.reader.frame
        done = [state.unit for state in self.trace.states if state.at <= at]
        unit = self.trace.unit if at >= self.trace.at else max(done, default=0)
        if self.index:
            return unit, frame.height if frame.progressive else 0
        return unit, min(frame.height, unit // max(1, self.reader.across) * frame.unit()[1])


@lru_cache(maxsize=1)
def follow(frame: Frame, scans: tuple[Scan, ...], steps: tuple[tuple[int, int], ...], data: bytes) -> Followed:
    """Read the scans, whose ``data`` begin at the first one's start, until one makes no sense or the data end.

    The last answer is kept: whoever looks for the rest of a picture has just asked how much of it there is.
    """
    masks: list[list[int]] | None = None
    if frame.progressive:
        masks = [[0] * (across * down) for across, down in (frame.units((one,)) for one in range(len(frame.components)))]
    base = scans[0].start
    for index, scan in enumerate(scans):  # noqa: B007
        reader = Reader(frame, scan, dict(steps), masks)
        ended = 0 <= scan.end - base <= len(data)
        trace = reader.read(data[scan.start - base : scan.end - base if ended else None], reader.start(), ended=ended)
        if trace.verdict != "whole":
            break
    return Followed(index, reader, trace)


def _plain(data: bytes) -> tuple[bytes, NDArray[np.int64]]:
    """Return the data without stuffing, and the places in it behind which a zero was taken out."""
    array = np.frombuffer(data, np.uint8)
    stuffed = np.flatnonzero((array[:-1] == 0xFF) & (array[1:] == 0)) if len(array) > 1 else np.zeros(0, np.int64)
    return data.replace(b"\xff\0", b"\xff"), stuffed - np.arange(len(stuffed))


def _raw(places: NDArray[np.int64], stuffed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where bytes of the plain data are in the stuffed."""
    return places + np.searchsorted(stuffed, places)


def _words(data: bytes, base: int, slack: int) -> list[int]:
    """Return the 32 bits that begin at each byte, most significant first; ones behind the end. A unit takes ``slack`` bytes at most."""
    part = data[base : base + _WINDOW + slack]
    part += b"\xff" * (min(_WINDOW, len(part)) + slack + 4 - len(part))
    array = np.frombuffer(part, np.uint8).astype(np.uint32)
    words = array[:-3] << 24 | array[1:-2] << 16 | array[2:-1] << 8 | array[3:]
    found: list[int] = words.tolist()
    return found


def _lengths(spec: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each 16 bits, how long the code is that they begin with (0 for none) and its value (annex C)."""
    lengths, values = np.zeros(1 << 16, np.int64), np.zeros(1 << 16, np.int64)
    code, at = 0, 16
    for bits in range(1, 17):
        for _ in range(spec[bits - 1]):
            start, end = code << 16 - bits, code + 1 << 16 - bits
            lengths[start:end], values[start:end] = bits, spec[at]
            code, at = code + 1, at + 1
        code <<= 1
    return lengths, values


def _shared(array: NDArray[np.int64]) -> list[int]:
    """Return a list whose equal numbers are one object: a tenth of the memory."""
    numbers, places = np.unique(array, return_inverse=True)
    known: list[int] = numbers.tolist()
    return [known[place] for place in places.tolist()]


@lru_cache(maxsize=16)
def dc_codes(spec: bytes, wide: int) -> list[int]:
    """Return, for each 16 bits, ``code length | bits of the difference << 5``, or -1."""
    lengths, values = _lengths(spec)
    return _shared(np.where((lengths > 0) & (values <= wide), lengths | values << 5, -1))


@lru_cache(maxsize=16)
def plain_codes(spec: bytes) -> list[int]:
    """Return, for each 16 bits, ``code length << 8 | value``, or -1."""
    lengths, values = _lengths(spec)
    return _shared(np.where(lengths > 0, lengths << 8 | values, -1))


@lru_cache(maxsize=16)
def ac_codes(spec: bytes, wide: int) -> tuple[list[int], list[int]]:
    """Return, for each 16 bits, what all whole codes in them do together up to the end of the block, and what the first one does.

    ``bits used | coefficients << 6``, with bit 13 set at the end of the block; -1 for no code. The bits of a value may lie behind the 16.
    """
    lengths, values = _lengths(spec)
    run, size = values >> 4, values & 15
    end = (size == 0) & (run == 0)
    good = (lengths > 0) & (size <= wide) & ((size > 0) | (run == 0) | (run == 15))
    used, steps = lengths + size, np.where(end, 0, run + 1)
    total, count, ended, open_ = used.copy(), steps.copy(), end.copy(), good & ~end
    index = np.arange(1 << 16)
    for _ in range(7):
        following = (index << np.minimum(total, 16)) & 0xFFFF
        open_ &= (total < 16) & good[following] & (lengths[following] <= 16 - total) & (count + steps[following] < 128)
        total = np.where(open_, total + used[following], total)
        count = np.where(open_, count + steps[following], count)
        ended |= open_ & end[following]
        open_ &= ~end[following]
    many = np.where(good, total | count << 6 | np.where(ended, _END, 0), -1)
    return _shared(many), _shared(np.where(good, used | steps << 6 | np.where(end, _END, 0), -1))
