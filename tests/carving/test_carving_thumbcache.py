"""Windows' thumbnail caches: entries to the end of a megabyte, and the pictures in them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import JPEG, NOISE, assert_whole, mutants, reads_little, survives, thumbcache, walk

from triage.carving.forms import Structure

CACHE = thumbcache()


@pytest.mark.parametrize("version", [20, 21, 30, 31, 32])
@pytest.mark.parametrize("closed", [True, False])
def test_a_cache_ends_with_its_megabyte(version: int, closed: bool) -> None:
    data = thumbcache(version, 5, closed=closed)
    found = assert_whole("thumbcache", data)
    assert found.facts["pictures"] == 5
    assert [p.extension for p in found.parts] == ["png", "jpg", "png", "jpg", "png"]
    for one in found.parts:
        assert data[one.offset :].startswith((b"\x89PNG", b"\xff\xd8\xff"))
    assert found.parts[1].length == 901
    assert found.parts[1].name == "0000000000000001"


def test_a_larger_cache_is_found_whole() -> None:
    assert_whole("thumbcache", thumbcache(pictures=1400, size=2 << 20))


def test_a_cache_that_is_cut_has_the_pictures_that_are_there() -> None:
    whole = walk("thumbcache", CACHE)
    assert whole is not None
    third = whole.parts[2]
    for behind in (NOISE, JPEG):
        found = walk("thumbcache", CACHE[: third.offset + third.length] + behind)
        assert found is not None
        assert (found.structure, found.length) == (Structure.TRUNCATED, third.offset + third.length)
        assert found.parts == whole.parts[:3]


def test_a_cache_without_an_entry_is_none() -> None:
    head = CACHE[:24]
    for behind in (b"", NOISE, bytes(1 << 20), b"CMMM" * 10_000):
        assert walk("thumbcache", head + behind) is None
    reads_little("thumbcache", head + NOISE, 1000)
    assert walk("thumbcache", CACHE[:12] + b"\7" + CACHE[13:]) is None


def test_entries_that_lie_about_their_sizes_end_it() -> None:
    first = 24
    for at, value in ((4, 0), (4, 1 << 31), (16, 1 << 30), (24, 1 << 30)):
        data = CACHE[: first + at] + struct.pack("<I", value) + CACHE[first + at + 4 :]
        found = walk("thumbcache", data)
        assert found is None or found.facts["pictures"] == 0


@given(st.binary(max_size=3000), st.sampled_from([8, 24, 80, 900, 1800]))
@settings(max_examples=100, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("thumbcache", CACHE[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    data = thumbcache(pictures=8)[: 12 << 10]
    answers = {found and found.structure for found in (survives("thumbcache", m) for m in mutants(data) if m.startswith(data[:8]))}
    assert len(answers) >= 2
