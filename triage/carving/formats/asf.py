"""WMV, WMA and ASF (Advanced Systems Format Specification, revision 01.20.03): objects with a GUID and a length each.

The header says how many packets of which size the data object has, and how long the file is; behind the data come indexes.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window


def _guid(text: str) -> bytes:
    return uuid.UUID(text).bytes_le


_HEADER = _guid("75B22630-668E-11CF-A6D9-00AA0062CE6C")
_DATA = _guid("75B22636-668E-11CF-A6D9-00AA0062CE6C")
_FILE = _guid("8CABDCA1-A947-11CF-8EE4-00C00C205365")
_STREAM = _guid("B7DC0791-A9B7-11CF-8EE6-00C00C205365")
_EXTENSION = _guid("5FBF03B5-A92E-11CF-8EE3-00C00C205365")
_EXTENDED_STREAM = _guid("14E6A5CB-C672-4332-8399-A96952065B5A")
_AUDIO = _guid("F8699E40-5B4D-11CF-A8FD-00805F5C442B")
_VIDEO = _guid("BC19EFC0-5B4D-11CF-A8FD-00805F5C442B")
_BEHIND = {
    _guid("33000890-E5B1-11CF-89F4-00A0C90349CB"),  # simple index
    _guid("D6E229D3-35DA-11D1-9034-00A0C90349BE"),  # index
    _guid("FEB103F8-12AD-4C64-840F-2A1D2F7AD48C"),  # media object index
    _guid("3CB73FD0-0C4A-4803-953D-EDF7B6228F0C"),  # timecode index
    _guid("BE7ACFCB-97A9-42E8-9C71-999491E3AFAC"),  # XMP
}
_CODECS = {0x160: "WMA 1", 0x161: "WMA 2", 0x162: "WMA Pro", 0x163: "WMA Lossless", 0x0A: "WMA Voice", 0x55: "MP3", 0x01: "PCM"}
_LARGEST_HEADER = 32 << 20
_OBJECTS = 4096
_PROPERTIES = 0x5D
"""What each packet says of the lengths of its fields (5.2.2): there is but one value."""
_LARGEST_PACKET = 1 << 20
_PIECE = 1 << 20
_SECTOR = 512


@dataclass(slots=True)
class _Told:
    """What the header says. ``size``: of the file; ``packets`` of ``packet_size`` bytes; ``live``: what is said of both is not meant."""

    file_id: bytes = b""
    size: int = 0
    packets: int = 0
    packet_size: int = 0
    duration: int = 0
    live: bool = False
    audio: str = ""
    video: str = ""
    facts: Facts = field(default_factory=dict)


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 30)
    size = int.from_bytes(head[16:24], "little")
    if len(head) < 30 or head[28:30] != b"\x01\x02" or not 30 + 104 <= size <= _LARGEST_HEADER:
        return None
    told = _Told()
    _objects(window.at(30, size - 30), told, 0)
    data = window.at(size, 50)
    if not told.packet_size or data[:16] != _DATA or data[24:40] != told.file_id:
        return None
    extension = "wmv" if told.video else "wma" if told.audio else "asf"
    facts = told.facts | {"duration_ms": told.duration}
    if told.video or told.audio:
        facts["codec"] = ", ".join(name for name in (told.video, told.audio) if name)
    start = size + 50
    count = int.from_bytes(data[40:48], "little")
    open_end = told.live or not count
    room = (window.size - start) // told.packet_size
    count = room if open_end else count
    right, wrong, last, first_wrong = _packets(window, start, min(count, room), told.packet_size, open_end=open_end)
    facts["packets"] = right
    if not last:
        return None
    there = start + last * told.packet_size
    if open_end and not wrong:
        end = _objects_behind(window, there)
        why = f"it was recorded live, and its {right} packets end at byte {there}"
        return Walked(length=end, structure=Structure.COMPLETE, why=why, extension=extension, facts=facts)
    if last < count:
        if told.duration and not open_end:
            facts["duration_ms"] = told.duration * right // count
        why = f"{right} of its {count} packets are there"
        length = min(there + told.packet_size, window.size)
        return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=there, extension=extension, facts=facts)
    end = _objects_behind(window, there)
    if wrong:
        why = f"{wrong} of its {count} packets do not begin as packets do"
        return Walked(
            length=end, structure=Structure.DAMAGED, why=why, valid=start + first_wrong * told.packet_size, extension=extension, facts=facts
        )
    exact = told.size == end
    if not exact and end < told.size <= window.size:
        why = f"all of its {count} packets are there, but not the index behind them"
        return Walked(length=told.size, structure=Structure.DAMAGED, why=why, valid=end, extension=extension, facts=facts)
    if not exact and told.size > window.size:
        return Walked(length=end, structure=Structure.TRUNCATED, why="the space ends in its index", extension=extension, facts=facts)
    why = f"its {count} packets and what is behind them end at byte {end}" + (", as its header says" if exact else "")
    return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=exact, extension=extension, facts=facts)


def _objects(data: bytes, told: _Told, depth: int) -> None:
    """Read the objects of the header (3)."""
    at = 0
    for _ in range(_OBJECTS):
        size = int.from_bytes(data[at + 16 : at + 24], "little")
        if not 24 <= size <= len(data) - at:
            return
        name, body = data[at : at + 16], data[at + 24 : at + size]
        if name == _FILE and len(body) >= 80:
            _file_properties(body, told)
        elif name == _STREAM:
            _stream(body, told)
        elif name == _EXTENSION and len(body) >= 22 and not depth:
            _objects(body[22:], told, depth + 1)
        elif name == _EXTENDED_STREAM and depth:
            found = body.find(_STREAM, 64)
            if found >= 0:
                _stream(body[found + 24 :], told)
        at += size


def _file_properties(body: bytes, told: _Told) -> None:
    """Read the file properties (3.2)."""
    told.file_id = body[:16]
    told.size, _, told.packets, play, _, preroll = (int.from_bytes(body[at : at + 8], "little") for at in range(16, 64, 8))
    flags, smallest, largest = (int.from_bytes(body[at : at + 4], "little") for at in (64, 68, 72))
    told.live = bool(flags & 1)
    if smallest == largest and 16 <= largest <= _LARGEST_PACKET:
        told.packet_size = largest
    told.duration = max(play // 10_000 - preroll, 0) if play < 1 << 62 else 0


def _stream(body: bytes, told: _Told) -> None:
    """Read the properties of a stream (3.3; 9.1 and 9.2: a WAVEFORMATEX, and a BITMAPINFOHEADER behind eleven bytes)."""
    if body[:16] == _AUDIO and len(body) >= 54 + 16:
        codec, channels, hertz = (int.from_bytes(body[a:b], "little") for a, b in ((54, 56), (56, 58), (58, 62)))
        told.audio = told.audio or _CODECS.get(codec, "sound")
        told.facts |= {"channels": channels, "sample_rate": hertz}
    elif body[:16] == _VIDEO and len(body) >= 54 + 11 + 40:
        width, height = (int.from_bytes(body[a : a + 4], "little") for a in (54, 58))
        letters = body[54 + 11 + 16 : 54 + 11 + 20]
        told.video = told.video or (letters.decode("ascii") if letters.isalnum() and letters.isascii() else "video")
        if 0 < width < 1 << 16 and 0 < height < 1 << 16:
            told.facts |= {"width": width, "height": height}


def _packets(window: Window, start: int, count: int, size: int, *, open_end: bool) -> tuple[int, int, int, int]:
    """Return how many packets are right and how many wrong up to the last right one, the number behind that, and the first wrong (5.2).

    Each begins with error correction data, alike in all, or at once with the flags that say which of its fields there are.
    """
    first = window.at(start, 5)
    if len(first) < 5 or not count:
        return 0, 0, 0, 0
    corrected = first[0] & 0x80
    mark = first[:3] if corrected else b""
    if (corrected and first[0] & 0x7F != 2) or first[4 if corrected else 1] != _PROPERTIES:
        return 0, 0, 0, 0
    right = wrong = last = number = 0
    first_wrong = -1
    width = 5 if corrected else 2
    each = max(_PIECE // size, 1)
    while number < count:
        some = min(each, count - number)
        data = window.at(start + number * size, some * size)
        raw = np.frombuffer(data, dtype=np.uint8, count=len(data) // size * size).reshape(-1, size)[:, :width]
        good = raw[:, -1] == _PROPERTIES
        for at, byte in enumerate(mark):
            good &= raw[:, at] == byte
        places = np.flatnonzero(good)
        if first_wrong < 0 and len(places) < len(good):
            first_wrong = number + int(np.argmin(good))
        if len(places):
            right += len(places)
            last = number + int(places[-1]) + 1
            wrong = last - right
        number += len(good)
        if len(good) < some or (open_end and len(places) < some) or number - last > each * 4:
            break
    if open_end and wrong:
        return first_wrong, 0, first_wrong, first_wrong  # without a count, the first that is none is the end
    return right, wrong, last, max(first_wrong, 0)


def _objects_behind(window: Window, end: int) -> int:
    """Return where the indexes behind the data end (6)."""
    for _ in range(_OBJECTS):
        head = window.at(end, 24)
        size = int.from_bytes(head[16:24], "little")
        if head[:16] not in _BEHIND or size < 24 or end + size > window.size:
            return end
        end += size
    return end


def _rejoin(_window: Window, _walked: Walked) -> None:
    """Find nothing more: it is walked again where the whole files in between are taken out, and its counts prove what that finds."""
    return


FORMATS = (Format(name="asf", extension="asf", headers=(Header(_HEADER),), walk=_walk, rejoin=_rejoin, largest=1 << 40),)
