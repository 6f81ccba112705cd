"""Targets of carved archives: ZIP and what is in it, put together out of pieces too, gzip, bzip2, xz, 7z and RAR."""

from __future__ import annotations

import bz2
import lzma
import sys
from pathlib import Path

from carved_walks import ALLOWED, walks
from targets import Target

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))


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

    return walks("7z")(sealed(NOISE[:200], data))


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
    Target("carving-zip", walks("zip"), _zips, tuple(f"triage.carving.{m}" for m in _ZIP), ALLOWED, _MARKS),
    Target("carving-gzip", walks("gzip"), _gzips, ("triage.carving.formats.gzip", "triage.carving.zipextent"), ALLOWED),
    Target("carving-7z", walks("7z"), _sevens, ("triage.carving.formats.sevenzip",), ALLOWED),
    Target("carving-7z-header", _sealed, _headers, ("triage.carving.zip7",), ALLOWED),
    Target("carving-bzip2", walks("bzip2"), _bzip2, ("triage.carving.formats.bzip2", "triage.carving.zipstreams"), ALLOWED),
    Target("carving-xz", walks("xz"), _xz, ("triage.carving.formats.xz",), ALLOWED),
    Target("carving-rar", walks("rar"), _rars, ("triage.carving.formats.rar",), ALLOWED),
]
