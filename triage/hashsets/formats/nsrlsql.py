"""NSRL RDSv3 deltas: SQL scripts of INSERT, UPDATE and DELETE statements, read as text and never run.

Rows that are inserted are taken. What is deleted or updated is counted and said; ``--format nsrl-sql-deleted`` reads the digests that
DELETE statements name instead, for ``triage hashset import --remove``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.hashsets.formats.fields import is_digest, record_events, role_of
from triage.hashsets.records import Note, Reject, digest_by_length, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_TABLES = frozenset({"FILE", "METADATA", "DISTINCT_HASH"})
_START = re.compile(
    r"\s{0,100}INSERT(?: OR \w{1,10})? INTO ['\"`\[]?(\w{1,40})['\"`\]]?\s{0,10}(?:\(([^()]{1,2000})\))?\s{0,10}VALUES\s{0,10}",
    re.IGNORECASE,
)
_VALUE = re.compile(r"\s*(?:'((?:[^']|'')*)'|([^,()'\s]+))\s*")
_COMPARED = re.compile(r"['\"`\[]?(\w{1,40})['\"`\]]?\s{0,5}=\s{0,5}'([0-9A-Fa-f]{32,64})'")
_MAX_STATEMENT = 1 << 22  # characters


def looks_like(head: bytes) -> bool:
    """Say whether the text holds statements about NSRL's tables."""
    words = head.upper()
    return any(b"INSERT INTO " + quote + name.encode() in words or b"DELETE FROM " + quote + name.encode() in words
               for name in _TABLES for quote in (b"", b'"', b"'", b"`", b"["))  # fmt: skip


def read(source: Source) -> Iterator[Event]:
    """Yield one record a row that is inserted."""
    deleted = updated = 0
    for number, statement in _statements(source):
        if isinstance(statement, Reject):
            yield statement
            continue
        word = statement.lstrip()[:6].upper()
        if word == "INSERT":
            yield from _inserted(number, statement)
        elif word == "DELETE":
            deleted += 1
        elif word == "UPDATE":
            updated += 1
    if deleted:
        yield Note(
            f"{deleted:,} DELETE statements were not applied: take out what they name with "
            "triage hashset import --remove --format nsrl-sql-deleted"
        )
    if updated:
        yield Note(f"THE LIST IS NOT COMPLETE: {updated:,} UPDATE statements were not applied; import the full list for them")


def read_deleted(source: Source) -> Iterator[Event]:
    """Yield one record a DELETE statement that names a digest."""
    for number, statement in _statements(source):
        if isinstance(statement, Reject):
            yield statement
        elif statement.lstrip()[:6].upper() == "DELETE":
            values = [(role_of(name) or "", value) for name, value in _COMPARED.findall(statement)]
            values = [(role, value) for role, value in values if is_digest(role)]
            if values:
                yield from record_events(number, values)
            else:
                yield Reject(number, "a DELETE statement that names no digest")


def _statements(source: Source) -> Iterator[tuple[int, str | Reject]]:
    """Yield (line number, statement); a semicolon ends one unless it stands in quotes."""
    held: list[str] = []
    start = quotes = length = 0
    for item in source.lines():
        if isinstance(item, Reject):
            yield item.line, item
            continue
        number, line = item
        text = text_of(line)
        if not held and (not text.strip() or text.lstrip().startswith("--")):
            continue
        start = start if held else number
        held.append(text)
        quotes += text.count("'")
        length += len(text)
        if length > _MAX_STATEMENT:
            yield start, Reject(start, "a statement longer than 4 MiB")
        elif quotes % 2 or not text.rstrip().endswith(";"):
            continue
        else:
            yield start, "\n".join(held)
        held, quotes, length = [], 0, 0
    if held:
        yield start, Reject(start, "a statement without an end")


def _inserted(number: int, statement: str) -> Iterator[Event]:
    found = _START.match(statement)
    if found is None:
        yield Reject(number, "not an INSERT statement with values")
        return
    if found[1].upper() not in _TABLES:
        return  # packages, systems, makers: nothing about files
    names = [name.strip(" \t\n'\"`[]") for name in found[2].split(",")] if found[2] else []
    at = found.end()
    while at < len(statement) and statement[at] == "(":
        values, at = _values(statement, at + 1)
        if values is None:
            yield Reject(number, "values that do not end")
            return
        if names:
            roles = [role_of(name) or "" for name in names]
            pairs: list[tuple[str, object]] = [
                (role, value) for role, value in zip(roles, values, strict=False) if is_digest(role or None) and role != "unkept:crc32"
            ]
        else:
            pairs = [(kind[0], value) for value in values if value is not None and (kind := digest_by_length(value))]
        yield from record_events(number, pairs)
        following = re.compile(r"\s*,\s*").match(statement, at)
        at = following.end() if following else len(statement)


def _values(statement: str, at: int) -> tuple[list[str | None] | None, int]:
    """Return the values of a row and the place behind its bracket."""
    values: list[str | None] = []
    while True:
        found = _VALUE.match(statement, at)
        if found is None:
            return None, at
        values.append(found[1].replace("''", "'") if found[1] is not None else None if found[2].upper() == "NULL" else found[2])
        at = found.end()
        if at >= len(statement) or statement[at] not in ",)":
            return None, at
        at += 1
        if statement[at - 1] == ")":
            return values, at
