"""AAC in ADTS: a chain of frames with one header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from av_support import cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, holds, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from collections.abc import Sequence

AAC = sample("sound.aac")
ID3 = b"ID3\4\0\0\0\0\0\x14" + bytes(20)


def frame(size: int, seed: int = 0, *, profile: int = 1, rate: int = 4, channels: int = 2) -> bytes:
    length = size + 7
    third = profile << 6 | rate << 2 | channels >> 2
    head = bytes((0xFF, 0xF1, third, (channels & 3) << 6 | length >> 11, length >> 3 & 255, (length & 7) << 5 | 0x1F, 0xFC))
    return head + NOISE[seed : seed + size].replace(b"\xff", b"\xfe")


def frames(sizes: Sequence[int]) -> bytes:
    return b"".join(frame(size, number * 11) for number, size in enumerate(sizes))


def test_samples_end_where_they_do() -> None:
    found = ends_exactly("adts", AAC, checked=False)
    assert found.facts == {"codec": "AAC LC", "duration_ms": 1068, "sample_rate": 22050, "channels": 1, "frames": 23}


def test_frames_of_all_lengths_are_followed() -> None:
    ends_exactly("adts", frames([1, 8184, 300, 2, 700] * 40), checked=False)


def test_tags_before_and_behind_belong_to_it() -> None:
    ends_exactly("adts", ID3 + frames([300] * 8), checked=False)
    ends_exactly("adts", frames([300] * 20) + b"TAG" + bytes(90) + b"1999" + bytes(31), checked=False)


def test_few_frames_are_none() -> None:
    assert walk("adts", frames([300] * 15) + NOISE[:5000]) is None
    assert walk("adts", ID3 + frames([300] * 3) + NOISE[:5000]) is None


def test_frames_with_another_header_end_it() -> None:
    data = frames([300] * 20)
    for other in (frame(300, rate=3), frame(300, profile=0), frame(300, channels=1)):
        found = walk("adts", data + other * 5 + bytes(700))
        assert found is not None
        assert found.length == len(data)


def test_one_written_over_in_the_middle_is_truncated_there() -> None:
    data = frames([300, 280] * 200)
    found = walk("adts", overwritten(data, 3 * 4096) + bytes(700))
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid is not None
    assert found.valid <= 3 * 4096
    assert "go on at byte" in found.why


def test_that_it_may_have_gone_on_is_said() -> None:
    found = cut("adts", frames([300] * 200), 29 * 512)
    assert found is not None
    assert "may have gone on" in found.why
    found = cut("adts", frames([300] * 200), 8 * 4096)  # at the start of a cluster
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 8 * 4096 // 307 * 307 + 307)


def test_the_space_may_end_inside_it() -> None:
    found = walk("adts", frames([300] * 20)[:-1])
    assert found is not None
    assert found.structure is Structure.TRUNCATED


def test_what_only_begins_like_one_is_none() -> None:
    is_never("adts", [frame(300)[:7], frame(300), ID3, ID3 + frame(20), frame(300, rate=13)])


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("adts") == 0


@given(st.sampled_from([frame(300)[:7], ID3, frames([20] * 16), AAC[:1500]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("adts", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("adts", [AAC, ID3 + AAC])
