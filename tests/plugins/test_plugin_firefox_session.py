"""Firefox's sessions, backups of bookmarks and search engines: a real one, made ones, damage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Item

PROFILE = "vol1/Users/kim/AppData/Roaming/Mozilla/Firefox/Profiles/abcdefgh.default"
MS = 1_700_000_000_000


def packed(value: Any) -> bytes:
    """Return a value as Mozilla's LZ4 has it: one run of literals, as a compressor that finds nothing writes."""
    data = json.dumps(value).encode()
    rest = len(data) - 15
    length = b"\xff" * (rest // 255) + bytes([rest % 255])
    return b"mozLz40\0" + len(data).to_bytes(4, "little") + b"\xf0" + length + data


SESSION = {
    "version": ["sessionrestore", 1],
    "session": {"lastUpdate": MS},
    "windows": [
        {
            "tabs": [
                {
                    "entries": [
                        {"url": "https://www.google.com/search?q=lost+dog", "title": "lost dog"},
                        {
                            "url": "https://example.org/a",
                            "title": "A",
                            "referrer": "https://www.google.com/",
                            "originalURI": "http://example.org/a",
                            "children": [{"url": "https://ads.example.org/frame"}],
                        },
                        {"url": "https://example.org/b", "title": "B"},
                    ],
                    "index": 2,
                    "lastAccessed": MS,
                    "formdata": {
                        "id": {
                            "name": "kim",
                            "box": True,
                            "list": {"selectedIndex": 1, "value": "red"},
                            "file": {"type": "file", "fileList": ["/a.jpg"]},
                        },
                        "children": [{"url": "https://frame.example.org/", "xpath": {"//x": "words"}}, None],
                    },
                }
            ],
            "_closedTabs": [
                {"closedAt": MS + 1000, "state": {"entries": [{"url": "https://example.org/closed", "title": "C"}], "index": 1}}
            ],
        }
    ],
    "_closedWindows": [{"closedAt": MS + 2000, "isPrivate": True, "tabs": [{"entries": [{"url": "https://example.org/window"}]}]}],
    "cookies": [{"host": ".example.org", "name": "id", "value": "1", "expiry": MS}],
}
BOOKMARKS = {
    "guid": "root________",
    "title": "",
    "children": [
        {"title": "toolbar", "children": [{"title": "X", "uri": "https://example.org/x", "dateAdded": MS * 1000, "tags": "a,b"}]},
        {"title": "recent", "uri": "place:sort=8"},
    ],
}
ENGINES = {
    "engines": [
        {"_name": "Google", "_isAppProvided": True},
        {"_name": "Odd", "_urls": [{"template": "https://odd.example.org/?q={searchTerms}"}]},
    ],
    "metaData": {"current": "Odd"},
}


def samples() -> list[Item]:
    return [item_of(packed(SESSION), f"{PROFILE}/sessionstore-backups/recovery.jsonlz4")]


def test_pages_of_open_and_closed_tabs_and_windows_are_told_apart() -> None:
    said = run("firefox_session", item_of(packed(SESSION), f"{PROFILE}/sessionstore-backups/recovery.jsonlz4"))
    tabs = [(f.data["url"], f.data.get("place"), f.data.get("closed"), f.data.get("time")) for f in findings(said, "tab")]
    assert tabs == [
        ("https://www.google.com/search?q=lost+dog", "back", None, None),
        ("https://example.org/a", None, None, "2023-11-14T22:13:20Z"),
        ("https://ads.example.org/frame", "frame", None, None),
        ("https://example.org/b", "forward", None, None),
        ("https://example.org/closed", None, True, "2023-11-14T22:13:21Z"),
        ("https://example.org/window", None, True, "2023-11-14T22:13:22Z"),
    ]
    shown = findings(said, "tab")[1]
    assert (shown.data["referrer"], shown.data["asked_url"]) == ("https://www.google.com/", "http://example.org/a")
    assert (shown.data["user"], shown.data["application"], shown.data["profile"]) == ("kim", "Firefox", "abcdefgh.default")
    assert findings(said, "tab")[5].data["private"] is True
    assert [f.data["term"] for f in findings(said, "search-term")] == ["lost dog"]
    assert [f.data["expires_time"] for f in findings(said, "cookie")] == ["2023-11-14T22:13:20Z"]
    assert problems(said) == []


def test_what_was_typed_is_told_with_its_field_and_page() -> None:
    said = findings(run("firefox_session", samples()[0]), "autofill")
    assert [(f.data["field"], f.data["value"], f.data["url"]) for f in said] == [
        ("name", "kim", "https://example.org/a"),
        ("list", "red", "https://example.org/a"),
        ("file", "/a.jpg", "https://example.org/a"),
        ("//x", "words", "https://frame.example.org/"),
    ]


def test_an_old_session_in_brackets_is_read() -> None:
    data = b"(" + json.dumps({"windows": SESSION["windows"]}).encode() + b")"
    assert len(findings(run("firefox_session", item_of(data, f"{PROFILE}/sessionstore.js")), "tab")) == 5


def test_bookmarks_have_folder_and_time() -> None:
    said = findings(run("firefox_session", item_of(packed(BOOKMARKS), f"{PROFILE}/bookmarkbackups/bookmarks-2023-11-14_3_x==.jsonlz4")))
    assert [(f.kind, f.data["url"], f.data["folder"], f.data["tags"], f.data["time"]) for f in said] == [
        ("bookmark", "https://example.org/x", "toolbar", "a,b", "2023-11-14T22:13:20Z")
    ]


def test_engines_that_were_added_are_told() -> None:
    (found,) = findings(run("firefox_session", item_of(packed(ENGINES), f"{PROFILE}/search.json.mozlz4")))
    assert (found.kind, found.data["name"], found.data["chosen"]) == ("search-engine", "Odd", True)


def test_what_breaks_off_or_is_something_else_is_said() -> None:
    name = f"{PROFILE}/sessionstore.jsonlz4"
    assert next(p.message for p in problems(run("firefox_session", item_of(packed(SESSION)[:-40], name)))) == "a block of LZ4 breaks off"
    assert "holds none" in problems(run("firefox_session", item_of(b'{"a": 1}', name)))[0].message
    assert run("firefox_session", item_of(b"plain words", f"{PROFILE}/sessionstore.js")) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(packed(SESSION), 150):
        never_fails("firefox_session", item_of(data, f"{PROFILE}/sessionstore.jsonlz4"))
    for data in mutants(json.dumps(SESSION).encode(), 150, seed=2):
        never_fails("firefox_session", item_of(data, f"{PROFILE}/sessionstore.js"))
    for odd in (
        {"windows": [1, {"tabs": {"entries": []}}, {"tabs": [{"entries": [{"url": 1}], "index": "x", "formdata": []}]}]},
        {"children": [[]], "guid": 1},
    ):
        never_fails("firefox_session", item_of(packed(odd), f"{PROFILE}/sessionstore.jsonlz4"))


class TestRealSamples:
    pytestmark = needs_samples

    def test_all_tabs_and_cookies_of_a_real_session_are_found(self) -> None:
        data = (ARTIFACTS / "iped" / "test_sessionstore.jsonlz4").read_bytes()
        said = run("firefox_session", item_of(data, f"{PROFILE}/sessionstore.jsonlz4"))
        assert [(f.data["url"], f.data["time"]) for f in findings(said, "tab")] == [
            ("https://github.com/streeg/", "2021-05-14T17:47:42.588Z"),
            ("https://www.wikipedia.org/", "2021-05-14T17:47:38.080Z"),
            ("https://www.facebook.com/", "2021-05-14T17:47:37.860Z"),
            ("https://www.reddit.com/", "2021-05-14T17:47:37.513Z"),
            ("https://twitter.com/", "2021-05-14T17:47:37.212Z"),
        ]
        assert [f.data["name"] for f in findings(said, "cookie")] == ["taarId"] * 5 + ["GeoIP", "_gh_sess", "tz"]
        assert problems(said) == []
