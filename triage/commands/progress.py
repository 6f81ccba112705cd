"""Progress on standard error: bars with rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.text import Text

from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.engine.run import Observer

_NOTABLE_LINES = 20


class Silent:
    """Shows nothing."""

    def stage(self, name: str) -> None:
        """Take note of nothing."""

    def progress(self, *, names: int, items_done: int, items: int, bytes_done: int, bytes_total: int) -> None:
        """Take note of nothing."""

    def notable(self, path: str, text: str) -> None:
        """Take note of nothing."""


class Bars:
    """One line: step, names listed, items and bytes read, rate, time left; notable files above it as they are found."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None, info="")
        self._notable = 0

    def stage(self, name: str) -> None:
        """Name the step."""
        self._bars.update(self._task, description=name)

    def progress(self, *, names: int, items_done: int, items: int, bytes_done: int, bytes_total: int) -> None:
        """Move the bar."""
        self._bars.update(
            self._task, completed=bytes_done, total=bytes_total or None, info=f"{names:,} names, {items_done:,} of {items:,} items"
        )

    def notable(self, path: str, text: str) -> None:
        """Print the first few notable files at once; the rest is in the queue."""
        self._notable += 1
        if self._notable <= _NOTABLE_LINES:
            self._bars.console.print(Text(f"notable: {show(path)} [{show(text)}]"), soft_wrap=True)
        elif self._notable == _NOTABLE_LINES + 1:
            self._bars.console.print(Text("notable: more, see the queue"))


@contextmanager
def make_observer(*, quiet: bool) -> Iterator[Observer]:
    """Give an observer that fits where standard error goes."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[info]}", markup=False),
        console=console,
        transient=True,
    ) as bars:
        yield Bars(bars)
