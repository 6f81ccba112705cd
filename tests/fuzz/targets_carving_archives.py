"""Targets of carved archives: ZIP and what is in it, put together out of pieces too, gzip, bzip2, xz, 7z and RAR."""

from __future__ import annotations

import bz2
import lzma
import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target

from triage.carving.catalog import known_formats
from triage.carving.window import WindowSpentError, window_of

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))

_ALLOWANCE = 64 << 20
_ALLOWED = (ValueError, LookupError, ArithmeticError, struct.error, zlib.error, WindowSpentError)


def _walks(name: str) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        form = next(f for f in known_formats() if f.name == name)
        if not any(header.matches(data) for header in form.headers):
            return None
        window = window_of(data, block=512, allowance=_ALLOWANCE)
        found = form.walk(window)
        if found is None:
            return None
        assert 0 < found.length <= len(data)
        assert found.valid is None or 0 < found.valid <= found.length
        if form.rejoin is not None and (joined := form.rejoin(window, found)) is not None:
            assert joined.checked
            assert all(at >= 0 and size > 0 and at + size <= len(data) for at, size in joined.pieces)
        return found

    return run


def _zips() -> list[bytes]:
    from test_carving_zip import sample

    plain, streamed = sample(1, size=900), sample(2, size=900, streamed=True)
    large = sample(3, size=3000)
    return [plain, streamed, sample(3, size=900, method=0, comment=b"c"), large[:1024] + bytes(2048) + large[1024:]]


def _gzips() -> list[bytes]:
    from test_carving_gzip import NOISE, WORDS, build

    return [build(WORDS[:3000], name="n"), build(NOISE[:3000], level=0) + build(b""), build(NOISE)[:9000]]


def _sevens() -> list[bytes]:
    from test_carving_sevenzip import NOISE, SAMPLES, WORDS, build

    made = [build([WORDS[:900], NOISE[:90]], method=m, packed_header=False) for m in ("lzma2", "lzma", "bzip2", "deflate", "copy")]
    return made + [path.read_bytes() for path in sorted(SAMPLES.glob("*.7z"))]


def _sealed(data: bytes) -> object:
    """Put right checksums on a header, so that mutants of it are read."""
    from test_carving_sevenzip import NOISE, sealed

    return _walks("7z")(sealed(NOISE[:200], data))


def _headers() -> list[bytes]:
    from test_carving_sevenzip import WORDS, pack, streams

    coder, body = pack("lzma2", WORDS)
    return [b"\1\4" + streams(0, coder, len(body), parts) + b"\5\2\x11\1\0\0\0" for parts in ([WORDS], [WORDS[:9], WORDS[9:]])]


def _rars() -> list[bytes]:
    from test_carving_rar import build_new, build_old

    members = {"one": b"x" * 300, "two": bytes(range(256))}
    return [build_old(members), build_new(members), build_old(members, version=20, end=False), build_new(members, volume=1)]


def _xz() -> list[bytes]:
    return [lzma.compress(b"words " * 90) + bytes(4) + lzma.compress(bytes(range(256))), lzma.compress(b"x", check=lzma.CHECK_CRC32)]


def _bzip2() -> list[bytes]:
    return [bz2.compress(b"words " * 90), bz2.compress(bytes(range(256))) + bz2.compress(b"")]


_ZIP = ("formats.zip", "zipparts", "zipwalk", "ziprejoin", "zipinflate", "zipkinds")
_MARKS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\7\x08")
TARGETS = [
    Target("carving-zip", _walks("zip"), _zips, tuple(f"triage.carving.{m}" for m in _ZIP), _ALLOWED, _MARKS),
    Target("carving-gzip", _walks("gzip"), _gzips, ("triage.carving.formats.gzip", "triage.carving.zipextent"), _ALLOWED),
    Target("carving-7z", _walks("7z"), _sevens, ("triage.carving.formats.sevenzip",), _ALLOWED),
    Target("carving-7z-header", _sealed, _headers, ("triage.carving.zip7",), _ALLOWED),
    Target("carving-bzip2", _walks("bzip2"), _bzip2, ("triage.carving.formats.bzip2", "triage.carving.zipstreams"), _ALLOWED),
    Target("carving-xz", _walks("xz"), _xz, ("triage.carving.formats.xz",), _ALLOWED),
    Target("carving-rar", _walks("rar"), _rars, ("triage.carving.formats.rar",), _ALLOWED),
]
