"""FLAC: frames with running numbers and checksums, up to as many samples as its header tells of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, apart, asked, form, holds, together, walk

from triage.carving.crc16 import crc16, wrong_frames
from triage.carving.flacframes import frame_at, frame_size
from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = sample("sound.flac")


def crc8(data: bytes) -> int:
    state = 0
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state << 1 ^ (7 if state & 0x80 else 0)) & 0xFF
    return state


def slow_crc16(data: bytes) -> int:
    state = 0
    for byte in data:
        state ^= byte << 8
        for _ in range(8):
            state = (state << 1 ^ (0x8005 if state & 0x8000 else 0)) & 0xFFFF
    return state


def frame(number: int, samples: int = 2048, seed: int = 0) -> bytes:
    """A frame whose 16-bit samples of one channel are stored plainly."""
    coded = bytes([number]) if number < 128 else bytes([0xC0 | number >> 6, 0x80 | number & 63])
    head = b"\xff\xf8" + bytes([0x70, 0x08]) + coded + (samples - 1).to_bytes(2, "big")
    body = head + bytes([crc8(head)]) + b"\x02" + NOISE[seed + number * 13 : seed + number * 13 + 2 * samples].replace(b"\xff", b"\xfe")
    return body + slow_crc16(body).to_bytes(2, "big")


def block(kind: int, content: bytes, *, last: bool = False) -> bytes:
    return bytes([kind | (128 if last else 0)]) + len(content).to_bytes(3, "big") + content


def stream_info(total: int, samples: int = 2048) -> bytes:
    packed = 44100 << 44 | 0 << 41 | 15 << 36 | total
    return samples.to_bytes(2, "big") * 2 + bytes(6) + packed.to_bytes(8, "big") + bytes(16)


def music(frames: int, *, total: int | None = None, more: bytes = b"", last: int = 700) -> bytes:
    """So many frames, the last one shorter."""
    made = b"fLaC" + block(0, stream_info((frames - 1) * 2048 + last if total is None else total), last=not more) + more
    return made + b"".join(frame(n, 2048 if n < frames - 1 else last) for n in range(frames))


MUSIC = music(10)


def test_samples_end_where_they_do() -> None:
    found = ends_exactly("flac", SAMPLE, checked=True)
    assert found.facts == {"codec": "FLAC", "duration_ms": 1000, "sample_rate": 8000, "channels": 1, "frames": 7}


def test_real_ones_end_where_they_do(evidence_root: Path) -> None:
    for name in ("mitra/flac/flac.flac", "mitra/flac/tiny.flac", "basic/flac/test.flac"):
        ends_exactly("flac", (evidence_root / "types/magika" / name).read_bytes(), checked=True)


def test_many_frames_are_checked() -> None:
    assert ends_exactly("flac", music(60), checked=True).facts["frames"] == 60


def test_one_that_does_not_say_how_long_it_is_ends_at_its_last_right_frame() -> None:
    data = music(5, total=0)
    found = walk("flac", data + b"\0" * (-len(data) % 512 or 512))
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(data), Structure.COMPLETE, True)


def test_tags_before_and_behind_belong_to_it() -> None:
    ends_exactly("flac", b"ID3\4\0\0\0\0\0\x14" + bytes(20) + MUSIC + b"TAG" + bytes(90) + b"1999" + bytes(31), checked=True)


def test_the_cover_is_a_part_of_it() -> None:
    cover = b"\xff\xd8\xff\xe0" + NOISE[:700]
    content = (3).to_bytes(4, "big") + (10).to_bytes(4, "big") + b"image/jpeg" + bytes(4 + 16) + len(cover).to_bytes(4, "big") + cover
    data = music(3, more=block(6, content) + block(1, bytes(300), last=True))
    (part,) = ends_exactly("flac", data, checked=True).parts
    assert data[part.offset : part.offset + part.length] == cover


def test_a_cut_one_is_truncated_at_its_last_right_frame() -> None:
    found = cut("flac", MUSIC, 5 * BLOCK)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid is not None
    assert BLOCK < found.valid <= 5 * BLOCK
    assert found.facts["frames"] == 4


def test_one_written_over_in_the_middle_is_damaged() -> None:
    found = walk("flac", overwritten(MUSIC, 3 * BLOCK) + bytes(900))
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(MUSIC), Structure.DAMAGED, False)


def test_a_single_wrong_byte_is_noticed() -> None:
    changed = bytearray(MUSIC)
    changed[9000] ^= 1
    found = walk("flac", bytes(changed) + bytes(900))
    assert found is not None
    assert (found.length, found.structure) == (len(MUSIC), Structure.DAMAGED)
    data = music(3, more=block(1, bytes(9000), last=True))
    found = walk("flac", overwritten(data, BLOCK, 512))
    assert found is not None
    assert found.structure is Structure.DAMAGED


@pytest.mark.parametrize("at", range(1, 10))
def test_one_in_two_pieces_is_put_together(at: int) -> None:
    data = apart(MUSIC, at * BLOCK, 3 * BLOCK)
    window, found = asked("flac", data, block=BLOCK)
    assert found is not None
    rejoined = form("flac").rejoin(window, found)
    assert rejoined is not None
    assert together(data, rejoined) == MUSIC
    assert (rejoined.structure, rejoined.checked, rejoined.pieces[0]) == (Structure.FRAGMENTED, True, (0, at * BLOCK))


def test_one_whose_rest_is_not_there_is_not_put_together() -> None:
    data = MUSIC[: 4 * BLOCK] + NOISE[: 2 * BLOCK] + music(10, last=701)[5 * BLOCK :]
    window, found = asked("flac", data, block=BLOCK)
    assert found is not None
    assert form("flac").rejoin(window, found) is None


def test_checksums_of_rows_are_those_of_bytes() -> None:
    pieces = [NOISE[n * 97 : n * 97 + 40 + 300 * n] for n in range(20)]
    made = [piece + slow_crc16(piece).to_bytes(2, "big") for piece in pieces]
    assert [crc16(piece) for piece in pieces] == [slow_crc16(piece) for piece in pieces]
    bounds = [0]
    for piece in made:
        bounds.append(bounds[-1] + len(piece))
    data = bytearray(b"".join(made))
    assert wrong_frames(bytes(data), bounds) == []
    data[bounds[7] + 5] ^= 0x10
    data[bounds[19] - 1] ^= 1
    assert wrong_frames(bytes(data), bounds) == [7, 18]


def test_the_length_of_a_frame_is_decoded() -> None:
    at = SAMPLE.index(b"\xff\xf8", 4)
    while at < len(SAMPLE):
        found = frame_at(SAMPLE, at)
        assert found is not None
        size = frame_size(SAMPLE[at : at + 8000] + NOISE[:500], found, 16)
        assert slow_crc16(SAMPLE[at : at + size]) == 0
        at += size
    assert at == len(SAMPLE)


def test_what_only_begins_like_one_is_none() -> None:
    start = b"fLaC" + block(0, stream_info(9999), last=True)
    is_never("flac", [b"fLaC\0\0\0\x22", start, start + frame(0)[:900], b"ID3\4\0\0\0\0\0\0", start[:8] + bytes(40), start + frame(1)])


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("flac", 1000) == 0


@given(st.sampled_from([b"fLaC\0\0\0\x22", MUSIC[:42], MUSIC[:6000], SAMPLE[:9500]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("flac", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("flac", [SAMPLE, music(4, last=50)], 100)
