"""What a lab calls the categories of its lists, and what they mean to it: a table that it writes itself.

A list's categories are kept as they stand there. The same number means one thing in one country and another in the next, so nothing is
made of them unless a row of this table says so.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, NamedTuple

from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.hashsets.facts import SetFacts


class CategoryRow(NamedTuple):
    """A row: for sets and schemes of these names (``*`` and ``?`` as in file names), this category is called so.

    ``meaning`` is the set's own when it is ``None``.
    """

    set: str = "*"
    scheme: str = "*"
    category: str = ""
    label: str = ""
    meaning: Meaning | None = None


class Categories:
    """The table. The first row that fits decides."""

    def __init__(self, rows: Iterable[Sequence[str | None]] = ()) -> None:
        self._rows = [CategoryRow(str(s), str(h), str(c), str(n), Meaning(m) if m else None) for s, h, c, n, m in rows]

    def of(self, facts: SetFacts, category: str) -> tuple[str, Meaning]:
        """Return the label of a set's category, and what being in it means."""
        for row in self._rows:
            if row.category == category and _fits(row.set, facts.name) and _fits(row.scheme, facts.scheme):
                return row.label, facts.meaning if row.meaning is None or facts.hint else row.meaning
        return "", facts.meaning

    def to_json(self) -> list[list[str | None]]:
        """Return the rows as JSON values."""
        return [[r.set, r.scheme, r.category, r.label, r.meaning.value if r.meaning else None] for r in self._rows]


def _fits(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text.lower(), pattern.lower())
