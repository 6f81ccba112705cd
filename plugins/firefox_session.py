"""Tabs of Firefox that were open or closed, what was typed into their pages, bookmarks' backups, search engines that were added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import lz4block
from triage.artifacts.jsonfile import parse_json
from triage.artifacts.mozsession import bookmark_facts, engine_facts, is_bookmarks, is_engines, is_session, session_facts
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST = 64 << 20


class FirefoxSession:
    """A finding ``tab`` a page of a tab, ``autofill`` a text typed, ``cookie``, ``bookmark``, ``search-engine``, ``search-term``."""

    name = "firefox_session"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            "*sessionstore*.jsonlz4", "*sessionstore*.js", "*sessionstore*.json", "*sessionstore*.bak*", "sessionstore-backups/*",
            "*recovery.jsonlz4", "*recovery.baklz4", "*previous.jsonlz4", "*upgrade.jsonlz4-*",
            "bookmarkbackups/*", "*bookmarks-????-??-??*",
            "search.json.mozlz4", "Profiles/*/search.json", "firefox/*/search.json",
        ),
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says, by what it holds rather than by its name."""
        packed = item.read_at(0, 8) == lz4block.MOZILLA
        if not packed and item.read_at(0, 64).lstrip(b"\xef\xbb\xbf \t\r\n(")[:1] != b"{":
            return
        if item.size > _LARGEST:
            yield item.problem(f"a session of {item.size:,} bytes was not read: more than {_LARGEST:,}")
            return
        data, why = item.read(_LARGEST), ""
        if packed:
            data, why = lz4block.undo_mozilla(data, _LARGEST)
        elif data.lstrip().startswith(b"("):  # until Firefox 3.5 the object stood in brackets
            data = data.strip().removeprefix(b"(").removesuffix(b";").removesuffix(b")")
        if why:
            yield item.problem(why)
        try:
            document = parse_json(data)
        except StructureError as error:
            yield item.problem(f"a session or backup of Firefox that cannot be read: {error}")
            return
        value = document.value
        mine = {"application": "Firefox", **whose(item.entry.path)}
        if is_session(value):
            facts = session_facts(value)
        elif is_bookmarks(value):
            facts = bookmark_facts(value)
        elif is_engines(value):
            facts = engine_facts(value)
        else:
            yield item.problem("a file with the name of a session or backup of Firefox holds none")
            return
        for one in facts:
            yield item.finding(one.kind, one.title, {**mine, **one.data})
        for line in document.notes:
            yield item.problem(line)


PLUGIN = FirefoxSession
