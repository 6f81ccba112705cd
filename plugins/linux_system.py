"""What a Linux system is, its users, their logins and commands, its programs, networks, media and encrypted volumes, by its own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import linuxpackages, linuxtexts, shellhistory, utmp
from triage.artifacts.browsing import fact, show
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact
    from triage.artifacts.shellhistory import Typed
    from triage.artifacts.utmp import Login

_LARGEST_TEXT = 32 << 20
_LARGEST = 1 << 30
_LOGINS = ("var/log/wtmp*", "var/log/btmp*", "run/utmp", "run/wtmp")
_LASTLOG = "var/log/lastlog"
_VIM = (".viminfo", "_viminfo")
_LESS = (".lesshst", "_lesshst")


class LinuxSystem:
    """Findings ``system``, ``account``, ``login``, ``device-state``, ``command``, ``installed-program``, ``network`` and more."""

    name = "linux_system"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            *(path for path, _ in linuxtexts.READERS),
            *(path for path, _ in linuxpackages.READERS),
            *(path for path, _, _ in shellhistory.HISTORIES),
            *_VIM,
            *_LESS,
            *_LOGINS,
            _LASTLOG,
        ),
        max_size=_LARGEST,
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        mine = whose(item.entry.path)
        try:
            for one in _read(item):
                if isinstance(one, str):
                    yield item.problem(one)
                else:
                    yield item.finding(one.kind, one.title, {**mine, **one.data})
        except StructureError as error:
            yield item.problem(f"a file of Linux's cannot be read: {error}")


def _is(path: str, *patterns: str) -> bool:
    return Accepts(paths=patterns).fits_path(path)


def _read(item: Item) -> Iterator[Fact | str]:
    """Yield facts, and what could not be read."""
    path = item.entry.path
    if _is(path, *_LOGINS):
        yield from _logins(item)
        return
    if _is(path, _LASTLOG):
        yield from _last(item)
        return
    if item.size > _LARGEST_TEXT:
        yield f"a text of more than {_LARGEST_TEXT >> 20} MiB is not read"
        return
    data = item.read_at(0, item.size)
    for pattern, program, history in shellhistory.HISTORIES:
        if _is(path, pattern):
            yield from (_typed(one, program) for one in history(data))
            return
    if _is(path, *_VIM):
        yield from _vim(data)
    elif _is(path, *_LESS):
        yield from _less(data)
    else:
        for pattern, read in (*linuxtexts.READERS, *linuxpackages.READERS):
            if _is(path, pattern):
                yield from read(data)
                return


def _typed(one: Typed, program: str) -> Fact:
    return fact(
        "command", f"typed in {program}: {show(one.command[:200])}", one.time, command=one.command, program=program, seconds=one.seconds
    )


def _vim(data: bytes) -> Iterator[Fact]:
    for one in shellhistory.vim(data):
        if isinstance(one, shellhistory.Opened):
            yield fact("recent-file", f"was open in Vim: {show(one.path[:200])}", one.time, path=one.path, program="Vim")
        else:
            yield _typed(one, "Vim")


def _less(data: bytes) -> Iterator[Fact]:
    """Yield what was looked for in texts with ``less``, and the commands that it ran; a mark before each line."""
    kind = ""
    for line in data.decode("utf-8", "replace").split("\n"):
        if line.startswith("."):
            kind = line
        elif line.startswith('"') and len(line) > 1:
            yield _typed(shellhistory.Typed(("/" if kind == ".search" else "!" if kind == ".shell" else "") + line[1:][:2000]), "less")


def _logins(item: Item) -> Iterator[Fact | str]:
    try:
        records, left = utmp.read_logins(item.read_at, item.size)
    except StructureError:
        if item.head(4) != b"\0" * 4:  # one that was never written to says nothing
            yield "a record of logins that cannot be read"
        return
    failed = item.entry.name.lower().startswith("btmp")
    held: dict[str, Login] = {}
    broken = 0
    for one in records:
        if one.kind == utmp.BROKEN:
            broken += 1
        elif one.kind == utmp.DEAD:
            if began := held.pop(one.terminal, None):
                yield _session(began, one.time)
        elif one.kind == utmp.BOOT or (one.kind == utmp.RUN_LEVEL and one.user == "shutdown"):
            what = "started" if one.kind == utmp.BOOT else "shut down"
            # Whoever was there is no longer, without a record of its own.
            yield from (_session(began, None) for began in held.values())
            held = {}
            yield fact("device-state", f"the computer was {what}", one.time, system=one.host)
        elif failed and one.kind in (utmp.USER, utmp.LOGIN_PROCESS):
            name = one.user or "somebody"
            title = f"a login of {show(name[:60])} failed{_from(one)}"
            yield fact("login", title, one.time, account=one.user, terminal=one.terminal, host=one.host, address=one.address, failed=True)
        elif one.kind == utmp.USER:
            if began := held.pop(one.terminal, None):
                yield _session(began, None)
            held[one.terminal] = one
    yield from (_session(began, None) for began in held.values())
    if broken:
        yield f"{broken:,} records of logins that make no sense"
    if left:
        yield f"{left:,} bytes at the end of a record of logins are no whole one"


def _from(one: Login) -> str:
    host = one.host or one.address
    return f" from {show(host[:80])}" if host and host not in (":0", "localhost") else ""


def _session(one: Login, end: int | None) -> Fact:
    title = f"{show(one.user[:60])} logged in on {show(one.terminal[:40])}{_from(one)}"
    return fact("login", title, one.time, account=one.user, terminal=one.terminal, host=one.host, address=one.address, end_time=end)


def _last(item: Item) -> Iterator[Fact]:
    for one in utmp.read_lastlog(item.read_at, item.size):
        place = f" from {show(one.host[:80])}" if one.host else ""
        title = f"the user with the number {one.number} last logged in{place}"
        yield fact("login", title, one.time, uid=str(one.number), terminal=one.terminal, host=one.host)


PLUGIN = LinuxSystem
