"""Passwords and recovery keys for encrypted evidence: from where a command takes them. They are never shown, logged or stored."""

from __future__ import annotations

import sys
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from triage.errors import UsageError
from triage.evidence.bitlocker import MOST_STARTUP_KEY
from triage.evidence.bitlocker import startup_key as read_startup_key

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = ("password", "recovery_key", "startup_key", "password_file")
"""Names of the parameters, which no log may have."""
_LARGEST, _MOST = 1 << 20, 1000


def secret_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name passwords; its function gets them all as ``passwords``. It stands next to the function."""

    @wraps(command)
    def with_passwords(
        *,
        password: tuple[str, ...],
        recovery_key: tuple[str, ...],
        startup_key: tuple[Path, ...],
        password_file: tuple[Path, ...],
        **given: Any,
    ) -> Any:
        return command(passwords=secrets_of(password, recovery_key, startup_key, password_file), **given)

    made: Callable[..., Any] = with_passwords
    for option in (
        click.option(
            "--password-file",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A file of passwords and recovery keys, one a line; all are tried. Repeat.",
        ),
        click.option(
            "--startup-key",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="BitLocker's startup key, a file that ends in .BEK. Repeat.",
        ),
        click.option("--recovery-key", multiple=True, metavar="KEY", help="A recovery key of BitLocker or FileVault. Repeat."),
        click.option(
            "--password",
            multiple=True,
            metavar="TEXT",
            help="A password of encrypted evidence; - asks for it. Others can see a command's words: better use - or --password-file.",
        ),
    ):
        made = option(made)
    return made


def secrets_of(
    password: tuple[str, ...], recovery_key: tuple[str, ...], startup_key: tuple[Path, ...], password_file: tuple[Path, ...]
) -> tuple[str, ...]:
    """Return what was given, in order and each once; raise ``UsageError`` when a file cannot be read or there is no terminal to ask on."""
    found: list[str] = []
    for one in password:
        if one == "-":
            if not sys.stdin.isatty():
                raise UsageError("--password - asks on a terminal, and there is none", hint="use --password-file")
            found.append(str(click.prompt("password", hide_input=True, err=True)))
        else:
            found.append(one)
    found += recovery_key
    found += [_startup_key(path) for path in startup_key]
    for path in password_file:
        try:
            with path.open("rb") as file:
                raw = file.read(_LARGEST + 1)
            text = raw.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UsageError(f"--password-file: {path} cannot be read: {reason}", hint="a text file, one password a line") from error
        if len(raw) > _LARGEST:
            raise UsageError(f"--password-file: {path} is larger than 1 MiB", hint="a text file, one password a line")
        found += [line for line in text.splitlines() if line]
    unique = tuple(dict.fromkeys(one for one in found if one))
    if len(unique) > _MOST:
        raise UsageError(f"more than {_MOST} passwords: this is no tool to guess them", hint="give those that are known")
    return unique


def _startup_key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return read_startup_key(file.read(MOST_STARTUP_KEY + 1))
    except OSError as error:
        raise UsageError(f"--startup-key: {path} cannot be read: {error.strerror}", hint="the file that ends in .BEK") from error
    except ValueError as error:
        raise UsageError(f"--startup-key: {path}: {error}", hint="the file that ends in .BEK") from error
