"""FLAC (RFC 9639): a header that says how many samples there are, and frames with a running number and two checksums each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.crc16 import carried, crc16, wrong_frames
from triage.carving.flacframes import Frame, frame_at, frame_size
from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked
from triage.carving.mpegtags import ID3_HEADERS, behind_tags, trailers
from triage.carving.places import places

if TYPE_CHECKING:
    from triage.carving.window import Window

_BLOCKS = 1000
_BUFFER, _LARGEST_BUFFER = 1 << 20, 4 << 20
_NEAR = 1 << 20
"""Bytes behind a break in which the next frame is looked for."""
_LOST = 10_000
_BREAKS = 1000
_GAP, _GAPS = 256 << 20, 8
_EXTENSIONS = {b"image/jpeg": "jpg", b"image/png": "png", b"image/gif": "gif"}


@dataclass(slots=True)
class _Stream:
    """What STREAMINFO says (8.2), and what was read so far. ``start``: of the first frame.

    ``shortest``, ``longest``: of a frame; the latter 0 when it is unknown. ``end``: of the last frame that is
    right; ``samples`` of it and those before; ``broken``: a frame begins there that goes on elsewhere.
    """

    start: int
    block: int
    shortest: int
    longest: int
    hertz: int
    channels: int
    bits: int
    total: int
    parts: tuple[Part, ...]
    end: int = 0
    samples: int = 0
    frames: int = 0
    broken: bool = False
    wrong: int = 0
    first_wrong: int = 0

    @property
    def done(self) -> bool:
        """Whether all samples were reached that the header tells of."""
        return 0 < self.total <= self.samples

    def at_most(self) -> int:
        """Return what a frame may have: what is stored plainly, and its headers."""
        return self.longest or min(self.channels * (self.block * (self.bits + 1) // 8 + 16) + 32, _LARGEST_BUFFER // 2)


def _opened(window: Window) -> _Stream | None:
    """Read the metadata blocks (8)."""
    start = behind_tags(window)
    head = window.at(start, 42)
    if head[:4] != b"fLaC" or head[4:8] not in (b"\0\0\0\x22", b"\x80\0\0\x22"):
        return None
    smallest, block = int.from_bytes(head[8:10], "big"), int.from_bytes(head[10:12], "big")
    shortest, longest = int.from_bytes(head[12:15], "big"), int.from_bytes(head[15:18], "big")
    packed = int.from_bytes(head[18:26], "big")
    hertz, channels, bits, total = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1, packed & ((1 << 36) - 1)
    if not 16 <= smallest <= block or hertz == 0 or bits < 4 or (longest and shortest > longest):
        return None
    offset, parts, padding = start + 4, [], 0
    for _ in range(_BLOCKS):
        block_head = window.at(offset, 4)
        if len(block_head) < 4 or block_head[0] & 127 == 127:
            return None
        size = int.from_bytes(block_head[1:], "big")
        if block_head[0] & 127 == 1 and not padding and any(data.strip(b"\0") for _, data in window.chunks(offset + 4, offset + 4 + size)):
            padding = offset + 4
        if block_head[0] & 127 == 6:
            parts += _picture(window, offset + 4, size)
        offset += 4 + size
        if block_head[0] & 128:
            stream = _Stream(offset, block, shortest, longest, hertz, channels, bits, total, tuple(parts), end=offset)
            stream.first_wrong, stream.wrong = padding, int(padding > 0)  # padding is zeros (8.3): something else stands there
            return stream
    return None


def _picture(window: Window, offset: int, size: int) -> list[Part]:
    """Return the picture of a metadata block (8.8)."""
    head = window.at(offset, min(size, 4096))
    kind = int.from_bytes(head[4:8], "big")
    name = head[8 : 8 + kind]
    at = 8 + kind
    at += 4 + int.from_bytes(head[at : at + 4], "big") + 16
    length = int.from_bytes(head[at : at + 4], "big")
    extension = _EXTENSIONS.get(name, "")
    if not extension or at + 4 > len(head) or not 0 < length <= size - at - 4:
        return []
    return [Part(offset=offset + at + 4, length=length, extension=extension, name="cover")]


def _walk(window: Window) -> Walked | None:
    stream = _opened(window)
    if stream is None:
        return None
    _follow(window, stream, resume=True)
    if not stream.frames:
        return None
    facts = _facts(stream)
    if stream.done or (not stream.total and not stream.broken):
        end = trailers(window, stream.end)
        if stream.wrong:
            why = f"{stream.wrong} of its frames or other parts are not right or missing, the first at byte {stream.first_wrong}"
            return Walked(
                length=end, structure=Structure.DAMAGED, why=why, valid=stream.first_wrong, parts=_inside(stream, end), facts=facts
            )
        why = f"the checksums of its {stream.frames} frames are right" + (", they have the samples that it should" if stream.total else "")
        return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=True, parts=_inside(stream, end), facts=facts)
    length = min(stream.end + (stream.at_most() if stream.broken else 0), window.size)
    seconds = f" of {stream.total * 1000 // stream.hertz}" if stream.total else ""
    why = f"its frames break off at byte {stream.end}, behind {stream.samples * 1000 // stream.hertz}{seconds} ms"
    valid = stream.first_wrong if stream.wrong else stream.end
    return Walked(
        length=length, structure=Structure.TRUNCATED, why=why, valid=min(valid, length), parts=_inside(stream, length), facts=facts
    )


def _inside(stream: _Stream, end: int) -> tuple[Part, ...]:
    return tuple(part for part in stream.parts if part.offset + part.length <= end)


def _facts(stream: _Stream) -> Facts:
    return {
        "codec": "FLAC",
        "duration_ms": stream.samples * 1000 // stream.hertz,
        "sample_rate": stream.hertz,
        "channels": stream.channels,
        "frames": stream.frames,
    }


def _follow(window: Window, stream: _Stream, *, resume: bool) -> None:
    """Read frames from ``stream.end`` on; with ``resume``, go on behind what is broken when the same stream goes on near it."""
    for _ in range(_BREAKS):
        while _buffer(window, stream):
            pass
        if stream.done or not stream.broken or not resume or frame_at(window.at(stream.start, 16), 0) is None:
            return
        again = _resumed(window, stream, stream.end + 1, stream.end + _NEAR, _LOST * stream.block)
        if again is None:
            return
        offset, frame = again
        stream.first_wrong = stream.first_wrong or stream.end
        stream.wrong += 1
        stream.end, stream.samples, stream.broken = offset, _first_sample(stream, frame), False


def _first_sample(stream: _Stream, frame: Frame) -> int:
    return frame.number if frame.variable else frame.number * stream.block


def _buffer(window: Window, stream: _Stream) -> bool:
    """Read the frames that lie whole in the next piece; whether there can be more."""
    most = stream.at_most()
    # A small file is read in one go, a large one in pieces in which many frames lie whole.
    data = window.at(stream.end, max(_BUFFER, min(2 * most, _LARGEST_BUFFER)) if stream.frames else max(64 << 10, 2 * most))
    bounds, samples, frame = [0], [stream.samples], frame_at(data, 0)
    if frame is None or _first_sample(stream, frame) != stream.samples:
        # Nothing follows: the end, when the header does not say where it is, or something is written over it.
        stream.broken = not stream.frames or stream.total > 0 or frame is not None or stream.end % 512 == 0
        return False
    mark, pending = data[:2], frame
    while not 0 < stream.total <= samples[-1] + pending.samples:
        at, following = _next(data, mark, bounds[-1] + max(stream.shortest, pending.size + 2), bounds[-1] + most, pending)
        if following is None:
            break
        bounds.append(at)
        samples.append(samples[-1] + pending.samples)
        pending = following
    last = bounds[-1]
    if last + most < len(data) or window.size - stream.end <= len(data) or 0 < stream.total <= samples[-1] + pending.samples:
        rest = data[last : last + most]
        if len(rest) < most and window.size > stream.end + len(data):
            rest = window.at(stream.end + last, most)
            data = data[:last] + rest
        size = frame_size(rest, pending, stream.bits)
        if size and not crc16(rest[:size]):
            bounds.append(last + size)
            samples.append(samples[-1] + pending.samples)
        else:
            stream.broken = True
    wrong = wrong_frames(data[: bounds[-1]], bounds)
    if wrong:
        stream.first_wrong = stream.first_wrong or stream.end + bounds[wrong[0]]
        stream.wrong += len(wrong)
    stream.frames += len(bounds) - 1
    stream.end += bounds[-1]
    stream.samples = samples[-1]
    return not stream.done and not stream.broken


def _next(data: bytes, mark: bytes, start: int, end: int, before: Frame) -> tuple[int, Frame | None]:
    """Return where the frame behind ``before`` begins, by its running number."""
    wanted = before.number + (before.samples if before.variable else 1)
    at = data.find(mark, start, end + 2)
    while at >= 0:
        frame = frame_at(data, at)
        if frame is not None and frame.number == wanted and frame.channels == before.channels:
            return at, frame
        at = data.find(mark, at + 1, end + 2)
    return -1, None


def _resumed(window: Window, stream: _Stream, start: int, end: int, ahead: int) -> tuple[int, Frame] | None:
    """Return the next frame of the stream, at most so many samples further on, behind a break."""
    for offset in places(window, window.at(stream.start, 2), start, end):
        frame = frame_at(window.at(offset, 16), 0)
        if frame is not None and frame.channels == stream.channels and frame.samples <= stream.block:
            first = _first_sample(stream, frame)
            if 0 <= first - stream.samples <= ahead and (not stream.total or first < stream.total):
                return offset, frame
    return None


def _rejoin(window: Window, _walked: Walked) -> Walked | None:
    """Put the file together when a frame goes on behind a gap: its checksum proves it, and those of all behind it."""
    pieces = [(0, window.size)]
    for _ in range(_GAPS):
        whole = window.spliced(pieces)
        stream = _opened(whole)
        if stream is None:
            return None
        _follow(whole, stream, resume=False)
        if stream.wrong or (stream.done and len(pieces) == 1):
            return None
        before = whole.size - pieces[-1][1]
        if stream.done:
            end = trailers(whole, stream.end)
            pieces[-1] = (pieces[-1][0], end - before)
            why = f"put together out of {len(pieces)} pieces: the checksums of its {stream.frames} frames are right"
            return Walked(
                length=end,
                structure=Structure.FRAGMENTED,
                why=why,
                checked=True,
                pieces=tuple(pieces),
                facts=_facts(stream),
            )
        found = _behind_gap(whole, stream, window.block, pieces[-1][0] - before)
        if found is None or found[0] <= before:
            return None
        start = pieces.pop()[0]
        onward = found[1] - before + start
        pieces += [(start, found[0] - before), (onward, window.size - onward)]
    return None


def _behind_gap(window: Window, stream: _Stream, block: int, shift: int) -> tuple[int, int] | None:
    """Return where the frame that breaks at the stream's end does so, and where it goes on. What is at 0 here is ``shift`` in the space."""
    here, most = stream.end, stream.at_most()
    broken = frame_at(window.at(here, 16), 0)
    if broken is None or _first_sample(stream, broken) != stream.samples:
        again = _resumed(window, stream, here + 1, here + _GAP, 0)
        aligned = again is not None and not (here + shift) % block and not (again[0] - here) % block
        return (here, again[0]) if aligned and again is not None else None
    expected = stream.samples + broken.samples
    again = _resumed(window, stream, here + 1, here + _GAP, broken.samples)
    if again is not None and _first_sample(stream, again[1]) != expected:  # the broken one's own header, once more
        again = _resumed(window, stream, again[0] + 1, here + _GAP, broken.samples)
    if again is None or _first_sample(stream, again[1]) != expected:
        return None
    mark = again[0]
    head, tail = window.at(here, most), window.at(max(mark - most, here), min(most, mark - here))
    low = mark - len(tail)
    cuts = [(c, crc16(head[: c - here])) for c in range(here + (-(here + shift)) % block, here + most, block)]
    state, done, goes_on = 0, low, []
    for place in range(low + (-(low + shift)) % block, mark, block):
        state, done = crc16(tail[done - low : place - low], state), place
        goes_on.append((place, state))
    whole = crc16(tail[done - low :], state)
    for cut, first in cuts:
        for place, before in goes_on:
            size = cut - here + mark - place
            # The checksum of both together is nothing: that of the first carried on, and of the second without what came before it.
            if cut < place and size <= most and carried(first ^ before, mark - place) == whole:
                joined = head[: cut - here] + tail[place - low :]
                if frame_size(joined, broken, stream.bits) == size:
                    return cut, place
    return None


FORMATS = (
    Format(
        name="flac",
        extension="flac",
        headers=(Header(b"fLaC\0\0\0\x22"), Header(b"fLaC\x80\0\0\x22"), *ID3_HEADERS),
        walk=_walk,
        rejoin=_rejoin,
        largest=1 << 36,
    ),
)
