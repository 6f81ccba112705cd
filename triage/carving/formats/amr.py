"""AMR and AMR-WB, which phones record calls and notes in: a line of text, then frames (RFC 4867, 5; 3GPP TS 26.101 and 26.201)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mpegtags import blank_behind, doubt, is_cut

if TYPE_CHECKING:
    from triage.carving.window import Window

_NARROW, _WIDE = b"#!AMR\n", b"#!AMR-WB\n"
_GOOD = 0x04
"""The quality bit of a frame's header: without it, zeros would be frames without end (4.3.2). The bits 0x83 are 0 (5.3)."""


def _sizes(octets: tuple[int, ...]) -> list[int]:
    """Return by a frame's first byte how long it is with it, in bytes; 0 for what is none."""
    sizes = [0] * 256
    for kind, size in enumerate(octets):
        if size >= 0:
            sizes[kind << 3 | _GOOD] = 1 + size
    return sizes


_FRAME_SIZES = {
    _NARROW: _sizes((12, 13, 15, 17, 19, 20, 26, 31, 5, -1, -1, -1, -1, -1, -1, 0)),
    _WIDE: _sizes((17, 23, 32, 36, 40, 46, 50, 58, 60, 5, -1, -1, -1, -1, 0, 0)),
}
_FRAMES = 10
"""Frames of 20 ms that are believed."""
_ENOUGH, _TAIL = 50, 4
"""Frames after which a kind not seen before is no longer believed among the last few: one random byte in 25 looks like a frame."""
_AGAIN, _FRAMES_AGAIN = 16 << 10, 20
"""How far behind a break how many frames are looked for."""
_MOST_SILENT = 10_000
"""How many tenths of bytes frames may lack of 1.3 bytes each: between frames of silence seven of one byte stand, and no more."""
_FIRST, _MOST = 64 << 10, 1 << 20


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 1024)
    magic = _NARROW if head.startswith(_NARROW) else _WIDE
    sizes = _FRAME_SIZES[magic]
    at, count = len(magic), 0
    while count < _FRAMES and at < len(head) and (size := sizes[head[at]]):
        at += size
        count += 1
    if count < _FRAMES:
        return None
    end, count, last, kinds = _follow(window, len(magic), sizes)
    if not count:
        return None
    if count > _ENOUGH and not blank_behind(window, end):
        for number in range(count - _TAIL, count):
            if kinds[number] not in kinds[: count - _TAIL]:
                end -= sum(sizes[kind] for kind in kinds[number:])
                count, last = number, end - sizes[kinds[number - 1]]
                break
    facts: Facts = {"codec": "AMR-WB" if magic == _WIDE else "AMR", "duration_ms": count * 20, "frames": count}
    extension = "awb" if magic == _WIDE else "amr"
    structure, why, valid = Structure.COMPLETE, f"its {count} frames end at byte {end}", None
    if end > window.size:
        structure, why, valid, end = Structure.TRUNCATED, "the space ends inside it", last, window.size
    elif window.joints(last, end):
        structure, why, valid = Structure.TRUNCATED, f"its last whole frame ends at byte {last}, at the edge of free space", last
    elif is_cut(window, last, end):
        structure, why, valid = Structure.TRUNCATED, f"its frames break off at byte {end}", last
    elif (again := _resumed(window, end, sizes, kinds[-1])) > 0:
        structure, valid = Structure.TRUNCATED, last
        why = f"its frames break off at byte {end}, and frames like them go on at byte {again}"
    else:
        why += doubt(window, last, end)
    return Walked(length=end, structure=structure, why=why, valid=valid, extension=extension, facts=facts)


def _follow(window: Window, start: int, sizes: list[int]) -> tuple[int, int, int, bytearray]:
    """Return where the frames end, how many there are, where the last one begins, and the first byte of each.

    A count of 0 says that there are only frames without content.
    """
    offset, size, step = start, 0, _FIRST
    kinds = bytearray()
    while True:
        data = window.at(offset, step)
        at, ready = 0, len(data)
        while at < ready and (length := sizes[data[at]]):
            kinds.append(data[at])
            size = length
            at += size
        offset += at
        if 10 * (offset - start) < 13 * len(kinds) - _MOST_SILENT:
            return offset, 0, offset, kinds
        if at < ready or not ready:
            return offset, len(kinds), offset - size, kinds
        step = min(step * 4, _MOST)


def _resumed(window: Window, offset: int, sizes: list[int], kind: int) -> int:
    """Return where near behind a break, and before another file, frames go on; -1 for nowhere."""
    data = window.at(offset, _AGAIN).partition(b"#!AMR")[0]
    place = data.find(kind)
    while place >= 0:
        at = place
        for _ in range(_FRAMES_AGAIN):
            if at >= len(data) or not sizes[data[at]]:
                break
            at += sizes[data[at]]
        else:
            return offset + place
        place = data.find(kind, place + 1)
    return -1


FORMATS = (Format(name="amr", extension="amr", headers=(Header(_NARROW), Header(_WIDE)), walk=_walk, largest=1 << 30),)
