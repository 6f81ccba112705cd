"""WebP: a RIFF whose chunks end where its length says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, noise_picture, samples, saved, walk

from triage.carving.forms import Structure
from triage.carving.riff import walk_chunks
from triage.carving.window import window_of

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = noise_picture(200, 150)
LOSSY, LOSSLESS = saved(PICTURE, "WEBP"), saved(PICTURE, "WEBP", lossless=True)
WITH_EXIF = saved(PICTURE, "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0" + bytes(30))
FRAMES = [noise_picture(90 + n, 70).crop((n, 0, n + 90, 70)) for n in range(5)]
MOVING = saved(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:])
ALL = {"lossy": LOSSY, "lossless": LOSSLESS, "exif": WITH_EXIF, "moving": MOVING}


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def chunk(name: bytes, data: bytes) -> bytes:
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) & 1)


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_where_their_length_says(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/*/webp/*.webp"):
        walked = walk("webp", data + behind)
        assert walked is not None, name
        assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE), name
        seen += 1
    assert seen == 2


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("name", ALL)
def test_made_ones_end_where_their_length_says(name: str, behind: bytes) -> None:
    data = ALL[name]
    walked = walk("webp", data + behind)
    assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE)
    assert (walked.facts["width"], walked.facts["height"]) == ((90, 70) if name == "moving" else (200, 150))
    assert walked.facts.get("frames") == (5 if name == "moving" else None)
    assert walked.checked == (name in {"exif", "moving"}), "chunks behind the picture stand where they should"


def test_one_whose_next_chunk_is_not_there_is_cut_off() -> None:
    for data, cut in ((WITH_EXIF, len(WITH_EXIF) // 2), (MOVING, len(MOVING) // 2)):
        walked = walk("webp", data[:cut] + NOISE[: len(data)])
        assert walked.structure is Structure.TRUNCATED
        assert not walked.checked
        assert walked.length <= len(data)


def test_one_that_the_space_cuts_off_is_cut_off() -> None:
    walked = walk("webp", LOSSY[: len(LOSSY) // 2])
    assert (walked.structure, walked.length, walked.why) == (Structure.TRUNCATED, len(LOSSY) // 2, "the space ends inside it")
    assert walk("webp", LOSSY[:100]) is None, "too little to show anything"


def test_zeros_among_coded_pixels_are_damage() -> None:
    for data in (LOSSY, LOSSLESS, WITH_EXIF):
        middle = len(data) // 2
        walked = walk("webp", data[:middle] + bytes(1024) + data[middle + 1024 :] + NOISE[:99])
        assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.DAMAGED, False)


@pytest.mark.parametrize(
    "data",
    [
        riff(chunk(b"VP8 ", NOISE[:3000])),
        riff(chunk(b"VP8L", b"\x2f\xff\xff\xff\xff" + NOISE[:3000])),
        riff(chunk(b"VP8X", bytes(10)), NOISE[:3000]),
        riff(chunk(b"VP8X", bytes(10)), chunk(b"EXIF", bytes(100))),
        riff(chunk(b"VP8X", b"\xff" + bytes(9)), LOSSY[12:]),
        riff(chunk(b"JUNK", bytes(10)), LOSSY[12:]),
        LOSSY[:4] + bytes(4) + LOSSY[8:],
        b"RIFF\xff\xff\0\0WEBPVP8 " + bytes(5000),
    ],
    ids=["noise", "no such version", "noise behind VP8X", "no picture", "no such flags", "another chunk", "no length", "zeros"],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("webp", data + NOISE[:5000]) is None


def test_a_length_that_lies_ends_with_the_chunks() -> None:
    walked = walk("webp", LOSSY[:4] + b"\xf0\xff\xff\x7f" + LOSSY[8:] + NOISE)
    assert (walked.structure, walked.length) == (Structure.TRUNCATED, len(LOSSY))


def test_countless_chunks_are_read_in_few_steps() -> None:
    data = riff(WITH_EXIF[12:], chunk(b"abcd", b"") * 90_000)
    window, walked = asked("webp", data)
    assert walked is not None
    assert walked.length == len(data)
    assert window.spent < 3 * len(data)


def test_chunks_are_walked_with_and_without_their_padding() -> None:
    padded = chunk(b"one ", b"abc") + chunk(b"two ", b"")
    bare = b"one \3\0\0\0abc" + chunk(b"two ", b"12345678")
    for data in (padded, bare):
        found = list(walk_chunks(window_of(data), 0, len(data)))
        assert [(c.name, c.size) for c in found] == [(b"one ", 3), (b"two ", 0 if data is padded else 8)]
        assert found[-1].end == len(data)
    assert [c.name for c in walk_chunks(window_of(padded + NOISE), 0, len(padded) + 99)] == [b"one ", b"two "]
    assert list(walk_chunks(window_of(b"\0\0\0\0" + padded), 0, 30)) == []
    assert len(list(walk_chunks(window_of(chunk(b"abcd", b"") * 100), 0, 800, most=7))) == 7


@given(st.binary(max_size=600), st.sampled_from([12, 16, 20, 30]), st.sampled_from(sorted(ALL)))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int, name: str) -> None:
    holds("webp", ALL[name][:kept] + behind)


def test_damaged_copies_are_borne() -> None:
    for changed in [*mutants(MOVING, 300), *mutants(WITH_EXIF, 200)]:
        holds("webp", changed + NOISE[:3000])


def test_the_allowance_ends_a_walk() -> None:
    assert holds("webp", LOSSY, allowance=500) is None
