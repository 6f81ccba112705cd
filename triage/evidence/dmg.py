"""Apple's disk images (UDIF): packed in chunks of zlib, bzip2, LZMA, LZFSE, ADC, or as they are.

Source: there is no specification of Apple's; the layout is as QEMU's *block/dmg.c* (MIT licence) and J. Levin, *Demystifying the DMG File
Format*, tell it. Numbers are big-endian, sectors have 512 bytes.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import lzma
import re
import struct
import uuid
import zlib
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.evidence.adc import adc
from triage.evidence.blockmap import LARGEST, REASONS, UNREAD, Cache, DiskError, Survey
from triage.evidence.decoders import FAULTS
from triage.evidence.lzfse import lzfse
from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from triage.evidence.medium import Medium

_ZERO, _RAW, _IGNORE = 0, 1, 2
_ADC, _ZLIB, _BZIP2, _LZFSE, _LZMA = 0x80000004, 0x80000005, 0x80000006, 0x80000007, 0x80000008
_NOTES = (0x7FFFFFFE, 0xFFFFFFFF)
_NAMES = {_ADC: "ADC", _ZLIB: "zlib", _BZIP2: "bzip2", _LZFSE: "LZFSE", _LZMA: "LZMA"}
_CRC32 = 2
_MOST_XML, _MOST_CHUNK, _MOST_CHUNKS = 64 << 20, 64 << 20, 16 << 20
_LZMA_MEMORY = 128 << 20
_KEY = re.compile(rb"<key>blkx</key>\s{0,100}<array>")
_DATA, _NAME = re.compile(rb"<data>([^<]*)</data>"), re.compile(rb"<key>Name</key>\s*<string>([^<]{0,300})</string>")
_ROW = np.dtype([("kind", ">u4"), ("note", ">u4"), ("first", ">u8"), ("count", ">u8"), ("at", ">u8"), ("length", ">u8")])


class Trailer(NamedTuple):
    """What the 512 bytes at the end say; places in bytes, ``size`` that of the disk. ``checksum``: of the packed data, by zlib's CRC-32."""

    data: tuple[int, int]
    table: tuple[int, int]
    resources: tuple[int, int]
    identifier: str
    checksum: int | None
    segments: int
    size: int


class Partition(NamedTuple):
    """A table of chunks: its name, its sectors, and the CRC-32 of what they hold."""

    name: str
    first: int
    sectors: int
    checksum: int | None


def read_trailer(file: Medium) -> Trailer:
    """Return the trailer; raise :class:`DiskError` for what is not read, or ``OSError``."""
    head = file.read_at(0, 8)
    if head == b"encrcdsa" or file.read_at(max(0, file.size - 8), 8) == b"cdsaencr":
        raise DiskError("is an encrypted Apple disk image, which is not read", "convert it with its password: hdiutil convert")
    raw = file.read_at(max(0, file.size - 512), 512)
    if len(raw) < 512 or not raw.startswith(b"koly"):
        raise DiskError("cannot be opened: it has no UDIF trailer")
    data, length, resources, resources_length, _, segments = struct.unpack_from(">QQQQII", raw, 24)
    kind, bits, checksum = struct.unpack_from(">III", raw, 80)
    table, table_length = struct.unpack_from(">QQ", raw, 216)
    sectors = int.from_bytes(raw[492:500], "big")
    identifier = str(uuid.UUID(bytes=raw[64:80])) if any(raw[64:80]) else ""
    return Trailer(
        (data, length),
        (table, table_length),
        (resources, resources_length),
        identifier,
        checksum if kind == _CRC32 and bits == 32 else None,
        segments,
        sectors * 512,
    )


def _tables(file: Medium, trailer: Trailer) -> list[tuple[str, bytes]]:
    """Return names and bytes of the tables of chunks."""
    at, length = trailer.table
    if not length:
        raise DiskError("keeps its tables in a resource fork, which is not read", "convert it: hdiutil convert")
    if length > _MOST_XML or at + length > file.size:
        raise DiskError("cannot be opened: its list of tables lies outside of the file")
    text = file.read_at(at, length)
    found = []
    for entry in _entries(text):
        data, name = _DATA.search(entry), _NAME.search(entry)
        if data is None:
            continue
        try:
            found.append((name[1].decode("utf-8", "replace") if name else "", base64.b64decode(re.sub(rb"\s", b"", data[1]))))
        except binascii.Error as error:
            raise DiskError("cannot be opened: a table of its chunks is damaged") from error
    if not found:
        raise DiskError("cannot be opened: it has no tables of its chunks")
    return found


def _entries(text: bytes) -> Iterator[bytes]:
    """Yield the dictionaries of the list of tables."""
    key = _KEY.search(text)
    at = key.end() if key else len(text)
    end = text.find(b"</array>", at)
    while 0 <= (start := text.find(b"<dict>", at)) < end and (at := text.find(b"</dict>", start)) >= 0:
        yield text[start:at]


class DmgMedium:
    """The disk that an image holds; see :class:`triage.evidence.medium.Medium`."""

    def __init__(self, file: Medium, trailer: Trailer) -> None:
        """Raise :class:`DiskError` for what is not read, or ``OSError``."""
        if trailer.segments > 1:
            raise DiskError(f"is one of {trailer.segments} parts, which is not read", "put it together: hdiutil convert")
        if not 0 < trailer.size <= LARGEST:
            raise DiskError(f"cannot be opened: it states a size of {trailer.size} bytes")
        self.size, self.sector_size = trailer.size, 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self.partitions: list[Partition] = []
        self._file = file
        self._chunks = self._read_chunks(file, trailer)
        self._starts: list[int] = self._chunks["first"].tolist()
        self._undone: Cache[bytes] = Cache(len)

    def _read_chunks(self, file: Medium, trailer: Trailer) -> NDArray[np.void]:
        """Return all chunks in the order of their sectors, ``first`` being that on the disk and ``at`` that in the file."""
        parts = []
        seen = 0
        for name, raw in _tables(file, trailer):
            if len(raw) < 204 or not raw.startswith(b"mish"):
                raise DiskError("cannot be opened: a table of its chunks is damaged")
            first, count, base = struct.unpack_from(">QQQ", raw, 8)
            kind, bits, checksum = struct.unpack_from(">III", raw, 64)
            rows = np.frombuffer(raw[204:], dtype=_ROW, count=min(int.from_bytes(raw[200:204], "big"), (len(raw) - 204) // 40))
            seen += len(rows)
            if seen > _MOST_CHUNKS or max(first, count, base, trailer.data[0]) > LARGEST:
                raise DiskError("cannot be opened: its tables state more than can be")
            self.partitions.append(Partition(name, first, count, checksum if kind == _CRC32 and bits == 32 else None))
            rows = rows[~np.isin(rows["kind"], _NOTES)].astype(_ROW.newbyteorder("="))
            if len(rows) and any(int(rows[field].max()) > LARGEST for field in ("first", "count", "at", "length")):
                raise DiskError("cannot be opened: its tables state places that cannot be")
            rows["first"] += np.uint64(first)
            rows["at"] += np.uint64(base + trailer.data[0])
            parts.append(rows[rows["count"] > 0])
        rows = np.concatenate(parts)
        return rows[np.argsort(rows["first"], kind="stable")]

    def packers(self) -> str:
        """Return what the chunks are packed with, in words."""
        return ", ".join(name for kind, name in _NAMES.items() if (self._chunks["kind"] == kind).any())

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        at, end = offset, offset + max(0, min(length, self.size - offset))
        pieces: list[bytes] = []
        while at < end:
            number = bisect_right(self._starts, at // 512) - 1
            start = self._starts[number] * 512 if number >= 0 else 0
            stop = start + int(self._chunks[number]["count"]) * 512 if number >= 0 else 0
            following = self._starts[number + 1] * 512 if number + 1 < len(self._starts) else self.size
            if at >= stop:
                raise self._lose(at, min(end, following) - at, "no table tells of it")
            many = min(end, stop, max(following, at + 512)) - at
            pieces.append(self._piece(number, at, at - start, many))
            at += many
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _piece(self, number: int, at: int, inside: int, many: int) -> bytes:
        row = self._chunks[number]
        kind, place = int(row["kind"]), int(row["at"])
        if kind in (_ZERO, _IGNORE):
            return bytes(many)
        try:
            if kind == _RAW:
                data = self._file.read_at(place + inside, max(0, min(many, int(row["length"]) - inside)))
            else:
                data = self._unpacked(number, kind, place)[inside : inside + many]
        except OSError as error:
            raise self._lose(at - inside, int(row["count"]) * 512, error.strerror or str(error)) from error
        if len(data) < many:
            raise self._lose(at + len(data), many - len(data), "its data end too early")
        return data

    def _unpacked(self, number: int, kind: int, place: int) -> bytes:
        data = self._undone.get(number)
        if data is not None:
            return data
        size, length = int(self._chunks[number]["count"]) * 512, int(self._chunks[number]["length"])
        if size > _MOST_CHUNK or length > 2 * size + 65536 or kind not in _DECODERS:
            raise OSError(REASONS[UNREAD] if kind not in _DECODERS else "its chunk is larger than can be")
        raw = self._file.read_at(place, length) if place < self._file.size else b""
        if len(raw) < length:
            raise OSError("the file ends before it")
        try:
            data = _DECODERS[kind](raw, size)
        except FAULTS as error:
            raise OSError("its compressed data are damaged") from error
        return self._undone.keep(number, data)

    def _lose(self, offset: int, length: int, why: str) -> DamagedRangeError:
        length = max(1, min(length, self.size - offset))
        self.damaged[offset] = (length, why)
        return DamagedRangeError(offset, length, why)

    def survey(self, beat: Callable[[], None] = lambda: None) -> Survey:
        """Look through the tables for chunks that lie outside of the file, or are packed in a way that is not read."""
        beat()
        rows = self._chunks
        held = ~np.isin(rows["kind"], (_ZERO, _IGNORE))
        outside = held & (rows["at"] + rows["length"] > self._file.size)
        strange = held & ~outside & ~np.isin(rows["kind"], (_RAW, *_DECODERS))
        told = int(rows["count"].sum()) * 512
        sizes = {
            "its data lie outside of the file": int(rows["count"][outside].sum()) * 512,
            REASONS[UNREAD]: int(rows["count"][strange].sum()) * 512,
            "no table tells of it": max(0, self.size - told),
        }
        return Survey(int(rows["count"][held].sum()) * 512, {why: size for why, size in sizes.items() if size}, whole=True)

    def check(self, beat: Callable[[], None] = lambda: None) -> tuple[int, list[str]]:
        """Undo all of it and compare it with the checksums that it keeps: return how many were right, and what was not."""
        right, wrong = 0, []
        for one in self.partitions:
            if one.checksum is None or not one.sectors:
                continue
            crc = 0
            try:
                for row in self._chunks[bisect_left(self._starts, one.first) : bisect_left(self._starts, one.first + one.sectors)]:
                    at, end = int(row["first"]) * 512, min((int(row["first"]) + int(row["count"])) * 512, self.size)
                    while at < end and int(row["kind"]) != _IGNORE:  # what is not there does not count
                        piece = self.read_at(at, min(1 << 20, end - at))
                        crc, at = zlib.crc32(piece, crc), at + len(piece)
                        beat()
            except DamagedRangeError as error:
                wrong.append(f"{one.name}: {error}")
                continue
            if crc == one.checksum:
                right += 1
            else:
                wrong.append(f"{one.name}: its data have the checksum {crc:08x}, not {one.checksum:08x}")
        return right, wrong

    def notes(self) -> list[str]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _zlib(raw: bytes, size: int) -> bytes:
    return zlib.decompressobj().decompress(raw, size)


def _bzip2(raw: bytes, size: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(raw, size)


def _lzma(raw: bytes, size: int) -> bytes:
    return lzma.LZMADecompressor(lzma.FORMAT_AUTO, memlimit=_LZMA_MEMORY).decompress(raw, size)


_DECODERS: dict[int, Callable[[bytes, int], bytes]] = {_ADC: adc, _ZLIB: _zlib, _BZIP2: _bzip2, _LZFSE: lzfse, _LZMA: _lzma}
