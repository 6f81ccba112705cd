"""The command ``triage``: its group, and how an ending becomes one line and an exit code."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from triage import __version__
from triage.errors import TriageError
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Sequence

# A command's module is imported when it is called: `triage info` need not wait for what `triage report` needs.
COMMANDS = {
    "audit": "audit:audit",
    "carve": "carve:carve",
    "cat": "cat:cat",
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
    "extract": "extract:extract",
    "files": "files:files",
    "findings": "findings:findings",
    "hashset": "hashset:hashset",
    "info": "info:info",
    "ls": "ls:ls",
    "plugin": "plugin:plugin",
    "profile": "profile:profile",
    "queue": "queue:queue",
    "report": "report:report",
    "run": "run:run",
    "sample": "sample:sample",
    "status": "status:status",
    "urllist": "urllist:urllist",
    "verify": "verify:verify",
}
INTERRUPTED = 130
_AGAIN = "interrupted (run the same command again: a case goes on where it stopped)"


class _Commands(click.Group):
    """The group, loading a command when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"triage.commands.{module}"), name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Say what a mistyped command may have meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib  # noqa: PLC0415

            near = difflib.get_close_matches(args[0], COMMANDS, 1) if args else []
            if not near:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}; did you mean {near[0]!r}?", ctx) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="triage")
def cli() -> None:
    """Forensic triage of seized media: what to look at first, why, and what was not looked at.

    \b
    Example:
      triage run disk.E01 --case case-17 --hashset known.csv
      triage queue case-17

    Exit codes: 0 done, 1 our bug, 2 usage or profile, 3 evidence unreadable, incomplete or changed, 4 case locked,
    foreign or newer, 5 plugin or hash set unusable, 6 workers, 7 output not writable, 8 --fail-on condition met,
    130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; never returns."""
    sys.exit(run(list(arguments) if arguments is not None else sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that is not UTF-8 must not end a run with a traceback
            stream.reconfigure(errors="backslashreplace")
    gc.set_threshold(100_000)  # rows are many small objects without cycles; the default looks for them 700 at a time
    try:
        code = cli.main(arguments, prog_name="triage", standalone_mode=False)
        return int(code) if isinstance(code, int) else 0
    except TriageError as error:
        return _say(str(error), error.exit_code)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.Abort:
        return _say(_AGAIN, INTERRUPTED)  # Click's form of Ctrl-C
    except click.ClickException as error:
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # a group alone: its help, not a line of it
            click.echo(error.format_message(), err=True)
            return 2
        usage = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "triage"
        return _say(f"{error.format_message()} (try: {usage} --help)", 2)
    except KeyboardInterrupt:
        return _say(_AGAIN, INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return 0
    except Exception as error:
        if os.environ.get("TRIAGE_DEBUG"):
            raise
        return _say(f"a bug: {type(error).__name__}: {error} (set TRIAGE_DEBUG=1 for the traceback, and report it)", 1)


def _say(message: str, code: int) -> int:
    click.echo(f"triage: {show(' '.join(message.split()))}", err=True)
    return code
