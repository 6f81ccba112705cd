"""Superblocks of Linux's software RAID (md, version 1.1 and 1.2) for tests; ``mdadm --examine`` reads them."""

from __future__ import annotations

import struct

IDENTIFIER = bytes(range(16))


def superblock(level: int, devices: int, role: int, data: int, size: int, *, name: bytes = b"nas:0", at: int = 8) -> bytes:
    """Return a superblock. ``data``, ``size`` and ``at`` (where it lies) in sectors."""
    raw = bytearray(256 + 2 * 128)
    struct.pack_into("<II", raw, 0, 0xA92B4EFC, 1)
    raw[16:32], raw[32 : 32 + len(name)] = IDENTIFIER, name
    struct.pack_into("<QIIQII", raw, 64, 1_600_000_000, level, 0, size, 128, devices)
    struct.pack_into("<QQQ", raw, 128, data, size, at)
    struct.pack_into("<I", raw, 160, role)
    raw[168:184] = bytes(range(16, 32))
    struct.pack_into("<QQQ", raw, 192, 1_600_000_100, 17, (1 << 64) - 1)
    struct.pack_into("<I", raw, 220, 128)
    for number in range(128):
        struct.pack_into("<H", raw, 256 + 2 * number, number if number < devices else 0xFFFF)
    total = sum(struct.unpack(f"<{len(raw) // 4}I", raw))
    struct.pack_into("<I", raw, 216, ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    return bytes(raw)


def member(
    payload: bytes, level: int = 1, devices: int = 2, role: int = 1, *, data: int = 2048, at: int = 8, size: int | None = None
) -> bytes:
    """Return a member's bytes: the superblock, and the payload from sector ``data`` on."""
    head = bytearray(data * 512)
    block = superblock(level, devices, role, data, len(payload) // 512 if size is None else size, at=at)
    head[at * 512 : at * 512 + len(block)] = block
    return bytes(head) + payload
