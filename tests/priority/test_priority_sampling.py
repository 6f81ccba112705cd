"""How many places are drawn, and what may be said of them: against chances that were worked out otherwise."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.priority.sampling import confidence_of, drawn_cells, draws_for, log_miss


def chance_to_miss(cells: int, known: int, drawn: int) -> Fraction:
    """Draw one after the other, in exact numbers."""
    left = Fraction(1)
    for number in range(drawn):
        left *= Fraction(max(0, cells - known - number), cells - number)
    return left


@given(st.integers(2, 300), st.data())
def test_the_chance_is_that_of_drawing_without_putting_back(cells: int, data: st.DataObject) -> None:
    known = data.draw(st.integers(1, cells - 1))
    drawn = data.draw(st.integers(1, cells))
    exact = float(chance_to_miss(cells, known, drawn))
    assert math.exp(log_miss(cells, known, drawn)) == pytest.approx(exact, abs=1e-9)
    assert confidence_of(cells, known, drawn) == pytest.approx(1 - exact, abs=1e-9)


@settings(max_examples=60)
@given(st.integers(10, 400), st.data(), st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_as_few_are_drawn_as_will_do(cells: int, data: st.DataObject, confidence: float) -> None:
    known = data.draw(st.integers(1, cells // 2))
    count = draws_for(cells, known, confidence)
    assert chance_to_miss(cells, known, count) <= 1 - confidence + 1e-9
    if count > 1:
        assert chance_to_miss(cells, known, count - 1) > 1 - confidence - 1e-9


def test_a_terabyte_takes_what_the_literature_says() -> None:
    """Young et al.: 20 MB of 1 TB, 99 %: about 230,000 sectors of 4 KiB (2 in 100,000 hold the target)."""
    cells, known = 10**12 // 4096, 20 * 10**6 // 4096
    assert draws_for(cells, known, 0.99) == pytest.approx(math.log(0.01) / math.log(1 - known / cells), rel=0.001)


@given(st.integers(1, 5000), st.data(), st.text(max_size=8))
def test_drawn_places_are_different_in_order_and_the_same_again(cells: int, data: st.DataObject, seed: str) -> None:
    count = data.draw(st.integers(0, cells))
    drawn = drawn_cells(cells, count, seed)
    assert drawn == sorted(set(drawn)) == drawn_cells(cells, count, seed)
    assert len(drawn) == count
    assert all(0 <= cell < cells for cell in drawn)


def test_every_place_is_drawn_as_often_as_any_other() -> None:
    times = [0] * 40
    for seed in range(4000):
        for cell in drawn_cells(40, 10, str(seed)):
            times[cell] += 1
    # 1,000 each are expected; five standard deviations of a binomial distribution are 137.
    assert all(863 < count < 1137 for count in times)


def test_what_is_drawn_for_a_confidence_meets_its_target_as_often() -> None:
    cells, known = 2000, 25
    count = draws_for(cells, known, 0.9)
    met = sum(1 for seed in range(1000) if any(cell < known for cell in drawn_cells(cells, count, f"s{seed}")))
    assert 870 <= met <= 935
