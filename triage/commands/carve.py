"""``triage carve``: carving alone, without a case."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.carving.choice import check_types
from triage.carving.forms import Structure
from triage.commands.common import tell
from triage.commands.folder import OutputFolder, not_written
from triage.commands.output import emit, format_option, say
from triage.commands.progress import make_observer
from triage.commands.secrets import secret_options
from triage.engine.carvealone import Found, Result, carve_alone
from triage.errors import EvidenceError, UsageError
from triage.model import Kind, Problem, Severity
from triage.report.dfxml import carved_dfxml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.carved import Carved
    from triage.carving.space import Area
    from triage.model import Entry, Json

LIST, DFXML = "carved.jsonl", "carved.dfxml"
_FOLDERS = {
    Structure.COMPLETE: "complete",
    Structure.FRAGMENTED: "complete",
    Structure.TRUNCATED: "partial",
    Structure.DAMAGED: "partial",
}
_INSIDE = "inside"


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new or empty folder.")
@click.option("--type", "types", multiple=True, metavar="NAME", help="Only this format (jpeg, zip, sqlite ...). Repeat.")
@click.option("--slack", is_flag=True, help="Also search what lies behind the ends of files, at every byte. Lists all names first.")
@click.option("--whole", is_flag=True, help="Search the whole medium, also what files own.")
@click.option("--no-join", is_flag=True, help="Do not look for the rest of files that break off: a few times faster where many do.")
@click.option(
    "--confidence",
    type=click.IntRange(0, 100),
    default=0,
    metavar="N",
    help="Write only files of at least this confidence (95: proven, 80: whole by structure, 30: cut short).",
)
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Worker processes; one a core if not given.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no table.")
@format_option
@secret_options
def carve(
    evidence: Path,
    out: Path,
    types: tuple[str, ...],
    slack: bool,
    whole: bool,
    no_join: bool,
    confidence: int,
    jobs: int | None,
    quiet: bool,
    fmt: str | None,
    passwords: tuple[str, ...],
) -> None:
    """Find files by their content where no living file is, and copy them out.

    Searched are the space that each file system calls free, gaps between partitions, and volumes whose file system cannot be read.
    DIR gets complete/ (whole by their structure), partial/ (cut short or damaged) and inside/ (thumbnails and the like), named by where
    they begin on the medium. carved.jsonl says of each where its bytes lie, how sure it is and why; carved.dfxml holds the same runs and
    digests as DFXML.

    \b
    Example:
      triage carve card.dd --out carved --type jpeg --type isobmff
      triage carve disk.E01 --out carved --confidence 80
    """
    check_types(types)
    if slack and whole:
        raise UsageError("--slack and --whole exclude each other", hint="the whole medium holds the slack too")
    OutputFolder.check(out)
    with make_observer(quiet=quiet) as observer:
        observer.stage("carving")
        lazily = _Output(out, confidence)
        try:
            result = carve_alone(
                evidence,
                lazily,
                types=types,
                slack=slack,
                whole=whole,
                join=not no_join,
                jobs=jobs or 0,
                passwords=passwords,
                tick=lambda done, size: observer.progress(names=0, items_done=0, items=0, bytes_done=done, bytes_total=size),
            )
            lazily.settle(result)
        finally:
            lazily.close()
    tell([p for p in result.problems if p.severity is not Severity.INFO])
    if not quiet:
        emit(lazily.table(), ["extension", "complete", "fragmented", "damaged", "truncated", "bytes"], fmt)
        searched = sum(a.size for a, _ in result.areas)
        looked_at = f"{len(result.areas)} area{'' if len(result.areas) == 1 else 's'}"
        say(f"triage: {searched:,} bytes in {looked_at} searched, {lazily.written:,} files written to {out}")
        cut = sum(p.counts["cut"] for _, p in result.areas)
        if cut:
            say(f"triage: {cut:,} candidates were given up because they read too much: they may be files that were not carved")
    failed = sum(p.counts["failed"] for _, p in result.areas)
    if failed:
        say(f"triage: {failed:,} candidates could not be followed: what they say does not fit")
    if given_up := sum(p.counts["given_up"] for _, p in result.areas):
        say(f"triage: the search for the rest of {given_up:,} files that break off was ended, since it took too long")
    if unreadable := sum(p.counts["unreadable"] for _, p in result.areas):
        tell([_said(f"{unreadable:,} bytes cannot be read: what lay there was not found")])
    if unsearched := sum(p.unsearched for _, p in result.areas):
        tell([_said(f"{unsearched:,} bytes were not searched: workers were lost over them")])
    if not result.complete:
        raise EvidenceError("not everything was searched", hint=f"{out / LIST} holds what was found")


def _said(message: str) -> Problem:
    return Problem(severity=Severity.ERROR, stage="carving", message=message)


class _Output(Found):
    """The output folder, made with the first need of it: wrong evidence leaves nothing behind."""

    def __init__(self, path: Path, confidence: int) -> None:
        self._folder = OutputFolder(path)
        self._entered = False
        self._least = confidence
        self._rows: dict[str, Json] = {}
        self._order: dict[str, tuple[int, str, int, str]] = {}
        self._names: Counter[str] = Counter()
        self._open: dict[str, int] = {}
        self._made: set[str] = set()
        self.written = 0

    def _enter(self) -> None:
        if not self._entered:
            self._folder.__enter__()
            self._entered = True
            for name in (*dict.fromkeys(_FOLDERS.values()), _INSIDE):
                self._folder.folder(name)

    def found(self, area: Area, entries: Sequence[Entry], one: Carved) -> bool:
        """Keep a row for a file and for what lies inside it."""
        wanted = one.confidence >= self._least
        for entry in entries:
            inside = entry.kind is Kind.DERIVED
            name = self._name(_INSIDE if inside else _FOLDERS[one.structure], entry)
            self._order[entry.id] = (area.volume_offset, area.kind, one.offset, entry.path)
            self._rows[entry.id] = {
                "file": name if wanted else None,
                "path": entry.path,
                "id": entry.id,
                "parent": entry.parent,
                "size": entry.size,
                "runs": [r.to_json() for r in entry.runs],
                "area": area.kind,
                "format": one.format if not inside else "",
                "extension": entry.name.rpartition(".")[2],
                "structure": one.structure.value if not inside else "inside",
                "confidence": one.confidence,
                "checked": one.checked,
                "why": one.why if not inside else "",
                "facts": one.facts if not inside else {},
                "md5": None,
                "sha1": None,
                "sha256": None,
                "problem": "" if wanted else f"not written: its confidence is below {self._least}",
            }
        return wanted

    def _name(self, folder: str, entry: Entry) -> str:
        stem = entry.name
        if entry.parent is not None:
            stem = f"{Path(self._rows[entry.parent]['path']).stem}-{entry.name}"
        self._names[f"{folder}/{stem}"] += 1
        times = self._names[f"{folder}/{stem}"]
        return f"{folder}/{stem}" if times == 1 else f"{folder}/{times}-{stem}"

    def begin(self, entry: Entry) -> None:
        """Make an item's file, or empty it when its bytes come once more."""
        try:
            self._enter()
            name = self._rows[entry.id]["file"]
            if entry.id in self._open:
                os.ftruncate(self._open[entry.id], 0)
                os.lseek(self._open[entry.id], 0, os.SEEK_SET)
            elif name not in self._made:
                self._open[entry.id] = self._folder.new(name)
                self._made.add(name)
        except OSError as error:
            raise not_written(self._folder.path, error) from error

    def write(self, entry: Entry, data: bytes) -> None:
        """Append bytes."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._open[entry.id], view) :]
        except OSError as error:
            raise not_written(self._folder.path, error) from error

    def end(self, entry: Entry, digests: Json) -> None:
        """Close an item's file and keep its digests; none for one that could not be read whole."""
        self._close(entry.id)
        self.written += 1
        row = self._rows[entry.id]
        if digests["unreadable"]:
            row["problem"] = f"{digests['unreadable']} bytes cannot be read; zeros stand for them"
        else:
            row.update({n: digests[n] for n in ("md5", "sha1", "sha256")})

    def failed(self, entry: Entry, why: str) -> None:
        """Say that an item could not be copied."""
        self._close(entry.id)
        self._rows[entry.id]["problem"] = f"its bytes could not be copied: {why}"

    def _close(self, identity: str) -> None:
        descriptor = self._open.pop(identity, None)
        if descriptor is not None:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, stat.S_IRUSR | stat.S_IRGRP)
            os.close(descriptor)

    def settle(self, result: Result) -> None:
        """Write the lists."""
        rows = [self._rows[i] for i in sorted(self._rows, key=self._order.__getitem__)]
        try:
            self._enter()
            with os.fdopen(self._folder.new(LIST), "w", encoding="ascii", newline="\n") as file:
                file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)
            with os.fdopen(self._folder.new(DFXML), "w", encoding="utf-8", newline="\n") as file:
                file.writelines(carved_dfxml(result.evidence, rows))
        except OSError as error:
            raise not_written(self._folder.path, error) from error

    def table(self) -> list[Json]:
        """Return counts by extension."""
        counts: dict[str, Counter[str]] = {}
        for row in self._rows.values():
            if row["structure"] != "inside":
                counts.setdefault(row["extension"], Counter()).update({row["structure"]: 1, "bytes": row["size"]})
        columns = ("complete", "fragmented", "damaged", "truncated", "bytes")
        return [{"extension": name, **{c: counts[name][c] for c in columns}} for name in sorted(counts)]

    def close(self) -> None:
        """Close whatever is open."""
        for identity in list(self._open):
            self._close(identity)
        if self._entered:
            self._folder.__exit__()
