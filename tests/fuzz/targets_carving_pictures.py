"""Targets of carving: pictures that are walked and put together again."""

from __future__ import annotations

import importlib
import random
import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target
from targets_content import _pictures

from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Callable

_NOISE = random.Random(3).randbytes(4096)


def _walking(name: str) -> Callable[[bytes], None]:
    """Return a function that walks bytes as the format does, and asks for what lies in pieces."""
    form = next(f for f in importlib.import_module(f"triage.carving.formats.{name}").FORMATS if f.name == name)

    def run(data: bytes) -> None:
        if not any(header.matches(data) for header in form.headers):
            return
        window = window_of(data, allowance=256 << 20)
        walked = form.walk(window)
        if walked is None:
            return
        assert 0 < walked.length <= len(data)
        assert walked.valid is None or 0 < walked.valid <= walked.length
        assert all(0 <= p.offset < p.offset + p.length <= walked.length for p in walked.parts)
        if form.rejoin is not None and walked.structure in ("truncated", "damaged"):
            joined = form.rejoin(window, walked)
            assert joined is None or sum(size for _, size in joined.pieces) == joined.length

    return run


def _seeds(*beginnings: bytes) -> Callable[[], list[bytes]]:
    """Return pictures of a kind: whole, in two pieces, with something behind."""

    def seeds() -> list[bytes]:
        found = []
        for data in (p for p in _pictures() if p.startswith(beginnings)):
            cut = len(data) // 1024 * 512
            found += [data, data + _NOISE, data[:cut] + _NOISE[:1024] + data[cut:]]
        return found

    return seeds


def _more(name: str) -> Callable[[], list[bytes]]:
    """Return the pictures that the tests of a rarer format make."""

    def seeds() -> list[bytes]:
        sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
        if name == "emf":
            from test_carving_emf import drawing

            return [drawing(3), drawing(60)]
        if name == "raf":
            from test_carving_raf import raw

            return [raw(), raw(second=True)]
        from test_carving_jp2 import BARE, BOXED

        return [BARE, BOXED]

    return seeds


def _psd() -> list[bytes]:
    sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
    from test_carving_psd import document

    return [document(0), document(1), document(2, version=2), document(1, count=0, resources=b"")]


def _tiff() -> list[bytes]:
    sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))
    from test_carving_tiff import RAWS
    from test_carving_tiffgap import FIRST

    pieces = FIRST[:8192] + _NOISE[:1024] + FIRST[8192:]
    return [*_seeds(b"II*", b"MM")(), *(data for _, data in RAWS.values()), FIRST, pieces]


_MISTAKES = (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError)

TARGETS = [
    Target(
        "carving-png",
        _walking("png"),
        _seeds(b"\x89PNG"),
        ("triage.carving.formats.png", "triage.carving.crc", "triage.carving.ahead"),
        allowed=_MISTAKES,
        tokens=(b"IHDR", b"IDAT", b"IEND", b"fcTL", b"acTL", b"\0\0\0\x04CgBI"),
    ),
    Target(
        "carving-gif",
        _walking("gif"),
        _seeds(b"GIF8"),
        ("triage.carving.formats.gif", "triage.carving.lzw"),
        allowed=_MISTAKES,
        tokens=(b"\x2c", b"\x3b", b"\x21\xf9\x04", b"\xff" * 256, b"\0"),
    ),
    Target("carving-bmp", _walking("bmp"), _seeds(b"BM"), ("triage.carving.formats.bmp",), allowed=_MISTAKES),
    Target(
        "carving-webp",
        _walking("webp"),
        _seeds(b"RIFF"),
        ("triage.carving.formats.webp", "triage.carving.riff"),
        allowed=_MISTAKES,
        tokens=(b"VP8 ", b"VP8L", b"VP8X\x0a\0\0\0", b"ANMF", b"ALPH", b"EXIF"),
    ),
    Target("carving-psd", _walking("psd"), _psd, ("triage.carving.formats.psd",), allowed=_MISTAKES, tokens=(b"8BIM", b"8B64", b"\4\x0c")),
    Target(
        "carving-tiff",
        _walking("tiff"),
        _tiff,
        ("triage.carving.formats.tiff", "triage.carving.tiffs", "triage.carving.tiffgap"),
        allowed=_MISTAKES,
        tokens=(b"\x11\x01\x04\0", b"\x17\x01\x04\0", b"\x4a\x01\x04\0", b"\x69\x87\x04\0", b"\x03\x01\x03\0\1\0\0\0\7\0", b"\xff\xd8\xff"),
    ),
    Target("carving-emf", _walking("emf"), _more("emf"), ("triage.carving.formats.emf",), allowed=_MISTAKES),
    Target("carving-raf", _walking("raf"), _more("raf"), ("triage.carving.formats.raf",), allowed=_MISTAKES),
    Target(
        "carving-jp2",
        _walking("jp2"),
        _more("jp2"),
        ("triage.carving.formats.jp2",),
        allowed=_MISTAKES,
        tokens=(b"\xff\x90\0\x0a", b"\xff\x93", b"\xff\xd9", b"jp2c", b"\0\0\0\0"),
    ),
]
