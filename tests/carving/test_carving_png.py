"""PNG: chunks whose checksums say where it ends, where it breaks, and where it goes on."""

from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, apart, asked, form, holds, mutants, noise_picture, samples, saved, together, walk

from triage.carving.crc import Seam
from triage.carving.forms import Structure
from triage.carving.window import window_of

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = noise_picture(400, 300)
MANY = saved(PICTURE, "PNG", compress_level=1)
SIGNATURE = MANY[:8]


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def divided(data: bytes, size: int) -> bytes:
    """The same picture with its pixels in chunks of another size."""
    before, pixels, after = [], b"", []
    for name, content in chunks(data):
        if name == b"IDAT":
            pixels += content
        else:
            (after if pixels else before).append(chunk(name, content))
    cut = [chunk(b"IDAT", pixels[at : at + size]) for at in range(0, len(pixels), size)]
    return SIGNATURE + b"".join(before) + b"".join(cut) + b"".join(after)


ONE, SMALL = divided(MANY, 1 << 30), divided(MANY, 8192)


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_at_their_iend_chunk(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/*/png/*.png", "artifacts/**/*.png"):
        if data.startswith(SIGNATURE):
            walked = walk("png", data + behind)
            assert walked is not None, name
            assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True), name
            seen += 1
    assert seen >= 5


@pytest.mark.parametrize("data", [MANY, ONE, SMALL], ids=["64 KiB", "one", "8 KiB"])
@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_made_ones_end_at_their_iend_chunk(data: bytes, behind: bytes) -> None:
    walked = walk("png", data + behind)
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)
    assert walked.facts == {"width": 400, "height": 300}


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_each_kind_of_pixels_is_known(mode: str) -> None:
    data = saved(noise_picture(50, 40).convert("L").convert("I;16") if mode == "I;16" else noise_picture(50, 40, mode), "PNG")
    assert walk("png", data + NOISE[:600]).length == len(data)


def test_frames_of_an_animation_are_counted() -> None:
    data = saved(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90), PICTURE.rotate(180)])
    walked = walk("png", data + bytes(600))
    assert (walked.length, walked.structure, walked.facts["frames"]) == (len(data), Structure.COMPLETE, 3)


@pytest.mark.parametrize("data", [ONE, SMALL], ids=["one", "8 KiB"])
@pytest.mark.parametrize("behind", [NOISE, bytes(1 << 17), b""], ids=["random", "zeros", "nothing"])
def test_one_that_is_cut_off_says_how_many_rows_there_are(data: bytes, behind: bytes) -> None:
    cut = len(data) // 2 // 512 * 512
    walked = walk("png", data[:cut] + behind)
    assert walked.structure is Structure.TRUNCATED
    assert cut - 512 <= walked.length <= cut + 4096, "a decoder goes on for a little while"
    rows = int(walked.facts["decoded"].split()[0])
    assert 130 < rows < 170
    assert walked.valid <= cut


@pytest.mark.parametrize("data", [ONE, SMALL], ids=["one", "8 KiB"])
def test_one_that_is_overwritten_in_the_middle_is_damaged(data: bytes) -> None:
    middle = len(data) // 2 // 4096 * 4096
    overwritten = data[:middle] + NOISE[: min(4096, 4096)] + data[middle + 4096 :]
    if data is SMALL:  # the header of a chunk is gone too, unless the hole is inside one
        inside = data.index(b"IDAT", middle) + 100
        overwritten = data[:inside] + NOISE[:4096] + data[inside + 4096 :]
    walked = walk("png", overwritten + bytes(512))
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.DAMAGED, False)


@pytest.mark.parametrize("data", [MANY, ONE, SMALL], ids=["64 KiB", "one", "8 KiB"])
@pytest.mark.parametrize("gap", [512, 1024, 40960])
def test_two_pieces_are_put_together_wherever_the_break_is(data: bytes, gap: int) -> None:
    chance = random.Random(gap)
    for cut in [512, len(data) // 512 * 512, *(chance.randrange(512, len(data), 512) for _ in range(8))]:
        scattered = apart(data, cut, gap)
        window, walked = asked("png", scattered)
        assert walked is not None, cut
        joined = walked if walked.structure is Structure.FRAGMENTED else form("png").rejoin(window, walked)
        assert joined is not None, cut
        assert (joined.structure, joined.checked, joined.length) == (Structure.FRAGMENTED, True, len(data))
        assert together(scattered, joined) == data, cut


def test_a_wide_gap_is_bridged_even_where_blocks_are_small() -> None:
    cut = len(SMALL) // 1024 * 512
    scattered = SMALL[:cut] + bytes(7 << 20) + SMALL[cut:] + NOISE[:999]
    window, walked = asked("png", scattered)
    assert together(scattered, form("png").rejoin(window, walked)) == SMALL
    window, walked = asked("png", SMALL[:cut] + bytes(9 << 20) + SMALL[cut:])
    assert form("png").rejoin(window, walked) is None, "it is not looked for without end"


def test_three_pieces_are_put_together() -> None:
    scattered = apart(SMALL[:40960], 8192, 4096, 8192) + SMALL[40960:] + NOISE[:5000]
    window, walked = asked("png", scattered, block=4096)
    joined = form("png").rejoin(window, walked)
    assert joined is not None
    assert together(scattered, joined) == SMALL
    assert len(joined.pieces) == 3


@pytest.mark.parametrize("behind", range(9))
def test_a_break_inside_a_chunks_header_or_checksum_is_found(behind: int) -> None:
    """The first chunk of pixels is made so long that the break comes to lie on the border to the next."""
    pixels = b"".join(content for name, content in chunks(SMALL) if name == b"IDAT")
    first = 4096 - 33 - 12 - behind + 4
    data = SIGNATURE + chunk(*chunks(SMALL)[0]) + chunk(b"IDAT", pixels[:first]) + chunk(b"IDAT", pixels[first:]) + chunk(b"IEND", b"")
    scattered = apart(data, 4096, 8192)
    window, walked = asked("png", scattered, block=4096)
    joined = form("png").rejoin(window, walked)
    assert joined is not None
    assert together(scattered, joined) == data


def test_a_file_whose_rest_is_not_there_is_not_put_together() -> None:
    window, walked = asked("png", MANY[:20480] + NOISE + MANY[24576:], block=4096)
    assert walked is not None
    assert form("png").rejoin(window, walked) is None


def test_the_rest_of_another_picture_does_not_fit() -> None:
    other = divided(saved(noise_picture(400, 300).rotate(90), "PNG", compress_level=1), 8192)
    window, walked = asked("png", SMALL[:20480] + NOISE[:4096] + other[20480:], block=4096)
    assert form("png").rejoin(window, walked) is None


@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE + bytes(100),
        SIGNATURE + chunk(b"IHDR", bytes(13)) + NOISE,
        SIGNATURE + chunk(b"IHDR", MANY[16:24] + b"\x07\x02\0\0\0") + NOISE,
        MANY[:33] + NOISE,
        MANY[:33] + chunk(b"IEND", b""),
        MANY[:41] + NOISE,
        MANY[:20] + b"\xff" + MANY[21:],
    ],
    ids=["zeros", "no size", "no such depth", "noise behind the header", "no pixels", "noise for pixels", "wrong checksum"],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("png", data) is None


def test_a_length_that_lies_does_not_make_it_reach_to_the_end_of_the_space() -> None:
    lying = bytearray(ONE)
    lying[33:37] = b"\x7f\xff\xff\xff"
    walked = walk("png", bytes(lying) + NOISE * 20)
    assert walked.structure is Structure.TRUNCATED
    assert walked.length <= len(ONE) + 512


def test_countless_small_chunks_cost_their_bytes_and_a_little_each() -> None:
    data = MANY[:33] + chunk(b"tEXt", b"") * 50_000 + MANY[33:]
    window, walked = asked("png", data)
    assert walked is not None
    assert walked.length == len(data)
    assert window.spent < 2 * len(data) + 2_100 * 50_100


def test_pixels_that_inflate_without_end_are_not_inflated_to_theirs() -> None:
    bomb = zlib.compress(bytes(200 << 20), 9)
    data = SIGNATURE + chunk(*chunks(MANY)[0]) + chunk(b"IDAT", bomb)[:-2000]
    window, walked = asked("png", data + NOISE)
    assert walked is not None
    assert walked.structure is Structure.TRUNCATED
    assert window.spent < 8 * len(data) + (4 << 20)


def test_a_seam_is_found_at_each_block() -> None:
    chance = random.Random(9)
    for length in (100, 511, 5000, 70_001):
        data = chance.randbytes(length)
        whole = b"abc" + data + zlib.crc32(data).to_bytes(4, "little")
        for cut in range(512, len(whole), 512 * (1 + length // 5000)):
            scattered = apart(whole, cut, 2048)
            seam = Seam(window_of(scattered), 3, 3 + length, 512, order="little")
            assert seam.find(2048) == cut
            assert seam.find(1024) is None


@given(st.binary(max_size=3000), st.sampled_from([8, 33, 41, 700]))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int) -> None:
    holds("png", MANY[:kept] + behind)


def test_damaged_copies_are_borne() -> None:
    small = divided(saved(noise_picture(60, 50), "PNG"), 2000)
    for changed in mutants(small, 400):
        holds("png", changed + NOISE[:3000])


def test_the_allowance_ends_a_walk() -> None:
    assert holds("png", MANY, allowance=10_000) is None
