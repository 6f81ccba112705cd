"""``triage extract``: copy entries out, under names of ours."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.commands.common import find, opened, row_of, tell, tell_container, walk
from triage.commands.folder import OutputFolder, not_written
from triage.commands.output import emit, format_option, say
from triage.commands.secrets import secret_options
from triage.content.types import identify
from triage.engine.budget import ReadBudget
from triage.engine.copying import copy_bytes
from triage.errors import EvidenceError
from triage.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.engine.session import Session
    from triage.model import Entry, Json

LIST = "extracted.jsonl"
_MAKING = ".partial"


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@click.argument("path", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new or empty folder.")
@format_option
@secret_options
def extract(evidence: Path, path: tuple[str, ...], out: Path, fmt: str | None, passwords: tuple[str, ...]) -> None:
    """Copy entries (and what lies below directories) out of the evidence, deleted ones too.

    A copy's name is its SHA-256 and an extension of ours: evidence never names a file on the examiner's disk. extracted.jsonl
    beside the copies says which entry each one is. Links are not followed and devices never made.

    \b
    Example:
      triage extract disk.E01 vol1/Users/alex/Pictures --out pictures
    """
    OutputFolder.check(out)
    with opened(evidence, passwords) as (session, record, volumes, problems):
        tell_container(problems)
        entries, damaged = walk(record, volumes, passwords)
        chosen: dict[str, Entry] = {}
        for name in path:
            for entry in find(entries, name):
                chosen[entry.id] = entry
                chosen.update((e.id, e) for e in entries if e.path.startswith(entry.path + "/"))
        with OutputFolder(out) as folder:
            budget = ReadBudget({record.id: record.size}, 1 << 62)
            rows = list(_copy(session, (e for e in chosen.values() if _has_bytes(e)), folder, budget))
    tell([p for p in damaged if any(p.path.startswith(name.strip("/")) for name in path)])
    others = sum(e.kind in (Kind.LINK, Kind.SPECIAL) for e in chosen.values())
    if others:
        say(f"triage: {others} links, devices and the like were not made: triage ls shows them")
    emit(rows, ["file", "size", "path", "problem"], fmt)
    if any(r["problem"] for r in rows):
        raise EvidenceError(
            f"{sum(bool(r['problem']) for r in rows)} of {len(rows)} entries could not be read whole", hint=f"{LIST} says which and why"
        )


def _has_bytes(entry: Entry) -> bool:
    return entry.locator is not None and entry.kind in (Kind.FILE, Kind.STREAM)


def _copy(session: Session, entries: Iterable[Entry], folder: OutputFolder, budget: ReadBudget) -> Iterator[Json]:
    try:
        with os.fdopen(folder.new(LIST), "w", encoding="ascii", newline="\n") as log:
            for entry in entries:
                refused = budget.reason(entry)
                row = _refused(entry, refused) if refused else _copy_one(session, entry, folder)
                log.write(json.dumps({**row_of(entry), **row}, sort_keys=True) + "\n")
                yield row
    except OSError as error:
        raise not_written(folder.path, error) from error


def _refused(entry: Entry, why: str) -> Json:
    return {"file": None, "size": 0, "sha256": None, "path": entry.path, "id": entry.id, "problem": f"not copied: {why}"}


def _copy_one(session: Session, entry: Entry, folder: OutputFolder) -> Json:
    """Write one entry under a temporary name, then under its digest; a copy that could not be read whole says so in its name."""
    with os.fdopen(folder.new(_MAKING), "wb") as file:
        copied = copy_bytes(session, entry, file)
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), stat.S_IRUSR | stat.S_IRGRP)
    kind = identify(copied.head, copied.size)
    extension = "bin" if kind is None else kind.name if kind.name in kind.extensions else min(kind.extensions, default="bin")
    name = f"{copied.sha256}{'.partial' if copied.problem else ''}.{extension}"
    folder.settle(_MAKING, name)
    return {
        "file": name,
        "size": copied.size,
        "sha256": copied.sha256 if not copied.problem else None,
        "path": entry.path,
        "id": entry.id,
        "problem": copied.problem,
    }
