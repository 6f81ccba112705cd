"""Writes ``docs/cli.md`` from the commands' own help, so that the page and ``--help`` cannot disagree.

``python docs/reference.py`` writes the page; ``--check`` writes nothing and ends with 1 when the page is not current.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from triage.cli import COMMANDS, INTERRUPTED, cli
from triage.errors import TriageError

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).with_name("cli.md")
EXAMPLE = "Example:"

_INTRODUCTION = """\
# Commands

<!-- Written by docs/reference.py from the commands' own help (make docs): do not edit. -->

Every command has `--help` (or `-h`), `triage --version` says which version this is. Data goes to standard output, progress and
messages to standard error. Commands that list rows take `--format table|json|jsonl|csv`: a table on a terminal and JSON lines
in a pipe unless given. `table` and `csv` hold the columns for people and spreadsheets, `json` and `jsonl` all that a row has.
"""


@dataclass(frozen=True, slots=True)
class HelpText:
    """A command's help, taken apart: paragraphs for people, and the lines of its example."""

    paragraphs: tuple[str, ...]
    example: tuple[str, ...]


def help_of(command: click.Command) -> HelpText:
    """Take a command's help apart. A paragraph that begins with a backspace keeps its lines, as Click has it."""
    paragraphs: list[str] = []
    example: tuple[str, ...] = ()
    for block in inspect.cleandoc(command.help or "").split("\n\n"):
        lines = block.strip("\n").split("\n")
        kept = lines[0] == "\b"
        if kept and lines[1:2] == [EXAMPLE]:
            example = tuple(line.removeprefix("  ") for line in lines[2:])
        elif kept:
            paragraphs.append("```\n" + "\n".join(lines[1:]) + "\n```")
        elif block.strip():
            paragraphs.append(" ".join(line.strip() for line in lines))
    return HelpText(tuple(paragraphs), example)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its words (``hashset import``), a group before those in it."""
    with click.Context(cli, info_name="triage") as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            if command is not None:
                yield name, command
                if isinstance(command, click.Group):
                    yield from ((f"{name} {inner}", command.commands[inner]) for inner in sorted(command.commands))


def options_of(command: click.Command) -> list[click.Option]:
    """Return a command's own options, in their order."""
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


def exit_codes() -> list[tuple[int, str]]:
    """Return every exit code with what it means: the errors' own first sentences."""
    for place in COMMANDS.values():
        importlib.import_module(f"triage.commands.{place.partition(':')[0]}")
    meaning: dict[int, list[str]] = {}
    kinds = [*TriageError.__subclasses__()]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
        if "exit_code" in vars(kind):
            first = (kind.__doc__ or "").strip().splitlines()[0]
            meaning.setdefault(kind.exit_code, []).append(first.replace("``", "`"))
    codes = [(code, " ".join(text)) for code, text in meaning.items()]
    codes += [
        (0, "Done. Damage inside the evidence does not change the exit code: it is in the report and in `triage status`."),
        (1, "A bug of ours, in one line; `TRIAGE_DEBUG=1` shows the traceback."),
        (INTERRUPTED, "Interrupted. The same command again goes on where it stopped."),
    ]
    return sorted(codes)


def page() -> str:
    """Return the whole page."""
    every = list(commands())
    parts = [_INTRODUCTION, "| command | does |", "|---|---|"]
    for words, command in every:
        if not isinstance(command, click.Group):
            parts.append(f"| [`triage {words}`](#triage-{words.replace(' ', '-')}) | {_first(command)} |")
    parts += ["", "## Exit codes", "", "| code | when |", "|---|---|"]
    parts += [f"| {code} | {_cell(text)} |" for code, text in exit_codes()]
    for words, command in every:
        parts += ["", *_section(words, command)]
    return "\n".join(parts) + "\n"


def _section(words: str, command: click.Command) -> list[str]:
    text = help_of(command)
    lines = [f"{'###' if ' ' in words else '##'} triage {words}", ""]
    if not isinstance(command, click.Group):
        lines += [f"    triage {' '.join([words, *_usage(command)])}", ""]
    for paragraph in text.paragraphs:
        lines += [paragraph, ""]
    if isinstance(command, click.Group):
        inner = ", ".join(f"[`{name}`](#triage-{words}-{name})" for name in sorted(command.commands))
        return [*lines, f"Its commands: {inner}."]
    if options := options_of(command):
        lines += ["| option | means |", "|---|---|"]
        lines += [f"| {_names(option)} | {_meaning(option)} |" for option in options]
        lines += [""]
    return [*lines, "```", *text.example, "```"]


def _usage(command: click.Command) -> Iterator[str]:
    yield "[OPTIONS]"
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            name = parameter.metavar or (parameter.name or "").upper()
            name += "..." if parameter.nargs == -1 and not name.endswith("...") else ""
            yield name if parameter.required else f"[{name}]"


def _names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {_value(option)}"
    return ", ".join(f"`{name}{value}`" for name in (*option.opts, *option.secondary_opts)).replace("|", "\\|")


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper()


def _meaning(option: click.Option) -> str:
    parts = [option.help or ""]
    if option.required:
        parts.append("Required.")
    default = option.default
    if isinstance(default, str | int | float) and not isinstance(default, bool) and default != "":
        parts.append(f"Default: `{default}`.")
    return _cell(" ".join(parts))


def _first(command: click.Command) -> str:
    paragraphs = help_of(command).paragraphs
    return _cell(paragraphs[0]) if paragraphs else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write or check the page; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the page is not current")
    check: bool = parser.parse_args().check
    text = page()
    if not check:
        PAGE.write_text(text, encoding="utf-8", newline="\n")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text:
        sys.stderr.write("docs/cli.md does not say what the commands' help says: run make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
