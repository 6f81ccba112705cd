"""What Chrome, Edge, Brave and programs built on them kept of the web, in the caches of Windows and Electron (block files)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import blockfile, times, web
from triage.plugin import Accepts, Beside, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.blockfile import CacheEntry, Place
    from triage.plugin import Json

_LARGEST_INDEX = 64 << 20
_LARGEST_HEAD = 256 << 10
_LARGEST_BODY = 256 << 20


class ChromiumCache:
    """A cached entry a body, with the finding ``cached``; ``cached-missing`` for a body that is not there any more."""

    name = "chromium_cache"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("*/data_1",), kinds=(Kind.FILE,), beside=("index", "data_?", "f_??????"))

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what every entry says of itself, and its body."""
        head = item.read_at(0, 16)
        if len(head) < 16 or int.from_bytes(head[:4], "little") != blockfile.MAGIC_BLOCK:
            return
        if int.from_bytes(head[12:16], "little") != 256:
            return
        near = {b.name.lower(): b for b in item.beside}
        found: dict[int, CacheEntry] = {}
        wrong = 0
        for entry in blockfile.entries(item.read_at, item.size, 1):
            key = self._key(item, near, entry)
            if blockfile.key_hash(key) != entry.hash:
                wrong += 1
                continue
            found[entry.address] = entry._replace(key=key)
        index = near.get("index")
        live = blockfile.reachable(index.read(_LARGEST_INDEX), found) if index is not None else set(found)
        if index is None:
            yield item.problem("the cache's index is not here: which of its entries were still in use is not known")
        for address, entry in sorted(found.items()):
            yield from self._entry(item, near, entry, live=address in live)

    def _key(self, item: Item, near: dict[str, Beside], entry: CacheEntry) -> bytes:
        if entry.long_key is None:
            return entry.key[: entry.key_length]
        return _read(item, near, entry.long_key, entry.key_length)

    def _entry(self, item: Item, near: dict[str, Beside], entry: CacheEntry, *, live: bool) -> Iterator[Finding | Problem | Child]:
        url = web.shown_url(entry.key.rpartition(b" ")[2])  # newer keys have the site's and the frame's names before the address
        head = _read(item, near, entry.streams[0], _LARGEST_HEAD) if entry.streams[0] else b""
        answered, lines = blockfile.answer_head(head)
        status, headers = web.split_headers(lines, b"\0")
        created, time = times.webkit(entry.created), times.webkit(answered)
        mime = web.mime_of(headers)
        body = entry.streams[1]
        more: Json = {
            "status": status[9:12],
            "server_time": headers.get("date", ""),
            "last_modified": headers.get("last-modified", ""),
            "created": times.iso(created),
            "in_use": live and entry.state == 0,
            "encoding": headers.get("content-encoding", ""),
        }
        kind, title, data = web.cached(item.entry.path, url, time or created, mime, **more)
        if body is None:
            yield item.finding("cached-nothing", title.replace("kept", "asked for", 1), data, [(entry.offset, 256)])
            return
        source = None if body.file == "data_1" else near.get(body.file)
        if body.file != "data_1" and (source is None or source.size <= body.offset):
            yield item.finding("cached-missing", f"{title}, but its bytes ({body.length:,}) are gone", {**data, "file": body.file})
            return
        whole = source.size if source is not None else item.size
        size, why = min(body.length, whole - body.offset), ""
        steps: list[list[Any]] = [["cut", body.offset, size], *web.undo_steps(headers, _LARGEST_BODY)]
        if not lines and _at(item, source, body.offset, 3) == b"\x1f\x8b\x08":  # the head is gone, which would say so
            steps.append(["undo", "gzip", _LARGEST_BODY])
        if len(steps) > 1:
            undone, why = item.measure(steps, source)
            if undone:
                size = undone
            else:
                steps = steps[:1]  # the encoding is not what was stated: the bytes as they are
        if why:
            data["damaged"] = why
        yield item.child(
            f"{entry.address & 0xFFFFFF:06x}-{web.file_name(url, mime)}",
            steps,
            size,
            kind=Kind.CACHED,
            beside=source.number if source is not None else None,
            crtime=created,
            mtime=time,
            time_basis=TimeBasis.UTC,
            deleted=not live,
            findings=[(kind, title, data)],
        )


def _at(item: Item, source: Beside | None, offset: int, length: int) -> bytes:
    return (item if source is None else source).read_at(offset, length)


def _read(item: Item, near: dict[str, Beside], place: Place, most: int) -> bytes:
    length = min(place.length, most)
    if place.file == "data_1":
        return item.read_at(place.offset, length)
    source = near.get(place.file)
    return source.read_at(place.offset, length) if source is not None and place.offset < source.size else b""


PLUGIN = ChromiumCache
