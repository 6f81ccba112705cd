"""The ledger of the medium: to whom each of its bytes belongs, and how many of them were read. Every byte is in one row.

What no row of the case explains is said to be so: a byte that was never read is never left out of the count. Archives, folders and
backups are no media and have no row: their files are counted as such, and what of an archive no file owns is a problem of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from triage.evidence.layers import end_of, is_view
from triage.filesystem.openers import APFS
from triage.filesystem.ownership import Ownership, total
from triage.logical.catalog import is_logical
from triage.model import Evidence, Outcome, Volume

if TYPE_CHECKING:
    import sqlite3

    from triage.model import Json

_NAMED = ("allocated", "deleted", "orphan")
"""States of what has a name or an address. What was carved is read, and claims nothing: it was found in what nobody owns."""
_READ = (Outcome.DONE.value, Outcome.PARTIAL.value)


def medium_ledger(connection: sqlite3.Connection) -> list[Json]:
    """Return one row an evidence, in order; all numbers are bytes of the medium.

    ``size`` = ``outside_volumes`` + ``not_listed`` (volumes without a listing) + ``owned`` (by names that exist) +
    ``deleted_only`` (claimed by deleted names alone) + ``unowned`` (what is left of listed volumes: free space and the
    file systems' own structures; ``free`` of it is free by the file systems' own books, ``None`` where one keeps none that is read).
    What lies in views of volumes that were opened (unlocked ones, LVM) is counted by its length: there a byte of the view is one of the
    medium. Shadow copies are not counted: what they hold is in other bytes of the same volume. ``read`` counts bytes whose content was
    read; ``never_read`` is the rest of ``size``: free space, slack, structures that only the file system's reader saw, and what was
    skipped or not reached.
    """
    ledgers = []
    for (record,) in connection.execute("SELECT record FROM evidence ORDER BY position"):
        evidence = Evidence.from_json(json.loads(record))
        if not is_logical(evidence.kind):
            ledgers.append(_of_evidence(connection, evidence))
    return ledgers


def _of_evidence(connection: sqlite3.Connection, evidence: Evidence) -> Json:
    size = evidence.size
    listed: dict[int, tuple[int, int]] = {}
    volumes, open_volumes = Ownership(), Ownership()
    copies: set[int | None] = set()
    free: int | None = 0
    for record, walk, totals in connection.execute("SELECT record, walk, totals FROM volume WHERE evidence = ?", (evidence.id,)):
        volume = Volume.from_json(json.loads(record))
        start, end = end_of(size, volume.offset, volume.size)
        if volume.number is None or end <= start:
            continue
        if volume.is_snapshot:
            copies.add(volume.number)
            continue
        if not is_view(start):
            volumes.add(start, end - start)
            if walk != "none" or volume.opened:
                open_volumes.add(start, end - start)
        if walk != "none":
            shared = is_view(start) and volume.file_system == APFS  # its runs are places in the container
            listed[volume.number] = (0, size) if shared else (start, end)
            known = json.loads(totals).get("free")
            free = free + known if free is not None and isinstance(known, int) else None
    owned, claimed, read = Ownership(), Ownership(), Ownership()
    rows = connection.execute(
        "SELECT e.volume, e.runs, e.state, e.size, c.outcome FROM entry e LEFT JOIN content c ON c.key = e.content "
        "WHERE e.evidence = ? AND e.runs != '[]'",
        (evidence.id,),
    )
    for number, runs, state, length, outcome in rows:
        if number in copies:
            continue
        bounds = listed.get(number, (0, size))
        pieces = _within(json.loads(runs), bounds)
        if state in _NAMED:
            _add(owned if state == "allocated" else claimed, pieces)
        if outcome in _READ:
            _add(read, _first(pieces, length))
    owned_bytes = total(owned.ranges())
    _add(claimed, [(start, end - start) for start, end in owned.ranges()])
    deleted_only = total(claimed.ranges()) - owned_bytes
    in_volumes, in_listed = total(volumes.ranges()), total(open_volumes.ranges())
    read_bytes = total(read.ranges())
    return {
        "evidence": evidence.id,
        "size": size,
        "outside_volumes": size - in_volumes,
        "not_listed": in_volumes - in_listed,
        "owned": owned_bytes,
        "deleted_only": deleted_only,
        "unowned": in_listed - owned_bytes - deleted_only,
        "free": free if listed else None,
        "read": read_bytes,
        "never_read": size - read_bytes,
    }


def _within(runs: list[list[Any]], bounds: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the runs that have a place, cut to the volume: damaged metadata lead anywhere."""
    pieces = []
    for offset, length in runs:
        if offset is None:
            continue
        start, end = max(offset, bounds[0]), min(offset + length, bounds[1])
        if start < end:
            pieces.append((start, end - start))
    return pieces


def _first(pieces: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Return the pieces that hold the first ``length`` bytes: what follows the content's end is slack."""
    kept = []
    for start, piece in pieces:
        if length <= 0:
            break
        kept.append((start, min(piece, length)))
        length -= piece
    return kept


def _add(ranges: Ownership, pieces: list[tuple[int, int]]) -> None:
    for start, length in pieces:
        ranges.add(start, length)
