"""Files inside files, as the case keeps them: which plugin found each, inside of what, and whether it is its turn to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.case.items import COLUMNS, unpack_row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from triage.model import Entry

WAITING = "its turn has not come"
"""Why a child is not read as long as that is not decided."""


class InsideRows:
    """Reads and writes the table ``inside``; whoever calls holds the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def insert(self, numbers: Sequence[int], found: Sequence[tuple[str, str, int]]) -> None:
        """Store of new entries by which plugin they were found, inside of what and how deep."""
        self._db.executemany(
            "INSERT OR IGNORE INTO inside (entry, plugin, root, level) VALUES (?, ?, ?, ?)",
            [(n, *rest) for n, rest in zip(numbers, found, strict=True)],
        )

    def waiting(self) -> int | None:
        """Return the least level at which a child waits, ``None`` when none does."""
        row = self._db.execute("SELECT min(level) FROM entry JOIN inside ON entry = n WHERE skip = ?", (WAITING,)).fetchone()
        return row[0] if row[0] is not None else None

    def generation(self, level: int) -> list[tuple[int, Entry, str]]:
        """Return all children of a level with their row numbers and what they are inside of, in the order of their paths."""
        rows = self._db.execute(
            f"SELECT i.root, e.n, {', '.join(f'e.{c}' for c in COLUMNS)} FROM inside i JOIN entry e ON e.n = i.entry "
            "WHERE i.level = ? ORDER BY e.evidence, e.volume, e.path, e.id",
            (level,),
        )
        return [(row["n"], unpack_row(row), row["root"]) for row in rows]

    def decide(self, rows: Sequence[tuple[str | None, int, int, int]]) -> None:
        """Store ``(why it is not read, tier, children it may have, row number)``."""
        self._db.executemany("UPDATE entry SET skip = ?, tier = ? WHERE n = ?", [(skip, tier, n) for skip, tier, _, n in rows])
        self._db.executemany("UPDATE inside SET room = ? WHERE entry = ?", [(room, n) for _, _, room, n in rows])

    def wait_again(self) -> None:
        """Let all children wait to be decided anew: the profile has changed."""
        self._db.execute("UPDATE entry SET skip = ? WHERE n IN (SELECT entry FROM inside)", (WAITING,))

    def forget_of_other_plugins(self, plugins: Sequence[str]) -> None:
        """Forget the children that plugins found which are not used any more, with all that is inside of those."""
        marks = ", ".join("?" * len(plugins))
        self._db.execute(
            "CREATE TEMP TABLE gone AS WITH RECURSIVE g (n, id) AS ("
            f"SELECT e.n, e.id FROM inside i JOIN entry e ON e.n = i.entry WHERE i.plugin NOT IN ({marks}) "
            "UNION SELECT e.n, e.id FROM g JOIN entry e ON e.parent = g.id JOIN inside i ON i.entry = e.n) SELECT n, id FROM g",
            tuple(plugins),
        )
        if self._db.execute("SELECT count(*) FROM gone").fetchone()[0]:
            for table in ("finding", "problem"):
                self._db.execute(f"DELETE FROM {table} WHERE entry IN (SELECT id FROM gone)")
            for table in ("content", "comparable", "frame", "likeness", "match"):
                key = "key" if table == "content" else "content"
                self._db.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT content FROM entry WHERE n IN (SELECT n FROM gone))")
            self._db.execute("DELETE FROM inside WHERE entry IN (SELECT n FROM gone)")
            self._db.execute("DELETE FROM entry WHERE n IN (SELECT n FROM gone)")
        self._db.execute("DROP TABLE gone")
