"""Partition tables, the gaps between partitions, and what lies in each: TSK where it reads it, its name where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytsk3

from triage.filesystem.signatures import PROBE, VolumeSignature, identify_volume
from triage.model import Encryption, Problem, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.evidence.medium import Medium

SECTOR = 512
MAX_VOLUMES = 1024
_SCHEMES = {1: "MBR", 2: "BSD", 4: "Sun", 8: "Mac", 16: "GPT"}
_ALLOCATED, _UNALLOCATED = 1, 2
_SCAN_DENSE = 64 << 20
_SCAN_STEP = 1 << 20

_FS_NAMES = {
    int(getattr(pytsk3, f"TSK_FS_TYPE_{key}")): name
    for key, name in {
        "NTFS": "NTFS",
        "FAT12": "FAT12",
        "FAT16": "FAT16",
        "FAT32": "FAT32",
        "EXFAT": "exFAT",
        "EXT2": "ext2",
        "EXT3": "ext3",
        "EXT4": "ext4",
        "HFS": "HFS+",
        "ISO9660": "ISO 9660",
        "FFS1": "UFS1",
        "FFS1B": "UFS1",
        "FFS2": "UFS2",
        "YAFFS2": "YAFFS2",
        "SWAP": "swap",
        "RAW": "raw",
    }.items()
}


def file_system_name(fs: Any) -> str:
    """Return the name people use for the file system that TSK opened."""
    kind = int(fs.info.ftype)
    return _FS_NAMES.get(kind, f"TSK type {kind}")


def open_file_system(image: Any, offset: int) -> Any:
    """Open the file system at a byte offset; raise ``OSError`` when TSK finds none."""
    return pytsk3.FS_Info(image, offset=offset)


def list_volumes(image: Any, medium: Medium, evidence: str) -> tuple[list[Volume], list[Problem]]:
    """Return every volume and gap of a medium in the order of their offsets, and what is wrong with them.

    A medium without a partition table is one volume, ``vol1``. When neither a table nor a file system is found at the
    start, file systems are looked for by their signatures (``found_by`` is then ``signature scan``).
    """
    problems: list[Problem] = []
    parts, scheme = _table(image, medium)
    volumes = [_describe(image, medium, evidence, n, start, size, scheme, kind) for n, start, size, kind in parts]
    if not any(v.file_system or v.encryption is not Encryption.NONE for v in volumes):
        # No table, or one that leads nowhere: a boot sector's code can look like one.
        whole = _describe(image, medium, evidence, 1, 0, medium.size, "none", "whole medium")
        if whole.file_system or whole.encryption is not Encryption.NONE:
            volumes = [whole]
        elif found := list(_scan(image, medium, evidence)):
            volumes = found
            problems.append(
                _problem(
                    evidence,
                    None,
                    Severity.WARNING,
                    "no usable partition table: file systems were found by their signatures, their borders are not certain; "
                    "every sector of the first 64 MiB was looked at, and behind that the beginning of each MiB",
                )
            )
        elif not volumes:
            volumes = [whole]
    if len(volumes) >= MAX_VOLUMES:
        message = f"there are {MAX_VOLUMES} volumes and gaps or more: those behind that were not looked at"
        problems.append(_problem(evidence, None, Severity.ERROR, message))
    for volume in volumes:
        problems.extend(_check(volume, medium))
    return volumes, problems


def _table(image: Any, medium: Medium) -> tuple[list[tuple[int | None, int, int, str]], str]:
    """Return the partition table's rows as ``(number or None, offset, size, type)``, and its scheme."""
    try:
        table = pytsk3.Volume_Info(image)
    except OSError:
        return [], "none"
    block = int(table.info.block_size)
    scheme = _SCHEMES.get(int(table.info.vstype), str(table.info.vstype))
    rows: list[tuple[int | None, int, int, str]] = []
    number = 0
    for part in table:
        flags = int(part.flags)
        start, size = int(part.start) * block, int(part.len) * block
        text = part.desc.decode("utf-8", "replace") if part.desc else ""
        if flags == _ALLOCATED:
            number += 1
            rows.append((number, start, size, text))
        elif flags == _UNALLOCATED and start < medium.size:
            rows.append((None, start, min(size, medium.size - start), "unallocated"))
        if len(rows) >= MAX_VOLUMES:
            break
    return rows, scheme


def _describe(
    image: Any,
    medium: Medium,
    evidence: str,
    number: int | None,
    offset: int,
    size: int,
    scheme: str,
    kind: str,
    found_by: str = "table",
) -> Volume:
    """Look at a volume's first bytes and let TSK try it."""
    base: dict[str, Any] = {
        "evidence": evidence,
        "number": number,
        "offset": offset,
        "size": size,
        "scheme": scheme,
        "type": kind,
        "found_by": found_by if scheme != "none" else "whole medium",
    }
    if number is None:
        return Volume(**base)
    head = _read_head(medium, offset)
    signature = identify_volume(head)
    locked = signature is not None and signature.encryption is not Encryption.NONE
    if signature and locked and not signature.readable:
        return Volume(**base, file_system=signature.name, encryption=signature.encryption)
    try:
        fs = open_file_system(image, offset)
    except OSError:
        return Volume(**base, file_system=signature.name if signature and signature.name != "nothing but zeros" else "")
    name = file_system_name(fs)
    return Volume(
        **base,
        file_system=name,
        label=_exfat_label(medium, offset, head) if name == "exFAT" else _label(fs, name, head),
        block_size=int(fs.info.block_size),
        encryption=Encryption.LOCKED if locked else Encryption.NONE,
    )


def is_listed(volume: Volume) -> bool:
    """Whether TSK opened the volume, so that its names can be listed."""
    return volume.number is not None and volume.block_size > 0


def _read_head(medium: Medium, offset: int) -> bytes:
    """Return a volume's first bytes, whatever of them can be read."""
    head = b""
    for at in range(offset, offset + PROBE, 4096):
        try:
            piece = medium.read_at(at, 4096)
        except OSError:
            piece = bytes(4096)
        head += piece
        if len(piece) < 4096:
            break
    return head


def _label(fs: Any, name: str, head: bytes) -> str:
    """Return a volume's label where it lies at a known place; the display form is the caller's business."""
    raw = b""
    if name == "NTFS":
        try:
            file = fs.open_meta(3)  # $Volume
            for attribute in file:
                if int(attribute.info.type) == 96:  # $VOLUME_NAME
                    length = min(int(attribute.info.size), 256)
                    text: bytes = file.read_random(0, length, 96, int(attribute.info.id)) if length else b""
                    return text.decode("utf-16-le", "replace")
        except OSError:
            return ""
    elif name.startswith("ext"):
        raw = head[1024 + 120 : 1024 + 136]
    elif name == "FAT32":
        raw = head[71:82]
    elif name in ("FAT12", "FAT16"):
        raw = head[43:54]
    elif name == "ISO 9660":
        raw = head[0x8028 : 0x8028 + 32]
    text_ = raw.split(b"\0")[0].decode("utf-8", "replace").strip()
    return "" if text_ == "NO NAME" else text_


def _exfat_label(medium: Medium, offset: int, head: bytes) -> str:
    """Return the label out of the root directory's first cluster (Microsoft, exFAT specification, sections 3.1 and 7.3)."""
    heap, root = int.from_bytes(head[88:92], "little"), int.from_bytes(head[96:100], "little")
    sector, cluster = 1 << min(head[108], 12), 1 << min(head[109], 25)
    try:
        directory = medium.read_at(offset + (heap + (root - 2) * cluster) * sector, min(cluster * sector, 64 << 10))
    except (OSError, ValueError):
        return ""
    for at in range(0, len(directory) - 31, 32):
        if directory[at] == 0x83:
            return directory[at + 2 : at + 2 + 2 * min(directory[at + 1], 11)].decode("utf-16-le", "replace")
        if not directory[at]:
            break
    return ""


def _check(volume: Volume, medium: Medium) -> Iterator[Problem]:
    """Say what is wrong with a volume, or why it will not be listed."""
    if volume.offset >= medium.size:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} begins at byte {volume.offset}, past the medium's end ({medium.size} bytes): "
            "the image is cut short or the table is wrong",
        )
    elif volume.number is not None and volume.offset + volume.size > medium.size:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} ends {volume.offset + volume.size - medium.size} bytes past the medium's end: "
            "the image is cut short or the table is wrong",
        )
    if volume.number is not None and is_listed(volume) and volume.encryption is Encryption.LOCKED:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} is BitLocker To Go, locked: only the {volume.file_system} files that lead to it were "
            "examined, not what it holds",
        )
    if volume.number is None or is_listed(volume) or volume.offset >= medium.size:
        return
    if volume.encryption is Encryption.LOCKED:
        yield _problem(
            volume.evidence, volume.number, Severity.ERROR, f"{volume.name} is {volume.file_system}, locked: nothing in it was examined"
        )
    elif volume.file_system:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} is {volume.file_system}, which is not read: nothing in it was listed",
        )
    else:
        yield _problem(
            volume.evidence,
            volume.number,
            Severity.ERROR,
            f"{volume.name} holds no file system that is known ({volume.type}): nothing in it was listed",
        )


def _scan(image: Any, medium: Medium, evidence: str) -> Iterator[Volume]:
    """Look for file systems by signature: every sector of the first 64 MiB, then each MiB.

    Partitions begin on a MiB (since about 2007) or within the first track; backup superblocks and boot sectors inside a
    volume that was found are passed over, since the volume's own size says how far it reaches.
    """
    offset, number = SECTOR, 0
    while offset < medium.size and number < MAX_VOLUMES:
        step = SECTOR if offset < _SCAN_DENSE else _SCAN_STEP
        signature = _signature_at(medium, offset)
        if signature:
            volume = _describe(image, medium, evidence, number + 1, offset, medium.size - offset, "none", "found by signature")
            size = _volume_size(image, volume)
            if size or volume.encryption is not Encryption.NONE:
                number += 1
                size = min(size or medium.size - offset, medium.size - offset)
                yield volume.replace(size=size, found_by="signature scan")
                offset += max(step, size // step * step)
                continue
        offset += step


def _signature_at(medium: Medium, offset: int) -> VolumeSignature | None:
    try:
        head = medium.read_at(offset, 4096)
    except OSError:
        return None
    if not head.strip(b"\0"):
        return None
    signature = identify_volume(head)
    if signature and signature.name == "ext2/3/4" and head[1024 + 90 : 1024 + 92] != b"\0\0":
        return None  # s_block_group_nr: a backup superblock (ext4 disk layout, "The Super Block")
    if signature and (signature.readable or signature.encryption is not Encryption.NONE):
        return signature
    return None


def _volume_size(image: Any, volume: Volume) -> int:
    """Return how long the file system says it is, 0 when TSK does not open it."""
    try:
        fs = open_file_system(image, volume.offset)
    except OSError:
        return 0
    return int(fs.info.block_count) * int(fs.info.block_size)


def _problem(evidence: str, volume: int | None, severity: Severity, message: str) -> Problem:
    return Problem(severity=severity, stage="volumes", evidence=evidence, volume=volume, message=message)
