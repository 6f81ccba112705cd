"""The ledger of a medium: every byte stands in one row, and what was never read is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from engine_support import coverage, files, profile_with, run_case
from hypothesis import given
from hypothesis import strategies as st

from triage.case.ledger import _first, _within

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHARES = ("outside_volumes", "not_listed", "owned", "deleted_only", "unowned")


def ledger(case: Path) -> dict[str, Any]:
    (row,) = coverage(case)["ledger"]
    return row


@pytest.mark.parametrize("name", ["ntfs.E01", "fat32.E01", "exfat.raw", "ext4.raw", "gpt.E01", "damaged-mbr.raw"])
def test_every_byte_of_a_medium_stands_in_one_row(name: str, image: Callable[[str], Path], tmp_path: Path) -> None:
    run_case(image(name), tmp_path / "case")
    row = ledger(tmp_path / "case")
    assert sum(row[share] for share in SHARES) == row["size"] == coverage(tmp_path / "case")["bytes"]["medium"]
    assert row["read"] + row["never_read"] == row["size"]
    assert min(row[share] for share in SHARES) >= 0


def test_locked_volumes_and_gaps_have_rows_of_their_own(image: Callable[[str], Path], tmp_path: Path) -> None:
    run_case(image("gpt.E01"), tmp_path / "case")
    row = ledger(tmp_path / "case")
    stated = coverage(tmp_path / "case")
    assert len(stated["locked_volumes"]) == 2
    assert row["not_listed"] > 0
    assert row["outside_volumes"] == stated["bytes"]["gaps"]


def test_what_is_owned_and_read_is_what_the_files_hold(image: Callable[[str], Path], tmp_path: Path) -> None:
    case = tmp_path / "case"
    run_case(image("fat12.raw"), case)
    rows = files(case).values()
    row = ledger(case)
    stored = sum(length for r in rows if r["state"] == "allocated" for _, length in r["runs"])
    assert row["owned"] == stored
    read = sum(min(r["size"], sum(length for _, length in r["runs"])) for r in rows if r["outcome"] == "done" and r["runs"])
    assert row["read"] == read


def test_what_a_time_budget_left_out_was_never_read(image: Callable[[str], Path], tmp_path: Path) -> None:
    case = tmp_path / "case"
    run_case(image("fat12.raw"), case, time_budget=0.0)
    row = ledger(case)
    assert row["read"] == 0
    assert row["never_read"] == row["size"]
    assert any("were not read as content" in sentence for sentence in coverage(case)["not_done"])
    run_case(image("fat12.raw"), case, profile=profile_with())
    assert ledger(case)["read"] > 0


@given(st.lists(st.tuples(st.none() | st.integers(0, 100), st.integers(1, 50)), max_size=5), st.integers(0, 300))
def test_runs_that_lead_out_of_the_volume_are_cut_and_slack_is_not_read(runs: list[tuple[int | None, int]], length: int) -> None:
    pieces = _within([list(r) for r in runs], (10, 60))
    assert all(start >= 10 and start + size <= 60 and size > 0 for start, size in pieces)
    assert sum(size for _, size in _first(pieces, length)) == min(length, sum(size for _, size in pieces))
