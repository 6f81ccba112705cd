"""WMV, WMA and ASF: a header that counts packets, and packets that begin alike."""

from __future__ import annotations

import struct

import pytest
from av_support import cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, holds, walk

from triage.carving.formats.asf import _AUDIO, _DATA, _FILE, _HEADER, _STREAM, _VIDEO
from triage.carving.forms import Structure

WMV, WMA = sample("film.wmv"), sample("sound.wma")
FILE_ID = NOISE[:16]
INDEX = bytes.fromhex("90080033b1e5cf1189f400a0c90349cb")
PACKET = 2000


def part(guid: bytes, content: bytes) -> bytes:
    return guid + struct.pack("<Q", len(content) + 24) + content


def header(size: int, packets: int, *, live: bool = False, video: bool = True) -> bytes:
    about = FILE_ID + struct.pack("<QQQQQQIIII", size, 0, packets, 130_000_000, 0, 3000, int(live), PACKET, PACKET, 64_000)
    parts = [part(_FILE, about)]
    if video:
        picture = struct.pack("<IIBH", 320, 240, 2, 40) + struct.pack("<IiiHH4sIiiII", 40, 320, 240, 1, 24, b"WMV3", 0, 0, 0, 0, 0)
        parts.append(part(_STREAM, _VIDEO + bytes(38) + picture))
    sound = struct.pack("<HHIIHHH", 0x161, 2, 44_100, 8000, 2000, 16, 0)
    parts.append(part(_STREAM, _AUDIO + bytes(38) + sound))
    body = struct.pack("<I", len(parts)) + b"\1\2" + b"".join(parts)
    return part(_HEADER, body)


def film(packets: int, *, live: bool = False, video: bool = True, index: bool = True) -> bytes:
    data = b"".join(b"\x82\0\0\x08\x5d" + NOISE[n : n + PACKET - 5] for n in range(packets))
    content = FILE_ID + struct.pack("<QH", 0 if live else packets, 0x0101) + data
    behind = part(INDEX, bytes(200)) if index else b""
    size = len(header(0, packets, video=video)) + 24 + len(content) + len(behind)
    return header(0 if live else size, 0 if live else packets, live=live, video=video) + part(_DATA, content) + behind


FILM = film(60)


@pytest.mark.parametrize(("data", "extension"), [(WMV, "wmv"), (WMA, "wma"), (FILM, "wmv"), (film(60, video=False), "wma")], ids=range(4))
def test_samples_end_where_they_do(data: bytes, extension: str) -> None:
    assert ends_exactly("asf", data, checked=True).extension == extension


def test_facts_are_those_of_the_header() -> None:
    found = walk("asf", FILM)
    assert found is not None
    assert found.facts == {
        "width": 320,
        "height": 240,
        "channels": 2,
        "sample_rate": 44_100,
        "duration_ms": 10_000,
        "codec": "WMV3, WMA 2",
        "packets": 60,
    }


def test_of_a_cut_one_the_packets_are_counted() -> None:
    found = cut("asf", FILM, 15 * 4096)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert found.why == "31 of its 60 packets are there"
    assert found.facts["duration_ms"] == 10_000 * 31 // 60


def test_one_written_over_in_the_middle_is_damaged() -> None:
    found = walk("asf", overwritten(FILM, 8 * 4096) + bytes(900))
    assert found is not None
    assert (found.length, found.structure, found.facts["packets"]) == (len(FILM), Structure.DAMAGED, 58)
    assert found.valid is not None
    assert 8 * 4096 <= found.valid < 9 * 4096


def test_one_whose_index_is_missing_is_damaged() -> None:
    found = walk("asf", FILM[:-224] + NOISE[:4000])
    assert found is not None
    assert (found.length, found.structure) == (len(FILM), Structure.DAMAGED)


def test_a_live_one_ends_behind_its_last_packet() -> None:
    data = film(30, live=True, index=False)
    found = walk("asf", data + NOISE[:30_000])
    assert found is not None
    assert (found.length, found.structure, found.checked) == (len(data), Structure.COMPLETE, False)
    assert found.facts["packets"] == 30


def test_the_space_may_end_inside_it() -> None:
    found = walk("asf", FILM[:50_000])
    assert found is not None
    assert (found.structure, found.facts["packets"]) == (Structure.TRUNCATED, 24)


def test_lying_counts_do_not_make_it_longer_than_what_is_there() -> None:
    data = bytearray(FILM)
    at = data.index(_DATA)
    struct.pack_into("<Q", data, at + 40, 1 << 60)
    found = walk("asf", bytes(data) + NOISE)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert len(FILM) - 3000 < found.length < len(FILM) + 3000


def test_a_data_object_of_another_file_is_none() -> None:
    data = bytearray(FILM)
    data[data.index(_DATA) + 24] ^= 1
    assert walk("asf", bytes(data)) is None


def test_what_only_begins_like_one_is_none() -> None:
    start = FILM[: FILM.index(_DATA)]
    is_never("asf", [_HEADER, _HEADER + struct.pack("<QI", 1 << 24, 5) + b"\1\2", start, start + _DATA, FILM[: FILM.index(_DATA) + 50]])


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("asf", 1000) == 0


@given(st.sampled_from([_HEADER, FILM[:300], FILM[:5000], WMV[:4100]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("asf", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("asf", [WMV, WMA, film(4), film(4, live=True)])
