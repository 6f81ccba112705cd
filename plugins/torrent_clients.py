"""What qBittorrent, Transmission, Deluge, Vuze, uTorrent and BitComet note beside the torrents: where to, when, how much, settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.artifacts import bencode, p2p, times
from triage.artifacts.inifile import MAX_BYTES, lines_of, read_ini
from triage.artifacts.jsonfile import parse_json
from triage.artifacts.qtsettings import numbers_of, values_of
from triage.artifacts.structure import StructureError
from triage.artifacts.torrentstate import Entry, of_deluge_resume, of_deluge_state, of_libtorrent, of_transmission, of_vuze
from triage.artifacts.web import whose
from triage.artifacts.xmlfile import Element, parse_xml
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.plugin import Json

_TELLING = re.compile(r"(?:path|dir|dirs|folder|(?<!al)location|hist|history|port|username|hostname|nick|program|proxy.ip)$", re.IGNORECASE)
_HIDDEN = re.compile(r"password|pass$|cookie|token|secret", re.IGNORECASE)
_HASH = re.compile(r"[0-9a-fA-F]{40}")
_MOST_SETTINGS = 100


class TorrentClients:
    """Findings ``loading-file`` a torrent, ``program-settings``, ``search-term`` and ``transfer-total``."""

    name = "torrent_clients"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=(
            "*.fastresume", "*.resume", "torrents.fastresume*", "torrents.state*", "deluge/core.conf", "transmission*/settings.json",
            "transmission*/stats.json", "qBittorrent*.conf", "qBittorrent*.ini", "SearchUI/History.txt", "downloads.config*",
            "Azureus/active/*.dat", ".azureus/active/*.dat", "Vuze/active/*.dat", "uTorrent/settings.dat*", "BitTorrent/settings.dat*",
            "BitComet*/Downloads.xml*",
        )
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        path = "/" + item.entry.path.lower()
        read, program = next((reader, program) for end, program, reader in _READERS if re.search(end, path))
        if item.size > bencode.MAX_BYTES:
            yield item.problem(f"what {program} notes was not read: it has more than {bencode.MAX_BYTES:,} bytes")
            return
        try:
            yield from read(item, {**whose(item.entry.path), "program": program})
        except StructureError as error:
            yield item.problem(f"what {program} notes cannot be read: {error}")


def _entry(item: Item, entry: Entry, mine: Json) -> Finding:
    digests = [{"btih": entry.btih}] if entry.btih and not entry.complete_torrent else []
    data = p2p.said({
        **mine,
        "name": entry.name,
        "path": entry.path,
        "btih": entry.btih,
        "time": times.iso(times.unix(entry.added)),
        "completed_time": times.iso(times.unix(entry.finished)),
        "last_active": times.iso(times.unix(entry.active)),
        "bytes_loaded": entry.loaded,
        "bytes_uploaded": entry.uploaded,
        "trackers": p2p.fitting(dict.fromkeys(entry.trackers), 8000),
        "files": p2p.fitting(entry.files, 12_000),
        **p2p.said(entry.facts),
        "digests": digests,
    })  # fmt: skip
    return item.finding("loading-file", f"{entry.name or entry.btih or 'a torrent'} was loaded by {mine['program']}", data)


def _bencoded(item: Item) -> dict[bytes, bencode.Value]:
    """Return the dictionary that the item is, an empty one when it does not begin like one."""
    begins = re.match(rb"d[0-9]", item.read_at(0, 2))
    return bencode.Bencoded(item.read(bencode.MAX_BYTES)).root if begins else {}


def _stem(item: Item) -> str:
    return item.entry.path.rpartition("/")[2].partition(".")[0]


def _resume(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    root = _bencoded(item)
    if b"file-format" in root or b"save_path" in root:
        entry = of_libtorrent(root)
        mine = {**mine, "program": "qBittorrent" if any(key.startswith(b"qBt-") for key in root) else "a program with libtorrent"}
    elif b"destination" in root or b"added-date" in root or b"added_date" in root:
        entry = of_transmission(root)
        mine = {**mine, "program": "Transmission"}
    else:
        return
    if not entry.btih and _HASH.fullmatch(_stem(item)):
        entry.btih = _stem(item).lower()
    yield _entry(item, entry, mine)


def _deluge_resume(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    entries, broken = of_deluge_resume(_bencoded(item))
    for entry in entries:
        yield _entry(item, entry, mine)
    if broken:
        yield item.problem(f"{broken:,} torrents that Deluge notes could not be read")


def _deluge_state(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    for entry in of_deluge_state(item.read(bencode.MAX_BYTES)):
        yield _entry(item, entry, mine)


def _vuze(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    for entry in of_vuze(_bencoded(item)):
        yield _entry(item, entry, mine)


def _vuze_active(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    root = _bencoded(item)
    info = bencode.table(root.get(b"info"))
    if not info:
        return
    paths = [bencode.items(bencode.table(one).get(b"path")) for one in bencode.items(info.get(b"files"))[:500]]
    files = ["/".join(bencode.text(part) for part in path) for path in paths]
    btih = _stem(item).lower() if _HASH.fullmatch(_stem(item)) else ""
    trackers = [bencode.text(root.get(b"announce"))]
    entry = Entry(
        name=bencode.text(info.get(b"name.utf-8") or info.get(b"name")), btih=btih, files=files, trackers=[t for t in trackers if t]
    )
    yield _entry(item, entry, mine)


def _settings(item: Item, values: dict[str, list[str]], mine: Json) -> Iterator[Finding]:
    """Yield the settings that say where files go, by which port and under which name."""
    telling = {
        key: p2p.fitting(found, 4000) if len(found) > 1 else found[0][:1000]
        for key, found in list(values.items())[:20_000]
        if found and _TELLING.search(key) and not _HIDDEN.search(key) and found[0].lower() not in ("true", "false")
    }
    if telling:
        shown = p2p.table(dict(list(telling.items())[:_MOST_SETTINGS]), 24_000)
        data = {**mine, "settings": shown, **({"left_out": len(telling) - len(shown)} if len(shown) < len(telling) else {})}
        yield item.finding("program-settings", f"how {mine['program']} is set up: folders, ports, names", data)


def _qbittorrent(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    ini = read_ini(item.read(MAX_BYTES))
    flat = {f"{section}/{key}".replace("\\", "/"): value for section, values in ini.items() for key, value in values.items()}
    yield from _settings(item, {key: values_of(value) for key, value in flat.items()}, mine)
    for key, value in flat.items():
        if "search" in key.lower() and "history" in key.lower():
            for words in values_of(value):
                yield _searched(item, words, mine)
        elif key.endswith("/AllStats"):
            numbers = numbers_of(value)
            yield from _total(item, numbers.get("AlltimeDL"), numbers.get("AlltimeUL"), mine)
    if item.size > MAX_BYTES:
        yield item.problem(f"of settings of more than {MAX_BYTES:,} bytes the rest was not read")


def _searched(item: Item, words: str, mine: Json) -> Finding:
    return item.finding("search-term", f"searched for {words[:200]} with {mine['program']}", p2p.said({**mine, "term": words}))


def _total(item: Item, loaded: object, uploaded: object, mine: Json, **more: object) -> Iterator[Finding]:
    numbers = {"bytes_loaded": loaded, "bytes_uploaded": uploaded}
    facts = {name: value for name, value in numbers.items() if isinstance(value, int) and not isinstance(value, bool)}
    if facts:
        told = f"{facts.get('bytes_loaded', 0):,} bytes and uploaded {facts.get('bytes_uploaded', 0):,}"
        yield item.finding("transfer-total", f"{mine['program']} loaded {told} in all", p2p.said({**mine, **facts, **more}))


def _history(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    data = item.read(MAX_BYTES)
    if b"\0" not in data:
        for words in lines_of(data)[:10_000]:
            yield _searched(item, words, mine)


def _flattened(value: object, name: str = "", depth: int = 0) -> dict[str, list[str]]:
    """Return texts and numbers of a JSON value by their path."""
    if isinstance(value, dict) and depth < 8:
        return {key: found for part, one in value.items() for key, found in _flattened(one, f"{name}/{part}", depth + 1).items()}
    if isinstance(value, list):
        return {name: [str(one) for one in value[:100] if isinstance(one, str | int) and one != ""]}
    return {name: [str(value)]} if isinstance(value, str | int) and value != "" else {}


def _json(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    data = item.read(MAX_BYTES)
    behind = data.find(b"}{", 0, 200)  # Deluge puts a small document with versions before the settings
    document = parse_json(data[behind + 1 :] if behind > 0 else data)
    value = document.value if isinstance(document.value, dict) else {}
    plain = {str(key).replace("_", "-"): one for key, one in value.items()}
    if "uploaded-bytes" in plain or "downloaded-bytes" in plain:
        more = {
            name: plain.get(key) for name, key in (("files", "files-added"), ("sessions", "session-count"), ("seconds", "seconds-active"))
        }
        yield from _total(item, plain.get("downloaded-bytes"), plain.get("uploaded-bytes"), mine, **more)
        return
    yield from _settings(item, {key.lstrip("/"): found for key, found in _flattened(value).items()}, mine)


def _utorrent(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    values: dict[str, list[str]] = {}
    for key, value in _bencoded(item).items():
        found = [value] if isinstance(value, bytes | int) else bencode.items(value)[:100]
        values[bencode.text(key)] = [str(one) if isinstance(one, int) else bencode.text(one) for one in found if one not in (b"", 0)]
    # Names of uTorrent's begin with what they are about.
    yield from _settings(item, {re.sub(r"^dir_(\w+)$", r"\1/dir", key): found for key, found in values.items()}, mine)


def _bitcomet(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    document = parse_xml(item.read(bencode.MAX_BYTES))
    waiting, seen = [document.root], 0
    while waiting:
        element: Element = waiting.pop()
        waiting.extend(reversed(element.children))
        values = {key.lower(): value for key, value in element.attributes.items() if value}
        btih = next((value.lower() for key, value in values.items() if "hash" in key and _HASH.fullmatch(value)), "")
        path = next((values[key] for key in ("savelocation", "savedirectory", "savepath", "savefolder") if key in values), "")
        if btih or (path and element.name.lower() in ("torrent", "task", "download")):
            seen += 1
            name = values.get("name") or values.get("filename") or path.replace("\\", "/").rpartition("/")[2]
            yield _entry(item, Entry(name=name, btih=btih, path=path, facts=p2p.table(values, 8000)), mine)
    for line in document.notes:
        yield item.problem(f"a list of BitComet: {line}")


_READERS: tuple[tuple[str, str, Callable[[Item, Json], Iterator[Finding | Problem]]], ...] = (
    (r"/torrents\.fastresume[^/]*$", "Deluge", _deluge_resume),
    (r"/torrents\.state[^/]*$", "Deluge", _deluge_state),
    (r"/core\.conf$", "Deluge", _json),
    (r"\.(?:fast)?resume$", "a torrent program", _resume),
    (r"/(?:settings|stats)\.json$", "Transmission", _json),
    (r"/history\.txt$", "qBittorrent", _history),
    (r"/qbittorrent[^/]*\.(?:conf|ini)$", "qBittorrent", _qbittorrent),
    (r"/downloads\.config[^/]*$", "Vuze", _vuze),
    (r"/active/[^/]*\.dat$", "Vuze", _vuze_active),
    (r"/settings\.dat[^/]*$", "uTorrent or BitTorrent", _utorrent),
    (r"/downloads\.xml[^/]*$", "BitComet", _bitcomet),
)


PLUGIN = TorrentClients
