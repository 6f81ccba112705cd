"""Ogg: pages with checksums and running numbers, put together across gaps."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, apart, asked, form, holds, together, walk

from triage.carving.forms import Structure
from triage.carving.oggpages import FIRST, LAST, is_right, page_at
from triage.carving.window import window_of

if TYPE_CHECKING:
    from pathlib import Path

VORBIS, OPUS, THEORA = sample("sound.ogg"), sample("sound.opus"), sample("film.ogv")
HEAD = b"\x01vorbis\0\0\0\0\2\x44\xac\0\0" + bytes(14)


def crc(data: bytes) -> int:
    """The CRC of RFC 3533, bit by bit."""
    state = 0
    for byte in data:
        state ^= byte << 24
        for _ in range(8):
            state = (state << 1 ^ (0x04C11DB7 if state & 0x80000000 else 0)) & 0xFFFFFFFF
    return state


def page(content: bytes, number: int, *, serial: int = 77, flags: int = 0, granule: int = 0) -> bytes:
    table = [255] * (len(content) // 255) + [len(content) % 255]
    head = b"OggS\0" + bytes([flags]) + granule.to_bytes(8, "little") + serial.to_bytes(4, "little") + number.to_bytes(4, "little")
    there = head + bytes(4) + bytes([len(table)]) + bytes(table) + content
    return there[:22] + crc(there).to_bytes(4, "little") + there[26:]


def stream(pages: int, size: int = 3000, *, serial: int = 77, end: bool = True, seed: int = 0) -> bytes:
    """A stream of so many pages behind its first one, each with noise."""
    chance = random.Random(seed)
    made = page(HEAD, 0, serial=serial, flags=FIRST)
    for number in range(1, pages + 1):
        last = LAST if end and number == pages else 0
        made += page(chance.randbytes(size), number, serial=serial, flags=last, granule=number * 4410)
    return made


LONG = stream(12)


@pytest.mark.parametrize(
    ("data", "extension", "codec"), [(VORBIS, "ogg", "Vorbis"), (OPUS, "opus", "Opus"), (THEORA, "ogv", "Theora")], ids=lambda v: str(v)[:8]
)
def test_samples_end_where_they_do(data: bytes, extension: str, codec: str) -> None:
    found = ends_exactly("ogg", data, checked=True)
    assert (found.extension, found.facts["codec"]) == (extension, codec)
    assert abs(int(found.facts["duration_ms"]) - 1000) < 20


def test_real_ones_end_where_they_do(evidence_root: Path) -> None:
    for name in ("mitra/ogg/vorbis.ogg", "basic/ogg/test.ogg"):
        ends_exactly("ogg", (evidence_root / "types/magika" / name).read_bytes(), checked=True)


def test_the_checksum_is_the_standards() -> None:
    found = page_at(window_of(LONG), 0)
    assert found is not None
    assert is_right(found, LONG[: found.size])
    assert not is_right(found, LONG[: found.size - 1] + b"\1")


def test_chained_streams_are_one_file() -> None:
    ends_exactly("ogg", stream(3, 1000) + stream(3, 1000, serial=5), checked=True)


def test_streams_side_by_side_are_one_file() -> None:
    one, other = stream(2, 900), stream(2, 900, serial=9)
    head = len(page(HEAD, 0))
    size = len(page(bytes(900), 1))
    mixed = one[:head] + other[:head] + one[head : head + size] + other[head:] + one[head + size :]
    ends_exactly("ogg", mixed, checked=True)


def test_another_file_in_the_next_sector_is_not_run_into() -> None:
    data = next(data for size in range(900, 1500) if not len(data := stream(1, size)) % 512)
    found = walk("ogg", data + stream(4, serial=5))
    assert found is not None
    assert (found.length, found.structure) == (len(data), Structure.COMPLETE)


def test_one_without_a_last_page_is_whole_when_it_ends_inside_a_sector() -> None:
    ends_exactly("ogg", stream(3, 1001, end=False), checked=True)


def test_a_cut_one_is_truncated_at_its_last_right_page() -> None:
    found = cut("ogg", LONG, 5 * BLOCK)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.valid is not None
    assert 5 * BLOCK - 3100 < found.valid <= 5 * BLOCK
    assert found.facts["duration_ms"] == 600


def test_one_written_over_in_the_middle_is_damaged() -> None:
    found = walk("ogg", overwritten(LONG, 3 * BLOCK) + bytes(900))
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(LONG), Structure.DAMAGED, False)
    assert "pages are missing" in found.why


@pytest.mark.parametrize("at", range(1, 9))
@pytest.mark.parametrize("gap", [BLOCK, 5 * BLOCK])
def test_one_in_two_pieces_is_put_together(at: int, gap: int) -> None:
    data = apart(LONG, at * BLOCK, gap)
    window, found = asked("ogg", data, block=BLOCK)
    assert found is not None
    rejoined = form("ogg").rejoin(window, found)
    assert rejoined is not None
    assert together(data, rejoined) == LONG
    assert (rejoined.structure, rejoined.checked, len(rejoined.pieces)) == (Structure.FRAGMENTED, True, 2)


def test_one_in_three_pieces_is_put_together() -> None:
    data = LONG[: 2 * BLOCK] + NOISE[:BLOCK] + LONG[2 * BLOCK : 5 * BLOCK] + NOISE[: 3 * BLOCK] + LONG[5 * BLOCK :] + NOISE
    window, found = asked("ogg", data, block=BLOCK)
    assert found is not None
    rejoined = form("ogg").rejoin(window, found)
    assert rejoined is not None
    assert together(data, rejoined) == LONG
    assert [size for _, size in rejoined.pieces][:2] == [2 * BLOCK, 3 * BLOCK]


def test_the_rest_of_another_stream_is_not_taken_for_its_own() -> None:
    other = stream(12, serial=78, seed=3)
    data = LONG[: 4 * BLOCK] + NOISE[:BLOCK] + other[4 * BLOCK :] + NOISE[:5000]
    window, found = asked("ogg", data, block=BLOCK)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert form("ogg").rejoin(window, found) is None


def test_what_only_begins_like_one_is_none() -> None:
    wrong = bytearray(LONG[: len(page(HEAD, 0))])
    wrong[40] ^= 1
    is_never("ogg", [b"OggS\0\2", b"OggS\0\2" + bytes(20) + b"\xff" * 256, bytes(wrong)])


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("ogg", 1000) == 0


@given(st.sampled_from([b"OggS\0\2", LONG[:58], VORBIS[:3400]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("ogg", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("ogg", [VORBIS, OPUS, THEORA, stream(6, 300)])
