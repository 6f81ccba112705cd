"""``triage ls``: look at names without a case."""

from __future__ import annotations

from pathlib import Path

import click

from triage.commands.common import find, opened, row_of, tell, walk
from triage.commands.output import emit, format_option
from triage.commands.secrets import secret_options
from triage.errors import UsageError

_COLUMNS = ["state", "kind", "size", "mtime", "path"]


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@click.argument("path", required=False)
@click.option("-r", "--recursive", is_flag=True, help="What lies below, too.")
@click.option("--deleted", is_flag=True, help="Only deleted and orphan entries.")
@format_option
@secret_options
def ls(evidence: Path, path: str | None, recursive: bool, deleted: bool, fmt: str | None, passwords: tuple[str, ...]) -> None:
    """List entries, deleted ones too; of the volumes' roots, or of PATH (such as vol1/Users).

    \b
    Example:
      triage ls disk.E01 vol2/Users
      triage ls disk.E01 --recursive --deleted --format jsonl
    """
    with opened(evidence, passwords) as (_, record, volumes, problems):
        entries, damaged = walk(record, volumes, passwords)
    tell(problems + damaged)
    prefix = path.strip("/") if path else ""
    names = {v.name for v in volumes}
    if prefix and prefix not in names:
        found = find(entries, prefix)
        prefix = found[0].path
        if not any(e.path.startswith(prefix + "/") for e in entries):
            emit([row_of(e) for e in found], _COLUMNS, fmt)
            return
    elif prefix and not any(v.name == prefix and v.block_size for v in volumes):
        raise UsageError(f"{prefix} cannot be listed", hint="triage info says what it is")
    below = prefix + "/" if prefix else ""
    depth = below.count("/") if prefix else 1
    rows = [
        row_of(e)
        for e in entries
        if e.path.startswith(below)
        and (recursive or e.path.count("/") == depth)
        and (not deleted or e.state.value in ("deleted", "orphan"))
    ]
    emit(rows, _COLUMNS, fmt)
