"""Free space by the file systems' own books: held against answers that were come by otherwise, and against damage."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Bytes, Walked, clear, exaggerate_aligned, flip, misplace, mutated, reader_of, scramble

from triage.evidence.opening import open_evidence
from triage.filesystem import allocation
from triage.filesystem.allocation import Allocation, free_ranges
from triage.filesystem.checks import VolumeReader
from triage.filesystem.image import tsk_image
from triage.filesystem.ownership import Ownership, total
from triage.filesystem.volumes import is_listed, list_volumes, open_file_system

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUILT_IN = (
    "exfat.raw",
    "ext2.raw",
    "ext4.raw",
    "fat12.raw",
    "fat32.E01",
    "gpt.E01",
    "ntfs.E01",
    "hfsplus.raw",
    "fat-orphans.raw",
    "minhang_ext2.raw",
    "minhang_ext2_4k.raw",
)
EVIDENCE = (
    "dfvfs/ext2.E01",
    "dfvfs/hfsplus.raw",
    "dsoprea/hierarchy_32.ext4",
    "dsoprea/hierarchy_64.ext4",
    "dsoprea/test.exfat",
    "made/exfat.E01",
    "made/ext4.E01",
    "made/fat32.E01",
    "made/ntfs.E01",
    "plaso/image.E01",
    "rust-fatfs/fat12.img",
    "velociraptor/fat_very_small.dd",
    "velociraptor/test.ntfs.dd.E01",
)
needs_e2fsprogs = pytest.mark.skipif(not all(map(shutil.which, ("mke2fs", "debugfs", "dumpe2fs"))), reason="needs e2fsprogs")


def volumes(path: Path) -> list[tuple[VolumeReader, Allocation, Any]]:
    """Return each volume of an image with what is free on it and TSK's view of it."""
    evidence, medium, _ = open_evidence(path)
    image = tsk_image(medium, evidence.paths)
    found = []
    for volume in list_volumes(image, medium, evidence.id)[0]:
        if is_listed(volume):
            reader = VolumeReader(medium, volume, lambda: None)
            free = free_ranges(reader, volume.file_system)
            assert free is not None
            found.append((reader, free, open_file_system(image, volume.offset)))
    return found


def check_form(free: Allocation, size: int) -> None:
    """Ranges are sorted, apart, inside, and begin and end where units do."""
    reached = -1
    for start, end in free.free:
        assert reached < start < end <= size
        assert (end - start) % free.block == 0 or end == size
        reached = end


def marked_free(reader: VolumeReader, kind: str) -> int:
    """Count what is free in the plainest way, bit by bit, from where each format says its books lie."""
    head = reader.read(0, 4096)
    if kind.startswith("FAT"):
        bits = int(kind[3:])
        sector, each, reserved, fats, roots, small, _, short = struct.unpack_from("<HBHBHHBH", head, 11)
        large, long = struct.unpack_from("<II", head, 32)
        size = (short or long) * sector
        first = (reserved * sector) + fats * size + -(-roots * 32 // sector) * sector
        clusters = ((small or large) * sector - first) // (each * sector)
        table = int.from_bytes(reader.read(reserved * sector, size), "little")
        mask = (1 << min(bits, 28)) - 1
        return sum(not table >> bits * number & mask for number in range(2, clusters + 2)) * each * sector
    if kind == "exFAT":
        sector, cluster = 1 << head[108], 1 << head[108] + head[109]
        heap, clusters, root = (struct.unpack_from("<I", head, at)[0] for at in (88, 92, 96))
        entries = reader.read(heap * sector + (root - 2) * cluster, cluster)
        bitmap = next(entries[at : at + 32] for at in range(0, cluster, 32) if entries[at] == 0x81)
        raw = reader.read(heap * sector + (int.from_bytes(bitmap[20:24], "little") - 2) * cluster, -(-clusters // 8))
        return sum(not raw[n // 8] >> n % 8 & 1 for n in range(clusters)) * cluster
    if kind == "HFS+":
        header = reader.read(1024, 512)
        block, blocks = struct.unpack_from(">II", header, 40)
        start, count = struct.unpack_from(">II", header, 112 + 16)
        raw = reader.read(start * block, count * block)
        return sum(not raw[n // 8] << n % 8 & 128 for n in range(blocks)) * block
    if kind == "NTFS":
        sector, each, sectors, mft = (*struct.unpack_from("<HB", head, 11), *struct.unpack_from("<QQ", head, 40))
        cluster = sector * each
        record = reader.read(mft * cluster + 6 * 1024, 1024)
        at = struct.unpack_from("<H", record, 20)[0]
        while struct.unpack_from("<I", record, at)[0] != 0x80:
            at += struct.unpack_from("<I", record, at + 4)[0]
        runs = at + struct.unpack_from("<H", record, at + 32)[0]
        length, far = record[runs] & 15, record[runs] >> 4  # the samples' bitmaps lie in one piece
        start = int.from_bytes(record[runs + 1 + length : runs + 1 + length + far], "little")
        clusters = sectors * sector // cluster
        raw = reader.read(start * cluster, -(-clusters // 8))
        return sum(not raw[n // 8] >> n % 8 & 1 for n in range(clusters)) * cluster
    assert kind.startswith("ext")
    raw = reader.read(1024, 1024)  # the superblock's own count
    return int.from_bytes(raw[12:16], "little") * (1024 << raw[24])


@pytest.mark.parametrize("name", BUILT_IN)
def test_free_space_is_what_the_books_say_bit_by_bit(image: Callable[[str], Path], name: str) -> None:
    looked_at = 0
    for reader, free, _ in volumes(image(name)):
        check_form(free, reader.size)
        assert not free.note
        assert total(free.free) == marked_free(reader, reader.volume.file_system)
        looked_at += 1
    assert looked_at


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "fat-orphans.raw"])  # which takes half a minute
def test_nothing_of_a_file_that_exists_is_free(image: Callable[[str], Path], name: str) -> None:
    walked = Walked(image(name))
    owned = Ownership()
    for entry in walked.entries:
        for run in entry.runs if entry.name_allocated and entry.meta_allocated else ():
            if run.image_offset is not None:
                owned.add(run.image_offset, run.length)
    assert owned.ranges()
    for reader, listed in walked.listed:
        free = free_ranges(reader, reader.volume.file_system)
        assert free is not None
        assert not sum(listed.ownership.overlap(start + reader.volume.offset, end - start) for start, end in free.free)
        assert not sum(owned.overlap(start + reader.volume.offset, end - start) for start, end in free.free)


@pytest.mark.parametrize("name", EVIDENCE)
def test_nothing_of_a_file_in_real_evidence_is_free(evidence_root: Path, name: str) -> None:
    for reader, free, fs in volumes(evidence_root / "images" / name):
        check_form(free, reader.size)
        assert free.free
        # What TSK opens and calls allocated, block by block; its blocks of FAT and exFAT are sectors.
        owned = np.zeros(-(-reader.size // 512), dtype=bool)
        for start, end in free.free:
            owned[start // 512 : end // 512] = True
        root = fs.open_dir(inode=fs.info.root_inum)
        block = int(fs.info.block_size)
        for entry in root:
            meta = entry.info.meta
            if meta is None or not int(meta.flags) & 1 or int(meta.type) == 10:
                continue
            for attribute in entry:
                for run in attribute:
                    if not int(run.flags) & 3:
                        assert not owned[run.addr * block // 512 : (run.addr + run.len) * block // 512].any()


@needs_e2fsprogs
@pytest.mark.parametrize(
    "options",
    [
        ("-t", "ext4"),
        ("-t", "ext4", "-b", "4096"),
        ("-t", "ext4", "-O", "meta_bg,^resize_inode", "-b", "1024"),
        ("-t", "ext4", "-O", "bigalloc", "-C", "16384"),
        ("-t", "ext4", "-O", "^flex_bg,uninit_bg,^metadata_csum", "-b", "1024"),
        ("-t", "ext4", "-O", "sparse_super2,^resize_inode", "-b", "1024"),
        ("-t", "ext4", "-O", "^64bit", "-b", "1024", "-g", "1024"),
        ("-t", "ext3", "-b", "2048"),
        ("-t", "ext2", "-O", "^sparse_super", "-b", "1024", "-r", "0"),
    ],
    ids=" ".join,
)
def test_every_layout_of_ext_agrees_with_what_e2fsprogs_counts(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "made.raw"
    with path.open("wb") as file:
        file.truncate(90 << 20)
    subprocess.run(["mke2fs", "-q", "-F", *options, str(path)], check=True, capture_output=True)
    told = subprocess.run(["dumpe2fs", "-h", str(path)], check=True, capture_output=True, text=True).stdout
    counted = next(line.split()[-1] for line in told.splitlines() if line.startswith("Free blocks:"))
    block = next(line.split()[-1] for line in told.splitlines() if line.startswith("Block size:"))
    free = free_ranges(reader_of(path.read_bytes()), "ext4")
    assert free is not None
    check_form(free, 90 << 20)
    assert total(free.free) == int(counted) * int(block)
    assert not free.note


@needs_e2fsprogs
def test_blocks_move_from_free_to_used_as_a_file_is_written(tmp_path: Path) -> None:
    path, content = tmp_path / "made.raw", tmp_path / "content"
    with path.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", str(path)], check=True, capture_output=True)
    before = free_ranges(reader_of(path.read_bytes()), "ext4")
    content.write_bytes(b"found " * 20_000)
    subprocess.run(["debugfs", "-w", "-R", f"write {content} file", str(path)], check=True, capture_output=True)
    data = path.read_bytes()
    after = free_ranges(reader_of(data), "ext4")
    assert before is not None
    assert after is not None
    assert total(before.free) - total(after.free) == -(-120_000 // 1024) * 1024
    assert not any(b"found found" in data[start:end] for start, end in after.free)


def test_kinds_that_keep_no_such_books_give_none(image: Callable[[str], Path]) -> None:
    assert free_ranges(reader_of(image("iso9660.raw").read_bytes()), "ISO 9660") is None
    assert free_ranges(reader_of(bytes(4096)), "APFS") is None


@pytest.mark.parametrize("kind", ["NTFS", "FAT12", "FAT16", "FAT32", "exFAT", "ext2", "ext4", "HFS+"])
def test_what_is_no_file_system_gives_none(kind: str) -> None:
    for data in (b"", bytes(65536), b"\xff" * 65536, random.Random(3).randbytes(65536)):
        assert free_ranges(reader_of(data), kind) is None


def test_a_bitmap_that_cannot_be_read_is_said_and_nothing_of_it_is_free(image: Callable[[str], Path]) -> None:
    data = image("ext4.raw").read_bytes()
    reader = reader_of(data)
    bitmap = int.from_bytes(data[2048:2052], "little") * 1024
    reader._medium = Bytes(data, (bitmap, bitmap + 512))
    free = free_ranges(reader, "ext4")
    assert free is not None
    assert free.free == []
    assert "1 of 1 groups cannot be read" in free.note


def test_an_ntfs_bitmap_that_cannot_be_read_in_part_is_said(image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (reader, whole, _), _ = volumes(image("ntfs.E01"))
    monkeypatch.setattr(allocation, "_PIECE", 64)
    data = reader._medium.read_at(0, reader._medium.size)
    mft = allocation.ntfs.open_mft(reader)
    assert mft is not None
    record = mft.record(6)
    assert record is not None
    runs = record.find(0x80)
    assert runs is not None
    assert runs.runs is not None
    start = (runs.runs[0].start or 0) * mft.boot.cluster + reader.volume.offset
    reader._medium = Bytes(data, (start, start + 1))
    free = free_ranges(reader, "NTFS")
    assert free is not None
    assert total(free.free) < total(whole.free)
    assert "the bitmap cannot be read" in free.note


def test_an_unclean_journal_is_said(image: Callable[[str], Path]) -> None:
    data = bytearray(image("ext4.raw").read_bytes())
    data[1024 + 0x60] |= 4
    free = free_ranges(reader_of(bytes(data)), "ext4")
    assert free is not None
    assert "the journal holds changes" in free.note


# -- bits -----------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 700))
def test_runs_of_clear_bits_are_those_that_are_clear(data: bytes, count: int) -> None:
    runs = allocation._clear_bits(data, count)
    clear_bits = {n for n in range(count) if n < len(data) * 8 and not data[n // 8] >> n % 8 & 1}
    assert {n for start, end in runs.tolist() for n in range(start, end)} == clear_bits
    assert all(end < start for (_, end), (start, _) in zip(runs.tolist(), runs.tolist()[1:], strict=False))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=6),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=6),
)
def test_what_is_taken_away_leaves_the_rest(spans: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    held = {n for start, length in spans for n in range(start, start + length)}
    mask = np.ones(80, np.uint8)
    mask[sorted(held)] = 0
    mine = allocation._clear_bits(np.packbits(mask, bitorder="little").tobytes(), 80)
    starts = np.array([start for start, _ in others], np.int64)
    ends = np.array([start + length for start, length in others], np.int64)
    left = allocation._without(mine, starts, ends)
    assert {n for start, end in left.tolist() for n in range(start, end)} == held - {n for s, e in others for n in range(s, s + e)}


def test_where_there_are_too_many_ranges_the_largest_are_kept(image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation, "MAX_RANGES", 100)
    free = allocation._Free()
    for piece in range(20):
        free.add(allocation._clear_bits(b"\x55" * 100 + b"\0" * (20 - piece) + b"\xff" * (piece + 1), 968) + piece * 968)
    found = free.allocation(reader_of(bytes(20_000)), 1, free.spans())
    assert len(found.free) == 100
    assert sum(end - start >= 8 for start, end in found.free) == 20
    assert "of the smallest were left out" in found.note


# -- hostile input --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ext4.raw", "ext2.raw", "exfat.raw", "fat12.raw", "hfsplus.raw"])
def test_damaged_books_end_in_ranges_or_in_none(image: Callable[[str], Path], name: str) -> None:
    data = image(name).read_bytes()
    kind = {"ext4": "ext4", "ext2": "ext2", "exfat": "exFAT", "fat12": "FAT12", "hfsplus": "HFS+"}[name.partition(".")[0]]
    chance = random.Random(7)
    for _ in range(120):
        raw = bytes(mutated(data, range(48), chance, (flip, clear, scramble, misplace, exaggerate_aligned)))
        free = free_ranges(reader_of(raw), kind)
        if free is not None:
            check_damaged(free, len(raw))


def check_damaged(free: Allocation, size: int) -> None:
    reached = -1
    for start, end in free.free:
        assert reached < start < end <= size
        reached = end
