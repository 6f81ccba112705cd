"""Commands that were typed into shells and programs like them, in the order of their histories.

Formats: bash(1), HISTTIMEFORMAT (a line ``#`` and seconds since 1970 before each command); zshoptions(1), EXTENDED_HISTORY
(``: begun:seconds;command``, lines joined by a backslash, bytes above 127 as 131 and the byte with a bit turned); fish's ``fish_history``;
libedit's ``_HiStOrY_V2_`` (octal escapes); PowerShell's PSReadLine (lines joined by a backtick); Vim's ``viminfo`` (``:help viminfo``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST = 16 << 10
_STAMP = re.compile(r"#([0-9]{9,11})")
_ZSH = re.compile(r": {1,10}([0-9]{9,11}):([0-9]{1,9});")
_OCTAL = re.compile(r"\\([0-3][0-7]{2})")
_FISH_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_VIM_COMMAND = re.compile(r'\|2,([0-4]),([0-9]{9,11}),[0-9]{0,5},"(.{0,10000})"')
_VIM_USED = re.compile(r"\t\*\t([0-9]{9,11})\t")


class Typed(NamedTuple):
    """A command, and when it was given, in nanoseconds since 1970 (``None`` where the history does not tell)."""

    command: str
    time: int | None = None
    seconds: int | None = None


class Opened(NamedTuple):
    """A file that was open in Vim, and when it was left."""

    path: str
    time: int | None


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")


def bash(data: bytes) -> Iterator[Typed]:
    """Yield commands of bash and of those that write a line each. With times, a command is all lines up to the next time."""
    stamp: int | None = None
    held: list[str] = []
    stamped = False
    for line in _lines(data):
        found = _STAMP.fullmatch(line)
        if found:
            if held:
                yield Typed("\n".join(held)[:_LONGEST], stamp)
                held = []
            stamp, stamped = times.unix(int(found[1])), True
        elif stamped:
            if line or held:
                held.append(line)
        elif line:
            yield Typed(line[:_LONGEST])
    text = "\n".join(held).rstrip("\n")
    if text:
        yield Typed(text[:_LONGEST], stamp)


def zsh(data: bytes) -> Iterator[Typed]:
    """Yield commands of zsh, with or without times."""
    held: list[str] = []
    for line in _lines(_unmetafied(data)):
        if line.endswith("\\"):
            held.append(line[:-1])
            continue
        text = "\n".join([*held, line])
        held = []
        if text:
            yield _zsh_one(text)
    if held:
        yield _zsh_one("\n".join(held))


def _zsh_one(text: str) -> Typed:
    found = _ZSH.match(text)
    if found is None:
        return Typed(text[:_LONGEST])
    return Typed(text[found.end() :][:_LONGEST], times.unix(int(found[1])), int(found[2]) or None)


def _unmetafied(data: bytes) -> bytes:
    parts = data.split(b"\x83")
    return parts[0] + b"".join(bytes([part[0] ^ 32]) + part[1:] if part else b"" for part in parts[1:])


def fish(data: bytes) -> Iterator[Typed]:
    """Yield commands of fish."""
    command, when = "", None
    for line in _lines(data):
        if line.startswith("- cmd: "):
            if command:
                yield Typed(command, when)
            command, when = _FISH_ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], line[7:])[:_LONGEST], None
        elif line.startswith("  when: ") and line[8:].isascii() and line[8:].isdigit() and len(line) < 20:
            when = times.unix(int(line[8:]))
    if command:
        yield Typed(command, when)


def libedit(data: bytes) -> Iterator[Typed]:
    """Yield commands of programs that use libedit or readline: a line each, libedit's with octal escapes."""
    lines = _lines(data)
    escaped = lines[0] == "_HiStOrY_V2_"
    for line in lines[1:] if escaped else lines:
        text = _OCTAL.sub(lambda found: chr(int(found[1], 8)), line) if escaped else line
        if text.strip():
            yield Typed(text[:_LONGEST])


def powershell(data: bytes) -> Iterator[Typed]:
    """Yield commands of PowerShell."""
    held: list[str] = []
    for line in _lines(data.removeprefix(b"\xef\xbb\xbf")):
        if line.endswith("`"):
            held.append(line[:-1])
            continue
        text = "\n".join([*held, line])
        held = []
        if text:
            yield Typed(text[:_LONGEST])
    if held:
        yield Typed("\n".join(held)[:_LONGEST])


def vim(data: bytes) -> Iterator[Typed | Opened]:
    """Yield commands and searches that were typed in Vim, and files that were open in it."""
    path = ""
    for line in _lines(data):
        found = _VIM_COMMAND.fullmatch(line)
        if found and found[1] in ("0", "1"):
            text = re.sub(r"\\(.)", r"\1", found[3])
            yield Typed((":" if found[1] == "0" else "/") + text, times.unix(int(found[2])))
        elif line.startswith("> "):
            if path:
                yield Opened(path, None)
            path = line[2:][:4096]
        elif path and (used := _VIM_USED.match(line)):
            yield Opened(path, times.unix(int(used[1])))
            path = ""
    if path:
        yield Opened(path, None)


HISTORIES: tuple[tuple[str, str, Callable[[bytes], Iterator[Typed]]], ...] = (
    (".bash_history", "bash", bash),
    (".ash_history", "ash", bash),
    (".sh_history", "a shell", bash),
    (".history", "a shell", bash),
    (".zsh_history", "zsh", zsh),
    (".zhistory", "zsh", zsh),
    ("fish_history", "fish", fish),
    (".python_history", "Python", libedit),
    (".mysql_history", "MySQL", libedit),
    (".psql_history", "PostgreSQL", libedit),
    (".sqlite_history", "SQLite", libedit),
    (".node_repl_history", "Node.js", libedit),
    ("PSReadLine/*_history.txt", "PowerShell", powershell),
)
"""Path, program and reader of each history."""
