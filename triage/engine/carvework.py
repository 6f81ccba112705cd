"""Carving as jobs: areas cut into units, units given to workers, answers brought back into one order, whatever order they come in."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from triage.carving.entries import unpack
from triage.carving.order import Order
from triage.carving.space import UNIT, Space
from triage.engine.items import small
from triage.engine.jobs import Job
from triage.engine.phases import CARVING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.carved import Carved
    from triage.carving.space import Area
    from triage.engine.slot import Announcement
    from triage.model import Json

_PACK = 200_000
"""Stretches that one command carries."""
_AHEAD = 64
"""Units that may be done before their turn: their answers wait in memory."""
_DEATHS = 3
_LARGEST = 1 << 20
"""Characters that a file may take in an answer: with as many pieces and parts as it may have, half of that."""
_FOUND = 2 * UNIT // 512
"""Files that a unit can have."""
COUNTS = ("candidates", "rejected", "cut", "failed", "unreadable", "given_up", "common")
_BLOCKS = 1 << 17
"""Known blocks that a unit can have."""


class CarveSink(Protocol):
    """Who takes carved files, one area's in the order in which they lie."""

    def carved(self, area: Area, space: Space, found: Sequence[Carved], progress: Progress, blocks: Sequence[BlockHit] = ()) -> None:
        """Take what a unit brought. ``progress`` is what :class:`CarveWork` needs to go on behind it; it is done when it says so."""

    def gave_up(self, area: Area, offset: int, length: int, why: str) -> None:
        """Take note of bytes (relative to the area's space) in which nothing was looked for, or of one place if ``length`` is 0."""


class BlockHit(NamedTuple):
    """A block of a known file: where it is in the area's space, the list's number, the record's, and the block's place in its file."""

    offset: int
    hashset: int
    record: int
    position: int


@dataclass(slots=True)
class Progress:
    """How far an area is carved: everything that begins before ``next``. ``unsearched``: bytes of it that were given up."""

    next: int = 0
    order: Json = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    structures: Counter[str] = field(default_factory=Counter)
    unsearched: int = 0
    done: bool = False

    def to_json(self) -> Json:
        """Return the progress as JSON values."""
        return {
            "next": self.next,
            "order": self.order,
            "counts": dict(self.counts),
            "structures": dict(self.structures),
            "unsearched": self.unsearched,
            "done": self.done,
        }

    @classmethod
    def from_json(cls, data: Json) -> Progress:
        """Build it from :meth:`to_json`'s form."""
        return cls(**{**data, "counts": Counter(data["counts"]), "structures": Counter(data["structures"])})


@dataclass(slots=True)
class _Unit(Job):
    area: int = 0
    start: int = 0
    end: int = 0
    found: list[Carved] = field(default_factory=list)
    blocks: list[BlockHit] = field(default_factory=list)
    avoid: set[int] = field(default_factory=set)
    deaths: int = 0


@dataclass(slots=True)
class _State:
    area: Area
    space: Space
    progress: Progress
    order: Order
    unassigned: int
    again: list[_Unit] = field(default_factory=list)
    answered: dict[int, tuple[_Unit, Counter[str]]] = field(default_factory=dict)
    out: int = 0


class CarveWork:
    """Hands out the units of areas, each with how far an earlier run came.

    ``types``: names of formats, all when empty. ``join``: whether the rest of what broke off is looked for. ``lists``: how many hash
    lists there are whose blocks can be met.
    """

    def __init__(
        self, areas: Sequence[tuple[Area, Progress]], sink: CarveSink, types: Sequence[str] = (), *, join: bool = True, lists: int = 0
    ) -> None:
        self._sink = sink
        self._lists = lists
        self._join = join
        self._types = list(types)
        self._states: deque[tuple[int, _State]] = deque()
        self.bytes = self.bytes_done = 0
        for number, (area, progress) in enumerate(areas):
            if not progress.done:
                space = Space(area.stretches)
                self._states.append((number, _State(area, space, progress, Order(progress.order), progress.next)))
                self.bytes += space.size - progress.next
        self._by_number = dict(self._states)
        self._loaded: dict[int, int] = {}  # which area a worker has
        for number in list(self._by_number):
            self._settle(number)

    def left(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._states)

    def take(self, worker: int) -> _Unit | None:
        """Return the next unit, with the area's stretches before it if the worker does not have them."""
        for number, state in self._states:
            unit: _Unit | None = None
            if state.again:
                unit = state.again.pop(0)
            elif state.unassigned < state.space.size and len(state.answered) + state.out < _AHEAD:
                end = min(state.unassigned // UNIT * UNIT + UNIT, state.space.size)
                unit = _Unit([], area=number, start=state.unassigned, end=end)
                state.unassigned = end
            if unit is None:
                continue
            state.out += 1
            unit.found, unit.blocks = [], []
            unit.commands = []
            if self._loaded.get(worker) != number:
                unit.commands = self._space(number, state.area)
                self._loaded[worker] = number
            unit.commands.append({"do": "carve", "space": number, "start": unit.start, "end": unit.end, "avoid": sorted(unit.avoid)})
            return unit
        return None

    def _space(self, number: int, area: Area) -> list[Json]:
        """Return the commands that give a worker an area."""
        packs = [area.stretches[i : i + _PACK] for i in range(0, len(area.stretches), _PACK)] or [()]
        commands: list[Json] = [{"do": "space", "space": number, "stretches": [n for s in pack for n in s]} for pack in packs]
        commands[0]["area"] = area.facts()
        commands[0].update(types=self._types, join=self._join)
        return commands

    def answer(self, job: Job, message: Json) -> bool:
        """Take a pack of files, or the end of a unit."""
        unit = self._unit(job)
        state = self._by_number[unit.area]
        if message.get("error"):
            self._again(unit, f"an error: {str(message.get('message', ''))[:200]}", None)
            return True
        if message.get("space") != unit.area or message.get("start") != unit.start:
            raise ValueError("an answer about another unit")
        for data in message["found"]:
            one = unpack(small(data, _LARGEST), state.space.size)
            if not unit.start <= one.offset < unit.end or (unit.found and one.offset <= unit.found[-1].offset):
                raise ValueError("a file that begins elsewhere")
            unit.found.append(one)
        if len(unit.found) > _FOUND:
            raise ValueError("more files than a unit can have")
        if message.get("done") != "carve":
            return False
        counts = Counter({name: int(message["counts"][name]) for name in COUNTS})
        unit.blocks = [_hit(one, unit, state.space.size, self._lists) for one in message["blocks"]]
        if len(unit.blocks) > _BLOCKS:
            raise ValueError("more known blocks than a unit can have")
        state.out -= 1
        state.answered[unit.start] = (unit, counts)
        self._settle(unit.area)
        return True

    def _settle(self, number: int) -> None:
        """Hand on what has its turn."""
        state = self._by_number[number]
        progress, order = state.progress, state.order
        while (waiting := state.answered.pop(progress.next, None)) is not None:
            unit, counts = waiting
            taken, again = order.accept(unit.found)
            progress.counts += counts
            progress.structures += Counter(one.structure.value for one in taken)
            self.bytes_done += (unit.end if again is None else again) - unit.start
            progress.next = unit.end if again is None else again
            progress.order = order.state()
            progress.done = progress.next >= state.space.size
            self._sink.carved(state.area, state.space, taken, progress, unit.blocks)
            if again is not None:
                state.again.insert(0, _Unit([], area=number, start=again, end=unit.end, avoid=unit.avoid))
        if state.progress.next >= state.space.size:
            if not progress.done:  # an area without bytes
                progress.done = True
                self._sink.carved(state.area, state.space, (), progress)
            self._states.remove((number, state))

    def data(self, job: Job, data: bytes) -> None:
        """No bytes are asked for."""
        raise ValueError("bytes that nobody asked for")

    def lost(self, job: Job, slot: Announcement, how: str) -> None:
        """Do a unit again without the candidate that a worker was lost over."""
        unit = self._unit(job)
        self._again(unit, how, slot.position if slot.phase == CARVING and slot.address == unit.area else None)

    def _again(self, unit: _Unit, how: str, candidate: int | None) -> None:
        state = self._by_number[unit.area]
        state.out -= 1
        unit.deaths += 1
        if candidate is not None and unit.start <= candidate < unit.end and candidate not in unit.avoid:
            unit.avoid.add(candidate)
            self._sink.gave_up(state.area, candidate, 0, how)
        elif unit.deaths >= _DEATHS:
            self._sink.gave_up(state.area, unit.start, unit.end - unit.start, how)
            state.progress.unsearched += unit.end - unit.start
            unit.found = []
            state.answered[unit.start] = (unit, Counter())
            self._settle(unit.area)
            return
        state.again.append(unit)

    @staticmethod
    def _unit(job: Job) -> _Unit:
        if not isinstance(job, _Unit):
            raise TypeError("another job")
        return job


def _hit(values: Any, unit: _Unit, size: int, lists: int) -> BlockHit:
    hit = BlockHit(*values)
    outside = not unit.start <= hit.offset < unit.end or hit.offset >= size or hit.hashset >= lists
    if any(type(n) is not int or not 0 <= n < 1 << 48 for n in hit) or outside:
        raise ValueError("not a block of a known file")
    return hit
