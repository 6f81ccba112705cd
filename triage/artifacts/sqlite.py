"""Tables of SQLite databases from evidence, read from a private copy in memory under rules that leave hostile schemas no say.

Evidence is never opened in place: even a read-only open rewrites files beside a database. The copy exists in up to two states, the main
file alone and with what its write-ahead log or hot rollback journal makes of it (:mod:`triage.artifacts.sqlitelog`), and every row says
where it stands. It takes memory: about twice the file, and as much again with a log.

Only plain tables are read, by a scan of the table itself: no view, trigger, virtual table, index or generated column that would be
computed, no function. Work is bounded in steps of SQLite's machine and in rows, not in seconds, so that the cut is the same everywhere.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple, Self

from triage.artifacts.sqlitedeleted import DeletedRows, TableForm
from triage.artifacts.sqlitelog import apply_journal, apply_wal, page_size_of
from triage.artifacts.structure import Notes, StructureError
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAGIC = b"SQLite format 3\0"
MAX_BYTES = 512 << 20
"""A database that is larger, with its log, is not opened."""
MAX_ROWS = 1_000_000
"""Rows that are read of a table, in each state."""
MAX_VALUE = 64 << 20
"""Bytes of the largest text or blob; a row with a larger one ends the scan."""
MAX_STEPS = 200_000_000
"""Steps that one scan may take; a row takes about as many as it has columns, plus ten."""
VIRTUAL = "a virtual table of a database is not asked: what it keeps stands in plain tables, which are read"
"""A note that costs nothing."""
_STEPS_AT_ONCE = 10_000
_MOST_TABLES = 5000
_LONG = 1024  # bytes or characters

# The module turns SQLite's message into text, and a message may quote bytes of the evidence that are none.
_FAULTS = (sqlite3.Error, UnicodeDecodeError)

Value = int | float | str | bytes | None

_PRAGMAS = (
    "trusted_schema=OFF",
    "cell_size_check=ON",
    "query_only=ON",
    "temp_store=MEMORY",  # no file is ever written, for sorting neither
    "recursive_triggers=OFF",
    "mmap_size=0",
)
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MAX_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1 << 20,
    sqlite3.SQLITE_LIMIT_COLUMN: 2000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 250_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 10,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# A schema's "type" may lie; what its SQL begins with is what SQLite goes by.
_PLAIN_TABLE = re.compile(r"CREATE\s+TABLE\b", re.IGNORECASE)
_WITHOUT_ROWID = re.compile(r"WITHOUT\s+ROWID", re.IGNORECASE)
_VIRTUAL_TABLE = re.compile(r"CREATE\s+VIRTUAL\b", re.IGNORECASE)
_STORED = (0, 3)  # table_xinfo's "hidden": of plain and of stored generated columns


class Row(NamedTuple):
    """One row. ``values`` are in the order of the columns asked for; text that is not UTF-8 has its bytes as ``\\xNN``.

    ``source`` says where it stands: ``main`` in the database file, ``wal`` or ``journal`` only in the state that the log makes, ``deleted``
    in the file's free space.
    ``live`` is False for a row of the main file that is not there, or not so, once the log is taken into account.
    """

    rowid: int | None
    values: tuple[Value, ...]
    source: str = "main"
    live: bool = True


class Database:
    """An opened database. Close it, or use it in a ``with`` statement. ``notes`` says what was not read."""

    def __init__(self, states: Sequence[_State], notes: Notes, main: bytes = b"") -> None:
        self.notes = notes
        self._main = main
        self._states = tuple(states)
        self._tables = {name: columns for state in states for name, columns in state.tables(notes).items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the copies."""
        for state in self._states:
            state.close()

    @property
    def sources(self) -> tuple[str, ...]:
        """The states there are: ``main``, and ``wal`` or ``journal``."""
        return tuple(state.source for state in self._states)

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return the plain tables with their columns, those that only one state has included."""
        return dict(self._tables)

    def rows(self, table: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """Yield a table's rows, the current ones first and then those that the log took away; nothing of a table that is not there.

        ``columns`` may name some that the table does not have, as tables differ from version to version: their values are ``None``.
        """
        wanted = tuple(columns) if columns is not None else self._tables.get(table, ())
        having = [state for state in self._states if table in state.columns]
        if len(having) == 1:
            live = having[0] is self._states[-1]
            for rowid, values in having[0].scan(table, wanted, self.notes):
                yield Row(rowid, values, having[0].source, live)
        if len(having) < 2:
            return
        main, log = having
        unmatched = Counter(_digest(row) for row in main.scan(table, wanted, self.notes))
        for row in log.scan(table, wanted, self.notes):
            digest = _digest(row)
            same = unmatched[digest] > 0
            if same:
                unmatched[digest] -= 1
            yield Row(*row, main.source if same else log.source)
        if not any(unmatched.values()):
            return
        for row in main.scan(table, wanted, None):
            digest = _digest(row)
            if unmatched[digest] > 0:
                unmatched[digest] -= 1
                yield Row(*row, main.source, live=False)

    def deleted(self) -> Iterator[tuple[str, Row]]:
        """Yield rows that were deleted from the main file, with their tables (:mod:`triage.artifacts.sqlitedeleted`).

        Their source is ``deleted``. Copies of rows that are there, which a page leaves behind when it is split, are left out.
        """
        forms = next((state.forms for state in self._states if state.source == "main"), [])
        found = DeletedRows(self._main, forms)
        numbered = {form.name: form.alias for form in forms}
        there: dict[str, set[bytes]] = {}
        for one in found:
            column = numbered[one.table]
            if one.table not in there:
                there[one.table] = {_digest((None, _unnumbered(row.values, column))) for row in self.rows(one.table)}
            digest = _digest((None, _unnumbered(one.values, column)))
            if digest not in there[one.table]:
                there[one.table].add(digest)
                yield one.table, Row(one.rowid, one.values, "deleted", live=False)
        if found.cut:
            self.notes.add("more deleted rows of a database than are looked for: the rest is left out")

    def check(self) -> tuple[str, ...]:
        """Return what SQLite's own check finds wrong with the last state, at most ten lines; nothing when it is sound."""
        return self._states[-1].check()


def open_database(main: bytes, wal: bytes | None = None, journal: bytes | None = None) -> Database:
    """Return the database in ``main`` with the files that stood beside it, ``-wal`` and ``-journal``.

    Raises :class:`StructureError` for what is no database, is encrypted, or has no schema that can be read.
    """
    if len(main) + len(wal or b"") + len(journal or b"") > MAX_BYTES:
        raise StructureError(f"a database of more than {MAX_BYTES:,} bytes is not opened")
    notes = Notes()
    states = []
    changed = apply_wal(main, wal, MAX_BYTES, notes) if wal else None
    source = "wal"
    if changed is None and journal:
        changed, source = apply_journal(main, journal, MAX_BYTES, notes), "journal"
    page = page_size_of(main)
    if main.startswith(MAGIC) and page is not None:
        pages = int.from_bytes(main[28:32], "big")
        if main[24:28] == main[92:96] and pages * page > len(main):
            notes.add("a database is shorter than its header states: pages are missing", pages - len(main) // page)
        states.append(_State("main", bytearray(main)))
    elif changed is None:
        raise StructureError("not a SQLite database, or an encrypted one")
    if changed is not None:
        states.append(_State(source, changed))
    usable = []
    for state in states:
        if state.load(notes):
            usable.append(state)
        else:
            state.close()
            notes.add("the schema of a database cannot be read: nothing of that state was")
    if not usable:
        raise StructureError("the schema of the database cannot be read")
    return Database(usable, notes, main)


class _State:
    """One copy of a database, its connection locked down."""

    def __init__(self, source: str, data: bytearray) -> None:
        self.source = source
        self.columns: dict[str, tuple[str, ...]] = {}
        self.forms: list[TableForm] = []
        self._steps = 0
        self._wrong_text = 0
        self._may_read: frozenset[str] = frozenset()
        self._pragma = ""
        self._generated = 0
        self._unreadable = self._nameless = 0
        self._virtual = 0
        data[18:20] = b"\1\1"  # a copy in memory has no log: "legacy" journal mode
        connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        self._connection = connection
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}").close()
            for limit, value in _LIMITS.items():
                connection.setlimit(limit, value)
            connection.text_factory = self._text
            connection.deserialize(data)
            connection.set_progress_handler(self._step, _STEPS_AT_ONCE)
            connection.set_authorizer(self._authorize)
        except _FAULTS as error:
            connection.close()
            raise StructureError(f"the database cannot be opened ({_named(error)})") from error

    def close(self) -> None:
        self._connection.close()

    def load(self, notes: Notes) -> bool:
        """Read the schema; with its damaged parts left out if need be. Return False when it cannot be read at all."""
        try:
            self._load()
        except _FAULTS:
            self.columns.clear()
            self.forms.clear()
            self._generated = self._virtual = self._unreadable = self._nameless = 0
            try:
                self._pragma = "writable_schema"  # nothing can be written; this is how SQLite passes over what it cannot parse
                self._connection.execute("PRAGMA writable_schema=ON").close()
                self._pragma = ""
                self._load()
            except _FAULTS:
                return False
            notes.add("a part of a database's schema is damaged and was passed over")
        return True

    def _load(self) -> None:
        self._connection.text_factory = bytes  # a name is only of use when it is text
        try:
            self._load_names()
        finally:
            self._connection.text_factory = self._text

    def _load_names(self) -> None:
        self._may_read = frozenset({"sqlite_master", "sqlite_schema"})
        self._steps = 0
        with closing(
            self._connection.execute("SELECT name, rootpage, sql FROM sqlite_schema NOT INDEXED LIMIT ?", (_MOST_TABLES,))
        ) as cursor:
            listed = cursor.fetchall()
        for raw, root, statement in listed:
            name, sql = _name(raw), statement.decode("utf-8", "replace") if isinstance(statement, bytes) else ""
            if not sql or not isinstance(root, int):
                continue
            if name is None:
                self._nameless += 1
                continue
            if not _PLAIN_TABLE.match(sql) or root <= 0:
                self._virtual += _VIRTUAL_TABLE.match(sql) is not None
                continue
            try:
                self.columns[name] = self._columns_of(name, root, sql)
            except _FAULTS:
                self._unreadable += 1

    def _columns_of(self, table: str, root: int, sql: str) -> tuple[str, ...]:
        self._pragma = "table_xinfo"
        try:
            with closing(self._connection.execute(f"PRAGMA main.table_xinfo({_quoted(table)})")) as cursor:
                rows = cursor.fetchall()
        finally:
            self._pragma = ""
        if not rows:
            raise sqlite3.DatabaseError("no such table")
        self._generated += sum(row[6] not in _STORED for row in rows)
        stored = [row for row in rows if row[6] in _STORED]
        names = [_name(row[1]) for row in stored]
        types = [row[2].decode("latin-1") if isinstance(row[2], bytes) else "" for row in stored]
        keys = [n for n, row in enumerate(stored) if row[5]]
        alias = keys[0] if len(keys) == 1 and types[keys[0]].upper() == "INTEGER" else -1
        if None not in names and not _WITHOUT_ROWID.search(sql):
            self.forms.append(TableForm(table, root, tuple(types), alias))
        self._nameless += names.count(None)
        return tuple(name for name in names if name is not None)

    def tables(self, notes: Notes) -> dict[str, tuple[str, ...]]:
        """Return the tables, and note what was left out of the schema."""
        notes.add("a table of a database cannot be read", self._unreadable)
        notes.add("a table, index or column of a database has a name that is not UTF-8 and is not read", self._nameless)
        notes.add(VIRTUAL, self._virtual)
        notes.add("a column of a database that would be computed is not read", self._generated)
        return self.columns

    def scan(self, table: str, wanted: tuple[str, ...], notes: Notes | None) -> Iterator[tuple[int | None, tuple[Value, ...]]]:
        """Yield ``(rowid, values)`` of every row that can be reached: from the start, and where that breaks off, from the end.

        ``notes`` is ``None`` when the same was noted by an earlier scan.
        """
        quiet = notes is None
        notes = Notes() if notes is None else notes
        columns = self.columns[table]
        chosen = [_quoted(name) if name in columns else "NULL" for name in wanted]
        rowid = next((name for name in ("rowid", "_rowid_", "oid") if name not in {c.lower() for c in columns}), None)
        head = f"SELECT {', '.join([rowid or 'NULL', *chosen])} FROM main.{_quoted(table)} NOT INDEXED"
        self._may_read = frozenset({table})
        count, broken = 0, ""
        last: int | None = None
        self._steps = self._wrong_text = 0
        try:
            for row in self._read(head, table, columns, chosen):
                number = row[0] if isinstance(row[0], int) else None
                last = number
                count += 1
                if count > MAX_ROWS:
                    notes.add(f"a table of a database has more than {MAX_ROWS:,} rows: the rest is left out")
                    return
                yield number, row[1:]
        except _FAULTS as error:
            broken = _named(error)
        finally:
            if not quiet:
                notes.add("a text of a database is not UTF-8: its bytes are shown as \\xNN", self._wrong_text)
        if broken:
            notes.add(f"a table of a database cannot be read to its end ({broken})")
            if rowid is not None and (last is not None or not count):
                yield from self._backwards(f"{head} ORDER BY {rowid} DESC", last, MAX_ROWS - count, notes)

    def _read(self, head: str, table: str, columns: tuple[str, ...], chosen: list[str]) -> Iterator[tuple[Value, ...]]:
        try:
            cursor = self._connection.execute(head)
        except sqlite3.OperationalError as error:
            if "no such column" not in str(error):
                raise
            cursor = self._connection.execute(
                f"SELECT {', '.join(['NULL', *chosen])} FROM main.{_quoted(table)} NOT INDEXED"
            )  # WITHOUT ROWID
        with closing(cursor):
            yield from cursor

    def _backwards(self, query: str, last: int | None, most: int, notes: Notes) -> Iterator[tuple[int | None, tuple[Value, ...]]]:
        """Yield the rows behind a damaged place, last first."""
        count = 0
        self._steps = 0
        try:
            with closing(self._connection.execute(query)) as cursor:
                for row in cursor:
                    if count >= most or not isinstance(row[0], int) or (last is not None and row[0] <= last):
                        break
                    count += 1
                    yield row[0], row[1:]
        except _FAULTS:
            pass
        notes.add("a row behind a damaged place of a table was read from the table's end", count)

    def check(self) -> tuple[str, ...]:
        """Run ``quick_check``."""
        self._pragma, self._steps = "quick_check", 0
        try:
            with closing(self._connection.execute("PRAGMA main.quick_check(10)")) as cursor:
                lines = [show(str(row[0]))[:200] for row in cursor.fetchall()]
        except (*_FAULTS, MemoryError) as error:  # SQLite says "out of memory" of some schemas whose root pages cannot be
            lines = [f"the check itself failed ({_named(error)})"]
        finally:
            self._pragma = ""
        return () if lines == ["ok"] else tuple(lines[:10])

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self._wrong_text += 1
            return raw.decode("utf-8", "backslashreplace")

    def _step(self) -> int:
        self._steps += _STEPS_AT_ONCE
        return int(self._steps > MAX_STEPS)

    def _authorize(self, action: int, first: str | None, _second: str | None, _database: str | None, source: str | None) -> int:
        """Allow plain reads of the table in question and the pragma that we are just using; no view or trigger may cause either."""
        if source is not None:
            return sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ and first in self._may_read:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and first is not None and first == self._pragma:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY


def _name(raw: object) -> str | None:
    """Return a name of the schema; ``None`` when it is not text, since no query can then ask for it."""
    try:
        return raw.decode("utf-8") if isinstance(raw, bytes) else None
    except UnicodeDecodeError:
        return None


def _unnumbered(values: Sequence[Value], column: int) -> tuple[Value, ...]:
    """Return a row without its number, which a deleted one may have lost."""
    return (*values[:column], None, *values[column + 1 :]) if column >= 0 else tuple(values)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _named(error: Exception) -> str:
    """Return SQLite's name of an error: its message may quote the evidence."""
    return getattr(error, "sqlite_errorname", "SQLITE_ERROR")


def _digest(row: tuple[int | None, tuple[Value, ...]]) -> bytes:
    """Return a digest of a row's values and their types; long values go in by a digest of their own."""
    short = [_short(value) if isinstance(value, bytes | str) and len(value) > _LONG else value for value in row[1]]
    return hashlib.blake2b(repr((row[0], short)).encode(), digest_size=12).digest()


def _short(value: bytes | str) -> tuple[str, bytes]:
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    return type(value).__name__, hashlib.blake2b(raw).digest()
