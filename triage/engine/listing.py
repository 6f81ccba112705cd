"""Names without a case: the engine's walks, past whatever hangs or crashes, handed to a function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triage.engine.local import LocalEngine
from triage.engine.plan import Plan
from triage.errors import EngineError
from triage.filesystem.describe import is_listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from triage.case.items import WorkItem
    from triage.engine.plan import Pending
    from triage.model import Entry, Evidence, Json, Problem, Volume
    from triage.priority.profile import Limits


class Listing:
    """A sink for walks without a case."""

    def __init__(self, take: Callable[[Volume, Sequence[Entry], Sequence[Problem]], Any]) -> None:
        self._take = take

    def rows(self, volume: Volume, entries: Sequence[Entry], packed: Sequence[list[Any]], problems: Sequence[Problem]) -> None:
        """Hand a pack on."""
        self._take(volume, entries, problems)

    def walking(self, volume: Volume) -> None:
        """Nothing is counted."""

    def walked(self, volume: Volume, totals: Json) -> None:
        """Nothing is kept of a walk without a case."""

    def items(self, pending: Sequence[Pending]) -> list[WorkItem]:
        """None can be asked for."""
        raise EngineError("a listing has no content work")

    def results(self, items: Sequence[WorkItem], results: Sequence[Json]) -> None:
        """None can come."""
        raise EngineError("a listing has no content work")

    def problem(self, problem: Problem) -> None:
        """Problems of the engine itself show as missing names, which the walk says."""

    def event(self, name: str, data: Json) -> None:
        """There is no audit log."""


def list_entries(
    evidence: Evidence,
    volumes: Sequence[Volume],
    limits: Limits,
    take: Callable[[Volume, Sequence[Entry], Sequence[Problem]], Any],
    passwords: Sequence[str] = (),
) -> None:
    """Walk the volumes that can be listed, past whatever hangs or crashes, giving each pack of rows to ``take``.

    A volume that is walked again after a worker was lost brings its first rows again.
    """
    engine = LocalEngine(limits, {"memory": limits.memory}, 1, passwords)
    try:
        engine.spawn()
        engine.attach([evidence], Listing(take))
        engine.run([v for v in volumes if is_listed(v)], Plan())
    finally:
        engine.close()
