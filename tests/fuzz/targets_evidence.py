"""Targets of evidence/ and filesystem/: containers, segments, partition tables, headers, self-checks."""

from __future__ import annotations

import random
import shutil
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import pytsk3
from patches import PatchedMedium, image, scripts
from targets import Target, scratch

from triage.errors import EvidenceError
from triage.evidence import ewf_index, ewf_scan
from triage.evidence.medium import DamagedRangeError
from triage.evidence.opening import open_evidence
from triage.evidence.segments import find_segments
from triage.evidence.sniff import HEAD, TAIL, sniff
from triage.evidence.verify import verify
from triage.filesystem import dostime, exttimes, hfstimes, isotimes, ntfsname, ntfstimes
from triage.filesystem.checks import VolumeReader, check_for
from triage.filesystem.dosname import DosNames
from triage.filesystem.extdir import read_ext_directory
from triage.filesystem.extpoison import poisoned_inodes
from triage.filesystem.headers import MARKS, header_at
from triage.filesystem.image import MediumImage
from triage.filesystem.isomend import iso_patches
from triage.filesystem.listed import Listed
from triage.filesystem.scan import Scan
from triage.filesystem.signatures import identify_volume
from triage.filesystem.tables import read_table
from triage.filesystem.volumes import list_volumes
from triage.model import Volume

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from ewf2_writer import write_ewf2
from ewf_writer import sample, write_ewf

VOLUMES = {  # where a file system lies in a built-in image
    "ext2": ("ext2.raw", "ext2"),
    "ext4": ("ext4.raw", "ext4"),
    "fat12": ("fat12.raw", "FAT12"),
    "exfat": ("exfat.raw", "exFAT"),
    "iso9660": ("iso9660.raw.gz", "ISO 9660"),
    "hfs": ("hfsplus.raw.gz", "HFS+"),
    "ntfs": ("ntfs.E01", "NTFS"),
    "fat32": ("fat32.E01", "FAT32"),
}


# -- containers -------------------------------------------------------------------------------------------------------------------


def _sniff(data: bytes) -> None:
    assert sniff(data[:HEAD], data[-TAIL:], len(data)).kind


def _containers() -> list[bytes]:
    marks = [
        (0, b"EVF\x09\x0d\x0a\xff\x00"),
        (0, b"PK\3\4"),
        (257, b"ustar"),
        (0, b"# Disk DescriptorFile"),
        (0x40, b"\x7f\x10\xda\xbe"),
        (512, b"koly"),
    ]
    return [bytes(at) + mark + bytes(1024) for at, mark in marks] + [b"plain text\n" * 100, bytes(1024) + b"conectix" + bytes(504)]


def _ewf_seeds() -> list[bytes]:
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, options in enumerate([{}, {"packed": lambda n: False, "table2": False}, {"packed": lambda n: True, "digest": False}]):
            (folder / str(number)).mkdir()
            made = write_ewf(folder / str(number), sample(5 * 4096 + 1536), extensions=("E01",), **options)
            found.append(made.paths[0].read_bytes())
    return found


def _ewf(data: bytes) -> None:
    """Every other input gets its section descriptors' checksums put right: what lies behind them is to be met as well."""
    raw = bytearray(data)
    if raw and raw[-1] & 1:
        at = 13
        for _ in range(50):
            if at + 76 > len(raw):
                break
            struct.pack_into("<I", raw, at + 72, zlib.adler32(raw[at : at + 72]))
            following = int.from_bytes(raw[at + 16 : at + 24], "little")
            if following <= at:
                break
            at = following
    _, medium, _ = open_evidence(scratch("fuzz.E01", bytes(raw)))
    try:
        verify(medium, {})
        for offset in range(0, min(medium.size, 1 << 20), 65536):
            try:
                medium.read_at(offset, 65536)
            except DamagedRangeError:
                continue
    finally:
        medium.close()


def _ewf2_seeds() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        return [
            write_ewf2(Path(name), sample(5 * 4096 + 1536), a_table=3, **options).paths[0].read_bytes()
            for options in ({}, {"method": 2}, {"patterns": True, "unread": 2})
        ]


def _ewf2(data: bytes) -> None:
    """Every other input gets its section descriptors' checksums put right."""
    raw = bytearray(data)
    at = len(raw) - 64
    for _ in range(50 if raw and raw[-1] & 1 else 0):
        if at < 32:
            break
        struct.pack_into("<I", raw, at + 60, zlib.adler32(raw[at : at + 60]))
        at = min(at - 64, int.from_bytes(raw[at + 8 : at + 16], "little"))
    _, medium, _ = open_evidence(scratch("fuzz.Ex01", bytes(raw)))
    try:
        for number in range(min(medium.size >> 12, 200)):
            try:
                medium.read_at(number << 12, 4096)
            except DamagedRangeError:
                continue
    finally:
        medium.close()


def _ewf_parts(data: bytes) -> None:
    for kind in ("header", "header2"):
        ewf_index.read_facts(data, kind)
        ewf_index.read_facts(zlib.compress(data[:4096]), kind)
    ewf_index.read_measures(data[:24].ljust(24, b"\0"))
    ewf_scan.read_descriptor(data[:76].ljust(76, b"\0"), 13, len(data))
    list(ewf_scan.find_heads(data))


def _segments(data: bytes) -> None:
    """Lines of a name and the bytes of its file; the first is the one that is named."""
    folder = Path(tempfile.gettempdir()) / "segments"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    first = None
    for line in data.split(b"\n")[:12]:
        name, _, content = line.partition(b"=")
        text = name[:40].replace(b"/", b"").replace(b"\0", b"").decode("utf-8", "surrogateescape")
        if text in ("", ".", "..") or not text.isprintable():
            continue
        path = folder / text
        path.write_bytes(content * 20)
        first = first or path
    if first is not None:
        find_segments(first)


# -- volumes and file systems -------------------------------------------------------------------------------------------------------


class Memory:
    """Bytes as a medium."""

    sector_size = 512

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self.damaged: dict[int, tuple[int, str]] = {}
        self._data = data

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + max(length, 0)]

    def close(self) -> None:
        pass


def _signature(data: bytes) -> None:
    identify_volume(data)


def _heads() -> list[bytes]:
    return [image(name)[:0x11000] for name, _ in VOLUMES.values()]


def _headers(data: bytes) -> None:
    medium = Memory(data)
    names = sorted({mark[0] for mark in MARKS})
    for name in names:
        for base in (0, 512, 1024, len(data) // 2 // 512 * 512):
            header_at(medium, name, base)
    for header in Scan(medium, lambda: None).area(0, medium.size):
        assert isinstance(header.name, str)


def _tables(data: bytes) -> None:
    medium = Memory(data)
    if data:
        read_table(MediumImage(medium), medium, lambda offset: offset % 3 == 0)


def _mbr(*rows: tuple[int, int, int]) -> bytes:
    return (
        bytes(446)
        + b"".join(struct.pack("<BBBBBBBBII", 0, 0, 0, 0, kind, 0, 0, 0, start, size) for kind, start, size in rows).ljust(64, b"\0")
        + b"\x55\xaa"
    )


def _table_seeds() -> list[bytes]:
    gpt = image("gpt.E01")
    extended = (
        _mbr((7, 1, 4), (5, 8, 40))
        + bytes(7 * 512)
        + _mbr((7, 1, 3), (5, 8, 8))
        + bytes(7 * 512)
        + _mbr((7, 1, 3), (5, 0, 8))
        + bytes(20_000)
    )
    return [gpt[: 34 * 512] + gpt[-33 * 512 :], extended, image("damaged-mbr.raw.gz")[:65536], _mbr((0xEE, 1, 0xFFFFFFFF)) + bytes(4096)]


def _extdir(data: bytes) -> None:
    for size in (1024, 65536):
        for found in read_ext_directory(data, size, 5000):
            assert found.inode <= 5000 or not found.allocated


def _extdirs() -> list[bytes]:
    data = image("ext4.raw")
    found = [data[at : at + 1024] for at in range(0, len(data), 1024) if data[at + 4 : at + 9] == b"\x0c\0\1\2."]
    return [*found[:10], random.Random(1).randbytes(2048)]


def _volumes_in(name: str):
    def run(data: bytes) -> None:
        medium = PatchedMedium(name, data)
        volumes, problems = list_volumes(MediumImage(medium), medium, "fuzz")
        assert volumes
        assert all(problem.message for problem in problems)

    return run


def _disc(data: bytes) -> None:
    medium = PatchedMedium("iso9660.raw.gz", data)
    for offset, patch in iso_patches(medium, 0):
        assert 0 <= offset < medium.size + 1 << 20
        assert len(patch) <= 1 << 24
    volume = Volume(evidence="fuzz", number=1, offset=0, size=medium.size, scheme="none", file_system="ISO 9660")
    isotimes.IsoZones(medium, volume, lambda: None)
    isotimes.local_time(data[:7])


def _poison(data: bytes) -> None:
    medium = PatchedMedium("ext2.raw", data)
    volume = Volume(evidence="fuzz", number=1, offset=0, size=medium.size, scheme="none", file_system="ext2")
    assert all(address > 0 for address in poisoned_inodes(VolumeReader(medium, volume, lambda: None)))


def _check_in(name: str, file_system: str):
    def run(data: bytes) -> None:
        medium = PatchedMedium(name, data)
        offset = 0
        for at in (0, 512 * 63, 1 << 20, 2048 * 512, 128 * 512):
            found = identify_volume(image(name)[at : at + 0x11000])
            if found is not None and found.readable:
                offset = at
                break
        check = check_for(file_system)
        assert check is not None
        volume = Volume(evidence="fuzz", number=1, offset=offset, size=medium.size - offset, scheme="none", file_system=file_system)
        for found in check(VolumeReader(medium, volume, lambda: None), Listed()):
            assert found is not None

    return run


def _times(data: bytes) -> None:
    for at in range(0, min(len(data), 4096) - 31, 32):
        slot = data[at : at + 32]
        for stamp in (*dostime.fat_stamps(slot).values(), *dostime.exfat_stamps(slot).values()):
            assert stamp.shown
            assert stamp.nanoseconds is None or abs(stamp.nanoseconds) < 1 << 63
        dostime.exfat_times(slot)
        whole, extra = struct.unpack_from("<iI", slot)
        exttimes.decode_time(whole, extra)
        ntfstimes.decode_filetime(int.from_bytes(slot[:8], "little"))
    ntfsname.wide_to_bytes(data[:512])
    text = data[:255].decode("utf-8", "replace").encode()
    ntfsname.units(text)
    ntfsname.is_whole(text, [66, 68])
    ntfsname.may_look_like(ntfsname.wide_to_bytes(data[:64]), text)


def _stored_times(data: bytes) -> None:
    """Times of a damaged ext4 and HFS+ volume, as far as TSK opens it."""
    for name, file_system in (("ext4.raw", "ext4"), ("hfsplus.raw.gz", "HFS+")):
        medium = PatchedMedium(name, data)
        volume = Volume(evidence="fuzz", number=1, offset=0, size=medium.size, scheme="none", file_system=file_system)
        if file_system == "ext4":
            ext = exttimes.ExtTimes(medium, volume)
            for address in (*range(1, 40), 1 << 31):
                ext.of(address)
            continue
        try:
            fs = pytsk3.FS_Info(MediumImage(medium), 0)
        except OSError:
            continue
        hfs = hfstimes.HfsTimes(fs)
        for address in range(1, 40):
            hfs.of(address)


def _dos_entries(data: bytes) -> None:
    """Times and names of damaged FAT and exFAT entries, as far as TSK opens the volume."""
    for name, exfat in (("fat12.raw", False), ("exfat.raw", True)):
        medium = PatchedMedium(name, data)
        try:
            fs = pytsk3.FS_Info(MediumImage(medium), 0)
        except OSError:
            continue
        volume = Volume(evidence="fuzz", number=1, offset=0, size=medium.size, scheme="none")
        entries = dostime.EntryTimes(fs, medium, volume, exfat=exfat)
        names = DosNames(entries, exfat=exfat)
        for address in (*range(300), int(fs.info.last_inum), 1 << 40):
            entries.of(address)
            for text in (b"a^b.txt", b"^", b"plain"):
                exact, _ = names.exact(address, text)
                assert isinstance(exact, bytes)


_CHECK_MODULES = ("triage.filesystem.checks.*",)
TARGETS = [
    Target("sniff", _sniff, _containers, ("triage.evidence.sniff",)),
    Target(
        "ewf",
        _ewf,
        _ewf_seeds,
        ("triage.evidence.ewf*", "triage.evidence.libewf", "triage.evidence.opening", "triage.evidence.verify", "triage.evidence.medium"),
        (EvidenceError,),
        (b"volume\0\0", b"sectors\0", b"table\0\0\0", b"table2\0\0", b"next\0\0\0\0", b"done\0\0\0\0", b"hash\0\0\0\0"),
    ),
    Target(
        "ewf2",
        _ewf2,
        _ewf2_seeds,
        ("triage.evidence.ewf2*",),
        (EvidenceError,),
        (b"EVF2", b"LEF2", b"BZh", b"\x40\0\0\0", b"\1\0\0\0", b"\3\0\0\0", b"\4\0\0\0"),
    ),
    Target(
        "ewf-parts",
        _ewf_parts,
        lambda: [b"1\nmain\nc\tn\ta\te\tt\n17\t3\tx\ty\tz\n\n", "1\nmain\nc\tm\n1\t1700000000\n".encode("utf-16"), *_ewf_seeds()],
        ("triage.evidence.ewf_index", "triage.evidence.ewf_scan"),
        (EvidenceError, ewf_index.UnsupportedVariantError),
    ),
    Target(
        "segments",
        _segments,
        lambda: [b"a.E01=EVF\x09\r\xff\0\1\1\0\0\0", b"a.001=x\na.002=y\na.004=z", b"b.E01=EVF\x09\nb.EAA=EVF\x09", b"c.Ex01=EVF2"],
        ("triage.evidence.segments",),
        (EvidenceError,),
        (b".E01=", b".001=", b".EAA=", b".E99=", b".S01=", b"\n"),
    ),
    Target("volume-signatures", _signature, _heads, ("triage.filesystem.signatures",)),
    Target("headers", _headers, lambda: [head[:40960] for head in _heads()], ("triage.filesystem.headers", "triage.filesystem.scan")),
    Target(
        "partition-tables",
        _tables,
        _table_seeds,
        ("triage.filesystem.tables", "triage.filesystem.image"),
        tokens=(b"EFI PART", b"\x55\xaa"),
    ),
    Target(
        "dos-entries",
        _dos_entries,
        lambda: scripts("fat12.raw")[::3] + scripts("exfat.raw")[::3],
        ("triage.filesystem.dostime", "triage.filesystem.dosname"),
    ),
    Target("discs", _disc, lambda: scripts("iso9660.raw.gz"), ("triage.filesystem.isomend", "triage.filesystem.isotimes")),
    Target("ext-poison", _poison, lambda: scripts("ext2.raw"), ("triage.filesystem.extpoison",)),
    Target("ext-directories", _extdir, _extdirs, ("triage.filesystem.extdir",)),
    Target(
        "times",
        _times,
        lambda: [random.Random(n).randbytes(256) for n in range(4)] + [bytes(64), b"\xff" * 64],
        ("triage.filesystem.dostime", "triage.filesystem.ntfsname", "triage.filesystem.ntfstimes"),
    ),
    Target(
        "stored-times",
        _stored_times,
        lambda: scripts("ext4.raw")[::4] + scripts("hfsplus.raw.gz")[::4],
        ("triage.filesystem.exttimes", "triage.filesystem.hfstimes", "triage.filesystem.extlayout"),
    ),
    *(
        Target(
            f"volumes-{Path(name).name.partition('.')[0]}",
            _volumes_in(name),
            lambda name=name: scripts(name),
            ("triage.filesystem.volumes", "triage.filesystem.describe", "triage.filesystem.overlay", "triage.filesystem.headers"),
        )
        for name in ("gpt.E01", "damaged-mbr.raw.gz", "exfat.raw", "iso9660.raw.gz")
    ),
    *(
        Target(
            f"check-{short}",
            _check_in(name, file_system),
            lambda name=name: scripts(name),
            ("triage.filesystem.checks", *_CHECK_MODULES, "triage.filesystem.crc32c"),
        )
        for short, (name, file_system) in VOLUMES.items()
    ),
]
