"""FLV: tags with their length before and behind them."""

from __future__ import annotations

import struct

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, asked, holds, walk

from triage.carving.forms import Structure

SAMPLE = sample("film.flv")
HEAD = b"FLV\1\5\0\0\0\x09\0\0\0\0"


def tag(kind: int, content: bytes, time: int = 0, *, short: bool = False) -> bytes:
    head = bytes([kind]) + len(content).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big") + bytes([time >> 24]) + bytes(3)
    return head + content + (len(content) + (0 if short else 11)).to_bytes(4, "big")


def script(**numbers: float) -> bytes:
    made = b"\2\0\x0aonMetaData\x08" + len(numbers).to_bytes(4, "big")
    for name, value in numbers.items():
        made += len(name).to_bytes(2, "big") + name.encode() + b"\0" + struct.pack(">d", value)
    return tag(18, made + b"\0\0\x09")


def tags(count: int, *, short: bool = False) -> bytes:
    made = b""
    for n in range(count):
        made += tag(9, b"\x27" + NOISE[n : n + 1500], n * 40, short=short) + tag(8, b"\xaf" + NOISE[n : n + 200], n * 40, short=short)
    return made


def film(count: int, **numbers: float) -> bytes:
    return HEAD + script(duration=count / 25, width=320, height=240, **numbers) + tags(count)


FILM = film(50)


def test_samples_end_where_they_do() -> None:
    found = ends_exactly("flv", SAMPLE, checked=True)
    assert found.facts == {"duration_ms": 1045, "frames": 10, "width": 64, "height": 48, "codec": "Sorenson H.263, MP3"}
    found = ends_exactly("flv", FILM, checked=False)
    assert found.facts == {"duration_ms": 1960, "frames": 50, "width": 320, "height": 240, "codec": "H.264, AAC"}


def test_one_that_says_how_long_it_is_is_checked() -> None:
    ends_exactly("flv", film(50, filesize=len(film(50, filesize=0))), checked=True)


def test_lengths_behind_may_leave_out_the_header() -> None:
    ends_exactly("flv", HEAD + tags(20, short=True), checked=False)


@pytest.mark.parametrize("at", [3, 10, 17])
def test_a_cut_one_is_truncated_at_its_last_right_tag(at: int) -> None:
    found = cut("flv", FILM, at * BLOCK)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid is not None
    assert at * BLOCK - 1600 < found.valid <= at * BLOCK
    assert abs(int(found.facts["frames"]) - at * BLOCK // 1735) <= 1


def test_one_that_ends_too_early_at_a_sectors_end_is_truncated() -> None:
    start = HEAD + script(duration=100)
    body = tags(20)
    fill = tag(8, b"\xaf" + bytes((-len(start) - len(body) - 16) % 512), 800)
    found = walk("flv", start + body + fill + NOISE[:9000])
    assert found is not None
    assert len(start + body + fill) % 512 == 0
    assert (found.structure, found.length) == (Structure.TRUNCATED, len(start + body + fill))
    assert "earlier than its script tag says" in found.why


def test_one_written_over_in_the_middle_is_damaged() -> None:
    found = walk("flv", overwritten(FILM, 6 * BLOCK) + bytes(900))
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(FILM), Structure.DAMAGED, False)
    assert found.valid is not None
    assert found.valid <= 6 * BLOCK


def test_another_film_is_not_taken_for_the_rest() -> None:
    data = FILM[: 6 * BLOCK] + NOISE[:BLOCK] + FILM
    found = walk("flv", data)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid is not None
    assert found.valid <= 6 * BLOCK


def test_the_space_may_end_inside_it() -> None:
    found = walk("flv", FILM[:30_000])
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 30_000)


def test_a_script_tag_alone_is_none() -> None:
    assert walk("flv", HEAD + script(duration=3) + NOISE[:5000]) is None


def test_countless_things_that_look_like_tags_are_bounded() -> None:
    flood = FILM[:9000] + (b"\x09\0\x10\0" + (300).to_bytes(3, "big") + b"\0" + bytes(3)) * 40_000
    window, found = asked("flv", flood)
    assert found is not None
    assert window.spent < 20 * len(flood)


def test_what_only_begins_like_one_is_none() -> None:
    is_never(
        "flv",
        [b"FLV\1", b"FLV\1\5\0\0\0\x09", HEAD, HEAD + script(duration=3), b"FLV\1\xff\0\0\0\x09\0\0\0\0" + tags(2), HEAD + b"\x09\0\0\0"],
    )


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("flv", 1000) == 0


@given(st.sampled_from([b"FLV\1", HEAD, FILM[:5000], SAMPLE[:2000]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("flv", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("flv", [SAMPLE, film(8)])
