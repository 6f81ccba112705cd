"""What the tests of carved films share: samples, boxes, gaps."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from triage.carving.catalog import known_formats
from triage.carving.forms import Structure
from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from triage.carving.forms import Format, Walked

SAMPLES = Path(__file__).with_name("samples")
NOISE = random.Random(11).randbytes(1 << 18)
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
ALLOWED = (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError)
"""What a walk may raise on damage."""


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def behind(data: bytes) -> list[bytes]:
    """The data with zeros, with noise, and in the next sector the same file and another's beginning behind it."""
    fill = b"\xaa" * (-len(data) % 512)
    return [data + bytes(4096), data + NOISE[:4096], data + fill + data, data + fill + JPEG + NOISE[:4096]]


def box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", len(data) + 8, kind) + data


def full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def boxes(data: bytes) -> dict[bytes, bytes]:
    """The boxes at the top, each whole."""
    found, at = {}, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found[kind] = data[at : at + size]
        at += size
    return found


def moved(moov: bytes, by: int) -> bytes:
    """A movie box whose chunk offsets are changed."""
    data, at = bytearray(moov), moov.find(b"stco")
    while at >= 0:
        (count,) = struct.unpack_from(">I", data, at + 8)
        for place in range(at + 12, at + 12 + 4 * count, 4):
            struct.pack_into(">I", data, place, struct.unpack_from(">I", data, place)[0] + by)
        at = moov.find(b"stco", at + 4)
    return bytes(data)


def format_named(name: str) -> Format:
    return next(form for form in known_formats() if form.name == name)


def joined(name: str, data: bytes, *, block: int = 512) -> tuple[Walked | None, bytes]:
    """What the walk and then the search for the rest made of it, and the bytes of the pieces."""
    form, window = format_named(name), window_of(data, block=block)
    walked = form.walk(window)
    if walked is None or form.rejoin is None or walked.structure is Structure.COMPLETE:
        return None, b""
    found = form.rejoin(window, walked)
    return found, b"" if found is None else b"".join(data[offset : offset + length] for offset, length in found.pieces)


def checked_walk(name: str, data: bytes) -> Walked | None:
    """Walk and join whatever it is; what comes out keeps the rules that the carver relies on."""
    form, window = format_named(name), window_of(data, allowance=1 << 28)
    if not any(header.matches(data) for header in form.headers):
        return None
    try:
        walked = form.walk(window)
        if walked is not None:
            assert 0 < walked.length <= len(data)
            assert walked.valid is None or 0 < walked.valid <= walked.length
            assert all(0 <= part.offset < part.offset + part.length <= walked.length for part in walked.parts)
            assert not walked.checked or walked.structure is Structure.COMPLETE
            if form.rejoin is not None and walked.structure is not Structure.COMPLETE:
                whole = form.rejoin(window, walked)
                if whole is not None:
                    assert sum(length for _, length in whole.pieces) == whole.length
                    assert all(0 <= offset < offset + length <= len(data) for offset, length in whole.pieces)
    except ALLOWED:
        return None
    return walked
