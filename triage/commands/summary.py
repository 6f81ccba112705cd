"""What a person sees at the end of a run: the verdict, the top of the queue with reasons, what was not looked at, the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from triage.case.store import Case
from triage.escape import show
from triage.priority.coverage import ENCRYPTED
from triage.report.document import build
from triage.report.write import write_report

if TYPE_CHECKING:
    from pathlib import Path

    from triage.engine.run import RunResult

_LINES = 10
_TOP = 5
_REASONS = 3


def write_case_report(case: Path) -> None:
    """Write the report that a run leaves in its case folder: without pages for every entry, which take a kilobyte each."""
    with Case.open(case) as opened:
        write_report(build(opened, all_files=False), ("html", "json"), case / "report")


def tell_container_problems(case: Path) -> None:
    """Say on standard error what is wrong with the evidence as a whole: damaged tables, locked or unread volumes, cut images."""
    with Case.open(case) as opened:
        rows = [r for r in opened.problems() if r["stage"] in ("evidence", "volumes", "engine", "fingerprint")]
    for row in rows[:_LINES]:
        click.echo(f"triage: {row['severity']}: {show(row['message'])}", err=True)
    if len(rows) > _LINES:
        click.echo(f"triage: {len(rows) - _LINES} more problems of this kind: triage status, or the report", err=True)


def print_summary(case: Path, result: RunResult, *, report: bool) -> None:
    """Print the summary to standard output, plain text within 80 columns where names allow."""
    with Case.open(case) as opened:
        counts, coverage = opened.counts(), opened.coverage()
        top = list(opened.queue(_TOP))
    items = coverage["items"]
    lost = {k: items[k] for k in ("partial", "failed", "timeout", "crashed", "not_reached") if items[k]}
    click.echo(
        f"{counts['entries']:,} names, {items['analysed']:,} of {items['seen']:,} contents read "
        f"({_size(coverage['bytes']['content_read'])}) in {result.seconds:.1f} s" + (" (resumed)" if result.resumed else "")
    )
    click.echo(f"on notable lists: {result.notable:,}   to review: {counts['queue']:,}   problems: {result.problems:,}")
    if alike := counts["by_alike"]:
        tiers = ", ".join(f"{alike[tier]:,} {tier}" for tier in ("match", "likely", "weak") if tier in alike)
        click.echo(f"like something on a notable list: {sum(alike.values()):,} ({tiers})")
    carved = sum(coverage["carving"]["found"].values()) - coverage["carving"]["already_listed"]
    if carved:
        click.echo(f"carved: {carved:,} file{'' if carved == 1 else 's'} that no name leads to")
    if lost:
        click.echo("not read whole: " + ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in lost.items()))
    for name in coverage["locked_volumes"]:
        click.echo(f"LOCKED: {show(name)}: nothing in it was examined")
    searched = "gaps" in (coverage["carving"]["from"] or ())
    unread = "its names are unknown, it was only searched for files by their content" if searched else "nothing in it was examined"
    for name in coverage["unreadable_volumes"]:
        click.echo(f"NOT READ: {show(name)}: {unread}")
    if encrypted := coverage["skipped_why"].get(ENCRYPTED, 0):
        click.echo(f"ENCRYPTED: {encrypted:,} file{'' if encrypted == 1 else 's'} one by one: nothing in them was examined")
    partly = [name for name in coverage["partly_listed_volumes"] if name not in coverage["locked_volumes"]]
    for name in partly[:_LINES]:
        click.echo(f"LISTED IN PART: {show(name)}: names may be missing, see the problems")
    if len(partly) > _LINES:
        click.echo(f"LISTED IN PART: {len(partly) - _LINES} more volumes")
    if top:
        click.echo("\nlook at first:")
    for row in top:
        copies = f"  ({row['copies']} copies)" if row["copies"] > 1 else ""
        click.echo(f"{row['rank']:>3}. [{row['score']}] {show(row['path'])}{copies}")
        for reason in row["reasons"][:_REASONS]:
            click.echo(f"       {reason['points']:+d} {show(reason['text'])}")
    click.echo(f"\nqueue:  triage queue {show(str(case))}")
    if report:
        click.echo(f"report: {show(str(case / 'report' / 'index.html'))}")
    click.echo(f"audit:  {result.audit_head}\n        (note it elsewhere: the audit log's last line has this digest)")


def _size(number: int) -> str:
    value = float(number)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""
