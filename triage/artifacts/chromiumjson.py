"""Chromium's files in JSON: bookmarks, and what its settings say of accounts, profiles, folders, sites and extensions.

Names as Chromium has them (BSD): ``components/bookmarks/browser/bookmark_codec.cc``, ``chrome/common/pref_names.cc``,
``components/content_settings``. Times are microseconds since 1601, as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import times, web
from triage.artifacts.browsing import fact, short
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.browsing import Fact

_SETTINGS = {
    "downloads": ("download", "default_directory"),
    "saved_to": ("savefile", "default_directory"),
    "last_folder": ("selectfile", "last_directory"),
    "home_page": ("homepage",),
    "urls": ("session", "startup_urls"),
    "languages": ("intl", "accept_languages"),
    "exit": ("profile", "exit_type"),
    "last_profile": ("profile", "last_used"),
}
_ENDINGS = ("", "*", ",*")


def is_chromium(value: Any) -> bool:
    """Whether a JSON value is one of Chromium's files that are read here."""
    return isinstance(value, dict) and bool({"roots", "profile", "account_info", "extensions", "google", "os_crypt"} & value.keys())


def chromium_facts(value: Any) -> Iterator[Fact]:
    """Yield what a file says, whichever it is."""
    roots = _at(value, "roots")
    for name, root in roots.items() if isinstance(roots, dict) else ():
        yield from _bookmarks(root, name)
    yield from _accounts(value)
    yield from _settings(value)
    yield from _sites(value)
    yield from _extensions(value)


def _bookmarks(root: Any, name: str) -> Iterator[Fact]:
    waiting = [(root, name)]
    while waiting:
        node, folder = waiting.pop()
        if not isinstance(node, dict):
            continue
        title, url = _text(node.get("name")), _text(node.get("url"))
        if url:
            meta = node.get("meta_info")
            yield fact(
                "bookmark",
                f"bookmarked {short(url)}",
                _time(node.get("date_added")),
                url=web.shown_url(url),
                title=title,
                folder=folder,
                used_time=_time(node.get("date_last_used")) or _time(_at(meta, "last_visited_desktop")),
            )
        children = node.get("children")
        if isinstance(children, list):
            inner = folder if node is root else f"{folder}/{title}"[:2000]
            waiting += [(child, inner) for child in reversed(children)]


def _accounts(value: Any) -> Iterator[Fact]:
    found = _at(value, "account_info")
    for one in found if isinstance(found, list) else []:
        yield from _account(_text(_at(one, "email")), _text(_at(one, "full_name")), _text(_at(one, "gaia")), None, "")
    last = _text(_at(value, "google", "services", "last_username")) or _text(_at(value, "google", "services", "username"))
    if last and not (isinstance(found, list) and any(_at(one, "email") == last for one in found)):
        yield from _account(last, "", "", None, "")
    cache = _at(value, "profile", "info_cache")
    for folder, one in cache.items() if isinstance(cache, dict) else ():
        name = _text(_at(one, "gaia_name")) or _text(_at(one, "name"))
        active = _at(one, "active_time")
        yield from _account(_text(_at(one, "user_name")), name, _text(_at(one, "gaia_id")), _time(active), folder)


def _account(email: str, name: str, number: str, when: int | None, folder: str) -> Iterator[Fact]:
    if email or name:
        who = show((email or name)[:150])
        title = f"a profile of the browser: {who}" if folder else f"signed in to the browser as {who}"
        more = {"profile": folder} if folder else {}
        yield fact("account", title, when, account=email, name=name, number=number, **more)


def _settings(value: Any) -> Iterator[Fact]:
    said: dict[str, Any] = {}
    for name, path in _SETTINGS.items():
        found = _at(value, *path)
        if isinstance(found, str):
            said[name] = found[:2000]
        elif isinstance(found, list):
            said[name] = [web.shown_url(one)[:2000] for one in found if isinstance(one, str)][:20]
    profile = _text(_at(value, "profile", "name"))
    made = _time(_at(value, "profile", "creation_time"))
    if any(said.values()) or profile or made is not None:
        yield fact("program-settings", "settings of the browser", None, name=profile, created_time=made, **said)


def _sites(value: Any) -> Iterator[Fact]:
    """Yield what is kept of sites: each was visited or set by hand, whatever became of the history."""
    kinds = _at(value, "profile", "content_settings", "exceptions")
    for kind, sites in kinds.items() if isinstance(kinds, dict) else ():
        for pattern, one in sites.items() if isinstance(sites, dict) else ():
            url = pattern.partition(",")[0]
            setting = _at(one, "setting")
            when = next(
                (
                    t
                    for t in map(_time, (_at(setting, "lastEngagementTime"), _at(one, "last_visited"), _at(one, "last_used")))
                    if t is not None
                ),
                None,
            )
            changed = _time(_at(one, "last_modified"))
            if url in _ENDINGS or (when is None and changed is None):
                continue
            yield fact(
                "site-setting",
                f"kept of a site ({show(kind[:60])}): {short(url)}",
                when if when is not None else changed,
                url=web.shown_url(url),
                kept=kind[:100],
                changed_time=changed,
                score=_at(setting, "rawScore") if isinstance(_at(setting, "rawScore"), int | float) else None,
                value=setting if isinstance(setting, int) and not isinstance(setting, bool) else None,
            )
    for levels in (_at(value, "partition", "per_host_zoom_levels"),):
        for hosts in levels.values() if isinstance(levels, dict) else ():
            for host, one in hosts.items() if isinstance(hosts, dict) else ():
                changed = _time(_at(one, "last_modified"))
                if host and changed is not None:
                    yield fact("site-setting", f"kept of a site (zoom): {short(host)}", changed, url=web.shown_url(host), kept="zoom")


def _extensions(value: Any) -> Iterator[Fact]:
    found = _at(value, "extensions", "settings")
    for number, one in found.items() if isinstance(found, dict) else ():
        name = _text(_at(one, "manifest", "name"))
        # What the browser itself brings lies at no path of the profile's, or in its own folder.
        if not name or _at(one, "location") in (5, 10):
            continue
        yield fact(
            "program-installed",
            f"an extension of the browser: {show(name[:150])}",
            _time(_at(one, "first_install_time")) or _time(_at(one, "install_time")),
            name=name,
            number=number[:100],
            version=_text(_at(one, "manifest", "version")),
            path=_text(_at(one, "path"))[:2000],
            from_store=True if _at(one, "from_webstore") is True else None,
        )


def _time(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
        return times.webkit(int(value))
    if isinstance(value, float):
        # Engagement is kept as a real number, whose last digits mean nothing; until 2018 uses of a site were seconds since 1970.
        return times.unix_us(round(value * 1e6)) if abs(value) < 1e11 else times.webkit(int(value))
    return times.webkit(value) if isinstance(value, int) else None


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
