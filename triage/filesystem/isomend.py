"""An optical disc that TSK refuses because of a few damaged sectors, mended by what the disc says elsewhere.

TSK gives a disc up when the first volume descriptor, one between it and the terminator, the terminator itself or the big-endian path
table is damaged. Descriptors that are gone are passed over, the terminator is put where the last one ends, numbers are taken from the other
byte order, and the path table is made again from the directories. Nothing is written: see :mod:`triage.filesystem.overlay`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.filesystem.checks import VolumeReader
from triage.filesystem.checks.isodisc import MAX_DIRECTORY, SECTOR, Disc, Tally, read_descriptors, read_path_table
from triage.filesystem.checks.isotree import Tree
from triage.model import Volume

if TYPE_CHECKING:
    from triage.evidence.medium import Medium
    from triage.filesystem.checks.isodisc import Descriptor

_MAX_NAME = 128
"""Bytes of a name in the path table: TSK gives the disc up at a longer one."""
FIRST, LAST = 16, 32
"""Sectors in which descriptors are looked for."""
_BOOT, _TERMINATOR = b"\0CD001\1".ljust(SECTOR, b"\0"), b"\xffCD001\1".ljust(SECTOR, b"\0")


def iso_patches(medium: Medium, start: int) -> list[tuple[int, bytes]]:
    """Return what to put where, as ``(offset on the medium, bytes)``, so that TSK opens the disc at ``start``; nothing if none helps."""
    sectors = {n: _read(medium, start + n * SECTOR) for n in range(FIRST, LAST)}
    named = [n for n, data in sectors.items() if data[1:6] == b"CD001" and data[0] in (0, 1, 2, 3)]
    if not any(sectors[n][0] in (1, 2) for n in named):
        return []
    end = next((n for n, data in sectors.items() if data[:6] == b"\xffCD001" and n > named[0]), named[-1] + 1)
    for number in range(FIRST, end):
        data = sectors[number]
        if data[1:6] != b"CD001" or data[0] not in (0, 1, 2, 3):
            sectors[number] = _BOOT
    sectors[end] = _TERMINATOR
    mended = _Sectors(medium, {start + n * SECTOR: data for n, data in sectors.items() if n <= end})
    volume = Volume(evidence="", number=None, offset=start, size=medium.size - start, scheme="none")
    disc = Disc(VolumeReader(mended, volume, lambda: None))
    tables: list[tuple[int, bytes]] = []
    for descriptor in read_descriptors(disc, Tally()):
        whole = bytearray(sectors[descriptor.sector])
        tables += _mend(disc, descriptor, whole)
        sectors[descriptor.sector] = bytes(whole)
    patches = [(n * SECTOR, data) for n, data in sectors.items() if n <= end] + tables
    return [(start + at, data) for at, data in patches if _read(medium, start + at, len(data)) != data]


def _read(medium: Medium, offset: int, length: int = SECTOR) -> bytes:
    try:
        return medium.read_at(offset, length)
    except OSError:
        return bytes(length)


class _Sectors:
    """The medium with other sectors in some places."""

    def __init__(self, medium: Medium, sectors: dict[int, bytes]) -> None:
        self.size, self.sector_size, self.damaged = medium.size, medium.sector_size, medium.damaged
        self._medium = medium
        self._sectors = sectors

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; only whole sectors and parts of one are asked for."""
        for start, data in self._sectors.items():
            if start <= offset < start + SECTOR and offset + length <= start + SECTOR:
                return data[offset - start : offset - start + length]
        return self._medium.read_at(offset, length)

    def close(self) -> None:
        """Leave the medium open."""


def _mend(disc: Disc, descriptor: Descriptor, data: bytearray) -> list[tuple[int, bytes]]:
    """Make a descriptor's big-endian numbers such that TSK goes on; return its path table, where that has to be made again."""
    block = descriptor.block_size()
    space = max((n for n in descriptor.space if n * block <= disc.size), default=disc.size // block)
    struct.pack_into("<H", data, 128, block)
    struct.pack_into(">H", data, 130, block)
    struct.pack_into(">I", data, 84, space)
    tree = Tree(disc, descriptor, Tally())
    tree.hold_against_tables()
    own = _own_records(disc, tree, block)
    rows = _rows(disc, tree, block)
    place, size = descriptor.big_tables[0], descriptor.path_size.big
    there, exact = read_path_table(disc, place * block, size, "big") if place and size < 1 << 24 else ([], False)
    if exact and {(row.extent, row.name) for row in there} == {(extent, name) for extent, _, name in rows}:
        return own
    made = b"".join(_row(*row) for row in rows)
    taken = {at // SECTOR for at in tree.by_place}
    for at in (place * block, descriptor.little_tables[0] * block):  # TSK does not read the little-endian table
        used = range(at // SECTOR, -(-(at + len(made)) // SECTOR))
        if at > FIRST * SECTOR and at + len(made) <= disc.size and not taken & set(used) and len(made) <= _room(descriptor):
            struct.pack_into(">I", data, 136, len(made))
            struct.pack_into(">I", data, 148, at // block)
            return [*own, (at, made)]
    return own


def _own_records(disc: Disc, tree: Tree, block: int) -> list[tuple[int, bytes]]:
    """Return directories' records of themselves where those are damaged: TSK takes the directory's length from there."""
    patches = []
    for place, node in tree.by_place.items():
        data = disc.read(place, SECTOR)
        size = min(max(node.size, SECTOR), MAX_DIRECTORY, disc.size - place) // SECTOR * SECTOR
        if len(data) < SECTOR or not size:
            continue
        numbers = struct.pack("<I", place // block) + struct.pack(">I", place // block) + struct.pack("<I", size) + struct.pack(">I", size)
        if data[2:18] == numbers and data[0] >= 34 and data[32:34] == b"\1\0":
            continue
        if data[0] < 34 or data[32:34] != b"\1\0":
            above = node.parent or node
            rest = bytes(7) + b"\2\0\0\1\0\0\1\1"
            made = b"\x22\0" + numbers + rest + b"\0" + b"\x22\0" + struct.pack("<I", above.pieces[0][0] // block)
            made += struct.pack(">I", above.pieces[0][0] // block) + numbers[8:] + rest + b"\1"
            patches.append((place, made))
        else:
            patches.append((place + 2, numbers))
    return patches


def _room(descriptor: Descriptor) -> int:
    """Return how many bytes a path table may have without lying over what follows it."""
    return max((-(-size // SECTOR) * SECTOR for size in descriptor.path_size if size < 1 << 24), default=0)


def _rows(disc: Disc, tree: Tree, block: int) -> list[tuple[int, int, bytes]]:
    """Return the directories as a path table has them: extent, number of the parent, name; parents first (6.9.1)."""
    rows = [(tree.root.pieces[0][0] // block, 1, b"\0")]
    level = [(1, tree.root)]
    while level and len(rows) < 65_535:
        below = []
        for number, folder in level:
            children = [c for c in folder.children if c.directory and tree.by_place.get(c.pieces[0][0]) is c]
            children = [c for c in children if c.pieces[0][0] + SECTOR <= disc.size and len(c.stored) <= _MAX_NAME]
            for child in sorted(children, key=lambda c: c.stored):
                rows.append((child.pieces[0][0] // block, number, child.stored))
                below.append((len(rows), child))
        level = below
    return rows


def _row(extent: int, parent: int, name: bytes) -> bytes:
    return struct.pack(">BBIH", len(name), 0, extent & 0xFFFFFFFF, min(parent, 65_535)) + name + b"\0" * (len(name) % 2)
