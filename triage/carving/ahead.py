"""Reading ahead: many small steps through a window for the price of a few reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.carving.window import Window

FIRST = 16 << 10
MOST = 1 << 20


class Ahead:
    """A buffer over a window that moves forward: 16 KiB first, since most files are small, four times more each time, up to 1 MiB."""

    def __init__(self, window: Window, first: int = FIRST) -> None:
        self.window = window
        self.data = b""
        self.base = 0
        self._step = first

    def at(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes (few) at ``offset``, fewer at the window's end."""
        start = offset - self.base
        if start < 0 or start + length > len(self.data):
            self.fill(offset, length)
            start = offset - self.base
        return self.data[start : start + length]

    def fill(self, offset: int, least: int = 1) -> None:
        """Let the buffer begin at ``offset``, and have ``least`` bytes if there are so many."""
        self.data, self.base = self.window.at(offset, max(self._step, least)), offset
        self._step = min(self._step * 4, MOST)
