"""Times of NTFS as they are stored: before 1970, after 2106, and what no time of ours can be."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_support import Walked

from triage.evidence.opening import open_evidence
from triage.filesystem.ntfstimes import decode_filetime
from triage.model import Severity, iso_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SINCE_1601 = 116_444_736_000_000_000
MFT, RECORD = 16 * 1024, 72
PICTURE = "vol1/Users/alex/Pictures/Holiday/IMG_0001.jpg"


def filetime(seconds: int, rest: int = 0) -> int:
    return SINCE_1601 + seconds * 10_000_000 + rest


@pytest.fixture
def stamped(image: Callable[[str], Path], tmp_path: Path) -> Callable[..., Walked]:
    """``stamped(created, changed, record_changed, read)``: the built-in volume with these times in one file's $STANDARD_INFORMATION."""

    def walk(*times: int) -> Walked:
        _, medium, _ = open_evidence(image("ntfs.E01"))
        raw = bytearray(medium.read_at(65536, 12288 * 512))
        medium.close()
        at = MFT + RECORD * 1024 + struct.unpack_from("<H", raw, MFT + RECORD * 1024 + 20)[0]
        struct.pack_into("<4Q", raw, at + struct.unpack_from("<H", raw, at + 20)[0], *times)
        path = tmp_path / "stamped.raw"
        path.write_bytes(raw)
        return Walked(path)

    return walk


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        (filetime(0), "1970-01-01T00:00:00Z"),
        (filetime(-1), "1969-12-31T23:59:59Z"),
        (filetime(-1, 5), "1969-12-31T23:59:59.000000500Z"),
        (filetime(-631_152_000, 1), "1950-01-01T00:00:00.000000100Z"),
        (filetime(-9_214_560_000), "1678-01-01T00:00:00Z"),
        (filetime(1 << 32), "2106-02-07T06:28:16Z"),
        (filetime((1 << 32) + 5, 7), "2106-02-07T06:28:21.000000700Z"),
        (filetime(9_214_646_400), "2262-01-01T00:00:00Z"),
    ],
)
def test_a_time_that_sleuth_kit_gives_as_none_is_the_stored_one(stored: int, wanted: str, stamped: Callable[..., Walked]) -> None:
    found = stamped(filetime(1_700_000_000), stored, filetime(1_700_000_001), filetime(1_700_000_002))
    entry = found.at(PICTURE)
    assert iso_time(entry.mtime) == wanted
    assert [iso_time(t) for t in (entry.crtime, entry.ctime, entry.atime)] == [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:21Z",
        "2023-11-14T22:13:22Z",
    ]
    assert not found.problems


def test_what_is_outside_of_1677_to_2262_is_left_out_and_said(stamped: Callable[..., Walked]) -> None:
    found = stamped(1, (1 << 63) - 1, (1 << 64) - 1, filetime(9_223_372_037))
    entry = found.at(PICTURE)
    assert (entry.crtime, entry.mtime, entry.ctime, entry.atime) == (None, None, None, None)
    (problem,) = found.problems
    assert (problem.severity, problem.path) == (Severity.WARNING, PICTURE)
    for value in (
        "crtime: FILETIME 1 ",
        "mtime: FILETIME 9223372036854775807 ",
        "ctime: FILETIME 18446744073709551615 ",
        "atime: FILETIME",
    ):
        assert value in problem.detail


def test_a_time_that_was_never_set_is_none_and_nothing_is_said(stamped: Callable[..., Walked]) -> None:
    found = stamped(0, filetime(5), filetime(6), filetime(7))
    entry = found.at(PICTURE)
    assert (entry.crtime, entry.mtime, entry.ctime, entry.atime) == (None, 5_000_000_000, 6_000_000_000, 7_000_000_000)
    assert not found.problems


@given(st.integers(0, (1 << 64) - 1))
def test_every_filetime_is_the_stored_time_or_none_with_a_reason(value: int) -> None:
    nanoseconds, wrong = decode_filetime(value)
    if nanoseconds is None:
        assert bool(wrong) == bool(value)
    else:
        assert nanoseconds // 100 + SINCE_1601 == value
        assert -(1 << 63) <= nanoseconds < 1 << 63
        assert not wrong
