"""Decode a picture as far as its perceptual hash needs, and hash it.

A JPEG is decoded at a fraction of its size, of at least 512 pixels a side: a quarter of the work, and a hash that differs from that of the
whole picture by 2 bits of 256 on average, 10 at most (``bench/pictures.py``). The hash is of the pixels as they are stored: a camera's
orientation mark is not followed, the eight orientations cover it. What is transparent is laid on white; of several frames the first is
taken. Runs in a worker process that may be killed, on hostile bytes.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from triage.content import pdq, pictures

if pictures.available():
    from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.content.pdq import PictureHash

REDUCED = 512
"""Pixels that either side of a picture decoded in part has at least."""
_MOST_MISSING = 0.1
"""Share of a damaged picture's rows that may be missing: more, and the border of what is missing would be what is compared."""


def picture_hash(data: bytes, *, exact: bool = False) -> PictureHash | str:
    """Return the hashes of a picture, or why there are none. ``exact``: decode it whole, as the reference does.

    Never raises for what is wrong with ``data``.
    """
    if not pictures.available():
        return "pictures need the Python package Pillow, which is not installed"
    try:
        with pictures.guarded():
            luma = _luma(data, exact)
    except Exception as error:  # decoders raise anything on damaged data; damage is an answer here
        return pictures.undecodable(error)
    return luma if isinstance(luma, str) else pdq.hash_of(luma)


def _luma(data: bytes, exact: bool) -> NDArray[np.float32] | NDArray[np.uint8] | str:
    with Image.open(io.BytesIO(data), formats=pictures.FORMATS) as source:
        if source.width * source.height > pictures.MAX_PIXELS:
            return f"the picture has more than {pictures.MAX_PIXELS:,} pixels"
        if not exact:
            source.draft("L", (REDUCED, REDUCED))  # JPEG only
        damaged = pictures.load(source)
        flat = _plain(source, "RGB" if exact else "L")
        if not exact and (factor := min(flat.size) // REDUCED) > 1:
            flat = flat.reduce(factor)
    values = np.asarray(flat)
    if values.ndim == 3:
        red, green, blue = (values[..., n].astype(np.float32) for n in range(3))
        values = red * np.float32(0.299) + green * np.float32(0.587) + blue * np.float32(0.114)
    if damaged and (share := _missing(values)) > _MOST_MISSING:
        return f"the picture is damaged: {share:.0%} of it cannot be decoded"
    return values


def _plain(source: Image.Image, mode: str) -> Image.Image:
    """Return the picture in ``L`` or ``RGB``. Of 16 bits a pixel the high ones are taken."""
    if source.mode.startswith("I"):
        wide = np.asarray(source).astype(np.int64)
        return Image.fromarray((wide >> 8 if wide.max(initial=0) > 255 else wide).clip(0, 255).astype(np.uint8)).convert(mode)
    return pictures.flattened(source, mode)


def _missing(values: NDArray[np.float32] | NDArray[np.uint8]) -> float:
    """Return the share of rows, from the bottom, that are of the one colour that decoders leave behind."""
    other = np.flatnonzero((values != values[-1, -1]).any(axis=1))
    return 1.0 - (int(other[-1]) + 1 if len(other) else 0) / len(values)
