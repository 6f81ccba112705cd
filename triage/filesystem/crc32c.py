"""CRC-32C (Castagnoli) of many records at once, as ext4 keeps it: the state is given and nothing is inverted at the end.

A checksum of a byte string is the exclusive or of what each byte adds at its distance from the end, so that NumPy can look all of them up
at once. Source: RFC 3720, appendix B.4 (the polynomial); Linux kernel documentation, *ext4 data structures and algorithms*, "Checksums".
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]
    Octets = NDArray[np.uint8]

_POLYNOMIAL = 0x82F63B78
_ROW = 256
"""Bytes whose shares are looked up in one table; longer records are taken in rows of so many."""


@cache
def _octet_table() -> Words:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (np.uint32(_POLYNOMIAL) * (table & np.uint32(1)))
    return table


def _past_zeros(state: Any, zeros: int) -> Any:
    """Return the states after so many bytes of nought."""
    table = _octet_table()
    for _ in range(zeros):
        state = (state >> np.uint32(8)) ^ table[state & np.uint32(0xFF)]
    return state


@cache
def _shares() -> Words:
    """Return what a byte adds, by its distance from the end of a row (0 is the last) and its value, as one flat table."""
    table = np.empty((_ROW, 256), dtype=np.uint32)
    table[0] = _octet_table()
    for distance in range(1, _ROW):
        table[distance] = _past_zeros(table[distance - 1], 1)
    return table.reshape(-1)


@cache
def _carry(zeros: int) -> tuple[Words, ...]:
    """Return four tables, one a byte of the state, that take it past so many bytes of nought."""
    return tuple(_past_zeros(np.arange(256, dtype=np.uint32) << np.uint32(shift), zeros) for shift in (0, 8, 16, 24))


def _carried(state: Words, zeros: int) -> Words:
    if zeros < 8:
        past: Words = _past_zeros(state, zeros)
        return past
    byte = np.uint32(0xFF)
    one, two, three, four = _carry(zeros)
    moved: Words = (
        one[state & byte] ^ two[state >> np.uint32(8) & byte] ^ three[state >> np.uint32(16) & byte] ^ four[state >> np.uint32(24)]
    )
    return moved


def crc32c_rows(states: Words, rows: Octets) -> Words:
    """Return the states after each row's bytes: ``states`` has one element for each of the rows, which are equally long.

    Four times the rows' size is needed in memory for a moment, a row of 256 bytes of each at a time.
    """
    states = states.astype(np.uint32)
    shares = _shares()
    for start in range(0, rows.shape[1], _ROW):
        piece = rows[:, start : start + _ROW]
        length = piece.shape[1]
        places = (np.arange(length - 1, -1, -1, dtype=np.int32) << 8) | piece
        states = _carried(states, length) ^ np.bitwise_xor.reduce(shares[places], axis=1, initial=0)
    return states


def crc32c(state: int, data: bytes) -> int:
    """Return the state after the bytes; begin with ``0xFFFFFFFF``."""
    rows = np.frombuffer(data, dtype=np.uint8).reshape(1, -1)
    whole = len(data) // _ROW * _ROW
    start = np.array([state], dtype=np.uint32)
    if whole > _ROW:  # all rows' shares at once, then one after the other carried past what follows
        start = _long(start, rows[:, :whole])
        rows = rows[:, whole:]
    return int(crc32c_rows(start, rows)[0])


def _long(state: Words, data: Octets) -> Words:
    parts = crc32c_rows(np.zeros(data.shape[1] // _ROW, dtype=np.uint32), data.reshape(-1, _ROW))
    for part in parts:
        state = _carried(state, _ROW) ^ part
    return state
