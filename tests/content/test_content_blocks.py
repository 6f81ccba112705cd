"""Which blocks of a file are its own, and by what they are known."""

from __future__ import annotations

import hashlib
import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picturing import encoded, scene

from triage.content import blocks

SIZE = blocks.SIZE


def rows(*parts: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(parts), np.uint8).reshape(-1, SIZE)


RANDOM = random.Random(1).randbytes(SIZE)


@pytest.mark.parametrize(
    ("name", "block", "own"),
    [
        ("random", RANDOM, True),
        ("zeros", bytes(SIZE), False),
        ("text", (b"the quick brown fox jumps over the lazy dog\n" * 100)[:SIZE], False),
        ("white space", (b" \t\r\n" * SIZE)[:SIZE], False),
        ("ramp of 32-bit numbers", np.arange(5000, 5000 + SIZE // 4, dtype="<u4").tobytes(), False),
        ("big-endian ramp", np.arange(1 << 30, (1 << 30) + SIZE // 4, dtype=">u4").tobytes(), False),
        ("a quarter of one value", RANDOM[: SIZE * 5 // 8] + b"abcd" * (SIZE * 3 // 32), False),
    ],
)
def test_common_and_empty_blocks_are_no_files_own(name, block, own):
    assert len(block) == SIZE
    assert blocks.distinctive(rows(block)).tolist() == [own], name


def test_most_blocks_of_a_picture_are_its_own():
    data = encoded(scene(1, (2000, 1500)), quality=95)
    found = blocks.distinctive_blocks([data])
    assert len(found) >= 0.9 * (len(data) // SIZE)
    assert all(blocks.block_key(data[n * SIZE : n * SIZE + SIZE]) == key for n, key in found)


def test_a_block_that_repeats_and_a_last_one_that_is_not_full_are_left_out():
    a, b = (random.Random(n).randbytes(SIZE) for n in (1, 2))
    assert [n for n, _ in blocks.distinctive_blocks([a + b + a + random.Random(3).randbytes(SIZE - 1)])] == [1]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32), length=st.integers(0, 60_000))
def test_pieces_of_any_size_give_the_same_blocks(seed, length):
    rng = random.Random(seed)
    data = rng.randbytes(length)
    pieces, at = [], 0
    while at < length:
        step = rng.randrange(1, 9000)
        pieces.append(data[at : at + step])
        at += step
    assert blocks.distinctive_blocks(pieces) == blocks.distinctive_blocks([data])


def test_of_a_large_file_blocks_from_all_over_it_are_kept():
    rng = random.Random(5)
    found = blocks.distinctive_blocks((rng.randbytes(1 << 20) for _ in range(20)), most=500)
    numbers = [n for n, _ in found]
    assert len(numbers) == 500
    assert numbers[0] < 50
    assert numbers[-1] > 5000
    assert max(b - a for a, b in itertools.pairwise(numbers)) <= 32


def test_samples_at_sectors_are_the_beginnings_of_keys():
    data = random.Random(6).randbytes(20_000)
    found = blocks.samples(data, 512)
    assert len(found) == (len(data) - SIZE) // 512 + 1
    for number, sample in enumerate(found.tolist()):
        at = 512 * number
        key = blocks.block_key(data[at : at + SIZE])
        assert sample == int.from_bytes(key[:8], "big")
        assert key[8:] == hashlib.md5(data[at : at + SIZE]).digest()[:8]


@pytest.mark.evidence
def test_files_that_differ_share_next_to_no_block(evidence_root):
    """A key that two unrelated files have would accuse the wrong one."""
    where: dict[bytes, set[str]] = {}
    files = 0
    for path in sorted((evidence_root / "pictures").rglob("*.*")) + sorted((evidence_root / "types").rglob("*.*")):
        if path.is_file() and SIZE <= path.stat().st_size < 8 << 20:
            data = path.read_bytes()
            files += 1
            for _, key in blocks.distinctive_blocks([data]):
                where.setdefault(key, set()).add(hashlib.sha256(data).hexdigest())
    shared = [key for key, owners in where.items() if len(owners) > 1]
    assert files > 100
    assert len(shared) <= len(where) // 200
