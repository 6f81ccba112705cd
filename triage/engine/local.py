"""The local engine: a few killable worker processes, kept busy, watched by their progress, replaced when they die.

What a worker was about to touch stands in its slot. Silence (never total time) kills it; then exactly the announced item is
set aside with a problem, everything else of its task is done by another worker.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from triage.engine.items import lost, small, unpack_entries, unpack_problem
from triage.engine.jobs import Job, Jobs, NoJobs
from triage.engine.phases import ANALYZING
from triage.engine.process import Event, WorkerProcess
from triage.engine.session import Session
from triage.errors import EngineError
from triage.filesystem import walkphases
from triage.model import MAX_CHILDREN, Evidence, Outcome, Problem, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.case.items import WorkItem
    from triage.engine.plan import Pending, Plan
    from triage.model import Entry, Json
    from triage.priority.profile import Limits

_POLL = 0.2
_STARTING = 60.0
"""Seconds a worker may take until its first sign of life: the machine may be busy."""
_FRUITLESS_STARTS = 3
_AHEAD = 2
"""Batches a worker has at most: the next lies in its pipe when it is done with one, however busy the parent is."""
_STREAMS, _SPARE = 8, 10_000


class Sink(Protocol):
    """Who takes what the workers find. Called from one thread."""

    def rows(self, volume: Volume, entries: Sequence[Entry], packed: Sequence[list[Any]], problems: Sequence[Problem]) -> None:
        """Take a pack of a walk's rows, as entries and as they came; new content work goes to the plan."""

    def walking(self, volume: Volume) -> None:
        """Note that a volume's rows come next, from the first on, also after an earlier walk of it was lost."""

    def walked(self, volume: Volume, totals: Json) -> None:
        """Note that a volume is listed."""

    def items(self, pending: Sequence[Pending]) -> list[WorkItem]:
        """Return what workers need of pending work."""

    def results(self, items: Sequence[WorkItem], results: Sequence[Json]) -> None:
        """Take a batch's results, one an item; raise ``ValueError``, ``TypeError`` or ``KeyError`` when they do not fit."""

    def problem(self, problem: Problem) -> None:
        """Take a problem of the run itself."""

    def event(self, name: str, data: Json) -> None:
        """Take note of what belongs in the audit log."""


@dataclass(slots=True)
class _Walk:
    volume: Volume
    directories: set[int] = field(default_factory=set)
    metadata: set[int] = field(default_factory=set)
    orphans: bool = False
    checks: bool = False
    deaths: int = 0
    rows: int = 0
    problems: int = 0
    believed: bool = False


@dataclass(slots=True)
class _Batch:
    number: int
    pending: list[Pending]
    items: list[WorkItem]
    deaths: int = 0


@dataclass(slots=True)
class _Seat:
    """A worker and what it has: a walk, a job, or up to :data:`_AHEAD` batches, of which the first is in its hands."""

    worker: WorkerProcess
    number: int = 0
    walk: _Walk | None = None
    job: Job | None = None
    batches: deque[_Batch] = field(default_factory=deque)
    ready: bool = False
    stalled: bool = False
    swollen: bool = False
    results: list[Json] = field(default_factory=list)  # of the first batch, as far as they have come

    @property
    def busy(self) -> bool:
        """Whether it has anything to do."""
        return self.walk is not None or self.job is not None or bool(self.batches)


class LocalEngine:
    """Runs walks and batches on this machine."""

    def __init__(self, limits: Limits, settings: Json, jobs: int, passwords: Sequence[str] = ()) -> None:
        """``passwords`` and keys for encrypted evidence go to the workers through their pipes, and nowhere else."""
        self._limits = limits
        self._passwords = list(passwords)
        self._settings = settings
        self._evidence: list[Json] = []
        self._lists: list[list[str]] = []
        self._jobs = jobs
        self._sink: Sink
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._seats: list[_Seat] = []
        self._restarts = 0
        self._fruitless = 0
        self._batches = 0
        self._started = 0
        self._jobs_left: Jobs = NoJobs()
        self._again: list[_Batch] = []
        self._stopped = ""
        self._session: Session | None = None

    def spawn(self) -> Session:
        """Start the workers, and return a session with the first of them, to open the evidence with."""
        for _ in range(self._jobs):
            self._seats.append(self._new_seat())
        self._session = Session(self._limits, self._seats[0].worker, self._events, self._renew, self._passwords)
        return self._session

    def prepare(self, command: Json, *, first: bool) -> None:
        """Let the workers do what answers nothing while they wait for work: the first, which opens evidence, or all others."""
        for seat in self._seats[:1] if first else self._seats[1:]:
            seat.worker.send(command)

    def _renew(self) -> WorkerProcess:
        """Put another worker in the first one's place, which was lost while it opened evidence."""
        self._seats[0].worker.close()
        self._seats[0] = self._new_seat()
        return self._seats[0].worker

    def attach(self, evidence: Sequence[Evidence], sink: Sink, lists: Sequence[Sequence[str]] = ()) -> None:
        """Let every worker open the evidence; they do so while the caller goes on.

        ``lists``: the compiled sets that workers ask, as (path, meaning, name).
        """
        self._sink = sink
        self._evidence = [e.to_json() for e in evidence]
        self._lists = [list(one) for one in lists]
        if self._session is not None and self._session.lost:
            self._renew()
        for seat in self._seats:
            self._open_evidence(seat)

    def _open_evidence(self, seat: _Seat) -> None:
        seat.worker.send({"do": "attach", "evidence": self._evidence, "lists": self._lists, "passwords": self._passwords})

    def _new_seat(self) -> _Seat:
        self._started += 1
        return _Seat(WorkerProcess(self._events, self._settings), self._started)

    def _seat(self) -> None:
        seat = self._new_seat()
        self._seats.append(seat)
        self._open_evidence(seat)

    def run(
        self,
        walks: Sequence[Volume],
        plan: Plan,
        *,
        jobs: Jobs | None = None,
        deadline: float | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> bool:
        """List the volumes, do the plan's work and the jobs; return whether all of it was done.

        ``deadline`` is on ``time.monotonic``: what is not handed out by then stays in the plan. ``tick`` is called a few
        times a second. Raises ``EngineError`` when workers cannot be kept alive.
        """
        waiting = [_Walk(v) for v in walks]
        self._jobs_left = jobs or NoJobs()
        while True:
            out_of_time = deadline is not None and time.monotonic() >= deadline
            if not out_of_time and not self._stopped:
                self._assign(waiting, plan)
            done = not waiting and not plan and not self._again and not self._jobs_left.left()
            if not any(s.busy for s in self._seats) and (out_of_time or self._stopped or (all(s.ready for s in self._seats) and done)):
                break
            try:
                event = self._events.get(timeout=_POLL)
            except queue.Empty:
                self._watch()
            else:
                event.worker.taken(event)
                self._take(event, waiting, plan)
                self._watch_now_and_then()
            tick()
        for batch in self._again:
            plan.give_back(batch.pending)
        self._again = []
        return not waiting and not plan and not self._stopped and not self._jobs_left.left()

    @property
    def stopped(self) -> str:
        """Why no further work was handed out, empty when it was."""
        return self._stopped

    _watched = 0.0

    def _watch_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._watched > _POLL:
            self._watched = now
            self._watch()

    def _assign(self, walks: list[_Walk], plan: Plan) -> None:
        """Give every idle worker something: one walk at a time, batches to the others meanwhile."""
        walking = any(s.walk for s in self._seats)
        for seat in self._seats:
            if seat.ready and not seat.busy and walks and not walking:
                seat.walk = walk = walks.pop(0)
                walk.rows = walk.problems = 0
                walk.believed = False
                walking = True
                self._sink.walking(walk.volume)
                seat.worker.send(
                    {
                        "do": "walk",
                        "volume": walk.volume.to_json(),
                        "max_entries": self._limits.entries_per_volume,
                        "max_orphans": self._limits.orphans_per_volume,
                        "avoid": {
                            "directories": sorted(walk.directories),
                            "metadata": sorted(walk.metadata),
                            "orphans": walk.orphans,
                            "checks": walk.checks,
                        },
                    }
                )
        for seat in self._seats:
            if seat.ready and not seat.busy and (job := self._jobs_left.take(seat.number)) is not None:
                seat.job = job
                seat.worker.slot.reset()
                for command in job.commands:
                    seat.worker.send(command)
        for depth in range(_AHEAD):
            for seat in self._seats:
                if not seat.ready or seat.walk is not None or seat.job is not None or len(seat.batches) > depth:
                    continue
                if self._again:
                    self._send(seat, self._again.pop())
                elif plan:
                    pending = plan.batch()
                    self._batches += 1
                    self._send(seat, _Batch(self._batches, pending, self._sink.items(pending)))

    def _send(self, seat: _Seat, batch: _Batch) -> None:
        if not seat.batches:
            seat.worker.slot.reset()
        seat.batches.append(batch)
        command: Json = {"do": "analyze", "batch": batch.number, "items": [i.columns for i in batch.items]}
        if beside := {
            str(n): [[b.name, b.size, b.locator.to_json()] for b in item.beside] for n, item in enumerate(batch.items) if item.beside
        }:
            command["beside"] = beside
        if room := {str(n): item.room for n, item in enumerate(batch.items) if item.room != MAX_CHILDREN}:
            command["room"] = room
        seat.worker.send(command)

    def _watch(self) -> None:
        """Kill whoever has been silent for too long or takes too much memory; its end comes as an event."""
        for seat in self._seats:
            if 0 < self._limits.memory < seat.worker.resident():  # where the system does not hold the limit itself
                seat.swollen = True
                seat.worker.kill()
            if seat.ready and not seat.busy:
                continue
            limit = self._limits.stall_seconds if seat.ready else _STARTING
            if seat.walk is not None and seat.worker.slot.read().phase == walkphases.ORPHANS:
                limit = self._limits.orphan_seconds
            if seat.worker.silent_for() > limit:
                seat.stalled = True
                seat.worker.kill()

    def _take(self, event: Event, walks: list[_Walk], plan: Plan) -> None:
        seat = next((s for s in self._seats if s.worker is event.worker), None)
        if seat is None:
            return
        message = event.message
        if message is None:
            if event.data is not None:
                try:
                    self._jobs_left.data(seat.job or Job([]), event.data)
                except ValueError as error:
                    seat.worker.kill()
                    event = event._replace(fault=f"it sent {error}")
                else:
                    return
            self._replace(seat, walks, plan, event.fault)
            return
        try:
            self._answer(seat, message)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # Whatever it says does not fit: it is not to be trusted any longer.
            seat.worker.kill()
            self._replace(seat, walks, plan, f"it answered with what does not fit: {error}"[:300], unfit=True)

    def _answer(self, seat: _Seat, message: Json) -> None:
        walk = seat.walk
        if seat.job is not None:
            if self._jobs_left.answer(seat.job, message):
                seat.job = None
        elif message.get("error"):
            self._failed(seat, message)
        elif message.get("done") == "attach" and not seat.ready:
            seat.ready = True
            self._fruitless = 0
        elif walk is not None:
            entries = unpack_entries(walk.volume, message["entries"])
            problems = [unpack_problem(p, evidence=walk.volume.evidence, volume=walk.volume.number) for p in message["problems"]]
            totals = small(dict(message["totals"])) if message.get("done") == "walk" else None
            self._count(walk, len(entries), len(problems))
            self._sink.rows(walk.volume, entries, message["entries"], problems)
            walk.believed = walk.believed or bool(entries)
            if totals is not None:
                self._sink.walked(walk.volume, totals)
                seat.walk = None
        elif seat.batches and message.get("part") == "analyze":
            seat.results += message["results"]
            if not message["results"] or len(seat.results) > len(seat.batches[0].items):
                raise ValueError("more results than items")
        elif seat.batches and message.get("done") == "analyze":
            batch, results = seat.batches[0], [*seat.results, *message["results"]]
            seat.results = []
            if message["batch"] != batch.number or len(results) != len(batch.items):
                raise ValueError("results of another batch")
            self._sink.results(batch.items, results)
            seat.batches.popleft()
        else:
            raise ValueError("an answer to nothing")

    def _count(self, walk: _Walk, rows: int, problems: int) -> None:
        """Hold a walk to its limits, whatever it was asked to keep to itself."""
        walk.rows += max(rows, 1)  # an empty answer is one too: they must not go on for ever
        walk.problems += problems
        # What comes after the limit on names: orphans, each with its streams, and what the self-checks find.
        if walk.rows > self._limits.entries_per_volume + _STREAMS * self._limits.orphans_per_volume + _SPARE:
            raise ValueError("more names than it was to list")
        if walk.problems > 2 * walk.rows + _SPARE:
            raise ValueError("more problems than names")

    def _failed(self, seat: _Seat, message: Json) -> None:
        """A task ended with an error that is no item's: say it and go on without it."""
        text = str(message.get("message", ""))[:500]
        if message.get("done") == "attach":
            raise EngineError(f"a worker cannot open the evidence: {text}", hint=str(message.get("hint") or "") or None)
        if seat.walk is not None:
            self._give_up(seat.walk, f"its listing ended with an error ({text})")
            seat.walk = None
        elif seat.batches:
            batch = seat.batches.popleft()
            self._sink.results(batch.items, [lost(i, Outcome.FAILED, f"its batch ended with an error ({text})") for i in batch.items])
        else:
            raise ValueError("an error in nothing")

    def _mistrust(self, walk: _Walk, how: str) -> None:
        """Say that names which are in the case came from a worker that was not to be believed in the end."""
        self._say(walk.volume, f"the worker that listed it was ended ({how}): names that it had sent before may be invented")

    def _give_up(self, walk: _Walk, why: str) -> None:
        self._say(walk.volume, f"{why}: names may be missing")
        self._sink.walked(walk.volume, {})

    def _say(self, volume: Volume, text: str, stage: str = "filesystem") -> None:
        """Take note of what a volume's names have suffered."""
        problem = Problem(
            severity=Severity.ERROR, stage=stage, evidence=volume.evidence, volume=volume.number, message=f"{volume.name}: {text}"
        )
        self._sink.rows(volume, [], [], [problem])

    def _replace(self, seat: _Seat, walks: list[_Walk], plan: Plan, fault: str, *, unfit: bool = False) -> None:
        """A worker is gone. Set aside what it was about to touch and put another in its place."""
        code = seat.worker.ended()
        slot = seat.worker.slot.read()
        self._seats.remove(seat)
        seat.worker.close()
        if seat.swollen:
            fault = fault or f"it took more memory than the profile's limit of {self._limits.memory >> 20} MiB"
        how = fault or (f"signal {-code}" if code is not None and code < 0 else f"exit code {code}")
        killed = seat.stalled and not fault
        if not seat.ready:
            self._fruitless += 1
            if self._fruitless >= _FRUITLESS_STARTS:
                raise EngineError(f"worker processes end before they begin ({how})", hint="triage doctor shows what is wrong")
        self._restarts += 1
        self._sink.event("worker lost", {"how": how, "phase": slot.phase, "address": slot.address, "position": slot.position})
        if seat.walk is not None:
            if unfit and seat.walk.believed:
                self._mistrust(seat.walk, how)
            self._walk_lost(seat.walk, 0 if unfit else slot.phase, slot.address, how, walks)
        if seat.job is not None:
            self._jobs_left.lost(seat.job, slot._replace(phase=0) if unfit else slot, how)
        for position, batch in enumerate(seat.batches):
            if position == 0 and unfit:
                self._batch_unfit(batch, how)
            elif position == 0:
                self._batch_lost(batch, slot.position if slot.phase == ANALYZING and slot.address == batch.number else None, how, killed)
            else:
                self._again.append(batch)  # it lay in the pipe, untouched
        if self._restarts > self._limits.restarts:
            self._stopped = f"workers were lost {self._restarts} times, more than the profile's limit of {self._limits.restarts}"
            self._sink.problem(Problem(severity=Severity.ERROR, stage="engine", message=f"{self._stopped}: the rest was not reached"))
            if walks:
                for walk in walks:  # they stay to be listed by the next run
                    self._say(walk.volume, "its listing was not finished: names are missing", "engine")
                walks.clear()
        if not self._stopped or not self._seats:
            self._seat()

    def _walk_lost(self, walk: _Walk, phase: int, address: int, how: str, walks: list[_Walk]) -> None:
        walk.deaths += 1
        if phase == walkphases.ORPHANS:
            walk.orphans = True
        elif phase == walkphases.CHECKING:
            walk.checks = True
        elif phase == walkphases.OPENING:
            walk.metadata.add(address)
        elif phase == walkphases.NAMES and address not in walk.directories:
            walk.directories.add(address)
        elif walk.deaths >= _FRUITLESS_STARTS:
            self._give_up(walk, f"listing it ends the worker every time ({how})")
            return
        walks.insert(0, walk)

    def _batch_lost(self, batch: _Batch, position: int | None, how: str, killed: bool) -> None:
        batch.deaths += 1
        if position is not None and position < len(batch.items):
            guilty = batch.items[position]
            outcome = Outcome.TIMEOUT if killed else Outcome.CRASHED
            reason = (
                f"reading it stalled for more than {self._limits.stall_seconds:g} s and was given up"
                if killed
                else f"reading it ended the worker process ({how})"
            )
            self._sink.results([guilty], [lost(guilty, outcome, reason)])
            del batch.items[position], batch.pending[position]
        elif batch.deaths >= _FRUITLESS_STARTS:
            reason = f"the worker process ended while it read a batch ({how})"
            self._sink.results(batch.items, [lost(i, Outcome.CRASHED, reason) for i in batch.items])
            return
        if batch.items:
            self._batches += 1
            batch.number = self._batches
            self._again.append(batch)

    def _batch_unfit(self, batch: _Batch, how: str) -> None:
        """Do a batch again whose answer did not fit: whole, then in halves until the item stands alone that provokes it."""
        batch.deaths += 1
        if batch.deaths > 1 and len(batch.items) == 1:
            reason = f"reading it ended the worker process ({how})"
            self._sink.results(batch.items, [lost(i, Outcome.CRASHED, reason) for i in batch.items])
            return
        half = len(batch.items) // 2 if batch.deaths > 1 else 0
        for part in (slice(None, half), slice(half, None)):
            if batch.items[part]:
                self._batches += 1
                self._again.append(_Batch(self._batches, batch.pending[part], batch.items[part], deaths=1))

    def close(self) -> None:
        """End the workers."""
        for seat in self._seats:
            seat.worker.kill()
        for seat in self._seats:
            seat.worker.close()
        self._seats = []
