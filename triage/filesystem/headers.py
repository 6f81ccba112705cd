"""What a file system's header says of the volume: where it begins, how long it is, and whether this header is a copy.

Most file systems keep a copy of their header elsewhere: NTFS behind its last sector, FAT32 six and exFAT twelve sectors behind the
first, ext in some block groups, HFS+ at the end. A header that is found somewhere is the volume's own when what it leads to is there,
seen from it; it is a copy when that is there seen from where the volume would then begin.

Sources: Microsoft's FAT and exFAT specifications; the Linux kernel's documentation of ext4, XFS, Btrfs and F2FS; Apple's TN1150 and
"Apple File System Reference"; libyal's documentation of NTFS and BitLocker; cryptsetup's of LUKS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.model import Encryption

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.evidence.medium import Medium

MAX_SIZE = 1 << 62


class Header(NamedTuple):
    """A header that was found. All offsets are in bytes of the medium; ``size`` is 0 where the header does not say it.

    ``copy`` is where the header lies when it is a copy of one that belongs at ``home``; the two are then ``length`` bytes long.
    ``readable``: TSK opens the kind.
    """

    name: str
    start: int
    size: int
    readable: bool = True
    encryption: Encryption = Encryption.NONE
    copy: int | None = None
    home: int = 0
    length: int = 0


def little(data: bytes, at: int, size: int) -> int:
    """Return a little-endian number."""
    return int.from_bytes(data[at : at + size], "little")


def big(data: bytes, at: int, size: int) -> int:
    """Return a big-endian number."""
    return int.from_bytes(data[at : at + size], "big")


def peek(medium: Medium, offset: int, length: int) -> bytes:
    """Return bytes; none outside the medium and where it cannot be read."""
    if offset < 0 or offset >= medium.size:
        return b""
    try:
        return medium.read_at(offset, length)
    except OSError:
        return b""


def header_at(medium: Medium, name: str, base: int) -> Header | None:
    """Return the header of a kind whose volume seems to begin at ``base``; ``None`` where it is none."""
    data = peek(medium, base, 4096)
    if len(data) < 512:
        return None
    found = _READERS[name](medium, base, data)
    return found if found is not None and 0 <= found.start < medium.size and 0 <= found.size < MAX_SIZE else None


def _ntfs(medium: Medium, base: int, data: bytes) -> Header | None:
    sector, per_cluster, total = little(data, 11, 2), data[13], little(data, 40, 8)
    if data[510:512] != b"\x55\xaa" or sector not in (256, 512, 1024, 2048, 4096) or not per_cluster or not 16 <= total < 1 << 50:
        return None
    cluster = sector * (per_cluster if per_cluster <= 128 else 1 << min(256 - per_cluster, 21))
    size = (total + 1) * sector
    for start in (base, base - total * sector):
        for table in (little(data, 48, 8), little(data, 56, 8)):
            if table < 1 << 50 and peek(medium, start + table * cluster, 4) == b"FILE":
                if start == base:
                    return Header("NTFS", base, size)
                return Header("NTFS", start, size, copy=base, home=start, length=sector)
    return Header("NTFS", base, size)


def _fat(medium: Medium, base: int, data: bytes) -> Header | None:
    sector, reserved, total = little(data, 11, 2), little(data, 14, 2), little(data, 19, 2) or little(data, 32, 4)
    if not reserved or sector not in (512, 1024, 2048, 4096) or not total or data[16] not in (1, 2):
        return None
    table, wide = little(data, 22, 2) or little(data, 36, 4), not little(data, 22, 2)

    def begins(start: int) -> bool:
        tables = [start + (reserved + n * table) * sector for n in range(data[16])]
        return any(peek(medium, at, 3) == bytes((data[21], 0xFF, 0xFF)) for at in tables)

    size = total * sector
    if begins(base):
        return Header("FAT", base, size)
    behind = little(data, 50, 2) * sector if wide and little(data, 50, 2) < reserved else 0
    copy = Header("FAT", base - behind, size, copy=base, home=base - behind, length=sector)
    if behind and begins(base - behind):
        return copy
    if data[0] not in (0xEB, 0xE9) or not (data[54:57] == b"FAT" or data[82:87] == b"FAT32"):
        return None
    # Neither table begins as it should, so they are damaged too, but the sector says its name twice.
    if behind and peek(medium, base + behind, 90) != data[:90] and not (base - behind) % (1 << 20):
        return copy
    return Header("FAT", base, size)


def _exfat(medium: Medium, base: int, data: bytes) -> Header | None:
    shift, total, table = data[108], little(data, 72, 8), little(data, 80, 4)
    if not 9 <= shift <= 12 or data[510:512] != b"\x55\xaa" or not total or total >= 1 << 50 or not table:
        return None
    sector = 1 << shift
    for start in (base, base - 12 * sector):
        if peek(medium, start + table * sector, 4) == b"\xf8\xff\xff\xff":
            if start == base:
                return Header("exFAT", base, total * sector)
            return Header("exFAT", start, total * sector, copy=base, home=start, length=12 * sector)
    return Header("exFAT", base, total * sector)


def _ext(medium: Medium, base: int, data: bytes) -> Header | None:
    """The superblock lies 1024 bytes behind ``base``; in a copy it says of which group it is."""
    block = super_block(data[1024:2048])
    if block is None:
        return None
    group, shift, first, per_group = little(data, 1024 + 90, 2), little(data, 1048, 4), little(data, 1044, 4), little(data, 1056, 4)
    size = block << shift + 10
    if group:
        start = base + 1024 - (first + group * per_group << shift + 10)
        if start >= 0 and (super_block(peek(medium, start + 1024, 1024)) != block):
            return Header("ext2/3/4", start, size, copy=base + 1024, home=start + 1024, length=1024)
        return None
    return Header("ext2/3/4", base, size)


def super_block(data: bytes) -> int | None:
    """Return how many blocks an ext superblock counts, ``None`` where it cannot be one."""
    if len(data) < 1024 or data[56:58] != b"\x53\xef":
        return None
    shift, per_group, inodes = little(data, 24, 4), little(data, 32, 4), little(data, 40, 4)
    blocks = little(data, 4, 4) | (little(data, 0x150, 4) << 32 if little(data, 0x60, 4) & 0x80 else 0)
    if shift > 6 or not 0 < per_group <= 8 << shift + 10 or not inodes or not blocks or blocks >= 1 << 48 or not little(data, 0, 4):
        return None
    return blocks


def _hfs(medium: Medium, base: int, data: bytes) -> Header | None:
    """The header lies 1024 bytes behind ``base``. Its copy is the last sector but one of the volume."""
    head = data[1024:1536]
    block, total, catalog = big(head, 40, 4), big(head, 44, 4), big(head, 288, 4)
    version = big(head, 2, 2)
    if version not in (4, 5) or block < 512 or block & (block - 1) or block > 1 << 24 or not total:
        return None

    def begins(start: int) -> bool:
        return peek(medium, start + catalog * block + 8, 2) == b"\1\0"  # a header node, at height 0

    size = total * block
    if begins(base):
        return Header("HFS+", base, size)
    ends = base + 1024 + 1024
    for rest in range(0, block, 512):
        start = ends - size - rest
        if start >= 0 and begins(start):
            return Header("HFS+", start, size + rest, copy=base + 1024, home=start + 1024, length=512)
    return Header("HFS+", base, size)


def _iso(medium: Medium, base: int, _: bytes) -> Header | None:
    """A volume descriptor lies 32 KiB behind ``base``. It may not be the first: the volume begins where its root directory is right."""
    data = peek(medium, base + 0x8000, 2048)
    if len(data) < 2048 or data[0] not in (1, 2):
        return None
    block, root = little(data, 128, 2) or 2048, little(data, 158, 4)
    size = min(little(data, 80, 4), big(data, 84, 4)) * block
    for start in range(base, base - 16 * 2048, -2048):
        own = peek(medium, start + root * block, 34)
        if own[:1] == b"\x22" and own[32:] == b"\1\0" and root in (little(own, 2, 4), big(own, 6, 4)):
            return Header("ISO 9660", start, size)
    return Header("ISO 9660", base, size) if data[0] == 1 else None


def _apfs(medium: Medium, base: int, data: bytes) -> Header | None:
    block, count = little(data, 36, 4), little(data, 40, 8)
    if not 4096 <= block <= 65536 or block & (block - 1) or not count or count > 1 << 50:
        return None
    whole = peek(medium, base, block)
    if len(whole) < block or fletcher64(whole[8:]) != little(whole, 0, 8):
        return None
    return Header("APFS", base, block * count, readable=False)


def fletcher64(data: bytes) -> int:
    """Return the checksum of an APFS object without its first eight bytes (Apple File System Reference, "Object Checksum")."""
    low = high = 0
    for at in range(0, len(data), 4):
        low = (low + int.from_bytes(data[at : at + 4], "little")) % 0xFFFFFFFF
        high = (high + low) % 0xFFFFFFFF
    first = 0xFFFFFFFF - (low + high) % 0xFFFFFFFF
    return (0xFFFFFFFF - (low + first) % 0xFFFFFFFF) << 32 | first


def _xfs(_: Medium, base: int, data: bytes) -> Header | None:
    block, count, sector = big(data, 4, 4), big(data, 8, 8), big(data, 102, 2)
    if not 512 <= block <= 65536 or block & (block - 1) or not count or count > 1 << 50 or sector not in (512, 1024, 2048, 4096):
        return None
    return Header("XFS", base, block * count, readable=False)


def _btrfs(medium: Medium, base: int, _: bytes) -> Header | None:
    """The superblock lies 64 KiB behind ``base``, with copies at 64 MiB and 256 GiB; each says where it is."""
    data = peek(medium, base + 0x10000, 4096)
    if len(data) < 4096:
        return None
    here, size = little(data, 48, 8), little(data, 0x70, 8)
    start = base + 0x10000 - here
    return Header("Btrfs", start, size, readable=False) if here in (1 << 16, 1 << 26, 1 << 38) and size else None


def _f2fs(_: Medium, base: int, data: bytes) -> Header | None:
    shift, count = little(data, 1024 + 16, 4), little(data, 1024 + 36, 8)
    return Header("F2FS", base, count << shift, readable=False) if 9 <= shift <= 16 and 0 < count < 1 << 40 else None


def _luks(_: Medium, base: int, data: bytes) -> Header | None:
    return Header("LUKS", base, 0, readable=False, encryption=Encryption.LOCKED) if big(data, 6, 2) in (1, 2) else None


def _bitlocker(_: Medium, base: int, data: bytes) -> Header | None:
    sector, total = little(data, 11, 2), little(data, 40, 8)
    if data[510:512] != b"\x55\xaa" or sector not in (512, 1024, 2048, 4096):
        return None
    size = total * sector if 0 < total < 1 << 50 else 0
    return Header("BitLocker", base, size, readable=False, encryption=Encryption.LOCKED)


def _lvm(_: Medium, base: int, data: bytes) -> Header | None:
    return Header("LVM2 physical volume", base, little(data, 512 + 64, 8), readable=False) if data[536:544] == b"LVM2 001" else None


_READERS: dict[str, Callable[[Medium, int, bytes], Header | None]] = {
    "NTFS": _ntfs,
    "FAT": _fat,
    "exFAT": _exfat,
    "ext2/3/4": _ext,
    "HFS+": _hfs,
    "ISO 9660": _iso,
    "APFS": _apfs,
    "XFS": _xfs,
    "Btrfs": _btrfs,
    "F2FS": _f2fs,
    "LUKS": _luks,
    "BitLocker": _bitlocker,
    "LVM2 physical volume": _lvm,
}

MARKS: tuple[tuple[str, int, bytes], ...] = (
    ("NTFS", 3, b"NTFS    "),
    ("FAT", 510, b"\x55\xaa"),
    ("exFAT", 3, b"EXFAT   "),
    ("ext2/3/4", 1080, b"\x53\xef"),
    ("HFS+", 1024, b"H+\0\4"),
    ("HFS+", 1024, b"HX\0\5"),
    ("ISO 9660", 0x8001, b"CD001"),
    ("APFS", 32, b"NXSB"),
    ("XFS", 0, b"XFSB"),
    ("Btrfs", 0x10040, b"_BHRfS_M"),
    ("F2FS", 1024, b"\x10\x20\xf5\xf2"),
    ("LUKS", 0, b"LUKS\xba\xbe"),
    ("BitLocker", 3, b"-FVE-FS-"),
    ("LVM2 physical volume", 512, b"LABELONE"),
)
"""What each kind is found by: its name, the mark's offset from the volume's beginning (for copies: from where that would be), its bytes."""
