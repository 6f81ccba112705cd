"""Pictures that apps kept in caches of a file each (Glide, Fresco, Picasso, Coil, Volley, SDWebImage, Kingfisher, PINCache)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from triage.artifacts import times, volley, web
from triage.plugin import Accepts, Child, Finding, Item, Kind, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.volley import VolleyFile
    from triage.plugin import Json

_LARGEST_BODY = 256 << 20
# The library that a cache's folder is of, and what its files' names are of the address; nothing when that is not known.
_LIBRARIES = (
    (re.compile(r"/image_manager_disk_cache/", re.IGNORECASE), "Glide", "SHA-256 of the address and more"),
    (re.compile(r"/[^/]{1,60}\.cnt$", re.IGNORECASE), "Fresco", "SHA-1 of the address, Base64"),
    (re.compile(r"/picasso-(?:cache|big-cache)/", re.IGNORECASE), "Picasso", "MD5 of the address"),
    (re.compile(r"/coil3?_disk_cache/", re.IGNORECASE), "Coil", "SHA-256 of the address"),
    (re.compile(r"/uil-images/", re.IGNORECASE), "Universal Image Loader", ""),
    (re.compile(r"/com\.hackemist\.SD(?:Web)?ImageCache[^/]{0,80}/", re.IGNORECASE), "SDWebImage", "MD5 of the address"),
    (re.compile(r"/com\.onevcat\.Kingfisher\.ImageCache[^/]{0,80}/", re.IGNORECASE), "Kingfisher", "MD5 or SHA-256 of the address"),
    (re.compile(r"/com\.pinterest\.PIN(?:Disk|Remote)?(?:Image)?Cache[^/]{0,80}/", re.IGNORECASE), "PINCache", ""),
    (re.compile(r"/com\.sec\.android\.gallery3d/(?:files|cache)/", re.IGNORECASE), "Samsung's gallery", ""),
)
_URL = re.compile(r"https?(?:://|%3A%2F%2F).{1,2000}", re.IGNORECASE | re.DOTALL)


class CachedFiles:
    """A finding ``cached`` on a picture, film or sound that is such a file; a cached entry the body of a file of Volley."""

    name = "cached_files"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=(
            "*/cache/**", "*/image_manager_disk_cache/**", "*.cnt", "*/picasso-cache/*", "*/coil*_disk_cache/*", "*/uil-images/*",
            "*/volley/*", "*/com.hackemist.SD*/**", "*/com.onevcat.Kingfisher*/**", "*/com.pinterest.PIN*/**",
        ),
        kinds=(Kind.FILE,),
        min_size=48,
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Child]:
        """Yield what the place says, or what Volley wrote before the body."""
        kind = item.type.category if item.type is not None else "unknown"
        if kind in ("picture", "video", "audio"):
            path = f"/{item.entry.path}"
            for pattern, library, name in _LIBRARIES:
                if pattern.search(path):
                    yield item.finding("cached", *_placed(item, library, name))
                    return
        elif item.head(4)[3:] == b"\x20":
            found = volley.parse_volley(item.head(volley.HEAD))
            if found is not None:
                yield from _volley(item, found)


def _placed(item: Item, library: str, made_of: str) -> tuple[str, Json]:
    mine = web.whose(item.entry.path)
    name = item.entry.name
    data: Json = {"library": library, "key": name.rpartition(".")[0] or name, **mine}
    if made_of:
        data["key_is"] = made_of
    elif _URL.fullmatch(name):
        data["url"] = web.shown_url(unquote(name))
    return f"kept by {mine.get('application', 'an app')} in the cache of {library}", data


def _volley(item: Item, found: VolleyFile) -> Iterator[Finding | Child]:
    url, mime = web.shown_url(found.url), web.mime_of(found.fields)
    time = times.unix_ms(found.server_time)
    kind, title, data = web.cached(
        item.entry.path, url, time, mime, library="Volley", last_modified=times.iso(times.unix_ms(found.changed)),
        expires=times.iso(times.unix_ms(found.holds)), encoding=found.fields.get("content-encoding", ""),
    )  # fmt: skip
    length = item.size - found.body
    if length <= 0:
        yield item.finding("cached-nothing", title.replace("kept", "asked for", 1), data)
        return
    steps: list[list[Any]] = [["cut", found.body, length], *web.undo_steps(found.fields, _LARGEST_BODY)]
    size, why = item.measure(steps) if len(steps) > 1 else (length, "")
    if not size:
        steps, size, why = steps[:1], length, ""  # kept with its encoding undone
    if why:
        data["damaged"] = why
    yield item.child(
        web.file_name(url, mime), steps, size, kind=Kind.CACHED, mtime=time, time_basis=TimeBasis.UTC, findings=[(kind, title, data)]
    )


PLUGIN = CachedFiles
