"""Small pictures for the top of the queue, decoded in a worker that may hang or die over one of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from triage.report.document import TOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager

    from triage.model import Entry, Locator
    from triage.report.document import Row

MAX_BYTES = 64 << 20
"""Larger files are not decoded."""

_GIVEN_UP = 25


class Decoder(Protocol):
    """A worker that has the evidence open."""

    def thumbnail(self, locator: Locator, length: int, *, blurred: bool) -> bytes | str:
        """Return a JPEG, or why there is none."""


def collect(
    rows: Iterable[Row],
    entry: Callable[[str], Entry | None],
    decoder: Callable[[], AbstractContextManager[Decoder]],
    *,
    blurred: bool,
) -> tuple[dict[str, bytes], str]:
    """Return JPEGs by entry id for the pictures among ``rows``, and in words what was and was not shown.

    After each picture that gave none the next gets a new ``decoder``: the worker may have died over it. After
    25 of these no further one is tried.
    """
    wanted = _wanted(rows, entry)
    made: dict[str, bytes] = {}
    reasons: Counter[str] = Counter()
    while wanted and reasons.total() < _GIVEN_UP:
        with decoder() as worker:
            while wanted:
                identity, locator, length = wanted.pop(0)
                answer = worker.thumbnail(locator, length, blurred=blurred)
                if isinstance(answer, str):
                    reasons[answer] += 1
                    break
                made[identity] = answer
    return made, _said(len(made), reasons, len(wanted), blurred)


def _wanted(rows: Iterable[Row], entry: Callable[[str], Entry | None]) -> list[tuple[str, Locator, int]]:
    wanted = []
    for row in rows:
        size = row.get("size")
        if row.get("category") != "picture" or not isinstance(size, int) or not 0 < size <= MAX_BYTES:
            continue
        found = entry(str(row["id"]))
        if found is not None and found.locator is not None:
            wanted.append((found.id, found.locator, size))
    return wanted


def _said(shown: int, reasons: Counter[str], untried: int, blurred: bool) -> str:
    how = "grey and blurred" if blurred else "in colour and not blurred"
    text = f"Pictures of the first {TOP} rows of the queue are shown small, {how}: {shown:,} of them."
    if reasons:
        text += " Not shown: " + "; ".join(f"{n:,} ({reason})" for reason, n in reasons.most_common(5)) + "."
    if untried:
        text += f" {untried:,} more were not tried."
    return text
