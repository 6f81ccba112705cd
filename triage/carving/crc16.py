"""CRC-16 of FLAC's frames: polynomial 0x8005, highest bit first, from 0 (RFC 9639, 9.3).

The CRC is linear. It is computed for rows of 256 bytes at once, two bytes a step, and from where two frame starts stand in it follows
whether the frame between them is right: what stood at the first, carried on over as many zeros, must stand at the second.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    Words = np.ndarray[Any, np.dtype[np.uint16]]

_POLYNOMIAL = 0x8005
_ROW = 256
_ORDER = 32767
"""After so many bits 1 followed by zeros is 1 again: the polynomial is (x + 1)(x^15 + x + 1)."""


@cache
def _bytes() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        state = byte << 8
        for _ in range(8):
            state = (state << 1 ^ (_POLYNOMIAL if state & 0x8000 else 0)) & 0xFFFF
        table.append(state)
    return tuple(table)


@cache
def _words() -> Words:
    """Return what each 16-bit state becomes after 16 bits of zeros."""
    one = np.array(_bytes(), dtype=np.uint16)
    state = np.arange(1 << 16, dtype=np.uint16)
    for _ in range(2):
        state = (state << np.uint16(8)) ^ one[state >> np.uint16(8)]
    return state


@cache
def _rows() -> tuple[int, ...]:
    """Return what each state becomes after a row of zeros."""
    state, words = _words(), 1
    while words < _ROW // 2:
        state, words = state[state], words * 2
    return tuple(state.tolist())


@cache
def _powers() -> tuple[int, ...]:
    """Return the powers of x, each as many bits of zeros behind a 1 give."""
    found, factor = np.ones(1, dtype=np.uint16), np.array([2], dtype=np.uint16)
    while len(found) < _ORDER:
        found = np.concatenate((found, _product(found, int(factor[0]))))
        factor = _product(factor, int(factor[0]))
    return tuple(found[:_ORDER].tolist())


def _product(values: Words, by: int) -> Words:
    """Return the products of polynomials and another one."""
    result = np.zeros_like(values)
    for bit in range(15, -1, -1):
        result = (result << np.uint16(1)) ^ np.where(result & np.uint16(0x8000), np.uint16(_POLYNOMIAL), np.uint16(0))
        if by >> bit & 1:
            result ^= values
    return result


def carried(state: int, zeros: int) -> int:
    """Return what a state becomes after so many bytes of zeros: its product with a power of x."""
    powers, first = _powers(), 8 * zeros
    result = 0
    for bit in range(16):
        if state >> bit & 1:
            result ^= powers[(first + bit) % _ORDER]
    return result


def crc16(data: bytes, state: int = 0) -> int:
    """Return the CRC, byte by byte: for what is short. Over data with its CRC behind them it is 0."""
    table = _bytes()
    for byte in data:
        state = (state << 8 & 0xFF00) ^ table[state >> 8 ^ byte]
    return state


def wrong_frames(data: bytes, bounds: Sequence[int]) -> list[int]:
    """Return the numbers of the stretches between one bound and the next, ascending, that do not end with their CRC."""
    count = len(data) // _ROW
    states = np.zeros(count, dtype=np.uint16)
    table = _words()
    for column in _columns(data, count):
        np.bitwise_xor(states, column, out=states)
        states = np.take(table, states, mode="wrap")  # does not look whether each is in range, as all are
    rows, after = _rows(), [0]
    for state in states.tolist():
        after.append(state ^ rows[after[-1]])
    there = [crc16(data[at // _ROW * _ROW : at], after[at // _ROW]) for at in bounds]
    return [n for n in range(len(bounds) - 1) if there[n + 1] != carried(there[n], bounds[n + 1] - bounds[n])]


def _columns(data: bytes, count: int) -> Words:
    """Return the rows' words turned around, so that those at one place in each lie side by side; in blocks that fit into the cache."""
    words = np.frombuffer(data, dtype=np.uint16, count=count * _ROW // 2).reshape(count, _ROW // 2)
    turned = np.empty((_ROW // 2, count), dtype=np.uint16)
    for at in range(0, count, _ROW):
        turned[:, at : at + _ROW] = words[at : at + _ROW].T
    return turned.byteswap(inplace=True) if sys.byteorder == "little" else turned
