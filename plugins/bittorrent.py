"""Torrents, and what uTorrent and BitTorrent were loading: names, sizes, folders and the hashes that hash lists know."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from triage.artifacts import bencode, times
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Json

_MOST_FILES = 500


class Bittorrent:
    """A finding ``torrent`` a torrent, ``loading-file`` a torrent that ``resume.dat`` knows."""

    name = "bittorrent"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=("*.torrent", "*.torrent.*", "*resume.dat*", "*.fastresume", "*/BT_backup/*", "*/torrents/*"), max_size=bencode.MAX_BYTES
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        if item.read_at(0, 1) != b"d":
            return
        data = item.read(bencode.MAX_BYTES)
        try:
            parsed = bencode.Bencoded(data)
        except StructureError as error:
            yield item.problem(f"a torrent or list of torrents that cannot be read: {error}")
            return
        mine = whose(item.entry.path)
        if b"info" in parsed.root and parsed.info is not None:
            start, end = parsed.info
            yield self._torrent(item, parsed.root, data[start:end], mine)
            return
        for key, value in parsed.root.items():
            entry = bencode.table(value)
            if key.lower().endswith(b".torrent") and entry:
                yield self._loading(item, bencode.text(key), entry, mine)

    def _torrent(self, item: Item, root: dict[bytes, bencode.Value], raw: bytes, mine: Json) -> Finding:
        info = bencode.table(root[b"info"])
        name = bencode.text(info.get(b"name.utf-8") or info.get(b"name"))
        listed = [bencode.table(one) for one in bencode.items(info.get(b"files"))]
        files = [
            {"path": "/".join(bencode.text(p) for p in bencode.items(one.get(b"path.utf-8") or one.get(b"path"))),
             "size": bencode.number(one.get(b"length"))}
            for one in listed[:_MOST_FILES]
        ]  # fmt: skip
        total = sum(bencode.number(one.get(b"length")) or 0 for one in listed) if listed else bencode.number(info.get(b"length"))
        btih = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        trackers = [bencode.text(root.get(b"announce"))]
        trackers += [bencode.text(one) for tier in bencode.items(root.get(b"announce-list"))[:50] for one in bencode.items(tier)[:20]]
        said: dict[str, Any] = {
            "name": name,
            "size": total,
            "files": files,
            "file_count": len(listed) or 1,
            "btih": btih,
            "time": times.iso(times.unix(bencode.number(root.get(b"creation date")))),
            "made_by": bencode.text(root.get(b"created by")),
            "comment": bencode.text(root.get(b"comment")),
            "trackers": list(dict.fromkeys(t for t in trackers if t))[:50],
            "digests": [{"btih": btih}],
        }
        kept = {key: value for key, value in said.items() if value not in (None, "", [])}
        return item.finding("torrent", f"a torrent of {name or 'something without a name'}", {**mine, **kept})

    def _loading(self, item: Item, name: str, entry: dict[bytes, bencode.Value], mine: Json) -> Finding:
        raw = entry.get(b"info")
        btih = raw.hex() if isinstance(raw, bytes) and len(raw) == 20 else ""
        said: dict[str, Any] = {
            "name": bencode.text(entry.get(b"caption")) or name,
            "torrent": name,
            "path": bencode.text(entry.get(b"path")),
            "btih": btih,
            "time": times.iso(times.unix(bencode.number(entry.get(b"added_on")))),
            "completed_time": times.iso(times.unix(bencode.number(entry.get(b"completed_on")))),
            "bytes_loaded": bencode.number(entry.get(b"downloaded")),
            "bytes_uploaded": bencode.number(entry.get(b"uploaded")),
            "last_seen": times.iso(times.unix(bencode.number(entry.get(b"last_seen_complete")))),
            "program": "uTorrent or BitTorrent",
            "digests": [{"btih": btih}] if btih else [],
        }
        kept = {key: value for key, value in said.items() if value not in (None, "", [])}
        return item.finding("loading-file", f"{said['name']} was loaded by uTorrent or BitTorrent", {**mine, **kept})


PLUGIN = Bittorrent
