"""Lists that are SQLite databases: other people's files, opened so that nothing runs and nothing is written.

Read-only and immutable (nothing is made beside it), views may run no function that is not harmless, and the authorizer lets nothing
through but reading.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from triage.errors import HashsetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_LONGEST = 1 << 20  # bytes of one value or statement
_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION})
_FUNCTIONS = frozenset({"upper", "lower", "hex", "trim", "coalesce", "ifnull", "substr"})


def looks_like(head: bytes) -> bool:
    """Say whether this is an SQLite database."""
    return head.startswith(b"SQLite format 3\0")


def read_database(source: Source, read: Callable[[Source, sqlite3.Connection], Iterator[Event]]) -> Iterator[Event]:
    """Yield what ``read`` does with the database. Raise ``HashsetError`` if it is damaged, in use or inside an archive.

    ``read`` looks at the schema first and then calls :func:`lock`.
    """
    if source.packed:
        raise HashsetError(f"{source.path} holds an SQLite database", hint="unpack it and import the database inside")
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
            database.execute("PRAGMA trusted_schema=OFF")
            database.execute("PRAGMA query_only=ON")
            database.execute("PRAGMA cell_size_check=ON")
            database.execute("PRAGMA mmap_size=0")
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
            database.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST)
            database.text_factory = bytes
            yield from read(source, database)
    except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeError) as error:
        raise HashsetError(
            f"{source.path} cannot be read as an SQLite database: {error}",
            hint="try sqlite3's .recover, or get the list again",
        ) from error


def tables_of(database: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return the names of tables and views as they are written, by their names in capitals and ``table`` or ``view``."""
    return {
        (name.decode("utf-8", "replace").upper(), kind.decode("utf-8", "replace")): name.decode("utf-8", "replace")
        for name, kind in database.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')")
        if isinstance(name, bytes) and isinstance(kind, bytes)
    }


def columns_of(database: sqlite3.Connection, table: str) -> list[str]:
    """Return the names of a table's columns that can be asked for."""
    facts = database.execute("SELECT name FROM pragma_table_info(?)", (table,))
    names = [name.decode("utf-8", "replace") for (name,) in facts if isinstance(name, bytes)]
    return [name for name in names if '"' not in name]


def lock(database: sqlite3.Connection) -> None:
    """Let nothing through from now on but reading."""
    database.set_authorizer(_authorize)


def _authorize(action: int, _first: str | None, second: str | None, _database: str | None, _view: str | None) -> int:
    if action not in _ALLOWED or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK
