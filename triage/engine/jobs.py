"""Work besides walks and batches, as the engine sees it: something hands out jobs, and takes what becomes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from triage.engine.slot import Announcement
    from triage.model import Json


@dataclass(slots=True)
class Job:
    """One job: the commands for a worker, the last of which it answers with its ``done``."""

    commands: list[Json]


class Jobs(Protocol):
    """Who hands out jobs. ``worker`` is a number that no other worker of the engine has had."""

    def take(self, worker: int) -> Job | None:
        """Return a job for a worker, ``None`` while there is none."""

    def answer(self, job: Job, message: Json) -> bool:
        """Take an answer; return whether the job is done. Raise ``ValueError``, ``TypeError`` or ``LookupError`` for what does not fit."""

    def data(self, job: Job, data: bytes) -> None:
        """Take bytes; raise ``ValueError`` when none were asked for."""

    def lost(self, job: Job, slot: Announcement, how: str) -> None:
        """Take note that a worker was lost over a job, what it had announced last, and how it ended."""

    def left(self) -> bool:
        """Whether there is anything that was not handed out and done."""


class NoJobs:
    """There are none."""

    def take(self, worker: int) -> Job | None:
        """Return no job."""
        return None

    def answer(self, job: Job, message: Json) -> bool:
        """Nobody was asked anything."""
        raise ValueError("an answer to nothing")

    def data(self, job: Job, data: bytes) -> None:
        """Nobody was asked for bytes."""
        raise ValueError("bytes that nobody asked for")

    def lost(self, job: Job, slot: Announcement, how: str) -> None:
        """No job can be lost."""

    def left(self) -> bool:
        """Nothing is left."""
        return False
