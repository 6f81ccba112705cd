"""Stretches of the medium as one string, and reading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from carving_media import Memory
from hypothesis import given
from hypothesis import strategies as st

from triage.carving.space import Space, SpaceReader

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = bytes(range(256)) * 16


def test_offsets_go_on_from_one_stretch_to_the_next() -> None:
    space = Space([(100, 10), (200, 5), (300, 20)])
    assert space.size == 35
    assert [space.place(o) for o in (0, 9, 10, 14, 15, 34)] == [100, 109, 200, 204, 300, 319]
    assert space.pieces(5, 12) == [(105, 5), (200, 5), (300, 2)]
    assert space.joints(0, 35) == [10, 15]
    assert space.joints(10, 15) == []
    assert [space.stretch_end(o) for o in (0, 12, 34)] == [10, 15, 35]


def test_stretches_that_touch_are_one_and_empty_ones_none() -> None:
    space = Space([(0, 10), (10, 0), (10, 5), (40, 0), (50, 1)])
    assert space.joints(0, space.size) == [15]
    assert [r.to_json() for r in space.runs([(0, 16)])] == [[0, 15], [50, 1]]


def test_runs_of_pieces_that_meet_on_the_medium_are_one() -> None:
    space = Space([(0, 100)])
    assert [r.to_json() for r in space.runs([(0, 10), (10, 5), (50, 5)])] == [[0, 15], [50, 5]]


stretches = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 90)), max_size=12)


@given(stretches, st.integers(0, 1200), st.integers(0, 700_000), st.booleans())
def test_what_is_read_is_what_lies_at_the_places(given: list[tuple[int, int]], offset: int, length: int, load: bool) -> None:
    space = Space(given)
    whole = b"".join((DATA[a : a + n] + bytes(n))[:n] for a, n in given)
    reader = SpaceReader(Memory(DATA), space)
    if load:
        reader.load(offset // 2, 300)
    assert space.size == len(whole)
    assert reader.read(offset, length) == whole[offset : offset + length]
    assert b"".join((DATA[a : a + n] + bytes(n))[:n] for a, n in space.pieces(offset, length)) == whole[offset : offset + length]


def test_what_cannot_be_read_is_zeros_that_are_counted() -> None:
    reader = SpaceReader(Memory(DATA, damaged=[(512, 512)]), Space([(0, 2048)]))
    assert reader.load(0, 2048) == DATA[:512] + bytes(512) + DATA[1024:2048]
    assert reader.unreadable == 512


def test_small_reads_far_apart_cost_little_memory(walk: Callable[..., object]) -> None:
    medium = Memory(bytes(64 << 20))
    reader = SpaceReader(medium, Space([(0, medium.size)]))
    for offset in range(0, medium.size, 1 << 20):
        reader.read(offset, 16)
    assert sum(len(v) for v in vars(reader)["_kept"].values()) <= 4 << 20
