"""Event logs up to XP: the size in the header, and records that follow each other round the ring."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from system_samples import NOISE, assert_whole, evt, mutants, reads_little, survives, walk

from triage.carving.forms import Structure

LOG = evt()


def full(size: int = 0x20000) -> bytes:
    """A log that has gone round: its last record goes on behind the header, and an end-of-file record lies over the oldest ones."""
    out = bytearray(evt(0, size))
    at, number = 48, 0
    ring = bytearray()
    while len(ring) < size - 48:
        body = NOISE[number : number + 52 + 4 * (number % 9)]
        length = 16 + len(body)
        ring += struct.pack("<I4sI", length, b"LfLe", number + 1) + body + struct.pack("<I", length)
        number += 1
    over = len(ring) - (size - 48)
    ring = ring[len(ring) - over :] + ring[over : len(ring) - over]
    out[48:] = ring[: size - 48]
    at = size // 2 // 4 * 4
    starts = [n for n in range(48, len(out) - 8) if out[n + 4 : n + 8] == b"LfLe"]
    at = next(n for n in starts if n > at)
    out[at : at + 40] = struct.pack("<10I", 0x28, 0x11111111, 0x22222222, 0x33333333, 0x44444444, 48, at, number, 1, 0x28)
    out[16:24] = struct.pack("<II", starts[0], at)
    return bytes(out)


def test_a_log_ends_where_its_header_says() -> None:
    assert assert_whole("evt", LOG).facts["records"] == 40
    assert_whole("evt", evt(200, 0x20000))


def test_a_log_that_went_round_is_whole() -> None:
    assert assert_whole("evt", full()).facts["records"] > 500  # type: ignore[operator]


def test_a_log_that_is_cut_is_truncated() -> None:
    data = full()
    found = walk("evt", data[:0x8000] + NOISE)
    assert found is not None
    assert found.structure is Structure.TRUNCATED
    assert 0x8000 - 400 < found.length <= 0x8000
    found = walk("evt", data[:0x9000])
    assert found is not None
    assert (found.structure, found.length) == (Structure.TRUNCATED, 0x9000)


def test_records_that_were_overwritten_are_noticed() -> None:
    data = full()
    found = walk("evt", data[:0x4000] + NOISE[:0x2000] + data[0x6000:] + NOISE)
    assert found is not None
    assert (found.structure, found.length) == (Structure.DAMAGED, len(data))


def test_a_lone_header_is_none() -> None:
    for behind in (NOISE, bytes(1 << 17), b"LfLe" * 30_000):
        assert walk("evt", LOG[:48] + behind) is None
    reads_little("evt", LOG[:16] + NOISE, 48)
    for at, value in ((32, 0x10001), (32, 0), (20, 0xFFFFFFFF), (44, 0)):
        assert walk("evt", LOG[:at] + struct.pack("<I", value) + LOG[at + 4 :]) is None, at


@given(st.binary(max_size=3000), st.integers(16, 600))
@settings(max_examples=100, deadline=None)
def test_any_bytes_behind_a_header_give_an_answer_that_fits(behind: bytes, keep: int) -> None:
    survives("evt", LOG[:keep] + behind)


def test_mutants_end_in_an_answer() -> None:
    answers = {found and found.structure for found in (survives("evt", m) for m in mutants(full(), 100) if m.startswith(LOG[:16]))}
    assert len(answers) >= 2
