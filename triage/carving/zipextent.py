"""How far what is compressed or encrypted goes where nothing says it: such bytes are of all kinds, and never many zeros in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.carving.window import Window

_ZEROS = bytes(512)
_PART = 2048
_KINDS = 200
"""Different bytes that 2048 random ones have at the very least: on average all 256."""
_MOST = 256 << 20
_PIECE = 64 << 10
_STRIPPED = 16 << 20


def looks_packed(window: Window, start: int, end: int) -> bool:
    """Whether the first 2 KiB are all there and look compressed or encrypted."""
    part = window.at(start, min(_PART, end - start))
    return len(part) == _PART and len(set(part)) >= _KINDS


def packed_end(window: Window, start: int, end: int) -> int:
    """Return the offset of the first 512 zeros in a row, ``end`` if there are none in the first 256 MiB."""
    end = min(end, window.size)
    found = window.find(_ZEROS, start, min(end, start + _MOST))
    return found if found >= 0 else end


def without_zeros(window: Window, start: int, end: int) -> int:
    """Return the end less the zeros before it: a decoder takes many for its own before it notices."""
    end = min(end, window.size)
    for _ in range(_STRIPPED // _PIECE):
        data = window.at(max(start, end - _PIECE), min(_PIECE, end - start))
        end -= len(data) - len(data.rstrip(b"\0"))
        if end <= start or data[-1:] != b"\0" or data.rstrip(b"\0"):
            break
    return max(end, start)
