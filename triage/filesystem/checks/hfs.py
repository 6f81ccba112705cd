"""Being written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.filesystem.checks import Fault, Missed, VolumeReader
    from triage.filesystem.listed import Listed


def check(reader: VolumeReader, listed: Listed) -> Iterator[Fault | Missed]:
    """Yield what differs and what was missed."""
    yield from ()
