"""Internet Explorer's index.dat: every record of real ones as libmsiecf reads them, made ones of each kind, and damaged ones."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts import msiecf
from triage.artifacts.structure import Notes

if TYPE_CHECKING:
    from triage.plugin import Item

TIME, TIME_TEXT = 133_500_000_000_000_000, "2024-01-17T21:20:00Z"
FAT = (44 << 9 | 1 << 5 | 17) | (21 << 11 | 20 << 5) << 16
PATH = "vol1/Documents and Settings/kim/Local Settings/Temporary Internet Files/Content.IE5/index.dat"
HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n~U:kim\r\n\0"


def url_record(
    location: bytes,
    *,
    file: bytes = b"",
    data: bytes = b"",
    folder: int = 0xFE,
    size: int = 0,
    flags: int = 1,
    times: tuple[int, int] = (TIME, TIME),
    version: str = "5.2",
) -> bytes:
    at = 104
    texts = location + b"\0"
    name = at + len(texts) if file else 0
    texts += file + b"\0" if file else b""
    body = at + len(texts) if data else 0
    texts += data
    secondary, primary = times
    if version == "4.7":
        head = struct.pack(
            "<QQQI12x4xIIB3xIIIIIIIII4x", secondary, primary, TIME, size, 0, at, folder, name, flags, body, len(data), 0, FAT, 3, 0, 0
        )
    else:
        head = struct.pack(
            "<QQI4xQII4xIB3xIIIIIIIIIII",
            secondary,
            primary,
            FAT,
            size,
            0,
            0,
            at,
            folder,
            name,
            flags,
            body,
            len(data),
            0,
            FAT,
            3,
            0,
            FAT,
            0,
            0,
        )
    assert len(head) == 96, len(head)
    return record(b"URL ", head + texts)


def leak_record(file: bytes, size: int, folder: int) -> bytes:
    return record(b"LEAK", b"\xee" * 24 + struct.pack("<I8sI8sB3xI", size, b"", 0, b"", folder, 104) + b"\xee" * 40 + file + b"\0")


def record(kind: bytes, rest: bytes) -> bytes:
    blocks = -(-(8 + len(rest)) // 128)
    return (kind + struct.pack("<I", blocks) + rest).ljust(blocks * 128, b"\0")


def index(records: list[tuple[bytes, str]], folders: tuple[bytes, ...] = (), version: str = "5.2") -> bytes:
    """Return an index of records, each with its state: used, unlisted (no table leads to it) or free."""
    data, entries, used = bytearray(), [], [True] * 32
    for content, state in records:
        if state == "used":
            entries.append((0x40 + 0x40 * len(entries) | (5 if content.startswith(b"REDR") else 0), 0x5000 + len(data)))
        used += [state != "free"] * (len(content) // 128)
        data += content
    table = b"HASH" + struct.pack("<III", 32, 0, 0) + b"".join(struct.pack("<II", *one) for one in entries)
    head = b"Client UrlCache MMF Ver " + version.encode() + b"\0"
    size = 0x5000 + len(data)
    head += struct.pack("<IIIIIQQQI", size, 0x4000, len(used), sum(used), 0, 0, 0, 0, len(folders))
    head += b"".join(struct.pack("<I8s", 1, name) for name in folders)
    bitmap = sum(1 << number for number, one in enumerate(used) if one).to_bytes(0x4000 - 0x250, "little")
    return head.ljust(0x250, b"\0") + bitmap + (table + b"\x03\0\0\0" * 1024)[:4096] + bytes(data)


VISIT_VALUES = struct.pack("<HBB12x", 16, 2, 0) + struct.pack("<HBB", 4 + 16, 0x10, 0x1F) + "a page\0\0".encode("utf-16-le") + bytes(4)
DOWNLOAD = bytearray(312) + "\0".join(["https://example.org/from", "https://example.org/a.zip", "C:\\Users\\kim\\a.zip", ""]).encode(
    "utf-16-le"
)
struct.pack_into("<II", DOWNLOAD, 0, 0x85, 11)
struct.pack_into("<Q", DOWNLOAD, 36, TIME)
struct.pack_into("<QQ", DOWNLOAD, 72, 4711, 4711)
struct.pack_into("<I", DOWNLOAD, 120, 0x11)
RECORDS = [
    (url_record(b"http://example.org/a.jpg", file=b"a[1].jpg", data=HEADERS, folder=0, size=9), "used"),
    (url_record(b"http://example.org/b.jpg", file=b"b[1].jpg", data=HEADERS, folder=1, size=9), "free"),
    (url_record(b"Visited: lee@http://www.bing.com/search?q=red+car", data=VISIT_VALUES), "used"),
    (url_record(b"Visited: lee@file:///C:/My%20Pictures/c.jpg"), "unlisted"),
    (url_record(b":2024011520240122: lee@http://example.org/", times=(TIME + 36_000_000_000, TIME)), "used"),
    (url_record(b"Cookie:lee@example.org/", file=b"lee@example[1].txt", size=77), "used"),
    (url_record(b"iedownload:{7EAE5A0A-00F9-11E2-8E4F-705AB642E02F}", data=bytes(DOWNLOAD)), "used"),
    (url_record(b"ietld:example.org"), "used"),
    (record(b"REDR", struct.pack("<II", 0x56, 1) + b"http://example.org/go\0"), "used"),
    (leak_record(b"d[1].htm", 4711, 1), "unlisted"),
]
INDEX = index(RECORDS, (b"AAAA1111", b"BBBB2222"))


def samples() -> list[Item]:
    return [item_of(INDEX, PATH, {"AAAA1111/a[1].jpg": b"123456789"})]


def test_every_kind_of_record_says_what_it_is() -> None:
    said = findings(run("index_dat", samples()[0]))
    assert [(f.kind, f.data.get("state", ""), f.data.get("user"), f.data.get("url", "")) for f in said] == [
        ("cached", "", "kim", "http://example.org/a.jpg"),
        ("cached", "deleted", "kim", "http://example.org/b.jpg"),
        ("visit", "", "lee", "http://www.bing.com/search?q=red+car"),
        ("search-term", "", "lee", "http://www.bing.com/search?q=red+car"),
        ("recent-file", "not in the hash table", "lee", "file:///C:/My%20Pictures/c.jpg"),
        ("visit", "", "lee", "http://example.org/"),
        ("cookie", "", "lee", "example.org/"),
        ("download", "", "kim", "https://example.org/a.zip"),
        ("web-store", "", "kim", "example.org"),
        ("redirect", "", "kim", "http://example.org/go"),
        ("cached", "leaked", "kim", ""),
    ]
    assert {f.data["application"] for f in said} == {"Internet Explorer"}
    assert said[3].data["term"] == "red car"
    assert said[4].data["path"] == "C:\\My Pictures\\c.jpg"
    assert (said[2].data["title"], said[2].data["time"], said[2].data["hits"]) == ("a page", TIME_TEXT, 3)
    assert (said[7].data["path"], said[7].data["size"], said[7].data["time"]) == ("C:\\Users\\kim\\a.zip", 4711, TIME_TEXT)
    assert said[7].data["referrer"] == "https://example.org/from"
    assert said[1].title.endswith("(record deleted)")


def test_a_cached_file_is_named_and_whether_it_is_there() -> None:
    said = run("index_dat", samples()[0])
    got = [(f.data["file"], f.data["size"], f.data.get("there")) for f in findings(said, "cached")]
    assert got == [("AAAA1111/a[1].jpg", 9, True), ("BBBB2222/b[1].jpg", 9, False), ("BBBB2222/d[1].htm", 4711, False)]
    assert not children(said), "the files are entries already"
    first = findings(said, "cached")[0].data
    assert (first["mime"], first["status"], first["expires"], first["time"]) == ("image/jpeg", "200", TIME_TEXT, TIME_TEXT)


def test_a_cookies_file_lies_beside_the_index() -> None:
    (gone,) = findings(run("index_dat", samples()[0]), "cookie")
    (there,) = findings(run("index_dat", item_of(INDEX, PATH, {"lee@example[1].txt": b"id"})), "cookie")
    assert (gone.data["file"], gone.data["there"], there.data["there"]) == ("lee@example[1].txt", False, True)


def test_a_weekly_history_has_the_time_of_the_clock_on_the_wall_alone() -> None:
    weekly = findings(run("index_dat", samples()[0]), "visit")[1].data
    assert (weekly.get("time"), weekly["local_time"]) == (None, "2024-01-17T22:20:00")


def test_version_4_is_read_as_well() -> None:
    data = index([(url_record(b"http://example.org/a", file=b"a", folder=0, size=5, version="4.7"), "used")], (b"AAAA1111",), "4.7")
    (found,) = findings(run("index_dat", item_of(data, PATH)))
    assert (found.data["url"], found.data["file"], found.data["size"], found.data["time"], found.data["expires"], found.data["hits"]) == (
        "http://example.org/a", "AAAA1111/a", 5, TIME_TEXT, TIME_TEXT, 3,
    )  # fmt: skip


def test_an_index_that_breaks_off_gives_what_there_is_and_says_so() -> None:
    whole = findings(run("index_dat", item_of(INDEX, PATH)))
    said = run("index_dat", item_of(INDEX[: 0x5000 + 700], PATH))
    assert 0 < len(findings(said)) < len(whole)
    assert problems(said)


def test_a_table_that_runs_in_circles_ends_and_is_said() -> None:
    data = bytearray(INDEX)
    struct.pack_into("<I", data, 0x4008, 0x4000)
    said = run("index_dat", item_of(bytes(data), PATH))
    assert len(findings(said)) == 11
    assert "astray" in problems(said)[0].message


def test_records_that_say_they_are_huge_take_no_more_than_the_file() -> None:
    lying = (b"URL " + b"\xff" * 124) * 4000
    found = list(msiecf.records(INDEX[:0x5000] + lying, msiecf.read_header(INDEX), Notes()))
    assert len(found) == 4000
    assert sum(one.length for one in found) <= 2 * len(lying)


@pytest.mark.parametrize("version", [b"9.9", b"\0\0\0"])
def test_another_version_is_said(version: bytes) -> None:
    said = run("index_dat", item_of(INDEX[:24] + version + INDEX[27:], PATH))
    assert (len(findings(said)), len(problems(said))) == (0, 1)


def test_damage_never_breaks_it() -> None:
    for data in mutants(INDEX[:0x300] + INDEX[0x4000:], 100):
        never_fails("index_dat", item_of(b"Client UrlCache MMF Ver 5.2" + data[27:], PATH))
    for data in mutants(INDEX[0x5000:], 200):
        never_fails("index_dat", item_of(INDEX[:0x5000] + data, PATH))


class TestRealSamples:
    pytestmark = needs_samples

    # Number and SHA-256 of all records, one a line, as libmsiecf 20260525 gives them: offset, kind, location, file, both FILETIMEs,
    # hits, size, and whether it is "recovered".
    TRUTH = (
        ("plaso_msiecf/nfury_index.dat", 1035, "d6f6170cd9f6030c03a789ca4a88d0a9a06f5ea1094f8989af0c1ca019720db2"),
        ("plaso_msiecf/Content.IE5/index.dat", 35, "e5673da59d0522a8f674cc36e7a55f41e80b2f32811baa414117ee4f5d208932"),
        ("plaso_msiecf/History.IE5/index.dat", 17, "8da8a9a7a66faf22f62355d0f4db3f2a14c652c897d743baf7d65e9e738f5dbb"),
        ("iped/test_index.dat", 6, "9713d8691abf0232fe13687c7bf5e00a5f54fc45a1aef91f33447f1a5fb9ae06"),
    )

    @pytest.mark.parametrize(("name", "count", "digest"), TRUTH)
    def test_every_record_is_as_another_reader_gives_it(self, name: str, count: int, digest: str) -> None:
        data = (ARTIFACTS / name).read_bytes()
        notes = Notes()
        lines = []
        for one in msiecf.records(data, msiecf.read_header(data), notes):
            stamps = [0 if t is None else t // 100 + 116_444_736_000_000_000 for t in (one.primary, one.secondary)]
            values: list[object] = [one.offset, one.kind]
            if one.kind == "url":
                values += [one.location, one.file, *stamps, one.hits, one.size]
            else:
                values += [one.file, one.size] if one.kind == "leak" else [one.location]
            lines.append("|".join(map(str, [*values, int(one.state == "deleted")])))
        assert (len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()) == (count, digest)
        assert not notes.lines()

    @pytest.mark.parametrize(("name", "count", "digest"), TRUTH)
    def test_every_record_is_a_finding(self, name: str, count: int, digest: str) -> None:
        said = run("index_dat", item_of((ARTIFACTS / name).read_bytes(), f"vol1/{name}"))
        assert len([f for f in findings(said) if f.kind != "search-term"]) == count
        assert not problems(said)
