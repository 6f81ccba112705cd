"""The lists as CSV for spreadsheets: every cell quoted and inert, UTF-8 with a byte order mark, RFC 4180 line ends.

A cell that a spreadsheet would take for a formula begins with ``'``. Where a comma is the decimal sign, spreadsheets split these
files at ``;`` whatever is quoted: a formula behind one inside a cell is made inert in the same way. JSON holds the exact text.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

from triage.escape import cell
from triage.report.folder import LISTS
from triage.report.jsonl import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from triage.report.document import Document, Row
    from triage.report.folder import Folder

_FILES = (
    "id",
    "evidence",
    "exhibit",
    "volume",
    "path",
    "name",
    "kind",
    "state",
    "recoverability",
    "size",
    "mtime",
    "atime",
    "ctime",
    "crtime",
    "time_basis",
    "meta_addr",
    "mime",
    "type",
    "category",
    "extension_mismatch",
    "entropy",
    "md5",
    "sha1",
    "sha256",
    "known",
    "alike",
    "likeness",
    "spared",
    "matches",
    "score",
    "reasons",
    "outcome",
    "outcome_reason",
    "parent",
    "link_target",
    "problems",
    "name_raw",
    "runs",
)
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "files": _FILES,
    "queue": (
        "rank",
        "score",
        "reasons",
        "matches",
        "path",
        "copies",
        *(c for c in _FILES if c not in {"score", "reasons", "matches", "path"}),
    ),
    "findings": ("id", "entry", "path", "plugin", "kind", "title", "data", "ranges"),
    "problems": (
        "severity",
        "stage",
        "message",
        "detail",
        "count",
        "evidence",
        "volume",
        "entry",
        "path",
        "plugin",
    ),
}


def render(document: Document, folder: Folder) -> None:
    """Write ``files.csv``, ``findings.csv``, ``queue.csv`` and ``problems.csv``."""
    for name in LISTS:
        columns = COLUMNS[name]
        with folder.text(f"{name}.csv", bom=True) as file:
            writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
            writer.writerow(columns)
            writer.writerows([_cell(column, row) for column in columns] for row in getattr(document, name)())


def _cell(column: str, row: Row) -> str:
    value = row.get(column)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, int | float):
        return cell(value)
    if column in _WORDS:
        value = _WORDS[column](value)
    elif not isinstance(value, str):
        value = dump(value)
    return cell(value)


def _reasons(value: Any) -> str:
    return " | ".join(f"{r.get('text') or r.get('rule') or ''} ({r.get('points')})" for r in value if isinstance(r, dict))


def _matches(value: Any) -> str:
    return " | ".join(
        f"{m.get('set')} ({m.get('meaning')}, {m.get('label') or m.get('category') or 'no category'}, {_how(m)})"
        for m in value
        if isinstance(m, dict)
    )


def _how(match: Row) -> str:
    """Return what agreed, and how well."""
    how = str(match.get("how"))
    return how if match.get("tier") in (None, "exact") else f"{how} {match['tier']}, distance {match.get('distance')}"


_WORDS: dict[str, Callable[[Any], str]] = {"reasons": _reasons, "matches": _matches}
