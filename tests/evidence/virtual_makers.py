"""Makers of small virtual disks, one for each kind, so that tests need no other program. Blocks of zeros are left out."""

from __future__ import annotations

import base64
import bz2
import hashlib
import lzma
import random
import shutil
import struct
import subprocess
import uuid
import zlib
from typing import TYPE_CHECKING

import pytest

from triage.evidence.opening import open_evidence
from triage.evidence.vhdxlog import SECTOR
from triage.filesystem.crc32c import crc32c

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from triage.evidence.medium import Medium

QEMU = shutil.which("qemu-img")
needs_qemu = pytest.mark.skipif(QEMU is None, reason="qemu-img is not installed")
IDENTIFIER = uuid.UUID(int=0x1234567890ABCDEF)


def disk(size: int = 3 << 20, seed: int = 1) -> bytes:
    """A disk with zeros, things that repeat and things that do not."""
    rng, made = random.Random(seed), bytearray(size)
    for number in range(size >> 16):
        at = rng.randrange(max(1, size - 9000))
        made[at : at + 4096] = rng.randbytes(4096) if number % 3 else (b"%06d, " % number * 1000)[:4096]
    return bytes(made)


def qemu(*arguments: str | Path) -> None:
    subprocess.run([str(QEMU), *map(str, arguments)], check=True, capture_output=True)


def converted(folder: Path, raw: bytes, name: str, form: str, *options: str) -> Path:
    """Have QEMU make a disk from raw bytes."""
    base = folder / "base.raw"
    base.write_bytes(raw)
    qemu("convert", "-f", "raw", "-O", form, *options, base, folder / name)
    return folder / name


def by_qemu(path: Path, form: str) -> bytes:
    """What QEMU reads of a disk."""
    out = path.with_suffix(".readback")
    qemu("convert", "-f", form, "-O", "raw", path, out)
    return out.read_bytes()


def read(path: Path, step: int = 300_001) -> bytes:
    """All of a disk, in odd pieces."""
    _, medium, _ = open_evidence(path)
    return all_of(medium, step)


def all_of(medium: Medium, step: int = 300_001) -> bytes:
    data = b"".join(medium.read_at(at, step) for at in range(0, medium.size, step))
    medium.close()
    return data


def same(left: bytes, right: bytes) -> bool:
    """Whether bytes are the same, without printing mebibytes when they are not."""
    return hashlib.sha256(left).digest() == hashlib.sha256(right).digest()


def readable(medium: Medium, step: int = 4096, most: int = 2000) -> bytes:
    """What of a damaged disk can be read, the rest as ``?``."""
    found = []
    for at in range(0, min(medium.size, step * most), step):
        many = min(step, medium.size - at)
        try:
            data = medium.read_at(at, many)
            assert len(data) == many
        except OSError:
            data = b"?" * many
        found.append(data)
    return b"".join(found)


def mutants(data: bytes, where: list[tuple[int, int]], count: int, seed: int = 5) -> list[bytes]:
    """The file with numbers in the given stretches changed, cut, or in each other's place."""
    rng, made = random.Random(seed), []
    for _ in range(count):
        raw = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 4))):
            start, length = rng.choice(where)
            at = start + rng.randrange(max(1, length))
            width = rng.choice((1, 2, 4, 8))
            value = rng.choice((0, 1, 0xFF, 0x7F, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 60, (1 << 64) - 1, rng.getrandbits(64)))
            raw[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, rng.choice(("big", "little")))
        if rng.random() < 0.15:
            raw = raw[: rng.randrange(len(raw))]
        made.append(bytes(raw))
    return made


# -- QCOW -----------------------------------------------------------------------------------------------------------------------------


def qcow2(
    raw: bytes, *, bits: int = 16, packed: bool = False, backing: str = "", version: int = 3, crypt: int = 0, features: int = 0
) -> bytes:
    """Source of the layout: see triage.evidence.qcow. L1 in cluster 1, L2 tables behind it."""
    cluster = 1 << bits
    per = cluster // 8
    clusters = -(-len(raw) // cluster)
    tables = -(-clusters // per)
    out = bytearray(cluster * (2 + tables))
    name = backing.encode()
    struct.pack_into(">4sIQIIQIIQ", out, 0, b"QFI\xfb", version, 256 if name else 0, len(name), bits, len(raw), crypt, tables, cluster)
    struct.pack_into(">QQQII", out, 72, features, 0, 0, 4, 104)
    out[256 : 256 + len(name)] = name
    for number in range(tables):
        struct.pack_into(">Q", out, cluster + number * 8, (2 + number) * cluster | 1 << 63)
    for number in range(clusters):
        data = raw[number * cluster : (number + 1) * cluster].ljust(cluster, b"\0")
        if not any(data):
            continue
        at = len(out)
        if packed:
            coder = zlib.compressobj(9, zlib.DEFLATED, -12)
            small = coder.compress(data) + coder.flush()
            entry = 1 << 62 | ((at % 512 + len(small) + 511) // 512 - 1) << (70 - bits) | at
            out += small
        else:
            out += bytes(-at % cluster)
            entry = len(out) | 1 << 63
            out += data
        struct.pack_into(">Q", out, 2 * cluster + number * 8, entry)
    return bytes(out + bytes(-len(out) % 512 if packed else 0))


# -- VMDK -----------------------------------------------------------------------------------------------------------------------------


def vmdk_descriptor(
    extents: list[str], kind: str = "monolithicSparse", parent: str = "", cid: str = "abcd1234", parent_cid: str = "ffffffff"
) -> bytes:
    hint = f'parentFileNameHint="{parent}"\n' if parent else ""
    return (
        "# Disk DescriptorFile\nversion=1\n"
        f'CID={cid}\nparentCID={parent_cid}\ncreateType="{kind}"\n{hint}\n# Extent description\n'
        + "\n".join(extents)
        + '\n\n# The Disk Data Base\nddb.virtualHWVersion = "4"\nddb.uuid = "60 00 C2 9a"\n'
    ).encode()


def hosted(
    raw: bytes, *, descriptor: bytes = b"", grain: int = 16, packed: bool = False, footer: bool = False, entries: int = 512
) -> bytes:
    """A sparse extent; two directories and sets of tables unless it is a stream."""
    unit = grain * 512
    grains = -(-len(raw) // unit)
    tables = -(-grains // entries)
    table_sectors = -(-entries * 4 // 512)
    out = bytearray(512 + 20 * 512)
    out[512 : 512 + len(descriptor)] = descriptor
    places = [0] * (tables * entries)

    def put_tables() -> int:
        directory = len(out) // 512
        first = directory + -(-tables * 4 // 512)
        out.extend(b"".join(struct.pack("<I", first + n * table_sectors) for n in range(tables)).ljust((first - directory) * 512, b"\0"))
        for n in range(tables):
            out.extend(struct.pack(f"<{entries}I", *places[n * entries : (n + 1) * entries]).ljust(table_sectors * 512, b"\0"))
        return directory

    room = [put_tables(), put_tables()] if not footer else []
    tables_end = len(out)
    out.extend(bytes(-len(out) % unit if not packed else 0))
    overhead = len(out) // 512
    for number in range(grains):
        data = raw[number * unit : (number + 1) * unit].ljust(unit, b"\0")
        if not any(data):
            continue
        places[number] = len(out) // 512
        if packed:
            small = zlib.compress(data)
            data = struct.pack("<QI", number * grain, len(small)) + small
        out.extend(data + bytes(-len(data) % 512))
    flags = 1 | (2 if not footer else 0) | (3 << 16 if packed else 0)

    def header(directory: int, copy: int) -> bytes:
        made = struct.pack(
            "<4sIIQQQQIQQQB4sH", b"KDMV", 3 if packed else 1, flags, -(-len(raw) // 512), grain, *((1, 20) if descriptor else (0, 0)),
            entries, copy, directory, overhead, 0, b"\n \r\n", 1 if packed else 0,
        )  # fmt: skip
        return made.ljust(512, b"\0")

    if footer:
        directory = put_tables()
        out[:512] = header((1 << 64) - 1, 0)
        out.extend(struct.pack("<QII", 1, 0, 3).ljust(512, b"\0") + header(directory, 0) + bytes(512))
        return bytes(out)
    end = bytes(out[tables_end:])
    del out[room[0] * 512 :]
    put_tables()
    put_tables()
    out.extend(end)
    out[:512] = header(room[0], room[1])
    return bytes(out)


def cowd(raw: bytes, grain: int = 1) -> bytes:
    unit = grain * 512
    grains = -(-len(raw) // unit)
    tables = -(-grains // 4096)
    out = bytearray(2048 + -(-tables * 4 // 512) * 512)
    struct.pack_into("<4sIIIIIII", out, 0, b"COWD", 1, 3, -(-len(raw) // 512), grain, 4, tables, 0)
    for number in range(tables):
        struct.pack_into("<I", out, 2048 + number * 4, len(out) // 512)
        at = len(out)
        out += bytes(4096 * 4)
        for n in range(4096):
            data = raw[(number * 4096 + n) * unit :][:unit]
            if any(data):
                struct.pack_into("<I", out, at + n * 4, len(out) // 512)
                out += data.ljust(unit, b"\0")
    return bytes(out)


def sesparse(raw: bytes) -> bytes:
    tables = -(-len(raw) // (4096 * 4096))
    directory, first_table, grains_at = 4, 12, 12 + 64 * tables
    out = bytearray(grains_at * 512)
    struct.pack_into("<10Q", out, 0, 0xCAFEBABE, 0x200000001, -(-len(raw) // 512), 8, 64, 0, 0, 0, 0, 0)
    struct.pack_into("<16Q", out, 80, 1, 1, 2, 1, 3, 1, directory, 8, first_table, 64 * tables, 0, 0, 0, 0, grains_at, 0)
    struct.pack_into("<4Q", out, 512, 0xCAFECAFE, 0, 0, 0)
    index = 0
    for number in range(tables):
        struct.pack_into("<Q", out, directory * 512 + number * 8, 1 << 60 | number)
    for n in range(-(-len(raw) // 4096)):
        data = raw[n * 4096 : n * 4096 + 4096].ljust(4096, b"\0")
        if any(data):
            struct.pack_into("<Q", out, first_table * 512 + n * 8, 3 << 60 | (index & 0xFFF) << 48 | index >> 12)
            out += data
            index += 1
        elif n % 5 == 0:
            struct.pack_into("<Q", out, first_table * 512 + n * 8, 2 << 60 if n % 2 else 1 << 60)
    return bytes(out)


# -- VHD ------------------------------------------------------------------------------------------------------------------------------


def vhd_footer(size: int, kind: int, identifier: uuid.UUID = IDENTIFIER, header: int = 0xFFFFFFFFFFFFFFFF) -> bytes:
    made = bytearray(512)
    struct.pack_into(">8sIIQI4sHH4sQQ", made, 0, b"conectix", 2, 0x10000, header, 441_763_200, b"win ", 6, 1, b"Wi2k", size, size)
    struct.pack_into(">HBBII16s", made, 56, 100, 4, 17, kind, 0, identifier.bytes)
    struct.pack_into(">I", made, 64, ~sum(made) & 0xFFFFFFFF)
    return bytes(made)


def vhd(
    raw: bytes, *, block: int = 1 << 19, parent: tuple[str, uuid.UUID, bytes] | None = None, identifier: uuid.UUID = IDENTIFIER
) -> bytes:
    """A dynamic disk, or one that differs from a parent (its name, identifier and bytes)."""
    footer = vhd_footer(len(raw), 4 if parent else 3, identifier, 512)
    blocks = -(-len(raw) // block)
    header = bytearray(1024)
    struct.pack_into(">8sQQIII", header, 0, b"cxsparse", (1 << 64) - 1, 1536, 0x10000, blocks, block)
    if parent:
        header[40:56] = parent[1].bytes
        name = parent[0].encode("utf-16-be")
        header[64 : 64 + len(name)] = name
    struct.pack_into(">I", header, 36, ~sum(header) & 0xFFFFFFFF)
    table = bytearray(b"\xff" * (-(-blocks * 4 // 512) * 512))
    body = bytearray()
    before = parent[2] if parent else bytes(len(raw))
    for number in range(blocks):
        data, old = (one[number * block : (number + 1) * block].ljust(block, b"\0") for one in (raw, before))
        if data == old:
            continue
        struct.pack_into(">I", table, number * 4, (1536 + len(table) + len(body)) // 512)
        bits = [data[at : at + 512] != old[at : at + 512] for at in range(0, block, 512)]
        kept = b"".join(data[n * 512 : n * 512 + 512] if bit or not parent else b"\xee" * 512 for n, bit in enumerate(bits))
        bitmap = bytes(sum(bit << (7 - n) for n, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))
        body += bitmap + bytes(-len(bitmap) % 512) + kept
    return footer + bytes(header) + bytes(table) + bytes(body) + footer


# -- VHDX -----------------------------------------------------------------------------------------------------------------------------


def summed(raw: bytes, length: int) -> bytes:
    """A structure with its CRC-32C in the second word."""
    raw = raw.ljust(length, b"\0")
    return raw[:4] + struct.pack("<I", crc32c(0xFFFFFFFF, raw[:4] + bytes(4) + raw[8:]) ^ 0xFFFFFFFF) + raw[8:]


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


def vhdx(
    raw: bytes,
    *,
    parent: tuple[str, uuid.UUID, bytes] | None = None,
    data_write: uuid.UUID = IDENTIFIER,
    log: Callable[[int], list[tuple[int, bytes]]] | None = None,
    sector: int = 512,
) -> bytes:
    """A dynamic disk in blocks of 1 MiB. ``log``: given the place of the block table, what its log writes (place, page)."""
    mib = 1 << 20
    blocks = -(-len(raw) // mib)
    table_at, metadata_at = 3 * mib, 2 * mib
    out = bytearray(4 * mib)
    out[:8] = b"vhdxfile"
    creator = "a test".encode("utf-16-le")
    out[8 : 8 + len(creator)] = creator
    writes = log(table_at) if log else []
    identifier = uuid.UUID(int=77).bytes_le if writes else bytes(16)
    for number in range(2):
        head = struct.pack("<4sIQ16s16s16sHHIQ", b"head", 0, number + 5, bytes(16), data_write.bytes_le, identifier, 0, 1, mib, mib)
        out[(64 + 64 * number) << 10 : ((64 + 64 * number) << 10) + 4096] = summed(head, 4096)
    regions = struct.pack("<4sIII", b"regi", 0, 2, 0)
    regions += _guid("2dc27766-f623-4200-9d64-115e9bfd4a08") + struct.pack("<QII", table_at, mib, 1)
    regions += _guid("8b7ca206-4790-4b9a-b8fe-575f050f886e") + struct.pack("<QII", metadata_at, mib, 1)
    for at in (192 << 10, 256 << 10):
        out[at : at + (64 << 10)] = summed(regions, 64 << 10)
    items = [
        ("caa16737-fa36-4d43-b3b6-33f0aa44e76b", struct.pack("<II", mib, 2 if parent else 0)),
        ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", struct.pack("<Q", len(raw))),
        ("beca12ab-b2e6-4523-93ef-c309e000c746", IDENTIFIER.bytes_le),
        ("8141bf1d-a96f-4709-ba47-f233a8faab5f", struct.pack("<I", sector)),
        ("cda348c7-445d-4471-9cc9-e9885251c556", struct.pack("<I", 4096)),
    ]
    if parent:
        items.append(
            ("a8d35f2d-b30b-454d-abf7-d3d84834ab0c", _locator({"parent_linkage": f"{{{parent[1]}}}", "relative_path": f".\\{parent[0]}"}))
        )
    struct.pack_into("<8sHH", out, metadata_at, b"metadata", 0, len(items))
    place = 65536
    for number, (key, value) in enumerate(items):
        struct.pack_into("<16sIII", out, metadata_at + 32 + number * 32, _guid(key), place, len(value), 4)
        out[metadata_at + place : metadata_at + place + len(value)] = value
        place += len(value)
    ratio = (sector << 23) // mib
    before = parent[2] if parent else bytes(len(raw))
    for number in range(blocks):
        data, old = (one[number * mib : (number + 1) * mib].ljust(mib, b"\0") for one in (raw, before))
        if data == old:
            continue
        entry = table_at + (number + number // ratio) * 8
        bits = [data[at : at + sector] != old[at : at + sector] for at in range(0, mib, sector)]
        if parent:
            bitmap_entry = table_at + (number // ratio * (ratio + 1) + ratio) * 8
            if not struct.unpack_from("<Q", out, bitmap_entry)[0]:
                struct.pack_into("<Q", out, bitmap_entry, len(out) | 6)
                out += bytes(mib)
            bitmap = struct.unpack_from("<Q", out, bitmap_entry)[0] & ~0xFFFFF
            for n, bit in enumerate(bits):
                where = number % ratio * len(bits) + n
                out[bitmap + where // 8] |= bit << where % 8
            data = b"".join(data[n * sector : (n + 1) * sector] if bit else b"\xee" * sector for n, bit in enumerate(bits))
        struct.pack_into("<Q", out, entry, len(out) | (7 if parent else 6))
        out += data
    if writes:
        out[mib : 2 * mib] = vhdx_log(writes, identifier, len(out)).ljust(mib, b"\0")
        for at, page in writes:  # what the log has is not in the file
            out[at : at + SECTOR] = bytes(b ^ 0xFF if n % 2 else 0 for n, b in enumerate(page))
    return bytes(out)


def vhdx_log(writes: list[tuple[int, bytes]], identifier: bytes, size: int, zeros: tuple[tuple[int, int], ...] = ()) -> bytes:
    """A log with an entry for each write, the first of them where all begins."""
    made = b""
    for number, (at, page) in enumerate(writes):
        sequence = 9 + number
        more = zeros if number == 0 else ()
        head = struct.pack("<4sIIIQII16sQQ", b"loge", 0, 2 * SECTOR, 0, sequence, 1 + len(more), 0, identifier, size, size)
        for place, length in more:
            head += struct.pack("<4sIQQQ", b"zero", 0, length, place, sequence)
        head += struct.pack("<4s4s8sQQ", b"desc", page[-4:], page[:8], at, sequence)
        data = struct.pack("<4sI", b"data", sequence >> 32) + page[8:-4] + struct.pack("<I", sequence & 0xFFFFFFFF)
        made += summed(head.ljust(SECTOR, b"\0") + data, 2 * SECTOR)
    return made


def _locator(keys: dict[str, str]) -> bytes:
    head = _guid("b04aefb7-d19e-4a81-b789-25b8e9445913") + struct.pack("<HH", 0, len(keys))
    table, texts, at = b"", b"", 20 + 12 * len(keys)
    for key, value in keys.items():
        one, other = key.encode("utf-16-le"), value.encode("utf-16-le")
        table += struct.pack("<IIHH", at + len(texts), at + len(texts) + len(one), len(one), len(other))
        texts += one + other
    return head + table + texts


# -- VDI ------------------------------------------------------------------------------------------------------------------------------


def vdi(
    raw: bytes,
    *,
    kind: int = 1,
    block: int = 1 << 20,
    extra: int = 0,
    identifier: int = 5,
    changed: int = 6,
    parent: tuple[int, int, bytes] = (0, 0, b""),
) -> bytes:
    blocks = -(-len(raw) // block)
    data_at = 512 + -(-blocks * 4 // 512) * 512
    out = bytearray(data_at)
    out[:40] = b"<<< A Test's Virtual Disk >>>\n".ljust(40, b"\0")
    struct.pack_into("<IIIII", out, 0x40, 0xBEDA107F, 0x10001, 0x190, kind, 0)
    out[0x54:0x5D] = b"a comment"
    struct.pack_into("<IIIIII", out, 0x154, 512, data_at, 0, 0, 0, 512)
    struct.pack_into("<QIIII", out, 0x170, len(raw), block, extra, blocks, 0)
    for at, number in ((0x188, identifier), (0x198, changed), (0x1A8, parent[0]), (0x1B8, parent[1])):
        out[at : at + 16] = uuid.UUID(int=number).bytes_le
    stored = 0
    for number in range(blocks):
        data, old = (one[number * block : (number + 1) * block].ljust(block, b"\0") for one in (raw, parent[2]))
        entry = 0xFFFFFFFF
        if data != old and not any(data):
            entry = 0xFFFFFFFE
        elif data != old or kind == 2:
            entry, stored = stored, stored + 1
            out += bytes(extra) + data
        struct.pack_into("<I", out, 512 + number * 4, entry)
    return bytes(out)


# -- DMG ------------------------------------------------------------------------------------------------------------------------------


def dmg(raw: bytes, kinds: tuple[int, ...] = (0x80000005,), chunk: int = 64, adc: Callable[[bytes], bytes] = lambda raw: raw) -> bytes:
    """An image in two partitions, whose chunks are packed with one kind after the other; those of zeros are left out."""
    packers: dict[int, Callable[[bytes], bytes]] = {
        1: lambda one: one,
        0x80000004: adc,
        0x80000005: zlib.compress,
        0x80000006: bz2.compress,
        0x80000007: lambda one: b"bvx-" + struct.pack("<I", len(one)) + one + b"bvx$",
        0x80000008: lzma.compress,
        0x80000009: lambda one: one[:20],
    }
    fork, tables = bytearray(), []
    sectors = len(raw) // 512
    half = sectors // 2 // chunk * chunk
    for first, count in ((0, half), (half, sectors - half)):
        rows, crc = [], 0
        for at in range(0, count, chunk):
            many = min(chunk, count - at)
            data = raw[(first + at) * 512 : (first + at + many) * 512]
            if not any(data):
                rows.append((2 if at % (2 * chunk) else 0, 0, at, many, len(fork), 0))
                crc = zlib.crc32(data, crc) if not at % (2 * chunk) else crc
                continue
            kind = kinds[(first + at) // chunk % len(kinds)]
            small = packers[kind](data)
            rows.append((kind, 0, at, many, len(fork), len(small)))
            fork += small
            crc = zlib.crc32(data, crc)
        rows.append((0xFFFFFFFF, 0, count, 0, len(fork), 0))
        table = struct.pack(">4sIQQQII24x", b"mish", 1, first, count, 0, 520, len(rows))
        table += struct.pack(">II", 2, 32) + struct.pack(">I", crc).ljust(128, b"\0") + struct.pack(">I", len(rows))
        tables.append(table + b"".join(struct.pack(">IIQQQQ", *row) for row in rows))
    entries = "".join(
        f"<dict><key>Attributes</key><string>0x0050</string><key>Data</key><data>\n{base64.b64encode(one).decode()}\n</data>"
        f"<key>Name</key><string>part {number}</string></dict>"
        for number, one in enumerate(tables)
    )
    xml = f"<plist><dict><key>resource-fork</key><dict><key>blkx</key>\n<array>{entries}</array></dict></dict></plist>".encode()
    koly = bytearray(512)
    struct.pack_into(">4sIIIQQQQQII16s", koly, 0, b"koly", 4, 512, 1, 0, 0, len(fork), 0, 0, 1, 1, IDENTIFIER.bytes)
    struct.pack_into(">QQ", koly, 216, len(fork), len(xml))
    struct.pack_into(">IQ", koly, 488, 1, sectors)
    return bytes(fork) + xml + bytes(koly)
