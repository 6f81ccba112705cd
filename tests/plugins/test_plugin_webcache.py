"""WebCacheV01.dat: made databases (no real one is at hand) of both forms of pages, the ESE reader under it, and damage."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from ese_maker import BINARY, I32, LL, LONG_BINARY, LONG_TEXT, TEXT, U32, Long, Made, Packed, database, seven_bits
from real_samples import findings, item_of, mutants, never_fails, problems, run
from test_plugin_index_dat import DOWNLOAD, TIME, TIME_TEXT, VISIT_VALUES

from triage.artifacts import esevalue
from triage.artifacts.ese import Ese, open_ese
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.plugin import Item

PATH = "vol1/Users/kim/AppData/Local/Microsoft/Windows/WebCache/WebCacheV01.dat"
CONTAINERS = [
    (1, "ContainerId", LL),
    (2, "SetId", U32),
    (128, "Name", TEXT),
    (257, "Directory", LONG_TEXT),
    (258, "SecureDirectories", LONG_TEXT),
]
CONTAINER = [
    (1, "EntryId", LL), (2, "ContainerId", LL), (3, "SecureDirectory", U32), (4, "FileSize", LL), (5, "AccessCount", U32),
    (6, "SyncTime", LL), (7, "CreationTime", LL), (8, "ExpiryTime", LL), (9, "ModifiedTime", LL), (10, "AccessedTime", LL),
    (256, "Url", LONG_TEXT),
    (257, "Filename", LONG_TEXT), (259, "RequestHeaders", LONG_BINARY), (260, "ResponseHeaders", LONG_BINARY),
]  # fmt: skip
COOKIES = [
    (1, "EntryId", LL), (5, "Expires", LL), (6, "LastModified", LL), (257, "RDomain", LONG_TEXT), (258, "Path", LONG_TEXT),
    (259, "Name", LONG_BINARY),
]  # fmt: skip
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"
WEEK = ":2024011520240122: lee@http://example.org/week"


def rows(urls: list[str], **more: Any) -> list[dict[str, Any]]:
    return [{"EntryId": n, "ContainerId": 1, "AccessedTime": TIME, "AccessCount": 2, "Url": url, **more} for n, url in enumerate(urls)]


def web_cache(**form: Any) -> bytes:
    names = ["Content", "History", "iedownload", "Cookies", "MSHist012024011520240122", "DOMStore"]
    base = "C:\\Users\\kim\\AppData\\Local\\Microsoft\\Windows\\INetCache\\IE\\"
    listed = [
        {"ContainerId": n, "Name": name, **({"Directory": base, "SecureDirectories": "AAAA1111BBBB2222"} if name == "Content" else {})}
        for n, name in enumerate(names, 1)
    ]
    kept = rows(["http://example.org/a.jpg", "http://example.org/b.jpg"], FileSize=9, Filename="a[1].jpg", SecureDirectory=2)
    kept[0] |= {"ResponseHeaders": HEADERS, "RequestHeaders": b"Referer: http://example.org/from\r\n\r\n"}
    kept[1] |= {"ResponseHeaders": Long(HEADERS.ljust(2500))}
    visited = rows(["Visited: lee@http://www.bing.com/search?q=red+car", "Visited: lee@file:///C:/My%20Pictures/c.jpg"])
    visited[0] |= {"ResponseHeaders": VISIT_VALUES}
    visited[1] |= {"Url": seven_bits("Visited: lee@file:///C:/My%20Pictures/c.jpg")}
    contents = [
        kept,
        visited,
        rows(["iedownload:{1}"], ResponseHeaders=Long(DOWNLOAD)),
        rows(["Cookie:lee@example.org/"], Filename="ABCD.txt"),
        rows([WEEK], ModifiedTime=TIME + 36_000_000_000),
        rows(["DOMStore:example.org"]),
    ]
    cookie = {"EntryId": 1, "LastModified": TIME, "RDomain": "org.example.www", "Path": "/", "Name": b"id"}
    tables = [Made("Containers", CONTAINERS, listed)]
    gone = {1: frozenset({1})}
    tables += [Made(f"Container_{n}", CONTAINER, one, gone.get(n, frozenset())) for n, one in enumerate(contents, 1)]
    tables.append(Made("CookieEntryEx_4", COOKIES, [cookie]))
    return database(tables, **form)


SMALL, LARGE = web_cache(page_size=4096), web_cache()


def samples() -> list[Item]:
    return [item_of(SMALL, PATH), item_of(LARGE, PATH)]


def opened(data: bytes) -> Ese:
    return open_ese(lambda offset, length: data[offset : offset + length], len(data))


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["4 KiB", "32 KiB"])
def test_every_container_says_what_it_holds(data: bytes) -> None:
    said = run("webcache", item_of(data, PATH))
    assert not problems(said)
    got = [(f.kind, f.data.get("user"), f.data.get("url", "")) for f in findings(said)]
    assert got == [
        ("visit", "lee", "http://www.bing.com/search?q=red+car"),
        ("search-term", "lee", "http://www.bing.com/search?q=red+car"),
        ("recent-file", "lee", "file:///C:/My%20Pictures/c.jpg"),
        ("visit", "lee", "http://example.org/week"),
        ("download", "kim", "https://example.org/a.zip"),
        ("cached", "kim", "http://example.org/a.jpg"),
        ("cached", "kim", "http://example.org/b.jpg"),
        ("cookie", "lee", "example.org/"),
        ("web-store", "kim", "example.org"),
        ("cookie", "kim", "www.example.org/"),
    ]
    visit, term, file, week, download, cached, second, *_ = (f.data for f in findings(said))
    assert (visit["title"], visit["time"], visit["hits"], term["term"]) == ("a page", TIME_TEXT, 2, "red car")
    assert file["path"] == "C:\\My Pictures\\c.jpg"
    assert (week.get("time"), week["local_time"]) == (None, "2024-01-17T22:20:00")
    assert (download["path"], download["size"], download["state_of_download"]) == ("C:\\Users\\kim\\a.zip", 4711, "complete")
    assert cached["path"] == "C:\\Users\\kim\\AppData\\Local\\Microsoft\\Windows\\INetCache\\IE\\BBBB2222\\a[1].jpg"
    assert (cached["mime"], cached["status"], cached["referrer"]) == ("image/jpeg", "200", "http://example.org/from")
    assert (second["state"], second["mime"]) == ("deleted row", "image/jpeg")


def test_a_database_that_was_not_closed_says_so() -> None:
    said = run("webcache", item_of(web_cache(page_size=4096, state=2), PATH))
    assert ["not closed" in p.message for p in problems(said)] == [True]
    assert len(findings(said)) == 10


def test_a_table_whose_container_is_not_listed_is_read() -> None:
    data = database([Made("Container_7", CONTAINER, rows(["Visited: lee@http://example.org/"]))], page_size=4096)
    said = run("webcache", item_of(data, PATH))
    assert [f.kind for f in findings(said)] == ["visit"]
    assert len(problems(said)) == 1


def test_what_is_no_database_says_so() -> None:
    said = run("webcache", item_of(bytes(20000), PATH))
    assert (len(findings(said)), len(problems(said))) == (0, 1)


# -- the reader ------------------------------------------------------------------------------------------------------------------------

COLUMNS = [
    (1, "Id", LL),
    (2, "Number", I32),
    (128, "Name", TEXT),
    (129, "Bytes", BINARY),
    (256, "Text", LONG_TEXT),
    (300, "More", LONG_BINARY),
]


def many(count: int, a_page: int = 50) -> list[Made]:
    return [Made("t", COLUMNS, [{"Id": n, "Name": f"n{n}", "Text": f"t{n}"} for n in range(count)], a_page=a_page)]


@pytest.mark.parametrize("size", [4096, 8192, 16384, 32768])
def test_values_of_every_form_come_out(size: int) -> None:
    long, odd = bytes(range(256)) * 20, b"8" * 1500  # the second begins as packed bytes of another kind would
    given = [
        {"Id": -1, "Number": 7, "Name": "é€", "Bytes": b"\0\1", "Text": "text", "More": b"x"},
        {"Number": 8, "Text": seven_bits("packed"), "More": Long(long)},
        {"Id": 3, "Bytes": b"", "Text": ["one", "", "three"], "More": [b"1", b"22"]},
        {"Id": 4, "More": Packed(b"\x18\x0a\x00\x00\x00\x00\x40a\x00\x00"), "Text": "end"},
        {"Id": 5, "More": Long(odd)},
    ]
    db = opened(database([Made("t", COLUMNS, given)], page_size=size))
    got = [row.values for row in db.rows(db.tables["t"])]
    assert not db.notes.lines()
    assert got[0] == given[0]
    assert (got[1]["Text"], got[1]["More"]) == ("packed", long)
    assert got[2] == given[2]
    assert "Name" not in got[2]
    assert got[4]["More"] == odd


def test_a_tree_of_many_pages_is_read_in_order_and_only_what_is_wanted() -> None:
    db = opened(database(many(1000), page_size=4096))
    got = list(db.rows(db.tables["t"], ("Id",)))
    assert [row.values for row in got] == [{"Id": n} for n in range(1000)]


def test_a_page_that_no_branch_leads_to_is_found_by_its_neighbour() -> None:
    data = bytearray(database(many(150), page_size=4096))
    branch = next(at for at in range(8192, len(data), 4096) if data[at + 36] & 7 == 5 and data[at + 24] == 10)
    data[branch + 34] -= 1  # the branch's last entry, of the last page
    db = opened(bytes(data))
    assert [row.values["Id"] for row in db.rows(db.tables["t"], ("Id",))] == list(range(150))


def test_branches_that_run_in_circles_end() -> None:
    data = bytearray(database(many(150), page_size=4096))
    branch = next(at for at in range(8192, len(data), 4096) if data[at + 36] & 7 == 5 and data[at + 24] == 10)
    leaves = [at for at in range(8192, len(data), 4096) if data[at + 36] & 7 == 2 and data[at + 24] == 10]
    number = branch // 4096 - 1
    for at in leaves:
        data[at + 36] &= ~2  # now branches, whose rows' first bytes are taken for pages
        data[at + 20 : at + 24] = struct.pack("<I", number)
    db = opened(bytes(data))
    assert len(list(db.rows(db.tables["t"]))) == 0
    assert db.notes.lines()


def test_entries_that_share_bytes_take_no_more_than_a_page() -> None:
    data = bytearray(database(many(20), page_size=32768))
    leaf = next(at for at in range(65536, len(data), 32768) if data[at + 36] & 7 == 3 and data[at + 24] == 10)
    data[leaf + 34 : leaf + 36] = struct.pack("<H", 4000)
    data[leaf + 32768 - 16000 : leaf + 32768 - 4] = struct.pack("<HH", 16000, 0) * 3999
    db = opened(bytes(data))
    assert len(list(db.rows(db.tables["t"]))) <= 3
    assert "do not fit" in db.notes.lines()[0]


def test_a_row_whose_tagged_columns_begin_nowhere_has_none() -> None:
    data = database(many(3), page_size=4096)
    lying = data.replace(struct.pack("<HHB", 256, 0x4004, 1), struct.pack("<HHB", 256, 0x4000, 1))
    assert lying != data
    db = opened(lying)
    assert [row.values for row in db.rows(db.tables["t"], ("Id", "Text"))] == [{"Id": n} for n in range(3)]


def test_a_long_value_of_which_a_piece_is_missing_is_no_value() -> None:
    data = database([Made("t", COLUMNS, [{"Id": 1, "More": Long(b"a" * 1000 + b"b" * 1000 + b"c" * 500)}])], page_size=32768)
    at = data.index(struct.pack(">I", 1000), 65536)
    db = opened(data[:at] + struct.pack(">I", 1001) + data[at + 4 :])
    assert [row.values for row in db.rows(db.tables["t"])] == [{"Id": 1}]
    assert db.notes.lines() == ("a piece of a long value is missing",)


def test_long_values_that_are_asked_for_again_and_again_end() -> None:
    value = Long(b"x" * 5000)
    made = Made("t", COLUMNS, [{"Id": n, "More": value} for n in range(300)])
    data = bytearray(database([made], page_size=32768))
    db = opened(bytes(data))
    db._budget = 50_000
    assert sum("More" in row.values for row in db.rows(db.tables["t"])) < 300
    assert "more together" in db.notes.lines()[0]


def test_the_copies_of_header_and_catalog_are_read_where_the_first_are_damaged() -> None:
    data = bytearray(database(many(3), page_size=4096))
    data[:4096] = bytes(4096)
    data[5 * 4096 : 6 * 4096] = bytes(4096)
    db = opened(bytes(data))
    assert len(list(db.rows(db.tables["t"]))) == 3
    assert any("copy" in line for line in db.notes.lines())


def test_lzxpress_repeats_what_it_had() -> None:
    # [MS-XCA] 3.2: the specification's example of 300 letters
    assert esevalue.lzxpress(bytes.fromhex("ffffff1f61626317000fff2601"), 300) == b"abc" * 100
    assert esevalue.lzxpress(bytes.fromhex("3f0000006162636465666768696a6b6c6d6e6f707172737475767778797a"), 26) == bytes(range(97, 123))
    assert esevalue.lzxpress(b"\xff" * 9, 1 << 20) == b""


def test_text_of_seven_bits_and_what_is_packed_otherwise() -> None:
    assert esevalue.unpacked(bytes(seven_bits("Some text, of odd length!"))).decode("utf-16-le") == "Some text, of odd length!"
    assert esevalue.unpacked(b"plain") == b"plain"
    with pytest.raises(StructureError):
        esevalue.unpacked(b"\x28abc")


def test_damage_never_breaks_it() -> None:
    whole = item_of(SMALL, PATH)
    expected = len(findings(run("webcache", whole)))
    assert expected
    for data in mutants(SMALL[:8192], 60):
        never_fails("webcache", item_of(data.ljust(8192, b"\0")[:8192] + SMALL[8192:], PATH))
    for data in mutants(SMALL[8192:], 200):
        never_fails("webcache", item_of(SMALL[:8192] + data, PATH))
