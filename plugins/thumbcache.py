"""Thumbnails of Windows Vista to 11 (thumbcache_*.db): pictures that a user's Explorer showed, though they may be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts import thumbcache
from triage.artifacts.web import whose
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDINGS = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG", ".png"), (b"BM", ".bmp"))


class Thumbcache:
    """A cached entry a thumbnail; what was asked for and has no picture is counted in a finding."""

    name = "thumbcache"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(paths=("thumbcache_*.db", "iconcache_*.db"), min_size=24)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield each thumbnail."""
        version = thumbcache.version_of(item.read_at)
        if version is None:
            if item.read_at(0, 4) == thumbcache.MARK:
                yield item.problem("a thumbnail cache of a version that is not read")
            return
        empty = 0
        for entry in thumbcache.entries(item.read_at, item.size, version):
            offset, length = entry.data
            if not length:
                empty += 1
                continue
            head = item.read_at(offset, 8)
            ending = next((e for mark, e in _ENDINGS if head.startswith(mark)), ".bin")
            said: dict[str, Any] = {
                "cache_id": f"{entry.hash:016x}",
                "identifier": entry.identifier,
                "windows": thumbcache.VERSIONS[version],
                "extension": entry.extension,
                **whose(item.entry.path),
            }
            kept = {key: value for key, value in said.items() if value not in (None, "")}
            yield item.child(
                f"{entry.offset:08x}-{entry.hash:016x}{ending}",
                [["cut", offset, length]],
                length,
                kind=Kind.CACHED,
                findings=[("thumbnail", "a thumbnail that Windows kept; its picture is known by a number only", kept)],
            )
        if empty:
            title = f"{empty:,} thumbnails were asked for and are not there"
            yield item.finding("thumbnail-missing", title, {"count": empty, **whose(item.entry.path)})


PLUGIN = Thumbcache
