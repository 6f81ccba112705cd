"""JPEG 2000: tile-parts that say how long they are, in boxes or alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, noise_picture, samples, saved, walk
from PIL import features

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

if not features.check("jpg_2000"):
    pytest.skip("this Pillow cannot write JPEG 2000", allow_module_level=True)

PICTURE = noise_picture(200, 150)
BOXED = saved(PICTURE, "JPEG2000", tile_size=(64, 64))
BARE = saved(PICTURE, "JPEG2000", tile_size=(64, 64), no_jp2=True)


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_at_their_end_marker(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/*/jp2*.jp2"):
        walked = walk("jp2", data + behind)
        assert walked is not None, name
        assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True), name
        seen += 1
    assert seen == 2


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize(("data", "extension"), [(BOXED, "jp2"), (BARE, "j2k")], ids=["boxed", "bare"])
def test_made_ones_end_at_their_end_marker(data: bytes, extension: str, behind: bytes) -> None:
    walked = walk("jp2", data + behind)
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)
    assert (walked.extension, walked.facts) == (extension, {"width": 200, "height": 150})


def test_a_last_box_without_a_length_ends_with_its_codestream() -> None:
    at = BOXED.index(b"jp2c") - 4
    data = BOXED[:at] + bytes(4) + BOXED[at + 4 :]
    assert walk("jp2", data + NOISE[:5000]).length == len(data)


def test_boxes_behind_the_picture_are_its_own() -> None:
    data = BOXED + b"\0\0\0\x0cxml <x/>" + b"\0\0\0\x18uuid" + bytes(16)
    assert walk("jp2", data + NOISE[:5000]).length == len(data)


@pytest.mark.parametrize("data", [BOXED, BARE], ids=["boxed", "bare"])
def test_other_bytes_among_the_coded_data_are_damage(data: bytes) -> None:
    inside = data.index(b"\xff\x93", len(data) // 2) + 20
    walked = walk("jp2", data[:inside] + NOISE[:1000] + data[inside + 1000 :] + bytes(99))
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.DAMAGED, False)
    assert inside <= walked.valid <= inside + 1000


@pytest.mark.parametrize("data", [BOXED, BARE], ids=["boxed", "bare"])
@pytest.mark.parametrize("behind", [NOISE, bytes(40_000), b""], ids=["noise", "zeros", "nothing"])
def test_one_that_breaks_off_is_cut_off(data: bytes, behind: bytes) -> None:
    cut = len(data) * 2 // 3
    walked = walk("jp2", data[:cut] + behind)
    assert walked.structure is Structure.TRUNCATED
    assert cut // 3 < walked.length <= cut + 4096


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\x4f\xff\x51\0" + NOISE,
        b"\xff\x4f\xff\x51\0" + bytes(999),
        b"\0\0\0\x0cjP  \r\n\x87\n" + NOISE,
        BARE[: BARE.index(b"\xff\x90")] + NOISE,
        BOXED[: BOXED.index(b"\xff\x90") + 20] + NOISE,
    ],
    ids=["noise", "zeros", "no box", "no tile", "noise for a tile"],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("jp2", data) is None


def test_tile_parts_without_end_stop() -> None:
    start = BARE.index(b"\xff\x90")
    part = b"\xff\x90\0\x0a\0\0\0\0\0\x0e\0\1\xff\x93"
    window, walked = asked("jp2", BARE[:start] + part * 20_000)
    assert walked is not None
    assert walked.structure is Structure.TRUNCATED
    assert window.spent < 16 << 20


@given(st.binary(max_size=400), st.sampled_from([5, 12, 40, 200]), st.sampled_from([BOXED, BARE]))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int, data: bytes) -> None:
    holds("jp2", data[:kept] + behind)


def test_damaged_copies_are_borne() -> None:
    for changed in [*mutants(BOXED, 200), *mutants(BARE, 200)]:
        holds("jp2", changed + NOISE[:3000])
