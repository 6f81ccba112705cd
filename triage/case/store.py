"""Reading a case: rows as scripts see them, counts, and what the coverage statement is made of. Nothing here writes."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from triage.case import database
from triage.case.carved import carving_rows
from triage.case.items import COLUMNS, finding_row, unpack_row
from triage.case.matches import comparison_counts
from triage.case.where import FIELDS, compile_where
from triage.content.types import extension_mismatch
from triage.errors import CaseError, UsageError
from triage.evidence.layers import is_view
from triage.model import Encryption, Entry, Evidence, Json, Outcome, Severity, Volume, iso_time
from triage.priority.coverage import CoverageInput, VolumeCoverage, coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_COLUMNS = ", ".join(COLUMNS)
_MATCHES = (
    "(SELECT json_group_array(json_array(m.hashset, m.meaning, m.category, m.how, m.distance, m.tier, m.label, m.detail)) "
    "FROM match m WHERE m.content = f.content)"
)
_SORTS = {"score": "score DESC, path, id", "-score": "score, path, id"}
_STORED = ("set", "meaning", "category", "how", "distance", "tier", "label", "detail")


class Case:
    """A case folder open for reading, also while a run writes it."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._db = connection

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open a case; raise ``CaseError`` when there is none, or one of another version."""
        return cls(folder, database.connect(folder, read_only=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _query(self, sql: str, parameters: Iterable[Any] = ()) -> Iterator[sqlite3.Row]:
        try:
            for row in self._db.execute(sql, tuple(parameters)):  # noqa: UP028 - "yield from" would close a cursor of a closed case
                yield row
        except sqlite3.DatabaseError as error:
            raise CaseError(f"the case in {self.folder} cannot be read: {error}") from error

    def _read(self, question: Callable[[sqlite3.Connection], Any]) -> Any:
        """Ask something that other modules know how to ask."""
        try:
            return question(self._db)
        except sqlite3.DatabaseError as error:
            raise CaseError(f"the case in {self.folder} cannot be read: {error}") from error

    def _fact(self, key: str) -> Any:
        row = next(self._query("SELECT value FROM meta WHERE key = ?", (key,)), None)
        return json.loads(row[0]) if row else None

    # ---- rows --------------------------------------------------------------------------------------------------------------

    def files(self, *, where: str | None = None, sort: str | None = None, limit: int | None = None) -> Iterator[Json]:
        """Yield files rows. ``sort`` names a field, ``-field`` for the largest first; ``score`` is largest first by itself."""
        condition, parameters = compile_where(where) if where else ("1", [])
        sql = f"SELECT f.*, {_MATCHES} AS matches FROM files f WHERE {condition} ORDER BY {_order(sort)}"
        if limit is not None:
            sql += " LIMIT ?"
            parameters.append(limit)
        context = self._context()
        for row in self._query(sql, parameters):
            yield _file_row(row, context)

    def file(self, identity: str) -> Json | None:
        """Return one files row by its id."""
        return next(self.files(where=f'id="{identity}"'), None) if identity.isalnum() else None

    def entry(self, identity: str) -> Entry | None:
        """Return an entry by its id."""
        for row in self._query(f"SELECT {_COLUMNS} FROM entry WHERE id = ?", (identity,)):
            return unpack_row(row)
        return None

    def entries(self, path: str) -> list[Entry]:
        """Return the entries with this path: several when names were deleted and used again."""
        return [
            unpack_row(r) for r in self._query(f"SELECT {_COLUMNS} FROM entry WHERE path = ? ORDER BY name_allocated DESC, id", (path,))
        ]

    def below(self, path: str, most: int) -> Iterator[Entry]:
        """Yield the entries below a folder, in the order of their paths; at most ``most``."""
        sql = f"SELECT {_COLUMNS} FROM entry WHERE path > ? AND path < ? ORDER BY path, id LIMIT ?"
        for row in self._query(sql, (f"{path}/", f"{path}0", most)):
            yield unpack_row(row)

    def findings(self, limit: int | None = None) -> Iterator[Json]:
        """Yield findings in the order of their entries' paths."""
        sql = (
            "SELECT f.id, f.entry, e.path, f.plugin, f.kind, f.title, f.data, f.ranges FROM finding f "
            "LEFT JOIN entry e ON e.id = f.entry ORDER BY e.path, f.id"
        )
        for row in self._query(sql + (" LIMIT ?" if limit is not None else ""), () if limit is None else (limit,)):
            yield finding_row(row)

    def queue(self, limit: int | None = None, unknown_only: bool = False) -> Iterator[Json]:
        """Yield the review queue: ``rank`` and ``copies`` with a files row."""
        context = self._context()
        sql = (
            f"SELECT q.rank, q.copies, f.*, {_MATCHES} AS matches FROM queue q JOIN files f ON f.n = q.entry "
            f"{'WHERE f.known IS NULL ' if unknown_only else ''}ORDER BY q.rank"
        )
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        for row in self._query(sql):
            yield {"rank": row["rank"], **_file_row(row, context), "copies": row["copies"]}

    def problems(self) -> Iterator[Json]:
        """Yield problems, the worst first."""
        sql = (
            "SELECT severity, stage, evidence, volume, entry, path, plugin, message, detail, 1 AS count FROM problem "
            "ORDER BY CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, stage, message, path, id"
        )
        for row in self._query(sql):
            yield dict(row)

    def evidence(self) -> list[Json]:
        """Return the evidence records with what is known of their integrity."""
        rows = self._query("SELECT record, fingerprint_state, verification FROM evidence ORDER BY position")
        return [{**json.loads(r["record"]), "fingerprint_state": r["fingerprint_state"], "verification": r["verification"]} for r in rows]

    def evidence_records(self) -> list[Evidence]:
        """Return the evidence as records."""
        return [Evidence.from_json(json.loads(r[0])) for r in self._query("SELECT record FROM evidence ORDER BY position")]

    def volumes(self) -> list[Json]:
        """Return volumes and gaps in order, with what became of them."""
        counts = {(r[0], r[1]): r[2] for r in self._query("SELECT evidence, volume, count(*) FROM entry GROUP BY evidence, volume")}
        broken = {
            (r[0], r[1])
            for r in self._query("SELECT DISTINCT evidence, volume FROM problem WHERE stage = 'filesystem' AND severity = 'error'")
        }
        rows = []
        for r in self._query(
            "SELECT v.record, v.walk, v.totals FROM volume v JOIN evidence e ON e.id = v.evidence ORDER BY e.position, v.offset, v.number"
        ):
            volume = Volume.from_json(json.loads(r["record"]))
            key = (volume.evidence, volume.number)
            if volume.number is None:
                state = "gap"
            elif r["walk"] == "none":
                state = "opened" if volume.opened else "not listed"
            elif r["walk"] == "pending" or key in broken or volume.encryption is Encryption.LOCKED:
                state = "partly listed"
            else:
                state = "listed"
            rows.append(
                {
                    **volume.to_json(),
                    "name": volume.name,
                    "state": state,
                    "entries": counts.get(key, 0) if volume.number is not None else 0,
                    "totals": json.loads(r["totals"]),
                }
            )
        return rows

    def _unopened(self, evidence: list[Json]) -> int:
        """Return how much evidence was found inside evidence that is not evidence of the case."""
        opened = {str(e["facts"].get("inside", "")).partition(":")[0].rpartition("/")[2] for e in evidence}
        found = self._query("SELECT DISTINCT entry FROM finding WHERE kind = 'evidence-inside'")
        return sum(row["entry"] not in opened for row in found)

    def hashsets(self) -> list[Json]:
        """Return the lists that were used, with their hits."""
        hits = dict(self._query_pairs("SELECT hashset, count(DISTINCT content) FROM match GROUP BY hashset"))
        return [{**s, "hits": hits.get(s["name"], 0)} for s in self._fact("hashsets") or []]

    def _query_pairs(self, sql: str) -> list[tuple[Any, Any]]:
        return [(r[0], r[1]) for r in self._query(sql)]

    # ---- sums --------------------------------------------------------------------------------------------------------------

    def counts(self) -> Json:
        """Return how many entries there are of each sort."""

        def by(column: str) -> dict[str, int]:
            return {
                str(k): n
                for k, n in self._query_pairs(
                    f"SELECT {column}, count(*) FROM files WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY 2 DESC, 1"
                )
            }

        return {
            "entries": next(self._query("SELECT count(*) FROM entry"))[0],
            "by_state": by("state"),
            "by_kind": by("kind"),
            "by_type": by("type"),
            "by_category": by("category"),
            "by_recoverability": dict(
                self._query_pairs("SELECT recoverability, count(*) FROM entry WHERE state != 'allocated' GROUP BY 1 ORDER BY 2 DESC, 1")
            ),
            "by_known": by("known"),
            "by_alike": by("alike"),
            "matches_by_set": dict(self._query_pairs("SELECT hashset, count(*) FROM match GROUP BY 1 ORDER BY 1")),
            "queue": next(self._query("SELECT count(*) FROM queue"))[0],
            "findings": dict(self._query_pairs("SELECT kind, count(*) FROM finding GROUP BY 1 ORDER BY 2 DESC, 1")),
            "problems": dict(self._query_pairs("SELECT severity, count(*) FROM problem GROUP BY 1 ORDER BY 1")),
        }

    def coverage(self) -> Json:
        """Return the coverage statement: what was seen, and what became of each part of it."""
        outcomes: Counter[Outcome] = Counter()
        skipped: Counter[str] = Counter()
        selected = read = 0
        for row in self._query(
            "SELECT min(e.size) AS size, min(e.skip) AS skip, c.outcome, c.reason, c.size AS read FROM entry e "
            "LEFT JOIN content c ON c.key = e.content WHERE e.content IS NOT NULL GROUP BY e.content"
        ):
            outcome = Outcome(row["outcome"]) if row["outcome"] else Outcome.SKIPPED if row["skip"] else Outcome.NOT_REACHED
            outcomes[outcome] += 1
            if outcome is Outcome.SKIPPED:
                skipped[row["reason"] or row["skip"]] += 1
            else:
                selected += row["size"]
                read += row["read"] or 0
        volumes, evidence, carving = self.volumes(), self.evidence(), self._fact("carving")
        severities = Counter({Severity(k): n for k, n in self._query_pairs("SELECT severity, count(*) FROM problem GROUP BY 1")})
        return coverage(
            CoverageInput(
                entries=next(self._query("SELECT count(*) FROM entry"))[0],
                outcomes=outcomes,
                skipped=skipped,
                bytes_medium=sum(e["size"] for e in evidence),
                bytes_volumes=sum(v["size"] for v in volumes if v["number"] is not None and not is_view(v["offset"])),
                bytes_gaps=sum(v["size"] for v in volumes if v["number"] is None and not is_view(v["offset"])),
                bytes_content_read=read,
                bytes_content_selected=selected,
                volumes=tuple(
                    VolumeCoverage(
                        name=_volume_title(v, len(evidence) > 1),
                        size=v["size"],
                        state=v["state"],
                        file_system=v["file_system"],
                        encryption=Encryption(v["encryption"]),
                        checked=v["totals"].get("checked") is True,
                    )
                    for v in volumes
                ),
                problems=severities,
                finished=bool(self._fact("finished")),
                inside_unopened=self._unopened(evidence),
                ledger=tuple(self._fact("ledger") or ()),
                carved_from=tuple(carving["from"]) if carving is not None else None,
                carving=tuple(self._read(carving_rows)),
                compared=self._read(comparison_counts),
                compare=self._fact("compare"),
                hashsets=tuple(self._fact("hashsets") or ()),
                plugins=frozenset(p["name"] for p in run["plugins"]) if (run := self._fact("run")) is not None else None,
            )
        )

    def run_facts(self) -> Json:
        """Return what a run of this case depends on; no clock value among it."""
        facts: Json = self._fact("run") or {}
        return {**facts, "finished": bool(self._fact("finished"))}

    def run_times(self) -> Json:
        """Return when the case was begun and last ended."""
        rows = self._query_pairs("SELECT event, at FROM run_time ORDER BY n")
        started = [at for event, at in rows if event == "started"]
        ended = [at for event, at in rows if event == "ended"]
        return {"started": started[0] if started else None, "ended": ended[-1] if ended else None, "runs": len(started)}

    def digest(self) -> str:
        """Return a SHA-256 over everything that a run found: the same for the same evidence, profile and lists."""
        total = hashlib.sha256()
        for sql in (
            "SELECT id, position FROM evidence ORDER BY id",
            "SELECT evidence, offset, number, record, walk FROM volume ORDER BY evidence, offset, number",
            f"SELECT {_COLUMNS}, state, content, skip, tier FROM entry ORDER BY id",
            "SELECT key, size, md5, sha1, sha256, mime, type, category, entropy, outcome, reason, known, md5_512, md5_64k, spared, alike "
            "FROM content ORDER BY key",
            "SELECT * FROM match ORDER BY content, hashset, how",
            "SELECT * FROM comparable ORDER BY content",
            "SELECT * FROM frame ORDER BY content, n",
            "SELECT * FROM likeness ORDER BY content",
            "SELECT * FROM finding ORDER BY id",
            "SELECT * FROM problem WHERE stage != 'fingerprint' ORDER BY id",
            "SELECT e.id, s.score, s.reasons FROM score s JOIN entry e ON e.n = s.entry ORDER BY e.id",
            "SELECT q.rank, e.id, q.copies FROM queue q JOIN entry e ON e.n = q.entry ORDER BY q.rank",
        ):
            for row in self._query(sql):
                total.update(repr(tuple(row)).encode("utf-8", "backslashreplace"))
        return total.hexdigest()

    def _context(self) -> Json:
        """Return what every files row repeats."""
        return {e["id"]: e.get("exhibit", "") for e in self.evidence()} | {
            "problems": {r[0]: r[1] for r in self._query("SELECT entry, count(*) FROM problem WHERE entry IS NOT NULL GROUP BY entry")}
        }


def _order(sort: str | None) -> str:
    if sort is None:
        return "path, id"
    if sort in _SORTS:
        return _SORTS[sort]
    name = sort.removeprefix("-")
    if name not in FIELDS:
        raise UsageError(f"--sort: no field {name!r}", hint=f"one of {', '.join(FIELDS)}")
    column = "extension_mismatch(name, type)" if name == "extension_mismatch" else name
    return f"{column} {'DESC' if sort.startswith('-') else 'ASC'}, path, id"


def _file_row(row: sqlite3.Row, context: Json) -> Json:
    """Return a files row in the order and with the names that scripts rely on."""
    overwritten = row["recoverability"] == "overwritten" and row["state"] != "allocated"
    matches = [] if overwritten else [dict(zip(_STORED, m, strict=True)) for m in sorted(json.loads(row["matches"]))]
    for match in matches:
        match["detail"] = json.loads(match["detail"])
    return {
        "id": row["id"],
        "evidence": row["evidence"],
        "exhibit": context.get(row["evidence"], ""),
        "volume": row["volume"],
        "path": row["path"],
        "name": row["name"],
        "name_raw": row["name_raw"],
        "kind": row["kind"],
        "state": row["state"],
        "recoverability": row["recoverability"] if row["state"] != "allocated" else None,
        "size": row["size"],
        "mtime": iso_time(row["mtime"]),
        "atime": iso_time(row["atime"]),
        "ctime": iso_time(row["ctime"]),
        "crtime": iso_time(row["crtime"]),
        "time_basis": row["time_basis"],
        "meta_addr": row["meta_addr"],
        "runs": json.loads(row["runs"]),
        "mime": row["mime"] or None,
        "type": row["type"] or None,
        "category": row["category"],
        "extension_mismatch": bool(row["type"] and extension_mismatch(row["name"], row["type"])),
        "entropy": row["entropy"],
        "md5": _hex(row["md5"]),
        "sha1": _hex(row["sha1"]),
        "sha256": _hex(row["sha256"]),
        "known": row["known"],
        "alike": row["alike"],
        "likeness": row["likeness"],
        "spared": bool(row["spared"]),
        "matches": matches,
        "score": row["score"] or 0,
        "reasons": json.loads(row["reasons"]) if row["reasons"] else [],
        "parent": row["parent"],
        "link_target": row["link_target"],
        "outcome": row["outcome"] or ("skipped" if row["skip"] else "not reached") if row["content"] else None,
        "outcome_reason": row["outcome_reason"] or row["skip"] or "",
        "problems": context["problems"].get(row["id"], 0),
    }


def _hex(raw: bytes | None) -> str | None:
    return raw.hex() if raw is not None else None


def _volume_title(volume: Json, several: bool) -> str:
    return f"{volume['evidence']}/{volume['name']}" if several else str(volume["name"])


def name_bytes(row: Json) -> bytes:
    """Return the raw bytes of a files row's name."""
    return base64.b64decode(row["name_raw"]) if row["name_raw"] else str(row["name"]).encode()
