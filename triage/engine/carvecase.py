"""Carving as a step of a run: what is found goes into the case like any other entry, and its content into the plan."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from triage.carving.entries import entries_of, finding_of
from triage.carving.order import already_listed, first_blocks
from triage.content.blocks import SIZE
from triage.engine.areas import CONTAINER, GAP, SLACK, UNALLOCATED, VOLUME, Owned, areas_of
from triage.engine.carvealone import gave_up
from triage.engine.carvework import CarveWork, Progress
from triage.engine.containers import container_areas
from triage.engine.knownparts import known_parts
from triage.model import Kind, Meaning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.carved import Carved
    from triage.carving.order import FirstBlocks
    from triage.carving.space import Area, Space
    from triage.case.writer import CaseWriter
    from triage.engine.carvework import BlockHit
    from triage.engine.local import LocalEngine
    from triage.engine.observer import Observer
    from triage.engine.plan import Plan
    from triage.engine.sink import CaseSink
    from triage.hashsets.matching import Matcher
    from triage.model import Entry, Evidence, Finding
    from triage.priority.profile import Carve

_FROM = {UNALLOCATED: "unallocated", SLACK: "slack", GAP: "gaps", VOLUME: "gaps", CONTAINER: "containers"}
NAMED = "named"
"""The count of what was not listed again because a deleted name leads to it."""


class _Carving:
    """Takes what the carver finds into the case."""

    def __init__(self, writer: CaseWriter, sink: CaseSink, named: dict[str, FirstBlocks]) -> None:
        self._writer = writer
        self._sink = sink
        self._named = named

    def carved(self, area: Area, space: Space, found: Sequence[Carved], progress: Progress, blocks: Sequence[BlockHit] = ()) -> None:
        """Store a unit's files with how far the area is carved."""
        entries: list[Entry] = []
        findings: list[tuple[Finding, str]] = []
        for one in found:
            rows = entries_of(area, space, one)
            if already_listed(rows[0], self._named[area.evidence]):
                progress.counts[NAMED] += 1
                continue
            entries += rows
            findings.append((finding_of(area, rows[0], one), rows[0].path))
        rows_, fresh = self._sink.admit(entries, [e.pack() for e in entries])
        stored = {**progress.to_json(), "size": space.size}
        place = (area.evidence, area.volume_offset, -1 if area.volume is None else area.volume, area.name)
        known = [(*place, b.hashset, b.record, b.position, _places(space, b)) for b in blocks]
        self._sink.plan(fresh, self._writer.add_carved(key_of(area), stored, rows_, findings, known))
        self._sink.names += len(entries)

    def gave_up(self, area: Area, offset: int, length: int, why: str) -> None:
        """Say where nothing was looked for."""
        self._writer.add_problems([gave_up(area, offset, length, why)])


def _places(space: Space, block: BlockHit) -> str:
    return json.dumps([list(piece) for piece in space.pieces(block.offset, SIZE)], separators=(",", ":"))


def key_of(area: Area) -> tuple[Any, ...]:
    """Return an area's columns in the case."""
    return (area.evidence, area.volume_offset, -1 if area.volume is None else area.volume, area.kind, area.source)


def forget_other_formats(writer: CaseWriter, carve: Carve, matcher: Matcher) -> None:
    """Begin carving anew when an earlier run of the case looked for other formats, or for other blocks. Before content work is planned."""
    earlier = writer.fact("carving")
    if earlier is not None and (earlier["types"] != list(carve.types) or earlier.get("blocks", []) != block_sets(matcher)):
        writer.carving.forget()


def block_sets(matcher: Matcher) -> list[str]:
    """Return which lists' blocks are looked for: those of notable ones that have any."""
    return [f.integrity for f, h in zip(matcher.facts, matcher.hashsets, strict=True) if f.meaning is Meaning.NOTABLE and h.count("block")]


def carve_case(
    engine: LocalEngine,
    writer: CaseWriter,
    sink: CaseSink,
    evidence: Sequence[Evidence],
    carve: Carve,
    plan: Plan,
    matcher: Matcher,
    *,
    deadline: float | None,
    observer: Observer,
) -> bool:
    """Carve what the profile names, and do the content work that comes of it; return whether all of it was done.

    Blocks of known files that lie there are put together when all is searched.
    """
    sources = set(carve.sources)
    writer.set_fact("carving", {"from": sorted(sources - {"none"}), "types": list(carve.types), "blocks": block_sets(matcher)})
    areas: list[Area] = []
    named: dict[str, FirstBlocks] = {}
    for one in evidence:
        found = areas_of(
            one,
            writer.carving.volumes(one.id),
            (Owned(p.volume, p.runs, p.size if p.kind in (Kind.FILE, Kind.STREAM) else None) for p in writer.carving.living(one.id)),
            slack="slack" in sources,
        )
        areas += [a for a in found if _FROM[a.kind] in sources]
        named[one.id] = first_blocks((p.runs, p.size) for p in writer.carving.gone(one.id))
    if "containers" in sources:
        areas += container_areas(engine, writer, evidence)
    before = writer.carving.progress()
    begun: list[tuple[Area, Progress]] = []
    for area in areas:
        stored = before.get(key_of(area))
        if stored is None:
            progress = Progress()
            writer.add_carved(key_of(area), {**progress.to_json(), "size": area.size}, [], [])
        else:
            stored.pop("size")
            progress = Progress.from_json(stored)
        begun.append((area, progress))
    work = CarveWork(begun, _Carving(writer, sink, named), carve.types, lists=len(matcher.facts))
    totals: Counter[str] = Counter()

    def tick() -> None:
        observer.progress(
            names=sink.names,
            items_done=sink.items_done,
            items=plan.items,
            bytes_done=sink.bytes_done + work.bytes_done,
            bytes_total=plan.bytes + work.bytes,
        )

    complete = engine.run([], plan, jobs=work, deadline=deadline, tick=tick)
    if complete and (parts := known_parts(writer, matcher)):
        rows, fresh = sink.admit([entry for entry, _ in parts], [entry.pack() for entry, _ in parts])
        sink.plan(fresh, writer.add_entries(rows, []))
        writer.add_findings([(finding, entry.path) for entry, finding in parts])
        complete = engine.run([], plan, deadline=deadline, tick=tick)
    for _, progress in begun:
        totals += progress.structures
    writer.audit.record("carved", {"complete": complete, "areas": len(areas), "structures": dict(sorted(totals.items()))})
    return complete
