"""Thumbnails that Android's gallery kept of pictures (imgcache; the cache of the first gallery), with the pictures' paths and times."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import blobcache, cooliris, times
from triage.artifacts.androidpaths import original_of
from triage.artifacts.pictureend import end_of
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.cooliris import Known
    from triage.plugin import Json

_LARGEST, _LARGEST_CHUNK, _LARGEST_THUMB, _HEAD = 1 << 30, 64 << 20, 64 << 10, 8192
_LARGEST_ALBUM, _MOST_NAMED, _MOST_WRONG = 8 << 20, 20_000, 500
_LARGE = re.compile(r"hires-image-cache(-?\d{1,20})_\d+\.cache", re.IGNORECASE)


class GalleryCache:
    """A cached entry a thumbnail, with the finding ``thumbnail``; ``media-file`` for each picture that the first gallery's albums name."""

    name = "gallery_cache"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            "*/*imgcache*.0", "*/*imgcache*.1",
            "*/com.cooliris.media/cache/*-thumbschunk_*", "*/com.cooliris.media/cache/*-album-cachechunk_*",
            "*/com.cooliris.media/cache/hires-image-cache*.cache",
        ),
        beside=("{name}.idx", "*imgcache*.idx", "*-thumbsindex", "local-album-cachechunk_?"),
        max_size=_LARGEST,
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield the thumbnails, or what the albums name."""
        name = item.entry.name
        if "imgcache" in name.lower():
            yield from _blobs(item)
        elif "thumbschunk" in name.lower():
            yield from _chunk(item)
        elif "album" in name.lower():
            yield from _album(item)
        else:
            yield from _large(item)


def _blobs(item: Item) -> Iterator[Problem | Child]:
    if int.from_bytes(item.head(4), "little") != blobcache.MAGIC_DATA:
        return
    name = item.entry.name
    index = next((b for b in item.beside if b.name.lower() == f"{name[:-2]}.idx".lower()), None)
    live = blobcache.indexed(index.read(64 << 20), int(name[-1])) if index is not None else None
    other = 0
    for number, blob in enumerate(blobcache.blobs(item.read_at, item.size)):
        picture = blobcache.picture_of(item.read_at(blob.offset, min(blob.length, _HEAD)))
        if picture is None:
            other += 1
            continue
        when = times.any_unix(picture.time) if picture.time else None
        data = {
            "original": original_of(item.entry.path, picture.path), "original_time": times.iso(when), "key": picture.text[:1000],
            "path": picture.path,
            "thumbnail_kind": picture.kind, "damaged": "" if blob.sound else "its checksum does not agree",
        }  # fmt: skip
        if live is not None:
            data["in_use"] = (blob.key, blob.offset) in live
        start, size = blob.offset + picture.start, blob.length - picture.start
        yield _child(item, f"{number:05d}-{_last(picture.path)}", start, size, when, data)
    if other:
        yield item.problem(f"{other:,} entries of a gallery's cache hold no picture")


def _chunk(item: Item) -> Iterator[Problem | Child]:
    data = item.read(_LARGEST_CHUNK)
    if item.size > _LARGEST_CHUNK:
        yield item.problem(f"of a chunk of a gallery's cache only the first {_LARGEST_CHUNK:,} bytes were read")
    stem, _, number = item.entry.name.rpartition("chunk_")
    index = next((b for b in item.beside if b.name.lower() == f"{stem}index".lower()), None)
    rows = cooliris.parse_index(index.read(8 << 20)) if index is not None else []
    live = {row.offset: row for row in rows if number.isdigit() and row.chunk == int(number)}
    named = _named(item)
    by_key = {cooliris.key_of(one.path): one for one in named}
    by_id: dict[int, set[str]] = {}
    for one in named:
        by_id.setdefault(one.id, set()).add(one.path)
    free = wrong = 0
    for thumb in cooliris.thumbs(data):
        if thumb.offset < free:
            continue
        if wrong > _MOST_WRONG:
            yield item.problem(
                f"a chunk of a gallery's cache has more than {_MOST_WRONG:,} thumbnails that break off: the rest was not read"
            )
            return
        row = live.get(thumb.offset - 12)
        size = _size(data, thumb.offset, row.size - 12 if row is not None else 0)
        if not size:
            wrong += 1
            continue
        free = thumb.offset + size
        known = by_key.get(row.key) if row is not None else None
        paths = by_id.get(thumb.id, set())
        path = known.path if known is not None else next(iter(paths)) if len(paths) == 1 else ""
        when = times.unix_ms(row.time) if row is not None else None
        said = {
            "original": original_of(item.entry.path, path), "original_time": times.iso(when), "path": path, "media_id": thumb.id,
            "named_by": ("key" if known is not None else "id") if path else "", "key": str(row.key) if row is not None else "",
        }  # fmt: skip
        if index is not None:
            said["in_use"] = row is not None
        yield _child(item, f"{thumb.offset:08x}-{_last(path)}", thumb.offset, size, when, said)


def _size(data: bytes, at: int, stated: int) -> int:
    """Return how long a thumbnail is: as its structure says, else as the index does."""
    whole = min(len(data) - at, _LARGEST_THUMB)
    end = end_of(lambda offset, length: data[at + offset : at + min(offset + length, whole)], whole, "jpeg")
    return end if end is not None else max(min(stated, len(data) - at), 0)


def _named(item: Item) -> list[Known]:
    """Return the pictures that the albums beside name; what is newer stands further behind."""
    found: list[Known] = []
    for beside in item.beside:
        if "album-cachechunk_" in beside.name.lower():
            found += list(cooliris.known_in(beside.read(_LARGEST_ALBUM)))[-_MOST_NAMED:]
    return found[-_MOST_NAMED:]


def _album(item: Item) -> Iterator[Finding | Problem]:
    seen = set()
    if item.size > _LARGEST_ALBUM:
        yield item.problem(f"of a gallery's list of albums only the first {_LARGEST_ALBUM:,} bytes were read")
    for one in cooliris.known_in(item.read(_LARGEST_ALBUM)):
        if one[:-1] in seen:
            continue
        seen.add(one[:-1])
        said: Json = {
            "path": one.path, "mime": one.mime, "media_id": one.id, "taken": times.iso(times.unix_ms(one.taken)),
            "added": times.iso(times.unix(one.added)), "modified": times.iso(times.unix(one.changed)), "program": "Android's gallery",
        }  # fmt: skip
        if one.latitude or one.longitude:
            said.update({"latitude": round(one.latitude, 6), "longitude": round(one.longitude, 6)})
        said = {name: value for name, value in said.items() if value not in (None, "", 0)}
        yield item.finding("media-file", f"the gallery knew {_last(one.path)}", {**said, **whose(item.entry.path)}, [(one.offset, 2)])


def _large(item: Item) -> Iterator[Finding]:
    match = _LARGE.fullmatch(item.entry.name)
    if match is None:
        return
    key = int(match[1]) & 0xFFFFFFFFFFFFFFFF
    known = next((one for one in reversed(_named(item)) if cooliris.key_of(one.path) == key), None)
    said: Json = {"key": match[1], **whose(item.entry.path)}
    if known is not None:
        when = times.iso(times.unix(known.changed))
        more = {"original": original_of(item.entry.path, known.path), "path": known.path, "media_id": known.id, "original_time": when}
        said.update({name: value for name, value in more.items() if value})
    yield item.finding("thumbnail", _title(known.path if known is not None else ""), said)


def _child(item: Item, name: str, offset: int, size: int, when: int | None, said: dict[str, Any]) -> Child:
    kept = {key: value for key, value in said.items() if value not in (None, "")}
    return item.child(
        name if name.lower().endswith((".jpg", ".jpeg", ".png")) else f"{name}.jpg",
        [["cut", offset, size]],
        size,
        kind=Kind.CACHED,
        mtime=when,
        time_basis=TimeBasis.UTC if when is not None else TimeBasis.UNKNOWN,
        deleted=said.get("in_use") is False,
        findings=[("thumbnail", _title(str(said["path"])), {**kept, **whose(item.entry.path)})],
    )


def _title(path: str) -> str:
    return f"a thumbnail of {path}" if path else "a thumbnail whose picture has no name here"


def _last(path: str) -> str:
    return path.rpartition("/")[2] or "thumbnail"


PLUGIN = GalleryCache
