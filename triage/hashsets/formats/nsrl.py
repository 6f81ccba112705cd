"""NSRL RDSv3: SQLite databases, full and minimal. Columns are found by name, never by position.

The table that has the digests is read as it stands and the sorter drops repetitions: the view
``DISTINCT_HASH`` of the minimal sets would have SQLite sort hundreds of millions of rows first, and the full
sets' view ``FILE`` joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import HashsetError
from triage.hashsets.formats import sqlitefile
from triage.hashsets.records import (
    ALGORITHMS,
    Reject,
    Unkept,
    digest_kind,
    other_kind,
    parse_digest,
    record_of,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_PREFERRED = (
    ("DISTINCT_HASH", "table"),
    ("FILE", "table"),
    ("METADATA", "table"),
    ("DISTINCT_HASH", "view"),
    ("FILE", "view"),
)


def looks_like(head: bytes) -> bool:
    """Say whether this is an SQLite database; whether it is one of NSRL's shows when it is opened."""
    return sqlitefile.looks_like(head)


def read(source: Source) -> Iterator[Event]:
    """Yield one record a row of the table that holds the digests.

    Raise ``HashsetError`` if there is none or it is damaged.
    """
    yield from sqlitefile.read_database(source, _read)


def _read(source: Source, database: sqlite3.Connection) -> Iterator[Event]:
    table, columns = _table(source, database)
    sqlitefile.lock(database)
    wanted = [name for name in columns if digest_kind(name) or other_kind(name)]
    kinds = [(at, digest_kind(name), other_kind(name)) for at, name in enumerate(wanted)]
    where = _filter(columns)
    chosen = ", ".join(f'"{name}"' for name in wanted)
    # The table is one of ours by name, the columns are names of digests without quotes in them.
    rows = database.execute(f'SELECT {chosen} FROM "{table}"{where}')
    for number, row in enumerate(rows, 1):
        source.position = number
        yield from _record(number, row, kinds)


def _record(number: int, row: tuple[object, ...], kinds: list[tuple[int, str | None, str | None]]) -> Iterator[Event]:
    record: dict[str, bytes] = {}
    refused = False
    for at, kind, other in kinds:
        value = row[at]
        if not value:
            continue
        if kind is None:
            if other != "crc32":  # every row has one, and it identifies nothing
                yield Unkept(str(other))
            continue
        try:
            record[kind] = parse_digest(value if isinstance(value, bytes) else str(value).encode(), kind)
        except ValueError as error:
            refused = True
            yield Reject(number, str(error))
    if record:
        yield record_of(record)
    elif not refused:
        yield Reject(number, "no digest in this row")


def _table(source: Source, database: sqlite3.Connection) -> tuple[str, list[str]]:
    found = sqlitefile.tables_of(database)
    for wanted in _PREFERRED:
        if wanted not in found:
            continue
        columns = sqlitefile.columns_of(database, found[wanted])
        if {digest_kind(name) for name in columns} & set(ALGORITHMS):
            return wanted[0], columns
    raise HashsetError(
        f"{source.path} is an SQLite database, but no NSRL RDSv3 list: no table or view FILE, METADATA or DISTINCT_HASH with digests",
        hint="for other lists export plain text or CSV",
    )


def _filter(columns: list[str]) -> str:
    """Leave out the rows of empty files where the table says the size (directories are among them)."""
    return ' WHERE "bytes" > 0 OR "bytes" IS NULL' if "bytes" in {name.lower() for name in columns} else ""
