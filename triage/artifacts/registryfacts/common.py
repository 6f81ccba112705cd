"""What readers of registry keys share: a fact, lists of what was used last, times."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts import times

if TYPE_CHECKING:
    from triage.artifacts.hive import Key, Value

MOST, LONGEST = 5000, 2000


class Fact(NamedTuple):
    """A finding to be: its kind, title and data."""

    kind: str
    title: str
    data: dict[str, Any]


Reader = Callable[["Key"], Iterator[Fact]]
Place = tuple[str, Reader]


def fact(kind: str, title: str, key: Key, **data: Any) -> Fact:
    """Return a fact of a key, without what is empty. ``registry_key`` and when that was written go with it."""
    said = {name: value[:LONGEST] if isinstance(value, str) else value for name, value in data.items() if value not in (None, "", [], 0)}
    return Fact(kind, title, {**said, "registry_key": key.path[:LONGEST], "key_written": when(key.written)})


def when(filetime: int) -> str | None:
    """Return a FILETIME as findings have it."""
    return times.iso(times.filetime(filetime))


def when_in(data: bytes, at: int = 0) -> str | None:
    """Return the FILETIME at a place of a value."""
    return when(int.from_bytes(data[at : at + 8], "little")) if len(data) >= at + 8 else None


def text_of(key: Key, *names: str) -> str:
    """Return the text of the first of these values that has one."""
    table = key.table()
    return next((text for name in names if name.lower() in table and (text := table[name.lower()].text)), "")


def used_last(key: Key) -> Iterator[tuple[int, Value, str | None]]:
    """Yield the values of a list in the order of their use, with their place in it and, of the first alone, when: the key's time.

    The order is ``MRUListEx`` (numbers of 32 bits) or ``MRUList`` (letters); what it does not name comes last, with place -1.
    """
    table = key.table()
    order: list[str] = []
    if "mrulistex" in table:
        raw = table["mrulistex"].data
        order = [str(number) for (number,) in struct.iter_unpack("<I", raw[: min(len(raw), 4 * MOST) & ~3]) if number != 0xFFFFFFFF]
    elif "mrulist" in table:
        order = list(table["mrulist"].text[:MOST].lower())
    done: set[str] = set()
    for place, name in enumerate(order):
        if name in table and name not in done:
            done.add(name)
            yield place, table[name], when(key.written) if place == 0 else None
    for name, value in table.items():
        if name not in done and name not in ("mrulistex", "mrulist", "nodeslots", "nodeslot", "viewstream"):
            yield -1, value, None
