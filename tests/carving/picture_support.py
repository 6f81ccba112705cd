"""What the tests of carved pictures share: surroundings, seams, and what holds for any bytes."""

from __future__ import annotations

import importlib
import io
import random
import struct
import zlib
from typing import TYPE_CHECKING, Any

from PIL import Image

from triage.carving.window import Window, WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from triage.carving.forms import Format, Walked

ALLOWED = (ValueError, LookupError, ArithmeticError, struct.error, zlib.error)
"""What a walk may raise: such a candidate is none."""
NOISE = random.Random(4).randbytes(1 << 17)
SURROUNDINGS = {"zeros": bytes(9000), "random": NOISE[:9000], "picture": b"\xff\xd8\xff\xe0\0\x10JFIF\0" + NOISE[:9000], "nothing": b""}


def form(name: str) -> Format:
    """Return a format by its name, which is its module's too."""
    formats: tuple[Format, ...] = importlib.import_module(f"triage.carving.formats.{name}").FORMATS
    return next(f for f in formats if f.name == name)


def walk(name: str, data: bytes) -> Walked | None:
    """Walk bytes that begin with a format's header."""
    return asked(name, data)[1]


def noise_picture(width: int = 160, height: int = 120, mode: str = "RGB") -> Image.Image:
    """Return a picture that does not compress well, the same every time."""
    chance = random.Random(width * height)
    picture = Image.frombytes("RGB", (width // 4 + 1, height // 4 + 1), chance.randbytes((width // 4 + 1) * (height // 4 + 1) * 3))
    return picture.resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def saved(picture: Image.Image, fmt: str, **options: Any) -> bytes:
    """Return the picture as a file."""
    out = io.BytesIO()
    picture.save(out, fmt, **options)
    return out.getvalue()


def samples(root: Path, *patterns: str) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of real files."""
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            yield path.name, path.read_bytes()


def asked(name: str, data: bytes, *, block: int = 512, allowance: int = 1 << 40) -> tuple[Window, Walked | None]:
    """Walk bytes; return the window as well."""
    window = window_of(data, block=block, allowance=allowance)
    return window, form(name).walk(window)


def holds(name: str, data: bytes, *, allowance: int = 1 << 40, rejoins: bool = True) -> Walked | None:
    """Walk any bytes, and rejoin; what is answered has to keep within the window, and nothing else may be raised."""
    window = window_of(data, allowance=allowance)
    found = form(name)
    try:
        walked = found.walk(window)
        _within(walked, window)
        rejoin = found.rejoin
        if walked is not None and rejoin is not None and rejoins and walked.structure in ("truncated", "damaged"):
            joined = rejoin(window, walked)
            _within(joined, window)
            assert joined is None or (joined.structure == "fragmented" and joined.checked and len(joined.pieces) > 1)
    except WindowSpentError:
        return None
    except ALLOWED:
        return None
    assert window.spent <= allowance
    return walked


def _within(walked: Walked | None, window: Window) -> None:
    if walked is None:
        return
    assert 0 < walked.length <= window.size
    assert walked.valid is None or 0 < walked.valid <= walked.length
    for part in walked.parts:
        assert 0 < part.offset < part.offset + part.length <= walked.length
    if walked.pieces:
        assert sum(length for _, length in walked.pieces) == walked.length
        assert all(0 <= offset < offset + length <= window.size for offset, length in walked.pieces)
    assert walked.why
    assert all(isinstance(value, str | int) for value in walked.facts.values())


def together(data: bytes, walked: Walked) -> bytes:
    """Return what the pieces of a rejoined file give."""
    return b"".join(data[offset : offset + length] for offset, length in walked.pieces)


def apart(data: bytes, cut: int, gap: int, behind: int = 4000) -> bytes:
    """Return bytes that lie in two pieces, with noise between and behind."""
    return data[:cut] + NOISE[:gap] + data[cut:] + NOISE[-behind:]


def mutants(data: bytes, count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield damaged copies: bits flipped, bytes cut out, put in, doubled, set to extremes."""
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(min(len(changed), chance.choice((64, 256, len(changed)))))
            match chance.randrange(6):
                case 0:
                    changed[at] ^= 1 << chance.randrange(8)
                case 1:
                    changed[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"))
                case 2:
                    del changed[at : at + chance.choice((1, 2, 16, 512))]
                case 3:
                    changed[at:at] = changed[at : at + chance.choice((1, 8, 512))]
                case 4:
                    changed[at : at + 2] = chance.randbytes(2)
                case _:
                    changed[at : at + 512] = NOISE[:512]
            if not changed:
                changed = bytearray(data)
        yield bytes(changed)
