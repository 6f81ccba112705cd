"""``triage audit``: check a case's log, and sign it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from triage.case import seal as seals
from triage.case.audit import verify as verify_chain
from triage.commands.common import ask_passphrase
from triage.errors import CaseError, UsageError


@click.group()
def audit() -> None:
    """Check the audit log of a case, and sign it.

    \b
    Example:
      triage audit verify case-17
    """


@audit.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--key", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The laboratory's private key: Ed25519, PEM.")
def seal(case: Path, key: Path) -> None:
    """Sign a case as it is now: the audit log's last line, the case's digest, the report's.

    The signature is written to CASE/seal.json; `triage audit verify CASE --public-key FILE` checks it. A passphrase is asked for if
    the key has one. `openssl genpkey -algorithm ed25519 -aes256 -out lab.pem` makes a key.

    \b
    Example:
      triage audit seal case-17 --key lab.pem
    """
    signed = seals.seal(case, seals.load_private_key(key, ask_passphrase))
    click.echo(f"sealed {signed['lines']} lines, the last has the digest {signed['head']}")


@audit.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--noted", default="", metavar="DIGEST", help="What `triage run` printed at its end: the log must hold that line.")
@click.option("--public-key", type=click.Path(path_type=Path), metavar="FILE", help="Also check the seal with this key: Ed25519, PEM.")
def verify(case: Path, noted: str, public_key: Path | None) -> None:
    """Check that no line of the log was changed, removed or moved (exit code 4 when one was).

    Only a digest that was noted elsewhere, or a seal, shows that lines are missing at the end or that the whole log was written anew.
    A seal that does not hold also ends with exit code 4.

    \b
    Example:
      triage audit verify case-17 --noted f5b90981954c7e2d07b7aab5b0c3806a
    """
    if noted and not re.fullmatch("[0-9a-fA-F]{16,64}", noted):
        raise UsageError("--noted takes at least 16 hexadecimal digits of a digest", hint="`triage run` prints it in its last line")
    key = seals.load_public_key(public_key) if public_key is not None else None
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
    if key is not None:
        signed = seals.check(case, key)
        report = " and report.json" if signed["report_sha256"] else ""
        click.echo(f"the seal holds: audit log, results{report} are what was sealed")
