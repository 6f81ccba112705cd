"""Pictures of PDF documents that are no files of their own but rows of pixels, as PNG: a codec for recipes.

``pdfimage:COLOURS,BITS,WIDTH,HEIGHT,PREDICTOR,PALETTE``: ``grey``, ``rgb``, ``cmyk`` or ``indexed``; bits a component; 1 for no predictor,
2 for TIFF's, 10 and more for PNG's; the palette's RGB bytes in hexadecimal. What comes out is a PNG whose rows are not compressed, so that
its bytes are the same whatever library is at hand. Source: ISO 32000-1, section 8.9.5; PNG (ISO 15948), sections 5, 9 and 10.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from triage.artifacts.codec import Codec

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

COLOURS = {"grey": (1, 0), "rgb": (3, 2), "indexed": (1, 3), "cmyk": (4, 2)}
"""Components of a pixel, and PNG's type of colour."""
_MOST_PIXELS = 100_000_000
_BROKEN_OFF = "its pixels break off: what is missing is black"


def step_of(colours: str, bits: int, width: int, height: int, predictor: int = 1, palette: bytes = b"") -> list[object] | None:
    """Return the step of a recipe that makes a PNG of rows; ``None`` for what cannot be made."""
    if colours not in COLOURS or bits not in (1, 2, 4, 8, 16) or not 0 < width * height <= _MOST_PIXELS or max(width, height) > 100_000:
        return None
    if (colours == "cmyk" or predictor == 2) and bits != 8 or colours == "indexed" and (bits == 16 or not palette):  # noqa: RUF021
        return None
    if colours == "cmyk" and predictor >= 10 or not (predictor in (1, 2) or 10 <= predictor <= 15):  # noqa: RUF021
        return None
    text = f"pdfimage:{colours},{bits},{width},{height},{predictor},{palette[:768].hex()}"
    return ["undo", text, 4096 + _row(colours, bits, width) * height * 2 + 12 * height]


def _row(colours: str, bits: int, width: int) -> int:
    return -(-width * COLOURS[colours][0] * bits // 8)


def _undo(read_at: ReadAt, size: int, parameters: str, limit: int) -> tuple[bytes, str]:
    colours, *rest = parameters.split(",")
    bits, width, height, predictor = map(int, rest[:4])
    if step_of(colours, bits, width, height, predictor, bytes.fromhex(rest[4])) is None:
        raise OSError("its pixels cannot be undone: numbers that do not fit")
    row = _row(colours, bits, width)
    filtered = predictor >= 10
    wanted = (row + filtered) * height
    data = read_at(0, min(size, wanted))
    why = _BROKEN_OFF if len(data) < wanted else ""
    data = data.ljust(wanted, b"\0")
    if not filtered:
        rows = np.frombuffer(data, np.uint8).reshape(height, row)
        if predictor == 2:
            rows = np.cumsum(rows.reshape(height, width, -1), axis=1, dtype=np.uint8).reshape(height, row)
        if colours == "cmyk":
            four = rows.reshape(height, width, 4).astype(np.uint16)
            rows = ((255 - four[:, :, :3]) * (255 - four[:, :, 3:]) // 255).astype(np.uint8).reshape(height, 3 * width)
        data = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    png = _png(width, height, bits, COLOURS[colours][1], bytes.fromhex(rest[4]) if colours == "indexed" else b"", data)
    return (png, why) if len(png) <= limit else (png[:limit], "its picture is larger than was said")


def _png(width: int, height: int, bits: int, colour: int, palette: bytes, rows: bytes) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))]
    if palette:
        parts.append(_chunk(b"PLTE", palette[: len(palette) // 3 * 3]))
    stored = [b"\x78\x01"]
    for at in range(0, len(rows), 65_535):
        piece = rows[at : at + 65_535]
        stored.append(struct.pack("<BHH", at + 65_535 >= len(rows), len(piece), len(piece) ^ 0xFFFF) + piece)
    stored.append(struct.pack(">I", zlib.adler32(rows)))
    return b"".join([*parts, _chunk(b"IDAT", b"".join(stored)), _chunk(b"IEND", b"")])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


CODEC = Codec(re.compile(r"(?:grey|rgb|indexed|cmyk),\d{1,2},\d{1,6},\d{1,6},\d{1,2},(?:[0-9a-f]{2}){0,768}"), _undo)
