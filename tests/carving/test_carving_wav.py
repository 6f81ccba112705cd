"""WAV: lengths that agree, and samples that are sound."""

from __future__ import annotations

import math
import struct
from array import array
from typing import TYPE_CHECKING

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, holds, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)


def fmt(*, codec: int = 1, channels: int = 1, hertz: int = 8000, bits: int = 16) -> bytes:
    frame = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", codec, channels, hertz, hertz * frame, frame, bits))


def tone(samples: int, volume: int = 20_000) -> bytes:
    return array("h", (int(volume * math.sin(n / 9)) for n in range(samples))).tobytes()


def wav(sound: bytes, *, head: bytes = b"", behind: bytes = b"", wrong: int = 0) -> bytes:
    body = b"WAVE" + (head or fmt()) + chunk(b"data", sound) + behind
    return b"RIFF" + struct.pack("<I", len(body) + wrong) + body


TONE = wav(tone(40_000))


def test_a_tone_ends_where_it_does() -> None:
    found = ends_exactly("wav", TONE, checked=False)
    assert found.facts == {"codec": "PCM", "duration_ms": 5000, "sample_rate": 8000, "channels": 1, "bits": 16}


def test_real_ones_end_where_they_do(evidence_root: Path) -> None:
    for name in ("mitra/wav/riff.wav", "basic/wav/test.wav"):
        ends_exactly("wav", (evidence_root / "types/magika" / name).read_bytes(), checked=False)


@pytest.mark.parametrize(
    "behind", [chunk(b"LIST", b"INFOISFT\x04\0\0\0abc\0"), chunk(b"id3 ", b"ID3" + bytes(40)) + chunk(b"cue ", bytes(28))]
)
def test_chunks_behind_the_sound_belong_to_it(behind: bytes) -> None:
    ends_exactly("wav", wav(tone(9000), behind=behind), checked=False)


@pytest.mark.parametrize("wrong", [-8, -1, 1, 8])
def test_a_length_that_is_a_little_wrong_is_passed(wrong: int) -> None:
    data = wav(tone(9000), wrong=wrong)
    found = walk("wav", data + bytes(1000))
    assert found is not None
    assert (found.length, found.structure) == (len(data), Structure.COMPLETE)


def test_an_odd_length_has_padding_or_not() -> None:
    head = fmt(codec=7, bits=8)
    ends_exactly("wav", wav(NOISE[:9001], head=head), checked=False)


def test_a_large_one_has_its_length_in_a_chunk_of_its_own() -> None:
    sound = tone(9000)
    for magic in (b"RF64", b"BW64"):
        tail = chunk(b"LIST", b"INFOISFT\x04\0\0\0abc\0")
        body = b"WAVE" + chunk(b"ds64", struct.pack("<QQQI", 0, len(sound), 9000, 0)) + fmt() + b"data\xff\xff\xff\xff" + sound + tail
        data = bytearray(magic + b"\xff\xff\xff\xff" + body)
        struct.pack_into("<Q", data, 20, len(body))
        assert ends_exactly("wav", bytes(data), checked=False).facts["duration_ms"] == 1125


def test_one_that_something_is_written_over_is_told() -> None:
    found = walk("wav", overwritten(TONE, 5 * BLOCK) + bytes(1000))
    assert found is not None
    assert (found.length, found.structure, found.valid) == (len(TONE), Structure.DAMAGED, 5 * BLOCK)
    found = cut("wav", TONE, 9 * BLOCK)
    assert found is not None
    assert (found.structure, found.valid) == (Structure.TRUNCATED, 9 * BLOCK)


def test_sound_that_is_noise_from_the_start_is_sound() -> None:
    data = wav(NOISE[:90_000])
    found = walk("wav", data)
    assert found is not None
    assert found.structure is Structure.COMPLETE


def test_loud_stereo_sound_is_no_noise() -> None:
    both = array("h")
    for n in range(30_000):
        both.extend((int(32_000 * math.sin(n / 7)), int(32_000 * math.cos(n / 3.1))))
    ends_exactly("wav", wav(both.tobytes(), head=fmt(channels=2)), checked=False)


def test_the_space_may_end_inside_it() -> None:
    found = walk("wav", TONE[:30_000])
    assert found is not None
    assert (found.structure, found.length, found.valid) == (Structure.TRUNCATED, 30_000, 44)
    assert found.facts["duration_ms"] == (30_000 - 44) // 16


def test_a_recording_that_was_not_ended_is_truncated() -> None:
    for size in (b"\0\0\0\0", b"\xff\xff\xff\xff"):
        data = TONE[:4] + size + TONE[8:40] + b"\xff\xff\xff\xff" + TONE[44:]
        found = walk("wav", data)
        assert found is not None
        assert found.structure is Structure.TRUNCATED
        assert "not ended" in found.why


def test_lengths_that_do_not_agree_are_told() -> None:
    data = wav(tone(9000), wrong=5000)
    found = walk("wav", data + NOISE[:9000])
    assert found is not None
    assert found.structure is Structure.DAMAGED
    assert "is no chunk of it" in found.why


@pytest.mark.parametrize(
    "head",
    [
        fmt(channels=0),
        fmt(channels=65),
        fmt(hertz=10),
        chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, 8000, 16_000, 2, 16)),
        chunk(b"fmt ", bytes(16)),
        chunk(b"fmt ", b"\1\0"),
        chunk(b"LIST", b"INFO"),
    ],
)
def test_a_format_whose_numbers_do_not_agree_is_none(head: bytes) -> None:
    assert walk("wav", wav(tone(9000), head=head)) is None


def test_what_only_begins_like_one_is_none() -> None:
    is_never("wav", [b"RIFF\xff\xff\0\0WAVE", TONE[:30], TONE[:12] + b"data", b"RF64\xff\xff\xff\xffWAVE", b"RIFF\0\0\0\0WAVE"])


@given(st.sampled_from([b"RIFF\0\0\1\0WAVE", TONE[:44], TONE[:36], b"RF64\xff\xff\xff\xffWAVEds64"]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("wav", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("wav", [TONE[:44] + TONE[44:5000], wav(tone(2000), behind=chunk(b"LIST", bytes(30)))])
