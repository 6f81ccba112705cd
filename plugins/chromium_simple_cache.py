"""What Chrome and programs built on it kept of the web on Linux, macOS and Android (simple cache, a file an entry)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import blockfile, simplecache, times, web
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_BODY = 256 << 20


class ChromiumSimpleCache:
    """A cached entry a body, with the finding ``cached``."""

    name = "chromium_simple_cache"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*/????????????????_0",), kinds=(Kind.FILE, Kind.CARVED, Kind.DERIVED), min_size=49)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the body and what the entry says of it."""
        entry = simplecache.parse_simple(item.read_at, item.size)
        if entry is None:
            return
        answered, lines = blockfile.answer_head(entry.head)
        status, headers = web.split_headers(lines, b"\0")
        url = web.shown_url(entry.key.rpartition(b" ")[2])
        time, mime = times.webkit(answered), web.mime_of(headers)
        said = web.cached(
            item.entry.path,
            url,
            time,
            mime,
            status=status[9:12],
            server_time=headers.get("date", ""),
            last_modified=headers.get("last-modified", ""),
            encoding=headers.get("content-encoding", ""),
        )
        if entry.whole is False:
            yield item.problem("the checksum of a cached answer's head is wrong")
        if not entry.ends:
            yield item.problem("a cached entry breaks off: its head is not there")
        offset, length = entry.body
        if not length:
            yield item.finding("cached-nothing", said[1].replace("kept", "asked for", 1), said[2])
            return
        steps = [["cut", offset, length], *web.undo_steps(headers, _LARGEST_BODY)]
        size, why = item.measure(steps) if len(steps) > 1 else (length, "")
        if not size:
            steps, size = steps[:1], length
        if why:
            said[2]["damaged"] = why
        name = web.file_name(url, mime)
        yield item.child(name, steps, size, kind=Kind.CACHED, mtime=time, time_basis=TimeBasis.UTC, findings=[said])


PLUGIN = ChromiumSimpleCache
