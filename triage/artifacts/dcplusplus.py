"""Lists of DC++ and its kin: the queue of downloads, favourites, settings, the index of hashes, lists of files (own and other users').

Elements as the programs write them (DC++'s sources: ``QueueManager.cpp``, ``FavoriteManager.cpp``, ``SettingsManager.cpp``,
``HashManager.cpp``, ``DirectoryListing.cpp``); the lists of files are XML in bzip2. TTH digests are Base32.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts.p2p import hex_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.xmlfile import Element

_KEPT_SOURCES, _MOST_IN_FOLDER = 50, 100
_SETTINGS = ("Nick", "EMail", "Description", "DownloadDirectory", "TempDownloadDirectory", "CID", "InPort", "UDPPort", "TLSPort",
             "ExternalIp", "ConfigVersion", "PrivateID")  # fmt: skip


@dataclass(slots=True)
class Queued:
    """A download. ``added``: seconds since 1970."""

    target: str
    size: int | None
    tth: str
    added: int
    loaded: int | None
    sources: list[str] = field(default_factory=list)
    source_count: int = 0


@dataclass(slots=True)
class Folder:
    """Files that stand in one folder of a list, at most 100: name, size, TTH."""

    path: str
    files: list[tuple[str, int | None, str]]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def read_queue(root: Element) -> list[Queued]:
    """Return the downloads of ``Queue.xml``."""
    found = []
    for one in root.children:
        values = one.attributes
        if one.name != "Download" or not values.get("Target"):
            continue
        sources = [source.attributes for source in one.children if source.name == "Source"]
        names = [values.get("Nick") or values.get("CID", "") for values in sources[:_KEPT_SOURCES]]
        added = _number(values.get("Added", "")) or 0
        size, loaded = _number(values.get("Size", "")), _number(values.get("Downloaded", ""))
        tth = hex_of("tth", values.get("TTH", ""))
        found.append(Queued(values["Target"], size, tth, added, loaded, [name for name in names if name], len(sources)))
    return found


def read_index(root: Element) -> list[tuple[str, int, str, int | None]]:
    """Return path, time (seconds since 1970), TTH and size of the files of ``HashIndex.xml``."""
    sizes: dict[str, int | None] = {}
    for tree in _children(root, "Trees"):
        sizes[tree.attributes.get("Root", "")] = _number(tree.attributes.get("Size", ""))
    found = []
    for file in _children(root, "Files"):
        digest, path = file.attributes.get("Root", ""), file.attributes.get("Name", "")
        if path:
            found.append((path, _number(file.attributes.get("TimeStamp", "")) or 0, hex_of("tth", digest), sizes.get(digest)))
    return found


def _children(root: Element, name: str) -> list[Element]:
    inner = root.find(name)
    return inner.children if inner is not None else []


def read_listing(root: Element) -> Iterator[Folder]:
    """Yield the folders of a list of files; one of more than 100 files comes in parts."""
    waiting = [("", root)]
    while waiting:
        path, element = waiting.pop()
        files = [
            (file.attributes.get("Name", ""), _number(file.attributes.get("Size", "")), hex_of("tth", file.attributes.get("TTH", "")))
            for file in element.children
            if file.name == "File"
        ]
        for start in range(0, len(files), _MOST_IN_FOLDER):
            yield Folder(path or "/", files[start : start + _MOST_IN_FOLDER])
        folders = [(f"{path}/{one.attributes.get('Name', '')}"[:2000], one) for one in element.children if one.name == "Directory"]
        waiting.extend(reversed(folders))


def read_settings(root: Element) -> tuple[dict[str, str], list[tuple[str, str]], list[str]]:
    """Return settings by name, shared folders (path, name for others), and what was searched for, of ``DCPlusPlus.xml``."""
    values = {one.name: one.text.strip() for one in _children(root, "Settings")}
    shown = {name: values[name] for name in (*_SETTINGS, "TotalUpload", "TotalDownload") if values.get(name)}
    folders = [(one.text.strip(), one.attributes.get("Virtual", "")) for one in _children(root, "Share") if one.text.strip()]
    words = [one.text.strip() for one in _children(root, "SearchHistory")]
    return shown, folders, [text for text in words if text]
