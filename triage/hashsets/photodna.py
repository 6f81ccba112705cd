"""PhotoDNA values of lists: kept, and compared only by what a licensed lab installs.

PhotoDNA is Microsoft's, under licence; nothing of it is here. A lab that has it installs a package with one entry point in the group
``triage.photodna.v1``: a class that makes a :class:`Comparer`. Without one, lists' values stay where they are, and how many records
could not be compared for want of it is said in the coverage statement.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from triage.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from triage.content.comparable import Comparable
    from triage.hashsets.store import Hashset

GROUP = "triage.photodna.v1"
LENGTH = 144
_STEP = 1 << 16  # known vectors that are compared at once


@runtime_checkable
class Comparer(Protocol):
    """What a licensed lab supplies. ``threshold``: the largest distance that is a match."""

    name: str
    version: str
    threshold: int

    def vector(self, data: bytes) -> bytes | None:
        """Return a picture's 144 bytes, ``None`` if it has none. Called in a worker process, on hostile bytes."""

    def distances(self, vector: bytes, known: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the distance of a vector from each known one (rows of 144 bytes), as numbers from 0 on."""


class LikeVector(NamedTuple):
    """The nearest known vector: its row and how far it is."""

    row: int
    distance: int


def load_comparer() -> Comparer | None:
    """Return the comparison that is installed, ``None`` if there is none; raise ``PluginError`` for several or a broken one."""
    found = sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(point.name for point in found)
        raise PluginError(f"several PhotoDNA comparisons are installed: {names}", hint="leave one")
    try:
        comparer = found[0].load()()
    except Exception as error:
        reason = f"the PhotoDNA comparison {found[0].name} cannot be loaded: {error}"
        raise PluginError(reason, hint="install it again, or remove it") from error
    if not isinstance(comparer, Comparer):
        raise PluginError(f"the PhotoDNA comparison {found[0].name} is not what triage asks for", hint=f"see {__name__}")
    return comparer


def vectors_like(comparer: Comparer | None, hashset: Hashset, comparables: Mapping[int, Comparable]) -> dict[int, LikeVector]:
    """Return what each picture is nearest to, by the pictures' keys, as far as that is a match."""
    asked = {key: one.photodna for key, one in comparables.items() if one.photodna}
    count = hashset.count("photodna")
    found: dict[int, LikeVector] = {}
    if comparer is None or not asked or not count:
        return found
    for start in range(0, count, _STEP):
        known = hashset.rows("photodna", start, min(start + _STEP, count))
        for key, vector in asked.items():
            distances = np.asarray(comparer.distances(vector, known))
            at = int(distances.argmin())
            distance = int(distances[at])
            if distance <= comparer.threshold and (key not in found or distance < found[key].distance):
                found[key] = LikeVector(start + at, distance)
    return found
