"""Units brought back into one order: what a file covers that began in an earlier unit is not reported again in a later one.

Units are carved side by side, without knowledge of each other. Taken one after the other through here, they give what one long scan
would have given, whatever the number of workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.carving.carved import Carved
    from triage.model import Entry, Json

_CLAIMED = 10_000


class Order:
    """How far an area is covered. ``nested``: what was dropped because it lies inside of something that was found."""

    def __init__(self, state: Json | None = None) -> None:
        state = state or {}
        self.until = int(state.get("until", 0))
        self._claimed = [(int(a), int(b)) for a, b in state.get("claimed", ())]
        self.nested = int(state.get("nested", 0))

    def state(self) -> Json:
        """Return what :meth:`__init__` needs to go on."""
        return {"until": self.until, "claimed": [list(c) for c in self._claimed], "nested": self.nested}

    def accept(self, found: Sequence[Carved]) -> tuple[list[Carved], int | None]:
        """Return what of a unit's files is new, in order, and from where on the unit must be carved again (``None``: it need not be).

        Again it must be when something that is dropped here had hidden what lies behind the end of what covers it.
        """
        taken: list[Carved] = []
        for one in found:
            if one.offset < self.until:
                if one.until > self.until:
                    return taken, self.until
                self.nested += 1
                continue
            if any(a <= one.offset < b for a, b in self._claimed):
                self.nested += 1
                continue
            taken.append(one)
            self.until = max(self.until, one.until)
            self._claimed = [(a, b) for a, b in self._claimed if b > one.offset]
            self._claimed += [(at, at + size) for at, size in one.pieces[1:]]
            del self._claimed[:-_CLAIMED]
        return taken, None


FirstBlocks = dict[int, tuple[list[tuple[int, int]], int]]
"""By where a deleted file with a name begins on the medium: its runs, and its size in bytes."""


def first_blocks(files: Iterable[tuple[Sequence[Sequence[int | None]], int]]) -> FirstBlocks:
    """Return the files that can be recognised by their first block; of two that begin at one place the longer."""
    found: FirstBlocks = {}
    for runs, size in files:
        if not runs or runs[0][0] is None or size <= 0 or any(a is None or n is None for a, n in runs):
            continue
        first = runs[0][0]
        if first not in found or found[first][1] < size:
            found[first] = ([(int(a or 0), int(n or 0)) for a, n in runs], size)
    return found


def already_listed(entry: Entry, named: FirstBlocks) -> bool:
    """Whether all of a carved file's bytes are the first bytes of a deleted file that is listed by its name."""
    first = entry.runs[0].image_offset
    there = named.get(first) if first is not None else None
    if there is None or entry.size > there[1]:
        return False
    left = entry.size
    for run, (offset, length) in zip(entry.runs, there[0], strict=False):
        if run.image_offset != offset or (run.length > length and left > length):
            return False
        if run.length < length and left > run.length:
            return False
        left -= min(run.length, length)
    return left <= 0
