"""What Shareaza shared, loaded and searched for: files with hashes, folders, sources, search words and results, by its own lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import p2p, times
from triage.artifacts.shareaza import Library, LibraryFile, read_library
from triage.artifacts.shareazadown import MAGIC, PROTOCOLS, Download, Source, read_download
from triage.artifacts.shareazasearch import Result, Window, read_searches
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Json

_LARGEST = 64 << 20


class Shareaza:
    """Findings ``shared-file``, ``library-file``, ``shared-folder``, ``loading-file``, ``peer``, ``search-term``, ``search-result``."""

    name = "shareaza"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("*Library1.dat", "*Library2.dat", "*.sd", "*Searches.dat"), min_size=12)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the list says."""
        name, head = item.entry.path.lower(), item.read_at(0, 12)
        download, searches = name.endswith(".sd"), name.endswith("searches.dat")
        if download:
            ours = head.startswith(MAGIC)
        elif searches:
            ours = head.startswith(b"\x01\0\x01\0\0\0")
        else:
            ours = times.filetime(int.from_bytes(head[:8], "little")) is not None and 1 <= int.from_bytes(head[8:], "little") < 100
        if not ours:
            return
        if item.size > _LARGEST:
            yield item.problem(f"a list of Shareaza of more than {_LARGEST:,} bytes was not read")
            return
        data, mine = item.read(_LARGEST), {**whose(item.entry.path), "program": "Shareaza"}
        try:
            if download:
                yield from _download(item, read_download(data), mine)
            elif searches:
                yield from _searches(item, *read_searches(data), mine)
            else:
                yield from _library(item, read_library(data), mine)
        except StructureError as error:
            yield item.problem(f"a list of Shareaza cannot be read: {error}")


def _library(item: Item, library: Library, mine: Json) -> Iterator[Finding | Problem]:
    written = times.iso(times.filetime(library.written))
    for folder in library.folders:
        if folder.top:
            kind, verb = ("shared-folder", "was shared") if folder.shared else ("library-folder", "was in the library, not shared")
            data = p2p.said({**mine, "path": folder.path, "shared": folder.shared, "noted_time": written})
            yield item.finding(kind, f"the folder {folder.path} {verb} by Shareaza", data, [(folder.start, folder.end - folder.start)])
    for file in library.files:
        yield _file(item, file, {**mine, "noted_time": written})
    if library.seeded is not None:
        name, path, btih, time = library.seeded
        data = p2p.said(
            {**mine, "name": name, "path": path, "btih": btih, "time": times.iso(times.unix(time)), "digests": [{"btih": btih}]}
        )
        yield item.finding("torrent", f"Shareaza last offered the torrent {name or path}", data)
    if library.why:
        yield item.problem(f"Shareaza's library was not read whole: {library.why}")


def _file(item: Item, file: LibraryFile, mine: Json) -> Finding:
    if file.deleted:
        kind, verb = "library-file", "was known to Shareaza and was deleted"
    elif file.shared:
        kind, verb = "shared-file", "was shared by Shareaza"
    else:
        kind, verb = "library-file", "was in Shareaza's library, not shared"
    data = p2p.said({
        **mine,
        "name": file.name,
        "path": f"{file.folder}\\{file.name}" if file.folder else "",
        "size": file.size,
        "time": times.iso(times.filetime(file.time)),
        "added_time": times.iso(times.filetime(file.added)),
        "shared": file.shared,
        "deleted": file.deleted or None,
        "times_found": file.hits or None,
        "times_uploaded": file.uploads or None,
        "rating": file.rating or None,
        "comment": file.comments,
        "tags": file.tags,
        "metadata": p2p.table(file.facts),
        "sources": p2p.fitting((url for url, _ in file.sources), 8000),
        **file.hashes,
        "digests": [file.hashes] if file.hashes else [],
    })  # fmt: skip
    return item.finding(kind, f"{file.name or 'a file without a name'} {verb}", data, [(file.start, file.end - file.start)])


def _download(item: Item, download: Download, mine: Json) -> Iterator[Finding | Problem]:
    torrent = download.torrent
    digests = [download.hashes] if download.hashes else []
    facts: Json = {}
    if torrent is not None:
        digests = [{**download.hashes, "btih": torrent.btih}, *(hashes for _, _, hashes in torrent.files if hashes)]
        facts = {
            "btih": torrent.btih, "torrent_name": torrent.name, "comment": torrent.comment, "made_by": torrent.made_by,
            "torrent_time": times.iso(times.unix(torrent.created)), "bytes_uploaded": torrent.uploaded,
            "bytes_loaded": torrent.downloaded, "trackers": p2p.fitting(torrent.trackers[:50], 8000),
            "files": p2p.fitting(({"path": path, "size": size} for path, size, _ in torrent.files), 12_000),
            "file_count": len(torrent.files),
        }  # fmt: skip
    data = p2p.said({
        **mine,
        "name": download.name,
        "size": download.size,
        "search": download.keyword,
        "bytes_missing": download.remaining,
        "missing": p2p.fitting(([start, length] for start, length in download.ranges), 4000),
        "paths": p2p.fitting((path for path, _, _ in download.parts), 4000),
        "sources": download.source_count,
        "paused": download.paused,
        "shared": download.shared,
        "metadata": p2p.table(download.facts),
        "reviews": p2p.fitting(({"address": one, "name": name, "text": text} for one, name, text in download.reviews), 4000),
        **download.hashes,
        **facts,
        "digests": p2p.fitting(digests, 12_000),
    })  # fmt: skip
    yield item.finding("loading-file", f"{download.name or 'a file without a name'} was being loaded by Shareaza", data)
    for source in download.sources:
        yield _peer(item, source, download, mine)
    if download.source_count > len(download.sources) and not download.why:
        yield item.problem(f"{download.source_count - len(download.sources):,} sources of a download of Shareaza are not listed")
    if download.why:
        yield item.problem(f"a download of Shareaza was not read whole: {download.why}")


def _peer(item: Item, source: Source, download: Download, mine: Json) -> Finding:
    data = p2p.said({
        **mine,
        "address": source.address,
        "port": source.port or None,
        "url": source.url,
        "protocol": PROTOCOLS.get(source.protocol, ""),
        "client": source.client,
        "nick": source.nick,
        "country": source.country,
        "last_seen": times.iso(times.filetime(source.seen)),
        "offered": source.name,
        "name": download.name,
    })  # fmt: skip
    return item.finding("peer", f"{source.nick or source.address or source.url} had {source.name or download.name}", data)


def _searches(item: Item, windows: list[Window], why: str, mine: Json) -> Iterator[Finding | Problem]:
    for window in windows:
        for search in window.searches:
            words = search.words or " ".join(search.facts.values()) or " ".join(search.hashes.values())
            data = p2p.said({
                **mine, "term": words, "schema": search.schema, "metadata": p2p.table(search.facts), **search.hashes,
                "smallest": search.smallest, "largest": search.largest, "filter": window.filter, "results": len(window.results),
                "digests": [search.hashes] if search.hashes else [],
            })  # fmt: skip
            yield item.finding(
                "search-term", f"searched for {words or 'anything'} with Shareaza", data, [(search.start, search.end - search.start)]
            )
        for result in window.results:
            yield _result(item, result, window, mine)
    if why:
        yield item.problem(f"Shareaza's searches were not read whole: {why}")


def _result(item: Item, result: Result, window: Window, mine: Json) -> Finding:
    words = list(dict.fromkeys(search.words for search in window.searches if search.words))
    hits = [
        p2p.said({"address": hit.address, "port": hit.port or None, "client": hit.client, "nick": hit.nick, "name": hit.name})
        for hit in result.hits
    ]
    data = p2p.said({
        **mine,
        "name": result.name,
        "names": p2p.fitting(dict.fromkeys(hit.name for hit in result.hits if hit.name), 4000),
        "size": result.size,
        "search": p2p.fitting(words, 2000),
        "time": times.iso(times.unix(result.time)),
        "chosen": result.chosen,
        "offered_by": p2p.fitting(hits, 8000),
        "offers": result.hit_count,
        "urls": p2p.fitting((hit.url for hit in result.hits if hit.url), 8000),
        "metadata": p2p.table(result.facts),
        **result.hashes,
        "digests": [result.hashes] if result.hashes else [],
    })  # fmt: skip
    verb = "came up in a search with Shareaza and was taken for download" if result.chosen else "came up in a search with Shareaza"
    place = [(result.start, result.end - result.start)] if result.end else []
    return item.finding("search-result", f"{result.name or 'a file without a name'} {verb}", data, place)


PLUGIN = Shareaza
