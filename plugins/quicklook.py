"""Thumbnails that macOS kept of files that the Finder or Quick Look showed, with the files' paths, also of gone ones and other media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import pixels, times
from triage.artifacts.fileaddress import shown
from triage.artifacts.keyedarchive import KeyedArchive
from triage.artifacts.plist import Date, parse_plist
from triage.artifacts.sqlite import MAX_BYTES, open_database
from triage.artifacts.stores.tables import Tables
from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Beside, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.stores.tables import Values

_TOP = (1 << 63) - 1
_LARGEST_SIDE = 4096
_BGRA = 0x2002
_NEEDS = ("file_id", "width", "height", "bitmapdata_location", "bitmapdata_length")


class QuickLook:
    """A cached entry a bitmap with the finding ``thumbnail``; ``thumbnail-missing`` what the index names without one."""

    name = "quicklook"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=("com.apple.QuickLook.thumbnailcache/index.sqlite", "com.apple.QuickLook.thumbnailcache/cloudthumbnails.db"),
        kinds=(Kind.FILE, Kind.DERIVED),
        max_size=MAX_BYTES,
        beside=("{name}-wal", "thumbnails.data"),
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield each thumbnail of the index, by the pixels that lie beside it."""
        near = {b.name.lower(): b for b in item.beside}
        log = near.get(f"{item.entry.name.lower()}-wal")
        wal = log.read(MAX_BYTES) if log is not None and log.size + item.size <= MAX_BYTES else None
        try:
            database = open_database(item.read(MAX_BYTES), wal)
        except StructureError as error:
            yield item.problem(f"an index of thumbnails that cannot be read: {error}")
            return
        notes = Notes()
        with database:
            tables = Tables(database)
            if tables.has("thumbnails", ("last_seen_path",)):
                yield from _cloud(item, tables)
            elif tables.has("thumbnails", _NEEDS):
                yield from _thumbnails(item, tables, near.get("thumbnails.data"), notes)
            for line in database.notes.lines() + notes.lines():
                yield item.problem(f"an index of thumbnails was not read whole: {line}")


def _thumbnails(item: Item, tables: Tables, store: Beside | None, notes: Notes) -> Iterator[Finding | Child]:
    files: dict[Any, dict[str, Any]] = {}
    for key, row in {**tables.by("files", "rowid"), **tables.by("basic_files", "fileId")}.items():
        files[key] = _file(row, key, basic=row["folder"] is None and row["file_name"] is None)
    if store is None:
        notes.add("its store thumbnails.data is not there")
    used = set()
    for number, row in enumerate(tables.rows("thumbnails")):
        key = row["file_id"]
        if isinstance(key, int) and key not in files:
            key &= _TOP
        used.add(key)
        state = "" if row.live and row.source == "main" else "only in the log" if row.live else "superseded by the log"
        data: dict[str, Any] = {
            **whose(item.entry.path),
            **files.get(key, {"file_id": key if isinstance(key, int) else None}),
            "time": times.iso(times.cocoa(row["last_hit_date"])),
            "hits": row.number("hit_count"),
            "width": row.number("width"),
            "height": row.number("height"),
            "state": state,
        }
        yield from _one(item, number, row, _kept(data), store, notes)
    for key, data in files.items():
        if key not in used:
            yield item.finding("thumbnail-missing", f"Quick Look knew {_named(data)}", _kept({**whose(item.entry.path), **data}))


def _one(item: Item, number: int, row: Values, data: dict[str, Any], store: Beside | None, notes: Notes) -> Iterator[Finding | Child]:
    """Yield a thumbnail as a picture, or a finding when its pixels are not there or not of a known layout."""
    width, height, at, length = (row.number(name) or 0 for name in _NEEDS[1:])
    stride = row.number("bytesperrow") or (length // height if height > 0 else 0)
    title = f"a thumbnail of {_named(data)}"
    fits = 0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE and 4 * width <= stride <= 4 * width + 4096 and at >= 0
    layout = row.number("bitmapinfo")
    if (
        not fits
        or stride * (height - 1) + 4 * width > length
        or (layout is not None and (layout != _BGRA or row.number("bitsperpixel") != 32))
    ):
        notes.add("the pixels of a thumbnail are of no known layout")
    elif store is not None and at + length > store.size:
        notes.add("the pixels of a thumbnail lie behind the end of thumbnails.data")
    elif store is not None:
        if layout is None:
            data["layout"] = "assumed"
        when = times.cocoa(row["last_hit_date"])
        steps = [["cut", at, length], pixels.steps_of("bgra", width, height, stride)]
        name = str(data.get("original", "")).rpartition("/")[2] or str(data.get("file_id", "unnamed"))
        yield item.child(
            f"{number}-{name}.bmp", steps, pixels.size_of(width, height), kind=Kind.CACHED, beside=store.number, mtime=when,
            time_basis=TimeBasis.UTC if when is not None else TimeBasis.UNKNOWN, findings=[("thumbnail", title, data)],
        )  # fmt: skip
        return
    yield item.finding("thumbnail-missing", f"{title}, whose pixels cannot be had", data)


def _file(row: Values, key: Any, *, basic: bool) -> dict[str, Any]:
    """Return what the index says of a file: by folder and name (to macOS 10.14), or by its number on the volume (from 10.15 on)."""
    size, changed, by = _version(row["version"])
    said: dict[str, Any] = {"original_size": size, "original_time": times.iso(changed), "made_by": by}
    if basic:
        return {"file_id": key, **said}
    folder, name = shown(row.text("folder"), 4096), shown(row.text("file_name"))
    return {"original": f"{folder.rstrip('/')}/{name}", **said}


def _version(blob: object) -> tuple[int | None, int | None, str]:
    """Return size, time of change (nanoseconds since 1970) and generator of a file's version: a property list, or a keyed archive."""
    if not isinstance(blob, bytes):
        return None, None, ""
    try:
        archive = KeyedArchive(blob)
        size, by = archive.get("s"), archive.text("g")
        changed = archive.time("m")
    except StructureError:
        try:
            value = parse_plist(blob).value
        except StructureError:
            return None, None, ""
        said = value if isinstance(value, dict) else {}
        size, date, by = said.get("size"), said.get("date"), str(said.get("gen") or "")
        changed = date.nanoseconds if isinstance(date, Date) else times.cocoa(date)
    whole = (
        size
        if isinstance(size, int) and not isinstance(size, bool)
        else int(size)
        if isinstance(size, float) and 0 <= size < 1e15
        else None
    )
    return whole, changed, shown(by, 200)


def _cloud(item: Item, tables: Tables) -> Iterator[Finding]:
    for row in tables.rows("thumbnails"):
        path = shown(row.text("last_seen_path"), 8192)
        data = {**whose(item.entry.path), "original": path, "time": times.iso(times.unix(row["last_hit_date"])), "document": row["docid"]}
        data = {key: value for key, value in data.items() if isinstance(value, str | int)}
        yield item.finding("thumbnail-missing", f"a thumbnail of a file in iCloud Drive was asked for: {path}", _kept(data))


def _named(data: dict[str, Any]) -> str:
    return str(data.get("original") or f"the file of number {data.get('file_id', 'unknown')} on the volume")


def _kept(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value not in (None, "")}


PLUGIN = QuickLook
