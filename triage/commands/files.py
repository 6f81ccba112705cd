"""``triage files``: one row an entry."""

from __future__ import annotations

from pathlib import Path

import click

from triage.case.store import Case
from triage.commands.output import emit, format_option
from triage.report.csvfile import COLUMNS as CSV_COLUMNS

_COLUMNS = ["score", "state", "size", "type", "known", "path"]


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--where", metavar="CONDITION", help="Such as: state=deleted and mime=image/*")
@click.option("--sort", metavar="FIELD", help="A field, -FIELD for the largest first; score is largest first.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most so many rows.")
@format_option
def files(case: Path, where: str | None, sort: str | None, limit: int | None, fmt: str | None) -> None:
    """List the entries of a case with all that is known of each.

    A condition compares fields with = != < <= > >= or ~ (contains), joined by and, or, not and brackets; * stands for
    anything, sizes take units, times are ISO 8601.

    \b
    Example:
      triage files case-17 --where 'state=deleted and mime=image/*' --sort score --limit 20
      triage files case-17 --where 'extension_mismatch=true and size>10KiB' --format csv
    """
    with Case.open(case) as opened:
        emit(opened.files(where=where, sort=sort, limit=limit), CSV_COLUMNS["files"] if fmt == "csv" else _COLUMNS, fmt)
