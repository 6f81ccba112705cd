"""Volumes that look encrypted as a whole: told with the doubt there is; pictures, zeros and text are not."""

from __future__ import annotations

import io
import random
import sys
from pathlib import Path

from PIL import Image

from triage.filesystem.image import MediumImage
from triage.filesystem.randomness import LENGTH, SAMPLES, looks_random
from triage.filesystem.volumes import list_volumes

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes

SIZE = 2 << 20


def said(data: bytes) -> str:
    medium = Bytes(data)
    return " ".join(problem.message for problem in list_volumes(MediumImage(medium), medium, "e")[1])


def test_random_bytes_are_told_with_the_doubt() -> None:
    for seed in range(20):
        data = random.Random(seed).randbytes(SIZE)
        assert looks_random(Bytes(data), 0, SIZE), seed
    assert "all of it looks random: it may be encrypted as a whole (VeraCrypt, plain dm-crypt), or wiped: both look the same" in said(data)


def test_what_is_random_in_part_is_not() -> None:
    data = bytearray(random.Random(1).randbytes(SIZE))
    data[SIZE // 2 : SIZE // 2 + SIZE // SAMPLES + LENGTH] = bytes(SIZE // SAMPLES + LENGTH)
    assert not looks_random(Bytes(bytes(data)), 0, SIZE)
    assert "looks random" not in said(bytes(data))


def test_pictures_zeros_and_text_are_not() -> None:
    pictures = io.BytesIO()
    while pictures.tell() < SIZE:
        Image.effect_noise((640, 480), 60).convert("RGB").save(pictures, "JPEG", quality=90)
    for data in (pictures.getvalue()[:SIZE], bytes(SIZE), b"words and words " * (SIZE // 16), bytes(range(256)) * (SIZE // 256)):
        assert not looks_random(Bytes(data), 0, SIZE)


def test_what_is_short_or_unreadable_is_not() -> None:
    assert not looks_random(Bytes(random.Random(2).randbytes(SAMPLES * LENGTH - 1)), 0, SAMPLES * LENGTH - 1)
    assert not looks_random(Bytes(random.Random(2).randbytes(SIZE)), 0, 4 * SIZE)
