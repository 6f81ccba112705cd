"""The boxes at the top of an ISO base media file, as far as they follow each other: where it ends (ISO/IEC 14496-12, 4.2 and 6.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.bmff import Box, Movie, Track, add_fragment, box_at, read_movie
from triage.carving.bmffitems import Items, read_items

if TYPE_CHECKING:
    from triage.carving.bmff import Numbers
    from triage.carving.window import Window

_MOST_BOXES = 65536
_MOST_TABLES = 65
_LARGEST_FRAGMENT = 4 << 20
KNOWN = frozenset(
    b"ftyp styp pdin moov moof mdat imda mfra sidx ssix prft emsg free skip wide uuid meta meco udta pnot PICT pict sefd mpvd junk frea "
    b"idat bloc Exif".split()
)
"""Boxes at the top of a file: those of the standard, QuickTime's, and makers' that need no other behind them to be believed."""


@dataclass(slots=True)
class Layout:
    """What was found. ``end``: of the last whole box; ``cut``: the box that goes on past the space, or says no length of its own.

    ``fragments``: how many; ``promised``: bytes of the whole file by its segment index, or 0; ``ended``: whether an index of its
    fragments, which is last in a file, was reached.
    """

    boxes: list[Box] = field(default_factory=list)
    end: int = 0
    cut: Box | None = None
    movie: Movie | None = None
    movie_box: Box | None = None
    items: Items | None = None
    fragments: int = 0
    promised: int = 0
    ended: bool = False

    @property
    def tracks(self) -> list[Track]:
        """All that has bytes in this file."""
        found = [] if self.movie is None else [track for track in self.movie.tracks if not track.elsewhere]
        return found if self.items is None else found + self.items.tracks

    def media(self, size: int) -> list[tuple[int, int]]:
        """Return where the contents of media data boxes lie, as far as the space goes."""
        found = [(box.start, box.end) for box in self.boxes if box.kind in {b"mdat", b"imda"}]
        if self.cut is not None and self.cut.kind == b"mdat":
            found.append((self.cut.start, size if self.cut.end < 0 else min(self.cut.end, size)))
        return found

    def reach(self) -> int:
        """Return the end of the last sample by the tables."""
        return max((int((t.offsets + t.sizes).max()) for t in self.tracks if len(t.offsets)), default=0)


def read_layout(window: Window) -> Layout:
    """Follow the boxes from the start of a file to where no box of it follows."""
    layout = Layout()
    for _ in range(_MOST_BOXES):
        box = box_at(window, layout.end)
        if box is not None and box.kind == b"mfra" and box.end < 0:
            box = _unsized(window, box)
        if box is None or not _belongs(window, layout, box):
            break
        if box.end < 0 or box.end > window.size:
            layout.cut = box
            break
        if box.kind == b"moov":
            layout.movie, layout.movie_box = read_movie(window, box), box
            if layout.movie is None:
                break
        elif box.kind == b"moof":
            if layout.movie is not None and box.end - box.start <= _LARGEST_FRAGMENT:
                add_fragment(layout.movie, window.at(box.start, box.end - box.start), box.offset)
            layout.fragments += 1
        elif box.kind == b"meta" and layout.items is None:
            layout.items = read_items(window, box)
        elif box.kind == b"sidx" and not layout.fragments:
            layout.promised = max(layout.promised, _segments(window, box))
        layout.ended = box.kind == b"mfra"
        layout.boxes.append(box)
        layout.end = box.end
    for track in layout.tracks:
        track.settle()
    return layout


def _belongs(window: Window, layout: Layout, box: Box) -> bool:
    """Whether a box goes on with the file: what follows may be another one's beginning."""
    if box.kind not in KNOWN:
        # A maker's own: believed when a known one follows right behind it.
        if not layout.boxes or not box.kind.isalnum() or not 0 < box.end <= window.size - 8:
            return False
        following = box_at(window, box.end)
        return following is not None and following.kind in KNOWN
    if not layout.boxes:
        return box.end != -1 or box.kind == b"mdat"
    if box.kind == b"ftyp" or (box.kind == b"moov" and layout.movie_box is not None) or layout.ended:
        return False
    if box.end < 0 and box.kind != b"mdat":
        return False
    if box.kind in {b"mdat", b"wide", b"pnot"} and layout.movie is not None and not layout.movie.fragmented and box.offset % 512 == 0:
        # At the beginning of a sector, media that no sample is in are the next file's.
        return box.offset < layout.reach()
    return True


def _unsized(window: Window, box: Box) -> Box | None:
    """Return a fragment index whose lengths were never filled in, by the counts of its tables (8.8.9 to 8.8.11).

    Writers that cannot go back in what they write leave 0, and some append the length that they could not fill in.
    """
    end = box.start
    for _ in range(_MOST_TABLES):
        head = window.at(end, 24)
        if head[4:8] == b"mfro":
            end += 16
            if window.at(end, 4) == head[12:16]:
                end += 4
            break
        if head[4:8] != b"tfra" or len(head) < 24:
            break
        widths, count = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
        row = (16 if head[8] else 8) + 3 + (widths >> 4 & 3) + (widths >> 2 & 3) + (widths & 3)
        end += 24 + count * row
    return Box(box.kind, box.offset, box.start, end) if box.start < end <= window.size else None


def _segments(window: Window, box: Box) -> int:
    """Return where the last segment that a segment index tells of ends; 0 if it tells of other indexes (8.16.3)."""
    data = window.at(box.start, min(box.end - box.start, _LARGEST_FRAGMENT))
    at = 12 + (16 if data[0] else 8)
    first = int.from_bytes(data[at - 8 : at] if data[0] else data[at - 4 : at], "big")
    count = int.from_bytes(data[at + 2 : at + 4], "big")
    rows = np.frombuffer(data, ">u4", count * 3, at + 4).reshape(count, 3)
    if np.any(rows[:, 0] >> 31):
        return 0
    return box.end + first + int(rows[:, 0].astype(np.int64).sum())


def lying_in(tracks: list[Track], media: list[tuple[int, int]]) -> tuple[int, int]:
    """Return how many units lie in media data, and how many there are."""
    if not media:
        return 0, sum(len(track.offsets) for track in tracks)
    starts: Numbers = np.array([start for start, _ in media], np.int64)
    ends: Numbers = np.array([end for _, end in media], np.int64)
    inside = total = 0
    for track in tracks:
        box = np.searchsorted(starts, track.offsets, side="right") - 1
        inside += int(((box >= 0) & (track.offsets + track.sizes <= ends[box])).sum())
        total += len(track.offsets)
    return inside, total
