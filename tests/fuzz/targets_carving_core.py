"""Targets of the carver itself: a medium of anything, and what a worker may answer about it."""

from __future__ import annotations

import io
import json
import random
import zipfile
from functools import cache

from targets import Target

from triage.carving.carved import Carved
from triage.carving.carver import Carver
from triage.carving.entries import entries_of, finding_of, pack, unpack
from triage.carving.order import Order
from triage.carving.scan import Headers
from triage.carving.space import Area, Space


class _Medium:
    sector_size = 512

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.damaged: dict[int, tuple[int, str]] = {}

    def read_at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def close(self) -> None:
        """Nothing is open."""


@cache
def _headers() -> Headers:
    from triage.carving.catalog import known_formats

    return Headers(known_formats())


def _area(size: int, *, aligned: bool) -> Area:
    third = size // 3 // 512 * 512
    stretches = ((0, third), (third + 512, max(0, size - third - 512)))
    return Area(
        evidence="e", volume=1, volume_offset=0, kind="unallocated", name="vol1", stretches=stretches, joined=aligned, aligned=aligned
    )  # fmt: skip


def _carve(data: bytes) -> None:
    for aligned in (True, False):
        area = _area(len(data), aligned=aligned)
        carver = Carver(_Medium(data), area, headers=_headers())
        found = list(carver.unit(0, carver.space.size))
        assert [f.offset for f in found] == sorted({f.offset for f in found})
        for one in found:
            packed = json.loads(json.dumps(pack(one)))
            assert unpack(packed, carver.space.size) == unpack(pack(one), carver.space.size)
            entries = entries_of(area, carver.space, one)
            assert sum(r.length for r in entries[0].runs) == one.length
            assert finding_of(area, entries[0], one).data["why"]
        taken, again = Order().accept(found)
        assert again is None
        assert len(taken) == len(found)


def _media() -> list[bytes]:
    rng = random.Random(1)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", rng.randbytes(3000).hex())
    text = b"<!DOCTYPE html><html><body>hello</body></html>\n"
    pieces = [packed.getvalue(), text, b"{\\rtf1 hello}", b"d8:announce3:abc4:infod6:lengthi5e4:name1:aee", packed.getvalue()[:700]]
    padded = [p + bytes(-len(p) % 512) for p in pieces]
    return [b"".join(padded), bytes(2048) + padded[0][:1024] + rng.randbytes(512) + padded[0][1024:]]


def _answer(data: bytes) -> None:
    found = unpack(json.loads(data), 1 << 20)
    assert isinstance(found, Carved)
    entries_of(_area(1 << 20, aligned=True), Space(((0, 1 << 20),)), found)


def _answers() -> list[bytes]:
    area = _area(len(_media()[0]), aligned=True)
    carver = Carver(_Medium(_media()[0]), area, headers=_headers())
    return [json.dumps(pack(one)).encode() for one in carver.unit(0, carver.space.size)]


TARGETS = [
    Target(
        "carving-medium",
        _carve,
        _media,
        (
            "triage.carving.carver",
            "triage.carving.carved",
            "triage.carving.rejoin",
            "triage.carving.scan",
            "triage.carving.space",
            "triage.carving.window",
            "triage.carving.order",
        ),
        tokens=(b"PK\x03\x04", b"PK\x05\x06", b"%PDF-1.4", b"\xff\xd8\xff\xe0", b"<html", b"bplist00", b"SQLite format 3\0"),
    ),
    Target("carving-answers", _answer, _answers, ("triage.carving.entries",), allowed=(ValueError, TypeError, LookupError, RecursionError)),
]
