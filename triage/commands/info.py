"""``triage info``: what evidence is, in seconds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.commands.common import opened, tell
from triage.commands.output import emit, format_option
from triage.commands.secrets import secret_options
from triage.evidence.layers import is_view
from triage.evidence.segments import group

if TYPE_CHECKING:
    from triage.model import Evidence, Json, Problem, Volume


@click.command()
@click.argument("evidence", nargs=-1, required=True, type=click.Path(path_type=Path))
@format_option
@secret_options
def info(evidence: tuple[Path, ...], fmt: str | None, passwords: tuple[str, ...]) -> None:
    """Show container, acquisition facts, volumes, file systems and encryption; reads little.

    \b
    Example:
      triage info disk.E01
      triage info *.E01 --format json | jq '.[].volumes'
    """
    table = fmt == "table" or (fmt is None and sys.stdout.isatty())
    found: list[Json] = []
    for path in group(evidence):
        with opened(path, passwords) as (session, plain, volumes, wrong):
            device, said = session.device(plain, volumes)
            record, problems = plain.replace(facts={**device, **plain.facts}), [*wrong, *said]
            if table:
                _show(record, volumes, problems)
            else:
                found.append(_row(record, volumes, problems))
    if not table:
        emit(found, ["paths", "kind", "size", "facts", "stored_digests", "volumes", "problems"], fmt)


def _row(record: Evidence, volumes: list[Volume], problems: list[Problem]) -> Json:
    return {**record.to_json(), "volumes": [{**v.to_json(), "name": v.name} for v in volumes], "problems": [p.to_json() for p in problems]}


def _show(record: Evidence, volumes: list[Volume], problems: list[Problem]) -> None:
    facts: Json = {
        "evidence": record.paths[0],
        "container": record.kind,
        "segments": len(record.paths),
        "size (bytes)": record.size,
        "sector size": record.sector_size,
        **record.facts,
        **{f"stored {k}": v for k, v in record.stored_digests.items()},
    }
    if not record.stored_digests:
        facts["stored digests"] = "none: nothing to verify against"
    facts["fingerprint"] = f"{record.fingerprint} (sampled)"
    shown = {k: v.partition(" at byte ")[0] if k.startswith("vol") and isinstance(v, str) else v for k, v in facts.items()}
    emit([{"fact": k, "value": v if isinstance(v, str) else json.dumps(v)} for k, v in shown.items()], ["fact", "value"], "table")
    emit(
        [
            {
                "volume": v.name,
                "offset": "inside" if is_view(v.offset) else v.offset,
                "size": v.size,
                "type": v.type,
                "file system": v.file_system,
                "label": v.label,
                "encryption": v.encryption.value,
            }
            for v in volumes
        ],
        ["volume", "offset", "size", "type", "file system", "label", "encryption"],
        "table",
    )
    tell(problems)
