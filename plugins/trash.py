"""What was thrown away on Linux, macOS and Android: the name and folder it had, and when, as far as the trash notes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.artifacts import times
from triage.artifacts.dsstore import MAX_BYTES, read_dsstore
from triage.artifacts.fileaddress import unescaped
from triage.artifacts.inifile import read_ini
from triage.artifacts.structure import StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 64 << 10
_NOTE = ".trashinfo"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_OF_MEDIUM = re.compile(r"(?:^|/)(\.Trash-\d{1,10}|\.Trash/\d{1,10})/(?:info|files)/", re.IGNORECASE)
_EXPIRES = re.compile(r"\.(trashed|pending)-(\d{9,11})-(.+)", re.DOTALL)
_BINS = (
    (re.compile(r"/com\.sec\.android\.[^/]{1,60}/files/\.Trash/", re.IGNORECASE), "Samsung's bin"),
    (re.compile(r"/\.globalTrash/", re.IGNORECASE), "the gallery's bin (.globalTrash)"),
    (re.compile(r"/MIUI/Gallery/(?:[^/]{1,60}/)?\.trashBin/", re.IGNORECASE), "Xiaomi's bin"),
    (re.compile(r"/\.FilesByGoogleTrash/", re.IGNORECASE), "the bin of Files by Google"),
)
_MAC = re.compile(r"/\.Trash/|/\.Trashes/\d{1,10}/", re.IGNORECASE)


class Trash:
    """A finding ``recycled`` a file that lies, or lay, in a trash; ``loading-file`` one that an Android app had not finished."""

    name = "trash"
    version = "1"
    tried_on = "made samples"
    accepts = Accepts(
        paths=(
            f"*{_NOTE}",
            ".trashed-*",
            ".pending-*",
            ".Trash/**",
            ".Trashes/**",
            ".globalTrash/**",
            ".trashBin/**",
            ".FilesByGoogleTrash/**",
        ),
        kinds=(Kind.FILE, Kind.DERIVED),
        min_size=0,
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield what a note of the trash says, or the place of a file in one."""
        path, name = f"/{item.entry.path}", item.entry.name
        dated = _EXPIRES.fullmatch(name)
        if name.lower().endswith(_NOTE):
            yield from _note(item)
        elif name == ".DS_Store":
            yield from _put_back(item)
        elif dated is not None:
            yield _android(item, dated[1], int(dated[2]), dated[3])
        elif not _OF_MEDIUM.search(path):  # those have notes
            where = next((said for pattern, said in _BINS if pattern.search(path)), "")
            if where or (_MAC.search(path) and not name.startswith("._")):
                data = {"name": name, "kept_as": item.entry.path, "size": item.size, "in_bin": True, "bin": where or "the trash"}
                yield item.finding("recycled", f"lies in {where or 'the trash'}: {name}", {**whose(item.entry.path), **data})


def _note(item: Item) -> Iterator[Finding | Problem]:
    """Yield what a ``.trashinfo`` says (freedesktop.org, Trash specification 1.0): time local, path from the medium's root on there."""
    raw = item.read(_LONGEST)
    said = read_ini(raw).get("Trash Info")
    if said is None or not said.get("Path"):
        yield item.problem("a file called as the trash's notes that is none of them, or breaks off")
        return
    path = unescaped(said["Path"])
    whole, medium = item.entry.path, _OF_MEDIUM.search(item.entry.path)
    if not path.startswith("/") and medium is not None:
        path = f"{whole[: medium.start()].partition('/')[2]}/{path}"
        path = path if path.startswith("/") else f"/{path}"
    when = said.get("DeletionDate", "")[:19]
    data: dict[str, Any] = {
        **whose(whole),
        "path": path,
        "time": when if _DATE.fullmatch(when) else "",
        "time_basis": "local" if _DATE.fullmatch(when) else "",
        "kept_as": f"files/{item.entry.name[: -len(_NOTE)]}",
    }
    yield item.finding("recycled", f"thrown away: {path}", _kept(data), [(0, len(raw))])
    if when and not _DATE.fullmatch(when):
        yield item.problem("a note of the trash whose time cannot be read")


def _put_back(item: Item) -> Iterator[Finding | Problem]:
    """Yield what the Finder noted of where the files of the trash came from."""
    try:
        records, notes = read_dsstore(item.read(MAX_BYTES + 1))
    except StructureError as error:
        yield item.problem(f"the trash's .DS_Store cannot be read: {error}")
        return
    folders: dict[tuple[str, bool], dict[str, str]] = {}
    places: dict[tuple[str, bool], int] = {}
    for one in records:
        if one.what in ("ptbL", "ptbN"):
            folders.setdefault((one.name, one.left), {}).setdefault(one.what, one.text)
            places.setdefault((one.name, one.left), one.offset)
    for (name, left), said in folders.items():
        if left and folders.get((name, False)) == said:
            continue
        folder = said.get("ptbL", "").removeprefix("System/Volumes/Data/").strip("/")
        path = "/".join(part for part in (folder, said.get("ptbN") or name) if part)
        path = f"/{path}" if "ptbL" in said else path
        data = {**whose(item.entry.path), "path": path, "kept_as": name, "exact": not left}
        title = f"thrown away: {path}{' (from a record that is no longer in use)' if left else ''}"
        yield item.finding("recycled", title, data, [(places[name, left], 4)])
    for line in notes:
        yield item.problem(line)


def _android(item: Item, state: str, number: int, name: str) -> Finding:
    """Say what a name given by Android's MediaStore (from Android 11 on) says: until when, in seconds since 1970, and the name before."""
    folder = item.entry.path.rpartition("/")[0].partition("/")[2]
    data: dict[str, Any] = {**whose(item.entry.path), "path": f"/{folder}/{name}" if folder else f"/{name}", "size": item.size}
    until = times.iso(times.unix(number))
    if state == "trashed":
        data |= {"expires": until, "kept_as": item.entry.name, "in_bin": True}
        return item.finding("recycled", f"thrown away on Android, kept until {until}: {name}", _kept(data))
    data["expires"] = until
    return item.finding("loading-file", f"an app had not finished writing it: {name}", _kept({**data, "name": name}))


def _kept(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value not in (None, "")}


PLUGIN = Trash
