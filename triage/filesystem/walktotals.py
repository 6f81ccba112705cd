"""What a walk of one volume saw, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class WalkTotals:
    """What a walk saw, for the coverage statement. Bytes are of the medium.

    ``missed``: what only the self-checks brought; ``checked``: whether those came to their end. ``free``: bytes that the file system's own
    books call free, where they were read.
    """

    names: int = 0
    directories: int = 0
    owned: int = 0
    orphans_seen: int = 0
    orphans_dropped: int = 0
    missed: int = 0
    checked: bool = False
    free: int | None = None
    orphan_reasons: dict[str, int] = field(default_factory=dict)
