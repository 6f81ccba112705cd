"""TIFF in two pieces: the strip in which the break lies unpacks only if it goes on at the right place."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from picture_support import NOISE, apart, asked, form, holds, mutants, noise_picture, saved, together
from test_carving_tiff import made, strip

from triage.carving.forms import Structure, Walked
from triage.carving.lzw import Packed

WIDTH, HEIGHT, ROWS = 300, 240, 20
PIXELS = noise_picture(WIDTH, HEIGHT, "L").tobytes()
PICTURE = noise_picture(500, 400)
LZW, DEFLATE = saved(PICTURE, "TIFF", compression="tiff_lzw"), saved(PICTURE, "TIFF", compression="tiff_adobe_deflate")


def first_directory_then_strips() -> bytes:
    """Deflated strips behind the directory, which Pillow does not write."""
    strips = [zlib.compress(PIXELS[at : at + WIDTH * ROWS]) for at in range(0, len(PIXELS), WIDTH * ROWS)]
    offsets = [0]
    for one in strips:
        offsets.append(offsets[-1] + len(one))
    lengths = struct.pack(f"<{len(strips)}I", *(len(one) for one in strips))

    def build(start: int) -> bytes:
        places = struct.pack(f"<{len(strips)}I", *(start + offset for offset in offsets[:-1]))
        tags = [tag for tag in strip(WIDTH, HEIGHT, 8, 1, "pixels", 0, (0x116, 4, ROWS)) if tag[0] not in {0x111, 0x117}]
        tags = sorted([*tags, (0x111, 4, places), (0x117, 4, lengths)], key=lambda tag: tag[0])
        return made("<", b"II*\0", [("ifd0", tags)], {"pixels": b"".join(strips)})

    return build(len(build(0)) - offsets[-1])


FIRST = first_directory_then_strips()
ALL = {"LZW": LZW, "Deflate": DEFLATE, "directory first": FIRST}


def joined(data: bytes, block: int) -> Walked | None:
    """Walk, and rejoin what is asked about."""
    window, walked = asked("tiff", data, block=block)
    if walked is None or walked.structure is Structure.FRAGMENTED:
        return walked
    rejoin = form("tiff").rejoin
    assert rejoin is not None
    return rejoin(window, walked)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("block", "gap"), [(512, 512), (512, 51200), (4096, 4096), (4096, 40960)])
def test_two_pieces_are_put_together_wherever_the_break_is(name: str, block: int, gap: int) -> None:
    data = ALL[name]
    chance = random.Random(gap)
    end = data.rindex(b"\x78\x9c") if data is FIRST else len(data)  # without a strip behind it, the width of a gap is not known
    for cut in chance.sample(range(block, end - block, block), 5):
        scattered = apart(data, cut, gap)
        found = joined(scattered, block)
        assert found is not None, cut
        assert (found.structure, found.checked, found.length) == (Structure.FRAGMENTED, True, len(data))
        assert together(scattered, found) == data, cut


@pytest.mark.parametrize("name", ALL)
def test_a_file_whose_rest_is_not_there_is_not_put_together(name: str) -> None:
    data = ALL[name]
    found = joined(data[: len(data) // 2 // 4096 * 4096] + NOISE, 4096)
    assert found is None or found.structure is not Structure.FRAGMENTED


def test_the_rest_of_another_picture_does_not_fit() -> None:
    other = saved(PICTURE.rotate(180), "TIFF", compression="tiff_adobe_deflate")
    cut = len(DEFLATE) // 2 // 4096 * 4096
    assert joined(DEFLATE[:cut] + NOISE[:4096] + other[cut:], 4096) is None


def test_codes_are_followed_piece_by_piece() -> None:
    start = LZW.index(b"\x80", 8)
    whole, parts = Packed(), Packed()
    whole.feed(LZW[start:])
    assert (whole.ended, whole.wrong) == (True, False)
    assert whole.made % (500 * 3) == 0, "whole rows"
    for at in range(start, start + whole.used, 1000):
        parts.feed(LZW[at : at + 1000])
        parts = parts.copy()
    assert (parts.ended, parts.made, parts.used) == (True, whole.made, whole.used)
    broken = Packed()
    broken.feed(LZW[start : start + 2000] + NOISE)
    assert broken.wrong or broken.made != whole.made


def test_damaged_copies_in_pieces_are_borne() -> None:
    for changed in mutants(apart(FIRST, 8192, 4096), 60):
        holds("tiff", changed)
