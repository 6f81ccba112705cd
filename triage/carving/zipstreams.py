"""Streams that Python's own decoders read, one behind the other: where they end, and that their checksums are right."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Structure, Walked
from triage.carving.zipextent import looks_packed, without_zeros
from triage.carving.zipinflate import MUCH, Budget, Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.carving.window import Window
    from triage.evidence.decoders import Decoder

_PIECE = 16 << 10
_OUT = 1 << 20
_STREAMS = 100_000


@dataclass(slots=True)
class _Decoded:
    ending: Ending
    end: int
    size: int


def _decode(window: Window, start: int, decoder: Decoder, budget: Budget) -> _Decoded:
    size = 0
    for offset, chunk in window.chunks(start):
        budget.earn(len(chunk))
        for at in range(0, len(chunk), _PIECE):
            data = chunk[at : at + _PIECE]
            fed = data
            while True:
                try:
                    out = decoder.decompress(fed, _OUT)
                except (OSError, lzma.LZMAError):
                    return _Decoded(Ending.BROKEN, offset + at, size)
                window.spend(len(out))
                size += len(out)
                if decoder.eof:
                    return _Decoded(Ending.ENDED, offset + at + len(data) - len(decoder.unused_data), size)
                if not budget.take(len(out)):
                    return _Decoded(Ending.SPENT, offset + at, size)
                fed = b""
                if decoder.needs_input:
                    break
    return _Decoded(Ending.CUT, window.size, size)


def walk_streams(window: Window, make: Callable[[], Decoder], begins: Callable[[Window, int], int]) -> Walked | None:
    """Return the file of one or more streams. ``begins`` says where one does, at an offset or behind padding there; -1 for nowhere."""
    budget, at, end, count, size = Budget(MUCH), 0, 0, 0, 0
    while at >= 0 and count < _STREAMS:
        found = _decode(window, at, make(), budget)
        if found.ending is not Ending.ENDED:
            reached = without_zeros(window, at, found.end)
            if found.size and looks_packed(window, at, reached):
                return _cut(found, reached, end, {"streams": count, "expanded_size": size + found.size})
            if not count:
                return None
            break  # what follows a whole file only looked like another stream of it
        end, count, size = found.end, count + 1, size + found.size
        at = begins(window, end)
        if at >= 0 and at % window.block == 0 and count == 1:
            break  # where a block begins, another file may
    facts: Facts = {"streams": count, "expanded_size": size}
    return Walked(length=end, structure=Structure.COMPLETE, why="the checksums of its streams are right", checked=True, facts=facts)


def _cut(found: _Decoded, reached: int, end: int, facts: Facts) -> Walked:
    why = {
        Ending.SPENT: f"up to byte {reached} it expands to {facts['expanded_size']} bytes: given up",
        Ending.BROKEN: f"what follows byte {reached} is not compressed data of it",
    }.get(found.ending, "the space ends inside it")
    return Walked(length=reached, structure=Structure.TRUNCATED, why=why, valid=max(end, 1), facts=facts)
