"""``triage run``: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from triage.case import seal as seals
from triage.commands.common import ask_passphrase
from triage.commands.progress import make_observer
from triage.commands.secrets import OPTIONS as SECRETS
from triage.commands.secrets import secret_options
from triage.commands.summary import print_summary, tell_container_problems, write_case_report
from triage.engine.nested import run_nested
from triage.engine.run import RunOptions, RunResult
from triage.engine.run import run as run_case
from triage.errors import EvidenceError, TriageError, UsageError
from triage.escape import show
from triage.priority.profile import load_profile
from triage.priority.units import parse_duration

FAILED_ON = 8


class ConditionMetError(TriageError):
    """What ``--fail-on`` waits for is there."""

    exit_code = FAILED_ON


@click.command()
@click.argument("evidence", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--case",
    "case",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Case folder; made if it is not there, resumed if it is.",
)
@click.option(
    "--profile", default="full", show_default=True, metavar="NAME|FILE", help="What is read first, what at all, and how it scores."
)
@click.option(
    "--hashset",
    "hashsets",
    multiple=True,
    metavar="NAME|FILE",
    help="Imported list, or a list file (FILE:known, FILE:ignorable; else notable). Repeat.",
)
@click.option("--exhibit", default="", metavar="TEXT", help="The exhibit's reference, shown in the report.")
@click.option("--examiner", default="", metavar="TEXT", help="Who examines, shown in the report.")
@click.option("--case-number", default="", metavar="TEXT", help="The case's number, shown in the report.")
@click.option(
    "--time-budget", metavar="TIME", help="Stop handing out work after this time (15m, 1h30m); the rest is said to be not reached."
)
@click.option("--jobs", type=click.IntRange(1, 1024), metavar="N", help="Worker processes; one a core if not given.")
@click.option("--retry-failed", is_flag=True, help="Try again what failed, stalled or crashed in an earlier run of the case.")
@click.option("--verify", is_flag=True, help="Also recompute the digests that the acquisition stored, as `triage verify` does.")
@click.option(
    "--plugin-path", "plugin_paths", multiple=True, type=click.Path(path_type=Path), metavar="FILE|DIR", help="More plugins. Repeat."
)
@click.option("--fail-on", type=click.Choice(["notable", "problem"]), help="Exit with 8 if a notable file, or any problem, was found.")
@click.option(
    "--seal", "seal_key", type=click.Path(path_type=Path), metavar="FILE", help="At the end, sign the case as `triage audit seal` does."
)
@click.option(
    "--nested",
    is_flag=True,
    help="Also examine disk images, virtual disks and phones' backups that are found inside; each is copied into the case.",
)
@click.option("--no-report", is_flag=True, help="Only the case; `triage report` writes the report later.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no summary.")
@secret_options
def run(
    evidence: tuple[Path, ...],
    case: Path,
    profile: str,
    hashsets: tuple[str, ...],
    exhibit: str,
    examiner: str,
    case_number: str,
    time_budget: str | None,
    jobs: int | None,
    retry_failed: bool,
    verify: bool,
    plugin_paths: tuple[Path, ...],
    fail_on: str | None,
    seal_key: Path | None,
    nested: bool,
    no_report: bool,
    quiet: bool,
    passwords: tuple[str, ...],
) -> None:
    """Examine evidence into a case: list, read once, hash, match, analyse, score, report.

    EVIDENCE is one or more images: raw, split raw (.001 ...), E01 and split E01. It is opened read-only. On an existing case
    with the same evidence the run goes on where it ended.

    \b
    Example:
      triage run disk.E01 --case case-17 --hashset known.csv --exhibit A-1
      triage run card.dd --case case-18 --profile quick --time-budget 15m
    """
    try:
        budget = parse_duration(time_budget) if time_budget is not None else None
    except ValueError as error:
        raise UsageError(f"--time-budget: {error}", hint="like: --time-budget 15m") from error
    key = seals.load_private_key(seal_key, ask_passphrase) if seal_key is not None else None  # before hours of work, not after
    context = click.get_current_context()
    options = RunOptions(
        evidence=evidence,
        case=case,
        profile=load_profile(profile),
        hashsets=hashsets,
        exhibit=exhibit,
        examiner=examiner,
        case_number=case_number,
        time_budget=budget,
        jobs=jobs or 0,
        retry_failed=retry_failed,
        verify=verify,
        plugin_paths=plugin_paths,
        arguments=tuple(f"{k}={v}" for k, v in sorted(context.params.items()) if v not in (None, "", (), False) and k not in SECRETS),
        passwords=passwords,
    )
    with make_observer(quiet=quiet) as observer:
        result = run_nested(options, observer) if nested else run_case(options, observer)
        if not no_report:
            observer.stage("writing the report")
            write_case_report(case)
    if key is not None:
        seals.seal(case, key)
    if not result.unreadable:
        tell_container_problems(case)
    if not quiet:
        print_summary(case, result, report=not no_report)
    _end(result, fail_on)


def _end(result: RunResult, fail_on: str | None) -> None:
    """Turn what the run found out about the evidence into an exit code."""
    if result.changed:
        raise EvidenceError(
            f"the evidence changed while it was examined: {', '.join(result.changed)}",
            hint="find out what writes to it, make a fresh copy, and start a new case",
        )
    if result.mismatched:
        raise EvidenceError(
            f"the digests of {result.mismatched[0]} are not those that the acquisition stored",
            hint="the case is kept; get a fresh copy of the evidence",
        )
    if result.salvaged:
        more = f" (and {len(result.salvaged) - 1} more)" if len(result.salvaged) > 1 else ""
        raise EvidenceError(result.salvaged[0] + more, hint="what could be read was examined and the case is kept; get a whole copy")
    if result.unreadable:
        more = f" (and {len(result.unreadable) - 1} more)" if len(result.unreadable) > 1 else ""
        raise EvidenceError(result.unreadable[0] + more, hint="the report says what is there")
    if result.stopped:
        click.echo(f"triage: not everything was reached: {show(result.stopped)}; run the same command again to go on", err=True)
    if (fail_on == "notable" and result.notable) or (fail_on == "problem" and result.problems):
        raise ConditionMetError(f"--fail-on {fail_on}: {result.notable if fail_on == 'notable' else result.problems} found")
