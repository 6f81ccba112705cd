"""Windows' Prefetch files: plain ones by their size, compressed ones by decompressing them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import NOISE, assert_whole, mutants, packed_prefetch, prefetch, reads_little, survives, walk, xpress

from triage.carving.forms import Structure
from triage.carving.xpress import decode

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = prefetch()
PACKED = packed_prefetch()


def test_a_real_file_is_found_to_its_last_byte(evidence_root: Path) -> None:
    found = assert_whole("prefetch", (evidence_root / "artifacts" / "iped" / "test_prefetch.pf").read_bytes())
    assert found.facts == {"executable": "TEAMS.EXE", "version": 30}


@pytest.mark.parametrize("data", [PLAIN, prefetch(17), prefetch(26, 300), PACKED], ids=["7", "xp", "8", "10"])
def test_a_file_ends_where_its_header_or_its_content_says(data: bytes) -> None:
    assert assert_whole("prefetch", data).facts["executable"] == "CALC.EXE"


@given(st.binary(max_size=3000))
@settings(max_examples=50, deadline=None)
def test_what_was_compressed_comes_out_again(data: bytes) -> None:
    data += b"end"
    packed = xpress(data)
    assert decode(packed + NOISE[:100], 0, len(data)) == (data, len(packed))


def test_what_spans_blocks_comes_out_again() -> None:
    data = NOISE[:150_000]
    packed = xpress(data)
    assert decode(packed, 0, len(data)) == (data, len(packed))


def test_a_file_that_is_cut() -> None:
    found = walk("prefetch", PLAIN[:700])
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 700)
    assert walk("prefetch", PACKED[:300]) is None
    assert walk("prefetch", PACKED[:300] + NOISE) is None  # what it is decompressed to is no Prefetch file


def test_headers_that_are_none_are_refused() -> None:
    for data in (
        b"MAM\x04" + NOISE,
        b"MAM\x04\0\x10\0\0" + NOISE,
        b"MAM\x04\0\x10\0\0" + bytes(9000),
        PLAIN[:84] + NOISE,
        PLAIN[:8] + NOISE,
    ):
        assert walk("prefetch", data) is None
    reads_little("prefetch", b"MAM\x04\0\x10\0\0" + NOISE, 8192)


def test_what_is_decompressed_to_something_else_is_given_up_at_once() -> None:
    table = bytearray(256)
    table[0] = 0x11  # two symbols of one bit each: literals without end
    started = time.process_time()
    for _ in range(20):
        assert walk("prefetch", b"MAM\x04" + (4 << 20).to_bytes(4, "little") + bytes(table) + bytes(1 << 20)) is None
    assert time.process_time() - started < 2


@given(st.binary(max_size=1500), st.sampled_from([8, 84, 200, 264, 400]), st.sampled_from([PLAIN, PACKED]))
@settings(max_examples=100, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int, sample: bytes) -> None:
    survives("prefetch", sample[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    for data in (PLAIN, PACKED):
        assert len({found is None for found in (survives("prefetch", m) for m in mutants(data) if m.startswith(data[:8]))}) == 2
