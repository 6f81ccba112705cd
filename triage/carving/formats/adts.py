"""AAC in ADTS frames (ISO/IEC 13818-7, 6.2; 14496-3, 1.A.2): 12 bits of sync, a length, and a header that stays the same in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mpegtags import ID3_HEADERS, behind_tags, doubt, is_cut, next_tag, trailers
from triage.carving.places import places
from triage.content.frames import adts_length

if TYPE_CHECKING:
    from triage.carving.window import Window

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_SAMPLES = 1024
_OBJECTS = ("AAC Main", "AAC LC", "AAC SSR", "AAC LTP")
_FRAMES, _FRAMES_TAGGED = 16, 4
"""Frames that are believed: without anything else, and behind a tag."""
_FIRST, _MOST = 64 << 10, 1 << 20
_NEAR = 8192 + 8
"""More than a frame has, and the next one's header: its length has 13 bits."""
_AGAIN = 64 << 10


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _NEAR)
    start = 0
    if head[:3] == b"ID3":
        start = behind_tags(window)
        head = window.at(start, _NEAR) if start else b""
    first = adts_length(head, 0)
    if first < 8 or head[first : first + 3] != head[:3] or not adts_length(head, first):
        return None
    end, count, last = _follow(window, start)
    if count < (_FRAMES_TAGGED if start else _FRAMES):
        return None
    hertz = _RATES[head[2] >> 2 & 15]
    channels = (head[2] & 1) << 2 | head[3] >> 6
    facts: Facts = {
        "codec": _OBJECTS[head[2] >> 6],
        "duration_ms": count * _SAMPLES * 1000 // hertz,
        "sample_rate": hertz,
        "channels": 8 if channels == 7 else channels,
        "frames": count,
    }
    if end > window.size:
        why = "the space ends inside it"
        return Walked(length=window.size, structure=Structure.TRUNCATED, why=why, valid=last, facts=facts)
    behind = trailers(window, end)
    if behind == end:
        if window.joints(last, end):
            why = f"its last whole frame ends at byte {last}, at the edge of free space"
            return Walked(length=end, structure=Structure.TRUNCATED, why=why, valid=last, facts=facts)
        if is_cut(window, last, end):
            why = f"its frames break off at byte {end}"
            return Walked(length=end, structure=Structure.TRUNCATED, why=why, valid=last, facts=facts)
        again = _resumed(window, end, head[:3])
        if again % 512 and again > 0:
            why = f"its frames break off at byte {end}, and frames like them go on at byte {again}"
            return Walked(length=end, structure=Structure.TRUNCATED, why=why, valid=last, facts=facts)
    why = f"its {count} frames end at byte {end}" + (", then come tags" if behind > end else doubt(window, last, end))
    return Walked(length=behind, structure=Structure.COMPLETE, why=why, facts=facts)


def _follow(window: Window, start: int, most: int = 1 << 40) -> tuple[int, int, int]:
    """Return where the frames end that begin at ``start``, how many there are and where the last one begins.

    Each must have the fixed header of the first (13818-7, 6.2.1): only the copyright bits and the length change.
    """
    offset, count, last, step = start, 0, start, _FIRST
    fixed, fourth = b"", -1
    while True:
        data = window.at(offset, step)
        if fourth < 0 and len(data) > 3:
            fixed, fourth = data[:3], data[3] & 0xF0
        at, ready = 0, len(data) - 6
        while at < ready and count < most and data[at : at + 3] == fixed and data[at + 3] & 0xF0 == fourth:
            length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
            if length < 8:
                return offset + at, count, last
            last = offset + at
            at += length
            count += 1
        offset += at
        if at < ready or not at or count >= most:
            return offset, count, last
        step = min(step * 4, _MOST)


def _resumed(window: Window, offset: int, fixed: bytes) -> int:
    """Return where behind a break frames of the kind go on; -1 for nowhere near."""
    for place in places(window, fixed, offset, next_tag(window, offset, offset + _AGAIN)):
        if _follow(window, place, _FRAMES_TAGGED)[1] == _FRAMES_TAGGED:
            return place
    return -1


_STARTS = tuple(Header(bytes((0xFF, second))) for second in (0xF1, 0xF9, 0xF0, 0xF8))
FORMATS = (Format(name="adts", extension="aac", headers=(*ID3_HEADERS, *_STARTS), walk=_walk, largest=1 << 32),)
