"""``triage profile``: which profiles there are, what one says with all it inherits, whether a file is one."""

from __future__ import annotations

import json
from typing import Any

import click

from triage.commands.output import emit, format_option
from triage.priority.profile import Profile, builtin_profiles, load_profile
from triage.priority.schema import schema_text


@click.group()
def profile() -> None:
    """List, show and check profiles: what a run reads, in which order, and how items score.

    \b
    Example:
      triage profile show quick
    """


@profile.command("list")
@format_option
def list_profiles(fmt: str | None) -> None:
    """List the profiles that ship with triage.

    \b
    Example:
      triage profile list
    """
    profiles = [load_profile(name) for name in builtin_profiles()]
    rows = [{"name": p.name, "description": p.description, "sha256": p.sha256} for p in profiles]
    emit(rows, ["name", "description", "sha256"], fmt)


@profile.command()
@click.argument("name")
@format_option
def show(name: str, fmt: str | None) -> None:
    """Show a profile, built in or a file, with all that it inherits.

    With --format json the answer is itself a profile that a file may hold.

    \b
    Example:
      triage profile show quick --format json > mine.yaml
    """
    found = load_profile(name)
    if fmt == "json":
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        emit(_lines(found), ["key", "value"], fmt)


@profile.command()
@click.argument("file")
@format_option
def check(file: str, fmt: str | None) -> None:
    """Check a profile's file: ok, or the first mistake with its line (exit code 2).

    \b
    Example:
      triage profile check lab.yaml
    """
    found = load_profile(file)
    row = {"file": file, "name": found.name, "result": "ok", "sha256": found.sha256}
    emit([row], list(row), fmt)


@profile.command()
def schema() -> None:
    """Print the JSON schema of profiles, for editors that complete and check YAML.

    \b
    Example:
      triage profile schema > schema.json
    """
    click.echo(schema_text(), nl=False)


def _lines(found: Profile) -> list[dict[str, Any]]:
    """Return a profile as rows: its digest, then a row for each key and for each item of a list."""
    rows = [{"key": "sha256", "value": found.sha256}]
    for key, value in found.to_json().items():
        if isinstance(value, dict):
            rows.extend({"key": f"{key}.{inner}", "value": _cell(v)} for inner, v in value.items())
        elif isinstance(value, list):
            rows.extend({"key": f"{key}[{index}]", "value": v} for index, v in enumerate(value))
        else:
            rows.append({"key": key, "value": _cell(value)})
    return rows


def _cell(value: Any) -> Any:
    """Return numbers as text: they share a column with words, which stand on the left."""
    return value if isinstance(value, str | list | dict) else json.dumps(value)
