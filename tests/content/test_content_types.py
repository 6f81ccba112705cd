"""Types are told by what stands in the bytes."""

from __future__ import annotations

import io
import struct
import time
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.content.catalog import CATEGORIES, TYPES
from triage.content.signatures import _PREFIXES
from triage.content.types import extension_of, identify, type_named

PAD = bytes(600)


def name_of(data: bytes, size: int | None = None) -> str | None:
    kind = identify(data, len(data) if size is None else size)
    return kind.name if kind else None


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def zip_of(*members: tuple[str, bytes], stored: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            archive.writestr(name, body)
    return out.getvalue()


def tiff(order: str, tags: list[tuple[int, int, int, bytes]], tail: bytes = b"") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = b"".join(struct.pack(order + "HHI", t, k, n) + v for t, k, n, v in tags)
    return mark + struct.pack(order + "IH", 8, len(tags)) + entries + bytes(4) + tail


def raw(make: bytes, *tags: int) -> bytes:
    """A TIFF whose maker is ``make`` and that has these tags besides."""
    at = struct.pack("<I", 8 + 2 + 12 * (1 + len(tags)) + 4)
    return tiff("<", [(0x10F, 2, len(make), at), *((t, 4, 1, bytes(4)) for t in tags)], make)


def ole(*streams: str) -> bytes:
    head = bytearray(512)
    head[:8] = bytes.fromhex("d0cf11e0a1b11ae1")
    struct.pack_into("<H", head, 30, 9)
    struct.pack_into("<I", head, 48, 0)
    sector = bytearray(512)
    for i, name in enumerate(("Root Entry", *streams)):
        text = name.encode("utf-16-le")
        sector[i * 128 : i * 128 + len(text)] = text
        struct.pack_into("<H", sector, i * 128 + 64, len(text) + 2)
        sector[i * 128 + 66] = 5 if i == 0 else 2
    return bytes(head + sector)


def mp3_frames(count: int) -> bytes:
    return (b"\xff\xfb\x90\x00" + bytes(413)) * count  # 128 kbit/s, 44100 Hz: 417 bytes a frame


def tar_old(name: bytes) -> bytes:
    head = bytearray(512)
    head[: len(name)] = name
    head[100:108], head[124:136], head[136:148] = b"0000644\0", b"00000000000\0", b"00000000000\0"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + bytes(512)


SAMPLES: list[tuple[str, bytes]] = [
    ("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF\0" + PAD),
    ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    ("gif", b"GIF89a" + PAD),
    ("bmp", b"BM" + struct.pack("<IHHIIII", 600, 0, 0, 54, 40, 4, 4) + PAD),
    ("webp", b"RIFF\x24\0\0\0WEBPVP8 "),
    ("tiff", tiff(">", [(256, 3, 1, bytes(4))])),
    ("cr2", b"II*\0\x10\0\0\0CR\x02\0" + PAD),
    ("nef", raw(b"NIKON CORPORATION\0", 0x14A)),
    ("arw", raw(b"SONY\0  ", 0x14A)),
    ("dng", raw(b"Anyone\0", 0xC612)),
    ("tiff", raw(b"NIKON CORPORATION\0", 0x131)),
    ("orf", b"IIRO\x08\0\0\0" + PAD),
    ("rw2", b"IIU\0\x18\0\0\0" + PAD),
    ("raf", b"FUJIFILMCCD-RAW 0201"),
    ("heic", box(b"ftyp", b"heic\0\0\0\0mif1heic")),
    ("heic", box(b"ftyp", b"mif1\0\0\0\0mif1heic")),
    ("avif", box(b"ftyp", b"mif1\0\0\0\0mif1avif")),
    ("avif", box(b"ftyp", b"avif\0\0\0\0")),
    ("psd", b"8BPS\0\1" + PAD),
    ("ico", b"\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0" + struct.pack("<II", 40, 22) + bytes(40)),
    ("svg", b'<?xml version="1.0"?>\n<!-- made -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ("jp2", b"\0\0\0\x0cjP  \r\n\x87\n" + PAD),
    ("jxl", b"\0\0\0\x0cJXL \r\n\x87\n" + PAD),
    ("jxl", b"\xff\x0a\xfa\x1f\x41\x91\x08\x06\x01\x00\x14\x98"),
    ("qoi", b"qoif" + PAD),
    ("tga", b"\0\0\2" + bytes(40) + b"\x88\x99" + bytes(8) + b"TRUEVISION-XFILE.\0"),
    ("dicom", bytes(128) + b"DICM\x02\0"),
    ("mp4", box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")),
    ("mov", box(b"ftyp", b"qt  \0\0\0\0")),
    ("mov", box(b"wide", b"") + box(b"mdat", bytes(40))),
    ("3gp", box(b"ftyp", b"3gp5\0\0\0\0")),
    ("m4a", box(b"ftyp", b"M4A \0\0\0\0")),
    ("m4v", box(b"ftyp", b"M4V \0\0\0\0")),
    ("cr3", box(b"ftyp", b"crx \0\0\0\1")),
    ("avi", b"RIFF\x24\0\0\0AVI LIST"),
    ("wmv", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + PAD),
    (
        "wma",
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
        + PAD
        + bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b"),
    ),
    ("mkv", b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska"),
    ("webm", b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm"),
    ("flv", b"FLV\x01\x05\0\0\0\x09"),
    ("mpeg-ps", b"\0\0\1\xba\x44"),
    ("mpeg-ts", (b"\x47" + bytes(187)) * 6),
    ("mpeg-ts", (bytes(4) + b"\x47" + bytes(187)) * 6),
    ("mp3", b"ID3\x03\0\0\0\0\0\x0a" + bytes(10) + mp3_frames(3)),
    ("mp3", mp3_frames(4)),
    ("aac", (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)) * 5),
    ("flac", b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + b"fLaC"),
    ("wav", b"RIFF\x24\0\0\0WAVEfmt "),
    ("wav", b"RIFX\0\0\0\x24WAVEfmt "),
    ("ogg", b"OggS\0\2" + bytes(22) + b"\x01vorbis"),
    ("ogv", b"OggS\0\2" + bytes(22) + b"\x80theora"),
    ("flac", b"fLaC\0\0\0\x22"),
    ("midi", b"MThd\0\0\0\x06\0\1"),
    ("amr", b"#!AMR\n\x3c"),
    ("zip", zip_of(("a.txt", b"a"), ("b/c.txt", b"c"))),
    (
        "docx",
        zip_of(("[Content_Types].xml", b"<Types/>"), ("_rels/.rels", b"x"), ("word/document.xml", b"<w/>")),
    ),
    (
        "xlsx",
        zip_of(("docProps/app.xml", b"<a/>"), ("xl/workbook.xml", b"<w/>"), ("[Content_Types].xml", b"<T/>")),
    ),
    ("pptx", zip_of(("[Content_Types].xml", b"<Types/>"), ("ppt/presentation.xml", b"<p/>"))),
    (
        "odt",
        zip_of(("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"x"), stored=True),
    ),
    ("ods", zip_of(("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), stored=True)),
    ("odp", zip_of(("mimetype", b"application/vnd.oasis.opendocument.presentation"), stored=True)),
    ("epub", zip_of(("mimetype", b"application/epub+zip"), ("META-INF/container.xml", b"x"), stored=True)),
    ("apk", zip_of(("META-INF/MANIFEST.MF", b"x"), ("AndroidManifest.xml", b"x"), ("classes.dex", b"x"))),
    ("jar", zip_of(("META-INF/MANIFEST.MF", b"x"), ("a/B.class", b"x"))),
    ("7z", b"7z\xbc\xaf\x27\x1c\0\4"),
    ("rar", b"Rar!\x1a\x07\0\xcf"),
    ("rar5", b"Rar!\x1a\x07\x01\0"),
    ("gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
    ("bzip2", b"BZh91AY&SY"),
    ("xz", b"\xfd7zXZ\0\0\x04"),
    ("zstd", b"\x28\xb5\x2f\xfd\x24"),
    ("lz4", b"\x04\x22\x4d\x18\x64"),
    ("tar", bytes(257).replace(b"\0", b"x", 1) + b"ustar\x0000" + bytes(300)),
    ("tar", tar_old(b"old.txt")),
    ("cab", b"MSCF\0\0\0\0\x66"),
    ("lha", b"\x1f\x2b-lh5-" + PAD),
    ("arj", b"\x60\xea\x29\0\x22\x0b" + PAD),
    ("ace", b"\x12\x34\x31\0\0\0\x90**ACE**\x14"),
    ("pdf", b"%PDF-1.7\n"),
    ("pdf", b"\x00junk before\x01" * 5 + b"%PDF-1.4\n\xe2\xe3"),
    ("doc", ole("WordDocument", "1Table")),
    ("xls", ole("Workbook")),
    ("ppt", ole("PowerPoint Document", "Pictures")),
    ("msg", ole("__properties_version1.0")),
    ("office-encrypted", ole("EncryptedPackage", "EncryptionInfo")),
    ("thumbs", ole("256_ab", "Catalog")),
    ("ole", ole("Contents")),
    ("rtf", b"{\\rtf1\\ansi hello}"),
    ("html", b"<!-- saved -->\n<!DOCTYPE html>\n<html><body>hello</body></html>"),
    ("xml", b'\xef\xbb\xbf<?xml version="1.0"?><note/>'),
    ("xml", b"\xff\xfe" + '<?xml version="1.0" encoding="utf-16"?><note/>'.encode("utf-16-le")),
    ("plist", b'<?xml version="1.0"?>\n<!DOCTYPE plist PUBLIC "x">\n<plist version="1.0"/>'),
    ("bplist", b"bplist00\xd1"),
    ("eml", b"Received: from a\r\n\tby b\r\nMessage-ID: <1@x>\r\nFrom: a@x\r\nSubject: hi\r\n\r\nhello"),
    ("mbox", b"From a@x Mon Jan  1 10:00:00 2024\nReceived: from a\nSubject: hi\n\nhello"),
    ("sqlite", b"SQLite format 3\0\x10\0"),
    ("sqlite-wal", b"\x37\x7f\x06\x82\0\x2d\xe2\x18"),
    ("leveldb", b"\0\x08\x01key" + bytes(60) + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"),
    ("ese", b"\x12\x34\x56\x78\xef\xcd\xab\x89\x20\x06"),
    ("pst", b"!BDN\x01\x02\x03\x04SM\x17\0"),
    ("evtx", b"ElfFile\0" + PAD),
    ("evt", b"\x30\0\0\0LfLe\1\0\0\0"),
    ("registry", b"regf\1\0\0\0"),
    ("lnk", bytes.fromhex("4c0000000114020000000000c000000000000046") + PAD),
    ("prefetch", b"\x1a\0\0\0SCCA\x11"),
    ("prefetch", b"MAM\x04\xa0\x10\0\0xyz\xff"),
    ("thumbcache", b"CMMM\x20\0\0\0"),
    ("torrent", b"d8:announce31:http://tracker.example/announce4:infod4:name1:aee"),
    ("torrent", b"d7:comment2:hi4:infod6:lengthi1eee"),
    (
        "known.met",
        b"\x0e\x01\0\0\0"
        + struct.pack("<I", 1_300_000_000)
        + bytes(range(16))
        + b"\0\0\x02\0\0\0\x02\x01\0\x01"
        + PAD,
    ),
    ("pe", b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0\x64\x86"),
    ("elf", b"\x7fELF\2\1\1\0"),
    ("macho", b"\xcf\xfa\xed\xfe\x07"),
    ("macho", b"\xca\xfe\xba\xbe\0\0\0\2"),
    ("class", b"\xca\xfe\xba\xbe\0\0\0\x34"),
    ("dex", b"dex\n035\0"),
    ("pyc", b"\xa7\r\r\n\0\0\0\0\0\0\0\0"),
    ("wasm", b"\0asm\1\0\0\0"),
    ("iso9660", bytes(0x8001) + b"CD001\1"),
    ("dmg", b"\x01\x02\x03\x80" * 100 + b"koly\0\0\0\4" + bytes(504)),
    ("e01", b"EVF\x09\r\n\xff\0\1"),
    ("ex01", b"EVF2\r\n\x81\0"),
    ("l01", b"LVF\x09\r\n\xff\0"),
    ("qcow2", b"QFI\xfb\0\0\0\3"),
    ("vmdk", b"KDMV\1\0\0\0"),
    ("diskdescriptor", b"# Disk DescriptorFile\nversion=1\n"),
    ("vhd", b"conectix\0\0\0\2"),
    ("vhd", b"\xeb\x01\x02\x90" * 200 + b"conectix" + bytes(504)),
    ("vhdx", b"vhdxfileM\0"),
    ("vdi", b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe"),
    ("aff", b"AFF10\r\n\0"),
    ("ad1", b"ADSEGMENTEDFILE\0"),
    ("luks", b"LUKS\xba\xbe\0\2"),
    ("bitlocker", b"\xeb\x58\x90-FVE-FS-\0\2"),
    ("keepass", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5"),
    ("pgp", b"-----BEGIN PGP MESSAGE-----\n\nabc"),
    ("pgp", b"\x85\x01\x0c\x03" + bytes(8) + b"\x01" + bytes(258) + b"\xd2"),
    ("openssl", b"Salted__12345678\x99"),
    ("ttf", b"\0\1\0\0\0\x0c\0\x80\0\3\0\x40DSIG" + PAD),
    ("otf", b"OTTO\0\x0c"),
    ("woff", b"wOFF\0\1\0\0"),
    ("json", b'{"a": [1, 2]}'),
    ("json", b"[]\n"),
    ("yaml", b"%YAML 1.2\n---\na: 1\n"),
    ("script", b"#!/bin/sh\necho hi\n"),
    ("text", b"plain words\n"),
    ("text", "Grüße, 你好\n".encode()),
    ("text", "Grüße aus Köln und anderswo\n".encode("latin-1")),
    ("text", "Привет, как дела? ".encode("cp1251") * 5),
    ("text", b"\xff\xfe" + "Grüße".encode("utf-16-le")),
    ("text", "no mark here".encode("utf-16-le")),
    ("empty", b""),
    ("recycle-bin", struct.pack("<QQQI", 2, 5, 132_000_000_000_000_000, 4) + "C:\\\0".encode("utf-16-le")),
]


@pytest.mark.parametrize(("expected", "data"), SAMPLES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(SAMPLES)])
def test_a_sample_is_told(expected: str, data: bytes) -> None:
    assert name_of(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"BM and other words of a text\n",
        b"MZ is not a program here\n",
        b"From what I know, this is prose.\nTo: nobody\n",
        b"GIF is a format\n",
        b"[1] a footnote\n",
        b"{not json}\n",
        b"P1 is a name\n",
        b"ID3 tags are\xe9 words\n",
        b"d8 is a die, d20 too\n",
        b"<3 hearts\n",
        b"Note: a line\nwith a colon\n",
    ],
)
def test_words_that_start_like_a_magic_number_are_text(data: bytes) -> None:
    assert name_of(data) == "text"


@pytest.mark.parametrize(
    "data",
    [
        bytes(4096),
        b"\xff" * 4096,
        b"\xff\xfb" + bytes(400),
        b"\x47" + bytes(2000),
        b"\0\0\1\0\0\0" + bytes(50),
        b"BM" + b"\xff" * 60,
        b"MZ" + b"\xff" * 60,
        bytes(range(256)) * 4,
    ],
)
def test_a_coincidence_is_not_a_type(data: bytes) -> None:
    assert name_of(data) is None


def test_what_stands_at_the_end_is_told_from_the_tail() -> None:
    head = b"\x81\x82\x00\x01" * 1000
    tail = b"koly" + bytes(508)
    assert name_of(head, 10_000_000) is None
    kind = identify(head, 10_000_000, tail)
    assert kind is not None
    assert kind.name == "dmg"


def test_every_type_has_a_known_category_and_well_formed_extensions() -> None:
    for kind in TYPES.values():
        assert kind.category in CATEGORIES
        assert kind.mime.count("/") == 1
        for extension in kind.extensions:
            assert extension_of(f"x.{extension}") == extension or not any(c.isalpha() for c in extension)
    assert type_named("jpeg") is TYPES["jpeg"]
    assert type_named("nothing") is None


def test_every_name_in_the_signature_table_is_in_the_catalog() -> None:
    names = {what for _, what in _PREFIXES if isinstance(what, str)}
    assert names <= TYPES.keys()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=800), st.integers(0, 1 << 40))
def test_random_bytes_never_raise(data: bytes, size: int) -> None:
    identify(data, len(data))
    identify(data, size, data[-64:])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([d[:4000] for _, d in SAMPLES]), st.data())
def test_mutated_samples_never_raise_and_answer_at_once(sample: bytes, data: st.DataObject) -> None:
    mutant = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 6))):
        if mutant:
            mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(mutant)))
    started = time.perf_counter()
    kind = identify(bytes(mutant[:cut]), data.draw(st.integers(cut, cut + 1000)))
    assert time.perf_counter() - started < 0.5
    assert kind is None or kind.name in TYPES


@pytest.mark.parametrize(("prefix", "what"), _PREFIXES, ids=lambda v: v.hex() if isinstance(v, bytes) else "")
def test_every_signature_survives_being_cut_and_padded(prefix: bytes, what: object) -> None:
    for data in (
        prefix,
        prefix + b"\0",
        prefix + b"\xff" * 40,
        prefix + bytes(5000),
        prefix + b"\x80\x01" * 3000,
    ):
        for size in (len(data), len(data) + 1_000_000, 1):
            identify(data, size)


@pytest.mark.parametrize(
    "text",
    [
        b"<!--" * 2000,
        b"<!-- x -->" * 400,
        b"[" * 4096,
        b'{"' * 2048,
        b"From " + b"a" * 4000,
        b"X-" + b"a" * 4000,
        b"P5 " + b"#" * 4000,
    ],
)
def test_text_made_to_stall_a_pattern_does_not(text: bytes) -> None:
    started = time.perf_counter()
    identify(text, len(text))
    assert time.perf_counter() - started < 0.2
