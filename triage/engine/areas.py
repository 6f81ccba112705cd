"""What is carved of a medium: the space of each volume that no living file owns, slack, gaps, volumes that cannot be listed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from triage.carving.space import SECTOR, Area
from triage.evidence.layers import end_of, is_view
from triage.filesystem.describe import is_listed
from triage.filesystem.openers import APFS
from triage.filesystem.ownership import Ownership
from triage.logical.catalog import is_archive
from triage.model import INSIDE, Encryption

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.model import Evidence, Volume

UNALLOCATED, SLACK, GAP, VOLUME, CONTAINER = "unallocated", "slack", "gap", "volume", "container"


class Owned(NamedTuple):
    """A file that exists: where it lies (``None``: a hole), and how many bytes of that are its content (``None``: no slack to look at)."""

    volume: int | None
    runs: Sequence[Sequence[int | None]]
    size: int | None


Ranges = list[tuple[int, int]]


def areas_of(
    evidence: Evidence, volumes: Sequence[Volume], owned: Iterable[Owned], *, free: dict[int, Ranges] | None = None, slack: bool = True
) -> list[Area]:
    """Return the areas of one medium, in order; no byte is in two of them.

    ``free``: by a volume's number, ``(start, end)`` relative to the medium of what its own books call free, where those are to be
    believed rather than the listed files. Locked volumes are left out: what they hold looks like noise. So are archives, which have no
    free space, volumes whose bytes are those of the volumes found in them, and snapshots, whose free space is that of the volume itself.
    """
    ownership: dict[int | None, Ownership] = {v.number: Ownership() for v in volumes}
    tails: dict[int | None, Ranges] = {v.number: [] for v in volumes}
    for volume_number, runs, size in owned:
        if volume_number not in ownership:
            continue
        behind = size
        for offset, length in runs:
            if length is None:
                continue
            if offset is not None:
                ownership[volume_number].add(offset, length)
                if behind is not None and slack and behind < length:
                    tails[volume_number].append((offset + max(behind, 0), offset + length))
            behind = None if behind is None else behind - length
    areas: list[Area] = []
    taken = Ownership()
    for volume in sorted(volumes, key=lambda v: (v.number is None, v.offset)):
        start, end = end_of(evidence.size, volume.offset, volume.size)
        if volume.file_system == APFS and volume.opened:
            areas += _container(evidence, volume, volumes, ownership, taken)
        locked = volume.encryption is not Encryption.NONE and not is_listed(volume)
        shared = volume.file_system == APFS and is_view(volume.offset)  # its space is the container's
        if locked or shared or volume.opened or volume.is_snapshot or is_archive(volume):
            taken.add(start, end - start)
            continue
        listed = volume.number is not None and is_listed(volume)
        kind = UNALLOCATED if listed else GAP if volume.number is None else VOLUME
        if listed and free is not None and volume.number in free:
            ranges = [(max(a, start), min(b, end)) for a, b in free[volume.number] if a < end and b > start]
        else:
            ranges = complement(ownership[volume.number].ranges() if listed else [], start, end)
        block = max(SECTOR, volume.block_size) if listed else SECTOR
        areas += _area(evidence, volume, kind, _without(ranges, taken, volume.offset), block)
        if slack and listed and tails[volume.number]:
            unowned = _merged(tails[volume.number], start, end)
            areas += _area(evidence, volume, SLACK, _apart(unowned, taken), block)
        taken.add(start, end - start)
    order = {UNALLOCATED: 0, VOLUME: 0, GAP: 0, SLACK: 1}
    return sorted(areas, key=lambda a: (order[a.kind], a.volume_offset))


def _container(
    evidence: Evidence, container: Volume, volumes: Sequence[Volume], ownership: dict[int | None, Ownership], taken: Ownership
) -> list[Area]:
    """Return what no volume of an APFS container owns; nothing when one of them is encrypted: its files would look like free space."""
    inner = [v for v in volumes if v.number is not None and v.number // INSIDE == container.number]
    if any(v.encryption is not Encryption.NONE for v in inner):
        return []
    owned = Ownership()
    for volume in inner:
        for start, end in ownership[volume.number].ranges():
            owned.add(start, end - start)
    start, end = end_of(evidence.size, container.offset, container.size)
    block = max([SECTOR, *(v.block_size for v in inner)])
    return _area(evidence, container, UNALLOCATED, _without(complement(owned.ranges(), start, end), taken, container.offset), block)


def _area(evidence: Evidence, volume: Volume, kind: str, ranges: Ranges, block: int) -> list[Area]:
    if not ranges:
        return []
    return [
        Area(
            evidence=evidence.id,
            volume=volume.number,
            volume_offset=volume.offset,
            kind=kind,
            name=volume.name,
            stretches=tuple((a, b - a) for a, b in ranges),
            block=block,
            joined=kind != SLACK,
            aligned=kind != SLACK,
        )
    ]


def complement(owned: Ranges, start: int, end: int) -> Ranges:
    """Return what sorted ranges leave of a stretch."""
    left, at = [], start
    for a, b in owned:
        if a > at:
            left.append((at, min(a, end)))
        at = max(at, b)
        if at >= end:
            break
    left.append((at, end))
    return [(a, b) for a, b in left if a < b]


def _without(ranges: Ranges, taken: Ownership, base: int) -> Ranges:
    """Return whole sectors of ranges that are in no earlier area; sectors are counted from ``base``."""
    found: Ranges = []
    for a, b in _apart(ranges, taken):
        first = base + -(-(a - base) // SECTOR) * SECTOR
        last = base + (b - base) // SECTOR * SECTOR
        if first < last:
            found.append((first, last))
    return found


def _apart(ranges: Ranges, taken: Ownership) -> Ranges:
    covered = taken.ranges()
    if not covered:
        return ranges
    return [piece for a, b in ranges for piece in (complement(covered, a, b) if taken.overlap(a, b - a) else [(a, b)])]


def _merged(ranges: Ranges, start: int, end: int) -> Ranges:
    """Return the ranges within a volume once each: two names of one file have one slack."""
    found: Ranges = []
    for a, b in sorted(set(ranges)):
        a, b = max(a, start, found[-1][1] if found else 0), min(b, end)  # noqa: PLW2901
        if a < b:
            found.append((a, b))
    return found


def whole_medium(evidence: Evidence) -> Area:
    """Return all of a medium as one area, whatever owns its bytes."""
    return Area(
        evidence=evidence.id,
        volume=None,
        volume_offset=0,
        kind="medium",
        name="medium",
        stretches=((0, evidence.size),),
    )
