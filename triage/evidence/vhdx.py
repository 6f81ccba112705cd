"""Hyper-V's virtual disks (VHDX): fixed, dynamic, and differencing ones; what stands in the log is put in, in memory.

Source: [MS-VHDX], *Virtual Hard Disk v2 (VHDX) File Format*: sections 2.2 (headers, regions), 2.3 (log), 2.5 (block table), 2.6 (metadata).
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.evidence.blockmap import LOST_PLACE, LOST_TABLE, PARENT, ZERO, DiskError, MappedMedium, Table, padded, stretches
from triage.evidence.vhdxlog import checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.evidence.blockmap import Places
    from triage.evidence.medium import Medium

SIGNATURE = b"vhdxfile"
_HEADERS, _REGIONS = (64 << 10, 128 << 10), (192 << 10, 256 << 10)
_REGION_BYTES, _HEADER_BYTES = 64 << 10, 4096
_BLOCKS, _METADATA = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08"), uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_PARAMETERS = uuid.UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_SIZE = uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_IDENTIFIER = uuid.UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
_SECTOR = uuid.UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PARENT = uuid.UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
_WHOLE, _PARTLY, _NOT_THERE = 6, 7, 0
_MOST_ITEMS, _MOST_REGIONS, _MOST_KEYS, _LONGEST_ITEM = 1024, 2047, 64, 64 << 10
_BITMAP = 1 << 20


class Header(NamedTuple):
    """The newest of the two headers. ``log``: place and length; ``log_identifier``: zeros when it is empty. ``both``: both are whole."""

    sequence: int
    data_write: str
    log_identifier: bytes
    log: tuple[int, int]
    both: bool
    creator: str


class Disk(NamedTuple):
    """What the metadata say. ``parent``: by key what they say of the disk below."""

    size: int
    block: int
    sector: int
    identifier: str
    differs: bool
    fixed: bool
    table: tuple[int, int]
    parent: dict[str, str]


def read_header(file: Medium) -> Header:
    """Return the newest header that is whole; raise :class:`DiskError` or ``OSError``."""
    if file.read_at(0, 8) != SIGNATURE:
        raise DiskError("cannot be opened: it has no VHDX signature")
    found = [raw for raw in (file.read_at(at, _HEADER_BYTES) for at in _HEADERS) if checked(raw, b"head", _HEADER_BYTES)]
    if not found:
        raise DiskError("cannot be opened: neither of its two headers is whole")
    raw = max(found, key=lambda one: int.from_bytes(one[8:16], "little"))
    sequence, _, data_write, log_id, _, version, length, at = struct.unpack_from("<Q16s16s16sHHIQ", raw, 8)
    if version != 1:
        raise DiskError(f"is a VHDX of version {version}, which is not known", "convert it with Hyper-V")
    creator = file.read_at(8, 512).decode("utf-16-le", "replace").partition("\0")[0]
    return Header(sequence, str(uuid.UUID(bytes_le=data_write)), log_id, (at, length), len(found) == 2, creator)


def read_disk(file: Medium) -> Disk:
    """Return what the regions and metadata say; raise :class:`DiskError` or ``OSError``. The log must have been put in."""
    regions = _regions(file)
    if _BLOCKS not in regions or _METADATA not in regions:
        raise DiskError("cannot be opened: its table of regions names no blocks or no metadata")
    items = _items(file, *regions[_METADATA])
    if any(len(items.get(key, b"")) < length for key, length in ((_PARAMETERS, 8), (_SIZE, 8), (_SECTOR, 4))):
        raise DiskError("cannot be opened: its metadata do not tell its size")
    block, flags = struct.unpack_from("<II", items[_PARAMETERS])
    size, sector = int.from_bytes(items[_SIZE][:8], "little"), int.from_bytes(items[_SECTOR][:4], "little")
    if sector not in (512, 4096) or not 1 << 20 <= block <= 256 << 20 or block & (block - 1):
        raise DiskError(f"cannot be opened: its metadata state blocks of {block} bytes and sectors of {sector}")
    identifier = str(uuid.UUID(bytes_le=items[_IDENTIFIER][:16])) if len(items.get(_IDENTIFIER, b"")) >= 16 else ""
    parent = _locator(items.get(_PARENT, b"")) if flags & 2 else {}
    return Disk(size, block, sector, identifier, bool(flags & 2), bool(flags & 1), regions[_BLOCKS], parent)


def _regions(file: Medium) -> dict[uuid.UUID, tuple[int, int]]:
    """Return place and length of the regions by the first of the two tables that is whole."""
    for at in _REGIONS:
        raw = file.read_at(at, _REGION_BYTES)
        if checked(raw, b"regi", _REGION_BYTES):
            break
    else:
        raise DiskError("cannot be opened: neither of its two tables of regions is whole")
    many = min(int.from_bytes(raw[8:12], "little"), _MOST_REGIONS)
    found: dict[uuid.UUID, tuple[int, int]] = {}
    for number in range(many):
        key, place, length, required = struct.unpack_from("<16sQII", raw, 16 + number * 32)
        name = uuid.UUID(bytes_le=key)
        if required & 1 and name not in (_BLOCKS, _METADATA):
            raise DiskError("has a region that must be understood and is not known", "convert it with Hyper-V")
        found.setdefault(name, (place, length))
    return found


def _items(file: Medium, at: int, length: int) -> dict[uuid.UUID, bytes]:
    """Return the metadata's items."""
    head = file.read_at(at, 32 + _MOST_ITEMS * 32) if at < file.size else b""
    if not head.startswith(b"metadata") or len(head) < 32:
        raise DiskError("cannot be opened: its metadata are damaged")
    many = min(int.from_bytes(head[10:12], "little"), _MOST_ITEMS, (len(head) - 32) // 32)
    found: dict[uuid.UUID, bytes] = {}
    for number in range(many):
        key, place, size, _ = struct.unpack_from("<16sIII", head, 32 + number * 32)
        if 0 < size <= min(_LONGEST_ITEM, length) and at + place < file.size:
            found.setdefault(uuid.UUID(bytes_le=key), file.read_at(at + place, size))
    return found


def _locator(raw: bytes) -> dict[str, str]:
    """Return what a parent locator says, by key."""
    found: dict[str, str] = {}
    many = min(int.from_bytes(raw[18:20], "little"), _MOST_KEYS)
    for number in range(min(many, max(0, len(raw) - 20) // 12)):
        key_at, value_at, key_length, value_length = struct.unpack_from("<IIHH", raw, 20 + number * 12)
        key, value = (raw[at : at + size].decode("utf-16-le", "replace") for at, size in ((key_at, key_length), (value_at, value_length)))
        found.setdefault(key, value)
    return found


def parent_name(disk: Disk) -> str:
    """Return the name of the disk that this one continues, "" when it stands alone."""
    if not disk.differs:
        return ""
    keys = ("relative_path", "absolute_win32_path", "volume_path")
    return next((disk.parent[key] for key in keys if disk.parent.get(key)), "a disk without a name")


class VhdxMedium(MappedMedium):
    """The disk that a file holds; its log must have been put in."""

    def __init__(self, file: Medium, disk: Disk, parent: Medium | None = None, missing: str = "") -> None:
        super().__init__(file, disk.size, disk.sector if disk.differs else disk.block, parent, missing)
        self.sector_size = disk.sector
        self._disk = disk
        self._ratio = (disk.sector << 23) // disk.block  # blocks between two entries of bitmaps
        blocks = -(-disk.size // disk.block)
        needed = blocks + (blocks - 1) // self._ratio if not disk.differs else -(-blocks // self._ratio) * (self._ratio + 1)
        at, length = disk.table
        self._blocks = blocks
        self._table = Table(file, at, min(needed, length // 8), "<u8")

    def _entries(self, first: int, count: int) -> tuple[Places, int]:
        """Return the entries of at most ``count`` blocks that follow each other in the table."""
        count = min(count, self._ratio - first % self._ratio, self._blocks - first)
        at = first + first // self._ratio
        if at >= self._table.count:
            return np.empty(0, dtype=np.int64), count
        values, asked = self._table.slice(at, count)
        return values, asked if asked < count and at + asked < self._table.count else count

    def places(self, first: int, count: int) -> Places:
        """Return where blocks lie, of a differencing disk its sectors; see :class:`triage.evidence.blockmap.MappedMedium`."""
        if self._disk.differs:
            return self._sectors(first, count)
        values, count = self._entries(first, count)
        return padded(_decoded(values, ZERO), count)

    def _sectors(self, first: int, count: int) -> Places:
        disk = self._disk
        width = disk.block // disk.sector
        number, inside = divmod(first, width)
        count = min(count, width - inside)
        values, _ = self._entries(number, 1)
        if not len(values):
            return np.full(count, LOST_TABLE, dtype=np.int64)
        place = int(_decoded(values, PARENT)[0])
        own = (
            place + np.arange(inside, inside + count, dtype=np.int64) * disk.sector if place >= 0 else np.full(count, place, dtype=np.int64)
        )
        if int(values[0]) & 7 != _PARTLY:
            return own
        chunk, within = divmod(number, self._ratio)
        at = (chunk + 1) * (self._ratio + 1) - 1
        bitmap, _ = self._table.slice(at, 1) if at < self._table.count else (values[:0], 0)
        if not len(bitmap) or int(bitmap[0]) & 7 != _WHOLE:
            return np.full(count, LOST_TABLE, dtype=np.int64)
        bit = within * width + inside
        start = int(_decoded(bitmap, ZERO)[0]) + bit // 8
        raw = self.file.read_at(start, (bit % 8 + count + 7) // 8) if start < self.file.size else b""
        bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8), bitorder="little")[bit % 8 :][:count]
        return padded(np.where(bits == 1, own[: len(bits)], PARENT), count)

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield the blocks that are there, and those that the table no longer gives."""
        width = self._disk.block // self.unit
        at = 0
        while at < self._blocks:
            values, many = self._entries(at, self._blocks - at)
            for start, length in stretches(at, padded(values & 7, many) != _NOT_THERE):
                yield start * width, length * width
            at += many
            if not len(values):  # no table any more
                if at < self._blocks:
                    yield at * width, (self._blocks - at) * width
                return


def _decoded(values: Places, nothing: int) -> Places:
    """Return the places that entries stand for; ``nothing`` is what a block that is not there has."""
    states = values & 7
    places = values >> 20 << 20
    found = np.where((states == _WHOLE) | (states == _PARTLY), places, ZERO)
    found[states == _NOT_THERE] = nothing
    found[((states == _WHOLE) | (states == _PARTLY)) & (places < _BITMAP)] = LOST_PLACE  # the first mebibyte is the headers'
    return found
