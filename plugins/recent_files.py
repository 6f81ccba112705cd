"""Files that were opened last, by lists of desktops and players: GTK, KDE, VLC, macOS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.artifacts.recentlists import read_desktop, read_recent_plist, read_sfl, read_vlc, read_xbel
from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.web import whose
from triage.plugin import Accepts, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.recentlists import Recent

_LARGEST = 32 << 20
_MOST = 20_000
_ENDINGS: tuple[tuple[str, Callable[[bytes, Notes], Iterator[Recent]]], ...] = (
    (".xbel", read_xbel),
    (".recently-used", read_xbel),
    (".ini", read_vlc),
    (".conf", read_vlc),
    (".desktop", read_desktop),
    (".sfl", read_sfl),
    (".sfl2", read_sfl),
    (".sfl3", read_sfl),
    (".sfl4", read_sfl),
    (".plist", read_recent_plist),
)


class RecentFiles:
    """A finding ``recent-file`` an entry, with time, program and place as far as the list tells."""

    name = "recent_files"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(
        paths=(
            "recently-used.xbel",
            "recently-used.xbel.*",
            ".recently-used.xbel",
            ".recently-used",
            "vlc-qt-interface.ini",
            "vlc-qt-interface.conf",
            "RecentDocuments/*.desktop",
            "com.apple.LSSharedFileList.*.sfl",
            "com.apple.LSSharedFileList.*.sfl2",
            "com.apple.LSSharedFileList.*.sfl3",
            "com.apple.LSSharedFileList.*.sfl4",
            "com.apple.LSSharedFileList.*/*.sfl",
            "com.apple.LSSharedFileList.*/*.sfl2",
            "com.apple.LSSharedFileList.*/*.sfl3",
            "com.apple.LSSharedFileList.*/*.sfl4",
            "com.apple.finder.plist",
            "com.apple.recentitems.plist",
            "*.LSSharedFileList.plist",
            "org.videolan.vlc.plist",
        ),
        kinds=(Kind.FILE, Kind.DERIVED),
        max_size=_LARGEST,
    )

    def analyze(self, item: Item) -> Iterator[Finding | Problem]:
        """Yield the entries of a list."""
        name = item.entry.name.lower()
        read = next((one for ending, one in _ENDINGS if name.endswith(ending)), read_xbel)
        notes = Notes()
        listed = _list_of(item.entry.path)
        try:
            for number, one in enumerate(read(item.read(_LARGEST), notes)):
                if number >= _MOST:
                    notes.add(f"of a list of files only the first {_MOST:,} were told")
                    break
                yield _finding(item, one, listed)
        except StructureError as error:
            yield item.problem(f"a list of recently opened files that cannot be read: {error}")
        for line in notes.lines():
            yield item.problem(line)


def _list_of(path: str) -> str:
    """Return which of macOS' lists a file is (``RecentDocuments``), or whose (``com.apple.textedit``)."""
    name = path.rpartition("/")[2].rpartition(".")[0]
    return name.rpartition("LSSharedFileList.")[2] if "LSSharedFileList" in path else ""


def _finding(item: Item, one: Recent, listed: str) -> Finding:
    said: dict[str, Any] = {**one._asdict(), "programs": list(one.programs), "listed_in": one.listed_in or listed}
    kept = {key: value for key, value in said.items() if value not in (None, "", [])}
    where = one.path or one.url or one.name
    if "Favorite" in listed or "Volumes" in listed:
        return item.finding("recent-file", f"stands in a list of the Finder: {where}", {**whose(item.entry.path), **kept})
    played = f", left at {one.position_ms // 1000} seconds" if one.position_ms else ""
    return item.finding("recent-file", f"was opened: {where}{played}", {**whose(item.entry.path), **kept})


PLUGIN = RecentFiles
