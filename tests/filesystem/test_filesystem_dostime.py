"""Times of FAT and exFAT: what the calendar has, as it is stored; else none, and that is said."""

from __future__ import annotations

import gzip
import os
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.evidence.opening import open_evidence
from triage.filesystem.checks.exfatdir import set_checksum
from triage.filesystem.dostime import Stamp, exfat_times, fat_stamps
from triage.filesystem.image import tsk_image
from triage.filesystem.tsk import Avoid, Walker
from triage.filesystem.volumes import list_volumes
from triage.model import Entry, Problem, TimeBasis, iso_time

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = Path(__file__).resolve().parents[2] / "bench" / "seeds"
NAME = "vol1/note07.txt"


def date(year: int, month: int, day: int) -> int:
    return (year - 1980) << 9 | month << 5 | day


def clock(hour: int, minute: int, second: int) -> int:
    return hour << 11 | minute << 5 | second // 2


@pytest.mark.parametrize(("stamp", "shown"), [
    (Stamp(date(2024, 5, 1), clock(10, 0, 0)), "2024-05-01T10:00:00Z"),
    (Stamp(date(2024, 2, 29), clock(23, 59, 58), 199), "2024-02-29T23:59:59.990Z"),
    (Stamp(date(1980, 1, 1), 0), "1980-01-01T00:00:00Z"),
    (Stamp(date(2038, 1, 20), clock(1, 2, 4)), "2038-01-20T01:02:04Z"),
    (Stamp(date(2107, 12, 31), clock(23, 59, 58)), "2107-12-31T23:59:58Z"),
])
def test_a_moment_of_the_calendar_is_given_as_it_is_stored(stamp: Stamp, shown: str) -> None:
    assert iso_time(stamp.nanoseconds) == shown
    assert not stamp.wrong


@pytest.mark.parametrize("stamp", [
    Stamp(date(2023, 2, 29), 0),
    Stamp(date(2024, 2, 31), 0),
    Stamp(date(2024, 0, 5), 0),
    Stamp(date(2024, 13, 5), 0),
    Stamp(date(2024, 4, 0), 0),
    Stamp(date(2024, 4, 1), clock(24, 0, 0)),
    Stamp(date(2024, 4, 1), clock(0, 60, 0)),
    Stamp(date(2024, 4, 1), 30),
    Stamp(date(2024, 4, 1), 0, 200),
    Stamp(0, clock(1, 0, 0)),
])
def test_what_no_calendar_has_is_no_time_and_is_wrong(stamp: Stamp) -> None:
    assert stamp.nanoseconds is None
    assert stamp.wrong


def test_nothing_stored_is_no_time_and_not_wrong() -> None:
    assert Stamp(0, 0).nanoseconds is None
    assert not Stamp(0, 0).wrong


@given(st.integers(315_532_800, 4_354_819_199), st.integers(0, 99))
def test_every_moment_comes_back(seconds: int, hundredths: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    stamp = Stamp(date(moment.year, moment.month, moment.day), clock(moment.hour, moment.minute, moment.second),
                  moment.second % 2 * 100 + hundredths)
    assert stamp.nanoseconds == seconds * 10**9 + hundredths * 10**7


@given(st.binary(min_size=32, max_size=32))
def test_any_bytes_give_times_or_none(slot: bytes) -> None:
    for stamp in fat_stamps(slot).values():
        assert (stamp.nanoseconds is None) or 315_532_800 <= stamp.nanoseconds // 10**9 < 4_354_819_200
    assert exfat_times(slot)["time_basis"] in (TimeBasis.UTC, TimeBasis.LOCAL)


@pytest.mark.parametrize(("byte", "minutes"), [(0x80, 0), (0xA4, 540), (0xEC, -300), (0x96, 330), (0xFF, -15), (0x24, None), (0, None)])
def test_exfats_offset_is_read_in_quarters_of_an_hour(byte: int, minutes: int | None) -> None:
    assert Stamp(0, 0, 0, byte).minutes_from_utc == minutes


def file_entry(zones: tuple[int, int, int], *, modified: int = date(2024, 5, 1)) -> bytes:
    ten = clock(10, 0, 0)
    return struct.pack("<BBHHHHHHHHH5B7x", 0x85, 2, 0, 0x20, 0, ten, date(2024, 5, 1), ten, modified, ten, date(2024, 5, 1), 0, 0, *zones)


def test_exfats_times_are_utc_where_each_says_how_far_it_is_from_it() -> None:
    times = exfat_times(file_entry((0xA4, 0x80, 0xEC)))
    assert times["time_basis"] is TimeBasis.UTC
    assert [iso_time(times[n]) for n in ("crtime", "mtime", "atime")] == [
        "2024-05-01T01:00:00Z", "2024-05-01T10:00:00Z", "2024-05-01T15:00:00Z"]


def test_exfats_times_stay_as_they_are_stored_where_one_does_not_say_it() -> None:
    times = exfat_times(file_entry((0xA4, 0x24, 0xEC)))
    assert times["time_basis"] is TimeBasis.LOCAL
    assert {iso_time(times[n]) for n in ("crtime", "mtime", "atime")} == {"2024-05-01T10:00:00Z"}


def test_an_offset_of_a_time_that_is_none_is_not_asked() -> None:
    times = exfat_times(file_entry((0xA4, 0x00, 0xEC), modified=0))
    assert times["time_basis"] is TimeBasis.UTC
    assert times["mtime"] is None


# ---- through a walk --------------------------------------------------------------------------------------------------------


def walk(path: Path) -> tuple[dict[str, Entry], list[Problem]]:
    evidence, medium, _ = open_evidence(path)
    image = tsk_image(medium, evidence.paths)
    (volume,), _ = list_volumes(image, medium, evidence.id)
    rows = list(Walker(image, volume, lambda *_: None, avoid=Avoid(), max_entries=10_000, max_orphans=100, medium=medium).walk())
    return {r.path: r for r in rows if isinstance(r, Entry) and r.name_allocated}, [r for r in rows if isinstance(r, Problem)]


@pytest.fixture
def kathmandu() -> Iterator[None]:
    """A time zone of the examiner's that no evidence is in."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Kathmandu"
    time.tzset()
    yield
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a running process cannot be set here")
@pytest.mark.parametrize("seed", ["fat16", "fat32", "exfat"])
def test_the_examiners_time_zone_changes_no_time(seed: str, tmp_path: Path, kathmandu: None) -> None:
    path = tmp_path / "seed.raw"
    path.write_bytes(gzip.decompress((SEEDS / f"{seed}.raw.gz").read_bytes()))
    entries, _ = walk(path)
    assert iso_time(entries[NAME].mtime) == "2024-05-01T10:00:00Z"
    assert entries[NAME].time_basis is (TimeBasis.UTC if seed == "exfat" else TimeBasis.LOCAL)


@pytest.mark.parametrize(("field", "stored", "shown"), [
    ("mtime", date(2024, 2, 31), None), ("mtime", date(2045, 3, 4), "2045-03-04T10:00:00Z"), ("atime", date(2024, 0, 1), None),
    ("crtime", date(2023, 2, 29), None), ("mtime", 0xFFFF, None),
])
def test_a_fat_date_that_no_calendar_has_is_null_and_said_with_its_raw_value(
    field: str, stored: int, shown: str | None, tmp_path: Path
) -> None:
    raw = bytearray(gzip.decompress((SEEDS / "fat16.raw.gz").read_bytes()))
    at = raw.index(b"NOTE07  TXT") + {"mtime": 24, "atime": 18, "crtime": 16}[field]
    struct.pack_into("<H", raw, at, stored)
    path = tmp_path / "changed.raw"
    path.write_bytes(raw)
    entries, problems = walk(path)
    assert iso_time(getattr(entries[NAME], field)) == shown
    assert [p.path for p in problems] == ([NAME] if shown is None else [])
    if shown is None:
        assert f"the {field} field holds no time that a calendar has (date 0x{stored:04x}" in problems[0].message


def test_an_exfat_date_that_no_calendar_has_is_null_and_said(tmp_path: Path) -> None:
    raw = bytearray(gzip.decompress((SEEDS / "exfat.raw.gz").read_bytes()))
    path = tmp_path / "changed.raw"
    path.write_bytes(raw)
    address = walk(path)[0][NAME].meta_addr
    assert address is not None
    at = int.from_bytes(raw[88:92], "little") * 512 + (address - 3) * 32
    struct.pack_into("<H", raw, at + 14, date(2024, 2, 30))
    raw[at + 22 : at + 25] = b"\xa4\xa4\xa4"  # nine hours ahead of UTC
    struct.pack_into("<H", raw, at + 2, set_checksum([bytes(raw[n : n + 32]) for n in range(at, at + 96, 32)]))
    path.write_bytes(raw)
    entries, problems = walk(path)
    assert entries[NAME].mtime is None
    assert iso_time(entries[NAME].crtime) is not None
    assert [p.message.split(" field")[0] for p in problems] == ["the mtime"]
