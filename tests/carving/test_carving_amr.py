"""AMR: frames of 20 ms, of a few lengths, behind a line of text."""

from __future__ import annotations

import random

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, asked, holds, walk

from triage.carving.forms import Structure

NARROW = (12, 13, 15, 17, 19, 20, 26, 31, 5)
WIDE = (17, 23, 32, 36, 40, 46, 50, 58, 60, 5)


def recording(kinds: list[int], *, wide: bool = False) -> bytes:
    """A recording with frames of these kinds: 15 has no content."""
    chance = random.Random(len(kinds))
    made = bytearray(b"#!AMR-WB\n" if wide else b"#!AMR\n")
    for kind in kinds:
        made += bytes([kind << 3 | 4]) + chance.randbytes(0 if kind == 15 else (WIDE if wide else NARROW)[kind])
    return bytes(made)


@pytest.mark.parametrize("kind", range(8))
def test_each_rate_ends_where_it_does(kind: int) -> None:
    found = ends_exactly("amr", recording([kind] * 300), checked=False)
    assert found.facts == {"codec": "AMR", "duration_ms": 6000, "frames": 300}


def test_wide_band_has_an_extension_of_its_own() -> None:
    found = ends_exactly("amr", recording([8, 2, 9, 15] * 100, wide=True), checked=False)
    assert (found.extension, found.facts["codec"]) == ("awb", "AMR-WB")


def test_silence_between_speech_belongs_to_it() -> None:
    ends_exactly("amr", recording(([7] * 20 + [8] + [15] * 7) * 20), checked=False)


def test_zeros_are_no_frames() -> None:
    data = recording([0] * 60)
    found = walk("amr", data + bytes(10_000))
    assert found is not None
    assert found.length == len(data)


def test_a_few_bytes_that_look_like_another_frame_do_not_make_it_longer() -> None:
    data = recording([7] * 100)
    found = walk("amr", data + b"\x04" + NOISE[:12] + b"\xff" + NOISE[:5000])
    assert found is not None
    assert found.length == len(data)


def test_one_written_over_in_the_middle_is_truncated_there() -> None:
    found = walk("amr", overwritten(recording([7] * 1000), 3 * BLOCK) + bytes(900))
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid is not None
    assert found.valid <= 3 * BLOCK


def test_that_it_may_have_gone_on_is_said() -> None:
    found = walk("amr", recording([7] * 1000)[: 3 * BLOCK] + NOISE[:9000])
    assert found is not None
    assert "may have gone on" in found.why
    found = cut("amr", recording([7] * 1000), 3 * BLOCK)  # clusters of 4096 bytes
    assert found is not None
    assert found.structure is Structure.TRUNCATED


def test_the_space_may_end_inside_it() -> None:
    found = walk("amr", recording([7] * 100)[:-3])
    assert found is not None
    assert (found.structure, found.facts["frames"]) == (Structure.TRUNCATED, 100)


def test_few_frames_are_none() -> None:
    assert walk("amr", recording([7] * 9) + NOISE[:900].replace(b"\x3c", b"\0")) is None


def test_frames_without_content_only_are_none_and_not_followed() -> None:
    window, found = asked("amr", b"#!AMR\n" + b"\x7c" * 10_000_000)
    assert found is None
    assert window.spent < 1_000_000


def test_what_only_begins_like_one_is_none() -> None:
    is_never("amr", [b"#!AMR\n", b"#!AMR-WB\n", b"#!AMR\n\x3c"])


@given(st.sampled_from([b"#!AMR\n", b"#!AMR-WB\n", recording([7, 8, 15] * 20)]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("amr", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("amr", [recording([7, 8, 15, 3] * 100), recording([8, 9] * 60, wide=True)])
