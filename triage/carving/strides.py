"""Places that lie whole blocks behind another: where what should be there is, when a gap lies before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from triage.carving.window import Window

REACH = 32 << 20
"""Bytes behind a place in which it is looked for."""
_STEP = 1 << 20


def words(window: Window, expected: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """Yield ``(blocks, numbers)``: the four bytes at each place from so many blocks behind ``expected`` on, as big-endian numbers."""
    block = window.block
    places = min((window.size - expected - 4) // block, REACH // block)
    step = max(_STEP // block, 1)
    for first in range(1, places + 1, step):
        count = min(step, places + 1 - first)
        data = window.at(expected + first * block, (count - 1) * block + 4)
        if len(data) < (count - 1) * block + 4:
            return
        columns = np.lib.stride_tricks.as_strided(np.frombuffer(data, np.uint8), (count, 4), (block, 1))
        yield first, np.ascontiguousarray(columns).view(">u4").ravel().astype(np.uint32)


def widths(window: Window, expected: int, names: Sequence[bytes]) -> Iterator[int]:
    """Yield how many bytes behind ``expected`` one of some names of four bytes stands: whole blocks."""
    wanted = np.array([int.from_bytes(name, "big") for name in names], np.uint32)
    for first, numbers in words(window, expected):
        for place in np.flatnonzero(np.isin(numbers, wanted)).tolist():
            yield (first + place) * window.block
