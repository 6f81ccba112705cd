"""AFF4 containers and their description."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from targets import Target

from triage.errors import EvidenceError
from triage.evidence.aff4turtle import TurtleError, parse_turtle
from triage.evidence.opening import open_evidence

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from aff4_maker import STREAM, container
from virtual_makers import disk, readable

_SMALL = disk(1 << 16)


def _opened(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.aff4"
        path.write_bytes(data)
        _, medium, _ = open_evidence(path)
        try:
            readable(medium, 65536, 20)
        finally:
            medium.close()


def _made() -> list[bytes]:
    points = [(0, 50_000, 0, STREAM), (60_000, 5000, 50_000, STREAM), (70_000, 5000, 0, "UnknownData")]
    return [container({STREAM: _SMALL}, points, 1 << 17, how=how) for how in ("snappy", "lz4", "zlib", "stored")]


TARGETS = [
    Target("aff4", _opened, _made, ("triage.evidence.aff4",), (EvidenceError,), (b"aff4:", b"PK\1\2", b'"^^xsd:long')),
    Target(
        "aff4-turtle",
        lambda data: bool(parse_turtle(data.decode("utf-8", "replace"))),
        lambda: [b'@prefix a: <x#> .\n<s> a a:B ; a:hash "1"^^a:MD5 , "2"^^a:SHA1 .\n', b'<s> <p> """a"b""" .'],
        ("triage.evidence.aff4turtle",),
        (TurtleError,),
        (b"@prefix", b'"""', b"^^", b" ;", b" ."),
    ),
]
