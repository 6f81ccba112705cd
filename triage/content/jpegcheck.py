"""Whether a JPEG decodes from its first byte to its last without a single complaint: half of what proves a carved one.

libjpeg-turbo does the work, through simplejpeg whose strict mode turns libjpeg's warnings into errors: a code that is in no Huffman
table, data that end before the picture does or go on behind it, a restart marker out of order (ITU-T T.81, F.2.2 and E.2.4). Pillow
hides those warnings. The picture is decoded at an eighth of its size, which reads every code all the same and costs the least.
"""

from __future__ import annotations

import simplejpeg  # type: ignore[import-untyped,unused-ignore]

MAX_PIXELS = 100_000_000
"""Pictures of more pixels, by their header, are not decoded."""
MAX_WORK = 1_500_000_000
"""Pixels times scans, at most: each scan of a progressive picture goes over all of it, and a file may have thousands."""

# Not the data's fault: the decoder does not do such pictures.
_BEYOND = ("subsampling", "Unsupported JPEG", "Unsupported color", "not compiled", "precision", "colorspace", "conversion", "not supported")


def check(data: bytes) -> tuple[bool | None, str]:
    """Return whether ``data`` decode without a complaint, and the complaint.

    ``None``: it cannot be told, since the picture is too large or of a kind that is not decoded. Bytes behind the end of the picture
    are not looked at. Bytes that are missing or too many are noticed, since the codes no longer fill the picture exactly. A stretch of
    other bytes that is no longer than what stood there goes unnoticed a few times in a hundred, a single changed bit mostly: whoever must
    be sure reads the codes as well (:mod:`triage.carving.jpegscan`). Never raises.
    """
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        pixels = int(height) * int(width)
        if pixels > MAX_PIXELS or pixels * data.count(b"\xff\xda") > MAX_WORK:
            return None, "it has too many pixels to be decoded"
        space = "CMYK" if colours in ("CMYK", "YCCK") else "GRAY"
        simplejpeg.decode_jpeg(data, space, fastdct=True, fastupsample=True, min_height=1, min_width=1, strict=True)
    except (ValueError, RuntimeError) as error:
        said = str(error)
        if any(word in said for word in _BEYOND):
            return None, "it is of a kind that is not decoded"
        return False, said
    except MemoryError:
        return None, "decoding it needs more memory than there is"
    return True, ""


ENDS_EARLY = "premature end"
"""The complaint about data that make sense as far as they go."""


def shown_rows(data: bytes) -> int | None:
    """Return how many rows of a cut picture a decoder shows, to the block; ``None`` when it cannot be told. Never raises.

    What is missing is one flat colour (libjpeg's ``jdhuff.c``): at an eighth of the size, rows of one value at the bottom. A picture that
    is flat there itself has more rows than are counted.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        if int(height) * int(width) > MAX_PIXELS or int(height) * int(width) * data.count(b"\xff\xda") > MAX_WORK:
            return None
        rows = simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, fastupsample=True, min_height=1, min_width=1, strict=False)[:, :, 0]
    except (ValueError, RuntimeError, MemoryError):
        return None
    flat = (rows == rows[-1, -1]).all(axis=1)
    shown = len(flat) - int(flat[::-1].argmin()) if not flat.all() else 0
    return min(shown * -(-int(height) // len(flat)), int(height))
