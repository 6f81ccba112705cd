"""PSD and PSB: four sections behind a header, then the merged picture (Adobe Photoshop File Formats Specification, November 2019).

Each section says how long it is; how long the merged picture is follows from its lines, each of which has a length when they are packed.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_MODES = {0, 1, 2, 3, 4, 7, 8, 9}
_SIGNATURES = {b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"}
_RESOURCES = 4096
_THUMBNAILS = {1033, 1036}
_MOST_CHANNELS = 56
_LINES = 1 << 22
_LINES_SEEN = 256
_DECODED = 1 << 30


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 30)
    if len(head) < 30 or head[:4] != b"8BPS" or head[6:12] != bytes(6):
        return None
    version, channels, height, width, depth, mode, colours = struct.unpack_from(">H6xHIIHHI", head, 4)
    side = 30_000 if version == 1 else 300_000
    if version not in (1, 2) or not 0 < channels <= _MOST_CHANNELS or not (0 < height <= side and 0 < width <= side):
        return None
    if depth not in (1, 8, 16, 32) or mode not in _MODES or colours > 1 << 16 or (mode == 2 and colours != 768):
        return None
    facts: Facts = {"width": width, "height": height}
    extension = "psd" if version == 1 else "psb"
    start = 30 + colours
    resources = int.from_bytes(window.at(start, 4), "big")
    at, parts = _follow_resources(window, start + 4, resources)
    if at != start + 4 + resources:
        return _cut_off(window, extension, facts, parts, at, "its image resources")
    wide = 8 if version == 2 else 4
    layers = int.from_bytes(window.at(at, wide), "big")
    after = at + wide + layers
    if after + 2 > window.size or not _layers(window, at + wide, layers, wide, facts):
        return _cut_off(window, extension, facts, parts, at, "its layers")
    row = (width * depth + 7) // 8
    method = int.from_bytes(window.at(after, 2), "big")
    end, proven = _merged(window, after + 2, method, channels * height, row, 2 * version)
    if end <= 0 or end > window.size:
        return _cut_off(window, extension, facts, parts, after, "its merged picture")
    if proven is False:
        why = "lines of its merged picture do not unpack to the width that they should have"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, extension=extension, valid=after, parts=parts, facts=facts)
    return Walked(
        length=end,
        structure=Structure.COMPLETE,
        why="section by section, to the end of its merged picture",
        extension=extension,
        checked=bool(proven) or (layers > 0 and resources > 0),
        parts=parts,
        facts=facts,
    )


def _cut_off(window: Window, extension: str, facts: Facts, parts: tuple[Part, ...], at: int, where: str) -> Walked | None:
    """Say what is left: only with its small picture, or with all of its layers, is it worth something."""
    if not parts and "layers" not in facts:
        return None
    return Walked(
        length=min(max([at, *(p.offset + p.length for p in parts)]), window.size),
        structure=Structure.TRUNCATED,
        why=f"it breaks off in {where}",
        extension=extension,
        parts=parts,
        facts=facts,
    )


def _follow_resources(window: Window, start: int, length: int) -> tuple[int, tuple[Part, ...]]:
    """Follow the image resources; return where they end or break off, and the small pictures among them."""
    end, at = start + length, start
    parts: list[Part] = []
    if end > window.size:
        return -1, ()
    for _ in range(_RESOURCES):
        if at >= end:
            break
        head = window.at(at, 8)
        if len(head) < 8 or head[:4] not in _SIGNATURES:
            break
        size_at = at + 7 + head[6] + (0 if head[6] & 1 else 1)
        size = int.from_bytes(window.at(size_at, 4), "big")
        data = size_at + 4
        if data + size > end:
            break
        if int.from_bytes(head[4:6], "big") in _THUMBNAILS and size > 28 + 100 and window.at(data + 28, 3) == b"\xff\xd8\xff":
            parts.append(Part(offset=data + 28, length=size - 28, extension="jpg", name="thumbnail"))
        at = data + size + (size & 1)
    return (end if end <= at <= end + 1 else at), tuple(parts)


def _layers(window: Window, start: int, length: int, wide: int, facts: Facts) -> bool:
    """Whether the layers' records and the lengths of their channels keep within their section; count them in ``facts``."""
    if not length:
        return True
    size = int.from_bytes(window.at(start, wide), "big")
    if size > length - wide:
        return False
    if size < 2:
        return True
    count = abs(int.from_bytes(window.at(start + wide, 2), "big", signed=True))
    at, end, data = start + wide + 2, start + wide + size, 0
    for _ in range(count):
        channels = int.from_bytes(window.at(at + 16, 2), "big")
        if channels > _MOST_CHANNELS or at + 18 > end:
            return False
        table = window.at(at + 18, channels * (2 + wide))
        data += sum(int.from_bytes(table[n + 2 : n + 2 + wide], "big") for n in range(0, len(table), 2 + wide))
        at += 18 + len(table)
        tail = window.at(at, 16)
        if len(tail) < 16 or tail[:4] != b"8BIM":
            return False
        at += 16 + int.from_bytes(tail[12:16], "big")
        if at + data > end:
            return False
    if count:
        facts["layers"] = count
    return True


def _merged(window: Window, start: int, method: int, lines: int, row: int, wide: int) -> tuple[int, bool | None]:
    """Return where the merged picture ends, 0 when it does not, and whether its content is right, ``None`` when nothing says."""
    if method == 0:
        return start + lines * row, None
    if method in (2, 3):
        return _inflated(window, start, lines * row)
    if method != 1 or lines > _LINES:
        return 0, None
    table = window.at(start, lines * wide)
    if len(table) < lines * wide:
        return 0, None
    lengths = np.frombuffer(table, f">u{wide}").astype(np.int64)
    if int(lengths.max()) > 2 * row + 16 or not int(lengths.min()):
        return 0, None
    ends = np.cumsum(lengths) + start + lines * wide
    if int(ends[-1]) > window.size:
        return int(ends[-1]), None
    step = 1 if int(lengths.sum()) <= 1 << 16 else max(1, lines // _LINES_SEEN)
    for number in range(0, lines, step):
        size = int(lengths[number])
        if not _unpacks(window.at(int(ends[number]) - size, size), row):
            return int(ends[-1]), False
    return int(ends[-1]), True


def _unpacks(data: bytes, row: int) -> bool:
    """Whether a line is packed (Apple's PackBits) out of so many bytes."""
    at = made = 0
    while at < len(data):
        code = data[at]
        if code < 128:
            at += code + 2
            made += code + 1
        elif code > 128:
            at += 2
            made += 257 - code
        else:
            at += 1
    return at == len(data) and made == row


def _inflated(window: Window, start: int, size: int) -> tuple[int, bool | None]:
    """Return where a zlib stream of so many bytes ends."""
    machine = zlib.decompressobj()
    made = 0
    try:
        for offset, data in window.chunks(start):
            piece = data
            while piece and not machine.eof:
                out = len(machine.decompress(piece, 1 << 20))
                window.spend(out >> 3)
                made += out
                piece = machine.unconsumed_tail
                if made > min(size, _DECODED):
                    return 0, None
            if machine.eof:
                return offset + len(data) - len(machine.unused_data), made == size
    except zlib.error:
        return 0, None
    return 0, None


FORMATS = (
    Format(
        name="psd",
        extension="psd",
        headers=tuple(Header(b"8BPS\0" + version + bytes(6)) for version in (b"\x01", b"\x02")),
        walk=_walk,
        largest=1 << 36,
    ),
)
