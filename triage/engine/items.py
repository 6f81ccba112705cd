"""One piece of content work: the entry it was first met under. It crosses the pipe as a short list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from triage.model import Entry


@dataclass(frozen=True, slots=True)
class WorkItem:
    """``plugins`` are the keys to run; ``None`` means all, with the content's digests and type."""

    entry: Entry
    plugins: tuple[str, ...] | None = None

    def pack(self) -> list[Any]:
        """Return the item as JSON values."""
        return [self.entry.pack(), self.plugins]

    @classmethod
    def unpack(cls, data: list[Any]) -> WorkItem:
        """Build the item from :meth:`pack`'s form."""
        return cls(Entry.unpack(data[0]), None if data[1] is None else tuple(data[1]))
