"""``triage report``: any report of a case again, at any time, also while the run is not finished."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.case.store import Case
from triage.commands.secrets import secret_options
from triage.engine.session import Session
from triage.errors import UsageError
from triage.report.document import TOP, build
from triage.report.thumbnails import collect
from triage.report.write import FORMATS, write_report

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    default="html,json",
    show_default=True,
    metavar="LIST",
    help=f"What to write, separated by commas: {', '.join(FORMATS)}.",
)
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write to.  [default: CASE/report]")
@click.option(
    "--pictures",
    type=click.Choice(["none", "blurred", "plain"]),
    default="none",
    show_default=True,
    help="Show pictures at the top of the queue; blurred ones are grey as well.",
)
@click.option("--all-files", is_flag=True, help="HTML pages for every entry, too (about a kilobyte each).")
@secret_options
def report(case: Path, formats: str, out: Path | None, pictures: str, all_files: bool, passwords: tuple[str, ...]) -> None:
    """Write the report of a case and print where it is.

    Passwords are needed only for pictures out of encrypted evidence.

    \b
    Example:
      triage report case1 --format html,csv --out report1
    """
    names = [name.strip() for name in formats.split(",") if name.strip()]
    with Case.open(case) as opened:
        thumbnails: dict[str, bytes] = {}
        said = ""
        if pictures != "none":
            thumbnails, said = _pictures(opened, blurred=pictures == "blurred", passwords=passwords)
        document = build(opened, thumbnails=thumbnails, pictures=said, all_files=all_files)
        written = write_report(document, names, out or case / "report")
    click.echo(written[0])


def _pictures(case: Case, *, blurred: bool, passwords: tuple[str, ...]) -> tuple[dict[str, bytes], str]:
    evidence = case.evidence_records()
    missing = [path for record in evidence for path in record.paths if not Path(path).exists()]
    if missing:
        raise UsageError(
            f"pictures are read from the evidence, and {missing[0]} is not there",
            hint="put the evidence where it was, or leave --pictures out",
        )

    @contextmanager
    def decoder() -> Iterator[Session]:
        with Session(passwords=passwords) as session:
            session.attach(evidence)
            yield session

    return collect(case.queue(limit=TOP), case.entry, decoder, blurred=blurred)
