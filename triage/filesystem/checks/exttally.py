"""What the ext check found, one fault a kind with its first places, so that a wrecked volume does not fill the report."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.filesystem.checks import Fault
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

PLACES = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault, its message in the form that :func:`_counted` takes. ``cross``: an unclean unmount can explain it."""

    severity: Severity
    message: str
    cross: bool = False


@dataclass(slots=True)
class _Count:
    number: int = 0
    unplaced: int = 0
    places: list[str] = field(default_factory=list)


class Tally:
    """Counts faults by kind. With ``dirty``, those that an unclean unmount explains become one warning that counts them."""

    def __init__(self) -> None:
        self.dirty = ""
        self._counts: dict[Kind, _Count] = {}

    def add(self, kind: Kind, place: str, number: int = 1) -> None:
        """Count a fault."""
        count = self._counts.setdefault(kind, _Count())
        count.number += number
        if len(count.places) < PLACES:
            count.places.append(place)
        else:
            count.unplaced += 1

    def add_all(self, kind: Kind, what: str, numbers: NDArray[np.int64]) -> None:
        """Count one fault for each of the numbers."""
        if len(numbers):
            count = self._counts.setdefault(kind, _Count())
            count.number += len(numbers)
            named = numbers[: PLACES - len(count.places)].tolist()
            count.places.extend(f"{what} {number}" for number in named)
            count.unplaced += len(numbers) - len(named)

    def faults(self) -> Iterator[Fault]:
        """Yield what was counted."""
        crossed = 0
        for kind, count in self._counts.items():
            if self.dirty and kind.cross:
                crossed += count.number
                continue
            detail = "; ".join(count.places) + (f" and {count.unplaced} more" if count.unplaced else "")
            yield Fault(kind.severity, _counted(kind.message, count.number), detail=detail)
        if self.dirty:
            difference = f"its books differ in {crossed} places" if crossed else "its books agree all the same"
            yield Fault(Severity.WARNING, f"{self.dirty}; {difference}")


def _counted(message: str, number: int) -> str:
    """Return a message for so many: ``[one|several]`` by the number, ``{n}`` with the number."""
    chosen = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", r"\1" if number == 1 else r"\2", message)
    return chosen.replace("{n}", str(number))
