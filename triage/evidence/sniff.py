"""Which container a file is, by its content: names and extensions lie.

TSK opens an ``.E01`` as a raw disk without complaint, so whatever is not known to be read is named here and refused.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

HEAD = 0x9000
"""How many of a file's first bytes :func:`sniff` wants."""
TAIL = 512
"""How many of its last."""


class Container(NamedTuple):
    """A container format: ``kind`` is its short name, ``readable`` whether this version opens it."""

    kind: str
    title: str
    readable: bool = False
    hint: str = ""


RAW = Container("raw", "raw image", readable=True)
EWF = Container("ewf", "Expert Witness (E01)", readable=True)
EWF2 = Container("ewf2", "Expert Witness 2 (Ex01)", readable=True)
TAR = Container("tar", "tar archive", readable=True)
ZIP = Container("zip", "ZIP archive", readable=True)
ANDROID = Container("ab", "Android backup", readable=True)
AFF4 = Container("aff4", "AFF4 container", readable=True)
AD1 = Container("ad1", "AccessData logical image (AD1)", readable=True)
BUNDLE = Container("sparsebundle", "Apple sparse bundle", readable=True)
L01 = Container("l01", "Expert Witness logical evidence (L01)", readable=True)
LX01 = Container("lx01", "Expert Witness 2 logical evidence (Lx01)", readable=True)
FOLDER = Container("folder", "folder", readable=True)
LOGICAL = (TAR, ZIP, ANDROID, AD1, L01, LX01, FOLDER)
"""Those that hold files, not a medium."""

_CONVERT = "convert it to raw or E01 with the tool that made it"
_UNPACK = "unpack it and give the image inside"

_MAGIC: tuple[tuple[int, bytes, Container], ...] = (
    (0, b"EVF\x09\x0d\x0a\xff\x00", EWF),
    (0, b"EVF2\x0d\x0a\x81\x00", EWF2),
    (0, b"LVF\x09\x0d\x0a\xff\x00", L01),
    (0, b"LEF2\x0d\x0a\x81\x00", LX01),
    (0, b"QFI\xfb", Container("qcow", "QEMU virtual disk (QCOW)", readable=True)),
    (0, b"KDMV", Container("vmdk", "VMware virtual disk (VMDK)", readable=True)),
    (0, b"COWD", Container("vmdk", "VMware virtual disk (VMDK)", readable=True)),
    (0, b"\xbe\xba\xfe\xca\0\0\0\0\x01\0\0\0\x02\0\0\0", Container("vmdk", "VMware virtual disk (VMDK, SESparse)", readable=True)),
    (0, b"# Disk DescriptorFile", Container("vmdk", "VMware disk descriptor", readable=True)),
    (0, b"vhdxfile", Container("vhdx", "Hyper-V virtual disk (VHDX)", readable=True)),
    (0, b"conectix", Container("vhd", "dynamic virtual disk (VHD)", readable=True)),
    (0x40, b"\x7f\x10\xda\xbe", Container("vdi", "VirtualBox virtual disk (VDI)", readable=True)),
    (0, b"AFF10\r\n\0", Container("aff", "Advanced Forensic Format (AFF)", hint=_CONVERT)),
    (0, b"AFF\0", Container("aff", "Advanced Forensic Format (AFF)", hint=_CONVERT)),
    (0, b"ADSEGMENTEDFILE\0", AD1),
    (0, b"ADCRYPT\0", Container("ad1", "encrypted AccessData image", hint="export it unencrypted with FTK Imager")),
    (0, b"ANDROID BACKUP\n", ANDROID),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"\x1f\x8b\x08", Container("gzip", "gzip archive", readable=True)),
    (0, b"BZh", Container("bzip2", "bzip2 archive", readable=True)),
    (0, b"\xfd7zXZ\0", Container("xz", "xz archive", readable=True)),
    (0, b"7z\xbc\xaf\x27\x1c", Container("7z", "7-Zip archive", hint=_UNPACK)),
    (0, b"Rar!\x1a\x07", Container("rar", "RAR archive", hint=_UNPACK)),
    (257, b"ustar", TAR),
    (0, b"sprs", Container("sparseimage", "Apple sparse image", readable=True)),
    (0, b"encrcdsa", Container("dmg", "encrypted Apple disk image (DMG)", hint=_CONVERT)),
    (0, b"%PDF-", Container("pdf", "PDF document")),
    (0, b"SQLite format 3\0", Container("sqlite", "SQLite database")),
    (0, b"\xff\xd8\xff", Container("jpeg", "JPEG picture")),
    (0, b"\x89PNG\r\n", Container("png", "PNG picture")),
)


def _is_text(head: bytes) -> bool:
    """Tell text from a medium: no NUL and hardly a control character in the whole head."""
    sample = head[:4096]
    if not sample or b"\0" in sample:
        return False
    control = sum(byte < 32 and byte not in (9, 10, 12, 13, 27) for byte in sample)
    return control * 100 < len(sample) and _decodes(sample)


def _decodes(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # the sample may end inside a character
    except UnicodeDecodeError:
        return sum(byte >= 0x80 for byte in sample) * 5 < len(sample)
    return True


def sniff(head: bytes, tail: bytes, size: int) -> Container:
    """Return the container that a file's first :data:`HEAD` and last :data:`TAIL` bytes show; raw when nothing else."""
    # A fixed VHD and a UDIF image carry their mark at the end, and begin with what they hold: a packed chunk looks like a packed file.
    if tail[-512:-504] == b"conectix" and not head.startswith(b"conectix"):
        return Container("vhd", "virtual disk (VHD)", readable=True)
    if tail[-512:-508] == b"koly" and int.from_bytes(tail[-512 + 0xD8 : -512 + 0xE0], "big"):
        if _flat_dmg(tail, size):
            return RAW  # a raw disk and a trailer
        return Container("dmg", "Apple disk image (DMG)", readable=True)
    for offset, magic, container in _MAGIC:
        if head.startswith(magic, offset):
            return container
    if _is_text(head):
        return Container("text", "text file", hint="give a disk image")
    return RAW


def _flat_dmg(tail: bytes, size: int) -> bool:
    """Whether a UDIF trailer describes data that lie as they are: the data fork is as long as the sectors it holds."""
    trailer = tail[-512:]
    data_offset = int.from_bytes(trailer[24:32], "big")
    data_length = int.from_bytes(trailer[32:40], "big")
    sectors = int.from_bytes(trailer[0x1EC:0x1F4], "big")
    return data_offset == 0 and 0 < sectors * 512 <= data_length < size
