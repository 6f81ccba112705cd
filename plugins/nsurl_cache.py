"""What Safari and every app of iOS and macOS kept of the web (NSURLCache: Cache.db and fsCachedData)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from triage.artifacts import web
from triage.artifacts.blobplace import place_of, source_of
from triage.artifacts.plist import parse_plist
from triage.artifacts.sqlite import MAX_BYTES, open_database
from triage.artifacts.stores.tables import Tables
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Beside, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.blobplace import Source
    from triage.artifacts.stores.tables import Values

_FOLDER = "fscacheddata/"


class NsurlCache:
    """A cached entry a body, with the finding ``cached``; rows that only the log has, or that it took away, are among them and say so."""

    name = "nsurl_cache"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("Cache.db", "*/Cache.db"), beside=("{name}-wal", "fsCachedData/*"), max_size=MAX_BYTES)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield every answer that is kept."""
        main = item.read(MAX_BYTES)
        near = {b.name.lower(): b for b in item.beside}
        log = near.get(f"{item.entry.name.lower()}-wal")
        wal = log.read(MAX_BYTES) if log is not None and log.size + item.size <= MAX_BYTES else None
        if not main.startswith(b"SQLite format 3\0"):
            return
        try:
            database = open_database(main, wal)
        except StructureError as error:
            yield item.problem(f"a cache that cannot be read: {error}")
            return
        sources = [source_of(main)] + ([source_of(wal, log=True)] if wal else [])
        with database:
            tables = Tables(database)
            if not tables.has("cfurl_cache_response", ("entry_ID", "request_key")):
                return
            blobs, bodies = _by_entry(tables, "cfurl_cache_blob_data"), _by_entry(tables, "cfurl_cache_receiver_data")
            for row in tables.rows("cfurl_cache_response"):
                blob, body = (_of(row, found) for found in (blobs, bodies))
                yield from self._answer(item, row, blob, body, near, log, sources)
            for line in database.notes.lines():
                yield item.problem(f"a cache was not read whole: {line}")

    def _answer(
        self, item: Item, row: Values, blob: Values | None, body: Values | None, near: dict[str, Beside], log: Beside | None,
        sources: list[Source],
    ) -> Iterator[Finding | Problem | Child]:  # fmt: skip
        url = web.shown_url(row.text("request_key"))
        headers = _headers(blob["response_object"] if blob is not None else None)
        mime, time = headers.get("content-type", "").partition(";")[0].strip().lower(), _time(row.text("time_stamp"))
        said = web.cached(
            item.entry.path, url, time, mime, server_time=headers.get("date", ""), status=headers.get(":status", ""),
            state="" if row.live and row.source == "main" else "only in the log" if row.live else "superseded by the log",
        )  # fmt: skip
        value = body["receiver_data"] if body is not None else None
        name = f"{row['entry_id']}-{web.file_name(url, mime)}"
        facts: dict[str, Any] = {"kind": Kind.CACHED, "mtime": time, "findings": [said]}
        facts["time_basis"] = TimeBasis.UTC if time is not None else TimeBasis.UNKNOWN
        if body is not None and body.number("isdataonfs"):
            file = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
            kept = near.get(_FOLDER + file.lower())
            if kept is None or not kept.size:
                yield item.finding("cached-missing", f"{said[1]}, but its bytes are gone", {**said[2], "file": file[:100]})
                return
            yield item.child(name, [["cut", 0, kept.size]], kept.size, beside=kept.number, **facts)
        elif isinstance(value, bytes | str) and value:
            raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
            place = place_of(raw, sources)
            if place is None:
                yield item.finding("cached-missing", f"{said[1]}, but its bytes cannot be found in the file", said[2])
                return
            number, cut = place
            beside = log.number if number and log is not None else None
            yield item.child(name, [["cut", *cut]], len(raw), beside=beside, **facts)
        else:
            yield item.finding("cached-nothing", said[1].replace("kept", "asked for", 1), said[2])


def _by_entry(tables: Tables, table: str) -> dict[tuple[Any, bool], Values]:
    """Return a table's rows by their entry, and whether they are in force."""
    return {(row["entry_id"], row.live): row for row in tables.rows(table)}


def _of(row: Values, found: dict[tuple[Any, bool], Values]) -> Values | None:
    """Return what belongs to an answer: of its own state, else of the other (rows that did not change are in force only)."""
    return found.get((row["entry_id"], row.live)) or found.get((row["entry_id"], not row.live))


def _headers(value: object) -> dict[str, str]:
    """Return an answer's fields out of its archived form: a property list that holds them as a dictionary."""
    if not isinstance(value, bytes):
        return {}
    try:
        waiting: list[Any] = [parse_plist(value).value]
    except StructureError:
        return {}
    found: dict[str, str] = {}
    for _ in range(5000):
        if not waiting:
            break
        one = waiting.pop()
        if isinstance(one, dict):
            texts = {str(k).lower(): v for k, v in one.items() if isinstance(v, str)}
            if "content-type" in texts or "date" in texts or "content-length" in texts:
                found = {**texts, **found}
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
            status = next((v for v in one if isinstance(v, int) and 100 <= v < 600), None)
            if status is not None:
                found.setdefault(":status", str(status))
    return found


def _time(text: str) -> int | None:
    try:
        moment = datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 10**9


PLUGIN = NsurlCache
