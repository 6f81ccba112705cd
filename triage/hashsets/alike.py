"""Put pictures that look alike into groups, whoever took them and wherever they lie.

Pictures are taken in the order given. Each joins the group of the nearest earlier picture that leads one, or leads one of its own: so all
of a group are alike to its leader, and no chain of small steps joins what has nothing in common. Stored as it is, a picture is held within
``radius`` bits; turned or mirrored, within :data:`TURNED` bits, since turning alone changes next to none and asking seven times as
often would take most of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.hashsets.hamming import HammingIndex, Hits, build_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

TURNED = 15
"""Bits in which a turned or mirrored picture may differ from the leader of its group."""
_BRUTE = 2048  # up to so many pictures, comparing all is the shorter way
_LIMIT = 200
_STEP = 1 << 14  # queries at once


def group(hashes: NDArray[np.uint8], radius: int = 31) -> NDArray[np.int64]:
    """Return the leader of each picture's group: the position of one that came before it, or its own.

    ``hashes``: (pictures, 8 orientations, 32 bytes). Of a picture with more than 200 others nearer than any leader, the leader is not
    found: it leads a group of its own.
    """
    count = len(hashes)
    leader = np.arange(count)
    if count < 2:
        return leader
    base = np.ascontiguousarray(hashes[:, 0])
    near = _search(base, base, np.arange(count), radius)
    turned = np.ascontiguousarray(hashes[:, 1:]).reshape(-1, 32)
    far = _search(base, turned, np.repeat(np.arange(count), hashes.shape[1] - 1), min(TURNED, radius))
    picture, other, distance = (np.concatenate(pair) for pair in zip(near, far, strict=True))
    earlier = other < picture
    picture, other, distance = picture[earlier], other[earlier], distance[earlier]
    order = np.lexsort((other, distance, picture))
    for at, before in zip(picture[order].tolist(), other[order].tolist(), strict=True):
        # The nearest comes first: a picture that has joined stays where it is.
        if leader[at] == at and leader[before] == before:
            leader[at] = before
    return leader


def _search(
    base: NDArray[np.uint8], queries: NDArray[np.uint8], pictures: NDArray[np.int64], radius: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (picture, other picture, bits that differ) of all that are near enough."""
    index = HammingIndex(base, dict(build_columns(base, radius, _BRUTE)), radius, _BRUTE)
    found: list[Hits] = [index.search(queries[at : at + _STEP], radius, _LIMIT) for at in range(0, len(queries), _STEP)]
    asked = np.concatenate([hits.query + n * _STEP for n, hits in enumerate(found)])
    rows, distance = (np.concatenate([getattr(hits, name) for hits in found]) for name in ("row", "distance"))
    return pictures[asked], rows, distance.astype(np.int64)
