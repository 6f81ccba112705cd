"""What a walk announces it is about to touch: the first number of an announcement."""

from __future__ import annotations

NAMES, OPENING, ORPHANS, CHECKING = 1, 2, 3, 4
"""A directory; an entry's metadata; a directory of orphans; the self-check."""
