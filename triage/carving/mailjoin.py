"""The rest of a message of several parts behind a gap: where its own closing boundary stands, which no other message has.

Text before the mark is gone back over block by block as far as it is text. Encoded parts prove the place: their lines are all of one
length (RFC 2045, 6.8), the one across the gap as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.carving.mailtext import begins_any
from triage.carving.textual import SECTOR, is_text

if TYPE_CHECKING:
    from triage.carving.window import Window

_FURTHEST = 32 << 20
"""Bytes behind the gap in which the mark is looked for."""
_BACK = 4096
"""Blocks that are gone back over from the mark."""
_ENCODED = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
_TRIED = 64
_AROUND = 400


def find_rest(window: Window, cut: int, mark: bytes) -> int | None:
    """Return where the rest of a message begins that breaks off at ``cut`` and ends with ``mark``; ``None`` if that cannot be told."""
    at = window.find(mark, cut, cut + _FURTHEST)
    if at < 0:
        return None
    unit = window.block if cut % window.block == 0 else SECTOR
    first = at // unit * unit
    for _ in range(_BACK):
        before = window.at(first - unit, unit)
        if first - unit < cut + unit or not is_text(before):
            break
        first -= unit
        if begins_any(before):
            first += unit
            break
    tried = range(first, min(at, first + _TRIED * unit), unit)
    fitting = [place for place in tried if place > cut and fits(window, cut, place)]
    if first in fitting:
        return first
    return fitting[0] if len(fitting) == 1 and _encoded(window, cut) else None


def fits(window: Window, cut: int, place: int) -> bool:
    """Whether the line that ends behind ``place`` goes on from ``cut``: in an encoded part it is as long as the one before it."""
    before, behind = window.at(max(0, cut - _AROUND), min(_AROUND, cut)), window.at(place, _AROUND)
    lines = before.split(b"\n")
    following = behind.split(b"\n")
    if len(lines) < 2 or len(following) < 2:
        return False
    last = lines[-2].rstrip(b"\r")
    across = (lines[-1] + following[0]).rstrip(b"\r")
    if not _ENCODED.fullmatch(last):
        return is_text(behind[: len(following[0]) + 1])
    if len(across) == len(last):
        return _ENCODED.fullmatch(across) is not None
    ends = following[1].rstrip(b"\r")
    return (
        len(across) < len(last)
        and not across.strip(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
        and (not ends or ends.startswith(b"--"))
    )


def _encoded(window: Window, cut: int) -> bool:
    lines = window.at(max(0, cut - _AROUND), min(_AROUND, cut)).split(b"\n")
    return len(lines) > 1 and _ENCODED.fullmatch(lines[-2].rstrip(b"\r")) is not None
