"""Targets of what is compared by likeness: pictures, frames of videos, what workers answer, and tables of a stored index that lie."""

from __future__ import annotations

import io
import random
from functools import cache

import numpy as np
from targets import Target

from triage.content import videoframes
from triage.content.comparable import Comparable, comparable_of
from triage.content.fileview import FileView
from triage.content.likeness import picture_hash
from triage.content.types import identify
from triage.hashsets import hamming
from triage.hashsets.bloomhint import BloomHint


def _picture(data: bytes) -> None:
    found = picture_hash(data)
    assert isinstance(found, str) or (len(found.pdq), len(found.phash), 0 <= found.quality <= 100) == (256, 64, True)
    kind = identify(data[:4096], len(data), data[-512:])
    one = comparable_of(kind, data, lambda at, n: data[at : at + n], len(data), pictures=True, videos=False, beat=lambda: None)
    assert one is None or Comparable.unpack(one.pack()) == one


@cache
def _clips() -> tuple[bytes, ...]:
    import av

    made = []
    for codec, form in (("mpeg4", "avi"), ("libx264", "mp4"), ("libvpx", "webm")):
        out = io.BytesIO()
        rng = np.random.default_rng(1)
        with av.open(out, "w", format=form) as container:
            stream = container.add_stream(codec, rate=5)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            for _ in range(10):
                picture = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        made.append(out.getvalue())
    return tuple(made)


def _video(data: bytes) -> None:
    found = videoframes.frames_of(lambda at, n: data[at : at + n], len(data), limit=50)
    assert isinstance(found, str) or len(found.frames) <= 50
    view = FileView(lambda at, n: data[at : at + n], len(data))
    view.seek(len(data) // 2)
    assert view.read(10) == data[len(data) // 2 :][:10]


def _answer(data: bytes) -> None:
    import json

    Comparable.unpack(json.loads(data))


def _answers() -> list[bytes]:
    import json

    one = Comparable(bytes(256), bytes(64), 50, (), "")
    two = Comparable(frames=(videoframes.Frame(1000, bytes(32), 60),), reason="cut")  # type: ignore[arg-type]
    return [json.dumps(c.pack()).encode() for c in (one, two)]


ROWS = 3000


@cache
def _tables() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    hashes = np.random.default_rng(1).integers(0, 256, (ROWS, 32), dtype=np.uint8)
    return hashes, dict(hamming.build_columns(hashes, 31, 0))


def _index(data: bytes) -> None:
    """The tables of an index, with numbers that lead anywhere."""
    hashes, tables = _tables()
    lying = {}
    rng = random.Random(data)
    for name, table in tables.items():
        changed = table.copy()
        for at in range(0, len(data) - 3, 4):
            changed[rng.randrange(len(changed))] = int.from_bytes(data[at : at + 4], "little")
        lying[name] = changed
    hits = hamming.HammingIndex(hashes, lying, 31, 0).search(hashes[:5], 31)
    assert ((hits.row >= 0) & (hits.row < ROWS)).all()


def _filter(data: bytes) -> None:
    assert len(BloomHint(memoryview(data)).has(["0" * 40, "F" * 40])) == 2


def _pictures() -> list[bytes]:
    from targets_content import _pictures as made

    return made()


TARGETS = [
    Target(
        "picture-hash",
        _picture,
        _pictures,
        ("triage.content.likeness", "triage.content.pdq", "triage.content.comparable", "triage.content.pictures"),
    ),
    Target("video-frames", _video, lambda: list(_clips()), ("triage.content.videoframes", "triage.content.fileview")),
    Target("comparable", _answer, _answers, ("triage.content.comparable",), (ValueError, TypeError, RecursionError, KeyError)),
    Target("hamming", _index, lambda: [b"\0\0\0\0", b"\xff\xff\xff\xff" * 4], ("triage.hashsets.hamming",)),
    Target("bloom", _filter, lambda: [_bloom()], ("triage.hashsets.bloomhint",), (ValueError,)),
]


def _bloom() -> bytes:
    from targets_lists import BLOOM

    return BLOOM
