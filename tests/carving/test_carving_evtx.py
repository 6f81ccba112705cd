"""Event logs since Vista: chunks with checksums, and the room that the file keeps for more."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import JPEG, NOISE, assert_joined, assert_whole, evtx, evtx_chunk, mutants, reads_little, rejoined, survives, walk

from triage.carving.forms import Structure

CHUNK = 65536
LOG = evtx(3)


@pytest.mark.parametrize("chunks", [1, 3, 17])
def test_a_log_ends_with_its_chunks_and_the_room_for_more(chunks: int) -> None:
    found = assert_whole("evtx", evtx(chunks, allocated=1 if chunks == 1 else 17))
    assert (found.facts["chunks"], found.facts["records"]) == (chunks, 3 * chunks)


def test_a_log_that_grew_is_longer() -> None:
    assert_whole("evtx", evtx(20, allocated=33))


def named(chunks: int, name: str, allocated: int) -> bytes:
    """A log whose first record names its channel as Windows writes it."""
    data = bytearray(evtx(chunks, allocated=allocated))
    text = "Channel".encode("utf-16-le") + b"\0\0\2\5\1" + struct.pack("<H", len(name)) + name.encode("utf-16-le")
    start = 4096 + 512 + 64
    data[start : start + len(text)] = text
    free = int.from_bytes(data[4096 + 48 : 4096 + 52], "little")
    data[4096 + 52 : 4096 + 56] = struct.pack("<I", zlib.crc32(data[4096 + 512 : 4096 + free]))
    head = data[4096 : 4096 + 120]
    data[4096 + 124 : 4096 + 128] = struct.pack("<I", zlib.crc32(data[4096 + 128 : 4096 + 512], zlib.crc32(head)))
    return bytes(data)


def test_a_log_of_a_small_channel_ends_at_its_limit() -> None:
    found = assert_whole("evtx", named(3, "Microsoft-Windows-CAPI2/Operational", 16))
    assert found.facts["channel"] == "Microsoft-Windows-CAPI2/Operational"
    assert assert_whole("evtx", named(3, "Security", 17)).facts["channel"] == "Security"


def test_chunks_that_the_header_does_not_count_yet_are_there() -> None:
    found = assert_whole("evtx", evtx(5, allocated=17, count=2, flags=1))
    assert found.facts["chunks"] == 5


def test_a_log_that_is_cut_has_the_chunks_that_are_there() -> None:
    log = evtx(6)
    for keep in (1, 4):
        found = walk("evtx", log[: 4096 + keep * CHUNK] + NOISE)
        assert found is not None
        assert (found.structure, found.length) == (Structure.TRUNCATED, 4096 + keep * CHUNK)
        assert found.why == f"{keep} of 6 chunks are there"
    found = walk("evtx", log[: 4096 + 2 * CHUNK + 1000])
    assert found is not None
    assert (found.structure, found.valid) == (Structure.TRUNCATED, 4096 + 2 * CHUNK)


def test_a_chunk_that_was_overwritten_is_noticed() -> None:
    log = evtx(6)
    for at in (4096 + 2 * CHUNK, 4096 + 2 * CHUNK + 600):  # its header, its records
        found = walk("evtx", log[:at] + NOISE[:1024] + log[at + 1024 :] + NOISE)
        assert found is not None
        assert (found.structure, found.length) == (Structure.DAMAGED, len(log))


@pytest.mark.parametrize("between", [NOISE[: 16 << 10], bytes(40_960), JPEG[:4096], evtx(2)[:4096] + NOISE[:4096]])
@pytest.mark.parametrize("cut", [4096 + CHUNK, 8192 + CHUNK, 4096 + 2 * CHUNK - 4096, 4096 + 4 * CHUNK])
def test_a_log_in_two_pieces_is_put_together(cut: int, between: bytes) -> None:
    log = bytearray(evtx(6)[:4096]) + b"".join(evtx_chunk(n, 90) for n in range(6))
    assert_joined("evtx", bytes(log), cut, between)


def test_pieces_of_logs_that_do_not_fit_are_not_joined() -> None:
    log = evtx(6)[:4096] + b"".join(evtx_chunk(n, 90) for n in range(6))
    cut = 8192 + 2 * CHUNK
    for rest in (NOISE, evtx(9)[cut + 4096 :], log[cut + 8192 :]):
        assert rejoined("evtx", log[:cut] + JPEG[:8192] + rest) is None


def test_headers_that_are_none_are_refused() -> None:
    assert walk("evtx", LOG[:4096] + NOISE) is None
    assert walk("evtx", LOG[:4096]) is None
    assert walk("evtx", LOG[:30] + b"\1" + LOG[31:]) is None  # its checksum is wrong
    reads_little("evtx", LOG[:8] + NOISE, 4096)
    reads_little("evtx", LOG[:4096] + bytes(16 << 20), 20 * CHUNK)


def test_a_lying_count_of_chunks_does_not_make_it_long() -> None:
    found = walk("evtx", evtx(2, count=65535) + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 4096 + 2 * CHUNK)


@given(st.binary(max_size=3000), st.sampled_from([8, 128, 4096, 4096 + 512, 4096 + CHUNK]))
@settings(max_examples=80, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("evtx", LOG[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    answers = {found and found.structure for found in (survives("evtx", m) for m in mutants(LOG, 60) if m.startswith(LOG[:8]))}
    assert len(answers) >= 2
