"""The self-check of ext2, ext3 and ext4: silent on sound media, and no damage to what is kept twice goes unsaid."""

from __future__ import annotations

import gzip
import random
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Walked, clear, exaggerate, flip, misplace, mutated, scramble

from triage.filesystem.checks import Fault, Missed, ext
from triage.filesystem.checks.exthash import half_md4
from triage.filesystem.crc32c import crc32c, crc32c_rows
from triage.filesystem.extlayout import ExtLayout, Groups, inode_at, parse_superblock, read_descriptors, read_layout
from triage.filesystem.tsk import Avoid
from triage.model import Entry, Severity

if TYPE_CHECKING:
    from collections.abc import Callable


ROOT = Path(__file__).resolve().parents[2]
EVIDENCE = (
    "dsoprea/hierarchy_32.ext4",
    "dsoprea/hierarchy_64.ext4",
    "dsoprea/tiny.ext4",
    "made/ext4.E01",
    "dfvfs/ext2.E01",
    "dfvfs/ext2.split.E01",
    "plaso/image.E01",
    "plaso/image-split.E01",
    "plaso/syslog_image.dd",
    "plaso/tsk_volume_system.raw",
    "sleuthkit/image.dd",
    "sleuthkit/image.E01",
)
SUPERBLOCK = gzip.decompress((ROOT / "bench" / "seeds" / "ext4.raw.gz").read_bytes())[1024:2048]
needs_e2fsprogs = pytest.mark.skipif(not all(map(shutil.which, ("mke2fs", "debugfs", "e2fsck"))), reason="needs e2fsprogs")


def walk_of(path: Path, avoid: Avoid | None = None) -> Walked:
    return Walked(path, avoid, 50_000, kind="ext")


def names(found: Walked) -> set[tuple[str, str]]:
    return {(path, kind) for path, kind, _ in found.names}


def check(path: Path) -> tuple[list[Fault], list[Missed]]:
    """Return what the check alone yields on every ext volume of an image."""
    found = walk_of(path, Avoid(checks=True)).check(ext.check)
    return [f for f in found if isinstance(f, Fault)], [m for m in found if isinstance(m, Missed)]


class Disk:
    """A seed of the damage experiment as bytes that a test changes: several groups of 1 KiB blocks; ext4 with checksums."""

    def __init__(self, tmp_path: Path, whole: bytes, usual: Walked) -> None:
        self.raw = bytearray(whole)
        self.usual = usual
        self._path = tmp_path / "changed.raw"
        layout = read_layout(self._read)
        assert layout is not None
        self.layout: ExtLayout = layout
        self.groups: Groups = read_descriptors(self._read, layout)

    def _read(self, offset: int, length: int) -> bytes:
        return bytes(self.raw[offset : offset + length])

    def write(self) -> Path:
        self._path.write_bytes(self.raw)
        return self._path

    def entry(self, path: str) -> Entry:
        (entry,) = (e for e in self.usual.entries if e.path == path and e.state.value == "allocated")
        return entry

    def inode(self, path: str) -> int:
        """The byte offset of a file's inode."""
        place = inode_at(self.layout, self.groups, self.entry(path).meta_addr or 0)
        assert place is not None
        return place

    def put(self, offset: int, form: str, *values: int) -> None:
        struct.pack_into(form, self.raw, offset, *values)

    def get(self, offset: int, form: str) -> int:
        return int(struct.unpack_from(form, self.raw, offset)[0])

    def block(self, path: str) -> int:
        """The byte offset of a file's first block."""
        return self.entry(path).runs[0].image_offset or 0

    def record(self, folder: str, name: bytes) -> int:
        """The byte offset of a name's record in its directory's first block."""
        start = self.block(folder)
        return self.raw.index(name, start, start + self.layout.block) - 8

    def flip(self, offset: int, bit: int) -> None:
        self.raw[offset + bit // 8] ^= 1 << bit % 8

    def faults(self) -> list[str]:
        faults, missed = check(self.write())
        return [f"{f.severity}: {f.message} | {f.path} {f.detail}" for f in faults] + [f"missed: {m}" for m in missed]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, Walked]]:
    made = {}
    for kind in ("ext2", "ext4"):
        path = tmp_path_factory.mktemp("seed") / f"{kind}.raw"
        path.write_bytes(gzip.decompress((ROOT / "bench" / "seeds" / f"{kind}.raw.gz").read_bytes()))
        made[kind] = path.read_bytes(), walk_of(path)
    return made


@pytest.fixture
def disk(tmp_path: Path, seeds: dict[str, tuple[bytes, Walked]]) -> Callable[[str], Disk]:
    return lambda kind: Disk(tmp_path, *seeds[kind])


def says(faults: list[str], text: str) -> bool:
    return any(text in fault for fault in faults)


# ---- silent on what is sound -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ext2.raw", "ext4.raw"])
def test_sound_built_in_images_give_nothing(name: str, image: Callable[[str], Path]) -> None:
    assert check(image(name)) == ([], [])


@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_sound_seeds_give_nothing(kind: str, disk: Callable[[str], Disk]) -> None:
    assert disk(kind).faults() == []


@pytest.mark.parametrize("name", EVIDENCE)
def test_sound_images_of_others_give_nothing(name: str, evidence_root: Path) -> None:
    path = evidence_root / "images" / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    assert check(path) == ([], [])


def test_a_sound_image_in_an_archive_gives_nothing(evidence_root: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(evidence_root / "images" / "velociraptor" / "ext4_tests.zip") as archive:
        path = Path(archive.extract("hierarchy_64.ext4", tmp_path))
    assert check(path) == ([], [])


FEATURES = [
    ("ext3", ""),
    ("ext4", "inline_data,orphan_file"),
    ("ext4", "meta_bg,^resize_inode,metadata_csum_seed"),
    ("ext4", "^metadata_csum,uninit_bg,^flex_bg,^64bit"),
    ("ext4", "sparse_super2,quota,project,casefold,encrypt,verity,ea_inode,large_dir,mmp"),
    ("ext2", "^sparse_super,^resize_inode"),
]


@needs_e2fsprogs
@pytest.mark.parametrize(("kind", "features"), FEATURES)
def test_sound_volumes_of_every_shape_give_nothing(kind: str, features: str, tmp_path: Path) -> None:
    """Made here, with a directory whose index has a second level and one small enough to lie in its inode."""
    source = tmp_path / "tree"
    (source / "many").mkdir(parents=True)
    (source / "few").mkdir()
    for number in range(2500 if kind == "ext3" else 300):
        (source / "many" / f"a name as long as names in folders of thousands are {number:06d}").write_bytes(b"")
    (source / "few" / "one").write_bytes(b"1" * 70_000)
    (source / "few" / "small").write_bytes(b"1")
    (source / "few" / "again").hardlink_to(source / "few" / "one")
    path = tmp_path / "volume.raw"
    path.write_bytes(bytes(24 << 20))
    options = ["-O", features] if features else []
    command = ["mke2fs", "-q", "-F", "-t", kind, *options, "-b", "1024", "-g", "8192", "-N", "4096", "-d", str(source), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    if "mmp" not in features:  # it would wait for another machine's sign of life
        subprocess.run(["e2fsck", "-fyD", str(path)], check=False, capture_output=True)  # makes the index
    assert check(path) == ([], [])
    walk = walk_of(path)
    assert len([e for e in walk.entries if e.path.startswith("vol1/many/")]) == (2500 if kind == "ext3" else 300)
    assert not walk.problems
    assert not walk.unlisted


def test_features_that_are_not_known_are_said(disk: Callable[[str], Disk]) -> None:
    ext2 = disk("ext2")
    ext2.put(1024 + 0x60, "<I", ext2.layout.incompat | 0x1000_0000)
    assert says(ext2.faults(), "features that are not known here")


def test_a_journal_to_replay_is_said_once_and_explains_what_differs(disk: Callable[[str], Disk]) -> None:
    ext2 = disk("ext2")
    ext2.put(1024 + 0x60, "<I", ext2.layout.incompat | 4)
    assert [f for f in ext2.faults() if "journal holds changes" in f and "agree all the same" in f] == ext2.faults()
    ext2.put(1024 + 0x10, "<I", 5)
    ext2.put(ext2.inode("vol1/note07.txt") + 0x1C, "<I", 6)
    (fault,) = ext2.faults()
    assert fault.startswith("warning: the journal holds changes")
    assert "books differ in 2 places" in fault


def test_a_volume_that_was_not_unmounted_in_order_is_said_once(disk: Callable[[str], Disk]) -> None:
    ext2 = disk("ext2")
    ext2.put(1024 + 0x3A, "<H", 0)
    (fault,) = ext2.faults()
    assert "not unmounted in order; its books agree all the same" in fault


# ---- what is kept twice ----------------------------------------------------------------------------------------------------

NOTE, FOLDER, OTHER = "vol1/Letters/note08.txt", "vol1/Letters", "vol1/Pictures"
DAMAGE: list[tuple[str, Callable[[Disk], None]]] = []


def damage(message: str) -> Callable[[Callable[[Disk], None]], None]:
    """Keep a way to damage a volume, with the words that the check must have for it."""

    def keep(way: Callable[[Disk], None]) -> None:
        DAMAGE.append((message, way))

    return keep


def _start(d: Disk) -> int:
    """Where in an inode the first block's number is."""
    return 0x28 + (12 + 8 if d.layout.checksums else 0)


@damage("1 copy of the superblock differs from the first: one is damaged, names may be missing |  group 1: inodes a group")
def _superblock_copy(d: Disk) -> None:
    d.put(d.layout.superblock_at(1) + 0x28, "<I", 8)


@damage("1 copy of the superblock is damaged")
def _superblock_copy_gone(d: Disk) -> None:
    d.put(d.layout.superblock_at(1) + 0x38, "<H", 0)


@damage("number of inodes that its groups do not have")
def _inode_count(d: Disk) -> None:
    d.put(1024, "<I", d.layout.inodes - 16)


@damage("says that errors were found")
def _own_errors(d: Disk) -> None:
    d.put(1024 + 0x3A, "<H", 3)


@damage("superblock counts other free inodes")
def _free_inodes(d: Disk) -> None:
    d.put(1024 + 0x10, "<I", 7)


@damage("superblock counts other free blocks")
def _free_blocks(d: Disk) -> None:
    d.put(1024 + 0x0C, "<I", 7)


@damage("1 group descriptor points where its tables cannot be")
def _descriptor_outside(d: Disk) -> None:
    d.put(2048 + 8, "<I", d.layout.blocks + 7)


@damage("1 group counts more or fewer free inodes")
def _group_count(d: Disk) -> None:
    d.put(2048 + 0x0E, "<H", 3)


@damage("1 group counts more or fewer directories")
def _directories_count(d: Disk) -> None:
    d.put(2048 + 0x10, "<H", 1)


@damage("1 inode of files that exist is marked as free")
def _bitmap_cleared(d: Disk) -> None:
    d.flip(int(d.groups.inode_bitmap[0]) * d.layout.block, (d.entry(FOLDER).meta_addr or 0) - 1)


@damage("1 inode is marked as in use and is empty")
def _bitmap_set(d: Disk) -> None:
    d.flip(int(d.groups.inode_bitmap[0]) * d.layout.block, 900)


@damage("1 inode is marked as in use and is empty")
def _inode_gone(d: Disk) -> None:
    d.raw[d.inode(FOLDER) : d.inode(FOLDER) + d.layout.inode_size] = bytes(d.layout.inode_size)


@damage("1 inode in use is of no kind that there is")
def _impossible_kind(d: Disk) -> None:
    d.put(d.inode(FOLDER), "<H", 0o30644)


@damage("1 file has more names than were listed")
def _links(d: Disk) -> None:
    d.put(d.inode(NOTE) + 0x1A, "<H", 2)


@damage("1 file was deleted while still open")
def _deleted_while_open(d: Disk) -> None:
    d.put(d.inode(NOTE) + 0x1A, "<H", 0)


@damage("1 inode in use has a time of deletion")
def _deletion_time(d: Disk) -> None:
    d.put(d.inode(NOTE) + 0x14, "<I", 1_700_000_000)


@damage("1 directory counts more or fewer folders")
def _folder_links(d: Disk) -> None:
    d.put(d.inode(FOLDER) + 0x1A, "<H", 9)


@damage("1 inode gives a size that its blocks cannot have")
def _size(d: Disk) -> None:
    d.put(d.inode(NOTE) + 4, "<I", 1000)


@damage("1 directory lacks blocks that it should have")
def _folder_size(d: Disk) -> None:
    d.put(d.inode(FOLDER) + 4, "<I", 2 * d.layout.block)


@damage("1 inode counts more or fewer blocks than it has")
def _sectors(d: Disk) -> None:
    d.put(d.inode(FOLDER) + 0x1C, "<I", 400)


@damage("1 inode points to blocks that there are not")
def _outside(d: Disk) -> None:
    d.put(d.inode(NOTE) + _start(d), "<I", d.layout.blocks + 5)


@damage("claimed twice")
def _twice(d: Disk) -> None:
    d.put(d.inode(FOLDER) + _start(d), "<I", d.get(d.inode(OTHER) + _start(d), "<I"))


@damage("1 block marked as in use belongs to nothing")
def _block_lost(d: Disk) -> None:
    d.flip(int(d.groups.block_bitmap[0]) * d.layout.block, 4000)


@damage("1 block in use is marked as free")
def _block_freed(d: Disk) -> None:
    d.flip(int(d.groups.block_bitmap[0]) * d.layout.block, d.block(FOLDER) // d.layout.block - d.layout.first)


@damage("1 directory block is damaged: a record does not lead to the next")
def _chain(d: Disk) -> None:
    d.put(d.record(FOLDER, b"note08") + 4, "<H", 10)


@damage("1 directory does not know itself or its parent")
def _dot(d: Disk) -> None:
    d.put(d.block(FOLDER), "<I", 2)


@damage("1 directory names another parent")
def _parent(d: Disk) -> None:
    d.put(d.block(FOLDER) + 12, "<I", d.entry(OTHER).meta_addr or 0)


@damage("1 name says another kind of entry than the inode")
def _kind_of_name(d: Disk) -> None:
    d.raw[d.record(FOLDER, b"note08") + 7] = 2


@damage("1 name leads to no inode in use")
def _nowhere(d: Disk) -> None:
    d.put(d.record(FOLDER, b"note08"), "<I", d.layout.inodes)


@damage("1 name holds a byte of nought")
def _cut_name(d: Disk) -> None:
    d.raw[d.record(FOLDER, b"note08") + 10] = 0


@damage("1 name stands twice in one directory")
def _same_name(d: Disk) -> None:
    at = d.record(FOLDER, b"note08") + 8
    d.raw[at : at + 10] = b"note01.txt"


@damage("the root directory's inode is damaged")
def _root(d: Disk) -> None:
    place = inode_at(d.layout, d.groups, 2)
    assert place is not None
    d.put(place, "<H", 0o100644)


@damage("1 link or device holds what cannot be")
def _link(d: Disk) -> None:
    d.put(d.inode(NOTE), "<H", 0o120777)
    d.put(d.inode(NOTE) + 0x20, "<I", 0)
    d.put(d.inode(NOTE) + 4, "<I", 9)


@damage("1 file or directory is encrypted by the file system: names are shown as they are stored")
def _encrypted(d: Disk) -> None:
    d.put(d.inode(NOTE) + 0x20, "<I", d.get(d.inode(NOTE) + 0x20, "<I") | 0x800)


@damage("2 bitmaps named here are damaged behind the last bit")
def _padding(d: Disk) -> None:
    d.raw[int(d.groups.inode_bitmap[0]) * d.layout.block + d.layout.block - 3] = 0
    d.raw[int(d.groups.block_bitmap[0]) * d.layout.block + d.layout.block - 3] = 0


@damage("block 0: a record without a name")
def _nameless(d: Disk) -> None:
    d.raw[d.record(FOLDER, b"note08") + 6] = 0


@damage("2 blocks kept for growing the file system are damaged")
def _reserve(d: Disk) -> None:
    first = (d.layout.first + 1 + d.layout.descriptor_blocks) * d.layout.block
    d.raw[first] ^= 1
    d.raw[first + 2 * d.layout.block - 1] = 7


@damage("the file system is larger than its volume: the image is cut short")
def _cut_short(d: Disk) -> None:
    del d.raw[-4096:]


@pytest.mark.parametrize(("message", "way"), DAMAGE, ids=[way.__name__.strip("_") for _, way in DAMAGE])
@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_what_is_kept_twice_shows_its_damage(kind: str, message: str, way: Callable[[Disk], None], disk: Callable[[str], Disk]) -> None:
    changed = disk(kind)
    way(changed)
    faults = changed.faults()
    assert says(faults, message), faults


def test_a_descriptor_that_differs_from_its_copy_is_said(disk: Callable[[str], Disk]) -> None:
    ext2, ext4 = disk("ext2"), disk("ext4")
    for d in (ext2, ext4):
        d.put(2048 + d.layout.descriptor + 8, "<I", int(d.groups.inode_table[1]) + 1)
    assert says(ext2.faults(), "1 group descriptor differs from its copy")
    assert says(ext4.faults(), "1 group descriptor fails its checksum")
    again = disk("ext4")
    again.put(again.layout.superblock_at(1) + again.layout.block + again.layout.descriptor + 8, "<I", 9)
    assert [f for f in again.faults() if "copies of 1 group descriptor are damaged" in f] == again.faults()


CHECKSUMS = {
    "superblock fails its checksum": lambda d: 1024 + 0x78,
    "1 group descriptor fails its checksum": lambda d: 2048 + 0x1C,
    "1 inode bitmap fails its checksum": lambda d: int(d.groups.inode_bitmap[0]) * d.layout.block + 100,
    "1 block bitmap fails its checksum": lambda d: int(d.groups.block_bitmap[0]) * d.layout.block + 400,
    "1 inode fails its checksum: size, times": lambda d: d.inode(NOTE) + 0x10,
    "1 deleted file's inode fails its checksum": lambda d: inode_at(d.layout, d.groups, 72) + 0x10,
    "1 directory block fails its checksum": lambda d: d.record(FOLDER, b"note08") + 12,
}


@pytest.mark.parametrize("message", CHECKSUMS)
def test_each_checksum_shows_one_bit(message: str, disk: Callable[[str], Disk]) -> None:
    ext4 = disk("ext4")
    ext4.raw[CHECKSUMS[message](ext4)] ^= 1
    assert says(ext4.faults(), message), ext4.faults()


# ---- what the walk missed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_names_that_a_record_swallowed_are_listed_in_their_place(kind: str, disk: Callable[[str], Disk]) -> None:
    """A record's length reaches over those behind it, which TSK calls deleted then."""
    changed = disk(kind)
    before, behind = changed.record(FOLDER, b"note01.txt"), changed.record(FOLDER, b"note08.txt")
    assert before < behind
    changed.put(before + 4, "<H", behind + changed.get(behind + 4, "<H") - before)
    lost = changed.entry(NOTE)
    walk = walk_of(changed.write())
    assert names(changed.usual) <= names(walk)
    (again,) = (e for e in walk.entries if e.path == lost.path and e.state.value == "allocated")
    assert (again.size, again.runs, again.mtime) == (lost.size, lost.runs, lost.mtime)
    assert any("reached by no name" in p.message and p.severity is Severity.ERROR for p in walk.problems)


@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_what_was_in_a_directory_that_is_gone_is_listed_with_its_content(kind: str, disk: Callable[[str], Disk]) -> None:
    changed = disk(kind)
    at = changed.block(FOLDER)
    changed.raw[at : at + changed.layout.block] = bytes(changed.layout.block)
    walk = walk_of(changed.write())
    below = [e for e in changed.usual.entries if e.path.startswith(FOLDER + "/") and e.state.value == "allocated"]
    found = {e.meta_addr: e for e in walk.entries if e.meta_allocated}
    assert len(below) > 20
    for entry in below:
        again = found[entry.meta_addr]
        assert (again.size, again.runs, again.kind, again.mtime) == (entry.size, entry.runs, entry.kind, entry.mtime)
        if entry.path.count("/") > 2:
            assert again.name == entry.name, "its own directory is whole"


def test_what_lies_under_a_directory_without_a_name_keeps_its_names(disk: Callable[[str], Disk]) -> None:
    changed = disk("ext2")
    changed.put(changed.raw.index(b"\7\2Letters\0") - 6, "<I", 0)
    walk = walk_of(changed.write())
    kept = {e.name for e in changed.usual.entries if e.path.startswith(FOLDER + "/") and e.state.value == "allocated"}
    assert kept <= {e.name for e in walk.entries if e.state.value != "deleted"}
    assert any("reached by no name" in p.message for p in walk.problems)


def test_what_a_walk_died_on_is_listed_by_its_name_where_only_the_self_check_finds_it(disk: Callable[[str], Disk]) -> None:
    changed = disk("ext2")
    before, behind = changed.record(FOLDER, b"note01.txt"), changed.record(FOLDER, b"note08.txt")
    changed.put(before + 4, "<H", behind + changed.get(behind + 4, "<H") - before)
    walk = walk_of(changed.write(), Avoid(metadata=frozenset({changed.entry(NOTE).meta_addr or 0})))
    (bare,) = (e for e in walk.entries if e.path == NOTE and e.state.value == "allocated")
    assert (bare.size, bare.runs, bare.locator) == (0, (), None)
    assert {p.path for p in walk.problems if "only its name is known" in p.message} == {NOTE}  # and of what is left of its record


def test_the_free_space_is_that_of_the_bitmaps(disk: Callable[[str], Disk]) -> None:
    for kind in ("ext2", "ext4"):
        d = disk(kind)
        ((_, listed),) = d.usual.listed
        assert listed.free == d.get(1024 + 0x0C, "<I") * d.layout.block


# ---- whatever the bytes ----------------------------------------------------------------------------------------------------


def _mutant(whole: bytes, used: list[int], number: int) -> bytes:
    chance = random.Random(number)
    raw = mutated(whole, used, chance, (flip, clear, scramble, misplace, exaggerate), times=(1, 1, 2, 4, 16))
    if chance.random() < 0.05:
        del raw[chance.randrange(4096, len(raw)) :]
    return bytes(raw)


@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_no_mutant_loses_a_name_in_silence(kind: str, disk: Callable[[str], Disk], tmp_path: Path) -> None:
    d = disk(kind)
    whole = bytes(d.raw)
    content = {
        sector
        for e in d.usual.entries
        for r in e.runs
        if e.kind.value == "file" and r.image_offset is not None
        for sector in range(r.image_offset // 512, (r.image_offset + r.length) // 512)
    }
    used = [n for n in range(2, len(whole) // 512) if n not in content and any(whole[n * 512 : n * 512 + 512])]
    path = tmp_path / "mutant.raw"
    losing = 0
    for number in range(40):
        path.write_bytes(_mutant(whole, used, number))
        walk = walk_of(path)
        lost = names(d.usual) - names(walk)
        losing += bool(lost)
        assert not lost or walk.problems or walk.unlisted, f"mutant {number} lost {sorted(lost)[:3]}"
        assert not any("could not be finished" in p.message for p in walk.problems), number
    assert losing > 5


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(min_size=1024, max_size=1024), changes=st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 255)), max_size=12))
def test_any_superblock_is_arithmetic_that_holds_or_none(raw: bytes, changes: list[tuple[int, int]]) -> None:
    """Of random bytes with the magic, and of a real one changed: sizes stay in bounds, and a volume of nothing ends at once."""
    changed = bytearray(SUPERBLOCK)
    for place, value in changes:
        changed[place] = value
    for superblock in (raw[:0x38] + b"\x53\xef" + raw[0x3A:], bytes(changed)):
        layout = parse_superblock(superblock)
        if layout is None:
            continue
        assert 1024 <= layout.block <= 65536
        assert layout.inode_size <= layout.block
        assert layout.descriptor <= layout.block
        assert 0 < layout.inodes_per_group * layout.inode_size <= 8 * layout.block * layout.block
        groups = read_descriptors(lambda offset, length, s=superblock: (bytes(1024) + s)[offset : offset + length], layout)
        assert len(groups) <= 2048 // layout.descriptor
        assert inode_at(layout, groups, layout.inodes + 1) is None


# ---- checksums -------------------------------------------------------------------------------------------------------------


def _slow(state: int, data: bytes) -> int:
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state


def test_the_checksum_is_that_of_rfc_3720() -> None:
    for data, wanted in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E), (b"123456789", 0xE3069283)):
        assert crc32c(0xFFFFFFFF, data) ^ 0xFFFFFFFF == wanted


@settings(max_examples=40, deadline=None)
@given(state=st.integers(0, 2**32 - 1), data=st.binary(max_size=1600), count=st.integers(1, 5))
def test_the_checksum_agrees_with_one_bit_after_the_other(state: int, data: bytes, count: int) -> None:
    assert crc32c(state, data) == _slow(state, data)
    length = len(data) // count
    rows = np.frombuffer(data, dtype=np.uint8, count=length * count).reshape(count, length)
    states = np.arange(state, state + count, dtype=np.uint64).astype(np.uint32)
    assert crc32c_rows(states, rows).tolist() == [_slow(int(s), r.tobytes()) for s, r in zip(states, rows, strict=True)]


# ---- hashes of names -------------------------------------------------------------------------------------------------------

# By debugfs of e2fsprogs 1.47, dx_hash -h half_md4 -s 7ea6e001-0000-4000-8000-000000000002.
HASHES = {
    b"a": 0xBE19C2F4,
    b"note.txt": 0x6A6F39F8,
    b"x" * 31: 0xF143389E,
    b"y" * 32: 0x08177206,
    b"z" * 33: 0x55EF4A2E,
    b"n" * 255: 0x402088C4,
    "\u00e9".encode(): 0x7670A664,
    b"lost+found": 0xF8A0E5BE,
}


def test_hashes_of_names_are_those_of_the_format() -> None:
    seed = bytes.fromhex("7ea6e001000040008000000000000002")
    assert half_md4(list(HASHES), seed, signed=True).tolist() == list(HASHES.values())
    unsigned = half_md4(list(HASHES), seed, signed=False).tolist()
    assert [a == b for a, b in zip(unsigned, HASHES.values(), strict=True)] == [name.isascii() for name in HASHES]


@needs_e2fsprogs
@pytest.mark.parametrize("flags", [1, 2])
def test_a_name_that_was_changed_no_longer_fits_the_index(flags: int, tmp_path: Path) -> None:
    """Without checksums, on a processor whose bytes have a sign and on one whose have not."""
    (tmp_path / "tree" / "many").mkdir(parents=True)
    for number in range(300):
        (tmp_path / "tree" / "many" / f"Stra\u00dfe und Hausnummer {number:05d}").write_bytes(b"")
    path = tmp_path / "volume.raw"
    path.write_bytes(bytes(4 << 20))
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", "-N", "600", "-d", str(tmp_path / "tree"), str(path)], check=True)
    subprocess.run(["debugfs", "-w", "-R", f"ssv flags {flags}", str(path)], check=True, capture_output=True)
    subprocess.run(["e2fsck", "-fyD", str(path)], check=False, capture_output=True)
    assert check(path) == ([], [])
    raw = bytearray(path.read_bytes())
    for number in range(100):
        raw[raw.index(f"Hausnummer {number:05d}".encode())] = ord("M")
    path.write_bytes(raw)
    (fault,), missed = check(path)
    assert not missed
    assert fault.message.endswith("names do not belong where the index has them: names may be wrong or made up")
    assert 60 < int(fault.message.split()[0]) <= 100, "by chance some fit"
