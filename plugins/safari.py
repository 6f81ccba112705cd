"""Safari's property lists: pages visited, downloads, bookmarks, tabs open and closed, searches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.plist import MAX_BYTES, parse_plist
from triage.artifacts.safariplists import SafariFile
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator


class Safari:
    """A finding ``visit``, ``download``, ``bookmark``, ``tab``, ``search-term``, ``top-site`` or ``program-settings``."""

    name = "safari"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            "Safari/**/*.plist", "Safari/*.plist", "Apple Computer/Safari/*.plist", "History.plist", "Downloads.plist", "Bookmarks.plist",
            "LastSession.plist", "TopSites.plist", "RecentlyClosedTabs.plist", "SuspendState.plist", "BrowserState.plist",
            "com.apple.Safari*.plist", "com.apple.mobilesafari*.plist",
        ),
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the list says."""
        if item.size > MAX_BYTES:
            yield item.problem(f"a property list of Safari of {item.size:,} bytes was not read: more than {MAX_BYTES:,}")
            return
        try:
            plist = parse_plist(item.read(MAX_BYTES))
        except StructureError as error:
            yield item.problem(f"a property list of Safari that cannot be read: {error}")
            return
        mine = {"application": "Safari", **whose(item.entry.path)}
        file = SafariFile(plist.value)
        for one in file.facts():
            yield item.finding(one.kind, one.title, {**mine, **one.data})
        for line in (*plist.notes, *file.notes.lines()):
            yield item.problem(line)


PLUGIN = Safari
