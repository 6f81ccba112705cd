"""What Internet Explorer 10 and 11, Edge before 2020 and Windows' apps noted in WebCacheV*.dat: visits, cache, downloads, cookies."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from triage.artifacts import msiecf, times, web
from triage.artifacts.ese import open_ese
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.ese import Ese, Row, Table
    from triage.artifacts.msiecf import Place
    from triage.model import Json

_FIRST = ("history", "mshist", "iedownload", "backgroundtransfer", "content", "cookies")
_OTHERS = ("CookieEntryEx_", "HstsEntryEx_", "AppCacheEntryEx_", "LeakFiles")


class WebCache:
    """``visit``, ``recent-file`` (a local file opened), ``search-term``, ``cached``, ``download``, ``cookie``, ``web-store``.

    A cached file is an entry already and no child: the finding names it (``path``). Rows that were deleted and are still there say so.
    """

    name = "webcache"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*WebCacheV??.dat",), min_size=8192)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what every row of every container says."""
        try:
            database = open_ese(item.read_at, item.size)
        except StructureError as error:
            yield item.problem(f"a database of the web cache that cannot be read: {error}")
            return
        if not database.clean:
            yield item.problem("the web cache was not closed: changes that stand in its logs alone are not seen")
        if "Containers" not in database.tables:
            yield item.problem("a database of the web cache without its list of containers")
        for name, container, table in _containers(database):
            for row in database.rows(table):
                yield from _said(item, name, container, row)
        for line in database.notes.lines():
            yield item.problem(f"the web cache was not read whole: {line}")


def _containers(database: Ese) -> list[tuple[str, Json, Table]]:
    """Return the tables with what the list of containers says of each, those first that tell most, then those without a container."""
    found: list[tuple[str, Json, Table]] = []
    listed = database.tables.get("Containers")
    # Of two rows of one number the one in use is meant.
    told = sorted(database.rows(listed), key=lambda row: not row.deleted) if listed is not None else []
    rows = {_number(row, "ContainerId"): row for row in told}
    for number, row in rows.items():
        table = database.tables.get(f"Container_{number}")
        if table is not None:
            found.append((_text(row, "Name"), dict(row.values), table))
    found.sort(key=lambda one: next((n for n, start in enumerate(_FIRST) if one[0].lower().startswith(start)), len(_FIRST)))
    known = {table.name for _, _, table in found}
    for name, table in sorted(database.tables.items()):
        if name not in known and (name.startswith(_OTHERS) or name.startswith("Container_")):
            found.append(("" if name.startswith("Container_") else name.partition("_")[0], {}, table))
    return found


def _said(item: Item, name: str, container: Json, row: Row) -> Iterator[Finding]:
    place = msiecf.place_of(_text(row, "Url"))
    kind, title, more = _kind(name, container, row, place)
    mine = {"application": "Internet Explorer", **web.whose(item.entry.path), **({"user": place.user} if place.user else {})}
    state = "deleted row" if row.deleted else ""
    said: Json = {**mine, "url": web.shown_url(place.url), "container": name, "state": state, **more}
    kept = {key: value for key, value in said.items() if value not in (None, "", 0)}
    ending = " (deleted row)" if state else ""
    yield item.finding(kind, title[:280] + ending, kept)
    if kind == "visit" and (found := web.search_term(place.url)):
        data = {**mine, "term": found[0], "engine": found[1], "url": kept["url"], "time": kept.get("time"), "state": state}
        searched = {key: value for key, value in data.items() if value not in (None, "")}
        yield item.finding("search-term", f"searched {found[1]} for: {found[0][:200]}{ending}", searched)


def _kind(name: str, container: Json, row: Row, place: Place) -> tuple[str, str, dict[str, Any]]:
    lowered, short = name.lower(), place.url[:200]
    if lowered in ("cookieentryex", "hstsentryex"):
        return _host(lowered, row)
    file = _text(row, "Filename")
    more: dict[str, Any] = {
        "time": _time(row, "AccessedTime") or _time(row, "SyncTime"),
        "size": _number(row, "FileSize"),
        "hits": _number(row, "AccessCount"),
        "created": _time(row, "CreationTime"),
        "expires": _time(row, "ExpiryTime"),
    }
    if place.store in ("visited", "daily", "weekly"):
        return _visit(row, place, more)
    if place.store == "iedownload" or lowered == "iedownload":
        got = msiecf.read_download(_bytes(row, "ResponseHeaders"))
        if got is None:
            return "download", "a download of which nothing is known", {**more, "url": "", "number": place.url}
        return "download", f"downloaded {got.path[-200:] or got.url[:200]}", {
            **more, "time": times.iso(got.started) or more["time"], "url": web.shown_url(got.url), "path": got.path, "size": got.size,
            "received": got.received, "state_of_download": got.state, "referrer": web.shown_url(got.referrer),
        }  # fmt: skip
    if lowered.startswith("backgroundtransfer"):
        return "download", f"downloaded by an app: {short or file[-200:]}", {**more, "path": file}
    if place.store == "cookie" or lowered == "cookies":
        return "cookie", f"a cookie of {short}", {**more, "path": _path(container, row, file), "modified": _time(row, "ModifiedTime")}
    if lowered == "leakfiles":
        when = _time(row, "CreationTime")
        return "cached", f"kept by Internet Explorer, from an address that is gone: {file[-200:]}", {"time": when, "path": file}
    if lowered in ("content", "appcacheentryex") or (place.store == "cache" and file):
        return _cached(container, row, short, file, more)
    return "web-store", f"kept for {short or 'an address'} ({name or place.store})", {**more, "path": _path(container, row, file)}


def _cached(container: Json, row: Row, short: str, file: str, more: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    status, fields = web.split_headers(_bytes(row, "ResponseHeaders"))
    asked = web.split_headers(b"\r\n" + _bytes(row, "RequestHeaders"))[1]
    return "cached", f"kept by Internet Explorer from {short or 'an address'}", {
        **more,
        "path": _path(container, row, file),
        "mime": web.mime_of(fields),
        "status": status[9:12] if status.startswith("HTTP/") else "",
        "server_time": fields.get("date", ""),
        "last_modified": _time(row, "ModifiedTime"),
        "referrer": web.shown_url(asked.get("referer", "")),
        "redirect_url": web.shown_url(_text(row, "RedirectUrl")),
    }  # fmt: skip


def _visit(row: Row, place: Place, more: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    values = msiecf.visit_values(_bytes(row, "ResponseHeaders"))
    # As in index.dat: those by day and week have the clock on the wall beside; a week's first time may be that of its container.
    local = _time(row, "ModifiedTime") if place.store != "visited" else None
    more = {
        **more,
        "time": more["time"] if place.store != "weekly" else None,
        "local_time": (local or "").removesuffix("Z"),
        "title": values.get(0x10, ""),
        "history": place.store if place.store != "visited" else "",
    }
    if place.url.lower().startswith("file:"):
        path = unquote(place.url[5:])
        path = path.lstrip("/") if path.startswith("///") else path
        return "recent-file", f"was opened: {path[:200]}", {**more, "path": str(PureWindowsPath(path)) if path else ""}
    if place.url.startswith(":Host: "):
        return "visit", f"visited something at {place.url[7:200]}", {**more, "url": "", "host": place.url[7:]}
    return "visit", f"visited {place.url[:200] or 'an address'}", more


def _host(store: str, row: Row) -> tuple[str, str, dict[str, Any]]:
    """A cookie, or the note that a site wants encryption; its domain is kept the other way round (``com.example``)."""
    host = ".".join(reversed(_text(row, "RDomain").strip(".").split(".")))
    if store == "hstsentryex":
        return "web-store", f"a note on the site {host[:200]}", {"store": "HSTS", "host": host, "time": _time(row, "LastTimeUsed")}
    name = _bytes(row, "Name").decode("utf-8", "replace").rstrip("\0")[:300]
    more = {"url": f"{host}{_text(row, 'Path')}", "name": name, "time": _time(row, "LastModified"), "expires": _time(row, "Expires")}
    return "cookie", f"a cookie of {host[:200]}", more


def _path(container: Json, row: Row, file: str) -> str:
    """Return the path of a kept file. The cache's folders, of eight letters each, stand one behind the other and are counted from one."""
    if not file or ":\\" in file:
        return file
    base, folders, number = (
        str(container.get("Directory") or ""),
        str(container.get("SecureDirectories") or ""),
        _number(row, "SecureDirectory"),
    )
    folder = folders[8 * number - 8 : 8 * number] if 0 < number <= 64 else ""
    return str(PureWindowsPath(base, folder, file)) if base else file


def _text(row: Row, name: str) -> str:
    value = row.values.get(name)
    return value if isinstance(value, str) else value.decode("utf-8", "replace").rstrip("\0") if isinstance(value, bytes) else ""


def _bytes(row: Row, name: str) -> bytes:
    value = row.values.get(name)
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace") if isinstance(value, str) else b""


def _number(row: Row, name: str) -> int:
    value = row.values.get(name)
    return value if isinstance(value, int) else 0


def _time(row: Row, name: str) -> str | None:
    return times.iso(times.filetime(_number(row, name) or None))


PLUGIN = WebCache
