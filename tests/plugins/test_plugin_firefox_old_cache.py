"""Firefox's cache before cache2: a real one whose map is lost, made ones of both layouts, and damage."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

import pytest
from cache_makers import PAGE
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.cache1 import BLOCKS, file_names, hash_of, old_hash_of

if TYPE_CHECKING:
    from triage.plugin import Item

FOLDER = "vol1/Users/kim/AppData/Local/Mozilla/Firefox/Profiles/x1y2z3ab.default/Cache"
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17) + b"\0\0\0\0IEND\xaeB`\x82"
GIF = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
LARGE = b"\xff\xd8\xff\xe0\0\4ab" + b"\xff\xda\0\4ab" + b"x" * 20_000 + b"\xff\xd9"
PACKED = gzip.compress(PAGE, mtime=0)


def entry(url: str, body: int, mime: str = "image/png", encoding: str = "", location: int = 0, minor: int = 19) -> bytes:
    """Return an entry as it stands in a block file."""
    key = f"HTTP:{url}".encode() + b"\0"
    more = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {mime}\r\n{more}".encode()
    elements = b"request-method\0GET\0response-head\0" + head + b"\0"
    numbers = (1, minor, location, 2, 1_399_040_103, 1_399_040_104, 0xFFFFFFFF, body, len(key), len(elements))
    return struct.pack(">HHIiIIIIII", *numbers) + key + elements


def cache(files: list[tuple[str, bytes, str, str]], *, minor: int = 19, unlinked: frozenset[int] = frozenset()) -> dict[str, bytes]:
    """Return the files of a cache: address, body, media type and encoding of each entry; of ``unlinked`` ones the map says nothing."""
    blocks = {n: bytearray(16384 >> 2 * (n - 1) if minor >= 19 else 4096) for n in (1, 2, 3)}
    start = {n: len(data) for n, data in blocks.items()}
    found: dict[str, bytes] = {}
    records = b""

    def put(data: bytes) -> int:
        number = next(n for n in (1, 2, 3) if len(data) <= 4 * BLOCKS[n])
        step = BLOCKS[number]
        count, block = -(-len(data) // step), (len(blocks[number]) - start[number]) // step
        blocks[number] += data.ljust(count * step, b"\0")
        return 0x80000000 | number << 28 | (count - 1) << 24 | block

    for place, (url, body, mime, encoding) in enumerate(files):
        key = f"HTTP:{url}".encode()
        digest = (hash_of if minor >= 19 else old_hash_of)(key)
        where = 0
        if len(body) > 16384:
            found[file_names(digest, 1)[0 if minor >= 19 else 1].upper().replace("D01", "d01")] = body
            where = 0x80000000 | 1
        elif body:
            where = put(body)
        at = put(entry(url, len(body), mime, encoding, minor=minor))
        if place not in unlinked:
            records += struct.pack(">4I", digest, 1, where, at)
    header = struct.pack(">HHIiIi", 1, minor, 0, len(files), 0, 512) + bytes(256)
    return {"_CACHE_MAP_": header + records + bytes(16 * 20), **{f"_CACHE_00{n}_": bytes(data) for n, data in blocks.items()}, **found}


FILES = [
    ("https://example.org/a.png", PNG, "image/png", ""),
    ("https://example.org/page", PACKED, "text/html", "gzip"),
    ("https://example.org/large.jpg", LARGE, "image/jpeg", ""),
    ("https://example.org/none", b"", "text/plain", ""),
    ("https://example.org/script.js", b"var a = 1;", "text/javascript", ""),
]


def item(files: dict[str, bytes], name: str = "_CACHE_MAP_") -> Item:
    rest = dict(files)
    return item_of(rest.pop(name), f"{FOLDER}/{name}", rest)


def samples() -> list[Item]:
    return [item(cache(FILES))]


@pytest.mark.parametrize("minor", [11, 19])
def test_bodies_are_found_by_the_map_with_address_time_and_owner(minor: int) -> None:
    one = item(cache(FILES, minor=minor))
    said = run("firefox_old_cache", one)
    found = {child.findings[0].data["url"]: child for child in children(said)}
    assert {url: bytes_of(one, child) for url, child in found.items()} == {
        "https://example.org/a.png": PNG,
        "https://example.org/page": PAGE,
        "https://example.org/large.jpg": LARGE,
        "https://example.org/script.js": b"var a = 1;",
    }
    data = found["https://example.org/page"].findings[0].data
    assert (data["time"], data["modified"], data["user"], data["application"], data["times_fetched"]) == (
        "2014-05-02T14:15:03Z", "2014-05-02T14:15:04Z", "kim", "Firefox", 2,
    )  # fmt: skip
    assert (data["in_use"], data["body_found_by"], data["status"], data["mime"]) == (True, "map", "200", "text/html")
    assert [f.data["url"] for f in findings(said, "cached-nothing")] == ["https://example.org/none"]
    assert problems(said) == []


def test_without_the_map_bodies_are_found_by_their_hash_or_length() -> None:
    files = cache(FILES)
    del files["_CACHE_MAP_"]
    one = item(files, "_CACHE_001_")
    said = run("firefox_old_cache", one)
    found = {child.findings[0].data["url"]: (bytes_of(one, child), child.findings[0].data["body_found_by"]) for child in children(said)}
    assert found == {
        "https://example.org/a.png": (PNG, "size"),
        "https://example.org/page": (PAGE, "size"),
        "https://example.org/large.jpg": (LARGE, "hash of the key"),
    }
    assert [f.data["url"] for f in findings(said, "cached-missing")] == ["https://example.org/script.js"]
    assert "the map of a cache of Firefox is not here" in problems(said)[0].message
    assert run("firefox_old_cache", item(files, "_CACHE_002_")) == [], "the first block file says it all"


def test_with_a_map_the_block_files_leave_it_to_that() -> None:
    files = cache(FILES)
    assert run("firefox_old_cache", item(files, "_CACHE_001_")) == []
    broken = {**files, "_CACHE_MAP_": b"\0\2" + files["_CACHE_MAP_"][2:]}
    assert len(children(run("firefox_old_cache", item(broken, "_CACHE_001_")))) == 3
    assert "read without it" in problems(run("firefox_old_cache", item(broken)))[0].message


def test_evicted_entries_are_deleted_ones() -> None:
    said = run("firefox_old_cache", item(cache(FILES, unlinked=frozenset({0}))))
    assert {c.findings[0].data["url"]: c.deleted for c in children(said)}["https://example.org/a.png"]
    assert [c.deleted for c in children(said)].count(True) == 1


def test_pictures_that_no_entry_leads_to_are_found_and_two_of_one_length_are_not_mixed_up() -> None:
    other = PNG[:18] + b"other" + PNG[23:]
    files = cache([("https://example.org/a.png", PNG, "image/png", ""), ("https://example.org/b.png", other, "image/png", "")])
    del files["_CACHE_MAP_"]
    files["_CACHE_002_"] += GIF.ljust(1024, b"\0")
    one = item(files, "_CACHE_001_")
    said = children(run("firefox_old_cache", one))
    assert [bytes_of(one, c) for c in said] == [PNG, other, GIF]
    assert [c.findings[0].data.get("possible_urls") for c in said] == [["https://example.org/a.png", "https://example.org/b.png"]] * 2 + [
        None
    ]
    assert all("url" not in c.findings[0].data and c.deleted for c in said)


def test_two_entries_with_the_same_bytes_have_one_each() -> None:
    files = cache([(f"https://example.org/{n}.png", PNG, "image/png", "") for n in range(2)])
    del files["_CACHE_MAP_"]
    one = item(files, "_CACHE_001_")
    found = children(run("firefox_old_cache", one))
    assert sorted((c.findings[0].data["url"], bytes_of(one, c)) for c in found) == [(f"https://example.org/{n}.png", PNG) for n in range(2)]


def test_an_entry_in_a_file_of_its_own_is_read() -> None:
    files = cache(FILES[:1])
    url = "https://example.org/alone.jpg"
    digest = hash_of(f"HTTP:{url}".encode())
    files[file_names(digest, 2, kind="m")[0]] = entry(url, len(LARGE), "image/jpeg")
    files[file_names(digest, 2)[0]] = LARGE
    files["_CACHE_MAP_"] = files["_CACHE_MAP_"][:-320] + struct.pack(">4I", digest, 1, 0x80000002, 0x80000002)
    one = item(files)
    found = {c.findings[0].data["url"]: c for c in children(run("firefox_old_cache", one))}
    assert bytes_of(one, found[url]) == LARGE
    assert found[url].findings[0].data["in_use"]


def test_the_hash_of_keys_is_mozillas() -> None:
    # Of nothing, lookup2's well-known value.
    assert (hash_of(b""), old_hash_of(b""), old_hash_of(b"a")) == (0xBD49D10D, 0xFFFFFFFF, 0x61)


def test_other_files_of_that_name_are_quiet() -> None:
    assert children(run("firefox_old_cache", item_of(b"\0" * 9000, f"{FOLDER}/_CACHE_002_"))) == []


def test_damage_never_breaks_it() -> None:
    files = cache(FILES[:3])
    for name in ("_CACHE_MAP_", "_CACHE_001_"):
        for data in mutants(files[name], 150):
            never_fails("firefox_old_cache", item({**files, name: data}, name))
    del files["_CACHE_MAP_"]
    for data in mutants(files["_CACHE_001_"], 150):
        never_fails("firefox_old_cache", item({**files, "_CACHE_001_": data}, "_CACHE_001_"))


class TestRealSamples:
    """The oracle is plaso's tests: 73, 6 and 6 events, which are a time each of last fetched, modified and expiry that is not 0."""

    pytestmark = needs_samples

    def _files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (ARTIFACTS / "plaso_firefox_cache" / "firefox3").iterdir()}

    @pytest.mark.parametrize(("name", "entries", "events"), [("_CACHE_001_", 25, 73), ("_CACHE_002_", 3, 6), ("_CACHE_003_", 2, 6)])
    def test_all_entries_are_found(self, name: str, entries: int, events: int) -> None:
        said = run("firefox_old_cache", item_of(self._files()[name], f"{FOLDER}/{name}"))
        data = [f.data for f in findings(said)] + [c.findings[0].data for c in children(said)]
        data = [d for d in data if "url" in d]
        assert len(data) == entries
        assert sum(len({"time", "modified", "expires"} & d.keys()) for d in data) == events

    def test_what_plaso_says_of_the_first_entry(self) -> None:
        first = findings(run("firefox_old_cache", item(self._files(), "_CACHE_001_")))[0].data
        assert (first["url"], first["time"], first["times_fetched"], first["status"], first["method"]) == (
            "http://start.mozilla.org/en-US/", "2014-05-02T14:15:03Z", 1, "200", "GET",
        )  # fmt: skip

    def test_bodies_are_given_to_their_entries_though_the_map_is_lost(self) -> None:
        one = item(self._files(), "_CACHE_001_")
        found = {
            c.findings[0].data["url"]: bytes_of(one, c) for c in children(run("firefox_old_cache", one)) if "url" in c.findings[0].data
        }
        assert len(found) == 12
        pictures = {url.rpartition("/")[2]: data[:4] for url, data in found.items() if "/img/" in url}
        assert pictures == dict.fromkeys(
            ["Fx4Launch.png", "alert.png", "firefox-logo.png", "down-arrow.png", "sprite2.png", "gradsprite2.png", "favicon.png"],
            b"\x89PNG",
        )
        assert found["http://feeds.bbci.co.uk/news/rss.xml?edition=int"].startswith(b"<?xml")
        assert found["https://ssl.google-analytics.com/ga.js"].startswith(b"(function(){")
        assert found["http://www.google-analytics.com/ga.js"] == found["https://ssl.google-analytics.com/ga.js"]

    def test_pictures_of_entries_that_are_gone_are_found(self) -> None:
        one = item(self._files(), "_CACHE_001_")
        left = [c for c in children(run("firefox_old_cache", one)) if "url" not in c.findings[0].data]
        assert [c.name.rpartition(".")[2] for c in left].count("png") == 2
        assert sum(c.name.endswith((".gif", ".jpg")) for c in left) == 4

    def test_what_is_no_cache_says_nothing_of_entries(self) -> None:
        data = (ARTIFACTS / "plaso_firefox_cache" / "invalid_file").read_bytes()
        assert findings(run("firefox_old_cache", item_of(data, f"{FOLDER}/_CACHE_001_"))) == []
