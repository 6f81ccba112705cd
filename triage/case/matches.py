"""What a case keeps of lists and likeness: matches, the hashes that pictures and videos are compared by, groups that look alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from triage.case.items import compact
from triage.content.comparable import Comparable, Frame
from triage.model import Content, Finding, Match, MatchTier, Meaning

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from triage.model import Json

_PAGE = 1000
"""Contents that are held against changed lists at once: what bounds the memory."""


class Looked(NamedTuple):
    """What came of the work on one content, as the case stores it."""

    content: Content
    category: str
    known: str | None
    alike: str | None
    matches: Sequence[Match]
    comparable: Comparable | None = None


class Matches(Protocol):
    """What holds contents against lists."""

    def match(self, contents: Sequence[Content], comparables: Sequence[Comparable | None]) -> Sequence[tuple[Match, ...]]:
        """Return each content's matches."""


class MatchRows:
    """The tables ``match``, ``comparable``, ``frame`` and ``likeness`` of a case that is open for a run. The caller has the transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def insert(self, rows: Iterable[Looked]) -> None:
        """Store what contents match and are compared by."""
        for row in rows:
            key = row.content.key
            if row.matches:
                self.insert_matches(key, row.matches)
            one = row.comparable
            if one is None:
                continue
            values = (key, one.pdq or None, one.phash or None, one.quality, len(one.frames), one.reason, one.photodna or None)
            self._db.execute("INSERT OR REPLACE INTO comparable VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            self._db.execute("DELETE FROM frame WHERE content = ?", (key,))
            self._db.executemany(
                "INSERT INTO frame VALUES (?, ?, ?, ?, ?)", [(key, n, f.time_ms, f.pdq, f.quality) for n, f in enumerate(one.frames)]
            )

    def insert_matches(self, key: str, matches: Sequence[Match]) -> None:
        """Store a content's matches."""
        self._db.executemany(
            "INSERT OR REPLACE INTO match VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(key, m.set, m.meaning.value, m.category, m.how, m.distance, m.tier.value, m.label, compact(m.detail)) for m in matches],
        )

    def contents(self) -> Iterator[tuple[list[Content], list[Comparable | None]]]:
        """Yield all contents by pages, as far as lists are asked about them, with what they are compared by."""
        last = ""
        while True:
            rows = self._db.execute(
                "SELECT c.key, c.size, c.md5, c.sha1, c.sha256, c.md5_512, c.md5_64k, c.spared, "
                "m.pdq, m.phash, m.quality, m.frames, m.reason, m.photodna "
                "FROM content c LEFT JOIN comparable m ON m.content = c.key WHERE c.key > ? ORDER BY c.key LIMIT ?",
                (last, _PAGE),
            ).fetchall()
            if not rows:
                return
            yield [_content(r) for r in rows], [self._comparable(r) for r in rows]
            last = rows[-1]["key"]

    def _comparable(self, row: sqlite3.Row) -> Comparable | None:
        if row["quality"] is None:
            return None
        frames: tuple[Frame, ...] = ()
        if row["frames"]:
            found = self._db.execute("SELECT time_ms, pdq, quality FROM frame WHERE content = ? ORDER BY n", (row["key"],))
            frames = tuple(Frame(*f) for f in found)
        return Comparable(row["pdq"] or b"", row["phash"] or b"", row["quality"], frames, row["reason"], row["photodna"] or b"")

    def by_content(self) -> dict[str, tuple[Match, ...]]:
        """Return all matches, keyed by content."""
        found: dict[str, list[Match]] = {}
        for row in self._db.execute("SELECT * FROM match ORDER BY content, hashset, how"):
            found.setdefault(row["content"], []).append(match_of(row))
        return {key: tuple(rows) for key, rows in found.items()}

    def naming(self) -> list[tuple[Finding, str]]:
        """Return the findings that name files by their digests, or addresses, with their entries' paths."""
        rows = self._db.execute(
            "SELECT f.entry, f.plugin, f.kind, f.title, f.data, coalesce(e.path, '') AS path "
            "FROM finding f LEFT JOIN entry e ON e.id = f.entry "
            "WHERE f.plugin != 'hashsets' AND (json_type(f.data, '$.digests') = 'array' OR f.data LIKE '%://%') ORDER BY f.id"
        )
        names = ("entry", "plugin", "kind", "title")
        return [(Finding(**{name: r[name] for name in names}, data=json.loads(r["data"])), r["path"]) for r in rows]

    def forget_orphans(self) -> None:
        """Forget what is kept of contents that no entry has any more."""
        for table in ("match", "comparable", "frame", "likeness"):
            self._db.execute(f"DELETE FROM {table} WHERE content NOT IN (SELECT content FROM entry WHERE content IS NOT NULL)")

    # ---- groups --------------------------------------------------------------------------------------------------------------

    def hashes(self, least_quality: int) -> tuple[list[str], NDArray[np.uint8]]:
        """Return the content keys of pictures that can be grouped, and their hashes as (pictures, 8 orientations, 32 bytes).

        Of equal files one is enough.
        """
        rows = self._db.execute(
            "SELECT min(m.content) AS content, m.pdq FROM comparable m JOIN content c ON c.key = m.content "
            "WHERE m.pdq IS NOT NULL AND m.quality >= ? GROUP BY c.sha256 ORDER BY 1",
            (least_quality,),
        ).fetchall()
        joined = np.frombuffer(b"".join(r["pdq"] for r in rows), np.uint8)
        return [r["content"] for r in rows], joined.reshape(len(rows), 8, 32) if rows else np.zeros((0, 8, 32), np.uint8)

    def set_groups(self, groups: Iterable[Sequence[str]]) -> None:
        """Store groups of contents that look alike, each under the name of its first one; equal files go with theirs."""
        self._db.execute("DELETE FROM likeness")
        for group in groups:
            for key in group:
                self._db.execute(
                    "INSERT OR IGNORE INTO likeness SELECT same.key, ? FROM content c JOIN content same ON same.sha256 = c.sha256 "
                    "WHERE c.key = ?",
                    (group[0][:12], key),
                )

    def groups(self) -> dict[str, str]:
        """Return the group of each content that has one."""
        return dict(self._db.execute("SELECT content, grp FROM likeness").fetchall())


def match_of(row: Any) -> Match:
    """Return a row of the table ``match`` as a match."""
    return Match(
        set=row["hashset"],
        meaning=Meaning(row["meaning"]),
        category=row["category"],
        how=row["how"],
        distance=row["distance"],
        tier=MatchTier(row["tier"]),
        label=row["label"],
        detail=json.loads(row["detail"]),
    )


def comparison_counts(connection: sqlite3.Connection) -> Json:
    """Return how many pictures and videos can be compared by likeness, why others cannot, and how many contents were spared."""
    one = connection.execute(
        "SELECT count(m.pdq), count(CASE WHEN m.pdq IS NOT NULL AND m.quality < 50 THEN 1 END), count(CASE WHEN m.frames > 0 THEN 1 END), "
        "coalesce(sum(m.frames), 0) FROM comparable m"
    ).fetchone()
    reasons = connection.execute(
        "SELECT c.category, m.reason, count(*) FROM comparable m JOIN content c ON c.key = m.content WHERE m.pdq IS NULL AND m.frames = 0 "
        "GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    ).fetchall()
    cut = connection.execute("SELECT count(*) FROM comparable WHERE frames > 0 AND reason != ''").fetchone()[0]
    spared = connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM content WHERE spared = 1").fetchone()
    groups = connection.execute("SELECT count(DISTINCT grp), count(*) FROM likeness").fetchone()
    return {
        "pictures": one[0],
        "low_quality": one[1],
        "videos": one[2],
        "frames": one[3],
        "videos_cut": cut,
        "without": [{"category": r[0], "reason": r[1], "count": r[2]} for r in reasons],
        "spared": spared[0],
        "spared_bytes": spared[1],
        "groups": groups[0],
        "grouped": groups[1],
    }


def _content(row: sqlite3.Row) -> Content:
    md5, sha1, sha256, md5_512, md5_64k = (_hex(row[name]) for name in ("md5", "sha1", "sha256", "md5_512", "md5_64k"))
    return Content(
        key=row["key"],
        size=row["size"],
        md5=md5,
        sha1=sha1,
        sha256=sha256,
        md5_512=md5_512,
        md5_64k=md5_64k,
        spared=bool(row["spared"]),
    )


def _hex(raw: bytes | None) -> str | None:
    return raw.hex() if raw is not None else None
