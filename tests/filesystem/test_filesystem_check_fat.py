"""The self-check of FAT: silent on sound media, and no damage to what is kept twice goes unsaid."""

from __future__ import annotations

import gzip
import hashlib
import random
import struct
import time
import zipfile
from array import array
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Walked, reader_of

from triage.filesystem.checks import Fault, Found, Missed, VolumeReader, fat, fatdir
from triage.filesystem.checks.clusters import END, Claims, Stop, Table, covered, runs_of
from triage.filesystem.checks.fatboot import Boot, parse
from triage.filesystem.listed import Listed
from triage.filesystem.tsk import Avoid
from triage.model import Entry, Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = Path(__file__).resolve().parents[2] / "bench" / "seeds"
SOUND = ("fat12.raw", "fat32.E01", "gpt.E01", "split.001", "fat-orphans.raw", "seed fat16", "seed fat32")
EVIDENCE = ("made/fat32.E01", "rust-fatfs/fat12.img", "velociraptor/fat_very_small.dd", "sleuthkit/fat_dst_test.dd",
            "fatcat/deleted.img.gz", "fatcat/empty.img.gz", "fatcat/hello-world.img.gz",
            "dftt/1-extend-part.zip", "dftt/5-fat-daylight.zip")
SHORT = "vol1/note07.txt"
LONG = "vol1/A longer name for file number 21.text"


def walk_of(path: Path, *, checks: bool = True) -> Walked:
    return Walked(path, Avoid(orphans=path.name.startswith("fat-orphans"), checks=not checks), 20_000, kind="FAT")


def check(path: Path) -> list[Fault | Missed | Found]:
    """Return what the check alone yields on every FAT volume of an image."""
    return walk_of(path, checks=False).check(fat.check)


class Disk:
    """A FAT volume as bytes that a test changes."""

    known: ClassVar[dict[bytes, Walked]] = {}

    def __init__(self, raw: bytes, tmp_path: Path) -> None:
        self.raw = bytearray(raw)
        self._path = tmp_path / "changed.raw"
        self.bits = 32 if self.raw[82:87] == b"FAT32" else int(self.raw[57:59])
        boot = parse(raw[:512], self.bits)
        assert boot is not None
        self.boot: Boot = boot
        digest = hashlib.sha256(raw).digest()
        if digest not in self.known:
            self.known[digest] = walk_of(self.write(), checks=False)
        self._usual = self.known[digest]

    def write(self) -> Path:
        self._path.write_bytes(self.raw)
        return self._path

    def walk(self) -> Walked:
        return walk_of(self.write())

    def entry(self, path: str) -> Entry:
        return self._usual.at(path)

    def slot(self, path: str) -> int:
        address = self.entry(path).meta_addr
        assert address is not None
        return self.boot.first_slot + (address - 3) * 32

    def cluster(self, path: str) -> int:
        low, high = struct.unpack_from("<H", self.raw, self.slot(path) + 26)[0], struct.unpack_from("<H", self.raw, self.slot(path) + 20)[0]
        return int(low) | int(high) << 16

    def chain(self, cluster: int, value: int, copies: tuple[int, ...] = (0, 1)) -> None:
        """Set a FAT entry in some copies."""
        for copy in copies:
            start = self.boot.fat_start + copy * self.boot.fat_size
            struct.pack_into("<I" if self.bits == 32 else "<H", self.raw, start + cluster * self.bits // 8, value)


@pytest.fixture(params=["fat16", "fat32"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return Disk(gzip.decompress((SEEDS / f"{request.param}.raw.gz").read_bytes()), tmp_path)


@pytest.fixture
def fat32(tmp_path: Path) -> Disk:
    return Disk(gzip.decompress((SEEDS / "fat32.raw.gz").read_bytes()), tmp_path)


def unpacked(path: Path, folder: Path) -> Path:
    if path.suffix == ".gz":
        out = folder / path.stem
        out.write_bytes(gzip.decompress(path.read_bytes()))
        return out
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".dd"))
            return Path(archive.extract(name, folder))
    return path


# ---- sound media -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_said_of_a_sound_volume(name: str, image: Callable[[str], Path], tmp_path: Path) -> None:
    path = unpacked(SEEDS / f"{name[5:]}.raw.gz", tmp_path) if name.startswith("seed ") else image(name)
    assert check(path) == []


@pytest.mark.parametrize("name", EVIDENCE)
def test_nothing_is_said_of_sound_evidence(name: str, evidence_root: Path, tmp_path: Path) -> None:
    assert check(unpacked(evidence_root / "images" / name, tmp_path)) == []


@pytest.mark.parametrize("name", ["fat12.raw", "fat32.E01"])
def test_our_own_walk_finds_every_name_under_the_address_that_tsk_gives_it(name: str, image: Callable[[str], Path]) -> None:
    walk = walk_of(image(name), checks=False)
    (reader, _), = walk.listed
    nothing = Listed()
    found = {(m.address, m.name) for m in fat.check(reader, nothing) if isinstance(m, Missed)}
    wanted = {(e.meta_addr, e.name_raw or e.name.encode()) for e in walk.entries
              if e.name_allocated and not e.name.startswith("$") and "(Volume Label Entry)" not in e.name}
    assert found == wanted
    assert nothing.free is not None
    assert 0 < nothing.free < reader.volume.size


# ---- what is damaged -------------------------------------------------------------------------------------------------------


def test_a_field_that_differs_from_the_backup_boot_sector_is_named(fat32: Disk) -> None:
    fat32.raw[48] = 3
    assert "the boot sector and its backup differ in FSInfo sector" in fat32.walk().said


def test_a_file_system_opened_by_its_backup_is_said(fat32: Disk) -> None:
    fat32.raw[0:512] = bytes(512)
    assert "opened by its backup" in fat32.walk().said


@pytest.mark.parametrize(("at", "value", "said"), [
    (510 + 512, 0, "FSInfo sector (1) is damaged"),
    (3072 + 510, 0, "the backup of the boot sector is not where it should be"),
    (40, 0x81, "FAT 2 is the one in use"),
])
def test_damage_to_fat32s_own_sectors_is_said(fat32: Disk, at: int, value: int, said: str) -> None:
    fat32.raw[at] = value
    assert said in fat32.walk().said


def test_a_media_descriptor_that_the_fat_does_not_begin_with_is_said(disk: Disk) -> None:
    disk.raw[21] = 0xF0
    assert "media descriptor 0xf0" in disk.walk().said


def test_an_image_cut_short_is_said(disk: Disk) -> None:
    del disk.raw[-1 << 20 :]
    assert "1048576 of them are missing behind the volume's end" in disk.walk().said


def test_room_behind_the_file_system_is_told(disk: Disk) -> None:
    disk.raw += bytes(2 << 20)
    faults = [row for row in check(disk.write()) if isinstance(row, Fault)]
    assert [(f.severity, f.message.split(" of the")[0]) for f in faults] == [(Severity.INFO, "2097152 bytes")]


def test_clusters_in_which_the_fats_differ_are_named(disk: Disk) -> None:
    first = disk.cluster(LONG)
    disk.chain(first, 0, copies=(0,))
    walk = disk.walk()
    assert f"FAT 1 and FAT 2 differ in 1 clusters: {first} (free; {first + 1})" in walk.said
    assert "go on in FAT 2 only" in walk.said
    assert f"error {LONG}: only {disk.boot.cluster} of 9000 bytes of the content can be found" in walk.said
    whole = walk.at(LONG + " (by the second FAT)")
    assert (whole.size, sum(r.length for r in whole.runs), whole.runs[0].image_offset) == (9000, 9000, disk.boot.cluster_at(first))


def test_a_directory_that_only_the_second_fat_has_whole_keeps_its_names(fat32: Disk) -> None:
    fat32.chain(fat32.cluster("vol1/Letters"), END, copies=(0,))
    walk = fat32.walk()
    assert {n for n in fat32._usual.names if n[2] == "allocated"} <= walk.names


def test_a_chain_in_a_circle_is_said(disk: Disk) -> None:
    disk.chain(disk.cluster(LONG) + 1, disk.cluster(LONG))
    assert "its chain comes to one of its own clusters" in disk.walk().said


def test_two_names_in_one_cluster_are_both_named(disk: Disk) -> None:
    disk.raw[disk.slot("vol1/note28.txt") + 26] = disk.cluster("vol1/note14.txt") & 0xFF
    disk.raw[disk.slot("vol1/note28.txt") + 27] = disk.cluster("vol1/note14.txt") >> 8
    assert f"vol1/note14.txt: shares clusters from {disk.cluster('vol1/note14.txt')} on with vol1/note28.txt" in disk.walk().said


def test_a_size_beyond_the_clusters_and_clusters_beyond_the_size_are_told_apart(disk: Disk) -> None:
    struct.pack_into("<I", disk.raw, disk.slot(LONG) + 28, 900_000)
    struct.pack_into("<I", disk.raw, disk.slot(SHORT) + 28, 7)
    said = disk.walk().said
    assert "of 900000 bytes of the content can be found" in said
    assert f"warning {SHORT}: the size is 7 bytes, but clusters for 4096 belong to the file" in said


def test_a_name_that_was_wiped_leaves_clusters_that_belong_to_nobody(disk: Disk) -> None:
    disk.raw[disk.slot(SHORT)] = 0xE5
    first, count = disk.cluster(SHORT), 4096 // disk.boot.cluster
    assert f"{count} clusters (4096 bytes) are marked as used, the first of them {first}, and belong to no name" in disk.walk().said


def test_a_sector_of_zeros_inside_a_directory_is_noticed(fat32: Disk) -> None:
    at = fat32.boot.cluster_at(fat32.cluster("vol1/Letters"))
    fat32.raw[at + 64 : at + 160] = bytes(96)
    assert "names stand behind the end of this directory" in fat32.walk().said


def test_names_of_a_directory_that_lost_its_own_are_listed(disk: Disk) -> None:
    disk.raw[disk.slot("vol1/Work")] = 0xE5
    walk = disk.walk()
    below = {e.name for e in disk._usual.entries if e.path.startswith("vol1/Work/") and e.name_allocated}
    assert below
    assert below <= {e.name for e in walk.entries if e.path.startswith("vol1/$OrphanFiles/")}
    assert "1 directories in use are reached by no name" in walk.said


@pytest.mark.parametrize(("offset", "said"), [
    (26, "the directory lies in cluster"),
    (32 + 26, "its '..' leads to cluster"),
    (0, "does not begin with '.' and '..'"),
])
def test_dot_entries_are_held_against_where_the_directory_is(disk: Disk, offset: int, said: str) -> None:
    disk.raw[disk.boot.cluster_at(disk.cluster("vol1/Letters/2019")) + offset] ^= 0x01 if offset else 0x68
    assert said in disk.walk().said


@pytest.mark.parametrize(("back", "offset", "value", "said"), [
    (32, 13, 0x00, "the long name in front of it is not its own"),
    (64, 0, 0x05, "parts of its long name are missing or out of order"),
    (32, 0, 0xE5, "parts of its long name are missing"),
    (32, 12, 0x01, "hold what is no entry"),
    (0, 0, 0xE5, "a long name stands without its entry"),
    (32, 1, ord("B"), "its short name would be another one"),
    (64, 3, 0x3F, "it holds what no name can"),
    (64, 2, 0x04, "one letter is of another script"),
])
def test_damage_to_a_long_name_is_said(disk: Disk, back: int, offset: int, value: int, said: str) -> None:
    disk.raw[disk.slot(LONG) - back + offset] = value
    assert said in disk.walk().said


def test_a_long_name_left_by_a_deleted_entry_is_not_taken_for_the_next_ones(disk: Disk) -> None:
    at = disk.slot(LONG)
    for part in (96, 64, 32):
        disk.raw[at - part] = 0xE5
    disk.raw[at : at + 11] = b"OTHER   TXT"
    walk = disk.walk()
    assert "what is left of a deleted entry's long name stands in front of it" in walk.said
    assert "its short name is OTHER.TXT" in walk.said


def test_deleted_names_whose_long_name_is_anothers_are_counted(disk: Disk) -> None:
    gone = disk._usual.entries
    (entry,) = (e for e in gone if e.path.startswith("vol1/Letters/2019/gone") and not e.name_allocated)
    assert entry.meta_addr is not None
    disk.raw[disk.boot.first_slot + (entry.meta_addr - 3) * 32 - 32 + 13] ^= 0x10
    assert "1 deleted names may be wrong" in disk.walk().said


def test_labels_that_differ_are_told(disk: Disk) -> None:
    disk.raw[disk.boot.cluster_at(disk.boot.root_cluster) if disk.bits == 32 else disk.boot.first_slot] = ord("X")
    assert 'the boot sector has the label "SEED", the root directory "XEED"' in disk.walk().said


def test_a_fat_kind_that_the_clusters_do_not_bear_out_is_said(tmp_path: Path) -> None:
    disk = Disk(gzip.decompress((SEEDS / "fat16.raw.gz").read_bytes()), tmp_path)
    disk.raw[13] = 16  # four times the cluster: too few for FAT16
    assert "says FAT16, but 2041 clusters make it FAT12" in disk.walk().said


# ---- what TSK does not list ------------------------------------------------------------------------------------------------


def test_a_file_whose_size_tsk_does_not_believe_is_listed_with_its_content(disk: Disk) -> None:
    content = bytes(disk.raw[disk.boot.cluster_at(disk.cluster(SHORT)) :][:4096])
    struct.pack_into("<I", disk.raw, disk.slot(SHORT) + 28, 0xF0000000)
    walk = disk.walk()
    entry = walk.at(SHORT)
    assert entry.size == 0xF0000000
    assert b"".join(walk.medium.read_at(r.image_offset or 0, r.length) for r in entry.runs) == content
    assert f"error {SHORT}: only 4096 of 4026531840 bytes" in walk.said


def test_an_empty_file_without_times_is_listed(disk: Disk) -> None:
    at = disk.slot(LONG)
    disk.raw[at + 13 : at + 32] = bytes(19)
    assert disk.walk().at(LONG).size == 0


def test_a_directory_that_tsk_does_not_take_for_one_is_listed_with_what_it_holds(disk: Disk) -> None:
    struct.pack_into("<I", disk.raw, disk.slot("vol1/Work") + 28, 0xF0000000)
    walk = disk.walk()
    assert {n for n in disk._usual.names if n[0].startswith("vol1/Work")} <= walk.names
    assert walk.at("vol1/Work").kind is Kind.DIRECTORY


def test_a_name_with_a_forbidden_byte_is_listed(disk: Disk) -> None:
    disk.raw[disk.slot(SHORT) + 2] = 0x01
    walk = disk.walk()
    assert walk.at("vol1/no\\x01e07.txt").size == 4096
    assert "its name holds what no name can" in walk.said


def test_bytes_that_are_no_directory_bring_no_names(disk: Disk) -> None:
    text = b"of the year house lay at nobody looked by " * 60
    at = disk.boot.cluster_at(disk.cluster("vol1/Work"))
    disk.raw[at : at + disk.boot.cluster] = text[: disk.boot.cluster]
    walk = disk.walk()
    assert "hold what is no entry" in walk.said
    own = [row for row in check(disk.write()) if not isinstance(row, Fault)]
    assert own == []


# ---- real damaged media ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "said"), [
    ("directory-loop", ["vol1/A: shares clusters from 3 on with vol1/A/B/C/A"]),
    ("infinite-file", ["vol1/BigMamma: only 2560 of 4294967295 bytes", "comes to one of its own clusters"]),
    ("two-file-same-cluster", ["vol1/a.txt: shares clusters from 11 on with vol1/b.txt"]),
    ("repair", ["FAT 1 and FAT 2 differ in 1 clusters: 32 (free; end)", "a long name stands without its entry", "belong to no name"]),
    ("full-fat", ["100791 clusters (51604992 bytes) are marked as used"]),
    ("fake-big-disk-1T", ["1116691496960 of them are missing behind the volume's end", "differ in sectors a cluster, total sectors"]),
])
def test_real_damage_is_told_at_once(name: str, said: list[str], evidence_root: Path, tmp_path: Path) -> None:
    path = unpacked(evidence_root / "images" / "fatcat" / f"{name}.img.gz", tmp_path)
    began = time.process_time()
    walk = walk_of(path)
    assert time.process_time() - began < 10
    for text in said:
        assert text in walk.said


def test_bitlocker_to_gos_own_names_are_all_listed(evidence_root: Path) -> None:
    walk = walk_of(evidence_root / "images" / "dfvfs" / "bdetogo.raw")
    assert sum(1 for e in walk.entries if e.path.startswith("vol1/PAD ")) == 267
    assert walk.at("vol1/COV 0000. ER").size == 61_777_408


# ---- hostile -----------------------------------------------------------------------------------------------------------------


def test_numbers_in_the_boot_sector_do_not_decide_how_much_is_read(fat32: Disk) -> None:
    struct.pack_into("<I", fat32.raw, 32, 0xFFFFFFFF)
    struct.pack_into("<I", fat32.raw, 36, 0x00FFFFFF)
    walk = walk_of(fat32.write(), checks=False)
    (reader, listed), = walk.listed
    asked: list[int] = []

    class Counting(VolumeReader):
        def read(self, offset: int, length: int) -> bytes:
            asked.append(max(0, min(length, self.size - offset)))
            return super().read(offset, length)

    began = time.process_time()
    assert list(fat.check(Counting(walk.medium, reader.volume, lambda: None), listed))
    assert sum(asked) < 4 * len(fat32.raw)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("number", range(40))
def test_whatever_is_damaged_ends_and_no_cluster_goes_missing_unsaid(number: int, image: Callable[[str], Path], tmp_path: Path) -> None:
    chance = random.Random(number)
    usual = Disk(image("fat12.raw").read_bytes(), tmp_path)._usual
    raw = bytearray(image("fat12.raw").read_bytes())
    boot = parse(bytes(raw[:512]), 12)
    assert boot is not None
    files = {e.path: e for e in usual.entries if e.kind is Kind.FILE and e.name_allocated and e.runs}
    path = chance.choice(sorted(files))
    at = boot.first_slot + ((files[path].meta_addr or 0) - 3) * 32
    kind = number % 4
    if kind == 0:  # the entry is wiped, as a whole or by its first byte
        raw[at : at + chance.choice((1, 32))] = bytes(1)
    elif kind == 1:  # it begins elsewhere
        struct.pack_into("<H", raw, at + 26, chance.choice((0, 1, 2, 0xFFF, chance.randrange(2, boot.clusters))))
    elif kind == 2:  # a sector of the tables
        start = boot.fat_start + chance.randrange(boot.fats) * boot.fat_size
        raw[start : start + 512] = chance.randbytes(512)
    else:  # bytes of the root directory
        for _ in range(chance.choice((1, 4, 16))):
            raw[boot.first_slot + chance.randrange(boot.root_entries * 4)] = chance.randrange(256)
    target = tmp_path / "mutant.raw"
    target.write_bytes(raw)
    walk = walk_of(target)
    assert "could not be finished" not in walk.said
    if any(n not in walk.names for n in usual.names if n[0].startswith(path)):
        assert walk.problems


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=1024), st.integers(0, 31))
def test_any_bytes_are_read_as_a_directory_to_their_end(data: bytes, skip: int) -> None:
    for one in fatdir.read_slots([(0, data), (4096, data[skip:])]):
        assert one.at >= 0
        if isinstance(one, fatdir.Record):
            fatdir.is_chance(one.slot, 16, 100, 1000)
            fatdir.tsk_takes(one.slot, 16, 100, 1000)
            if not one.attributes & fatdir.LABEL or one.directory:
                one.name.decode()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=6, max_size=34), st.sampled_from([12, 16, 32]), st.integers(2, 33))
def test_chains_are_those_that_a_walk_cluster_by_cluster_gives(values: list[int], bits: int, first: int) -> None:
    ends = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}[bits]
    entries = [ends if v == 40 else v for v in values]
    if bits == 12:
        number = sum(value << 12 * at for at, value in enumerate(entries))
        raw = number.to_bytes(len(entries) * 3 // 2 + 2, "little")
    else:
        raw = array("H" if bits == 16 else "I", entries).tobytes()
    table = Table(reader_of(raw), 0, bits, len(entries) - 2)
    seen: list[int] = []
    at = first
    while 2 <= at < len(entries) and at not in seen:
        seen.append(at)
        at = entries[at]
    chain = table.chain(first)
    assert sorted(c for start, count in chain.runs for c in range(start, start + count)) == sorted(seen)
    assert chain.length == len(seen)
    expected = Stop.LOOP if at in seen else Stop.END if at == ends else Stop.FREE if at == 0 else Stop.OUTSIDE
    assert chain.stop is expected
    if chain.stop is not Stop.LOOP:
        assert [c for start, count in chain.runs for c in range(start, start + count)] == seen


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=8), st.integers(0, 40))
def test_claims_that_overlap_are_the_ones_that_counting_finds(runs: list[tuple[int, int]], first: int) -> None:
    claims = Claims()
    for owner, run in enumerate(runs):
        claims.add(owner, [run])
    count = [sum(start <= c < start + length for start, length in runs) for c in range(70)]
    assert bool(list(claims.shared())) == any(n > 1 for n in count)
    for one, other, cluster in claims.shared():
        assert one != other
        for owner in (one, other):
            assert runs[owner][0] <= cluster < sum(runs[owner])
    mask = covered(first, 20, *claims.spans())
    assert mask.tolist() == [n > 0 for n in count[first : first + 20]]
    assert [c for start, length in runs_of(mask, first) for c in range(start, start + length)] == (np.flatnonzero(mask) + first).tolist()


@pytest.mark.parametrize(("name", "short", "fits"), [
    ("A longer name.text", b"ALONGE~1TEX", True),
    ("a.b.c.jpeg", b"ABC~1   JPE", True),
    (".hidden", b"HIDDEN~1   ", True),
    ("note07.txt", b"NOTE07  TXT", True),
    ("plus+minus.txt", b"PLUS_M~1TXT", True),
    ("Too many alike 7.txt", b"TO3F2A~1TXT", True),
    ("Größe und Gewicht.txt", b"GR\x99\xe1EU~1TXT", True),
    ("Bnother name.text", b"ANOTHE~1TEX", False),
    ("note07.txt", b"NOTE07  TXU", False),
    ("note07.txt", b"NOTE    TXT", False),
])
def test_a_short_name_is_held_against_its_long_one(name: str, short: bytes, fits: bool) -> None:
    assert fatdir.short_fits(name, short) is fits
