"""``triage cat``: an entry's bytes."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path

import click

from triage.commands.common import find, opened, tell_container, walk
from triage.commands.secrets import secret_options
from triage.errors import UsageError
from triage.escape import show
from triage.model import Kind


@click.command()
@click.argument("evidence", type=click.Path(path_type=Path))
@click.argument("path")
@click.option("--limit", type=click.IntRange(0), metavar="BYTES", help="At most so many bytes.")
@secret_options
def cat(evidence: Path, path: str, limit: int | None, passwords: tuple[str, ...]) -> None:
    """Write an entry's bytes to standard output: PATH as `triage ls` shows it (file:stream for a stream), or its id.

    On a terminal everything that is not plain text is shown as escapes; in a pipe the bytes are exact.

    \b
    Example:
      triage cat disk.E01 vol1/Users/alex/note.txt
      triage cat disk.E01 vol1/photo.jpg > photo.bin
    """
    with opened(evidence, passwords) as (session, record, volumes, problems):
        tell_container(problems)
        entries, _ = walk(record, volumes, passwords)
        found = find(entries, path)
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} entries have this path: {', '.join(f'{e.id} ({e.state.value})' for e in found)}", hint="give the id of one"
            )
        entry = found[0]
        if entry.locator is None or entry.kind is Kind.DIRECTORY:
            raise UsageError(f"{path} has no bytes of its own ({entry.kind.value}, {entry.state.value})")
        length = entry.size if limit is None else min(limit, entry.size)
        terminal = sys.stdout.isatty()
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")  # a character may lie in two pieces
        for piece in session.read(entry.locator, length):
            if terminal:
                _print(decoder.decode(piece))
            else:
                sys.stdout.buffer.write(piece)
    if terminal:
        _print(decoder.decode(b"", final=True))
        click.echo()


def _print(text: str) -> None:
    """Print text that is inert but for its line breaks and tabs."""
    click.echo("\n".join("\t".join(show(cell) for cell in line.split("\t")) for line in text.split("\n")), nl=False)
