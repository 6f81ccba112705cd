"""AVI: frames and their index, in one RIFF or several; of cut ones the frames that are there."""

from __future__ import annotations

import struct

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, sample, survives
from carving_media import Memory, area
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, asked, holds, walk

from triage.carving.carver import Carver
from triage.carving.forms import Structure

SAMPLE = sample("film.avi")


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)


def header(frames: int, *, micros: int = 40_000) -> bytes:
    avih = struct.pack("<14I", micros, 0, 0, 0x10, frames, 0, 1, 0, 320, 240, 0, 0, 0, 0)
    strh = b"vidsMJPG" + struct.pack("<12I", 0, 0, 0, 1, 25, 0, frames, 0, 0, 0, 0, 0)
    strf = struct.pack("<IiiHH4sIiiII", 40, 320, 240, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    stream = chunk(b"LIST", b"strl" + chunk(b"strh", strh) + chunk(b"strf", strf))
    return chunk(b"LIST", b"hdrl" + chunk(b"avih", avih) + stream)


def frames(count: int, size: int = 3001, seed: int = 0) -> list[bytes]:
    return [chunk(b"00dc", NOISE[seed + n * 5 : seed + n * 5 + size]) for n in range(count)]


def index(pictures: list[bytes], start: int = 4) -> bytes:
    made = b""
    for picture in pictures:
        made += b"00dc" + struct.pack("<III", 0x10, start, len(picture) - 8)
        start += len(picture)
    return chunk(b"idx1", made)


def film(count: int, *, size: int = 3001, with_index: bool = True) -> bytes:
    pictures = frames(count, size)
    movi = chunk(b"LIST", b"movi" + b"".join(pictures))
    return chunk(b"RIFF", b"AVI " + header(count) + chunk(b"JUNK", bytes(100)) + movi + (index(pictures) if with_index else b""))


FILM = film(40)


def test_samples_end_where_they_do() -> None:
    found = ends_exactly("avi", SAMPLE, checked=True)
    assert found.facts == {"codec": "FMP4, MP2", "duration_ms": 1000, "frames": 10, "height": 48, "width": 64}
    found = ends_exactly("avi", FILM, checked=True)
    assert found.facts == {"codec": "MJPG", "duration_ms": 1600, "frames": 40, "height": 240, "width": 320}


def test_one_without_an_index_is_not_checked() -> None:
    ends_exactly("avi", film(10, with_index=False), checked=False)


def test_it_goes_on_in_further_riffs() -> None:
    more = chunk(b"RIFF", b"AVIX" + chunk(b"LIST", b"movi" + b"".join(frames(30, 2000, 3)) + chunk(b"ix00", bytes(64))))
    found = ends_exactly("avi", FILM + more + more, checked=True)
    assert found.facts["frames"] == 100
    found = cut("avi", FILM + more + more, len(FILM) + len(more) + 9000)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.facts["frames"] == 40 + 30 + 5


def test_frames_in_lists_of_records_are_counted() -> None:
    pictures = frames(20)
    records = b"".join(chunk(b"LIST", b"rec " + b"".join(pictures[n : n + 4])) for n in range(0, 20, 4))
    data = chunk(b"RIFF", b"AVI " + header(20) + chunk(b"LIST", b"movi" + records))
    assert ends_exactly("avi", data, checked=False).facts["frames"] == 20


@pytest.mark.parametrize("at", [5, 12, 25])
def test_of_a_cut_one_the_frames_are_counted(at: int) -> None:
    found = cut("avi", FILM, at * BLOCK)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    there = (at * BLOCK - 400) // 3010 + 1
    assert found.facts["frames"] in (there - 1, there, there + 1)
    assert found.valid is not None
    assert found.valid <= at * BLOCK
    assert "of 40 frames are there" in found.why


def test_one_written_over_in_the_middle_is_damaged() -> None:
    found = walk("avi", overwritten(FILM, 10 * BLOCK) + bytes(3000))
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(FILM), Structure.DAMAGED, False)


def test_an_index_that_does_not_lead_to_the_frames_is_told() -> None:
    pictures = frames(20)
    wrong = index(pictures[:10] + frames(10, 3100))
    data = chunk(b"RIFF", b"AVI " + header(20) + chunk(b"LIST", b"movi" + b"".join(pictures)) + wrong)
    found = walk("avi", data + bytes(900))
    assert found is not None
    assert (found.length, found.structure) == (len(data), Structure.DAMAGED)
    assert "entries of its index" in found.why


def test_one_around_a_whole_file_is_put_together() -> None:
    other = sample("film.ts")
    other += bytes(-len(other) % BLOCK)
    data = FILM[: 8 * BLOCK] + other + FILM[8 * BLOCK :] + bytes(8192)
    found = list(Carver(Memory(data), area((0, len(data)), block=BLOCK)).unit(0, len(data)))
    assert [(one.format, one.structure) for one in found] == [("avi", Structure.FRAGMENTED), ("mpeg_ts", Structure.COMPLETE)]
    assert b"".join(data[at : at + size] for at, size in found[0].pieces) == FILM


def test_the_space_may_end_inside_it() -> None:
    found = walk("avi", FILM[:50_000])
    assert found is not None
    assert (found.structure, found.length, found.facts["frames"]) == (Structure.TRUNCATED, 50_000, 16)


def test_a_recording_that_was_not_ended_has_the_frames_that_are_there() -> None:
    data = bytearray(film(20, with_index=False))
    data[4:8] = bytes(4)
    at = data.index(b"movi") - 4
    data[at : at + 4] = bytes(4)
    found = walk("avi", bytes(data) + NOISE[:9000])
    assert found is not None
    assert (found.length, found.structure, found.facts["frames"]) == (len(data), Structure.TRUNCATED, 20)
    assert "not ended" in found.why


def test_countless_empty_frames_are_bounded() -> None:
    data = b"RIFF\xf0\xff\xff\x7fAVI " + header(5) + b"LIST\xf0\xff\xff\x6fmovi" + b"00dc\0\0\0\0" * 50_000
    window, found = asked("avi", data, allowance=3 * len(data) + (1 << 20))
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert window.spent < 3 * len(data)


def test_what_only_begins_like_one_is_none() -> None:
    start = FILM[: FILM.index(b"movi") + 4]
    is_never(
        "avi", [b"RIFF\xff\xff\xff\x7fAVI ", start[:100], start, b"RIFF\0\0\0\0AVI LIST", FILM[:12] + FILM[12:].replace(b"00dc", b"zzzz")]
    )


@given(st.sampled_from([b"RIFF\0\0\1\0AVI ", FILM[:400], FILM[:3400], SAMPLE[:6000]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("avi", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("avi", [SAMPLE, film(8, size=300)])
