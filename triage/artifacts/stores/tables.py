"""Tables of a database as the stores of programs read them, and what they say of a row."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts.times import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.sqlite import Database, Row
    from triage.model import Json

_LONGEST = 16 << 10


class Trace(NamedTuple):
    """What a row says: kind and title of a finding, its data, and whether the row is in force (not superseded by the log)."""

    kind: str
    title: str
    data: Json
    live: bool = True
    source: str = "main"


class Store(NamedTuple):
    """A program's database. ``needs``: columns by table without which it is another one; ``read`` yields what it says."""

    name: str
    program: str
    needs: dict[str, tuple[str, ...]]
    read: Callable[[Tables], Iterator[Trace]]


class Tables:
    """A database's tables, names in any case. What a column holds may be anything, whatever its name."""

    def __init__(self, database: Database, *, deleted: bool = False) -> None:
        """``deleted``: give rows that were deleted as well, behind the others."""
        self._database = database
        self._deleted: dict[str, list[Row]] = {}
        if deleted:
            for table, row in database.deleted():
                self._deleted.setdefault(table, []).append(row)
        self._tables = {name.lower(): (name, columns) for name, columns in database.tables().items()}

    def has(self, table: str, columns: tuple[str, ...] = ()) -> bool:
        """Whether there is such a table with such columns."""
        found = self._tables.get(table.lower())
        return found is not None and {c.lower() for c in columns} <= {c.lower() for c in found[1]}

    def rows(self, table: str) -> Iterator[Values]:
        """Yield a table's rows, none for a table that there is not."""
        found = self._tables.get(table.lower())
        if found is None:
            return
        name, columns = found
        lowered = [c.lower() for c in columns]
        for row in itertools.chain(self._database.rows(name), self._deleted.get(name, ())):
            yield Values(dict(zip(lowered, row.values, strict=True)), row.rowid, live=row.live, source=row.source)

    def by(self, table: str, key: str) -> dict[Any, Values]:
        """Return a table's rows by the value of a column; of several with one the last that is in force, else the last."""
        found: dict[Any, Values] = {}
        for row in self.rows(table):
            value = row.rowid if key == "rowid" and row[key] is None else row[key]
            if value is not None and (row.live or value not in found or not found[value].live):
                found[value] = row
        return found


class Values:
    """A row. Columns that the table does not have are ``None``."""

    __slots__ = ("_values", "live", "rowid", "source")

    def __init__(self, values: dict[str, Any], rowid: int | None, *, live: bool, source: str) -> None:
        self._values = values
        self.rowid = rowid
        self.live = live
        self.source = source

    def __getitem__(self, column: str) -> Any:
        """Return a column's value as it stands."""
        return self._values.get(column.lower())

    def text(self, *columns: str) -> str:
        """Return the first of some columns that has text (or a number), "" if none does."""
        for column in columns:
            value = self[column]
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            if value is not None and value != "":
                return str(value)[:_LONGEST]
        return ""

    def number(self, column: str) -> int | None:
        """Return a whole number, ``None`` for anything else."""
        value = self[column]
        return value if isinstance(value, int) else int(value) if isinstance(value, float) and abs(value) < 1e18 else None

    def trace(self, kind: str, title: str, time: int | None = None, /, **data: Any) -> Trace:
        """Return what the row says; empty values are left out, times (``…_time``, in nanoseconds) are made text."""
        said: Json = {"time": iso(time)} | {
            name: iso(value) if name.endswith("_time") and isinstance(value, int) else value for name, value in data.items()
        }
        kept = {name: value for name, value in said.items() if value not in (None, "", [], {})}
        return Trace(kind, title, kept, self.live, self.source)
