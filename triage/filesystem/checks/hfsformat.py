"""HFS+ read without TSK: volume headers, wrappers, the journal's header, and the bytes of forks.

Sections and field names are those of Apple's Technical Note TN1150, "HFS Plus Volume Format". Numbers are big-endian. Nothing that is
read is believed: what cannot be gives ``None``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.filesystem.checks import VolumeReader

ROOT = 2
EXTENTS, CATALOG, BAD_BLOCKS, ALLOCATION, STARTUP, ATTRIBUTES = 3, 4, 5, 6, 7, 8
FIRST_USER = 16
"""Lower catalog node IDs are the file system's own."""
UNMOUNTED, INCONSISTENT, REUSED_IDS, JOURNALED = 1 << 8, 1 << 11, 1 << 12, 1 << 13
"""Volume attributes."""
HEADER = 1024
PIECE = 4 << 20
_FORKS = ((ALLOCATION, 112), (EXTENTS, 192), (CATALOG, 272), (ATTRIBUTES, 352), (STARTUP, 432))
SPECIAL_FILES = {
    ALLOCATION: "the allocation file",
    EXTENTS: "the extents overflow file",
    CATALOG: "the catalog",
    ATTRIBUTES: "the attributes file",
    STARTUP: "the startup file",
}


class Extent(NamedTuple):
    """``length`` allocation blocks from ``start`` on."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Fork:
    """A fork: its size in bytes, how many blocks it has in all, and its first eight extents (HFSPlusForkData)."""

    size: int
    blocks: int
    extents: tuple[Extent, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """A volume header (HFSPlusVolumeHeader)."""

    signature: bytes
    version: int
    attributes: int
    journal: int
    created: int
    files: int
    folders: int
    block: int
    blocks: int
    free: int
    next_id: int
    forks: dict[int, Fork]

    @property
    def fixed(self) -> tuple[object, ...]:
        """What a header and its copy agree in as long as no special file grows, and never change while mounted."""
        return self.signature, self.version, self.created, self.block, self.blocks, self.attributes & JOURNALED


def read_fork(data: bytes, at: int) -> Fork:
    """Decode HFSPlusForkData; extents end at the first empty one."""
    size, _, blocks = struct.unpack_from(">QII", data, at)
    return Fork(size, blocks, read_extents(data, at + 16))


def read_extents(data: bytes, at: int) -> tuple[Extent, ...]:
    """Decode an HFSPlusExtentRecord."""
    numbers = struct.unpack_from(">16I", data, at)
    rows = []
    for number in range(0, 16, 2):
        if not numbers[number + 1]:
            break
        rows.append(Extent(numbers[number], numbers[number + 1]))
    return tuple(rows)


def read_header(data: bytes) -> Header | None:
    """Return a volume header, ``None`` when it is none or cannot be."""
    if len(data) < 512 or data[:2] not in (b"H+", b"HX"):
        return None
    version, attributes, _, journal, created = struct.unpack_from(">HI4sII", data, 2)
    files, folders, block, blocks, free = struct.unpack_from(">IIIII", data, 32)
    next_id = struct.unpack_from(">I", data, 64)[0]
    if version not in (4, 5) or not 512 <= block <= 1 << 24 or block & (block - 1) or not blocks:
        return None
    forks = {kind: read_fork(data, at) for kind, at in _FORKS}
    return Header(data[:2], version, attributes, journal, created, files, folders, block, blocks, free, next_id, forks)


def embedded(reader: VolumeReader) -> int:
    """Return where the HFS+ volume begins: behind 0 when an HFS wrapper is around it ("HFS Wrapper")."""
    data = reader.read(HEADER, 512)
    if data[:2] != b"BD" or len(data) < 512 or data[124:126] not in (b"H+", b"HX"):
        return 0
    block = struct.unpack_from(">I", data, 20)[0]
    first, start = struct.unpack_from(">H", data, 28)[0], struct.unpack_from(">H", data, 126)[0]
    return int(first * 512 + start * block)


@dataclass(slots=True)
class Disk:
    """An HFS+ volume's blocks. ``base`` is where it begins in the volume that holds it, ``size`` how far it can reach."""

    reader: VolumeReader
    base: int
    header: Header

    @property
    def size(self) -> int:
        """Bytes from the beginning to the end of the volume that holds it."""
        return max(0, self.reader.size - self.base)

    @property
    def blocks(self) -> int:
        """Allocation blocks, no more than there is room for."""
        return min(self.header.blocks, -(-self.size // self.header.block))

    def fork(self, extents: Sequence[Extent], size: int, piece: int = PIECE) -> Iterator[bytes]:
        """Yield what lies in extents in pieces of exactly ``piece`` bytes but for the last; zeros for what the medium lacks."""
        block = self.header.block
        kept = bytearray()
        left = min(size, sum(count for _, count in extents) * block)
        for start, count in extents:
            length, done = min(count * block, left), 0
            while done < length:
                ask = min(length - done, piece - len(kept))
                kept += self.reader.read(self.base + start * block + done, ask).ljust(ask, b"\0")
                done += ask
                if len(kept) == piece:
                    yield bytes(kept)
                    kept.clear()
            left -= length
        if kept:
            yield bytes(kept)

    def at(self, extents: Sequence[Extent], position: int, length: int) -> bytes:
        """Return bytes at a position of what lies in extents, as far as they lie in one of them."""
        for start, count in extents:
            room = count * self.header.block
            if position < room:
                return self.reader.read(self.base + start * self.header.block + position, min(length, room - position))
            position -= room
        return b""

    def inside(self, extents: Sequence[Extent]) -> list[Extent]:
        """Return the extents that lie in the volume, up to the first that does not."""
        kept = []
        for extent in extents:
            if not extent.length or extent.start + extent.length > self.blocks:
                break
            kept.append(extent)
        return kept


def journal_pending(disk: Disk) -> bool:
    """Whether the journal holds changes that were not yet made ("Journal": JournalInfoBlock, journal_header)."""
    if not disk.header.attributes & JOURNALED or not 0 < disk.header.journal < disk.blocks:
        return False
    info = disk.reader.read(disk.base + disk.header.journal * disk.header.block, 52)
    if len(info) < 52 or not info[3] & 1:  # not in this file system
        return False
    offset = struct.unpack_from(">Q", info, 36)[0]
    if not 0 < offset < disk.size:
        return False
    data = disk.reader.read(disk.base + offset, 44)
    for order in "<>":
        if len(data) >= 44 and struct.unpack_from(f"{order}II", data) == (0x4A4E4C78, 0x12345678):
            start, end = struct.unpack_from(f"{order}QQ", data, 8)
            return bool(start != end)
    return False


def utf8(name: bytes) -> bytes:
    """Return a name as TSK gives it: UTF-16's bytes as UTF-8, ``:`` for ``/`` and ``^`` for NUL."""
    return name.decode("utf-16-be", "surrogatepass").replace("/", ":").replace("\0", "^").encode("utf-8", "surrogatepass")
