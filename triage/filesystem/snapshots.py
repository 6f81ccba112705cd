"""Of a shadow copy, what differs from the state after it: the names whose file's own record is another, or is there no more.

An NTFS record holds a file's names, times, size and where its bytes lie. Two records are held to be the same when they differ in nothing
but the log's and the change journal's numbers, the time of last access, and the copies of times and sizes beside a name.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from triage.filesystem.checks import VolumeReader
from triage.filesystem.checks.ntfs import open_mft
from triage.filesystem.checks.ntfsmft import Mft, fixed_up, record_offset
from triage.model import Entry, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium
    from triage.model import Volume

_STORE = re.compile(r"/System Volume Information/(?:\{[0-9a-fA-F-]{36}\})?\{3808876b-c176-4e48-b7ae-04046e6cc752\}$", re.IGNORECASE)
# Of $STANDARD_INFORMATION the time of last access and the change journal's number; of $FILE_NAME what is no name, which is put right late.
_BLANKED = {0x10: (slice(24, 32), slice(64, 72)), 0x30: (slice(8, 56),)}
_MOST_ATTRIBUTES = 64
_MOST_KEPT = 1 << 16


class Differences:
    """Which of a shadow copy's entries differ from the state of the volume after it. ``unchanged``: how many did not."""

    def __init__(self, medium: Medium, copy: Volume, after: int, beat: Callable[[], None]) -> None:
        """``after``: the place of the later state, as long as the copy."""
        self.unchanged = self.stores = 0
        self._copy = open_mft(VolumeReader(medium, copy, beat))
        self._after = open_mft(VolumeReader(medium, copy.replace(offset=after), beat))
        self._volume = copy
        self._known: dict[int, bool] = {}

    def of(self, rows: Iterator[Entry | Problem]) -> Iterator[Entry | Problem]:
        """Yield the entries that differ, every problem, and in the end how many were left out."""
        for row in rows:
            if isinstance(row, Entry):
                if _STORE.search(row.path):
                    self.stores += 1
                    continue
                if row.meta_addr is not None and self._is_same(row.meta_addr):
                    self.unchanged += 1
                    continue
            yield row
        message = f"{self.unchanged} names are as in the state after it: they were not listed again"
        if self.stores:
            message += f"; nor {self.stores} stores of shadow copies"
        if self._copy is None or self._after is None:
            message = "which of its names differ from the state after it cannot be told: all were listed"
        yield Problem(
            severity=Severity.INFO, stage="filesystem", message=message, evidence=self._volume.evidence, volume=self._volume.number
        )

    def _is_same(self, address: int) -> bool:
        known = self._known.get(address)
        if known is None:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            mine, later = (_record(mft, address) if mft is not None else None for mft in (self._copy, self._after))
            known = self._known[address] = mine is not None and mine == later
        return known


def _record(mft: Mft, number: int) -> bytes | None:
    """Return a record without what changes by itself; ``None`` when it cannot be read."""
    place = record_offset(mft.runs, mft.boot.cluster, number * mft.boot.record)
    if place is None:
        return None
    data = mft.reader.read(place, mft.boot.record)
    if len(data) < mft.boot.record or not data.startswith(b"FILE"):
        return None
    fixed = fixed_up(data)
    if fixed is None:
        return None
    raw = bytearray(fixed)
    raw[8:16] = bytes(8)  # where the log speaks of it
    sequence = int.from_bytes(raw[4:6], "little")
    raw[sequence : sequence + 2 * int.from_bytes(raw[6:8], "little")] = bytes(2 * int.from_bytes(raw[6:8], "little"))
    at = int.from_bytes(raw[20:22], "little")
    for _ in range(_MOST_ATTRIBUTES):
        kind, length = struct.unpack_from("<II", raw, at) if at + 24 <= len(raw) else (0, 0)
        if kind not in _BLANKED or length < 24 or at + length > len(raw) or raw[at + 8]:
            break  # the first attributes are these two, and they lie in the record
        size, value = struct.unpack_from("<IH", raw, at + 16)
        for part in _BLANKED[kind]:
            if part.stop <= size and at + value + part.stop <= len(raw):
                raw[at + value + part.start : at + value + part.stop] = bytes(part.stop - part.start)
        at += length
    return bytes(raw[: max(56, int.from_bytes(raw[24:28], "little"))])
