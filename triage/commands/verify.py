"""``triage verify``: recompute what the acquisition stored."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.commands.common import opened, tell_container
from triage.commands.output import emit, format_option
from triage.commands.progress import make_observer
from triage.commands.secrets import secret_options
from triage.errors import EvidenceError
from triage.evidence.opening import SALVAGED
from triage.evidence.segments import group

if TYPE_CHECKING:
    from triage.model import Json

_COLUMNS = ["evidence", "verdict", "size", "stored_md5", "md5", "stored_sha1", "sha1", "sha256", "unread"]


@click.command()
@click.argument("evidence", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@format_option
@secret_options
def verify(evidence: tuple[Path, ...], quiet: bool, fmt: str | None, passwords: tuple[str, ...]) -> None:
    """Read the whole medium and compare its digests with those stored by the acquisition.

    The verdict is `verified`, `mismatch`, `no stored hash` (which is not verified) or `incomplete` (a part cannot be read).
    What a damaged E01 still gives and its digests prove is `verified`, and said to be salvaged.
    `mismatch` and `incomplete` end with exit code 3.

    \b
    Example:
      triage verify disk.E01
    """
    rows: list[Json] = []
    with make_observer(quiet=quiet) as observer:
        for path in group(evidence):
            with opened(path, passwords) as (session, record, _, problems):
                tell_container(problems)
                observer.stage("verifying")
                size = record.size
                answer = session.verify(
                    record,
                    lambda read, size=size: observer.progress(  # type: ignore[misc]
                        names=0, items_done=0, items=0, bytes_done=read, bytes_total=size
                    ),
                )
                rows.append(
                    {
                        "evidence": str(path),
                        "verdict": answer["verdict"],
                        "size": answer["size"],
                        "unread": answer["unread"],
                        **{f"stored_{k}": answer["stored"].get(k) for k in ("md5", "sha1")},
                        **{k: answer["computed"].get(k) for k in ("md5", "sha1", "sha256")},
                        "others": {
                            name: {"stored": value, "computed": answer["computed"].get(name)}
                            for name, value in sorted(answer["stored"].items())
                            if name not in ("md5", "sha1")
                        },
                        "reasons": answer["reasons"],
                        "salvaged": record.facts.get(SALVAGED),
                    }
                )
    if fmt == "table" or (fmt is None and sys.stdout.isatty()):
        for row in rows:  # nine columns with digests fit no terminal
            told = [{"fact": k.replace("_", " "), "value": row[k]} for k in _COLUMNS if row[k] is not None]
            for name, pair in row["others"].items():
                told += [{"fact": f"stored {name}", "value": pair["stored"]}, {"fact": name, "value": pair["computed"]}]
            emit(told, ["fact", "value"], "table")
    else:
        emit(rows, _COLUMNS, fmt)
    bad = [r for r in rows if r["verdict"] in ("mismatch", "incomplete")]
    if bad:
        hint = f"{bad[0]['unread']} bytes cannot be read: get a fresh copy"
        if bad[0]["verdict"] == "mismatch":
            hint = "the medium is not what was acquired: get a fresh copy"
        elif bad[0]["reasons"] and all("acquired" in reason for reason in bad[0]["reasons"]):
            hint = f"{bad[0]['unread']} bytes are not in the image: they were not acquired, or could not be read then"
        raise EvidenceError(f"{bad[0]['evidence']}: {bad[0]['verdict']}", hint=hint)
