"""Addresses and times of what Android's apps kept of the web by OkHttp, of entries whose cache has lost its journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import disklru, times, web
from triage.plugin import Accepts, Finding, Item, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_HEAD = 1 << 20


class DiskCacheEntries:
    """A finding ``cached`` on the head of an answer; the body is the file of its name with ``.1``, which is read by itself."""

    name = "disk_cache_entries"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=("*/" + "?" * 32 + ".0",), kinds=(Kind.FILE, Kind.DERIVED), min_size=30, max_size=_LARGEST_HEAD, beside=("journal",)
    )

    def analyze(self, item: Item) -> Iterator[Finding]:
        """Yield what the head says, unless the journal is there: what is beside that is said there."""
        if any(disklru.parse_journal(one.read(200)) is not None for one in item.beside):
            return
        answer = disklru.parse_answer(item.read(_LARGEST_HEAD))
        if answer is None:
            return
        kind, title, data = web.cached(
            item.entry.path, web.shown_url(answer.url), times.unix_ms(answer.received), web.mime_of(answer.fields), status=answer.status,
            method=answer.method, server_time=answer.fields.get("date", ""), sent=times.iso(times.unix_ms(answer.sent)),
            encoding=answer.fields.get("content-encoding", ""), body=item.entry.name[:-1] + "1",
        )  # fmt: skip
        yield item.finding(kind, title, data)


PLUGIN = DiskCacheEntries
