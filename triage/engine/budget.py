"""How many bytes of content a volume may make a run read: sizes are cheap to claim.

An inode of 128 bytes may claim terabytes that are holes, or blocks that a thousand others claim too. A volume's contents therefore
add up to a bounded number of bytes, in the order of the walk: the same volume gives the same answer, however often a run is killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.model import Entry, Kind, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

FACTOR = 3
"""A volume's contents may add up to so many times the medium's size: compressed, sparse and deleted files need more than once."""
FLOOR = 16 << 30
"""And to so many bytes in any case: some ten seconds of zeros."""
REASON = f"the volume's contents add up to more than {FACTOR} times the medium"
_CHUNK = 12


class ReadBudget:
    """Admits the contents of one volume after the other. ``media``: the media's sizes in bytes by evidence id.

    ``item_bytes``: larger items are not read anyway and cost nothing.
    """

    def __init__(self, media: Mapping[str, int], item_bytes: int) -> None:
        self._media = media
        self._item_bytes = item_bytes
        self._volume: tuple[str, int | None] | None = None
        self._left = 0
        self._admitted: dict[int, int] = {}  # a bit each metadata address

    def begin(self, evidence: str, volume: int | None) -> None:
        """Begin a volume's walk, also once more."""
        self._volume = (evidence, volume)
        self._left = max(FACTOR * self._media.get(evidence, 0), FLOOR)
        self._admitted = {}

    def reason(self, entry: Entry) -> str | None:
        """Return why an entry's content is not read, ``None`` when it is. Asked once a name, in the walk's order.

        Further names of the same metadata (hard links) cost nothing.
        """
        if self._volume != (entry.evidence, entry.volume):
            self.begin(entry.evidence, entry.volume)
        if entry.size > self._item_bytes:
            return None
        chunk, bit = (entry.meta_addr or 0) >> _CHUNK, 1 << ((entry.meta_addr or 0) & (1 << _CHUNK) - 1)
        linked = entry.kind is Kind.FILE and entry.meta_addr is not None
        if linked and self._admitted.get(chunk, 0) & bit:
            return None
        if entry.size > self._left:
            return REASON
        self._left -= entry.size
        if linked:
            self._admitted[chunk] = self._admitted.get(chunk, 0) | bit
        return None


def refusal(evidence: str, volume: int | None, files: int, size: int) -> Problem:
    """Return what to say of a volume in which contents were refused."""
    return Problem(
        severity=Severity.WARNING,
        stage="engine",
        evidence=evidence,
        volume=volume,
        message=f"{files} files were not read ({size} bytes by their sizes): {REASON}",
    )
