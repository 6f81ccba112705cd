"""CIRCL's hashlookup as a Bloom filter (:mod:`triage.hashsets.bloomhint`): kept whole, asked for a hint, never for a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import HashsetError
from triage.hashsets.bloomhint import HEADER, Filter
from triage.hashsets.records import Blob, Note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.hashsets.records import Event
    from triage.hashsets.source import Source

_STEP = 1 << 20


def looks_like(head: bytes) -> bool:
    """Say whether the header's numbers are those of a filter."""
    try:
        Filter(head[: HEADER.size])
    except ValueError:
        return False
    return True


def read(source: Source) -> Iterator[Event]:
    """Yield the filter. Raise ``HashsetError`` when it is cut short."""
    try:
        found = Filter(source.head)
    except ValueError as error:
        raise HashsetError(f"{source.path} is no filter of hashlookup: {error}") from error
    yield Note(
        f"a filter, not a list: about one of {round(1 / found.rate):,} unknown files is taken for known. "
        "It hints, nothing is decided by it; its keys are taken to be SHA-1 in capital letters, as in CIRCL's hashlookup-full.bloom"
    )
    yield Blob("hashlookup", _parts(source, found.size), int(found.keys))


def _parts(source: Source, size: int) -> Iterator[bytes]:
    with source.open() as stream:
        left = size
        while left:
            part = stream.read(min(_STEP, left))
            if not part:
                raise HashsetError(f"{source.path} is a filter that ends {left:,} bytes before its end", hint="get it again")
            left -= len(part)
            yield part
