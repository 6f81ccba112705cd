"""FLV (Adobe Flash Video File Format Specification 10.1, annex E): tags with a length each, and behind each the length again.

The lengths behind the tags prove the chain up to the last; the script tag at the start says how long, wide and large the film is.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.places import places

if TYPE_CHECKING:
    from triage.carving.window import Window

_SOUND, _PICTURE, _SCRIPT = 8, 9, 18
_VIDEO = {2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6 with alpha", 6: "Screen video 2", 7: "H.264", 12: "H.265"}
_AUDIO = {0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 4: "Nellymoser", 5: "Nellymoser", 6: "Nellymoser", 10: "AAC", 11: "Speex"}
_SECTOR = 512
_FIRST, _MOST = 64 << 10, 1 << 20
_NEAR = 1 << 20
_EACH = 64
_TAG = re.compile(rb"[\x08\x09](?=[\s\S]{7}\0\0\0)")
"""Sound or picture, with three bytes of length and four of time, and the stream's number, which is always 0."""
_BREAKS = 100
_LATER = 60_000
"""Milliseconds by which the next tag behind a break may be later."""
_SHORT = 1500
"""Milliseconds that the last tags may lack of the duration in the script tag."""


@dataclass(slots=True)
class _Seen:
    """What was read. ``end``: behind the last right tag; ``begun``: a tag begins there, but its end is not where it says."""

    end: int
    tags: int = 0
    frames: int = 0
    sound: int = -1
    picture: int = -1
    time: int = 0
    begun: int = 0
    codes: set[int] = field(default_factory=set)


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 13)
    if len(head) < 13 or head[4] & 0xFA or not head[4] & 5 or head[5:9] != b"\0\0\0\x09" or head[9:13] != bytes(4):
        return None
    seen = _Seen(13)
    _follow(window, seen)
    if not seen.frames and seen.sound < 0:
        return None
    told = _script(window)
    first_break, breaks = 0, 0
    # In the middle of a sector nothing else begins: where no tag was begun there, the file has ended.
    while (seen.begun or not seen.end % _SECTOR) and seen.end < window.size and breaks < _BREAKS and not _is_told(seen, told):
        again = _resumed(window, seen)
        if again < 0:
            break
        first_break, breaks = first_break or seen.end, breaks + 1
        seen.end = again
        _follow(window, seen)
    facts = _facts(seen, told)
    if breaks:
        why = f"{breaks} times its tags break off, first at byte {first_break}, and go on behind"
        structure = Structure.TRUNCATED if seen.begun else Structure.DAMAGED
        return Walked(length=seen.end, structure=structure, why=why, valid=first_break, facts=facts)
    missing = int(told.get("duration", 0) * 1000) - seen.time
    if seen.begun and not _is_told(seen, told):
        why = f"the tag at byte {seen.end} does not end where it says"
        length = min(seen.begun, window.size)
        return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=seen.end, facts=facts)
    if missing > max(_SHORT, seen.time // 20) and not seen.end % _SECTOR:
        why = f"its tags end at byte {seen.end}, {missing} ms earlier than its script tag says"
        return Walked(length=seen.end, structure=Structure.TRUNCATED, why=why, facts=facts)
    checked = _is_told(seen, told)
    why = f"its {seen.tags} tags end at byte {seen.end}" + (", as its script tag says" if checked else "")
    return Walked(length=seen.end, structure=Structure.COMPLETE, why=why, checked=checked, facts=facts)


def _is_told(seen: _Seen, told: dict[str, float]) -> bool:
    """Whether the tags end where the script tag says that the file does."""
    return told.get("filesize", 0) == seen.end


def _follow(window: Window, seen: _Seen) -> None:
    """Follow the tags from ``seen.end`` on, each with its length behind it (E.3, E.4.1)."""
    offset, step = seen.end, _FIRST
    seen.begun = 0
    while True:
        data = window.at(offset, step)
        at, ready = 0, len(data) - 15
        while at <= ready:
            kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
            if kind & 0x1F not in (_SOUND, _PICTURE, _SCRIPT) or kind & 0xC0 or data[at + 8 : at + 11] != b"\0\0\0" or not size:
                seen.end = offset + at
                return
            after = at + 11 + size
            behind = data[after : after + 4] if after + 4 <= len(data) else window.at(offset + after, 4)
            # Some writers leave out the header's eleven bytes, against the specification.
            if len(behind) < 4 or int.from_bytes(behind, "big") not in (size + 11, size):
                seen.end, seen.begun = offset + at, offset + after + 4
                return
            seen.tags += 1
            time = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
            if kind & 0x1F == _PICTURE:
                seen.frames += 1
                seen.picture = data[at + 11] & 15 if at + 11 < len(data) else seen.picture
            elif kind & 0x1F == _SOUND:
                seen.sound = data[at + 11] >> 4 if at + 11 < len(data) else seen.sound
            seen.time = max(seen.time, time) if kind & 0x1F != _SCRIPT else seen.time
            at = after + 4
        offset += at
        seen.end = offset
        if not data or offset + 15 > window.size:
            rest = window.at(offset, 15)
            if rest[:1] in (b"\x08", b"\x09", b"\x12"):
                seen.begun = window.size
            return
        step = min(step * 4, _MOST)


def _resumed(window: Window, seen: _Seen) -> int:
    """Return where near behind a break a tag of this film stands that ends where it says; -1 for nowhere."""
    other = (place for place in places(window, b"FLV\x01", seen.end, seen.end + _NEAR) if not place % _SECTOR)
    for offset, data in window.chunks(seen.end + 1, next(other, seen.end + _NEAR)):
        for match in _TAG.finditer(data):
            at = match.start()
            window.spend(_EACH)
            time = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
            if 0 <= time - seen.time < _LATER:
                size = int.from_bytes(data[at + 1 : at + 4], "big")
                if size and window.at(offset + at + 11 + size, 4) == (size + 11).to_bytes(4, "big"):
                    return offset + at
    return -1


def _script(window: Window) -> dict[str, float]:
    """Return the numbers of the script tag that are of use (E.5): AMF0 has a name and behind it a marker and a double."""
    head = window.at(13, 11)
    if not head or head[0] != _SCRIPT:
        return {}
    data = window.at(24, min(int.from_bytes(head[1:4], "big"), 64 << 10))
    found = {}
    for name in ("duration", "width", "height", "filesize"):
        at = data.find(name.encode() + b"\0")
        if at >= 0 and at + len(name) + 9 <= len(data):
            (value,) = struct.unpack_from(">d", data, at + len(name) + 1)
            if 0 <= value < 1 << 53:
                found[name] = value
    return found


def _facts(seen: _Seen, told: dict[str, float]) -> Facts:
    facts: Facts = {"duration_ms": seen.time, "frames": seen.frames}
    for name in ("width", "height"):
        if 0 < told.get(name, 0) < 1 << 16:
            facts[name] = int(told[name])
    codecs = [name for name in (_VIDEO.get(seen.picture), _AUDIO.get(seen.sound)) if name]
    if codecs:
        facts["codec"] = ", ".join(codecs)
    return facts


def _rejoin(_window: Window, _walked: Walked) -> None:
    """Find nothing more: it is walked again where the whole files in between are taken out, and its lengths prove what that finds."""
    return


FORMATS = (Format(name="flv", extension="flv", headers=(Header(b"FLV\x01"),), walk=_walk, rejoin=_rejoin, largest=1 << 36),)
