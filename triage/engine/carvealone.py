"""Carving without a case: one evidence, its areas, what is found and its bytes handed to a writer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from triage.carving.entries import entries_of
from triage.carving.space import Space
from triage.engine.areas import Owned, areas_of, whole_medium
from triage.engine.carvework import BlockHit, CarveWork, Progress
from triage.engine.exportwork import ExportWork, Writer
from triage.engine.listing import Listing, list_entries
from triage.engine.local import LocalEngine
from triage.engine.plan import Plan
from triage.filesystem.describe import is_listed
from triage.model import Encryption, Kind, Problem, Severity
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from triage.carving.carved import Carved
    from triage.carving.space import Area
    from triage.engine.session import Session
    from triage.model import Entry, Evidence, Json, Volume


class Found(Writer, Protocol):
    """Who takes carved files and their bytes; see :class:`triage.engine.exportwork.Writer`."""

    def found(self, area: Area, entries: Sequence[Entry], one: Carved) -> bool:
        """Take a file (its entry, then those of what lies inside); return whether its bytes are wanted."""


@dataclass(slots=True)
class Result:
    """What was looked at. ``problems``: what was not, and why."""

    evidence: Evidence
    areas: list[tuple[Area, Progress]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = False


class _Sink(Listing):
    """Engine and carver speak to this."""

    def __init__(self, result: Result, found: Found, work: ExportWork) -> None:
        super().__init__(lambda _volume, _entries, problems: result.problems.extend(problems))
        self._result = result
        self._found = found
        self._work = work

    def carved(self, area: Area, space: Space, found: Sequence[Carved], progress: Progress, blocks: Sequence[BlockHit] = ()) -> None:
        """Hand on what a unit brought, and fetch the bytes of what is wanted."""
        for one in found:
            entries = entries_of(area, space, one)
            if self._found.found(area, entries, one):
                self._work.add(entries)

    def gave_up(self, area: Area, offset: int, length: int, why: str) -> None:
        """Keep what is said of it."""
        self._result.problems.append(gave_up(area, offset, length, why))

    def problem(self, problem: Problem) -> None:
        """Keep a problem of the engine."""
        self._result.problems.append(problem)

    def event(self, name: str, data: Json) -> None:
        """There is no audit log."""


def gave_up(area: Area, offset: int, length: int, why: str) -> Problem:
    """Return what is said of bytes of an area in which nothing was looked for."""
    place = Space(area.stretches).place(offset)
    what = f"{length} bytes from byte {place} on" if length else f"what begins at byte {place}"
    return Problem(
        severity=Severity.ERROR,
        stage="carving",
        evidence=area.evidence,
        volume=area.volume,
        message=f"{area.name}: {what} could not be searched for files: a worker was lost over it",
        detail=why,
    )


def carve_alone(
    path: Path,
    found: Found,
    *,
    types: Sequence[str] = (),
    slack: bool = False,
    whole: bool = False,
    join: bool = True,
    jobs: int = 0,
    limits: Limits | None = None,
    passwords: Sequence[str] = (),
    tick: Callable[[int, int], None] = lambda _done, _all: None,
) -> Result:
    """Carve one evidence into a writer. ``whole``: all of the medium, also what files own. ``join``: look for the rest of what broke off.

    ``tick``: bytes searched and to search.

    Raises ``EvidenceError`` when it cannot be opened, ``EngineError`` when workers cannot be kept alive.
    """
    limits = limits or Limits()
    engine = LocalEngine(limits, {"memory": limits.memory}, jobs or limits.jobs or max(1, os.cpu_count() or 1), passwords)
    try:
        session = engine.spawn()
        engine.prepare({"do": "prepare", "types": list(types)}, first=False)
        evidence, volumes, problems = session.open(path)
        engine.prepare({"do": "prepare", "types": list(types)}, first=True)
        result = Result(evidence, problems=[p for p in problems if p.stage == "evidence"])
        areas = [whole_medium(evidence)] if whole else _areas(session, evidence, volumes, limits, result, slack=slack, passwords=passwords)
        result.areas = [(area, Progress()) for area in areas]
        work = ExportWork(found)
        sink = _Sink(result, found, work)
        carving = CarveWork(result.areas, sink, types, join=join)
        work.carving = carving
        engine.attach([evidence], sink)
        result.complete = engine.run([], Plan(), jobs=work, tick=lambda: tick(carving.bytes_done, carving.bytes))
        if engine.stopped:
            result.problems.append(Problem(severity=Severity.ERROR, stage="engine", message=engine.stopped))
    finally:
        engine.close()
    return result


def _areas(
    session: Session,
    evidence: Evidence,
    volumes: Sequence[Volume],
    limits: Limits,
    result: Result,
    *,
    slack: bool,
    passwords: Sequence[str],
) -> list[Area]:
    """Return what is searched: by the file systems' own books; by the names of those that keep none, or when slack is wanted."""
    free: dict[int, list[tuple[int, int]]] = {}
    walked: list[Volume] = []
    for volume in volumes:
        if volume.encryption is Encryption.LOCKED:
            _say(result, volume, "it is locked: nothing in it was searched" if not is_listed(volume) else "what it locks was not searched")
        if volume.number is None or not is_listed(volume):
            continue
        known = session.free_space(volume)
        if known is None:
            walked.append(volume)
            continue
        free[volume.number], note = known
        if note:
            _say(result, volume, f"its books of what is free are not certain: {note}")
        if slack:
            walked.append(volume)
    owned: list[Owned] = []
    seen: set[str] = set()

    def take(_: Volume, entries: Sequence[Entry], problems: Sequence[Problem]) -> None:
        for entry in entries:
            if entry.id not in seen and entry.state.value == "allocated":
                seen.add(entry.id)
                runs = [(r.image_offset, r.length) for r in entry.runs]
                owned.append(Owned(entry.volume, runs, entry.size if entry.kind in (Kind.FILE, Kind.STREAM) else None))
        result.problems.extend(p for p in problems if p.severity is Severity.ERROR and p not in result.problems)

    if walked:
        list_entries(evidence, walked, limits, take, passwords)
    return areas_of(evidence, volumes, owned, free=free, slack=slack)


def _say(result: Result, volume: Volume, text: str) -> None:
    known: Json = {"severity": Severity.WARNING, "stage": "carving", "evidence": volume.evidence, "volume": volume.number}
    result.problems.append(Problem(**known, message=f"{volume.name}: {text}"))
