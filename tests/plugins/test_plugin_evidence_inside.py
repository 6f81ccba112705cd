"""Images of media inside evidence: the real ones of many kinds, and what only looks like one."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from real_samples import ARTIFACTS, EVIDENCE, findings, item_of, mutants, needs_samples, never_fails, run

if TYPE_CHECKING:
    from triage.plugin import Item

REAL = {
    "plaso/image.qcow2": "a virtual disk (QCOW)",
    "dfvfs/ext2.vmdk": "a virtual disk (VMDK)",
    "sleuthkit/image.vhd": "a virtual disk (VHD)",
    "dfvfs/ext2.E01": "an Expert Witness image (E01)",
    "dissect.evidence/ad1_test.ad1": "a logical image of FTK (AD1)",
    "dfvfs/hfsplus_zlib.dmg": "a disk image of macOS (DMG)",
    "plaso/iso9660.raw": "an image of a disc (ISO)",
    "dfvfs/apfs.raw": "an image of a disk or a volume",
    "plaso/tsk_volume_system.raw": "an image of a disk or a volume",
}
EWF = b"EVF\x09\x0d\x0a\xff\x00\x01" + struct.pack("<HH", 1, 0)


def image(head: bytes) -> bytes:
    return head.ljust(8192, b"\0")


@pytest.mark.parametrize(("name", "title"), REAL.items(), ids=REAL)
class TestRealSamples:
    pytestmark = needs_samples

    def test_an_image_is_named_for_what_it_is(self, name: str, title: str) -> None:
        data = (EVIDENCE / "images" / name).read_bytes()
        (found,) = findings(run("evidence_inside", item_of(data, f"vol1/Users/kim/{name.rpartition('/')[2]}")))
        assert (found.kind, found.title, found.data["user"], found.data["size"]) == ("evidence-inside", title, "kim", len(data))


@pytest.mark.evidence
@pytest.mark.skipif(not ARTIFACTS.is_dir(), reason="the shared evidence is not here")
def test_a_real_android_backup() -> None:
    (found,) = findings(run("evidence_inside", item_of((ARTIFACTS / "mvt/android_backup/backup.ab").read_bytes(), "vol1/backup.ab")))
    assert found.title == "a backup of an Android phone (.ab)"


def test_further_segments_are_not_told() -> None:
    assert findings(run("evidence_inside", item_of(image(EWF), "vol1/a.E01")))
    assert not findings(run("evidence_inside", item_of(image(EWF[:9] + struct.pack("<HH", 2, 0)), "vol1/a.E02")))


def test_a_package_is_told_by_its_name_and_another_archive_is_none() -> None:
    data = b"PK\5\6".ljust(22, b"\0").rjust(4096, b"\0")
    data = b"PK\3\4" + data[4:]
    (found,) = findings(run("evidence_inside", item_of(data, "vol1/phone.UFDR")))
    assert found.title == "a report package of Cellebrite (UFDR)"
    assert not findings(run("evidence_inside", item_of(data, "vol1/holiday.zip")))


def test_a_table_of_partitions_is_a_disk_and_a_boot_sector_of_zeros_none() -> None:
    table = bytes(446) + struct.pack("<B3xB3xII", 0x80, 7, 63, 1000) + bytes(48) + b"\x55\xaa"
    (found,) = findings(run("evidence_inside", item_of(table.ljust(1 << 17, b"\0"), "vol1/disk.bin")))
    assert found.title == "an image of a disk or a volume"
    for other in (bytes(510) + b"\x55\xaa", table[:446] + b"\x11" + table[447:]):
        assert item_of(other.ljust(1 << 17, b"\0"), "vol1/disk.bin").type is None


def test_damage_never_breaks_it() -> None:
    for data in mutants(image(EWF), 100):
        never_fails("evidence_inside", item_of(data, "vol1/a.E01"))


def samples() -> list[Item]:
    return [
        item_of(image(EWF), "vol1/a.E01"),
        item_of(image(b"KDMV\1\0\0\0"), "vol1/a.vmdk"),
    ]
