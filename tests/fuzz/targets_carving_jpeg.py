"""Targets of carving: JPEG, its codes, and the decoder that proves it."""

from __future__ import annotations

import random
import struct

from targets import Target
from targets_content import _pictures

from triage.carving.formats.jpeg import FORMATS
from triage.carving.window import Window, WindowSpentError
from triage.content import jpegcheck

_NOISE = random.Random(3).randbytes(4096)


def _carved(data: bytes) -> None:
    if data[:3] != b"\xff\xd8\xff":
        return
    window = Window(
        lambda at, size: data[at : at + size], len(data), allowance=64 << 20, joints=lambda start, end: [512] if start < 512 < end else []
    )
    walked = FORMATS[0].walk(window)
    if walked is None:
        return
    assert 0 < walked.length <= len(data)
    assert walked.valid is None or 0 < walked.valid <= walked.length
    assert all(0 <= p.offset < p.offset + p.length <= walked.length for p in walked.parts)
    if walked.structure != "complete" and FORMATS[0].rejoin is not None:
        joined = FORMATS[0].rejoin(window, walked)
        assert joined is None or sum(size for _, size in joined.pieces) == joined.length


def _checked(data: bytes) -> None:
    assert jpegcheck.check(data)[0] in (True, False, None)


def _seeds() -> list[bytes]:
    found = []
    for data in (p for p in _pictures() if p.startswith(b"\xff\xd8\xff")):
        cut = len(data) // 1024 * 512
        found += [data, data + _NOISE, data[:cut] + _NOISE[:1024] + data[cut:]]
    return found


_TOKENS = (
    b"\xff\xd9",
    b"\xff\xda",
    b"\xff\xc4",
    b"\xff\xdd\0\x04\0\x01",
    b"\xff\xd0",
    b"\xff\0",
    b"\xff\xff",
    b"Exif\0\0II*\0",
    b"MPF\0",
    b"SEFH",
)

TARGETS = [
    Target(
        "carving-jpeg",
        _carved,
        _seeds,
        (
            "triage.carving.formats.jpeg",
            "triage.carving.jpegparts",
            "triage.carving.jpegmeta",
            "triage.carving.jpegscan",
            "triage.carving.jpegjoin",
        ),
        allowed=(ValueError, LookupError, ArithmeticError, struct.error, WindowSpentError),
        tokens=_TOKENS,
    ),
    Target("jpegcheck", _checked, _seeds, ("triage.content.jpegcheck",), tokens=_TOKENS),
]
