"""``triage audit``: check a case's log."""

from __future__ import annotations

from pathlib import Path

import click

from triage.case.audit import verify as verify_chain
from triage.errors import CaseError


@click.group()
def audit() -> None:
    """Check the audit log of a case.

    \b
    Example:
      triage audit verify case-17
    """


@audit.command()
@click.argument("case", type=click.Path(path_type=Path))
def verify(case: Path) -> None:
    """Check that no line of the log was changed, removed or moved (exit code 4 when one was).

    \b
    Example:
      triage audit verify case-17
    """
    log = case / "audit.jsonl"
    try:
        lines, faults = verify_chain(log)
    except OSError as error:
        raise CaseError(f"{log} cannot be read: {error.strerror or error}", hint="give the folder that --case named") from error
    for fault in faults:
        click.echo(fault)
    if faults:
        raise CaseError(f"{log}: the chain is broken in {len(faults)} places")
    click.echo(f"{lines} lines, each follows from the one before it")
