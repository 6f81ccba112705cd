"""File systems that no table leads to: hidden, deleted, behind a header that is gone; and what must not be taken for one."""

from __future__ import annotations

import gzip
import random
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import START, Bytes, Walked, mbr, volumes_of

from triage.evidence.medium import DamagedRangeError
from triage.filesystem import scan as scanning
from triage.filesystem.headers import MARKS, fletcher64, header_at
from triage.filesystem.overlay import MENDED, Overlay, facts_of, found_by, found_by_fact, overlay_for
from triage.filesystem.scan import Scan
from triage.filesystem.volumes import is_listed
from triage.model import Encryption, Problem, Severity, State, Volume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from triage.filesystem.headers import Header


@pytest.fixture
def fat(image: Callable[[str], Path]) -> bytes:
    return image("fat12.raw").read_bytes()


@pytest.fixture
def ext(image: Callable[[str], Path]) -> bytes:
    return image("ext2.raw").read_bytes()


def seed(name: str, request: pytest.FixtureRequest) -> bytearray:
    return bytearray(gzip.decompress((request.config.rootpath / "bench" / "seeds" / f"{name}.raw.gz").read_bytes()))


def listed(volumes: list[Volume]) -> list[tuple[int | None, int, str, str]]:
    return [(v.number, v.offset, v.file_system, v.found_by) for v in volumes if is_listed(v)]


def messages(problems: list[Problem]) -> str:
    return "\n".join(p.message for p in problems)


# ---- hidden partitions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["in front", "between", "behind"])
def test_a_file_system_between_the_partitions_is_listed_and_said(place: str, fat: bytes, ext: bytes) -> None:
    """The partitions of the table keep their numbers; what is found comes behind them."""
    sectors, hidden = len(fat) // 512, len(ext) // 512
    first = START + (hidden + 40 if place == "in front" else 0)
    second = first + sectors + (hidden + 40 if place == "between" else 40)
    starts = {"in front": START, "between": first + sectors + 20, "behind": second + sectors + 33}
    disk = bytearray((second + sectors + hidden + 200) * 512)
    disk[:512] = mbr((1, first, sectors), (1, second, sectors))
    for at, data in ((first, fat), (second, fat), (starts[place], ext)):
        disk[at * 512 : at * 512 + len(data)] = data
    volumes, problems = volumes_of(Bytes(bytes(disk)))
    assert sorted(listed(volumes)) == [
        (1, first * 512, "FAT12", "table"), (2, second * 512, "FAT12", "table"), (3, starts[place] * 512, "ext2", "signature scan")]
    assert [(p.volume, p.severity) for p in problems] == [(3, Severity.WARNING)]
    assert "vol3 (ext2) stands in no partition table" in messages(problems)
    ranges = sorted((v.offset, v.offset + v.size) for v in volumes)
    assert all(end <= start for (_, end), (start, _) in pairwise(ranges)), "gaps end where volumes begin"


def test_a_partition_whose_start_was_damaged_is_found_in_its_place(fat: bytes) -> None:
    disk = mbr((1, START + 7, len(fat) // 512)).ljust(START * 512, b"\0") + fat + bytes(51200)
    volumes, problems = volumes_of(Bytes(disk))
    assert listed(volumes) == [(2, START * 512, "FAT12", "signature scan")]
    assert "vol1 holds no file system that is known" in messages(problems)


def test_an_image_in_a_files_data_is_no_volume(image: Callable[[str], Path], ext: bytes) -> None:
    """The space that a file system covers is its own, also where a file in it looks like a file system."""
    whole = Walked(image("fat32.E01"))
    size = whole.medium.size
    data = bytearray(whole.medium.read_at(0, size))
    free = size - len(ext) - 8192
    data[free : free + len(ext)] = ext  # clusters at the end of an almost empty volume
    volumes, problems = volumes_of(Bytes(mbr((0x0C, START, size // 512)).ljust(START * 512, b"\0") + bytes(data) + bytes(8192)))
    assert listed(volumes) == [(1, START * 512, "FAT32", "table")]
    assert problems == []


def test_what_lies_behind_a_file_system_in_its_partition_is_searched(fat: bytes, ext: bytes) -> None:
    sectors = (len(fat) + len(ext)) // 512 + 100
    disk = mbr((1, START, sectors)).ljust(START * 512, b"\0") + fat + bytes(20 * 512) + ext + bytes(200 * 512)
    volumes, problems = volumes_of(Bytes(disk))
    assert listed(volumes) == [(1, START * 512, "FAT12", "table"), (2, START * 512 + len(fat) + 20 * 512, "ext2", "signature scan")]
    assert "stands in no partition table" in messages(problems)


def test_an_old_boot_sector_in_front_of_a_table_is_said_and_not_listed(fat: bytes) -> None:
    """A medium that was one volume and has been partitioned since: only the first sector still says so."""
    old = bytearray(fat[:446].ljust(512, b"\0"))
    struct.pack_into("<H", old, 19, 2000)
    old[446:512] = mbr((1, START, len(fat) // 512))[446:]
    disk = bytes(old).ljust(START * 512, b"\0")
    disk = disk[:512] + fat[512:1024] + disk[1024:] + fat
    volumes, problems = volumes_of(Bytes(disk + bytes(600 * 512)))
    assert listed(volumes) == [(1, START * 512, "FAT12", "table")]
    assert "would lie over vol1: it was not listed" in messages(problems)


def test_a_disc_that_is_a_disk_as_well_is_listed_as_both(image: Callable[[str], Path], fat: bytes) -> None:
    disc = bytearray(image("iso9660.raw").read_bytes())
    start = len(disc) // 512
    disc[:512] = mbr((0xEF, start, len(fat) // 512))
    volumes, _ = volumes_of(Bytes(bytes(disc) + fat + bytes(4096)))
    assert listed(volumes) == [(2, 0, "ISO 9660", "signature scan"), (1, start * 512, "FAT12", "table")]


@pytest.mark.parametrize(("head", "name"), [
    (b"LUKS\xba\xbe\0\2", "LUKS"),
    (b"\xeb\x58\x90-FVE-FS-\0\2\x08".ljust(510, b"\0") + b"\x55\xaa", "BitLocker"),
])
def test_locked_volumes_are_found_too_and_end_where_the_next_begins(head: bytes, name: str, fat: bytes) -> None:
    disk = bytes(8192) + head.ljust(8192, b"\1") + fat + bytes(4096)
    volumes, problems = volumes_of(Bytes(disk))
    found = [(v.number, v.offset, v.size, v.file_system, v.encryption) for v in volumes if v.number is not None]
    assert found[0] == (1, 8192, 8192, name, Encryption.LOCKED)
    assert found[1][:2] == (2, 16384)
    assert f"vol1 is {name}, locked" in messages(problems)


@pytest.mark.parametrize("name", ["XFS", "F2FS", "Btrfs", "APFS"])
def test_what_sleuth_kit_does_not_read_is_found_and_named(name: str) -> None:
    head = bytearray(1 << 17)
    if name == "XFS":
        head[:16] = b"XFSB" + struct.pack(">IQ", 4096, 40)
        head[102:104] = b"\2\0"
    elif name == "F2FS":
        head[1024:1028] = b"\x10\x20\xf5\xf2"
        struct.pack_into("<I", head, 1040, 12)
        struct.pack_into("<Q", head, 1060, 40)
    elif name == "Btrfs":
        head[0x10040:0x10048] = b"_BHRfS_M"
        struct.pack_into("<Q", head, 0x10030, 1 << 16)
        struct.pack_into("<Q", head, 0x10070, 163840)
    else:
        head[32:48] = b"NXSB" + struct.pack("<IQ", 4096, 40)
        struct.pack_into("<Q", head, 0, fletcher64(bytes(head[8:4096])))
    volumes, problems = volumes_of(Bytes(bytes(512 * 33) + bytes(head) + bytes(1 << 16)))
    assert [(v.number, v.offset, v.file_system, v.size) for v in volumes if v.number is not None] == [(1, 33 * 512, name, 163840)]
    assert f"vol1 is {name}, which is not read" in messages(problems)


def test_fletcher64_of_a_real_container(evidence_root: Path) -> None:
    with (evidence_root / "images" / "dfvfs" / "apfs.raw").open("rb") as file:
        block = file.read(4096)
    assert fletcher64(block[8:]) == int.from_bytes(block[:8], "little")


# ---- copies of headers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "start", "length", "kind"), [
    ("ext2", 1024, 1024, "ext2"),
    ("ext2", 1024, 4096, "ext2"),  # with the group descriptors
    ("ext4", 1024, 1024, "ext4"),
    ("ntfs", 0, 512, "NTFS"),
    ("exfat", 0, 6144, "exFAT"),
])
@pytest.mark.parametrize("table", [False, True])
def test_a_volume_whose_header_is_gone_is_opened_through_its_copy(
    name: str, start: int, length: int, kind: str, table: bool, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    data = seed(name, request)
    front = mbr((7, 128, len(data) // 512)).ljust(65536, b"\0") if table else b""
    path = tmp_path / "sound.raw"
    path.write_bytes(front + data)
    sound = {(e.path, e.kind, e.size) for e in Walked(path).entries if e.state is State.ALLOCATED}
    data[start : start + length] = b"\xdb" * length
    path = tmp_path / "damaged.raw"
    path.write_bytes(front + data)
    found = Walked(path)
    assert {(e.path, e.kind, e.size) for e in found.entries if e.state is State.ALLOCATED} == sound
    said = [p for p in found.unlisted if "it was opened through the copy of its header" in p.message]
    assert [(p.volume, p.severity) for p in said] == [(1, Severity.WARNING)]
    assert f"({kind})" in said[0].message


def test_a_fat32_volume_is_opened_through_its_backup_boot_sector(request: pytest.FixtureRequest) -> None:
    data = seed("fat32", request)
    data[:512] = random.Random(1).randbytes(512)
    volumes, problems = volumes_of(Bytes(bytes(data)))
    assert [(v.number, v.offset, v.file_system) for v in volumes if is_listed(v)] == [(1, 0, "FAT32")]
    assert problems


def test_an_hfs_volume_is_opened_through_its_alternate_header(image: Callable[[str], Path]) -> None:
    data = bytearray(image("hfsplus.raw").read_bytes())
    data[1024:1536] = bytes(512)
    volumes, problems = volumes_of(Bytes(bytes(data)))
    assert listed(volumes) == [(1, 0, "HFS+", f"copy of its header at byte {len(data) - 1024}")]
    assert "opened through the copy" in messages(problems)


def test_copies_inside_a_sound_volume_are_not_taken_for_volumes(request: pytest.FixtureRequest) -> None:
    for name in ("ext2", "ntfs", "fat32", "exfat"):
        data = seed(name, request)
        volumes, problems = volumes_of(Bytes(mbr((7, 128, len(data) // 512 + 64)).ljust(65536, b"\0") + bytes(data) + bytes(65536)))
        assert [(v.number, v.offset) for v in volumes if v.number is not None] == [(1, 65536)], name
        assert problems == [], name


def test_an_overlay_is_made_again_from_what_the_volume_says(request: pytest.FixtureRequest) -> None:
    """A worker that reads content knows the evidence's facts and an offset, no volume."""
    data = seed("ntfs", request)
    sector = bytes(data[:512])
    data[:512] = bytes(512)
    medium: Any = Bytes(bytes(data))
    volumes, _ = volumes_of(medium)
    facts = facts_of(volumes)
    assert facts == {"volume at byte 0": volumes[0].found_by}
    overlay = overlay_for(medium, 0, found_by_fact(facts, 0))
    assert overlay is not None
    assert overlay.read_at(0, 512) == sector
    assert overlay.read_at(256, 512) == sector[256:] + bytes(data[512:768])
    assert found_by_fact(facts, 512) == ""
    assert overlay_for(medium, 512, volumes[0].found_by) is None, "it is not a copy of what begins there"
    assert overlay_for(medium, 0, "table") is None


def test_an_overlay_replaces_bytes_wherever_reading_begins() -> None:
    data = bytes(range(256)) * 8
    medium: Any = Bytes(data)
    overlay = Overlay(medium, [(100, b"\xff" * 50), (300, b"\xee" * 10)])
    wanted = data[:100] + b"\xff" * 50 + data[150:300] + b"\xee" * 10 + data[310:]
    for at in range(0, 400, 7):
        for length in (1, 13, 60, 300, 4096):
            assert overlay.read_at(at, length) == wanted[at : at + length]


# ---- discs that Sleuth Kit gives up at ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "length"), [
    (16 * 2048, 512), (17 * 2048, 8), (18 * 2048, 8), (16 * 2048 + 128, 4), (26 * 2048, 2048), (22 * 2048, 2048), (33 * 2048, 34),
], ids=["first descriptor", "second descriptor", "terminator", "block size", "Joliet table", "primary table", "a directory's own record"])
def test_a_disc_is_opened_in_spite_of(at: int, length: int, image: Callable[[str], Path], tmp_path: Path) -> None:
    data = bytearray(image("iso9660.raw").read_bytes())
    path = tmp_path / "sound.raw"
    path.write_bytes(data)
    sound = {e.name.lower() for e in Walked(path).entries if e.state is State.ALLOCATED and e.size}
    data[at : at + length] = b"\xff" * length
    path = tmp_path / "damaged.raw"
    path.write_bytes(data)
    found = Walked(path)
    names = {e.name.lower() for e in found.entries if e.state is State.ALLOCATED}
    if at == 17 * 2048:  # without Joliet the names are short ones
        assert len(names) >= len(sound)
    else:
        assert sound <= names
    assert found.unlisted or found.problems


def test_how_a_disc_was_mended_is_said(image: Callable[[str], Path]) -> None:
    data = bytearray(image("iso9660.raw").read_bytes())
    data[18 * 2048 : 18 * 2048 + 8] = bytes(8)
    volumes, problems = volumes_of(Bytes(bytes(data)))
    assert listed(volumes) == [(1, 0, "ISO 9660", MENDED)]
    assert facts_of(volumes) == {"volume at byte 0": MENDED}
    assert "opened through the mended volume descriptors" in messages(problems)


# ---- the scan itself -------------------------------------------------------------------------------------------------------


def test_every_mark_is_found_at_every_alignment_of_a_sector() -> None:
    """The comparison of four bytes at once must not miss a mark, wherever in a sector it stands."""
    for name, offset, mark in MARKS:
        seen: list[tuple[str, int]] = []
        medium: Any = Bytes(bytes(512 * 7 + offset) + mark + bytes(70000))

        def note(_: Any, kind: str, base: int, seen: list[tuple[str, int]] = seen) -> Header | None:
            seen.append((kind, base))
            return None

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scanning, "header_at", note)
            list(Scan(medium, lambda: None).area(0, medium.size))
        assert (name, 512 * 7) in seen, name


def test_beyond_the_budget_only_each_mib_is_looked_at_and_that_is_said(fat: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scan.__init__, "__defaults__", (1 << 20, *Scan.__init__.__defaults__[1:]))
    disk = bytearray(6 << 20)
    for at in (2 << 20, (4 << 20) + 4096):
        disk[at : at + len(fat)] = fat
    volumes, problems = volumes_of(Bytes(bytes(disk)))
    assert [v.offset for v in volumes if is_listed(v)] == [2 << 20]
    assert "only the beginning of each MiB was looked at" in messages(problems)


def test_a_huge_area_takes_a_bounded_number_of_looks() -> None:
    class Vast:
        size, sector_size = 1 << 50, 512
        looks = 0

        def read_at(self, _: int, length: int) -> bytes:
            self.looks += 1
            return bytes(length)

    medium: Any = Vast()
    scan = Scan(medium, lambda: None, budget=1 << 20)
    assert list(scan.area(0, medium.size)) == []
    assert medium.looks < 70_000
    assert scan.sparse == medium.size - (1 << 20)
    assert scan.step == 1 << 34


def test_what_cannot_be_read_is_counted_and_the_rest_is_searched(fat: bytes) -> None:
    class Torn(Bytes):
        def read_at(self, offset: int, length: int) -> bytes:
            if offset < 12288 and offset + length > 8192:
                raise DamagedRangeError(offset, length, "planted")
            return self.data[offset : offset + length]

    volumes, problems = volumes_of(Torn(bytes(START * 512) + fat + bytes(4096)))
    assert [v.offset for v in volumes if is_listed(v)] == [START * 512]
    assert "4096 bytes outside of known volumes cannot be read" in messages(problems)


def test_it_beats_while_it_searches() -> None:
    beats = []
    medium: Any = Bytes(bytes(64 << 20))
    list(Scan(medium, lambda: beats.append(1)).area(0, medium.size))
    assert len(beats) >= 8


def test_a_mark_in_every_sector_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.filesystem.scan.MAX_CANDIDATES", 500)
    monkeypatch.setattr("triage.filesystem.volumes.MAX_CANDIDATES", 500)
    _, problems = volumes_of(Bytes((bytes(510) + b"\x55\xaa") * 2000))
    assert "more than 500 places look like the beginning of a file system" in messages(problems)


@settings(max_examples=200, deadline=2000)
@given(st.sampled_from([name for name, _, _ in MARKS]), st.binary(min_size=512, max_size=4096), st.integers(0, 8))
def test_whatever_the_bytes_a_header_is_one_or_none(name: str, data: bytes, before: int) -> None:
    offset, mark = next((o, m) for n, o, m in MARKS if n == name)
    raw = bytearray(bytes(before * 512) + data + bytes(80000))
    raw[before * 512 + offset : before * 512 + offset + len(mark)] = mark
    medium: Any = Bytes(bytes(raw))
    header = header_at(medium, name, before * 512)
    if header is not None:
        assert 0 <= header.start < medium.size
        assert header.size >= 0
        if header.copy is not None:
            assert overlay_for(medium, header.start, found_by(header)) is not None
