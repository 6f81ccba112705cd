"""Who owns which bytes, against a set of single bytes; and what that leaves of deleted files."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.filesystem.ownership import Ownership, total
from triage.model import Recoverability, Run

RANGES = st.lists(st.tuples(st.integers(0, 120), st.integers(-3, 40)), max_size=25)


def owned(ranges: list[tuple[int, int]]) -> tuple[Ownership, set[int]]:
    ownership, naive = Ownership(), set()
    for start, length in ranges:
        ownership.add(start, length)
        naive |= set(range(start, start + length))
    return ownership, naive


@settings(max_examples=200, deadline=None)
@given(ranges=RANGES, start=st.integers(0, 170), length=st.integers(0, 170))
def test_overlap_counts_the_owned_bytes(ranges: list[tuple[int, int]], start: int, length: int) -> None:
    ownership, naive = owned(ranges)
    assert ownership.overlap(start, length) == len(naive & set(range(start, start + length)))


@settings(max_examples=150, deadline=None)
@given(ranges=RANGES)
def test_ranges_are_sorted_and_apart_and_hold_every_owned_byte(ranges: list[tuple[int, int]]) -> None:
    ownership, naive = owned(ranges)
    merged = ownership.ranges()
    assert {byte for start, end in merged for byte in range(start, end)} == naive
    assert total(merged) == len(naive)
    assert all(end < following for (_, end), (following, _) in pairwise(merged))


@settings(max_examples=80, deadline=None)
@given(first=RANGES, second=RANGES)
def test_asking_in_between_changes_nothing(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    asked, _ = owned(first)
    asked.overlap(0, 50)
    for start, length in second:
        asked.add(start, length)
    assert asked.ranges() == owned(first + second)[0].ranges()


@settings(max_examples=150, deadline=None)
@given(ranges=RANGES, runs=st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 150)), st.integers(0, 30)), max_size=5))
def test_recoverability_is_what_the_bytes_say(ranges: list[tuple[int, int]], runs: list[tuple[int | None, int]]) -> None:
    ownership, naive = owned(ranges)
    claimed = [byte for start, length in runs if start is not None for byte in range(start, start + length)]
    lost = [byte for byte in claimed if byte in naive]
    if not claimed:
        expected = Recoverability.UNKNOWN
    elif not lost:
        expected = Recoverability.INTACT
    else:
        expected = Recoverability.OVERWRITTEN if len(lost) == len(claimed) else Recoverability.PARTLY_OVERWRITTEN
    assert ownership.recoverability([Run(image_offset=start, length=length) for start, length in runs]) is expected


@pytest.mark.parametrize(("runs", "expected"), [
    ((), "unknown"), (((None, 4096),), "unknown"), (((0, 0),), "unknown"), (((5000, 100),), "intact"), (((4095, 1),), "overwritten"),
    (((4095, 2),), "partly overwritten"), (((4096, 1),), "intact"), (((0, 4096), (None, 10)), "overwritten"),
    (((0, 1024), (9000, 1)), "partly overwritten"),
])
def test_recoverability_at_the_borders(runs: tuple[tuple[int | None, int], ...], expected: str) -> None:
    ownership = Ownership()
    ownership.add(0, 4096)
    assert ownership.recoverability([Run(image_offset=start, length=length) for start, length in runs]).value == expected


def test_nobody_owns_anything_at_first() -> None:
    assert Ownership().overlap(0, 1 << 40) == 0
    assert Ownership().ranges() == []
