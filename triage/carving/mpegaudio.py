"""Chains of frames of MPEG audio (ISO/IEC 11172-3, 13818-3): each header says how long its frame is, and where the next one stands."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from triage.content.frames import frame_length

if TYPE_CHECKING:
    from triage.carving.window import Window

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_VERSIONS = {3: "MPEG-1", 2: "MPEG-2", 0: "MPEG-2.5"}
_FIRST, _MOST = 64 << 10, 1 << 20
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Sound:
    """What a frame header says. ``samples``: per channel in a frame. ``layer``: 1 to 3."""

    name: str
    layer: int
    hertz: int
    channels: int
    samples: int


def sound_of(head: bytes) -> Sound | None:
    """Read a frame's header, four bytes; ``None`` when it is none."""
    if not frame_length(head, 0):
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    channels = 1 if head[3] >> 6 == 3 else 2
    return Sound(f"{_VERSIONS[version]} layer {'I' * layer}", layer, _RATES[version][head[2] >> 2 & 3], channels, samples)


@cache
def _lengths(second: int, speed: int) -> dict[bytes, int]:
    found = {}
    for one in (second, second | 1):  # with a checksum, and without
        for third in range(256):
            start = bytes((0xFF, one, third))
            if third >> 2 & 3 == speed and (length := frame_length(start + b"\0", 0)):
                found[start] = length
    return found


def frame_lengths(head: bytes) -> dict[bytes, int]:
    """Return by the first three bytes of a frame its length: of all that may belong to one stream with ``head``'s."""
    return _lengths(head[1] & 0xFE, head[2] >> 2 & 3)


@dataclass(frozen=True, slots=True)
class Chain:
    """Frames that follow each other: where they end, how many there are, and where the last one begins.

    ``restart``: they would go on, but with the first frame of another file, which begins at a sector's start.
    """

    end: int
    count: int
    last: int
    restart: bool = False


def follow(window: Window, start: int, lengths: dict[bytes, int], *, most: int = 1 << 40) -> Chain:
    """Follow the frames from ``start`` on until one is none of ``lengths``, or ``most`` were seen."""
    offset, count, size, step = start, 0, 0, _FIRST
    while True:
        data = window.at(offset, step)
        stop = _other_file(data, offset, start, lengths)
        at = 0
        seen = data if stop < 0 else data[:stop]
        limit = count + min(most - count, len(data))
        try:
            while count < limit:
                size = lengths[seen[at : at + 3]]
                at += size
                count += 1
        except KeyError:
            pass
        offset += at
        if 0 <= stop <= at:
            return Chain(offset, count, offset - size if count else start, restart=at == stop)
        if at < len(data) - 3 or count >= most or offset + 3 > window.size or not at:
            return Chain(offset, count, offset - size if count else start)
        step = min(step * 4, _MOST)


def _other_file(data: bytes, offset: int, start: int, lengths: dict[bytes, int]) -> int:
    """Return where in ``data`` a frame at a sector's start tells of a whole file, as only the first one of a file does; -1 for nowhere."""
    first = -offset % _SECTOR
    if offset + first == start:
        first += _SECTOR
    marks = data[first::_SECTOR]
    at = marks.find(b"\xff")
    while at >= 0:
        place = first + at * _SECTOR
        if data[place : place + 3] in lengths and told(data[place : place + 200]) is not None:
            return place
        at = marks.find(b"\xff", at + 1)
    return -1


@dataclass(frozen=True, slots=True)
class Told:
    """What the first frame tells of the file: frames behind it and bytes with it, 0 when it does not say."""

    frames: int
    size: int


def told(frame: bytes) -> Told | None:
    """Read a Xing, Info or VBRI header out of the first frame."""
    if len(frame) < 64:
        return None
    if frame[36:40] == b"VBRI":
        return Told(int.from_bytes(frame[50:54], "big"), int.from_bytes(frame[46:50], "big"))
    side = ((17, 32) if frame[3] >> 6 != 3 else (9, 17))[frame[1] >> 3 & 1]
    for at in (4 + side, 6 + side):
        if frame[at : at + 4] in (b"Xing", b"Info"):
            flags, one, two = struct.unpack_from(">III", frame, at + 4)
            return Told(one if flags & 1 else 0, (two if flags & 1 else one) if flags & 2 else 0)
    return None
