"""Build the ten file systems that ``bench/mutants.py`` damages: some sixty names each, text that packs well, a few deleted.

    python bench/seeds/build.py [--out DIR] [NAME...]

Needs root on Debian with: mtools dosfstools ntfs-3g exfatprogs exfat-fuse e2fsprogs genisoimage faketime. Clock, identifiers and contents
are fixed. HFS+ is the built-in image, which needs no tool. The tables of ``mbr`` and ``gpt`` are written here byte by byte.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import shutil
import struct
import sys
import tempfile
import uuid
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "images"))

from builder.tools import EPOCH, blank, loop_device, mounted, run

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
_WORDS = ("boat", "house", "river", "nobody", "looked", "since", "the", "spring", "of", "that", "year", "lay", "at", "by", "where", "for")
DELETED = ("Letters/2019/gone 1.txt", "Letters/gone 2.txt", "Pictures/gone 3.bin", "gone 4.txt")


def content(name: str, size: int) -> bytes:
    """Return text that depends on the name, the same each time."""
    chance = random.Random(name)
    words = " ".join(chance.choice(_WORDS) for _ in range(size // 4 + 2)).encode()
    return words[:size]


def tree() -> dict[str, bytes]:
    """Return path → content: four levels of folders, sizes from nothing to some tens of KiB, names short and long."""
    sizes = [0, 1, 37, 511, 700, 1024, 2300, 4096, 5000, 9000, 20000, 33000]
    files: dict[str, bytes] = {}
    folders = ["", "Letters/", "Letters/2019/", "Letters/2019/Draft versions/", "Pictures/", "Pictures/Summer at the lake/", "Work/"]
    for number in range(56):
        folder = folders[number % len(folders)]
        name = f"{folder}note{number:02d}.txt" if number % 3 else f"{folder}A longer name for file number {number:02d}.text"
        files[name] = content(name, sizes[number % len(sizes)])
    for path in DELETED:
        files[path] = content(path, 6000)
    return files


def write_tree(root: Path) -> None:
    """Write the tree as files, in order, with the fixed clock's time."""
    for path, data in tree().items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (EPOCH, EPOCH))


def ext(work: Path, kind: str) -> bytes:
    """ext2 with 1 KiB blocks in several groups, or ext4 as it is made today."""
    source, image = work / "tree", work / "image"
    write_tree(source)
    blank(image, (8 if kind == "ext2" else 12) * MIB)
    identity = str(uuid.UUID(int=7))
    shape = ["-b", "1024", "-g", "4096"] if kind == "ext2" else ["-b", "1024", "-g", "4096", "-O", "metadata_csum,64bit,^has_journal"]
    run("mke2fs", "-q", "-F", "-t", kind, *shape, "-U", identity, "-E", f"hash_seed={identity},root_owner=0:0", "-d", source, image)
    for path in DELETED:
        run("debugfs", "-w", "-R", f'rm "/{path}"', image)
    return image.read_bytes()


def fat(work: Path, bits: int, size: int) -> bytes:
    """FAT16 or FAT32 by mtools."""
    source, image = work / "tree", blank(work / "image", size)
    write_tree(source)
    run("mkfs.vfat", "-F", str(bits), "-i", "7ea6e001", "-n", "SEED", "-s", "1" if bits == 32 else "4", image)
    for top in sorted(source.iterdir()):
        run("mcopy", "-s", "-m", "-i", image, top, "::")
    for path in DELETED:
        run("mdel", "-i", image, f"::{path}")
    return image.read_bytes()


def by_driver(work: Path, size: int, make: list[str], driver: list[str]) -> bytes:
    """NTFS or exFAT by their FUSE drivers."""
    source, image = work / "tree", blank(work / "image", size)
    write_tree(source)
    run(*make, image)
    with loop_device(image) as device, mounted(driver, device, work / "mnt") as where:
        for path in tree():
            (where / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, where / path)
            os.utime(where / path, (EPOCH, EPOCH))
        for path in DELETED:
            (where / path).unlink()
    return image.read_bytes()


def ntfs(work: Path) -> bytes:
    """NTFS."""
    return by_driver(work, 8 * MIB, ["mkntfs", "-Q", "-F", "-q", "-s", "512", "-L", "SEED"], ["ntfs-3g", "-o", "no_detach,noatime"])


def exfat(work: Path) -> bytes:
    """exFAT with clusters of 4 KiB."""
    return by_driver(work, 6 * MIB, ["mkfs.exfat", "-L", "SEED", "-c", "4K"], ["mount.exfat-fuse", "-d", "-o", "noatime"])


def iso(work: Path) -> bytes:
    """ISO 9660 with Rock Ridge and Joliet."""
    source, image = work / "tree", work / "image"
    write_tree(source)
    run("genisoimage", "-quiet", "-R", "-J", "-joliet-long", "-V", "SEED", "-o", image, source)
    return image.read_bytes()


def hfsplus(_: Path) -> bytes:
    """HFS+, the built-in image."""
    return gzip.decompress((ROOT / "tests" / "images" / "hfsplus.raw.gz").read_bytes())


def mbr(work: Path) -> bytes:
    """A disk with FAT16, ext2 and, in an extended partition, FAT12 and ext2 once more."""
    first, second = small_fat(work / "a"), ext_small(work / "b")
    third, fourth = small_fat(work / "c"), ext_small(work / "d")
    starts = [2048, 2048 + len(first) // 512 + 2048]
    extended = starts[1] + len(second) // 512 + 2048
    logical = [extended + 2048, extended + 2048 + len(third) // 512 + 4096]
    end = logical[1] + len(fourth) // 512
    disk = bytearray((end + 2048) * 512)
    table = [(0x06, starts[0], len(first) // 512), (0x83, starts[1], len(second) // 512), (0x05, extended, end - extended)]
    disk[446:512] = _entries(table)
    second_ebr = logical[1] - 2048
    disk[extended * 512 + 446 : extended * 512 + 512] = _entries(
        [(0x01, logical[0] - extended, len(third) // 512), (0x05, second_ebr - extended, end - second_ebr)]
    )
    disk[second_ebr * 512 + 446 : second_ebr * 512 + 512] = _entries([(0x83, 2048, len(fourth) // 512)])
    for start, volume in zip([*starts, *logical], [first, second, third, fourth], strict=True):
        disk[start * 512 : start * 512 + len(volume)] = volume
    return bytes(disk)


def _entries(rows: list[tuple[int, int, int]]) -> bytes:
    packed = b"".join(struct.pack("<B3sB3sII", 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff", start, size) for kind, start, size in rows)
    return packed.ljust(64, b"\0") + b"\x55\xaa"


def small_fat(work: Path) -> bytes:
    """A FAT volume of 2 MiB with a part of the tree."""
    work.mkdir()
    image = blank(work / "image", 2 * MIB)
    run("mkfs.vfat", "-F", "12", "-i", "7ea6e002", "-n", work.name.upper(), image)
    source = work / "tree"
    write_tree(source)
    run("mcopy", "-s", "-m", "-i", image, source / "Letters", "::")
    return image.read_bytes()


def ext_small(work: Path) -> bytes:
    """An ext2 volume of 2 MiB with a part of the tree."""
    source, image = work / "tree", work / "image"
    write_tree(source)
    blank(image, 2 * MIB)
    identity = str(uuid.UUID(int=9))
    run("mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", "-U", identity, "-E", f"hash_seed={identity}", "-d", source / "Pictures", image)
    return image.read_bytes()


def gpt(work: Path) -> bytes:
    """A GPT disk with FAT12, ext2 and FAT12 once more (UEFI specification 2.10, section 5.3)."""
    volumes = [small_fat(work / "a"), ext_small(work / "b"), small_fat(work / "c")]
    kinds = [uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"), uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")]
    disk = bytearray(10 * MIB)
    rows = b""
    start = 2048
    for number, volume in enumerate(volumes):
        last = start + len(volume) // 512 - 1
        name = f"Volume {number + 1}".encode("utf-16-le")
        rows += kinds[number % 2].bytes_le + uuid.UUID(int=100 + number).bytes_le + struct.pack("<QQQ72s", start, last, 0, name)
        disk[start * 512 : start * 512 + len(volume)] = volume
        start = last + 1 + 2048
    rows = rows.ljust(128 * 128, b"\0")
    sectors = len(disk) // 512
    disk[446:512] = _entries([(0xEE, 1, sectors - 1)])
    disk[1024 : 1024 + len(rows)] = rows
    disk[(sectors - 33) * 512 : (sectors - 1) * 512] = rows
    for here, other, table in ((1, sectors - 1, 2), (sectors - 1, 1, sectors - 33)):
        head = bytearray(struct.pack("<8sIIIIQQQQ", b"EFI PART", 0x10000, 92, 0, 0, here, other, 34, sectors - 34))
        head += uuid.UUID(int=99).bytes_le + struct.pack("<QIII", table, 128, 128, zlib.crc32(rows))
        struct.pack_into("<I", head, 16, zlib.crc32(head))
        disk[here * 512 : here * 512 + 92] = head
    return bytes(disk)


SEEDS = {
    "ext2": lambda work: ext(work, "ext2"),
    "ext4": lambda work: ext(work, "ext4"),
    "ntfs": ntfs,
    "fat16": lambda work: fat(work, 16, 16 * MIB),
    "fat32": lambda work: fat(work, 32, 34 * MIB),
    "exfat": exfat,
    "hfsplus": hfsplus,
    "iso9660": iso,
    "mbr": mbr,
    "gpt": gpt,
}


def main() -> None:
    """Build what the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="where to write")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(SEEDS)}; all when none is named")
    arguments = parser.parse_args()
    for name in arguments.names or SEEDS:
        with tempfile.TemporaryDirectory(prefix="seeds-") as work:
            data = SEEDS[name](Path(work))
        packed = gzip.compress(data, 9, mtime=0)
        (arguments.out / f"{name}.raw.gz").write_bytes(packed)
        print(f"{name}: {len(data):,} bytes, packed {len(packed):,}")


if __name__ == "__main__":
    main()
