"""Apple's files of thumbnails as raw pixels (``F1067_1.ithmb``, ``3303.ithmb``, ``158x158.ithmb``), all of one size.

Layout: no header; of each picture the pixels, then perhaps a few bytes more. The name's number says size and form; of iPods and of the
first iPhones these are known (B67687/ithmb-codec, MIT, *PROFILES.md*; Keith's iPod Photo Reader, *README*), of ``PhotoData/Thumbnails``
from iOS 4 on only where the name has the size itself. There the form is looked for: a width is right when the rows of a picture are
alike, and among those that divide the file the one is taken whose rows are most alike, if it is so by far.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

_NUMBER = re.compile(r"(?:F|T)?(\d{4})(?:_\d{1,4})?\.ithmb", re.IGNORECASE)
_SIZE = re.compile(r"(\d{2,4})x(\d{2,4})(?:[_@-]\w{1,10})?\.ithmb", re.IGNORECASE)
# Width and height by the number in the name; the bytes of a picture are those of its pixels.
_KNOWN: dict[str, dict[int, tuple[int, int]]] = {
    "rgb565le": {
        1005: (80, 80), 1007: (480, 864), 1009: (42, 30), 1010: (240, 240), 1015: (130, 88), 1016: (140, 140), 1017: (56, 56),
        1024: (320, 240), 1027: (100, 100), 1028: (100, 100), 1029: (200, 200), 1031: (42, 42), 1032: (42, 37), 1036: (50, 41),
        1055: (128, 128), 1056: (128, 128), 1060: (320, 320), 1061: (56, 56), 1066: (64, 64), 1068: (128, 128), 1071: (240, 240),
        1073: (240, 240), 1074: (50, 50), 1078: (80, 80), 1079: (80, 80), 1083: (240, 320), 1084: (240, 240), 1085: (88, 88),
        1087: (384, 384), 1089: (58, 58), 1092: (80, 80), 1093: (512, 512),
    },
    "rgb565be": {
        1013: (220, 176), 1020: (176, 220), 1023: (176, 132), 2002: (50, 50), 2003: (150, 150),
    },
    "rgb555le": {
        3001: (256, 256), 3002: (128, 128), 3003: (64, 64), 3004: (56, 55), 3005: (320, 320), 3008: (640, 480), 3009: (160, 120),
        3011: (80, 79),
    },
}  # fmt: skip
_PADDED = {1067: (720, 480, "i420", 691_200)}
# Width, height and pixels of a row that are looked for where the number says nothing.
_TRIED = (
    (32, 32, 32), (55, 55, 56), (56, 55, 56), (64, 64, 64), (75, 75, 75), (75, 75, 76), (75, 75, 80), (79, 79, 79), (79, 79, 80),
    (80, 79, 80), (80, 80, 80), (96, 96, 96), (104, 104, 104), (106, 106, 106), (106, 106, 108), (108, 108, 108), (120, 120, 120),
    (120, 160, 120), (128, 128, 128), (150, 150, 150), (150, 150, 152), (157, 157, 157), (157, 157, 160), (158, 158, 158),
    (158, 158, 160), (160, 120, 160), (160, 160, 160), (182, 182, 182), (182, 182, 184), (188, 188, 188), (188, 188, 192),
    (240, 240, 240), (256, 256, 256), (280, 280, 280), (320, 240, 320), (320, 320, 320), (320, 480, 320), (480, 320, 480), (512, 512, 512),
    (640, 480, 640), (640, 960, 640), (960, 640, 960), (768, 1024, 768), (1024, 768, 1024),
)  # fmt: skip
_BEHIND = (0, 4, 8, 12, 16, 20, 24, 28, 32, 48, 64)
_LOOKED_AT, _ALIKE = 4, 0.8


class Form(NamedTuple):
    """How the pictures of a file lie: size in pixels, layout of the pixels, bytes of a row and of all that is one picture's.

    ``by``: how that is known.
    """

    width: int
    height: int
    layout: str
    stride: int
    record: int
    by: str


def form_of(name: str, read_at: ReadAt, size: int) -> Form | None:
    """Return how the pictures of a file of this name lie, ``None`` when that cannot be told."""
    number = _NUMBER.fullmatch(name)
    known = _by_number(int(number[1])) if number else None
    if known is not None:
        return known
    match = _SIZE.fullmatch(name)
    if match:
        width, height = int(match[1]), int(match[2])
        found = _best(read_at, size, [(width, height, -(-width // step) * step) for step in (1, 2, 4, 8, 16, 32)])
        return found._replace(by="name") if found is not None else _plain(read_at, size, width, height)
    return _best(read_at, size, _TRIED, sure=True) if number else None


def _by_number(number: int) -> Form | None:
    if number in _PADDED:
        width, height, layout, record = _PADDED[number]
        return Form(width, height, layout, width, record, "number")
    for layout, sizes in _KNOWN.items():
        if number in sizes:
            width, height = sizes[number]
            return Form(width, height, layout, 2 * width, 2 * width * height, "number")
    return None


def _plain(read_at: ReadAt, size: int, width: int, height: int) -> Form | None:
    if size < 2 * width * height or width * height < 64:
        return None
    return Form(width, height, _layout(read_at(0, 2 * width * height)), 2 * width, 2 * width * height, "name")


def _best(
    read_at: ReadAt, size: int, tried: tuple[tuple[int, int, int], ...] | list[tuple[int, int, int]], *, sure: bool = False
) -> Form | None:
    """Return the form whose rows are most alike among those that divide a file; with ``sure`` only if that is so by far."""
    found: list[tuple[float, int, Form]] = []
    for width, height, pixels in tried:
        for behind in _BEHIND:
            record = 2 * pixels * height + behind
            if width * height < 64 or size < record or size % record:
                continue
            data = read_at(0, record)
            unlike = _unlike(read_at, size, height, pixels, record)
            found.append((unlike, len(found), Form(width, height, _layout(data), 2 * pixels, record, "content")))
    if not found:
        return None
    (least, _, best), *others = sorted(found, key=lambda one: one[:2])
    other = min((unlike for unlike, _, form in others if form.stride != best.stride), default=None)
    if sure and (other is not None and least > _ALIKE * other):
        return None
    return best


def _unlike(read_at: ReadAt, size: int, height: int, pixels: int, record: int) -> float:
    """Return how much the rows of some pictures differ from those above: their greens, 0 to 31 on average."""
    total, count = 0.0, 0
    step = max(size // record // _LOOKED_AT, 1)
    for number in range(0, size // record, step)[:_LOOKED_AT]:
        data = read_at(number * record, 2 * pixels * height)
        if len(data) < 2 * pixels * height:
            continue
        green = (np.frombuffer(data, "<u2").reshape(height, pixels) >> 5 & 31).astype(np.int32)
        total += float(np.abs(np.diff(green, axis=0)).mean())
        count += 1
    return total / count if count else 32.0


def _layout(data: bytes) -> str:
    """Return whether pixels use the highest bit: if they do not, or all have it set, there are five bits of each colour."""
    top = np.frombuffer(data[: len(data) // 2 * 2], "<u2") >> 15
    return "rgb565le" if top.size and 0 < int(top.sum()) < top.size else "rgb555le"
