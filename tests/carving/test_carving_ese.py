"""ESE databases: pages with checksums, as many as the database owns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import NOISE, assert_whole, ese, mutants, reads_little, survives, walk

from triage.carving.forms import Structure

PAGE = 4096
DATABASE = ese()


@pytest.mark.parametrize("page", [2048, 4096, 8192])
def test_a_database_ends_with_the_last_page_that_it_owns(page: int) -> None:
    found = assert_whole("ese", ese(30, page=page, used=30))
    assert found.facts["pages"] == 30
    assert_whole("ese", ese(254, page=page))


def test_a_database_that_grew_has_empty_pages_ahead() -> None:
    data = ese(512, page=2048)
    found = walk("ese", data + bytes(256 * 2048) + NOISE)
    assert found is not None
    assert found.length == len(data) + 256 * 2048
    found = walk("ese", data + NOISE)
    assert found is not None
    assert found.length == len(data)


def test_a_database_that_is_cut_has_the_pages_that_are_there() -> None:
    data = ese(40, used=40)
    found = walk("ese", data[: 12 * PAGE] + NOISE)
    assert found is not None
    assert (found.structure, found.length, found.facts["pages_found"]) == (Structure.TRUNCATED, 12 * PAGE, 10)
    found = walk("ese", data[: 12 * PAGE + 100])
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 12 * PAGE)


def test_a_page_that_was_overwritten_is_noticed() -> None:
    data = ese(40, used=40)
    found = walk("ese", data[: 20 * PAGE] + NOISE[:PAGE] + data[21 * PAGE :] + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data))
    assert found.why.startswith("1 of 40 pages")


def test_headers_that_are_none_are_refused() -> None:
    assert walk("ese", DATABASE[: 2 * PAGE] + NOISE) is None
    assert walk("ese", DATABASE[: 2 * PAGE]) is None
    assert walk("ese", DATABASE[:100] + b"\1" + DATABASE[101:]) is None  # its checksum is wrong
    reads_little("ese", DATABASE[:12] + NOISE, 2 * PAGE)


@given(st.binary(max_size=3000), st.sampled_from([12, 668, PAGE, 2 * PAGE, 4 * PAGE]))
@settings(max_examples=100, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("ese", DATABASE[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    answers = {found and found.structure for found in (survives("ese", m) for m in mutants(DATABASE) if m[4:12] == DATABASE[4:12])}
    assert len(answers) >= 2
