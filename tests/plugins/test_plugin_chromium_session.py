"""Chromium's sessions (both kinds of file), bookmarks and settings: a real Chromium's, made ones, damage."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import chromium_real
import pytest
from real_samples import findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

PROFILE = "vol1/Users/kim/AppData/Local/Google/Chrome/User Data/Default"
WEBKIT = (1_700_000_000 + 11_644_473_600) * 10**6
TIME = "2023-11-14T22:13:20Z"


def pickle(*values: int | str | bytes) -> bytes:
    """Return values as Chromium's pickles have them: numbers, texts (bytes: UTF-8, str: UTF-16), times (numbers over 32 bits)."""
    body = b""
    for value in values:
        if isinstance(value, int):
            body += struct.pack("<i" if value < 1 << 31 else "<q", value)
        else:
            raw = value if isinstance(value, bytes) else value.encode("utf-16-le")
            body += struct.pack("<i", len(value)) + raw + bytes(-len(raw) % 4)
    return struct.pack("<I", len(body)) + body


def command(number: int, body: bytes = b"") -> bytes:
    return struct.pack("<HB", len(body) + 1, number) + body


def page(number: int, tab: int, index: int, url: str, title: str, *, referrer: str = "", asked: str = "", terms: str = "") -> bytes:
    values = (
        tab,
        index,
        url.encode(),
        title,
        b"state",
        1,
        1,
        referrer.encode(),
        0,
        asked.encode(),
        0,
        WEBKIT + index * 10**6,
        terms,
        200,
        0,
    )
    return command(number, pickle(*values))


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


OPEN = b"SNSS" + struct.pack("<I", 3) + b"".join(
    (
        command(0, ints(1, 7)),
        page(6, 7, 0, "https://www.google.com/search?q=lost+dog", "lost dog", terms="lost dog"),
        page(6, 7, 1, "https://example.org/a", "Ä", referrer="https://www.google.com/", asked="http://example.org/a"),
        page(6, 7, 2, "https://example.org/b", "B"),
        command(7, ints(7, 1)),
        command(21, struct.pack("<i4xq", 7, WEBKIT)),
        command(255),
        command(0, ints(2, 8)),
        page(6, 8, 0, "https://example.org/old", "Old"),
        page(6, 8, 0, "https://example.org/new", "New"),
        command(16, struct.pack("<i4xq", 8, WEBKIT + 5 * 10**6)),
        command(0, ints(3, 9)),
        page(6, 9, 0, "https://example.org/first", "1"),
        page(6, 9, 1, "https://example.org/second", "2"),
        command(11, ints(9, 1)),
        command(17, struct.pack("<i4xq", 3, WEBKIT + 6 * 10**6)),
    )
)  # fmt: skip
CLOSED = b"SNSS" + struct.pack("<I", 1) + b"".join(
    (
        command(4, struct.pack("<iiq", 5, 1, WEBKIT)),
        command(5, b"\x01"),
        page(1, 5, 3, "https://example.org/a", "A"),
        page(1, 5, 7, "https://example.org/b", "B"),
        command(9, pickle(20, 0, 1, WEBKIT + 10**6, 0, 0, 1, 1, 1, b"", 0)),
        command(4, struct.pack("<iiq", 21, 0, 0)),
        page(1, 21, 0, "https://example.org/window", "W"),
        command(2, ints(5)),
    )
)  # fmt: skip
BOOKMARKS = {
    "checksum": "",
    "roots": {
        "bookmark_bar": {
            "type": "folder",
            "name": "Bar",
            "children": [
                {
                    "type": "folder",
                    "name": "In",
                    "children": [{"type": "url", "name": "X", "url": "https://example.org/x", "date_added": str(WEBKIT)}],
                }
            ],
        },
        "sync_transaction_version": "1",
    },
}
PREFERENCES = {
    "account_info": [{"email": "kim@example.org", "full_name": "Kim Doe", "gaia": "123"}],
    "google": {"services": {"last_username": "kim@example.org"}},
    "download": {"default_directory": "D:\\new"},
    "profile": {
        "name": "Person 1",
        "creation_time": str(WEBKIT),
        "content_settings": {
            "exceptions": {
                "site_engagement": {"https://example.org:443,*": {"setting": {"lastEngagementTime": float(WEBKIT), "rawScore": 2.5}}},
                "notifications": {"https://push.example.org:443,*": {"last_modified": str(WEBKIT), "setting": 1}, "*,*": {"setting": 1}},
            }
        },
    },
    "extensions": {
        "settings": {
            "abc": {"manifest": {"name": "Odd", "version": "1"}, "install_time": str(WEBKIT), "location": 1},
            "def": {"manifest": {"name": "Own"}, "location": 5},
        }
    },
}
LOCAL = {
    "profile": {
        "info_cache": {"Profile 2": {"name": "Work", "user_name": "w@example.org", "active_time": 1_700_000_000.0}},
        "last_used": "Profile 2",
    }
}


def samples() -> list[Item]:
    return [item_of(OPEN, f"{PROFILE}/Sessions/Session_13344473600000000"), item_of(json.dumps(BOOKMARKS).encode(), f"{PROFILE}/Bookmarks")]


def of(value: Any, name: str) -> list[Finding]:
    return findings(run("chromium_session", item_of(json.dumps(value).encode(), f"{PROFILE}/{name}")))


def test_open_tabs_are_told_with_the_pages_before_behind_and_gone() -> None:
    said = run("chromium_session", item_of(OPEN, f"{PROFILE}/Sessions/Session_13344473600000000"))
    tabs = [(f.data["url"][-10:], f.data.get("place"), f.data.get("closed_time"), f.data["window"]) for f in findings(said, "tab")]
    assert tabs == [
        ("q=lost+dog", "back", None, 1),
        ("mple.org/a", None, None, 1),
        ("mple.org/b", "forward", None, 1),
        ("le.org/new", None, "2023-11-14T22:13:25Z", 2),
        ("le.org/old", "gone", "2023-11-14T22:13:25Z", 2),
        ("org/second", None, "2023-11-14T22:13:26Z", 3),
        (".org/first", "gone", "2023-11-14T22:13:26Z", 3),
    ]
    shown = findings(said, "tab")[1].data
    assert (shown["title"], shown["referrer"], shown["asked_url"]) == ("Ä", "https://www.google.com/", "http://example.org/a")
    assert (shown["time"], shown["active_time"], shown["how"], shown["posted"]) == ("2023-11-14T22:13:21Z", TIME, "typed", True)
    assert (shown["user"], shown["application"], shown["profile"]) == ("kim", "Chrome", "Default")
    assert [f.data["term"] for f in findings(said, "search-term")] == ["lost dog"]
    assert problems(said) == []


def test_closed_tabs_and_windows_have_their_time_and_whether_they_came_back() -> None:
    said = run("chromium_session", item_of(CLOSED, f"{PROFILE}/Last Tabs"))
    assert [
        (f.data["url"], f.data.get("place"), f.data["closed_time"], f.data.get("reopened"), f.data.get("pinned"))
        for f in findings(said, "tab")
    ] == [
        ("https://example.org/a", "back", TIME, True, True),
        ("https://example.org/b", None, TIME, True, True),
        ("https://example.org/window", None, "2023-11-14T22:13:21Z", None, None),
    ]


def test_an_encrypted_session_is_said_to_be_that() -> None:
    data = b"SNSS" + struct.pack("<I", 5) + (struct.pack("<I", 10) + b"v20" + bytes(7)) * 3
    (found,) = findings(run("chromium_session", item_of(data, f"{PROFILE}/Sessions_Encrypted/Session_1")))
    assert (found.kind, found.data["records"], found.data["version"]) == ("encrypted", 3, 5)
    assert "version 9" in problems(run("chromium_session", item_of(b"SNSS\x09\0\0\0", f"{PROFILE}/Current Session")))[0].message


def test_a_session_that_breaks_off_gives_what_is_whole_and_says_so() -> None:
    said = run("chromium_session", item_of(OPEN[:-25], f"{PROFILE}/Current Session"))
    assert len(findings(said, "tab")) == 7
    assert "breaks off" in problems(said)[0].message


def test_lists_that_are_shortened_without_end_are_left_at_some_point_and_that_is_said() -> None:
    pages = b"".join(page(6, 1, n, f"https://example.org/{n}", "") for n in range(2000))
    said = run("chromium_session", item_of(OPEN[:8] + pages + command(24, ints(1, 5000, 1)) * 3000, f"{PROFILE}/Current Session"))
    assert len(findings(said, "tab")) == 2000
    assert "more pages out of lists" in problems(said)[0].message


def test_bookmarks_have_folder_and_time() -> None:
    (found,) = of(BOOKMARKS, "Bookmarks")
    assert (found.kind, found.data["url"], found.data["folder"], found.data["time"]) == (
        "bookmark",
        "https://example.org/x",
        "bookmark_bar/In",
        TIME,
    )


def test_settings_tell_accounts_folders_sites_and_extensions() -> None:
    said = of(PREFERENCES, "Preferences")
    assert [f.kind for f in said] == ["account", "program-settings", "site-setting", "site-setting", "program-installed"]
    account, settings, site, push, extension = (f.data for f in said)
    assert (account["account"], account["name"], account["number"]) == ("kim@example.org", "Kim Doe", "123")
    assert (settings["downloads"], settings["name"], settings["created_time"]) == ("D:\\new", "Person 1", TIME)
    assert (site["url"], site["time"], site["score"]) == ("https://example.org:443", TIME, 2.5)
    assert (push["kept"], push["value"]) == ("notifications", 1)
    assert (extension["name"], extension["number"], extension["time"]) == ("Odd", "abc", TIME)


def test_profiles_of_the_browser_are_told_with_their_accounts() -> None:
    account, settings = of(LOCAL, "Local State")
    assert (account.kind, account.data["account"], account.data["profile"], account.data["time"]) == (
        "account",
        "w@example.org",
        "Profile 2",
        TIME,
    )
    assert settings.data["last_profile"] == "Profile 2"


def test_visited_links_are_counted() -> None:
    data = b"VLnk" + struct.pack("<iii", 3, 1000, 42) + bytes(64)
    (found,) = findings(run("chromium_session", item_of(data, f"{PROFILE}/Visited Links")))
    assert found.title == "42 addresses are marked as visited: only fingerprints of them are kept"


def test_others_of_these_names_are_quiet() -> None:
    for data in (b'{"a": 1}', b"[1]", b"words", b"<xml/>"):
        assert run("chromium_session", item_of(data, "vol1/x/Preferences")) == []


def test_damage_never_breaks_it() -> None:
    for data in mutants(OPEN, 200):
        never_fails("chromium_session", item_of(data, f"{PROFILE}/Current Session"))
    for data in mutants(CLOSED, 200, seed=2):
        never_fails("chromium_session", item_of(data, f"{PROFILE}/Current Tabs"))
    for value in (PREFERENCES, BOOKMARKS, LOCAL):
        for data in mutants(json.dumps(value).encode(), 60, seed=3):
            never_fails("chromium_session", item_of(data, f"{PROFILE}/Preferences"))


class TestRealSamples:
    """A real Chromium's (``chromium_real``): these need no evidence beside the tests."""

    pytestmark = pytest.mark.evidence

    def test_all_pages_of_open_and_closed_tabs_are_found(self) -> None:
        said = run("chromium_session", item_of(chromium_real.SESSION, f"{PROFILE}/Sessions/Session_13440234983787701"))
        assert problems(said) == []
        base = "http://127.0.0.1:8765/"
        assert [(f.data["url"].removeprefix(base), f.data.get("place"), f.data.get("closed_time")) for f in findings(said, "tab")] == [
            ("a.html", "back", None),
            ("b.html", None, None),
            ("c.html", "forward", None),
            ("d.html?q=closed", None, "2026-11-27T06:36:29.205795Z"),
            ("d.html?q=open", None, None),
        ]
        assert findings(said, "tab")[1].data["referrer"] == f"{base}a.html"

    def test_the_tabs_of_the_window_that_was_closed_last_are_found_with_the_one_before(self) -> None:
        said = run("chromium_session", item_of(chromium_real.TABS, f"{PROFILE}/Sessions/Tabs_13440234991702840"))
        assert problems(said) == []
        assert [(f.data["url"][22:], f.data["closed_time"][:19]) for f in findings(said, "tab")] == [
            ("d.html?q=closed", "2026-11-27T06:36:29"),
            ("a.html", "2026-11-27T06:36:37"),
            ("b.html", "2026-11-27T06:36:37"),
            ("c.html", "2026-11-27T06:36:37"),
            ("d.html?q=open", "2026-11-27T06:36:37"),
        ]
