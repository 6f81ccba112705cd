"""``triage demo``: the main job on a built-in image."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import click

from triage.commands.progress import make_observer
from triage.commands.summary import print_summary, write_case_report
from triage.engine.run import RunOptions, run
from triage.priority.profile import load_profile


@click.command()
@click.option(
    "--case", default="demo-case", show_default=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the demo's case goes."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def demo(case: Path, quiet: bool) -> None:
    """Run the main job on a built-in E01 with its known-hash list, and show what came out.

    The image was made by a script: a user's folder with pictures (shapes and noise), documents, deleted, renamed and hidden
    files, and names that try to do harm.

    \b
    Example:
      triage demo --case demo-case
    """
    with resources.as_file(resources.files("triage.images")) as images:
        options = RunOptions(
            evidence=(images / "ntfs.E01",),
            case=case,
            profile=load_profile("full"),
            hashsets=(str(images / "known-hashes.csv"), f"{images / 'known-software.txt'}:ignorable"),
            exhibit="DEMO-1",
            examiner="demo",
            case_number="demo",
            arguments=("demo",),
        )
        with make_observer(quiet=quiet) as observer:
            result = run(options, observer)
            observer.stage("writing the report")
            write_case_report(case)
    print_summary(case, result, report=True)
