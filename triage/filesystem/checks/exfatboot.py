"""exFAT's boot regions: their checksums, each against the other, and their fields.

Source: Microsoft, "exFAT file system specification", section 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.filesystem.checks import Fault
from triage.filesystem.checks.exfatdir import sum32
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import VolumeReader

_SECTORS = 12
_CHANGING = frozenset({106, 107, 112})
"""``VolumeFlags`` and ``PercentInUse``: no checksum covers them, and the backup's need not be up to date."""
_FIELDS = (
    (64, 8, "partition offset"),
    (72, 8, "volume length"),
    (80, 4, "FAT offset"),
    (84, 4, "FAT length"),
    (88, 4, "cluster heap offset"),
    (92, 4, "number of clusters"),
    (96, 4, "root cluster"),
    (100, 4, "serial number"),
    (104, 2, "revision"),
    (108, 1, "sector size"),
    (109, 1, "cluster size"),
    (110, 1, "number of FATs"),
)
_SLACK = 1 << 20


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot sector's fields; offsets are in bytes from the volume's start. ``raw`` is the sector that TSK opened by."""

    raw: bytes
    at: int
    sector: int
    cluster: int
    fats: int
    fat_start: int
    fat_size: int
    heap: int
    clusters: int
    root: int
    size: int

    def cluster_at(self, cluster: int) -> int:
        """Return where a cluster begins, in bytes from the volume's start."""
        return self.heap + (cluster - 2) * self.cluster

    def address(self, offset: int) -> int:
        """Return TSK's metadata address of the directory entry at an offset (TSK 4.15, ``FATFS_SECT_2_INODE``)."""
        return (offset - self.heap) // 32 + 3


def read_boot(reader: VolumeReader) -> Boot | None:
    """Return the boot sector that TSK opened by: the first of sectors 0, 6 and 12 with a signature; ``None`` if it makes no sense."""
    for sector in (0, 6, 12):
        raw = reader.read(sector * 512, 512)
        if raw[510:512] != b"\0\0":
            return _parse(raw, sector * 512)
    return None


def _parse(raw: bytes, at: int) -> Boot | None:
    if len(raw) < 512 or not 9 <= raw[108] <= 12 or raw[108] + raw[109] > 25:
        return None
    sector = 1 << raw[108]
    length, fat, fat_length, heap, clusters, root = struct.unpack_from("<Q5I", raw, 72)
    if not (fat and fat_length and heap and clusters):
        return None
    return Boot(
        raw=raw,
        at=at,
        sector=sector,
        cluster=sector << raw[109],
        fats=raw[110],
        fat_start=fat * sector,
        fat_size=fat_length * sector,
        heap=heap * sector,
        clusters=clusters,
        root=root,
        size=length * sector,
    )


def _sound(reader: VolumeReader, boot: Boot, at: int) -> bool:
    """Whether a boot region's checksum sector fits its eleven others (3.4)."""
    raw = reader.read(at, _SECTORS * boot.sector)
    if len(raw) < _SECTORS * boot.sector:
        return False
    total = sum32(raw[: 11 * boot.sector], _CHANGING)
    return raw[11 * boot.sector :] == total.to_bytes(4, "little") * (boot.sector // 4)


def check_boot(reader: VolumeReader, boot: Boot) -> Iterator[Fault]:
    """Yield what does not fit in the two boot regions, and between them and the volume."""
    if boot.at:
        yield Fault(Severity.ERROR, f"the boot sector is destroyed: the file system was opened by the copy at byte {boot.at}")
    backup = reader.read(_SECTORS * boot.sector, 512)
    main_sound, backup_sound = _sound(reader, boot, 0), _sound(reader, boot, _SECTORS * boot.sector)
    main = reader.read(0, 512)
    differing = [name for at, length, name in _FIELDS if main[at : at + length] != backup[at : at + length]]
    which = {
        (True, True): "",
        (True, False): "the checksum of the backup boot region is wrong",
        (False, True): "the checksum of the boot region is wrong, that of its backup is right",
        (False, False): "the checksums of both boot regions are wrong",
    }[main_sound, backup_sound]
    if differing:
        which += ("; " if which else "") + "the two differ in " + ", ".join(differing)
    if which:
        wrong = differing and not main_sound
        yield Fault(Severity.ERROR if wrong else Severity.WARNING, which + (": names may be missing or wrong" if wrong else ""))
    yield from _check_fields(reader, boot)


def _check_fields(reader: VolumeReader, boot: Boot) -> Iterator[Fault]:
    if boot.fat_size // 4 < boot.clusters + 2:
        message = f"the boot sector gives {boot.clusters} clusters and a FAT that holds {boot.fat_size // 4 - 2}: one of the two is wrong"
        yield Fault(Severity.ERROR, message)
    if boot.cluster_at(boot.clusters + 2) > boot.size:
        yield Fault(Severity.ERROR, "the boot sector gives more clusters than fit into its size: one of the two is wrong")
    elif boot.size - boot.cluster_at(boot.clusters + 2) >= max(_SLACK, 2 * boot.cluster):
        behind = boot.size - boot.cluster_at(boot.clusters + 2)
        yield Fault(Severity.INFO, f"{behind} bytes lie between the last cluster and the file system's end: no name leads there")
    if boot.size > reader.size:
        message = (
            f"the file system is {boot.size} bytes long and {boot.size - reader.size} of them are missing behind the volume's end: "
            "the image is cut short or the boot sector is wrong"
        )
        yield Fault(Severity.ERROR, message)
    elif reader.size - boot.size >= _SLACK:
        yield Fault(Severity.INFO, f"{reader.size - boot.size} bytes of the volume lie behind the file system's end: no name leads there")
    if boot.raw[106] & 1 or boot.fats == 2:
        yield Fault(Severity.WARNING, "the file system has two FATs and bitmaps (TexFAT): only the first of each was read")
