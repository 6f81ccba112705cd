"""One volume, described: what lies at its start, its label and length; TSK where it opens it, its name where not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytsk3

from triage.filesystem.signatures import PROBE, identify_volume
from triage.filesystem.trees.catalog import TREES, tree_named
from triage.model import Encryption, Volume

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

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


def describe(
    image: Any, medium: Medium, evidence: str, number: int, offset: int, size: int, scheme: str, kind: str
) -> tuple[Volume, int]:
    """Look at a volume's first bytes and let TSK try it; return how long the file system is as well, 0 when TSK does not open it."""
    base: dict[str, Any] = {
        "evidence": evidence,
        "number": number,
        "offset": offset,
        "size": size,
        "scheme": scheme,
        "type": kind,
        "found_by": "table" if scheme != "none" else "whole medium",
    }
    head = read_head(medium, offset)
    signature = identify_volume(head)
    locked = signature is not None and signature.encryption is not Encryption.NONE
    if signature and locked and not signature.readable:
        return Volume(**base, file_system=signature.name, encryption=signature.encryption), 0
    if signature is not None and signature.name in TREES:
        return _describe_tree(base, signature.name, medium, offset, size)
    try:
        fs = open_file_system(image, offset)
    except OSError:
        return Volume(**base, file_system=signature.name if signature and signature.name != "nothing but zeros" else ""), 0
    name = file_system_name(fs)
    volume = Volume(
        **base,
        file_system=name,
        label=_exfat_label(medium, offset, head) if name == "exFAT" else _label(fs, name, head),
        block_size=int(fs.info.block_size),
        encryption=Encryption.LOCKED if locked else Encryption.NONE,
    )
    return volume, int(fs.info.block_count) * int(fs.info.block_size)


def _describe_tree(base: dict[str, Any], name: str, medium: Medium, offset: int, size: int) -> tuple[Volume, int]:
    try:
        tree = tree_named(name, medium, offset, size)
    except (ValueError, OSError, struct.error):
        tree = None
    if tree is None:
        return Volume(**base, file_system=name), 0
    return Volume(**base, file_system=name, label=tree.label, block_size=tree.block_size), tree.size


READABLE = frozenset({"NTFS", "FAT", "exFAT", "ext2/3/4", "HFS+", "HFSX", "ISO 9660"})
"""Names by signature of what TSK opens, if it is sound."""


def is_recognised(volume: Volume) -> bool:
    """Whether it is known what a volume is: TSK opened it, it is locked, or it is of a kind that TSK does not read."""
    if volume.block_size or volume.encryption is not Encryption.NONE:
        return True
    return bool(volume.file_system) and volume.file_system not in READABLE


def is_listed(volume: Volume) -> bool:
    """Whether the volume could be opened, by TSK or by our own reader, so that its names can be listed."""
    return volume.number is not None and volume.block_size > 0


def read_head(medium: Medium, offset: int) -> bytes:
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
