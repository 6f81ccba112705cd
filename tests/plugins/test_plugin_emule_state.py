"""What eMule and aMule keep beside their lists of files: a real preferences.dat, the rest made, other programs' files, damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from real_samples import ARTIFACTS, findings, item_of, mutants, needs_samples, never_fails, problems, run
from test_plugin_emule import ED2K, tag

from triage.artifacts.inifile import read_ini

if TYPE_CHECKING:
    from triage.plugin import Finding, Item, Problem

HOME = "vol1/Users/kim/AppData/Local/eMule/config"
USER = bytes.fromhex("02237df8aa0e92ae78f7bfe1d79a6fb2")
INI = """\
[eMule]
AppVersion=0.50a
Nick=kim's
Port=4662
IncomingDir=D:\\in
TempDir=D:\\temp
SeeShare=0
MaxUpload=20
[Proxy]
ProxyEnableProxy=1
ProxyName=10.0.0.1
[Statistics]
TotalDownloadedBytes=2000
TotalUploadedBytes=1000
[Cat#1]
Title=Films
Incoming=D:\\films
AutoCat=*.avi|*.mpg
"""


def said(data: bytes, name: str, home: str = HOME) -> list[Finding | Problem]:
    return run("emule_state", item_of(data, f"{home}/{name}"))  # type: ignore[return-value]


def clients(version: int = 0x12, count: int = 2) -> bytes:
    rest = bytes(81) if version == 0x12 else b""
    records = [USER + struct.pack("<5IH", 5 + n, 7, 1_700_000_000, n, 1, 0) + rest for n in range(count)]
    return bytes([version]) + struct.pack("<I", count) + b"".join(records)


def friends() -> bytes:
    one = USER + bytes([10, 0, 0, 1]) + struct.pack("<HIII", 4662, 1_700_000_000, 0, 1) + tag(1, "a friend")
    return b"\x0e" + struct.pack("<I", 1) + one


def stored(of_peer: int = 0) -> bytes:
    def text(words: str) -> bytes:
        return struct.pack("<H", len(words.encode())) + words.encode()

    results = (
        bytes.fromhex(ED2K) + bytes([10, 0, 0, 2]) + struct.pack("<HI", 99, 3) + tag(1, "found.avi") + b"\x83\x02" + struct.pack("<I", 77)
    )
    results += b"\x98\x03" + b"Video\0\0\0"
    return (
        b"\x0f\x01"
        + struct.pack("<HIBB", 1, 1, 0, of_peer)
        + text("the title")
        + text("größer")
        + text("Video")
        + struct.pack("<I", 1)
        + results
    )


def servers() -> bytes:
    return b"\xe0" + struct.pack("<I", 1) + bytes([10, 0, 0, 3]) + struct.pack("<HI", 4661, 1) + tag(1, "a server")


def samples() -> list[Item]:
    return [
        item_of(b"\x14" + USER, f"{HOME}/preferences.dat"),
        item_of(INI.encode(), f"{HOME}/preferences.ini"),
        item_of(stored(), f"{HOME}/StoredSearches.met"),
        item_of(clients(), f"{HOME}/clients.met"),
        item_of(friends(), f"{HOME}/emfriends.met"),
        item_of(servers(), f"{HOME}/server.met"),
        item_of("\ufeffone\r\n".encode("utf-16-le"), f"{HOME}/AC_SearchStrings.dat"),
    ]


class TestRealSamples:
    pytestmark = needs_samples

    def test_the_users_hash_is_read(self) -> None:
        (one,) = said((ARTIFACTS / "iped" / "test_preferences.dat").read_bytes(), "preferences.dat")
        assert (one.kind, one.data["user_hash"], one.data["user"]) == ("account", USER.hex(), "kim")
        assert one.data["window"] == [10, 10, 700, 500]


def test_settings_say_who_where_and_how_much() -> None:
    for name in ("preferences.ini", "amule.conf"):
        found = findings(said(INI.encode(), name))
        assert [f.kind for f in found] == ["account", "shared-folder", "transfer-total", "shared-folder"]
        assert (found[0].data["nick"], found[0].data["port"], found[0].data["shared_files_seen_by"]) == ("kim's", "4662", "everybody")
        assert (found[0].data["proxy"], found[0].data["temp"]) == ("10.0.0.1", "D:\\temp")
        assert (found[1].data["path"], found[3].data["path"], found[3].data["files"]) == ("D:\\in", "D:\\films", "*.avi|*.mpg")
        assert (found[2].data["bytes_loaded"], found[2].data["bytes_uploaded"]) == (2000, 1000)
    assert [f.data["path"] for f in findings(said(INI.encode("utf-16"), "preferences.ini"), "shared-folder")] == ["D:\\in", "D:\\films"]


def test_totals_and_categories_have_files_of_their_own() -> None:
    (one,) = findings(said(b"[Statistics]\r\nTotalDownloadedBytes=7\r\nTotalUploadedBytes=8\r\n", "statistics.ini"))
    assert (one.kind, one.data["bytes_loaded"], one.data["bytes_uploaded"]) == ("transfer-total", 7, 8)
    (two,) = findings(said(b"\0" + struct.pack("<QQ", 8, 7), "statistics.dat", "vol1/home/kim/.aMule"))
    assert (two.data["bytes_loaded"], two.data["bytes_uploaded"]) == (7, 8)
    found = findings(said(b"[General]\r\nCount=1\r\n[Cat#1]\r\nTitle=Films\r\nIncoming=\r\n", "Category.ini"))
    assert [(f.kind, f.data["name"]) for f in found] == [("category", "Films")]


def test_words_that_were_searched_for_are_told_in_either_encoding() -> None:
    for data in ("\ufeffgrößer\r\nzwei\r\n".encode("utf-16-le"), "größer\nzwei\n".encode()):
        for name in ("AC_SearchStrings.dat", "searchhistory.dat"):
            assert [(f.kind, f.data["term"]) for f in findings(said(data, name))] == [("search-term", "größer"), ("search-term", "zwei")]


def test_shared_folders_are_told() -> None:
    data = "\ufeffC:\\a\\\r\nD:\\b\\\r\n".encode("utf-16-le")
    assert [f.data["path"] for f in findings(said(data, "shareddir.dat"), "shared-folder")] == ["C:\\a\\", "D:\\b\\"]
    (one,) = findings(said(b"/home/kim/films\n", "shareddir-recursive.dat"))
    assert (one.data["path"], one.data["with_folders_in_it"]) == ("/home/kim/films", True)


def test_peers_are_told_with_what_they_gave_and_got_the_most_first() -> None:
    for version in (0x11, 0x12):
        found = findings(said(clients(version), "clients.met"), "peer")
        assert [f.data["bytes_uploaded"] for f in found] == [(1 << 32) + 6, 5]
        assert (found[0].data["bytes_loaded"], found[0].data["last_seen"]) == ((1 << 32) + 7, "2023-11-14T22:13:20Z")
        assert found[0].data["user_hash"] == USER.hex()


def test_friends_servers_and_contacts_are_told() -> None:
    (one,) = findings(said(friends(), "emfriends.met"))
    assert (one.kind, one.data["name"], one.data["address"]) == ("contact", "a friend", "10.0.0.1")
    (two,) = findings(said(servers(), "server.met"))
    assert two.data["servers"] == [{"address": "10.0.0.3", "port": 4661, "name": "a server"}]
    for data, count in (
        (struct.pack("<I", 3) + bytes(75), 3),
        (struct.pack("<III", 0, 1, 2) + bytes(50), 2),
        (struct.pack("<III", 0, 2, 2) + bytes(68), 2),
        (struct.pack("<IIII", 0, 3, 1, 4) + bytes(100), 4),
        (struct.pack("<IIII", 0, 3, 0, 4) + bytes(136), 4),
    ):
        assert [f.data["count"] for f in findings(said(data, "nodes.dat"))] == [count]
    kad = bytes([4, 3, 2, 1, 0, 0]) + bytes(range(16)) + b"\0"
    (three,) = findings(said(kad, "preferencesKad.dat"))
    assert (three.data["address"], three.data["kad_id"]) == ("1.2.3.4", "03020100070605040b0a09080f0e0d0c")


def test_cancelled_downloads_are_matched_where_their_own_hash_is_kept() -> None:
    amule = b"\x21" + struct.pack("<I", 1) + bytes.fromhex(ED2K)
    old = b"\x0e" + struct.pack("<I", 1) + bytes.fromhex(ED2K) + b"\0"
    for data, name in ((amule, "canceled.met"), (old, "cancelled.met")):
        (one,) = findings(said(data, name))
        assert (one.kind, one.data["digests"]) == ("cancelled-download", [{"ed2k": ED2K}])
    new = b"\x0f\x01" + struct.pack("<II", 99, 2) + (bytes.fromhex(ED2K) + b"\0") * 2
    (one,) = findings(said(new, "cancelled.met"))
    assert (one.data["count"], "digests" in one.data) == (2, False)


def test_stored_searches_have_words_and_results() -> None:
    term, result = findings(said(stored(), "StoredSearches.met"))
    assert (term.kind, term.data["term"], term.data["results"]) == ("search-term", "größer", 1)
    assert (result.data["name"], result.data["size"], result.data["search"]) == ("found.avi", 77, "größer")
    assert (result.data["digests"], result.data["address"]) == ([{"ed2k": ED2K}], "10.0.0.2")
    assert findings(said(stored(1), "StoredSearches.met"))[0].kind == "peer"
    assert "version" in problems(said(b"\x0f\x67" + bytes(20), "StoredSearches.met"))[0].message


def test_what_breaks_off_gives_what_is_whole_and_says_so() -> None:
    for data, name in (
        (clients(), "clients.met"),
        (friends(), "emfriends.met"),
        (servers(), "server.met"),
        (stored(), "StoredSearches.met"),
    ):
        assert "not read whole" in problems(said(data[:-1], name))[0].message


def test_other_programs_files_of_these_names_are_left_alone() -> None:
    for name, data in (
        ("preferences.dat", b"{\"a\": 1}" * 4), ("preferencesKad.dat", bytes(30)), ("preferences.ini", b"[Window]\nleft=3\n"),
        ("amule.conf", b"[other]\n"), ("server.met", b"hello there"), ("nodes.dat", b"some other program's nodes"),
        ("statistics.dat", bytes(17)), ("statistics.ini", b"[x]\ny=1\n"), ("Category.ini", b"[x]\ny=1\n"),
        ("clients.met", b"hello"), ("StoredSearches.met", b"hello"), ("cancelled.met", b"hello"), ("searchhistory.dat", b"\0\x01\x02"),
    ):  # fmt: skip
        assert said(data, name, "vol1/x") == [], name


def test_settings_are_read_with_bounds_and_the_first_value_wins() -> None:
    ini = read_ini(b"top=1\n; no\n[a]\nx = 1 = 2\nx=3\n[a]\ny=4\n[broken\nz\n")
    assert ini == {"": {"top": "1"}, "a": {"x": "1 = 2", "y": "4"}}


def test_damage_never_breaks_it() -> None:
    for item in samples():
        data = item.read(item.size)
        for one in mutants(data, 60):
            never_fails("emule_state", item_of(one, item.entry.path))
