"""Chrome's simple cache, a file an entry: made as the format says; there is no real sample at hand."""

from __future__ import annotations

import pytest
from cache_makers import PACKED, PACKED_PAGE, PAGE, PICTURE, simple
from real_samples import bytes_of, children, findings, item_of, mutants, never_fails, problems, run

PATH = "vol1/data/data/com.android.chrome/cache/Cache/0123456789abcdef_0"


@pytest.mark.parametrize("with_sha", [False, True])
def test_a_body_is_a_child_with_its_address(with_sha: bool) -> None:
    one = item_of(simple("https://example.org/page", PACKED, PACKED_PAGE, with_sha=with_sha), PATH)
    said = run("chromium_simple_cache", one)
    (child,) = children(said)
    assert bytes_of(one, child) == PAGE
    data = child.findings[0].data
    assert (data["url"], data["application"], data["mime"], data["time"]) == (
        "https://example.org/page", "Chrome", "text/html", "2024-01-17T21:20:01Z",
    )  # fmt: skip
    assert problems(said) == []


def test_a_picture_keeps_its_name() -> None:
    one = item_of(simple("1/0/_dk_x https://cdn.example/a/photo.png", {"Content-Type": "image/png"}, PICTURE), PATH)
    (child,) = children(run("chromium_simple_cache", one))
    assert (child.name, bytes_of(one, child)) == ("photo.png", PICTURE)


def test_an_entry_that_breaks_off_gives_what_there_is_and_says_so() -> None:
    data = simple("https://cdn.example/photo.png", {"Content-Type": "image/png"}, PICTURE)
    one = item_of(data[:9000], PATH)
    said = run("chromium_simple_cache", one)
    (child,) = children(said)
    assert PICTURE.startswith(bytes_of(one, child))
    assert child.size > 8000
    assert ["breaks off" in p.message for p in problems(said)] == [True]


def test_an_answer_without_a_body_is_named() -> None:
    (found,) = findings(run("chromium_simple_cache", item_of(simple("https://example.org/r", {"Location": "/"}, b""), PATH)))
    assert (found.kind, found.data["url"]) == ("cached-nothing", "https://example.org/r")


def test_damage_never_breaks_it() -> None:
    for data in mutants(simple("https://example.org/page", PACKED, PACKED_PAGE), 300):
        never_fails("chromium_simple_cache", item_of(data, PATH))


def test_what_is_none_says_nothing() -> None:
    assert run("chromium_simple_cache", item_of(b"other bytes" * 20, PATH)) == []
