"""The review queue: what to look at first, each content once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.model import Meaning, State

if TYPE_CHECKING:
    from collections.abc import Iterable

_KNOWN_FIRST: dict[str | None, int] = {Meaning.NOTABLE: 0, None: 1, Meaning.KNOWN: 2, Meaning.IGNORABLE: 3}
_LAST = len(_KNOWN_FIRST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What the queue needs of an entry. ``sha256`` is ``None`` when its content was not read whole."""

    id: str
    path: str
    score: int
    sha256: str | None = None
    state: str = State.ALLOCATED
    known: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A row of the queue. ``copies`` counts the entries with this content, the one shown included."""

    rank: int
    id: str
    score: int
    copies: int


def _order(row: Scored) -> tuple[int, int, bool, str, str]:
    """Sort by score, then notable first, then what is still there before what is deleted, then place."""
    return (-row.score, _KNOWN_FIRST.get(row.known, _LAST), row.state != State.ALLOCATED, row.path, row.id)


def rank(rows: Iterable[Scored]) -> list[Ranked]:
    """Return the queue, best first; the same for any order of ``rows``.

    Entries with the same SHA-256 are one row. It shows the copy with the most points, because the reasons
    shown must add up to the score; among equals an allocated one before a deleted one, then the first by
    path.
    """
    copies: dict[str, int] = {}
    ordered = sorted(rows, key=_order)
    for row in ordered:
        if row.sha256 is not None:
            copies[row.sha256] = copies.get(row.sha256, 0) + 1
    queue: list[Ranked] = []
    for row in ordered:
        count = 1 if row.sha256 is None else copies.pop(row.sha256, 0)
        if count:
            queue.append(Ranked(rank=len(queue) + 1, id=row.id, score=row.score, copies=count))
    return queue
