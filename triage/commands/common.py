"""What commands that look into evidence share: opening it in a worker, walking it, finding entries by path or id."""

from __future__ import annotations

import re
import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from triage.engine.listing import list_entries
from triage.engine.session import Session
from triage.errors import UsageError
from triage.escape import show
from triage.model import iso_time
from triage.priority.profile import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from triage.model import Entry, Evidence, Json, Problem, Volume

_ALIKE = 5
"""Problems of one kind that are told one by one."""
_DIGITS = re.compile(r"\d+")


@contextmanager
def opened(path: Path, passwords: Sequence[str] = ()) -> Iterator[tuple[Session, Evidence, list[Volume], list[Problem]]]:
    """Open one evidence in a worker."""
    with Session(passwords=passwords) as session:
        evidence, volumes, problems = session.open(path)
        yield session, evidence, volumes, problems


def walk(evidence: Evidence, volumes: Sequence[Volume], passwords: Sequence[str] = ()) -> tuple[list[Entry], list[Problem]]:
    """List all names of the volumes that can be listed, sorted by path; past whatever hangs."""
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []

    def take(_: Volume, found: Sequence[Entry], damaged: Sequence[Problem]) -> None:
        for entry in found:
            entries.setdefault(entry.id, entry)
        problems.extend(p for p in damaged if p not in problems)

    list_entries(evidence, volumes, Limits(), take, passwords)
    return sorted(entries.values(), key=lambda e: (e.path, e.id)), problems


def ask_passphrase() -> str:
    """Ask for a key's passphrase on the terminal, without showing it; raise ``UsageError`` when there is no terminal."""
    if not sys.stdin.isatty():
        raise UsageError("the key has a passphrase, and there is no terminal to ask for it on", hint="run the command on a terminal")
    return str(click.prompt("passphrase", hide_input=True, err=True))


def tell(problems: Sequence[Problem]) -> None:
    """Print problems to standard error, a line each; of those that differ in place and numbers alone, the first few and how many more."""
    counted: Counter[tuple[str, str]] = Counter()
    for problem in problems:
        kind = (problem.severity.value, _DIGITS.sub("#", problem.message))
        counted[kind] += 1
        if counted[kind] <= _ALIKE:
            where = f" ({show(problem.path)})" if problem.path else ""
            click.echo(f"triage: {problem.severity.value}: {show(problem.message)}{where}", err=True)
    for (severity, message), count in counted.items():
        if count > _ALIKE:
            click.echo(f"triage: {severity}: {count - _ALIKE:,} more: {show(message)}", err=True)


def tell_container(problems: Sequence[Problem]) -> None:
    """Print what is wrong with the evidence's container: whatever is read of it may lack something."""
    tell([p for p in problems if p.stage == "evidence"])


def find(entries: Sequence[Entry], name: str) -> list[Entry]:
    """Return the entries that a path or id names; raise ``UsageError`` when there is none."""
    wanted = name.strip("/")
    found = [e for e in entries if e.id == name or e.path in (wanted, name)]
    if not found:
        near = [e.path for e in entries if e.path.lower() == wanted.lower()] or [e.path for e in entries if e.name == wanted][:3]
        raise UsageError(f"no entry {name!r}", hint=f"did you mean {near[0]}?" if near else "triage ls --recursive lists the paths")
    return found


def row_of(entry: Entry) -> Json:
    """Return an entry as a files row without what only a case knows."""
    return {
        "id": entry.id,
        "path": entry.path,
        "kind": entry.kind.value,
        "state": entry.state.value,
        "size": entry.size,
        "recoverability": entry.recoverability.value if entry.state.value != "allocated" else None,
        "mtime": iso_time(entry.mtime),
        "atime": iso_time(entry.atime),
        "ctime": iso_time(entry.ctime),
        "crtime": iso_time(entry.crtime),
        "time_basis": entry.time_basis.value,
        "meta_addr": entry.meta_addr,
        "link_target": entry.link_target,
        "runs": [r.to_json() for r in entry.runs],
        "name_raw": entry.to_json()["name_raw"],
    }
