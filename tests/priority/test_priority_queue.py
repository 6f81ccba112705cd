from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.priority.queue import Ranked, Scored, rank


def row(name, score=0, **fields):
    return Scored(**{"id": name, "path": f"vol1/{name}", "score": score, **fields})


def shown(*rows):
    return [(ranked.id, ranked.copies) for ranked in rank(rows)]


def test_more_points_come_first():
    assert rank([row("a", 1), row("b", 9)]) == [
        Ranked(rank=1, id="b", score=9, copies=1),
        Ranked(rank=2, id="a", score=1, copies=1),
    ]


def test_among_equals_notable_comes_first_and_ignorable_last_then_by_path():
    rows = [
        row("i", known="ignorable"),
        row("k", known="known"),
        row("z"),
        row("a"),
        row("n", known="notable"),
    ]
    assert [name for name, _ in shown(*rows)] == ["n", "a", "z", "k", "i"]


def test_the_same_content_is_one_row_with_its_copies_counted():
    rows = [
        row("b", 5, sha256="s"),
        row("a", 5, sha256="s"),
        row("c", 5, sha256="t"),
        row("d", 1, sha256="s"),
    ]
    assert shown(*rows) == [("a", 3), ("c", 1)]


def test_the_copy_shown_has_the_most_points_then_is_allocated_then_first_by_path():
    assert shown(row("a", 5, sha256="s", state="deleted"), row("b", 5, sha256="s")) == [("b", 2)]
    assert shown(row("a", 5, sha256="s"), row("b", 6, sha256="s", state="deleted")) == [("b", 2)]


def test_content_that_was_not_read_is_never_folded():
    assert shown(row("a"), row("b")) == [("a", 1), ("b", 1)]


def test_two_entries_of_one_path_are_told_apart_by_id():
    assert [r.id for r in rank([row("y", path="p"), row("x", path="p")])] == ["x", "y"]


ROWS = st.lists(
    st.builds(
        Scored,
        id=st.uuids().map(str),
        path=st.sampled_from(["a", "b", "c"]),
        score=st.integers(-3, 3),
        sha256=st.sampled_from([None, "s", "t", "u"]),
        state=st.sampled_from(["allocated", "deleted", "orphan"]),
        known=st.sampled_from([None, "notable", "known", "ignorable"]),
    ),
    max_size=15,
    unique_by=lambda scored: scored.id,
)


@settings(max_examples=100, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_queue_is_the_same_for_any_order_and_loses_nothing(rows, shuffle):
    queue = rank(rows)
    mixed = list(rows)
    shuffle.shuffle(mixed)
    assert rank(mixed) == queue
    assert sum(ranked.copies for ranked in queue) == len(rows)
    assert [ranked.rank for ranked in queue] == list(range(1, len(queue) + 1))
    assert [ranked.score for ranked in queue] == sorted((ranked.score for ranked in queue), reverse=True)
