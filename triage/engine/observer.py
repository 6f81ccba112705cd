"""Who shows the progress of a run."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Who shows the progress. Called from the run's thread, a few times a second at most for each."""

    def stage(self, name: str) -> None:
        """A new step begins."""

    def progress(self, *, names: int, items_done: int, items: int, bytes_done: int, bytes_total: int) -> None:
        """How far names and content work are."""

    def notable(self, path: str, text: str) -> None:
        """A file on a notable list was found."""
