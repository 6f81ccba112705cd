"""Packets of an MPEG transport stream in whole arrays: sync bytes, running numbers, clock (ISO/IEC 13818-1, 2.4.3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from triage.carving.window import Window

Raw = np.ndarray[Any, np.dtype[np.uint8]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
SYNC = 0x47
NULL = 0x1FFF
_CLOCK = 1 << 33
_SPLICES = 1000
_FEW, _PROBE = 8, 350
_LATER = 5 * 90_000
"""Ticks of the clock by which it may be later behind a gap."""
_SPLICE = 64
"""Packets within which running numbers of several streams jump when something was put in or is missing."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Packets of ``size`` bytes, of which the first ``before`` are not the standard's 188: a time stamp (192), or a code behind (204)."""

    size: int
    before: int


SHAPES = (Shape(188, 0), Shape(192, 4), Shape(204, 0))


@dataclass(slots=True)
class Seen:
    """What was seen of a stream: packets by PID and the last running number of each.

    ``advances``: packets whose running number is one more than the last one's. ``splices``: packets from which on those of several streams
    do not go on; ``group``: the streams of the last of these places.
    """

    shape: Shape
    packets: int = 0
    counts: Counter[int] = field(default_factory=Counter)
    running: dict[int, int] = field(default_factory=dict)
    advances: int = 0
    jump_count: int = 0
    last_jump: int = -1
    group_start: int = -(1 << 30)
    group: set[int] = field(default_factory=set)
    splices: list[int] = field(default_factory=list)
    clock_pid: int = -1
    first_clock: int = 0
    last_clock: int = 0

    def duration(self) -> int:
        """Return milliseconds between the first and the last clock reference, or 0."""
        return (self.last_clock - self.first_clock) % _CLOCK // 90 if self.clock_pid >= 0 else 0

    def jump(self, packet: int, pid: int) -> None:
        """Note that a running number does not go on. Several streams at once tell of a splice: one alone is bad reception."""
        self.jump_count += 1
        if packet - self.group_start > _SPLICE:
            self.group_start, self.group = packet, set()
        self.group.add(pid)
        if len(self.group) == 2 and len(self.splices) < _SPLICES and self.group_start not in self.splices[-1:]:
            self.splices.append(self.group_start)
        self.last_jump = packet


def as_packets(data: bytes, shape: Shape) -> Raw:
    """Return the whole packets of ``data``, one a row, without what stands before the sync byte."""
    count = len(data) // shape.size
    return np.frombuffer(data, dtype=np.uint8, count=count * shape.size).reshape(count, shape.size)[:, shape.before :]


def is_packet(raw: Raw) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Tell which rows have the sync byte and either payload or adaptation field."""
    right: np.ndarray[Any, np.dtype[np.bool_]] = (raw[:, 0] == SYNC) & ((raw[:, 3] & 0x30) != 0)
    return right


def pids(raw: Raw) -> Numbers:
    """Return the streams that the packets belong to."""
    return (raw[:, 1].astype(np.int64) & 0x1F) << 8 | raw[:, 2]


def take(seen: Seen, raw: Raw) -> None:
    """Take packets, all of them right ones, into what was seen."""
    if not len(raw):
        return
    streams = pids(raw)
    order = np.argsort(streams.astype(np.uint16), kind="stable")
    sorted_streams, sorted_raw = streams[order], raw[order, :4]
    fourth = sorted_raw[:, 3]
    numbers, payload = fourth & 15, (fourth & 0x10) != 0
    first = np.ones(len(order), dtype=bool)
    first[1:] = sorted_streams[1:] != sorted_streams[:-1]
    before = np.empty_like(numbers)
    before[1:] = numbers[:-1]
    starts = np.flatnonzero(first)
    for at, size in zip(starts.tolist(), np.diff(np.append(starts, len(order))).tolist(), strict=True):
        pid = int(sorted_streams[at])
        known = seen.running.get(pid)
        before[at] = known if known is not None else (int(numbers[at]) - int(payload[at])) & 15
        seen.counts[pid] += size
        seen.running[pid] = int(numbers[at + size - 1])
    step = (numbers - before) & 15
    seen.advances += int(np.count_nonzero(payload & (step == 1)))
    odd = np.where(payload, step > 1, step != 0) & (sorted_streams != NULL) & ((sorted_raw[:, 1] & 0x80) == 0)
    for at in sorted(order[odd].tolist()):
        if raw[at, 3] & 0x20 and raw[at, 4] and raw[at, 5] & 0x80:  # discontinuity_indicator (2.4.3.5)
            continue
        seen.jump(seen.packets + at, int(streams[at]))
    _clocks(seen, raw, streams)
    seen.packets += len(raw)


def _clocks(seen: Seen, raw: Raw, streams: Numbers) -> None:
    """Note the first and last programme clock reference of one stream (2.4.3.5)."""
    with_clock = np.flatnonzero(((raw[:, 3] & 0x20) != 0) & (raw[:, 4] >= 7) & ((raw[:, 5] & 0x10) != 0))
    if not len(with_clock):
        return
    if seen.clock_pid < 0:
        seen.clock_pid = int(streams[with_clock[0]])
        seen.first_clock = seen.last_clock = _clock(raw[with_clock[0]])
    mine = with_clock[streams[with_clock] == seen.clock_pid]
    if len(mine):
        seen.last_clock = _clock(raw[mine[-1]])


def _clock(packet: Raw) -> int:
    return int.from_bytes(packet[6:11].tobytes(), "big") >> 7


def run(window: Window, start: int, seen: Seen, pieces: int) -> tuple[int, bool]:
    """Take packets from ``start`` on, in pieces of so many bytes; return where they end, and whether the window does there.

    Stops early, behind the piece in which a splice is.
    """
    splices = len(seen.splices)
    size = seen.shape.size
    offset, step = start, 64 << 10
    while True:
        data = window.at(offset, step // size * size)
        raw = as_packets(data, seen.shape)
        wrong = np.flatnonzero(~is_packet(raw))
        good = int(wrong[0]) if len(wrong) else len(raw)
        take(seen, raw[:good])
        offset += good * size
        if good < len(raw) or not good or len(seen.splices) > splices:
            return offset, offset + size > window.size
        step = min(step * 4, pieces)


def moved_on(window: Window, end: int, seen: Seen, block: int, most: int) -> tuple[int, int] | None:
    """Return where the packets that end at ``end`` break, and where behind a gap of whole blocks they go on; ``None`` for nowhere.

    Believed is a place from which on the running numbers of two streams or more go on where they stopped, and the clock as well.
    """
    size, cut = seen.shape.size, end // block * block
    if cut <= end - size:
        return None
    for offset, data in window.chunks(end + block, end + block + most):
        first = (end + seen.shape.before - offset) % block
        marks = data[first::block]
        at = marks.find(SYNC)
        while at >= 0:
            place = offset + first + at * block - seen.shape.before
            if _goes_on(window, place, seen):
                return cut, cut + place - end
            at = marks.find(SYNC, at + 1)
    return None


def _goes_on(window: Window, place: int, seen: Seen) -> bool:
    if not is_packet(as_packets(window.at(place, _FEW * seen.shape.size), seen.shape)).all():
        return False
    raw = as_packets(window.at(place, _PROBE * seen.shape.size), seen.shape)
    wrong = np.flatnonzero(~is_packet(raw))
    raw = raw[: int(wrong[0])] if len(wrong) else raw
    probe = Seen(seen.shape, running=dict(seen.running))
    take(probe, raw)
    streams = probe.counts.keys() - {NULL}
    if probe.jump_count or len(streams) < 2 or not streams <= seen.running.keys() or probe.advances < _FEW:
        return False
    return probe.clock_pid != seen.clock_pid or (probe.first_clock - seen.last_clock) % _CLOCK < _LATER
