"""Pictures, embedded files and sounds inside the streams of Office's old documents.

Pictures are OfficeArt blips ([MS-ODRAW] 2.2.23 to 2.2.31). They are found by their headers wherever they stand in a stream, and taken if
their content begins as it must: so those of Word's ``Data``, PowerPoint's ``Pictures`` and Excel's drawings are found alike, and what an
earlier save left behind, too. Embedded files: ``Ole10Native`` ([MS-OLEDS] 2.3.6), and in PowerPoint ``ExOleObjStg`` and ``SoundDataBlob``
([MS-PPT] 2.10.34 and 2.4.16.5).
"""

from __future__ import annotations

import bisect
import re
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import Notes, ReadAt

Places = tuple[tuple[int, int], ...]
LARGEST = 256 << 20
_HEADER = re.compile(rb"[\x00-\xff]{2}([\x1a-\x1f\x29\x2a])\xf0")
_RASTER = {0x1D: "jpg", 0x2A: "jpg", 0x1E: "png", 0x1F: "dib", 0x29: "tif"}
_METAFILE = {0x1A: "emf", 0x1B: "wmf", 0x1C: "pict"}
# Instances that say that two identifiers stand before the content, not one.
_TWO = {0x3D5, 0x217, 0x543, 0x46B, 0x6E3, 0x6E1, 0x7A9, 0x6E5}
_ONE = {0x3D4, 0x216, 0x542, 0x46A, 0x6E2, 0x6E0, 0x7A8, 0x6E4}
_STARTS = {"jpg": (b"\xff\xd8\xff",), "png": (b"\x89PNG",), "tif": (b"II*\0", b"MM\0*"), "dib": (b"\x28\0\0\0", b"\x0c\0\0\0")}
_MOST_JOINED = 100_000
_CONTINUE, _DRAWINGS = 0x3C, 0xEB
_OBJECT, _SOUND = 0x1011, 0x07E7
_DEEPEST, _MOST_RECORDS = 16, 500_000


class Part(NamedTuple):
    """A file in a stream. ``places``: offsets and lengths in the file; ``packed``: whether zlib's; ``name`` as the document has it."""

    ending: str
    places: Places
    packed: bool = False
    size: int = 0
    name: str = ""
    path: str = ""


class Joined:
    """A stream that lies in pieces, as one stretch of bytes."""

    def __init__(self, read_at: ReadAt, places: Places) -> None:
        self.data = b"".join(read_at(offset, length) for offset, length in places)
        self._places = places
        self._starts = []
        at = 0
        for _, length in places:
            self._starts.append(at)
            at += length

    def places(self, start: int, length: int) -> Places:
        """Return where a stretch of it is in the file."""
        found: list[tuple[int, int]] = []
        number = bisect.bisect_right(self._starts, start) - 1
        while length > 0 and 0 <= number < len(self._places):
            within = start - self._starts[number]
            offset, size = self._places[number]
            taken = min(length, size - within)
            if taken <= 0:
                break
            if found and sum(found[-1]) == offset + within:
                found[-1] = (found[-1][0], found[-1][1] + taken)
            else:
                found.append((offset + within, taken))
            start, length, number = start + taken, length - taken, number + 1
        return tuple(found)


def pictures(stream: Joined, notes: Notes) -> Iterator[Part]:
    """Yield the blips of a stream in the order in which they stand there."""
    data, at = stream.data, 0
    while (match := _HEADER.search(data, at)) is not None:
        at = match.start() + 1
        one = _blip(stream, match.start(), match[1][0], notes)
        if one is not None:
            part, at = one
            yield part


def _blip(stream: Joined, start: int, kind: int, notes: Notes) -> tuple[Part, int] | None:
    data = stream.data
    if start + 8 > len(data):
        return None
    head, length = struct.unpack_from("<H", data, start)[0], struct.unpack_from("<I", data, start + 4)[0]
    end = start + 8 + length
    instance = head >> 4
    if head & 0xF or instance not in _ONE | _TWO or length < 34:
        return None
    at = start + 8 + (32 if instance in _TWO else 16)
    if kind in _METAFILE:
        return _metafile(stream, at, end, _METAFILE[kind])
    at += 1
    ending = _RASTER[kind]
    if not data.startswith(_STARTS[ending], at):
        return None
    if end > len(data):
        notes.add("a picture in a document is not all there: as much of it as there is was taken")
        end = len(data)
    if ending == "dib":
        notes.add("a picture in a document is a bitmap without the head of its file: it is left out")
        return None
    return Part(ending, stream.places(at, end - at)), end


def _metafile(stream: Joined, at: int, end: int, ending: str) -> tuple[Part, int] | None:
    data = stream.data
    if at + 34 > min(end, len(data)) or end > len(data):
        return None
    size, packed, how, mark = struct.unpack_from("<I", data, at)[0], *struct.unpack_from("<IBB", data, at + 28)
    if mark != 0xFE or how not in (0, 0xFE) or packed > end - at - 34 or not 0 < size <= LARGEST:
        return None
    return Part(ending, stream.places(at + 34, packed), how == 0, size), at + 34 + packed


def drawings(stream: Joined) -> Places:
    """Return where Excel's drawings are in a workbook, without the heads of the records that they are cut into ([MS-XLS] 2.4.102)."""
    found: list[tuple[int, int]] = []
    data, at, taking = stream.data, 0, False
    while at + 4 <= len(data) and len(found) < _MOST_JOINED:
        kind, length = struct.unpack_from("<HH", data, at)
        taking = kind == _DRAWINGS or (taking and kind == _CONTINUE)
        if taking:
            found += stream.places(at + 4, length)
        at += 4 + length
    return tuple(found)


def native(stream: Joined) -> Part | None:
    """Return the file that a stream ``Ole10Native`` holds, with the name and path it had when it was put in."""
    data = stream.data
    if len(data) < 6:
        return None
    if struct.unpack_from("<H", data, 4)[0] == 2:
        at, texts = 6, []
        for _ in range(2):
            stop = data.find(b"\0", at, at + 1024)
            if stop < 0:
                break
            texts.append(data[at:stop].decode("cp1252", "replace"))
            at = stop + 1
        if len(texts) == 2 and at + 8 <= len(data):
            at += 8 + struct.unpack_from("<I", data, at + 4)[0]
            if at + 4 <= len(data):
                size = min(struct.unpack_from("<I", data, at)[0], len(data) - at - 4)
                if size:
                    return Part("bin", stream.places(at + 4, size), name=texts[0], path=texts[1])
    size = min(struct.unpack_from("<I", data, 0)[0], len(data) - 4)
    return Part("bin", stream.places(4, size)) if size else None


def slides(stream: Joined) -> Iterator[Part]:
    """Yield the embedded documents and sounds of a presentation."""
    data, seen = stream.data, 0
    waiting: list[tuple[int, int, int]] = [(0, len(data), 0)]
    while waiting:
        at, end, depth = waiting.pop()
        while at + 8 <= end and seen < _MOST_RECORDS:
            seen += 1
            head, kind, length = struct.unpack_from("<HHI", data, at)
            start, at = at + 8, at + 8 + length
            if head & 0xF == 0xF and depth < _DEEPEST:
                waiting.append((at, end, depth))
                at, end, depth = start, min(at, end), depth + 1
            elif kind == _OBJECT and 4 < length <= end - start:
                packed = head >> 4 == 1
                size: Any = struct.unpack_from("<I", data, start)[0] if packed else length
                yield Part("ole", stream.places(start + 4 * packed, length - 4 * packed), packed, size)
            elif kind == _SOUND and 0 < length <= end - start:
                yield Part("wav", stream.places(start, length))
