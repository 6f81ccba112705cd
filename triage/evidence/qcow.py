"""QEMU's virtual disks: QCOW, QCOW2 and QCOW3, compressed ones, and those that continue another image beside them.

Source: QEMU, docs/interop/qcow2.txt; QCOW 1 by M. McLoughlin, "The QCOW Image Format". libqcow is not used: it gives other bytes for
compressed clusters of version 3, and does not open zstd and subclusters (libqcow 20260703).
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import zstandard

from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

MAGIC = b"QFI\xfb"
_ENCRYPTED = {1: "AES", 2: "LUKS"}
_DIRTY, _CORRUPT, _EXTERNAL, _COMPRESSION, _SUBCLUSTERS = 1, 2, 4, 8, 16
_OFFSET, _COMPRESSED, _ZERO = 0x00FFFFFFFFFFFE00, 1 << 62, 1
_PACKED = 1 << 64
"""What is added to the descriptor of a compressed cluster, so that it is no place in the file."""
_LARGEST, _MOST_L1, _TABLES, _CLUSTERS, _MOST_SNAPSHOTS, _LONGEST_NAME = 1 << 50, 8 << 20, 64, 64, 100, 1023
_PIECE = 4 << 20


class QcowError(ValueError):
    """A header that cannot be read, or a feature that is not."""


class Header(NamedTuple):
    """What an image's header says. ``l2_bits``: of the number of entries in a second table; sizes in bytes."""

    version: int
    size: int
    cluster_bits: int
    l2_bits: int
    l1: int
    l1_size: int
    backing: str
    crypt: int
    features: int
    zstd: bool
    snapshots: tuple[int, int]


def read_header(file: Medium) -> Header:
    """Return an image's header; raise :class:`QcowError` or ``OSError``."""
    head = file.read_at(0, 112).ljust(112, b"\0")
    version = int.from_bytes(head[4:8], "big")
    if not head.startswith(MAGIC) or version not in (1, 2, 3):
        raise QcowError(f"it is a QCOW image of version {version}, which is not known")
    backing_at, backing_length = struct.unpack_from(">QI", head, 8)
    features = compression = many = snapshots = 0
    if version == 1:
        size, cluster_bits, l2_bits, crypt, l1 = struct.unpack_from(">QBBxxIQ", head, 24)
        l1_size = -(-size >> (cluster_bits + l2_bits)) if 9 <= cluster_bits <= 21 and 6 <= l2_bits <= 18 else 0
    else:
        cluster_bits, size, crypt, l1_size, l1, _, _, many, snapshots = struct.unpack_from(">IQIIQQIIQ", head, 20)
        if version == 3:
            features, length = struct.unpack_from(">Q", head, 72)[0], struct.unpack_from(">I", head, 100)[0]
            compression = head[104] if length > 104 else 0
        l2_bits = cluster_bits - (4 if features & _SUBCLUSTERS else 3)
    if not 9 <= cluster_bits <= 21 or not 6 <= l2_bits <= 18 or not 0 < size <= _LARGEST:
        raise QcowError("its header states sizes that cannot be")
    if l1_size > _MOST_L1 or l1_size < -(-size >> (cluster_bits + l2_bits)):
        raise QcowError("its first table has a length that cannot be")
    backing = file.read_at(backing_at, backing_length) if backing_at and 0 < backing_length <= _LONGEST_NAME else b""
    return Header(
        version, size, cluster_bits, l2_bits, l1, l1_size, backing.decode("utf-8", "replace"), crypt, features, compression == 1,
        (snapshots, many),
    )  # fmt: skip


def snapshot_names(file: Medium, header: Header) -> list[str]:
    """Return the names of the snapshots inside an image; what of their table cannot be read is left out."""
    at, many = header.snapshots
    names = []
    try:
        for _ in range(min(many, _MOST_SNAPSHOTS)):
            head = file.read_at(at, 40)
            identifier, name, extra = struct.unpack_from(">HH", head, 12) + struct.unpack_from(">I", head, 36)
            if extra > 1024:
                break
            names.append(file.read_at(at + 40 + extra + identifier, name).decode("utf-8", "replace"))
            at += -(-(40 + extra + identifier + name) // 8) * 8
    except (OSError, struct.error):
        pass
    return names


class QcowMedium:
    """The disk that an image holds. What is allocated neither in it nor in ``parent`` is zeros."""

    def __init__(self, file: Medium, header: Header, parent: Medium | None) -> None:
        """Raise :class:`QcowError` for what is not read."""
        if header.crypt:
            raise QcowError(f"it is encrypted ({_ENCRYPTED.get(header.crypt, 'an unknown way')})")
        if header.features & _EXTERNAL:
            raise QcowError("its data lie in another file, which is not read")
        if header.features & ~(_DIRTY | _CORRUPT | _COMPRESSION | _SUBCLUSTERS):
            raise QcowError("it uses features that are not known")
        self.size, self.sector_size = header.size, 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self._file, self._header, self._parent = file, header, parent
        self._cluster = 1 << header.cluster_bits
        self._wide = bool(header.features & _SUBCLUSTERS)
        self._unit = self._cluster // 32 if self._wide else self._cluster
        length = -(-header.size >> (header.cluster_bits + header.l2_bits))
        raw = file.read_at(header.l1, length * 8)
        if len(raw) < length * 8:
            raise QcowError("its first table is cut off")
        self._l1 = np.frombuffer(raw, ">u8")
        self._tables: OrderedDict[int, bytes] = OrderedDict()
        self._undone: OrderedDict[int, bytes] = OrderedDict()

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        length = max(0, min(length, self.size - offset))
        end, pieces, at = offset + length, [], offset
        while at < end:
            place = self._of(at)
            many = min(end, (at // self._unit + 1) * self._unit) - at
            if isinstance(place, int) and place < _PACKED:
                while at + many < end and many < _PIECE and self._of(at + many) == place + many:  # what follows lies behind it, too
                    many += min(self._unit, end - at - many)
            pieces.append(self._piece(at, many, place))
            at += many
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _of(self, at: int) -> int | str:
        """Return where a byte lies: a place in the file, that of a packed cluster, ``zero`` or ``parent``."""
        header = self._header
        first = at >> (header.cluster_bits + header.l2_bits)
        table = int(self._l1[first]) & (_OFFSET if header.version > 1 else (1 << 63) - 1)
        if not table:
            return "parent"
        index = (at >> header.cluster_bits) & ((1 << header.l2_bits) - 1)
        width = 16 if self._wide else 8
        raw = self._table(table, at)[index * width : index * width + width]
        entry = int.from_bytes(raw[:8], "big")
        if header.version == 1:
            if entry >> 63:
                return (entry & ((1 << 63) - 1)) + _PACKED
            return entry + at % self._cluster if entry else "parent"
        if entry & _COMPRESSED:
            return (entry & (_COMPRESSED - 1)) + _PACKED
        host = entry & _OFFSET
        if self._wide:
            bits = int.from_bytes(raw[8:16], "big")
            sub = at % self._cluster // self._unit
            if bits >> (32 + sub) & 1:
                return "zero"
            return host + at % self._cluster if host and bits >> sub & 1 else "parent"
        if entry & _ZERO and header.version == 3:
            return "zero"
        return host + at % self._cluster if host else "parent"

    def _table(self, place: int, at: int) -> bytes:
        table = self._tables.get(place)
        if table is None:
            length = (16 if self._wide else 8) << self._header.l2_bits
            table = self._file.read_at(place, length)
            if len(table) < length:
                raise self._damage(at, self._cluster, "the table that leads to it is cut off")
            self._tables[place] = table
            if len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        else:
            self._tables.move_to_end(place)
        return table

    def _piece(self, at: int, many: int, place: int | str) -> bytes:
        if isinstance(place, str):
            if place == "zero" or self._parent is None:
                return bytes(many)
            return self._parent.read_at(at, many).ljust(many, b"\0")
        if place >= _PACKED:
            skip = at % self._cluster
            return self._packed(place - _PACKED, at)[skip : skip + many]
        data = self._file.read_at(place, many)
        if len(data) < many:
            raise self._damage(at, many, "the file ends before it")
        return data

    def _packed(self, descriptor: int, at: int) -> bytes:
        """Return a compressed cluster, undone."""
        data = self._undone.get(descriptor)
        if data is not None:
            self._undone.move_to_end(descriptor)
            return data
        bits = self._header.cluster_bits
        if self._header.version == 1:
            place, length = descriptor & ((1 << (63 - bits)) - 1), descriptor >> (63 - bits) & (self._cluster - 1)
        else:
            shift = 62 - (bits - 8)
            place = descriptor & ((1 << shift) - 1)
            length = ((descriptor >> shift & ((1 << (bits - 8)) - 1)) + 1) * 512 - place % 512
        raw = self._file.read_at(place, length)
        try:
            if self._header.zstd:
                data = zstandard.ZstdDecompressor().decompressobj(read_across_frames=False).decompress(raw)
            else:
                data = zlib.decompressobj(-15).decompress(raw, self._cluster)
        except (zlib.error, zstandard.ZstdError) as error:
            raise self._damage(at // self._cluster * self._cluster, self._cluster, "a compressed cluster is damaged") from error
        wanted = min(self._cluster, self.size - at // self._cluster * self._cluster)
        if len(data) < wanted:
            raise self._damage(at // self._cluster * self._cluster, self._cluster, "a compressed cluster is damaged")
        data = data[: self._cluster]
        self._undone[descriptor] = data
        if len(self._undone) > _CLUSTERS:
            self._undone.popitem(last=False)
        return data

    def _damage(self, offset: int, length: int, why: str) -> DamagedRangeError:
        self.damaged[offset] = (length, why)
        return DamagedRangeError(offset, length, why)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._parent is not None:
            self._parent.close()


def warnings_of(header: Header) -> list[str]:
    """Return what an image says of its own state."""
    said = []
    if header.features & _CORRUPT:
        said.append("the virtual disk is marked as damaged by the program that wrote it")
    if header.features & _DIRTY:
        said.append("the virtual disk was not closed: its tables may not be the last ones")
    return said
