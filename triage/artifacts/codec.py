"""What a compression or encoding of one format looks like to those who follow recipes (:mod:`triage.artifacts.recipe`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

    from triage.artifacts.structure import ReadAt


@dataclass(frozen=True, slots=True)
class Codec:
    """One encoding: which parameters stand behind its name's colon, and how it is undone.

    ``undo(read_at, size, parameters, limit)`` returns at most ``limit`` bytes of what ``size`` encoded bytes are, and why not all of
    it, "" if all; what is damaged gives as much as there is. It raises ``OSError`` only when there is no way to any of it.
    """

    parameters: re.Pattern[str]
    undo: Callable[[ReadAt, int, str, int], tuple[bytes, str]]
