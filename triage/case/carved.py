"""What carving needs of a case, and what the case says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.case.matches import MatchRows
from triage.model import Volume

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from triage.model import Json


class Place(NamedTuple):
    """Where a listed name's bytes lie: ``[offset on the medium, length]`` each, of which the first ``size`` bytes are its content."""

    volume: int | None
    runs: list[list[int | None]]
    size: int
    kind: str


class CarveRows:
    """Questions about a case that is open for a run."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def volumes(self, evidence: str) -> list[Volume]:
        """Return a medium's volumes and gaps, in order."""
        rows = self._db.execute("SELECT record FROM volume WHERE evidence = ? ORDER BY offset, number", (evidence,))
        return [Volume.from_json(json.loads(r[0])) for r in rows]

    def living(self, evidence: str) -> Iterator[Place]:
        """Yield where every name that exists has its bytes, in the order of the walk."""
        rows = self._db.execute(
            "SELECT volume, runs, size, kind FROM entry WHERE evidence = ? AND state = 'allocated' AND runs != '[]' ORDER BY n", (evidence,)
        )
        for volume, runs, size, kind in rows:
            yield Place(volume, json.loads(runs), size, kind)

    def gone(self, evidence: str) -> Iterator[Place]:
        """Yield where every deleted or orphaned file that has a name or an address had its bytes, and what is inside of files has them."""
        rows = self._db.execute(
            "SELECT volume, runs, size, kind FROM entry WHERE evidence = ? AND "
            "((state IN ('deleted', 'orphan') AND kind = 'file') OR state IN ('cached', 'derived')) "
            "AND runs != '[]' AND locator IS NOT NULL ORDER BY n",
            (evidence,),
        )
        for volume, runs, size, kind in rows:
            yield Place(volume, json.loads(runs), size, kind)

    def containers(self, evidence: str, types: tuple[str, ...], names: tuple[str, ...]) -> Iterator[sqlite3.Row]:
        """Yield ``id, path, name, volume, runs, size, type, locator`` of files that others can lie in, by type or name (as LIKE has it)."""
        marks, words = ", ".join("?" * len(types)), " OR ".join(["lower(e.name) LIKE ?"] * len(names))
        return iter(
            self._db.execute(
                f"SELECT e.id, e.path, e.name, e.volume, e.runs, e.size, coalesce(c.type, '') AS type, e.locator FROM entry e "
                f"LEFT JOIN content c ON c.key = e.content WHERE e.evidence = ? AND e.state = 'allocated' AND e.kind = 'file' "
                f"AND e.runs != '[]' AND (c.type IN ({marks}) OR {words}) GROUP BY e.content ORDER BY min(e.n)",
                (evidence, *types, *names),
            ).fetchall()
        )

    def known_blocks(self) -> Iterator[sqlite3.Row]:
        """Yield the blocks of known files that were found, those of one file together, in the order of their places in it."""
        return iter(
            self._db.execute(
                "SELECT b.* FROM known_block b JOIN evidence e ON e.id = b.evidence "
                "ORDER BY e.position, b.volume_offset, b.volume, b.hashset, b.record, b.position, b.runs"
            )
        )

    def whole(self, hashset: str) -> list[tuple[str, list[list[int]]]]:
        """Return medium and runs of files that no living name leads to and that are on a list as they are."""
        rows = self._db.execute(
            "SELECT e.evidence, e.runs FROM entry e JOIN match m ON m.content = e.content WHERE e.state != 'allocated' "
            "AND m.tier = 'exact' AND m.hashset = ? AND e.runs != '[]' ORDER BY e.id",
            (hashset,),
        )
        return [(evidence, json.loads(runs)) for evidence, runs in rows]

    def progress(self) -> dict[tuple[Any, ...], Json]:
        """Return how far each area is carved, by the other columns of the table."""
        rows = self._db.execute("SELECT evidence, offset, volume, kind, source, progress FROM carving")
        return {tuple(row)[:-1]: json.loads(row[-1]) for row in rows}

    def forget(self) -> None:
        """Forget all that was carved: other formats are asked for than those that were looked for before."""
        made = "SELECT id FROM entry WHERE kind = 'carved' OR parent IN (SELECT id FROM entry WHERE kind = 'carved')"
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(f"DELETE FROM finding WHERE entry IN ({made})")
        self._db.execute(f"DELETE FROM problem WHERE stage = 'carving' OR entry IN ({made})")
        self._db.execute(f"DELETE FROM entry WHERE id IN ({made})")
        MatchRows(self._db).forget_orphans()
        self._db.execute("DELETE FROM content WHERE key NOT IN (SELECT content FROM entry WHERE content IS NOT NULL)")
        self._db.execute("DELETE FROM carving")
        self._db.execute("DELETE FROM known_block")
        self._db.execute("COMMIT")


def carving_rows(connection: sqlite3.Connection) -> list[Json]:
    """Return one row an area, for the coverage statement."""
    rows = connection.execute(
        "SELECT c.evidence, c.offset, c.volume, c.kind, c.source, c.progress FROM carving c JOIN evidence e ON e.id = c.evidence "
        "ORDER BY e.position, c.offset, c.kind, c.source"
    )
    names = ("evidence", "offset", "volume", "kind", "source")
    return [{**dict(zip(names, row[:-1], strict=True)), **json.loads(row[-1])} for row in map(tuple, rows)]
