"""A search by bits that differ finds what comparing all finds, however the hashes lie, and groups have a leader they look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.hashsets import hamming
from triage.hashsets.alike import group

RNG = np.random.default_rng(5)


def hashes(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32), dtype=np.uint8)


def changed(one: np.ndarray, bits: int, seed: int = 1) -> np.ndarray:
    flags = np.unpackbits(one)
    flags[np.random.default_rng(seed).choice(256, bits, replace=False)] ^= 1
    return np.packbits(flags)


def index_of(known: np.ndarray, exact: int = hamming.EXACT, brute: int = 0) -> hamming.HammingIndex:
    return hamming.HammingIndex(known, dict(hamming.build_columns(known, exact, brute)), exact, brute)


def by_comparing_all(known: np.ndarray, queries: np.ndarray, radius: int) -> list[tuple[int, int, int]]:
    found = []
    for number, query in enumerate(queries):
        distance = np.bitwise_count(known ^ query).sum(axis=1)
        found += sorted((number, int(d), int(row)) for row, d in enumerate(distance) if d <= radius)
    return found


def found_by(index: hamming.HammingIndex, queries: np.ndarray, radius: int, limit: int = 10_000) -> list[tuple[int, int, int]]:
    hits = index.search(queries, radius, limit)
    return list(zip(hits.query.tolist(), hits.distance.tolist(), hits.row.tolist(), strict=True))


@pytest.mark.parametrize("bits", range(32))
def test_every_distance_up_to_31_is_found_by_the_tables(bits):
    known = hashes(20_000)
    queries = np.stack([changed(known[n * 37], bits, seed=n) for n in range(20)])
    found = found_by(index_of(known), queries, 31)
    assert {(n, bits, n * 37) for n in range(20)} <= set(found)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32), count=st.integers(1, 400), radius=st.sampled_from([0, 5, 15, 31]), skew=st.booleans())
def test_tables_and_comparing_all_agree(seed, count, radius, skew):
    rng = np.random.default_rng(seed)
    known = rng.integers(0, 4 if skew else 256, (count, 32), dtype=np.uint8)
    queries = np.concatenate([known[rng.integers(0, count, 3)], rng.integers(0, 256, (3, 32), dtype=np.uint8)])
    queries[:3, rng.integers(0, 32)] ^= 7
    expected = by_comparing_all(known, queries, radius)
    assert found_by(index_of(known), queries, radius) == expected
    assert found_by(index_of(known, brute=1000), queries, radius) == expected


@pytest.mark.parametrize("radius", [31, 45, 70, 128, 256])
def test_below_the_measured_size_every_radius_is_exact(radius):
    known, queries = hashes(700), hashes(20, seed=2)
    index = hamming.HammingIndex(known, dict(hamming.build_columns(known)))
    assert index.exact_radius() == 256
    assert found_by(index, queries, radius) == by_comparing_all(known, queries, radius)


def test_a_negative_is_256_bits_away_and_not_taken_for_equal():
    known = hashes(50)
    index = hamming.HammingIndex(known, {})
    assert found_by(index, ~known[:5], 70) == []
    assert len(found_by(index, ~known[:1], 256)) == 50


def test_beyond_its_exact_radius_a_large_index_says_so_and_finds_most():
    known = hashes(60_000)
    index = index_of(known)
    assert index.exact_radius() == 31
    queries = np.stack([changed(known[n], 40, seed=n) for n in range(200)])
    hits = {(q, r) for q, _, r in found_by(index, queries, 45)}
    assert len(hits & {(n, n) for n in range(200)}) >= 180


def test_a_million_times_the_same_hash_neither_hangs_nor_fills_the_answer():
    known = np.repeat(hashes(2), 40_000, axis=0)
    hits = index_of(known).search(known[:3], 31, limit=100)
    assert (hits.cut, len(hits.row), set(hits.query.tolist())) == (3, 300, {0, 1, 2})
    assert hits.row.tolist()[:100] == list(range(100))


def test_the_same_hashes_make_the_same_tables():
    known = hashes(5000)
    first, second = (dict(hamming.build_columns(known, 31, 0)) for _ in range(2))
    assert all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("damage", ["missing", "short", "type", "extra"])
def test_tables_that_do_not_fit_are_refused(damage):
    known = hashes(3000)
    tables = dict(hamming.build_columns(known, 31, 0))
    name = sorted(tables)[0]
    if damage == "missing":
        del tables[name]
    elif damage == "short":
        tables[name] = tables[name][:-1]
    elif damage == "type":
        tables[name] = tables[name].astype("<u8")
    else:
        tables["more"] = tables[name]
    with pytest.raises(ValueError, match="index"):
        hamming.HammingIndex(known, tables, 31, 0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_lying_tables_lead_to_no_row_that_is_not_there(seed):
    rng = np.random.default_rng(seed)
    known = hashes(3000)
    tables = {name: rng.integers(0, 1 << 32, table.shape, dtype=np.uint32) for name, table in hamming.build_columns(known, 31, 0)}
    hits = hamming.HammingIndex(known, tables, 31, 0).search(known[:4], 31)
    assert set(zip(hits.query.tolist(), hits.row.tolist(), strict=True)) <= {(n, n) for n in range(4)}


# groups


def turned(base: np.ndarray, seed: int = 3) -> np.ndarray:
    """Eight hashes of a picture, of which the others are as far from the first as those of other pictures."""
    return np.concatenate([base[:, None], np.random.default_rng(seed).integers(0, 256, (len(base), 7, 32), dtype=np.uint8)], axis=1)


@pytest.mark.parametrize("count", [50, 3000])
def test_edited_and_turned_copies_join_the_first_and_no_other(count):
    pictures = turned(hashes(count))
    pictures[10] = pictures[4]
    pictures[10, 0] = changed(pictures[4, 0], 20)
    pictures[20] = np.roll(pictures[4], 1, axis=0)
    leaders = group(pictures)
    assert (leaders[10], leaders[20]) == (4, 4)
    assert np.count_nonzero(leaders != np.arange(count)) == 2


def test_a_chain_of_small_steps_does_not_join_what_is_far_apart():
    chain = [hashes(1)[0]]
    for step in range(12):
        flags = np.unpackbits(chain[-1])
        flags[step * 20 : step * 20 + 20] ^= 1
        chain.append(np.packbits(flags))
    leaders = group(turned(np.stack(chain)))
    for at, leader in enumerate(leaders.tolist()):
        assert np.bitwise_count(chain[at] ^ chain[leader]).sum() <= 31
        assert leaders[leader] == leader
    assert len(set(leaders.tolist())) > 4


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 32), count=st.integers(0, 60))
def test_every_picture_is_alike_to_its_leader(seed, count):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (6, 32), dtype=np.uint8)[rng.integers(0, 6, count)]
    base[:, :4] ^= rng.integers(0, 3, (count, 4), dtype=np.uint8)
    leaders = group(turned(base, seed % 1000))
    for at, leader in enumerate(leaders.tolist()):
        assert leader <= at
        assert leaders[leader] == leader
        assert np.bitwise_count(base[at] ^ base[leader]).sum() <= 31
