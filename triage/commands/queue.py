"""``triage queue``: what to look at first, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.case.store import Case
from triage.commands.output import emit, format_option

if TYPE_CHECKING:
    from triage.model import Json


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, metavar="N", help="At most so many rows; 0 for all.")
@click.option("--unknown", is_flag=True, help="Only what is on no list: the known is sorted already.")
@format_option
def queue(case: Path, limit: int, unknown: bool, fmt: str | None) -> None:
    """Show the review queue: rank, score and why.

    Entries with the same content are one row; `copies` says how many there are.

    \b
    Example:
      triage queue case-17
      triage queue case-17 --unknown --limit 0 --format jsonl
    """
    table = fmt == "table" or (fmt is None and sys.stdout.isatty())
    with Case.open(case) as opened:
        rows = opened.queue(limit or None, unknown_only=unknown)
        emit(
            (_short(r) for r in rows) if table else rows,
            ["rank", "score", "path", "why"]
            if table
            else ["rank", "score", "path", "state", "known", "size", "type", "reasons", "copies", "sha256", "id"],
            fmt,
        )


def _short(row: Json) -> Json:
    why = "; ".join(f"{r['points']:+d} {r['text']}" for r in row["reasons"])
    copies = f"; {row['copies']} copies" if row["copies"] > 1 else ""
    return {"rank": row["rank"], "score": row["score"], "path": row["path"], "why": why + copies}
