"""What Firefox to version 31, Thunderbird and SeaMonkey kept of the web (block files and their map)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts import cache1, times, web
from triage.artifacts.cache1left import leftover
from triage.plugin import Accepts, Beside, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.artifacts.cache1 import Cache1Entry, Map
    from triage.artifacts.cache1left import Left
    from triage.plugin import Json

_LARGEST_MAP, _LARGEST_BLOCKS, _LARGEST_ENTRY, _LARGEST_BODY = 32 << 20, 256 << 20, 4 << 20, 256 << 20


class _Known(NamedTuple):
    """An entry, the block file it stands in (0: a file of its own), whether the map leads to it, and where its body is."""

    entry: Cache1Entry
    number: int
    live: bool
    body: tuple[int, int, int] | None


class FirefoxOldCache:
    """A cached entry a body, with the finding ``cached``; ``cached-nothing`` without a body, ``cached-missing`` when it is not there."""

    name = "firefox_old_cache"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=("*/_CACHE_MAP_", "*/_CACHE_00?_"),
        kinds=(Kind.FILE, Kind.DERIVED),
        beside=("_CACHE_MAP_", "_CACHE_00?_", "?/??/?????d??", "?/??/?????m??", "????????d??", "????????m??"),
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what every entry says of itself and its body; of a cache without its map at the first of its block files."""
        name = item.entry.name.upper()
        near = {b.name.lower(): b for b in item.beside}
        if name == "_CACHE_MAP_":
            near.pop("_cache_map_", None)
            known = cache1.parse_map(item.read(_LARGEST_MAP))
            if known is None:
                yield item.problem("the map of a cache of Firefox is none: the cache is read without it")
                return
        else:
            beside = near.get("_cache_map_")
            if beside is not None and cache1.parse_map(beside.read(_LARGEST_MAP)) is not None:
                return  # the map's turn
            near[name.lower()] = Beside(item.entry.name, item.size, item.read_at, -1)
            if any(f"_cache_00{number}_" in near for number in range(1, int(name[9]) if name[9].isdigit() else 1)):
                return
            known = None
        blocks = {n: near[f"_cache_00{n}_"] for n in (1, 2, 3) if f"_cache_00{n}_" in near}
        found = [(number, list(cache1.entries(blocks[number].read_at, min(blocks[number].size, _LARGEST_BLOCKS)))) for number in blocks]
        headers = {number: cache1.header_of(number, those, known.minor if known is not None else None) for number, those in found}
        found.append((0, _alone(near)))
        yield from _said(item, known, blocks)
        if not any(those for _, those in found):
            return
        all_known = [_known(known, entry, number, headers.get(number, 0)) for number, those in found for entry in those]
        lost, left = leftover(blocks, headers, [(k.entry, k.number, k.body) for k in all_known])
        for number, one in enumerate(all_known):
            yield from _entry(item, near, headers, one, number, lost.get(number), mapped=known is not None)
        for rest in left:
            yield _rest(item, rest)


def _said(item: Item, known: Map | None, blocks: dict[int, Beside]) -> Iterator[Problem]:
    for number, block in blocks.items():
        if block.size > _LARGEST_BLOCKS:
            yield item.problem(f"of the block file {number} of a cache of Firefox only the first {_LARGEST_BLOCKS:,} bytes were read")
    if known is None:
        yield item.problem(
            "the map of a cache of Firefox is not here: entries were read one by one, bodies are given to them as far as provable"
        )
    elif known.dirty:
        yield item.problem("a cache of Firefox was not closed: its map may be older than its entries")
    if known is not None and known.records and not blocks:
        yield item.problem("the block files of a cache of Firefox are not here")


def _alone(near: dict[str, Beside]) -> list[Cache1Entry]:
    """Return the entries that have files of their own."""
    found = []
    for name, one in sorted(near.items()):
        if name[-3:-2] == "m" and one.size <= _LARGEST_ENTRY:
            entry = cache1.parse_entry(one.read(_LARGEST_ENTRY))
            if entry is not None:
                found.append(entry)
    return found


def _known(known: Map | None, entry: Cache1Entry, number: int, header: int) -> _Known:
    record = cache1.record_of(known, entry, number, header) if known is not None else None
    return _Known(entry, number, record is not None, cache1.place_of(record.body) if record is not None else None)


class _Body(NamedTuple):
    """Where a body is, and by what that is known."""

    source: Beside
    offset: int
    length: int
    by: str


def _body(near: dict[str, Beside], headers: dict[int, int], one: _Known, lost: Left | None) -> _Body | None:
    entry = one.entry
    if one.body is not None and one.body[0]:
        number, block, count = one.body
        source = near.get(f"_cache_00{number}_")
        offset = headers.get(number, 0) + block * cache1.BLOCKS[number]
        length = min(entry.body, count * cache1.BLOCKS[number])
        return _Body(source, offset, min(length, source.size - offset), "map") if source is not None and source.size > offset else None
    if lost is not None:
        return _Body(lost.source, lost.offset, lost.length, "size")
    generations: Sequence[int] = (one.body[1],) if one.body is not None else range(256)
    for digest in (cache1.hash_of(entry.key), cache1.old_hash_of(entry.key)):
        for generation in generations:
            for name in cache1.file_names(digest, generation):
                source = near.get(name)
                if source is not None and source.size:
                    return _Body(source, 0, source.size, "map" if one.body is not None else "hash of the key")
    return None


def _entry(
    item: Item, near: dict[str, Beside], headers: dict[int, int], one: _Known, number: int, lost: Left | None, *, mapped: bool
) -> Iterator[Finding | Problem | Child]:
    entry = one.entry
    url = web.shown_url(cache1.url_of(entry.key))
    status, fields = web.split_headers(entry.elements.get("response-head", b""))
    mime, time = web.mime_of(fields), times.unix(entry.fetched)
    kind, title, data = web.cached(
        item.entry.path, url, time, mime,
        status=status[9:12], method=web.shown_url(entry.elements.get("request-method", b""))[:20],
        server_time=fields.get("date", ""), last_modified=fields.get("last-modified", ""), encoding=fields.get("content-encoding", ""),
        modified=times.iso(times.unix(entry.modified)), expires=times.iso(times.unix(entry.expires % 0xFFFFFFFF)),
        times_fetched=entry.fetches, size=entry.body, entry_at=f"{one.number or 'm'}:{entry.offset}",
    )  # fmt: skip
    if mapped:
        data["in_use"] = one.live
    if not entry.body:
        yield item.finding("cached-nothing", title.replace("kept", "asked for", 1), data)
        return
    body = _body(near, headers, one, lost)
    if body is None:
        why = "its bytes are gone" if one.body is not None else "where its bytes are only the map knew"
        yield item.finding("cached-missing", f"{title}, but {why} ({entry.body:,})", data)
        return
    data["body_found_by"] = body.by
    if body.length != entry.body:
        data["damaged"] = f"{body.length:,} of {entry.body:,} bytes"
    beside = body.source if body.source.number >= 0 else None
    steps: list[list[Any]] = [["cut", body.offset, body.length], *web.undo_steps(fields, _LARGEST_BODY)]
    size = body.length
    if len(steps) > 1:
        undone, why = item.measure(steps, beside)
        if undone:
            size = undone
            data.update({"damaged": why} if why else {})
        else:
            steps = steps[:1]  # the encoding is not what was stated: the bytes as they are
    yield item.child(
        f"{number:06d}-{web.file_name(url, mime)}", steps, size, kind=Kind.CACHED, beside=beside.number if beside is not None else None,
        mtime=time, time_basis=TimeBasis.UTC, deleted=mapped and not one.live, findings=[(kind, title, data)],
    )  # fmt: skip


def _rest(item: Item, rest: Left) -> Child:
    data: Json = {**web.whose(item.entry.path), "possible_urls": [web.shown_url(cache1.url_of(e.key))[:1000] for e in rest.possible[:10]]}
    data = {name: value for name, value in data.items() if value}
    if not rest.whole:
        data["damaged"] = "its end was not found"
    title = f"kept by {data.get('application', 'a program')}: from where is not known any more"
    steps: list[list[Any]] = [["cut", rest.offset, rest.length]]
    size = rest.length
    if rest.kind == "gzip":
        steps.append(["undo", "gzip", _LARGEST_BODY])
        size = rest.undone
    return item.child(
        f"left-{rest.number}-{rest.offset:08x}.{ {'jpeg': 'jpg', 'gzip': 'bin'}.get(rest.kind, rest.kind)}", steps, size,
        kind=Kind.CACHED, beside=rest.source.number if rest.source.number >= 0 else None, deleted=True, findings=[("cached", title, data)],
    )  # fmt: skip


PLUGIN = FirefoxOldCache
