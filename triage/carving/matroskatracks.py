"""What the heads of a Matroska file say: tracks and duration, where its parts are, and its attachments (RFC 9559, 5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.carving.bmff import Track
from triage.carving.ebml import elements, number
from triage.carving.forms import Part

if TYPE_CHECKING:
    from triage.carving.window import Window

_MOST_TRACKS = 127
_LARGEST = 4 << 20
_PLAIN = {
    b"V_AV1": b"av01",
    b"V_VP8": b"vp08",
    b"V_VP9": b"vp09",
    b"V_MJPEG": b"jpeg",
    b"V_MPEG4/ISO/ASP": b"m4v ",
    b"V_MPEG4/ISO/SP": b"m4v ",
    b"V_MPEG4/ISO/AVC": b"avc1",
    b"V_MPEGH/ISO/HEVC": b"hvc1",
    b"V_PRORES": b"prores",
    b"A_AC3": b"ac-3",
    b"A_EAC3": b"ec-3",
    b"A_MPEG/L3": b".mp3",
    b"A_FLAC": b"fLaC",
    b"A_OPUS": b"Opus",
    b"A_VORBIS": b"Vorbis",
}
_BOXES = {b"avc1": b"avcC", b"hvc1": b"hvcC"}
_EXTENSIONS = {b"image/jpeg": "jpg", b"image/png": "png"}


@dataclass(slots=True)
class Heads:
    """``scale``: nanoseconds of one tick; ``duration`` in milliseconds; ``places``: offsets that the seek head tells, by identifier."""

    tracks: dict[int, Track] = field(default_factory=dict)
    scale: int = 1_000_000
    duration: int = 0
    places: dict[int, int] = field(default_factory=dict)
    cues: list[int] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)


def read_info(heads: Heads, data: bytes) -> None:
    """Read the segment's own facts (5.1.2)."""
    duration = 0.0
    for kind, start, end in elements(data):
        if kind == 0x2AD7B1:
            heads.scale = number(data, start, end) or heads.scale
        elif kind == 0x4489 and end - start in {4, 8}:
            (duration,) = struct.unpack(">f" if end - start == 4 else ">d", data[start:end])
    ticks = duration * heads.scale / 1e6
    heads.duration = int(ticks) if 0 <= ticks < 1 << 53 else 0


def read_places(heads: Heads, data: bytes, base: int) -> None:
    """Read a seek head (5.1.1); ``base``: where positions are counted from."""
    for kind, start, end in elements(data):
        if kind == 0x4DBB:
            found = {k: number(data, a, b) for k, a, b in elements(data, start, end)}
            if 0x53AB in found and 0x53AC in found:
                heads.places[found[0x53AB]] = base + found[0x53AC]


def read_cues(heads: Heads, data: bytes, base: int) -> None:
    """Read where clusters are by the cues (5.1.5)."""
    found = set()
    for kind, start, end in elements(data):
        if kind == 0xBB:
            for inner, a, b in elements(data, start, end):
                if inner == 0xB7:
                    found |= {base + number(data, c, d) for k, c, d in elements(data, a, b) if k == 0xF1}
    heads.cues = sorted(found)


def read_tracks(heads: Heads, data: bytes) -> None:
    """Read the tracks (5.1.4)."""
    for kind, start, end in elements(data):
        if kind == 0xAE and len(heads.tracks) < _MOST_TRACKS:
            track = _track(data, start, end)
            heads.tracks[track.number] = track


def _track(data: bytes, start: int, end: int) -> Track:
    track, name, private, encoded = Track(), b"", b"", False
    for kind, a, b in elements(data, start, end):
        if kind == 0xD7:
            track.number = number(data, a, b)
        elif kind == 0x83:
            track.handler = {1: b"vide", 2: b"soun"}.get(number(data, a, b), b"text")
        elif kind == 0x86:
            name = data[a : min(b, a + 64)].rstrip(b"\0")
        elif kind == 0x63A2:
            private = data[a:b]
        elif kind == 0x6D80:
            encoded = True  # parts of each frame are taken away, or it is compressed
        elif kind == 0xE0:
            sizes = {k: number(data, c, d) for k, c, d in elements(data, a, b)}
            track.width, track.height = sizes.get(0xB0, 0), sizes.get(0xBA, 0)
    track.codec = _PLAIN.get(name, name)
    if name.startswith(b"A_AAC"):
        track.codec = b"aac " if private[:1] and private[0] >> 3 in {2, 5, 29} else b"AAC"
    if track.codec in _BOXES:
        track.config = (len(private) + 8).to_bytes(4, "big") + _BOXES[track.codec] + private
    if encoded:
        track.codec, track.config = name, b""
    return track


def read_attachments(heads: Heads, window: Window, start: int, end: int) -> None:
    """Note pictures among attached files (5.1.6)."""
    data = window.at(start, min(end - start, _LARGEST))
    for count, (kind, a, b) in enumerate(elements(data)):
        if kind == 0x61A7 and count < 64:
            found = {k: (c, d) for k, c, d in elements(data, a, b)}
            extension = _EXTENSIONS.get(data[slice(*found.get(0x4660, (0, 0)))], "")
            if extension and 0x465C in found:
                c, d = found[0x465C]
                if d > c:
                    heads.parts.append(Part(offset=start + c, length=d - c, extension=extension, name=f"attachment {count + 1}"))
