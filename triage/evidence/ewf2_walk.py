"""Chunks of an Ex01 whose table is damaged: found one behind the other, each proven by its own checksum.

Source: J. B. Metz, "Expert Witness Compression Format 2 (EWF2)" (libewf documentation), section "Sector data": chunks lie in order, each at
a multiple of 16 bytes.
"""

from __future__ import annotations

import bz2
import struct
import zlib
from typing import TYPE_CHECKING

from triage.evidence.ewf_index import checksum_fits
from triage.evidence.medium import pread

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.evidence.ewf2_sections import Section

PACKED, CHECKED, PATTERN = 1, 2, 4
ZLIB, BZIP2 = 1, 2
ENTRY = struct.Struct("<QII")
"""A table's entry: a chunk's offset or pattern, its length as stored, and its flags."""
_ALIGNED = 16


def walk(file: int, section: Section, chunk: int, method: int, rest: int, beat: Callable[[], None]) -> bytes:
    """Return a table's entries for the chunks of a section of sector data; b"" when they do not fill it without a break.

    A chunk holds ``chunk`` bytes, the last may hold ``rest``.
    """
    found = bytearray()
    at = section.start
    while at < section.end:
        beat()
        raw = pread(file, min(2 * chunk + 4096, section.end - at), at)
        length, flags = _prove(raw, (chunk,), method)
        if not length and rest != chunk:
            length, flags = _prove(raw, (rest,), method)
            if -(-length // _ALIGNED) * _ALIGNED < len(raw):  # more follow: it is not the last
                return b""
        if not length:
            return b""
        found += ENTRY.pack(at, length, flags)
        at += length
        gap = -(at - section.start) % _ALIGNED
        at += gap if not any(pread(file, gap, at)) else 0  # some writers do not align
    return bytes(found)


def _prove(raw: bytes, sizes: tuple[int, ...], method: int) -> tuple[int, int]:
    """Return the length as stored of the chunk that ``raw`` begins with, and its flags; 0 when no checksum says that there is one."""
    for size in sizes:
        if checksum_fits(memoryview(raw)[:size], raw[size : size + 4]):
            return size + 4, CHECKED
    stream = bz2.BZ2Decompressor() if method == BZIP2 else zlib.decompressobj()
    try:
        data = stream.decompress(raw, max(sizes) + 1)
    except (zlib.error, OSError, ValueError):
        return 0, 0
    if not stream.eof or len(data) not in sizes:
        return 0, 0
    return len(raw) - len(stream.unused_data), PACKED
