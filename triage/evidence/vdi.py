"""VirtualBox's virtual disks (VDI): dynamic, of a fixed size, and differencing ones with the disk that they continue.

Source: VirtualBox, *src/VBox/Storage/VDICore.h* (pre-header, header of version 1.1, table of blocks; layout only).
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.blockmap import PARENT, ZERO, DiskError, MappedMedium, Table, padded, stretches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.evidence.blockmap import Places
    from triage.evidence.medium import Medium

SIGNATURE = b"\x7f\x10\xda\xbe"
KINDS = {1: "dynamic", 2: "fixed", 3: "undo", 4: "differencing"}
_FREE, _ZERO = 0xFFFFFFFF, 0xFFFFFFFE


class Header(NamedTuple):
    """What a header says; places and sizes in bytes. ``extra``: before each block. Identifiers are "" when there is none."""

    kind: int
    size: int
    table: int
    data: int
    block: int
    extra: int
    blocks: int
    creator: str
    comment: str
    identifier: str
    changed: str
    parent: str
    parent_changed: str


def read_header(file: Medium) -> Header:
    """Return a disk's header; raise :class:`DiskError` or ``OSError``."""
    head = file.read_at(0, 512)
    if len(head) < 512 or head[0x40:0x44] != SIGNATURE:
        raise DiskError("cannot be opened: it has no VDI header")
    version, _, kind = struct.unpack_from("<III", head, 0x44)
    if version >> 16 != 1:
        raise DiskError(f"is a VDI of version {version >> 16}, which is not known", "convert it with VirtualBox")
    table, data = struct.unpack_from("<II", head, 0x154)
    size, block, extra, blocks = struct.unpack_from("<QIII", head, 0x170)
    if not 512 <= block <= 1 << 28 or block % 512 or extra > 1 << 20:
        raise DiskError(f"cannot be opened: its header states blocks of {block} bytes and {extra} before each")
    if blocks * block < size:
        raise DiskError("cannot be opened: its table is too short for the size that its header states")
    creator, comment = (_text(raw) for raw in (head[:0x40], head[0x54:0x154]))
    identifiers = [_uuid(head[at : at + 16]) for at in (0x188, 0x198, 0x1A8, 0x1B8)]
    return Header(kind, size, table, data, block, extra, blocks, creator.strip("<> \n"), comment, *identifiers)


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "replace").strip()


def _uuid(raw: bytes) -> str:
    return str(uuid.UUID(bytes_le=raw)) if any(raw) else ""


class VdiMedium(MappedMedium):
    """The disk that a file holds."""

    def __init__(self, file: Medium, header: Header, parent: Medium | None = None, missing: str = "") -> None:
        """Raise :class:`DiskError` for what is not read."""
        if header.kind not in (1, 2, 4):
            raise DiskError(f"is a VDI of a kind that is not read ({KINDS.get(header.kind, header.kind)})", "convert it with VirtualBox")
        super().__init__(file, header.size, header.block, parent, missing)
        self._header = header
        self._table = Table(file, header.table, -(-header.size // header.block), "<u4")

    def places(self, first: int, count: int) -> Places:
        """Return where blocks lie; see :class:`triage.evidence.blockmap.MappedMedium`."""
        values, count = self._table.slice(first, count)
        header = self._header
        places = header.data + values * (header.block + header.extra) + header.extra
        places[values == _FREE] = PARENT
        places[values == _ZERO] = ZERO
        return padded(places, count)

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield the blocks that are there, and those that the table no longer gives."""
        end = 0
        for first, values in self._table.pages():
            yield from stretches(first, values < _ZERO)
            end = first + len(values)
        if end < self._table.count:
            yield end, self._table.count - end


def disk_of(file: Medium) -> str:
    """Return the identifier of a file's disk; "" when it is none."""
    try:
        return read_header(file).identifier
    except (OSError, DiskError):
        return ""
