"""MPEG program streams: packs with a clock, and packets with their lengths."""

from __future__ import annotations

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, apart, asked, holds, together, walk

from triage.carving.forms import Structure

MPG, VOB = sample("film.mpg"), sample("film.vob")
END = b"\0\0\1\xb9"
SYSTEM = b"\0\0\1\xbb\0\x06" + bytes(6)


def pack(clock: int, *, second: bool = True) -> bytes:
    high, middle, low = clock >> 30, clock >> 15 & 0x7FFF, clock & 0x7FFF
    if second:
        value = 0b01 << 46 | high << 43 | 1 << 42 | middle << 27 | 1 << 26 | low << 11 | 1 << 10 | 1
        return b"\0\0\1\xba" + value.to_bytes(6, "big") + b"\x01\x89\xc3\xf8"
    value = 0b0010 << 36 | high << 33 | 1 << 32 | middle << 17 | 1 << 16 | low << 1 | 1
    return b"\0\0\1\xba" + value.to_bytes(5, "big") + b"\x80\x01\x89"


def packet(code: int, size: int, seed: int) -> bytes:
    return b"\0\0\1" + bytes([code]) + size.to_bytes(2, "big") + NOISE[seed : seed + size].replace(b"\0\0\1", b"\1\1\1")


def film(packs: int, *, second: bool = True, start: int = 900, end: bytes = b"", size: int = 2048) -> bytes:
    made = b""
    for n in range(packs):
        head = pack(start + n * 3600, second=second) + (SYSTEM if not n else b"")
        made += head + packet(0xE0 if n % 4 else 0xC0, size - len(head) - 6, n)
    return made + end


FILM = film(60, end=END)


def test_samples_end_where_they_do() -> None:
    found = ends_exactly("mpeg_ps", MPG, checked=False)
    assert (found.extension, found.facts["width"], found.facts["height"]) == ("mpg", 64, 48)
    assert found.facts["codec"] == "MPEG-1 video, MPEG audio"
    found = ends_exactly("mpeg_ps", VOB, checked=False)
    assert found.facts["codec"] == "MPEG-2 video, MPEG audio"
    assert abs(int(found.facts["duration_ms"]) - 1000) < 100


@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("end", [END, b""])
@pytest.mark.parametrize("size", [2048, 2324, 9001])
def test_made_ones_end_where_they_do(second: bool, end: bytes, size: int) -> None:
    found = ends_exactly("mpeg_ps", film(40, second=second, end=end, size=size), checked=False)
    assert found.facts["duration_ms"] == 39 * 40
    assert ("end code" in found.why) == bool(end)


def test_it_goes_on_behind_an_end_code_with_another_pack() -> None:
    ends_exactly("mpeg_ps", film(10, end=END) + film(10, start=900 + 36_000), checked=False)


def test_another_file_in_the_next_cluster_is_not_run_into() -> None:
    one = film(40)
    assert len(one) % BLOCK == 0
    found = asked("mpeg_ps", one + film(40), block=BLOCK)[1]
    assert found is not None
    assert (found.length, found.structure) == (len(one), Structure.COMPLETE)


def test_a_clock_that_begins_anew_elsewhere_is_the_same_file() -> None:
    data = film(41) + film(40)
    assert len(film(41)) % BLOCK
    found = asked("mpeg_ps", data + bytes(3000), block=BLOCK)[1]
    assert found is not None
    assert found.length == len(data)


def test_one_written_over_in_the_middle_is_damaged() -> None:
    found = walk("mpeg_ps", overwritten(FILM, 10 * BLOCK) + bytes(900))
    assert found is not None
    assert (found.length, found.structure) == (len(FILM) - BLOCK, Structure.DAMAGED)
    assert found.pieces == ((0, 10 * BLOCK), (11 * BLOCK, len(FILM) - 11 * BLOCK))  # without what is not its own


def test_what_lies_in_between_is_left_out() -> None:
    for size in (2048, 2324, 3000):
        data = film(60, end=END, size=size)
        there = apart(data, 9 * BLOCK, 5 * BLOCK)
        found = asked("mpeg_ps", there, block=BLOCK)[1]
        assert found is not None
        assert found.structure is Structure.DAMAGED
        assert together(there, found) == data


def test_the_rest_of_another_film_is_not_taken_for_its_own() -> None:
    other = film(60, start=90_000 * 900)
    found = walk("mpeg_ps", FILM[: 10 * BLOCK] + NOISE[:BLOCK] + other)
    assert found is not None
    assert (found.length, found.structure) == (10 * BLOCK, Structure.COMPLETE)
    assert "may have gone on" in found.why


def test_that_it_may_have_gone_on_is_said() -> None:
    found = cut("mpeg_ps", FILM, 7 * BLOCK + 512)
    assert found is not None
    assert "may have gone on" in found.why
    assert 7 * BLOCK < found.length <= 7 * BLOCK + 2048


def test_the_space_may_end_inside_it() -> None:
    found = walk("mpeg_ps", FILM[:30_000])
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 30_000)


def test_packs_without_sound_or_picture_are_none_and_not_followed() -> None:
    for flood in (b"".join(pack(n) for n in range(50_000)), b"".join(pack(n) + packet(0xBE, 20, 0) for n in range(20_000))):
        window, found = asked("mpeg_ps", flood)
        assert found is None
        assert window.spent < 600_000


def test_marker_bits_must_be_there() -> None:
    for at, bit in ((4, 0x04), (6, 0x04), (8, 0x04), (9, 0x01), (12, 0x02)):
        data = bytearray(FILM)
        data[at] &= ~bit & 0xFF
        assert walk("mpeg_ps", bytes(data)) is None, at


def test_what_only_begins_like_one_is_none() -> None:
    start = pack(900)
    is_never("mpeg_ps", [b"\0\0\1\xba", start, start + SYSTEM, start + packet(0xE0, 500, 1), pack(900, second=False)])


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("mpeg_ps") == 0


@given(st.sampled_from([b"\0\0\1\xba", pack(900), FILM[:5000], MPG[:3000]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("mpeg_ps", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("mpeg_ps", [MPG, VOB, film(6, second=False, size=300)])
