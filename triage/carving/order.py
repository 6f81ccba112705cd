"""Units brought back into one order: what a file covers that began in an earlier unit is not reported again in a later one.

Units are carved side by side, without knowledge of each other. Taken one after the other through here, they give what one long scan
would have given, whatever the number of workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.carver import Carved
    from triage.model import Json

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
