"""QEMU's virtual disks (QCOW 1 to 3): plain and compressed clusters, subclusters, data in a file of their own, disks that continue others.

Source: QEMU, *docs/interop/qcow2.rst* (header, extensions, tables, snapshots); M. McLoughlin, *The QCOW Image Format* (versions 1, 2).
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import zstandard

from triage.evidence.blockmap import LOST_PLACE, LOST_TABLE, PACKED, PARENT, ZERO, Cache, DiskError, MappedMedium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.evidence.blockmap import Places
    from triage.evidence.medium import Medium

MAGIC = b"QFI\xfb"
_ENCRYPTIONS = {1: "AES", 2: "LUKS"}
_DIRTY, _CORRUPT, _EXTERNAL, _COMPRESSION, _SUBCLUSTERS = 1, 2, 4, 8, 16
_OFFSET, _COPIED, _COMPRESSED = 0x00FFFFFFFFFFFE00, 1 << 63, 1 << 62
_BACKING_FORMAT, _DATA_FILE = 0xE2792ACA, 0x44415441
_LONGEST_NAME, _MOST_SNAPSHOTS, _MOST_EXTENSIONS, _WINDOW = 1023, 100, 64, 128 << 20
_TABLES, _MOST_L1 = 64 << 20, 4 << 20


class Snapshot(NamedTuple):
    """A state of the disk that is kept inside: its name, and when it was made, in seconds since 1970 UTC."""

    name: str
    made: int


class Header(NamedTuple):
    """What a header says. ``l2_bits``: of the entries of a second table; ``l1``: place and length of the first table, in entries."""

    version: int
    size: int
    cluster_bits: int
    l2_bits: int
    l1: tuple[int, int]
    encryption: int
    features: int
    zstd: bool
    backing: str
    backing_format: str
    data_file: str
    snapshots: tuple[int, int]

    @property
    def subclusters(self) -> bool:
        """Whether entries of second tables tell of 32 subclusters each."""
        return bool(self.features & _SUBCLUSTERS)


def read_header(file: Medium) -> Header:
    """Return an image's header; raise :class:`DiskError` or ``OSError``."""
    head = file.read_at(0, 112).ljust(112, b"\0")
    version = int.from_bytes(head[4:8], "big")
    if not head.startswith(MAGIC) or version not in (1, 2, 3):
        raise DiskError(f"is a QCOW image of version {version}, which is not known", "convert it with the tool that made it")
    backing_at, backing_length = struct.unpack_from(">QI", head, 8)
    features = compression = many = snapshots = 0
    end = 72
    if version == 1:
        size, cluster_bits, l2_bits, encryption, l1 = struct.unpack_from(">QBBxxIQ", head, 24)
        l1_size = -1
    else:
        cluster_bits, size, encryption, l1_size, l1, _, _, many, snapshots = struct.unpack_from(">IQIIQQIIQ", head, 20)
        if version == 3:
            features, end = struct.unpack_from(">Q", head, 72)[0], struct.unpack_from(">I", head, 100)[0]
            compression = head[104] if end > 104 else 0
        l2_bits = cluster_bits - (4 if features & _SUBCLUSTERS else 3)
    if not 9 <= cluster_bits <= 21 or not 5 <= l2_bits <= 18:
        raise DiskError(f"cannot be opened: its header states clusters of 2^{cluster_bits} bytes")
    needed = -(-size >> (cluster_bits + l2_bits))
    if 0 <= l1_size < needed:
        raise DiskError("cannot be opened: its first table is too short for the size that its header states")
    extensions = _extensions(file, end) if version > 1 else {}
    backing = file.read_at(backing_at, min(backing_length, _LONGEST_NAME)) if backing_at and backing_length else b""
    return Header(
        version=version,
        size=size,
        cluster_bits=cluster_bits,
        l2_bits=l2_bits,
        l1=(l1, needed),
        encryption=encryption,
        features=features,
        zstd=compression == 1,
        backing=backing.decode("utf-8", "replace"),
        backing_format=extensions.get(_BACKING_FORMAT, ""),
        data_file=extensions.get(_DATA_FILE, "") if features & _EXTERNAL else "",
        snapshots=(snapshots, many),
    )


def _extensions(file: Medium, at: int) -> dict[int, str]:
    """Return the texts that stand behind the header."""
    found: dict[int, str] = {}
    for _ in range(_MOST_EXTENSIONS):
        head = file.read_at(at, 8)
        if len(head) < 8:
            break
        kind, length = struct.unpack(">II", head)
        if not kind or length > 1 << 20:
            break
        if kind in (_BACKING_FORMAT, _DATA_FILE):
            found[kind] = file.read_at(at + 8, min(length, _LONGEST_NAME)).decode("utf-8", "replace")
        at += 8 + -(-length // 8) * 8
    return found


def read_snapshots(file: Medium, header: Header) -> tuple[list[Snapshot], bool]:
    """Return the first hundred snapshots inside an image, and whether all that it counts could be read."""
    at, many = header.snapshots
    found: list[Snapshot] = []
    try:
        for _ in range(min(many, _MOST_SNAPSHOTS)):
            head = file.read_at(at, 40)
            identifier, name, made = struct.unpack_from(">HHI", head, 12)
            extra = struct.unpack_from(">I", head, 36)[0]
            if extra > 1024:
                return found, False
            text = file.read_at(at + 40 + extra + identifier, name)
            if len(text) < name:
                return found, False
            found.append(Snapshot(text.decode("utf-8", "replace"), made))
            at += -(-(40 + extra + identifier + name) // 8) * 8
    except (OSError, struct.error):
        return found, False
    return found, len(found) == many


def warnings_of(header: Header) -> list[str]:
    """Return what an image says of its own state."""
    said = []
    if header.features & _CORRUPT:
        said.append("it is marked as damaged by the program that wrote it")
    if header.features & _DIRTY:
        said.append("it was not closed by the program that wrote it")
    return said


class QcowMedium(MappedMedium):
    """The disk that an image holds, as it was last. ``data``: the file in which its clusters lie when that is another one."""

    def __init__(self, file: Medium, header: Header, parent: Medium | None = None, missing: str = "", data: Medium | None = None) -> None:
        """Raise :class:`DiskError` for what is not read, or ``OSError``."""
        if header.encryption:
            raise DiskError(
                f"is encrypted ({_ENCRYPTIONS.get(header.encryption, 'in an unknown way')}), and that is not read",
                "convert it with its password: qemu-img convert",
            )
        unknown = header.features & ~(_DIRTY | _CORRUPT | _EXTERNAL | _COMPRESSION | _SUBCLUSTERS)
        if unknown:
            raise DiskError(f"uses features of QCOW that are not known ({unknown:#x})", "convert it: qemu-img convert -O raw")
        cluster = 1 << header.cluster_bits
        super().__init__(data or file, header.size, cluster // 32 if header.subclusters else cluster, parent, missing)
        if header.features & _EXTERNAL and data is None:
            raise DiskError("says that its data lie in another file, and not in which", "get a whole copy")
        self._image, self._header, self._external = file, header, data is not None
        self._cluster, self._per = cluster, 32 if header.subclusters else 1
        at, length = header.l1
        if length > _MOST_L1:
            raise DiskError("cannot be opened: its first table has a length that cannot be")
        if at + length * 8 > file.size:
            raise DiskError("cannot be opened: its first table lies outside of the file")
        self._l1 = np.frombuffer(file.read_at(at, length * 8), dtype=">u8")
        if len(self._l1) < length:
            raise DiskError("cannot be opened: its first table is cut off")
        self._tables: Cache[Places] = Cache(lambda table: table.nbytes, _TABLES)

    def places(self, first: int, count: int) -> Places:
        """Return where blocks lie; see :class:`triage.evidence.blockmap.MappedMedium`."""
        width = self._per << self._header.l2_bits
        number, inside = divmod(first, width)
        count = min(count, width - inside)
        place = int(self._l1[number]) & (_OFFSET if self._header.version > 1 else _COPIED - 1)
        if not place:
            return np.full(count, PARENT, dtype=np.int64)
        return self._table(place)[inside : inside + count]

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield what has second tables."""
        width = self._per << self._header.l2_bits
        for number in np.flatnonzero(self._l1).tolist():
            yield number * width, width

    def _table(self, place: int) -> Places:
        table = self._tables.get(place)
        if table is not None:
            return table
        entries, width = 1 << self._header.l2_bits, 16 if self._header.subclusters else 8
        raw = self._image.read_at(place, entries * width) if place < self._image.size else b""
        whole = len(raw) // width
        values = np.frombuffer(raw[: whole * width], dtype=">u8").astype(np.uint64)
        lost = np.full((entries - whole) * self._per, LOST_TABLE, dtype=np.int64)
        return self._tables.keep(place, np.concatenate((self._decoded(values), lost)))

    def _decoded(self, values: np.typing.NDArray[np.uint64]) -> Places:
        """Return the places that entries of a second table stand for."""
        entries = values[::2] if self._header.subclusters else values
        if self._header.version == 1:
            packed = entries >> np.uint64(63) != 0
            places = np.where(entries == 0, PARENT, entries.astype(np.int64))
            places[packed] = PACKED
            return places
        packed = entries & np.uint64(_COMPRESSED) != 0
        host = (entries & np.uint64(_OFFSET)).astype(np.int64)
        there = host != 0
        if self._external:  # there a cluster may lie at the file's very beginning
            there |= entries & np.uint64(_COPIED) != 0
        crooked = there & (host % self._cluster != 0)
        if self._header.subclusters:
            return self._subclusters(host, there, crooked, packed, values[1::2])
        places = np.where(there, host, PARENT)
        places[crooked] = LOST_PLACE
        if self._header.version == 3:
            places[entries & np.uint64(1) != 0] = ZERO
        places[packed] = PACKED
        return places

    def _subclusters(self, host: Places, there: np.typing.NDArray[np.bool_], crooked: np.typing.NDArray[np.bool_],
                     packed: np.typing.NDArray[np.bool_], bits: np.typing.NDArray[np.uint64]) -> Places:  # fmt: skip
        each = np.arange(32, dtype=np.uint64)
        stored = (bits[:, None] >> each & np.uint64(1)) != 0
        zeros = (bits[:, None] >> (each + np.uint64(32)) & np.uint64(1)) != 0
        places = np.where(stored, host[:, None] + each.astype(np.int64) * self.unit, PARENT)
        places[stored & ~there[:, None]] = LOST_PLACE
        places[stored & zeros] = LOST_PLACE
        places[zeros & ~stored] = ZERO
        places[crooked[:, None] & stored] = LOST_PLACE
        places[packed] = PACKED
        return places.reshape(-1)

    def unpack(self, block: int) -> tuple[int, bytes]:
        """Undo the compressed cluster in which a block lies."""
        number = block // self._per
        start = number * self._cluster
        data = self._unpacked.get(number)
        if data is not None:
            return start, data
        first, inside = divmod(number, 1 << self._header.l2_bits)
        table = int(self._l1[first]) & (_OFFSET if self._header.version > 1 else _COPIED - 1)
        entry = int.from_bytes(self._image.read_at(table + inside * (16 if self._header.subclusters else 8), 8), "big")
        bits = self._header.cluster_bits
        if self._header.version == 1:
            place, length = entry & ((1 << (63 - bits)) - 1), entry >> (63 - bits) & (self._cluster - 1)
        else:
            shift = 70 - bits
            place = entry & ((1 << shift) - 1)
            length = ((entry >> shift & ((1 << (bits - 8)) - 1)) + 1) * 512 - place % 512
        raw = self._image.read_at(place, length) if place < self._image.size else b""
        try:
            if self._header.zstd:
                stream = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(raw, read_across_frames=False)
                data = stream.read(self._cluster)
            else:
                data = zlib.decompressobj(-15).decompress(raw, self._cluster)
        except (zlib.error, zstandard.ZstdError) as error:
            raise OSError("its compressed data are damaged") from error
        if len(data) < min(self._cluster, self.size - start):
            raise OSError("its compressed data end too early")
        return start, self._unpacked.keep(number, data)

    def close(self) -> None:
        """Close the files."""
        super().close()
        if self._external:
            self._image.close()
