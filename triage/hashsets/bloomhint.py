"""A Bloom filter of known files as CIRCL's hashlookup publishes it: it may be wrong, so it only hints.

The layout is that of DCSO's ``bloom`` and of the Python package ``flor``: little-endian numbers of 64 bits: flags (version 1 in the low
byte), capacity n, false-positive rate p (a double), hash functions k, bits m, keys N; then the bits. Keys of ``hashlookup-full.bloom``
are SHA-1 digests in upper-case hexadecimal. A key's bits: FNV-1 of 64 bits (multiplied, then exclusive or) modulo M, then k times
``h = (h * G mod 2**64) mod M``, bit ``h mod m``.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HEADER = struct.Struct("<QQdQQQ")
_VERSION = 1
_MODULUS = np.uint64(18446744073709551557)
_FACTOR = np.uint64(18446744073709550147)
_OFFSET, _PRIME = np.uint64(14695981039346656037), np.uint64(1099511628211)
_MOST_FUNCTIONS = 100


class Filter:
    """What a filter's header says. Raises ``ValueError`` for what is none."""

    def __init__(self, head: bytes | memoryview) -> None:
        if len(head) < HEADER.size:
            raise ValueError("too short for a filter")
        flags, self.capacity, self.rate, self.functions, self.bits, self.keys = HEADER.unpack_from(head)
        if flags & 0xFF != _VERSION:
            raise ValueError("not a filter of version 1")
        sensible = math.isfinite(self.rate) and 0 < self.rate < 1 and 1 <= self.functions <= _MOST_FUNCTIONS
        if not sensible or not 1 <= self.bits < 1 << 48 or self.capacity < 1:
            raise ValueError("a filter with numbers that cannot be")
        wanted = math.ceil(abs(self.capacity * math.log(self.rate)) / math.log(2) ** 2)
        if not 0.9 * wanted <= self.bits <= 1.1 * wanted + 64:
            raise ValueError("a filter whose size does not fit its capacity")

    @property
    def size(self) -> int:
        """Bytes of the header and the bits together."""
        return HEADER.size + -(-int(self.bits) // 64) * 8


class BloomHint:
    """A filter over mapped bytes."""

    def __init__(self, data: memoryview) -> None:
        """Raise ``ValueError`` when the bytes are no filter, or not all of one."""
        self.filter = Filter(data)
        if len(data) < self.filter.size:
            raise ValueError("the filter is cut short")
        self._bits = np.frombuffer(data, np.uint8, self.filter.size - HEADER.size, HEADER.size)

    def has(self, sha1: Sequence[str]) -> list[bool]:
        """Return whether the filter knows digests, given in hexadecimal of 40 digits; now and then it says so of one it does not know."""
        if not sha1:
            return []
        keys = np.frombuffer("".join(sha1).upper().encode("ascii"), np.uint8).reshape(len(sha1), -1)
        there = np.ones(len(sha1), bool)
        value = _fnv1(keys) % _MODULUS
        for _ in range(self.filter.functions):
            value = (value * _FACTOR) % _MODULUS
            bit = value % np.uint64(self.filter.bits)
            there &= (self._bits[(bit >> np.uint64(3)).astype(np.int64)] >> (bit & np.uint64(7)).astype(np.uint8)) & 1 == 1
        return [bool(one) for one in there]


def _fnv1(keys: NDArray[np.uint8]) -> NDArray[np.uint64]:
    value = np.full(len(keys), _OFFSET)
    for column in keys.T:
        value = (value * _PRIME) ^ column.astype(np.uint64)
    return value
