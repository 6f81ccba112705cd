"""``triage audit``: check a case's log."""

from __future__ import annotations

import re
from pathlib import Path

import click

from triage.case.audit import verify as verify_chain
from triage.errors import CaseError, UsageError


@click.group()
def audit() -> None:
    """Check the audit log of a case.

    \b
    Example:
      triage audit verify case-17
    """


@audit.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--noted", default="", metavar="DIGEST", help="What `triage run` printed at its end: the log must hold that line.")
def verify(case: Path, noted: str) -> None:
    """Check that no line of the log was changed, removed or moved (exit code 4 when one was).

    Only a digest that was noted elsewhere shows that lines are missing at the end or that the whole log was written anew.

    \b
    Example:
      triage audit verify case-17 --noted f5b90981954c7e2d07b7aab5b0c3806a
    """
    if noted and not re.fullmatch("[0-9a-fA-F]{16,64}", noted):
        raise UsageError("--noted takes at least 16 hexadecimal digits of a digest", hint="`triage run` prints it in its last line")
    log = case / "audit.jsonl"
    try:
        lines, faults = verify_chain(log, noted)
    except OSError as error:
        raise CaseError(f"{log} cannot be read: {error.strerror or error}", hint="give the folder that --case named") from error
    for fault in faults:
        click.echo(fault)
    if faults:
        raise CaseError(f"{log}: the chain is broken in {len(faults)} places", hint="do not rely on it; the lines above say where")
    click.echo(f"{lines} lines, each follows from the one before it" + (f"; one has the digest {noted}" if noted else ""))
