"""MP3: chains of frames, with and without tags and a header that says how many there are."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, apart, asked, form, holds, together, walk

from triage.carving.forms import Structure
from triage.carving.mpegaudio import sound_of
from triage.carving.window import Window

if TYPE_CHECKING:
    from pathlib import Path

TAGGED, PLAIN = sample("tagged.mp3"), sample("plain.mp3")
FRAME = b"\xff\xfb\x90\x00" + bytes(413)  # MPEG-1 layer III, 128 kbit/s, 44.1 kHz: 417 bytes
ID3V1 = b"TAG" + b"title".ljust(90, b"\0") + b"1999" + bytes(31)


def frames(count: int, seed: int = 0) -> bytes:
    """Frames with noise inside that has no sync bytes."""
    made = bytearray()
    for number in range(count):
        made += FRAME[:4] + NOISE[seed + number * 7 : seed + number * 7 + 413].replace(b"\xff", b"\xfe")
    return bytes(made)


def told(count: int, *, size: int = 0) -> bytes:
    """A first frame with a Xing header, and so many frames behind it."""
    first = bytearray(FRAME)
    struct.pack_into(">4sIII", first, 36, b"Xing", 3, count, size or 417 * (count + 1))
    return bytes(first)


def id3(*content: bytes, version: int = 3, padding: int = 100) -> bytes:
    body = b"".join(content) + bytes(padding)
    size = len(body)
    return b"ID3" + bytes([version, 0, 0, size >> 21, size >> 14 & 127, size >> 7 & 127, size & 127]) + body


def picture(data: bytes) -> bytes:
    body = b"\0image/jpeg\0\3\0" + data
    return b"APIC" + struct.pack(">IH", len(body), 0) + body


def test_samples_end_where_they_do() -> None:
    found = ends_exactly("mp3", TAGGED, checked=True)
    assert found.facts == {"codec": "MPEG-2 layer III", "duration_ms": 1071, "sample_rate": 22050, "channels": 1, "frames": 41}
    found = ends_exactly("mp3", PLAIN, checked=False)
    assert found.facts["frames"] == 41


def test_real_ones_end_where_they_do(evidence_root: Path) -> None:
    names = ["magika/mitra/mp3/id3v1.mp3", "magika/mitra/mp3/id3v2.mp3", "magika/basic/mp3/test.mp3"]
    names += ["file-tests/JW07022A.mp3.testfile", "file-tests/cl8m8ocofedso.testfile"]
    for name in names:
        data = (evidence_root / "types" / name).read_bytes()
        ends_exactly("mp3", data, checked=name.endswith(("id3v1.mp3", "test.mp3")))


@pytest.mark.parametrize(
    "tail", [ID3V1, b"TAG+" + bytes(223) + ID3V1, b"APETAGEX" + struct.pack("<IIII", 2000, 60, 1, 1 << 29) + bytes(68)]
)
def test_tags_behind_belong_to_it(tail: bytes) -> None:
    ends_exactly("mp3", frames(20) + tail, checked=False)


def test_a_last_frame_may_be_cut_by_a_tag() -> None:
    found = ends_exactly("mp3", frames(20) + FRAME[:100] + ID3V1, checked=False)
    assert "cut by the tags" in found.why


def test_lyrics_belong_to_it() -> None:
    lyrics = b"LYRICSBEGININD0000210LYR00010some words000037LYRICS200"
    ends_exactly("mp3", frames(20) + lyrics + ID3V1, checked=False)


def test_the_cover_is_a_part_of_it() -> None:
    cover = b"\xff\xd8\xff\xe0" + NOISE[:900]
    data = id3(b"TIT2" + struct.pack(">IH", 5, 0) + b"\0tone", picture(cover)) + frames(6)
    (part,) = ends_exactly("mp3", data, checked=False).parts
    assert data[part.offset : part.offset + part.length] == cover
    assert part.extension == "jpg"
    unsynchronised = bytearray(data)
    unsynchronised[5] = 0x80
    found = walk("mp3", bytes(unsynchronised))
    assert found is not None
    assert found.parts == ()


def test_zeros_between_tag_and_sound_are_passed() -> None:
    ends_exactly("mp3", id3(padding=0) + bytes(3000) + frames(6), checked=False)


def test_files_put_one_behind_the_other_are_one() -> None:
    data = id3(padding=33) + frames(20) + id3(padding=50) + frames(20, 99)
    assert ends_exactly("mp3", data, checked=False).facts["frames"] == 40


def test_another_file_that_begins_where_the_last_frame_ends_is_not_run_into() -> None:
    # 512 frames of 417 bytes end at a sector's end.
    one, other = frames(512), told(30) + frames(30)
    for data in (one, told(511) + frames(511)):
        assert len(data) % 512 == 0
        found = walk("mp3", data + other)
        assert found is not None
        assert (found.length, found.structure) == (len(data), Structure.COMPLETE)
    whole = told(511) + frames(511)
    found = walk("mp3", whole + frames(40, 3))  # by its own count alone
    assert found is not None
    assert (found.length, found.checked) == (len(whole), True)
    found = walk("mp3", one + id3() + frames(30))
    assert found is not None
    assert found.length == len(one)


def test_one_that_lacks_frames_is_truncated() -> None:
    found = cut("mp3", told(200) + frames(200), 41 * 512)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.why == "its first frame tells of 200 frames, 50 are there"
    assert found.valid is not None
    assert found.valid <= 41 * 512


def test_one_written_over_in_the_middle_is_damaged_when_it_says_where_it_ends() -> None:
    data = told(200) + frames(200)
    found = walk("mp3", overwritten(data, 5 * BLOCK) + bytes(1000))
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(data), Structure.DAMAGED, False)


def test_one_that_does_not_say_so_is_truncated_there() -> None:
    found = walk("mp3", overwritten(frames(200), 5 * BLOCK) + bytes(1000))
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert "go on at byte" in found.why


@pytest.mark.parametrize("at", range(1, 20, 3))
@pytest.mark.parametrize("block", [512, BLOCK])
def test_one_in_two_pieces_is_put_together_by_its_count(at: int, block: int) -> None:
    data = id3(b"TIT2" + struct.pack(">IH", 5, 0) + b"\0tone") + told(200) + frames(200) + ID3V1
    there = apart(data, at * BLOCK, 5 * block)
    window, found = asked("mp3", there, block=block)
    assert found is not None
    rejoined = form("mp3").rejoin(window, found)
    assert rejoined is not None
    assert together(there, rejoined) == data
    assert (rejoined.structure, rejoined.checked, rejoined.facts["frames"]) == (Structure.FRAGMENTED, True, 200)


def test_the_rest_of_another_one_is_not_taken() -> None:
    data, other = told(200) + frames(200), told(200) + frames(199)
    for there in (data[: 5 * BLOCK] + NOISE[:BLOCK] + other[5 * BLOCK :] + NOISE[:5000], data[: 5 * BLOCK] + NOISE):
        window, found = asked("mp3", there, block=BLOCK)
        assert found is not None
        assert form("mp3").rejoin(window, found) is None


def test_that_it_may_have_gone_on_is_said() -> None:
    found = cut("mp3", frames(200), 41 * 512)
    assert found is not None
    assert "may have gone on" in found.why
    found = cut("mp3", frames(200), 5 * BLOCK)  # at the start of a cluster
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    found = walk("mp3", frames(200) + bytes(4096))
    assert found is not None
    assert "may have gone on" not in found.why


def test_one_whose_last_frame_crosses_the_edge_of_free_space_is_truncated() -> None:
    data = frames(40) + bytes(4096)
    window = Window(lambda at, size: data[at : at + size], len(data), joints=lambda a, b: [at for at in (16384,) if a < at <= b])
    found = asked("mp3", data)[1]
    assert found is not None
    assert found.structure is Structure.COMPLETE
    found = form("mp3").walk(window)
    assert found is not None
    assert found.structure is Structure.TRUNCATED


def test_the_space_may_end_inside_it() -> None:
    found = walk("mp3", frames(40)[:-100])
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 40 * 417 - 100)


def test_few_frames_without_more_are_none() -> None:
    assert walk("mp3", frames(15) + NOISE[:9000]) is None
    assert walk("mp3", id3() + frames(3) + NOISE[:9000]) is None
    assert walk("mp3", frames(6) + ID3V1) is not None


def test_a_chain_keeps_version_layer_and_rate() -> None:
    other = b"\xff\xfb\x94\x00" + bytes(380)  # 48 kHz
    assert walk("mp3", (FRAME + other) * 20) is None
    assert sound_of(FRAME[:4]).hertz == 44100
    assert sound_of(other[:4]).hertz == 48000


def test_layer_two_is_named_so() -> None:
    frame = b"\xff\xfd\x90\x00" + bytes(518)  # 160 kbit/s, 44.1 kHz: 522 bytes
    found = walk("mp3", frame * 20 + bytes(600))
    assert found is not None
    assert (found.extension, found.length, found.facts["duration_ms"]) == ("mp2", 20 * 522, 20 * 1152 * 1000 // 44100)


def test_what_only_begins_like_one_is_none() -> None:
    is_never("mp3", [FRAME[:4], id3(), id3(padding=0)[:6] + b"\x7f\x7f\x7f\x7f", told(10)[:300], b"\xff\xfb\x90\x00\xff\xfb\x90\x00"])


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("mp3") == 0


@given(st.sampled_from([FRAME[:4], id3(), frames(16), told(50) + frames(10), TAGGED[:1000]]), st.binary(max_size=3000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("mp3", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("mp3", [TAGGED, told(40) + frames(40), id3(picture(NOISE[:500])) + frames(20) + ID3V1])
