"""What Ares Galaxy shared and loaded, by its own hidden lists and its unfinished files: names, paths, sizes, SHA-1 and titles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import p2p, times
from triage.artifacts.ares import HISTORY, LIBRARY, TAIL, TYPES, AresFile, AresTorrent, read_files, read_part, read_torrents
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.plugin import Json

_LARGEST = 32 << 20
_PART = "___arestra___"


class Ares:
    """Findings ``shared-file``, ``library-file`` (known, not shared), ``torrent`` and ``loading-file``."""

    name = "ares"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(paths=("*ShareL.dat", "*ShareH.dat", "*TorrentH.dat", "___ARESTRA___*", "__INCOMPLETE__*"), min_size=14)

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the list says, or the end of an unfinished file."""
        name, mine = item.entry.path.rpartition("/")[2], {**whose(item.entry.path), "program": "Ares"}
        if name.lower().startswith((_PART, "__incomplete__")):
            yield from _part(item, name, mine)
            return
        torrents_too = name.lower().endswith("torrenth.dat")
        if item.read_at(0, 14) not in ((HISTORY,) if torrents_too else (LIBRARY, HISTORY)):
            return
        if item.size > _LARGEST:
            yield item.problem(f"a list of Ares of more than {_LARGEST:,} bytes was not read")
            return
        data = item.read(_LARGEST)
        if torrents_too:
            torrents, why = read_torrents(data)
            for torrent in torrents:
                yield _torrent(item, torrent, mine)
        else:
            files, why = read_files(data)
            for file in files:
                yield _file(item, file, mine)
        if why:
            yield item.problem(f"a list of Ares was not read whole: {why}")


def _local(seconds: int) -> str:
    """Return a time of the computer's own clock: its distance from UTC is not known."""
    return (times.iso(times.unix(seconds)) or "").removesuffix("Z")


def _file(item: Item, file: AresFile, mine: Json) -> Finding:
    path = file.facts.get("path", "")
    name = path.rpartition("\\")[2] or file.facts.get("title") or "a file without a name"
    if file.shared is None:
        kind, verb = "shared-file", "was in the shared library of Ares"
    else:
        kind, verb = ("shared-file", "was shared by Ares") if file.shared else ("library-file", "was known to Ares, not shared")
    data = p2p.said({
        **mine,
        "name": name,
        "size": file.size,
        **file.facts,
        "type": TYPES.get(file.type, "") if file.type is not None else "",
        "shared": file.shared,
        "corrupt": file.corrupt or None,
        "local_time": _local(file.date),
        "sha1": file.sha1,
        "sha1_of_parts": file.parts_sha1,
        "digests": [{"sha1": file.sha1}],
    })  # fmt: skip
    return item.finding(kind, f"{name} {verb}", data, [(file.start, file.end - file.start)])


def _torrent(item: Item, torrent: AresTorrent, mine: Json) -> Finding:
    data = p2p.said({
        **mine,
        "name": torrent.name,
        "size": torrent.size,
        "type": TYPES.get(torrent.type, ""),
        "seeds": torrent.seeds,
        "local_time": _local(torrent.time),
        "trackers": torrent.trackers,
        "btih": torrent.btih,
        "digests": [{"btih": torrent.btih}],
    })  # fmt: skip
    title = f"the torrent {torrent.name or torrent.btih} was loaded whole by Ares"
    return item.finding("torrent", title, data, [(torrent.start, torrent.end - torrent.start)])


def _part(item: Item, name: str, mine: Json) -> Iterator[Finding | Problem]:
    wanted = name[len(_PART) :] if name.lower().startswith(_PART) else name.lstrip("_")[len("INCOMPLETE") :].lstrip("_")
    facts: Json = {}
    if name.lower().startswith(_PART):
        try:
            part = read_part(item.read_at(item.size - TAIL, TAIL))
        except StructureError as error:
            yield item.problem(f"of an unfinished file of Ares only its name is known: {error}")
        else:
            facts = {
                "size": part.size,
                "bytes_loaded": part.loaded,
                "gaps": p2p.fitting(([first, last] for first, last in part.gaps), 4000),
                "type": TYPES.get(part.type, ""),
                "paused": part.paused,
                **part.facts,
                "local_time": _local(part.date),
                "sha1": part.sha1,
                "digests": [{"sha1": part.sha1}] if part.sha1 else [],
            }
    yield item.finding("loading-file", f"{wanted or name} was being loaded by Ares", p2p.said({**mine, "name": wanted, **facts}))


PLUGIN = Ares
