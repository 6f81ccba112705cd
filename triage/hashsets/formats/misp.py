"""MISP's CSV export: an attribute a row. Only attributes that are marked for detection (``to_ids``) and are digests of files are taken.

The ``hashes.csv`` of a MISP *feed* is another thing: MD5 digests of attributes' values, which are no files' digests.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from triage.errors import HashsetError
from triage.hashsets.formats.fields import flag_of, is_digest, record_events, role_of
from triage.hashsets.records import MAX_FACT, Reject, Unkept, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_NEEDED = frozenset({"type", "value", "uuid", "to_ids"})
_FEED = re.compile(rb"[0-9A-Fa-f]{32},[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\s{0,2}")


def looks_like(head: bytes) -> bool:
    """Say whether the header is MISP's, or all lines are those of a feed's ``hashes.csv``."""
    lines = head.splitlines()
    return _feed(lines) or (bool(lines) and set(_names(lines[0])) >= _NEEDED)


def read(source: Source) -> Iterator[Event]:
    """Yield one record an attribute that is a digest of a file."""
    if _feed(source.head.splitlines()):
        raise HashsetError(
            f"{source.path} is the hashes.csv of a MISP feed: digests of attributes' values, not of files",
            hint="export the attributes themselves as CSV",
        )
    names: list[str] = []
    skipped = 0
    for item in source.lines():
        if isinstance(item, Reject):
            yield item
            continue
        number, line = item
        if not line.strip():
            continue
        if not names:
            names = _names(line)
            if not set(names) >= _NEEDED:
                raise HashsetError(f"{source.path} does not begin with the names of MISP's columns", hint="export it again with a header")
            continue
        cells = _cells(line)
        if len(cells) < len(names):
            yield Reject(number, f"{len(cells)} columns where the header names {len(names)}")
            continue
        row = dict(zip(names, cells, strict=False))
        if flag_of(row["to_ids"]) != "yes":
            skipped += 1
            yield Reject(number, "not marked for detection (to_ids)")
            continue
        yield from _attribute(number, row)


def _attribute(number: int, row: dict[str, str]) -> Iterator[Event]:
    kind, value, name = row["type"].strip(), row["value"].strip(), ""
    if kind.startswith("filename|"):
        kind = kind[9:]
        name, _, value = value.rpartition("|")
    role = role_of(kind)
    if role is None or not is_digest(role) or role == "digest":
        yield Reject(number, f"no digest of a file ({kind[:40]})")
    elif role.startswith("unkept:"):
        yield Unkept(role[7:])
    else:
        yield from record_events(number, [(role, value), ("category", row.get("category", "")), ("name", name[:MAX_FACT])])


def _feed(lines: list[bytes]) -> bool:
    some = [line for line in lines[:20] if line.strip()]
    return len(some) > 1 and all(_FEED.fullmatch(line) for line in some[:-1])


def _names(line: bytes) -> list[str]:
    return [name.strip().lower() for name in _cells(line)]


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([text_of(line)], strict=False), [])
    except csv.Error:
        return []
