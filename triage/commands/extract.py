"""``triage extract``: copy entries out, under names of ours."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from triage.commands.common import find, opened, row_of, tell, walk
from triage.commands.output import emit, format_option
from triage.content.types import identify
from triage.errors import EvidenceError, OutputError
from triage.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from triage.engine.session import Session
    from triage.model import Entry, Json

LIST = "extracted.jsonl"


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@click.argument("path", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new or empty folder.")
@format_option
def extract(evidence: Path, path: tuple[str, ...], out: Path, fmt: str | None) -> None:
    """Copy entries (and what lies below directories) out of the evidence, deleted ones too.

    A copy's name is its SHA-256 and an extension of ours: evidence never names a file on the examiner's disk. extracted.jsonl
    beside the copies says which entry each one is. Links are not followed and devices never made.

    \b
    Example:
      triage extract disk.E01 vol1/Users/alex/Pictures --out pictures
    """
    _check_free(out)
    with opened(evidence) as (session, record, volumes, _):
        entries, damaged = walk(record, volumes)
        chosen: dict[str, Entry] = {}
        for name in path:
            for entry in find(entries, name):
                chosen[entry.id] = entry
                chosen.update((e.id, e) for e in entries if e.path.startswith(entry.path + "/"))
        _make(out)
        rows = list(_copy(session, (e for e in chosen.values() if e.locator and e.kind in (Kind.FILE, Kind.STREAM)), out))
    tell([p for p in damaged if any(p.path.startswith(name.strip("/")) for name in path)])
    emit(rows, ["file", "size", "path", "problem"], fmt)
    if any(r["problem"] for r in rows):
        raise EvidenceError(
            f"{sum(bool(r['problem']) for r in rows)} of {len(rows)} entries could not be read whole", hint=f"{LIST} says which and why"
        )


def _check_free(out: Path) -> None:
    try:
        if out.exists() and any(out.iterdir()):
            raise OutputError(f"{out} is not empty", hint="name a new folder")
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}", hint="choose another folder") from error


def _make(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}", hint="choose another folder") from error


def _copy(session: Session, entries: Iterable[Entry], out: Path) -> Iterable[Json]:
    try:
        with (out / LIST).open("x", encoding="ascii", newline="\n") as log:
            for entry in entries:
                row = _copy_one(session, entry, out)
                log.write(json.dumps({**row_of(entry), **row}, sort_keys=True) + "\n")
                yield row
    except OSError as error:
        raise OutputError(f"{out} cannot be written: {error.strerror or error}", hint="make room, then extract again") from error


def _copy_one(session: Session, entry: Entry, out: Path) -> Json:
    """Write one entry under a temporary name, then under its digest; a copy that could not be read whole says so in its name."""
    making = out / ".partial"
    digest, head, problem, size = hashlib.sha256(), b"", "", 0
    file: BinaryIO
    with os.fdopen(
        os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0), 0o600), "wb"
    ) as file:
        try:
            if entry.locator is not None:
                for piece in session.read(entry.locator, entry.size):
                    digest.update(piece)
                    head = head or piece[:65536]
                    size += len(piece)
                    file.write(piece)
        except EvidenceError as error:
            problem = error.message
    if not problem and size < entry.size:
        problem = f"only {size} of {entry.size} bytes can be read"
    kind = identify(head, size)
    extension = "bin" if kind is None else kind.name if kind.name in kind.extensions else min(kind.extensions, default="bin")
    name = f"{digest.hexdigest()}{'.partial' if problem else ''}.{extension}"
    making.replace(out / name)
    (out / name).chmod(0o440)
    return {
        "file": name,
        "size": size,
        "sha256": digest.hexdigest() if not problem else None,
        "path": entry.path,
        "id": entry.id,
        "problem": problem,
    }
