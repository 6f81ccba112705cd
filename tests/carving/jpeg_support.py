"""What the tests of carved JPEG files share: pictures that are made here, and what lies between the pieces of one."""

from __future__ import annotations

import io
import random
import struct
from functools import cache
from typing import TYPE_CHECKING, Any

from PIL import Image

from triage.carving.formats.jpeg import FORMATS
from triage.carving.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.forms import Walked

BLOCK = 4096
WORDS = b"".join(b"This is line %d of a text that is no picture.\r\n" % n for n in range(8000))
JPEG = FORMATS[0]

KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "optimized": {"optimize": True},
    "full colour": {"subsampling": 0, "quality": 90},
    "grey": {"mode": "L"},
    "inks": {"mode": "CMYK"},
    "restart": {"restart_marker_blocks": 7},
    "restart rows": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
    "progressive restart": {"progressive": True, "restart_marker_rows": 2},
}


@cache
def picture(kind: str = "baseline", seed: int = 1, width: int = 400, height: int = 304) -> bytes:
    """Return a picture of soft shapes and some grain, the same every time."""
    options = dict(KINDS[kind])
    chance = random.Random(seed)
    soft = Image.frombytes("RGB", (width // 40, height // 40), chance.randbytes((width // 40) * (height // 40) * 3))
    grain = Image.frombytes("RGB", (width, height), chance.randbytes(width * height * 3))
    made = Image.blend(soft.resize((width, height), Image.Resampling.BICUBIC), grain, 0.12).convert(options.pop("mode", "RGB"))
    out = io.BytesIO()
    made.save(out, "JPEG", **options)
    return out.getvalue()


def filler(kind: str, size: int, seed: int = 5) -> bytes:
    """Return bytes of another sort of file."""
    if kind == "text":
        return WORDS[:size]
    if kind == "random":
        return random.Random(seed).randbytes(size)
    if kind == "pictures":
        found = b""
        while len(found) < size:
            one = picture(("baseline", "progressive")[seed % 2], seed + 100)
            seed += 1
            found += one + bytes(-len(one) % BLOCK)
        return found[:size]
    return bytes(size)


def window(data: bytes, *, block: int = BLOCK, joints: Sequence[int] = (), allowance: int = 64 << 20) -> Window:
    return Window(
        lambda offset, length: data[offset : offset + length],
        len(data),
        block=block,
        allowance=allowance,
        joints=lambda start, end: [j for j in joints if start < j < end],
    )


def walked(data: bytes, **options: Any) -> Walked | None:
    return JPEG.walk(window(data, **options))


def joined(data: bytes, **options: Any) -> Walked | None:
    """Walk, and look for the rest; the answer is what that search says."""
    place = window(data, **options)
    found = JPEG.walk(place)
    if found is None or found.structure == "complete" or JPEG.rejoin is None:
        return None
    return JPEG.rejoin(place, found)


def put_together(data: bytes, found: Walked) -> bytes:
    return b"".join(data[offset : offset + length] for offset, length in found.pieces)


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def exif_of(thumbnail: bytes, *, make: bytes = b"Camera Works\0") -> bytes:
    """An EXIF block with a make, a date, and a thumbnail in its second directory."""
    date = b"2024:05:06 07:08:09\0"
    texts = 8 + 2 + 2 * 12 + 4
    second = texts + len(make) + len(date)
    first = struct.pack("<HHHIIHHIII", 2, 0x010F, 2, len(make), texts, 0x0132, 2, len(date), texts + len(make), second)
    at = second + 2 + 2 * 12 + 4
    tags = struct.pack("<HHHIIHHIII", 2, 0x0201, 4, 1, at, 0x0202, 4, 1, len(thumbnail), 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + make + date + tags + thumbnail
