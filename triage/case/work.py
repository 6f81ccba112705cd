"""Which content work is left in a case, and what workers need to do it: reads only."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from triage.case.items import COLUMNS, Neighbour, WorkItem, first_byte, locator_of, unpack_row
from triage.model import MAX_CHILDREN, Run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from triage.model import Entry


class Left(NamedTuple):
    """Content work that has not ended. ``offset``: its first byte on the medium; ``row``: its entry's."""

    tier: int
    offset: int
    row: int
    size: int
    evidence: str
    volume: int | None
    key: str
    path: str


class Seen(NamedTuple):
    """An entry's place, state and time."""

    id: str
    evidence: str
    volume: int | None
    path: str
    state: str
    mtime: int | None


class Original(NamedTuple):
    """What a thumbnail says of the picture it was made of, and where the thumbnail is."""

    entry: str
    evidence: str
    volume: int | None
    path: str
    original: str
    named_by: str = ""
    """The path of the search index that names it, when the thumbnail itself does not."""


class WorkRows:
    """Asks the tables ``entry``, ``content`` and ``inside``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def pending(self, plugins: Sequence[str]) -> Iterator[Left]:
        """Yield content work that has not ended with these plugins, one a content key."""
        rows = self._db.execute(
            f"SELECT min(n) AS n, tier, runs, size, evidence, volume, content, path FROM entry e WHERE content IS NOT NULL "
            f"AND skip IS NULL AND NOT EXISTS (SELECT 1 FROM content c WHERE c.key = e.content AND c.plugin_set IN "
            f"({self._sets_with(plugins)})) GROUP BY content"
        ).fetchall()
        for row in rows:
            first = first_byte(json.loads(row["runs"]))
            yield Left(row["tier"], first, row["n"], row["size"], row["evidence"], row["volume"], row["content"], row["path"])

    def ended_keys(self, plugins: Sequence[str]) -> set[str]:
        """Return the keys of content work that has ended with these plugins."""
        return {r[0] for r in self._db.execute(f"SELECT key FROM content WHERE plugin_set IN ({self._sets_with(plugins)})")}

    def _sets_with(self, plugins: Sequence[str]) -> str:
        """Return the numbers of the plugin sets that hold all of these, as SQL."""
        wanted = set(plugins)
        sets = self._db.execute("SELECT n, keys FROM plugin_set").fetchall()
        return ", ".join(str(int(n)) for n, keys in sets if wanted <= set(json.loads(keys)))

    def entries_at(self, numbers: Sequence[int]) -> list[Entry]:
        """Return the entries in these rows, in the order asked for."""
        marks = ", ".join("?" * len(numbers))
        rows = {r[0]: r for r in self._db.execute(f"SELECT n, {', '.join(COLUMNS)} FROM entry WHERE n IN ({marks})", tuple(numbers))}
        return [unpack_row(rows[n]) for n in numbers]

    def items_at(self, numbers: Sequence[int]) -> list[WorkItem]:
        """Return what workers need of the entries in these rows, in the order asked for."""
        marks = ", ".join("?" * len(numbers))
        rows = {
            r[0]: r
            for r in self._db.execute(
                f"SELECT n, content, root, level, room, {', '.join(COLUMNS)} FROM entry LEFT JOIN inside ON entry = n WHERE n IN ({marks})",
                tuple(numbers),
            )
        }
        return [
            WorkItem(
                id=row["id"],
                key=row["content"],
                path=row["path"],
                evidence=row["evidence"],
                volume=row["volume"],
                recoverability=row["recoverability"],
                columns=list(row)[5:],
                root=row["root"] or row["id"],
                level=row["level"] or 0,
                room=MAX_CHILDREN if row["room"] is None else row["room"],
            )
            for row in (rows[n] for n in numbers)
        ]

    def rows_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Return the row numbers of entries by their ids."""
        marks = ", ".join("?" * len(ids))
        return dict(self._db.execute(f"SELECT id, n FROM entry WHERE id IN ({marks})", tuple(ids)).fetchall())

    def places(self) -> Iterator[Seen]:
        """Yield every file's place, those of each volume in the order of their paths."""
        rows = self._db.execute(
            "SELECT id, evidence, volume, path, state, mtime FROM entry WHERE kind NOT IN ('directory', 'link') "
            "ORDER BY evidence, volume, path, id"
        )
        return (Seen(*row) for row in rows)

    def originals(self) -> Iterator[Original]:
        """Yield what thumbnails, and lists that name some that are gone, say of their pictures, in the order of their paths.

        A thumbnail that Windows keeps under a number has the name that a search index of the same evidence gives that number.
        """
        names = self._names_of_thumbnails()
        rows = self._db.execute(
            "SELECT f.entry, e.evidence, e.volume, e.path, coalesce(json_extract(f.data, '$.original'), '') AS original, "
            "json_extract(f.data, '$.cache_id') AS number FROM finding f JOIN entry e ON e.id = f.entry "
            "WHERE f.kind IN ('thumbnail', 'thumbnail-missing') AND (original != '' OR number IS NOT NULL) "
            "ORDER BY e.evidence, e.volume, e.path, f.id"
        )
        for entry, evidence, volume, path, original, number in rows:
            name, named_by = (original, "") if original else names.get((evidence, number), ("", ""))
            if name:
                yield Original(entry, evidence, volume, path, name, named_by)

    def _names_of_thumbnails(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return by evidence and number the name that the first search index gives it, and that index's path."""
        rows = self._db.execute(
            "SELECT e.evidence, json_extract(f.data, '$.cache_id'), coalesce(nullif(json_extract(f.data, '$.path'), ''), "
            "nullif(json_extract(f.data, '$.item'), ''), json_extract(f.data, '$.name')), e.path FROM finding f "
            "JOIN entry e ON e.id = f.entry WHERE f.kind = 'thumbnail-name' ORDER BY e.volume, e.path, f.id"
        )
        names: dict[tuple[str, str], tuple[str, str]] = {}
        for evidence, number, name, path in rows:
            if name:
                names.setdefault((evidence, number), (name, path))
        return names

    def beside(self, evidence: str, volume: int | None, folder: str) -> list[Neighbour]:
        """Return the files with bytes of their own in a folder and below it; of two with one name the one that is allocated."""
        rows = self._db.execute(
            "SELECT path, size, locator, runs FROM entry WHERE path > ? AND path < ? AND evidence = ? AND volume IS ? "
            "AND kind IN ('file', 'derived') AND locator IS NOT NULL AND recoverability != 'overwritten' ORDER BY path, state, id",
            (f"{folder}/", f"{folder}0", evidence, volume),
        )
        found: dict[str, Neighbour] = {}
        for row in rows:
            name = row["path"][len(folder) + 1 :]
            runs = tuple(Run(image_offset=at, length=n) for at, n in json.loads(row["runs"]))
            found.setdefault(name, Neighbour(name, row["size"], locator_of(evidence, row["locator"]), runs))
        return list(found.values())
