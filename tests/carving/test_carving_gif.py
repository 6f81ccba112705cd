"""GIF: hops from length to length, up to the trailer; a hop that lands wrong is where somebody else's bytes begin."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, apart, asked, form, holds, mutants, noise_picture, samples, saved, together, walk

from triage.carving.forms import Structure
from triage.carving.lzw import measure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PICTURE = noise_picture(400, 300)
STILL = saved(PICTURE, "GIF")
FRAMES = [noise_picture(120 + n, 90).crop((n, 0, n + 120, 90)) for n in range(6)]
MOVING = saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:])


def image_data(data: bytes) -> tuple[int, int]:
    """Return where the code size of the first image stands, and behind which byte its sub-blocks end."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at] == 0x21:
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    assert data[at] == 0x2C
    at += 10 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
    end = at + 1
    while data[end]:
        end += data[end] + 1
    return at, end + 1


def blocked(sizes: Callable[[], int]) -> bytes:
    """The still picture with other lengths of sub-blocks."""
    start, end = image_data(STILL)
    codes, at = b"", start + 1
    while STILL[at]:
        codes += STILL[at + 1 : at + 1 + STILL[at]]
        at += STILL[at] + 1
    blocks = b""
    while codes:
        piece, codes = codes[: (size := sizes())], codes[size:]
        blocks += bytes([len(piece)]) + piece
    return STILL[: start + 1] + blocks + STILL[end - 1 :]


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_at_their_trailer(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/*/gif/*.gif", "artifacts/**/*.gif"):
        walked = walk("gif", data + behind)
        assert walked is not None, name
        assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True), name
        seen += 1
    assert seen >= 3


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_made_ones_end_at_their_trailer(behind: bytes) -> None:
    still, moving = walk("gif", STILL + behind), walk("gif", MOVING + behind)
    assert (still.length, still.structure, still.checked, still.facts) == (
        len(STILL),
        Structure.COMPLETE,
        True,
        {"width": 400, "height": 300},
    )
    assert (moving.length, moving.structure, moving.facts["frames"]) == (len(MOVING), Structure.COMPLETE, 6)


@pytest.mark.parametrize("size", [1, 2, 254])
def test_other_lengths_of_sub_blocks_are_as_good(size: int) -> None:
    data = blocked(lambda: size)
    walked = walk("gif", data + NOISE[:3000])
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)


def test_lengths_that_differ_are_believed_if_the_codes_are_right() -> None:
    chance = random.Random(5)
    data = blocked(lambda: chance.randrange(1, 256))
    walked = walk("gif", data + NOISE[:3000])
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)


def test_comments_and_doubled_terminators_are_passed_over() -> None:
    _, end = image_data(STILL)
    data = STILL[:end] + b"\0\x21\xfe\x05words\x03and\0" + STILL[end:]
    assert walk("gif", data + NOISE[:100]).length == len(data)


@pytest.mark.parametrize("behind", [NOISE, bytes(1 << 17)], ids=["random", "zeros"])
def test_one_that_is_cut_off_ends_where_its_sector_does(behind: bytes) -> None:
    for data in (STILL, MOVING):
        cut = len(data) // 2 // 512 * 512
        walked = walk("gif", data[:cut] + behind)
        assert (walked.structure, walked.length) == (Structure.TRUNCATED, cut)
        assert cut - 600 < walked.valid <= cut
    assert walked.facts["frames"] in {2, 3}


def test_one_without_its_trailer_is_cut_off() -> None:
    walked = walk("gif", STILL[:-1] + NOISE[:4000])
    assert walked.structure is Structure.TRUNCATED
    assert len(STILL) - 513 <= walked.length <= len(STILL)


def test_one_that_is_overwritten_in_the_middle_is_never_complete() -> None:
    chance, seen = random.Random(8), set()
    start, _ = image_data(STILL)
    for data in (STILL, MOVING):
        for _ in range(60):
            at = chance.randrange(-(-start // 512) * 512, len(data) - 4608, 512)
            walked = walk("gif", data[:at] + chance.randbytes(4096) + data[at + 4096 :] + bytes(600))
            if walked is not None:
                assert walked.structure is not Structure.COMPLETE, at
                seen.add(walked.structure)
    assert seen == {Structure.TRUNCATED, Structure.DAMAGED}


@pytest.mark.parametrize("data", [STILL, MOVING], ids=["still", "moving"])
@pytest.mark.parametrize(("block", "gap"), [(512, 512), (512, 20480), (4096, 4096), (4096, 40960)])
def test_two_pieces_are_put_together_wherever_the_break_is(data: bytes, block: int, gap: int) -> None:
    chance = random.Random(gap)
    start, _ = image_data(data)
    cuts = [cut for cut in range(block, len(data), block) if cut > start + 600]
    for cut in chance.sample(cuts, min(15, len(cuts))):
        scattered = apart(data, cut, gap)
        window, walked = asked("gif", scattered, block=block)
        joined = form("gif").rejoin(window, walked)
        assert joined is not None, cut
        assert (joined.structure, joined.checked, joined.length) == (Structure.FRAGMENTED, True, len(data))
        assert together(scattered, joined) == data, cut


@pytest.mark.parametrize("data", [STILL, MOVING], ids=["still", "moving"])
def test_what_is_left_around_a_hole_is_not_put_together(data: bytes) -> None:
    """Behind a hole of whole sectors the lengths stand right again, but the picture has too few pixels."""
    start, _ = image_data(data)
    for hole in range(-(-start // 512) * 512 + 512, len(data) - 5120, 4096):
        window, walked = asked("gif", data[:hole] + NOISE[:4096] + data[hole + 4096 :] + bytes(999))
        joined = form("gif").rejoin(window, walked) if walked is not None and not walked.pieces else walked
        assert joined is None, hole


def test_zeros_between_two_pieces_do_not_hide_the_break() -> None:
    cut = len(STILL) // 8192 * 4096
    scattered = STILL[:cut] + bytes(8192) + STILL[cut:] + NOISE[:3000]
    window, walked = asked("gif", scattered, block=4096)
    assert together(scattered, form("gif").rejoin(window, walked)) == STILL


def test_a_file_whose_rest_is_not_there_is_not_put_together() -> None:
    for cut in range(2048, len(MOVING) - 4096, 3584):
        window, walked = asked("gif", MOVING[:cut] + NOISE)
        joined = walked if walked is None or walked.pieces else form("gif").rejoin(window, walked)
        assert joined is None, cut


@pytest.mark.parametrize(
    "data",
    [
        b"GIF89a" + bytes(1000),
        b"GIF89a" + NOISE,
        b"GIF87a" + b"text that goes on for a while " * 90,
        STILL[: image_data(STILL)[0]] + b"\x09" + NOISE,
        STILL[: image_data(STILL)[0]] + b"\x08" + NOISE,
        STILL[:13] + b"\x3b",
        b"GIF88a" + STILL[6:],
    ],
    ids=["zeros", "noise", "text", "no such code size", "noise for codes", "no image", "no such version"],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("gif", data) is None


def test_an_image_outside_of_the_screen_is_none() -> None:
    small = saved(noise_picture(12, 12).convert("P"), "GIF")
    at = small.index(b"\x2c\0\0\0\0")
    assert walk("gif", small).length == len(small)
    assert walk("gif", small[: at + 1] + b"\x99\x99" + small[at + 3 :]) is None


def test_sub_blocks_without_end_stop_with_the_space() -> None:
    start, _ = image_data(STILL)
    window, walked = asked("gif", STILL[: start + 1] + b"\xff" * (3 << 20))
    assert walked is not None
    assert (walked.structure, walked.why) == (Structure.TRUNCATED, "the space ends inside it")
    assert window.spent < 8 << 20


def test_codes_are_counted_without_making_pixels() -> None:
    start, _ = image_data(STILL)
    codes, at = b"", start + 1
    while STILL[at]:
        codes += STILL[at + 1 : at + 1 + STILL[at]]
        at += STILL[at] + 1
    assert measure(codes, STILL[start], 400 * 300) == (400 * 300, True, True)
    assert measure(codes[:-100], STILL[start], 400 * 300)[1] is False
    assert measure(codes[:500] + NOISE[:500] + codes[1000:], STILL[start], 400 * 300) != (400 * 300, True, True)
    assert measure(b"\xff" * 10, 8, 100) == (0, False, False), "the first code is not in the table"


@given(st.binary(max_size=3000), st.sampled_from([6, 13, image_data(STILL)[0] + 1, 4000]))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int) -> None:
    holds("gif", STILL[:kept] + behind)


def test_damaged_copies_are_borne() -> None:
    for changed in mutants(MOVING[:20000] + b"\x3b", 150):
        holds("gif", changed + NOISE[:3000])


def test_the_allowance_ends_a_walk() -> None:
    assert holds("gif", MOVING, allowance=10_000) is None
