"""``triage hashset``: known-hash lists, imported once and looked up fast."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from triage import __version__
from triage.commands.output import emit, format_option, say
from triage.engine.buildset import build_records
from triage.errors import HashsetError, UsageError
from triage.hashsets.detect import FORMATS
from triage.hashsets.exports.file import CONTEXTS, FILE_FORMATS, export_set
from triage.hashsets.facts import SetFacts
from triage.hashsets.intake import Change
from triage.hashsets.library import HashsetLibrary
from triage.hashsets.records import (
    BY_HEX_LENGTH,
    EMPTY_FILE,
    LENGTHS,
    PARTIAL,
    TRACED,
    digest_by_length,
    parse_digest,
    parse_kept,
)
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from triage.hashsets.intake import ImportReport
    from triage.hashsets.store import Hashset

F = TypeVar("F", bound="Callable[..., Any]")

_SHOWN_REJECTS = 10
_LOOKUP_BATCH = 1 << 14
LOOKED_UP = (*LENGTHS, *TRACED, *PARTIAL, "block", "pdq")
_STAGES = {"hash": "hash files", "digest": "fingerprint", "read": "read", "write": "sort and write", "check": "check"}


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
    """Known-hash lists: import or build, list, look up, export, remove.

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
    type=click.Choice([m.value for m in Meaning]),
    help="What being on the list means. Known is not good: it has only been seen before. Needed but for --add and --remove.",
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
@click.option("--add", "change", flag_value=Change.ADD.value, help="Add the list's records to those that the set has.")
@click.option("--remove", "change", flag_value=Change.REMOVE.value, help="Take the list's records out of the set.")
@click.option("--dry-run", is_flag=True, help="Only say what the list holds and what would be rejected.")
@_library_option
def import_(
    file: Path, name: str, meaning: str | None, category: str, fmt: str, *, change: str | None, dry_run: bool, library: Path | None
) -> None:
    """Compile a hash list into the library.

    Reads plain and CSV lists, md5sum and hashdeep output, NSRL of all versions, VICS JSON, the databases of Autopsy, EnCase and more, of
    any size, packed or not. Reports what was accepted, and what was rejected in which line and why.

    \b
    Example:
      triage hashset import RDS_modern_minimal.db --name nsrl --as known
    """
    if meaning is None and change is None:
        raise UsageError("what being on the list means is not said", hint="--as notable, known or ignorable")
    if str(file) == "-":
        raise UsageError("a list cannot be imported from standard input", hint="save it to a file first: it is read twice")
    with _progress() as progress:
        report = HashsetLibrary(library).import_list(
            file,
            name,
            Meaning(meaning or Meaning.KNOWN),
            category,
            fmt,
            dry_run=dry_run,
            progress=progress,
            imported=_today(),
            change=Change(change) if change else None,
        )
    for line in _summary(report):
        say(line)
    emit(
        [report.to_json()],
        ("name", "meaning", "format", "records", "duplicates", "rejected", "empty_refused", "unsupported"),
    )


@hashset.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="Name of the set; one that exists is replaced.")
@click.option("--as", "meaning", required=True, type=click.Choice([m.value for m in Meaning]), help="What being one of these files means.")
@click.option("--category", default="", help="Category of the files.")
@click.option("--no-blocks", is_flag=True, help="Leave out the digests of 4 KiB blocks, by which parts of the files are found.")
@click.option("--no-pictures", is_flag=True, help="Leave out the hashes by which pictures that look alike are found.")
@click.option("--no-videos", is_flag=True, help="Leave out the hashes of frames by which videos that look alike are found.")
@click.option("--jobs", type=click.IntRange(1, 1024), default=None, help="Worker processes (else one a core).")
@click.option("--dry-run", is_flag=True, help="Only say what the set would hold.")
@_library_option
def build(
    folder: Path,
    name: str,
    meaning: str,
    category: str,
    *,
    no_blocks: bool,
    no_pictures: bool,
    no_videos: bool,
    jobs: int | None,
    dry_run: bool,
    library: Path | None,
) -> None:
    """Build a set out of your own files.

    Of each file the set gets its digests, the digests of its beginning and of its distinctive blocks, and what pictures and videos are
    compared by. The files themselves are never kept. They are read by confined worker processes; links are not followed.

    \b
    Example:
      triage hashset build /cases/2026-17/confirmed --name case-17 --as notable --category 1
    """
    with _progress() as progress:
        built = build_records(
            folder,
            category=category,
            blocks=not no_blocks,
            pictures=not no_pictures,
            videos=not no_videos,
            jobs=jobs or 0,
            tick=lambda done, total: progress("hash", done, total) if progress else None,
        )
        facts = SetFacts(
            name=name,
            meaning=Meaning(meaning),
            category=category,
            source=folder.resolve().name,
            source_sha256=built.digest,
            format="files",
            tool=f"triage {__version__}",
            imported=_today(),
        )
        report = HashsetLibrary(library).build(built.records, facts, dry_run=dry_run, progress=progress)
    for line in _summary(report):
        say(line)
    said = ", ".join(f"{built.counts[what]:,} {what}" for what in ("pictures", "videos", "frames", "blocks"))
    say(f"  compared by likeness or in part: {said}")
    for reason, count in sorted(built.uncompared.items(), key=lambda item: (-item[1], item[0])):
        say(f"  {count:,} pictures or videos will be found by their digests only: {reason}")
    for path, reason in built.skipped[:_SHOWN_REJECTS]:
        say(f"  not in the set: {path}: {reason}")
    if len(built.skipped) > _SHOWN_REJECTS:
        say(f"  and {len(built.skipped) - _SHOWN_REJECTS:,} more that are not in the set (the report has all)")
    row = report.to_json() | {
        "counts": dict(built.counts),
        "by_digest_only": dict(built.uncompared),
        "skipped": [{"path": path, "reason": reason} for path, reason in built.skipped],
    }
    emit([row], ("name", "meaning", "records", "duplicates", "counts"))


@hashset.command()
@click.argument("name")
@click.option("--format", "fmt", required=True, type=click.Choice(FILE_FORMATS), help="Form of the file.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="File to write; needed for kdb, else standard output.")
@click.option(
    "--context", type=click.Choice(CONTEXTS), default=CONTEXTS[0], show_default=True, help="Country that VICS' context line names."
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@_library_option
def export(name: str, fmt: str, out: Path | None, context: str, *, force: bool, library: Path | None) -> None:
    """Write a set as a list for other programs: VICS 2.0, CSV, JSON lines, or a hash database of Autopsy (kdb).

    JSON lines hold all that the set knows; what another form has no place for is counted and said.

    \b
    Example:
      triage hashset export case-17 --format vics --context UK --out case-17.json
    """
    with HashsetLibrary(library).open(name) as found:
        left = export_set(found, fmt, out, context=context, force=force)
    for reason, count in sorted(left.items()):
        say(f"{count:,} {reason}")


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
    columns = ("name", "meaning", "category", "records", "kinds", "imported", "state")
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
@click.option("--kind", type=click.Choice(LOOKED_UP), default=None, help="Kind of the digests, where their length does not tell it.")
@click.option("--radius", type=click.IntRange(0, 90), default=31, show_default=True, help="For pdq: bits that may differ.")
@format_option
@_library_option
def lookup(name: str, digests: tuple[str, ...], kind: str | None, radius: int, fmt: str | None, library: Path | None) -> None:
    """Look digests up in a set.

    MD5, SHA-1 or SHA-256 in hexadecimal, or what --kind says; - reads them from standard input, one a line.

    \b
    Example:
      triage hashset lookup nsrl 900150983cd24fb0d6963f7d28e17f72
    """
    asked = _from_input() if digests == ("-",) else iter(digests)
    with HashsetLibrary(library).open(name) as found:
        emit(_answers(found, asked, kind, radius), ("digest", "how", "hit", "meaning", "category", "distance"), fmt)


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


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _row(library: HashsetLibrary, name: str) -> dict[str, Any]:
    try:
        facts = library.info(name).to_json()
        return facts | {"kinds": " ".join(facts["digests"]) or ("hints" if facts["hint"] else ""), "state": "ok"}
    except HashsetError as error:
        return {"name": name, "state": str(error)}


def _from_input() -> Iterator[str]:
    for line in sys.stdin.buffer:
        if text := line.decode("ascii", "replace").strip():
            yield text


def _answers(found: Hashset, asked: Iterable[str], kind: str | None, radius: int) -> Iterator[dict[str, Any]]:
    batch: list[tuple[str, str, bytes]] = []
    for text in asked:
        if kind == "pdq":
            yield _nearest(found, text, radius)
            continue
        digest = digest_by_length(text) if kind is None else _of_kind(text, kind)
        if digest is None:
            lengths = ", ".join(f"{length} ({kind})" for length, kind in BY_HEX_LENGTH.items())
            raise UsageError(f"{text[:80]!r} is no digest", hint=f"hexadecimal digits, as many as {lengths}")
        batch.append((text, *digest))
        if len(batch) >= _LOOKUP_BATCH:
            yield from _batch(found, batch)
            batch = []
    yield from _batch(found, batch)


def _of_kind(text: str, kind: str) -> tuple[str, bytes]:
    try:
        return kind, parse_digest(text, kind) if kind in LENGTHS else parse_kept(text, kind)
    except ValueError as error:
        raise UsageError(f"{text[:80]!r} is no digest: {error}") from error


def _nearest(found: Hashset, text: str, radius: int) -> dict[str, Any]:
    """Return the nearest PDQ hash of a set, as it is turned there."""
    _, pdq = _of_kind(text, "pdq")
    index = found.alike("pdq")
    row: dict[str, Any] = {"digest": text.lower(), "how": "pdq", "set": found.facts.name, "hit": False, "meaning": None, "category": None}
    if index is None:
        return row | {"note": "the set has no pdq hashes"}
    hits = index.search(np.frombuffer(pdq, np.uint8).reshape(1, -1), radius, limit=1)
    if len(hits.row):
        label = found.label(int(found.codes("pdq", hits.row)[0]))
        known = found.rows("pdq", int(hits.row[0]), int(hits.row[0]) + 1)[0, :32].tobytes().hex()
        row |= {"hit": True, "meaning": found.facts.meaning.value, "category": label.category, "facts": dict(label.facts)}
        row |= {"distance": int(hits.distance[0]), "known": known}
    if radius > index.exact_radius():
        row["note"] = f"the set is so large that beyond {index.exact_radius()} bits only a part is found"
    return row


def _batch(found: Hashset, batch: list[tuple[str, str, bytes]]) -> Iterator[dict[str, Any]]:
    numbers: dict[int, int] = {}
    for kind in found.kinds:
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
            "facts": dict(found.label(number).facts) if number >= 0 else {},
        }
        if digest == EMPTY_FILE.get(kind):
            row["note"] = "the empty file's digest, which is in no set"
        elif kind not in found.kinds:
            row["note"] = f"the set has no {kind} digests"
        yield row


def _summary(report: ImportReport) -> Iterator[str]:
    done = "would take" if report.dry_run else "took"
    digests = ", ".join(f"{count:,} {kind}" for kind, count in report.digests.items())
    if report.removed is not None:
        took_out = f"{report.removed:,} records go, {report.absent:,} digests are not there"
        yield f"{report.facts.source}: read as {report.facts.format}; {took_out}"
        yield f"  the set {'would have' if report.dry_run else 'has'} {report.records:,} records left ({digests})"
    else:
        yield f"{report.facts.source}: read as {report.facts.format}; {done} {report.records:,} records ({digests})"
    for kind, count in report.facts.uncompared.items():
        yield f"  {count:,} records have nothing but {kind}, which files are not compared by"
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
