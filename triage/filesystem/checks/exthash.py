"""The hash by which ext directories order names: half of MD4, of many names at once.

It is redundancy for the names themselves: a name whose hash does not belong into its block was changed, or the block is another's.

Source: Linux kernel documentation, *ext4 data structures and algorithms*, "Hash Tree Directories"; RFC 1320 for MD4's functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.uint32]

_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_SECOND, _THIRD = np.uint32(0x5A827999), np.uint32(0x6ED9EBA1)
_ROUNDS = (
    ((0, 1, 2, 3, 4, 5, 6, 7), (3, 7, 11, 19)),
    ((1, 3, 5, 7, 0, 2, 4, 6), (3, 5, 9, 13)),
    ((3, 7, 2, 6, 1, 5, 0, 4), (3, 9, 11, 15)),
)
"""Per round: which of the eight words is taken at each of its eight steps, and by how many bits the sum is turned."""
_PIECE = 32
_LAST = 0x7FFFFFFF << 1
"""A hash that would mean the directory's end is made the one before it."""


def half_md4(names: Sequence[bytes], seed: bytes, *, signed: bool) -> Words:
    """Return each name's hash. ``seed`` is s_hash_seed; ``signed``: bytes from 0x80 on count as negative."""
    hashes = np.zeros(len(names), dtype=np.uint32)
    lengths = np.array([len(name) for name in names], dtype=np.int64)
    pieces = np.maximum(-(-lengths // _PIECE), 1)
    start = [int(word) for word in np.frombuffer(seed, dtype="<u4")] if any(seed) else list(_START)
    for count in np.unique(pieces).tolist():
        chosen = np.flatnonzero(pieces == count)
        width = count * _PIECE
        octets = np.frombuffer(b"".join(names[i].ljust(width, b"\0") for i in chosen.tolist()), dtype=np.uint8).reshape(len(chosen), width)
        state = [np.full(len(chosen), word, dtype=np.uint32) for word in start]
        for done in range(0, width, _PIECE):
            words = _words(octets[:, done : done + _PIECE], lengths[chosen] - done, signed=signed)
            state = _transformed(state, words)
        hashes[chosen] = state[1]
    hashes &= np.uint32(0xFFFFFFFE)
    hashes[hashes == _LAST] = _LAST - 2
    return hashes


def _words(octets: NDArray[np.uint8], left: NDArray[np.int64], *, signed: bool) -> list[Words]:
    """Return eight words of each name's next 32 bytes, the first byte highest; what is behind the name is its length, over and over."""
    length = (left & 0xFF).astype(np.uint32)
    pad = length | length << np.uint32(8)
    pad |= pad << np.uint32(16)
    values = octets.view(np.int8).astype(np.int32).view(np.uint32) if signed else octets.astype(np.uint32)
    words = []
    for word in range(8):
        value = pad.copy()
        for byte in range(4):
            place = word * 4 + byte
            value = np.where(left > place, values[:, place] + (value << np.uint32(8)), value)
        words.append(value)
    return words


def _transformed(state: list[Words], words: list[Words]) -> list[Words]:
    a, b, c, d = state
    for number, (order, turns) in enumerate(_ROUNDS):
        for step, word in enumerate(order):
            if number == 0:
                mixed = d ^ (b & (c ^ d))
            elif number == 1:
                mixed = (b & c) + ((b ^ c) & d) + _SECOND
            else:
                mixed = (b ^ c ^ d) + _THIRD
            total = a + mixed + words[word]
            turn = np.uint32(turns[step % 4])
            a, b, c, d = d, total << turn | total >> (np.uint32(32) - turn), b, c
    return [new + old for new, old in zip((a, b, c, d), state, strict=True)]
