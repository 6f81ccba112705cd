"""The self-check of exFAT: silent on sound media, and no damage to what a checksum or a bitmap covers goes unsaid."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from media_support import Walked, mutated, wipe

from triage.filesystem.checks import Fault, Found, Missed, exfat, exfatdir
from triage.filesystem.checks.exfatboot import Boot, read_boot
from triage.filesystem.listed import Listed
from triage.filesystem.tsk import Avoid
from triage.model import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SEED = Path(__file__).resolve().parents[2] / "bench" / "seeds" / "exfat.raw.gz"
FILE = "vol1/note07.txt"


def walk_of(path: Path, *, checks: bool = True) -> Walked:
    return Walked(path, Avoid(checks=not checks), 20_000, kind="exFAT")


def check(path: Path) -> list[Fault | Missed | Found]:
    """Return what the check alone yields."""
    return walk_of(path, checks=False).check(exfat.check)


class Disk:
    """An exFAT volume as bytes that a test changes."""

    def __init__(self, tmp_path: Path) -> None:
        self.raw = bytearray(gzip.decompress(SEED.read_bytes()))
        self._path = tmp_path / "changed.raw"
        self.usual = walk_of(self.write(), checks=False)
        boot = read_boot(self.usual.listed[0][0])
        assert boot is not None
        self.boot: Boot = boot

    def write(self) -> Path:
        self._path.write_bytes(self.raw)
        return self._path

    def walk(self) -> Walked:
        return walk_of(self.write())

    def slot(self, path: str) -> int:
        address = self.usual.at(path).meta_addr
        assert address is not None
        return self.boot.heap + (address - 3) * 32

    def sign(self, path: str) -> None:
        """Give an entry set the checksum that it should have now."""
        at = self.slot(path)
        slots = [bytes(self.raw[n : n + 32]) for n in range(at, at + 32 * (1 + self.raw[at + 1]), 32)]
        struct.pack_into("<H", self.raw, at + 2, exfatdir.set_checksum(slots))

    def cluster(self, path: str) -> int:
        return int.from_bytes(self.raw[self.slot(path) + 52 : self.slot(path) + 56], "little")


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


# ---- sound media -----------------------------------------------------------------------------------------------------------


def test_nothing_is_said_of_a_sound_volume(image: Callable[[str], Path], disk: Disk) -> None:
    assert check(image("exfat.raw")) == []
    assert check(disk.write()) == []


@pytest.mark.parametrize("name", ["made/exfat.E01", "dsoprea/test.exfat"])
def test_nothing_is_said_of_sound_evidence(name: str, evidence_root: Path) -> None:
    assert check(evidence_root / "images" / name) == []


def test_our_own_walk_finds_every_name_under_the_address_that_tsk_gives_it(image: Callable[[str], Path]) -> None:
    walk = walk_of(image("exfat.raw"), checks=False)
    (reader, _), = walk.listed
    nothing = Listed()
    found = {(m.address, m.name) for m in exfat.check(reader, nothing) if isinstance(m, Missed)}
    wanted = {(e.meta_addr, e.name_raw or e.name.encode()) for e in walk.entries
              if e.name_allocated and not e.name.startswith("$") and "(Volume Label Entry)" not in e.name}
    assert found == wanted
    assert nothing.free


def test_flags_that_no_checksum_covers_may_differ(disk: Disk) -> None:
    disk.raw[106], disk.raw[112] = 2, 99
    assert check(disk.write()) == []


# ---- what is damaged -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "said"), [
    (104, "error : the checksum of the boot region is wrong, that of its backup is right; the two differ in revision"),
    (600, "warning : the checksum of the boot region is wrong, that of its backup is right"),
    (12 * 512 + 104, "warning : the checksum of the backup boot region is wrong; the two differ in revision"),
])
def test_boot_regions_are_held_against_their_checksums_and_each_other(disk: Disk, at: int, said: str) -> None:
    disk.raw[at] ^= 1
    assert said in disk.walk().said


def test_both_boot_regions_wrong_is_said(disk: Disk) -> None:
    disk.raw[600] ^= 1
    disk.raw[12 * 512 + 600] ^= 1
    assert "the checksums of both boot regions are wrong" in disk.walk().said


@pytest.mark.parametrize(("offset", "hash_fits"), [(4, True), (12, True), (40, True), (56, True), (66, False), (35, None)])
def test_an_entry_set_that_fails_its_checksum_is_named(disk: Disk, offset: int, hash_fits: bool | None) -> None:
    disk.raw[disk.slot(FILE) + offset] ^= 0x04
    said = disk.walk().said
    assert "name, size, times or place may be wrong" in said
    if hash_fits is not None:
        assert ("its name is right by its hash" if hash_fits else "its name does not fit its hash either") in said


def test_a_name_that_fits_the_checksum_and_not_its_hash_is_said(disk: Disk) -> None:
    disk.raw[disk.slot(FILE) + 66] ^= 0x04
    disk.sign(FILE)
    assert "the name does not fit its hash" in disk.walk().said


@pytest.mark.parametrize(("offset", "value", "said"), [
    (0, 0x05, "parts of names stand without the beginning of their entry"),
    (0, 0x00, "parts of names stand without the beginning of their entry"),
    (0, 0xA5, "parts of names stand without the beginning of their entry"),
    (0, 0x9F, "hold what is no entry"),
    (1, 0x04, "further entries are there"),
    (64, 0x41, "1 of its 2 further entries are there"),
])
def test_a_set_that_is_not_whole_is_noticed(disk: Disk, offset: int, value: int, said: str) -> None:
    disk.raw[disk.slot(FILE) + offset] = value
    assert said in disk.walk().said


def test_names_behind_the_end_of_a_directory_are_noticed(disk: Disk) -> None:
    at, cluster = disk.slot(FILE), disk.cluster(FILE)
    disk.raw[at : at + 96] = bytes(96)
    said = disk.walk().said
    assert "names stand behind the end of this directory" in said
    assert f"1 clusters (4096 bytes) are marked as used, the first of them {cluster}" in said


def test_clusters_of_a_file_that_are_marked_free_are_noticed(disk: Disk) -> None:
    number = disk.cluster(FILE) - 2
    disk.raw[disk.usual.at("vol1/$ALLOC_BITMAP").runs[0].image_offset + number // 8] &= ~(1 << number % 8)  # type: ignore[operator]
    assert f"1 clusters of names in use are marked as free, the first of them {number + 2}" in disk.walk().said


def test_two_names_in_one_cluster_are_both_named(disk: Disk) -> None:
    other = "vol1/note14.txt"
    struct.pack_into("<I", disk.raw, disk.slot(other) + 52, disk.cluster(FILE))
    disk.sign(other)
    assert f"{FILE}: shares clusters from {disk.cluster(FILE)} on with {other}" in disk.walk().said


def test_a_chain_in_the_fat_is_held_against_the_size(disk: Disk) -> None:
    at, path = disk.slot("vol1/note35.txt"), "vol1/note35.txt"
    disk.raw[at + 33] &= ~2  # chained by the FAT, which has nothing for it
    disk.sign(path)
    assert f"error {path}: only 4096 of its 33000 bytes can be found, content is missing" in disk.walk().said


@pytest.mark.parametrize(("valid", "severity"), [(5000, "warning"), (100, "info")])
def test_valid_data_are_held_against_the_size(disk: Disk, valid: int, severity: str) -> None:
    struct.pack_into("<Q", disk.raw, disk.slot(FILE) + 40, valid)
    disk.sign(FILE)
    walk = disk.walk()
    assert [p.severity for p in walk.problems] == [severity]
    assert ("5000 bytes are said to be valid of a size of 4096" if valid == 5000 else "1 files were written only in part") in walk.said


def test_a_damaged_up_case_table_is_said_and_no_hash_is_judged_by_it(disk: Disk) -> None:
    disk.raw[(disk.usual.at("vol1/$UPCASE_TABLE").runs[0].image_offset or 0) + 2 * ord("o")] ^= 1
    walk = disk.walk()
    assert [p.message.split(",")[0] for p in walk.problems] == ["the up-case table is damaged"]


def test_an_image_cut_short_and_room_behind_are_told_apart(disk: Disk) -> None:
    whole = bytes(disk.raw)
    disk.raw += bytes(2 << 20)
    (room,) = check(disk.write())
    assert isinstance(room, Fault)
    assert (room.severity, room.message.split(" of the")[0]) == (Severity.INFO, "2097152 bytes")
    disk.raw = bytearray(whole[: -1 << 20])
    assert "1048576 of them are missing behind the volume's end" in disk.walk().said


def test_deleted_sets_that_are_no_longer_whole_are_counted(disk: Disk) -> None:
    gone = next(e for e in disk.usual.entries if not e.name_allocated and e.path == "vol1/gone 4.txt")
    assert gone.meta_addr is not None
    disk.raw[disk.boot.heap + (gone.meta_addr - 3) * 32 + 70] ^= 1
    assert "1 deleted entries are no longer whole" in disk.walk().said


# ---- what TSK does not list ------------------------------------------------------------------------------------------------


def test_a_file_whose_size_tsk_does_not_believe_is_listed_with_its_content(disk: Disk) -> None:
    content = bytes(disk.raw[disk.boot.cluster_at(disk.cluster(FILE)) :][:4096])
    struct.pack_into("<Q", disk.raw, disk.slot(FILE) + 56, 7 << 20)
    walk = disk.walk()
    entry = walk.at(FILE)
    assert entry.size == 7 << 20
    assert walk.medium.read_at(entry.runs[0].image_offset or 0, 4096) == content


def test_a_file_without_times_is_listed(disk: Disk) -> None:
    at = disk.slot(FILE)
    disk.raw[at + 8 : at + 25] = bytes(17)
    assert disk.walk().at(FILE).size == 4096


def test_names_of_a_directory_that_lost_its_own_are_listed(disk: Disk) -> None:
    disk.raw[disk.slot("vol1/Work")] = 0x05
    walk = disk.walk()
    below = {e.name for e in disk.usual.entries if e.path.startswith("vol1/Work/") and e.name_allocated}
    assert below
    assert below <= {e.name for e in walk.entries if e.path.startswith("vol1/$OrphanFiles/")}


def test_a_directory_that_tsk_does_not_take_for_one_is_listed_with_what_it_holds(disk: Disk) -> None:
    at = disk.slot("vol1/Work")
    disk.raw[at + 8 : at + 25] = bytes(17)
    walk = disk.walk()
    assert {n for n in disk.usual.names if n[0].startswith("vol1/Work/") and n[2] == "allocated"} <= walk.names
    assert walk.at("vol1/Work").kind is Kind.DIRECTORY


# ---- hostile -----------------------------------------------------------------------------------------------------------------


def change(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    """Change a byte that is not nought."""
    full = [n for n in range(at, at + 512) if raw[n]] or [at]
    raw[chance.choice(full)] = chance.randrange(256)


@pytest.mark.parametrize("number", range(40))
def test_no_damage_to_metadata_loses_a_name_in_silence(number: int, disk: Disk) -> None:
    chance = random.Random(number)
    files = [e for e in disk.usual.entries if e.kind is Kind.FILE and not e.name.startswith("$")]
    content = [(r.image_offset or 0, r.length) for e in files for r in e.runs]
    places = [n // 512 for n in range(0, len(disk.raw), 512)
              if any(disk.raw[n : n + 512]) and not any(start <= n < start + length for start, length in content)]
    disk.raw = mutated(disk.raw, places, chance, (wipe, change, change, change), times=(1, 2, 8))
    walk = disk.walk()
    if not walk.listed:
        return  # TSK does not open it: said of the volume
    assert "could not be finished" not in walk.said
    lost = disk.usual.names - walk.names
    assert not lost or walk.problems, sorted(lost)[:3]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=1024), st.integers(0, 31))
@example(b"\x85", 0)  # a set's beginning that the end cuts
def test_any_bytes_are_read_as_a_directory_to_their_end(data: bytes, skip: int) -> None:
    for one in exfatdir.read_sets([(0, data), (4096, data[skip:])]):
        assert one.at >= 0
        if isinstance(one, exfatdir.Record):
            assert one.name.decode() is not None
            assert one.size >= 0
            exfatdir.tsk_takes(one.primary, one.stream, 100, 1000)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_make_an_up_case_table_or_none(raw: bytes) -> None:
    table = exfatdir.upcase(raw)
    assert table is None or len(table) == 0x10000
