"""Which orphans to believe. On FAT, TSK takes any sector that looks like directory entries for some.

Reused clusters then give millions of phantom names, each with a size and a place (sleuthkit issue 821: 140 TB of "orphans" out of one
card). What cannot be true is dropped and counted; what is left is bounded and the bound is said.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from triage.model import Kind

if TYPE_CHECKING:
    from triage.model import Entry, Volume

_YEAR = 365 * 86400 * 1_000_000_000
_FIRST_DOS_TIME = 10 * _YEAR  # 1980, less a leap day or two
_LAST_DOS_TIME = 70 * _YEAR  # about 2040: later stamps on FAT are chance bytes


class OrphanGuard:
    """Admits orphans one by one and keeps count. ``full`` once ``limit`` were admitted."""

    def __init__(self, *, fat: bool, volume: Volume, limit: int) -> None:
        self._fat = fat
        self._volume = volume
        self._limit = limit
        self.seen = 0
        self.admitted = 0
        self.reasons: Counter[str] = Counter()
        self._claimed = 0

    @property
    def dropped(self) -> int:
        """How many were not admitted."""
        return sum(self.reasons.values())

    @property
    def full(self) -> bool:
        """Whether the bound was reached."""
        return self.admitted >= self._limit or self.dropped >= self._limit * 50

    def admit(self, entry: Entry) -> bool:
        """Say whether an orphan is believable; remember why not."""
        self.seen += 1
        reason = self._doubt(entry) if self._fat and entry.kind is not Kind.STREAM else None
        if reason:
            self.reasons[reason] += 1
            return False
        self.admitted += 1
        return True

    def _doubt(self, entry: Entry) -> str | None:
        """Return what about a FAT orphan cannot be; the tests go from certain to likely."""
        if entry.size > self._volume.size:
            return "larger than the volume"
        if entry.name_raw is not None and any(b < 0x20 for b in entry.name_raw):
            return "control characters in the name"
        if entry.size and not entry.runs and not entry.resident:
            return "a size but no block that could be its first"
        times = [t for t in (entry.mtime, entry.crtime) if t is not None]
        if not times:
            return "no valid date"
        if any(not _FIRST_DOS_TIME <= t <= _LAST_DOS_TIME for t in times):
            return "dates outside 1980 to 2040"
        if self._claimed + entry.size > self._volume.size * 4:
            return "orphans already claim four times the volume"
        self._claimed += entry.size
        return None

    def statement(self) -> str:
        """Return one sentence for the report, empty when there is nothing to say."""
        if not self.dropped and not self.full:
            return ""
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons.items()))
        text = f"of {self.seen} orphan entries found, {self.admitted} were listed and {self.dropped} dropped as phantoms"
        if why:
            text += f" ({why})"
        if self.full:
            text += f"; the bound of {self._limit} was reached and the search ended there"
        return text
