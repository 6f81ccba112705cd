"""Lists of recently opened files: VLC's real one, made ones of GTK, KDE and macOS, damage."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Any

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run
from test_plugin_safari import bookmark

if TYPE_CHECKING:
    from triage.plugin import Item

GTK = "vol1/home/kim/.local/share/recently-used.xbel"
XBEL = b"""<?xml version="1.0" encoding="UTF-8"?>
<xbel version="1.0" xmlns:bookmark="http://www.freedesktop.org/standards/desktop-bookmarks" xmlns:mime="http://x">
  <bookmark href="file:///media/kim/STICK/a%20b.mp4" added="2024-03-05T20:00:00Z" modified="2024-03-06T20:00:00.123456Z"
   visited="2024-03-07T20:00:00.5Z">
    <info><metadata owner="http://freedesktop.org"><mime:mime-type type="video/mp4"/>
      <bookmark:applications>
        <bookmark:application name="Totem" exec="&apos;totem %u&apos;" modified="2024-03-06T20:00:00Z" count="2"/>
        <bookmark:application name="Files" exec="x" modified="2024-03-06T20:00:00Z" count="1"/>
      </bookmark:applications></metadata></info>
  </bookmark>
  <bookmark href="sftp://host/x" added="yesterday"/>
</xbel>"""
OLD = b"<RecentFiles><RecentItem><URI>file:///home/kim/x.png</URI><Mime-Type>image/png</Mime-Type><Timestamp>1700000000</Timestamp></RecentItem></RecentFiles>"
LISTS = "vol1/Users/kim/Library/Application Support/com.apple.sharedfilelist"
PREFERENCES = "vol1/Users/kim/Library/Preferences"


def sfl2(items: list[dict[str, Any]]) -> bytes:
    """A keyed archive: a dictionary with ``items``, an array of dictionaries."""
    objects: list[Any] = ["$null"]

    def kept(value: Any) -> plistlib.UID:
        if isinstance(value, dict):
            value = {"NS.keys": [kept(k) for k in value], "NS.objects": [kept(v) for v in value.values()]}
        elif isinstance(value, list):
            value = {"NS.objects": [kept(v) for v in value]}
        objects.append(value)
        return plistlib.UID(len(objects) - 1)

    root = kept({"items": items})
    whole = {"$archiver": "NSKeyedArchiver", "$version": 100000, "$top": {"root": root}, "$objects": objects}
    return plistlib.dumps(whole, fmt=plistlib.FMT_BINARY)


ITEMS = [{"Bookmark": bookmark("Users", "kim", "a.jpg"), "Name": "a.jpg"}, {"Bookmark": bookmark("x.mov", volume="STICK")}]


def samples() -> list[Item]:
    return [item_of(XBEL, GTK), item_of(sfl2(ITEMS), f"{LISTS}/com.apple.LSSharedFileList.RecentDocuments.sfl2")]


def test_gtk_says_when_with_what_and_how_often() -> None:
    said = run("recent_files", item_of(XBEL, GTK))
    first, second = findings(said)
    assert first.kind == "recent-file"
    assert first.data == {
        "user": "kim",
        "path": "/media/kim/STICK/a b.mp4",
        "time": "2024-03-07T20:00:00Z",
        "added": "2024-03-05T20:00:00Z",
        "changed": "2024-03-06T20:00:00Z",
        "mime": "video/mp4",
        "programs": ["Totem", "Files"],
        "times_used": 3,
    }
    assert second.data == {"user": "kim", "url": "sftp://host/x"}
    assert problems(said) == []


def test_the_older_list_of_gnome_is_read() -> None:
    (found,) = findings(run("recent_files", item_of(OLD, "vol1/home/kim/.recently-used")))
    assert (found.data["path"], found.data["time"]) == ("/home/kim/x.png", "2023-11-14T22:13:20Z")


def test_links_of_kde_lead_to_files() -> None:
    path = "vol1/home/kim/.local/share/RecentDocuments/a.jpg.desktop"
    link = b"[Desktop Entry]\nName=a.jpg\nType=Link\nURL[$e]=file:$HOME/a.jpg\nX-KDE-LastOpenedWith=gwenview\n"
    (found,) = findings(run("recent_files", item_of(link, path)))
    assert (found.data["path"], found.data["programs"], found.data["name"]) == ("~/a.jpg", ["gwenview"], "a.jpg")
    link = b"[Desktop Entry]\nURL=file:///home/kim/b%20c.jpg\n"
    assert findings(run("recent_files", item_of(link, path)))[0].data["path"] == "/home/kim/b c.jpg"
    assert "leads nowhere" in problems(run("recent_files", item_of(b"[Desktop Entry]\nName=x\n", path)))[0].message


def test_shared_file_lists_of_macos_give_path_and_volume() -> None:
    said = run("recent_files", item_of(sfl2(ITEMS), f"{LISTS}/com.apple.LSSharedFileList.RecentDocuments.sfl2"))
    assert [(f.data["path"], f.data["volume"], f.data["listed_in"]) for f in findings(said)] == [
        ("/Users/kim/a.jpg", "Macintosh HD", "RecentDocuments"),
        ("/x.mov", "STICK", "RecentDocuments"),
    ]
    path = f"{LISTS}/com.apple.LSSharedFileList.ApplicationRecentDocuments/com.apple.preview.sfl3"
    assert findings(run("recent_files", item_of(sfl2(ITEMS), path)))[0].data["listed_in"] == "com.apple.preview"
    path = f"{LISTS}/com.apple.LSSharedFileList.FavoriteVolumes.sfl2"
    assert findings(run("recent_files", item_of(sfl2(ITEMS), path)))[0].title == "stands in a list of the Finder: /Users/kim/a.jpg"


def test_items_without_a_place_are_told() -> None:
    said = run("recent_files", item_of(sfl2([{"uuid": "x"}]), f"{LISTS}/com.apple.LSSharedFileList.RecentDocuments.sfl2"))
    assert "no place that can be read" in problems(said)[0].message
    said = run("recent_files", item_of(b"nothing", f"{LISTS}/com.apple.LSSharedFileList.RecentDocuments.sfl2"))
    assert "cannot be read" in problems(said)[0].message


def test_preferences_of_macos_give_folders_documents_and_media() -> None:
    finder = plistlib.dumps({"FXRecentFolders": [{"name": "Pics", "file-bookmark": bookmark("Users", "kim", "Pics")}, {"name": "Gone"}]})
    said = findings(run("recent_files", item_of(finder, f"{PREFERENCES}/com.apple.finder.plist")))
    assert [(f.data.get("path"), f.data["name"]) for f in said] == [("/Users/kim/Pics", "Pics"), (None, "Gone")]
    items = plistlib.dumps({"RecentDocuments": {"CustomListItems": [{"Bookmark": bookmark("b.jpg"), "Name": "b.jpg"}]}})
    (found,) = findings(run("recent_files", item_of(items, f"{PREFERENCES}/com.apple.recentitems.plist")))
    assert (found.data["path"], found.data["listed_in"]) == ("/b.jpg", "RecentDocuments")
    (found,) = findings(run("recent_files", item_of(items, f"{PREFERENCES}/com.apple.QuickTimePlayerX.LSSharedFileList.plist")))
    assert found.data["path"] == "/b.jpg"
    vlc = {"recentlyPlayedMediaList": ["file:///Users/kim/x.mp4"], "recentlyPlayedMedia": {"file:///Users/kim/x.mp4": 242}}
    (found,) = findings(run("recent_files", item_of(plistlib.dumps(vlc), f"{PREFERENCES}/org.videolan.vlc.plist")))
    assert (found.data["path"], found.data["position_ms"]) == ("/Users/kim/x.mp4", 242_000)


def test_settings_without_a_list_say_nothing() -> None:
    assert run("recent_files", item_of(plistlib.dumps({"ShowPathbar": True}), f"{PREFERENCES}/com.apple.finder.plist")) == []
    assert run("recent_files", item_of(b"[General]\nx=1\n", "vol1/home/kim/.config/vlc/vlc-qt-interface.conf")) == []
    none = b"[RecentsMRL]\nlist=@Invalid()\ntimes=@Invalid()\n"
    assert run("recent_files", item_of(none, "vol1/home/kim/.config/vlc/vlc-qt-interface.conf")) == []


def test_damage_never_breaks_it() -> None:
    for path, data in (
        (GTK, XBEL),
        (f"{LISTS}/com.apple.LSSharedFileList.RecentDocuments.sfl2", sfl2(ITEMS)),
        ("vol1/vlc-qt-interface.ini", b"[RecentsMRL]\nlist=file:///a, file:///b\ntimes=1, 2\n"),
    ):
        for one in mutants(data, 150):
            never_fails("recent_files", item_of(one, path))


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_of_vlcs_real_list_is_found_with_where_each_film_was_left(self) -> None:
        data = (ARTIFACTS / "iped" / "test_vlcParser.ini").read_bytes()
        said = run("recent_files", item_of(data, "vol1/Users/teste/AppData/Roaming/vlc/vlc-qt-interface.ini"))
        assert problems(said) == []
        assert [f.data["position_ms"] for f in findings(said)] == [494728, 410790, 4461088, 7588506, 575083]
        paths = [f.data["path"] for f in findings(said)]
        assert paths[0] == "C:\\Users\\teste\\Desktop\\Um churrasco diferenciado ｜ Shark Tank Brasil [YRMN8tm1zJM].webm"
        assert all(path.startswith("C:\\Users\\teste\\Desktop\\") for path in paths)
