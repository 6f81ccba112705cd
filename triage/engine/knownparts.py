"""Blocks of known files in space that no file owns, put together: an entry for each known file, and a finding that says how much."""

from __future__ import annotations

import hashlib
import itertools
import json
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from triage.carving.entries import FOLDER
from triage.content.blocks import SIZE
from triage.escape import show
from triage.model import Entry, Finding, Kind, Locator, Meaning, Recoverability, Run, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.case.writer import CaseWriter
    from triage.hashsets.matching import Matcher

PLUGIN = "carving"
_FEW = 3
"""Fewer blocks than this, and not half of the file's, is a weak sign: a block may stand in a file that no list has."""
_MOST_RUNS = 65_536
_RUNS_TOLD = 200


def known_parts(writer: CaseWriter, matcher: Matcher) -> list[tuple[Entry, Finding]]:
    """Return an entry and a finding for each known file of which blocks were found.

    Left out are blocks inside of files that were found whole and are on the list themselves.
    """
    whole: dict[str, dict[str, _Ranges]] = {}
    found = []
    rows = writer.carving.known_blocks()
    for key, group in itertools.groupby(rows, key=lambda r: (r["evidence"], r["volume_offset"], r["volume"], r["hashset"], r["record"])):
        facts = matcher.facts[key[3]]
        if facts.name not in whole:
            whole[facts.name] = _by_evidence(writer.carving.whole(facts.name))
        ranges = whole[facts.name].get(key[0])
        blocks: dict[int, Any] = {}
        for row in group:
            runs = json.loads(row["runs"])
            if row["position"] not in blocks and not (ranges and ranges.hold(runs[0][0])):
                blocks[row["position"]] = (runs, row["place"])
        if blocks and len(blocks) <= _MOST_RUNS and facts.meaning is Meaning.NOTABLE:
            found.append(_part(key, blocks, matcher))
    return found


def _part(key: tuple[Any, ...], blocks: dict[int, Any], matcher: Matcher) -> tuple[Entry, Finding]:
    evidence, volume_offset, volume, number, record = key
    hashset, facts = matcher.hashsets[number], matcher.facts[number]
    about = hashset.about(record)
    runs = _runs(run for runs, _ in blocks.values() for run in runs)
    place = next(iter(blocks.values()))[1]
    called = show(about.name) or f"number {record:,} of the list"
    identity = hashlib.blake2b(repr((facts.integrity, record, evidence, volume_offset)).encode(), digest_size=6).hexdigest()
    name = f"known-part-{identity}.part"
    path = f"{place}/{FOLDER}/{name}"
    entry = Entry(
        id=hashlib.blake2b(repr(("known part", path, [(r.image_offset, r.length) for r in runs])).encode(), digest_size=12).hexdigest(),
        evidence=evidence,
        volume=None if volume < 0 else volume,
        path=path,
        name=name,
        kind=Kind.CARVED,
        name_allocated=False,
        meta_allocated=False,
        recoverability=Recoverability.PARTLY_OVERWRITTEN,
        size=sum(r.length for r in runs),
        time_basis=TimeBasis.UNKNOWN,
        runs=runs,
        depth=1,
        locator=Locator(evidence=evidence, volume_offset=volume_offset, runs=runs),
    )
    weak = len(blocks) < _FEW and 2 * len(blocks) < about.blocks
    pieces = _pieces(sorted(blocks))
    where = f"on the list {facts.name} as notable"
    finding = Finding(
        entry=entry.id,
        plugin=PLUGIN,
        kind="known-part-weak" if weak else "known-part",
        title=f"part of known file {called}, {len(blocks):,} of {about.blocks:,} blocks ({where})"[:300],
        data={
            "set": facts.name,
            "meaning": facts.meaning.value,
            "file": called,
            "record": record,
            "blocks": len(blocks),
            "of": about.blocks,
            "bytes": SIZE * len(blocks),
            "file_size": about.size,
            "pieces": pieces[:_RUNS_TOLD],
            "pieces_left_out": max(0, len(pieces) - _RUNS_TOLD),
        },
    )
    return entry, finding


def _pieces(positions: Sequence[int]) -> list[list[int]]:
    """Return which bytes of the known file were found, as ``[offset, length]``."""
    found: list[list[int]] = []
    for position in positions:
        if found and sum(found[-1]) == position:
            found[-1][1] += SIZE
        else:
            found.append([position, SIZE])
    return found


def _runs(pieces: Iterator[list[int]]) -> tuple[Run, ...]:
    found: list[tuple[int, int]] = []
    for offset, length in pieces:
        if found and sum(found[-1]) == offset:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((offset, length))
    return tuple(Run(image_offset=offset, length=length) for offset, length in found)


class _Ranges:
    """Stretches of a medium, to ask whether a byte lies in one."""

    def __init__(self) -> None:
        self._pairs: list[tuple[int, int]] = []
        self._starts: list[int] | None = None

    def add(self, offset: int, length: int) -> None:
        self._pairs.append((offset, offset + length))
        self._starts = None

    def hold(self, offset: int) -> bool:
        if self._starts is None:
            self._pairs.sort()
            self._starts = [start for start, _ in self._pairs]
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset < self._pairs[at][1]


def _by_evidence(files: Sequence[tuple[str, list[list[int]]]]) -> dict[str, _Ranges]:
    found: dict[str, _Ranges] = {}
    for evidence, runs in files:
        ranges = found.setdefault(evidence, _Ranges())
        for offset, length in runs:
            if offset is not None:
                ranges.add(offset, length)
    return found
