"""How reading commands show rows: a table for people, JSON lines for pipes, one JSON array, CSV.

Data goes to standard output and nothing else does. What comes from evidence is made inert here for each form.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import textwrap
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from triage.escape import cell, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TextIO

F = TypeVar("F", bound="Callable[..., Any]")

FORMATS = ("table", "json", "jsonl", "csv")
_PAGE = 1000  # rows of one table: a table needs all of its rows at once to know its columns' widths
_WIDTH = 80


def format_option(command: F) -> F:
    """Add ``--format`` to a reading command, which gets it as ``fmt``.

    ``None`` means a table on a terminal, else JSON lines.
    """
    return click.option(
        "--format",
        "fmt",
        type=click.Choice(FORMATS),
        default=None,
        help="Form of the rows; a table on a terminal and jsonl in a pipe unless given.",
    )(command)


def emit(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    fmt: str | None = None,
    *,
    stream: TextIO | None = None,
) -> None:
    """Write rows in one of :data:`FORMATS` to ``stream``, else to standard output. Rows are taken one by one.

    ``table`` and ``csv`` show ``columns`` in their order, ``json`` and ``jsonl`` all that a row has.
    """
    target = stream if stream is not None else standard_output()
    chosen = fmt or ("table" if target.isatty() else "jsonl")
    if chosen == "table":
        _table(rows, columns, target)
    elif chosen == "csv":
        _csv(rows, columns, target)
    elif chosen == "json":
        _json(rows, target)
    else:
        for row in rows:
            target.write(json.dumps(row, ensure_ascii=True, default=str) + "\n")
    target.flush()


def standard_output() -> TextIO:
    """Return standard output; a character that its encoding lacks comes out as an escape."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return sys.stdout


def lines(text: str) -> None:
    """Write a sentence to standard output, made inert; on a terminal broken between words to fit it."""
    shown = show(text)
    if not sys.stdout.isatty():
        click.echo(shown)
        return
    indent = len(shown) - len(shown.lstrip(" -"))
    width = shutil.get_terminal_size((_WIDTH, 24)).columns
    click.echo(
        "\n".join(textwrap.wrap(shown, width, subsequent_indent=" " * (indent or 4), break_long_words=False, break_on_hyphens=False))
    )


def say(text: str) -> None:
    """Write a line for people to standard error, made inert."""
    click.echo(show(text), err=True)


def plain(value: Any) -> Any:
    """Return a value as one cell holds it: nested ones as JSON, flags as JSON has them."""
    if isinstance(value, dict | list | tuple | bool):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], target: TextIO) -> None:
    width = None if target.isatty() else _WIDTH
    console = Console(file=target, width=width, markup=False, highlight=False, emoji=False)
    waiting = iter(rows)
    page = list(islice(waiting, _PAGE))
    while True:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name in columns:
            values = [value for row in page if (value := row.get(name)) is not None]
            numbers = bool(values) and all(type(value) in (int, float) for value in values)
            table.add_column(Text(name), overflow="fold", justify="right" if numbers else "left")
        for row in page:
            table.add_row(*(_shown(row.get(name)) for name in columns))
        console.print(table)
        page = list(islice(waiting, _PAGE))
        if not page:
            return


def _shown(value: Any) -> Text:
    return Text("" if value is None else show(str(plain(value))))


def _csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], target: TextIO) -> None:
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([cell(name) for name in columns])
    for row in rows:
        writer.writerow([cell(plain(row.get(name))) for name in columns])


def _json(rows: Iterable[Mapping[str, Any]], target: TextIO) -> None:
    before = "[\n"
    for row in rows:
        target.write(before + json.dumps(row, ensure_ascii=True, default=str))
        before = ",\n"
    target.write("\n]\n" if before == ",\n" else "[]\n")
