"""One piece of content work: the entry it was first met under, as the case keeps it and as it crosses to a worker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from triage.model import Entry

COLUMNS = (
    "id", "evidence", "volume", "path", "name", "name_raw", "kind", "name_allocated", "meta_allocated", "orphan", "recoverability",
    "size", "mtime", "atime", "ctime", "crtime", "time_basis", "meta_addr", "meta_seq", "mode", "uid", "gid", "nlink", "link_target",
    "runs", "resident", "parent", "depth", "locator",
)
"""An entry's columns, in the order of :meth:`Entry.pack`."""
_FLAGS = [COLUMNS.index(n) for n in ("name_allocated", "meta_allocated", "orphan", "resident")]
_RUNS, _LOCATOR = COLUMNS.index("runs"), COLUMNS.index("locator")


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What the parent keeps of an item while a worker has it. ``columns`` are the entry's, as the case holds them."""

    id: str
    key: str
    path: str
    evidence: str
    volume: int | None
    recoverability: str
    columns: list[Any]


def entry_of(columns: list[Any]) -> Entry:
    """Build an entry from its columns in the case."""
    values = list(columns)
    values[_RUNS] = json.loads(values[_RUNS])
    if values[_LOCATOR] is not None:
        values[_LOCATOR] = json.loads(values[_LOCATOR])
    for position in _FLAGS:
        values[position] = values[position] == 1
    return Entry.unpack(values)
