"""Makes registry hives: a tree of keys with values, as Windows lays them out."""

from __future__ import annotations

import struct
from typing import Any

from triage.artifacts.hive import BASE, checksum

NONE = 0xFFFFFFFF
Tree = dict[str, Any]
"""A key: names of keys with trees, names of values behind ``=`` with ``(type, bytes)``, and ``@``: its FILETIME."""


def sz(text: str) -> tuple[int, bytes]:
    """Return a value of text."""
    return 1, text.encode("utf-16-le") + b"\0\0"


def dword(number: int) -> tuple[int, bytes]:
    """Return a value of 32 bits."""
    return 4, struct.pack("<I", number)


class _Maker:
    def __init__(self) -> None:
        self.bin = bytearray(32)
        self.places: dict[str, int] = {}

    def cell(self, data: bytes) -> int:
        at, size = len(self.bin), (len(data) + 4 + 7) & ~7
        self.bin += struct.pack("<i", -size) + data.ljust(size - 4, b"\0")
        return at

    def value(self, name: str, kind: int, data: bytes) -> int:
        size, where = len(data), 0
        if size <= 4:
            size, where = size | 0x80000000, int.from_bytes(data.ljust(4, b"\0"), "little")
        elif size > 16344:
            parts = [self.cell(data[at : at + 16344]) for at in range(0, size, 16344)]
            listed = self.cell(struct.pack(f"<{len(parts)}I", *parts))
            where = self.cell(b"db" + struct.pack("<HI", len(parts), listed))
        else:
            where = self.cell(data)
        return self.cell(b"vk" + struct.pack("<HIIIHH", len(name), size, where, kind, 1, 0) + name.encode("latin-1"))

    def key(self, name: str, tree: Tree, parent: int, path: str, *, root: bool = False) -> int:
        at = self.cell(bytes(76) + name.encode("latin-1"))
        self.places[path] = at
        inner = [
            self.key(one, below, at, f"{path}\\{one}" if path else one)
            for one, below in sorted(tree.items(), key=lambda pair: pair[0].upper())
            if one[0] not in "=@"
        ]
        values = [self.value(one[1:], *data) for one, data in tree.items() if one[0] == "="]
        lines = b"".join(struct.pack("<I4s", one, b"") for one in inner)
        listed = self.cell(b"lf" + struct.pack("<H", len(inner)) + lines) if inner else NONE
        held = self.cell(struct.pack(f"<{len(values)}I", *values)) if values else NONE
        flags = 0x2C if root else 0x20
        record = b"nk" + struct.pack(
            "<HQIIIIIIII", flags, tree.get("@", 0), 0, parent, len(inner), 0, listed, NONE, len(values), held
        ) + struct.pack("<IIIIIIIHH", NONE, NONE, 0, 0, 0, 0, 0, len(name), 0)
        self.bin[at + 4 : at + 4 + len(record)] = record
        return at


def hive(tree: Tree, deleted: tuple[str, ...] = ()) -> bytes:
    """Return a hive; the records of the keys in ``deleted`` are marked as cells not in use (their parents still list them)."""
    maker = _Maker()
    root = maker.key("ROOT", tree, 0, "", root=True)
    size = (len(maker.bin) + 8 + 4095) & ~4095
    rest = size - len(maker.bin)
    maker.bin += struct.pack("<i", rest).ljust(rest, b"\0")
    maker.bin[:32] = b"hbin" + struct.pack("<IIQQI", 0, size, 0, 0, 0)
    for path in deleted:
        at = maker.places[path]
        length = int.from_bytes(maker.bin[at : at + 4], "little", signed=True)
        maker.bin[at : at + 4] = struct.pack("<i", -length)
    base = bytearray(BASE)
    struct.pack_into("<4sIIQIIIIIII", base, 0, b"regf", 1, 1, 0, 1, 5, 0, 1, root, size, 1)
    struct.pack_into("<I", base, 508, checksum(bytes(base)))
    return bytes(base + maker.bin)
