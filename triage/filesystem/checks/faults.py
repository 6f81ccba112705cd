"""Faults of one kind, told one by one up to a number and counted behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.filesystem.checks import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.model import Severity

KEPT = 20


class Faults:
    """Takes faults by kind. ``kind`` is the phrase that the count of those beyond the first :data:`KEPT` is told with."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, Severity]] = {}

    def tell(self, severity: Severity, kind: str, message: str, path: str = "", detail: str = "") -> Iterator[Fault]:
        """Yield the fault if it is one of the first of its kind."""
        count = self._counts.get(kind, (0, severity))[0] + 1
        self._counts[kind] = (count, severity)
        if count <= KEPT:
            yield Fault(severity, message, path, detail)

    def rest(self) -> Iterator[Fault]:
        """Yield how many more there were of each kind."""
        for kind, (count, severity) in self._counts.items():
            if count > KEPT:
                yield Fault(severity, f"{count - KEPT} more like those {KEPT} that are told: {kind}")
