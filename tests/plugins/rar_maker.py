"""Makes RAR archives: blocks of both kinds, and packed data of RAR 2, 3 and 5 with codes that are all as long as each other."""

from __future__ import annotations

import struct
import zlib

from triage.artifacts.rar import MARK_4, MARK_5

DOS = (43 << 9 | 5 << 5 | 6) << 16 | (7 << 11 | 8 << 5 | 9)  # 2023-05-06 07:08:18
SECONDS = 1_700_000_000


def block_4(kind: int, flags: int, body: bytes, data: bytes = b"") -> bytes:
    rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest + data


def file_4(
    name: bytes, data: bytes, *, plain: bytes | None = None, flags: int = 0, version: int = 29, kind: int = 0x74, times: bytes = b""
) -> bytes:
    """Return a file's block; it is packed if ``plain`` is given, else stored."""
    whole, method = (data, 0x30) if plain is None else (plain, 0x33)
    flags |= 0x8000 | (0x1000 if times else 0)
    body = struct.pack("<IIBIIBBHI", len(data), len(whole), 2, zlib.crc32(whole), DOS, version, method, len(name), 32)
    return block_4(kind, flags, body + name + times, data)


def rar4(*files: bytes, flags: int = 0) -> bytes:
    return MARK_4 + block_4(0x73, flags, bytes(6)) + b"".join(files) + block_4(0x7B, 0x4000, b"")


def vint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found, number = found + bytes([number & 0x7F | 0x80]), number >> 7
    return found + bytes([number])


def block_5(kind: int, body: bytes, *, data: bytes = b"", extra: bytes = b"", flags: int = 0) -> bytes:
    flags |= (1 if extra else 0) | (2 if data else 0)
    rest = vint(kind) + vint(flags) + (vint(len(extra)) if extra else b"") + (vint(len(data)) if data else b"") + body + extra
    head = vint(len(rest)) + rest
    return struct.pack("<I", zlib.crc32(head)) + head + data


def record(kind: int, body: bytes) -> bytes:
    """Return a record of what stands behind a file's fields."""
    return vint(len(vint(kind) + body)) + vint(kind) + body


def file_5(
    name: str, data: bytes, *, plain: bytes | None = None, how: int = 0, extra: bytes = b"", flags: int = 0, kind: int = 2, crc: bool = True
) -> bytes:
    """Return a file's block; it is packed if ``plain`` is given, else stored. ``how``: its compression's other bits."""
    whole = data if plain is None else plain
    how |= 0 if plain is None else 3 << 7
    sums = struct.pack("<I", SECONDS) + (struct.pack("<I", zlib.crc32(whole)) if crc else b"")
    body = vint(6 if crc else 2) + vint(len(whole)) + vint(32) + sums + vint(how) + vint(0) + vint(len(name.encode())) + name.encode()
    return block_5(kind, body, data=data, extra=extra, flags=flags)


def rar5(*files: bytes) -> bytes:
    return MARK_5 + block_5(1, vint(0)) + b"".join(files) + block_5(5, vint(0))


def program(archive: bytes, size: int = 5000) -> bytes:
    """Return a Windows program that an archive stands behind."""
    head = bytearray(size)
    head[:2], head[0x3C:0x40], head[0x80:0x86] = b"MZ", struct.pack("<I", 0x80), b"PE\0\0\x4c\x01"
    return bytes(head) + archive


# ---- packed data ------------------------------------------------------------------------------------------------------------

Token = int | tuple[int, int] | bytes
"""A byte, a repetition (distance, length) of 3 to 9 bytes from at most 4 back, or a filter's description."""


class Writer:
    def __init__(self) -> None:
        self.bits: list[int] = []

    def put(self, value: int, width: int) -> None:
        self.bits += [value >> bit & 1 for bit in reversed(range(width))]

    def bytes(self) -> bytes:
        text = "".join(map(str, self.bits + [0] * (-len(self.bits) % 8)))
        return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def _lengths(out: Writer, first: int, tables: list[tuple[int, int]]) -> None:
    """Write code lengths: ``first`` codes of five bits for them, then of each table how many symbols have codes of how many bits."""
    for _ in range(first):
        out.put(5, 4)
    for count, length in tables:
        for _ in range(count):
            out.put(length, 5)


def pack_2(tokens: list[Token]) -> bytes:
    out = Writer()
    out.put(0, 2)
    _lengths(out, 19, [(298, 9), (48, 6), (28, 5)])
    for token in tokens:
        if isinstance(token, int):
            out.put(token, 9)
        elif isinstance(token, tuple):
            out.put(270 + token[1] - 3, 9)
            out.put(token[0] - 1, 6)
    return out.bytes() + bytes(4)


def pack_2_sound(samples: bytes, channels: int) -> bytes:
    """Pack fewer than 32 samples a channel: so many are but differences to the one before."""
    out, last = Writer(), [0] * channels
    out.put(2, 2)
    out.put(channels - 1, 2)
    _lengths(out, 19, [(257 * channels, 9)])
    for number, sample in enumerate(samples):
        out.put((last[number % channels] - sample) & 255, 9)
        last[number % channels] = sample
    return out.bytes() + bytes(4)


def pack_3(tokens: list[Token]) -> bytes:
    out = Writer()
    out.put(0, 2)
    _lengths(out, 20, [(299, 9), (60, 6), (17, 5), (28, 5)])
    for token in tokens:
        if isinstance(token, int):
            out.put(token, 9)
        elif isinstance(token, tuple):
            out.put(271 + token[1] - 3, 9)
            out.put(token[0] - 1, 6)
        else:
            out.put(257, 9)
            for byte in token:
                out.put(byte, 8)
    out.put(256, 9)
    out.put(0, 1)  # the file ends
    out.put(1, 1)  # and the next one has tables of its own
    return out.bytes()


def filter_3(code: bytes, length: int, registers: dict[int, int] | None = None) -> bytes:
    """Return the description of a new filter over the next bytes, whose program is ``code``."""
    out = Writer()
    for value in (1, 0):  # the first program; from here on
        out.put(0, 2)
        out.put(value, 4)
    out.put(2, 2)
    out.put(length, 16)
    if registers:
        out.put(sum(1 << number for number in registers), 7)
        for number in sorted(registers):
            out.put(2, 2)
            out.put(registers[number], 16)
    out.put(2, 2)
    out.put(len(code), 16)
    for byte in code:
        out.put(byte, 8)
    told = out.bytes()
    return bytes([0x80 | 0x20 | (0x10 if registers else 0) | 7]) + struct.pack(">H", len(told)) + told


def pack_5(tokens: list[Token], *, seven: bool = False) -> bytes:
    """Return a block, the last one. A filter's description is its start, length, kind and channels, each a byte."""
    out = Writer()
    _lengths(out, 20, [(306, 9), (80 if seven else 64, 7), (16, 4), (44, 6)])
    for token in tokens:
        if isinstance(token, int):
            out.put(token, 9)
        elif isinstance(token, tuple):
            out.put(262 + token[1] - 2, 9)
            out.put(token[0] - 1, 7)
        else:
            out.put(256, 9)
            for number in token[:2]:
                out.put(0, 2)
                out.put(number, 8)
            out.put(token[2], 3)
            if not token[2]:
                out.put(token[3] - 1, 5)
    data = out.bytes()
    flags = 0x40 | 0x80 | 1 << 3 | (len(out.bits) - 1) % 8
    size = struct.pack("<H", len(data))
    return bytes([flags, 0x5A ^ flags ^ size[0] ^ size[1]]) + size + data
