"""Magic numbers: a dictionary on the first bytes, then those that stand elsewhere, then agreeing fields."""

from __future__ import annotations

import struct
from collections.abc import Callable

from triage.content import containers, frames
from triage.content.ole import ole_type

Test = Callable[[bytes, int], str]
What = str | Test


def _ole(head: bytes, _size: int) -> str:
    return ole_type(head)


def _jpeg(head: bytes, size: int) -> str:
    return "jpeg" if head[3:4] >= b"\xc0" or size == 3 else ""


def _bzip2(head: bytes, _size: int) -> str:
    return "bzip2" if head[3:4] in b"123456789" and head[4:10] in {b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"} else ""


def _pyc(head: bytes, _size: int) -> str:
    number = int.from_bytes(head[:2], "little")
    plausible = 20000 < number < 63000 or 3000 <= number < 4000
    return "pyc" if plausible and len(head) >= 8 else ""


def _psd(head: bytes, _size: int) -> str:
    return "psd" if head[4:6] in {b"\0\1", b"\0\2"} else ""


def _emf(head: bytes, _size: int) -> str:
    return "emf" if head[40:44] == b" EMF" else ""


def _evt(head: bytes, _size: int) -> str:
    return "evt" if head[4:8] == b"LfLe" else ""


def _pst(head: bytes, _size: int) -> str:
    return "pst" if head[8:10] in {b"SM", b"SO", b"AB"} else ""


def _pcapng(head: bytes, _size: int) -> str:
    return "pcapng" if head[8:12] in {b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"} else ""


def _skippable(head: bytes, _size: int) -> str:
    """Look at the frame behind a skippable one, which starts Zstandard and LZ4 files alike."""
    at = 8 + int.from_bytes(head[4:8], "little")
    after = head[at : at + 4]
    if after == b"\x04\x22\x4d\x18":
        return "lz4"
    return "zstd" if not after or after[1:] == b"\xb5\x2f\xfd" or after[1:] == b"\x2a\x4d\x18" else ""


def _zstd_old(head: bytes, _size: int) -> str:
    return "zstd" if head[1:4] == b"\xb5\x2f\xfd" else ""


def _arj(head: bytes, _size: int) -> str:
    length = int.from_bytes(head[2:4], "little")
    return "arj" if 30 <= length <= 2600 and head[4:5] in {b"\x1e", b"\x22", b"\x26", b"\x2a", b"\x2e"} else ""


def _elf(head: bytes, _size: int) -> str:
    return "elf" if head[4:5] in b"\1\2" and head[5:6] in b"\1\2" else ""


def _flv(head: bytes, _size: int) -> str:
    return "flv" if head[3:5] == b"\x01\x00" or head[3:5] in {b"\x01\x01", b"\x01\x04", b"\x01\x05"} else ""


def _swf(head: bytes, _size: int) -> str:
    return "swf" if len(head) >= 8 and 0 < head[3] < 60 else ""


def _gzip(head: bytes, _size: int) -> str:
    return "gzip" if len(head) > 3 and not head[3] & 0xE0 else ""


def _compress(head: bytes, _size: int) -> str:
    return "compress" if len(head) > 3 and not head[2] & 0x60 and 9 <= head[2] & 31 <= 16 else ""


def _j2k(head: bytes, _size: int) -> str:
    return "j2k" if head[4:6] > b"\0\x28" else ""


def _jxl(head: bytes, _size: int) -> str:
    return "" if head[:64].isascii() or len(head) < 12 or head[:12].count(0) > 4 else "jxl"


def _prefetch(head: bytes, _size: int) -> str:
    return "prefetch" if 0 < int.from_bytes(head[4:8], "little") < 1 << 28 else ""


_PREFIXES: tuple[tuple[bytes, What], ...] = (
    # pictures
    (b"\xff\xd8\xff", _jpeg),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", frames.bitmap),
    (b"RIFF", containers.riff_type),
    (b"RIFX", containers.riff_type),
    (b"RF64", containers.riff_type),
    (b"II*\0", containers.tiff_type),
    (b"MM\0*", containers.tiff_type),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"IIRO", "orf"),
    (b"IIRS", "orf"),
    (b"MMOR", "orf"),
    (b"IIU\0", "rw2"),
    (b"FUJIFILMCCD-RAW ", "raf"),
    (b"FOVb", "x3f"),
    (b"II\x1a\0\0\0HEAPCCDR", "crw"),
    (b"8BPS", _psd),
    (b"\0\0\x01\0", frames.icon),
    (b"\0\0\x02\0", frames.icon),
    (b"icns", "icns"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", _j2k),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "jxl"),
    (b"\xff\x0a", _jxl),
    (b"qoif", "qoi"),
    (b"\xd7\xcd\xc6\x9a", "wmf"),
    (b"\x01\0\0\0", _emf),
    (b"gimp xcf", "xcf"),
    (b"DDS ", "dds"),
    *((b"P%d" % n, frames.pixmap) for n in range(1, 8)),
    (b"\x76\x2f\x31\x01", "exr"),
    (b"AT&TFORM", "djvu"),
    # video and audio
    (b"\x1a\x45\xdf\xa3", containers.ebml_type),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", containers.asf_type),
    (b"FLV", _flv),
    (b"\0\0\x01\xba", "mpeg-ps"),
    (b"\0\0\x01\xb3", "mpeg"),
    (b".RMF", "rm"),
    (b"FWS", _swf),
    (b"CWS", _swf),
    (b"ZWS", _swf),
    (b"OggS", containers.ogg_type),
    (b"fLaC", "flac"),
    (b"ID3", frames.id3_type),
    (b"MThd\0\0\0", "midi"),
    (b"#!AMR", "amr"),
    (b"FORM", containers.form_type),
    (b".snd\0", "au"),
    (b"caff", "caf"),
    (b"MAC ", "ape"),
    (b"wvpk", "wavpack"),
    (b"DSD ", "dsf"),
    (b"FRM8", "dff"),
    # archives and disks
    (b"PK\x03\x04", containers.zip_type),
    (b"PK\x05\x06", "zip"),
    (b"PK\x07\x08PK", "zip"),
    (b"PK00PK", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07\0", "rar"),
    (b"Rar!\x1a\x07\x01\0", "rar5"),
    (b"RE~^", "rar"),
    (b"\x1f\x8b\x08", _gzip),
    (b"BZh", _bzip2),
    (b"\xfd7zXZ\0", "xz"),
    (b"LZIP", "lzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    *((bytes([n]) + b"\xb5\x2f\xfd", _zstd_old) for n in range(0x22, 0x28)),
    (b"\x37\xa4\x30\xec", "zstd"),
    *((bytes([n]) + b"\x2a\x4d\x18", _skippable) for n in range(0x50, 0x60)),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4"),
    (b"\x1f\x9d", _compress),
    (b"MSCF\0\0\0\0", "cab"),
    (b"\x60\xea", _arj),
    (b"070701", "cpio"),
    (b"070702", "cpio"),
    (b"070707", "cpio"),
    (b"\xc7\x71", frames.old_cpio),
    (b"ANDROID BACKUP\n", "android-backup"),
    (b"!<arch>\n", "ar"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"xar!", "xar"),
    (b"Cr24", "crx"),
    (b"MSWIM\0\0\0", "wim"),
    (b"StuffIt ", "stuffit"),
    (b"SIT!", "stuffit"),
    (b"hsqs", "squashfs"),
    (b"encrcdsa", "dmg"),
    (b"sprs\0\0", "dmg"),
    (b"EVF\x09\x0d\x0a\xff\0", "e01"),
    (b"EVF2\r\n\x81\0", "ex01"),
    (b"LVF\x09\x0d\x0a\xff\0", "l01"),
    (b"LEF2\r\n\x81\0", "l01"),
    (b"AFF10\r\n\0", "aff"),
    (b"ADSEGMENTEDFILE\0", "ad1"),
    (b"QFI\xfb", "qcow2"),
    (b"KDMV", "vmdk"),
    (b"COWD", "vmdk"),
    (b"conectix", "vhd"),
    (b"vhdxfile", "vhdx"),
    (b"LUKS\xba\xbe", "luks"),
    (b"SKUL\xba\xbe", "luks"),
    (b"Salted__", "openssl"),
    (b"age-encryption.org/", "age"),
    (b"\x03\xd9\xa2\x9a\x65\xfb\x4b\xb5", "keepass"),
    (b"\x03\xd9\xa2\x9a\x66\xfb\x4b\xb5", "keepass"),
    (b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5", "keepass"),
    (b"\xc0\xb9\x07\x2e\x4f\x93\xf1\x46", "axcrypt"),
    # documents, mail
    (b"%PDF-", "pdf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _ole),
    (b"{\\rtf", "rtf"),
    (b"%!PS", "ps"),
    (b"\xc5\xd0\xd3\xc6", "ps"),
    (b"ITSF", "chm"),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", "onenote"),
    (b"\xffWPC", "wordperfect"),
    (b"AC10", "dwg"),
    (b"HWP Document File", "hwp"),
    (b"!BDN", _pst),
    (b"\xcf\xad\x12\xfe", "dbx"),
    (b"\x78\x9f\x3e\x22", "tnef"),
    # databases
    (b"SQLite format 3\0", "sqlite"),
    (b"\x37\x7f\x06\x82", "sqlite-wal"),
    (b"\x37\x7f\x06\x83", "sqlite-wal"),
    (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", "sqlite-journal"),
    (b"\0\x01\0\0Standard Jet DB", "access"),
    (b"\0\x01\0\0Standard ACE DB", "access"),
    (b"\xc3\xca\x03\xc1", "chrome-cache"),
    (b"\xc3\xca\x04\xc1", "chrome-cache"),
    (b"Client UrlCache MMF", "msie-cache"),
    (b"CMMM", "thumbcache"),
    (b"IMMM", "thumbcache"),
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"PAR1", "parquet"),
    # programs
    (b"MZ", containers.mz_type),
    (b"\x7fELF", _elf),
    (b"\xfe\xed\xfa\xce", "macho"),
    (b"\xfe\xed\xfa\xcf", "macho"),
    (b"\xce\xfa\xed\xfe", "macho"),
    (b"\xcf\xfa\xed\xfe", "macho"),
    (b"\xca\xfe\xba\xbe", containers.mach_or_class),
    (b"dex\n0", "dex"),
    (b"dey\n0", "dex"),
    (b"vdex0", "dex"),
    (b"\0asm", "wasm"),
    (b"\x1bLua", "luac"),
    # system
    (b"bplist00", "bplist"),
    (b"ElfFile\0", "evtx"),
    (b"\x30\0\0\0", _evt),
    (b"regf", "registry"),
    (b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", "lnk"),
    (b"MAM\x04", _prefetch),
    (b"d", containers.torrent_type),
    (b"\0\0\0\x01Bud1", "ds-store"),
    (b"\0\x01\0\0", frames.true_type),
    (b"OTTO", "otf"),
    (b"ttcf\0", "ttf"),
    (b"true\0", "ttf"),
    (b"\x30\x82", frames.der),
    (b"\xde\x12\x04\x95", "gettext"),
    (b"\x95\x04\x12\xde", "gettext"),
    (b"TZif", "tzif"),
    (b"wOFF", "woff"),
    (b"wOF2", "woff2"),
    (b"\xd4\xc3\xb2\xa1", "pcap"),
    (b"\xa1\xb2\xc3\xd4", "pcap"),
    (b"\x4d\x3c\xb2\xa1", "pcap"),
    (b"\xa1\xb2\x3c\x4d", "pcap"),
    (b"\x0a\x0d\x0d\x0a", _pcapng),
    (b"MDMP", "minidump"),
    (b"PAGEDU64", "memory-dump"),
    (b"PAGEDUMP", "memory-dump"),
    (b"hibr\0\0\0\0", "hiberfil"),
    (b"HIBR\0\0\0\0", "hiberfil"),
    (b"\x01\0\0\0\xd0\x8c\x9d\xdf\x01\x15\xd1\x11", "dpapi"),
    (b"\x01\0\0\0\0\0\0\0", frames.recycle_bin),
    (b"\x02\0\0\0\0\0\0\0", frames.recycle_bin),
    (b"\x0e", frames.known_met),
    (b"\x0f", frames.known_met),
)

# Offset, bytes there, type.
_ELSEWHERE: tuple[tuple[int, bytes, What], ...] = (
    (4, b"ftyp", containers.isobmff_type),
    (4, b"moov", containers.isobmff_type),
    (4, b"mdat", containers.isobmff_type),
    (4, b"wide", containers.isobmff_type),
    (4, b"free", containers.isobmff_type),
    (4, b"skip", containers.isobmff_type),
    (4, b"pnot", containers.isobmff_type),
    (4, b"SCCA", "prefetch"),
    (4, b"\xef\xcd\xab\x89", "ese"),
    (12, b"\x61\x15\x06\0", "bdb"),
    (12, b"\0\x06\x15\x61", "bdb"),
    (12, b"\x62\x31\x05\0", "bdb"),
    (12, b"\0\x05\x31\x62", "bdb"),
    (7, b"**ACE**", "ace"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (257, b"ustar", "tar"),
    (128, b"DICM", "dicom"),
    (60, b"BOOKMOBI", "mobi"),
    (3, b"-FVE-FS-", "bitlocker"),
    (3, b"NTFS    ", "fs-image"),
    (3, b"EXFAT   ", "fs-image"),
    (32, b"NXSB", "fs-image"),
    (512, b"EFI PART", "fs-image"),
    (1024, b"\x10\x20\xf5\xf2", "fs-image"),
    (0x8001, b"CD001", "iso9660"),
    (0x8001, b"BEA01", "iso9660"),
)
_SMALLEST_DISK = 64 << 10
_FAT = ((54, b"FAT12   "), (54, b"FAT16   "), (82, b"FAT32   "))


def elsewhere(head: bytes, size: int) -> str:
    """Return the type whose mark stands at some other place than the start."""
    for offset, mark, what in _ELSEWHERE:
        if head.startswith(mark, offset):
            name = what if isinstance(what, str) else what(head, size)
            if name:
                return name
    if head[2:4] == b"-l" and head[6:7] == b"-" and head[4:5] in b"hz" and size > 20:
        return "lha"
    if head[2:4] == b"\r\n":
        return _pyc(head, size)
    if head[510:512] == b"\x55\xaa" and any(head.startswith(mark, offset) for offset, mark in _FAT):
        return "fs-image"
    if head[510:512] == b"\x55\xaa" and size >= _SMALLEST_DISK and not size % 512 and _has_partitions(head[446:510]):
        return "fs-image"
    if head[0x438:0x43A] == b"\x53\xef" and head[0x43A:0x43C] in {
        b"\0\0",
        b"\1\0",
        b"\2\0",
        b"\3\0",
        b"\4\0",
    }:
        return "fs-image"
    return ""


def _has_partitions(table: bytes) -> bool:
    """Whether four records are those of an MBR: each free or of a known state, with a beginning and a length, and one at least in use."""
    rows = [struct.unpack_from("<B3xB3xII", table, at) for at in range(0, 64, 16)]
    used = [row for row in rows if any(row)]
    return bool(used) and all(state in (0, 0x80) and kind and start and length for state, kind, start, length in used)


def agreeing(head: bytes, size: int) -> str:
    """Return the type of what has no mark but fields that fit each other. Asked after the text test."""
    for test in (
        frames.audio_frames,
        frames.transport_stream,
        frames.old_tar,
        frames.pgp_packets,
    ):
        if name := test(head, size):
            return name
    if head.startswith((b"#!/", b"#! /")):
        return "script"
    return "pdf" if b"%PDF-" in head[:1024] else ""


def trailing(tail: bytes) -> str:
    """Return the type whose mark stands at the end; ``tail`` is the last 512 bytes or more."""
    if tail.endswith(b"TRUEVISION-XFILE.\0"):
        return "tga"
    if tail.endswith(b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"):
        return "leveldb"
    if tail[-512:-508] == b"koly":
        return "dmg"
    return "vhd" if tail[-512:-504] == b"conectix" else ""


def _index() -> dict[bytes, tuple[tuple[bytes, What], ...]]:
    """Key the table by up to four first bytes: one to four look-ups find all candidates."""
    index: dict[bytes, tuple[tuple[bytes, What], ...]] = {}
    for mark, what in _PREFIXES:
        index[mark[:4]] = (*index.get(mark[:4], ()), (mark, what))
    return index


_INDEX = _index()


def at_start(head: bytes, size: int) -> str:
    """Return the type whose mark ``head`` starts with."""
    for length in (4, 3, 2, 1):
        for mark, what in _INDEX.get(head[:length], ()):
            if head.startswith(mark):
                name = what if isinstance(what, str) else what(head, size)
                if name:
                    return name
    return ""
