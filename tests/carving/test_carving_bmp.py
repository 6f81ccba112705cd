"""BMP: two letters and a header whose fields have to agree; the length is a product of them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, noise_picture, samples, saved, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

ODD = saved(noise_picture(101, 70), "BMP")  # 303 bytes a row, and one of padding
EVEN = saved(noise_picture(100, 70), "BMP")
PALETTE = saved(noise_picture(101, 70).quantize(16), "BMP")


def bitmap(
    pixels: bytes, width: int, height: int, bits: int, *, compression: int = 0, colours: int = 0, said: int = -1, image: int = -1
) -> bytes:
    """A file with a Windows 3 header."""
    table = bytes(4 * (colours or (1 << bits if bits <= 8 else 0)))
    start = 54 + len(table)
    length = start + len(pixels) if said < 0 else said
    head = struct.pack("<2sIIIIiiHHIIiiII", b"BM", length, 0, start, 40, width, height, 1, bits, compression, 0, 2835, 2835, colours, 0)
    if image >= 0:
        head = head[:34] + struct.pack("<I", image) + head[38:]
    return head + table + pixels


def packed(width: int, height: int) -> bytes:
    """Run lengths of a picture: a run, some pixels as they are, the end of the row."""
    row = bytes([40, 7, 0, 5, 1, 2, 3, 4, 5, 0, width - 45, 9, 0, 0])
    return row * (height - 1) + row[:-2] + b"\0\1"


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_are_as_long_as_their_header_says(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/*/bmp/*.bmp"):
        walked = walk("bmp", data + behind)
        assert walked is not None, name
        assert (walked.length, walked.structure) == (int.from_bytes(data[2:6], "little"), Structure.COMPLETE), name
        seen += 1
    assert seen


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
def test_made_ones_end_behind_their_pixels(mode: str, behind: bytes) -> None:
    data = saved(noise_picture(103, 40, mode), "BMP")
    walked = walk("bmp", data + behind)
    assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE)
    assert walked.facts == {"width": 103, "height": 40}
    assert walked.checked == (mode != "RGBA"), "only padding proves anything"


def test_os2_headers_are_known() -> None:
    for head in (struct.pack("<IHHHH", 12, 100, 20, 1, 24), struct.pack("<IiiHH", 16, 100, 20, 1, 24)):
        pixels = NOISE[: 300 * 20]
        data = struct.pack("<2sIII", b"BM", 14 + len(head) + len(pixels), 0, 14 + len(head)) + head + pixels
        assert walk("bmp", data + NOISE[:999]).length == len(data)


def test_rows_from_the_top_down_are_known() -> None:
    data = bitmap(NOISE[: 300 * 20], 100, -20, 24)
    assert walk("bmp", data + NOISE[:999]).facts["height"] == 20


def test_run_lengths_are_followed_to_their_end() -> None:
    for said in (-1, 0):
        data = bitmap(packed(100, 30), 100, 30, 8, compression=1, said=said, image=len(packed(100, 30)))
        walked = walk("bmp", data + NOISE[:999])
        assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)


def test_run_lengths_that_leave_the_picture_are_none() -> None:
    data = bitmap(b"\xff\x01" * 50 + packed(100, 30), 100, 30, 8, compression=1)
    assert walk("bmp", data + NOISE[:999]) is None


def test_run_lengths_without_end_stop() -> None:
    window, walked = asked("bmp", bitmap(b"\0\2\0\0" * 300_000, 100, 30, 8, compression=1), allowance=1 << 30)
    assert walked is None
    assert window.spent < 8 << 20


@pytest.mark.parametrize(("said", "more"), [(-1, 0), (0, 0), (2, 2)], ids=["right", "zero", "two more"])
def test_a_length_that_many_writers_get_wrong_is_borne(said: int, more: int) -> None:
    pixels = NOISE[: 300 * 20]
    right = len(bitmap(pixels, 100, 20, 24))
    data = bitmap(pixels, 100, 20, 24, said=right + more if said else 0, image=len(pixels)) + bytes(more)
    assert walk("bmp", data + NOISE[:999]).length == len(data)


def test_one_that_is_overwritten_is_noticed_by_its_padding() -> None:
    walked = walk("bmp", ODD[:8192] + NOISE[:4096] + ODD[12288:] + bytes(999))
    assert (walked.length, walked.structure) == (len(ODD), Structure.DAMAGED)
    assert int(walked.facts["decoded"].split()[0]) in range(54, 60)


def test_one_that_is_overwritten_is_noticed_by_colours_that_it_has_not() -> None:
    walked = walk("bmp", PALETTE[:2048] + NOISE[:1024] + PALETTE[3072:] + bytes(999))
    assert (walked.length, walked.structure) == (len(PALETTE), Structure.DAMAGED)


def test_a_header_with_nothing_of_its_pixels_is_none() -> None:
    assert walk("bmp", ODD[:512] + NOISE) is None


def test_one_that_the_space_cuts_off_says_how_many_rows_there_are() -> None:
    walked = walk("bmp", EVEN[: 54 + 300 * 10 + 5])
    assert (walked.structure, walked.length, walked.facts["decoded"]) == (Structure.TRUNCATED, 54 + 300 * 10 + 5, "10 of 70 rows")


@pytest.mark.parametrize(
    "change",
    [
        (6, b"\1"),  # reserved
        (10, b"\x10\0"),  # pixels inside the header
        (10, b"\0\0\1"),  # far behind it
        (14, b"\x29"),  # no such header
        (18, b"\0\0\0\0"),  # no width
        (18, b"\xff\xff\xff\x7f"),
        (22, b"\0\0\0\0"),
        (26, b"\2"),  # planes
        (28, b"\x17"),  # depth
        (30, b"\7"),  # compression
        (34, b"\x11\x11\x11\x11"),  # another length of the pixels
        (46, b"\xff\xff\xff"),  # colours
    ],
)
def test_fields_that_do_not_agree_make_it_none(change: tuple[int, bytes]) -> None:
    at, value = change
    assert walk("bmp", EVEN[:at] + value + EVEN[at + len(value) :] + NOISE) is None


@pytest.mark.parametrize("behind", [NOISE, bytes(9000), b"BM" * 5000, b"BMW drivers say " * 500], ids=["noise", "zeros", "magic", "text"])
def test_two_letters_alone_are_none(behind: bytes) -> None:
    assert walk("bmp", b"BM" + behind) is None


@given(st.binary(max_size=400), st.sampled_from([2, 14, 18, 30, 54]))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int) -> None:
    holds("bmp", PALETTE[:kept] + behind + NOISE[:3000])


def test_damaged_copies_are_borne() -> None:
    runs = bitmap(packed(100, 30), 100, 30, 8, compression=1)
    for changed in [*mutants(runs, 300), *mutants(PALETTE, 300)]:
        holds("bmp", changed + NOISE[:3000])


def test_the_allowance_ends_a_walk() -> None:
    assert holds("bmp", ODD, allowance=1000) is None
