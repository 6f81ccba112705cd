"""What lies at a volume's start, by its signature: so that what TSK cannot read is named, and locked is said to be locked."""

from __future__ import annotations

from typing import NamedTuple

from triage.model import Encryption

PROBE = 0x11000
"""How many of a volume's first bytes :func:`identify_volume` wants."""


class VolumeSignature(NamedTuple):
    """A file system or container by its mark. ``readable``: TSK, in the build we ship with, opens it."""

    name: str
    readable: bool = False
    encryption: Encryption = Encryption.NONE


_LOCKED = Encryption.LOCKED
# BitLocker To Go: a FAT volume that leads to the locked one, known by this GUID (libbde, "BitLocker Drive Encryption
# format", section 3.3).
_TO_GO = VolumeSignature("BitLocker To Go", readable=True, encryption=_LOCKED)
_TO_GO_GUID = bytes.fromhex("3bd66749292ed84a8399f6a339e3d001")

_MARKS: tuple[tuple[int, bytes, VolumeSignature], ...] = (
    (3, b"-FVE-FS-", VolumeSignature("BitLocker", encryption=_LOCKED)),
    (424, _TO_GO_GUID, _TO_GO),
    (0, b"LUKS\xba\xbe", VolumeSignature("LUKS", encryption=_LOCKED)),
    (3, b"NTFS    ", VolumeSignature("NTFS", readable=True)),
    (3, b"EXFAT   ", VolumeSignature("exFAT", readable=True)),
    (32, b"NXSB", VolumeSignature("APFS")),
    (3, b"ReFS\0\0\0\0", VolumeSignature("ReFS")),
    (0, b"XFSB", VolumeSignature("XFS")),
    (0x10040, b"_BHRfS_M", VolumeSignature("Btrfs")),
    (1024, b"\x10\x20\xf5\xf2", VolumeSignature("F2FS")),
    (1024, b"\xe2\xe1\xf5\xe0", VolumeSignature("EROFS")),
    (1024, b"H+", VolumeSignature("HFS+", readable=True)),
    (1024, b"HX", VolumeSignature("HFSX", readable=True)),
    (1024, b"BD", VolumeSignature("HFS", readable=False)),
    (0, b"hsqs", VolumeSignature("SquashFS")),
    (88, b"CS", VolumeSignature("CoreStorage (FileVault 2)", encryption=_LOCKED)),
    (512, b"LABELONE", VolumeSignature("LVM2 physical volume")),
    (0, b"LABELONE", VolumeSignature("LVM2 physical volume")),
    (4086, b"SWAPSPACE2", VolumeSignature("Linux swap")),
    (4086, b"SWAP-SPACE", VolumeSignature("Linux swap")),
    (4096, b"\xfc\x4e\x2b\xa9", VolumeSignature("Linux software RAID member")),
    (0, b"\xfc\x4e\x2b\xa9", VolumeSignature("Linux software RAID member")),
    (0x10034, b"ReIsEr", VolumeSignature("ReiserFS")),
    (0x8000, b"JFS1", VolumeSignature("JFS")),
    (0x8001, b"CD001", VolumeSignature("ISO 9660", readable=True)),
    (0x8001, b"BEA01", VolumeSignature("UDF")),
    (0x8001, b"NSR0", VolumeSignature("UDF")),
    (0x8801, b"NSR0", VolumeSignature("UDF")),
    (0, b"VMFS", VolumeSignature("VMFS")),
)


def identify_volume(head: bytes) -> VolumeSignature | None:
    """Return what a volume's first :data:`PROBE` bytes show, ``None`` when no mark is known."""
    for offset, magic, signature in _MARKS:
        if head.startswith(magic, offset):
            if signature.name == "UDF" and head.startswith(b"CD001", 0x8001):
                continue
            return signature
    if head[1080:1082] == b"\x53\xef":
        return VolumeSignature("ext2/3/4", readable=True)
    if head[510:512] == b"\x55\xaa" and _looks_like_fat(head):
        return VolumeSignature("FAT", readable=True)
    if head and not head.strip(b"\0"):
        return VolumeSignature("nothing but zeros")
    return None


def _looks_like_fat(head: bytes) -> bool:
    """Check the BIOS parameter block's fields (Microsoft FAT specification 1.03, section 3.1)."""
    sector = int.from_bytes(head[11:13], "little")
    cluster = head[13]
    return (
        sector in (512, 1024, 2048, 4096)
        and cluster in (1, 2, 4, 8, 16, 32, 64, 128)
        and 1 <= head[16] <= 2
        and int.from_bytes(head[14:16], "little") > 0
        and (head[21] == 0xF0 or head[21] >= 0xF8)
    )
