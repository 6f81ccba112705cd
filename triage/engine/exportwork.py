"""Carving without a case: what the carver finds is read again at once, digested, and handed on as bytes."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from triage.engine.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.engine.carvework import CarveWork
    from triage.engine.slot import Announcement
    from triage.model import Entry, Json

_BATCH_BYTES, _BATCH_ITEMS = 8 << 20, 100
_DEATHS = 3
_DIGESTS = {"md5": 32, "sha1": 40, "sha256": 64}


class Writer(Protocol):
    """Who takes the bytes of items. One item's come in order; several items' come by turns, one a worker."""

    def begin(self, entry: Entry) -> None:
        """Begin an item, also once more from its first byte."""

    def write(self, entry: Entry, data: bytes) -> None:
        """Take the next bytes."""

    def end(self, entry: Entry, digests: Json) -> None:
        """Take the digests, and ``unreadable``: how many of the bytes are zeros instead of what could not be read."""

    def failed(self, entry: Entry, why: str) -> None:
        """Take note that an item's bytes cannot be had."""


@dataclass(slots=True)
class _Batch(Job):
    number: int = 0
    entries: list[Entry] = field(default_factory=list)
    item: int = 0
    left: int = 0
    deaths: int = 0


class ExportWork:
    """Carving jobs, and between them jobs that fetch what was found: those first, so that little waits."""

    def __init__(self, writer: Writer) -> None:
        self.carving: CarveWork | None = None
        self._writer = writer
        self._waiting: deque[Entry] = deque()
        self._again: list[_Batch] = []
        self._numbers = 0
        self._out = 0

    def add(self, entries: Sequence[Entry]) -> None:
        """Fetch these items too."""
        self._waiting.extend(entries)

    def left(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._waiting or self._again or self._out or (self.carving is not None and self.carving.left()))

    def take(self, worker: int) -> Job | None:
        """Return a batch to fetch, or a unit to carve."""
        enough = sum(e.size for e in list(self._waiting)[:_BATCH_ITEMS]) >= _BATCH_BYTES
        carving = self.carving is not None and self.carving.left()
        if self._again or (self._waiting and (enough or len(self._waiting) >= _BATCH_ITEMS or not carving)):
            return self._batch()
        job = self.carving.take(worker) if self.carving is not None else None
        return job if job is not None or not self._waiting else self._batch()

    def _batch(self) -> _Batch:
        if self._again:
            batch = self._again.pop()
        else:
            batch, size = _Batch([]), 0
            while self._waiting and len(batch.entries) < _BATCH_ITEMS:
                if batch.entries and size + self._waiting[0].size > _BATCH_BYTES:
                    break
                size += self._waiting[0].size
                batch.entries.append(self._waiting.popleft())
        self._numbers += 1
        self._out += 1
        batch.number, batch.item, batch.left = self._numbers, 0, batch.entries[0].size
        items = [{"locator": e.locator.to_json() if e.locator is not None else None, "size": e.size} for e in batch.entries]
        batch.commands = [{"do": "export", "batch": batch.number, "items": items}]
        self._writer.begin(batch.entries[0])
        return batch

    def data(self, job: Job, data: bytes) -> None:
        """Give each item its share of the bytes."""
        if not isinstance(job, _Batch):
            raise ValueError("bytes that nobody asked for")  # noqa: TRY004 - it is not our mistake
        view = memoryview(data)
        while view:
            while not job.left:
                if job.item + 1 >= len(job.entries):
                    raise ValueError("more bytes than were asked for")
                job.item += 1
                job.left = job.entries[job.item].size
                self._writer.begin(job.entries[job.item])
            taken = view[: job.left]
            self._writer.write(job.entries[job.item], bytes(taken))
            job.left -= len(taken)
            view = view[len(taken) :]

    def answer(self, job: Job, message: Json) -> bool:
        """Take the digests of a batch."""
        if not isinstance(job, _Batch):
            if self.carving is None:
                raise ValueError("an answer to nothing")
            return self.carving.answer(job, message)
        if message.get("error"):
            self._retry(job, str(message.get("message", ""))[:200], None)
            return True
        if message.get("done") != "export" or message["batch"] != job.number or len(message["items"]) != len(job.entries):
            raise ValueError("an answer about another batch")
        if job.left or job.item + 1 != len(job.entries):
            raise ValueError("fewer bytes than were asked for")
        for digests in message["items"]:
            if not all(type(digests[n]) is str and re.fullmatch(f"[0-9a-f]{{{size}}}", digests[n]) for n, size in _DIGESTS.items()):
                raise ValueError("not a digest")
            if type(digests["unreadable"]) is not int:
                raise TypeError("not a number of bytes")
        self._out -= 1
        for entry, digests in zip(job.entries, message["items"], strict=True):
            self._writer.end(entry, digests)
        return True

    def lost(self, job: Job, slot: Announcement, how: str) -> None:
        """Fetch a batch again; do without an item that workers are lost over."""
        if isinstance(job, _Batch):
            self._retry(job, how, slot.position)
        elif self.carving is not None:
            self.carving.lost(job, slot, how)

    def _retry(self, batch: _Batch, how: str, position: int | None) -> None:
        self._out -= 1
        batch.deaths += 1
        if batch.deaths >= _DEATHS:
            batch.deaths = 0
            guilty = batch.entries[position if position is not None and position < len(batch.entries) else 0]
            batch.entries.remove(guilty)
            self._writer.failed(guilty, how)
        if batch.entries:
            self._again.append(batch)
