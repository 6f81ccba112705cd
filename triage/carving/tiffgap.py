"""Where a TIFF in packed strips breaks, and where it goes on.

The directory says where each strip begins, if only the width of the gap were known: every width of whole blocks is tried for whether
strips begin there, or the directory itself if that lies behind the gap. Unpacking the strip in which the break lies then says between which
blocks it is: Deflate has a checksum, LZW an end code at its last byte and a number of bytes.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from triage.carving.lzw import Packed
from triage.carving.tiffs import BITS, COMPRESSION, HEIGHT, SAMPLES, STRIPS, WIDTH, Directory, Tiff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_GAPS = 4096
_LZW, _DEFLATE = 5, (8, 32946)
_ROWS = 0x116
_STRIPS = 1 << 16
_ALIKE = 4
"""Strips that have to begin where they should behind a gap."""
_FIRST_TAGS = (0xFE, 0x100)
_NEAR = 1 << 16
_COST = 64


class _Machine(Protocol):
    """What unpacks a strip. ``feed`` returns whether it can go on."""

    def feed(self, data: bytes) -> bool: ...

    def copy(self) -> _Machine: ...

    @property
    def done(self) -> bool: ...


class _Inflater:
    def __init__(self) -> None:
        self._machine = zlib.decompressobj()

    def feed(self, data: bytes) -> bool:
        try:
            while data and not self._machine.eof:
                self._machine.decompress(data, 1 << 20)
                data = self._machine.unconsumed_tail
        except zlib.error:
            return False
        return True

    def copy(self) -> _Inflater:
        other = _Inflater()
        other._machine = self._machine.copy()
        return other

    @property
    def done(self) -> bool:
        return self._machine.eof


class _Unpacker:
    def __init__(self, size: int, length: int, machine: Packed | None = None) -> None:
        self._size, self._length = size, length
        self._machine = machine or Packed()

    def feed(self, data: bytes) -> bool:
        self._machine.feed(data)
        return not self._machine.wrong

    def copy(self) -> _Unpacker:
        return _Unpacker(self._size, self._length, self._machine.copy())

    @property
    def done(self) -> bool:
        found = self._machine
        return found.ended and found.made == self._size and self._length - found.used <= 1


def begins(window: Window, offset: int, method: int) -> bool:
    """Whether a strip can begin there: with the code that clears the table, or a zlib header."""
    head = window.at(offset, 2)
    if len(head) < 2:
        return False
    if method == _LZW:
        return head[0] == 0x80 and head[1] < 0x80
    return head[0] & 15 == 8 and head[0] >> 4 <= 7 and (head[0] << 8 | head[1]) % 31 == 0


def find_seam(window: Window, order: str, start: int) -> tuple[int, int] | None:
    """Return where a TIFF, whose first directory should be at ``start``, breaks, and how wide the gap is."""
    tiff = Tiff(window, order)
    tiff.read(start)
    strips = _strips(tiff)
    if strips is not None:
        directory, places = strips
        method = tiff.number(directory, COMPRESSION)
        wrong = next((n for n, (offset, _) in enumerate(places) if not begins(window, offset, method)), 0)
        for gap in _widths(window, places[wrong][0]) if wrong else ():
            if all(begins(window, offset + gap, method) for offset, _ in places[wrong : wrong + _ALIKE]):
                cut = _cut(tiff, directory, places, wrong, gap)
                if cut is not None:
                    return cut, gap
        return None
    for gap in _widths(window, start):
        if _looks_like_one(window, start + gap, order):
            found = _behind(window, order, start, gap)
            if found is not None:
                return found, gap
    return None


def _widths(window: Window, offset: int) -> Iterator[int]:
    for gap in range(window.block, (_GAPS + 1) * window.block, window.block):
        if offset + gap >= window.size:
            return
        yield gap


def _looks_like_one(window: Window, offset: int, order: str) -> bool:
    name = "little" if order == "<" else "big"
    head = window.at(offset, 10)
    count, tag, kind = (int.from_bytes(head[n : n + 2], name) for n in (0, 2, 4))  # type: ignore[arg-type]
    return 5 <= count <= 200 and tag in _FIRST_TAGS and kind in (3, 4)


def _behind(window: Window, order: str, start: int, gap: int) -> int | None:
    """Return the break, if the directory and what it has to say lie behind the gap."""
    cut = start // window.block * window.block
    for _ in range(8):
        joined = window.spliced(((0, cut), (cut + gap, window.size - cut - gap)))
        tiff = Tiff(joined, order)
        tiff.read(start)
        first = min((offset for offset, _ in tiff.values if start - _NEAR < offset < cut), default=cut)
        if first == cut:
            break
        cut = first // window.block * window.block  # its values lie before it, and behind the gap as well
    strips = _strips(tiff)
    if strips is None:
        return None
    directory, places = strips
    method = tiff.number(directory, COMPRESSION)
    wrong = next((n for n, (offset, _) in enumerate(places) if not begins(window, offset, method)), len(places))
    return _cut(tiff, directory, places, wrong, gap, window) if wrong else None


def _strips(tiff: Tiff) -> tuple[Directory, list[tuple[int, int]]] | None:
    if not tiff.directories:
        return None
    directory = tiff.directories[0]
    places = sorted((offset, length) for offset, length in directory.images[:_STRIPS].tolist())
    if tiff.number(directory, COMPRESSION) not in (_LZW, *_DEFLATE) or STRIPS not in directory.entries or not places:
        return None
    return directory, places


def _cut(tiff: Tiff, directory: Directory, places: list[tuple[int, int]], wrong: int, gap: int, window: Window | None = None) -> int | None:
    """Return the break, in the strip before the first that does not begin where it should, or in the one before that."""
    window = window or tiff.window
    method = tiff.number(directory, COMPRESSION)
    bits = tiff.numbers(directory, BITS, 64)
    samples = tiff.number(directory, SAMPLES, 1)
    depth = int(bits.sum()) if len(bits) == samples else samples * (int(bits[0]) if len(bits) else 1)
    row = (tiff.number(directory, WIDTH) * depth + 7) // 8
    rows, height = tiff.number(directory, _ROWS, 1 << 31), tiff.number(directory, HEIGHT)
    for number in (wrong - 1, wrong - 2):
        if number < 0:
            continue
        offset, length = places[number]
        border = places[number + 1][0] if number + 1 < len(places) else offset + length + window.block
        size = max(0, min(rows, height - number * rows)) * row
        machine: _Machine = _Unpacker(size, length) if method == _LZW else _Inflater()
        cut = _in_strip(window, (offset, length), border, gap, machine, _COST if method == _LZW else 4)
        if cut is not None:
            return cut
    return None


def _in_strip(window: Window, strip: tuple[int, int], border: int, gap: int, machine: _Machine, cost: int) -> int | None:
    """Unpack a strip up to each block's end, and from there on what lies behind the gap: only at the break that comes out right."""
    offset, length = strip
    done, end, block = offset, offset + length, window.block
    for cut in range(offset // block * block + block, end, block):
        window.spend(cost * (cut - done))
        if not machine.feed(window.at(done, cut - done)):
            return None
        done = cut
        trial, at = machine.copy(), cut
        while at < end:
            piece = window.at(at + gap, min(4096, end - at))
            window.spend(cost * len(piece))
            if not piece or not trial.feed(piece):
                break
            at += len(piece)
        if trial.done:
            return cut
    window.spend(cost * (end - done))
    if machine.feed(window.at(done, end - done)) and machine.done:
        cut = -(-end // block) * block
        return cut if cut <= border else None
    return None
