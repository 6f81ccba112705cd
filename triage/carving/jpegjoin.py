"""Looking for the rest of a JPEG behind a gap, and proving it by decoding.

The codes stop to make sense within a few dozen bytes of where foreign ones begin; the file was cut at a block's boundary not far before.
Every block behind it that looks like entropy-coded data and leads to an end marker is tried as the place where it goes on: the reader of
codes goes over the seam from the last state it knew, for a few kilobytes; what survives is read whole, and must decode to the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Structure, Walked
from triage.carving.jpegmeta import behind, exif
from triage.carving.jpegparts import EOI, high_bits, leading_segments, read_picture
from triage.carving.jpegscan import COST, follow
from triage.content import jpegcheck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from triage.carving.jpegparts import Picture, Scan
    from triage.carving.jpegscan import Followed, State
    from triage.carving.window import Window

_DECODE = 2
"""What decoding a byte costs, in bytes read."""
_MOST, MOST_CODES = 1 << 26, 12 << 20
"""Bytes of a picture that are decoded, and that are read code by code, which takes some seconds then."""
_READ = 1 << 21
"""Bytes of a picture that is read code by code besides being decoded, if it may be sound. In two pieces, any is."""
_REACH = 1 << 24
"""Bytes behind a break in which the rest is looked for."""
_MOST_PIXELS, _MOST_PROGRESSIVE = 100_000_000, 24_000_000
"""Pixels of pictures that are read code by code."""
_BLOCKS = 4096
_NEAR, _FOREIGN, _JOINTS = 4, 4, 8
"""Boundaries before the break, beginnings of foreign data, and joints at which the file may have been cut."""
_TRIALS, _MORE_TRIALS = 4 << 20, 1 << 19
"""What trials may cost behind the first cut, and behind each other one: several hundred, and a few dozen. In 600 files that were put
together the first cut was the right one, and what was right among the first 170 places that looked like it."""
_TRIED, _TRIED_LONG = (200, 1 << 10, 1 << 12), 1 << 15
"""Bytes behind a seam that decide whether a whole reading is worth it: more, where that is of more than"""
_LONG = 1 << 20
_TRIAL, _UNIT = 6000, 40
"""What each trial costs besides, and each unit in it: thousands of empty ones may take a few bytes."""
_WHOLE_READINGS, _WHOLE_BYTES = 32, 1 << 24
"""Places for which the picture is decoded as a whole, at most, and bytes of that if it is a long one."""
_KNOWN = 1 << 20
"""Bytes of the picture whose sectors tell how those of its rest look."""
_SECTOR = 512


_HEADER_MARKERS = (0xDB, 0xC4, 0xC0, 0xC1, 0xC2, 0xDD, 0xFE, *range(0xE0, 0xF0))


def check(window: Window, picture: Picture, *, codes: bool = True) -> tuple[bool | None, str]:
    """Return whether the whole picture at the window's first byte is sound, and what is not: it decodes, and its ``codes`` make sense.

    The second takes long, and is left out for long ones: the decoder alone misses a few of a hundred overwritten stretches.
    """
    if picture.end > _MOST:
        return None, "it is too long to be decoded"
    window.spend(picture.end * _DECODE)
    sound, complaint = jpegcheck.check(window.at(0, picture.end))
    if sound is False or picture.end > _READ or not codes:
        return sound, complaint
    followed = follows(window, picture)
    if followed is None:
        return sound, complaint
    if followed.trace.verdict != "whole":
        return False, f"from byte {picture.scans[followed.index].start + followed.trace.at} on its data make no sense"
    return True, ""


def follows(window: Window, picture: Picture) -> Followed | None:
    """Return how far a picture's codes make sense, at most for ``MOST_CODES`` bytes; ``None`` when they cannot be read here."""
    frame, start = picture.frame, picture.scans[0].start
    units = frame.units(tuple(range(len(frame.components))))
    if frame.lossless or frame.arithmetic or not all(units):
        return None
    if frame.width * frame.height > (_MOST_PROGRESSIVE if frame.progressive else _MOST_PIXELS):
        return None
    data = window.at(start, min(picture.end - start, MOST_CODES))
    window.spend(len(data) * COST)
    followed = follow(frame, tuple(picture.scans), tuple(sorted(picture.steps.items())), data)
    read = picture.scans[followed.index].start - start + followed.trace.at
    window.spend((read - len(data)) * COST)  # what was not read is given back
    return followed


def rejoin(window: Window, walked: Walked) -> Walked | None:
    """Return the picture put together out of its two pieces, or ``None``."""
    if isinstance(walked.memo, tuple):
        picture, followed = walked.memo
    else:
        picture = read_picture(window)
        if picture is None:
            return _rejoin_segment(window, walked.length)
        followed = follows(window, picture)
    if followed is None or (followed.trace.verdict == "whole" and not picture.stop):
        return None
    scan = picture.scans[followed.index]
    broke = scan.start + followed.trace.at
    cuts = list(_cuts(window, picture, scan.start, broke, walked.valid or 0))
    search = _Search(window, picture, followed, scan, min(cuts, default=broke), walked.valid or 0)
    left = max(4, min(_WHOLE_READINGS, _WHOLE_BYTES // max(1, broke)))
    for cut in cuts:
        for resume in search.survivors(cut, _TRIALS if cut in cuts[:2] else _MORE_TRIALS):
            found = _whole(window, cut, resume) if left else None
            if found is not None or not left:
                return found
            left -= 1
    return None


def _rejoin_segment(window: Window, sure: int) -> Walked | None:
    """Return the picture put together that was cut inside one of its first segments: behind its rest another marker has to be.

    Nothing tells where in such a segment foreign bytes begin: there must be but one boundary, or joint, behind what is sure of it.
    """
    segments, block = leading_segments(window), window.block
    if not segments:
        return None
    _, start, end = segments[-1]
    first = start // block * block + block
    data = np.frombuffer(window.at(first, min(_BLOCKS * block, _REACH)), np.uint8)
    left = _WHOLE_READINGS
    cuts = [cut for cut in range(first, end + 1, block) if cut >= sure]
    if len(cuts) > 1:
        cuts = [cut for cut in window.joints(start, end + 1) if cut in cuts]
    for cut in cuts if len(cuts) == 1 else ():
        places = np.arange(cut + block - first, len(data) - (end - cut) - 2, block)
        behind_ = places + (end - cut)
        fits = (data[behind_] == 0xFF) & np.isin(data[behind_ + 1], _HEADER_MARKERS)
        for place in places[fits][:left].tolist():
            left -= 1
            found = _whole(window, cut, first + place)
            if found is not None:
                return found
    return None


def _cuts(window: Window, picture: Picture, start: int, broke: int, sure: int) -> Iterator[int]:
    """Yield where the first piece may end.

    Behind what is sure, at the boundaries before the break, where foreign data begin, at joints of the medium.
    """
    block = window.block
    last = (broke + 8) // block * block  # a code may begin on this side of the boundary
    foreign = [at // block * block for at in picture.foreign if at >= start][:_FOREIGN]
    wanted = [sure // block * block, *range(last, last - _NEAR * block, -block), *foreign]
    if picture.frame.progressive:  # whose refining scans notice little
        wanted = [*foreign[:1], *wanted]
    wanted += reversed(window.joints(start, last + block)[-_JOINTS:])
    yield from (cut for cut in dict.fromkeys(wanted) if start < cut <= last)


def _whole(window: Window, cut: int, resume: int) -> Walked | None:
    """Return the file that these two pieces make, if it decodes to its end."""
    joined = window.spliced(((0, cut), (resume, window.size - resume)))
    picture = read_picture(joined)
    if picture is None or picture.stop:
        return None
    if check(joined, picture)[0] is not True:
        return None
    if picture.end > _READ:
        followed = follows(joined, picture)
        if followed is None or followed.trace.verdict == "bad":
            return None
    facts, thumbnails = exif(joined, picture.segments)
    end, parts, names = behind(joined, picture)
    why = f"it goes on {resume - cut} bytes behind where it was cut at byte {cut}, and then decodes without a complaint"
    return Walked(
        length=end,
        structure=Structure.FRAGMENTED,
        why=why + (f"; behind its end marker {' and '.join(names)}" if names else ""),
        checked=True,
        pieces=((0, cut), (resume, end - cut)),
        parts=(*thumbnails, *parts),
        facts={"width": picture.frame.width, "height": picture.frame.height, **facts},
    )


class _Search:
    """The bytes behind a break, and which of their blocks may be where the picture goes on."""

    def __init__(self, window: Window, picture: Picture, followed: Followed, scan: Scan, start: int, sure: int) -> None:
        self.window, self.picture, self.scan = window, picture, scan
        self.reader, self.trace = followed.reader, followed.trace
        self.base = start // window.block * window.block
        self.data = window.at(self.base, min(_BLOCKS * window.block, _REACH))
        array = np.frombuffer(self.data, np.uint8)
        places = np.flatnonzero(array[:-1] == 0xFF)
        after = array[places + 1]
        restarts = (after & 0xF8) == 0xD0
        stops = (after != 0) & ~restarts & (after != 0xFF)
        self.restarts, self.numbers = places[restarts], after[restarts] & 7
        self.stops, self.markers = places[stops], after[stops]
        self.likely = self._blocks(array, sure)

    def _blocks(self, array: NDArray[np.uint8], sure: int) -> NDArray[np.int64]:
        """Return the places of blocks whose first sector may be entropy-coded data that leads to a marker that may end it."""
        last = len(array) // _SECTOR * _SECTOR
        starts = np.arange(0, last, self.window.block)
        if not len(self.stops):
            return starts[:0]
        high = high_bits(array[:last])[starts // _SECTOR].astype(np.int32)
        known = self.window.at(self.scan.start, min(max(0, sure - self.scan.start), _KNOWN) // _SECTOR * _SECTOR)
        usual = high_bits(np.frombuffer(known, np.uint8)).astype(np.int32)
        least, most = int(np.min(usual, initial=130)) - 30, int(np.max(usual, initial=350)) + 30
        following = np.searchsorted(self.stops, starts)
        inside = following < len(self.stops)
        following = np.minimum(following, len(self.stops) - 1)
        ends = (EOI,) if not self._more() else (EOI, 0xC4, 0xDA, 0xDB, 0xDD, 0xFE)
        right = inside & np.isin(self.markers[following], ends)
        short = self.stops[following] - starts < _SECTOR
        found: NDArray[np.int64] = starts[right & (short | ((high > least) & (high < most)))]
        return found

    def _more(self) -> bool:
        return self.picture.frame.progressive or len(self.scan.selected) < len(self.picture.frame.components)

    def survivors(self, cut: int, trials: int) -> Iterator[int]:
        """Yield the offsets at which the codes go on to make sense behind a cut, in order, as long as ``trials`` cost no more."""
        state = self._state(cut)
        if state is None:
            return
        head = self.window.at(self.scan.start + state.at, cut - self.scan.start - state.at)
        for place in self.likely[self.likely + self.base > cut].tolist():
            stop = int(self.stops[np.searchsorted(self.stops, place)])
            if self._restarts_fit(cut, place, stop):
                good, cost = self._goes_on(head, state, place, stop)
                if good:
                    yield self.base + place
                trials -= cost
                if trials < 0:
                    return

    def _state(self, cut: int) -> State | None:
        found = None
        for state in self.trace.states:
            if self.scan.start + state.at > cut - 4:
                break
            found = state
        return found

    def _restarts_fit(self, cut: int, place: int, stop: int) -> bool:
        """Whether as many restart markers follow, with the numbers, as the picture still needs."""
        if not self.scan.restart:
            return True
        before = self._count_before(cut)
        needed = -(-self.reader.total // self.scan.restart) - 1 - before
        first, behind_ = np.searchsorted(self.restarts, [place, stop]).tolist()
        seam = 1 if self._marker_on_seam(cut, place) else 0
        if behind_ - first + seam != needed:
            return False
        return behind_ == first or int(self.numbers[first]) == (before + seam) & 7

    def _marker_on_seam(self, cut: int, place: int) -> bool:
        return self.window.at(cut - 1, 1) == b"\xff" and self.data[place : place + 1] in {bytes([0xD0 + n]) for n in range(8)}

    def _count_before(self, cut: int) -> int:
        state = self._state(cut)
        count = 0 if state is None else state.interval // self.scan.restart
        rest = self.window.at(self.scan.start + (state.at if state else 0), cut - self.scan.start - (state.at if state else 0))
        array = np.frombuffer(rest, np.uint8)
        return count + int(np.count_nonzero((array[:-1] == 0xFF) & ((array[1:] & 0xF8) == 0xD0)))

    def _goes_on(self, head: bytes, state: State, place: int, stop: int) -> tuple[bool, int]:
        """Whether the codes make sense over the seam, and what that cost: for a little, and if so for longer, as most wrong ones do not."""
        spent = 0
        for tried in (*_TRIED, _TRIED_LONG) if self.scan.start + state.at > _LONG else _TRIED:
            length = min(tried, stop - place)
            trace = self.reader.read(head + self.data[place : place + length], state, ended=place + length == stop)
            cost = _TRIAL + 2 * (trace.at - state.at) * COST + (trace.unit - state.unit) * _UNIT
            self.window.spend(cost)
            spent += cost
            if trace.verdict == "bad":
                return False, spent
            if length < tried:
                break
        return True, spent
