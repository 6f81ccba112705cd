"""The answer in one glance: what must be known before anything else in a report is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.priority.coverage import ENCRYPTED

if TYPE_CHECKING:
    from triage.report.document import Document, Row


_VOLUMES_TOLD = 5
"""Volumes that are told one by one; of more, these are named in one sentence."""
_ABOUT_VOLUMES = (
    (
        "locked_volumes",
        "is LOCKED: it is encrypted and nothing in it was read.",
        "are LOCKED: they are encrypted and nothing in them was read.",
    ),
    (
        "unreadable_volumes",
        "could NOT BE READ: none of its names are in this report.",
        "could NOT BE READ: none of their names are in this report.",
    ),
    (
        "partly_listed_volumes",
        "was listed IN PART: it may hold files that are not in this report.",
        "were listed IN PART: they may hold files that are not in this report.",
    ),
)


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the strip. ``tone`` is ``bad``, ``warn``, ``good`` or empty."""

    label: str
    value: str
    note: str
    tone: str = ""


def number(value: object) -> str:
    """Return an integer with thousands separators; anything else as its text, nothing as ``0``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "0" if value is None else str(value)


def plural(count: int, one: str, many: str = "") -> str:
    """Return ``1 file``, ``2 files``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(value: object) -> str:
    """Return a number of bytes in units of 1024, for people."""
    if not isinstance(value, int) or isinstance(value, bool):
        return ""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(amount) < 1024:
            return f"{value} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} PiB"


def clock(value: object) -> str:
    """Return an ISO time of the run to the second, as people read it; nothing as empty text."""
    return str(value or "")[:19].replace("T", " ")


def alarms(document: Document) -> list[str]:
    """Return what stands in red above everything: each takes away from what the report can be trusted for."""
    found = []
    for evidence in document.evidence:
        name = evidence_name(evidence)
        if str(evidence.get("fingerprint_state") or "").startswith("CHANGED"):
            found.append(
                f"Evidence CHANGED while it was examined: {name}. Its fingerprint after the run is not the one "
                "before. Do not rely on this result; find out what wrote to the evidence."
            )
        if evidence.get("verification") == "incomplete":
            found.append(f"A part of the acquired data could not be read, so its stored digest cannot be verified: {name}.")
        if evidence.get("verification") == "mismatch":
            found.append(
                f"The acquired data does not have the digest that was stored at acquisition: {name}. It was altered or damaged since."
            )
    if not document.facts.get("finished"):
        found.append(
            "The run is NOT FINISHED: what follows is an intermediate state, and what is not listed may still be "
            "found. Run the same command again to go on."
        )
    for key, one, many in _ABOUT_VOLUMES:
        names = _volumes(document, key)
        if len(names) <= _VOLUMES_TOLD:
            found.extend(f"Volume {name} {one}" for name in names)
        else:
            told = f"{', '.join(names[:_VOLUMES_TOLD])} and {len(names) - _VOLUMES_TOLD:,} more"
            found.append(f"{len(names):,} volumes {many} They are {told}.")
    if encrypted := (document.coverage.get("skipped_why") or {}).get(ENCRYPTED):
        found.append(f"{plural(encrypted, 'file is', 'files are')} ENCRYPTED, with a key that is not here: nothing in them was examined.")
    if document.facts.get("finished") and not document.coverage.get("complete"):
        found.append("Coverage is NOT COMPLETE: some items were not analysed in full. See the coverage statement.")
    return found


def tiles(document: Document) -> list[Tile]:
    """Return the numbers of the strip, in reading order."""
    return [
        _notable(document),
        _queue(document),
        _findings(document),
        _problems(document),
        _coverage(document),
    ]


def evidence_name(evidence: Row) -> str:
    """Return what people call a piece of evidence: its exhibit with the first file's name, or the name alone."""
    names = file_names(evidence)
    name = names[0] if names else str(evidence.get("id") or "")
    exhibit = str(evidence.get("exhibit") or "")
    return f"{exhibit} ({name})" if exhibit else name


def file_names(evidence: Row) -> list[str]:
    """Return the names of the files that hold the evidence, without their folders: those tell about the examiner."""
    return [str(path).replace("\\", "/").rstrip("/").rpartition("/")[2] for path in evidence.get("paths") or ()]


def _volumes(document: Document, key: str) -> list[str]:
    value = document.coverage.get(key) or ()
    return [str(v.get("name") or v) if isinstance(v, dict) else str(v) for v in value]


def _notable(document: Document) -> Tile:
    lists = [row for row in document.hashsets if row.get("meaning") == "notable"]
    hits = (document.counts.get("by_known") or {}).get("notable") or 0
    if not lists:
        return Tile("Notable hits", number(hits), "no list of notable files was used", "bad" if hits else "warn")
    alike = sum((document.counts.get("by_alike") or {}).values())
    more = f"; {plural(alike, 'item')} more like something there" if alike else ""
    return Tile("Notable hits", number(hits), f"on {plural(len(lists), 'notable list')}{more}", "bad" if hits or alike else "")


def _queue(document: Document) -> Tile:
    scores = [row["score"] for row in document.top if isinstance(row.get("score"), int)]
    return Tile(
        "To review",
        number(document.totals.queue),
        f"highest score {max(scores):,}" if scores else "queue is empty",
    )


def _findings(document: Document) -> Tile:
    kinds = len(document.totals.findings_by_kind)
    return Tile("Findings", number(document.totals.findings), f"of {plural(kinds, 'kind')}" if kinds else "none")


def _problems(document: Document) -> Tile:
    by = document.totals.problems_by_severity
    errors, warnings = by.get("error", 0), by.get("warning", 0)
    notes = sum(by.values()) - errors - warnings
    parts = [plural(n, w) for n, w in ((errors, "error"), (warnings, "warning"), (notes, "note")) if n]
    return Tile(
        "Problems",
        number(errors + warnings),
        ", ".join(parts) or "none",
        "bad" if errors else "warn" if warnings else "good",
    )


def _coverage(document: Document) -> Tile:
    items = document.coverage.get("items") or {}
    seen, analysed = items.get("seen") or 0, items.get("analysed") or 0
    skipped = items.get("skipped") or 0
    note = f"{number(analysed)} of {number(seen)} in full" + (f", {number(skipped)} skipped" if skipped else "")
    if document.coverage.get("complete") and document.facts.get("finished"):
        return Tile("Coverage", "complete", note, "good")
    return Tile("Coverage", "NOT complete", note, "bad")
