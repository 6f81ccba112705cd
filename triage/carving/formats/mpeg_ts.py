"""MPEG transport stream, of television recordings and camcorders: packets of 188 bytes that begin with 0x47 (ISO/IEC 13818-1, 2.4).

On Blu-ray and in AVCHD a time stamp of four bytes stands before each (192), in some broadcasts a code of sixteen behind (204). One byte is
little to go by: believed is a chain of packets whose running numbers go on in each of its streams.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mpegpackets import NULL, SHAPES, SYNC, Seen, Shape, as_packets, is_packet, moved_on, pids, run, take
from triage.carving.mpegtables import content, streams
from triage.carving.mpegtags import doubt, is_cut
from triage.carving.mpegvideo import picture_size

if TYPE_CHECKING:
    from triage.carving.window import Window

_ENOUGH = 16
"""Packets that are believed."""
_PIECE = 1 << 20
_NEAR = 4 << 20
"""Bytes behind a break in which packets of the same streams are looked for, at their places."""
_MOVED, _PIECES = 16 << 20, 8
"""Bytes behind a break in which the rest of the stream is looked for at the beginnings of blocks, and pieces that are put together."""
_AGAIN = 8
_BREAKS = 1000
_PICTURES = ("MPEG-1 video", "MPEG-2 video", "H.264")
_PACKETS = 200
"""Packets of the video in which the size of its pictures is looked for."""
_TABLES = 0x20
"""PIDs below this are those of tables: what a file begins with that was cut nowhere."""
_UNIT = 32
"""Packets of 192 bytes come in units of so many: AVCHD and Blu-ray write three blocks of 2048 bytes at once."""
_TAIL, _BEFORE = 4, 64
_DAY = 86_400_000
_SECTOR = 512
_HEAD = 4 * 204 + 8


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _HEAD)
    shape = _shape(head)
    if shape is None:
        return None
    data = window.at(0, _ENOUGH * shape.size)
    raw = as_packets(data, shape)
    probe = Seen(shape)
    if len(raw) < _ENOUGH or not is_packet(raw).all():
        return None
    take(probe, raw)
    # Packets may be sent twice, and some have no running number: a pattern that comes again and again has nothing else.
    if probe.jump_count or probe.advances * 2 < _ENOUGH or set(probe.counts) == {NULL} or (raw[:, 1] & 0x80).any():
        return None
    return _followed(window, shape)


@dataclass(slots=True)
class _Path:
    """Where the packets lie: ``view`` is what the ``pieces`` of the window give together; ``good``: stretches of it with packets only."""

    view: Window
    pieces: list[tuple[int, int]]
    good: list[tuple[int, int]] = field(default_factory=list)

    def go_on(self, window: Window, cut: int, onward: int) -> None:
        """Break the last piece at ``cut``, and go on at ``onward``; both are the view's."""
        start, size = self.pieces.pop()
        before = self.view.size - size
        onward += start - before
        self.pieces += [(start, cut - before), (onward, window.size - onward)]
        self.view = window.spliced(self.pieces)


def _followed(window: Window, shape: Shape) -> Walked:
    """Follow the packets to their end. A file of the same kind may begin right behind them, where a packet and a sector do."""
    seen, path = Seen(shape), _Path(window, [(0, window.size)])
    begin, end, known = 0, 0, 0
    while True:
        end, stopped = run(path.view, end, seen, _PIECE)
        if len(seen.splices) > known:
            for splice in seen.splices[known:]:
                cut = _other_file(window, shape, splice) if not path.good and len(path.pieces) == 1 else 0
                if cut:
                    return _followed(window.spliced([(0, cut)]), shape)
            known = len(seen.splices)
            if not stopped:
                continue
        if stopped or len(path.good) >= _BREAKS:
            break
        moved = moved_on(path.view, end, seen, window.block, _MOVED) if not path.good and len(path.pieces) < _PIECES else None
        if moved is not None:
            path.go_on(window, *moved)
            continue
        again = _resumed(window, end, seen) if len(path.pieces) == 1 else -1
        if again < 0:
            break
        path.good.append((begin, end))
        seen.running.clear()
        begin = end = again
    end = _trimmed(path.view, end, seen)
    return _told(window, seen, begin, end, path)


def _other_file(window: Window, shape: Shape, splice: int) -> int:
    """Return where, at a splice or a little before it, a table begins at a sector's start, as a file does; 0 for nowhere."""
    for packet in range(splice, max(splice - _BEFORE, 0), -1):
        offset = packet * shape.size
        if not offset % _SECTOR:
            head = window.at(offset + shape.before, 3)
            if head[1] & 0x40 and (int.from_bytes(head[1:], "big") & 0x1FFF) < _TABLES:
                return offset
    return 0


def _shape(head: bytes) -> Shape | None:
    """Return how long the packets are, by the first four."""
    for shape in SHAPES:
        at = shape.before
        if head[at + shape.size : at + shape.size + 1] == b"\x47" and all(
            head[at + n * shape.size : at + n * shape.size + 1] == b"\x47" for n in range(4)
        ):
            return shape
    return None


def _told(window: Window, seen: Seen, begin: int, end: int, path: _Path) -> Walked:
    size = seen.shape.size
    facts: Facts = {}
    found = streams(lambda pid: _first_with(window, seen.shape, pid))
    if found:
        facts["codec"] = ", ".join(dict.fromkeys(codec for _, codec in found))
        width, height = picture_size(_content(window, seen.shape, next((pid for pid, codec in found if codec in _PICTURES), -1)))
        if width:
            facts |= {"width": width, "height": height}
    duration = seen.duration()
    if 0 < duration < _DAY:
        facts["duration_ms"] = duration
    facts["packets"] = seen.packets
    if seen.jump_count:
        facts["continuity_errors"] = seen.jump_count
    extension = "m2ts" if size == 192 else "ts"
    structure, why, valid = Structure.COMPLETE, f"its {seen.packets} packets end at byte {end}", None
    start = window.at(seen.shape.before, 4)
    pieces: list[tuple[int, int]] = []
    if path.good and begin < end:
        pieces = [(first, last - first) for first, last in (*path.good, (begin, end))]
        why = f"{len(path.good)} times other bytes stand where packets should, first at byte {pieces[0][1]}: they are left out"
        return Walked(
            length=sum(length for _, length in pieces),
            structure=Structure.DAMAGED,
            why=why,
            pieces=tuple(pieces),
            extension=extension,
            facts=facts,
        )
    if len(path.pieces) > 1:
        pieces = path.pieces
        pieces[-1] = (pieces[-1][0], end - (path.view.size - pieces[-1][1]))
        why = f"put together out of {len(pieces)} pieces: clock and running numbers go on in each; {why}"
        return Walked(
            length=end, structure=Structure.FRAGMENTED, why=why, checked=True, pieces=tuple(pieces), extension=extension, facts=facts
        )
    if seen.splices:
        structure, why = Structure.DAMAGED, f"the running numbers of several of its streams jump at {len(seen.splices)} places"
    elif end + size > window.size and window.at(end + seen.shape.before, 1) == b"\x47":
        structure, why, valid = Structure.TRUNCATED, "the space ends inside it", end
    elif window.joints(end - size, end):
        structure, why, valid = Structure.TRUNCATED, f"its packets end at byte {end}, at the edge of free space", end - size
    elif (int.from_bytes(start[1:3], "big") & 0x1FFF) >= _TABLES:
        structure, why = Structure.TRUNCATED, f"it begins in the middle of a stream; {why}"
    elif is_cut(window, end - size, end) and size != 192:
        structure, why, valid = Structure.TRUNCATED, f"its packets break off at byte {end}", end - size
    elif size == 192 and end % (size * _UNIT):
        structure, why, valid = Structure.TRUNCATED, f"{why}, in the middle of a unit of {_UNIT}", end - size
    else:
        why += doubt(window, end - size, end) if size != 192 else ""
    return Walked(length=end, structure=structure, why=why, valid=valid, extension=extension, facts=facts)


def _resumed(window: Window, offset: int, seen: Seen) -> int:
    """Return where near behind a break packets of known streams stand at their places again; -1 for nowhere."""
    size = seen.shape.size
    known = np.zeros(1 << 13, dtype=bool)
    known[[pid for pid, count in seen.counts.items() if count > 1]] = True
    data = window.at(offset, min(_NEAR, max(64 << 10, offset)) // size * size)
    raw = as_packets(data, seen.shape)
    if len(raw) < _AGAIN:
        return -1
    good = is_packet(raw) & known[pids(raw)]
    sums = np.cumsum(good)
    sums[_AGAIN:] = sums[_AGAIN:] - sums[:-_AGAIN]
    places = np.flatnonzero(sums[_AGAIN - 1 :] == _AGAIN)
    return offset + int(places[0]) * size if len(places) else -1


def _trimmed(window: Window, end: int, seen: Seen) -> int:
    """Return the end without packets that only looked like some: one in 256 does. Their streams are not known."""
    size = seen.shape.size
    for _ in range(_TAIL):
        header = window.at(end - size + seen.shape.before, 4)
        if len(header) < 4 or header[0] != SYNC:
            break
        pid = int.from_bytes(header[1:3], "big") & 0x1FFF
        jumped = seen.last_jump == seen.packets - 1
        if not jumped and (seen.counts[pid] > 1 or pid < _TABLES):
            break
        if jumped:
            seen.jump_count -= 1
        seen.counts[pid] -= 1
        seen.packets -= 1
        end -= size
    return end


def _first_with(window: Window, shape: Shape, pid: int) -> bytes:
    """Return the first packet near the start in which a table of that stream begins."""
    raw = as_packets(window.at(0, _PIECE // shape.size * shape.size), shape)
    places = np.flatnonzero((pids(raw) == pid) & ((raw[:, 1] & 0x40) != 0) & (raw[:, 0] == SYNC))
    return raw[places[0], :188].tobytes() if len(places) else b""


def _content(window: Window, shape: Shape, pid: int) -> bytes:
    """Return what the first packets of a stream carry."""
    raw = as_packets(window.at(0, _PIECE // shape.size * shape.size), shape)
    places = np.flatnonzero((pids(raw) == pid) & is_packet(raw))[:_PACKETS]
    return content([raw[place, :188].tobytes() for place in places])


# In the first packet of a file something begins (the bit 0x40); damaged ones (0x80) and those preferred (0x20) are not looked for.
_STARTS = tuple(Header(bytes((SYNC, 0x40 | high)), at=at) for at in (0, 4) for high in range(0x20))
FORMATS = (Format(name="mpeg_ts", extension="ts", headers=_STARTS, walk=_walk),)
