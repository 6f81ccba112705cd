"""Decoders of compressed streams in one shape, each bounded in memory: what containers, archives and files inside files are undone with."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

import brotli
import inflate64
import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable

_LZMA_MEMORY = 128 << 20
_ZSTD_WINDOW = 128 << 20
FAULTS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
"""What a decoder raises for damaged data."""


class Decoder(Protocol):
    """What bz2's, lzma's and our own decoders offer."""

    @property
    def eof(self) -> bool:
        """Whether the stream's end mark was met."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end mark."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take data and return at most ``max_length`` bytes."""


class Inflate:
    """zlib's decoder in the shape of the others. ``wbits`` as in :func:`zlib.decompressobj`."""

    __slots__ = ("_full", "_stream")

    def __init__(self, wbits: int) -> None:
        self._stream = zlib.decompressobj(wbits)
        self._full = False

    @property
    def eof(self) -> bool:
        """Whether the stream's end mark was met."""
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        """Whether all that was given has come out."""
        return not self._stream.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end mark."""
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take data and return at most ``max_length`` bytes."""
        tail = self._stream.unconsumed_tail
        out = self._stream.decompress(tail + data if tail else data, max_length)
        self._full = len(out) == max_length
        return out


def gzip_decoder() -> Decoder:
    """Return a decoder of one gzip stream (RFC 1952), its checksum included."""
    return Inflate(31)


def deflate_decoder() -> Decoder:
    """Return a decoder of raw deflate (RFC 1951), as ZIP members have it."""
    return Inflate(-15)


def zlib_decoder() -> Decoder:
    """Return a decoder of a zlib stream (RFC 1950), which HTTP calls ``deflate``."""
    return Inflate(15)


class Brotli:
    """brotli's decoder in the shape of the others (RFC 7932)."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        self._stream = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        """Whether the stream's end mark was met."""
        return bool(self._stream.is_finished())

    @property
    def needs_input(self) -> bool:
        """Whether all that was given has come out."""
        return bool(self._stream.can_accept_more_data())

    @property
    def unused_data(self) -> bytes:
        """What was given behind the end mark: brotli does not say."""
        return b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take data and return about ``max_length`` bytes."""
        try:
            out: bytes = self._stream.process(data, output_buffer_limit=max_length)
        except brotli.error as error:
            raise ValueError(str(error)) from error
        return out


class Zstandard:
    """zstandard's decoder in the shape of the others (RFC 8878): it takes little bites, so that what comes out is bounded."""

    __slots__ = ("_held", "_stream")

    _BITE = 1 << 10

    def __init__(self) -> None:
        self._stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._held = b""

    @property
    def eof(self) -> bool:
        """Whether the frame's end was met."""
        return bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        """Whether all that was given has been taken."""
        return not self._held

    @property
    def unused_data(self) -> bytes:
        """What was given behind the frame's end."""
        return bytes(self._stream.unused_data) + self._held

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take data and return what comes out of the next bite, which is at most 128 KiB a block that begins in it."""
        held = self._held + data
        bite, self._held = held[: self._BITE], held[self._BITE :]
        try:
            return self._stream.decompress(bite)
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error


class Deflate64:
    """inflate64's decoder in the shape of the others (PKWARE APPNOTE 4.4.5, method 9): it takes little bites of what is packed."""

    __slots__ = ("_held", "_out", "_stream")

    _BITE = 256
    """Bytes that some MiB come out of at most."""

    def __init__(self) -> None:
        self._stream = inflate64.Inflater()
        self._held = self._out = b""

    @property
    def eof(self) -> bool:
        """Whether the stream's end was met and all has come out."""
        return bool(self._stream.eof) and not self._out

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out of what was given."""
        return not self._held and not self._out

    @property
    def unused_data(self) -> bytes:
        """What was given behind the bite in which the end mark was met: inflate64 does not say what follows it there."""
        return self._held if self._stream.eof else b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take data and return at most ``max_length`` bytes."""
        held, place, pieces, many = self._held + data, 0, [self._out], len(self._out)
        while many < max_length and place < len(held) and not self._stream.eof:
            piece = self._stream.inflate(held[place : place + self._BITE])
            place += self._BITE
            pieces.append(piece)
            many += len(piece)
        self._held = held[place:]
        out = b"".join(pieces)
        self._out = out[max_length:]
        return out[:max_length]


def deflate64_decoder() -> Decoder:
    """Return a decoder of one Deflate64 stream."""
    return Deflate64()


def brotli_decoder() -> Decoder:
    """Return a decoder of a brotli stream."""
    return Brotli()


def zstd_decoder() -> Decoder:
    """Return a decoder of one zstd frame with a window of at most 128 MiB."""
    return Zstandard()


def bzip2_decoder() -> Decoder:
    """Return a decoder of one bzip2 stream."""
    return bz2.BZ2Decompressor()


def xz_decoder() -> Decoder:
    """Return a decoder of one xz stream that takes at most 128 MiB of memory."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)


def lzma1_decoders(properties: bytes) -> Callable[[], Decoder] | None:
    """Return what makes decoders of raw LZMA from its five bytes of properties; ``None`` when they cannot be or take over 128 MiB."""
    first, dictionary = properties[0], int.from_bytes(properties[1:5], "little")
    lc, lp, pb = first % 9, first // 9 % 5, first // 45
    if first >= 225 or lc + lp > 4 or dictionary > _LZMA_MEMORY:
        return None
    form = {"id": lzma.FILTER_LZMA1, "lc": lc, "lp": lp, "pb": pb, "dict_size": max(dictionary, 4096)}
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[form])
