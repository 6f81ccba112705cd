"""Raw pixels, as some stores of thumbnails have them, as a picture that can be looked at: a codec for recipes.

``pixels:LAYOUT,WIDTH,HEIGHT,STRIDE``: layouts are ``rgb555le``, ``rgb565le``, ``rgb555be``, ``rgb565be`` (16 bits, red in the highest),
``bgra``, ``rgba``, ``bgrx``, ``rgbx``, ``argb`` (8 bits each in this order in memory), ``bgr``, ``rgb``, ``grey`` and ``i420`` (a plane of
luminance, two of chrominance of a quarter each; ITU-R BT.601). Width and height are pixels; the stride is bytes from a row to the next.
What comes out is a BMP of 24 bits a pixel (Microsoft, BITMAPINFOHEADER), rows from the bottom up; transparency is not kept.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import numpy as np

from triage.artifacts.codec import Codec

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

_SIXTEEN = ("rgb555le", "rgb565le", "rgb555be", "rgb565be")
# Where blue, green and red are in a pixel of so many bytes.
_EIGHT = {
    "bgra": (4, (0, 1, 2)), "bgrx": (4, (0, 1, 2)), "rgba": (4, (2, 1, 0)), "rgbx": (4, (2, 1, 0)), "argb": (4, (3, 2, 1)),
    "bgr": (3, (0, 1, 2)), "rgb": (3, (2, 1, 0)), "grey": (1, (0, 0, 0)),
}  # fmt: skip
LAYOUTS = (*_SIXTEEN, *_EIGHT, "i420")
_LARGEST = 64 << 20
_BROKEN_OFF = "its pixels break off: what is missing is black"


def steps_of(layout: str, width: int, height: int, stride: int = 0) -> list[object]:
    """Return the step of a recipe that makes a picture of pixels. ``stride``: bytes of a row, 0 for rows without anything between."""
    return ["undo", f"pixels:{layout},{width},{height},{stride or width * bytes_of(layout)}", size_of(width, height)]


def bytes_of(layout: str) -> int:
    """Return how many bytes a pixel has in a row; of ``i420`` those of its luminance."""
    return 2 if layout in _SIXTEEN else _EIGHT[layout][0] if layout in _EIGHT else 1


def raw_size(layout: str, width: int, height: int, stride: int = 0) -> int:
    """Return how many bytes the pixels of a picture are."""
    if layout == "i420":
        return width * height + 2 * ((width + 1) // 2) * ((height + 1) // 2)
    return (stride or width * bytes_of(layout)) * height


def size_of(width: int, height: int) -> int:
    """Return how many bytes a picture made of pixels has."""
    return 54 + (3 * width + 3) // 4 * 4 * height


def _undo(read_at: ReadAt, size: int, parameters: str, limit: int) -> tuple[bytes, str]:
    layout, *numbers = parameters.split(",")
    width, height, stride = map(int, numbers)
    if not width or not height or width * height > _LARGEST or stride < width * bytes_of(layout) or stride * height > 4 * _LARGEST:
        raise OSError("its pixels cannot be undone: numbers that do not fit")
    wanted = raw_size(layout, width, height, stride)
    data = read_at(0, min(size, wanted))
    why = _BROKEN_OFF if len(data) < wanted else ""
    data = data.ljust(wanted, b"\0")
    if layout == "i420":
        colours = _of_planes(data, width, height)
    elif layout in _SIXTEEN:
        colours = _of_sixteen(data, layout, width, height, stride)
    else:
        step, order = _EIGHT[layout]
        rows = np.frombuffer(data, np.uint8).reshape(height, stride)[:, : width * step].reshape(height, width, step)
        colours = rows[:, :, list(order)]
    picture = _bmp(colours, width, height)
    return (picture, why) if len(picture) <= limit else (picture[:limit], "its picture is larger than was said")


def _of_sixteen(data: bytes, layout: str, width: int, height: int, stride: int) -> np.ndarray:
    """Return blue, green and red in 8 bits each; 31 becomes 255."""
    rows = np.frombuffer(data, np.uint8).reshape(height, stride)[:, : 2 * width]
    pixels = np.ascontiguousarray(rows).view("<u2" if layout.endswith("le") else ">u2").astype(np.uint16)
    blue = pixels & 31
    if layout.startswith("rgb565"):
        green, red = pixels >> 5 & 63, pixels >> 11
        green = green << 2 | green >> 4
    else:
        green, red = pixels >> 5 & 31, pixels >> 10 & 31
        green = green << 3 | green >> 2
    return np.stack([blue << 3 | blue >> 2, green, red << 3 | red >> 2], axis=2).astype(np.uint8)


def _of_planes(data: bytes, width: int, height: int) -> np.ndarray:
    half, rows = (width + 1) // 2, (height + 1) // 2
    flat = np.frombuffer(data, np.uint8)
    light = flat[: width * height].reshape(height, width).astype(np.float32)
    planes = [flat[width * height + n * half * rows :][: half * rows].reshape(rows, half) for n in (0, 1)]
    first, second = (p.repeat(2, axis=0).repeat(2, axis=1)[:height, :width].astype(np.float32) - 128 for p in planes)
    colours = np.stack([light + 1.772 * first, light - 0.344136 * first - 0.714136 * second, light + 1.402 * second], axis=2)
    whole: np.ndarray = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
    return whole


def _bmp(colours: np.ndarray, width: int, height: int) -> bytes:
    line = (3 * width + 3) // 4 * 4
    rows = np.zeros((height, line), np.uint8)
    rows[:, : 3 * width] = colours.reshape(height, 3 * width)[::-1]
    header = struct.pack(
        "<2sIHHIIiiHHIIiiII", b"BM", 54 + line * height, 0, 0, 54, 40, width, height, 1, 24, 0, line * height, 2835, 2835, 0, 0
    )
    return header + rows.tobytes()


CODEC = Codec(re.compile(rf"(?:{'|'.join(LAYOUTS)}),[1-9]\d{{0,4}},[1-9]\d{{0,4}},[1-9]\d{{0,5}}"), _undo)
