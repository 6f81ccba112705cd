"""MPEG program stream: MPG and VOB of DVDs, camcorders and video CDs (ISO/IEC 13818-1, 2.5; 11172-1, 2.4).

Packs, each with the system's clock, and in them packets with a length each. Where no start code follows, the stream ends; its end code is
optional and mostly left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mpegtags import doubt, is_cut
from triage.carving.mpegvideo import picture_size

if TYPE_CHECKING:
    from triage.carving.window import Window

_PACK, _SYSTEM, _END, _NAVIGATION = 0xBA, 0xBB, 0xB9, 0xBF
_START = b"\0\0\1"
_FIRST, _MOST = 64 << 10, 1 << 20
_AHEAD = 16
_PROBE = 64 << 10
"""Bytes within which there must be sound or picture."""
_NEAR, _NEAR_CUT = 1 << 20, 16 << 20
"""Bytes behind a break in which the next pack is looked for: anywhere, and where the stream may have been cut."""
_LATER = 10 * 90_000
"""Ticks of the clock by which it may be later."""
_BREAKS = 1000
_EMPTY = 8
"""Packs at the start that may have no packets."""
_STEP = 64
"""What a pack or packet costs besides its bytes."""
_RATES = (0, 24000 / 1001, 24, 25, 30000 / 1001, 30, 50, 60000 / 1001, 60)
_DAY = 86_400_000


@dataclass(slots=True)
class _Seen:
    """What was read. ``last``: the last pack's or packet's place; ``clock``: of the last pack, in 1/90 000 s; ``other``: a file begins."""

    second: bool
    end: int = 0
    last: int = 0
    packs: int = 0
    first_clock: int = 0
    clock: int = 0
    streams: set[int] = field(default_factory=set)
    ended: bool = False
    other: bool = False


def _clock(head: bytes) -> int:
    """Return the system clock reference of a pack in 1/90 000 s; -1 when it is none (13818-1, 2.5.3.3; 11172-1, 2.4.3.2)."""
    if len(head) < 14 or head[:4] != b"\0\0\1\xba":
        return -1
    if head[4] & 0xC4 == 0x44:
        if not (head[6] & 4 and head[8] & 4 and head[9] & 1 and head[12] & 3 == 3):
            return -1
        value = int.from_bytes(head[4:10], "big")
        return (value >> 43 & 7) << 30 | (value >> 27 & 0x7FFF) << 15 | value >> 11 & 0x7FFF
    if head[4] & 0xF1 != 0x21 or not (head[6] & 1 and head[8] & 1 and head[9] & 0x80 and head[11] & 1):
        return -1
    value = int.from_bytes(head[4:9], "big")
    return (value >> 33 & 7) << 30 | (value >> 17 & 0x7FFF) << 15 | value >> 1 & 0x7FFF


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 64)
    clock = _clock(head)
    if clock < 0:
        return None
    seen = _Seen(head[4] & 0xC0 == 0x40, first_clock=clock, clock=clock)
    after = 14 + (head[13] & 7) if seen.second else 12
    if head[after : after + 3] != _START or head[after + 3] < _PACK:
        return None
    _follow(window, seen, most=_PROBE)
    if seen.packs < 2 or not any(_is_sound_or_picture(code) for code in seen.streams):
        return None
    if not seen.other:
        _follow(window, seen)
    pieces: list[tuple[int, int]] = []
    begin = 0
    while not seen.ended and not seen.other and len(pieces) < _BREAKS:
        again = _resumed(window, seen)
        if again < 0:
            break
        # When the gap has whole blocks, the packet before it goes on behind it.
        cuts = range(-(-(seen.last + 1) // window.block) * window.block, seen.end + 1, window.block)
        cut = cuts[0] if len(cuts) == 1 and not (again - seen.end) % window.block else seen.end
        pieces.append((begin, cut - begin))
        begin = again - (seen.end - cut)
        seen.end, seen.ended = again, False
        _follow(window, seen)
    facts, extension = _facts(window, seen), "vob" if _NAVIGATION in seen.streams else "mpg"
    structure, why, valid = Structure.COMPLETE, f"its {seen.packs} packs end at byte {seen.end}", None
    if seen.ended:
        why += ", with an end code"
    else:
        why += doubt(window, seen.last, seen.end)
    end = min(seen.end, window.size)
    if pieces:
        why = f"{len(pieces)} times other bytes stand where packets should, first at byte {pieces[0][1]}: they are left out"
        pieces.append((begin, end - begin))
        length = sum(size for _, size in pieces)
        return Walked(length=length, structure=Structure.DAMAGED, why=why, pieces=tuple(pieces), extension=extension, facts=facts)
    if seen.end > window.size:
        structure, why, valid = Structure.TRUNCATED, "the space ends inside it", seen.last
    elif not seen.ended and is_cut(window, seen.last, seen.end):
        structure, why, valid = Structure.TRUNCATED, f"its packets break off at byte {seen.end}", seen.last
    elif window.joints(seen.last, seen.end):
        structure, why, valid = Structure.TRUNCATED, f"its packets end at byte {seen.end}, at the edge of free space", seen.last
    return Walked(length=end, structure=structure, why=why, valid=valid, extension=extension, facts=facts)


def _is_sound_or_picture(code: int) -> bool:
    return code == 0xBD or 0xC0 <= code <= 0xEF or code == 0xFD


def _follow(window: Window, seen: _Seen, most: int = 1 << 62) -> None:
    """Follow packs and packets from ``seen.end`` on, for about so many bytes."""
    offset, step, block = seen.end, _FIRST, window.block
    while True:
        data = window.at(offset, step)
        at, ready, count = 0, len(data) - _AHEAD, 0
        more = len(data) == step
        if not more:
            ready = len(data) - 4
        while at < ready or (not more and at == ready):
            if data[at : at + 3] != _START:
                break
            code = data[at + 3]
            if code == _PACK:
                clock = _clock(data[at : at + 14])
                if clock < 0 or (data[at + 4] & 0xC0 == 0x40) != seen.second:
                    break
                size = 14 + (data[at + 13] & 7) if seen.second else 12
                if not 0 <= clock - seen.clock < _LATER and not (offset + at) % block and data[at + size + 3 : at + size + 4] == b"\xbb":
                    # The clock begins anew where a cluster does, and the system's description comes again: another file.
                    seen.other = True
                    break
                if seen.packs > _EMPTY and not seen.streams:
                    break
                seen.clock = clock
                seen.packs += 1
                seen.ended = False
            elif seen.ended:
                break
            elif code == _END:
                size, seen.ended = 4, True
            elif code >= _SYSTEM and at + 6 <= len(data):
                size = 6 + (data[at + 4] << 8 | data[at + 5])
                if size == 6:
                    break
                seen.streams.add(code)
            else:
                break
            seen.last = offset + at
            at += size
            count += 1
        else:
            window.spend(count * _STEP)
            offset += at
            seen.end = offset
            if more and at and offset < most - _FIRST // 2:
                step = min(step * 4, _MOST)
                continue
            return
        window.spend(count * _STEP)
        seen.end = offset + at
        return


def _resumed(window: Window, seen: _Seen) -> int:
    """Return where near behind a break the next pack stands, when it is this stream's by its clock; -1 otherwise."""
    near = _NEAR_CUT if doubt(window, seen.last, seen.end) else _NEAR
    found = window.find(b"\0\0\1\xba", seen.end, seen.end + near)
    if found < 0:
        return -1
    head = window.at(found, 14)
    clock = _clock(head)
    return found if 0 <= clock - seen.clock < _LATER and (head[4] & 0xC0 == 0x40) == seen.second and clock > seen.clock else -1


def _facts(window: Window, seen: _Seen) -> Facts:
    """Return what the first sequence header says (13818-2, 6.2.2.1), the clock, and the streams."""
    facts: Facts = {}
    found: list[str] = []
    data = window.at(0, min(256 << 10, seen.end))
    at = data.find(b"\0\0\1\xb3")
    width, height = picture_size(data[max(at, 0) :])
    if width:
        facts |= {"width": width, "height": height}
        found.append("H.264" if at < 0 else "MPEG-2 video" if seen.second else "MPEG-1 video")
        if 0 <= at < len(data) - 7 and 0 < data[at + 7] & 15 < len(_RATES):
            facts["frames_per_second"] = round(_RATES[data[at + 7] & 15])
    if any(0xC0 <= code <= 0xDF for code in seen.streams):
        found.append("MPEG audio")
    if 0xBD in seen.streams:
        found.append("AC-3 or other sound")
    if found:
        facts["codec"] = ", ".join(found)
    duration = (seen.clock - seen.first_clock) // 90
    if 0 < duration < _DAY:
        facts["duration_ms"] = duration
    return facts


# The two zeros before are looked at by the walk: with them the first two bytes would be those of every empty sector.
FORMATS = (Format(name="mpeg_ps", extension="mpg", headers=(Header(b"\x01\xba", at=2),), walk=_walk),)
