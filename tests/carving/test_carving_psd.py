"""PSD and PSB: sections that say how long they are, and a merged picture whose length follows from its lines."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_support import NOISE, SURROUNDINGS, asked, holds, mutants, noise_picture, samples, saved, walk

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 120, 80
THUMBNAIL = saved(noise_picture(40, 30), "JPEG")


def line(number: int) -> bytes:
    """One line of 120 samples, packed: a run of 50, some as they are."""
    return bytes([257 - 50, number % 256, 69]) + NOISE[number : number + 70]


def resource(number: int, data: bytes, name: bytes = b"") -> bytes:
    title = bytes([len(name)]) + name
    return b"8BIM" + struct.pack(">H", number) + title + bytes(len(title) & 1) + struct.pack(">I", len(data)) + data + bytes(len(data) & 1)


def layers(wide: str, count: int) -> bytes:
    """A section of layers, each with one channel of a hundred bytes."""
    records = b"".join(
        struct.pack(f">4IHh{wide}", 0, 0, 9, 9, 1, 0, 100) + b"8BIMnorm" + bytes(4) + struct.pack(">I", 20) + bytes(20)
        for _ in range(count)
    )
    inner = struct.pack(">h", -count) + records + NOISE[: 100 * count]
    info = struct.pack(f">{wide}", len(inner)) + inner
    return info + struct.pack(">I", 0)


def document(method: int = 1, *, version: int = 1, count: int = 2, resources: bytes | None = None, pixels: bytes | None = None) -> bytes:
    wide = "I" if version == 1 else "Q"
    if resources is None:
        resources = resource(1036, bytes(28) + THUMBNAIL) + resource(1005, bytes(15), b"abc")
    section = layers(wide, count) if count else b""
    rows = [line(n) for n in range(3 * HEIGHT)]
    if pixels is None:
        plain = NOISE[: 3 * HEIGHT * WIDTH]
        lengths = b"".join(len(r).to_bytes(2 * version, "big") for r in rows)
        pixels = {0: plain, 1: lengths + b"".join(rows), 2: zlib.compress(plain)}[method]
    head = b"8BPS" + struct.pack(">H6xHIIHH", version, 3, HEIGHT, WIDTH, 8, 3)
    return (
        head
        + struct.pack(">I", 0)
        + struct.pack(">I", len(resources))
        + resources
        + struct.pack(f">{wide}", len(section))
        + section
        + struct.pack(">H", method)
        + pixels
    )


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
def test_real_ones_end_behind_their_merged_picture(behind: bytes, evidence_root: Path) -> None:
    seen = 0
    for name, data in samples(evidence_root, "types/magika/*/psd/*.psd", "types/magika/mitra_candidates/*.psd"):
        walked = walk("psd", data + behind)
        assert walked is not None, name
        assert (walked.length, walked.structure) == (len(data), Structure.COMPLETE), name
        seen += 1
    assert seen == 2


@pytest.mark.parametrize("behind", SURROUNDINGS.values(), ids=SURROUNDINGS)
@pytest.mark.parametrize("method", [0, 1, 2], ids=["plain", "packed", "zlib"])
@pytest.mark.parametrize("version", [1, 2], ids=["psd", "psb"])
def test_made_ones_end_behind_their_merged_picture(version: int, method: int, behind: bytes) -> None:
    data = document(method, version=version)
    walked = walk("psd", data + behind)
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, True)
    assert walked.extension == ("psd" if version == 1 else "psb")
    assert walked.facts == {"width": WIDTH, "height": HEIGHT, "layers": 2}
    (part,) = walked.parts
    assert data[part.offset : part.offset + part.length] == THUMBNAIL


def test_plain_pixels_prove_nothing_by_themselves() -> None:
    data = document(0, count=0, resources=b"")
    walked = walk("psd", data + NOISE[:99])
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.COMPLETE, False)


def test_one_that_is_overwritten_is_noticed_by_its_lines() -> None:
    data = document()
    at = len(data) - 9000
    walked = walk("psd", data[:at] + NOISE[5000:7000] + data[at + 2000 :] + NOISE[:99])
    assert (walked.length, walked.structure, walked.checked) == (len(data), Structure.DAMAGED, False)


def test_one_that_breaks_off_keeps_its_small_picture() -> None:
    data = document()
    for cut in (len(data) - 17000, len(data) - 30):
        walked = walk("psd", data[:cut])
        assert walked.structure is Structure.TRUNCATED
        assert len(walked.parts) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"8BPS\0\1" + bytes(6) + NOISE,
        b"8BPS\0\1" + bytes(9000),
        document()[:12] + b"\0\x99" + document()[14:],
        document()[:22] + b"\0\7" + document()[24:],
        document()[:30] + NOISE,
        document(resources=NOISE[:2000]),
        document(method=1, pixels=NOISE[:5000], resources=b"", count=0),
        document(method=1, pixels=bytes(5000), resources=b"", count=0),
        document(method=2, pixels=NOISE[:5000], resources=b"", count=0),
    ],
    ids=["noise", "zeros", "channels", "depth", "noise for resources", "no resources", "noise for lines", "zeros for lines", "no zlib"],
)
def test_what_only_begins_like_one_is_none(data: bytes) -> None:
    assert walk("psd", data + NOISE[:3000]) is None


def test_layers_that_do_not_keep_within_their_section_break_it_off() -> None:
    data = document()
    at = data.index(b"8BIMnorm") - 4
    walked = walk("psd", data[:at] + b"\x7f\xff\xff\xff" + data[at + 4 :])
    assert walked.structure is Structure.TRUNCATED
    assert "layers" in walked.why


def test_pixels_that_inflate_without_end_are_given_up() -> None:
    bomb = zlib.compress(bytes(64 << 20), 9)
    window, walked = asked("psd", document(2, pixels=bomb, count=0, resources=b""))
    assert walked is None
    assert window.spent < 4 << 20


@given(st.binary(max_size=600), st.sampled_from([12, 26, 30, 34, 2000]))
def test_any_bytes_behind_a_header_are_borne(behind: bytes, kept: int) -> None:
    holds("psd", document()[:kept] + behind)


def test_damaged_copies_are_borne() -> None:
    for method, version in ((1, 1), (2, 2)):
        for changed in mutants(document(method, version=version), 250):
            holds("psd", changed + NOISE[:3000])


def test_the_allowance_ends_a_walk() -> None:
    assert holds("psd", document(), allowance=500) is None
