"""Ogg with Vorbis, Opus, Theora, Speex or FLAC inside (RFC 3533; 7845; Vorbis I and Theora specifications).

Each page has a checksum and a running number, so that what belongs together is certain, across a gap as well.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.oggpages import CAPTURE, FIRST, LAST, LONGEST, Page, is_right, page_at
from triage.carving.places import places

if TYPE_CHECKING:
    from triage.carving.window import Window

_SECTOR = 512
_PAGES = 10_000_000
_STREAMS = 64
_LOST = 100_000
"""Pages that may be missing where a file is damaged."""
_NEAR = 1 << 20
"""Bytes behind a broken page in which the next one is looked for."""
_GAP, _GAP_LAST = 256 << 20, 4 << 20
"""Bytes behind a broken page in which its rest is looked for: up to the next page, and when it is the last one and none follows."""
_GAPS = 8


@dataclass(slots=True)
class _Stream:
    """A logical stream. ``rate``: units of its granule position a second, 0 when unknown."""

    codec: str
    extension: str
    facts: Facts = field(default_factory=dict)
    rate: float = 0.0
    shift: int = 0
    following: int = 0
    granule: int = 0
    ended: bool = False

    @property
    def video(self) -> bool:
        return self.codec == "Theora"

    def frames(self) -> int:
        """Return the granule position in units of its rate: Theora's holds key frames in its upper bits."""
        return (self.granule >> self.shift) + (self.granule & ((1 << self.shift) - 1)) if self.shift else self.granule


@dataclass(slots=True)
class _Read:
    """What was read: ``end`` of the last right page; the ``broken`` one behind it, its content or more is not there; ``lost`` pages."""

    streams: dict[int, _Stream]
    end: int = 0
    pages: int = 0
    broken: Page | None = None
    breaks: int = 0
    lost: int = 0
    first_break: int = 0


def _walk(window: Window) -> Walked | None:
    page = page_at(window, 0)
    if page is None or not page.flags & FIRST or not is_right(page, window.at(0, page.size)):
        return None
    read = _read(window, resume=True)
    facts, extension = _told(read)
    if read.pages < 2 and (read.broken is None or read.broken.serial not in read.streams):
        return None
    if read.breaks:
        why = f"{read.lost} pages are missing, the first at byte {read.first_break}"
        valid = read.first_break
        structure = Structure.DAMAGED if _is_end(window, read) else Structure.TRUNCATED
        return Walked(length=read.end, structure=structure, why=why, valid=valid, extension=extension, facts=facts)
    if _is_end(window, read):
        why = "the last page of each stream was reached" if all(s.ended for s in read.streams.values()) else "its pages end inside a sector"
        why = f"{why}; the checksums of its {read.pages} pages are right"
        return Walked(length=read.end, structure=Structure.COMPLETE, why=why, checked=True, extension=extension, facts=facts)
    length = min(read.broken.offset + read.broken.size, window.size) if read.broken else read.end
    why = f"what follows byte {read.end} is not its next page"
    return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=read.end, extension=extension, facts=facts)


def _is_end(window: Window, read: _Read) -> bool:
    """Whether the file ended where its last right page does. Nothing is written over from the middle of a sector on."""
    if all(stream.ended for stream in read.streams.values()):
        return True
    rest = window.at(read.end, -read.end % _SECTOR)
    return read.broken is None and read.end % _SECTOR > 0 and not (rest and rest.startswith(CAPTURE[: len(rest)]))


def _read(window: Window, *, resume: bool) -> _Read:
    """Read pages from the window's start on; with ``resume``, go on behind what is broken when the same streams go on near it."""
    read = _Read({})
    started = False
    for _ in range(_PAGES):
        page = page_at(window, read.end)
        if page is not None and not is_right(page, window.at(page.offset, page.size)):
            read.broken = page
        elif page is not None:
            if not _accept(window, page, read, started=started):
                return read
            started = started or not page.flags & FIRST
            read.end, read.pages = page.offset + page.size, read.pages + 1
            continue
        if not resume or _is_end(window, read):
            return read
        again = _next_page(window, read, read.end + 1, read.end + _NEAR, _LOST)
        if again is None:
            return read
        if not read.breaks:
            read.first_break = read.end
        read.breaks += 1
        read.broken = None
        read.end = again.offset
    return read


def _accept(window: Window, page: Page, read: _Read, *, started: bool) -> bool:
    """Take a page with the right checksum in; ``False`` when it is another file's."""
    if page.flags & FIRST:
        ended = all(stream.ended for stream in read.streams.values())
        if read.pages and started and (not ended or not page.offset % _SECTOR):
            return False  # all streams begin together (RFC 3533, 4); the next chain would begin at a sector's start by chance only
        if page.serial in read.streams and not read.streams[page.serial].ended:
            return False
        if len(read.streams) >= _STREAMS and page.serial not in read.streams:
            return False
        read.streams[page.serial] = _stream(window.at(page.offset + page.head, min(page.size - page.head, 64)))
    stream = read.streams.get(page.serial)
    if stream is None or stream.ended:
        return False
    if not page.flags & FIRST and page.number != stream.following:
        if not 0 < page.number - stream.following < _LOST:
            return False
        if not read.breaks:
            read.first_break = page.offset
        read.breaks, read.lost = max(read.breaks, 1), read.lost + page.number - stream.following
    stream.following = page.number + 1
    stream.granule = max(stream.granule, page.granule)
    stream.ended = bool(page.flags & LAST)
    return True


def _next_page(window: Window, read: _Read, start: int, end: int, lost: int) -> Page | None:
    """Return the next right page of the streams with at most so many lost before it."""
    for offset in places(window, CAPTURE, start, end):
        page = page_at(window, offset)
        if page is not None and not page.flags & FIRST:
            stream = read.streams.get(page.serial)
            near = stream is not None and not stream.ended and 0 <= page.number - stream.following <= lost
            if near and is_right(page, window.at(offset, page.size)):
                return page
    return None


def _rejoin(window: Window, _walked: Walked) -> Walked | None:
    """Put the file together when a page goes on behind a gap: its checksum proves it."""
    pieces = [(0, window.size)]
    for _ in range(_GAPS):
        whole = window.spliced(pieces)
        read = _read(whole, resume=False)
        if _is_end(whole, read):
            if len(pieces) == 1:
                return None
            pieces[-1] = (pieces[-1][0], pieces[-1][1] - (whole.size - read.end))
            facts, extension = _told(read)
            why = f"put together out of {len(pieces)} pieces: the checksums and numbers of its {read.pages} pages are right"
            return Walked(
                length=read.end,
                structure=Structure.FRAGMENTED,
                why=why,
                checked=True,
                pieces=tuple(pieces),
                extension=extension,
                facts=facts,
            )
        before = whole.size - pieces[-1][1]
        found = _behind_gap(whole, read, window.block, before, pieces[-1][0])
        if found is None:
            return None
        cut, onward = found
        start, _size = pieces.pop()
        pieces += [(start, cut - before), (onward - before + start, window.size - (onward - before + start))]
    return None


def _behind_gap(window: Window, read: _Read, block: int, before: int, start: int) -> tuple[int, int] | None:
    """Return where the last piece breaks and where the next begins. ``before``: bytes of the pieces before the last, at ``start``."""
    here = read.end
    phase = (start - before) % block  # what is at ``x`` here lies at ``x + start - before`` in the space
    page = read.broken
    following = _next_page(window, read, here + 1, here + _GAP, 1)
    cuts = [c for c in range(here + (-(here + phase)) % block, (page.offset + page.size if page else here) + 1, block) if c >= here]
    if following is not None:
        stream = read.streams[following.serial]
        if following.number == stream.following and (following.offset - here) % block == 0 and cuts[:1] == [here]:
            return here, following.offset
        if page is None:
            return None
        gap = following.offset - (page.offset + page.size)
        return next(((c, c + gap) for c in cuts if gap > 0 and gap % block == 0 and _fits(window, page, c, gap)), None)
    if page is None or not page.flags & LAST:
        return None
    for gap in range(block, _GAP_LAST, block):
        for cut in cuts:
            if page.offset + page.head < cut and _fits(window, page, cut, gap):
                return cut, cut + gap
    return None


def _fits(window: Window, page: Page, cut: int, gap: int) -> bool:
    """Whether a page is right when it goes on a gap further from a place on."""
    if not page.offset + page.head <= cut < page.offset + page.size or page.size > LONGEST:
        return False
    rest = page.offset + page.size - cut
    window.spend(page.size)
    return is_right(page, window.at(page.offset, cut - page.offset) + window.at(cut + gap, rest))


def _stream(head: bytes) -> _Stream:
    """Read the first packet of a stream."""
    if head[:7] == b"\x01vorbis" and len(head) >= 16:
        rate = int.from_bytes(head[12:16], "little")
        return _Stream("Vorbis", "ogg", {"channels": head[11], "sample_rate": rate}, rate)
    if head[:8] == b"OpusHead" and len(head) >= 16:
        return _Stream("Opus", "opus", {"channels": head[9], "sample_rate": int.from_bytes(head[12:16], "little")}, 48000)
    if head[:7] == b"\x80theora" and len(head) >= 42:
        top, bottom = struct.unpack_from(">II", head, 22)
        facts: Facts = {"width": int.from_bytes(head[14:17], "big"), "height": int.from_bytes(head[17:20], "big")}
        return _Stream("Theora", "ogv", facts, top / bottom if bottom else 0, (head[40] & 3) << 3 | head[41] >> 5)
    if head[:8] == b"Speex   " and len(head) >= 52:
        rate, _, _, channels = struct.unpack_from("<IIII", head, 36)
        return _Stream("Speex", "spx", {"channels": channels, "sample_rate": rate}, rate)
    if head[:5] == b"\x7fFLAC" and len(head) >= 51:
        rate = int.from_bytes(head[27:30], "big") >> 4
        return _Stream("FLAC", "oga", {"channels": (head[29] >> 1 & 7) + 1, "sample_rate": rate}, rate)
    return _Stream("", "ogg")


def _told(read: _Read) -> tuple[Facts, str]:
    """Return the facts, and the extension that the streams ask for."""
    facts: Facts = {}
    streams = sorted(read.streams.values(), key=lambda s: not s.video)
    for stream in streams:
        facts |= {key: value for key, value in stream.facts.items() if key not in facts}
    codecs = list(dict.fromkeys(stream.codec for stream in streams if stream.codec))
    if codecs:
        facts["codec"] = ", ".join(codecs)
    lengths = [int(stream.frames() * 1000 / stream.rate) for stream in streams if stream.rate]
    if lengths:
        facts["duration_ms"] = max(lengths)
    return facts, next((stream.extension for stream in streams if stream.codec), "")


FORMATS = (Format(name="ogg", extension="ogg", headers=(Header(b"OggS\0\2"),), walk=_walk, rejoin=_rejoin),)
