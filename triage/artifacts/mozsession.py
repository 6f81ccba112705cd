"""What Firefox's session files say: windows with their tabs, tabs and windows that were closed, what was typed into forms, cookies.

Shape: ``browser/components/sessionstore`` of Firefox (SessionStore, TabState; MPL, read for the names alone), from version 3 on. A tab has
``entries`` (pages, ``index`` tells which one is shown, from 1) and ``lastAccessed`` (milliseconds); a closed one stands in a window's
``_closedTabs`` with its state inside; a closed window in ``_closedWindows``. Bookmarks' backups are trees of ``children``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times, web
from triage.artifacts.browsing import fact, short, tab
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact

_LONGEST = 2000


def session_facts(value: Any) -> Iterator[Fact]:
    """Yield what a session says; nothing for a JSON value that is none."""
    if not isinstance(value, dict):
        return
    last = times.unix_ms(_dict(value.get("session")).get("lastUpdate"))
    for number, window in enumerate(_dicts(value.get("windows")), 1):
        yield from _window(window, last, number, closed=False)
    for window in _dicts(value.get("_closedWindows")):
        yield from _window(window, times.unix_ms(window.get("closedAt")), None, closed=True)
    for closed in _dicts(value.get("savedGroups")):
        for one in _dicts(closed.get("tabs")):
            yield from _closed_tab(one)
    for cookie in _dicts(value.get("cookies")):
        yield _cookie(cookie)


def is_session(value: Any) -> bool:
    """Whether a JSON value is a session."""
    return isinstance(value, dict) and isinstance(value.get("windows"), list)


def is_bookmarks(value: Any) -> bool:
    """Whether a JSON value is a backup of bookmarks."""
    return isinstance(value, dict) and isinstance(value.get("children"), list) and bool({"type", "guid", "root"} & value.keys())


def bookmark_facts(value: Any) -> Iterator[Fact]:
    """Yield the bookmarks of a backup, with the folders that they lie in."""
    waiting: list[tuple[Any, str]] = [(value, "")]
    while waiting:
        node, folder = waiting.pop()
        if not isinstance(node, dict):
            continue
        name, url = _text(node.get("title")), _text(node.get("uri"))
        if url and not url.startswith("place:"):
            yield fact(
                "bookmark",
                f"bookmarked {short(url)}",
                times.unix_us(node.get("dateAdded")),
                url=web.shown_url(url),
                title=name,
                folder=folder,
                changed_time=times.unix_us(node.get("lastModified")),
                keyword=_text(node.get("keyword")),
                tags=_text(node.get("tags")),
            )
        children = node.get("children")
        if isinstance(children, list):
            inner = f"{folder}/{name}".strip("/")[:_LONGEST]
            waiting += [(child, inner) for child in reversed(children)]


def is_engines(value: Any) -> bool:
    """Whether a JSON value is a profile's list of search engines."""
    return isinstance(value, dict) and isinstance(value.get("engines"), list)


def engine_facts(value: Any) -> Iterator[Fact]:
    """Yield the search engines of a profile that it did not come with, and the one that is searched with when that was chosen."""
    if not is_engines(value):
        return
    chosen = _dict(value.get("metaData")).get("current")
    for engine in _dicts(value["engines"]):
        if engine.get("_isAppProvided") or engine.get("_isBuiltin"):
            continue
        name = _text(engine.get("_name"))
        urls = [web.shown_url(_text(one.get("template"))) for one in _dicts(engine.get("_urls"))]
        if name:
            yield fact(
                "search-engine",
                f"a search engine that was added: {show(name[:100])}",
                None,
                name=name,
                urls=[url for url in urls if url][:10],
                from_path=_text(engine.get("_loadPath")),
                chosen=name == chosen or None,
            )


def _window(window: dict[str, Any], when: int | None, number: int | None, *, closed: bool) -> Iterator[Fact]:
    private = True if window.get("isPrivate") else None
    shared = {"closed": closed, "window": number, "private": private}
    for one in _dicts(window.get("tabs")):
        yield from _pages(one, when, **shared)
    for one in _dicts(window.get("_closedTabs")):
        yield from _closed_tab(one, private=private)
    for group in _dicts(window.get("closedGroups")):
        for one in _dicts(group.get("tabs")):
            yield from _closed_tab(one, private=private)


def _closed_tab(one: dict[str, Any], **more: Any) -> Iterator[Fact]:
    state = one.get("state")
    closed = times.unix_ms(one.get("closedAt"))
    yield from _pages(state if isinstance(state, dict) else one, closed, closed=True, closed_time=closed, **more)


def _pages(one: dict[str, Any], when: int | None, **more: Any) -> Iterator[Fact]:
    """Yield a tab's pages and what was typed into them."""
    accessed = times.unix_ms(one.get("lastAccessed"))
    entries = _dicts(one.get("entries"))
    index = one.get("index")
    current = index - 1 if isinstance(index, int) and 0 < index <= len(entries) else len(entries) - 1
    when = accessed if accessed is not None else when
    for place, entry in enumerate(entries):
        url = _text(entry.get("url"))
        yield from tab(
            url,
            _text(entry.get("title")),
            when if place == current else None,
            place="" if place == current else "back" if place < current else "forward",
            referrer=web.shown_url(_text(entry.get("referrer"))),
            asked_url=_other(_text(entry.get("originalURI")), url),
            pinned=True if one.get("pinned") else None,
            container=one.get("userContextId") or None,
            **more,
        )
        yield from _frames(entry)
        yield from _form(entry.get("formdata"), url, when)
    shown = _text(entries[current].get("url")) if entries else ""
    if not entries:
        typed = _text(one.get("userTypedValue"))
        yield from tab(typed, "", when, **more) if ":" in typed else ()
    yield from _form(one.get("formdata"), shown, when)
    # Until Firefox 14 the text of a form stood beside the tab.
    if isinstance(text := one.get("text"), str) and text:
        yield _typed("", text, shown, when)


def _frames(entry: dict[str, Any]) -> Iterator[Fact]:
    """Yield the pages in the frames of one; how deep they nest is bounded by the reader of JSON."""
    for child in _dicts(entry.get("children")):
        url = web.shown_url(_text(child.get("url")))
        if url and not url.startswith("about:"):
            yield fact("tab", f"in a frame of a tab: {short(url)}", None, url=url, title=_text(child.get("title")), place="frame")
        yield from _frames(child)


def _form(form: Any, url: str, when: int | None) -> Iterator[Fact]:
    """Yield what was typed into a page: ``id`` and ``xpath`` are fields, ``innerHTML`` the text of an editor, ``children`` frames."""
    if not isinstance(form, dict):
        return
    known = {"id", "xpath", "innerHTML", "children", "url"}
    groups = [form[name] for name in ("id", "xpath") if isinstance(form.get(name), dict)]
    if not groups and not known & form.keys():
        groups = [form]  # until Firefox 14
    for group in groups:
        for name, value in group.items():
            if text := _value(value):
                yield _typed(name, text, url, when)
    if inner := _text(form.get("innerHTML")):
        yield _typed("", inner, url, when)
    for child in _dicts(form.get("children")):
        yield from _form(child, _text(child.get("url")) or url, when)


def _typed(name: str, text: str, url: str, when: int | None) -> Fact:
    return fact("autofill", f"typed into a page: {show(text[:200])}", when, field=name[-_LONGEST:], value=text, url=web.shown_url(url))


def _value(value: Any) -> str:
    """Return what a field holds as text, or the files that were chosen in it; what is only ticked or chosen by number is none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict):
        if isinstance(value.get("fileList"), list):
            return ", ".join(_text(one) for one in value["fileList"])
        return _text(value.get("value"))
    return ""


def _cookie(cookie: dict[str, Any]) -> Fact:
    host, name = _text(cookie.get("host"))[:500], _text(cookie.get("name"))[:1000]
    return fact(
        "cookie",
        f"a cookie of {show(host[:200])}: {show(name[:100])}",
        None,
        host=host,
        name=name,
        value=_text(cookie.get("value"))[:1000],
        path=_text(cookie.get("path"))[:1000],
        expires_time=times.any_unix(cookie.get("expiry")),
        container=_dict(cookie.get("originAttributes")).get("userContextId") or None,
    )


def _other(url: str, than: str) -> str:
    return web.shown_url(url) if url != than else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
