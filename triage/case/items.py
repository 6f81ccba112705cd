"""One piece of content work: the entry it was first met under, as the case keeps it and as it crosses to a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from triage.model import Entry


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What the parent keeps of an item while a worker has it. ``packed`` is :meth:`Entry.pack`'s form."""

    id: str
    key: str
    path: str
    evidence: str
    volume: int | None
    recoverability: str
    packed: list[Any]

    def entry(self) -> Entry:
        """Return the whole entry."""
        return Entry.unpack(self.packed)
