"""What the tests of carved sounds and films share: samples, surroundings, and what holds for damaged copies."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from picture_support import NOISE, asked, form, holds, mutants

from triage.carving.forms import Structure

if TYPE_CHECKING:
    from triage.carving.forms import Walked

SAMPLES = Path(__file__).with_name("samples")
BLOCK = 4096
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
TEXT = b"The quick brown fox jumps over the lazy dog. G@ TAG ID3 RIFF OggS FLV\n" * 60


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def surrounded(data: bytes) -> dict[str, bytes]:
    """The data with zeros, noise, nothing, and from the next sector on noise, a picture or the same file again behind it."""
    fill = bytes(-len(data) % 512)
    return {
        "nothing": data,
        "zeros": data + bytes(20_000),
        "noise": data + NOISE[:20_000],
        "noise in the next sector": data + fill + NOISE[:20_000],
        "a picture in the next sector": data + fill + JPEG + NOISE[:20_000],
        "the same in the next sector": data + fill + data + NOISE[:5000],
    }


def ends_exactly(name: str, data: bytes, *, checked: bool) -> Walked:
    """Walk a sound file in all surroundings: it must be whole, and end where it does.

    Noise right behind its last byte is what no system leaves there; it is looked at as on a medium whose clusters are not known.
    """
    found = None
    for what, there in surrounded(data).items():
        found = asked(name, there, block=512 if what == "noise" else BLOCK)[1]
        assert found is not None, what
        assert (found.length, found.structure, found.checked) == (len(data), Structure.COMPLETE, checked), (what, found)
    assert found is not None
    return found


def cut(name: str, data: bytes, at: int) -> Walked | None:
    """Walk a file of which noise took the place from an offset on."""
    return asked(name, data[:at] + NOISE[: len(data) - at + 60_000], block=BLOCK)[1]


def overwritten(data: bytes, at: int, size: int = BLOCK) -> bytes:
    """Return the file with noise in the middle."""
    return data[:at] + NOISE[7 : 7 + min(size, len(data) - at)] + data[at + size :]


def is_never(name: str, starts: list[bytes], *, allowance: int = 1 << 20) -> None:
    """What only begins like a file, with noise, zeros, text or its own start over and over behind, is none, and costs little."""
    for start in starts:
        for rest in (NOISE[:60_000], bytes(60_000), TEXT, JPEG + NOISE[:60_000], b"\xff" * 60_000, b""):
            window, found = asked(name, start + rest, allowance=allowance)
            assert found is None, (start[:16], rest[:16], found)
            assert window.spent < 300_000


def survives(name: str, seeds: list[bytes], count: int = 150) -> None:
    """Damaged copies end in an answer that fits, within an allowance."""
    for number, data in enumerate(seeds):
        for changed in mutants(data, count, seed=number):
            holds(name, changed + NOISE[:3000], allowance=16 * (len(data) + (1 << 20)))


def random_starts(name: str, count: int = 4000) -> int:
    """Return how many of so many pieces of noise with a right header are taken for files."""
    chance, found = random.Random(name), 0
    headers = form(name).headers
    noise = chance.randbytes(1 << 16)
    for number in range(count):
        header = headers[number % len(headers)]
        data = bytearray(noise[(at := chance.randrange(1 << 14)) : at + 40_000])
        for place, byte in enumerate(header.magic):
            if not header.mask or header.mask[place]:
                data[header.at + place] = byte
        found += holds(name, bytes(data), allowance=1 << 20) is not None
    return found
