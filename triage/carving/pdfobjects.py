"""Whether the objects of a PDF stand where its tables say, and whether their streams are whole.

Specification: ISO 32000-2, 7.3.8 (streams), 7.3.10 (objects), 7.4.4 (Flate, with the checksum of RFC 1950), 7.4.8 (DCT, which is JPEG).
Offsets are bytes from the file's first.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.pdftables import OBJECT, STREAM, number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.window import Window

_MOST_CHECKED = 20_000
"""Objects that are looked at; of more, so many at equal distances."""
_MOST_DECODED = 64 << 20
"""Bytes that the streams of one file may become."""
_BUFFER = 256 << 10
_SLICE = 1 << 20
_STEP = 256
_SECTOR = 512
_PRINTABLE = bytes([9, 10, 13, *range(32, 127)])
_MANY = 12
"""Different bytes that a sector of text has, and a pattern in coded data has not."""
_FLATE = re.compile(rb"/Filter[\0\t\n\f\r ]*(?:\[[\0\t\n\f\r ]*)?/(?:FlateDecode|Fl)\b")
_DCT = re.compile(rb"/Filter[\0\t\n\f\r ]*(?:\[[\0\t\n\f\r ]*)?/(?:DCTDecode|DCT)\b")
_DENSE = re.compile(rb"/(?:JPXDecode|JBIG2Decode|LZWDecode)\b")
_PLAIN = re.compile(rb"/(?:Metadata|XRef|Crypt)\b")
"""Streams that may be plain in an encrypted file (7.6.2, 7.6.6)."""
_NO_MARKER = re.compile(rb"\xff[^\x00\xc4\xd0-\xdd\xfe\xff]")
_AFTER_STREAM = re.compile(rb"[\0\t\n\f\r ]{0,4}endstream")


@dataclass(frozen=True, slots=True)
class Stream:
    """What was found of a stream. ``broken``: about where it cannot be read on. ``proven``: its own checksum says that it is whole."""

    broken: int | None = None
    proven: bool = False
    size: int = 0


@dataclass(slots=True)
class Objects:
    """What was found of a file's objects.

    ``first_wrong``: the first offset at which none stands although the tables say so. ``broken``: ``(object, byte)`` of the first
    stream that cannot be read on from about that byte.
    """

    right: int = 0
    wrong: int = 0
    first_wrong: int | None = None
    broken: tuple[int, int] | None = None

    @property
    def agree(self) -> bool:
        """Whether everything stands where it should."""
        return self.right > 0 and not self.wrong and self.broken is None


def check_objects(window: Window, places: Sequence[tuple[int, int]], end: int, *, encrypted: bool) -> Objects:
    """Look at the objects that should stand at ``(offset, number)``, in order, of a file that ends at ``end``."""
    found = Objects()
    step = max(1, -(-len(places) // _MOST_CHECKED))
    sample = places[::step]
    buffer, start, decoded = b"", 0, 0
    for i, (offset, number) in enumerate(sample):
        at = offset - start
        if not 0 <= at <= len(buffer) - 64 and offset < end:
            buffer, start, at = window.at(offset, min(_BUFFER, end - offset)), offset, 0
        match = OBJECT.match(buffer, at) if 0 <= at < len(buffer) else None
        if match is None or int(match[1]) != number:
            found.wrong += 1
            if found.first_wrong is None:
                found.first_wrong = offset
            continue
        found.right += 1
        behind = places[i * step + 1][0] if i * step + 1 < len(places) else end
        if behind - offset > window.block and found.broken is None and decoded < _MOST_DECODED:
            # What is shorter than a block cannot be overwritten without one of its ends being so, too.
            stream = check_stream(window, start + match.end(), min(behind, end), encrypted=encrypted, budget=_MOST_DECODED - decoded)
            decoded += stream.size
            if stream.broken is not None:
                found.broken = (offset, stream.broken)
    return found


def stands_at(window: Window, offset: int, number: int) -> bool:
    """Whether that object begins there."""
    match = OBJECT.match(window.at(offset, 64))
    return match is not None and int(match[1]) == number


def check_stream(window: Window, start: int, end: int, *, encrypted: bool = False, budget: int = _MOST_DECODED) -> Stream:
    """Check the stream of the object whose dictionary begins at ``start``; at most ``budget`` bytes are decoded."""
    head = window.at(start, min(4096, end - start))
    opened = STREAM.search(head)
    if opened is None:  # a long array, or a stream whose beginning is gone
        return Stream(broken=start if b"endstream" in window.at(max(start, end - 64), min(64, end - start)) else None)
    dictionary, data = head[: opened.start()], start + opened.end()
    if not encrypted and _FLATE.search(dictionary):
        return _inflate(window, data, end, budget)
    stop, broken = end, []
    length = number_of(dictionary, b"Length")
    if length is not None:
        stop = min(data + length, end)
        if not _AFTER_STREAM.match(window.at(data + length, 16)):
            broken.append(stop)
    elif (stop := window.find(b"endstream", data, end)) < 0:
        stop = end
        broken.append(stop)
    if encrypted and _PLAIN.search(dictionary):
        return Stream(broken=min(broken, default=None))
    jpeg = not encrypted and _DCT.search(dictionary) is not None
    if jpeg or encrypted or _DENSE.search(dictionary):
        broken += [at for at in (_foreign(window, data, stop), _jpeg(window, data, stop) if jpeg else None) if at is not None]
    return Stream(broken=min(broken, default=None))


def _foreign(window: Window, start: int, end: int) -> int | None:
    """Return the first whole sector that compressed or encrypted data cannot have: text, or zeros from its first byte on.

    A flat area may come out as a pattern of few bytes or as zeros, but it begins anywhere.
    """
    start = -(-start // _SECTOR) * _SECTOR
    for offset, piece in window.chunks(start, end):
        whole = len(piece) // _SECTOR * _SECTOR
        sectors = np.frombuffer(piece, np.uint8, whole).reshape(-1, _SECTOR)
        for row in np.flatnonzero(sectors.max(axis=1, initial=0) < 0x80).tolist():
            at, sector = offset + row * _SECTOR, piece[row * _SECTOR : (row + 1) * _SECTOR]
            if not any(sector) and any(window.at(at - 16, 16)):
                return at
            if not sector.translate(None, _PRINTABLE) and len(set(sector)) >= _MANY:
                return at
    return None


def _inflate(window: Window, start: int, end: int, budget: int) -> Stream:
    decoder, size = zlib.decompressobj(), 0
    for offset, piece in window.chunks(start, end):
        rest, saved = piece, decoder.copy()
        while rest and not decoder.eof:
            try:
                out = len(decoder.decompress(rest, _SLICE))
            except zlib.error:
                return Stream(broken=offset + _breaks_at(saved, piece), size=size)
            window.spend(out // 8)
            size += out
            if size > budget:
                return Stream(size=size)
            rest = decoder.unconsumed_tail
        if decoder.eof:
            used = offset + len(piece) - len(decoder.unused_data)
            closed = b"endstream" in window.at(used, 64)
            return Stream(broken=None if closed else used, proven=closed, size=size)
    return Stream(broken=end, size=size)


def _breaks_at(decoder: zlib._Decompress, piece: bytes) -> int:
    """Return about where in a piece a decoder gives up: it does not say so itself."""
    for at in range(0, len(piece), _STEP):
        rest = piece[at : at + _STEP]
        try:
            while rest and not decoder.eof:
                decoder.decompress(rest, _SLICE)
                rest = decoder.unconsumed_tail
        except zlib.error:
            return at
    return len(piece)


def _jpeg(window: Window, start: int, end: int) -> int | None:
    """Return where a JPEG's coded data hold what no encoder writes (ITU-T T.81, B.1.1.2 and B.1.1.5)."""
    if window.at(start, 3) != b"\xff\xd8\xff":
        return start
    at = start + 2
    for _ in range(256):
        head = window.at(at, 4)
        if len(head) < 4 or head[0] != 0xFF or at >= end:
            return at
        at += 2 + int.from_bytes(head[2:], "big")
        if head[1] == 0xDA:
            break
    for offset, piece in window.chunks(at, end):
        if (odd := _NO_MARKER.search(piece)) is not None:
            return offset + odd.start()
    return None
