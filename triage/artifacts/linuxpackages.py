"""Programs that were installed and taken away on Linux: dpkg's list and log, apt's and pacman's history.

Formats: deb-control(5) and dpkg(1) (``/var/lib/dpkg/status``, ``/var/log/dpkg.log``), apt's ``/var/log/apt/history.log``, pacman's log
(``/var/log/pacman.log``, ``[time] [ALPM] installed name (version)``). The times of logs are local ones, pacman's have a zone since 2019.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from triage.artifacts import times
from triage.artifacts.browsing import fact, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.browsing import Fact

_DPKG = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) (install|upgrade|remove|purge) (\S{1,200}) (\S{1,200}) (\S{1,200})"
)
_APT_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) {1,4}([0-9]{2}:[0-9]{2}:[0-9]{2})")
_APT_ACTIONS = {
    "Install": "installed", "Reinstall": "installed again", "Upgrade": "upgraded", "Downgrade": "downgraded", "Remove": "removed",
    "Purge": "removed",
}  # fmt: skip
_PACMAN = re.compile(
    r"\[([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9:]{5,8})([+-][0-9]{4})?\] (?:\[ALPM\] )?(installed|upgraded|removed|reinstalled) "
    r"(\S{1,200}) \(([^()]{1,200})\)"
)
_MOST_NAMES = 1000
"""Programs of a time that are named; the others are counted."""
_DONE = {"install": "installed", "upgrade": "upgraded", "remove": "removed", "purge": "removed"}


def _lines(data: bytes) -> Iterator[str]:
    for line in data.split(b"\n"):
        yield line.rstrip(b"\r").decode("utf-8", "replace")


def dpkg_status(data: bytes) -> Iterator[Fact]:
    """Yield each program that is installed, or was and left its settings."""
    for block in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        given: dict[str, str] = {}
        for line in block.split(b"\n"):
            key, colon, value = line.partition(b": ")
            if colon and not line.startswith(b" "):
                given.setdefault(key.decode("utf-8", "replace"), value.strip().decode("utf-8", "replace"))
        name, status = given.get("Package", ""), given.get("Status", "")
        if name and status:
            there = status.endswith(" installed")
            title = f"installed: {show(name[:150])}" if there else f"was installed: {show(name[:150])} ({show(status[:60])})"
            yield fact("installed-program", title, None, name=name, version=given.get("Version"), status="" if there else status)


def dpkg_log(data: bytes) -> Iterator[Fact]:
    """Yield what was installed, upgraded and removed, and when."""
    for line in _lines(data):
        found = _DPKG.fullmatch(line.strip())
        if found:
            day, clock, action, name, before, version = found.groups()
            yield _changed(_DONE[action], name.partition(":")[0], f"{day}T{clock}", version=_version(version), before=_version(before))


def _version(text: str) -> str:
    return "" if text == "<none>" else text


def _changed(done: str, name: str, when: str, **more: str) -> Fact:
    one = fact("installed-program", f"{done}: {show(name[:150])}", None, name=name, action=done, **more)
    return one._replace(data={"time": when, "time_basis": "local", **one.data})


def apt_history(data: bytes) -> Iterator[Fact]:
    """Yield each time that programs were installed, upgraded or removed: which were asked for, by whom, with what command."""
    for block in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        given = dict(line.split(": ", 1) for line in block.decode("utf-8", "replace").split("\n") if ": " in line)
        found = _APT_TIME.match(given.get("Start-Date", ""))
        for key, done in _APT_ACTIONS.items():
            programs = [_apt_program(part) for part in given.get(key, "").split("), ") if part.strip()]
            asked = [name for name, note in programs if not note.endswith(", automatic")]
            if not programs:
                continue
            shown = ", ".join(asked[:5] or [name for name, _ in programs[:5]])
            more = f" and {len(programs) - min(len(asked) or len(programs), 5):,} more" if len(programs) > min(len(asked) or 5, 5) else ""
            one = fact(
                "installed-program", f"{done}: {show(shown[:150])}{more}", None, action=done, programs=asked[:_MOST_NAMES],
                with_them=len(programs) - len(asked[:_MOST_NAMES]) or None, command=given.get("Commandline"), by=given.get("Requested-By"),
                error=given.get("Error"),
            )  # fmt: skip
            when = {"time": f"{found[1]}T{found[2]}", "time_basis": "local"} if found else {}
            yield one._replace(data={**when, **one.data})


def _apt_program(part: str) -> tuple[str, str]:
    """Return a program's name without its architecture, and what stands in brackets behind it."""
    name, _, note = part.partition(" (")
    return name.strip().partition(":")[0][:200], note.rstrip(")")


def pacman_log(data: bytes) -> Iterator[Fact]:
    """Yield what was installed, upgraded and removed, and when."""
    for line in _lines(data):
        found = _PACMAN.fullmatch(line.strip())
        if found:
            day, clock, zone, done, name, version = found.groups()
            one = _changed(done, name, f"{day}T{clock}", version=version)
            utc = times.iso(_moment(f"{day}T{clock}{zone}")) if zone else None
            kept = {key: value for key, value in one.data.items() if key != "time_basis"}
            yield one if utc is None else one._replace(data={**kept, "time": utc})


def _moment(text: str) -> int | None:
    """Return a time in ISO 8601 with its distance from UTC in nanoseconds since 1970."""
    try:
        return int(datetime.fromisoformat(text).timestamp()) * 10**9
    except ValueError:
        return None


READERS: tuple[tuple[str, Callable[[bytes], Iterator[Fact]]], ...] = (
    ("var/lib/dpkg/status", dpkg_status),
    ("var/log/dpkg.log*", dpkg_log),
    ("var/log/apt/history.log*", apt_history),
    ("var/log/pacman.log", pacman_log),
)
