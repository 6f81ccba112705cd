"""Compile a list into a set: take what its reader yields, sort it, write the store, report what was left out.

A set can also be *changed* by a list: the list's records are added to those that the set has, or taken out of it. Either makes a new
set; the old one is only read.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from triage import __version__
from triage.errors import HashsetError
from triage.hashsets.columns import Counts, write_store
from triage.hashsets.detect import detect, reader
from triage.hashsets.facts import Label, SetFacts
from triage.hashsets.records import (
    COMPARED,
    EMPTY_FILE,
    KEYS,
    LENGTHS,
    ROWS,
    URLS,
    Blob,
    HashRecord,
    Note,
    Packed,
    Reject,
    Scheme,
    Unkept,
    category_of,
    pdq_row,
)
from triage.hashsets.sorting import CHUNK_BYTES, MAX_RECORDS, NO_CATEGORY, PRIMARY, Sorter
from triage.hashsets.source import Source
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from triage.hashsets.records import Event
    from triage.hashsets.store import Hashset

    Progress = Callable[[str, int, int], None]

KEPT_REJECTS = 1000
MAX_LABELS = 1 << 20
_PROGRESS_EVERY = 1 << 14  # events
_STEP = 1 << 17  # rows of the old set that are copied at once
_STRENGTH = (
    "sha256", "sha1", "md5", "sha512", "tth", "aich", "btih", "ed2k", "pdq", "frame", "photodna", "md5_64k", "md5_512", "block", *URLS,
)  # fmt: skip
"""Kinds in the order in which a record is counted by them."""


class Change(StrEnum):
    """What a list does to the set that there is."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import read, took and left out.

    ``records`` counts different records, ``duplicates`` those that repeat one. ``accepted`` counts digests as
    the list has them, ``digests`` different ones of the set that was made. ``rejected`` counts rows, and single digests of rows, that
    were not used; ``rejects`` holds the first 1,000 with their line numbers. ``unsupported`` counts digests
    of kinds that are not stored, ``conflicts`` digests that the list has under more than one category (the
    first one named is kept). ``removed`` counts records that were taken out, ``absent`` digests that were to be taken out and are not in
    the set; both ``None`` when nothing was to be.
    """

    facts: SetFacts
    dry_run: bool
    records: int
    duplicates: int
    accepted: dict[str, int]
    digests: dict[str, int]
    rejected: int
    rejects: tuple[Reject, ...]
    empty_refused: int
    unsupported: dict[str, int]
    conflicts: int
    notes: tuple[str, ...] = field(default=())
    removed: int | None = None
    absent: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        facts = self.facts
        values: dict[str, Any] = {
            "name": facts.name,
            "meaning": facts.meaning.value,
            "category": facts.category,
            "scheme": facts.scheme,
            "format": facts.format,
            "source": facts.source,
            "source_sha256": facts.source_sha256,
            "dry_run": self.dry_run,
            "records": self.records,
            "duplicates": self.duplicates,
            "accepted": self.accepted,
            "digests": self.digests,
            "rejected": self.rejected,
            "empty_refused": self.empty_refused,
            "unsupported": self.unsupported,
            "uncompared": dict(facts.uncompared),
            "conflicts": self.conflicts,
            "notes": list(self.notes),
            "integrity": facts.integrity,
            "rejects": [{"line": reject.line, "reason": reject.reason} for reject in self.rejects],
        }
        if self.removed is not None:
            values |= {"removed": self.removed, "absent": self.absent}
        return values


class Intake:
    """Takes what a reader yields: digests to the sorters, the others to the report.

    With ``base`` the rows of a set come first, less the records in ``without``.
    """

    def __init__(self, folder: Path | None, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.sorters = {name: Sorter(name, folder, chunk_bytes=chunk_bytes) for name in KEYS}
        self._labels: dict[Label, int] = {}
        self.scheme = ""
        self.taken = self.rejected = self.empty_refused = self.numbers = 0
        self.linked = False
        self.rejects: list[Reject] = []
        self.accepted: Counter[str] = Counter()
        self.unsupported: Counter[str] = Counter()
        self.uncompared: Counter[str] = Counter()
        self.notes: list[str] = []
        self.blobs: dict[str, Any] = {}
        self._about = {"known": array("Q"), "sizes": array("Q"), "blocks": array("Q"), "frames": array("Q"), "name_ends": array("Q")}
        self._names = bytearray()

    @property
    def labels(self) -> list[Label]:
        """The labels by their numbers."""
        return list(self._labels)

    def base(self, hashset: Hashset, without: Removal | None = None) -> None:
        """Begin with the rows of a set."""
        for label in hashset.labels:
            self._labels.setdefault(label, len(self._labels))
        self.linked, self.numbers = hashset.linked, hashset.numbers
        for kind in hashset.kinds:
            for start in range(0, hashset.count(kind), _STEP):
                at = np.arange(start, min(start + _STEP, hashset.count(kind)))
                keep = at if without is None else at[~without.has(hashset, kind, at)]
                rows = hashset.rows(kind, start, start + len(at))[keep - start]
                codes = hashset.raw_codes(kind, keep)
                self.sorters[kind].add_rows(rows.tobytes(), codes, hashset.records(kind, keep).astype(np.uint32))
        for record in hashset.known_records():
            if without is None or not without.records[record]:
                facts = hashset.about(record)
                self._describe(record, facts.size, facts.blocks, facts.frames, facts.name)

    def take(self, event: object) -> None:
        """Take one event of a reader."""
        if type(event) is HashRecord:
            self._record(event)
        elif isinstance(event, Packed):
            count = len(event.digests) // LENGTHS[event.algorithm]
            refused = self.sorters[event.algorithm].add_packed(event.digests, self._number(count))
            self.taken += count - refused
            self.accepted[event.algorithm] += count - refused
            self.empty_refused += refused
        elif isinstance(event, Reject):
            self.rejected += 1
            if len(self.rejects) < KEPT_REJECTS:
                self.rejects.append(event)
        elif isinstance(event, Unkept):
            self.unsupported[event.kind] += event.times
        elif isinstance(event, Scheme):
            self.scheme = self.scheme or event.text
        elif isinstance(event, Blob):
            self.blobs[event.name] = event.parts
            self.taken += event.records
            self.accepted[event.name] += event.records
        elif isinstance(event, Note):
            self.note(event.text)

    def note(self, text: str) -> None:
        """Keep a sentence about the whole list."""
        if text not in self.notes:
            self.notes.append(text)

    def _record(self, record: HashRecord) -> None:
        values: list[tuple[str, bytes]] = []
        for name, digest in (("sha256", record.sha256), ("sha1", record.sha1), ("md5", record.md5), *record.more):
            if digest is None:
                continue
            if digest == EMPTY_FILE.get(name):
                self.empty_refused += 1
                continue
            values.append((name, digest))
        if not values:
            return
        number = self._number()
        code = self._code(Label(record.category, record.facts)) if record.category or record.facts else NO_CATEGORY
        kinds = {name for name, _ in values}
        strongest = next(kind for kind in _STRENGTH if kind in kinds)
        if not kinds.intersection(COMPARED):
            self.uncompared[strongest] += 1
        flag = PRIMARY
        tail = number.to_bytes(4, "big")
        for name, digest in values:
            row = digest
            if name == "frame":
                row = digest + tail
            elif name == "block":
                row = digest[:16] + tail + digest[16:]
            elif name == "pdq" and len(digest) != ROWS["pdq"]:
                row = pdq_row(digest)
            self.sorters[name].add(row, code | (flag if name == strongest else 0), number)
            self.accepted[name] += 1
            if name == strongest:
                flag = 0
        self.linked = self.linked or len(values) > 1 or "frame" in kinds or "block" in kinds
        blocks, frames = (sum(name == kind for name, _ in values) for kind in ("block", "frame"))
        if record.name or blocks or frames or (record.size is not None and kinds - set(LENGTHS)):
            self._describe(number, record.size or 0, blocks, frames, record.name)
        self.taken += 1

    def _describe(self, number: int, size: int, blocks: int, frames: int, name: str) -> None:
        self._names += name.encode("utf-8", "replace")
        values = (number, min(max(size, 0), 1 << 62), blocks, frames, len(self._names))
        for column, value in zip(self._about.values(), values, strict=True):
            column.append(value)

    def _number(self, count: int = 1) -> int:
        first = self.numbers
        self.numbers += count
        if self.numbers > MAX_RECORDS:
            raise HashsetError(f"the list has more than {MAX_RECORDS:,} records", hint="import it in parts, under names of their own")
        return first

    def _code(self, label: Label) -> int:
        code = self._labels.get(label)
        if code is None:
            if len(self._labels) >= MAX_LABELS:
                self.note(f"more than {MAX_LABELS:,} categories and series: records with any further one were kept without it")
                return NO_CATEGORY
            code = self._labels[label] = len(self._labels)
        return code

    def extra(self) -> dict[str, Any]:
        """Return the arrays about records."""
        if not self._about["known"]:
            return {}
        types = {"known": "<u4", "sizes": "<u8", "blocks": "<u4", "frames": "<u4", "name_ends": "<u8"}
        arrays: dict[str, Any] = {name: np.array(values, types[name]) for name, values in self._about.items()}
        return arrays | {"names": np.frombuffer(bytes(self._names), np.uint8)}

    def close(self) -> None:
        """Give back memory and temporary files."""
        for sorter in self.sorters.values():
            sorter.close()


class Removal:
    """Which records of a set a list names. A record goes with all its digests when the list has any one of them."""

    def __init__(self, hashset: Hashset) -> None:
        self._set = hashset
        self.records = np.zeros(max(hashset.numbers, 1), bool)
        self._rows = {kind: np.zeros(0 if hashset.linked else hashset.count(kind), bool) for kind in hashset.kinds}
        self.absent = 0

    def take(self, kind: str, rows: np.ndarray[Any, Any]) -> None:
        """Mark what whole rows of a kind name."""
        if kind not in self._rows:
            self.absent += len(rows)
            return
        if self._set.alike(kind) is not None:
            found = self._alike(kind, rows)
        else:
            found = self._set.find(kind, np.ascontiguousarray(rows[:, : KEYS[kind]]).tobytes())
        self.absent += int(np.count_nonzero(found < 0))
        hits = found[found >= 0]
        if self._set.linked:
            self.records[self._set.records(kind, hits)] = True
        else:
            self._rows[kind][hits] = True

    def _alike(self, kind: str, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        index = self._set.alike(kind)
        assert index is not None  # noqa: S101 - asked by the caller
        found = np.full(len(rows), -1, np.int64)
        hits = index.search(np.ascontiguousarray(rows[:, : KEYS[kind]]), 0)
        found[hits.query[::-1]] = hits.row[::-1]
        return found

    def has(self, hashset: Hashset, kind: str, rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return which rows are to go."""
        marked: np.ndarray[Any, Any] = self.records[hashset.records(kind, rows)] if hashset.linked else self._rows[kind][rows]
        return marked

    def removed(self) -> int:
        """Return how many records go."""
        return int(self.records.sum()) if self._set.linked else int(sum(rows.sum() for rows in self._rows.values()))


def compile_list(
    path: Path,
    target: Path | None,
    name: str,
    meaning: Meaning,
    *,
    category: str = "",
    fmt: str = "auto",
    progress: Progress | None = None,
    imported: str = "",
    chunk_bytes: int = CHUNK_BYTES,
    base: Hashset | None = None,
    change: Change | None = None,
) -> ImportReport:
    """Compile a list file into the store ``target``, or only count what it holds when that is ``None``.

    Memory is bounded by ``chunk_bytes`` (digests of one kind that are held at once), whatever the list's
    size. With ``base`` and ``change`` the list's records are added to that set's, or taken out of them. ``OSError`` is raised for
    ``target`` and the temporary files beside it; ``UsageError`` and ``HashsetError`` for the list.
    """
    source = Source(path)
    chosen = detect(source) if fmt == "auto" else fmt
    events = reader(chosen)(source)
    sha256 = source.sha256(progress)

    def read() -> Iterator[Event]:
        for number, event in enumerate(events):
            yield event
            if progress and not number % _PROGRESS_EVERY:
                progress("read", source.position, source.size if chosen not in ("nsrl", "kdb") else 0)
        source.check_unchanged()

    facts = SetFacts(
        name=name,
        meaning=meaning,
        category=category_of(category),
        source=path.name,
        source_sha256=sha256,
        format=chosen,
        tool=f"triage {__version__}",
        imported=imported,
    )
    return compile_events(read(), target, facts, progress=progress, chunk_bytes=chunk_bytes, base=base, change=change, what=str(path))


def compile_events(
    events: Iterable[Event],
    target: Path | None,
    facts: SetFacts,
    *,
    progress: Progress | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    base: Hashset | None = None,
    change: Change | None = None,
    what: str = "the list",
) -> ImportReport:
    """Compile what a reader yields, as :func:`compile_list` does for a file."""
    intake = Intake(target.parent if target else None, chunk_bytes)
    removal: Removal | None = None
    made = intake
    try:
        if base is not None and change is Change.ADD:
            intake.base(base)
        for event in events:
            intake.take(event)
        _check_taken(intake, what)
        _check_hint(intake, facts.meaning, base, what)
        if base is not None and change is Change.REMOVE:
            removal, made = _without(base, intake, target, chunk_bytes)
        facts = facts.replace(
            scheme=facts.scheme or intake.scheme or (base.facts.scheme if base else ""),
            uncompared=_tallies(made.uncompared, base),
            hint="hashlookup" in made.blobs,
            notes=tuple(dict.fromkeys((*(base.facts.notes if base else ()), *intake.notes))),
            history=(*(base.facts.history if base else ()), _step(facts, change, intake.taken)),
        )
        if target is None:
            counts = Counts()
            for kind, sorter in made.sorters.items():
                for _ in counts.blocks(kind, sorter):
                    pass
            facts = facts.replace(records=counts.records, digests=counts.digests, conflicts=counts.conflicts)
        else:
            facts = write_store(
                target,
                made.sorters,
                made.labels,
                facts,
                progress,
                linked=made.linked,
                numbers=made.numbers,
                extra=made.extra(),
                blobs=made.blobs,
            )
    except BaseException:
        if target is not None:
            target.unlink(missing_ok=True)
        raise
    finally:
        intake.close()
        made.close()
    before = base.facts.records if base is not None and change is Change.ADD else 0
    return ImportReport(
        facts=facts,
        dry_run=target is None,
        records=facts.records,
        duplicates=max(0, before + intake.taken - facts.records) if change is not Change.REMOVE else 0,
        accepted=dict(intake.accepted),
        digests=dict(facts.digests),
        rejected=intake.rejected,
        rejects=tuple(intake.rejects),
        empty_refused=intake.empty_refused,
        unsupported=dict(sorted(intake.unsupported.items())),
        conflicts=facts.conflicts,
        notes=tuple(intake.notes),
        removed=removal.removed() if removal else None,
        absent=removal.absent if removal else None,
    )


def _without(base: Hashset, named: Intake, target: Path | None, chunk_bytes: int) -> tuple[Removal, Intake]:
    """Return which records of a set are named, and the set's rows less those."""
    removal = Removal(base)
    for kind, sorter in named.sorters.items():
        for block in sorter.merged():
            rows = np.concatenate([block.prefix.astype(">u8").view(np.uint8).reshape(-1, 8), block.rest], axis=1)
            removal.take(kind, rows)
    rest = Intake(target.parent if target else None, chunk_bytes)
    rest.base(base, removal)
    if removal.removed() >= base.facts.records:
        raise HashsetError("nothing would be left of the set", hint="remove the set itself: triage hashset remove NAME")
    return removal, rest


def _tallies(own: Counter[str], base: Hashset | None) -> dict[str, int]:
    """Return how many records cannot be compared. What a change does to those of the old set is not known: they stay counted."""
    total = Counter(own)
    if base is not None:
        total.update(base.facts.uncompared)
    return dict(sorted(total.items()))


def _step(facts: SetFacts, change: Change | None, records: int) -> dict[str, Any]:
    return {
        "action": change.value if change else "import",
        "source": facts.source,
        "source_sha256": facts.source_sha256,
        "format": facts.format,
        "tool": facts.tool,
        "imported": facts.imported,
        "records": records,
    }


def _check_hint(intake: Intake, meaning: Meaning, base: Hashset | None, what: str) -> None:
    if intake.blobs and (meaning is not Meaning.KNOWN or base is not None):
        reason = f"{what} is a filter that may be wrong: it can be nothing but known"
        raise HashsetError(reason, hint="import it --as known, under a name of its own")


def _check_taken(intake: Intake, what: str) -> None:
    """Raise ``HashsetError`` that says why, if nothing of a list could be used."""
    if intake.taken:
        return
    parts = []
    if intake.rejects:
        first = intake.rejects[0]
        parts.append(f"{intake.rejected:,} rejected, the first in line {first.line}: {first.reason}")
    if intake.empty_refused:
        parts.append(f"{intake.empty_refused:,} were the empty file's")
    parts.extend(f"{count:,} were {kind}, which is not kept" for kind, count in sorted(intake.unsupported.items()))
    raise HashsetError(
        f"no digest of {what} could be used: {'; '.join(parts) or 'it holds none'}",
        hint="look at the list, or name its form with --format",
    )
