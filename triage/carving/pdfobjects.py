"""Whether the objects of a PDF stand where its tables say, and whether their streams are whole.

Specification: ISO 32000-2, 7.3.8 (streams), 7.3.10 (objects), 7.4.4 (Flate, with the checksum of RFC 1950), 7.4.8 (DCT, which is JPEG).
Offsets are bytes from the file's first.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
_FLATE = re.compile(rb"/Filter[\0\t\n\f\r ]*(?:\[[\0\t\n\f\r ]*)?/(?:FlateDecode|Fl)\b")
_DCT = re.compile(rb"/Filter[\0\t\n\f\r ]*(?:\[[\0\t\n\f\r ]*)?/(?:DCTDecode|DCT)\b")
_NO_MARKER = re.compile(rb"\xff[^\x00\xc4\xd0-\xdd\xfe\xff]")
_AFTER_STREAM = re.compile(rb"[\0\t\n\f\r ]{0,4}endstream")


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
        if behind - offset > window.block and not encrypted and found.broken is None and decoded < _MOST_DECODED:
            # What is shorter than a block cannot be overwritten without one of its ends being so, too.
            broken, size = check_stream(window, start + match.end(), min(behind, end), _MOST_DECODED - decoded)
            decoded += size
            if broken is not None:
                found.broken = (offset, broken)
    return found


def stands_at(window: Window, offset: int, number: int) -> bool:
    """Whether that object begins there."""
    match = OBJECT.match(window.at(offset, 64))
    return match is not None and int(match[1]) == number


def check_stream(window: Window, start: int, end: int, budget: int) -> tuple[int | None, int]:
    """Decode the stream of the object whose dictionary begins at ``start``; return where it breaks, if so, and the bytes that came out."""
    head = window.at(start, min(4096, end - start))
    opened = STREAM.search(head)
    if opened is None:
        return None, 0
    dictionary, data = head[: opened.start()], start + opened.end()
    if _FLATE.search(dictionary):
        return _inflate(window, data, end, budget)
    if _DCT.search(dictionary):
        return _jpeg(window, data, end), 0
    length = number_of(dictionary, b"Length")
    if length is not None and not _AFTER_STREAM.match(window.at(data + length, 16)):
        return min(data + length, end), 0
    return None, 0


def _inflate(window: Window, start: int, end: int, budget: int) -> tuple[int | None, int]:
    decoder, size = zlib.decompressobj(), 0
    for offset, piece in window.chunks(start, end):
        rest = piece
        while rest and not decoder.eof:
            try:
                out = len(decoder.decompress(rest, _SLICE))
            except zlib.error:
                return offset + len(piece) - len(rest), size
            window.spend(out // 8)
            size += out
            if size > budget:
                return None, size
            rest = decoder.unconsumed_tail
        if decoder.eof:
            used = offset + len(piece) - len(decoder.unused_data)
            return (None if b"endstream" in window.at(used, 64) else used), size
    return end, size


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
    end = window.find(b"endstream", at, end)
    if end < 0:
        return at
    for offset, piece in window.chunks(at, end):
        if (odd := _NO_MARKER.search(piece)) is not None:
            return offset + odd.start()
    return None
