"""Targets of what desktops of Linux and macOS note: trash, the Finder, thumbnails, recent files, attributes, Quick Look."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from targets import Target

from triage.artifacts.appledouble import KNOWN
from triage.artifacts.dsstore import read_dsstore
from triage.artifacts.structure import StructureError
from triage.plugin import Problem, run_plugin
from triage.registry import find_plugins

sys.path.append(str(Path(__file__).resolve().parents[1] / "plugins"))
from real_samples import item_of
from test_plugin_ds_store import FILES, made
from test_plugin_linux_thumbnails import TEXTS, place, png
from test_plugin_origin_notes import ALL, PATH, double
from test_plugin_quicklook import FOLDER, STORE, new, old
from test_plugin_recent_files import GTK, ITEMS, LISTS, OLD, XBEL, sfl2
from test_plugin_trash import NOTE, PUT_BACK


def _runs(name: str, data: bytes, path: str, beside: dict[str, bytes] | None = None) -> None:
    info = find_plugins().plugins[name]
    for result in run_plugin(info.load(), info.key(), item_of(data, path, beside)):
        assert not (isinstance(result, Problem) and "the plugin failed" in result.message), result.detail


def _store(data: bytes) -> None:
    with contextlib.suppress(StructureError):
        read_dsstore(data)
    _runs("ds_store", data, "vol1/Users/kim/.DS_Store")
    _runs("trash", data, "vol1/Users/kim/.Trash/.DS_Store")


def _origin(data: bytes) -> None:
    _runs("origin_notes", data, PATH)
    for name in KNOWN:
        _runs("origin_notes", data, f"vol1/x:{name}")


def _lists(data: bytes) -> None:
    for path in (GTK, f"{LISTS}/com.apple.LSSharedFileList.x.sfl2", "vol1/com.apple.finder.plist", "vol1/vlc-qt-interface.ini",
                 "vol1/RecentDocuments/a.desktop"):  # fmt: skip
        _runs("recent_files", data, path)


TARGETS = [
    Target("ds-store", _store, lambda: [made(FILES), made(FILES, inner=1), made(PUT_BACK)],
           ("triage.artifacts.dsstore", "triage.plugins.ds_store"), tokens=(b"ustr", b"blob", b"ptbL", b"DSDB", b"\xff" * 4)),
    Target("trash", lambda data: _runs("trash", data, "vol1/.Trash-1000/info/a.trashinfo"), lambda: [NOTE], ("triage.plugins.trash",),
           tokens=(b"Path=", b"DeletionDate=", b"%00", b"[Trash Info]")),
    Target("linux-thumbnails", lambda data: _runs("linux_thumbnails", data, place()),
           lambda: [png(TEXTS), png(TEXTS, b"zTXt"), png(TEXTS, b"iTXt")],
           ("triage.plugins.linux_thumbnails", "triage.artifacts.fileaddress"),
           tokens=(b"tEXt", b"zTXt", b"iTXt", b"Thumb::URI", b"file:///")),
    Target("recent-files", _lists, lambda: [XBEL, OLD, sfl2(ITEMS), b"[RecentsMRL]\nlist=file:///a, file:///b\ntimes=1, 2\n"],
           ("triage.plugins.recent_files", "triage.artifacts.recentlists"), tokens=(b"href=", b"book", b"RecentsMRL", b"FXRecentFolders")),
    Target("origin-notes", _origin, lambda: [double(ALL), *ALL.values()], ("triage.artifacts.appledouble", "triage.plugins.origin_notes"),
           tokens=(b"ATTR", b"bplist00", b";", b"\xff" * 4)),
    Target("quicklook", lambda data: _runs("quicklook", data, f"{FOLDER}/index.sqlite", STORE), lambda: [old(), new()],
           ("triage.plugins.quicklook",), tokens=(b"basic_files", b"thumbnails", b"\xff" * 4)),
]  # fmt: skip
