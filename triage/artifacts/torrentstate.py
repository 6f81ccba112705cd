"""What programs note of the torrents that they loaded or offered: qBittorrent, Deluge and others with libtorrent, Transmission, Vuze.

Sources: libtorrent's manual (resume data) and the programs' own: qBittorrent ``bencoderesumedatastorage.cpp``, Transmission ``resume.cc``,
Vuze ``GlobalManagerImpl`` (``downloads.config``), Deluge ``torrentmanager.py`` (``torrents.state``, a pickle; ``torrents.fastresume``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from triage.artifacts import bencode
from triage.artifacts.pickled import Instance, read_pickle
from triage.artifacts.structure import StructureError

MOST = 20_000


@dataclass(slots=True)
class Entry:
    """A torrent. Times are seconds since 1970, 0 if unknown; ``path``: the folder into which it went; ``facts``: what else is said."""

    name: str = ""
    btih: str = ""
    path: str = ""
    added: int = 0
    finished: int = 0
    active: int = 0
    loaded: int | None = None
    uploaded: int | None = None
    trackers: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    complete_torrent: bool = False
    """Whether the torrent itself is in it: another plugin tells of that."""


def _seconds(value: object) -> int:
    number = bencode.number(value)
    return number if number and 0 < number < 1 << 42 else 0


def _moment(value: object) -> int:
    """Return a time since 1970; older versions of libtorrent have seconds since then here, which are no time."""
    seconds = _seconds(value)
    return seconds if seconds > 1_000_000_000 else 0


def _hash(value: object) -> str:
    return value.hex() if isinstance(value, bytes) and len(value) == 20 else ""


def _texts(values: list[bencode.Value]) -> list[str]:
    return [text for one in values[:500] if (text := bencode.text(one))]


def of_libtorrent(table: dict[bytes, bencode.Value]) -> Entry:
    """Return what resume data say. ``table``: the dictionary."""
    trackers = [url for tier in bencode.items(table.get(b"trackers"))[:50] for url in _texts(bencode.items(tier))[:20]]
    info = bencode.table(table.get(b"info"))
    return Entry(
        name=bencode.text(table.get(b"qBt-name")) or bencode.text(table.get(b"name")) or bencode.text(info.get(b"name")),
        btih=_hash(table.get(b"info-hash")),
        path=bencode.text(table.get(b"qBt-savePath")) or bencode.text(table.get(b"save_path")),
        added=_seconds(table.get(b"added_time")),
        finished=_seconds(table.get(b"completed_time")),
        active=max(_moment(table.get(b"last_upload")), _moment(table.get(b"last_download"))),
        loaded=bencode.number(table.get(b"total_downloaded")),
        uploaded=bencode.number(table.get(b"total_uploaded")),
        trackers=trackers,
        files=_texts(bencode.items(table.get(b"mapped_files"))),
        facts={
            "category": bencode.text(table.get(b"qBt-category")) or bencode.text(table.get(b"qBt-label")),
            "tags": _texts(bencode.items(table.get(b"qBt-tags")))[:20],
            "unfinished_path": bencode.text(table.get(b"qBt-downloadPath")),
            "paused": bool(bencode.number(table.get(b"paused"))) if b"paused" in table else None,
            "seconds_seeding": bencode.number(table.get(b"seeding_time")),
            "seconds_active": bencode.number(table.get(b"active_time")),
            "magnet": bencode.text(table.get(b"url")) or bencode.text(table.get(b"qBt-magnetUri")),
            "made_by": bencode.text(table.get(b"libtorrent-version")),
        },
        complete_torrent=bool(info),
    )


def of_transmission(table: dict[bytes, bencode.Value]) -> Entry:
    """Return what a ``*.resume`` of Transmission says. Keys of version 4.1 have ``_`` where older ones have ``-``."""
    plain = {key.replace(b"_", b"-"): value for key, value in table.items()}
    return Entry(
        name=bencode.text(plain.get(b"name")),
        path=bencode.text(plain.get(b"destination")),
        added=_seconds(plain.get(b"added-date")),
        finished=_seconds(plain.get(b"done-date")),
        active=_seconds(plain.get(b"activity-date")),
        loaded=bencode.number(plain.get(b"downloaded")),
        uploaded=bencode.number(plain.get(b"uploaded")),
        files=_texts(bencode.items(plain.get(b"files"))),
        facts={
            "unfinished_path": bencode.text(plain.get(b"incomplete-dir")),
            "labels": _texts(bencode.items(plain.get(b"labels")))[:20],
            "paused": bool(bencode.number(plain.get(b"paused"))) if b"paused" in plain else None,
            "seconds_loading": bencode.number(plain.get(b"downloading-time-seconds")),
            "seconds_seeding": bencode.number(plain.get(b"seeding-time-seconds")),
        },
    )


def of_vuze(table: dict[bytes, bencode.Value]) -> list[Entry]:
    """Return the torrents of ``downloads.config``."""
    found = []
    for value in bencode.items(table.get(b"downloads"))[:MOST]:
        one = bencode.table(value)
        torrent = bencode.text(one.get(b"torrent"))
        done = bencode.number(one.get(b"completed"))
        facts = {
            "torrent": torrent,
            "done_per_mille": done,
            "seconds_loading": bencode.number(one.get(b"secondsDownloading")),
            "seconds_seeding": bencode.number(one.get(b"secondsOnlySeeding")),
        }
        found.append(
            Entry(
                name=bencode.text(one.get(b"save_file")) or torrent.replace("\\", "/").rpartition("/")[2],
                btih=_hash(one.get(b"torrent_hash")),
                path=bencode.text(one.get(b"save_dir")),
                added=_seconds(one.get(b"creationTime")) // 1000,
                loaded=bencode.number(one.get(b"downloaded")),
                uploaded=bencode.number(one.get(b"uploaded")),
                facts=facts,
            )
        )
    return found


def of_deluge_resume(table: dict[bytes, bencode.Value]) -> tuple[list[Entry], int]:
    """Return the torrents of Deluge's ``torrents.fastresume``, and how many of them could not be read."""
    found, broken = [], 0
    for key, value in list(table.items())[:MOST]:
        if len(key) != 40 or not isinstance(value, bytes):
            continue
        try:
            entry = of_libtorrent(bencode.Bencoded(value).root)
        except StructureError:
            broken += 1
            continue
        entry.btih = entry.btih or _hex(bencode.text(key))
        found.append(entry)
    return found, broken


def _hex(text: str) -> str:
    return text.lower() if len(text) == 40 and all(c in "0123456789abcdefABCDEF" for c in text) else ""


def of_deluge_state(data: bytes) -> list[Entry]:
    """Return the torrents of Deluge's ``torrents.state``. Raises :class:`StructureError` for what is none."""
    root = read_pickle(data)
    torrents = _field(root.state, "torrents") if isinstance(root, Instance) else None
    if not isinstance(torrents, list):
        raise StructureError("a pickle that is no list of Deluge's torrents")
    found = []
    for one in torrents[:MOST]:
        if not isinstance(one, Instance):
            continue
        state = one.state
        trackers = [_text(_field(t, "url")) for t in _listed(_field(state, "trackers"))[:50] if isinstance(t, dict)]
        added = _field(state, "time_added")
        finished = _field(state, "is_finished")
        found.append(
            Entry(
                name=_text(_field(state, "name")) or _text(_field(state, "filename")) or _shown(_text(_field(state, "magnet"))),
                btih=_hex(_text(_field(state, "torrent_id"))),
                path=_text(_field(state, "save_path")) or _text(_field(state, "download_location")),
                added=int(added) if isinstance(added, int | float) and 0 < added < 1e11 else 0,
                uploaded=_whole(_field(state, "total_uploaded")),
                trackers=[url for url in trackers if url],
                facts={
                    "torrent": _text(_field(state, "filename")),
                    "magnet": _text(_field(state, "magnet")),
                    "moved_to": _text(_field(state, "move_completed_path")) if _field(state, "move_completed") else "",
                    "owner": _text(_field(state, "owner")),
                    "finished": finished if isinstance(finished, bool) else None,
                },
            )
        )
    return found


def _shown(magnet: str) -> str:
    """Return the name that a magnet link gives."""
    try:
        return parse_qs(magnet.partition("?")[2], max_num_fields=200).get("dn", [""])[0]
    except ValueError:
        return ""


def _field(table: dict[Any, Any], name: str) -> Any:
    """Return a value whose name is text or, in old pickles, bytes."""
    return table.get(name, table.get(name.encode()))


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value[:4000].decode("utf-8", "replace")
    return value[:2000] if isinstance(value, str) else ""


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62 else None
