"""Lists of addresses: what an entry stands for, in which forms an address is asked about, and what is no address."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import HashsetError
from triage.hashsets.intake import compile_list
from triage.hashsets.matching import Matcher
from triage.hashsets.store import Hashset
from triage.hashsets.urls import address_of, forms, spellings
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def matcher(tmp_path: Path) -> Callable[[str], Matcher]:
    def make(text: str) -> Matcher:
        (tmp_path / "list").write_text(text, encoding="utf-8")
        compile_list(tmp_path / "list", tmp_path / "set", name="sites", meaning=Meaning.NOTABLE, fmt="urls")
        return Matcher([Hashset(tmp_path / "set")])

    return make


def entries(found: Matcher, *urls: str) -> list[str | None]:
    return [hits[0].detail["entry"] if hits else None for hits in found.match_urls(urls)]


def test_a_domain_stands_for_all_below_it_and_for_nothing_beside_it(matcher: Callable[[str], Matcher]) -> None:
    found = matcher("bad.example\n")
    assert entries(
        found, "https://bad.example/", "http://www.bad.example:8080/a?b#c", "ftp://x.y.bad.example/z", "https://notbad.example/", "https://example/",
        "https://good.example/bad.example",
    ) == ["bad.example", "bad.example", "bad.example", None, None, None]  # fmt: skip


def test_a_page_stands_for_itself_and_what_is_below_it(matcher: Callable[[str], Matcher]) -> None:
    found = matcher("https://www.site.example/forum/room%201/\n")
    assert entries(
        found, "http://site.example/forum/room 1", "https://site.example/forum/room%201/photo.jpg?x=1", "https://site.example/forum",
        "https://site.example/forum/room%2012",
    ) == ["site.example/forum/room 1", "site.example/forum/room 1", None, None]  # fmt: skip


def test_a_query_is_part_of_an_entry_that_has_one(matcher: Callable[[str], Matcher]) -> None:
    found = matcher("site.example/view?id=7\n")
    assert entries(found, "https://site.example/view?id=7", "https://site.example/view?id=8") == ["site.example/view?id=7", None]


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_digests_of_addresses_are_found_in_the_usual_spellings(matcher: Callable[[str], Matcher], algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"http://site.example/Page/").hexdigest()
    found = matcher(f"{digest.upper()}\n")
    assert entries(found, "http://site.example/Page", "http://site.example/other")[1] is None
    assert found.match_urls(["http://site.example/Page"])[0][0].how == f"url_{algorithm}"


def test_a_csv_has_its_categories(matcher: Callable[[str], Matcher]) -> None:
    found = matcher("id;URL;Category\n1;https://a.example/x;4711\n2;b.example;\n")
    assert [hits[0].category for hits in found.match_urls(["https://a.example/x/y", "https://b.example"])] == ["4711", ""]


def test_what_is_no_address_is_rejected_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("# a comment\nnot an address\nlocalhost\nok.example\njavascript:alert(1)\n")
    report = compile_list(tmp_path / "list", tmp_path / "set", name="x", meaning=Meaning.NOTABLE, fmt="urls")
    assert (report.records, [reject.line for reject in report.rejects]) == (1, [2, 3, 5])
    (tmp_path / "none").write_text("nothing here\n")
    with pytest.raises(HashsetError):
        compile_list(tmp_path / "none", None, name="x", meaning=Meaning.NOTABLE, fmt="urls")


def test_a_whole_top_level_domain_is_never_asked_about() -> None:
    assert "example" not in forms("https://www.bad.example/")
    assert forms("https://127.0.0.1/a") == ["127.0.0.1/a", "127.0.0.1"]


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_has_forms_or_none(text: str) -> None:
    for form in (*forms(text), *forms(f"http://{text}")):
        assert form
    spellings(text)
    address = address_of(text)
    assert address is None or address.whole in forms(text)
