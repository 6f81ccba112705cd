"""Pictures and films inside files of no known type: caches and stores of programs that no other plugin reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts.embedded import embedded
from triage.artifacts.structure import Notes
from triage.artifacts.volley import HEAD, parse_volley
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 2000
_CACHE = re.compile(r"cache|thumb|/blob|/temp/|/tmp/|offline", re.IGNORECASE)
# Names whose pictures other plugins give, or the search of page files does.
_TAKEN = re.compile(
    r"data_\d|f_[0-9a-f]{6}|[0-9a-f]{16}_[01s]|[0-9A-F]{40}|_CACHE_00\d_|_CACHE_MAP_|(?:thumbcache|iconcache)_?\w*\.db|\.thumbdata.*"
    r"|.*imgcache.*\.[01]|.*thumbschunk_\d+|.*\.ithmb|(?:pagefile|hiberfil|swapfile)\.sys",
    re.IGNORECASE,
)
# What the system and its programs bring along.
_SYSTEM = re.compile(
    r"/(?:Windows|Program Files(?: \(x86\))?|usr|System|opt|snap|Applications|lib(?:64)?|boot|apex|vendor|product)/"
    r"|^[^/]*/Library/(?!Caches/|Application Support/)",
    re.IGNORECASE,
)


class EmbeddedPictures:
    """A cached entry (in caches) or derived one each, whole ones alone. Not what lies in folders of the system."""

    name = "embedded_pictures"
    version = "2"
    tried_on = "made samples"
    accepts = Accepts(categories=("unknown",), kinds=(Kind.FILE, Kind.STREAM), min_size=1024, max_size=256 << 20)

    def analyze(self, item: Item) -> Iterator[Problem | Child]:
        """Yield the pictures and films, unless it is a file that another plugin reads."""
        path = item.entry.path
        cached = _CACHE.search(f"/{path}") is not None
        if _TAKEN.fullmatch(item.entry.name) or (not cached and _SYSTEM.search(f"/{path}")) or parse_volley(item.head(HEAD)) is not None:
            return
        notes, mine = Notes(), whose(path)
        by = mine.get("application", "a program")
        for one in embedded(item.read_at, item.size, _MOST, notes):
            said = ("cached", f"kept by {by} inside {item.entry.name}") if cached else ("embedded", f"found inside {item.entry.name}")
            yield item.child(
                f"{one.offset:08x}{one.ending}",
                [["cut", one.offset, one.length]],
                one.length,
                kind=Kind.CACHED if cached else Kind.DERIVED,
                findings=[(*said, {"offset": one.offset, **mine})],
            )
        for line in notes.lines():
            yield item.problem(line)


PLUGIN = EmbeddedPictures
