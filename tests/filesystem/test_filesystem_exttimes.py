"""Times of ext2, ext3 and ext4 as they are stored: epochs, sign, fractions, and what no time can be."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from media_support import Walked

from triage.evidence.medium import FileMedium
from triage.filesystem.extlayout import inode_at, read_descriptors, read_layout
from triage.filesystem.exttimes import ExtTimes, decode_time
from triage.model import Severity, Volume, iso_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTES = "vol1/home/sam/notes.txt"
SECOND = 1_000_000_000
PLACES = {"atime": (0x08, 0x8C), "ctime": (0x0C, 0x84), "mtime": (0x10, 0x88), "crtime": (0x90, 0x94)}

# Linux kernel documentation, "Inode Timestamps": the table of what the two epoch bits mean.
EPOCHS = [
    (0, 0x80000000, "1901-12-13T20:45:52Z"),
    (0, 0xFFFFFFFF, "1969-12-31T23:59:59Z"),
    (0, 0x00000001, "1970-01-01T00:00:01Z"),
    (0, 0x7FFFFFFF, "2038-01-19T03:14:07Z"),
    (1, 0x80000000, "2038-01-19T03:14:08Z"),
    (1, 0xFFFFFFFF, "2106-02-07T06:28:15Z"),
    (1, 0x00000000, "2106-02-07T06:28:16Z"),
    (1, 0x7FFFFFFF, "2174-02-25T09:42:23Z"),
    (2, 0x80000000, "2174-02-25T09:42:24Z"),
    (2, 0xFFFFFFFF, "2242-03-16T12:56:31Z"),
]


@pytest.mark.parametrize(("epoch", "seconds", "wanted"), EPOCHS)
def test_the_epochs_are_those_of_the_documentation(epoch: int, seconds: int, wanted: str) -> None:
    value, wrong = decode_time(seconds, epoch)
    assert (iso_time(value), wrong) == (wanted, "")


@pytest.mark.parametrize(("epoch", "seconds"), [(3, 0xFFFFFFFF), (3, 0x7FFFFFFF), (2, 0x7FFFFFFF)])
def test_what_is_past_2262_is_no_time_and_said(epoch: int, seconds: int) -> None:
    value, wrong = decode_time(seconds, epoch)
    assert value is None
    assert wrong.endswith("are past the year 2262")


def test_a_fraction_of_a_second_or_more_is_left_out_and_said() -> None:
    assert decode_time(5, 999_999_999 << 2) == (5 * SECOND + 999_999_999, "")
    value, wrong = decode_time(5, 1_000_000_000 << 2)
    assert value == 5 * SECOND
    assert "fraction of 1000000000 nanoseconds cannot be" in wrong


def test_a_time_that_was_never_set_is_none() -> None:
    assert decode_time(0, 0) == (None, "")
    assert decode_time(0, 1)[0] == (1 << 32) * SECOND


@given(seconds=st.integers(0, 2**32 - 1), extra=st.integers(0, 2**32 - 1))
@example(seconds=2**31, extra=0)
def test_any_numbers_give_a_time_that_fits_or_none(seconds: int, extra: int) -> None:
    value, wrong = decode_time(seconds, extra)
    assert value is None or -(1 << 63) <= value < 1 << 63
    whole = struct.unpack("<i", struct.pack("<I", seconds))[0] + ((extra & 3) << 32)
    if value is not None:
        assert value // SECOND == whole
        assert value % SECOND == (0 if wrong else extra >> 2)
    elif whole:
        assert wrong


class Changed:
    """A copy of a built-in image in which one inode's fields are changed."""

    def __init__(self, source: Path, target: Path) -> None:
        self.raw = bytearray(source.read_bytes())
        self.path = target
        target.write_bytes(self.raw)
        self._layout = read_layout(self._read)
        address = Walked(target).at(NOTES).meta_addr
        assert self._layout is not None
        place = inode_at(self._layout, read_descriptors(self._read, self._layout), address or 0)
        assert place is not None
        self.inode = place

    def _read(self, offset: int, length: int) -> bytes:
        return bytes(self.raw[offset : offset + length])

    def set(self, offset: int, form: str, value: int) -> None:
        struct.pack_into(form, self.raw, self.inode + offset, value)

    def walk(self) -> Walked:
        self.path.write_bytes(self.raw)
        return Walked(self.path)


@pytest.fixture
def changed(image: Callable[[str], Path], tmp_path: Path) -> Changed:
    return Changed(image("ext4.raw"), tmp_path / "changed.raw")


def test_entries_carry_the_times_of_their_inode(changed: Changed) -> None:
    """Each field has another epoch, so that none can be taken for another; both names of the file say the same."""
    wanted = {
        "atime": datetime(1950, 5, 1, tzinfo=UTC),
        "ctime": datetime(2040, 5, 1, tzinfo=UTC),
        "mtime": datetime(2160, 5, 1, tzinfo=UTC),
        "crtime": datetime(2200, 5, 1, tzinfo=UTC),
    }
    for name, moment in wanted.items():
        seconds, place = int(moment.timestamp()), PLACES[name]
        signed = (seconds + (1 << 31)) % (1 << 32) - (1 << 31)
        changed.set(place[0], "<I", seconds & 0xFFFFFFFF)
        changed.set(place[1], "<I", (seconds - signed) >> 32 | 123_456_789 << 2)
    found = changed.walk()
    for path in (NOTES, "vol1/home/sam/notes again.txt"):
        entry = found.at(path)
        for name, moment in wanted.items():
            assert getattr(entry, name) == int(moment.timestamp()) * SECOND + 123_456_789, name
    assert not found.problems


def test_a_time_that_cannot_be_told_is_null_and_its_numbers_are_said(changed: Changed) -> None:
    changed.set(0x10, "<I", 0x7FFFFFFF)
    changed.set(0x88, "<I", 3)
    changed.set(0x8C, "<I", 0xFFFFFFFC)
    found = changed.walk()
    assert found.at(NOTES).mtime is None
    assert found.at(NOTES).atime is not None
    said = [p for p in found.problems if "a time is stored" in p.message]
    assert {p.path for p in said} == {NOTES, "vol1/home/sam/notes again.txt"}
    assert {p.severity for p in said} == {Severity.WARNING}
    assert "mtime 0x7fffffff 0x00000003" in said[0].detail
    assert "atime" in said[0].detail


def test_fields_that_an_inode_does_not_reach_to_are_not_read(changed: Changed) -> None:
    changed.set(0x80, "<H", 4)  # i_extra_isize: up to the checksum only
    for _, place in PLACES.values():
        changed.set(place, "<I", 0xFFFFFFFF)
    entry = changed.walk().at(NOTES)
    assert entry.crtime is None
    assert entry.mtime is not None
    assert entry.mtime % SECOND == 0


def test_an_unreadable_inode_leaves_what_tsk_says(image: Callable[[str], Path]) -> None:
    medium = FileMedium([image("fat12.raw")])
    times = ExtTimes(medium, Volume(evidence="", number=1, offset=0, size=medium.size, scheme="none"))
    assert times.of(12) is None
    medium.close()


def test_sound_images_have_the_times_that_tsk_gives(image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    own = [(e.path, e.mtime, e.atime, e.ctime, e.crtime) for e in Walked(image("ext4.raw")).entries]
    monkeypatch.setattr("triage.filesystem.exttimes.ExtTimes.of", lambda *_: None)
    assert own == [(e.path, e.mtime, e.atime, e.ctime, e.crtime) for e in Walked(image("ext4.raw")).entries]
