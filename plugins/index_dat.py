"""What Internet Explorer 4 to 9 noted in index.dat: pages and files visited, cached files, cookies and downloads, and what was deleted."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from triage.artifacts import msiecf, times, web
from triage.artifacts.structure import Notes, StructureError
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.msiecf import Header, Place, Record
    from triage.model import Json

_LARGEST = 256 << 20


class IndexDat:
    """``visit``, ``recent-file`` (a local file opened), ``search-term``, ``cached``, ``redirect``, ``cookie``, ``download``, ``web-store``.

    Records that are not in the hash table say so (``state``), in the title as well. A cached file is an entry already and no child: the
    finding names it (``file``) and says whether it is there.
    """

    name = "index_dat"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=("msie-cache",), paths=("*index*.dat",), beside=("????????/*", "*.txt"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what every record says."""
        data = item.read(_LARGEST)
        try:
            header = msiecf.read_header(data)
        except StructureError as error:
            yield item.problem(f"Internet Explorer's index cannot be read: {error}")
            return
        near = {one.name.lower(): one.size for one in item.beside}
        notes = Notes()
        for record in msiecf.records(data, header, notes):
            if record.cut and record.state == "in use":  # of the others a part was written over, which their finding says
                notes.add("a record breaks off")
            yield from _said(item, header, record, near)
        if len(data) < max(item.size, header.size):
            notes.add("the file is shorter than it says, or was not read to its end")
        for line in notes.lines():
            yield item.problem(f"Internet Explorer's index was not read whole: {line}")


def _said(item: Item, header: Header, record: Record, near: dict[str, int]) -> Iterator[Finding]:
    place = msiecf.place_of(record.location)
    kind, title, more = _kind(header, record, place, near)
    state = "" if record.state == "in use" else "leaked" if record.kind == "leak" else record.state
    mine = {"application": "Internet Explorer", **web.whose(item.entry.path)}
    user = place.user or msiecf.cached_user(record.data)
    base = {**mine, **({"user": user} if user else {})}
    said: Json = {"url": web.shown_url(place.url), **more, "hits": record.hits, "state": state, "incomplete": record.cut or None}
    kept = {key: value for key, value in {**base, **said}.items() if value is False or value not in (None, "", 0)}
    ending = f" ({'record ' if state != 'leaked' else ''}{state})" if state else ""
    where = [(record.offset, record.length)]
    yield item.finding(kind, title[:250] + ending, kept, where)
    if kind == "visit" and (found := web.search_term(place.url)):
        data = {**base, "term": found[0], "engine": found[1], "url": kept["url"], "time": kept.get("time"), "state": state}
        searched = {key: value for key, value in data.items() if value not in (None, "")}
        yield item.finding("search-term", f"searched {found[1]} for: {found[0][:200]}{ending}", searched, where)


def _kind(header: Header, record: Record, place: Place, near: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    short = place.url[:200]
    if record.kind == "redirect":
        return "redirect", f"was sent on from {short}", {}
    if record.kind == "leak" or place.store == "cache":
        return _cached(header, record, place, near)
    if place.store in ("visited", "daily", "weekly"):
        return _visit(record, place, short)
    common: dict[str, Any] = {"time": times.iso(record.primary), "file": record.file, "size": record.size}
    if place.store == "cookie":
        there = record.file.lower() in near if record.file else None
        more = {"modified": times.iso(record.secondary), "expires": times.iso(record.expires), "there": there}
        return "cookie", f"a cookie of {short}", {**common, **more}
    if place.store == "iedownload":
        got = msiecf.read_download(record.data)
        if got is not None:
            return "download", f"downloaded {got.path[-200:] or got.url[:200]}", {
                "time": times.iso(got.started or record.primary), "url": web.shown_url(got.url), "path": got.path, "size": got.size,
                "received": got.received, "state_of_download": got.state, "referrer": web.shown_url(got.referrer),
            }  # fmt: skip
        return "download", "a download of which nothing is known", {**common, "url": "", "number": place.url}
    return "web-store", f"kept for {short} ({place.store})", {**common, "store": place.store}


def _cached(header: Header, record: Record, place: Place, near: dict[str, int]) -> tuple[str, str, dict[str, Any]]:
    status, fields = web.split_headers(record.data) if record.data.startswith(b"HTTP/") else ("", {})
    file, there = record.file, None
    if file and record.folder is not None and record.folder < len(header.folders):
        file = f"{header.folders[record.folder]}/{file}"
        there = file.lower() in near
    more: dict[str, Any] = {
        "time": times.iso(record.primary),
        "file": file,
        "size": record.size,
        "there": there,
        "size_there": near[file.lower()] if there and near[file.lower()] != record.size else None,
        "mime": web.mime_of(fields),
        "status": status[9:12],
        "server_time": fields.get("date", ""),
        "last_modified": times.iso(record.secondary),
        "expires": times.iso(record.expires),
        "checked": times.iso(record.checked),
        "method": "POST" if record.posted else "",
        "to_be_deleted": record.doomed or None,
    }
    if record.kind == "leak":
        return "cached", f"kept by Internet Explorer, from an address that is gone: {file[:200]}", more
    gone = ", but its file is not there" if there is False else ""
    return "cached", f"kept by Internet Explorer from {place.url[:200] or 'an address'}{gone}", more


def _visit(record: Record, place: Place, short: str) -> tuple[str, str, dict[str, Any]]:
    values = msiecf.visit_values(record.data)
    # A weekly history's first time is that of the file, and the second is the clock's on the wall ("Use of the FILETIME values").
    local = times.iso(record.secondary) if place.store != "visited" else None
    more: dict[str, Any] = {
        "time": times.iso(record.primary) if place.store != "weekly" else None,
        "local_time": (local or "").removesuffix("Z"),
        "title": values.get(0x10, ""),
        "icon_url": web.shown_url(values.get(0x15, "")),
        "history": place.store if place.store != "visited" else "",
        "expires": times.iso(record.expires),
    }
    if place.url.lower().startswith("file:"):
        path = unquote(place.url[5:]).lstrip("/") if place.url.lower().startswith("file:///") else unquote(place.url[5:])
        return "recent-file", f"was opened: {path[:200]}", {**more, "path": str(PureWindowsPath(path)) if path else ""}
    if place.url.startswith(":Host: "):
        return "visit", f"visited something at {place.url[7:200]}", {**more, "url": "", "host": place.url[7:]}
    return "visit", f"visited {short or 'an address'}", more


PLUGIN = IndexDat
