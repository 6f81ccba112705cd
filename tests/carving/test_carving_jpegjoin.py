from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_support import BLOCK, JPEG, KINDS, exif_of, filler, joined, picture, put_together, segment, walked, window

from triage.carving.forms import Structure
from triage.carving.jpegparts import read_picture
from triage.carving.jpegscan import Reader, follow

if TYPE_CHECKING:
    from pathlib import Path


def in_two(data: bytes, cut: int, gap: bytes, behind: bytes = b"") -> bytes:
    return data[:cut] + gap + data[cut:] + behind


@pytest.mark.parametrize("foreign", ["zeros", "random", "text", "pictures"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_in_two_pieces_is_put_together(kind: str, foreign: str) -> None:
    data = picture(kind)
    chance = random.Random(f"{kind}{foreign}")
    blocks = -(-len(data) // BLOCK)
    cut = chance.randrange(1, blocks) * BLOCK
    gap = filler(foreign, chance.randrange(1, 20) * BLOCK, seed=chance.randrange(90))
    whole = in_two(data, cut, gap, filler("random", -len(data) % BLOCK + 3 * BLOCK))
    # Foreign data of the same sort are noticed by decoding only, which a joint of the medium asks for.
    found = joined(whole, joints=[BLOCK] if foreign == "pictures" else [], allowance=256 << 20)
    assert found is not None
    assert (found.structure, found.checked, found.length) == (Structure.FRAGMENTED, True, len(data))
    assert found.pieces == ((0, cut), (cut + len(gap), len(data) - cut))
    assert put_together(whole, found) == data


@pytest.mark.parametrize("block", [512, 2048, 16384])
def test_pieces_are_found_with_other_sizes_of_blocks(block: int) -> None:
    data = picture("full colour", seed=6)
    cut = len(data) // 2 // block * block
    whole = in_two(data, cut, filler("text", 9 * block))
    found = joined(whole, block=block)
    assert found is not None
    assert put_together(whole, found) == data


def test_real_pictures_in_two_pieces_are_put_together(evidence_root: Path) -> None:
    chance = random.Random(3)
    found = asked = 0
    for path in sorted((evidence_root / "pictures/exif-samples/jpg/gps").glob("*.jpg")):
        data = path.read_bytes()
        picture_ = read_picture(window(data))
        assert picture_ is not None
        start = picture_.scans[0].start // BLOCK + 1
        cut = chance.randrange(start, len(data) // BLOCK) * BLOCK
        whole = in_two(data, cut, filler(chance.choice(["text", "random", "zeros"]), chance.randrange(1, 40) * BLOCK))
        joint = joined(whole)
        asked += 1
        if joint is not None:
            found += 1
            assert put_together(whole, joint) == data, path
    assert asked == found == 9


def test_a_picture_cut_inside_its_first_segment_is_put_together() -> None:
    thumbnail = picture(seed=2, width=160, height=120)
    body = exif_of(thumbnail) + filler("random", 3000, 77)
    assert len(thumbnail) < 3900
    data = picture()
    data = data[:2] + segment(0xE1, body) + data[2:]
    for foreign in ("text", "random", "pictures"):
        whole = in_two(data, BLOCK, filler(foreign, 5 * BLOCK), bytes(2 * BLOCK))
        first = walked(whole)
        assert first is not None
        assert (first.structure, [p.name for p in first.parts]) == (Structure.TRUNCATED, ["thumbnail"])
        found = joined(whole)
        assert found is not None
        assert put_together(whole, found) == data


def test_the_rest_of_another_picture_is_not_taken() -> None:
    for kind in KINDS:
        data, other = picture(kind), picture(kind, seed=2)
        cut = len(data) // 2 // BLOCK * BLOCK
        for start in range(BLOCK, len(other), 2 * BLOCK):
            assert joined(data[:cut] + other[start:] + bytes(BLOCK), joints=[cut]) is None


def test_a_block_that_is_missing_is_not_put_up_with() -> None:
    data = picture()
    cut = len(data) // 2 // BLOCK * BLOCK
    assert joined(data[:cut] + filler("text", 3 * BLOCK) + data[cut + BLOCK :]) is None


def test_what_lies_behind_the_end_comes_along() -> None:
    data = picture() + b"\xff\xe5\x00\x0aHPQ-Test"
    cut = len(data) // 2 // BLOCK * BLOCK
    whole = in_two(data, cut, filler("text", 2 * BLOCK), bytes(100))
    found = joined(whole)
    assert found is not None
    assert put_together(whole, found) == data


def test_a_search_costs_no_more_than_it_may() -> None:
    data = picture()
    cut = len(data) // 2 // BLOCK * BLOCK
    other = b"".join(one + bytes(-len(one) % BLOCK) for one in (picture(seed=n) for n in range(20, 30)))
    place = window(data[:cut] + other * 8, allowance=1 << 40, joints=[BLOCK])
    found = JPEG.walk(place)
    assert found is not None
    place.spent = 0
    assert JPEG.rejoin is not None
    assert JPEG.rejoin(place, found) is None
    assert place.spent < 200 << 20


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    cut=st.integers(1, 5),
    gap=st.binary(max_size=300),
    blocks=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_pieces_add_up_whatever_lies_between(kind: str, cut: int, gap: bytes, blocks: int, seed: int) -> None:
    data = picture(kind, width=200, height=160)
    filled = (gap + filler("random", blocks * 512, seed))[: blocks * 512]
    whole = in_two(data, cut * 512, filled, b"\0" * 700)
    found = joined(whole, block=512)
    if found is not None:
        assert sum(length for _, length in found.pieces) == found.length
        assert put_together(whole, found) == data


# -- the reader of codes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_codes_of_a_whole_picture_make_sense_to_the_end(kind: str) -> None:
    data = picture(kind)
    found = read_picture(window(data))
    assert found is not None
    start = found.scans[0].start
    followed = follow(found.frame, tuple(found.scans), tuple(found.steps.items()), data[start : found.end])
    assert (followed.index, followed.trace.verdict) == (len(found.scans) - 1, "whole")
    assert followed.trace.unit == followed.reader.total
    assert followed.shown(1 << 30)[1] == 304


@pytest.mark.parametrize("kind", ["baseline", "grey", "restart", "full colour", "progressive"])
def test_reading_on_from_a_state_gives_the_same(kind: str) -> None:
    data = picture(kind)
    found = read_picture(window(data))
    assert found is not None
    scan = found.scans[0]
    reader = Reader(found.frame, scan, found.steps)
    raw = data[scan.start : scan.end]
    trace = reader.read(raw, reader.start(), ended=True)
    assert trace.verdict == "whole"
    assert len(trace.states) > 8
    for state in trace.states[::7]:
        again = reader.read(raw[state.at :], state, ended=True)
        assert (again.verdict, again.at, again.unit) == (trace.verdict, trace.at, trace.unit)


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_bytes_are_noticed_soon(kind: str) -> None:
    data = picture(kind)
    for seed in range(6):
        cut = 8192 + 512 * seed
        found = walked(data[:cut] + filler("random", 9000, seed))
        assert found is not None
        assert cut - 300 <= found.length <= cut + 600


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), cut=st.integers(700, 3000), junk=st.binary(max_size=400), ended=st.booleans())
def test_the_reader_of_codes_takes_anything(kind: str, cut: int, junk: bytes, ended: bool) -> None:
    data = picture(kind, width=160, height=120)
    found = read_picture(window(data))
    assert found is not None
    for scan in found.scans[:3]:
        masks = [[0] * (a * b) for a, b in (found.frame.units((n,)) for n in range(len(found.frame.components)))]
        reader = Reader(found.frame, scan, found.steps, masks if found.frame.progressive else None)
        raw = data[scan.start : scan.end][:cut] + junk
        trace = reader.read(raw, reader.start(), ended=ended)
        assert 0 <= trace.at <= len(raw)
        assert trace.unit <= reader.total
        assert all(a.at <= b.at for a, b in zip(trace.states, trace.states[1:], strict=False))
