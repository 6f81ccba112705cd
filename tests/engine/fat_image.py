"""A FAT12 medium out of a few lines of Python, so that these tests need no tool and know every byte.

Layout: 1 boot sector, 2 tables of 12 sectors, 512 root entries, then clusters of one sector. Names are 8.3, upper case.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTOR = 512
_TABLE = 12 * SECTOR
_ROOT = 512 * 32
_DATA = SECTOR + 2 * _TABLE + _ROOT
_CLUSTERS = 4000
_TIME, _DATE = (13 << 11) | (30 << 5), ((2024 - 1980) << 9) | (5 << 5) | 17


def make_fat(files: Mapping[str, bytes], deleted: frozenset[str] = frozenset(), *, serial: int = 0x1234ABCD) -> bytes:
    """Return a medium that holds ``{"DIR/NAME.EXT": bytes}``; those in ``deleted`` have been deleted, their bytes are there."""
    table: dict[int, int] = {}
    clusters: dict[int, bytes] = {}

    def place(data: bytes, *, keep: bool = True) -> int:
        first = 2 + len(clusters)
        pieces = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
        for number, piece in enumerate(pieces, first):
            clusters[number] = piece
            if keep:
                table[number] = 0xFFF if number == first + len(pieces) - 1 else number + 1
        return first if pieces else 0

    folders: dict[str, list[bytes]] = {"": []}
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        gone = path in deleted
        folders.setdefault(folder, []).append(_entry(name, 0x20, place(data, keep=not gone), len(data), gone=gone))
    for folder in sorted(f for f in folders if f):
        here = 2 + len(clusters)
        lines = [_raw(b".          ", 0x10, here, 0), _raw(b"..         ", 0x10, 0, 0), *folders[folder]]
        folders[""].append(_entry(folder, 0x10, place(b"".join(lines).ljust(-(-len(lines) * 32 // SECTOR) * SECTOR, b"\0")), 0))
    if len(clusters) > _CLUSTERS or len(folders[""]) > 512:
        raise ValueError("too much for this medium")
    fat = bytearray(_TABLE)
    fat[:3] = b"\xf8\xff\xff"
    for number, value in table.items():
        at = number * 3 // 2
        old = fat[at] | fat[at + 1] << 8
        new = (old & 0xF000) | value if number % 2 == 0 else (old & 0x000F) | value << 4
        fat[at], fat[at + 1] = new & 0xFF, new >> 8
    total = _DATA // SECTOR + _CLUSTERS
    boot = struct.pack("<3s8sHBHBHHBHHHII", b"\xeb\x3c\x90", b"MSDOS5.0", SECTOR, 1, 1, 2, 512, total, 0xF8, 12, 32, 2, 0, 0)
    boot += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, serial, b"NO NAME    ", b"FAT12   ")
    body = b"".join(clusters[n].ljust(SECTOR, b"\0") for n in sorted(clusters)).ljust(_CLUSTERS * SECTOR, b"\0")
    return boot.ljust(510, b"\0") + b"\x55\xaa" + bytes(fat) * 2 + b"".join(folders[""]).ljust(_ROOT, b"\0") + body


def _entry(name: str, attributes: int, cluster: int, size: int, *, gone: bool = False) -> bytes:
    stem, _, extension = name.partition(".")
    raw = stem.encode().ljust(8) + extension.encode().ljust(3)
    return _raw(b"\xe5" + raw[1:] if gone else raw, attributes, cluster, size)


def _raw(name: bytes, attributes: int, cluster: int, size: int) -> bytes:
    return struct.pack("<11sBBBHHHHHHHI", name, attributes, 0, 0, _TIME, _DATE, _DATE, 0, _TIME, _DATE, cluster, size)
