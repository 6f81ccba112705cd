"""``triage findings``: one row a finding."""

from __future__ import annotations

from pathlib import Path

import click

from triage.case.store import Case
from triage.commands.output import emit, format_option


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--kind", metavar="KIND", help="Only of this kind, such as camera or hash-match.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most so many rows.")
@format_option
def findings(case: Path, kind: str | None, limit: int | None, fmt: str | None) -> None:
    """List what the analyzers saw.

    \b
    Example:
      triage findings case-17 --kind download-origin
    """
    with Case.open(case) as opened:
        rows = (row for row in opened.findings(None if kind else limit) if kind is None or row["kind"] == kind)
        if kind is not None and limit is not None:
            rows = (row for row, _ in zip(rows, range(limit), strict=False))
        emit(
            rows,
            ["kind", "title", "path", "plugin"] if fmt != "csv" else ["id", "entry", "path", "plugin", "kind", "title", "data", "ranges"],
            fmt,
        )
