"""``triage hashset``: known-hash lists, imported once and looked up fast."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from triage.commands.output import emit, format_option, say
from triage.errors import HashsetError, UsageError
from triage.hashsets.detect import FORMATS
from triage.hashsets.library import HashsetLibrary
from triage.hashsets.records import BY_HEX_LENGTH, EMPTY_FILE, digest_by_length
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from triage.hashsets.intake import ImportReport
    from triage.hashsets.store import Hashset

F = TypeVar("F", bound="Callable[..., Any]")

_SHOWN_REJECTS = 10
_LOOKUP_BATCH = 1 << 14
_STAGES = {"digest": "fingerprint", "read": "read", "write": "sort and write", "check": "check"}


def _library_option(command: F) -> F:
    return click.option(
        "--library",
        type=click.Path(path_type=Path),
        default=None,
        metavar="DIR",
        help="Folder of the compiled sets (else TRIAGE_HASHSETS, or your user-data folder).",
    )(command)


@click.group()
def hashset() -> None:
    """Known-hash lists: import, list, look up, remove.

    \b
    Example:
      triage hashset import cases.csv --name cases --as notable
      triage hashset lookup cases 900150983cd24fb0d6963f7d28e17f72
    """


@hashset.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the set; one that exists is replaced.")
@click.option(
    "--as",
    "meaning",
    required=True,
    type=click.Choice([m.value for m in Meaning]),
    help="What being on the list means. Known is not good: it has only been seen before.",
)
@click.option("--category", default="", help="Category of records that have none of their own.")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="Form of the list; told by its content unless given.",
)
@click.option("--dry-run", is_flag=True, help="Only say what the list holds and what would be rejected.")
@_library_option
def import_(file: Path, name: str, meaning: str, category: str, fmt: str, *, dry_run: bool, library: Path | None) -> None:
    """Compile a hash list into the library.

    Reads plain and CSV lists, md5sum and hashdeep output, NSRL RDSv3 databases and VICS JSON, of any size.
    Reports what was accepted, and what was rejected in which line and why.

    \b
    Example:
      triage hashset import RDS_modern_minimal.db --name nsrl --as known
    """
    if str(file) == "-":
        raise UsageError("a list cannot be imported from standard input", hint="save it to a file first: it is read twice")
    with _progress() as progress:
        report = HashsetLibrary(library).import_list(
            file,
            name,
            Meaning(meaning),
            category,
            fmt,
            dry_run=dry_run,
            progress=progress,
            imported=datetime.now(UTC).strftime("%Y-%m-%d"),
        )
    for line in _summary(report):
        say(line)
    emit(
        [report.to_json()],
        ("name", "meaning", "format", "records", "duplicates", "rejected", "empty_refused", "unsupported"),
    )


@hashset.command("list")
@format_option
@_library_option
def list_(fmt: str | None, library: Path | None) -> None:
    """Show the library's sets.

    \b
    Example:
      triage hashset list --format csv
    """
    shelf = HashsetLibrary(library)
    columns = ("name", "meaning", "category", "records", "source", "imported", "state")
    emit((_row(shelf, name) for name in shelf.list()), columns, fmt)


@hashset.command()
@click.argument("name")
@click.option("--check", is_flag=True, help="Read the whole set and compare its digests.")
@format_option
@_library_option
def info(name: str, fmt: str | None, library: Path | None, *, check: bool) -> None:
    """Show what a set is: meaning, source and its SHA-256, counts, notes of the import.

    \b
    Example:
      triage hashset info nsrl --check
    """
    with HashsetLibrary(library).open(name) as found:
        facts = found.facts.to_json() | {"path": str(found.path), "bytes": found.path.stat().st_size}
        if check:
            with _progress() as progress:
                found.check(progress)
            facts["checked"] = True
    if fmt == "table" or (fmt is None and sys.stdout.isatty()):
        emit(({"fact": key, "value": value} for key, value in facts.items()), ("fact", "value"), "table")
    else:
        emit([facts], tuple(facts), fmt)


@hashset.command()
@click.argument("name")
@click.argument("digests", nargs=-1, required=True, metavar="DIGEST...")
@format_option
@_library_option
def lookup(name: str, digests: tuple[str, ...], fmt: str | None, library: Path | None) -> None:
    """Look digests up in a set.

    MD5, SHA-1 or SHA-256 in hexadecimal; - reads them from standard input, one a line.

    \b
    Example:
      triage hashset lookup nsrl 900150983cd24fb0d6963f7d28e17f72
    """
    asked = _from_input() if digests == ("-",) else iter(digests)
    with HashsetLibrary(library).open(name) as found:
        emit(_answers(found, asked), ("digest", "how", "hit", "meaning", "category"), fmt)


@hashset.command()
@click.argument("name")
@_library_option
def remove(name: str, library: Path | None) -> None:
    """Delete a set from the library. The list that it came from is not touched.

    \b
    Example:
      triage hashset remove cases
    """
    HashsetLibrary(library).remove(name)
    say(f"removed {name}")


def _row(library: HashsetLibrary, name: str) -> dict[str, Any]:
    try:
        return library.info(name).to_json() | {"state": "ok"}
    except HashsetError as error:
        return {"name": name, "state": str(error)}


def _from_input() -> Iterator[str]:
    for line in sys.stdin.buffer:
        if text := line.decode("ascii", "replace").strip():
            yield text


def _answers(found: Hashset, asked: Iterable[str]) -> Iterator[dict[str, Any]]:
    batch: list[tuple[str, str, bytes]] = []
    for text in asked:
        digest = digest_by_length(text)
        if digest is None:
            lengths = ", ".join(f"{length} ({kind})" for length, kind in BY_HEX_LENGTH.items())
            raise UsageError(f"{text[:80]!r} is no digest", hint=f"hexadecimal digits, as many as {lengths}")
        batch.append((text, *digest))
        if len(batch) >= _LOOKUP_BATCH:
            yield from _batch(found, batch)
            batch = []
    yield from _batch(found, batch)


def _batch(found: Hashset, batch: list[tuple[str, str, bytes]]) -> Iterator[dict[str, Any]]:
    numbers: dict[int, int] = {}
    for kind in found.algorithms:
        at = [index for index, (_, algorithm, _) in enumerate(batch) if algorithm == kind]
        if at:
            numbers.update(zip(at, found.lookup(kind, b"".join(batch[i][2] for i in at)).tolist(), strict=True))
    for index, (text, kind, digest) in enumerate(batch):
        number = numbers.get(index, -1)
        row: dict[str, Any] = {
            "digest": text.lower(),
            "how": kind,
            "set": found.facts.name,
            "hit": number >= 0,
            "meaning": found.facts.meaning.value if number >= 0 else None,
            "category": found.category(number) if number >= 0 else None,
        }
        if digest == EMPTY_FILE[kind]:
            row["note"] = "the empty file's digest, which is in no set"
        elif kind not in found.algorithms:
            row["note"] = f"the set has no {kind} digests"
        yield row


def _summary(report: ImportReport) -> Iterator[str]:
    done = "would take" if report.dry_run else "took"
    digests = ", ".join(f"{count:,} {kind}" for kind, count in report.digests.items())
    yield f"{report.facts.source}: read as {report.facts.format}; {done} {report.records:,} records ({digests})"
    yield (
        f"  {report.duplicates:,} repeated, {report.rejected:,} rejected, {report.empty_refused:,} refused because "
        "they are the empty file's"
    )
    for kind, count in report.unsupported.items():
        yield f"  {count:,} {kind} digests were not kept: no digest of this kind is"
    if report.conflicts:
        yield f"  {report.conflicts:,} digests stand under several categories: the first one named was kept"
    yield from (f"  {note}" for note in report.notes)
    yield from (f"  line {reject.line}: {reject.reason}" for reject in report.rejects[:_SHOWN_REJECTS])
    if report.rejected > _SHOWN_REJECTS:
        yield f"  and {report.rejected - _SHOWN_REJECTS:,} more rejected (the report has the first 1,000)"


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """Show progress on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(_STAGES.get(stage, stage), total=total or None, amount="")
            bar.update(tasks[stage], completed=done, amount=f"{done / 1e6:,.0f} MB" if total else f"{done:,} rows")

        yield update
