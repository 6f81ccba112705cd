from __future__ import annotations

import io
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from triage.content import jpegcheck

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline": ("RGB", {}),
    "progressive": ("RGB", {"progressive": True}),
    "grey": ("L", {}),
    "inks": ("CMYK", {}),
    "restart": ("RGB", {"restart_marker_blocks": 5}),
}


def picture(kind: str) -> bytes:
    mode, options = KINDS[kind]
    grain = Image.frombytes("RGB", (240, 160), random.Random(1).randbytes(240 * 160 * 3))
    soft = Image.frombytes("RGB", (6, 4), random.Random(2).randbytes(72)).resize((240, 160), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    Image.blend(soft, grain, 0.15).convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_picture_has_no_complaint_whatever_lies_behind_it(kind: str) -> None:
    assert jpegcheck.check(picture(kind)) == (True, "")
    assert jpegcheck.check(picture(kind) + random.Random(4).randbytes(5000)) == (True, "")


@pytest.mark.parametrize("kind", KINDS)
def test_stretches_that_are_missing_or_too_many_are_noticed(kind: str) -> None:
    data, chance = picture(kind), random.Random(3)
    start = data.index(b"\xff\xda") + 20
    for _ in range(40):
        at = chance.randrange(start, len(data) - 1100)
        foreign = chance.choice([bytes(1024), b"plain text " * 100, chance.randbytes(1024).replace(b"\xff", b"\xff\0")])[:1024]
        for wrong in (data[:at] + data[at + 512 :], data[:at] + foreign + data[at:], data[:at]):
            sound, complaint = jpegcheck.check(wrong)
            assert sound is False
            assert complaint


@pytest.mark.parametrize("kind", KINDS)
def test_most_stretches_of_other_bytes_are_noticed(kind: str) -> None:
    data, chance = picture(kind), random.Random(3)
    start, unnoticed = data.index(b"\xff\xda") + 20, 0
    for _ in range(60):
        at = chance.randrange(start, len(data) - 1100)
        foreign = chance.choice([bytes(1024), b"plain text " * 100, chance.randbytes(1024).replace(b"\xff", b"\xff\0")])[:1024]
        unnoticed += jpegcheck.check(data[:at] + foreign + data[at + 1024 :])[0] is not False
    assert unnoticed <= 6


def test_a_missing_end_marker_is_noticed() -> None:
    assert jpegcheck.check(picture("baseline")[:-2])[0] is False


def test_too_many_pixels_are_not_decoded() -> None:
    data = bytearray(picture("baseline"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\x7f\xff\x7f\xff"
    assert jpegcheck.check(bytes(data)) == (None, "it has too many pixels to be decoded")


def test_too_many_scans_are_not_decoded() -> None:
    data = picture("progressive")
    start, end = data.index(b"\xff\xda"), len(data) - 2
    wide = bytearray(data[:start])
    at = wide.index(b"\xff\xc2")
    wide[at + 5 : at + 9] = b"\x20\x00\x20\x00"
    assert jpegcheck.check(bytes(wide) + data[start:end] * 30 + b"\xff\xd9") == (None, "it has too many pixels to be decoded")


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400), kind=st.sampled_from(sorted(KINDS)), at=st.integers(0, 4000))
def test_any_bytes_get_an_answer(data: bytes, kind: str, at: int) -> None:
    assert jpegcheck.check(data)[0] in (False, None)
    whole = picture(kind)
    assert jpegcheck.check(whole[:at] + data + whole[at + len(data) :])[0] in (True, False, None)
