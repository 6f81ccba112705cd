"""A medium with what was unlocked of it: volumes whose bytes do not lie on it as they are, mapped behind its end.

A place at or past :data:`FIRST` is one of such a view, :data:`STEP` apart from each other; every place below is the acquired medium's own.
So volumes, runs and locators go on being numbers, and whoever reads by number reads both. The first :data:`FURTHER` views are those of the
medium's own volumes, by their number, so that their place is the same whatever else can be unlocked; those behind are further views of the
same volumes, and views inside of views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.evidence.medium import PartMedium

if TYPE_CHECKING:
    from triage.evidence.medium import Medium

FIRST, STEP = 1 << 52, 1 << 46
FURTHER = 1024
MOST = 100_000


class LayeredMedium:
    """A medium and its views. ``size`` is the acquired medium's; ``extent``: the end of the last view."""

    def __init__(self, below: Medium) -> None:
        self.size = self.extent = below.size
        self.sector_size = below.sector_size
        self.damaged = below.damaged
        self._below = below
        self._views: dict[int, Medium] = {}

    def add(self, slot: int, view: Medium) -> int:
        """Map a view; return its place. Raises ``ValueError`` when it is too large or there are too many."""
        if not 0 <= slot < MOST or view.size > STEP:
            raise ValueError("more than can be mapped")
        self._views[slot] = view
        place = place_of(slot)
        self.extent = max(self.extent, place + view.size)
        return place

    def view_at(self, offset: int) -> Medium | None:
        """Return the view that a place is in; ``None`` for a place on the acquired medium."""
        return self._views.get((offset - FIRST) // STEP) if offset >= FIRST else None

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        if offset < FIRST:
            return self._below.read_at(offset, length)
        number, inside = divmod(offset - FIRST, STEP)
        return self._views[number].read_at(inside, length) if number in self._views else b""

    def part(self, offset: int, size: int) -> Medium:
        """Return a stretch of the medium, or of the view that it lies in."""
        view = self.view_at(offset)
        return PartMedium(self._below, offset, size) if view is None else PartMedium(view, (offset - FIRST) % STEP, size)

    def close(self) -> None:
        """Close the files."""
        self._below.close()


def place_of(slot: int) -> int:
    """Return where a view is mapped."""
    return FIRST + slot * STEP


def extent_of(medium: Medium) -> int:
    """Return where a medium's bytes end, its views included."""
    return medium.extent if isinstance(medium, LayeredMedium) else medium.size


def is_view(offset: int) -> bool:
    """Whether a place is one of a view, and not of the acquired medium."""
    return offset >= FIRST


def end_of(size: int, offset: int, length: int) -> tuple[int, int]:
    """Return where a volume begins and ends as far as there are bytes: within a medium of ``size`` bytes, or anywhere in a view."""
    return (offset, offset + length) if is_view(offset) else (min(offset, size), min(offset + length, size))
