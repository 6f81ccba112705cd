"""Content work that is left, in the order it is done: by tier of the profile, within a tier as it lies on the medium."""

from __future__ import annotations

import heapq
from typing import NamedTuple

BATCH_BYTES = 16 << 20
BATCH_ITEMS = 400


class Pending(NamedTuple):
    """One piece of work; the fields' order is the order of work. ``row`` is the entry's row in the case."""

    tier: int
    offset: int
    row: int
    size: int
    evidence: str


class Plan:
    """A heap of pending work that hands out batches. ``item_bytes``: of larger items only the first bytes are read."""

    def __init__(self, item_bytes: int = 1 << 62) -> None:
        self._item_bytes = item_bytes
        self._heap: list[Pending] = []
        self.items = 0
        self.bytes = 0

    def add(self, item: Pending) -> None:
        """Put one more piece of work in."""
        if item.size > self._item_bytes:
            item = item._replace(size=0)
        heapq.heappush(self._heap, item)
        self.items += 1
        self.bytes += item.size

    def __len__(self) -> int:
        return len(self._heap)

    def batch(self) -> list[Pending]:
        """Take the next batch: about 16 MiB or 400 items of one evidence and tier, a large item alone."""
        taken: list[Pending] = []
        size = 0
        while self._heap and len(taken) < BATCH_ITEMS:
            item = self._heap[0]
            if taken and (size + item.size > BATCH_BYTES or item.evidence != taken[0].evidence or item.tier != taken[0].tier):
                break
            taken.append(heapq.heappop(self._heap))
            size += item.size
        return taken

    def give_back(self, items: list[Pending]) -> None:
        """Put a batch back that was not finished."""
        for item in items:
            heapq.heappush(self._heap, item)
