"""``triage status``: how far a case is, and what was not looked at."""

from __future__ import annotations

import json
from pathlib import Path

import click

from triage.case.store import Case
from triage.commands.output import lines
from triage.priority.coverage import carving_sentence

_VERIFIED = {
    "verified": "stored digests verified",
    "mismatch": "stored digests do NOT match",
    "no stored hash": "no stored digests",
    "incomplete": "stored digests cannot be verified: a part could not be read",
    "not verified": "stored digests not verified",
}


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, as one JSON object.")
@click.option("--digest", is_flag=True, help="Also a SHA-256 over all results: equal for equal evidence, profile and lists.")
def status(case: Path, as_json: bool, digest: bool) -> None:
    """Show progress and the coverage statement of a case, also while it runs.

    \b
    Example:
      triage status case-17
      triage status case-17 --json | jq .coverage.not_done
    """
    with Case.open(case) as opened:
        facts, coverage, counts = opened.run_facts(), opened.coverage(), opened.counts()
        answer = {
            "finished": facts["finished"],
            "complete": coverage["complete"],
            "coverage": coverage,
            "counts": counts,
            "evidence": opened.evidence(),
            "volumes": opened.volumes(),
            "hashsets": opened.hashsets(),
            "run": facts,
            "times": opened.run_times(),
        }
        if digest:
            answer["digest"] = opened.digest()
    if as_json:
        click.echo(json.dumps(answer, indent=2, sort_keys=True))
        return
    items = coverage["items"]
    lines("finished" if facts["finished"] else "not finished: run the same command again to go on")
    for one in answer["evidence"]:
        lines(f"evidence {one['paths'][0]}: {one['fingerprint_state']}; {_VERIFIED.get(one['verification']) or one['verification']}")
    for volume in answer["volumes"]:
        locked = ", LOCKED" if volume["encryption"] == "locked" else ""
        kind = volume["file_system"] or volume["type"]
        state = "unlocked" if volume["encryption"] == "unlocked" and volume["state"] == "opened" else volume["state"]
        lines(f"  {volume['name']}: {kind}, {state}{locked}, {volume['entries']:,} names")
    lines(
        f"{counts['entries']:,} names; contents: {items['seen']:,} seen, {items['analysed']:,} read, "
        + ", ".join(f"{items[k]:,} {k.replace('_', ' ')}" for k in ("partial", "skipped", "failed", "timeout", "crashed", "not_reached"))
    )
    if carved := carving_sentence(coverage["carving"]):
        lines(carved)
    lines(f"to review: {counts['queue']:,}; problems: {sum(counts['problems'].values()):,}")
    lines("not looked at:")
    for sentence in coverage["not_done"]:
        lines(f"  - {sentence}")
    if digest:
        click.echo(f"digest {answer['digest']}")
