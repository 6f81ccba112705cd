"""The zone of an optical disc's times: stored beside each of them in quarters of an hour, and left out by TSK (ECMA-119, 9.1.5)."""

from __future__ import annotations

import struct
from calendar import timegm
from typing import TYPE_CHECKING

from triage.filesystem.checks import VolumeReader
from triage.filesystem.checks.isodisc import Disc, Tally, read_descriptors
from triage.filesystem.checks.isotree import Tree
from triage.model import Entry, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.evidence.medium import Medium
    from triage.model import Volume

_QUARTER = 15 * 60 * 1_000_000_000


def local_time(stored: bytes) -> int | None:
    """Return a record's time in nanoseconds as if it were UTC, as TSK does; ``None`` where it is no time."""
    if len(stored) < 7 or not 1 <= stored[1] <= 12 or not 1 <= stored[2] <= 31 or stored[3] > 23 or stored[4] > 59 or stored[5] > 59:
        return None
    return timegm((1900 + stored[0], *stored[1:6], 0, 0, 0)) * 1_000_000_000


class IsoZones:
    """Which zone a record's time is in, by the place and size of what it leads to and the time itself."""

    def __init__(self, medium: Medium, volume: Volume, beat: Callable[[], None]) -> None:
        self._zones: dict[tuple[int | None, int, int], int | None] = {}
        try:
            disc = Disc(VolumeReader(medium, volume, beat))
            trees = [Tree(disc, descriptor, Tally()) for descriptor in read_descriptors(disc, Tally())[:8]]
        except (OSError, ValueError, LookupError, struct.error):
            return  # the check says that the disc is damaged; its times stay local ones
        for tree in trees:
            for node in tree.nodes:
                for start, size in node.pieces:
                    self._note(None if not size or disc.framed else volume.offset + start, size, node.time)

    def _note(self, place: int | None, size: int, stored: bytes) -> None:
        local = local_time(stored)
        if local is None:
            return
        zone = int.from_bytes(stored[6:7], "little", signed=True)
        key = (place, size, local)
        known = zone if -48 <= zone <= 52 else None
        self._zones[key] = known if self._zones.get(key, known) == known else None

    def in_utc(self, entry: Entry) -> Entry:
        """Return the entry with its time in UTC, as it is where the disc does not say the zone, or says two."""
        if entry.crtime is None or entry.time_basis is not TimeBasis.LOCAL:
            return entry
        place = entry.runs[0].image_offset if entry.runs else None
        zone = self._zones.get((place, entry.size, entry.crtime))
        return entry if zone is None else entry.replace(crtime=entry.crtime - zone * _QUARTER, time_basis=TimeBasis.UTC)
