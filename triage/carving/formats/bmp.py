"""BMP: a header that says where the pixels begin and how many there are (Microsoft, "Bitmap Storage"; OS/2 1.x and 2.x variants).

There is no end mark: the length follows from width, height and depth, and has to agree with what the header says. Where rows are padded
to four bytes the padding is zero, and indices stay below the number of colours: so that other bytes among the pixels are noticed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.ahead import Ahead
from triage.carving.forms import Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_DEPTHS = {0: (1, 2, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), 3: (16, 32), 6: (16, 32)}
"""Bits of a pixel, by compression: none, RLE8, RLE4, bit fields without and with alpha. Others (JPEG, PNG) are for printers."""
_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_RESOLUTIONS = 1 << 20
_MOST_SIDE = 1 << 17


@dataclass(frozen=True, slots=True)
class _Bitmap:
    """What the header says. ``said``: the file's length in bytes as it stands there, which many writers get wrong."""

    header: int
    pixels: int
    said: int
    width: int
    height: int
    bits: int
    compression: int
    image: int
    profile: int

    @property
    def row(self) -> int:
        """Bytes of a row, padded."""
        return (self.width * self.bits + 31) // 32 * 4


def _read(head: bytes) -> _Bitmap | None:
    """Return the header, if its fields agree with each other."""
    if len(head) < 30 or head[6:10] != bytes(4):
        return None
    said, _, pixels, header = struct.unpack_from("<IIII", head, 2)
    if header not in _HEADERS or len(head) < 14 + header:
        return None
    if header == 12:
        width, height, planes, bits = struct.unpack_from("<HHHH", head, 18)
        compression = image = colours = important = profile = across = down = 0
    else:
        width, height, planes, bits = struct.unpack_from("<iiHH", head, 18)
        rest = head[30 : 14 + header].ljust(24, b"\0")
        compression, image, across, down, colours, important = struct.unpack_from("<IIiiII", rest)
        profile = sum(struct.unpack_from("<II", head, 14 + 112)) if header == 124 and head[70:74] == b"DEBM" else 0
    if planes != 1 or bits not in _DEPTHS.get(compression, ()) or not 0 < width <= _MOST_SIDE or not 0 < abs(height) <= _MOST_SIDE:
        return None
    if (header in {16, 64} and compression > 2) or not 0 <= across < _RESOLUTIONS or not 0 <= down < _RESOLUTIONS:
        return None
    most = 1 << bits if bits <= 8 else 1 << 16
    if colours > most or important > max(colours, most):
        return None
    entry = 3 if header == 12 else 4
    table = (colours or (1 << bits if bits <= 8 else 0)) * entry
    masks = (12 if compression == 3 else 16) if compression in (3, 6) and header == 40 else 0
    # A table may be shorter than it should be, and some writers leave a gap: but pixels begin soon behind both.
    if not 14 + header + masks <= pixels <= 14 + header + masks + table + 1024:
        return None
    return _Bitmap(header, pixels, said, width, abs(height), bits, compression, image, profile)


def _walk(window: Window) -> Walked | None:
    found = _read(window.at(0, 14 + 124))
    if found is None:
        return None
    packed = found.compression in (1, 2)
    checked, structure = False, Structure.COMPLETE
    if packed:
        end, whole = _run_lengths(window, found)
        if end < 0 or (found.image and end > found.pixels + found.image + 3):
            return None
        size = max(end - found.pixels, found.image)
        checked = whole
        if not whole:
            structure = Structure.DAMAGED
    else:
        size = found.row * found.height
        if found.image and not size <= found.image <= size + 3:
            # Some write the length without padding, or of the whole file.
            bare = (found.width * found.bits + 7) // 8 * found.height
            if found.image not in (bare, found.said, found.pixels + size):
                return None
    end = max(found.pixels + max(size, found.image if found.image <= size + 3 else 0), 0)
    if found.profile and end <= 14 + found.profile <= found.said + 3:
        end = 14 + found.profile
    if end <= found.said <= end + 3 and not packed:
        end = found.said  # trailing padding that the header counts
    elif found.said not in (0, end, found.header + 14, found.pixels) and not found.image and not packed:
        return None  # nothing that agrees with anything
    elif packed and end < found.said <= end + 3:
        end = found.said
    facts: dict[str, str | int] = {"width": found.width, "height": found.height}
    if end > window.size:
        rows = (window.size - found.pixels) // found.row
        if rows < 1 or packed:
            return None
        facts["decoded"] = f"{rows} of {found.height} rows"
        why = "the space ends inside its pixels"
        return Walked(length=window.size, structure=Structure.TRUNCATED, why=why, valid=found.pixels, facts=facts)
    if packed:
        why = "its run lengths fill the picture exactly" if checked else "its run lengths do not fill the picture"
        return Walked(length=end, structure=structure, why=why, checked=checked, facts=facts)
    wrong, rows = _padding(window, found)
    why = "its length as its width, height and depth give it"
    if rows and wrong:
        structure, why = Structure.DAMAGED, f"{wrong} of {rows} rows have something else where padding or the table of colours ends"
        if wrong > rows * 0.9 and rows > 8:
            return None  # the header alone is left
        facts["decoded"] = f"{found.height - wrong * found.height // rows} of {found.height} rows"
    elif rows:
        why += ", and every row ends with the padding that it should"
    sure = found.pixels if structure is Structure.DAMAGED else None
    return Walked(length=end, structure=structure, why=why, checked=rows > 0 and not wrong, valid=sure, facts=facts)


def _padding(window: Window, found: _Bitmap) -> tuple[int, int]:
    """Return in how many rows the padding is not zero, or an index is too large, and how many were looked at."""
    used = (found.width * found.bits + 7) // 8
    spare = found.row - used
    colours = (found.pixels - 14 - found.header) // (3 if found.header == 12 else 4)
    indexed = found.bits == 8 and 0 < colours < 200
    if not spare and not indexed:
        return 0, 0
    wrong = rows = 0
    left = b""
    for _, data in window.chunks(found.pixels, found.pixels + found.row * found.height):
        joined = left + data if left else data
        count = len(joined) // found.row
        left = joined[count * found.row :]
        table = np.frombuffer(joined, np.uint8, count * found.row).reshape(count, found.row)
        bad = table[:, used:].any(axis=1) if spare else np.zeros(count, bool)
        if indexed:
            bad |= table[:, :used].max(axis=1, initial=0) >= colours
        wrong += int(bad.sum())
        rows += count
    # Some writers leave what was in memory in the padding of every row: that says nothing.
    return (0, 0) if wrong == rows and spare and not indexed else (wrong, rows)


def _run_lengths(window: Window, found: _Bitmap) -> tuple[int, bool]:
    """Follow run-length codes; return where they end, or -1 where they are none, and whether they keep within the picture.

    A pair of bytes is a run, or begins with zero: end of row (0), of picture (1), a jump (2), or so many pixels as they are (3 and more).
    """
    ahead, at = Ahead(window), found.pixels
    x = y = pairs = 0
    most = 4 * found.width * found.height + 4 * found.height + 64
    while pairs <= most:
        if at + 2 - ahead.base > len(ahead.data) or at < ahead.base:
            ahead.fill(at, 2)
            window.spend(16 * len(ahead.data))
        data, index = ahead.data, at - ahead.base
        if len(data) < index + 2:
            return -1, False
        pairs += 1
        count, value = data[index], data[index + 1]
        at += 2
        if count:
            x += count
        elif value == 0:
            x, y = 0, y + 1
        elif value == 1:
            return at, y >= found.height - 1
        elif value == 2:
            jump = ahead.at(at, 2)
            if len(jump) < 2:
                return -1, False
            x, y, at = x + jump[0], y + jump[1], at + 2
        else:
            x += value
            size = value if found.compression == 1 else (value + 1) // 2
            at += size + (size & 1)
        if x > found.width + 1 or y > found.height:
            return -1, False
    return -1, False


FORMATS = (Format(name="bmp", extension="bmp", headers=(Header(b"BM"),), walk=_walk, largest=1 << 32),)
