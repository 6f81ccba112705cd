"""What Windows Search knows of files, pages and mails that may be gone, and the names of thumbnails (Windows.edb, Windows.db)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import searchindex, sqlite, times, web
from triage.artifacts.ese import open_ese
from triage.artifacts.structure import StructureError
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.searchindex import Entry
    from triage.artifacts.structure import Notes
    from triage.model import Json

_MOST = 28_000
_OWNER = re.compile(r"^[a-z0-9]{2,20}://\{(S-1-[0-9-]{3,180})\}/", re.IGNORECASE)
_SHOWN = (".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".avif", ".raw", ".dng", ".cr2", ".nef",
          ".mp4", ".m4v", ".mov", ".avi", ".wmv", ".mpg", ".mpeg", ".mkv", ".webm", ".flv", ".3gp", ".mts")  # fmt: skip


class WindowsSearch:
    """``thumbnail-name``, ``indexed-file``, ``visit``, ``search-term``, ``mail``, ``activity``.

    A name of a thumbnail has the ``cache_id`` that the plugin ``thumbcache`` gives the thumbnail. Pictures, films, pages and mails come
    first, other files as far as there is room. What the index says of a file stands as long as the index is not made anew, though the
    file, or its medium, be gone.
    """

    name = "windows_search"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("Windows.edb", "Windows.db", "S-1-5-21-*.edb"), min_size=4096, beside=("{name}-wal",))

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what is known of each item."""
        if item.read_at(0, 16).startswith(b"SQLite format 3"):
            yield from self._sqlite(item)
            return
        try:
            database = open_ese(item.read_at, item.size)
            searchindex.table_of(database)
        except StructureError as error:
            yield item.problem(f"an index of Windows Search that cannot be read: {error}")
            return
        if not database.clean:
            yield item.problem("the index of Windows Search was not closed: changes that stand in its logs alone are not seen")
        yield from _all(item, lambda: searchindex.entries_of_ese(database), database.notes)

    def _sqlite(self, item: Item) -> Iterator[Finding | Problem]:
        log = next((one.read(sqlite.MAX_BYTES) for one in item.beside if one.name.lower().endswith("-wal")), None)
        try:
            with sqlite.open_database(item.read(sqlite.MAX_BYTES), log) as database:
                entries = list(searchindex.entries_of_sqlite(database))
                yield from _all(item, lambda: iter(entries), database.notes)
        except StructureError as error:
            yield item.problem(f"an index of Windows Search that cannot be read: {error}")


def _all(item: Item, entries: Callable[[], Iterator[Entry]], notes: Notes) -> Iterator[Finding | Problem]:
    said = left = packed = 0
    for first in (True, False):
        for entry in entries():
            if _is_first(entry) is not first:
                continue
            if not entry.texts:
                packed += entry.packed
                continue
            if said >= _MOST:
                left += 1
                continue
            for finding in _said(item, entry):
                said += 1
                yield finding
    if packed:
        yield item.problem(f"{packed:,} items of the index have names packed as Windows Vista did, which are not read")
    if left:
        yield item.problem(f"{left:,} items of the index of Windows Search were left out")
    for line in notes.lines():
        yield item.problem(f"the index of Windows Search was not read whole: {line}")


def _is_first(entry: Entry) -> bool:
    url, kind = entry.texts.get("System_ItemUrl", "").lower(), entry.texts.get("System_Kind", "").lower()
    if url and not url.startswith("file:"):
        return True
    return kind.startswith(("picture", "video")) or entry.texts.get("System_ItemPathDisplay", "").lower().endswith(_SHOWN)


def _said(item: Item, entry: Entry) -> Iterator[Finding]:
    texts, numbers = entry.texts, entry.numbers
    url, path = texts.get("System_ItemUrl", ""), texts.get("System_ItemPathDisplay", "")
    owner = _OWNER.match(url)
    user = web.whose(path.replace("\\", "/")).get("user") or (owner[1] if owner else "")
    common: dict[str, Any] = {
        **web.whose(item.entry.path),
        **({"user": user} if user else {}),
        "computer": texts.get("System_ComputerName", ""),
        "indexed": _time(numbers, "System_Search_GatherTime"),
        "state": "deleted row" if entry.deleted else "",
    }
    kind, title, more = _kind(entry, url, path)
    data = {key: value for key, value in {**common, **more}.items() if value not in (None, "", 0)}
    yield item.finding(kind, title[:280] + (" (deleted row)" if entry.deleted else ""), data)
    found = web.search_term(more["url"]) if kind == "visit" else None
    if found:
        term: Json = {key: data[key] for key in ("user", "computer", "state", "time", "url") if key in data}
        yield item.finding("search-term", f"searched {found[1]} for: {found[0][:200]}", {**term, "term": found[0], "engine": found[1]})


def _kind(entry: Entry, url: str, path: str) -> tuple[str, str, dict[str, Any]]:
    texts, numbers = entry.texts, entry.numbers
    lowered = url.lower()
    when = _time(numbers, "System_DateModified")
    address = texts.get("System_Link_TargetUrl", "") or re.sub(r"^iehistory://(?:\{[^}]*\}/)?", "", url, flags=re.IGNORECASE)
    if lowered.startswith("iehistory:") or (re.match(r"https?://", address) and not lowered.startswith(("file:", "mapi"))):
        visited = _time(numbers, "System_Link_DateVisited") or when
        name = texts.get("System_Title") or texts.get("System_ItemNameDisplay", "")
        return "visit", f"visited {address[:200]}", {"url": web.shown_url(address), "time": visited, "title": name}
    if texts.get("System_Activity_DisplayText") or texts.get("System_ActivityHistory_AppId"):
        program = texts.get("System_Activity_AppDisplayName", "") or texts.get("System_ActivityHistory_AppId", "")
        shown = texts.get("System_Activity_DisplayText", "")
        return "activity", f"used {program[:80] or 'a program'}: {shown[:200]}", {
            "time": _time(numbers, "System_ActivityHistory_StartTime") or when,
            "end_time": _time(numbers, "System_ActivityHistory_EndTime"), "name": shown, "program": program,
            "content_url": web.shown_url(texts.get("System_Activity_ContentUri", "")),
        }  # fmt: skip
    text = texts.get("System_Search_AutoSummary", "")[:500]
    if texts.get("System_Message_FromAddress") or texts.get("System_Message_ToAddress"):
        subject = texts.get("System_Subject") or texts.get("System_Title") or texts.get("System_ItemNameDisplay", "")
        return "mail", f"a mail in the index: {subject[:200]}", {
            "time": _time(numbers, "System_Message_DateReceived") or _time(numbers, "System_Message_DateSent") or when,
            "from": texts.get("System_Message_FromAddress") or texts.get("System_Message_FromName", ""),
            "to": texts.get("System_Message_ToAddress") or texts.get("System_Message_ToName", ""),
            "subject": subject, "text": text,
        }  # fmt: skip
    cache_id = numbers.get("System_ThumbnailCacheId")
    named = path or url or texts.get("System_ItemNameDisplay", "")
    more = {
        "path": path,
        "item": url if not path else "",
        "name": texts.get("System_ItemNameDisplay", ""),
        "size": numbers.get("System_Size"),
        "time": when,
        "created": _time(numbers, "System_DateCreated"),
        "accessed": _time(numbers, "System_DateAccessed"),
        "kind": texts.get("System_Kind", ""),
        "mime": texts.get("System_MIMEType", ""),
        "owner": texts.get("System_FileOwner", ""),
        "target_path": texts.get("System_Link_TargetParsingPath", ""),
        "text": text,
    }
    if cache_id:
        return "thumbnail-name", f"the name of a thumbnail: {named[:200]}", {**more, "cache_id": f"{cache_id:016x}"}
    return "indexed-file", f"was indexed: {named[:200]}", more


def _time(numbers: dict[str, int], name: str) -> str | None:
    return times.iso(times.filetime(numbers.get(name)))


PLUGIN = WindowsSearch
