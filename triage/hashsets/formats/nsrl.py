"""NSRL RDSv3: SQLite databases, full and minimal. Columns are found by name, never by position.

The table that has the digests is read as it stands and the sorter drops repetitions: the view
``DISTINCT_HASH`` of the minimal sets would have SQLite sort hundreds of millions of rows first, and the full
sets' view ``FILE`` joins them.

The file is other people's: it is opened read-only and immutable (nothing is written beside it), views may run
no function that is not harmless, and the authorizer lets nothing through but reading.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from triage.errors import HashsetError
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
_LONGEST = 1 << 20  # bytes of one value or statement
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION})
_FUNCTIONS = frozenset({"upper", "lower", "hex", "trim", "coalesce", "ifnull", "substr"})


def looks_like(head: bytes) -> bool:
    """Say whether this is an SQLite database; whether it is one of NSRL's shows when it is opened."""
    return head.startswith(b"SQLite format 3\0")


def read(source: Source) -> Iterator[Event]:
    """Yield one record a row of the table that holds the digests.

    Raise ``HashsetError`` if there is none or it is damaged.
    """
    path = source.path.resolve()
    for suffix in ("-wal", "-journal"):
        beside = path.with_name(path.name + suffix)
        if beside.is_file() and beside.stat().st_size:
            raise HashsetError(
                f"{source.path} has changes that are not in it yet ({beside.name} lies beside it)",
                hint="close the program that writes it, or copy it with sqlite3's .backup",
            )
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
            yield from _read(source, database)
    except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as error:
        raise HashsetError(
            f"{source.path} cannot be read as an SQLite database: {error}",
            hint="try sqlite3's .recover, or get the list again",
        ) from error


def _read(source: Source, database: sqlite3.Connection) -> Iterator[Event]:
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute("PRAGMA query_only=ON")
    database.execute("PRAGMA cell_size_check=ON")
    database.execute("PRAGMA mmap_size=0")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST)
    database.text_factory = bytes
    table, columns = _table(source, database)
    database.set_authorizer(_authorize)
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
    found = {
        (name.decode("utf-8", "replace").upper(), kind.decode("utf-8", "replace")): name.decode("utf-8", "replace")
        for name, kind in database.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')")
        if isinstance(name, bytes) and isinstance(kind, bytes)
    }
    for wanted in _PREFERRED:
        if wanted not in found:
            continue
        facts = database.execute("SELECT name FROM pragma_table_info(?)", (found[wanted],))
        columns = [name.decode("utf-8", "replace") for (name,) in facts if isinstance(name, bytes)]
        if {digest_kind(name) for name in columns} & set(ALGORITHMS):
            return wanted[0], [name for name in columns if '"' not in name]
    raise HashsetError(
        f"{source.path} is an SQLite database, but no NSRL RDSv3 list: no table or view FILE, METADATA or DISTINCT_HASH with digests",
        hint="for other lists export plain text or CSV",
    )


def _filter(columns: list[str]) -> str:
    """Leave out the rows of empty files where the table says the size (directories are among them)."""
    return ' WHERE "bytes" > 0 OR "bytes" IS NULL' if "bytes" in {name.lower() for name in columns} else ""


def _authorize(action: int, _first: str | None, second: str | None, _database: str | None, _view: str | None) -> int:
    if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
