"""``triage sample``: a first answer in seconds, with its odds."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from triage.commands.common import opened, tell_container
from triage.commands.output import emit, format_option, say
from triage.commands.progress import make_observer
from triage.commands.secrets import secret_options
from triage.engine.sample import rows_of, sample_medium, statement
from triage.errors import UsageError
from triage.hashsets.library import HashsetLibrary
from triage.priority.sampling import CELL, confidence_of
from triage.priority.units import parse_size

_CONFIDENCE = re.compile(r"(\d{1,2}(?:\.\d{1,6})?)\s?%|(0?\.\d{1,8})")
_COLUMNS = ["file", "blocks", "of", "record"]


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@click.option("--hashset", "name", required=True, help="Set with blocks of known files (triage hashset build).")
@click.option("--target", default="20MiB", show_default=True, help="How much of the set's files would have to be there to be seen.")
@click.option("--confidence", default="99%", show_default=True, help="With what probability it would be seen.")
@click.option("--seed", default=None, help="What the places are drawn by, to draw the same or other ones; else told by evidence and set.")
@click.option("--volume", default=None, metavar="NAME", help="Sample only this volume (vol1 …), as triage info names it.")
@click.option("--library", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Folder of the compiled sets.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@format_option
@secret_options
def sample(
    evidence: Path,
    name: str,
    target: str,
    confidence: str,
    seed: str | None,
    volume: str | None,
    library: Path | None,
    *,
    quiet: bool,
    fmt: str | None,
    passwords: tuple[str, ...],
) -> None:
    """Read random places of a medium and look for blocks of known files.

    Says how many places were read and met, and with what probability files of the set would have been met. Encrypted volumes and file
    systems that compress are not sampled. It finds; it never says that nothing is there.

    \b
    Example:
      triage sample disk.E01 --hashset case-17 --target 20MiB --confidence 99%
    """
    size, odds = _size(target), _odds(confidence)
    with HashsetLibrary(library).open(name) as found, make_observer(quiet=quiet) as observer, opened(evidence, passwords) as (
        session,
        record,
        volumes,
        problems,
    ):
        tell_container(problems)
        observer.stage("sampling")
        drawn = sample_medium(
            session,
            record,
            volumes,
            found,
            target=size,
            confidence=odds,
            seed=seed,
            only=volume,
            tick=lambda done, total: observer.progress(
                names=0, items_done=done, items=total, bytes_done=done * CELL, bytes_total=total * CELL
            ),
        )
        said, files = statement(drawn, target=size, hashset=found.facts.name), rows_of(drawn, found)
        row = {
            "evidence": str(evidence),
            "set": found.facts.name,
            "set_integrity": found.facts.integrity,
            "seed": drawn.seed,
            "target": size,
            "confidence_asked": odds,
            "confidence": confidence_of(drawn.cells, drawn.known, drawn.drawn),
            "cells": drawn.cells,
            "read": drawn.drawn,
            "unreadable": drawn.unreadable,
            "target_blocks": drawn.known,
            "share_of_blocks_known": round(drawn.share, 6),
            "hits": len(drawn.hits),
            "files": files,
            "left_out": drawn.left_out,
            "statement": said,
        }
    say(said)
    for reason in drawn.left_out:
        say(f"not sampled: {reason}")
    if drawn.unreadable:
        say(f"{drawn.unreadable:,} of the places drawn could not be read: they count for nothing")
    if fmt in ("table", "csv") or (fmt is None and sys.stdout.isatty()):
        if files:
            emit(files, _COLUMNS, fmt or "table")
    else:
        emit([row], list(row), fmt)


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"--target: {error}", hint="for example 20MiB") from error


def _odds(text: str) -> float:
    match = _CONFIDENCE.fullmatch(text.strip())
    value = (float(match[1]) / 100 if match[1] else float(match[2])) if match else 0.0
    if not 0 < value < 1:
        raise UsageError(f"--confidence: {text!r} is no probability", hint="for example 99%")
    return value
