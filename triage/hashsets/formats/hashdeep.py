"""hashdeep's own form.

``%%%% HASHDEEP-1.0``, then ``%%%% size,md5,sha256,filename``, then one file a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.hashsets.records import Reject, Unkept, digest_kind, other_kind, parse_digest, record_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source


def looks_like(head: bytes) -> bool:
    """Say whether the list begins as hashdeep's does."""
    return head.lstrip().startswith(b"%%%% HASHDEEP")


def read(source: Source) -> Iterator[Event]:
    """Yield one record a line. Lists that were put end to end are read too.

    Each header counts from where it stands.
    """
    columns: list[str] = []
    for item in source.lines():
        if isinstance(item, Reject):
            yield item
            continue
        number, line = item
        if line.startswith(b"%%%%"):
            words = text_of(line[4:]).strip()
            if not words.upper().startswith("HASHDEEP"):
                columns = [name.strip() for name in words.split(",")]
            continue
        if not line.strip() or line.startswith(b"#"):
            continue
        if not columns:
            yield Reject(number, "stands before any %%%% line that names the columns")
            continue
        yield from _row(number, line, columns)


def _row(number: int, line: bytes, columns: list[str]) -> Iterator[Event]:
    values = line.split(b",", len(columns) - 1)  # the name stands last and may hold commas
    if len(values) != len(columns):
        yield Reject(number, f"{len(values)} columns where the header names {len(columns)}")
        return
    record: dict[str, bytes] = {}
    others = 0
    for name, value in zip(columns, values, strict=True):
        token = value.strip()
        if not token:
            continue
        if kind := digest_kind(name):
            try:
                record[kind] = parse_digest(token, kind)
            except ValueError as error:
                yield Reject(number, str(error))
                others += 1
        elif other := other_kind(name):
            others += 1
            yield Unkept(other)
    if record:
        yield record_of(record)
    elif not others:
        yield Reject(number, "no digest in this line")
