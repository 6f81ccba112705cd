"""Lists of DC++ and its kin: made ones of each kind, files of other programs, damage."""

from __future__ import annotations

import bz2
from base64 import b32encode
from typing import TYPE_CHECKING

from real_samples import findings, item_of, mutants, never_fails, problems, run

if TYPE_CHECKING:
    from triage.plugin import Finding, Item

TTH = bytes(range(24))
B32 = b32encode(TTH).decode().rstrip("=")
HEAD = '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n'
QUEUE = (
    f'{HEAD}<Downloads Version="2.43"><Download Target="C:\\in\\größe.avi" Size="5368709120" Priority="3" Added="1700000000" TTH="{B32}" '
    'Downloaded="10"><Source CID="X" Nick="one"/><Source CID="TWO"/></Download><Download/></Downloads>'
)
INDEX = (
    f'{HEAD}<HashStore Version="2"><Trees><Hash Type="TTH" Index="8" BlockSize="65536" Size="77" Root="{B32}"/></Trees>'
    f'<Files><File Name="C:\\films\\a.avi" TimeStamp="1700000000" Root="{B32}"/></Files></HashStore>'
)
LISTING = (
    f'{HEAD}<FileListing Version="1" CID="MYCID" Base="/" Generator="DC++ 0.8"><Directory Name="films"><Directory Name="new">'
    f'<File Name="b.avi" Size="2" TTH="{B32}"/></Directory><File Name="a.avi" Size="1" TTH="{B32}"/></Directory></FileListing>'
)
SETTINGS = (
    f'{HEAD}<DCPlusPlus><Settings><Nick type="string">kim</Nick><DownloadDirectory type="string">D:\\in\\</DownloadDirectory>'
    '<TotalUpload type="int64">20</TotalUpload><TotalDownload type="int64">10</TotalDownload><Password type="string">x</Password>'
    '</Settings><Share><Directory Virtual="Films">D:\\films\\</Directory></Share>'
    "<SearchHistory><Search>some words</Search></SearchHistory></DCPlusPlus>"
)
FAVORITES = (
    f'{HEAD}<Favorites><Hubs><Hub Name="A hub" Server="adc://hub.example.org:411" Nick="kim" Password="x"/></Hubs>'
    '<Users><User Nick="a friend" CID="C" URL="adc://hub.example.org:411" LastSeen="1700000000"/></Users></Favorites>'
)


def told(text: str, path: str) -> list[Finding]:
    data = bz2.compress(text.encode()) if path.endswith(".bz2") else text.encode()
    said = run("dcplusplus", item_of(data, f"vol1/home/kim/.eiskaltdc++/{path}"))
    assert problems(said) == []
    return findings(said)


def samples() -> list[Item]:
    return [
        item_of(QUEUE.encode(), "vol1/DC++/Queue.xml"),
        item_of(bz2.compress(LISTING.encode()), "vol1/DC++/files.xml.bz2"),
        item_of(SETTINGS.encode(), "vol1/DC++/DCPlusPlus.xml"),
    ]


def test_downloads_have_their_hash_and_sources() -> None:
    (one,) = told(QUEUE, "Queue.xml")
    assert (one.kind, one.data["name"], one.data["path"], one.data["size"]) == ("loading-file", "größe.avi", "C:\\in\\größe.avi", 5 << 30)
    assert (one.data["digests"], one.data["time"]) == ([{"tth": TTH.hex()}], "2023-11-14T22:13:20Z")
    assert (one.data["offered_by"], one.data["sources"], one.data["user"]) == (["one", "TWO"], 2, "kim")


def test_files_that_were_hashed_to_be_shared_are_told() -> None:
    (one,) = told(INDEX, "HashIndex.xml")
    assert (one.kind, one.data["path"], one.data["size"]) == ("shared-file", "C:\\films\\a.avi", 77)
    assert (one.data["digests"], one.data["time"]) == ([{"tth": TTH.hex()}], "2023-11-14T22:13:20Z")


def test_own_and_other_users_lists_are_told_apart_by_folder() -> None:
    one, two = told(LISTING, "files.xml.bz2")
    assert (one.kind, one.data["path"], one.data["files"]) == ("shared-file", "/films", [{"name": "a.avi", "size": 1}])
    assert (two.data["path"], two.data["digests"]) == ("/films/new", [{"tth": TTH.hex()}])
    theirs = told(LISTING, "FileLists/friend.ABC.xml.bz2")
    assert [f.kind for f in theirs] == ["peer-file", "peer-file"]
    assert (theirs[0].data["list"], theirs[0].data["cid"]) == ("friend.ABC.xml.bz2", "MYCID")


def test_a_folder_of_many_files_comes_in_parts_that_are_all_matched() -> None:
    files = "".join(f'<File Name="{"ü" * 200}{n}.avi" Size="{n}" TTH="{B32}"/>' for n in range(250))
    said = told(f"{HEAD}<FileListing><Directory Name='x'>{files}</Directory></FileListing>", "files.xml.bz2")
    assert [(f.data["file_count"], len(f.data["digests"])) for f in said] == [(100, 100), (100, 100), (50, 50)]


def test_settings_say_who_what_and_how_much_and_no_passwords() -> None:
    account, folder, term, total = told(SETTINGS, "DCPlusPlus.xml")
    assert (account.kind, account.data["nick"], account.data["DownloadDirectory"]) == ("account", "kim", "D:\\in\\")
    assert "Password" not in account.data
    assert (folder.kind, folder.data["path"], folder.data["shown_as"]) == ("shared-folder", "D:\\films\\", "Films")
    assert (term.kind, term.data["term"]) == ("search-term", "some words")
    assert (total.kind, total.data["bytes_loaded"], total.data["bytes_uploaded"]) == ("transfer-total", 10, 20)


def test_hubs_and_favourite_users_are_told() -> None:
    hub, user = told(FAVORITES, "Favorites.xml")
    assert (hub.kind, hub.data["url"], hub.data["password_is_kept"]) == ("hub", "adc://hub.example.org:411", True)
    assert "x" not in hub.data.values()
    assert (user.kind, user.data["name"], user.data["last_seen"]) == ("contact", "a friend", "2023-11-14T22:13:20Z")


def test_what_breaks_off_gives_what_is_there_and_says_so() -> None:
    for data, path in ((QUEUE.encode()[:-30], "Queue.xml"), (bz2.compress(LISTING.encode())[:-15], "files.xml.bz2")):
        said = run("dcplusplus", item_of(data, f"vol1/{path}"))
        assert problems(said)


def test_other_programs_files_of_these_names_are_left_alone() -> None:
    for text in (f"{HEAD}<Something/>", "nothing", f"{HEAD}<Messages><Downloads/></Messages>"):
        assert told(text, "Queue.xml") == []
        assert told(text, "Favorites.xml") == []


def test_damage_never_breaks_it() -> None:
    for item in samples():
        data = item.read(item.size)
        for one in mutants(data, 80):
            never_fails("dcplusplus", item_of(one, item.entry.path))
