"""The coverage statement: what was looked at, what was not and why. No result is silently partial."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from triage.model import Encryption, Outcome, Severity
from triage.priority.compared import not_compared

if TYPE_CHECKING:
    from collections.abc import Iterable

LISTED = "listed"
PARTLY_LISTED = "partly listed"
NOT_LISTED = "not listed"
GAP = "gap"
NO_CONTENT_PREFIX = "no content"
"""How the reasons begin that leave nothing out: a directory has no content to read."""
ENCRYPTED = "encrypted, with a key that is not here"
"""Why an item whose bytes are not those of the file is not read."""

_NEVER = ("text was not searched for words",)
"""What no run of this version does."""
_WITHOUT = {
    "archives": "files inside archives and office documents were not opened one by one (profile)",
    "mail": "mailboxes were not opened (profile)",
    "app_databases": "browsers' histories, messages and contacts were not read (profile)",
    "chromium_cache": "browsers' caches were not read (profile)",
    "evidence_inside": "images of media inside the evidence were not looked for (profile)",
}
"""What a run does not do that lacks a plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCoverage:
    """A stretch of the medium and how far it was listed: one of the four words above.

    ``checked``: its names were held against the file system's own books (:mod:`triage.filesystem.checks`).
    """

    name: str
    state: str
    size: int = 0
    file_system: str = ""
    encryption: Encryption = Encryption.NONE
    checked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageInput:
    """The counters of a run. Bytes are those of the medium, its gaps, and content read and selected.

    ``outcomes`` counts items (contents, not names) by how the work on them ended; ``skipped`` counts those
    that were left out by reason; ``problems`` counts by severity. ``finished``: the run came to its end. ``ledger``: to whom
    each medium's bytes belong (:func:`triage.case.ledger.medium_ledger`), empty until a run has ended. ``carved_from``: what the profile
    has searched for files by their content, ``None`` until the run comes to that; ``carving``: how far, one row an area
    (:func:`triage.case.carved.carving_rows`). ``compared``: what can be compared by likeness
    (:func:`triage.case.matches.comparison_counts`); ``compare``: what the run was to compare and could not, ``None`` until it comes to
    that; ``hashsets``: the facts of the lists; ``plugins``: those of the run; ``inside_unopened``: images of media and backups of phones
    that were found inside evidence and are not evidence of the case.
    """

    entries: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    bytes_medium: int = 0
    bytes_volumes: int = 0
    bytes_gaps: int = 0
    bytes_content_read: int = 0
    bytes_content_selected: int = 0
    volumes: tuple[VolumeCoverage, ...] = ()
    problems: Counter[Severity] = field(default_factory=Counter)
    finished: bool = False
    ledger: tuple[dict[str, Any], ...] = ()
    carved_from: tuple[str, ...] | None = None
    carving: tuple[dict[str, Any], ...] = ()
    compared: dict[str, Any] = field(default_factory=dict)
    compare: dict[str, Any] | None = None
    hashsets: tuple[dict[str, Any], ...] = ()
    plugins: frozenset[str] | None = None
    inside_unopened: int = 0


def coverage(counted: CoverageInput) -> dict[str, Any]:
    """Return the coverage statement.

    ``complete`` is true only if the run ended and nothing it meant to read is missing.
    """
    outcomes = counted.outcomes
    locked = _names(v for v in counted.volumes if v.encryption is Encryption.LOCKED)
    unreadable = _names(v for v in counted.volumes if v.state == NOT_LISTED and v.encryption is Encryption.NONE)
    partly = _names(v for v in counted.volumes if v.state == PARTLY_LISTED)
    missing = sum(outcomes[o] for o in (Outcome.NOT_REACHED, Outcome.FAILED, Outcome.TIMEOUT, Outcome.CRASHED, Outcome.PARTIAL))
    return {
        "seen": {
            "entries": counted.entries,
            "volumes": sum(1 for v in counted.volumes if v.state != GAP),
            "volumes_listed": sum(1 for v in counted.volumes if v.state == LISTED),
            "gaps": sum(1 for v in counted.volumes if v.state == GAP),
            "problems": {str(severity): counted.problems[severity] for severity in Severity},
        },
        "items": {
            "seen": sum(outcomes.values()),
            "analysed": outcomes[Outcome.DONE],
            "partial": outcomes[Outcome.PARTIAL],
            "skipped": outcomes[Outcome.SKIPPED],
            "failed": outcomes[Outcome.FAILED],
            "timeout": outcomes[Outcome.TIMEOUT],
            "crashed": outcomes[Outcome.CRASHED],
            "not_reached": outcomes[Outcome.NOT_REACHED],
        },
        "skipped_why": dict(sorted(counted.skipped.items())),
        "bytes": {
            "medium": counted.bytes_medium,
            "volumes": counted.bytes_volumes,
            "gaps": counted.bytes_gaps,
            "content_read": counted.bytes_content_read,
            "content_selected": counted.bytes_content_selected,
        },
        "ledger": list(counted.ledger),
        "carving": carving_totals(counted),
        "compared": counted.compared,
        "locked_volumes": locked,
        "unreadable_volumes": unreadable,
        "partly_listed_volumes": partly,
        "not_done": _not_done(counted, locked, unreadable, partly),
        "complete": counted.finished and not (missing or locked or unreadable or partly or counted.skipped[ENCRYPTED]),
    }


def _names(volumes: Iterable[VolumeCoverage]) -> list[str]:
    return [f"{v.name} ({v.file_system})" if v.file_system else v.name for v in volumes]


def _not_done(counted: CoverageInput, locked: list[str], unreadable: list[str], partly: list[str]) -> list[str]:
    """Return plain sentences for what was not looked at: this run's first, then what no run does."""
    outcomes = counted.outcomes
    said: list[str] = []
    if not counted.finished:
        said.append("the run has not finished: everything below is as of now")
    said.extend(f"{name} is encrypted and was not unlocked: nothing in it was looked at" for name in locked)
    searched = "gaps" in (counted.carved_from or ())
    unnamed = "its names are unknown, it was only searched for files by their content" if searched else "nothing in it was looked at"
    said.extend(f"{name} could not be read: {unnamed}" for name in unreadable)
    said.extend(f"{name} was listed in part only: it may hold more files than are shown" for name in partly)
    said.extend(
        f"{name} was not held against its file system's own books in full: whether names are missing is not known"
        for name in _names(v for v in counted.volumes if v.state in (LISTED, PARTLY_LISTED) and not v.checked)
    )
    if count := outcomes[Outcome.NOT_REACHED]:
        said.append(f"{_items(count)} not reached before the time was up or the run was stopped")
    if count := outcomes[Outcome.PARTIAL]:
        said.append(f"{_items(count)} read in part only: they have no digests and no hash list was asked about them")
    for outcome, what in (
        (Outcome.FAILED, "not readable"),
        (Outcome.TIMEOUT, "given up because nothing more came"),
        (Outcome.CRASHED, "given up because reading crashed the reader"),
    ):
        if count := outcomes[outcome]:
            said.append(f"{_items(count)} {what}")
    for reason, count in sorted(counted.skipped.items(), key=lambda pair: (-pair[1], pair[0])):
        if not reason.startswith(NO_CONTENT_PREFIX):
            said.append(f"{_items(count)} listed but not read ({reason})")
    said += not_compared(counted.compared, counted.compare, counted.hashsets)
    said += _not_carved(counted)
    if (gaps := [v for v in counted.volumes if v.state == GAP]) and "gaps" not in (counted.carved_from or ()):
        size = sum(v.size for v in gaps)
        said.append(f"space outside all partitions was not searched: {size:,} bytes in {len(gaps)} stretch{'es' if len(gaps) != 1 else ''}")
    if never := sum(row["never_read"] for row in counted.ledger):
        size, unowned = (sum(row[key] for row in counted.ledger) for key in ("size", "unowned"))
        searched = carving_totals(counted)["searched"]
        by_header = f"; {searched:,} bytes outside of living files were searched for the beginnings of files" if searched else ""
        said.append(
            f"of {size:,} bytes of the medium {never:,} were not read as content: {unowned:,} that no listed file owns (free space, "
            f"the file systems' own structures); the rest is slack, gaps and what is named above{by_header}"
        )
    if count := counted.inside_unopened:
        were = "image of a medium or backup of a phone was" if count == 1 else "images of media and backups of phones were"
        said.append(f"{count:,} {were} found inside the evidence and not opened: triage run --nested does")
    if count := counted.problems[Severity.ERROR]:
        said.append(f"{count:,} error{'s' if count != 1 else ''} recorded: see the problems")
    without = [sentence for name, sentence in _WITHOUT.items() if counted.plugins is not None and name not in counted.plugins]
    return [*said, *without, *_NEVER]


def _items(count: int) -> str:
    return "1 item was" if count == 1 else f"{count:,} items were"


_PLACES = {
    "unallocated": "space that no file owns was not searched: deleted files whose names are gone were not looked for",
    "slack": "slack behind the ends of files was not searched",
    "containers": "page files, databases and thumbnail stores were not searched for files inside them",
}
_CARVED = "files of kinds that are not carved, and those in more pieces than can be put together, were not found by their content"


def carving_totals(counted: CoverageInput) -> dict[str, Any]:
    """Return what carving looked at and found, in bytes and files."""
    rows = counted.carving
    structures: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for row in rows:
        structures.update(row["structures"])
        counts.update(row["counts"])
    return {
        "from": list(counted.carved_from) if counted.carved_from is not None else None,
        "areas": len(rows),
        "size": sum(row["size"] for row in rows),
        "searched": sum(row["next"] - row["unsearched"] for row in rows),
        "found": {name: structures[name] for name in ("complete", "fragmented", "damaged", "truncated")},
        "already_listed": counts["named"],
        "inside_others": sum(row["order"].get("nested", 0) for row in rows),
        "cut": counts["cut"],
        "failed": counts["failed"],
        "unreadable": counts["unreadable"],
        "given_up": counts["given_up"],
    }


def _not_carved(counted: CoverageInput) -> list[str]:
    """Return what carving left out."""
    sources = counted.carved_from
    if sources is None:
        return [f"{_PLACES['unallocated']} (the run did not come to it)", _PLACES["slack"], _PLACES["containers"]]
    said = [sentence for source, sentence in _PLACES.items() if source not in sources]
    totals = carving_totals(counted)
    if left := sum(row["size"] - row["next"] for row in counted.carving):
        said.append(f"{left:,} bytes were not searched for files by their content before the time was up or the run was stopped")
    if given_up := sum(row["unsearched"] for row in counted.carving):
        said.append(f"{given_up:,} bytes were not searched for files by their content: workers were lost over them")
    if totals["cut"]:
        said.append(f"{totals['cut']:,} places look like the beginning of a file and were given up, since following them took too long")
    if totals["failed"]:
        said.append(f"{totals['failed']:,} places look like the beginning of a file and could not be followed: what they say does not fit")
    if totals["given_up"]:
        said.append(f"the search for the rest of {totals['given_up']:,} files that break off was ended, since it took too long")
    if totals["unreadable"]:
        said.append(f"{totals['unreadable']:,} bytes outside of living files could not be read: what lay there was not found")
    return [*said, _CARVED] if sources else said


def carving_sentence(totals: dict[str, Any]) -> str:
    """Return what carving found, in one line; empty when nothing was searched."""
    if not totals["searched"]:
        return ""
    found = totals["found"]
    count, listed = sum(found.values()), totals["already_listed"]
    parts = [f"{found[name]:,} {name}" for name in found if found[name]]
    told = f"{count:,} file{'' if count == 1 else 's'} found" + (f" ({', '.join(parts)})" if parts else "")
    named = f", {listed:,} of them listed by name already" if listed else ""
    return f"{totals['searched']:,} bytes without living files searched: {told}{named}"
