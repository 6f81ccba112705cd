"""Encryption that the structure admits is found; plain files of the same formats stay quiet."""

from __future__ import annotations

import io
import os
import random
import struct
import time
import zipfile
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.model import Finding, Kind, Problem
from triage.plugin import run_plugin, sample_item
from triage.registry import find_plugins

INFO = find_plugins().get("encrypted")


def run(data: bytes, kind: Kind = Kind.FILE, **options: Any) -> list[Finding | Problem]:
    item = sample_item(data, "vol1/x", kind)
    if not INFO.accepts.matches(item.entry, item.type):
        return []
    return run_plugin(INFO.load(options), INFO.key(options), item)


def zip_of(
    *names: str, encrypted: tuple[str, ...] = (), method: int = 0, prefix: bytes = b"", directory: bool = True
) -> bytes:
    out, central, count = io.BytesIO(), b"", 0
    out.write(prefix)
    for name in names:
        flags, at, body = int(name in encrypted), out.tell() - len(prefix), b"some bytes of content"
        fields = struct.pack("<HHHHHIII", 20, flags, method, 0, 0, zlib.crc32(body), len(body), len(body))
        raw = name.encode()
        out.write(b"PK\3\4" + fields + struct.pack("<HH", len(raw), 0) + raw + body)
        central += b"PK\1\2\x14\0" + fields + struct.pack("<HHHHHII", len(raw), 0, 0, 0, 0, 0, at) + raw
        count += 1
    start = out.tell() - len(prefix)
    if directory:
        out.write(central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, count, count, len(central), start, 0))
    return out.getvalue()


def rar4(main_flags: int, file_flags: int) -> bytes:
    main = struct.pack("<HBHH", 0, 0x73, main_flags, 13) + bytes(6)
    file = struct.pack("<HBHHI", 0, 0x74, file_flags, 40, 5) + bytes(29) + b"12345"
    return b"Rar!\x1a\x07\0" + main + file + struct.pack("<HBHH", 0, 0x7B, 0, 7)


def rar5_block(kind: int, flags: int, rest: bytes) -> bytes:
    body = bytes([kind, flags]) + rest
    return bytes(4) + bytes([len(body)]) + body


def rar5(*blocks: bytes) -> bytes:
    return b"Rar!\x1a\x07\x01\0" + b"".join(blocks) + rar5_block(5, 0, b"\0")


def rar5_file(encrypted: bool) -> bytes:
    record = b"\x03\x01\0\0" if encrypted else b"\x03\x03\0\0"
    return rar5_block(2, 3, bytes([len(record), 4]) + b"\0\4\x20\0\0\1a" + record) + b"data"


def seven(header: bytes, packed: bytes = b"abcd") -> bytes:
    return (
        b"7z\xbc\xaf\x27\x1c\0\4"
        + bytes(4)
        + struct.pack("<QQI", len(packed), len(header), 0)
        + packed
        + header
    )


def ole(streams: dict[str, bytes]) -> bytes:
    """A compound file with each stream, padded to 4096 bytes, right behind the directory."""
    head, directory, body = bytearray(512), bytearray(512), b""
    head[:8] = bytes.fromhex("d0cf11e0a1b11ae1")
    struct.pack_into("<H", head, 30, 9)
    for i, (name, data) in enumerate({"Root Entry": b"", **streams}.items()):
        text, at = name.encode("utf-16-le"), i * 128
        directory[at : at + len(text)] = text
        struct.pack_into("<HB", directory, at + 64, len(text) + 2, 5 if i == 0 else 2)
        struct.pack_into("<II", directory, at + 116, 1 + len(body) // 512, 4096 if i else 0)
        if i:
            body += data.ljust(4096, b"\0")
    return bytes(head + directory) + body


BOF = struct.pack("<HH", 0x809, 16) + bytes(16)
ENCRYPTED: dict[str, tuple[str, bytes]] = {
    "zip": ("ZIP", zip_of("a", "b", encrypted=("b",))),
    "zip aes": ("ZIP", zip_of("a", encrypted=("a",), method=99)),
    "zip cut off": ("ZIP", zip_of("a", encrypted=("a",), directory=False)),
    "rar4 members": ("members", rar4(0, 0x8004)),
    "rar4 names": ("list of files", rar4(0x80, 0x8004)),
    "rar5 members": ("members", rar5(rar5_block(1, 0, b"\0"), rar5_file(True))),
    "rar5 names": ("list of files", rar5(rar5_block(4, 0, b"\0\0\x0f" + bytes(16)))),
    "7z members": (
        "7z archive with",
        seven(b"\x01\x04\x06\0\1\x09\x20\0\x07\x0b\1\0\1\x24\x06\xf1\x07\x01\x0a\x53\x07"),
    ),
    "7z names": (
        "list of files",
        seven(b"\x17\x06\0\1\x09\x20\0\x07\x0b\1\0\1\x24\x06\xf1\x07\x01\x0a\x53\x07"),
    ),
    "pdf": ("PDF", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<< /Root 1 0 R /Encrypt 5 0 R >>\n%%EOF\n"),
    "pdf linearized": ("PDF", b"%PDF-1.4\ntrailer << /Encrypt 5 0 R >>\n" + b"x" * 200_000 + b"trailer <<>>"),
    "office": ("Office", ole({"EncryptedPackage": b"x", "EncryptionInfo": b"y"})),
    "word": ("Office", ole({"WordDocument": b"\xec\xa5\xc1\0" + bytes(6) + b"\x00\x01"})),
    "excel": ("Office", ole({"Workbook": BOF + struct.pack("<HH", 0x2F, 4) + bytes(4)})),
    "luks": ("LUKS", b"LUKS\xba\xbe\0\2" + bytes(160) + b"11111111-2222-3333-4444-555555555555\0\0\0\0"),
    "openssl": ("openssl", b"Salted__12345678" + os.urandom(64)),
    "pgp": ("OpenPGP", b"-----BEGIN PGP MESSAGE-----\n\nabc\n"),
    "bitlocker": ("BitLocker", b"\xeb\x58\x90-FVE-FS-" + bytes(600)),
    "keepass": ("KeePass", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5\x01\0\4\0"),
    "age": ("age", b"age-encryption.org/v1\n-> X25519 abc\n"),
    "android": ("Android", b"ANDROID BACKUP\n5\n1\nAES-256\nabc\n"),
    "dmg": ("disk image", b"encrcdsa\0\0\0\2" + bytes(50)),
}
PLAIN: dict[str, bytes] = {
    "zip": zip_of("a", "b"),
    "rar4": rar4(0, 0x8000),
    "rar5": rar5(rar5_block(1, 0, b"\0"), rar5_file(False)),
    "7z": seven(b"\x01\x04\x06\0\1\x09\x20\0\x07\x0b\1\0\1\x21\x21\1\0"),
    "pdf": b"%PDF-1.4\ntrailer\n<< /Root 1 0 R /EncryptMetadata false >>\n%%EOF\n",
    "word": ole({"WordDocument": b"\xec\xa5\xc1\0" + bytes(6) + b"\xf0\x12\0\0"}),
    "excel": ole({"Workbook": BOF + struct.pack("<HH", 0xE1, 2) + bytes(2)}),
    "android": b"ANDROID BACKUP\n5\n1\nnone\nabc\n",
    "text": b"/Encrypt 5 0 R\n",
    "jpeg": b"\xff\xd8\xff\xe0" + os.urandom(100_000),
}


@pytest.mark.parametrize("name", ENCRYPTED)
def test_encryption_is_found(name: str) -> None:
    words, data = ENCRYPTED[name]
    (finding,) = run(data)
    assert isinstance(finding, Finding), finding
    assert finding.kind == "encrypted"
    assert words in finding.title


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_stay_quiet(name: str) -> None:
    assert run(PLAIN[name]) == []


def test_a_real_plain_zip_stays_quiet_and_counts_are_said_of_an_encrypted_one() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"hello" * 100)
    assert run(out.getvalue()) == []
    (finding,) = run(zip_of("a", "b", "c", encrypted=("a", "c"), prefix=b""))
    assert isinstance(finding, Finding)
    assert finding.data["members"] == 3
    assert finding.data["encrypted"] == 2
    assert finding.data["names"] == ["a", "c"]


def test_random_bytes_without_a_type_are_pointed_out() -> None:
    noise = b"\x01\x02\x03\x04" + random.Random(1).randbytes(100_000)
    (finding,) = run(noise)
    assert isinstance(finding, Finding)
    assert finding.kind == "high-entropy"
    assert finding.data["entropy"] >= 7.95
    assert run(noise[:60_000]) == []
    assert run(noise, Kind.UNALLOCATED) == []
    assert run(noise, min_size=1_000_000) == []
    assert run(b"\x01\x02\x03\x04" * 50_000) == []


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([d for _, d in ENCRYPTED.values()] + list(PLAIN.values())), st.data())
def test_mutants_give_a_finding_or_nothing_at_once(sample: bytes, data: st.DataObject) -> None:
    mutant = bytearray(sample[:5000])
    for _ in range(data.draw(st.integers(1, 6))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(
            st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])
        )
    cut = bytes(mutant[: data.draw(st.integers(8, len(mutant)))])
    started = time.perf_counter()
    results = run(cut)
    assert all(isinstance(result, Finding) for result in results), results
    assert time.perf_counter() - started < 0.5
