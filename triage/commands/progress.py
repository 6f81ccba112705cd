"""Progress on standard error: bars with rate and time left on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.engine.observer import Observer

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
    """One line of 80 columns: step, items, bytes, rate, time left; notable files above it as they are found."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None, info="")
        self._notable = 0
        self._began = time.monotonic()

    def stage(self, name: str) -> None:
        """Name the step."""
        self._began = time.monotonic()
        self._bars.update(self._task, description=name, completed=0, total=None, info="")

    def progress(self, *, names: int, items_done: int, items: int, bytes_done: int, bytes_total: int) -> None:
        """Move the bar."""
        rate = bytes_done / max(time.monotonic() - self._began, 0.1)
        left = f" {_clock((bytes_total - bytes_done) / rate)} left" if rate > 0 and bytes_total else ""
        count = f"{items_done:,}/{items:,} " if items else ""
        listing = f"{names:,} names " if names and not items else ""
        self._bars.update(
            self._task,
            completed=bytes_done,
            total=bytes_total or None,
            info=f"{listing}{count}{_amounts(bytes_done, bytes_total)} {rate / 1e6:.0f} MB/s{left}",
        )

    def notable(self, path: str, text: str) -> None:
        """Print the first few notable files at once; the rest is in the queue."""
        self._notable += 1
        if self._notable <= _NOTABLE_LINES:
            self._bars.console.print(Text(f"notable: {show(path)} [{show(text)}]"), soft_wrap=True)
        elif self._notable == _NOTABLE_LINES + 1:
            self._bars.console.print(Text("notable: more, see the queue"))


def _amounts(done: int, total: int) -> str:
    """Return two amounts in one unit, that of the larger."""
    unit, size = next(((u, s) for u, s in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)) if max(done, total) >= s), ("kB", 1e3))
    return f"{done / size:.1f}/{total / size:.1f} {unit}"


def _clock(seconds: float) -> str:
    """Return a duration as people read it: ``0:42``, ``12:05``, ``3:20:00``."""
    minutes, rest = divmod(int(min(seconds, 359_999)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def make_observer(*, quiet: bool) -> Iterator[Observer]:
    """Give an observer that fits where standard error goes."""
    if quiet or not sys.stderr.isatty():
        yield Silent()
        return
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=10),
        TextColumn("{task.fields[info]}", markup=False),
        console=console,
        transient=True,
    ) as bars:
        yield Bars(bars)
