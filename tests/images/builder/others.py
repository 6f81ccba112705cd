"""The other images: a disc, a GPT disk with locked volumes, split, damaged and malicious ones."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import struct
from pathlib import Path

from builder import ext, fat, material
from builder.key import Key
from builder.material import Thing
from builder.tools import EPOCH, FACTS, acquire, blank, run, splice

_GPT = "7EA6E000-0000-4000-8000-00000000000{}"


def _pack(path: Path, out: Path) -> bytes:
    """Store a medium gzipped, without a date; return its bytes."""
    media = path.read_bytes()
    out.write_bytes(gzip.compress(media, 9, mtime=0))
    return media


def iso(work: Path, out: Path) -> None:
    """Build ``iso9660.raw.gz``: a disc with Rock Ridge and Joliet names."""
    key = Key(
        "iso9660.raw.gz",
        "genisoimage",
        "Sectors of 2048 bytes; the names are told three times: plain, Joliet and Rock Ridge.",
    )
    tree = work / "disc"
    files = {
        "pictures/first picture of a long name.jpg": material.picture(601),
        "pictures/ünïcode 写真.png": material.picture(602, "png", (64, 48)),
        "README.TXT": material.text("A disc.\n"),
        "papers/plan.docx": material.docx("Test material"),
        "papers/empty.txt": material.EMPTY,
        "papers/statement.pdf": material.picture(603),
    }
    for number, (name, thing) in enumerate(files.items()):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(thing.data)
        os.utime(path, (EPOCH - 86_400 + 60 * number,) * 2)
        key.add(f"vol1/{name}", thing, extension_mismatch=name.endswith(".pdf"))
    for folder in ("pictures", "papers", "."):
        os.utime(tree / folder, (EPOCH - 3600,) * 2)
    key.add("vol1/pictures", kind="directory")
    key.add("vol1/papers", kind="directory")
    disc = work / "disc.iso"
    run(
        "genisoimage",
        "-quiet",
        "-r",
        "-J",
        "-input-charset",
        "utf-8",
        "-V",
        "DEMOISO",
        "-no-pad",
        "-o",
        disc,
        tree,
    )
    disc.write_bytes(_one_time(disc.read_bytes()))
    media = _pack(disc, out / key.image)
    key.volume(1, 0, len(media), "iso9660", "DEMOISO")
    key.find("vol1/papers/statement.pdf", "a picture that wears a document's extension")
    key.write(out, {"kind": "raw", "segments": [key.image], "compression": "gzip"}, media, scheme="none")


def _one_time(disc: bytes) -> bytes:
    """Set Rock Ridge's access and change times, which are those of the folder copied, to the "
    "modification time."""
    return re.sub(rb"(TF\x1a\x01\x0e)(.{7}).{14}", lambda m: m[1] + m[2] * 3, disc, flags=re.DOTALL)


def gpt(work: Path, out: Path) -> None:
    """Build ``gpt.E01``: ext4, FAT, and two volumes that are locked."""
    key = Key(
        "gpt.E01",
        "sgdisk, mke2fs, mkfs.fat, mtools, ewfacquire",
        "The locked volumes are a BitLocker boot sector and a LUKS header, then noise: nothing can unlock them.",
    )
    linux = ext.Ext(work, key)
    linux.put("srv/plan.txt", material.text("Test material\n"))
    linux.put("srv/picture.jpg", material.picture(611))
    linux.make(
        256,
        1024,
        6,
        "DEMOROOT",
        "-t",
        "ext4",
        "-O",
        "^has_journal,^resize_inode,^64bit,^metadata_csum,^orphan_file",
        "-N",
        "32",
    )
    card = fat.Fat(work / "card.volume", 400, 12, "DEMOCARD")
    card.put("picture on the card.jpg", material.picture(612))
    key.add("vol2/picture on the card.jpg", material.picture(612))
    bitlocker = bytearray(material.noise(613, 96 * 1024).data)
    bitlocker[:512] = (
        b"\xebX\x90-FVE-FS-"
        + struct.pack("<HBH", 512, 8, 0)
        + bytes(144)
        + bytes.fromhex("3bd66749292ed84a8399f6a339e3d001")
        + struct.pack("<QQQ", 0x4000, 0x8000, 0xC000)
        + bytes(310)
        + b"\x55\xaa"
    )
    luks = bytearray(material.noise(614, 64 * 1024).data)
    luks[:208] = (
        b"LUKS\xba\xbe\0\x01"
        + b"aes".ljust(32, b"\0")
        + b"xts-plain64".ljust(32, b"\0")
        + b"sha256".ljust(32, b"\0")
        + struct.pack(">II", 64, 64)
        + luks[112:164]
        + struct.pack(">I", 100_000)
        + b"7ea6e001-0000-4000-8000-000000000000".ljust(40, b"\0")
    )
    parts = (
        (64, linux.path.read_bytes(), "8300"),
        (640, card.path.read_bytes(), "0700"),
        (1088, bytes(bitlocker), "0700"),
        (1344, bytes(luks), "8309"),
    )
    disk = blank(work / "gpt.disk", 1600 * 512)
    options = ["-a", "1", "-U", _GPT.format(0)]
    for number, (start, data, kind) in enumerate(parts, 1):
        options += [
            "-n",
            f"{number}:{start}:{start + len(data) // 512 - 1}",
            "-t",
            f"{number}:{kind}",
            "-u",
            f"{number}:{_GPT.format(number)}",
        ]
    run("sgdisk", *options, disk)
    names = (
        ("ext4", "DEMOROOT", "none"),
        ("fat12", "DEMOCARD", "none"),
        ("bitlocker", "", "locked"),
        ("luks", "", "locked"),
    )
    end = 0
    for number, ((start, data, _), (system, label, state)) in enumerate(zip(parts, names, strict=True), 1):
        splice(disk, start * 512, data)
        key.volume(number, start * 512, len(data), system, label, encryption=state)
        key.gaps.append({"offset": end * 512, "size": (start - end) * 512})
        end = start + len(data) // 512
    key.gaps.append({"offset": end * 512, "size": (1600 - end) * 512})
    acquire(disk, out / "gpt.E01")
    key.write(
        out,
        {"kind": "ewf", "segments": ["gpt.E01"]},
        disk.read_bytes(),
        scheme="gpt",
        acquisition=FACTS,
        stored_digests=["md5", "sha1"],
    )


def split(work: Path, out: Path) -> None:
    """Build ``split.001`` to ``split.003``: one FAT12 volume in three files."""
    key = Key("split.001", "mkfs.fat, mtools", "Three files that are one medium.")
    volume = fat.floppy(work / "split.volume", key, 360)
    media = volume.path.read_bytes()
    names = [f"split.00{n}" for n in (1, 2, 3)]
    for number, name in enumerate(names):
        (out / name).write_bytes(media[number * 65_536 : (number + 1) * 65_536])
    key.write(out, {"kind": "split raw", "segments": names}, media, scheme="none")


def split_ewf(work: Path, out: Path) -> None:
    """Build ``split-ewf.E01`` and ``.E02``: more than a segment of 1 MiB holds."""
    key = Key("split-ewf.E01", "mkfs.fat, mtools, ewfacquire", "Two segments; a file's bytes lie in both.")
    volume = fat.floppy(work / "split.volume", key, 2600)
    big = material.noise(631, 1_060_000)
    volume.put("across both segments.bin", big)
    key.add("vol1/across both segments.bin", big)
    parts = acquire(volume.path, out / "split-ewf.E01", segment="1.0 MiB")
    key.write(
        out,
        {"kind": "split ewf", "segments": [p.name for p in parts]},
        volume.path.read_bytes(),
        scheme="none",
        acquisition=FACTS,
        stored_digests=["md5", "sha1"],
    )


def orphans(work: Path, out: Path) -> None:
    """Build ``fat-orphans.raw.gz``: a deleted file whose bytes look like directories that hold each other."""
    key = Key(
        "fat-orphans.raw.gz",
        "mkfs.fat, mtools",
        "A deleted file of about 2.5 MiB is made of what looks like directory entries, some of them "
        "of folders that point into the same "
        "file. A search for orphans finds tens of thousands of names that never were, and no end "
        "when it follows the folders.",
        "Complete for real files only: the phantom names are not listed, and none of them stands for a file.",
    )
    volume = fat.Fat(work / "orphans.volume", 8192, 16, "DEMOORPHANS")
    for name, thing in {
        "REAL.TXT": material.text("real\n"),
        "real picture.jpg": material.picture(641),
        "last real file.pdf": material.pdf("Test material"),
    }.items():
        volume.put(name, thing)
        key.add(f"vol1/{name}", thing)
    real = material.picture(642)
    volume.put("Real.jpg", real)
    key.add("vol1/Real.jpg", real)
    where = volume.clusters("Real.jpg")[-1] + 1
    count = 5000
    phantom = Thing(b"".join(_phantoms(where, sector, count) for sector in range(count)), None)
    volume.put("directories.bin", phantom)
    volume.delete("directories.bin")
    key.add("vol1/directories.bin", phantom, state="deleted")
    key.find("vol1/real picture.jpg", "a real picture among the phantoms")
    media = _pack(volume.path, out / key.image)
    key.volume(1, 0, len(media), "fat16", "DEMOORPHANS")
    key.write(out, {"kind": "raw", "segments": [key.image], "compression": "gzip"}, media, scheme="none")


def _phantoms(first: int, sector: int, count: int) -> bytes:
    """Return sixteen directory entries; every fifth is a folder's, in another sector of the same file."""
    rows = []
    for slot in range(16):
        number = (sector * 16 + slot) % 997
        folder = slot % 5 == 0
        target = first + (sector * 7 + slot * 131 + 1) % count
        name = f"{'DIR' if folder else 'PIC'}{number:05d}".encode() + (b"   " if folder else b"JPG")
        rows.append(
            struct.pack(
                "<11sBBBHHHHHHHI",
                name,
                0x10 if folder else 0x20,
                0,
                0,
                0x5000,
                0x58A1,
                0x58A1,
                0,
                0x5000,
                0x58A1,
                target,
                0 if folder else 512,
            )
        )
    return b"".join(rows)


def damaged(work: Path, out: Path) -> None:
    """Build ``damaged-mbr.raw.gz``: a whole volume, and noise where its partition table was."""
    key = Key(
        "damaged-mbr.raw.gz",
        "mkfs.fat, mtools",
        "Sector 0 is noise; the volume starts at sector 2048 and must be found without a table.",
    )
    start = 2048
    volume = fat.floppy(work / "damaged.volume", key, 360, start=start)
    disk = blank(work / "damaged.disk", (start + 360 + 64) * 512)
    splice(disk, 0, material.noise(651, 512).data)
    splice(disk, start * 512, volume.path.read_bytes())
    own = struct.unpack_from("<H", volume.path.read_bytes(), 19)[0]  # mkfs.fat leaves out what is no whole track
    key.volumes[0] |= {"offset": start * 512, "size": own * 512, "found_by": "scan"}
    key.gaps = [{"offset": 0, "size": start * 512}, {"offset": (start + own) * 512, "size": (360 - own + 64) * 512}]
    media = _pack(disk, out / key.image)
    key.write(out, {"kind": "raw", "segments": [key.image], "compression": "gzip"}, media, scheme="damaged")


def minhang(work: Path, out: Path) -> None:
    """Write the keys of the two fixtures on which Sleuth Kit hangs; the images stay as they are."""
    for name, poison in (
        ("minhang_ext2.raw.gz", 858_993_459_200),
        ("minhang_ext2_4k.raw.gz", 858_993_459_200_000),
    ):
        key = Key(
            name,
            "mke2fs, debugfs; the file's size set by hand",
            "poison.bin claims a size that the medium cannot hold. Sleuth Kit spends minutes to "
            "hours on it: it must cost that entry and no other.",
        )
        media = gzip.decompress((out / name).read_bytes())
        raw = work / "fixture.raw"
        raw.write_bytes(media)
        listing = run("debugfs", "-R", "ls -l /", raw, clock=False)
        for mode, size, found in re.findall(r"^\s*\d+\s+(\d+)\s+\(\d\)\s+\d+\s+\d+\s+(\d+)\s+\S+ \S+ (\S+)$", listing, re.MULTILINE):
            if found == "poison.bin":
                if int(size) != poison:
                    raise RuntimeError(f"{name}: poison.bin has {size} bytes")
                key.add("vol1/poison.bin", size=int(size), note="reading it must be cut off")
            elif stat.S_ISDIR(int(mode, 8)):
                if found not in {".", ".."}:
                    key.add(f"vol1/{found}", kind="directory")
            else:
                body = run("debugfs", "-R", f"cat /{found}", raw, clock=False).encode()
                key.add(f"vol1/{found}", Thing(body, "text"))
        key.volume(1, 0, len(media), "ext2", "")
        key.find("vol1/after.txt", "the file after the poisoned one")
        key.write(out, {"kind": "raw", "segments": [name], "compression": "gzip"}, media, scheme="none")


def fixtures(work: Path, out: Path) -> None:
    """Put the fixtures in place when the images are built elsewhere, and write their keys."""
    here = Path(__file__).resolve().parent.parent
    for name in ("minhang_ext2.raw.gz", "minhang_ext2_4k.raw.gz"):
        if here != out.resolve():
            shutil.copyfile(here / name, out / name)
    minhang(work, out)
