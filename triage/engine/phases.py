"""What a worker announces besides the phases of a walk (1 to 4, :mod:`triage.filesystem.walkphases`)."""

from __future__ import annotations

OPENING, ANALYZING, READING, VERIFYING, LISTING, CARVING, EXPORTING, HASHING, SAMPLING = 10, 11, 12, 13, 14, 15, 16, 17, 18
"""``CARVING``: the address is the area's number, the position the candidate's offset in its space."""
