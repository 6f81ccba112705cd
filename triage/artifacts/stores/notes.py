"""Cookies of browsers, and notes that were written on a phone or a Mac."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from triage.artifacts import times
from triage.artifacts.protobuf import text_at
from triage.artifacts.stores.tables import Store, Tables, Trace, Values
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_NOTE = 4 << 20
_LONGEST_TEXT = 16 << 10


def _cookie(row: Values, when: int | None, host: str, name: str, *, accessed: int | None, expires: int | None, **more: object) -> Trace:
    host = host[:500]
    return row.trace(
        "cookie",
        f"a cookie of {show(host[:200])}: {show(name[:100])}",
        accessed if accessed is not None else when,
        host=host,
        name=name[:1000],
        value=row.text("value")[:1000],
        path=row.text("path")[:1000],
        created_time=when,
        accessed_time=accessed,
        expires_time=expires,
        **more,
    )


def _chromium_cookies(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("cookies"):
        yield _cookie(
            row,
            times.webkit(row.number("creation_utc")),
            row.text("host_key"),
            row.text("name"),
            accessed=times.webkit(row.number("last_access_utc")),
            expires=times.webkit(row.number("expires_utc")),
            encrypted=True if row["encrypted_value"] and not row.text("value") else None,
        )


def _firefox_cookies(tables: Tables) -> Iterator[Trace]:
    for row in tables.rows("moz_cookies"):
        yield _cookie(
            row,
            times.unix_us(row.number("creationtime")),
            row.text("host"),
            row.text("name"),
            accessed=times.unix_us(row.number("lastaccessed")),
            # Seconds until Firefox 141, milliseconds since.
            expires=times.any_unix(row.number("expiry")),
        )


def _note_text(value: object) -> str:
    """Return the text of a note: a gzip file of a protobuf message, whose field 2/3/2 it is. "" for one that is locked or damaged."""
    if not isinstance(value, bytes) or not value.startswith(b"\x1f\x8b"):
        return ""
    try:
        data = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(value, _LARGEST_NOTE)
    except zlib.error:
        return ""
    return text_at(data, 2, 3, 2)


def _first(row: Values, *columns: str) -> object:
    """Return the first of some columns that has a number: Core Data numbers those of entities that share a table."""
    return next((row[column] for column in columns if isinstance(row[column], int | float)), None)


def _notes(tables: Tables) -> Iterator[Trace]:
    things = {row["z_pk"]: row for row in tables.rows("ziccloudsyncingobject")}
    attached: dict[object, list[str]] = {}
    for row in things.values():
        name = row.text("zfilename", "zurlstring") or (row.text("ztitle") if row["zmedia"] is not None else "")
        owner = row["znote"]
        if name and owner is not None:
            attached.setdefault(owner, []).append(name)
    for row in tables.rows("zicnotedata"):
        head = things.get(row["znote"])
        text = _note_text(row["zdata"])[:_LONGEST_TEXT]
        locked = bool(head.number("zispasswordprotected")) if head is not None else row["zcryptoinitializationvector"] is not None
        title = head.text("ztitle1", "zsnippet") if head is not None else ""
        folder = things.get(head["zfolder"]) if head is not None else None
        state = "locked note" if locked else "note"
        yield row.trace(
            "note",
            f"{state}: {show((title or text)[:200])}",
            times.cocoa(_first(head, "zmodificationdate1", "zmodificationdate")) if head is not None else None,
            title=title,
            text=text,
            created_time=times.cocoa(_first(head, "zcreationdate3", "zcreationdate1", "zcreationdate")) if head is not None else None,
            folder=folder.text("ztitle2") if folder is not None else "",
            locked=locked or None,
            removed=bool(head.number("zmarkedfordeletion")) or None if head is not None else None,
            attachments=attached.get(row["znote"], [])[:50],
        )


def _notes_old(tables: Tables) -> Iterator[Trace]:
    """notes.sqlite of iOS until 8 and of macOS until 10.10: HTML in a table of its own."""
    bodies = {row["z_pk"]: row.text("zcontent", "zhtmlstring") for row in tables.rows("znotebody")}
    for row in tables.rows("znote"):
        text = bodies.get(row["zbody"], "")
        title = row.text("ztitle", "zsummary")
        created, changed = times.cocoa(row["zcreationdate"]), times.cocoa(_first(row, "zmodificationdate", "zdateedited"))
        yield row.trace("note", f"note: {show((title or text)[:200])}", changed, title=title, text=text, created_time=created)


STORES = (
    Store("chromium-cookies", "", {"cookies": ("creation_utc", "host_key", "name", "last_access_utc")}, _chromium_cookies),
    Store("firefox-cookies", "Firefox", {"moz_cookies": ("host", "name", "lastaccessed")}, _firefox_cookies),
    Store("notes", "Notes", {"zicnotedata": ("znote", "zdata"), "ziccloudsyncingobject": ("z_pk",)}, _notes),
    Store("notes-old", "Notes", {"znote": ("zbody", "ztitle"), "znotebody": ("zcontent",)}, _notes_old),
)
