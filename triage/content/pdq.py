"""PDQ, the 256-bit perceptual hash of pictures that Meta published, and a 64-bit pHash from the same reduced picture.

PDQ (ThreatExchange, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019): the luminance is blurred by two
passes of a box filter along rows and columns, reduced to 64 x 64, and of its discrete cosine transform 16 x 16 low frequencies (without
the constant) are compared with their median. All of that is linear up to the median: two matrices per picture size say it at once. The
transform is computed in whole numbers, so that the bits are the same on every machine and of symmetric pictures too.

Turned and mirrored pictures have the same coefficients but for signs and order: one transform gives the hashes of all eight
orientations. A negative has the complement of the hash (all but exact ties).

The pHash: of the same 64 x 64 picture 8 x 8 low frequencies (with the constant) against their median. It is near, not equal, to that of
the package ``imagehash``, which reduces to 32 x 32 in another way.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ORIENTATIONS = ("orig", "r90", "r180", "r270", "flipx", "flipy", "fplus", "fminus")
"""As the reference has them: turned counterclockwise by 90, 180 and 270 degrees, upside down, left-right, along either diagonal."""
SIDE = 64
_LOW, _TOP = 16, 8
_LEAST = 5  # pixels a side; smaller pictures have the zero hash of quality 0
_BITS = 20  # binary places of the whole numbers that stand for the reduced picture and the transform
_NOTHING = 1e-9
_SIZES = 64  # sizes of pictures whose matrices are kept: some 100 KB each


class PictureHash(NamedTuple):
    """A picture's hashes in the eight :data:`ORIENTATIONS`, end to end.

    ``pdq``: 32 bytes each, as the reference writes them in hexadecimal. ``quality``: 0 to 100, how much there is to be compared; the
    reference discards hashes of less than 50. ``phash``: 8 bytes each, rows from the top, the highest bit first.
    """

    pdq: bytes
    quality: int
    phash: bytes


NOTHING = PictureHash(bytes(256), 0, bytes(64))


def hash_of(luma: NDArray[Any]) -> PictureHash:
    """Return the hashes of a picture's luminance (rows, columns; 0 to 255)."""
    height, width = luma.shape
    if min(height, width) < _LEAST:
        return NOTHING
    small = _reduced(luma)
    whole = np.rint(small * (1 << _BITS)).astype(np.int64)
    return PictureHash(_bits_of(_turned(_transformed(whole, _DCT16), even=True), 127), _quality(small), _phash(whole))


def _reduced(luma: NDArray[Any]) -> Floats:
    """Return the blurred picture at 64 x 64 places."""
    height, width = luma.shape
    if (height, width) == (SIDE, SIDE):
        return luma.astype(np.float64)
    values = luma.astype(np.float64)
    # A place has only the rows around it in it: a fortieth of the products that the whole matrix would take.
    rows = np.stack([weights @ values[first : first + len(weights)] for first, weights in _bands(height)])
    found: Floats = rows @ _places(width).T
    return found


@lru_cache(maxsize=_SIZES)
def _bands(length: int) -> tuple[tuple[int, Floats], ...]:
    """Return, for each of the 64 places, the first row that is in it, and the weights of that and the following ones."""
    found = []
    for row in _places(length):
        some = np.flatnonzero(row)
        first, last = int(some[0]), int(some[-1])
        found.append((first, row[first : last + 1].copy()))
    return tuple(found)


@lru_cache(maxsize=_SIZES)
def _places(length: int) -> Floats:
    """Return the matrix (64, length) of two passes of the box filter and of taking 64 places.

    The filter's window at place ``o`` holds ``[o - (window - half), o + half)``, cut at the borders, with half = (window + 2) // 2.
    """
    window = (length + 2 * SIDE - 1) // (2 * SIDE)
    half, at = (window + 2) // 2, np.arange(length)
    low, high = np.maximum(at - (window - half), 0), np.minimum(at + half, length)
    rows = np.zeros((SIDE, length))
    rows[np.arange(SIDE), ((np.arange(SIDE) + 0.5) * length / SIDE).astype(np.int64)] = 1.0
    for _ in range(2):  # a pass gives each place's share to all of its window
        shares, ends = rows / (high - low), np.zeros((SIDE, length + 1))
        for row, share in zip(ends, shares, strict=True):
            np.add.at(row, low, share)
            np.subtract.at(row, high, share)
        rows = np.cumsum(ends, axis=1)[:, :length]
        rows[np.abs(rows) < _NOTHING] = 0.0  # what is left of differences of equal shares
    return rows


def _cosines(low: int, first: int) -> NDArray[np.int64]:
    scale = math.sqrt(2 / SIDE)
    rows = [[scale * math.cos(math.pi / 2 / SIDE * (i + first) * (2 * j + 1)) for j in range(SIDE)] for i in range(low)]
    whole: NDArray[np.int64] = np.rint(np.array(rows) * (1 << _BITS)).astype(np.int64)
    return whole


_DCT16, _DCT8 = _cosines(_LOW, 1), _cosines(_TOP, 0)


def _transformed(whole: NDArray[np.int64], cosines: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the low frequencies as whole numbers: exact products, rounded once in between to stay within 64 bits."""
    once = cosines @ whole  # 2**40 times the value, of at most 2**48
    once = (once + (1 << (_BITS - 1))) >> _BITS
    found: NDArray[np.int64] = once @ cosines.T
    return found


def _turned(found: NDArray[np.int64], *, even: bool) -> NDArray[np.int64]:
    """Return the coefficients of all orientations. ``even``: rows and columns begin with frequency 1, not 0."""
    i, j = np.indices(found.shape) + (1 if even else 0)
    rows, columns = np.where(i & 1, -found, found), np.where(j & 1, -found, found)
    both = np.where((i + j) & 1, -found, found)
    return np.stack([found, columns.T, both, rows.T, rows, columns, found.T, both.T])


def _bits_of(turned: NDArray[np.int64], median: int) -> bytes:
    """Return which coefficients are greater than their lower median, the last one in the highest bit."""
    flat = turned.reshape(len(turned), -1)
    middle = np.partition(flat, median, axis=1)[:, median]
    return np.packbits((flat > middle[:, None])[:, ::-1], axis=1).tobytes()


def _phash(whole: NDArray[np.int64]) -> bytes:
    turned = _turned(_transformed(whole, _DCT8), even=False)
    flat = turned.reshape(len(turned), -1)
    middle = np.sort(flat, axis=1)[:, 31:33].sum(axis=1)  # twice the median
    return np.packbits(2 * flat > middle[:, None], axis=1).tobytes()


def _quality(small: Floats) -> int:
    """Return how steep the reduced picture is, from 0 to 100, as the reference measures it."""
    # In the precision of the reference, whose division ends just below or above a whole number
    values = small.astype(np.float32)
    steps = [np.trunc((values[:-1] - values[1:]) * np.float32(100) / np.float32(255))]
    steps.append(np.trunc((values[:, :-1] - values[:, 1:]) * np.float32(100) / np.float32(255)))
    return min(100, int(sum(np.abs(step).sum() for step in steps)) // 90)
