"""What Firefox kept of the web (cache2, a file an entry)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import cache2, times, web
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_BODY = 256 << 20


class FirefoxCache:
    """A cached entry a body, with the finding ``cached``; ``cached-nothing`` for an answer without one."""

    name = "firefox_cache"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("*/cache2/**",), kinds=(Kind.FILE, Kind.DERIVED), min_size=40)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the body and what the entry says of it."""
        name = item.entry.name
        if len(name) < 16 or not all(c in "0123456789abcdefABCDEF" for c in name):
            return
        entry = cache2.parse_cache2(item.read_at, item.size)
        if entry is None:
            yield item.problem("a file of Firefox's cache that is none of its entries, or breaks off")
            return
        status, headers = web.split_headers(entry.elements.get("response-head", b""))
        url, time, mime = web.shown_url(entry.url), times.unix(entry.fetched), web.mime_of(headers)
        said = web.cached(
            item.entry.path,
            url,
            time,
            mime,
            status=status[9:12],
            server_time=headers.get("date", ""),
            last_modified=headers.get("last-modified", ""),
            encoding=headers.get("content-encoding", ""),
            modified=times.iso(times.unix(entry.modified)),
            times_fetched=entry.fetches,
            doomed="/doomed/" in item.entry.path.lower() or "/trash" in item.entry.path.lower(),
        )
        if not entry.body:
            yield item.finding("cached-nothing", said[1].replace("kept", "asked for", 1), said[2])
            return
        # Firefox keeps some bodies with their encoding undone, and says so in the head all the same.
        steps = [["cut", 0, entry.body], *web.undo_steps(headers, _LARGEST_BODY)]
        size, why = item.measure(steps) if len(steps) > 1 else (entry.body, "")
        if len(steps) > 1 and not size:
            steps, size, why = steps[:1], entry.body, ""
        if why:
            said[2]["damaged"] = why
        yield item.child(
            web.file_name(url, mime), steps, size, kind=Kind.CACHED, mtime=time, time_basis=TimeBasis.UTC, findings=[said]
        )


PLUGIN = FirefoxCache
