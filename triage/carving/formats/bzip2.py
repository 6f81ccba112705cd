"""bzip2: blocks with checksums each, and one over all (bzip2 1.0.8, decompress.c; there is no specification)."""

from __future__ import annotations

import bz2
from typing import TYPE_CHECKING

from triage.carving.forms import Format, Header, Walked
from triage.carving.zipstreams import walk_streams

if TYPE_CHECKING:
    from triage.carving.window import Window

_BLOCK = b"1AY&SY"
_HEADER = Header(b"BZh\0" + _BLOCK, mask=b"\xff\xff\xff\0" + b"\xff" * 6)


def _begins(window: Window, at: int) -> int:
    head = window.at(at, 10)
    return at if _HEADER.matches(head) and 0x31 <= head[3] <= 0x39 else -1


def _walk(window: Window) -> Walked | None:
    return walk_streams(window, bz2.BZ2Decompressor, _begins) if _begins(window, 0) == 0 else None


FORMATS = (Format(name="bzip2", extension="bz2", headers=(_HEADER,), walk=_walk),)
