"""Virtual disks of Virtual PC and older Hyper-V (VHD): fixed, dynamic, and differencing ones with the disk that they continue.

Source: Microsoft, *Virtual Hard Disk Image Format Specification*, version 1.0 (2006). Numbers are big-endian.
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.evidence.blockmap import LOST_TABLE, PARENT, DiskError, MappedMedium, Table, padded, stretches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.evidence.blockmap import Places
    from triage.evidence.medium import Medium

COOKIE = b"conectix"
KINDS = {2: "fixed", 3: "dynamic", 4: "differencing"}
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4
_HEADER_COOKIE = b"cxsparse"
_FREE = 0xFFFFFFFF
_EPOCH = 946_684_800  # 2000-01-01 in seconds since 1970
_FOOTER, _HEADER = 512, 1024
_NAME_KINDS = (b"W2ru", b"W2ku")
_LONGEST_NAME = 4096
_SYSTEMS = {b"Wi2k": "Windows", b"Mac ": "Macintosh"}


class Footer(NamedTuple):
    """What a footer says. ``made``: seconds since 1970 UTC; ``whole``: whether its checksum is right; ``copy``: it is that at the head."""

    kind: int
    size: int
    header: int
    made: int
    creator: str
    identifier: str
    saved: bool
    whole: bool
    copy: bool


class Header(NamedTuple):
    """What a dynamic disk's second header says; places and sizes in bytes."""

    table: int
    entries: int
    block: int
    parent: str
    parent_name: str
    whole: bool


def read_footer(file: Medium) -> Footer:
    """Return the footer, or its copy at the head where that is damaged; raise :class:`DiskError` or ``OSError``."""
    found: list[Footer] = []
    for at in (file.size - _FOOTER, 0):
        raw = file.read_at(max(0, at), _FOOTER)
        if len(raw) == _FOOTER and raw.startswith(COOKIE):
            found.append(_footer(raw, copy=at == 0))
    if not found:
        raise DiskError("cannot be opened: it has no VHD footer")
    return next((one for one in found if one.whole), found[0])


def _footer(raw: bytes, *, copy: bool) -> Footer:
    header, made, app, major, minor, system, _, size = struct.unpack_from(">QI4sHH4sQQ", raw, 16)
    kind, checksum = struct.unpack_from(">II", raw, 60)
    name = app.decode("ascii", "replace").strip("\0 ")
    where = _SYSTEMS.get(system, system.decode("ascii", "replace").strip("\0 "))
    creator = " ".join(filter(None, (name, f"{major}.{minor}" if name else "", f"({where})" if where else "")))
    whole = _sum(raw, 64) == checksum
    made = made + _EPOCH if made else 0
    return Footer(kind, size, header, made, creator, str(uuid.UUID(bytes=raw[68:84])), bool(raw[84]), whole, copy)


def _sum(raw: bytes, at: int) -> int:
    """Return the checksum of a header that keeps it at a place: the sum of all other bytes, each bit turned round."""
    return ~(sum(raw) - sum(raw[at : at + 4])) & 0xFFFFFFFF


def read_header(file: Medium, footer: Footer) -> Header:
    """Return the header of a dynamic or differencing disk; raise :class:`DiskError` or ``OSError``."""
    raw = file.read_at(footer.header, _HEADER) if footer.header < file.size else b""
    if len(raw) < _HEADER or not raw.startswith(_HEADER_COOKIE):
        raise DiskError("cannot be opened: its second header is not where its footer says")
    table, _, entries, block, checksum = struct.unpack_from(">QIIII", raw, 16)
    if not 512 <= block <= 1 << 30 or block & (block - 1):
        raise DiskError(f"cannot be opened: its header states blocks of {block} bytes")
    if entries * block < footer.size:
        raise DiskError("cannot be opened: its table is too short for the size that its footer states")
    parent = str(uuid.UUID(bytes=raw[40:56])) if footer.kind == DIFFERENCING else ""
    name = _parent_name(file, raw) if footer.kind == DIFFERENCING else ""
    return Header(table, entries, block, parent, name, _sum(raw, 36) == checksum)


def _parent_name(file: Medium, raw: bytes) -> str:
    """Return the parent's name: the header's own, else that of a locator."""
    name = raw[64:576].decode("utf-16-be", "replace").partition("\0")[0]
    for number in range(8):
        kind, _, length, _, at = struct.unpack_from(">4sIIIQ", raw, 576 + number * 24)
        if not name and kind in _NAME_KINDS and at < file.size:
            name = file.read_at(at, min(length, _LONGEST_NAME)).decode("utf-16-le", "replace").partition("\0")[0]
    return name


class VhdMedium(MappedMedium):
    """The disk that a dynamic or differencing file holds."""

    def __init__(self, file: Medium, footer: Footer, header: Header, parent: Medium | None = None, missing: str = "") -> None:
        self._differs = footer.kind == DIFFERENCING
        super().__init__(file, footer.size, 512 if self._differs else header.block, parent, missing)
        self._block = header.block
        self._bitmap = -(-header.block // 512 // 8 // 512) * 512 or 512
        self._table = Table(file, header.table, -(-footer.size // header.block), ">u4")

    def places(self, first: int, count: int) -> Places:
        """Return where blocks lie, of a differencing disk its sectors; see :class:`triage.evidence.blockmap.MappedMedium`."""
        if self._differs:
            return self._sectors(first, count)
        values, count = self._table.slice(first, count)
        return padded(np.where(values == _FREE, PARENT, values * 512 + self._bitmap), count)

    def _sectors(self, first: int, count: int) -> Places:
        width = self._block // 512
        number, inside = divmod(first, width)
        count = min(count, width - inside)
        values, _ = self._table.slice(number, 1)
        if not len(values):
            return np.full(count, LOST_TABLE, dtype=np.int64)
        place = int(values[0]) * 512
        if values[0] == _FREE:
            return np.full(count, PARENT, dtype=np.int64)
        raw = self.file.read_at(place + inside // 8, (inside % 8 + count + 7) // 8) if place < self.file.size else b""
        bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8))[inside % 8 :][:count]
        own = place + self._bitmap + np.arange(inside, inside + len(bits), dtype=np.int64) * 512
        return padded(np.where(bits == 1, own, PARENT), count)

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield the blocks that are there, and those that the table no longer gives."""
        width = self._block // self.unit
        end = 0
        for first, values in self._table.pages():
            for start, many in stretches(first, values != _FREE):
                yield start * width, many * width
            end = first + len(values)
        if end < self._table.count:
            yield end * width, (self._table.count - end) * width
