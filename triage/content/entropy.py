"""How random bytes look: Shannon entropy of a small sample."""

from __future__ import annotations

import numpy as np

WINDOW = 4096
WINDOWS = 4
SAMPLE = WINDOW * WINDOWS
"""Bytes of a sample at most. Random data of that length measures about 7.99 bits a byte, one window 7.95."""

_counts = np.arange(1, SAMPLE + 1, dtype=np.float64)
_N_LOG_N = np.concatenate(([0.0], _counts * np.log2(_counts)))  # n·log2(n) for every count that a sample can have


def entropy(sample: bytes) -> float:
    """Return the entropy of ``sample`` in bits a byte, 0.0 to 8.0; of nothing, 0.0."""
    length = len(sample)
    if not length:
        return 0.0
    counts = np.bincount(np.frombuffer(sample, dtype=np.uint8))
    if length <= SAMPLE:
        total, own = float(_N_LOG_N.take(counts).sum()), float(_N_LOG_N[length])
    else:
        used = counts[counts > 0].astype(np.float64)
        total, own = float((used * np.log2(used)).sum()), length * float(np.log2(length))
    return round(min(max((own - total) / length, 0.0), 8.0), 4)


def windows(size: int) -> tuple[tuple[int, int], ...]:
    """Return the ``(offset, length)`` pieces that a sample of an item of ``size`` bytes is made of."""
    if size <= SAMPLE:
        return ((0, size),) if size else ()
    step = (size - WINDOW) // (WINDOWS - 1)
    return tuple((step * i if i < WINDOWS - 1 else size - WINDOW, WINDOW) for i in range(WINDOWS))


def sample_of(data: bytes) -> bytes:
    """Return the sample of an item that is in memory whole."""
    if len(data) <= SAMPLE:
        return data
    return b"".join([data[offset : offset + length] for offset, length in windows(len(data))])


class Sample:
    """The sample of an item that passes by in chunks, in any order and with holes."""

    def __init__(self, size: int) -> None:
        self._windows = windows(size)
        self._parts: list[bytes] = []

    def add(self, offset: int, chunk: bytes) -> None:
        """Take what a sample wants of the bytes at ``offset``."""
        end = offset + len(chunk)
        for start, length in self._windows:
            if start < end and start + length > offset:
                self._parts.append(chunk[max(start - offset, 0) : start + length - offset])

    def bytes(self) -> bytes:
        """Return what was taken."""
        return b"".join(self._parts)
