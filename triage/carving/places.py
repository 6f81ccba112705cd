"""Every place at which some bytes stand, read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_EACH = 64
"""What a place costs besides reading: a search for what is everywhere ends as well."""


def places(window: Window, needle: bytes, start: int, end: int) -> Iterator[int]:
    """Yield the offsets at which ``needle`` begins, from ``start`` on, and ends by ``end``."""
    tail = b""
    for offset, data in window.chunks(start, end):
        joined, base = tail + data, offset - len(tail)
        at = joined.find(needle)
        while at >= 0:
            window.spend(_EACH)
            yield base + at
            at = joined.find(needle, at + 1)
        tail = joined[len(joined) - len(needle) + 1 :]
