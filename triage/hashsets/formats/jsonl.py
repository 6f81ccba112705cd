"""JSON lines: one object a file, with any names that CSV columns have; also what ``triage hashset export --format jsonl`` writes.

Of an object in an object the members count as if they stood outside. ``blocks`` are pairs of a number and an MD5, ``frames`` PDQ hashes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from triage.hashsets.formats.fields import is_digest, record_events, role_of
from triage.hashsets.records import BY_LENGTH_NOTE, HashRecord, Note, Reject, block_row, parse_kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_MOST_PARTS = 1 << 20
_HEADER = "triage-hashset"


def looks_like(head: bytes) -> bool:
    """Say whether the first line is a whole JSON object with a digest in it."""
    first = next((line for line in head.splitlines()[:20] if line.strip()), b"").strip()
    item = _object(first)
    return item is not None and (_HEADER in item or any(is_digest(role) for role, _ in _values(item)) or "frames" in item)


def read(source: Source) -> Iterator[Event]:
    """Yield one record a line."""
    told = False
    for item in source.lines():
        if isinstance(item, Reject):
            yield item
            continue
        number, line = item
        if not line.strip():
            continue
        values = _object(line)
        if values is None:
            yield Reject(number, "not a JSON object")
            continue
        if _HEADER in values:
            continue  # the line in which our own export says what it is
        for event in _record(number, values):
            if not told and isinstance(event, HashRecord) and event.sha256 and "sha256" not in values:
                told = True
                yield BY_LENGTH_NOTE
            yield event


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _values(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in item.items():
        if isinstance(value, dict):
            for inner, one in value.items():
                if (role := role_of(str(inner))) and not isinstance(one, dict):
                    yield role, one
        elif key not in ("blocks", "frames") and (role := role_of(str(key))):
            yield role, value


def _record(number: int, item: dict[str, Any]) -> Iterator[Event]:
    more: list[tuple[str, bytes]] = []
    for kind, made in (("blocks", _block), ("frames", _frame)):
        listed = item.get(kind)
        if not isinstance(listed, list):
            continue
        if len(listed) > _MOST_PARTS:
            yield Note(f"line {number:,}: of {len(listed):,} {kind} only {_MOST_PARTS:,} were taken")
        for one in listed[:_MOST_PARTS]:
            try:
                more.append(made(one))
            except (ValueError, TypeError, OverflowError) as error:
                yield Reject(number, f"{kind}: {error}")
    record: HashRecord | None = None
    rejects = []
    for event in record_events(number, _values(item)):
        if isinstance(event, HashRecord):
            record = event
        elif isinstance(event, Reject) and more and event.reason == "no digest in this row":
            continue
        else:
            rejects.append(event)
    yield from rejects
    if record is not None:
        yield record._replace(more=record.more + tuple(more))
    elif more:
        yield HashRecord(more=tuple(more))


def _block(pair: Any) -> tuple[str, bytes]:
    position, digest = pair
    if type(position) is not int or not 0 <= position < 1 << 32:
        raise ValueError("a number that cannot be a block's")
    return "block", block_row(parse_kept(str(digest), "block"), position)


def _frame(digest: Any) -> tuple[str, bytes]:
    return "frame", parse_kept(str(digest), "pdq")
