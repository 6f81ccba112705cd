"""VMware's sparse extents: of hosted products (plain, and compressed as a stream), of older ESX (COWD), of newer ESX (SESparse).

Source: VMware, *Virtual Disk Format 5.0*, sections "Hosted Sparse Extents", "ESX Server Sparse Extents" and "Stream-Optimized Compressed
Sparse Extents". SESparse is not published; its layout is as QEMU's *block/vmdk.c* (MIT licence) describes it, whose checks are kept.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.evidence.blockmap import LOST_PLACE, LOST_TABLE, PACKED, PARENT, ZERO, Cache, DiskError, MappedMedium, Table, padded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.evidence.blockmap import Places
    from triage.evidence.medium import Medium

MAGIC = b"KDMV"
COWD = b"COWD"
SESPARSE = b"\xbe\xba\xfe\xca\0\0\0\0\x01\0\0\0\x02\0\0\0"
_REDUNDANT, _ZEROED, _COMPRESSED, _MARKERS = 1 << 1, 1 << 2, 1 << 16, 1 << 17
_AT_END = (1 << 64) - 1
_MOST_GRAIN = 64 << 20
_FOOTER_MARKER = 3
_MOST_STREAMED = 4 << 20
_SE_NOTHING, _SE_UNMAPPED, _SE_ZERO, _SE_STORED = 0, 1, 2, 3


class Hosted(NamedTuple):
    """A hosted extent's header; sizes and places in sectors. ``directories``: of grain tables, the first one and a copy, 0 for none."""

    version: int
    flags: int
    capacity: int
    grain: int
    descriptor: int
    descriptor_sectors: int
    entries: int
    directories: tuple[int, int]
    overhead: int
    unclean: bool
    compression: int


def read_hosted(raw: bytes) -> Hosted:
    """Return what a header of 512 bytes says; raise :class:`DiskError` when it is none."""
    if len(raw) < 512 or not raw.startswith(MAGIC):
        raise DiskError("cannot be opened: its header is cut off")
    version, flags, capacity, grain, descriptor, sectors, entries, copy, directory, overhead, unclean = struct.unpack_from(
        "<IIQQQQIQQQB", raw, 4
    )
    return Hosted(
        version,
        flags,
        capacity,
        grain,
        descriptor,
        sectors,
        entries,
        (directory, copy if flags & _REDUNDANT else 0),
        overhead,
        bool(unclean),
        int.from_bytes(raw[77:79], "little"),
    )


def open_sparse(file: Medium, parent: Medium | None, missing: str = "") -> MappedMedium:
    """Return what a sparse extent holds, by its first bytes; raise :class:`DiskError` or ``OSError``."""
    head = file.read_at(0, 512)
    if head.startswith(COWD):
        return _cowd(file, head, parent, missing)
    if head.startswith(SESPARSE):
        return SeSparseMedium(file, head, parent, missing)
    header = read_hosted(head)
    if header.directories[0] == _AT_END:
        footer = file.read_at(max(0, file.size // 512 * 512 - 1024), 512)
        if len(footer) < 512 or not footer.startswith(MAGIC) or read_hosted(footer).directories[0] == _AT_END:
            return StreamMedium(file, header, parent, missing)
        header = read_hosted(footer)
    if header.version not in (1, 2, 3):
        raise DiskError(f"is a VMDK of version {header.version}, which is not known", "convert it with the tool that made it")
    if header.compression not in (0, 1):
        raise DiskError(f"is compressed in an unknown way ({header.compression})", "convert it with the tool that made it")
    return GrainMedium(file, header, parent, missing)


def _cowd(file: Medium, head: bytes, parent: Medium | None, missing: str) -> GrainMedium:
    if len(head) < 512:
        raise DiskError("cannot be opened: its header is cut off")
    version, flags, sectors, grain, directory = struct.unpack_from("<IIIII", head, 4)
    header = Hosted(version, flags & 3, sectors, grain, 0, 0, 4096, (directory, 0), 0, unclean=False, compression=0)
    return GrainMedium(file, header, parent, missing)


class GrainMedium(MappedMedium):
    """An extent with a directory of grain tables, and a copy of both if the header says so."""

    def __init__(self, file: Medium, header: Hosted, parent: Medium | None = None, missing: str = "") -> None:
        """Raise :class:`DiskError`."""
        if not 0 < header.grain <= _MOST_GRAIN // 512:
            raise DiskError(f"cannot be opened: its header states grains of {header.grain} sectors")
        if not 0 < header.entries <= 1 << 16:
            raise DiskError(f"cannot be opened: its header states tables of {header.entries} entries")
        super().__init__(file, header.capacity * 512, header.grain * 512, parent, missing)
        self._header = header
        self._packed_grains = header.compression == 1 or bool(header.flags & _COMPRESSED)
        count = -(-self.size // (self.unit * header.entries))
        self._directories = [Table(file, at * 512, count, "<u4") for at in header.directories if at]
        self._grain_tables: Cache[Places] = Cache(lambda table: table.nbytes)
        self._mended: set[int] = set()

    def places(self, first: int, count: int) -> Places:
        """Return where grains lie; see :class:`triage.evidence.blockmap.MappedMedium`."""
        number, inside = divmod(first, self._header.entries)
        count = min(count, self._header.entries - inside)
        table = self._grain_tables.get(number)
        if table is None:
            table = self._grain_tables.keep(number, self._decoded(self._entries(number)))
        return table[inside : inside + count]

    def _entries(self, number: int) -> Places:
        """Return a grain table's numbers; of one that cannot be read what its copy has, as far as that goes."""
        best: Places = np.empty(0, dtype=np.int64)
        for turn, directory in enumerate(self._directories):
            values, _ = directory.slice(number, 1)
            if not len(values):
                continue
            if not values[0] and not turn:
                return np.zeros(self._header.entries, dtype=np.int64)
            at = int(values[0]) * 512
            raw = self.file.read_at(at, self._header.entries * 4) if 0 < at < self.file.size else b""
            found = np.frombuffer(raw[: len(raw) // 4 * 4], dtype="<u4").astype(np.int64)
            if len(found) > len(best):
                best = found
                if turn:
                    self._mended.add(number)
            if len(best) == self._header.entries:
                break
        return best

    def _decoded(self, values: Places) -> Places:
        places = np.where(values == 0, PARENT, values * 512)
        if self._packed_grains:
            places[values > 0] = PACKED
        if self._header.flags & _ZEROED:
            places[values == 1] = ZERO
        return padded(places, self._header.entries)

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield what has grain tables, and what no directory tells of."""
        width, seen = self._header.entries, 0
        directories = self._directories or []
        for first, values in directories[0].pages() if directories else iter(()):
            for number in np.flatnonzero(values).tolist():
                yield (first + number) * width, width
            seen = first + len(values)
        count = -(-self.size // (self.unit * width))
        if seen < count:
            yield seen * width, (count - seen) * width

    def unpack(self, block: int) -> tuple[int, bytes]:
        """Undo a compressed grain."""
        data = self._unpacked.get(block)
        if data is not None:
            return block * self.unit, data
        number, inside = divmod(block, self._header.entries)
        values = self._entries(number)
        if inside >= len(values):
            raise OSError("the table that leads to it cannot be read")
        return block * self.unit, self._grain(block, int(values[inside]) * 512)

    def _grain(self, block: int, at: int) -> bytes:
        """Return the grain that is packed at a place."""
        data = self._unpacked.get(block)
        if data is not None:
            return data
        head = self.file.read_at(at, 12) if at < self.file.size else b""
        length, skip = 2 * self.unit + 65536, 0
        if self._header.flags & _MARKERS:
            if len(head) < 12:
                raise OSError("the file ends before it")
            sector, stated = struct.unpack("<QI", head)
            if sector != block * self._header.grain:
                raise OSError("another grain stands at its place")
            length, skip = min(stated, length), 12
        try:
            data = zlib.decompressobj().decompress(self.file.read_at(at + skip, length), self.unit)
        except zlib.error as error:
            raise OSError("its compressed data are damaged") from error
        return self._unpacked.keep(block, data)

    def notes(self) -> list[str]:
        """Say what was read by the copy of the tables."""
        return [f"{len(self._mended)} of its tables cannot be read: their copies were taken"] if self._mended else []


class StreamMedium(GrainMedium):
    """A compressed stream whose end is not there, and with it its directory: the grains' own markers say what they are."""

    def __init__(self, file: Medium, header: Hosted, parent: Medium | None = None, missing: str = "") -> None:
        super().__init__(file, header._replace(directories=(0, 0)), parent, missing)
        found: dict[int, int] = {}
        at = max(1, header.overhead) * 512
        while at + 16 <= file.size:
            sector, size, kind = struct.unpack("<QII", file.read_at(at, 16))
            if not size:  # the marker of a table, of the footer or of the end; of tables it says how many sectors follow
                if kind > _FOOTER_MARKER or sector > 1 << 24:
                    break
                at += 512 + sector * 512
                continue
            if sector % header.grain or sector >= header.capacity or size > 2 * self.unit + 65536:
                break
            found.setdefault(sector // header.grain, at)
            at += -(-(12 + size) // 512) * 512
            if len(found) > _MOST_STREAMED:
                break
        self._found = found
        self._numbers = np.array(sorted(found), dtype=np.int64)

    def places(self, first: int, count: int) -> Places:
        """Return which grains were found: whatever was not may be behind the cut, or zeros."""
        places = np.full(count, LOST_TABLE, dtype=np.int64)
        start, end = np.searchsorted(self._numbers, (first, first + count))
        places[self._numbers[start:end] - first] = PACKED
        return places

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield all of it."""
        yield 0, -(-self.size // self.unit)

    def unpack(self, block: int) -> tuple[int, bytes]:
        """Undo a grain."""
        return block * self.unit, self._grain(block, self._found[block])

    def notes(self) -> list[str]:
        """Say what is missing."""
        return [f"its end is missing, and with it its tables: {len(self._found)} grains were found by their own marks"]


class SeSparseMedium(MappedMedium):
    """An extent of newer ESX: grains of 4096 bytes, tables of 4096 entries."""

    def __init__(self, file: Medium, head: bytes, parent: Medium | None = None, missing: str = "") -> None:
        """Raise :class:`DiskError` for what is not read, or ``OSError``."""
        if len(head) < 512:
            raise DiskError("cannot be opened: its header is cut off")
        capacity, grain, table, flags = struct.unpack_from("<QQQQ", head, 16)
        volatile = struct.unpack_from("<Q", head, 80)[0]
        directory, directory_size, tables = struct.unpack_from("<QQQ", head, 128)
        grains = struct.unpack_from("<Q", head, 192)[0]
        if (grain, table, flags) != (8, 64, 0):
            raise DiskError("is an SESparse disk of a form that is not known", "convert it with VMware's tools")
        if max(directory, tables, grains) * 512 >= file.size:
            raise DiskError("cannot be opened: its header states places outside of the file")
        state = file.read_at(volatile * 512, 512) if volatile * 512 < file.size else b""
        if len(state) < 32:
            raise DiskError("cannot be opened: its second header is not where the first says")
        self._dirty = any(state[24:32])
        super().__init__(file, capacity * 512, grain * 512, parent, missing)
        self._entries, self._tables_at, self._grains_at = table * 64, tables * 512, grains * 512
        needed = -(-self.size // (self.unit * self._entries))
        if needed > directory_size * 64:
            raise DiskError("cannot be opened: its directory is too short for the size that its header states")
        self._directory = Table(file, directory * 512, needed, "<u8")
        self._read: Cache[Places] = Cache(lambda one: one.nbytes)

    def places(self, first: int, count: int) -> Places:
        """Return where grains lie; see :class:`triage.evidence.blockmap.MappedMedium`."""
        number, inside = divmod(first, self._entries)
        count = min(count, self._entries - inside)
        table = self._read.get(number)
        if table is None:
            table = self._read.keep(number, self._table(number))
        return table[inside : inside + count]

    def _table(self, number: int) -> Places:
        values, _ = self._directory.slice(number, 1)
        if not len(values):
            return np.full(self._entries, LOST_TABLE, dtype=np.int64)
        entry = int(values[0])
        if not entry:
            return np.full(self._entries, PARENT, dtype=np.int64)
        if entry >> 32 != 1 << 28:
            return np.full(self._entries, LOST_TABLE, dtype=np.int64)
        at = self._tables_at + (entry & 0xFFFFFFFF) * self._entries * 8
        raw = self.file.read_at(at, self._entries * 8) if at < self.file.size else b""
        found = np.frombuffer(raw[: len(raw) // 8 * 8], dtype="<u8").astype(np.uint64)
        kinds = found >> np.uint64(60)
        index = (found >> np.uint64(48) & np.uint64(0xFFF)) | (found & np.uint64(0xFFFFFFFFFFFF)) << np.uint64(12)
        index = np.minimum(index, np.uint64(1 << 50)).astype(np.int64)
        places = np.full(len(found), LOST_PLACE, dtype=np.int64)
        stored = kinds == _SE_STORED
        places[stored] = self._grains_at + index[stored] * self.unit
        places[(kinds == _SE_UNMAPPED) | (kinds == _SE_ZERO)] = ZERO
        places[found == _SE_NOTHING] = PARENT
        return padded(places, self._entries)

    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield what has tables."""
        seen = 0
        for first, values in self._directory.pages():
            for number in np.flatnonzero(values).tolist():
                yield (first + number) * self._entries, self._entries
            seen = first + len(values)
        if seen < self._directory.count:
            yield seen * self._entries, (self._directory.count - seen) * self._entries

    def notes(self) -> list[str]:
        """Say when it was not closed."""
        return ["it was not closed: what stands in its journal was not put in"] if self._dirty else []
