"""Firefox's cache: entries of real versions, made ones, and damage."""

from __future__ import annotations

import hashlib

import pytest
from cache_makers import PACKED, PACKED_PAGE, PAGE, PICTURE, cache2
from real_samples import ARTIFACTS, bytes_of, children, findings, item_of, mutants, needs_samples, never_fails, problems, run

PATH = "vol1/home/kim/.cache/mozilla/firefox/ab12cd34.default/cache2/entries/0123456789ABCDEF0123456789ABCDEF01234567"


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_body_is_a_child_with_its_address_time_and_owner(version: int) -> None:
    one = item_of(cache2("https://example.org/page?q=1", PACKED, PACKED_PAGE, version=version), PATH)
    said = run("firefox_cache", one)
    (child,) = children(said)
    assert bytes_of(one, child) == PAGE
    data = child.findings[0].data
    assert (data["url"], data["time"], data["user"], data["profile"], data["times_fetched"]) == (
        "https://example.org/page?q=1", "2023-11-14T22:13:20Z", "kim", "ab12cd34.default", 3,
    )  # fmt: skip
    assert problems(said) == []


def test_a_body_that_is_kept_unpacked_is_given_as_it_is() -> None:
    one = item_of(cache2("https://cdn.example/photo.png", {"Content-Type": "image/png", "Content-Encoding": "gzip"}, PICTURE), PATH)
    (child,) = children(run("firefox_cache", one))
    assert bytes_of(one, child) == PICTURE


def test_what_breaks_off_is_said() -> None:
    said = run("firefox_cache", item_of(cache2("https://example.org/", PACKED, PACKED_PAGE)[:-40], PATH))
    assert children(said) == []
    assert len(problems(said)) == 1


def test_damage_never_breaks_it() -> None:
    for data in mutants(cache2("https://example.org/page", PACKED, PACKED_PAGE), 300):
        never_fails("firefox_cache", item_of(data, PATH))


FOLDER = ARTIFACTS / "plaso_firefox_cache" / "cache2"
URLS = {
    "0EDDF8C091E2FED62E44BEDDDC1723F5BF38FE4F": ("https://www.mozilla.org/", 0),
    "0FC75AE83A9F7CAEFD982F3A793D9CDE5166ECD2": ("https://github.com/log2timeline/plaso/issues/counts", 80),
    "1F4B3A4FC81FB19C530758231FA54313BE8F6FA2": (
        "https://tiles.cdn.mozilla.net/images/8acf9436e1b315f5f04b9435a518bcd1aef131f8.5663.png", 5663,
    ),
    "9E599395B8E39ED759C56FC9CD6BBD80FBB426DC": ("http://github.com/", 0),
}  # fmt: skip


class TestRealSamples:
    pytestmark = needs_samples

    @pytest.mark.parametrize("name", URLS)
    def test_entries_of_real_caches_are_found_with_their_bytes(self, name: str) -> None:
        data = (FOLDER / name).read_bytes()
        one = item_of(data, f"vol1/x/cache2/entries/{name}")
        said = run("firefox_cache", one)
        url, size = URLS[name]
        if not size:
            assert [f.data["url"] for f in findings(said, "cached-nothing")] == [url]
            return
        (child,) = children(said)
        assert child.findings[0].data["url"] == url
        assert bytes_of(one, child, steps=1) == data[:size]
        if url.endswith(".png"):  # its name is the SHA-1 of its content
            assert hashlib.sha1(bytes_of(one, child)).hexdigest() == url.rpartition("/")[2].partition(".")[0]

    def test_a_file_that_is_no_entry_is_said_to_be_none(self) -> None:
        name = "C966EB70794E44E7E3E8A260106D0C72439AF65B"
        said = run("firefox_cache", item_of((FOLDER / name).read_bytes(), f"vol1/x/cache2/entries/{name}"))
        assert (children(said), len(problems(said))) == ([], 1)
