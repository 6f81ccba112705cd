"""Safari's property lists: real ones, made ones of the kinds that there are no samples of, damage."""

from __future__ import annotations

import plistlib
import struct
import zipfile
from datetime import datetime
from typing import TYPE_CHECKING, Any

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item, Problem

FOLDER = "vol1/Users/kim/Library/Safari"
WHEN, COCOA = datetime(2023, 11, 14, 22, 13, 20), 721_692_800.0  # noqa: DTZ001 - as plistlib wants it
TIME = "2023-11-14T22:13:20Z"


def plist(value: Any) -> bytes:
    return plistlib.dumps(value, fmt=plistlib.FMT_BINARY)


def session(*urls: str, at: int) -> bytes:
    entries = [{"SessionHistoryEntryURL": url, "SessionHistoryEntryTitle": url[-1]} for url in urls]
    return b"\0\0\0\x02" + plist({"SessionHistory": {"SessionHistoryEntries": entries, "SessionHistoryCurrentIndex": at}})


def bookmark(*parts: str, volume: str = "Macintosh HD") -> bytes:
    """Return bookmark data of a path."""
    body, places = b"", []

    def put(kind: int, raw: bytes) -> int:
        nonlocal body
        at = 4 + len(body)
        body += struct.pack("<II", len(raw), kind) + raw + bytes(-len(raw) % 4)
        return at

    places = [put(0x101, part.encode()) for part in parts]
    path = put(0x601, struct.pack(f"<{len(places)}I", *places))
    name = put(0x101, volume.encode())
    table = struct.pack("<5I", 40, 0xFFFFFFFE, 1, 0, 2) + struct.pack("<6I", 0x1004, path, 0, 0x2010, name, 0)
    whole = struct.pack("<I", 4 + len(body)) + body + table
    return struct.pack("<4sIII", b"book", 48 + len(whole), 0x10040000, 48) + bytes(32) + whole


def of(name: str, value: Any, folder: str = FOLDER) -> list[Finding | Problem]:
    return run("safari", item_of(plist(value), f"{folder}/{name}"))


SESSION = {
    "SessionVersion": "1.0",
    "SessionWindows": [
        {
            "IsPrivateWindow": True,
            "TabStates": [
                {
                    "TabURL": "https://b.example.org/",
                    "TabTitle": "B",
                    "LastVisitTime": COCOA,
                    "SessionState": session("https://a.example.org/", "https://b.example.org/", "https://c.example.org/", at=1),
                },
                {"TabURL": "https://d.example.org/", "SessionState": b"\x01\x02\x03\x04 of no known form"},
            ],
        }
    ],
}


def samples() -> list[Item]:
    return [item_of(plist(SESSION), f"{FOLDER}/LastSession.plist")]


def test_tabs_are_told_with_the_pages_before_and_behind() -> None:
    said = of("LastSession.plist", SESSION)
    assert [(f.data["url"], f.data.get("place"), f.data.get("time"), f.data["private"]) for f in findings(said, "tab")] == [
        ("https://b.example.org/", None, TIME, True),
        ("https://a.example.org/", "back", None, True),
        ("https://c.example.org/", "forward", None, True),
        ("https://d.example.org/", None, None, True),
    ]
    assert "encrypted, or of another form" in problems(said)[0].message


def test_closed_tabs_and_windows_have_the_time_of_closing() -> None:
    window = {"IsPrivateWindow": False, "DateClosed": WHEN, "TabStates": [{"TabURL": "https://w.example.org/"}]}
    one = {"TabURL": "https://www.google.com/search?q=lost+dog", "TabTitle": "t", "DateClosed": WHEN, "LastVisitTime": COCOA - 60}
    states = [{"PersistentStateType": 1, "PersistentState": window}, {"PersistentStateType": 0, "PersistentState": one}]
    said = of("RecentlyClosedTabs.plist", {"ClosedTabOrWindowPersistentStates": states})
    assert [(f.data["url"][:24], f.data["closed"], f.data["closed_time"], f.data["time"]) for f in findings(said, "tab")] == [
        ("https://w.example.org/", True, TIME, TIME),
        ("https://www.google.com/s", True, TIME, "2023-11-14T22:12:20Z"),
    ]
    assert [f.data["term"] for f in findings(said, "search-term")] == ["lost dog"]


def test_the_open_pages_of_an_iphone_are_told() -> None:
    behind = {"current": 1, "entries": [{"": "https://a.example.org/", "title": "A"}, {"": "https://b.example.org/", "title": "B"}]}
    document = {"SafariStateDocumentLastViewedTime": COCOA, "SafariStateDocumentBackForwardList": behind}
    other = {"SafariStateDocumentURL": "https://p.example.org/", "SafariStateDocumentTitle": "P"}
    value = {"SafariStateDocuments": [document], "SafariStatePrivateDocuments": [other]}
    said = findings(of("SuspendState.plist", value, "vol1/private/var/mobile/Library/Safari"))
    assert [(f.data["url"], f.data["title"], f.data.get("place"), f.data.get("private")) for f in said] == [
        ("https://b.example.org/", "B", None, None),
        ("https://a.example.org/", "A", "back", None),
        ("https://p.example.org/", "P", None, True),
    ]
    assert (said[0].data["user"], said[0].data["time"]) == ("mobile", TIME)


def test_where_a_download_went_is_read_from_its_bookmark() -> None:
    entry = {
        "DownloadEntryURL": "https://example.org/a.jpg",
        "DownloadEntryDateAddedKey": WHEN,
        "DownloadEntryProgressTotalToLoad": 10,
        "DownloadEntryProgressBytesSoFar": 4,
        "DownloadEntryBookmarkBlob": bookmark("private", "var", "mobile", "a.jpg"),
    }
    (found,) = findings(of("Downloads.plist", {"DownloadHistory": [entry]}))
    assert (found.data["path"], found.data["volume_name"]) == ("/private/var/mobile/a.jpg", "Macintosh HD")
    assert (found.data["state"], found.data["time"], found.data["size"], found.data["received"]) == ("broken off", TIME, 10, 4)


def test_the_reading_list_is_told_apart() -> None:
    leaf = {
        "URLString": "https://example.org/",
        "URIDictionary": {"title": "E"},
        "ReadingList": {"DateAdded": WHEN, "PreviewText": "words"},
    }
    value = {"WebBookmarkType": "WebBookmarkTypeList", "Children": [{"Title": "com.apple.ReadingList", "Children": [leaf]}]}
    (found,) = findings(of("Bookmarks.plist", value))
    assert (found.data["reading_list"], found.data["folder"], found.data["time"]) == (True, "com.apple.ReadingList", TIME)
    assert found.title == "put on the reading list: https://example.org/"


def test_searches_and_settings_are_told() -> None:
    value = {
        "RecentSearchStrings": ["old"],
        "RecentWebSearches": [{"SearchString": "lost dog", "Date": WHEN}],
        "DownloadsPath": "~/Desktop",
    }
    said = of("com.apple.Safari.plist", value, "vol1/Users/kim/Library/Preferences")
    assert [(f.data["term"], f.data.get("time")) for f in findings(said, "search-term")] == [("old", None), ("lost dog", TIME)]
    assert findings(said, "program-settings")[0].data["downloads"] == "~/Desktop"


def test_pages_that_are_often_visited_and_those_taken_off_are_told() -> None:
    value = {
        "TopSites": [{"TopSiteURLString": "https://a.example.org/", "TopSiteTitle": "A"}],
        "BannedURLStrings": ["https://b.example.org/"],
    }
    said = findings(of("TopSites.plist", value))
    assert [(f.kind, f.data["url"], f.data.get("removed")) for f in said] == [
        ("top-site", "https://a.example.org/", None),
        ("top-site", "https://b.example.org/", True),
    ]


def test_other_lists_are_quiet_and_what_is_none_is_said() -> None:
    assert of("UserNotificationPermissions.plist", {"https://example.org": {"Permission": True}}) == []
    assert "cannot be read" in problems(run("safari", item_of(b"words", f"{FOLDER}/History.plist")))[0].message


def test_sessions_that_grow_are_left_out_and_that_is_said() -> None:
    # A list of a list of a list: a few hundred bytes that come to 10,000 values; 150 tabs of it.
    value: Any = "x"
    for _ in range(4):
        value = [value] * 10
    tabs = [{"TabURL": f"https://example.org/{n}", "SessionState": plist({"a": value})} for n in range(150)]
    said = of("LastSession.plist", {"SessionWindows": [{"TabStates": tabs}]})
    assert len(findings(said, "tab")) == 150
    assert any("more than may be read" in p.message for p in problems(said))


def test_damage_never_breaks_it() -> None:
    for data in mutants(plist(SESSION), 200):
        never_fails("safari", item_of(data, f"{FOLDER}/LastSession.plist"))
    blob = bookmark("private", "a.jpg")
    for data in mutants(blob, 200, seed=2):
        never_fails("safari", item_of(plist({"DownloadHistory": [{"DownloadEntryBookmarkBlob": data}]}), f"{FOLDER}/Downloads.plist"))


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_of_a_real_history_is_found(self) -> None:
        data = (ARTIFACTS / "iped" / "test_history.plist").read_bytes()
        said = run("safari", item_of(data, f"{FOLDER}/History.plist"))
        visits = findings(said, "visit")
        assert len(visits) == len(plistlib.loads(data)["WebHistoryDates"]) == 19
        assert (visits[0].data["url"], visits[0].data["time"]) == ("https://boards.4channel.org/c/", "2021-07-22T18:13:38Z")
        assert visits[2].data["urls"] == ["https://edition.cnn.com/"]
        assert sum(f.data.get("failed", False) for f in visits) == 8
        assert [f.data["term"] for f in findings(said, "search-term")] == ["isso aqui é demais"]
        assert problems(said) == []

    def test_all_of_real_downloads_is_found(self) -> None:
        said = findings(run("safari", item_of((ARTIFACTS / "iped" / "test_downloads.plist").read_bytes(), f"{FOLDER}/Downloads.plist")))
        assert [(f.kind, f.data["path"].rpartition("\\")[2], f.data["size"], f.data["state"]) for f in said] == [
            ("download", "ChromeSetup.exe", 1_321_688, "complete"),
            ("download", "Opera_winxpvista_36.0.2130.80_Setup.exe", 37_689_480, "complete"),
            ("download", "Firefox Setup 52.9.0esr.exe", 45_531_008, "complete"),
        ]

    def test_all_real_bookmarks_are_found_with_their_folders(self) -> None:
        data = (ARTIFACTS / "iped" / "test_bookmarks.plist").read_bytes()
        said = findings(run("safari", item_of(data, f"{FOLDER}/Bookmarks.plist")), "bookmark")
        assert len(said) == repr(plistlib.loads(data)).count("'URLString'") == 30
        assert (said[5].data["url"], said[5].data["title"], said[5].data["folder"]) == (
            "http://www.cnn.com/",
            "CNN",
            "BookmarksBar/Notícias",
        )

    def test_an_iphone_that_downloaded_nothing_is_quiet(self) -> None:
        (archive,) = (ARTIFACTS / "ileapp" / "safariDownloads").glob("*.zip")
        with zipfile.ZipFile(archive) as opened:
            (name,) = opened.namelist()
            assert run("safari", item_of(opened.read(name), name)) == []
