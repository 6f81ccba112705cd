"""RAF, the raw files of Fujifilm cameras: a table of where the preview, the settings and the sensor's data lie.

Sources: libopenraw's description of RAF; a second pair of settings and data, of cameras with two kinds of pixels, as ExifTool names it.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_SECOND = 0x94
"""Where the preview begins at the earliest if the table has the second pair."""
_MOST_SETTINGS = 255


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 160)
    if len(head) < 160 or not head[16:20].isdigit():
        return None
    preview, settings, data = (struct.unpack_from(">II", head, at) for at in (84, 92, 100))
    stretches = [preview, settings, data]
    if preview[0] >= _SECOND:
        stretches += [pair for pair in (struct.unpack_from(">II", head, at) for at in (120, 128)) if all(pair)]
    ordered = sorted(stretches)
    apart = all(a + length <= b for (a, length), (b, _) in pairwise(ordered))
    if not all(at >= 108 and length for at, length in stretches) or not apart:
        return None
    if window.at(preview[0], 3) != b"\xff\xd8\xff" or not _settings(window, *settings):
        return None
    end = max(at + length for at, length in stretches)
    facts: Facts = {"camera": show(head[28:60].split(b"\0")[0].decode("ascii", "replace").strip())}
    facts.update(_size(window, *settings))
    if end > window.size:
        if preview[0] + preview[1] > window.size:
            return None
        why, structure = "the space ends before its sensor's data do", Structure.TRUNCATED
    else:
        why, structure = "all that its table leads to is there", Structure.COMPLETE
    begins = window.at(preview[0] + preview[1] - 64, 64) if structure is Structure.COMPLETE else b""
    part = Part(offset=preview[0], length=preview[1], extension="jpg", name="preview")
    return Walked(
        length=min(end, window.size),
        structure=structure,
        why=why,
        checked=b"\xff\xd9" in begins,
        valid=None if structure is Structure.COMPLETE else preview[0] + preview[1],
        parts=(part,),
        facts=facts,
    )


def _settings(window: Window, start: int, length: int) -> bool:
    """Whether the settings are records that keep within their stretch."""
    at, end = start + 4, start + length
    count = int.from_bytes(window.at(start, 4), "big")
    if not 0 < count <= _MOST_SETTINGS:
        return False
    for _ in range(count):
        head = window.at(at, 4)
        if len(head) < 4:
            return False
        at += 4 + int.from_bytes(head[2:4], "big")
    return at <= end


def _size(window: Window, start: int, length: int) -> Facts:
    """Return the picture's size, which a setting tells."""
    at = start + 4
    for _ in range(min(_MOST_SETTINGS, length // 4)):
        head = window.at(at, 8)
        if len(head) < 8:
            break
        tag, size, height, width = struct.unpack(">HHHH", head)
        if tag in {0x121, 0x111} and size == 4:
            return {"width": width, "height": height}
        at += 4 + size
    return {}


FORMATS = (Format(name="raf", extension="raf", headers=(Header(b"FUJIFILMCCD-RAW "),), walk=_walk, largest=1 << 32),)
