"""Tabs of Chrome, Edge, Brave and their kin, open and closed; bookmarks, accounts, sites and extensions that their settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.browsing import fact, search, show, tab
from triage.artifacts.chromiumjson import chromium_facts, is_chromium
from triage.artifacts.jsonfile import MAX_BYTES, parse_json
from triage.artifacts.snss import MAGIC, Session
from triage.artifacts.structure import StructureError
from triage.artifacts.web import shown_url, whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.snss import Page, Tab
    from triage.plugin import Json

_LARGEST = 128 << 20
_LINKS = b"VLnk"


class ChromiumSession:
    """A finding ``tab`` a page of a tab, ``search-term``, ``bookmark``, ``account``, ``site-setting``, ``program-installed`` and more."""

    name = "chromium_session"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            "Current Session", "Last Session", "Current Tabs", "Last Tabs", "Sessions*/Session_*", "Sessions*/Tabs_*", "Sessions*/Apps_*",
            "Bookmarks", "Bookmarks.bak", "Bookmarks.msbak", "Preferences", "Secure Preferences", "Local State", "Visited Links",
        ),
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        head = item.read_at(0, 16)
        mine = whose(item.entry.path)
        if head.startswith(MAGIC):
            yield from self._session(item, mine)
        elif head.startswith(_LINKS) and len(head) == 16:
            count = int.from_bytes(head[12:16], "little")
            title = f"{count:,} addresses are marked as visited: only fingerprints of them are kept"
            yield item.finding("visited-links", title, {**mine, "count": count})
        elif head.lstrip()[:1] == b"{":
            yield from self._json(item, mine)

    def _json(self, item: Item, mine: Json) -> Iterator[Finding | Problem]:
        if item.size > MAX_BYTES:
            yield item.problem(f"settings of {item.size:,} bytes were not read: more than {MAX_BYTES:,}")
            return
        try:
            document = parse_json(item.read(MAX_BYTES))
        except StructureError as error:
            yield item.problem(f"settings or bookmarks of a browser that cannot be read: {error}")
            return
        if not is_chromium(document.value):
            return
        for one in chromium_facts(document.value):
            yield item.finding(one.kind, one.title, {**mine, **one.data})
        for line in document.notes:
            yield item.problem(line)

    def _session(self, item: Item, mine: Json) -> Iterator[Finding | Problem]:
        if item.size > _LARGEST:
            yield item.problem(f"of a session of {item.size:,} bytes only the first {_LARGEST:,} were read")
        try:
            session = Session(item.read(_LARGEST), closed="tabs" in item.entry.name.lower())
        except StructureError as error:
            yield item.problem(f"a session that cannot be read: {error}")
            return
        if session.encrypted:
            count = session.records() if session.version == 5 else 0
            data = {**mine, "version": session.version, **({"records": count} if count else {})}
            yield item.finding("encrypted", "tabs of the browser stand here encrypted", data)
            return
        for one in session.tabs():
            last = max(one.pages, default=0)
            shown = one.selected if one.selected in one.pages else last
            for index, page in sorted(one.pages.items()):
                place = "" if index == shown else "back" if index < shown else "forward"
                yield from _told(item, one, page, place, mine)
            for page in one.gone:
                yield from _told(item, one, page, "gone", mine)
        for line in session.notes.lines():
            yield item.problem(line)


def _told(item: Item, one: Tab, page: Page, place: str, mine: Json) -> Iterator[Finding]:
    found = list(
        tab(
            page.url,
            page.title,
            page.time,
            closed=one.closed,
            place=place,
            referrer=shown_url(page.referrer),
            asked_url=shown_url(page.asked) if page.asked != page.url else "",
            how=page.how,
            posted=page.posted or None,
            closed_time=one.closed_at,
            active_time=one.active if not place else None,
            reopened=one.reopened or None,
            pinned=one.pinned or None,
            window=one.window,
            tab=one.number,
        )
    )
    if page.terms and not any(f.kind == "search-term" for f in found):
        term = page.terms
        found.append(fact("search-term", f"searched for: {show(term[:200])}", page.time, term=term, url=shown_url(page.url)))
    if page.asked and page.asked != page.url:
        found += search(shown_url(page.asked), page.time)
    for told in found:
        yield item.finding(told.kind, told.title, {**mine, **told.data}, [(page.start, page.size)])


PLUGIN = ChromiumSession
