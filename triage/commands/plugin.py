"""``triage plugin``: which analyzers there are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.commands.output import emit, format_option
from triage.registry import find_plugins

if TYPE_CHECKING:
    from triage.model import Json

_path = click.option(
    "--plugin-path", "paths", multiple=True, type=click.Path(path_type=Path), metavar="FILE|DIR", help="More plugins. Repeat."
)


@click.group()
def plugin() -> None:
    """List and show analyzers.

    \b
    Example:
      triage plugin list
    """


@plugin.command("list")
@_path
@format_option
def list_plugins(paths: tuple[Path, ...], fmt: str | None) -> None:
    """List the analyzers, those that are broken with the reason.

    \b
    Example:
      triage plugin list --plugin-path my_plugin.py
    """
    registry = find_plugins(paths)
    rows: list[Json] = [
        {
            "name": p.name,
            "version": p.version,
            "origin": p.origin,
            "state": "ok",
            "tried_on": p.tried_on,
            "summary": p.summary,
            "sha256": p.sha256,
        }
        for p in registry.plugins.values()
    ]
    rows += [
        {
            "name": b.name,
            "version": "",
            "origin": b.origin,
            "state": f"broken: {b.reason}",
            "tried_on": "",
            "summary": "",
            "sha256": "",
        }
        for b in registry.broken
    ]
    # All are built in and work, mostly: a table then leaves the room to what they do.
    usual = all(row["origin"] == "built-in" and row["state"] == "ok" for row in rows)
    columns = ["name", "version", "origin", "state", "tried_on", "summary"]
    if fmt == "csv":
        columns.append("sha256")
    elif usual:
        columns = ["name", "tried_on", "summary"]
    emit(rows, columns, fmt)


@plugin.command()
@click.argument("name")
@_path
@format_option
def show(name: str, paths: tuple[Path, ...], fmt: str | None) -> None:
    """Show one analyzer: what it accepts, its options and their defaults.

    \b
    Example:
      triage plugin show exif
    """
    found = find_plugins(paths).get(name)
    accepts = {f.name: getattr(found.accepts, f.name) for f in dataclasses.fields(found.accepts) if f.init}
    row: Json = {
        "name": found.name,
        "version": found.version,
        "origin": found.origin,
        "sha256": found.sha256,
        "summary": found.summary,
        "tried_on": found.tried_on,
        "key": found.key(),
        **{f"accepts.{k}": list(v) if isinstance(v, tuple) else v for k, v in accepts.items() if v},
        **{f"option.{k}": v for k, v in dataclasses.asdict(found.options()).items()},
    }
    if fmt in ("json", "jsonl"):
        emit([row], list(row), fmt)
    else:
        emit([{"key": k, "value": v} for k, v in row.items()], ["key", "value"], fmt)
