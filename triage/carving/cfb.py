"""The sectors of an OLE compound file: its allocation tables, its directory, and the chains that its streams are.

Specification: [MS-CFB] 2.2 (header), 2.3 (FAT), 2.4 (mini FAT), 2.5 (DIFAT), 2.6 (directory). Offsets are bytes from the file's first;
sector ``n`` begins at ``(n + 1)`` times the sector's size. Every chain is followed once, so that no file can make this loop.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from triage.carving.window import Window

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_FREE, _END, _FAT, _DIFAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
_HEADER = struct.Struct("<HHHHH6xIIIIIIIII")  # from 24: version, order, shifts; from 40: counts and first sectors
_ENTRY = struct.Struct("<64sHBBIII16sI8s8sIQ")
_ROOT = "Root Entry\0".encode("utf-16-le")
_MINI = 64
_CUTOFF = 4096
_MOST_FAT = 1 << 16
"""Sectors that tables may have: 4 GiB of file at 512 bytes a sector."""
_MOST_DIRECTORY = 1 << 13
"""Sectors of the directory that are read."""


@dataclass(frozen=True, slots=True)
class CfbEntry:
    """An entry of the directory. ``top``: it lies in the root. ``chain``: its sectors, ``None`` if they do not lead where its size says."""

    name: str
    kind: int
    size: int
    top: bool
    clsid: bytes
    mini: bool
    chain: list[int] | None


@dataclass(slots=True)
class Compound:
    """What was read of a compound file.

    ``end``: where the last sector in use ends. ``entries``: the root first; empty if the directory was not reached. ``lost``: what of
    the tables is not where it should be, in words, or nothing. ``tables``: the allocation table was read, and is one.
    ``sure``: bytes up to the last sector of tables and directory that is where it should be.
    """

    sector: int
    end: int
    entries: list[CfbEntry] = field(default_factory=list)
    mini_chain: list[int] = field(default_factory=list)
    lost: str = ""
    tables: bool = False
    sure: int = 0

    def pieces(self, entry: CfbEntry) -> list[tuple[int, int]]:
        """Return ``(offset, length)`` of an entry's bytes in the file, neighbours as one."""
        found: list[tuple[int, int]] = []
        left = entry.size
        for number in entry.chain or ():
            if entry.mini:
                sector, inside = divmod(number * _MINI, self.sector)
                if sector >= len(self.mini_chain):
                    return []
                at, length = (self.mini_chain[sector] + 1) * self.sector + inside, min(_MINI, left)
            else:
                at, length = (number + 1) * self.sector, min(self.sector, left)
            if found and sum(found[-1]) == at:
                found[-1] = (found[-1][0], found[-1][1] + length)
            else:
                found.append((at, length))
            left -= length
        return found


def read_compound(window: Window) -> Compound | None:
    """Return what the tables say; ``None`` if the header is none ([MS-CFB] 2.2)."""
    head = window.at(0, 512)
    if len(head) < 512 or not head.startswith(MAGIC):
        return None
    _, version, order, shift, mini_shift, directories, fats, first, _, cutoff, mini, minis, difat, difats = _fields(head)
    if (
        order != 0xFFFE
        or (version, shift) not in ((3, 9), (4, 12))
        or mini_shift != 6
        or cutoff != _CUTOFF
        or directories > _MOST_DIRECTORY
    ):
        return None
    if not 0 < fats <= _MOST_FAT or head[34:40].strip(b"\0") or first >= _DIFAT:
        return None
    found = Compound(sector=1 << shift, end=0)
    places = _fat_places(window, head, found, fats, difat, difats)
    if places is None:
        return found
    fat = _tables(window, found.sector, places, found)
    if fat is None:
        return found
    found.tables, found.sure = True, (max(places) + 2) * found.sector
    used = np.flatnonzero(fat != _FREE)
    found.end = (int(used[-1]) + 2) * found.sector if len(used) else 0
    _read_directory(window, found, fat.tolist(), first, mini, minis)
    return found


def displaced_tables(window: Window, furthest: int) -> tuple[int, int] | None:
    """Return where the directory or the first allocation table should be and is not, and where it is, at most ``furthest`` bytes on.

    The directory begins with the root's name; an allocation table marks itself (2.3).
    """
    head = window.at(0, 512)
    _, _, _, shift, _, _, _, first, *_ = _fields(head)
    sector, table = 1 << shift, int.from_bytes(head[76:80], "little")
    at = (first + 1) * sector
    if window.at(at, len(_ROOT)) != _ROOT:
        found = window.find(_ROOT, at + 512, at + furthest)
        return (at, found) if found >= 0 and (found - at) % 512 == 0 else None
    at = (table + 1) * sector
    own = table % (sector // 4) * 4
    for offset, data in window.chunks(at, at + furthest):
        for place in range(0, len(data) - sector + 1, 512):
            if data[place + own : place + own + 4] == b"\xfd\xff\xff\xff":
                return (at, offset + place) if offset + place > at else None
    return None


def _fields(head: bytes) -> tuple[int, ...]:
    return _HEADER.unpack_from(head, 24)


def _fat_places(window: Window, head: bytes, found: Compound, fats: int, difat: int, difats: int) -> list[int] | None:
    """Return the sectors of the FAT (2.5); ``found.lost`` and ``end`` say what is wrong, and where the file ends at the earliest."""
    places = list(struct.unpack_from("<109I", head, 76))
    per, seen = found.sector // 4 - 1, set[int]()
    while len(places) < fats and len(seen) < difats:
        if difat in seen or difat >= _DIFAT:
            break
        seen.add(difat)
        data = window.at((difat + 1) * found.sector, found.sector)
        if len(data) < found.sector:
            break
        places += struct.unpack_from(f"<{per}I", data)
        difat = int.from_bytes(data[-4:], "little")
    places = places[:fats]
    if len(places) < fats or any(place >= _DIFAT for place in places):
        found.lost = "the list of its allocation tables"
        return None
    found.end = min((max([*places, *seen]) + 2) * found.sector, (fats * (found.sector // 4) + 1) * found.sector)
    return places


def _tables(window: Window, sector: int, places: list[int], found: Compound) -> np.ndarray[tuple[int], np.dtype[np.uint32]] | None:
    """Return the FAT: each of its sectors is marked as such in it (2.3)."""
    pieces = []
    for place in places:
        data = window.at((place + 1) * sector, sector)
        if len(data) < sector:
            found.lost = "an allocation table: the space ends before it"
            return None
        pieces.append(data)
    fat = np.frombuffer(b"".join(pieces), "<u4").astype(np.uint32)
    wrong = [place for place in places if place >= len(fat) or fat[place] != _FAT]
    if wrong:
        found.lost = f"the allocation table that should stand at byte {(wrong[0] + 1) * sector}"
        return None
    return fat


def _chain(table: list[int], start: int, count: int, seen: bytearray) -> list[int] | None:
    """Return the numbers of a chain of exactly ``count``, which share none with another's (``seen``); ``None`` if it is not so."""
    chain, size = [], len(table)
    for _ in range(count):
        if start >= size or seen[start]:
            return None
        seen[start] = 1
        chain.append(start)
        start = table[start]
    return chain if start == _END or not count else None


def _whole_chain(table: list[int], start: int, most: int, seen: bytearray) -> list[int] | None:
    """Return the numbers of a chain whose length is not known; ``None`` if it does not end."""
    chain, size = list[int](), len(table)
    while start != _END:
        if start >= size or seen[start] or len(chain) >= most:
            return None
        seen[start] = 1
        chain.append(start)
        start = table[start]
    return chain


def _read_directory(window: Window, found: Compound, fat: list[int], first: int, mini: int, minis: int) -> None:
    sector, seen = found.sector, bytearray(len(fat))
    chain = _whole_chain(fat, first, _MOST_DIRECTORY, seen)
    if chain is None:
        found.lost = "the chain of its directory"
        return
    raw = b"".join(window.at((number + 1) * sector, sector) for number in chain)
    entries = list(_ENTRY.iter_unpack(raw[: len(raw) // 128 * 128]))
    if not entries or entries[0][2] != 5 or len(raw) < len(chain) * sector:
        found.lost = "its directory"
        return
    found.sure = max(found.sure, (max(chain) + 2) * sector)
    mini_fat: list[int] = []
    if minis:
        mini_chain = _whole_chain(fat, mini, len(fat), seen)
        if mini_chain is None:
            found.lost = "the chain of its mini table"
        else:
            data = b"".join(window.at((number + 1) * sector, sector) for number in mini_chain)
            mini_fat = list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))
    top, mini_seen = _top(entries), bytearray(len(mini_fat))
    for i, (name, length, kind, _, _, _, _, clsid, _, _, _, start, stated) in enumerate(entries):
        if kind not in (1, 2, 5):
            continue
        size = stated & 0xFFFFFFFF if sector == 512 else stated  # 2.6.3: the upper half may hold anything in version 3
        is_mini = kind == 2 and size < _CUTOFF
        chained: list[int] | None = []
        if kind != 1 and size:
            if is_mini:
                chained = _chain(mini_fat, start, -(-size // _MINI), mini_seen)
            else:
                chained = _chain(fat, start, -(-size // sector), seen) if size <= len(fat) * sector else None
        if kind == 5:
            found.mini_chain = chained or []
        text = name[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        found.entries.append(CfbEntry(text, kind, size, i in top, clsid, is_mini, chained))


def _top(entries: list[tuple[bytes, int, int, int, int, int, int, bytes, int, bytes, bytes, int, int]]) -> set[int]:
    """Return the numbers of what lies in the root itself: the tree below its child (2.6.4)."""
    found: set[int] = set()
    waiting = [entries[0][6]]
    while waiting:
        number = waiting.pop()
        if number < len(entries) and number not in found:
            found.add(number)
            waiting += [entries[number][4], entries[number][5]]
    return found
