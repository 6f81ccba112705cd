"""Read random places of a medium and hold them against the blocks of known files: a first answer in seconds, with its odds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from triage.errors import EvidenceError, HashsetError, UsageError
from triage.escape import show
from triage.evidence.layers import end_of, is_view
from triage.filesystem.openers import APFS
from triage.model import Encryption
from triage.priority.sampling import CELL, confidence_of, drawn_cells, draws_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.engine.session import Session
    from triage.hashsets.store import Hashset
    from triage.model import Evidence, Json, Volume

COMPRESSING = frozenset({"squashfs", "erofs", "cramfs", "btrfs", "zfs"})
"""File systems of which as good as nothing lies on the medium as it is in the files, or may not."""
_BATCH = 2048
_REACH = 2 * CELL - 512
"""Bytes that are read of a cell: a block may begin at its last sector."""


@dataclass(slots=True)
class Sample:
    """What was drawn and met. ``hits``: offset on the medium, set, record and place in the known file of each block met."""

    cells: int = 0
    drawn: int = 0
    unreadable: int = 0
    known: int = 0
    share: float = 1.0
    seed: str = ""
    left_out: list[str] = field(default_factory=list)
    hits: list[tuple[int, str, int, int]] = field(default_factory=list)


def sample_medium(
    session: Session,
    evidence: Evidence,
    volumes: Sequence[Volume],
    hashset: Hashset,
    *,
    target: int,
    confidence: float,
    seed: str | None = None,
    only: str | None = None,
    tick: Callable[[int, int], None] = lambda _done, _all: None,
) -> Sample:
    """Draw and read as many cells as finding ``target`` bytes of the set's files takes, if they are there.

    ``only``: the volume to sample, by name. Raises ``UsageError`` when nothing can be sampled, ``HashsetError`` for a set without blocks.
    """
    if not hashset.count("block"):
        raise HashsetError(
            f"the set {hashset.facts.name} has no blocks: only whole files can be found with it",
            hint="build a set of the files themselves: triage hashset build",
        )
    sample = Sample(share=_share(hashset))
    stretches = _stretches(evidence, volumes, only, sample)
    sample.cells = sum(size // CELL for _, size in stretches)
    sample.known = int(target / CELL * sample.share)
    if sample.known < 1:
        raise UsageError(f"{target:,} bytes are less than one block of this set's files", hint="name a larger --target")
    if sample.known >= sample.cells:
        raise UsageError(f"{target:,} bytes are more than there is to sample", hint="name a smaller --target")
    sample.seed = seed if seed is not None else _seed(evidence, hashset, target, confidence)
    cells = drawn_cells(sample.cells, draws_for(sample.cells, sample.known, confidence), sample.seed)
    places = _places(stretches, cells)
    for start in range(0, len(places), _BATCH):
        part = places[start : start + _BATCH]
        answer = session.sample(evidence, hashset.path, part, _REACH)
        sample.unreadable += answer.unreadable
        sample.hits += [(offset, hashset.facts.name, record, position) for offset, record, position in answer.hits]
        tick(min(start + _BATCH, len(places)), len(places))
    sample.drawn = len(places) - sample.unreadable
    return sample


def statement(sample: Sample, *, target: int, hashset: str) -> str:
    """Return what may be said of a sample, in words."""
    odds = f"{sample.drawn:,} of {sample.cells:,} cells of {CELL:,} bytes were read at random (seed {sample.seed})"
    if sample.hits:
        files = len({record for _, _, record, _ in sample.hits})
        found = (
            f"{len(sample.hits):,} block{'s' if len(sample.hits) != 1 else ''} of {files:,} known "
            f"file{'s' if files != 1 else ''} of the set {hashset} met"
        )
        return f"{odds}: {found}. Examine the medium in full."
    chance = confidence_of(sample.cells, sample.known, sample.drawn)
    return (
        f"{odds}: none holds the beginning of a block of the set {hashset}. If at least {target:,} bytes of this set's files lay in the "
        f"sampled space as they are, one would have been met with a probability of {chance:.2%}. Less of them, other files, and what is "
        "compressed, encrypted or changed would not be seen: this does not say that nothing is there."
    )


def _stretches(evidence: Evidence, volumes: Sequence[Volume], only: str | None, sample: Sample) -> list[tuple[int, int]]:
    """Return what is sampled, as (offset, size); what is left out and why is noted."""
    found: list[tuple[int, int]] = []
    chosen = [v for v in volumes if only in (None, v.name)]
    if not chosen:
        names = ", ".join(v.name for v in volumes)
        raise UsageError(f"there is no volume {show(str(only))}", hint=f"there are: {names}")
    for volume in chosen:
        if volume.is_snapshot:
            sample.left_out.append(f"{volume.name} is an earlier state of a volume, most of which it shares")
        elif volume.file_system == APFS and is_view(volume.offset):
            sample.left_out.append(f"{volume.name} is one volume of a container, which was sampled as a whole")
        elif volume.opened and volume.file_system != APFS:
            sample.left_out.append(f"{volume.name} holds volumes, which were sampled themselves")
        elif volume.encryption is Encryption.LOCKED:
            sample.left_out.append(f"{volume.name} is encrypted and locked ({volume.file_system or 'unknown'})")
        elif volume.file_system.lower().rstrip("0123456789") in COMPRESSING:
            sample.left_out.append(f"{volume.name} is {volume.file_system}, which compresses what it holds")
        else:
            start, end = end_of(evidence.size, volume.offset, volume.size)
            if end - start >= CELL:
                found.append((start, end - start))
    if not found:
        why = "; ".join(sample.left_out) or "there is less than one cell of it"
        raise EvidenceError(f"nothing of the medium can be sampled: {why}", hint="unlock it, or read its files: triage run")
    return _apart(found)


def _apart(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches of which no two overlap: an extended partition holds others."""
    found: list[tuple[int, int]] = []
    behind = 0
    for offset, size in sorted(stretches):
        start = max(offset, behind)
        if offset + size - start >= CELL:
            found.append((start, offset + size - start))
        behind = max(behind, offset + size)
    return found


def _places(stretches: list[tuple[int, int]], cells: list[int]) -> list[int]:
    """Return where on the medium cells begin, in order."""
    places: list[int] = []
    first, at = 0, iter(cells)
    cell = next(at, None)
    for offset, size in stretches:
        count = size // CELL
        while cell is not None and cell < first + count:
            places.append(offset + (cell - first) * CELL)
            cell = next(at, None)
        first += count
    return places


def _share(hashset: Hashset) -> float:
    """Return which part of the blocks of its files the set knows: tables, fillings and the ends of files are in none."""
    known = whole = 0
    for record in hashset.known_records():
        about = hashset.about(record)
        if about.blocks and about.size:
            known += about.blocks
            whole += -(-about.size // CELL)
    return known / whole if whole else 1.0


def _seed(evidence: Evidence, hashset: Hashset, target: int, confidence: float) -> str:
    text = f"{evidence.id} {hashset.facts.integrity} {target} {confidence}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rows_of(sample: Sample, hashset: Hashset) -> list[Json]:
    """Return one row a known file that was met: its name, how many of its blocks, and where."""
    found: dict[int, list[Any]] = {}
    for offset, _, record, position in sample.hits:
        found.setdefault(record, []).append([offset, position])
    return [
        {
            "file": show(hashset.about(record).name) or f"number {record} of the list",
            "record": record,
            "blocks": len(places),
            "of": hashset.about(record).blocks,
            "places": sorted(places)[:100],
        }
        for record, places in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
