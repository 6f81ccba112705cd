"""Ignorable lists lower the work: what stands on one, and on no notable one, is not looked into further.

Asked in the workers, before a file is decoded. What also stands on a notable list is looked into like any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from triage.hashsets.categories import Categories
from triage.hashsets.records import EMPTY_FILE
from triage.hashsets.store import Hashset
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from triage.model import Content


class Sparing:
    """The run's lists as a worker needs them: ``(path of the compiled set, meaning, name)`` each, and the table of categories."""

    def __init__(self, lists: Iterable[Sequence[str]], categories: Iterable[Sequence[str | None]] = ()) -> None:
        found = [(Path(path), Meaning(meaning), name) for path, meaning, name in lists]
        self._categories = Categories(categories)
        words = {meaning for _, meaning, _ in found} | {row[-1] for row in self._categories.to_json()}
        # Without an ignorable list nothing is spared, and no list need be open here.
        opened = [(Hashset(path), meaning, name) for path, meaning, name in found] if Meaning.IGNORABLE in words else []
        self._sets = [(hashset, hashset.facts.replace(meaning=meaning, name=name)) for hashset, meaning, name in opened]

    def spares(self, content: Content) -> bool:
        """Whether a content stands on an ignorable list and on no notable one."""
        spared = False
        for hashset, facts in self._sets:
            code = _code(hashset, content)
            if code is not None:
                meaning = self._categories.of(facts, hashset.category(code))[1]
                if meaning is Meaning.NOTABLE:
                    return False
                spared = spared or meaning is Meaning.IGNORABLE
        return spared


def _code(hashset: Hashset, content: Content) -> int | None:
    """Return the label number of a content's strongest digest that a set has."""
    for name in hashset.algorithms:
        digest: str | None = getattr(content, name)
        if digest is not None and (raw := bytes.fromhex(digest)) != EMPTY_FILE[name] and (code := int(hashset.lookup(name, raw)[0])) >= 0:
            return code
    return None
