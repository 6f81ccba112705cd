"""What a user's hives (``NTUSER.DAT``, ``UsrClass.dat``) say of what was run, opened, searched for and typed."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from triage.artifacts import shellitems
from triage.artifacts.hive import BINARY, utf16
from triage.artifacts.registryfacts.common import MOST, Fact, Place, Reader, fact, text_of, used_last, when, when_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.hive import Key

_EXPLORER = "Software\\Microsoft\\Windows\\CurrentVersion\\Explorer"
_APPS = "Local Settings\\Software\\Microsoft\\Windows\\CurrentVersion\\AppContainer\\Storage"
_EDGE = f"{_APPS}\\microsoft.microsoftedge_8wekyb3d8bbwe\\MicrosoftEdge"
_GUID = re.compile(r"^\{([0-9A-Fa-f-]{36})\}")
_OFFICE = re.compile(r"^\[F[0-9A-Fa-f]+\]\[T([0-9A-Fa-f]{16})\](?:\[O[0-9A-Fa-f]+\])?\*(.*)$", re.DOTALL)
_DEEPEST = 40


def _user_assist(key: Key) -> Iterator[Fact]:
    """Programs that the Explorer started: names in ROT13, counts and the last time. XP: 16 bytes, counts from 5 on; later: 72 bytes."""
    for part in key.inner():
        count = part.find("Count")
        for value in count.values() if count is not None else ():
            name = codecs.decode(value.name, "rot13")
            if name.startswith(("UEME_CTL", "UEME_RUNPIDL:%csidl")) or len(value.data) not in (16, 72):
                continue
            runs = int.from_bytes(value.data[4:8], "little")
            time = when_in(value.data, 60 if len(value.data) == 72 else 8)
            if len(value.data) == 16:
                runs = max(0, runs - 5)
            name = name.removeprefix("UEME_RUNPATH:").removeprefix("UEME_RUNPIDL:").removeprefix("UEME_RUNCPL:")
            name = _GUID.sub(lambda match: shellitems.known(match[1]), name)
            focus = int.from_bytes(value.data[12:16], "little") // 1000 if len(value.data) == 72 else 0
            title = f"{name} was started" if runs or time else f"{name} is known to the start menu"
            yield fact(
                "program-run" if runs or time else "program-seen",
                title,
                count or part,
                path=name,
                time=time,
                times_used=runs,
                seconds_in_front=focus,
            )


def _texts(kind: str, title: str, field: str = "path") -> Reader:
    """Return a reader of lists whose values are texts or UTF-16 in bytes."""

    def read(key: Key) -> Iterator[Fact]:
        for place, value, time in used_last(key):
            text = utf16(value.data) if value.kind == BINARY else value.text
            text = text.removesuffix("\\1") if key.name == "RunMRU" else text
            if text:
                yield fact(kind, f"{title}: {text}", key, **{field: text}, time=time, order=place + 1)

    return read


def _listed(kind: str, title: str, field: str = "path") -> Reader:
    read = _texts(kind, title, field)

    def deep(key: Key) -> Iterator[Fact]:
        for one in (key, *list(key.inner())[:MOST]):
            yield from read(one)

    return deep


def _recent_docs(key: Key) -> Iterator[Fact]:
    """Files opened with the Explorer: the name in UTF-16, then the item of its shortcut."""
    for one in (key, *key.inner()):
        for place, value, time in used_last(one):
            name = utf16(value.data)
            if name:
                kind = "folder-opened" if one.name == "Folder" else "recent-file"
                yield fact(kind, f"was opened: {name}", one, name=name, path=name, time=time, order=place + 1)


def _open_save(key: Key) -> Iterator[Fact]:
    """Files chosen in the dialogs to open and save: item lists by extension."""
    for one in key.inner():
        for place, value, time in used_last(one):
            items = shellitems.read_items(value.data) if value.kind == BINARY else []
            path = shellitems.path_of(items) or value.text
            if path:
                last = items[-1] if items else None
                yield fact(
                    "recent-file", f"was opened or saved: {path}", one, path=path, time=time, order=place + 1,
                    target_modified=last.modified if last else "", target_created=last.created if last else "",
                    target_accessed=last.accessed if last else "", size=last.size if last else 0,
                )  # fmt: skip


def _last_visited(key: Key) -> Iterator[Fact]:
    """Programs that used those dialogs and the folder last seen: the program's name in UTF-16, then an item list, on XP a path."""
    for place, value, time in used_last(key):
        program = utf16(value.data)
        rest = value.data[2 * len(program.encode("utf-16-le")) // 2 + 2 :]
        folder = shellitems.path_of(shellitems.read_items(rest)) or (utf16(rest) if key.name.endswith("VisitedMRU") else "")
        if program:
            yield fact(
                "folder-opened", f"{program} opened or saved in: {folder or 'a folder'}", key,
                application=program, path=folder, time=time, order=place + 1,
            )  # fmt: skip


def _typed(key: Key) -> Iterator[Fact]:
    """Addresses typed into a browser: ``url1`` the last one; their times stand in a key beside this one."""
    table, parent = key.table(), key.hive.root
    beside = parent.find(key.path + "Time")
    timed = beside.table() if beside is not None else {}
    for name, value in table.items():
        if name.startswith("url") and value.text:
            time = when_in(timed[name].data) if name in timed else None
            time = time or (when(key.written) if name == "url1" else None)
            yield fact(
                "typed-address",
                f"was typed: {value.text}",
                key,
                url=value.text,
                time=time,
                order=int(name[3:] or 0) if name[3:].isdecimal() else 0,
            )


def _typed_paths(key: Key) -> Iterator[Fact]:
    for value in key.values():
        if value.text and value.name.lower().startswith("url"):
            first = value.name.lower() == "url1"
            yield fact(
                "typed-address",
                f"was typed into the Explorer: {value.text}",
                key,
                path=value.text,
                time=when(key.written) if first else None,
            )


def _mount_points(key: Key) -> Iterator[Fact]:
    """Media and shares that the user saw: a letter, a volume's GUID, a share with ``#`` for each backslash."""
    for one in key.inner():
        if one.name.startswith("##"):
            share = one.name.replace("#", "\\")
            yield fact("network", f"a share was connected: {share}", one, share=share, time=when(one.written))
        elif one.name.startswith("{") or len(one.name) <= 2:
            yield fact("device", f"the user had a volume: {one.name}", one, volume=one.name, time=when(one.written))


def _shellbags(key: Key) -> Iterator[Fact]:
    """Folders that the Explorer showed. A key's time is that of the use of the first folder in its list ([libyal] Shell folder)."""
    stack: list[tuple[Key, list[shellitems.ShellItem]]] = [(key, [])]
    seen, said = {key.offset}, 0
    while stack:
        one, above = stack.pop()
        inner = {child.name: child for child in one.inner()}
        deeper = []
        for place, value, time in used_last(one):
            if value.kind != BINARY or not value.name.isdecimal():
                continue
            item = shellitems.read_item(value.data[: int.from_bytes(value.data[:2], "little")])
            path = [*above, item]
            whole = shellitems.path_of(path)
            said += 1
            yield fact(
                "folder-opened", f"a folder was opened: {whole}", one, path=whole, what=item.what, time=time, order=place + 1,
                target_created=item.created, target_modified=item.modified, target_accessed=item.accessed,
            )  # fmt: skip
            child = inner.get(value.name)
            if child is not None and child.offset not in seen and len(path) < _DEEPEST:
                seen.add(child.offset)
                deeper.append((child, path))
        if said > 4 * MOST:
            return
        stack.extend(reversed(deeper))


def _software(key: Key) -> Iterator[Fact]:
    """Lists of last files that programs keep of themselves, wherever they are under a maker's name."""
    for one in key.hive.walk(key):
        name = one.name.lower()
        if name in ("file mru", "place mru"):
            for value in one.values():
                match = _OFFICE.match(value.text)
                if match:
                    kind = "recent-file" if name == "file mru" else "folder-opened"
                    yield fact(
                        kind,
                        f"was opened in Office: {match[2]}",
                        one,
                        path=match[2],
                        time=when(int(match[1], 16)),
                        application=_program(one),
                    )
        elif name in ("recent file list", "recentfilelist", "recenturllist", "recent files", "archistory", "extrpath", "arcname"):
            for value in one.values():
                if value.text and not value.text.isdecimal() and value.name.lower() not in ("max display", "maxdisplay"):
                    field = "url" if "://" in value.text[:12] else "path"
                    yield fact(
                        "recent-file", f"was opened in {_program(one)}: {value.text}", one, **{field: value.text}, application=_program(one)
                    )


def _program(key: Key) -> str:
    parts = [part for part in key.path.split("\\")[1:-1] if part.lower() not in ("microsoft", "settings", "player", "user mru")]
    return next((part for part in reversed(parts) if not re.match(r"^(?:[\d.]+|(?:ADAL|LiveId)_.*)$", part)), "a program")


def _remote_desktop(key: Key) -> Iterator[Fact]:
    default, servers = key.find("Default"), key.find("Servers")
    for value in default.values() if default is not None else ():
        if value.name.startswith("MRU") and value.text:
            yield fact("network", f"remote desktop to {value.text}", default or key, host=value.text)
    for one in servers.inner() if servers is not None else ():
        yield fact(
            "network", f"remote desktop to {one.name}", one, host=one.name, user_name=text_of(one, "UsernameHint"), time=when(one.written)
        )


USER: tuple[Place, ...] = (
    (f"{_EXPLORER}\\UserAssist", _user_assist),
    (f"{_EXPLORER}\\RecentDocs", _recent_docs),
    (f"{_EXPLORER}\\RunMRU", _listed("program-run", "was typed into Run", "command")),
    (f"{_EXPLORER}\\WordWheelQuery", _listed("search-term", "was searched for on the computer", "term")),
    ("Software\\Microsoft\\Search Assistant\\ACMru", _listed("search-term", "was searched for on the computer", "term")),
    (f"{_EXPLORER}\\Map Network Drive MRU", _listed("network", "a share was connected", "share")),
    (f"{_EXPLORER}\\ComDlg32\\OpenSavePidlMRU", _open_save),
    (f"{_EXPLORER}\\ComDlg32\\OpenSaveMRU", _open_save),
    (f"{_EXPLORER}\\ComDlg32\\LastVisitedPidlMRU", _last_visited),
    (f"{_EXPLORER}\\ComDlg32\\LastVisitedMRU", _last_visited),
    (f"{_EXPLORER}\\TypedPaths", _typed_paths),
    (f"{_EXPLORER}\\MountPoints2", _mount_points),
    ("Software\\Microsoft\\Internet Explorer\\TypedURLs", _typed),
    (f"{_EDGE}\\TypedURLs", _typed),
    ("Software\\Microsoft\\Windows\\Shell\\BagMRU", _shellbags),
    ("Software\\Microsoft\\Windows\\ShellNoRoam\\BagMRU", _shellbags),
    ("Local Settings\\Software\\Microsoft\\Windows\\Shell\\BagMRU", _shellbags),
    ("Software\\Microsoft\\Terminal Server Client", _remote_desktop),
    ("Software", _software),
)
