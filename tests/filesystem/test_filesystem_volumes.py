"""Partition tables whole, damaged, absent and lying; gaps; file systems found without a table."""

from __future__ import annotations

import lzma
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from media_support import START, Bytes, mbr, volumes_of

from triage.evidence.medium import FileMedium
from triage.evidence.opening import open_evidence
from triage.filesystem.image import MediumImage, tsk_image, tsk_reason
from triage.filesystem.volumes import is_listed, list_volumes
from triage.model import Encryption, Severity

if TYPE_CHECKING:
    from collections.abc import Callable

@pytest.fixture
def fat(image: Callable[[str], Path]) -> bytes:
    return image("fat12.raw").read_bytes()


def disk(fat: bytes, *rows: tuple[int, int, int], after: int = 100) -> bytes:
    return mbr(*rows).ljust(START * 512, b"\0") + fat + bytes(after * 512)


# ---- the built-in images ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ntfs.E01", "fat32.E01", "exfat.raw", "ext4.raw", "ext2.raw", "fat12.raw", "iso9660.raw", "gpt.E01",
                                  "split.001", "split-ewf.E01", "fat-orphans.raw", "damaged-mbr.raw", "minhang_ext2.raw"])
def test_volumes_of_the_built_in_images(
    name: str, image: Callable[[str], Path], answer_key: Callable[[str], dict[str, Any]]
) -> None:
    key = answer_key(name)
    evidence, medium, _ = open_evidence(image(name))
    volumes, problems = list_volumes(tsk_image(medium, evidence.paths), medium, evidence.id)
    medium.close()
    assert medium.size == key["media"]["size"]
    numbered = [v for v in volumes if v.number is not None]
    assert [(v.number, v.offset, v.file_system.lower(), v.label) for v in numbered] == [
        (k["number"], k["offset"], {"iso9660": "iso 9660"}.get(k["file_system"], k["file_system"]), k["label"]) for k in key["volumes"]]
    assert [v.encryption.value for v in numbered] == [k["encryption"] for k in key["volumes"]]
    if key["scheme"] in ("mbr", "gpt"):
        assert {v.scheme.lower() for v in numbered} == {key["scheme"]}
        assert [v.size for v in numbered] == [k["size"] for k in key["volumes"]]
        gaps = [(v.offset, v.size) for v in volumes if v.number is None]
        for gap in key["gaps"]:
            assert any(o <= gap["offset"] and gap["offset"] + gap["size"] <= o + s for o, s in gaps), f"gap {gap} is not told"
    if key["scheme"] == "damaged":
        assert {v.found_by for v in numbered} == {"signature scan"}
        assert [p.severity for p in problems] == [Severity.WARNING]
    for volume in numbered:
        assert is_listed(volume) or any(p.volume == volume.number and p.severity is Severity.ERROR for p in problems)


# ---- tables made here ------------------------------------------------------------------------------------------------------


def test_partitions_and_the_gaps_between_them_cover_the_medium(fat: bytes) -> None:
    sectors = len(fat) // 512
    data = disk(fat, (1, START, sectors), (0x83, START + sectors + 30, 40))
    volumes, problems = volumes_of(Bytes(data))
    places = [(v.offset, v.offset + v.size, v.number) for v in volumes]
    assert [p for p in places if p[2] is not None] == [
        (START * 512, START * 512 + len(fat), 1), ((START + sectors + 30) * 512, (START + sectors + 70) * 512, 2)]
    covered = {sector for start, end, _ in places for sector in range(start // 512, end // 512)}
    assert covered >= set(range(1, len(data) // 512)), "every sector behind the table is a volume's or a gap's"
    assert [v.file_system for v in volumes if v.number == 1] == ["FAT12"]
    assert [p.message for p in problems] == ["vol2 holds no file system that is known (Linux (0x83)): nothing in it was listed"]


@pytest.mark.parametrize("start", [600, 1_000_000])
def test_a_partition_past_the_end_of_the_medium_does_not_cost_the_others(start: int, fat: bytes) -> None:
    """TSK refuses the whole table when one partition begins past the end; the first is then found by its signature."""
    volumes, problems = volumes_of(Bytes(disk(fat, (1, START, len(fat) // 512), (7, start, 2048))))
    assert [(v.offset, v.file_system) for v in volumes if is_listed(v)] == [(START * 512, "FAT12")]
    assert problems


def test_a_partition_that_begins_at_the_end_is_said(fat: bytes) -> None:
    """The same table is taken when the partition begins within the medium and only its end is missing."""
    sectors = len(fat) // 512
    volumes, problems = volumes_of(Bytes(disk(fat, (1, START, sectors), (7, START + sectors + 96, 2048))))
    assert [v.number for v in volumes if v.number is not None] == [1, 2]
    assert any("vol2 ends 1046528 bytes past the medium's end" in p.message for p in problems)


def test_a_partition_that_is_cut_short_is_listed_and_said(fat: bytes) -> None:
    data = disk(fat, (1, START, len(fat) // 512 + 5000), after=0)
    volumes, problems = volumes_of(Bytes(data))
    assert [(v.number, v.file_system) for v in volumes if is_listed(v)] == [(1, "FAT12")]
    assert [p.message for p in problems] == [
        f"vol1 ends {5000 * 512} bytes past the medium's end: the image is cut short or the table is wrong"]


def test_an_apple_map_has_no_volume_of_its_own_entry() -> None:
    # testdata/cli/hfs-apm.img.gz of go-apfs-v2 (MIT, Copyright (c) 2024 Deployment Theory), made by macOS.
    data = lzma.decompress((Path(__file__).parent / "apm.img.xz").read_bytes())
    medium = Bytes(data)
    volumes, problems = list_volumes(MediumImage(medium), medium, "e")
    assert [(v.name, v.type, v.file_system) for v in volumes] == [
        ("gap@0", "unallocated", ""), ("gap@512", "Apple_partition_map", ""), ("vol2", "Apple_HFS", "HFS+"),
    ]  # fmt: skip
    assert problems == []


def test_without_a_table_the_medium_is_one_volume(fat: bytes) -> None:
    volumes, problems = volumes_of(Bytes(fat))
    assert [(v.number, v.offset, v.size, v.scheme, v.found_by) for v in volumes] == [(1, 0, len(fat), "none", "whole medium")]
    assert problems == []


@pytest.mark.parametrize("first", [bytes(512), b"\xff" * 512, mbr(), mbr((7, 5_000_000, 10)), mbr((0x83, 3, 9)),
                                   bytes(range(256)) * 2, b"\0" * 510 + b"\x55\xaa"],
                         ids=["zeros", "ones", "empty table", "past the end", "leads nowhere", "noise", "mark only"])
def test_a_file_system_is_found_when_the_table_is_of_no_use(first: bytes, fat: bytes) -> None:
    volumes, problems = volumes_of(Bytes(first.ljust(START * 512, b"\0") + fat + bytes(51200)))
    found = [v for v in volumes if is_listed(v)]
    assert [(v.offset, v.file_system, v.found_by) for v in found] == [(START * 512, "FAT12", "signature scan")]
    assert len(fat) - 8 * 512 <= found[0].size <= len(fat), "TSK counts whole clusters"
    assert any("found by their signatures" in p.message for p in problems)


def test_two_file_systems_are_found_without_a_table(fat: bytes, image: Callable[[str], Path]) -> None:
    ext = image("ext2.raw").read_bytes()
    volumes, _ = volumes_of(Bytes(bytes(4096) + fat + bytes(8192) + ext))
    assert [(v.offset, v.file_system) for v in volumes if is_listed(v)] == [(4096, "FAT12"), (12288 + len(fat), "ext2")]


def test_an_empty_medium_is_said_to_hold_nothing() -> None:
    volumes, problems = volumes_of(Bytes(bytes(1 << 20)))
    assert [(v.number, v.file_system) for v in volumes] == [(1, "")]
    assert [p.severity for p in problems] == [Severity.ERROR]
    assert "holds no file system that is known" in problems[0].message


@pytest.mark.parametrize(("offset", "magic", "name"), [(3, b"-FVE-FS-", "BitLocker"), (0, b"LUKS\xba\xbe", "LUKS")])
@pytest.mark.parametrize("table", [True, False])
def test_a_locked_volume_is_named_and_not_passed_over(offset: int, magic: bytes, name: str, table: bool) -> None:
    locked = (bytes(offset) + magic).ljust(40960, b"\0")
    data = mbr((7, START, 80)).ljust(START * 512, b"\0") + locked if table else locked
    volumes, problems = volumes_of(Bytes(data))
    (volume,) = (v for v in volumes if v.number == 1)
    assert (volume.file_system, volume.encryption, is_listed(volume)) == (name, Encryption.LOCKED, False)
    assert [p.message for p in problems] == [f"vol1 is {name}, locked: nothing in it was examined"]


@pytest.mark.parametrize(("offset", "magic", "name"), [(32, b"NXSB", "APFS"), (0, b"XFSB", "XFS"), (0x10040, b"_BHRfS_M", "Btrfs"),
                                                       (1024, b"\x10\x20\xf5\xf2", "F2FS"), (0, b"hsqs", "SquashFS")])
def test_what_is_known_but_not_read_is_named(offset: int, magic: bytes, name: str) -> None:
    volumes, problems = volumes_of(Bytes((bytes(offset) + magic).ljust(1 << 17, b"\0")))
    assert [(v.file_system, is_listed(v)) for v in volumes] == [(name, False)]
    assert [p.message for p in problems] == [f"vol1 is {name}, which is not read: nothing in it was listed"]


def test_mutated_tables_never_lose_the_file_system(fat: bytes) -> None:
    whole = disk(fat, (1, START, len(fat) // 512))
    for number in range(120):
        chance = random.Random(number)
        raw = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            raw[chance.randrange(440, 512)] = chance.choice([0, 255, chance.randrange(256)])
        volumes, problems = volumes_of(Bytes(bytes(raw)))
        found = [v for v in volumes if is_listed(v)]
        assert [(v.offset, v.file_system) for v in found] == [(START * 512, "FAT12")], f"mutation {number}"
        assert all(p.message and "\n" not in p.message for p in problems)


def test_an_extended_partition_that_leads_to_itself_ends(fat: bytes) -> None:
    sectors = len(fat) // 512
    after = START + sectors
    data = bytearray(disk(fat, (1, START, sectors), (5, after, 50)))
    data[after * 512 : after * 512 + 512] = mbr((0x83, 1, 5), (5, 0, 50))
    volumes, _ = volumes_of(Bytes(bytes(data)))
    assert (START * 512, "FAT12") in [(v.offset, v.file_system) for v in volumes]
    assert len(volumes) < 1100


@pytest.mark.parametrize("bad", [(0, 512), (0, 4096), (512, 1024), (START * 512, START * 512 + 512)])
def test_unreadable_sectors_end_in_volumes_and_problems(bad: tuple[int, int], fat: bytes) -> None:
    volumes, problems = volumes_of(Bytes(disk(fat, (1, START, len(fat) // 512)), bad))
    listed = [v for v in volumes if is_listed(v)]
    if bad[0] < START * 512:
        assert [(v.offset, v.file_system) for v in listed] == [(START * 512, "FAT12")]
    else:
        assert not listed
        assert problems


# ---- the border to TSK -----------------------------------------------------------------------------------------------------


def test_tsk_gets_the_mediums_bytes_and_no_more(fat: bytes) -> None:
    img = MediumImage(Bytes(fat))
    assert img.get_size() == len(fat)
    assert img.read(0, 512) == fat[:512]
    assert img.read(len(fat) - 10, 512) == fat[-10:]
    assert MediumImage(Bytes(fat, (0, 512))).read(0, 512) == b""
    assert MediumImage(Bytes(fat, (0, 512))).read(512, 512) == fat[512:1024]


def test_a_damaged_range_costs_what_lies_in_it(image: Callable[[str], Path]) -> None:
    import pytsk3

    data = image("ext4.raw").read_bytes()

    def opened(path: str, bad: tuple[int, int] = (0, 0)) -> Any:
        return pytsk3.FS_Info(MediumImage(Bytes(data, bad))).open(path)

    whole = opened("/home/sam/long.log")
    start = next(run.addr for attribute in whole for run in attribute) * 1024
    size = int(whole.info.meta.size)
    content = whole.read_random(0, size)
    damaged = opened("/home/sam/long.log", (start + 5000, start + 5600))
    pieces = [damaged.read_random(at, 1024) for at in range(0, size, 1024)]
    assert [n for n, piece in enumerate(pieces) if not piece] == [4, 5]
    assert all(piece in (b"", content[n * 1024 : n * 1024 + 1024]) for n, piece in enumerate(pieces))
    folder = next(run.addr for attribute in opened("/home/sam") for run in attribute) * 1024
    with pytest.raises(OSError, match="directory"):
        opened("/home/sam/long.log", (folder, folder + 1024))


def test_one_raw_file_is_read_by_tsk_itself_and_parts_by_us(tmp_path: Path, fat: bytes) -> None:
    """TSK would look for further parts behind a name that ends in a digit, and read them in an order of its own."""
    for name, ours in (("disk.raw", False), ("disk.001", True), ("disk1", True)):
        path = tmp_path / name
        path.write_bytes(fat)
        medium = FileMedium([path])
        assert isinstance(tsk_image(medium, [str(path)]), MediumImage) is ours
        medium.close()


def test_tsks_reasons_come_without_the_bindings_frame() -> None:
    framed = OSError("FS_Info_Con: (tsk3.cpp:207) Unable to open the image as a filesystem at offset: 0x0 with error: Cannot determine")
    assert tsk_reason(framed) == "Unable to open the image as a filesystem at offset: 0x0 with error: Cannot determine"
    assert tsk_reason(OSError("")) == "OSError"
    assert len(tsk_reason(OSError("x" * 999))) == 300


def test_the_bound_on_volumes_is_said(image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    evidence, medium, _ = open_evidence(image("gpt.E01"))
    whole, _ = list_volumes(tsk_image(medium, evidence.paths), medium, evidence.id)
    monkeypatch.setattr("triage.filesystem.volumes.MAX_VOLUMES", 3)
    volumes, problems = list_volumes(tsk_image(medium, evidence.paths), medium, evidence.id)
    medium.close()
    assert len(volumes) == 3 < len(whole)
    assert any("not looked at" in p.message and p.severity is Severity.ERROR for p in problems)
