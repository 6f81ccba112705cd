"""Makers of cpio archives in each of their forms, of ar archives with long names, and of ARJ archives."""

from __future__ import annotations

import struct
import zlib

TIME = 1_600_000_001
FILES = {"a.txt": b"hello " * 21, "folder/a long name of a picture.jpg": b"\xff\xd8\xff" + bytes(range(200)), "x": b"1"}


def cpio(files: dict[str, bytes], form: str, links: dict[str, int] | None = None, mode: int = 0o100644) -> bytes:
    """Return an archive; ``form`` newc, crc, odc, le or be. ``links``: number of the file that a name is one of."""
    out = bytearray()
    entries = [*files.items(), ("TRAILER!!!", b"")]
    for number, (name, data) in enumerate(entries, 1):
        raw, end = name.encode() + b"\0", name == "TRAILER!!!"
        ino, many = (links or {}).get(name, number), 2 if links else 1
        mine = 0 if end else mode
        if form in ("newc", "crc"):
            check = sum(data) if form == "crc" else 0
            numbers = (ino, mine, 0, 0, many, TIME, len(data), 8, 1, 0, 0, len(raw), check)
            out += (b"070701" if form == "newc" else b"070702") + b"".join(b"%08X" % n for n in numbers) + raw
            out += bytes(-len(out) % 4) + data
            out += bytes(-len(out) % 4)
        elif form == "odc":
            out += (
                b"070707" + b"".join(b"%06o" % n for n in (1, ino, mine, 0, 0, many, 0)) + b"%011o%06o%011o" % (TIME, len(raw), len(data))
            )
            out += raw + data
        else:
            words = (0o70707, 1, ino, mine, 0, 0, many, 0, TIME >> 16, TIME & 0xFFFF, len(raw), len(data) >> 16, len(data) & 0xFFFF)
            out += struct.pack("<13H" if form == "le" else ">13H", *words) + raw + bytes(len(raw) & 1) + data + bytes(len(data) & 1)
    return bytes(out) + bytes(-len(out) % 512)


def ar(files: dict[str, bytes], form: str = "gnu") -> bytes:
    """Return an archive; ``form`` gnu or bsd, which differ in how long names are kept."""
    table = b"".join(name.encode() + b"/\n" for name in files if len(name) > 15)
    out = b"!<arch>\n" + _ar_member(b"/" if form == "gnu" else b"__.SYMDEF", bytes(4))
    if form == "gnu" and table:
        out += _ar_member(b"//", table)
    for name, data in files.items():
        raw = name.encode()
        if form == "bsd" and (len(raw) > 16 or b" " in raw):
            padded = raw + bytes(-len(raw) % 4)
            out += _ar_member(b"#1/%d" % len(padded), padded + data)
        elif form == "gnu" and len(raw) > 15:
            out += _ar_member(b"/%d" % table.index(raw + b"/\n"), data)
        else:
            out += _ar_member(raw + (b"/" if form == "gnu" else b""), data)
    return out


def _ar_member(name: bytes, data: bytes) -> bytes:
    head = name.ljust(16) + b"%-12d%-6d%-6d%-8o%-10d`\n" % (TIME, 0, 0, 0o100644, len(data))
    return head + data + b"\n" * (len(data) & 1)


def arj(files: dict[str, bytes], method: int = 0, flags: int = 0, host: int = 0) -> bytes:
    """Return an archive whose files say that they were packed by a method; none are."""
    clock = (5 << 11 | 6 << 5 | 7 // 2) | ((2021 - 1980) << 9 | 3 << 5 | 4) << 16 if host not in (2, 8) else TIME
    out = _arj_header(struct.pack("<BBBBBBBBIIIIHHHBB", 34, 11, 1, host, 0x10, 0, 2, 0, clock, clock, 0, 0, 0, 0, 0, 0, 0) + b"a.arj\0\0")
    for name, data in files.items():
        fixed = struct.pack(
            "<BBBBBBBBIIIIHHH", 30, 11, 1, host, 0x10 | flags, method, 0, 0, clock, len(data), len(data), zlib.crc32(data), 0, 0, 0
        )
        out += _arj_header(fixed + name.encode("cp437") + b"\0\0") + data
    return out + b"\x60\xea\0\0"


def _arj_header(raw: bytes) -> bytes:
    return b"\x60\xea" + struct.pack("<H", len(raw)) + raw + struct.pack("<I", zlib.crc32(raw)) + b"\0\0"
