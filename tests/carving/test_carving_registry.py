"""Registry hives: bins that follow each other, and the room behind them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import JPEG, NOISE, assert_joined, assert_whole, hive, mutants, reads_little, rejoined, survives, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

HIVE = hive(saved=True)


def test_real_hives_are_found_to_their_last_byte(evidence_root: Path) -> None:
    for name in ("test_ntuser.dat", "test_sam", "test_security"):
        assert_whole("registry", (evidence_root / "artifacts" / "iped" / name).read_bytes())


@pytest.mark.parametrize(
    ("minor", "bins", "size"), [(3, 5, 256 << 10), (3, 70, 512 << 10), (5, 5, 32768), (5, 20, 128 << 10), (5, 80, 512 << 10)]
)
def test_a_hive_has_the_room_behind_its_bins(minor: int, bins: int, size: int) -> None:
    assert_whole("registry", hive(bins, minor=minor, size=size))


def test_a_hive_that_was_saved_ends_with_its_bins() -> None:
    assert assert_whole("registry", HIVE).facts["name"] == "\\SystemRoot\\x"


def test_room_that_is_something_else_is_not_the_hives() -> None:
    data = hive(5)
    found = walk("registry", data + bytes(4096) + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.COMPLETE, len(data))


def test_a_hive_that_is_cut_has_the_bins_that_are_there() -> None:
    found = walk("registry", HIVE[: 4096 * 3] + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 4096 * 3)
    assert "20480" not in found.why
    assert found.facts["bins_bytes"] == 8192


def test_bins_that_were_overwritten_are_noticed() -> None:
    found = walk("registry", HIVE[:8192] + NOISE[:4096] + HIVE[12288:] + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(HIVE))
    # One whose cells do not fill it is not proven.
    found = walk("registry", HIVE[:8700] + NOISE[:3000] + HIVE[11700:] + NOISE)
    assert found is not None
    assert (found.length, found.checked) == (len(HIVE), False)


@pytest.mark.parametrize("between", [NOISE[: 16 << 10], bytes(40_960), JPEG[:4096], hive(2)])
@pytest.mark.parametrize("cut", [8192, 12_288, 4096 * 20])
def test_a_hive_in_two_pieces_is_put_together(cut: int, between: bytes) -> None:
    assert_joined("registry", hive(30, saved=True), cut, between)


def test_pieces_of_hives_that_do_not_fit_are_not_joined() -> None:
    data = hive(30, saved=True)
    for rest in (NOISE, data[45_056:], data[36_864 : 36_864 + 8192]):
        assert rejoined("registry", data[:36_864] + JPEG[:8192] + rest) is None


def test_headers_that_are_none_are_refused() -> None:
    assert walk("registry", HIVE[:4096] + NOISE) is None
    assert walk("registry", HIVE[:40] + struct.pack("<I", 1 << 31) + HIVE[44:]) is None  # its checksum is wrong
    reads_little("registry", b"regf" + NOISE, 4096)
    reads_little("registry", HIVE[:4096] + bytes(8 << 20), 16 << 10)


@given(st.binary(max_size=3000), st.sampled_from([4, 512, 4096, 4108, 8192]))
@settings(max_examples=80, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("registry", HIVE[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    answers = {found and (found.structure, found.checked) for found in (survives("registry", m) for m in mutants(HIVE)) if found}
    assert len(answers) >= 2
