"""What stands behind the end of a picture: archives, further pictures and films that a viewer does not show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.artifacts.pictureend import TYPES, end_of
from triage.plugin import Accepts, Child, Finding, Item, Kind, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEAST, _PIECE = 64, 1 << 20


class Appended:
    """A child ``behind-the-end`` of the bytes, with the finding ``appended``. Cameras do so, too: with a motion photo's film, say."""

    name = "appended"
    version = "1"
    tried_on = "real samples"
    accepts = Accepts(types=TYPES, kinds=(Kind.FILE, Kind.STREAM, Kind.DERIVED, Kind.CACHED), min_size=100)

    def analyze(self, item: Item) -> Iterator[Finding | Problem | Child]:
        """Yield what is behind the end, unless it is a few bytes or all zeros."""
        end = end_of(item.read_at, item.size, item.type.name if item.type else "")
        if end is None or item.size - end < _LEAST:
            return
        start = _first_that_is_something(item, end)
        if start is None or item.size - start < _LEAST:
            return
        size = item.size - start
        said = ("appended", f"{size:,} bytes behind the end of a picture", {"offset": start, "size": size})
        yield item.child("behind-the-end", [["cut", start, size]], size, kind=Kind.DERIVED, findings=[said])


def _first_that_is_something(item: Item, at: int) -> int | None:
    """Return the first byte from a place on that is not zero."""
    while at < item.size:
        piece = item.read_at(at, _PIECE)
        if not piece:
            return None
        rest = piece.lstrip(b"\0")
        if rest:
            return at + len(piece) - len(rest)
        at += len(piece)
    return None


PLUGIN = Appended
