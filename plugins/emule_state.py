"""Who used eMule or aMule, what was searched, cancelled and shared, with whom it exchanged how much: all but its lists of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import emulestate, p2p, times
from triage.artifacts.inifile import MAX_BYTES, Ini, lines_of, read_ini
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.plugin import Json

_LARGEST = 64 << 20
_BY = "eMule or aMule"
_SETTINGS = {
    "nick": "Nick", "version": "AppVersion", "port": "Port", "udp_port": "UDPPort", "incoming": "IncomingDir", "temp": "TempDir",
    "more_temp": "TempDirs", "upload_limit": "MaxUpload", "download_limit": "MaxDownload", "shared_files_seen_by": "SeeShare",
    "kademlia": "NetworkKademlia", "ed2k": "NetworkED2K", "chat_nick": "IRCNick", "video_player": "VideoPlayer",
}  # fmt: skip
_SEEN_BY = {"0": "everybody", "1": "friends", "2": "nobody"}


class EmuleState:
    """``account``, ``search-term``, ``search-result``, ``shared-folder``, ``peer``, ``contact``, ``transfer-total`` and others."""

    name = "emule_state"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            "*preferences.dat", "*preferencesKad.dat", "preferences.ini", "amule.conf", "remote.conf", "*AC_SearchStrings.dat",
            "searchhistory.dat", "*StoredSearches.met", "*clients.met", "*clients.met.bak", "*emfriends.met", "*cancelled.met",
            "*canceled.met", "server.met", "nodes.dat", "*shareddir.dat", "shareddir-explicit.dat", "shareddir-recursive.dat",
            "statistics.ini", "statistics.dat", "Category.ini",
        )
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the file says."""
        name = item.entry.path.rpartition("/")[2].lower()
        if item.size > _LARGEST and ".met" in name:
            yield item.problem(f"a file of eMule of more than {_LARGEST:,} bytes was not read")
            return
        read = next(reader for end, reader in _READERS if name.endswith(end))
        try:
            yield from read(item, {**whose(item.entry.path), "program": _BY})
        except StructureError as error:
            # Other programs have files of these names: only a version that is not known is worth a word.
            if "version" in str(error):
                yield item.problem(f"a file of eMule cannot be read: {error}")


def _identity(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    user, place = emulestate.user_hash(item.read(4096))
    data = p2p.said({**mine, "user_hash": user, "window": list(place) if place else None})
    yield item.finding("account", f"the user of {_BY} with the hash {user}", data, [(1, 16)])


def _kad(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    address, kad = emulestate.kad_identity(item.read(4096))
    data = p2p.said({**mine, "address": address, "kad_id": kad})
    yield item.finding("account", f"the user of {_BY} in Kademlia, last seen by others at {address or 'no address'}", data)


def _settings(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    ini = read_ini(item.read(MAX_BYTES))
    values = ini.get("eMule", {})
    if not values.get("AppVersion") and not {"Nick", "IncomingDir", "TempDir", "ToolbarSetting"} & set(values):
        return
    facts = {name: values.get(key, "") for name, key in _SETTINGS.items()}
    facts["shared_files_seen_by"] = _SEEN_BY.get(facts["shared_files_seen_by"], facts["shared_files_seen_by"])
    proxy = ini.get("Proxy", {})
    if proxy.get("ProxyEnableProxy") == "1":
        facts |= {"proxy": proxy.get("ProxyName", ""), "proxy_port": proxy.get("ProxyPort", ""), "proxy_user": proxy.get("ProxyUser", "")}
    yield item.finding("account", f"{_BY} is set up for {values.get('Nick') or 'a user without a name'}", p2p.said({**mine, **facts}))
    if values.get("IncomingDir"):
        yield _folder(item, values["IncomingDir"], {**mine, "use": "incoming"})
    yield from _totals(item, ini.get("Statistics", {}), mine)
    yield from _categories(item, ini, mine)
    yield from _cut(item)


def _cut(item: Item) -> Iterator[Problem]:
    if item.size > MAX_BYTES:
        yield item.problem(f"of settings of more than {MAX_BYTES:,} bytes the rest was not read")


def _folder(item: Item, path: str, mine: Json) -> Finding:
    return item.finding("shared-folder", f"the folder {path} was shared by {_BY}", p2p.said({**mine, "path": path}))


def _categories(item: Item, ini: Ini, mine: Json) -> Iterator[Finding | Problem]:
    for section, values in ini.items():
        if section.startswith("Cat#") and (values.get("Title") or values.get("Incoming")):
            title, path = values.get("Title", ""), values.get("Incoming", "")
            facts = {"name": title, "path": path, "comment": values.get("Comment", ""), "files": values.get("AutoCat", "")}
            kind = "shared-folder" if path else "category"
            said = f"downloads of the category {title or section} of {_BY}" + (f" go to {path}" if path else "")
            yield item.finding(kind, said, p2p.said({**mine, **facts}))


def _category_file(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    yield from _categories(item, read_ini(item.read(MAX_BYTES)), mine)
    yield from _cut(item)


def _totals(item: Item, values: dict[str, str], mine: Json) -> Iterator[Finding | Problem]:
    loaded, given = values.get("TotalDownloadedBytes", ""), values.get("TotalUploadedBytes", "")
    if loaded.isdecimal() or given.isdecimal():
        facts = {name: int(text[:20]) for name, text in (("bytes_loaded", loaded), ("bytes_uploaded", given)) if text.isdecimal()}
        told = f"{facts.get('bytes_loaded', 0):,} bytes and uploaded {facts.get('bytes_uploaded', 0):,}"
        yield item.finding("transfer-total", f"{_BY} loaded {told} in all", {**mine, **facts})


def _statistics(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    yield from _totals(item, read_ini(item.read(MAX_BYTES)).get("Statistics", {}), mine)
    yield from _cut(item)


def _statistics_of_amule(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    data = item.read(18)
    if len(data) == 17 and data[0] == 0 and "amule" in item.entry.path.lower():
        given, loaded = int.from_bytes(data[1:9], "little"), int.from_bytes(data[9:], "little")
        yield from _totals(item, {"TotalUploadedBytes": str(given), "TotalDownloadedBytes": str(loaded)}, mine)


def _words(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    data = item.read(MAX_BYTES)
    if b"\0" in data and not data.startswith(b"\xff\xfe"):
        return
    for words in lines_of(data):
        yield item.finding("search-term", f"searched for {words[:200]} with {_BY}", p2p.said({**mine, "term": words}))
    yield from _cut(item)


def _folders(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    data = item.read(MAX_BYTES)
    if b"\0" in data and not data.startswith(b"\xff\xfe"):
        return
    deep = item.entry.path.lower().endswith("recursive.dat")
    for path in lines_of(data):
        yield _folder(item, path, {**mine, "with_folders_in_it": deep or None})
    yield from _cut(item)


def _searches(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    searches, why = emulestate.read_stored(item.read(_LARGEST))
    for search in searches:
        facts = {"term": search.words or search.title, "type": search.type, "results": len(search.found)}
        kind = "peer" if search.of_peer else "search-term"
        told = f"looked at the files of {search.title} with" if search.of_peer else f"searched for {search.words or search.title} with"
        yield item.finding(kind, f"{told} {_BY}", p2p.said({**mine, **facts}), [(search.start, search.end - search.start)])
        for one in search.found:
            name, aich = one.tags.get(emulestate.NAME, ""), p2p.hex_of("aich", str(one.tags.get(emulestate.AICH, "")))
            digests = {"ed2k": one.ed2k, **({"aich": aich} if aich else {})}
            data = p2p.said({
                **mine, "name": name, "size": one.size, "type": one.tags.get(emulestate.TYPE), "search": search.words or search.title,
                "address": one.address, "port": one.port or None, "ed2k": one.ed2k, "aich": aich, "digests": [digests],
            })  # fmt: skip
            title = f"{name or 'a file without a name'} came up in a search with {_BY}"
            yield item.finding("search-result", title, data, [(one.start, one.end - one.start)])
    if why:
        yield item.problem(f"stored searches of eMule were not read whole: {why}")


def _clients(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    peers, why = emulestate.read_clients(item.read(_LARGEST))
    for peer in sorted(peers, key=lambda one: (-one.uploaded, -one.downloaded, one.start)):
        data = p2p.said({
            **mine, "user_hash": peer.user, "bytes_uploaded": peer.uploaded, "bytes_loaded": peer.downloaded,
            "last_seen": times.iso(times.unix(peer.seen)),
        })  # fmt: skip
        title = f"{_BY} gave {peer.uploaded:,} bytes to the user {peer.user} and got {peer.downloaded:,}"
        yield item.finding("peer", title, data, [(peer.start, peer.end - peer.start)])
    if why:
        yield item.problem(f"clients.met of eMule was not read whole: {why}")


def _friends(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    friends, why = emulestate.read_friends(item.read(_LARGEST))
    for one in friends:
        data = p2p.said({
            **mine, "name": one.name, "user_hash": one.user, "address": one.address, "port": one.port or None,
            "last_seen": times.iso(times.unix(one.seen)), "last_chat": times.iso(times.unix(one.chatted)),
        })  # fmt: skip
        yield item.finding("contact", f"{one.name or one.user} is a friend in {_BY}", data, [(one.start, one.end - one.start)])
    if why:
        yield item.problem(f"emfriends.met of eMule was not read whole: {why}")


def _cancelled(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    hashes, own, why = emulestate.read_cancelled(item.read(_LARGEST))
    if hashes and not own:
        told = "their hashes are hashed again with a random number and match no list"
        yield item.finding(
            "cancelled-download", f"{len(hashes):,} downloads of {_BY} were cancelled: {told}", {**mine, "count": len(hashes)}
        )
    for ed2k in hashes if own else []:
        data = {**mine, "ed2k": ed2k, "digests": [{"ed2k": ed2k}]}
        yield item.finding("cancelled-download", f"a download of {_BY} was cancelled: {ed2k}", data)
    if why:
        yield item.problem(f"cancelled.met of eMule was not read whole: {why}")


def _servers(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    servers, why = emulestate.read_servers(item.read(_LARGEST))
    shown = [
        p2p.said({"address": address, "port": port, "name": str(tags.get(emulestate.NAME, ""))[:100]}) for address, port, tags in servers
    ]
    if servers:
        data = {**mine, "count": len(servers), "servers": p2p.fitting(shown)}
        yield item.finding("servers", f"{_BY} knows {len(servers):,} servers", data)
    if why:
        yield item.problem(f"server.met of eMule was not read whole: {why}")


def _nodes(item: Item, mine: Json) -> Iterator[Finding | Problem]:
    count = emulestate.count_nodes(item.head(16), item.size)
    yield item.finding("servers", f"{_BY} knows {count:,} contacts of Kademlia", {**mine, "count": count})


_READERS: tuple[tuple[str, Callable[[Item, Json], Iterator[Finding | Problem]]], ...] = (
    ("preferences.dat", _identity),
    ("preferenceskad.dat", _kad),
    ("preferences.ini", _settings),
    (".conf", _settings),
    ("searchstrings.dat", _words),
    ("searchhistory.dat", _words),
    ("storedsearches.met", _searches),
    ("clients.met", _clients),
    ("clients.met.bak", _clients),
    ("emfriends.met", _friends),
    ("cancelled.met", _cancelled),
    ("canceled.met", _cancelled),
    ("server.met", _servers),
    ("nodes.dat", _nodes),
    ("shareddir.dat", _folders),
    ("shareddir-explicit.dat", _folders),
    ("shareddir-recursive.dat", _folders),
    ("statistics.ini", _statistics),
    ("statistics.dat", _statistics_of_amule),
    ("category.ini", _category_file),
)


PLUGIN = EmuleState
