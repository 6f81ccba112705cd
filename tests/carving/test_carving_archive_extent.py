from __future__ import annotations

import random

from triage.carving.window import window_of
from triage.carving.zipextent import looks_packed, packed_end, without_zeros

NOISE = random.Random(1).randbytes(300_000)


def test_what_is_packed_ends_at_many_zeros() -> None:
    window = window_of(NOISE + bytes(5000) + NOISE)
    assert packed_end(window, 100, window.size) == len(NOISE)
    assert packed_end(window, 100, 5000) == 5000
    assert packed_end(window, 100, 1 << 60) == len(NOISE)


def test_zeros_at_the_end_are_taken_off_and_others_left() -> None:
    window = window_of(NOISE + bytes(700_000) + b"x" + bytes(90_000))
    assert without_zeros(window, 10, len(NOISE) + 700_000) == len(NOISE)
    assert without_zeros(window, 10, window.size) == len(NOISE) + 700_001
    assert without_zeros(window, len(NOISE), len(NOISE) + 600_000) == len(NOISE)
    assert without_zeros(window, 10, 5000) == 5000


def test_text_and_little_do_not_look_packed() -> None:
    assert looks_packed(window_of(NOISE), 0, 5000)
    assert not looks_packed(window_of(NOISE), 0, 1000)
    assert not looks_packed(window_of(b"plain words, again and again " * 300), 0, 5000)
