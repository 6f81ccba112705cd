"""What browsers' files that are no databases say, in the form of findings: tabs, searches, and anything else with a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts import web
from triage.artifacts.times import iso
from triage.escape import show

__all__ = ["Fact", "fact", "search", "short", "show", "tab"]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.model import Json

_LONGEST_TEXT = 16 << 10
_ASIDE = ("about:blank", "about:newtab", "about:home", "about:privatebrowsing", "chrome://newtab/", "chrome://new-tab-page/")


class Fact(NamedTuple):
    """What is said of one thing: kind, title and data of a finding."""

    kind: str
    title: str
    data: Json


def fact(kind: str, title: str, when: int | None = None, /, **data: Any) -> Fact:
    """Return a fact. ``when``, and numbers under names that end in ``_time``, are nanoseconds since 1970; empty values are left out.

    Text is cut at 16 KiB, as that of databases is.
    """
    said: Json = {"time": iso(when)}
    for name, value in data.items():
        if name.endswith("_time") and isinstance(value, int):
            said[name] = iso(value)
        else:
            said[name] = value[:_LONGEST_TEXT] if isinstance(value, str) else value
    return Fact(kind, title, {name: value for name, value in said.items() if value not in (None, "", [], {})})


def short(url: str) -> str:
    """Return an address as titles have it."""
    return show(url[:200])


def tab(url: str, title: str, when: int | None, *, closed: bool = False, place: str = "", **more: Any) -> Iterator[Fact]:
    """Yield what is said of a page of a tab: the tab, and the search when its address is one; nothing for an empty page.

    ``closed``: the tab was closed and could be opened again. ``place``: ``back`` for a page that was left, ``forward`` for one that was
    gone back from, ``gone`` for one that the tab's list no longer has, "" for the page that is shown.
    """
    url = web.shown_url(url)
    if not url or url in _ASIDE:
        return
    state = "a closed tab" if closed else "an open tab"
    way = {"back": "earlier in ", "forward": "gone back from in ", "gone": "no longer in the list of "}.get(place, "") + state
    yield fact("tab", f"{way}: {short(url)}", when, url=url, title=title, closed=closed or None, place=place, **more)
    yield from search(url, when)


def search(url: str, when: int | None) -> Iterator[Fact]:
    """Yield the search that an address is, if it is one."""
    if found := web.search_term(url):
        term, engine = found
        yield fact("search-term", f"searched {engine} for: {show(term[:200])}", when, term=term, engine=engine, url=url)
