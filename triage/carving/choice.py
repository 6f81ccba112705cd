"""Formats that an operator names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def check_types(names: Iterable[str]) -> None:
    """Raise ``UsageError`` for the name of a format that is not carved."""
    wanted = list(names)
    if not wanted:
        return
    from triage.carving.catalog import known_formats  # noqa: PLC0415 - all formats: only when somebody chooses

    known = [f.name for f in known_formats()]
    for name in wanted:
        if name not in known:
            raise UsageError(f"no carved format is called '{name}'", hint=f"known: {', '.join(known)}")
