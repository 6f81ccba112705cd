"""The one writer of a case. Everything that belongs together lands in one transaction, so that a killed run can be resumed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from triage.case import database, schema
from triage.case.audit import AuditLog
from triage.case.carved import CarveRows
from triage.case.database import NAME, append, open_private, writing
from triage.case.inside import InsideRows
from triage.case.items import COLUMNS, compact, finding_row, row_values, unpack_row
from triage.case.ledger import medium_ledger
from triage.case.matches import MatchRows
from triage.case.work import WorkRows
from triage.errors import CaseError, OutputError
from triage.model import Encryption, Entry, Evidence, Meaning, Outcome, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from triage.case.matches import Looked, Matches
    from triage.model import Finding, Json, Match, Problem


_HINT = "make room, then run the same command again: it resumes"
_INSERT_ENTRY = (
    f"INSERT OR IGNORE INTO entry ({', '.join(COLUMNS)}, state, content, skip, tier) VALUES ({', '.join('?' * (len(COLUMNS) + 4))})"
)


def row_id(record: Any) -> str:
    """Return the digest that names a finding or problem: the same row is the same id on every run."""
    return hashlib.blake2b(compact(record).encode(), digest_size=12).hexdigest()


class CaseWriter:
    """A case open for a run: locked, its audit log at hand."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, audit: AuditLog, *, resumed: bool, fresh: bool) -> None:
        self.folder = folder
        self._fresh = fresh
        self.audit = audit
        self.resumed = resumed
        self._db = connection
        self._plugin_sets: dict[str, int] = {}
        self.carving = CarveRows(connection)
        self.matches = MatchRows(connection)
        self.inside = InsideRows(connection)
        self.work = WorkRows(connection)
        try:
            self._findings = open_private(folder / "findings.jsonl")
        except OSError as error:
            raise OutputError(f"{folder} cannot be written: {error.strerror or error}", hint=_HINT) from error

    @classmethod
    def create(cls, folder: Path) -> CaseWriter:
        """Open the case in a folder, making both when they are not there.

        Raises ``OutputError`` when the folder cannot be written or holds something else, ``CaseError`` when it is locked,
        damaged or of another version.
        """
        try:
            if not folder.is_dir() or not (folder / NAME).exists():
                if folder.is_dir() and any(p.name != "audit.jsonl" and not p.name.startswith(NAME) for p in folder.iterdir()):
                    raise OutputError(f"{folder} is not empty and holds no case", hint="name a new or empty folder")
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be written: {error.strerror or error}", hint="choose a folder that you may write to"
            ) from error
        fresh = not (folder / NAME).exists()
        audit = AuditLog(folder / "audit.jsonl")
        try:
            if fresh:
                cls._new(folder)
            connection = database.connect(folder, read_only=False)
            with writing(folder):
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute("PRAGMA wal_autocheckpoint = 8192")
                # The default of 2 MB makes SQLite read its own pages again and again: a second for 20,000 entries.
                connection.execute("PRAGMA cache_size = -65536")
                resumed = connection.execute("SELECT 1 FROM evidence LIMIT 1").fetchone() is not None
            return cls(folder, connection, audit, resumed=resumed, fresh=fresh)
        except BaseException:
            audit.close()
            raise

    @staticmethod
    def _new(folder: Path) -> None:
        """Make an empty database under another name and put it in place whole."""
        making = folder / f"{NAME}.new"
        with writing(folder):
            making.unlink(missing_ok=True)
            connection = sqlite3.connect(making)
            connection.executescript(schema.SCHEMA)
            connection.execute("INSERT INTO meta VALUES ('schema', ?)", (str(schema.VERSION),))
            connection.commit()
            connection.close()
        making.chmod(0o600)
        making.replace(folder / NAME)

    # ---- facts -----------------------------------------------------------------------------------------------------------

    def set_fact(self, key: str, value: Any) -> None:
        """Store a fact about the case (JSON)."""
        with writing(self.folder, self._db):
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, compact(value)))

    def fact(self, key: str) -> Any:
        """Return a fact, ``None`` when it was never stored."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return json.loads(row[0]) if row else None

    def note_time(self, event: str) -> None:
        """Remember when something was done, apart from all results."""
        with writing(self.folder, self._db):
            self._db.execute(
                "INSERT INTO run_time (event, at) VALUES (?, ?)", (event, datetime.now(UTC).isoformat(timespec="milliseconds"))
            )

    # ---- evidence and volumes ----------------------------------------------------------------------------------------------

    def known_evidence(self) -> list[Evidence]:
        """Return the records of a case that is resumed, in their order."""
        rows = self._db.execute("SELECT record FROM evidence ORDER BY position")
        return [Evidence.from_json(json.loads(r[0])) for r in rows]

    def add_evidence(
        self, found: Sequence[tuple[Evidence, Sequence[Volume], Sequence[bool], Sequence[Problem]]], excused: Collection[str] = ()
    ) -> None:
        """Store the evidence of a new case in one transaction, or hold it against that of a resumed one.

        Each comes with its volumes, whether each of those is to be listed, and its problems. Raises ``CaseError`` for other evidence
        than the case was made of; ``excused`` are ids that may be new or missing, since not every run could open them.
        """
        old = {e.id for e in self.known_evidence()}
        new = {e.id for e, _, _, _ in found}
        if old and (old ^ new) - set(excused):
            raise CaseError(f"the case {self.folder} belongs to other evidence", hint="use a new case folder for this evidence")
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM problem WHERE stage = 'engine' AND entry IS NULL")  # an earlier run's end is no fact any more
            for position, (evidence, volumes, listed, problems) in enumerate(found):
                self._db.execute(
                    "INSERT INTO evidence (id, position, record, verification) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET record = excluded.record, position = excluded.position",
                    (evidence.id, position, compact(evidence.to_json()), "not verified" if evidence.stored_digests else "no stored hash"),
                )
                self._add_volumes(volumes, listed)
                self._insert_problems(problems)
            self._db.execute("COMMIT")

    def _add_volumes(self, volumes: Sequence[Volume], listed: Sequence[bool]) -> None:
        """Store volumes. A resumed case has them already, but for what this run has unlocked: that it was locked is true no more."""
        for volume, listable in zip(volumes, listed, strict=True):
            key = (volume.evidence, volume.offset, volume.number)
            row = self._db.execute("SELECT record FROM volume WHERE evidence = ? AND offset = ? AND number IS ?", key).fetchone()
            if row is None:
                values = (*key, compact(volume.to_json()), "pending" if listable else "none")
                self._db.execute("INSERT INTO volume (evidence, offset, number, record, walk) VALUES (?, ?, ?, ?, ?)", values)
            elif _was_locked(Volume.from_json(json.loads(row[0])), volume):
                record = compact(volume.to_json())
                self._db.execute("UPDATE volume SET record = ? WHERE evidence = ? AND offset = ? AND number IS ?", (record, *key))
                if listable:
                    self._db.execute(
                        "UPDATE volume SET walk = 'pending' WHERE evidence = ? AND offset = ? AND number IS ? AND walk = 'none'", key
                    )
                self._db.execute(
                    "DELETE FROM problem WHERE evidence = ? AND volume IS ? AND stage = 'volumes' AND entry IS NULL",
                    (volume.evidence, volume.number),
                )

    def volumes_to_walk(self) -> list[Volume]:
        """Return the volumes that are not listed yet, in order."""
        rows = self._db.execute(
            "SELECT v.record FROM volume v JOIN evidence e ON e.id = v.evidence WHERE walk = 'pending' ORDER BY e.position, v.offset"
        )
        return [Volume.from_json(json.loads(r[0])) for r in rows]

    def set_evidence_state(self, evidence: str, *, fingerprint: str | None = None, verification: str | None = None) -> None:
        """Store what was found about the evidence's integrity."""
        with writing(self.folder, self._db):
            if fingerprint is not None:
                self._db.execute("UPDATE evidence SET fingerprint_state = ? WHERE id = ?", (fingerprint, evidence))
            if verification is not None:
                self._db.execute("UPDATE evidence SET verification = ? WHERE id = ?", (verification, evidence))

    # ---- what a walk brings ------------------------------------------------------------------------------------------------

    def add_entries(self, rows: Sequence[tuple[list[Any], str, str | None, str | None, int]], problems: Sequence[Problem]) -> list[int]:
        """Store a pack of a walk's entries: ``(packed entry, state, content key, skip reason, tier)``; return their row numbers.

        A volume that is walked again brings the same rows again; they are ignored, and keep their numbers.
        """
        values = [row_values(packed, *rest) for packed, *rest in rows]
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            numbers = self._insert_entries(values)
            if problems:
                self._insert_problems(problems)
            self._db.execute("COMMIT")
        return numbers

    def _insert_entries(self, values: Sequence[Sequence[Any]]) -> list[int]:
        """Insert entries and return their row numbers; those that are there already keep theirs."""
        first = self._db.execute("SELECT coalesce(max(n), 0) + 1 FROM entry").fetchone()[0]
        added = self._db.executemany(_INSERT_ENTRY, values).rowcount
        if added == len(values):
            return list(range(first, first + added))
        numbers = self.work.rows_of([v[0] for v in values])
        return [numbers[v[0]] for v in values]

    def add_carved(
        self,
        area: Sequence[Any],
        progress: Json,
        rows: Sequence[tuple[list[Any], str, str | None, str | None, int]],
        findings: Sequence[tuple[Finding, str]],
        blocks: Sequence[tuple[Any, ...]] = (),
    ) -> list[int]:
        """Store what a unit of an area brought and how far the area is carved, in one transaction; return the rows' numbers.

        ``area``: the columns of the table ``carving`` before ``progress``; ``blocks``: rows of the table ``known_block``.
        """
        lines: list[str] = []
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            numbers = self._insert_entries([row_values(packed, *rest) for packed, *rest in rows]) if rows else []
            if findings:
                lines = self._insert_findings(findings)
            self._db.execute("INSERT OR REPLACE INTO carving VALUES (?, ?, ?, ?, ?, ?)", (*area, compact(progress)))
            self._db.executemany("INSERT OR IGNORE INTO known_block VALUES (?, ?, ?, ?, ?, ?, ?, ?)", blocks)
            self._db.execute("COMMIT")
        if lines:
            self._append(lines)
        return numbers

    def walked(self, volume: Volume, totals: Json) -> None:
        """Mark a volume as listed."""
        with writing(self.folder, self._db):
            self._db.execute(
                "UPDATE volume SET walk = 'done', totals = ? WHERE evidence = ? AND offset = ? AND number IS ?",
                (compact(totals), volume.evidence, volume.offset, volume.number),
            )

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Store problems; the same one twice is one."""
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._insert_problems(problems)
            self._db.execute("COMMIT")

    def _insert_problems(self, problems: Iterable[Problem]) -> None:
        rows = []
        for problem in problems:
            record = problem.to_json()
            rows.append(
                (
                    row_id(record),
                    record["severity"],
                    record["stage"],
                    record["evidence"],
                    record["volume"],
                    record["entry"],
                    record["path"],
                    record["plugin"],
                    record["message"],
                    record["detail"],
                )
            )
        self._db.executemany("INSERT OR IGNORE INTO problem VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    # ---- content work ------------------------------------------------------------------------------------------------------

    def retry(self, outcomes: Sequence[str]) -> None:
        """Forget content work that ended so: it is to be done again."""
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._forget(outcomes)
            self._db.execute("COMMIT")

    def _forget(self, outcomes: Sequence[str]) -> None:
        """Forget content work that ended so, and what was said about it."""
        marks = ", ".join("?" * len(outcomes))
        self._db.execute(
            f"DELETE FROM problem WHERE stage IN ('content', 'engine') AND entry IN (SELECT e.id FROM entry e JOIN content c "
            f"ON c.key = e.content WHERE c.outcome IN ({marks}))",
            tuple(outcomes),
        )
        self._db.execute(f"DELETE FROM content WHERE outcome IN ({marks})", tuple(outcomes))

    def reclassify(self, decide: Callable[[Entry], tuple[str | None, int]]) -> None:
        """Decide anew for every entry with content why it is not read, and its tier: the profile has changed.

        What was larger than the old profile's limit is looked at again.
        """
        rows = self._db.execute(
            f"SELECT n, {', '.join(COLUMNS)} FROM entry WHERE content IS NOT NULL AND n NOT IN (SELECT entry FROM inside) ORDER BY n"
        )
        changes = [(*decide(unpack_row(row)), row["n"]) for row in rows]
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("UPDATE entry SET skip = ?, tier = ? WHERE n = ?", changes)
            self.inside.wait_again()
            self._forget([Outcome.SKIPPED.value])
            self._db.execute("COMMIT")

    def rematch(
        self,
        matcher: Matches,
        judge: Callable[[Sequence[Match]], tuple[str | None, str | None, Sequence[Finding]]],
        named: Callable[[Sequence[Finding]], Sequence[Finding]],
    ) -> None:
        """Hold all content against the lists anew: other lists are used than before.

        ``judge`` says what a content's matches make of it (known, alike) and the findings, ``named`` what findings say of files that they
        name. What was spared because of a list that is not used any more is work again.
        """
        rows = self._db.execute("SELECT content, min(n) FROM entry WHERE content IS NOT NULL AND skip IS NULL GROUP BY content")
        first = dict(rows.fetchall())
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM match")
            self._db.execute("DELETE FROM finding WHERE plugin = 'hashsets'")
            self._db.execute("UPDATE content SET known = NULL, alike = NULL")
            for contents, comparables in self.matches.contents():
                for content, hits in zip(contents, matcher.match(contents, comparables), strict=True):
                    known, alike, findings = judge(hits)
                    if content.spared and known != Meaning.IGNORABLE.value:
                        self._db.execute("DELETE FROM content WHERE key = ?", (content.key,))
                    elif hits:
                        self._db.execute("UPDATE content SET known = ?, alike = ? WHERE key = ?", (known, alike, content.key))
                        self.matches.insert_matches(content.key, hits)
                        entry = self.work.entries_at([first[content.key]])[0]
                        if entry.recoverability.value != "overwritten":
                            self._insert_findings([(f.replace(entry=entry.id), entry.path) for f in findings])
            for finding, path in self.matches.naming():
                self._insert_findings([(f, path) for f in named([finding])])
            self._db.execute("COMMIT")

    def add_findings(self, findings: Sequence[tuple[Finding, str]]) -> None:
        """Store findings with their entries' paths; the same one twice is one."""
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            lines = self._insert_findings(findings)
            self._db.execute("COMMIT")
        self._append(lines)

    def replace_findings(self, plugin: str, findings: Sequence[tuple[Finding, str]]) -> None:
        """Store what is said of the case as a whole, instead of what an earlier run said."""
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM finding WHERE plugin = ?", (plugin,))
            lines = self._insert_findings(findings)
            self._db.execute("COMMIT")
        self._append(lines)

    def group(self, least_quality: int, grouped: Callable[[NDArray[np.uint8]], Iterable[Sequence[int]]]) -> None:
        """Put the case's pictures that look alike into groups; ``grouped`` returns the positions of those of two or more."""
        keys, hashes = self.matches.hashes(least_quality)
        groups = [[keys[i] for i in group] for group in grouped(hashes)] if keys else []
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self.matches.set_groups(groups)
            self._db.execute("COMMIT")

    def drop_findings_of_other_plugins(self, plugins: Sequence[str]) -> None:
        """Forget what plugins saw that are not used any more, or were in another version or with other options."""
        marks = ", ".join("?" * len(plugins))
        with writing(self.folder, self._db):
            ours = "'hashsets', 'carving', 'programs', 'originals'"
            self._db.execute(f"DELETE FROM finding WHERE plugin NOT IN ({ours}) AND plugin NOT IN ({marks})", tuple(plugins))
            self._db.execute(f"DELETE FROM problem WHERE stage = 'plugin' AND plugin NOT IN ({marks})", tuple(plugins))
            self.inside.forget_of_other_plugins(plugins)

    def skipped_for(self, reason: str) -> list[tuple[str, int | None, int, int]]:
        """Return evidence, volume, names and bytes of what is not read for this reason, a row a volume."""
        rows = self._db.execute(
            "SELECT evidence, volume, count(*), sum(size) FROM entry WHERE skip = ? GROUP BY evidence, volume ORDER BY evidence, volume",
            (reason,),
        )
        return [tuple(row) for row in rows]

    def tallies(self) -> tuple[int, int]:
        """Return how many contents are on notable lists, and how many problems there are."""
        return (
            self._db.execute("SELECT count(*) FROM content WHERE known = 'notable'").fetchone()[0],
            self._db.execute("SELECT count(*) FROM problem").fetchone()[0],
        )

    def add_results(
        self,
        rows: Sequence[Looked],
        findings: Sequence[tuple[Finding, str]],
        problems: Sequence[Problem],
        plugins: Sequence[str],
        inside: Sequence[tuple[tuple[list[Any], str, str | None, str | None, int], tuple[str, str, int]]] = (),
    ) -> None:
        """Store a batch's results in one transaction: what came of each content, and what was seen, with its path.

        ``inside``: rows of the files inside them, as of :meth:`add_entries`, each with its plugin, what it is inside of, and how deep.
        Findings are appended to ``findings.jsonl`` once they are safe.
        """
        plugin_set = self._plugin_set(plugins)
        lines: list[str] = []
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        c.key,
                        c.size,
                        _raw(c.md5),
                        _raw(c.sha1),
                        _raw(c.sha256),
                        c.mime,
                        c.type,
                        category,
                        c.entropy,
                        c.outcome.value,
                        c.reason,
                        known,
                        plugin_set,
                        _raw(c.md5_512),
                        _raw(c.md5_64k),
                        int(c.spared),
                        alike,
                    )
                    for c, category, known, alike, _, _ in rows
                ],
            )
            self.matches.insert(rows)
            if inside:
                numbers = self._insert_entries([row_values(packed, *rest) for (packed, *rest), _ in inside])
                self.inside.insert(numbers, [where for _, where in inside])
            if findings:
                lines = self._insert_findings(findings)
            if problems:
                self._insert_problems(problems)
            self._db.execute("COMMIT")
        if lines:
            self._append(lines)

    def _insert_findings(self, findings: Sequence[tuple[Finding, str]]) -> list[str]:
        """Insert findings; return them as the lines of ``findings.jsonl``."""
        rows, lines = [], []
        for finding, path in findings:
            identity = row_id([finding.entry, finding.plugin, finding.kind, finding.title, finding.data, finding.ranges])
            rows.append(
                (
                    identity,
                    finding.entry,
                    finding.plugin,
                    finding.kind,
                    finding.title,
                    compact(finding.data),
                    compact(finding.ranges) if finding.ranges else "[]",
                )
            )
            lines.append(compact({"id": identity, "path": path, **finding.to_json()}) + "\n")
        self._db.executemany("INSERT OR IGNORE INTO finding VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return lines

    def _append(self, lines: Sequence[str]) -> None:
        """Append findings to the stream that can be followed while the run goes on."""
        try:
            append(self._findings, "".join(lines).encode())
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written: {error.strerror or error}", hint=_HINT) from error

    def _plugin_set(self, plugins: Sequence[str]) -> int:
        text = compact(sorted(plugins))
        number = self._plugin_sets.get(text)
        if number is None:
            with writing(self.folder, self._db):
                self._db.execute("INSERT OR IGNORE INTO plugin_set (keys) VALUES (?)", (text,))
            number = self._plugin_sets[text] = self._db.execute("SELECT n FROM plugin_set WHERE keys = ?", (text,)).fetchone()[0]
        return int(number)

    # ---- the end of a run --------------------------------------------------------------------------------------------------

    def score_inputs(self) -> list[sqlite3.Row]:
        """Return what scoring needs of every entry that could have points."""
        return self._db.execute(
            "SELECT e.n, e.id, e.path, e.name, e.state, e.kind, e.size, e.recoverability, e.mtime, "
            "e.parent, e.content, c.category, c.type, "
            "CASE WHEN e.recoverability = 'overwritten' THEN NULL ELSE c.known END AS known, c.entropy, c.sha256, "
            "CASE WHEN e.recoverability = 'overwritten' THEN NULL ELSE c.alike END AS alike "
            "FROM entry e LEFT JOIN content c ON c.key = e.content WHERE e.kind NOT IN ('directory', 'link') ORDER BY e.n"
        ).fetchall()

    def finding_kinds(self) -> dict[str, frozenset[str]]:
        """Return the kinds of findings of each content that has any: all its names share them."""
        kinds: dict[str, set[str]] = {}
        for content, kind in self._db.execute("SELECT e.content, f.kind FROM finding f JOIN entry e ON e.id = f.entry"):
            kinds.setdefault(content, set()).add(kind)
        return {k: frozenset(v) for k, v in kinds.items()}

    def set_scores(self, scores: Iterable[tuple[int, int, str]], queue: Iterable[tuple[int, int, int]]) -> None:
        """Replace scores ``(entry row, points, reasons as JSON)`` and queue ``(rank, entry row, copies)``."""
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM score")
            self._db.execute("DELETE FROM queue")
            self._db.executemany("INSERT INTO score VALUES (?, ?, ?)", scores)
            self._db.executemany("INSERT INTO queue VALUES (?, ?, ?)", queue)
            self._db.execute("COMMIT")

    def settle_ledger(self) -> None:
        """Store to whom the media's bytes belong and how many were read."""
        self.set_fact("ledger", medium_ledger(self._db))

    def index_paths(self) -> None:
        """Make looking for what lies beside an item fast: when all names are in."""
        with writing(self.folder, self._db):
            self._db.execute("CREATE INDEX IF NOT EXISTS entry_path ON entry (path)")

    def decide_inside(self, rows: Sequence[tuple[str | None, int, int, int]]) -> None:
        """Store which children of a generation are read: ``(why it is not, tier, children it may have, row number)``."""
        with writing(self.folder, self._db):
            self._db.execute("BEGIN IMMEDIATE")
            self.inside.decide(rows)
            self._db.execute("COMMIT")

    def build_indexes(self) -> None:
        """Make the indexes that only reading commands need."""
        with writing(self.folder, self._db):
            self._db.executescript(schema.INDEXES)

    def settle_findings(self) -> None:
        """Write ``findings.jsonl`` anew in its final order, so that an interrupted run leaves the same file."""
        self._findings.close()
        new = self.folder / "findings.jsonl.new"
        rows = self._db.execute(
            "SELECT f.id, f.entry, e.path, f.plugin, f.kind, f.title, f.data, f.ranges FROM finding f "
            "LEFT JOIN entry e ON e.id = f.entry ORDER BY e.path, f.id"
        )
        try:
            with new.open("w", encoding="ascii", newline="\n") as file:
                file.writelines(compact(finding_row(row)) + "\n" for row in rows)
            new.chmod(0o600)
            new.replace(self.folder / "findings.jsonl")
            self._findings = open_private(self.folder / "findings.jsonl")
        except OSError as error:
            raise OutputError(f"{self.folder} cannot be written: {error.strerror or error}", hint=_HINT) from error

    def abandon(self) -> None:
        """Close; take back a case that was made for this run, which ended before it began."""
        self.close()
        if not self._fresh:
            return
        for name in (NAME, f"{NAME}-wal", f"{NAME}-shm", "audit.jsonl", "findings.jsonl"):
            (self.folder / name).unlink(missing_ok=True)
        for folder in (self.folder / "hashsets", self.folder):
            if folder.is_dir():
                for left in folder.glob("*.hset"):
                    left.unlink()
                with contextlib.suppress(OSError):  # something of the operator's is in it
                    folder.rmdir()

    def close(self) -> None:
        """Close the database as one file, readable also from a read-only folder, and let go of the lock."""
        self._findings.close()
        with contextlib.suppress(sqlite3.OperationalError):  # somebody is reading: the journal is folded in next time
            self._db.execute("PRAGMA journal_mode = DELETE")
        self._db.close()
        self.audit.close()


def _raw(digest: str | None) -> bytes | None:
    return bytes.fromhex(digest) if digest else None


def _was_locked(before: Volume, now: Volume) -> bool:
    """Whether a volume that a case knows as locked or not read has been opened since."""
    locked = before.encryption is Encryption.LOCKED and now.encryption is Encryption.UNLOCKED
    return locked or (now.opened and not before.opened)
