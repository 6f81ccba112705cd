"""The records of a compiled set, each with all its digests, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.hashsets.facts import Label, RecordFacts
from triage.hashsets.records import KEYS
from triage.hashsets.sorting import NO_CATEGORY, PRIMARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.store import Hashset

_STEP = 1 << 18
"""Rows, or records, that are in memory at once."""


_NO_LABEL, _NOTHING = Label(), RecordFacts()


@dataclass(slots=True)
class Joined:
    """A record: its rows by kind (:data:`triage.hashsets.records.ROWS`), each kind in order; its label; what the set keeps of it."""

    rows: dict[str, list[bytes]] = field(default_factory=dict)
    label: Label = _NO_LABEL
    about: RecordFacts = _NOTHING

    def digest(self, kind: str) -> str | None:
        """Return the first digest of a kind in hexadecimal."""
        rows = self.rows.get(kind)
        return rows[0][: KEYS[kind]].hex() if rows else None


def records_of(hashset: Hashset) -> Iterator[Joined]:
    """Yield a set's records: those of a linked set by their numbers, else row by row."""
    yield from _joined(hashset) if hashset.linked else _single(hashset)


def _single(hashset: Hashset) -> Iterator[Joined]:
    for kind in hashset.kinds:
        for start in range(0, hashset.count(kind), _STEP):
            end = min(start + _STEP, hashset.count(kind))
            codes = hashset.codes(kind, np.arange(start, end))
            for raw, code in zip(hashset.rows(kind, start, end), codes.tolist(), strict=True):
                yield Joined({kind: [raw.tobytes()]}, _label(hashset, code))


def _joined(hashset: Hashset) -> Iterator[Joined]:
    """Take some of the record numbers at a time and look for their rows in every column."""
    for first in range(0, hashset.numbers, _STEP):
        found: dict[int, Joined] = {}
        for kind in hashset.kinds:
            for start in range(0, hashset.count(kind), 1 << 22):
                rows = np.arange(start, min(start + (1 << 22), hashset.count(kind)))
                numbers = hashset.records(kind, rows)
                mine = (numbers >= first) & (numbers < first + _STEP)
                if mine.any():
                    _gather(hashset, kind, rows[mine], numbers[mine], found)
        for number in sorted(found):
            found[number].about = hashset.about(number)
            yield found[number]


def _gather(hashset: Hashset, kind: str, rows: Any, numbers: Any, found: dict[int, Joined]) -> None:
    codes = hashset.raw_codes(kind, rows)
    for row, number, code in zip(rows.tolist(), numbers.tolist(), codes.tolist(), strict=True):
        record = found.setdefault(number, Joined())
        record.rows.setdefault(kind, []).append(hashset.rows(kind, row, row + 1).tobytes())
        if code & PRIMARY or record.label == _NO_LABEL:
            record.label = _label(hashset, code & NO_CATEGORY)


def _label(hashset: Hashset, code: int) -> Label:
    return hashset.label(code)
