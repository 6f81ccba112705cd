"""The header of a 7z archive, unpacked where it is, and whether what it describes has the checksums that it should.

Source: 7zFormat.txt of the 7-Zip SDK, 25.00. Folders of one coder are decoded, as long as they are small: more would take minutes, and
filters for programs, PPMd and encryption are not read.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from triage.carving.window import Window

_END, _HEADER, _PROPERTIES, _ADDITIONAL, _MAIN, _FILES = range(6)
_PACK, _UNPACK, _SUBSTREAMS, _SIZE, _CRC, _FOLDER, _UNPACK_SIZE, _PER_FOLDER = range(6, 14)
_ENCODED = 0x17
_AES = b"\x06\xf1\x07\x01"
_COPY, _LZMA2, _LZMA1, _DEFLATE, _BZIP2 = b"\0", b"\x21", b"\3\1\1", b"\4\1\x08", b"\4\2\2"
_MANY = 1 << 20
_MOST_HEADER = 16 << 20
_MOST_PACKED = 8 << 20
_MOST_UNPACKED = 64 << 20
_PIECE = 1 << 20


@dataclass(slots=True)
class Folder:
    """Streams that are coded together. ``coders``: identifier and properties; ``crc`` is that of all of what comes out."""

    coders: list[tuple[bytes, bytes]]
    outs: int
    packed: int
    sizes: list[int] = field(default_factory=list)
    crc: int | None = None
    parts: list[tuple[int, int | None]] = field(default_factory=list)


@dataclass(slots=True)
class Streams:
    """Where the packed streams lie, from ``start`` on, in bytes behind the signature header, and the folders that they make."""

    start: int = 0
    sizes: list[int] = field(default_factory=list)
    folders: list[Folder] = field(default_factory=list)

    @property
    def encrypted(self) -> bool:
        """Whether a coder is AES."""
        return any(coder == _AES for folder in self.folders for coder, _ in folder.coders)


@dataclass(slots=True)
class Contents:
    """What a header tells. ``read``: whether it could be; ``files``: how many it names; ``names_too``: it is encrypted itself."""

    streams: Streams
    files: int = 0
    read: bool = True
    names_too: bool = False


class _Reader:
    """Reads a header's numbers. Raises ``ValueError`` behind its end and for what no header has."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        if not 0 <= length <= len(self.data) - self.at:
            raise ValueError("the header is too short")
        self.at += length
        return self.data[self.at - length : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """Return a number whose first byte says, by its leading ones, how many follow; its other bits are the highest."""
        first = self.byte()
        value, mask = 0, 0x80
        for shift in range(0, 64, 8):
            if not first & mask:
                return value | (first & (mask - 1)) << shift
            value |= self.byte() << shift
            mask >>= 1
        return value

    def count(self) -> int:
        found = self.number()
        if found > _MANY:
            raise ValueError("too many")
        return found

    def bits(self, count: int) -> list[bool]:
        data = self.take((count + 7) // 8)
        return [bool(data[n >> 3] & 0x80 >> (n & 7)) for n in range(count)]

    def checksums(self, count: int) -> list[int | None]:
        known = [True] * count if self.byte() else self.bits(count)
        return [int.from_bytes(self.take(4), "little") if one else None for one in known]


def read_contents(window: Window, header: bytes) -> Contents:
    """Return what a header tells whose checksum is right. Raises ``ValueError`` for one that makes no sense."""
    for _ in range(4):
        reader = _Reader(header)
        kind = reader.byte()
        if kind == _HEADER:
            return _contents(reader)
        if kind != _ENCODED:
            raise ValueError("neither a header nor a packed one")
        streams = _streams(reader)
        if len(streams.folders) != 1 or streams.encrypted or streams.folders[0].sizes[-1] > _MOST_HEADER:
            return Contents(streams, read=False, names_too=streams.encrypted)
        unpacked = bytearray()
        if not _verify(window, streams, keep=unpacked):
            raise ValueError("a packed header has another checksum")
        header = bytes(unpacked)
    raise ValueError("a header packed over and over")


def _contents(reader: _Reader) -> Contents:
    found = Contents(Streams())
    kind = reader.byte()
    if kind == _PROPERTIES:
        while reader.byte():
            reader.take(reader.number())
        kind = reader.byte()
    if kind == _ADDITIONAL:
        _streams(reader)
        kind = reader.byte()
    if kind == _MAIN:
        found.streams = _streams(reader)
        kind = reader.byte()
    if kind == _FILES:
        found.files = reader.number()
    elif kind != _END:
        raise ValueError("no header goes on like that")
    return found


def _streams(reader: _Reader) -> Streams:
    found = Streams()
    kind = reader.byte()
    if kind == _PACK:
        found.start, count = reader.number(), reader.count()
        kind = reader.byte()
        if kind == _SIZE:
            found.sizes = [reader.number() for _ in range(count)]
            kind = reader.byte()
        if kind == _CRC:
            reader.checksums(count)
            kind = reader.byte()
        _must(kind == _END)
        kind = reader.byte()
    if kind == _UNPACK:
        _folders(reader, found)
        kind = reader.byte()
    for folder in found.folders:
        folder.parts = [(folder.sizes[-1], folder.crc)]
    if kind == _SUBSTREAMS:
        _substreams(reader, found)
        kind = reader.byte()
    _must(kind == _END)
    return found


def _folders(reader: _Reader, found: Streams) -> None:
    _must(reader.byte() == _FOLDER)
    count = reader.count()
    _must(reader.byte() == 0)
    found.folders = [_folder(reader) for _ in range(count)]
    _must(reader.byte() == _UNPACK_SIZE)
    for folder in found.folders:
        folder.sizes = [reader.number() for _ in range(folder.outs)]
    kind = reader.byte()
    if kind == _CRC:
        for folder, crc in zip(found.folders, reader.checksums(count), strict=True):
            folder.crc = crc
        kind = reader.byte()
    _must(kind == _END)


def _folder(reader: _Reader) -> Folder:
    coders, ins, outs = [], 0, 0
    count = reader.number()
    _must(0 < count <= 32)
    for _ in range(count):
        flags = reader.byte()
        name = reader.take(flags & 15)
        more = (reader.number(), reader.number()) if flags & 0x10 else (1, 1)
        _must(more[0] <= 32 and more[1] <= 32)
        ins, outs = ins + more[0], outs + more[1]
        coders.append((name, reader.take(reader.number()) if flags & 0x20 else b""))
    _must(0 < outs <= ins + 1)
    for _ in range(outs - 1):
        reader.number()
        reader.number()
    packed = ins - (outs - 1)
    if packed > 1:
        for _ in range(packed):
            reader.number()
    return Folder(coders, outs, packed)


def _substreams(reader: _Reader, found: Streams) -> None:
    counts = [1] * len(found.folders)
    kind = reader.byte()
    if kind == _PER_FOLDER:
        counts = [reader.count() for _ in found.folders]
        _must(sum(counts) <= _MANY)
        kind = reader.byte()
    sized = kind == _SIZE
    for folder, count in zip(found.folders, counts, strict=True):
        sizes = [reader.number() for _ in range(count - 1)] if sized else []
        if count:
            sizes.append(folder.sizes[-1] - sum(sizes))
        _must(len(sizes) == count and all(size >= 0 for size in sizes))
        folder.parts = [(size, folder.crc if count == 1 else None) for size in sizes]
    kind = reader.byte() if sized else kind
    if kind == _CRC:
        unknown = [(f, n) for f in found.folders for n, (_, crc) in enumerate(f.parts) if crc is None]
        for (folder, number), crc in zip(unknown, reader.checksums(len(unknown)), strict=True):
            folder.parts[number] = (folder.parts[number][0], crc)
        kind = reader.byte()
    _must(kind == _END)


def _must(right: bool) -> None:
    if not right:
        raise ValueError("no header of 7z is like that")


# -- what is packed ---------------------------------------------------------------------------------------------------------------


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def verify(window: Window, streams: Streams) -> bool | None:
    """Say whether all that is packed has its checksums; ``None`` when that cannot be said, or not cheaply."""
    small = sum(streams.sizes) <= _MOST_PACKED and sum(f.sizes[-1] for f in streams.folders) <= _MOST_UNPACKED
    if not small or any(len(f.coders) != 1 or f.packed != 1 for f in streams.folders) or len(streams.sizes) != len(streams.folders):
        return None
    if not streams.folders or any(crc is None and size for f in streams.folders for size, crc in f.parts):
        return None
    return _verify(window, streams)


def _verify(window: Window, streams: Streams, keep: bytearray | None = None) -> bool | None:
    at = 32 + streams.start
    for folder, size in zip(streams.folders, streams.sizes, strict=True):
        if len(folder.coders) != 1:
            return None
        decoder = _decoder(*folder.coders[0], folder.sizes[-1])
        if decoder is None:
            return None
        try:
            if not _decode(window, at, at + size, decoder, folder, keep):
                return False
        except (lzma.LZMAError, zlib.error, OSError, EOFError):
            return False
        at += size
    return True


def _decode(window: Window, start: int, end: int, decoder: _Decoder, folder: Folder, keep: bytearray | None) -> bool:
    """Decode a stream into the parts that its folder has, and hold each against its checksum."""
    source = (data for _, data in window.chunks(start, end))
    pending, crc = b"", 0
    for size, wanted in folder.parts:
        left, crc = size, 0
        while left:
            out = decoder.decompress(pending, min(left, _PIECE))
            pending = b""
            if not out:
                if decoder.eof:
                    return False
                pending = next(source, b"")
                if not pending:
                    return False
                continue
            window.spend(len(out))
            crc = zlib.crc32(out, crc)
            left -= len(out)
            if keep is not None:
                keep += out
        if wanted is not None and crc != wanted:
            return False
    return True


class _Plain:
    """What is stored only."""

    eof = False

    def __init__(self) -> None:
        self.held = b""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        self.held += data
        out, self.held = self.held[:max_length], self.held[max_length:]
        return out


class _Inflate:
    """zlib's decoder with the manners of the others: it holds what it has not used."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(-15)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    def decompress(self, data: bytes, max_length: int = 0) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)


def _decoder(name: bytes, properties: bytes, size: int) -> _Decoder | None:
    """Return a decoder; its dictionary is never larger than what comes out, whatever the properties say."""
    if name == _COPY:
        return _Plain()
    if name == _DEFLATE:
        return _Inflate()
    if name == _BZIP2:
        return bz2.BZ2Decompressor()
    most = max(min(size, _MOST_UNPACKED), 4096)
    if name == _LZMA2 and len(properties) == 1 and properties[0] <= 40:
        bits = properties[0]
        dictionary = 0xFFFFFFFF if bits == 40 else (2 | bits & 1) << bits // 2 + 11
        form: dict[str, int] = {"id": lzma.FILTER_LZMA2, "dict_size": min(max(dictionary, 4096), most)}
    elif name == _LZMA1 and len(properties) == 5 and properties[0] < 225:
        first, dictionary = properties[0], int.from_bytes(properties[1:], "little")
        lc, lp, pb = first % 9, first // 9 % 5, first // 45
        if lc + lp > 4:
            return None
        form = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": min(max(dictionary, 4096), most)}
    else:
        return None
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[form])
