"""One piece of content work: the entry it was first met under, as the case keeps it and as it crosses to a worker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.model import MAX_CHILDREN, Entry, Kind, Locator, Run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from triage.model import Json

COLUMNS = (
    "id",
    "evidence",
    "volume",
    "path",
    "name",
    "name_raw",
    "kind",
    "name_allocated",
    "meta_allocated",
    "orphan",
    "recoverability",
    "size",
    "mtime",
    "atime",
    "ctime",
    "crtime",
    "time_basis",
    "meta_addr",
    "meta_seq",
    "mode",
    "uid",
    "gid",
    "nlink",
    "link_target",
    "runs",
    "resident",
    "encrypted",
    "parent",
    "depth",
    "locator",
)
"""An entry's columns, in the order of :meth:`Entry.pack`."""
_FLAGS = [COLUMNS.index(n) for n in ("name_allocated", "meta_allocated", "orphan", "resident", "encrypted")]
_RUNS, _LOCATOR, _KIND, _SIZE = (COLUMNS.index(n) for n in ("runs", "locator", "kind", "size"))


class Neighbour(NamedTuple):
    """A file that lies beside an item: its name from the item's folder on, size, and where its bytes are."""

    name: str
    size: int
    locator: Locator
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkItem:
    """What the parent keeps of an item while a worker has it. ``columns`` are the entry's, as the case holds them.

    ``root``: the id of the entry that it is inside of in the end, its own for one that is inside of nothing; ``level``: how deep
    it is there; ``room``: how many files inside of it are listed; ``beside``: what lies beside it, if a plugin reads that with it.
    """

    id: str
    key: str
    path: str
    evidence: str
    volume: int | None
    recoverability: str
    columns: list[Any]
    root: str = ""
    level: int = 0
    room: int = MAX_CHILDREN
    beside: tuple[Neighbour, ...] = ()


class Work:
    """An item as a worker gets it: what reading it needs at once, the whole entry only when somebody asks."""

    __slots__ = ("_columns", "evidence", "id", "kind", "locator", "path", "size", "volume")

    def __init__(self, columns: list[Any]) -> None:
        self._columns = columns
        self.id: str = columns[0]
        self.evidence: str = columns[1]
        self.volume: int | None = columns[2]
        self.path: str = columns[3]
        self.kind = Kind(columns[_KIND])
        self.size: int = columns[_SIZE]
        self.locator = locator_of(self.evidence, columns[_LOCATOR])

    def entry(self) -> Entry:
        """Return the whole entry."""
        return entry_of(self._columns)


def locator_of(evidence: str, text: str) -> Locator:
    """Build a locator from its column in the case."""
    place = json.loads(text)
    if type(place) is list:
        offset, address, sequence, kind, number = place
        return Locator(
            evidence=evidence, volume_offset=offset, meta_addr=address, meta_seq=sequence, attr_type=kind, attr_id=number
        )
    return Locator.from_json(place)


def entry_of(columns: list[Any]) -> Entry:
    """Build an entry from its columns in the case."""
    values = list(columns)
    values[_RUNS] = json.loads(values[_RUNS])
    if values[_LOCATOR] is not None:
        values[_LOCATOR] = json.loads(values[_LOCATOR])
    for position in _FLAGS:
        values[position] = values[position] == 1
    return Entry.unpack(values)


def row_values(packed: list[Any], *rest: Any) -> tuple[Any, ...]:
    """Return a packed entry as its columns, with more behind them."""
    stored = list(packed)
    stored[_RUNS] = _pairs(packed[_RUNS])
    if packed[_LOCATOR] is not None:
        stored[_LOCATOR] = _place(packed[_LOCATOR])
    return (*stored, *rest)


def compact(value: Any) -> str:
    """Return canonical JSON: sorted, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _pairs(runs: Sequence[Sequence[int | None]]) -> str:
    """Return ``[[image_offset, length], …]`` as JSON; ``json.dumps`` takes four times as long."""
    return "[" + ",".join(f"[{'null' if offset is None else offset},{length}]" for offset, length in runs) + "]"


def _place(locator: Any) -> str:
    """Return a packed locator as JSON."""
    if type(locator) is list:
        return "[" + ",".join("null" if part is None else str(part) for part in locator) + "]"
    return compact(locator)


def first_byte(runs: Sequence[Sequence[int | None]]) -> int:
    """Return where on the medium an item begins; what has no place (resident, empty) comes first."""
    for offset, _ in runs:
        if offset is not None:
            return offset
    return 0


def unpack_row(row: sqlite3.Row) -> Entry:
    """Build an entry from a row whose last columns are an entry's."""
    return entry_of(list(row)[-len(COLUMNS) :])


def finding_row(row: sqlite3.Row) -> Json:
    """Return a finding as scripts see it."""
    return {
        "id": row["id"],
        "entry": row["entry"],
        "path": row["path"],
        "plugin": row["plugin"],
        "kind": row["kind"],
        "title": row["title"],
        "data": json.loads(row["data"]),
        "ranges": json.loads(row["ranges"]),
    }


def has_content(entry: Entry) -> bool:
    """Whether an entry has bytes of its own that content work reads."""
    if entry.locator is None:
        return False
    if entry.kind in (Kind.FILE, Kind.STREAM, Kind.CARVED, Kind.CACHED, Kind.DERIVED):
        return True
    return entry.kind is Kind.SPECIAL and entry.size > 0 and bool(entry.runs)
