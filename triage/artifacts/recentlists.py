"""Lists of recently opened files, as desktops and players keep them: one entry a file, with what is told of it.

Formats: freedesktop.org, Desktop Bookmark Specification (XBEL); GNOME's older ``.recently-used``; freedesktop.org, Desktop Entry
Specification; VLC's ``[RecentsMRL]`` (Qt) and property list (macOS); Apple's shared file lists (keyed archives and property lists with
bookmark data), as public tools describe them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import times
from triage.artifacts.fileaddress import path_of, shown
from triage.artifacts.inifile import MAX_BYTES, read_ini
from triage.artifacts.keyedarchive import KeyedArchive
from triage.artifacts.macbookmark import read_bookmark
from triage.artifacts.plist import parse_plist
from triage.artifacts.xmlfile import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.plist import Value
    from triage.artifacts.structure import Notes
    from triage.artifacts.xmlfile import Element

_MOST = 10_000
_MACRO = re.compile(r"\$HOME|\$\{HOME\}")


class Recent(NamedTuple):
    """A file that was opened. ``path`` and ``url``: one of them; times: ISO 8601 in UTC or ``None``."""

    path: str = ""
    url: str = ""
    time: str | None = None
    added: str | None = None
    changed: str | None = None
    mime: str = ""
    programs: tuple[str, ...] = ()
    times_used: int | None = None
    position_ms: int | None = None
    volume: str = ""
    name: str = ""
    listed_in: str = ""


def read_xbel(data: bytes, notes: Notes) -> Iterator[Recent]:
    """Yield the bookmarks of ``recently-used.xbel``, ``user-places.xbel`` and GNOME's older list. Raises :class:`StructureError`."""
    document = parse_xml(data)
    for line in document.notes:
        notes.add(line)
    for element in _walk(document.root):
        if element.name == "bookmark" and element.attributes.get("href"):
            applications = [one for one in _walk(element) if one.name.rpartition(":")[2] == "application"]
            counts = [int(text) for one in applications if (text := one.attributes.get("count", "")).isascii() and text.isdigit()]
            kind = next((one.attributes.get("type", "") for one in _walk(element) if one.name.rpartition(":")[2] == "mime-type"), "")
            yield _at(element.attributes["href"])._replace(
                time=_last([element.attributes.get("visited", ""), *(one.attributes.get("modified", "") for one in applications)]),
                added=_iso(element.attributes.get("added", "")),
                changed=_iso(element.attributes.get("modified", "")),
                mime=shown(kind, 200),
                programs=tuple(shown(one.attributes.get("name", ""), 200) for one in applications[:50]),
                times_used=min(sum(counts[:50]), 1 << 53) if counts else None,
            )
        elif element.name == "RecentItem":
            said = {child.name: child.text.strip() for child in element.children}
            if said.get("URI"):
                stamp = said.get("Timestamp", "")
                when = times.iso(times.unix(int(stamp))) if re.fullmatch(r"[0-9]{1,11}", stamp) else None
                yield _at(said["URI"])._replace(time=when, mime=shown(said.get("Mime-Type", ""), 200))


def _last(texts: list[str]) -> str | None:
    """Return the latest: GTK often leaves ``visited`` at the first time, and notes each program's last one."""
    return max((told for text in texts if (told := _iso(text)) is not None), default=None)


def _walk(root: Element) -> Iterator[Element]:
    """Yield elements in the order they stand, without recursion."""
    waiting = [root]
    while waiting:
        element = waiting.pop()
        yield element
        waiting += element.children[::-1]


def read_vlc(data: bytes, notes: Notes) -> Iterator[Recent]:
    """Yield what VLC played last (``[RecentsMRL]``: ``list`` of addresses and ``times``, where it stood in milliseconds)."""
    if len(data) > MAX_BYTES:
        notes.add(f"of settings only the first {MAX_BYTES:,} bytes were read")
    section = read_ini(data).get("RecentsMRL", {})
    addresses = [one.strip().strip('"') for one in section.get("list", "").split(", ")]
    if len(section.get("list", "")) >= 20_000:
        notes.add("VLC's list of files is longer than is read: the last ones are cut")
    places = [one.strip() for one in section.get("times", "").split(",")]
    for number, address in enumerate(addresses[:_MOST]):
        if address and address != "@Invalid()":
            place = places[number] if number < len(places) else ""
            yield _at(address)._replace(position_ms=int(place) if re.fullmatch(r"[0-9]{1,15}", place) else None)


def read_desktop(data: bytes, notes: Notes) -> Iterator[Recent]:
    """Yield what a link of KDE's ``RecentDocuments`` leads to."""
    said = read_ini(data).get("Desktop Entry", {})
    address = next((value for key, value in said.items() if key in ("URL", "URL[$e]") and value), "")
    if not address:
        notes.add("a link of KDE's recent documents leads nowhere")
        return
    program = said.get("X-KDE-LastOpenedWith", "")
    found = _at(address) if "://" in address else Recent(path=shown(_MACRO.sub("~", address.removeprefix("file:")), 8192))
    yield found._replace(name=shown(said.get("Name", ""), 500), programs=(shown(program, 200),) if program else ())


def read_sfl(data: bytes, notes: Notes) -> Iterator[Recent]:
    """Yield the items of a shared file list of macOS (``.sfl``, ``.sfl2``, ``.sfl3``). Raises :class:`StructureError`."""
    archive = KeyedArchive(data)
    lost = 0
    for number, one in enumerate(archive.items(archive.get("items"))):
        if number >= _MOST - 1:
            notes.add(f"of a list of files only the first {_MOST:,} were read")
        blob = archive.get("Bookmark", of=one) or archive.get("bookmark", of=one)
        if isinstance(blob, dict):
            blob = archive.get("NS.data", of=blob)
        name = archive.text("Name", of=one) or archive.text("name", of=one)
        address = archive.text("URL", of=one)
        found = read_bookmark(blob) if isinstance(blob, bytes) else None
        if found is not None:
            yield Recent(path=shown(found.path, 8192), volume=shown(found.volume), name=shown(name))
        elif address:
            yield _at(address)._replace(name=shown(name))
        else:
            lost += 1
    notes.add("an item of a list of files has no place that can be read", lost)


def read_recent_plist(data: bytes, notes: Notes) -> Iterator[Recent]:
    """Yield what known keys of a property list tell of recent files and folders. Raises :class:`StructureError`."""
    parsed = parse_plist(data)
    for line in parsed.notes:
        notes.add(line)
    root = parsed.value if isinstance(parsed.value, dict) else {}
    for item in _list(root.get("FXRecentFolders")):
        yield from _bookmarked(item, "folders of the Finder", notes)
    for key in ("RecentDocuments", "RecentApplications", "Hosts", "RecentServers"):
        held = root.get(key)
        for item in _list(held.get("CustomListItems") if isinstance(held, dict) else held):
            yield from _bookmarked(item, key, notes)
    positions = root.get("recentlyPlayedMedia")
    places = positions if isinstance(positions, dict) else {}
    listed = [one for one in _list(root.get("recentlyPlayedMediaList")) if isinstance(one, str)]
    for address in dict.fromkeys([*listed, *list(places)[:_MOST]]):
        seconds = places.get(address)
        place = seconds * 1000 if isinstance(seconds, int) and not isinstance(seconds, bool) and 0 <= seconds < 1 << 40 else None
        yield _at(address)._replace(position_ms=place, listed_in="VLC's media")


def _list(value: Value) -> list[Value]:
    return value[:_MOST] if isinstance(value, list) else []


def _bookmarked(item: Value, listed_in: str, notes: Notes) -> Iterator[Recent]:
    """Yield an item that is bookmark data, or a dictionary with them and a name."""
    said = item if isinstance(item, dict) else {}
    blob = item if isinstance(item, bytes) else said.get("file-bookmark") or said.get("Bookmark")
    name, address = said.get("name") or said.get("Name"), said.get("URL")
    found = read_bookmark(blob) if isinstance(blob, bytes) else None
    told = shown(name) if isinstance(name, str) else ""
    if found is not None:
        yield Recent(path=shown(found.path, 8192), volume=shown(found.volume), name=told, listed_in=listed_in)
    elif isinstance(address, str) and address:
        yield _at(address)._replace(name=told, listed_in=listed_in)
    elif told:
        yield Recent(name=told, listed_in=listed_in)
    else:
        notes.add("an item of a list of files has no place that can be read")


def _at(address: str) -> Recent:
    path = path_of(address)
    return Recent(path=path) if path else Recent(path=shown(address, 8192)) if address[:1] == "/" else Recent(url=shown(address, 8192))


def _iso(text: str) -> str | None:
    """Return a time of XBEL (ISO 8601 in UTC, with or without a fraction) as findings have it."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z", text[:40], re.ASCII)
    return f"{match[1]}Z" if match else None
