"""The order of content work: every item once, tier by tier, in batches of bounded size."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.engine.plan import BATCH_BYTES, BATCH_ITEMS, Pending, Plan

ITEMS = st.lists(st.builds(Pending, tier=st.integers(0, 4), offset=st.integers(0, 50), row=st.just(0),
                           size=st.integers(0, 3 * BATCH_BYTES // 2) | st.integers(0, 2000), evidence=st.sampled_from(["a", "b"])),
                 max_size=600).map(lambda items: [item._replace(row=n) for n, item in enumerate(items)])


def taken(plan: Plan) -> list[list[Pending]]:
    batches = []
    while plan:
        batches.append(plan.batch())
    return batches


@settings(max_examples=60, deadline=None)
@given(ITEMS)
def test_every_item_is_handed_out_once_in_order_and_in_bounded_batches(items: list[Pending]) -> None:
    plan = Plan()
    for item in items:
        plan.add(item)
    assert (plan.items, plan.bytes, len(plan)) == (len(items), sum(i.size for i in items), len(items))
    batches = taken(plan)
    assert [i for b in batches for i in b] == sorted(items)
    for batch in batches:
        assert 1 <= len(batch) <= BATCH_ITEMS
        assert len(batch) == 1 or sum(i.size for i in batch) <= BATCH_BYTES
        assert len({(i.tier, i.evidence) for i in batch}) == 1


@settings(max_examples=40, deadline=None)
@given(ITEMS, st.integers(0, 3))
def test_what_is_given_back_comes_out_again(items: list[Pending], after: int) -> None:
    plan = Plan()
    for item in items:
        plan.add(item)
    done = [plan.batch() for _ in range(after)]
    back = plan.batch()
    plan.give_back(back)
    assert sorted([i for b in done for i in b] + [i for b in taken(plan) for i in b]) == sorted(items)


def test_what_comes_later_in_a_better_tier_goes_first() -> None:
    plan = Plan()
    plan.add(Pending(2, 0, 1, 10, "a"))
    assert plan.batch() == [Pending(2, 0, 1, 10, "a")]
    plan.add(Pending(2, 5, 2, 10, "a"))
    plan.add(Pending(0, 900, 3, 10, "a"))
    assert [b[0].row for b in taken(plan)] == [3, 2]


def test_an_empty_plan_has_no_batch() -> None:
    assert Plan().batch() == []


def test_an_item_that_is_too_large_to_be_read_counts_for_nothing() -> None:
    plan = Plan(100)
    plan.add(Pending(0, 0, 1, 1 << 50, "a"))
    plan.add(Pending(0, 0, 2, 100, "a"))
    assert (plan.items, plan.bytes) == (2, 100)
    assert [p.row for p in plan.batch()] == [1, 2]
