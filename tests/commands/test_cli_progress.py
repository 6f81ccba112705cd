"""Progress fits 80 columns, says rate and time left, and is silent where no terminal is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from triage.commands import progress
from triage.commands.progress import Bars, Silent, make_observer

if TYPE_CHECKING:
    import pytest


def test_the_line_fits_80_columns_and_says_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 100.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    screen = io.StringIO()
    console = Console(file=screen, width=80, force_terminal=True, color_system=None)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=10), TextColumn("{task.fields[info]}", markup=False))
    line = Progress(*columns, console=console, auto_refresh=False)
    bars = Bars(line)
    bars.stage("listing and reading")
    bars.progress(names=5_000_000, items_done=123_456, items=4_000_000, bytes_done=40 * 10**9, bytes_total=1200 * 10**9)
    console.print(line.get_renderable())
    shown = [text for text in screen.getvalue().splitlines() if text.strip()]
    assert len(shown) == 1
    assert len(shown[0]) <= 80
    assert "0.0/1.2 TB 400 MB/s" in shown[0]
    assert "48:20 left" in shown[0]


def test_nothing_is_shown_where_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with make_observer(quiet=False) as observer:
        assert isinstance(observer, Silent)
        observer.stage("opening")
        observer.progress(names=1, items_done=1, items=1, bytes_done=1, bytes_total=1)
        observer.notable("vol1/x", "list")
    assert capsys.readouterr().err == ""


def test_amounts_are_in_the_unit_of_the_larger() -> None:
    assert [progress._amounts(*pair) for pair in ((0, 0), (5_000, 50_000), (10**6, 5 * 10**6), (0, 64 * 10**9))] == [
        "0.0/0.0 kB", "5.0/50.0 kB", "1.0/5.0 MB", "0.0/64.0 GB"]
