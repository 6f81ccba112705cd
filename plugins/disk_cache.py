"""What Android's apps kept of the web by OkHttp and Picasso (DiskLruCache with its journal), and what such caches removed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from triage.artifacts import disklru, times, web
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.disklru import Answer
    from triage.plugin import Beside, Json

_LARGEST, _LARGEST_HEAD, _LARGEST_BODY, _MOST_KEYS = 64 << 20, 1 << 20, 256 << 20, 500


class DiskCache:
    """A cached entry a body, with the finding ``cached``; ``cached-nothing``, ``cached-missing``; the keys of what is gone."""

    name = "disk_cache"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("*/journal",), kinds=(Kind.FILE, Kind.DERIVED), min_size=20, beside=("*.0", "*.1"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the answers whose head lies beside, whether the journal knows them or not, and what the journal says is gone."""
        journal = disklru.parse_journal(item.read(_LARGEST))
        if journal is None:
            return
        if item.size > _LARGEST or not journal.whole:
            yield item.problem("the journal of a cache was not read whole")
        near = {b.name: b for b in item.beside}
        for name, head in sorted(near.items()):
            key, _, number = name.rpartition(".")
            answer = disklru.parse_answer(head.read(_LARGEST_HEAD)) if number == "0" else None
            if answer is not None:
                yield from _answer(item, key, answer, near.get(f"{key}.1"), known=key in journal.clean)
        there = {name.rpartition(".")[0] for name in near}
        gone = [key for key in journal.clean if key not in there]
        removed = [key for key in journal.removed if key not in there]
        if gone or removed:
            data: Json = {
                "there": len(there), "gone": gone[:_MOST_KEYS], "removed": removed[:_MOST_KEYS], "count": len(gone) + len(removed),
                "program_version": journal.version, **web.whose(item.entry.path),
            }  # fmt: skip
            title = f"{len(gone) + len(removed):,} items that a cache kept are not there any more: their keys alone are known"
            yield item.finding("cached-missing", title, {name: value for name, value in data.items() if value not in ("", [])})


def _answer(item: Item, key: str, answer: Answer, body: Beside | None, *, known: bool) -> Iterator[Finding | Child]:
    mime, time = web.mime_of(answer.fields), times.unix_ms(answer.received)
    url = web.shown_url(answer.url)
    kind, title, data = web.cached(
        item.entry.path, url, time, mime, status=answer.status, method=answer.method, server_time=answer.fields.get("date", ""),
        last_modified=answer.fields.get("last-modified", ""), encoding=answer.fields.get("content-encoding", ""),
        sent=times.iso(times.unix_ms(answer.sent)), file=f"{key}.0",
    )  # fmt: skip
    data["in_use"] = known
    if len(key) == 32 and hashlib.md5(answer.url.encode(), usedforsecurity=False).hexdigest() != key:
        data["key_agrees"] = False
    if body is None:
        yield item.finding("cached-missing", f"{title}, but its body is gone", data)
        return
    if not body.size:
        yield item.finding("cached-nothing", title.replace("kept", "asked for", 1), data)
        return
    steps: list[list[Any]] = [["cut", 0, body.size], *web.undo_steps(answer.fields, _LARGEST_BODY)]
    size, why = item.measure(steps, body) if len(steps) > 1 else (body.size, "")
    if not size:
        steps, size, why = steps[:1], body.size, ""  # kept with its encoding undone
    if why:
        data["damaged"] = why
    yield item.child(
        f"{key[:8]}-{web.file_name(url, mime)}", steps, size, kind=Kind.CACHED, beside=body.number, mtime=time, time_basis=TimeBasis.UTC,
        deleted=not known, findings=[(kind, title, data)],
    )  # fmt: skip


PLUGIN = DiskCache
