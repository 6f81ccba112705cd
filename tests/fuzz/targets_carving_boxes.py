"""Targets of carving: films and pictures in boxes and elements."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from targets import Target

sys.path.append(str(Path(__file__).resolve().parents[1] / "carving"))

if TYPE_CHECKING:
    from collections.abc import Callable


def _walking(name: str) -> Callable[[bytes], None]:
    from film_support import checked_walk

    def run(data: bytes) -> None:
        checked_walk(name, data)

    return run


def _seeds(*suffixes: str) -> Callable[[], list[bytes]]:
    """Return films: whole, with something behind, in two pieces."""

    def seeds() -> list[bytes]:
        from film_support import NOISE, SAMPLES

        found = []
        for path in sorted(SAMPLES.iterdir()):
            if path.suffix in suffixes:
                data = path.read_bytes()
                cut = len(data) // 1024 * 512
                found += [data, data + NOISE[:1000], data[:cut] + NOISE[:1024] + data[cut:]]
        return found

    return seeds


TARGETS = [
    Target(
        "carving-isobmff",
        _walking("isobmff"),
        _seeds(".mp4", ".mov", ".3gp", ".m4a"),
        (
            "triage.carving.formats.isobmff",
            "triage.carving.bmff",
            "triage.carving.bmffgap",
            "triage.carving.bmffitems",
            "triage.carving.bmfflayout",
            "triage.carving.mediascan",
            "triage.carving.plainness",
            "triage.carving.strides",
            "triage.carving.probes",
            "triage.carving.samples",
        ),
        tokens=(
            b"ftyp",
            b"moov",
            b"mdat",
            b"moof",
            b"trun",
            b"stsz",
            b"stz2",
            b"stco",
            b"co64",
            b"stsc",
            b"meta",
            b"iloc",
            b"covr",
            b"cmov",
        ),
    ),
    Target(
        "carving-matroska",
        _walking("matroska"),
        _seeds(".mkv", ".webm"),
        ("triage.carving.formats.matroska", "triage.carving.ebml", "triage.carving.matroskatracks"),
        tokens=(b"\x1f\x43\xb6\x75", b"\x18\x53\x80\x67", b"\x1c\x53\xbb\x6b", b"\xa3\x84\x81", b"\xa0", b"\xec\x80", b"\x01\xff\xff\xff"),
    ),
]
