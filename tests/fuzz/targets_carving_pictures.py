"""Targets of carving: pictures that are walked and put together again."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carved_walks import ALLOWED, walks
from targets import Target
from targets_content import _pictures

if TYPE_CHECKING:
    from collections.abc import Callable

_NOISE = random.Random(3).randbytes(4096)


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



TARGETS = [
    Target(
        "carving-png",
        walks("png"),
        _seeds(b"\x89PNG"),
        ("triage.carving.formats.png", "triage.carving.crc", "triage.carving.ahead"),
        allowed=ALLOWED,
        tokens=(b"IHDR", b"IDAT", b"IEND", b"fcTL", b"acTL", b"\0\0\0\x04CgBI"),
    ),
    Target(
        "carving-gif",
        walks("gif"),
        _seeds(b"GIF8"),
        ("triage.carving.formats.gif", "triage.carving.lzw"),
        allowed=ALLOWED,
        tokens=(b"\x2c", b"\x3b", b"\x21\xf9\x04", b"\xff" * 256, b"\0"),
    ),
    Target("carving-bmp", walks("bmp"), _seeds(b"BM"), ("triage.carving.formats.bmp",), allowed=ALLOWED),
    Target(
        "carving-webp",
        walks("webp"),
        _seeds(b"RIFF"),
        ("triage.carving.formats.webp", "triage.carving.riff"),
        allowed=ALLOWED,
        tokens=(b"VP8 ", b"VP8L", b"VP8X\x0a\0\0\0", b"ANMF", b"ALPH", b"EXIF"),
    ),
    Target("carving-psd", walks("psd"), _psd, ("triage.carving.formats.psd",), allowed=ALLOWED, tokens=(b"8BIM", b"8B64", b"\4\x0c")),
    Target(
        "carving-tiff",
        walks("tiff"),
        _tiff,
        ("triage.carving.formats.tiff", "triage.carving.tiffs", "triage.carving.tiffgap"),
        allowed=ALLOWED,
        tokens=(b"\x11\x01\x04\0", b"\x17\x01\x04\0", b"\x4a\x01\x04\0", b"\x69\x87\x04\0", b"\x03\x01\x03\0\1\0\0\0\7\0", b"\xff\xd8\xff"),
    ),
    Target("carving-emf", walks("emf"), _more("emf"), ("triage.carving.formats.emf",), allowed=ALLOWED),
    Target("carving-raf", walks("raf"), _more("raf"), ("triage.carving.formats.raf",), allowed=ALLOWED),
    Target(
        "carving-jp2",
        walks("jp2"),
        _more("jp2"),
        ("triage.carving.formats.jp2",),
        allowed=ALLOWED,
        tokens=(b"\xff\x90\0\x0a", b"\xff\x93", b"\xff\xd9", b"jp2c", b"\0\0\0\0"),
    ),
]
