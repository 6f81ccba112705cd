"""What Safari's property lists say: history, downloads, bookmarks, tabs, searches (macOS, iOS, Windows).

Keys as they stand in such files and as mac_apt (MIT) and WebKit (``SessionState``) name them. Times are seconds since 2001, as numbers or
text, or dates.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import times, web
from triage.artifacts.browsing import fact, search, short, tab
from triage.artifacts.macbookmark import read_bookmark
from triage.artifacts.plist import Date, parse_plist
from triage.artifacts.structure import Notes, StructureError
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact
    from triage.artifacts.plist import Value

Dict = dict[str, "Value"]
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_MOST_INNER = 1_000_000
"""Values that the sessions inside of all tabs of a file may come to: each is a property list of its own, which may be made to grow."""
_NO_SESSION = "the pages before and behind those shown could not be read of a tab: encrypted, or of another form"


class SafariFile:
    """A property list of Safari's. ``notes``: what of it could not be read, once :meth:`facts` is through."""

    def __init__(self, value: Value) -> None:
        self._value: Dict = value if isinstance(value, dict) else {}
        self._inner = _MOST_INNER
        self.notes = Notes()

    def facts(self) -> Iterator[Fact]:
        """Yield what the list says, whichever of Safari's it is."""
        value = self._value
        for one in _dicts(value.get("WebHistoryDates")):
            yield from _visit(one)
        for one in _dicts(value.get("DownloadHistory")):
            yield _download(one)
        if value.get("WebBookmarkType") or "WebBookmarkFileVersion" in value:
            yield from _bookmarks(value)
        yield from self._tabs()
        yield from _searches(value)
        yield from _top_sites(value)
        yield from _settings(value)

    def _tabs(self) -> Iterator[Fact]:
        value = self._value
        for number, window in enumerate(_dicts(value.get("SessionWindows")), 1):
            for one in _dicts(window.get("TabStates")):
                yield from self._tab(one, window=number, private=window.get("IsPrivateWindow") is True or None)
        for closed in _dicts(value.get("ClosedTabOrWindowPersistentStates")):
            state = closed.get("PersistentState")
            if not isinstance(state, dict):
                continue
            private = state.get("IsPrivateWindow") is True or None
            when = _time(state.get("DateClosed"))
            for one in _dicts(state.get("TabStates")) if "TabStates" in state else [state]:
                yield from self._tab(one, closed=True, closed_time=_time(one.get("DateClosed")) or when, private=private)
        for key, private in (("SafariStateDocuments", None), ("SafariStatePrivateDocuments", True)):
            for one in _dicts(value.get(key)):
                yield from self._document(one, private)

    def _tab(self, one: Dict, *, closed: bool = False, closed_time: int | None = None, **more: Any) -> Iterator[Fact]:
        last = _time(one.get("LastVisitTime"))
        when = last if last is not None else closed_time
        url = _text(one.get("TabURL"))
        yield from tab(url, _text(one.get("TabTitle")), when, closed=closed, closed_time=closed_time, **more)
        yield from self._session(one.get("SessionState"), url, closed=closed, **more)

    def _document(self, one: Dict, private: bool | None) -> Iterator[Fact]:
        url = _text(one.get("SafariStateDocumentURL")) or _text(one.get("SafariStateDocumentUserVisibleURL"))
        private = True if one.get("SafariStateDocumentUsesPrivateBrowsingStyle") is True else private
        title = _text(one.get("SafariStateDocumentTitle"))
        behind = one.get("SafariStateDocumentBackForwardList")
        pages = _dicts(behind.get("entries")) if isinstance(behind, dict) else []
        current = behind.get("current") if isinstance(behind, dict) else None
        found = [(_text(page.get("")), _text(page.get("title"))) for page in pages]
        if not url and isinstance(current, int) and 0 <= current < len(found):
            url, title = found[current][0], title or found[current][1]
        yield from tab(url, title, _time(one.get("SafariStateDocumentLastViewedTime")), private=private)
        yield from _before_and_behind(found, current, url, private=private)
        yield from self._session(one.get("SafariStateDocumentSessionState"), url, private=private)

    def _session(self, state: Value, url: str, **more: Any) -> Iterator[Fact]:
        """Yield the pages before and behind the one that is shown: WebKit's state of a tab, behind four bytes of its version."""
        if not isinstance(state, bytes) or not state:
            return
        if self._inner <= 0:
            self.notes.add("the pages before and behind those shown were left out: they come to more than may be read")
            return
        try:
            value = parse_plist(state if state.startswith((b"bplist", b"<?xml")) else state[4:]).value
        except StructureError:
            self.notes.add(_NO_SESSION)
            return
        self._inner -= _weight(value)
        history = value.get("SessionHistory") if isinstance(value, dict) else None
        if not isinstance(history, dict):
            return
        entries = _dicts(history.get("SessionHistoryEntries"))
        found = [
            (
                _text(one.get("SessionHistoryEntryURL")) or _text(one.get("SessionHistoryEntryOriginalURL")),
                _text(one.get("SessionHistoryEntryTitle")),
            )
            for one in entries
        ]
        yield from _before_and_behind(found, history.get("SessionHistoryCurrentIndex"), url, **more)


def _before_and_behind(found: list[tuple[str, str]], current: Value, url: str, **more: Any) -> Iterator[Fact]:
    at = current if isinstance(current, int) and 0 <= current < len(found) else len(found) - 1
    for place, (one, title) in enumerate(found):
        if place != at or one != url:
            closed = more.get("closed") is True
            rest = {name: value for name, value in more.items() if name != "closed"}
            yield from tab(one, title, None, closed=closed, place="back" if place <= at else "forward", **rest)


def _weight(value: Value) -> int:
    """Return how many values a property list comes to."""
    waiting, count = [value], 0
    while waiting:
        one = waiting.pop()
        count += 1
        if isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return count


def _visit(one: Dict) -> Iterator[Fact]:
    url, when = web.shown_url(_text(one.get(""))), _time(one.get("lastVisitedDate"))
    if not url:
        return
    urls = one.get("redirectURLs")
    yield fact(
        "visit",
        f"visited {short(url)}",
        when,
        url=url,
        title=_text(one.get("displayTitle")) or _text(one.get("title")),
        visits=one.get("visitCount") if isinstance(one.get("visitCount"), int) else None,
        urls=[web.shown_url(_text(other)) for other in urls if _text(other)][:20] if isinstance(urls, list) else [],
        failed=one.get("lastVisitWasFailure") is True or None,
    )
    yield from search(url, when)


def _download(one: Dict) -> Fact:
    url = web.shown_url(_text(one.get("DownloadEntryURL")))
    path, volume = _text(one.get("DownloadEntryPath")), ""
    for key in ("DownloadEntryBookmarkBlob", "DownloadEntryAlternateBookmarkBlob"):
        blob = one.get(key)
        if isinstance(blob, bytes) and (found := read_bookmark(blob)) is not None:
            path, volume = path or found.path, volume or found.volume
    total, got = (one.get(f"DownloadEntryProgress{name}") for name in ("TotalToLoad", "BytesSoFar"))
    return fact(
        "download",
        f"downloaded {show(path[-200:]) or short(url)}",
        _time(one.get("DownloadEntryDateAddedKey")),
        url=url,
        path=path,
        volume_name=volume,
        size=total if isinstance(total, int) and total > 0 else None,
        received=got if isinstance(got, int) and got >= 0 else None,
        state="" if not isinstance(total, int) or not isinstance(got, int) or total <= 0 else "complete" if got >= total else "broken off",
        end_time=_time(one.get("DownloadEntryDateFinishedKey")),
        private=one.get("DownloadEntryRemoveWhenDoneKey") is True or None,
    )


def _bookmarks(value: Dict) -> Iterator[Fact]:
    waiting: list[tuple[Dict, str]] = [(value, "")]
    while waiting:
        node, folder = waiting.pop()
        if url := web.shown_url(_text(node.get("URLString"))):
            names, reading = node.get("URIDictionary"), node.get("ReadingList")
            title = _text(names.get("title")) if isinstance(names, dict) else _text(node.get("Title"))
            inside = reading if isinstance(reading, dict) else {}
            yield fact(
                "bookmark",
                f"{'put on the reading list:' if inside else 'bookmarked'} {short(url)}",
                _time(inside.get("DateAdded")),
                url=url,
                title=title,
                folder=folder,
                reading_list=bool(inside) or None,
                viewed_time=_time(inside.get("DateLastViewed")),
                text=_text(inside.get("PreviewText"))[:2000],
            )
        inner = f"{folder}/{_text(node.get('Title'))}".strip("/")[:2000]
        waiting += [(child, inner) for child in reversed(_dicts(node.get("Children")))]


def _searches(value: Dict) -> Iterator[Fact]:
    recent = value.get("RecentSearchStrings")
    texts: list[tuple[str, int | None]] = [(_text(one), None) for one in recent] if isinstance(recent, list) else []
    texts += [(_text(one.get("SearchString")), _time(one.get("Date"))) for one in _dicts(value.get("RecentWebSearches"))]
    for term, when in texts:
        if term:
            yield fact("search-term", f"searched in Safari for: {show(term[:200])}", when, term=term)


def _top_sites(value: Dict) -> Iterator[Fact]:
    changed = _time(value.get("DisplayedSitesLastModified"))
    for key, own in (("TopSites", "TopSite"), ("FrequentlyVisitedSitesCache", "")):
        for one in _dicts(value.get(key)):
            url = web.shown_url(_text(one.get(f"{own}URLString")) or _text(one.get("URL")))
            if url:
                title = _text(one.get(f"{own}Title"))
                made = one.get("TopSiteIsBuiltIn") is True or None
                yield fact("top-site", f"often visited: {short(url)}", None, url=url, title=title, built_in=made, changed_time=changed)
    banned = value.get("BannedURLStrings")
    for address in banned if isinstance(banned, list) else []:
        if url := web.shown_url(_text(address)):
            title = f"was taken off the often visited pages: {short(url)}"
            yield fact("top-site", title, None, url=url, removed=True, changed_time=changed)


def _settings(value: Dict) -> Iterator[Fact]:
    names = {"DownloadsPath": "downloads", "HomePage": "home_page", "NSNavLastRootDirectory": "last_folder"}
    said = {name: text for key, name in names.items() if (text := _text(value.get(key)))}
    started = _time(value.get("SuccessfulLaunchTimestamp"))
    if said or started is not None:
        yield fact("program-settings", "settings of Safari", None, **said, started_time=started)


def _time(value: Value) -> int | None:
    if isinstance(value, Date):
        return value.nanoseconds
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return times.cocoa(float(value))
    return times.cocoa(value)


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: Value) -> list[Dict]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
