"""A volume whose header is damaged, opened through the copy of it that the format keeps elsewhere.

Nothing is written: whoever reads sees the copy in the header's place. Which copy it was stands in the volume's ``found_by``, so any
process can make the same overlay again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from triage.filesystem.headers import Header, header_at, little, peek
from triage.filesystem.image import MediumImage
from triage.filesystem.isomend import iso_patches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triage.evidence.medium import Medium
    from triage.model import Volume

_FOUND_BY = re.compile(r"copy of its header at byte (\d{1,19})")
MENDED = "mended volume descriptors"
_FACT = "volume at byte "
_KINDS = (("NTFS", 0), ("FAT", 0), ("exFAT", 0), ("ext2/3/4", 1024), ("HFS+", 1024))
_MAX_DESCRIPTORS = 1 << 20


class Overlay:
    """A medium, some bytes of which are replaced. ``patches`` are ``(offset, bytes)`` and do not overlap."""

    def __init__(self, medium: Medium, patches: list[tuple[int, bytes]]) -> None:
        self.size = medium.size
        self.sector_size = medium.sector_size
        self.damaged = medium.damaged
        self._medium = medium
        self._patches = patches

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        data = self._medium.read_at(offset, length)
        for start, patch in self._patches:
            first, last = max(start, offset), min(start + len(patch), offset + len(data))
            if first < last:
                data = data[: first - offset] + patch[first - start : last - start] + data[last - offset :]
        return data

    def close(self) -> None:
        """Leave the medium open: whoever opened it closes it."""


def found_by(header: Header) -> str:
    """Return what a volume's ``found_by`` says of the copy."""
    return f"copy of its header at byte {header.copy}"


def overlay_for(medium: Medium, offset: int, found: str) -> Overlay | None:
    """Return the medium with the copy that ``found_by`` names in its place; ``None`` when it names none, or it is not one of ``offset``."""
    if found == MENDED:
        return mended_disc(medium, offset)
    match = _FOUND_BY.fullmatch(found)
    if match is None:
        return None
    place = int(match[1])
    for name, before in _KINDS:
        header = header_at(medium, name, place - before)
        if header is not None and header.copy == place and header.start == offset:
            return overlay_of(medium, header)
    return None


def overlay_of(medium: Medium, header: Header) -> Overlay:
    """Return the medium with a header's copy in the place where it belongs."""
    data = peek(medium, header.copy or 0, header.length)
    patches = [(header.home, data)]
    if header.name == "ext2/3/4":
        patches = [(header.home, data[:90] + b"\0\0" + data[92:])]
        patches += _group_descriptors(medium, header, data)
    return Overlay(medium, patches)


def mended_disc(medium: Medium, offset: int) -> Overlay | None:
    """Return the medium with the damaged sectors mended by which TSK knows an optical disc; ``None`` when there is nothing to mend."""
    patches = iso_patches(medium, offset)
    return Overlay(medium, patches) if patches else None


def _group_descriptors(medium: Medium, header: Header, block: bytes) -> list[tuple[int, bytes]]:
    """Return the group descriptors from behind a copied superblock as well, where the first ones lead elsewhere or nowhere."""
    size, first, per_group = 1024 << little(block, 24, 4), little(block, 20, 4), little(block, 32, 4)
    width = little(block, 254, 2) if little(block, 0x60, 4) & 0x80 else 32
    groups = -(-little(block, 4, 4) // per_group)
    length = min(groups * (width if 32 <= width <= 1024 else 32), _MAX_DESCRIPTORS)
    group = little(block, 90, 2)
    home, copy = header.start + (first + 1) * size, header.start + (first + group * per_group + 1) * size
    ours, theirs = peek(medium, home, length), peek(medium, copy, length)
    # The places of bitmaps and inode tables never change; the counts behind them do, and copies of those are stale.
    same = len(ours) == len(theirs) and all(ours[at : at + 12] == theirs[at : at + 12] for at in range(0, min(length, 32 * 64), 32))
    return [] if same or not theirs.strip(b"\0") else [(home, theirs)]


def volume_image(medium: Medium, image: Any, offset: int, found: str) -> tuple[Medium, Any]:
    """Return the medium and TSK's image of it as a volume needs them, by its ``found_by``."""
    overlay = overlay_for(medium, offset, found)
    return (medium, image) if overlay is None else (overlay, MediumImage(overlay))


def facts_of(volumes: list[Volume]) -> dict[str, str]:
    """Return what the evidence's record keeps of such volumes: workers that read content know no volumes, only offsets."""
    return {f"{_FACT}{v.offset}": v.found_by for v in volumes if is_overlaid(v)}


def is_overlaid(volume: Volume) -> bool:
    """Whether a volume is opened through an overlay."""
    return volume.found_by == MENDED or _FOUND_BY.fullmatch(volume.found_by) is not None


def found_by_fact(facts: Mapping[str, str], offset: int) -> str:
    """Return a volume's ``found_by`` as :func:`facts_of` kept it; empty for an ordinary volume."""
    return facts.get(f"{_FACT}{offset}", "")
