"""Small pictures for reports: decoded with Pillow, made grey and blurred unless told otherwise, and written anew.

Picture decoders have a long record of holes and bombs: this runs in a worker process that may be killed, on bytes that it
was handed, and gives back a JPEG of its own making. Nothing of the original file's bytes, metadata or profile is in it.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING

try:
    from PIL import Image, ImageFile, ImageFilter, UnidentifiedImageError
except ImportError:  # an optional dependency: "pip install triage[pictures]"
    _PILLOW = False
else:
    _PILLOW = True

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
"""What is decoded. Pillow knows dozens of rarer formats, whose decoders are met by fewer eyes."""

MAX_PIXELS = 100_000_000
"""Pictures of more pixels are not decoded. Pillow's own, lower limit (about 89 million by default) also holds."""

_ORIENTATION = 0x0112  # TIFF tag, EXIF 3.0 section 4.6.5
_COARSE = 20  # longest side in pixels to which a picture is reduced before it is blurred: shapes stay, faces do not


def available() -> bool:
    """Return whether Pillow is installed."""
    return _PILLOW


def thumbnail(data: bytes, *, max_side: int = 160, blurred: bool = True) -> bytes | str:
    """Return a small JPEG of the picture in ``data``, at most ``max_side`` pixels wide and high, or why there is none.

    ``blurred`` also takes the colour out. Of several frames, the first is taken, and the others are not looked at. Of a picture that
    is cut off or damaged, what stands before the damage is shown. The same bytes give the same JPEG with the same version of Pillow.
    Never raises for what is wrong with ``data``: the reason is in the answer.
    """
    if not _PILLOW:
        return "pictures need the Python package Pillow, which is not installed"
    try:
        with guarded():
            return _made(data, max_side, blurred)
    except Exception as error:  # decoders raise anything on damaged data; damage is an answer here
        return undecodable(error)


def undecodable(error: Exception) -> str:
    """Return why a picture was not decoded, as a reason to show."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return "the picture has too many pixels to be decoded safely"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture of a format that is decoded"
    if isinstance(error, MemoryError):
        return "the picture needs more memory than the worker may use"
    return f"the picture cannot be decoded ({type(error).__name__})"


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn Pillow's warning of a decompression bomb into an error, and pass over its others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _made(data: bytes, max_side: int, blurred: bool) -> bytes | str:
    mode = "L" if blurred else "RGB"
    with Image.open(io.BytesIO(data), formats=FORMATS) as source:
        if source.width * source.height > MAX_PIXELS:
            return f"the picture has more than {MAX_PIXELS:,} pixels"
        source.draft(mode, (max_side, max_side))  # JPEG only: decodes at a fraction of the size
        load(source)
        turn = _turn(source)  # not before: of a PNG it loads the picture, too, and takes what cannot be decoded for black
        source.thumbnail((max_side, max_side))
        flat = flattened(source, mode)
    if turn is not None:
        flat = flat.transpose(turn)
    if blurred:
        small = flat.copy()
        small.thumbnail((_COARSE, _COARSE))
        flat = small.resize(flat.size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(max_side / 40))
    clean = Image.new(mode, flat.size)  # carries no comment, profile or EXIF of the original
    clean.paste(flat)
    out = io.BytesIO()
    clean.save(out, "JPEG", quality=70, optimize=False, progressive=False)
    return out.getvalue()


def load(source: ImageFile.ImageFile) -> bool:
    """Decode, and return whether the data are damaged: what was decoded is kept. Raise when that is nothing, or one colour."""
    try:
        source.load()
    except (OSError, SyntaxError, ValueError):
        source.tile = []  # nothing is left to decode: Pillow has a switch for this as well, but for all threads at once
        extremes = source.getextrema()
        bands = extremes if isinstance(extremes[0], tuple) else (extremes,)
        if all(band[0] == band[1] for band in bands if isinstance(band, tuple)):
            raise
        return True
    return False


def flattened(picture: Image.Image, mode: str) -> Image.Image:
    """Return the picture in ``mode``, what is transparent laid on white."""
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        ground.alpha_composite(layered)
        picture = ground
    return picture.convert(mode)


def _turn(picture: Image.Image) -> Image.Transpose | None:
    """Return how a camera's orientation mark wants the picture turned, if it has a usable one."""
    try:
        mark = picture.getexif().get(_ORIENTATION)
    except Exception:
        return None
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return turns.get(mark) if isinstance(mark, int) else None
