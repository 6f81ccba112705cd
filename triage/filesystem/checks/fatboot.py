"""FAT's boot sector: its fields against each other, its backup, the volume's size and the FAT's first entries.

Source: Microsoft, "FAT: General Overview of On-Disk Format" 1.03 ("FAT specification" below), "Boot Sector and BPB" and "FAT Type
Determination".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.escape import show
from triage.filesystem.checks import Fault
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader
    from triage.filesystem.checks.clusters import Table

BACKUP_SECTOR = 6
"""Where TSK looks for FAT32's backup, in sectors of 512 bytes, when the first sector has no signature."""
_FIELDS = (  # offset, length, name: what decides where things lie, and what both copies hold alike
    (11, 2, "bytes a sector"),
    (13, 1, "sectors a cluster"),
    (14, 2, "reserved sectors"),
    (16, 1, "number of FATs"),
    (17, 2, "root entries"),
    (19, 2, "total sectors (16 bits)"),
    (22, 2, "sectors a FAT (16 bits)"),
    (32, 4, "total sectors"),
    (36, 4, "sectors a FAT"),
    (40, 2, "flags"),
    (42, 2, "version"),
    (44, 4, "root cluster"),
    (48, 2, "FSInfo sector"),
    (50, 2, "backup sector"),
)
_SLACK = 1 << 20


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot sector's fields; offsets are in bytes from the volume's start. ``first_slot``: where TSK's address 3 lies."""

    raw: bytes
    sector: int
    cluster: int
    fats: int
    fat_start: int
    fat_size: int
    first_slot: int
    heap: int
    root_entries: int
    root_cluster: int
    clusters: int
    size: int
    bits: int
    backup: bool

    @property
    def fat32(self) -> bool:
        """Whether the fields behind byte 36 are those of FAT32 (FAT specification: ``BPB_FATSz16`` is 0)."""
        return self.raw[22:24] == b"\0\0"

    @property
    def label(self) -> bytes:
        """The label as the boot sector has it."""
        at = 71 if self.fat32 else 43
        return self.raw[at : at + 11] if self.raw[at - 5] == 0x29 else b""

    def cluster_at(self, cluster: int) -> int:
        """Return where a cluster begins, in bytes from the volume's start."""
        return self.heap + (cluster - 2) * self.cluster

    def address(self, offset: int) -> int:
        """Return TSK's metadata address of the directory entry at an offset (TSK 4.15, ``FATFS_SECT_2_INODE``)."""
        return (offset - self.first_slot) // 32 + 3


def parse(raw: bytes, bits: int, *, backup: bool = False) -> Boot | None:
    """Return the fields, ``None`` where they make no sense. ``bits`` is the kind that TSK took it for."""
    if len(raw) < 512:
        return None
    sector, per_cluster, reserved, fats, root_entries, total16, _, fat16 = struct.unpack_from("<HBHBHHBH", raw, 11)
    total32, fat32 = struct.unpack_from("<2I", raw, 32)
    total, fat_sectors = total16 or total32, fat16 or fat32
    if sector not in (512, 1024, 2048, 4096) or not per_cluster or per_cluster & (per_cluster - 1) or not 1 <= fats <= 8:
        return None
    first_slot = (reserved + fats * fat_sectors) * sector
    heap = first_slot + -(-root_entries * 32 // sector) * sector
    clusters = (total * sector - heap) // (sector * per_cluster)
    if not reserved or not fat_sectors or clusters < 1:
        return None
    return Boot(
        raw=raw,
        sector=sector,
        cluster=sector * per_cluster,
        fats=fats,
        fat_start=reserved * sector,
        fat_size=fat_sectors * sector,
        first_slot=first_slot,
        heap=heap,
        root_entries=root_entries,
        root_cluster=int.from_bytes(raw[44:48], "little") if bits == 32 else 0,
        clusters=clusters,
        size=total * sector,
        bits=bits,
        backup=backup,
    )


def read_boot(reader: VolumeReader, bits: int) -> Boot | None:
    """Return the boot sector that TSK opened the file system by: the first one, the backup where it has no signature."""
    raw = reader.read(0, 512)
    if raw[510:512] != b"\0\0":
        return parse(raw, bits)
    return parse(reader.read(BACKUP_SECTOR * 512, 512), bits, backup=True)


def check_boot(reader: VolumeReader, boot: Boot, table: Table) -> Iterator[Fault]:
    """Yield what does not fit in the boot sector, between it and its backup, and between it and the FAT."""
    if boot.backup:
        yield Fault(Severity.ERROR, "the boot sector is destroyed: the file system was opened by its backup")
    yield from _check_fields(boot)
    yield from _check_size(reader, boot)
    if boot.bits == 32 and not boot.backup:
        yield from _check_backup(reader, boot)
    if boot.bits == 32:
        yield from _check_info(reader, boot)
    yield from _check_first_entries(boot, table)


def _check_fields(boot: Boot) -> Iterator[Fault]:
    raw = boot.raw
    total16, total32 = struct.unpack_from("<H", raw, 19)[0], struct.unpack_from("<I", raw, 32)[0]
    if total16 and total32 and total16 != total32:
        message = f"the boot sector gives two sizes, {total16} and {total32} sectors: names and content behind the smaller may be missing"
        yield Fault(Severity.ERROR, message)
    if boot.fat32 != (boot.bits == 32):
        made = "FAT32" if boot.fat32 else "FAT12 or FAT16"
        message = f"the boot sector is laid out as {made}, but {boot.clusters} clusters make it FAT{boot.bits}: names may be missing"
        yield Fault(Severity.ERROR, message)
    stated = raw[82:90] if boot.fat32 else raw[54:62]
    known = {b"FAT12   ": 12, b"FAT16   ": 16, b"FAT32   ": 32}.get(stated, boot.bits)
    if raw[66 if boot.fat32 else 38] == 0x29 and known != boot.bits and boot.fat32 == (boot.bits == 32):
        message = f"the boot sector says FAT{known}, but {boot.clusters} clusters make it FAT{boot.bits}: names may be missing or wrong"
        yield Fault(Severity.WARNING, message)
    if boot.bits != 32 and boot.root_entries * 32 % boot.sector:
        message = f"the root directory has {boot.root_entries} entries, which fill no whole sectors: names may be missing"
        yield Fault(Severity.WARNING, message)
    if boot.bits == 32 and not 2 <= boot.root_cluster < boot.clusters + 2:
        yield Fault(Severity.ERROR, f"the root directory is said to begin in cluster {boot.root_cluster}, which does not exist")
    room = boot.fat_size * 8 // boot.bits
    if room < boot.clusters + 2:
        message = f"the boot sector gives {boot.clusters} clusters and a FAT that holds {max(0, room - 2)}: one of the two is wrong"
        yield Fault(Severity.ERROR, message)
    if boot.bits == 32 and int.from_bytes(raw[40:42], "little") & 0x80:
        active = raw[40] & 0x0F
        severity = Severity.WARNING if active == 0 else Severity.ERROR
        message = f"the FATs are not kept alike: FAT {active + 1} is the one in use, and chains were read from FAT 1"
        yield Fault(severity, message)


def _check_size(reader: VolumeReader, boot: Boot) -> Iterator[Fault]:
    """Hold the file system's size against the volume's: cut short, or room behind it."""
    if boot.size > reader.size:
        message = (
            f"the file system is {boot.size} bytes long and {boot.size - reader.size} of them are missing behind the volume's end: "
            "the image is cut short or the boot sector is wrong"
        )
        yield Fault(Severity.ERROR, message)
        return
    behind = reader.size - boot.size
    if behind >= _SLACK or (behind > boot.cluster and reader.read(boot.size, behind).strip(b"\0")):
        message = f"{behind} bytes of the volume lie behind the file system's end: no name leads there"
        yield Fault(Severity.INFO, message)


def _check_backup(reader: VolumeReader, boot: Boot) -> Iterator[Fault]:
    """Compare FAT32's boot sector with its backup (FAT specification: ``BPB_BkBootSec``)."""
    where = int.from_bytes(boot.raw[50:52], "little")
    if where in (0, 0xFFFF):
        # None is allowed. Where formatting tools put it one may stand nevertheless: then the field is what was changed.
        if reader.read(BACKUP_SECTOR * boot.sector, 48) == boot.raw[:48]:
            yield Fault(Severity.WARNING, "the boot sector names no backup, but there is one: the field was changed")
        return
    backup = reader.read(where * boot.sector, 512)
    if backup[510:512] != b"\x55\xaa":
        yield Fault(Severity.WARNING, f"the backup of the boot sector is not where it should be, in sector {where}")
        return
    differing = [name for at, length, name in _FIELDS if boot.raw[at : at + length] != backup[at : at + length]]
    if differing:
        message = "the boot sector and its backup differ in " + ", ".join(differing) + ": names may be missing or wrong"
        yield Fault(Severity.ERROR, message)


def _check_info(reader: VolumeReader, boot: Boot) -> Iterator[Fault]:
    """Look at the FSInfo sector's signatures; its counts are hints that no system keeps exact."""
    where = int.from_bytes(boot.raw[48:50], "little")
    if where in (0, 0xFFFF):
        return
    raw = reader.read(where * boot.sector, 512)
    if (raw[:4], raw[484:488], raw[508:512]) != (b"RRaA", b"rrAa", b"\0\0\x55\xaa"):
        yield Fault(Severity.WARNING, f"the FSInfo sector ({where}) is damaged")


def _check_first_entries(boot: Boot, table: Table) -> Iterator[Fault]:
    """Hold the FAT's first two entries against the media descriptor (FAT specification, "FAT[0] and FAT[1]")."""
    media, (first, second) = boot.raw[21], (int(v) for v in table.read(0, 2))
    mask = (1 << boot.bits) - 1 if boot.bits != 32 else 0x0FFFFFFF
    if first & 0xFF != media or (first & mask) | 0xFF != mask:
        message = f"the FAT does not begin with the boot sector's media descriptor 0x{media:02x}: one of the two is damaged or misplaced"
        yield Fault(Severity.WARNING, message, detail=f"FAT[0] is 0x{first & mask:x}")
    dirty = {12: 0, 16: 0xC000, 32: 0x0C000000}[boot.bits]
    if (second & mask | dirty) < mask - 7:
        yield Fault(Severity.WARNING, "the FAT's second entry is damaged", detail=f"FAT[1] is 0x{second & mask:x}")


def check_label(boot: Boot, labels: list[bytes]) -> Iterator[Fault]:
    """Hold the label in the root directory against the one in the boot sector: both are written when it is formatted."""
    stated = boot.label
    if stated in (b"", b"NO NAME    ") or not stated.strip(b"\0 "):
        return
    if not labels:
        yield Fault(Severity.INFO, f"the boot sector has the label {_text(stated)}, the root directory none")
    elif labels[0].rstrip() != stated.rstrip():
        yield Fault(Severity.INFO, f"the boot sector has the label {_text(stated)}, the root directory {_text(labels[0])}")


def _text(label: bytes) -> str:
    return '"' + show(label.decode("latin-1").rstrip()) + '"'
