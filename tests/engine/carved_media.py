"""Media without a file system that hold pictures at known places, for runs that carve."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 70 << 20
"""Three units: two whole ones and a piece."""


def picture(number: int, form: str = "PNG") -> bytes:
    rng = random.Random(number)
    out = io.BytesIO()
    Image.frombytes("RGB", (40, 30), rng.randbytes(3600)).resize((160, 120)).save(out, form)
    return out.getvalue()


def build(path: Path) -> dict[int, bytes]:
    """Write a medium; return the files by where they begin: also across the borders of units, and one right behind another."""
    files: dict[int, bytes] = {}
    at = 1 << 20
    for number in range(40):
        files[at] = picture(number, ("PNG", "JPEG", "GIF")[number % 3])
        at += -(-len(files[at]) // 4096) * 4096 + (number % 4) * (1 << 20)
    files[(32 << 20) - 4096] = picture(100)
    files[(64 << 20) - 512] = picture(101)
    with path.open("wb") as file:
        file.truncate(SIZE)
        for offset, data in files.items():
            file.seek(offset)
            file.write(data)
    return files
