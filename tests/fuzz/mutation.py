"""Inputs out of seeds: the same number gives the same bytes, on every machine and run."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST = 1 << 20
"""Bytes that an input is cut at."""
_EDGES = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
]
_NUMBER = re.compile(rb"[0-9]+")
_NUMBERS = [b"0", b"-1", b"1", b"255", b"65536", b"4294967295", b"18446744073709551616", b"9" * 40, b"1e999", b"0x10", b"NaN"]


def make_input(seeds: Sequence[bytes], tokens: Sequence[bytes], seed: int, number: int) -> bytes:
    """Return input ``number`` of the sequence ``seed``: the seeds as they are first, then mutants of them."""
    if number < len(seeds):
        return seeds[number]
    chance = random.Random(f"{seed} {number}")
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4, 8))):
        change = chance.choice(_CHANGES)
        if change is _splice:
            other = chance.choice(seeds)
            _splice(data, chance, other)
        elif change is _token:
            _token(data, chance, chance.choice(tokens) if tokens else chance.randbytes(4))
        else:
            change(data, chance)
    return bytes(data[:MOST])


def _place(data: bytearray, chance: random.Random) -> int:
    """Return a place, every other time near the start or the end, where headers and trailers are."""
    if len(data) > 64 and chance.random() < 0.5:
        return chance.choice((chance.randrange(64), len(data) - 1 - chance.randrange(64)))
    return chance.randrange(len(data)) if data else 0


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: random.Random) -> None:
    if data:
        data[_place(data, chance)] = chance.randrange(256)


def _edge(data: bytearray, chance: random.Random) -> None:
    width, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
    value = (chance.choice(_EDGES) + chance.choice((-1, 0, 0, 1))) % (1 << 8 * width)
    at = _place(data, chance)
    data[at : at + width] = value.to_bytes(width, order)  # type: ignore[arg-type]


def _length(data: bytearray, chance: random.Random) -> None:
    """A number that could be an offset or a length in this very input."""
    width, order = chance.choice((2, 4, 8)), chance.choice(("little", "big"))
    value = chance.choice((len(data), _place(data, chance), len(data) - _place(data, chance), len(data) // 2)) % (1 << 8 * width)
    at = _place(data, chance)
    data[at : at + width] = value.to_bytes(width, order)  # type: ignore[arg-type]


def _remove(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    del data[at : at + chance.choice((1, 2, 4, 16, 512))]


def _double(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    piece = data[at : at + chance.choice((1, 4, 32, 512, 4096))]
    data[at:at] = piece * chance.choice((1, 1, 2, 50))


def _copy(data: bytearray, chance: random.Random) -> None:
    length = chance.choice((4, 16, 76, 512))
    source, target = _place(data, chance), _place(data, chance)
    data[target : target + length] = data[source : source + length]


def _zero(data: bytearray, chance: random.Random) -> None:
    at, length = _place(data, chance), chance.choice((4, 16, 512))
    length = min(length, len(data) - at)
    data[at : at + length] = bytes(length)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[_place(data, chance) :]


def _number(data: bytearray, chance: random.Random) -> None:
    """Another number in the place of one that is written in digits."""
    found = [match.span() for match in _NUMBER.finditer(bytes(data[:65536]))]
    if found:
        start, end = chance.choice(found)
        data[start:end] = chance.choice(_NUMBERS)


def _splice(data: bytearray, chance: random.Random, other: bytes = b"") -> None:
    if other:
        start = chance.randrange(len(other))
        at = _place(data, chance)
        data[at : at + chance.choice((0, 0, 16, 512))] = other[start : start + chance.choice((4, 16, 128, 2048))]


def _token(data: bytearray, chance: random.Random, token: bytes = b"") -> None:
    at = _place(data, chance)
    data[at : at + chance.choice((0, len(token)))] = token * chance.choice((1, 1, 1, 2, 300))


_CHANGES: list[Callable[[bytearray, random.Random], None]] = [
    _flip,
    _flip,
    _byte,
    _byte,
    _edge,
    _edge,
    _length,
    _remove,
    _double,
    _copy,
    _zero,
    _cut,
    _number,
    _splice,
    _token,
    _token,
]
