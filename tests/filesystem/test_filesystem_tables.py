"""Partition tables that lie or are gone: MBR with its chain, both copies of a GPT, what Sleuth Kit reads otherwise."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_support import Bytes, clear, flip, mbr, mutated, scramble, volumes_of

from triage.evidence.opening import open_evidence
from triage.filesystem.image import MediumImage, tsk_image
from triage.filesystem.tables import MAX_PARTITIONS, Part, overlaps, read_table
from triage.filesystem.volumes import is_listed, list_volumes
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from triage.filesystem.tables import Table

DATA = bytes.fromhex("a2a0d0ebe5b9334487c068b6b72699c7")  # Microsoft basic data


def table_of(data: bytes, sector_size: int = 512) -> Table:
    medium: Any = Bytes(data)
    medium.sector_size = sector_size
    return read_table(MediumImage(medium), medium, lambda _: False)


def said(table: Table) -> str:
    return "\n".join(message for _, message in table.faults)


def gpt(*rows: tuple[int, int], sectors: int = 4096, unit: int = 512, names: tuple[str, ...] = ()) -> bytearray:
    """A disk with a protective MBR and both copies of a GPT; rows are ``(first, last)`` LBA."""
    disk = bytearray(sectors * unit)
    disk[:512] = mbr((0xEE, 1, sectors - 1))
    entries = b"".join(
        DATA + bytes([number + 1]) * 16 + struct.pack("<QQQ", first, last, 0)
        + (names[number] if number < len(names) else "").encode("utf-16-le").ljust(72, b"\0")
        for number, (first, last) in enumerate(rows)
    ).ljust(16384, b"\0")
    size = 16384 // unit
    for here, other, place in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 1 - size)):
        disk[place * unit : place * unit + 16384] = entries
        disk[here * unit : here * unit + 92] = header(here, other, place, entries, (2 + size, sectors - 2 - size))
    return disk


def header(here: int, other: int, place: int, entries: bytes, usable: tuple[int, int]) -> bytes:
    head = bytearray(struct.pack("<8sIIIIQQQQ", b"EFI PART", 0x10000, 92, 0, 0, here, other, *usable))
    head += bytes(range(16)) + struct.pack("<QIII", place, 128, 128, zlib.crc32(entries))
    struct.pack_into("<I", head, 16, zlib.crc32(head))
    return bytes(head)


# ---- sound tables ----------------------------------------------------------------------------------------------------------


def test_sound_tables_of_real_disks_have_no_fault(evidence_root: Path) -> None:
    seen = []
    for name in ("plaso/tsk_volume_system.raw", "sleuthkit/imageformat_mmls_1.E01", "plaso/image-split.E01"):
        evidence, medium, _ = open_evidence(evidence_root / "images" / name)
        table = read_table(tsk_image(medium, evidence.paths), medium, lambda _: False)
        medium.close()
        seen.append((table.scheme, len(table.parts)))
        assert table.faults == []
    assert seen == [("MBR", 2), ("MBR", 2), ("MBR", 2)]


@pytest.mark.parametrize("name", ["gpt.E01", "ntfs.E01"])
def test_built_in_tables_have_no_fault(name: str, image: Callable[[str], Path]) -> None:
    evidence, medium, _ = open_evidence(image(name))
    table = read_table(tsk_image(medium, evidence.paths), medium, lambda _: False)
    medium.close()
    assert table.parts
    assert table.faults == []


@pytest.mark.parametrize("name", ["mbr", "gpt"])
def test_the_seeds_of_the_experiment_have_no_fault(name: str, request: pytest.FixtureRequest) -> None:
    data = gzip.decompress((request.config.rootpath / "bench" / "seeds" / f"{name}.raw.gz").read_bytes())
    table = table_of(data)
    assert (table.scheme, len(table.parts), table.faults) == (name.upper(), 4 if name == "mbr" else 3, [])


@pytest.mark.parametrize("unit", [512, 4096])
def test_a_gpt_is_read_in_its_sector_size(unit: int) -> None:
    table = table_of(bytes(gpt((100, 199), (300, 399), sectors=1024 * 4096 // unit // 2, unit=unit, names=("one", "two"))), unit)
    assert [(p.start, p.size, p.kind) for p in table.parts] == [(100 * unit, 100 * unit, "one"), (300 * unit, 100 * unit, "two")]
    assert table.scheme == "GPT"
    assert all("Sleuth Kit" in message for _, message in table.faults)


def test_the_mediums_sector_size_need_not_be_the_tables(fat_at_4096: bytes) -> None:
    """An image of a disk with 4096-byte sectors says nothing of them: what the entries lead to does."""
    volumes, _ = volumes_of(Bytes(fat_at_4096))
    assert [(v.number, v.offset, v.file_system) for v in volumes if is_listed(v)] == [(1, 16 * 4096, "FAT12")]


@pytest.fixture
def fat_at_4096(image: Callable[[str], Path]) -> bytes:
    fat = image("fat12.raw").read_bytes()
    return mbr((1, 16, -(-len(fat) // 4096))).ljust(16 * 4096, b"\0") + fat + bytes(8192)


# ---- GPT -------------------------------------------------------------------------------------------------------------------


WHOLE = [(100 * 512, 100 * 512), (300 * 512, 100 * 512)]


@pytest.mark.parametrize(("start", "length", "message"), [
    (512, 512, "primary copy is missing"),
    (512 + 40, 8, "primary copy is damaged: the header's checksum is wrong"),
    (1024, 512, "primary copy is damaged: the entries' checksum is wrong"),
    (4095 * 512, 512, "backup copy is missing"),
    (4095 * 512 + 72, 8, "backup copy is damaged: the header's checksum is wrong"),
    (4095 * 512 - 16384, 32, "backup copy is damaged: the entries' checksum is wrong"),
])
def test_one_copy_of_a_gpt_is_enough(start: int, length: int, message: str) -> None:
    disk = gpt((100, 199), (300, 399))
    disk[start : start + length] = b"\x55" * length
    table = table_of(bytes(disk))
    assert [(p.start, p.size) for p in table.parts] == WHOLE
    assert message in said(table)


def test_without_either_copy_the_protective_mbr_tells(image: Callable[[str], Path]) -> None:
    fat = image("fat12.raw").read_bytes()
    disk = gpt((100, 100 + len(fat) // 512 - 1))
    disk[100 * 512 : 100 * 512 + len(fat)] = fat
    disk[512:1024] = disk[4095 * 512 :] = bytes(512)
    volumes, problems = volumes_of(Bytes(bytes(disk)))
    assert [(v.offset, v.file_system, v.found_by) for v in volumes if is_listed(v)] == [(51200, "FAT12", "signature scan")]
    assert any("neither of its two copies" in p.message and p.severity is Severity.ERROR for p in problems)


def test_copies_that_list_different_partitions_are_said() -> None:
    disk, other = gpt((100, 199), (300, 399)), gpt((100, 199), (500, 599))
    disk[4095 * 512 - 16384 :] = other[4095 * 512 - 16384 :]
    table = table_of(bytes(disk))
    assert [(p.start, p.size) for p in table.parts] == WHOLE
    assert "list different partitions" in said(table)


def test_an_image_that_was_cut_or_enlarged_is_said() -> None:
    disk = bytes(gpt((100, 199), (300, 399)))
    cut = table_of(disk[: 3000 * 512])
    assert [(p.start, p.size) for p in cut.parts] == WHOLE
    assert f"{1096 * 512} bytes past the medium's end: the image is cut short" in said(cut)
    longer = table_of(disk + bytes(100 * 512))
    assert [(p.start, p.size) for p in longer.parts] == WHOLE
    assert f"{100 * 512} bytes lie behind the GPT's backup copy" in said(longer)
    lost = table_of(disk[:512] + bytes(512) + disk[1024:] + bytes(100 * 512))
    assert [(p.start, p.size) for p in lost.parts] == WHOLE, "the backup copy is looked for within the last MiB"


@pytest.mark.parametrize(("row", "message"), [
    ((500, 400), "which cannot be: it was left out"),
    ((0, 1 << 60), "which cannot be: it was left out"),
    ((10, 50), "overlaps the GPT itself"),
    ((4070, 4080), "outside the area that the GPT calls usable"),
])
def test_a_row_that_lies_is_said_and_costs_no_other(row: tuple[int, int], message: str) -> None:
    table = table_of(bytes(gpt((100, 199), row)))
    assert (100 * 512, 100 * 512) in [(p.start, p.size) for p in table.parts]
    assert message in said(table)


def test_a_cleared_row_is_said() -> None:
    disk = gpt((100, 199), (300, 399))
    for table, here, other in ((2, 1, 4095), (4095 - 32, 4095, 1)):
        disk[table * 512 + 128 : table * 512 + 144] = bytes(16)
        entries = bytes(disk[table * 512 : table * 512 + 16384])
        disk[here * 512 : here * 512 + 92] = header(here, other, table, entries, (34, 4062))
    table_ = table_of(bytes(disk))
    assert [(p.start, p.size) for p in table_.parts] == WHOLE[:1]
    assert "entry 2 of the GPT is marked as unused but is not empty" in said(table_)


def test_a_hybrid_mbr_is_said_and_what_only_it_knows_is_listed(image: Callable[[str], Path]) -> None:
    fat = image("fat12.raw").read_bytes()
    disk = gpt((100, 199))
    disk[1000 * 512 : 1000 * 512 + len(fat)] = fat
    disk[:512] = mbr((0xEE, 1, 99), (1, 1000, len(fat) // 512))
    volumes, problems = volumes_of(Bytes(bytes(disk)))
    assert [(v.number, v.offset, v.scheme) for v in volumes if is_listed(v)] == [(2, 512000, "GPT")]
    assert any("hybrid MBR only" in p.message for p in problems)


def test_a_gpt_behind_an_mbr_that_is_no_protection_is_said() -> None:
    """Sleuth Kit refuses such a disk."""
    disk = gpt((100, 199))
    disk[:512] = mbr((7, 1000, 500))
    table = table_of(bytes(disk))
    assert [(p.start, p.size) for p in table.parts] == [(1000 * 512, 500 * 512)]
    assert "there are two partition tables" in said(table)


def test_a_gpt_without_a_protective_mbr_is_said() -> None:
    disk = gpt((100, 199))
    disk[:512] = bytes(512)
    table = table_of(bytes(disk))
    assert [(p.start, p.size) for p in table.parts] == WHOLE[:1]
    assert "no protective MBR" in said(table)


@pytest.mark.parametrize("count", [0, 1 << 31, (1 << 32) - 1])
def test_a_lying_count_of_rows_is_bounded(count: int) -> None:
    disk = gpt((100, 199), (300, 399))
    struct.pack_into("<I", disk, 512 + 80, count)
    struct.pack_into("<I", disk, 4095 * 512 + 80, count)
    table = table_of(bytes(disk))
    assert [(p.start, p.size) for p in table.parts] == WHOLE
    assert "no copy of the GPT is sound" in said(table)


# ---- MBR -------------------------------------------------------------------------------------------------------------------


def chain(*records: bytes, first: int = 64, apart: int = 100) -> bytes:
    """An extended partition whose records lie ``apart`` sectors from each other."""
    disk = bytearray((first + apart * len(records) + apart) * 512)
    disk[:512] = mbr((5, first, apart * len(records) + apart // 2))
    for number, record in enumerate(records):
        at = (first + number * apart) * 512
        disk[at : at + 512] = record
    return bytes(disk)


def test_logical_partitions_count_from_their_record() -> None:
    table = table_of(chain(mbr((0x83, 10, 50), (5, 100, 90)), mbr((7, 20, 60))))
    assert [(p.start // 512, p.size // 512) for p in table.parts] == [(74, 50), (184, 60)]
    assert table.faults == []


def test_a_broken_chain_is_said() -> None:
    table = table_of(chain(mbr((0x83, 10, 50), (5, 100, 90)), bytes(512)))
    assert [p.start // 512 for p in table.parts] == [74]
    assert "the chain of extended partitions breaks at sector 164" in said(table)


def test_a_chain_in_a_circle_ends() -> None:
    """TSK skips a record at sector 0 of the extended partition; the one before leads there."""
    table = table_of(chain(mbr((0x83, 10, 50), (5, 100, 90)), mbr((7, 20, 60), (5, 100, 90))))
    assert [p.start // 512 for p in table.parts] == [74, 184]
    assert "runs in a circle" in said(table)


def test_a_chain_without_end_is_cut() -> None:
    records = [mbr((0x83, 1, 1), (5, 2 * (n + 1), 2)) for n in range(MAX_PARTITIONS + 50)]
    table = table_of(chain(*records, apart=2))
    assert len(table.parts) == MAX_PARTITIONS
    assert "too long" in said(table)


def test_a_logical_partition_outside_of_the_extended_one_is_said() -> None:
    table = table_of(chain(mbr((0x83, 5000, 50))))
    assert [p.start // 512 for p in table.parts] == [5064]
    assert "outside its extended partition" in said(table)


def test_a_table_that_sleuth_kit_refuses_is_read_all_the_same(image: Callable[[str], Path]) -> None:
    fat = image("fat12.raw").read_bytes()
    disk = mbr((1, 64, len(fat) // 512), (7, 1 << 30, 10)).ljust(64 * 512, b"\0") + fat
    volumes, problems = volumes_of(Bytes(disk))
    assert [(v.number, v.offset, v.scheme, v.found_by) for v in volumes if is_listed(v)] == [(1, 32768, "MBR", "table")]
    assert any("Sleuth Kit refuses this partition table" in p.message for p in problems)


def test_overlapping_partitions_are_said(image: Callable[[str], Path]) -> None:
    fat = image("fat12.raw").read_bytes()
    disk = mbr((1, 64, 300), (1, 200, 300), (1, 600, 10)).ljust(64 * 512, b"\0") + fat + bytes(512 * 512)
    _, problems = volumes_of(Bytes(disk))
    assert [p.message for p in problems if "overlap" in p.message] == [
        "vol1 and vol2 overlap: the partition table is wrong, or it lists the same bytes twice"]
    assert overlaps([Part(0, 100, ""), Part(10, 10, ""), Part(30, 10, ""), Part(100, 5, "")]) == [(0, 1), (0, 2)]


def test_a_used_partition_whose_entry_says_unused_is_hidden(image: Callable[[str], Path]) -> None:
    fat = image("fat12.raw").read_bytes()
    disk = mbr((0, 64, len(fat) // 512), (0x83, 1000, 10)).ljust(64 * 512, b"\0") + fat + bytes(512 * 1000)
    volumes, problems = volumes_of(Bytes(disk))
    assert [(v.number, v.offset) for v in volumes if is_listed(v)] == [(1, 32768)]
    assert any(p.volume == 1 and "it is hidden" in p.message for p in problems)


def test_an_entry_with_an_impossible_status_is_said() -> None:
    disk = bytearray(mbr((7, 64, 100)).ljust(512 * 400, b"\0"))
    disk[446] = 0x13
    table = table_of(bytes(disk))
    assert [(p.start, p.size) for p in table.parts] == [(32768, 51200)]
    assert "status 0x13" in said(table)


@pytest.mark.parametrize("name", ["dftt/5-fat-daylight.zip", "dftt/9-fat-label.zip", "dfvfs/bdetogo.raw"])
def test_a_boot_sectors_text_is_no_table(name: str, evidence_root: Path, tmp_path: Path) -> None:
    import zipfile

    path = evidence_root / "images" / name
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            member = next(n for n in packed.namelist() if n.endswith(".dd"))
            path = tmp_path / "image.dd"
            path.write_bytes(packed.read(member))
    evidence, medium, _ = open_evidence(path)
    volumes, problems = list_volumes(tsk_image(medium, evidence.paths), medium, evidence.id)
    medium.close()
    assert [(v.number, v.offset, v.found_by) for v in volumes] == [(1, 0, "whole medium")]
    assert all("BitLocker" in p.message for p in problems)


# ---- mutations -------------------------------------------------------------------------------------------------------------


def lie(raw: bytearray, at: int, chance: random.Random, sectors: Sequence[int]) -> None:
    """Change a byte of the partition table."""
    raw[at + 446 + chance.randrange(64)] = chance.choice((0, 1, 127, 128, 255))


@pytest.mark.parametrize("name", ["mbr", "gpt"])
def test_no_damaged_table_loses_a_file_system_in_silence(name: str, request: pytest.FixtureRequest) -> None:
    data = gzip.decompress((request.config.rootpath / "bench" / "seeds" / f"{name}.raw.gz").read_bytes())
    sound, _ = volumes_of(Bytes(data))
    last = len(data) // 512 - 1
    listed = [v.offset // 512 for v in sound if is_listed(v)]
    sectors = [0, 1, 2, last, last - 32] if name == "gpt" else [0, listed[2] - 2048, listed[3] - 2048]  # the extended records
    wanted = {(v.offset, v.file_system) for v in sound if is_listed(v)}
    for number in range(40):
        raw = bytes(mutated(data, sectors, random.Random(number), (flip, clear, scramble, lie), times=(1, 2, 4, 8)))
        volumes, problems = volumes_of(Bytes(raw))
        found = {(v.offset, v.file_system) for v in volumes if is_listed(v)}
        assert found == wanted, f"mutant {number}"
        numbers = [v.number for v in volumes if v.number is not None]
        assert len(set(numbers)) == len(numbers)
        assert problems or raw == data or [v.offset for v in volumes] == [v.offset for v in sound], f"mutant {number}"


@settings(max_examples=150, deadline=2000)
@given(st.binary(min_size=64, max_size=64), st.binary(max_size=600), st.integers(0, 3000))
def test_whatever_the_bytes_a_table_is_read_to_its_end(rows: bytes, head: bytes, place: int) -> None:
    disk = bytearray(4096 * 512)
    disk[446:512] = rows + b"\x55\xaa"
    disk[512 : 512 + 8 + len(head)] = b"EFI PART" + head
    disk[place * 512 + 446 : place * 512 + 512] = rows + b"\x55\xaa"
    table = table_of(bytes(disk))
    assert len(table.parts) <= MAX_PARTITIONS + 8
    assert all(p.start >= 0 and p.size > 0 for p in table.parts)
    assert table.parts == sorted(table.parts, key=lambda p: p.start)
