"""MPEG transport streams: packets whose running numbers go on in each stream."""

from __future__ import annotations

import pytest
from av_support import BLOCK, cut, ends_exactly, is_never, overwritten, random_starts, sample, survives
from carving_media import Memory, area
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, apart, asked, form, holds, together, walk

from triage.carving.carver import Carver
from triage.carving.forms import Structure
from triage.carving.mpegvideo import picture_size
from triage.carving.window import Window

TS, M2TS = sample("film.ts"), sample("film.m2ts")
VIDEO, SOUND = 0x100, 0x101


class Mux:
    """Makes packets with right running numbers."""

    def __init__(self) -> None:
        self.running: dict[int, int] = {}

    def packet(self, pid: int, content: bytes = b"", *, start: bool = False, clock: int = -1) -> bytes:
        number = self.running[pid] = (self.running.get(pid, -1) + 1) % 16
        head = bytes((0x47, (0x40 if start else 0) | pid >> 8, pid & 255, (0x30 if clock >= 0 else 0x10) | number))
        if clock >= 0:
            head += b"\x07\x10" + (clock << 15 | 0x7E00).to_bytes(6, "big")
        return (head + content + NOISE[pid + number : pid + number + 188].replace(b"\x47", b"\x46"))[:188]


def stream(count: int, mux: Mux | None = None) -> list[bytes]:
    """A table every 40 packets, and video and sound between."""
    mux = mux or Mux()
    packets = []
    for n in range(count):
        if n % 40 == 0:
            table = b"\0\0\xb0\x0d\0\1\xc1\0\0\0\1\xf0\0" + bytes(4)
            packets.append(mux.packet(0, table, start=True))
        elif n % 40 == 1:
            table = b"\0\2\xb0\x17\0\1\xc1\0\0\xe1\0\xf0\0\x1b\xe1\0\xf0\0\x0f\xe1\1\xf0\0" + bytes(4)
            packets.append(mux.packet(0x1000, table, start=True))
        else:
            packets.append(mux.packet(SOUND if n % 7 == 0 else VIDEO, clock=n * 900 if n % 10 == 5 else -1))
    return packets


def joined(packets: list[bytes], size: int = 188) -> bytes:
    if size == 192:
        return b"".join(n.to_bytes(4, "big") + packet for n, packet in enumerate(packets))
    return b"".join(packet + b"\xee" * (size - 188) for packet in packets)


FILM = joined(stream(1000))


def test_samples_end_where_they_do() -> None:
    found = ends_exactly("mpeg_ts", TS, checked=False)
    assert (found.extension, found.facts) == (
        "ts",
        {"codec": "MPEG-2 video, MPEG audio", "width": 64, "height": 48, "duration_ms": 900, "packets": 60},
    )
    found = ends_exactly("mpeg_ts", M2TS, checked=False)
    assert (found.extension, found.facts["packets"]) == ("m2ts", 64)


@pytest.mark.parametrize("size", [188, 192, 204])
def test_packets_of_each_size_end_where_they_do(size: int) -> None:
    found = ends_exactly("mpeg_ts", joined(stream(1024), size), checked=False)
    assert found.facts == {"codec": "H.264, AAC", "duration_ms": (1005 - 5) * 10, "packets": 1024}


def test_a_packet_by_chance_behind_the_end_does_not_make_it_longer() -> None:
    found = walk("mpeg_ts", FILM + b"\x47\x12\x34\x15" + NOISE[:5000])
    assert found is not None
    assert found.length == len(FILM)


def test_another_file_that_begins_with_a_packet_is_not_run_into() -> None:
    one = joined(stream(128 * 4), 192)  # whole sectors
    found = walk("mpeg_ts", one + joined(stream(320), 192))
    assert found is not None
    assert (found.length, found.structure) == (len(one), Structure.COMPLETE)
    one = joined(stream(128 * 5))
    found = walk("mpeg_ts", one + joined(stream(300)))
    assert found is not None
    assert (found.length, found.structure) == (len(one), Structure.COMPLETE)


def test_bad_reception_is_counted_and_ends_nothing() -> None:
    packets = stream(600)
    del packets[305]
    found = ends_exactly("mpeg_ts", joined(packets), checked=False)
    assert found.facts["continuity_errors"] == 1


def test_a_marked_jump_is_none() -> None:
    packets = stream(600)
    packets[305] = packets[305][:3] + bytes([0x30 | (packets[305][3] + 5) & 15]) + b"\x07\x90" + packets[305][6:]
    mux_on = (packets[305][3] + 1) & 15
    assert mux_on != packets[306][3] & 15
    found = walk("mpeg_ts", joined(packets))
    assert found is not None
    assert found.facts["continuity_errors"] == 1  # that behind it, not itself


def test_missing_packets_of_several_streams_are_damage() -> None:
    packets = stream(900)
    del packets[300:333]
    data = joined(packets)
    found = walk("mpeg_ts", data + bytes(900))
    assert found is not None
    assert (found.length, found.structure) == (len(data), Structure.DAMAGED)
    assert "jump at 1 places" in found.why


def test_one_written_over_in_the_middle_is_damaged() -> None:
    found = walk("mpeg_ts", overwritten(FILM, 10 * BLOCK) + bytes(900))
    assert found is not None
    assert found.structure is Structure.DAMAGED
    (_, first), (second, rest) = found.pieces  # without what is not its own
    assert 10 * BLOCK - 188 < first < 10 * BLOCK + 188
    assert first + BLOCK - 376 < second < first + BLOCK + 376
    assert second + rest == len(FILM)
    assert found.length == first + rest


@pytest.mark.parametrize("size", [188, 192])
@pytest.mark.parametrize("gap", [1, 3, 47])
def test_one_in_two_pieces_is_put_together(size: int, gap: int) -> None:
    data = joined(stream(1024), size)
    for at in (3, 10, 20):
        there = apart(data, at * BLOCK, min(gap, 28) * BLOCK)
        found = asked("mpeg_ts", there, block=BLOCK)[1]
        assert found is not None
        assert (found.structure, found.checked, found.length) == (Structure.FRAGMENTED, True, len(data))
        assert together(there, found) == data


def test_the_rest_of_another_stream_is_not_taken_for_its_own() -> None:
    other = joined(stream(1003)[3:])
    there = FILM[: 10 * BLOCK] + NOISE[:BLOCK] + other[10 * BLOCK :] + bytes(900)
    found = asked("mpeg_ts", there, block=BLOCK)[1]
    assert found is not None
    assert found.structure is not Structure.FRAGMENTED


def test_what_goes_on_behind_other_bytes_is_not_found_once_more() -> None:
    data = overwritten(joined(stream(6000)), 20 * BLOCK) + bytes(4096)
    (one,) = Carver(Memory(data), area((0, len(data)), block=BLOCK)).unit(0, len(data))
    assert (one.format, one.structure, len(one.pieces)) == ("mpeg_ts", Structure.DAMAGED, 2)


def test_a_cut_one_has_the_packets_that_are_there() -> None:
    found = cut("mpeg_ts", FILM, 10 * BLOCK)
    assert found is not None
    assert (found.structure, found.facts["packets"]) == (Structure.TRUNCATED, 10 * BLOCK // 188 + 1)
    found = walk("mpeg_ts", FILM[: 10 * BLOCK] + NOISE[:60_000])
    assert found is not None
    assert (found.structure, "may have gone on" in found.why) == (Structure.COMPLETE, True)
    found = cut("mpeg_ts", joined(stream(640), 192), 10 * BLOCK)
    assert found is not None
    assert (found.structure, found.why.endswith("in the middle of a unit of 32")) == (Structure.TRUNCATED, True)


def test_one_at_the_edge_of_free_space_is_truncated() -> None:
    data = FILM[: 24 * 4096]
    window = Window(lambda at, size: data[at : at + size], len(data))
    found = form("mpeg_ts").walk(window)
    assert found is not None
    assert found.structure is Structure.TRUNCATED


def test_a_piece_without_a_table_at_its_start_is_not_whole() -> None:
    packets = stream(400)[2:]
    packets[0] = packets[0][:1] + b"\x41" + packets[0][2:]
    found = walk("mpeg_ts", joined(packets) + bytes(900))
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert "begins in the middle" in found.why


def test_few_packets_are_none() -> None:
    assert walk("mpeg_ts", joined(stream(15)) + NOISE[:9000]) is None


def test_running_numbers_that_do_not_go_on_are_none() -> None:
    assert walk("mpeg_ts", joined([packet[:3] + bytes([0x10 | n * 7 % 16]) + packet[4:] for n, packet in enumerate(stream(30))])) is None
    assert walk("mpeg_ts", b"\x47\x40\0\x10" * 30_000) is None
    assert walk("mpeg_ts", b"\x47" * 30_000) is None
    assert walk("mpeg_ts", b"\x47\x40ab" * 30_000) is None
    assert walk("mpeg_ts", joined([b"\x47\x5f\xff\x10" + bytes(184)] * 60)) is None  # nothing but filling


def test_what_only_begins_like_one_is_none() -> None:
    is_never("mpeg_ts", [b"\x47\x40\0\x10", FILM[:188], FILM[: 188 * 3], bytes(4) + b"\x47\x40\0\x10"])


def test_noise_behind_a_header_is_none() -> None:
    assert random_starts("mpeg_ts") == 0


def test_a_flood_of_files_costs_no_more_than_a_few_readings() -> None:
    data = b"".join(joined(stream(32), 192) for _ in range(200))
    window, found = asked("mpeg_ts", data)
    assert found is not None
    assert found.length == 32 * 192
    assert window.spent < 4 * len(data)


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ("67640028acd940780227e5c044000003000400000300c83c60c658", (1920, 1080)),
        ("67640028acd9405a044fde0220000003002000000643e2c5b2c0", (1440, 1080)),  # interlaced
        ("6742c00dd90150878888c044000003000400000300c83c50a920", (322, 242)),  # baseline
        ("67f4000d919b282a10f1f1f808800000030080000019078a14cb", (322, 242)),  # 4:4:4
        ("67f4000d", (0, 0)),
        ("67", (0, 0)),
    ],
)
def test_sizes_of_pictures_are_read_from_the_parameters_that_x264_writes(parameters: str, size: tuple[int, int]) -> None:
    assert picture_size(NOISE[:50].replace(b"\0\0\1", b"") + b"\0\0\0\1" + bytes.fromhex(parameters)) == size


@given(st.binary(max_size=120))
def test_any_parameters_give_a_size_or_none(data: bytes) -> None:
    width, height = picture_size(b"\0\0\1\x67" + data)
    assert 0 <= width <= 1 << 14
    assert 0 <= height <= 1 << 14


@given(st.sampled_from([b"\x47\x40\0\x10", FILM[:3100], M2TS[:3200], FILM[:9000]]), st.binary(max_size=2000))
def test_any_bytes_behind_a_header_give_an_answer_that_fits(start: bytes, rest: bytes) -> None:
    holds("mpeg_ts", start + rest)


def test_damaged_copies_give_an_answer_that_fits() -> None:
    survives("mpeg_ts", [TS, M2TS, joined(stream(60), 204)], 100)
