"""The directories of a TIFF, and every stretch of bytes that they lead to.

Sources: TIFF 6.0 (Adobe, 1992), sections 2, 7 and 15; TIFF Technical Note 1 (SubIFDs); BigTIFF (AWare Systems, 2004); EXIF 3.0 (CIPA),
4.6.3. Nothing is trusted: directories, entries and values are counted, and none is read twice.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from triage.carving.window import Window

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8, 129: 1}
"""Bytes of a value, by its type (TIFF 6.0, section 2; 13: an offset of a directory; 16 to 18: BigTIFF; 129: UTF-8, EXIF 3.0)."""
_NUMBERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
_MOST_ENTRIES = 1000
_MOST_DIRECTORIES = 20_000
_MOST_VALUES = 1 << 20
_MOST_OF_ALL = 300_000
_MOST_IMAGES = 1 << 22
"""Entries, strips and tiles of all directories together."""
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, MAKE, MODEL = 0x100, 0x101, 0x102, 0x103, 0x106, 0x10F, 0x110
STRIPS, SAMPLES, STRIP_BYTES, TILES, TILE_BYTES = 0x111, 0x115, 0x117, 0x144, 0x145
SUB_DIRECTORIES, JPEG, JPEG_BYTES, EXIF, GPS, INTEROPERABILITY, MAKER_NOTE = 0x14A, 0x201, 0x202, 0x8769, 0x8825, 0xA005, 0x927C
SUBFILE = 0xFE


@dataclass(frozen=True, slots=True)
class Entry:
    """A tag of a directory. ``offset``: where its value lies; ``raw``: the value itself if it fits into the entry."""

    kind: int
    count: int
    offset: int
    size: int


@dataclass(slots=True)
class Directory:
    """A directory. ``main``: it is one of the chain that begins in the header. ``images``: offsets and lengths of what it shows."""

    offset: int
    end: int
    entries: dict[int, Entry]
    following: int
    odd: int = 0
    main: bool = False
    images: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.int64))


class Tiff:
    """The structure of a TIFF. ``end``: behind the last byte that anything leads to; ``lost``: what leads out of the window."""

    def __init__(self, window: Window, order: str, *, big: bool = False) -> None:
        self.window = window
        self.order = order
        self.big = big
        self.directories: list[Directory] = []
        self.end = 16 if big else 8
        self.lost = 0
        self.broken = 0
        self.values: list[tuple[int, int]] = []
        self._entries_left = _MOST_OF_ALL
        self._images_left = _MOST_IMAGES

    def read(self, start: int) -> None:
        """Follow the chain from the directory at ``start`` on, and whatever hangs on it."""
        waiting, seen = deque([(start, True)]), set()
        while waiting and len(self.directories) < _MOST_DIRECTORIES:
            offset, main = waiting.popleft()
            if offset in seen or not offset:
                continue
            seen.add(offset)
            found = self._directory(offset)
            if found is None:
                self.broken += 1
                if not self.directories:
                    return
                continue
            found.main = main
            self.directories.append(found)
            self.end = max(self.end, found.end)
            if main and found.following:
                waiting.appendleft((found.following, True))
            for tag in (SUB_DIRECTORIES, EXIF, GPS, INTEROPERABILITY):
                if tag in found.entries:
                    waiting.extend((int(number), False) for number in self.numbers(found, tag, 64))
            found.images = self._images(found)

    def _directory(self, offset: int) -> Directory | None:
        width, head = (20, 8) if self.big else (12, 2)
        start = self.window.at(offset, head + width * 40 + 8)
        count = int.from_bytes(start[:head], "little" if self.order == "<" else "big")
        size = head + width * count + (8 if self.big else 4)
        self._entries_left -= min(count, _MOST_ENTRIES)
        if self._entries_left < 0 or not 0 < count <= _MOST_ENTRIES or offset + size > self.window.size or len(start) < head:
            return None
        data = start if size <= len(start) else self.window.at(offset, size)
        found = Directory(offset, offset + size, {}, 0)
        layout = struct.Struct(self.order + ("HHQQ" if self.big else "HHII"))
        last = -1
        for number in range(count):
            tag, kind, values, value = layout.unpack_from(data, head + number * width)
            each = SIZES.get(kind)
            found.odd += each is None or tag < last or (values == 0 and kind != 2)
            last = tag
            if each is None:
                continue
            length = each * values
            inline = length <= (8 if self.big else 4)
            place = offset + head + number * width + (12 if self.big else 8) if inline else value
            found.entries.setdefault(tag, Entry(kind, values, place, length))
            if not inline:
                self.values.append((value, length))
        (found.following,) = struct.unpack_from(self.order + ("Q" if self.big else "I"), data, size - (8 if self.big else 4))
        return found if found.odd * 4 <= count else None

    def numbers(self, directory: Directory, tag: int, most: int = _MOST_VALUES) -> np.ndarray:
        """Return a tag's whole numbers; none when it is not there, or has other values, or does not lie in the window."""
        entry = directory.entries.get(tag)
        kind = _NUMBERS.get(entry.kind) if entry is not None else None
        if entry is None or kind is None or entry.count > most:
            return np.zeros(0, np.int64)
        data = self.window.at(entry.offset, entry.size)
        if len(data) < entry.size:
            return np.zeros(0, np.int64)
        found = np.frombuffer(data, self.order + kind).astype(np.uint64)
        return np.minimum(found, np.uint64(1 << 62)).astype(np.int64)

    def number(self, directory: Directory, tag: int, default: int = 0) -> int:
        """Return a tag's first whole number."""
        entry = directory.entries.get(tag)
        if entry is None or entry.kind not in _NUMBERS:
            return default
        found = self.window.at(entry.offset, SIZES[entry.kind])
        return int.from_bytes(found, "little" if self.order == "<" else "big") if found else default

    def text(self, directory: Directory, tag: int) -> str:
        """Return a tag's text, at most 64 bytes of it."""
        entry = directory.entries.get(tag)
        if entry is None or entry.kind not in (2, 129):
            return ""
        return self.window.at(entry.offset, min(entry.size, 64)).split(b"\0")[0].decode("utf-8", "replace").strip()

    def _images(self, directory: Directory) -> np.ndarray:
        """Return ``(offset, length)`` of strips, tiles and JPEG streams."""
        found = []
        for offsets, lengths in ((STRIPS, STRIP_BYTES), (TILES, TILE_BYTES), (JPEG, JPEG_BYTES)):
            if offsets not in directory.entries:
                continue
            places, sizes = self.numbers(directory, offsets), self.numbers(directory, lengths)
            if not len(sizes) and len(places) == 1 and offsets == STRIPS:
                sizes = self._computed(directory)
            if not len(places) or not len(sizes):
                self.lost += 1
                continue
            count = min(len(places), len(sizes), self._images_left)
            self._images_left -= count
            pairs = np.stack((places[:count], sizes[:count]), axis=1)
            found.append(pairs[(pairs[:, 0] > 0) & (pairs[:, 1] > 0)])  # what is left empty is written so: sparse files
        return np.concatenate(found) if found else np.zeros((0, 2), np.int64)

    def _computed(self, directory: Directory) -> np.ndarray:
        """Return the length of the only strip of a picture that is not compressed: old writers do not say it."""
        if self.number(directory, COMPRESSION, 1) != 1:
            return np.zeros(0, np.int64)
        bits = self.numbers(directory, BITS, 64)
        samples = min(self.number(directory, SAMPLES, 1), 64)
        depth = int(bits.sum()) if len(bits) == samples and samples > 1 else samples * (int(bits[0]) if len(bits) else 1)
        row = (min(self.number(directory, WIDTH), 1 << 24) * min(depth, 1 << 12) + 7) // 8
        return np.array([row * min(self.number(directory, HEIGHT), 1 << 24)], np.int64)
