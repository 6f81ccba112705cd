"""VirtualBox's virtual disks (VDI), dynamic and of a fixed size.

Source: VirtualBox, src/VBox/Storage/VDICore.h: pre-header, header of version 1.1, table of blocks.
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

_FREE, _ZERO = 0xFFFFFFFF, 0xFFFFFFFE
_KINDS = {1: "dynamic", 2: "fixed", 3: "undo", 4: "differencing"}
_LARGEST, _MOST_BLOCKS = 1 << 50, 64 << 20


class VdiError(ValueError):
    """A header that cannot be read, or a disk that continues another."""


class Header(NamedTuple):
    """What a header says; places and sizes in bytes. ``extra``: before each block."""

    kind: int
    size: int
    table: int
    data: int
    block: int
    extra: int
    blocks: int
    created: str
    identifier: str


def read_header(file: Medium) -> Header:
    """Return a disk's header; raise :class:`VdiError` or ``OSError``."""
    head = file.read_at(0, 512)
    if len(head) < 512 or head[0x40:0x44] != b"\x7f\x10\xda\xbe":
        raise VdiError("it has no VDI header")
    version, _, kind = struct.unpack_from("<III", head, 0x44)
    if version >> 16 != 1:
        raise VdiError(f"it is a VDI of version {version >> 16}, which is not known")
    table, data = struct.unpack_from("<II", head, 0x154)
    size, block, extra, blocks = struct.unpack_from("<QIII", head, 0x170)
    if not 0 < size <= _LARGEST or not 4096 <= block <= 64 << 20 or block % 512 or not -(-size // block) <= blocks <= _MOST_BLOCKS:
        raise VdiError("its header states sizes that cannot be")
    made = head[:0x40].split(b"\0")[0].decode("ascii", "replace").strip("<> \n")
    return Header(kind, size, table, data, block, extra, blocks, made, str(uuid.UUID(bytes_le=head[0x188:0x198])))


class VdiMedium:
    """The disk that a file holds."""

    def __init__(self, file: Medium, header: Header) -> None:
        if header.kind not in (1, 2):
            raise VdiError(f"it is a {_KINDS.get(header.kind, 'strange')} disk, which continues another: that is not read")
        self.size, self.sector_size = header.size, 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self._file, self._header = file, header
        raw = file.read_at(header.table, header.blocks * 4)
        if len(raw) < header.blocks * 4:
            raise VdiError("its table of blocks is cut off")
        self._blocks = np.frombuffer(raw, "<u4")

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        header = self._header
        length = max(0, min(length, self.size - offset))
        pieces, at, end = [], offset, offset + length
        while at < end:
            number, inside = divmod(at, header.block)
            many = min(end - at, header.block - inside)
            where = int(self._blocks[number])
            if where in (_FREE, _ZERO):
                pieces.append(bytes(many))
            else:
                data = self._file.read_at(header.data + where * (header.block + header.extra) + header.extra + inside, many)
                if len(data) < many:
                    self.damaged[at] = (many, "the file ends before it")
                    raise DamagedRangeError(at, many, "the file ends before it")
                pieces.append(data)
            at += many
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def kind_name(header: Header) -> str:
    """Return what kind of disk it is, in words."""
    return _KINDS.get(header.kind, "unknown")
