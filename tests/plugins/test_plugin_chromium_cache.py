"""Chrome's cache of block files: every body of a real one, and what a lost index, lost files and damage leave."""

from __future__ import annotations

import csv
import hashlib

from cache_makers import CHROME_TIME, PACKED, PACKED_PAGE, PAGE, PICTURE, blockfile
from real_samples import ARTIFACTS, TRUTH, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

from triage.artifacts.times import webkit

PATH = "vol1/Users/kim/AppData/Local/Google/Chrome/User Data/Default/Cache/Cache_Data/data_1"
ENTRIES = [
    ("https://example.org/page", PACKED, PACKED_PAGE),
    ("1/0/_dk_https://site.example https://site.example https://cdn.example/big/photo.png?x=1", {"Content-Type": "image/png"}, PICTURE),
    ("https://example.org/" + "long/" * 60 + "name.jpg", {"Content-Type": "image/jpeg"}, b"\xff\xd8\xff\xe0" + b"j" * 500),
    ("https://example.org/redirect", {"Location": "/page"}, b""),
]


def item(files: dict[str, bytes], path: str = PATH):
    return item_of(files["data_1"], path, {name: data for name, data in files.items() if name != "data_1"})


def test_bodies_are_children_with_address_time_program_and_owner() -> None:
    files = blockfile(ENTRIES)
    one = item(files)
    said = run("chromium_cache", one)
    page, photo, jpeg = children(said)
    assert [bytes_of(one, child) for child in (page, photo, jpeg)] == [PAGE, PICTURE, ENTRIES[2][2]]
    assert photo.name.endswith("-photo.png")
    assert photo.crtime == webkit(CHROME_TIME)
    data = page.findings[0].data
    assert (data["url"], data["mime"], data["user"], data["application"], data["encoding"]) == (
        "https://example.org/page", "text/html", "kim", "Chrome", "gzip",
    )  # fmt: skip
    assert photo.findings[0].data["url"] == "https://cdn.example/big/photo.png?x=1"
    assert jpeg.findings[0].data["url"] == ENTRIES[2][0]
    (asked,) = findings(said, "cached-nothing")
    assert asked.data["url"] == "https://example.org/redirect"
    assert problems(said) == []


def test_without_its_index_a_cache_is_read_entry_by_entry() -> None:
    files = blockfile(ENTRIES)
    del files["index"]
    said = run("chromium_cache", item(files))
    assert len(children(said)) == 3
    assert ["index is not here" in p.message for p in problems(said)] == [True]


def test_what_the_index_no_longer_leads_to_is_found_and_called_so() -> None:
    said = run("chromium_cache", item(blockfile(ENTRIES, unlinked=frozenset({1}))))
    assert [(child.name.rpartition("-")[2], child.deleted, child.findings[0].data["in_use"]) for child in children(said)] == [
        ("page.html", False, True), ("photo.png", True, False), ("name.jpg", False, True),
    ]  # fmt: skip


def test_a_body_whose_file_is_gone_is_named() -> None:
    files = {name: data for name, data in blockfile(ENTRIES).items() if not name.startswith("f_")}
    (gone,) = findings(run("chromium_cache", item(files)), "cached-missing")
    assert (gone.data["url"], gone.data["file"]) == ("https://cdn.example/big/photo.png?x=1", "f_000001")


def test_what_is_no_cache_says_nothing() -> None:
    assert run("chromium_cache", item_of(b"just some bytes" * 3000, PATH)) == []


def test_damage_never_breaks_it() -> None:
    files = blockfile(ENTRIES)
    for name in ("data_1", "data_2", "index"):
        for data in mutants(files[name], 60):
            never_fails("chromium_cache", item(files | {name: data}))


class TestRealSample:
    pytestmark = needs_samples

    def test_every_entry_of_a_real_cache_is_found_with_its_bytes(self) -> None:
        folder = ARTIFACTS / "chrome_cache"
        one = item({path.name: path.read_bytes() for path in folder.iterdir()})
        said = run("chromium_cache", one)
        got = {(child.findings[0].data["url"], hashlib.md5(bytes_of(one, child, steps=1)).hexdigest()) for child in children(said)}
        gone = {f.data["url"] for f in findings(said, "cached-missing")}
        nothing = {f.data["url"] for f in findings(said, "cached-nothing")}
        truth = list(csv.DictReader((TRUTH / "plaso_chrome_cache.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"))
        assert len(truth) == 217
        wanted = {(row["url"], row["md5"]) for row in truth if row["md5"]}
        assert got == wanted
        assert gone == {row["url"] for row in truth if "ABSENT" in row["where"]}
        assert nothing == {row["url"] for row in truth if row["where"] == "none"}
