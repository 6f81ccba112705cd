"""Pictures are decoded as far as needed, whatever their form, and damage has a reason and no hash of its own."""

from __future__ import annotations

import io
import random
import resource
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picturing import encoded, scene
from PIL import Image

from triage.content import pictures
from triage.content.comparable import Comparable, comparable_of
from triage.content.likeness import picture_hash
from triage.content.types import identify


def differ(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


@pytest.mark.parametrize("form", ["PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG"])
def test_every_form_of_a_picture_has_nearly_the_same_hash(form):
    picture = scene(1)
    whole = picture_hash(encoded(picture, "PNG"), exact=True)
    found = picture_hash(encoded(picture, form))
    assert differ(found.pdq[:32], whole.pdq[:32]) <= 10


@pytest.mark.parametrize("seed", range(5))
def test_a_large_jpeg_that_is_decoded_in_part_is_within_ten_bits_of_the_whole(seed):
    data = encoded(scene(seed, (3000, 2000)))
    assert differ(picture_hash(data).pdq[:32], picture_hash(data, exact=True).pdq[:32]) <= 10


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr", "I;16"])
def test_every_mode_of_pixels_is_hashed(mode):
    picture = scene(2)
    if mode == "I;16":
        made = Image.fromarray((np.asarray(picture.convert("L")).astype(np.uint16) << 8) + 7)
        data = encoded(made, "PNG")
    else:
        data = encoded(picture.convert(mode), {"CMYK": "TIFF", "YCbCr": "TIFF"}.get(mode, "PNG"))
    limit = 60 if mode in ("1", "P") else 12
    assert differ(picture_hash(data).pdq[:32], picture_hash(encoded(picture, "PNG")).pdq[:32]) <= limit


def test_what_is_transparent_lies_on_white_whatever_colour_hides_there():
    hidden = [Image.new("RGBA", (300, 300), (*colour, 0)) for colour in ((255, 0, 0), (0, 0, 0))]
    shown = scene(4, (200, 200)).convert("RGBA")
    for picture in hidden:
        picture.paste(shown, (50, 50))
    first, second = (picture_hash(encoded(picture, "PNG")) for picture in hidden)
    assert first == second


def test_of_several_frames_the_first_is_hashed():
    frames = [scene(n, (200, 150)) for n in (1, 2)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    assert differ(picture_hash(out.getvalue()).pdq[:32], picture_hash(encoded(frames[0], "GIF")).pdq[:32]) <= 12


def test_an_orientation_mark_is_not_followed():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = scene(5)
    assert picture_hash(encoded(picture, exif=exif)) == picture_hash(encoded(picture))


def test_a_picture_of_which_a_tenth_is_missing_is_hashed_and_one_that_lacks_half_is_not():
    data = encoded(scene(6, (800, 600)), quality=85)
    for share, hashed in ((0.97, True), (0.5, False), (0.2, False)):
        found = picture_hash(data[: int(len(data) * share)])
        assert isinstance(found, str) != hashed, (share, found)
    assert "cannot be decoded" in picture_hash(data[: len(data) // 2])


def bomb() -> bytes:
    """A PNG of 40,000 x 40,000 pixels in a few hundred kilobytes."""
    import struct

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(5001) * 2000, 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


def test_bombs_are_refused_before_they_are_decoded():
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert "pixels" in picture_hash(bomb())
    assert time.process_time() - start < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_whatever_the_bytes_there_is_a_hash_or_a_reason(form, seed):
    data = bytearray(encoded(scene(7, (120, 90)), form))
    rng = random.Random(seed)
    for _ in range(rng.randrange(1, 10)):
        at = rng.randrange(len(data))
        data[at : at + rng.randrange(5)] = rng.randbytes(rng.randrange(5))
    found = picture_hash(bytes(data[: rng.randrange(1, len(data) + 1)]))
    assert isinstance(found, str) or (len(found.pdq), len(found.phash)) == (256, 64)


def test_without_pillow_the_reason_says_so(monkeypatch):
    monkeypatch.setattr(pictures, "_PILLOW", False)
    assert "Pillow" in picture_hash(encoded(scene(1)))


def compared(data: bytes, **flags):
    kind = identify(data[:4096], len(data), data[-512:])
    return comparable_of(
        kind, data, lambda at, n: data[at : at + n], len(data), beat=lambda: None, **({"pictures": True, "videos": True} | flags)
    )


def test_what_a_worker_answers_is_read_back_as_it_was_and_lies_are_not_taken():
    one = compared(encoded(scene(1)))
    assert Comparable.unpack(one.pack()) == one
    assert compared(encoded(scene(1)), pictures=False) is None
    for change in (
        {0: "AA=="},
        {2: 101},
        {2: "5"},
        {4: 5},
        {3: [[0, "00", 1]]},
        {3: [[-1, "00" * 32, 1]]},
        {3: [[0, "00" * 32, 1]] * 4000},
    ):
        values = one.pack()
        for at, value in change.items():
            values[at] = value
        with pytest.raises((ValueError, TypeError)):
            Comparable.unpack(values)


@pytest.mark.evidence
def test_samples_of_cameras_are_within_ten_bits_when_decoded_in_part(evidence_root):
    compared = 0
    for path in sorted((evidence_root / "pictures").rglob("*.jpg")):
        data = path.read_bytes()
        fast, exact = picture_hash(data), picture_hash(data, exact=True)
        if isinstance(exact, str) or exact.quality < 50:
            continue
        compared += 1
        assert differ(fast.pdq[:32], exact.pdq[:32]) <= 10, path.name
    assert compared >= 50
