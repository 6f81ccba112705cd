"""What DC++ and its kin (EiskaltDC++, ApexDC++, AirDC++) shared, loaded and visited: files with TTH, folders, hubs, names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts import p2p, times
from triage.artifacts.dcplusplus import read_index, read_listing, read_queue, read_settings
from triage.artifacts.recipe import expand
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.artifacts.xmlfile import MAX_BYTES, Element, XmlDocument, parse_xml
from triage.plugin import Accepts, Finding, Item, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.plugin import Json

_BY = "DC++ or its kin"


class DcPlusPlus:
    """``loading-file``, ``shared-file``, ``shared-folder``, ``account``, ``hub``, ``contact``, ``search-term``, ``transfer-total``."""

    name = "dcplusplus"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=(
            "DCPlusPlus.xml*", "Queue.xml*", "Favorites.xml*", "Recents.xml", "HashIndex.xml*", "files.xml.bz2", "FileLists/*.xml.bz2",
        )
    )  # fmt: skip

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what the list says."""
        packed = item.read_at(0, 3) == b"BZh"
        head = item.read_at(0, 2000)
        if not packed and not any(f"<{name}".encode() in head for name in _READERS):
            return
        try:
            document, why = _document(item, packed)
        except StructureError as error:
            yield item.problem(f"a list of {_BY} cannot be read: {error}")
            return
        read = _READERS.get(document.root.name)
        if read is not None:
            yield from read(item, document.root, {**whose(item.entry.path), "program": _BY})
            for line in (*document.notes, *([why] if why else [])):
                yield item.problem(f"a list of {_BY}: {line}")


def _document(item: Item, packed: bool) -> tuple[XmlDocument, str]:
    if not packed:
        return parse_xml(item.read(MAX_BYTES + 1)), ""
    expansion = expand(item.read_at, item.size, "bzip2")
    data = expansion.read(MAX_BYTES) if expansion is not None else b""
    return parse_xml(data), expansion.reason if expansion is not None else ""


def _queue(item: Item, root: Element, mine: Json) -> Iterator[Finding]:
    for one in read_queue(root):
        name = one.target.replace("\\", "/").rpartition("/")[2]
        data = p2p.said({
            **mine, "name": name, "path": one.target, "size": one.size, "bytes_loaded": one.loaded, "tth": one.tth,
            "time": times.iso(times.unix(one.added)), "sources": one.source_count, "offered_by": p2p.fitting(one.sources, 4000),
            "digests": [{"tth": one.tth}] if one.tth else [],
        })  # fmt: skip
        yield item.finding("loading-file", f"{name or one.target} was being loaded by {_BY}", data)


def _index(item: Item, root: Element, mine: Json) -> Iterator[Finding]:
    for path, time, tth, size in read_index(root):
        name = path.replace("\\", "/").rpartition("/")[2]
        data = p2p.said({
            **mine, "name": name, "path": path, "size": size, "time": times.iso(times.unix(time)), "tth": tth,
            "digests": [{"tth": tth}] if tth else [],
        })  # fmt: skip
        yield item.finding("shared-file", f"{name or path} was hashed to be shared by {_BY}", data)


def _listing(item: Item, root: Element, mine: Json) -> Iterator[Finding]:
    own = "/filelists/" not in f"/{item.entry.path.lower()}"
    file_name = item.entry.path.rpartition("/")[2]
    facts = {**mine, "list": file_name, "cid": root.attributes.get("CID", ""), "made_by": root.attributes.get("Generator", "")}
    kind, verb = ("shared-file", f"were shared by {_BY}") if own else ("peer-file", f"were offered by another user of {_BY} ({file_name})")
    for folder in read_listing(root):
        digests = [{"tth": tth} for _, _, tth in folder.files if tth]
        shown = (p2p.said({"name": name[:200], "size": size}) for name, size, _ in folder.files)
        data = p2p.said({**facts, "path": folder.path, "files": p2p.fitting(shown), "file_count": len(folder.files), "digests": digests})
        yield item.finding(kind, f"{len(folder.files):,} files in {folder.path} {verb}", data)


def _settings(item: Item, root: Element, mine: Json) -> Iterator[Finding]:
    values, folders, words = read_settings(root)
    loaded, uploaded = values.pop("TotalDownload", ""), values.pop("TotalUpload", "")
    if values:
        nick = values.get("Nick", "")
        yield item.finding("account", f"{_BY} is set up for {nick or 'a user without a name'}", p2p.said({**mine, "nick": nick, **values}))
    for path, shown in folders:
        data = p2p.said({**mine, "path": path, "shown_as": shown})
        yield item.finding("shared-folder", f"the folder {path} was shared by {_BY}", data)
    for term in words:
        yield item.finding("search-term", f"searched for {term[:200]} with {_BY}", p2p.said({**mine, "term": term}))
    numbers = {
        name: int(text) for name, text in (("bytes_loaded", loaded), ("bytes_uploaded", uploaded)) if text.isdecimal() and len(text) < 20
    }
    if any(numbers.values()):
        told = f"{numbers.get('bytes_loaded', 0):,} bytes and uploaded {numbers.get('bytes_uploaded', 0):,}"
        yield item.finding("transfer-total", f"{_BY} loaded {told} in all", {**mine, **numbers})


def _favorites(item: Item, root: Element, mine: Json) -> Iterator[Finding]:
    waiting = [root]
    while waiting:
        element = waiting.pop()
        waiting.extend(reversed(element.children))
        values = element.attributes
        server = values.get("Server") or values.get("HubUrl", "")
        if element.name == "Hub" and server:
            data = p2p.said({
                **mine, "name": values.get("Name", ""), "url": server, "nick": values.get("Nick", ""),
                "description": values.get("Description", ""), "password_is_kept": True if values.get("Password") else None,
                "last_seen": _seen(values),
            })  # fmt: skip
            yield item.finding("hub", f"{values.get('Name') or server} is a hub that {_BY} knows", data)
        elif element.name == "User" and (values.get("Nick") or values.get("CID")):
            data = p2p.said({
                **mine, "name": values.get("Nick", ""), "cid": values.get("CID", ""), "url": values.get("URL", ""),
                "last_seen": _seen(values),
            })  # fmt: skip
            yield item.finding("contact", f"{values.get('Nick') or values.get('CID')} is a favourite user in {_BY}", data)


def _seen(values: dict[str, str]) -> str | None:
    text = values.get("LastSeen", "")
    return times.iso(times.unix(int(text))) if text.isascii() and text.isdecimal() and len(text) < 12 else None


_READERS: dict[str, Callable[[Item, Element, Json], Iterator[Finding]]] = {
    "Downloads": _queue,
    "HashStore": _index,
    "FileListing": _listing,
    "DCPlusPlus": _settings,
    "Favorites": _favorites,
    "Recents": _favorites,
}


PLUGIN = DcPlusPlus
