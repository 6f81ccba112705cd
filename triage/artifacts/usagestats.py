"""How long and when last each program of an Android device was used, by day, week, month and year (``usagestats``).

Forms: XML (Android 5 to 8), Protocol Buffers with the names in a pool (9, 10), and with numbers whose names are in a file ``mappings``
(11 on): AOSP, ``usagestatsservice.proto``, ``usagestatsservice_v2.proto``, ``UsageStatsXmlV1`` (Apache-2.0). A file's name is the time at
which its interval began, in milliseconds since 1970; times in it count from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import times
from triage.artifacts.browsing import fact, show
from triage.artifacts.protobuf import fields
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from triage.artifacts.browsing import Fact
    from triage.artifacts.protobuf import Value
    from triage.artifacts.xmlfile import Element

INTERVALS = ("daily", "weekly", "monthly", "yearly")
_ENDED, _POOL, _PACKAGES, _EVENTS, _PACKAGE_USAGE = 1, 2, 20, 22, 24
_STATES = {26: "the device was shut down", 27: "the device was started"}
"""Kinds of events (UsageEvents.Event) that are no program's."""
_SIGN = 1 << 63
_HOUR = 3_600_000
"""Milliseconds before an interval that its times may lie."""

Names = dict[int, list[str]]
"""By a program's number its own name, and at the places behind it those of its parts."""


class Usage(NamedTuple):
    """A program in an interval: milliseconds from its beginning, or of use."""

    package: str
    last: int
    total: int
    launches: int
    service: int = 0


def begun(name: str) -> int | None:
    """Return when the interval of a file began, in milliseconds since 1970, by the file's name; ``None`` if that is none."""
    digits = name.removesuffix("-c")  # marked so when the clock was set
    return int(digits) if digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 14 else None


def names_of(data: bytes) -> Names:
    """Return the names of ``mappings``. Raises :class:`StructureError` where it is damaged."""
    found: Names = {}
    for number, packed in fields(data):
        if number == _POOL and isinstance(packed, bytes):
            token, strings = 0, []
            for inner, value in fields(packed):
                if inner == 1 and isinstance(value, int):
                    token = value
                elif inner == 2 and isinstance(value, bytes):
                    strings.append(value.decode("utf-8", "replace"))
            found.setdefault(token, strings)
    return found


def is_numbered(data: bytes) -> bool:
    """Whether an interval has numbers for names (Android 11 on): the pool's field is a version in them."""
    try:
        return any(number == _POOL and isinstance(value, int) for number, value in fields(data[:64]))
    except StructureError:
        return False


def of_message(data: bytes, begin: int, interval: str, names: Names | None = None) -> Iterator[Fact]:
    """Yield what an interval says. ``names``: of the numbered form. Raises :class:`StructureError` where it is damaged."""
    pool: list[str] = []
    held: list[tuple[int, bytes]] = []
    for number, value in fields(data):
        if number == _POOL and isinstance(value, bytes):
            pool = [text.decode("utf-8", "replace") for inner, text in fields(value) if inner == 2 and isinstance(text, bytes)]
        elif number in (_PACKAGES, _EVENTS) and isinstance(value, bytes):
            held.append((number, value))
    for number, message in held:
        given: dict[int, Value] = {}
        for inner, value in fields(message):
            given.setdefault(inner, value)
        if number == _PACKAGES:
            usage = _usage(given, pool, names)
            if usage is not None:
                yield from _said(usage, begin, interval)
        else:
            kind, when = (5, 3) if names is not None else (7, 5)
            what = _STATES.get(_number(given, kind))
            if what is not None:
                yield fact("device-state", what, times.unix_ms(begin + _number(given, when)))


def of_all_users(data: bytes) -> Iterator[Fact]:
    """Yield when a program was last used by anybody (``globalcomponentusage``). Raises :class:`StructureError` where it is damaged."""
    for number, message in fields(data):
        if number == _PACKAGE_USAGE and isinstance(message, bytes):
            given = dict(fields(message))
            name, at = given.get(1), times.unix_ms(_number(given, 2))
            if isinstance(name, bytes) and at is not None:
                package = name.decode("utf-8", "replace")
                yield fact("program-run", f"{show(package[:150])} was last used", at, program=package)


def _usage(given: Mapping[int, Value], pool: list[str], names: Names | None) -> Usage | None:
    if names is not None:
        token = _number(given, 1)
        package = next(iter(names.get(token, [])), "") or f"program {token}"
    else:
        own, index = given.get(1), _number(given, 2)
        package = own.decode("utf-8", "replace") if isinstance(own, bytes) else pool[index - 1] if 0 < index <= len(pool) else ""
    if not package:
        return None
    return Usage(package, _number(given, 3), _number(given, 4), _number(given, 6), _number(given, 8))


def _number(given: Mapping[int, Value], field: int) -> int:
    """Return a field's number with its sign, 0 for none."""
    value = given.get(field, 0)
    return (value - (1 << 64) if value >= _SIGN else value) if isinstance(value, int) else 0


def of_xml(root: Element, begin: int, interval: str) -> Iterator[Fact]:
    """Yield what an interval of the first form says."""
    held = root.find("packages")
    for one in held.children if held is not None else ():
        given = one.attributes
        numbers = [int(text) if (text := given.get(key, "")).lstrip("-").isdecimal() and len(text) < 19 else 0
                   for key in ("lastTimeActive", "timeActive", "appLaunchCount")]  # fmt: skip
        if given.get("package"):
            yield from _said(Usage(given["package"], *numbers), begin, interval)
    log = root.find("event-log")
    for one in log.children if log is not None else ():
        what = _STATES.get(int(kind)) if (kind := one.attributes.get("type", "")).isdecimal() and len(kind) < 5 else None
        after = one.attributes.get("time", "")
        if what is not None and after.isdecimal() and len(after) < 19:
            yield fact("device-state", what, times.unix_ms(begin + int(after)))


def _said(usage: Usage, begin: int, interval: str) -> Iterator[Fact]:
    """Yield a program's use; nothing for one that was not used in the interval: its time is before the beginning then."""
    if usage.last < -_HOUR or (usage.total <= 0 and usage.launches <= 0):
        return
    when = times.unix_ms(begin + usage.last) if usage.last else None
    span = f" ({interval} statistics)" if interval in INTERVALS else ""
    yield fact(
        "program-run", f"{show(usage.package[:150])} was used{span}", when, program=usage.package, interval=interval,
        from_time=times.unix_ms(begin), seconds=usage.total // 1000 if usage.total > 0 else None,
        times=usage.launches if usage.launches > 0 else None,
        service_time=times.unix_ms(begin + usage.service) if usage.service > 0 else None,
    )  # fmt: skip
