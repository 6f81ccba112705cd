"""ISO base media files in two pieces or a few: where the rest lies behind a gap.

The tables say where each sample is in the file. Behind a gap all lie the same number of blocks further on, so one late sample that is
found at such a place tells how wide the gap is, and others prove it. The index itself, or the next fragment, is looked for by its name
where it is not at its place. Then every block border between the last sample that is right without the gap, and the first that is
right behind it, is tried with both sides in hand.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.bmff import box_at, read_movie
from triage.carving.bmfflayout import Layout, lying_in, read_layout
from triage.carving.forms import Structure, Walked
from triage.carving.plainness import plain
from triage.carving.probes import judge, probes_of
from triage.carving.strides import widths, words
from triage.content.signatures import at_start, elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.carving.probes import Probes, Verdict
    from triage.carving.window import Window

_MOST_PLACES = 16384
_MOST_BORDERS = 1024
_MOST_TRIED = 16 << 20
"""Bytes that may be looked at to find where between two samples a gap begins."""
_MOST_MOVIES = 8
_MOST_PROBED = 1024
_MOST_INDEX_BORDERS = 64
_IN_MOVIES = (
    b"trak udta meta mvex tkhd edts mdia mdhd hdlr minf vmhd smhd nmhd gmhd dinf stbl stsd stts stss ctts stsc stsz stz2 stco co64 "
    b"sgpd sbgp tref iods elst".split()
)
_TESTERS = 3
_MOST_GAPS = 3


def rejoined(window: Window, walked: Walked, walk: Callable[[Window], Walked | None], gaps: int = _MOST_GAPS) -> Walked | None:
    """Return the file put together, or ``None``."""
    if not gaps or walked.checked:
        return None
    layout = read_layout(window)
    if walked.structure is Structure.COMPLETE and not layout.fragments:
        return None  # only fragments may go on where they seem to end
    if layout.movie is not None and not layout.movie.whole:
        return _index_joined(window, layout, walk)
    for border, width, certain in _gaps(window, layout):
        whole = _without(window, border, width)
        found = walk(whole)
        if found is not None and found.structure is not Structure.COMPLETE and (found.valid or found.length) > border + window.block:
            found = rejoined(whole, found, walk, gaps - 1)
        if found is None or found.length <= border or found.structure not in {Structure.COMPLETE, Structure.FRAGMENTED}:
            continue
        return _told(found, border, width, certain=certain)
    return None


def _without(window: Window, border: int, width: int) -> Window:
    """Return a window without the gap."""
    return window.spliced(((0, border), (border + width, window.size - border - width)))


def _told(found: Walked, border: int, width: int, *, certain: bool) -> Walked:
    """Return what was found without a gap as what lies around it."""
    pieces = pieces_of(found.pieces or ((0, found.length),), border, width)
    unsure = "" if certain else "; where in its last sample before the gap the piece ends is the likeliest of several places"
    why = f"{len(pieces)} pieces fit together: samples before and behind the gap are right{unsure}"
    checked = found.checked and certain
    return replace(found, structure=Structure.FRAGMENTED, pieces=pieces, checked=checked, valid=None, parts=(), why=why)


def _index_joined(window: Window, layout: Layout, walk: Callable[[Window], Walked | None]) -> Walked | None:
    """Return the file put together around a gap in its index, with which all of it must be right."""
    movie, box = layout.movie, layout.movie_box
    if movie is None or box is None:
        return None
    first, stops = box.start + movie.last + 1, box.start + movie.stops
    for count, width in enumerate(widths(window, stops + 4, _IN_MOVIES)):
        if count >= _MOST_MOVIES:
            break
        fitting = {}
        for border in borders_of(window, first, stops, 1)[:_MOST_INDEX_BORDERS]:
            whole = _without(window, border, width)
            found = read_movie(whole, box)
            walked = walk(whole) if found is not None and found.whole else None
            if walked is not None and walked.structure is Structure.COMPLETE and walked.length > border:
                fitting[border] = walked
        likely = likeliest(window, list(fitting), width)
        if likely is not None:
            return _told(fitting[likely[0]], likely[0], width, certain=likely[1])
    return None


def borders_of(window: Window, start: int, end: int, each: int) -> range:
    """Return the block borders from ``start`` to ``end``, as many as may be tried when one costs ``each`` bytes."""
    block = window.block
    return range(-(-start // block) * block, end + 1, block)[: max(min(_MOST_BORDERS, _MOST_TRIED // max(each, 1)), 1)]


def likeliest(window: Window, borders: list[int], width: int) -> tuple[int, bool] | None:
    """Return at which of the borders that fit a gap begins, and whether that is certain.

    It is if one border alone fits; or if another file's header stands at one of them, as what lies in a gap is another file as a rule
    and no media have one inside at a border of blocks; or if what follows one border and what lies before the place where the file
    goes on both are no media.
    """
    if len(borders) < 2:
        return (borders[0], True) if borders else None
    headed = next((border for border in borders if begins_file(window.at(border, 512), window.size)), None)
    if headed is not None:
        return headed, True
    block = window.block
    begins = next((border for border in borders if _other(window.at(border, block))), None)
    ends = next((border for border in reversed(borders) if _other(window.at(border + width - block, block), tail=True)), None)
    if begins is not None and ends is not None:
        return (begins, True) if begins == ends else (borders[0], False)
    return begins or ends or borders[0], False


def begins_file(head: bytes, size: int) -> bool:
    """Whether a file of some known kind begins so."""
    return bool(at_start(head, size) or elsewhere(head, size))


def _other(data: bytes, *, tail: bool = False) -> bool:
    """Whether a block is none of coded media: plain, or padded at its end."""
    return plain(data) or (tail and data[-8:] == bytes(8))


def pieces_of(pieces: tuple[tuple[int, int], ...], border: int, width: int) -> tuple[tuple[int, int], ...]:
    """Return pieces of what was spliced as pieces of the window."""
    found = []
    for offset, length in pieces:
        before = max(min(length, border - offset), 0)
        if before:
            found.append((offset, before))
        if length > before:
            found.append((offset + before + width, length - before))
    return tuple(found)


def _gaps(window: Window, layout: Layout) -> Iterator[tuple[int, int, bool]]:
    """Yield ``(border, width, certain)`` of gaps that explain what is wrong, the likeliest first."""
    media = layout.media(1 << 62)
    if layout.movie is None and layout.items is None:
        if media:
            yield from _index_behind(window, layout, media[-1][1])
        return
    probes = probes_of(layout.tracks)
    end = max(layout.end, layout.cut.end if layout.cut else 0)
    verdict = judge(window, probes, 0, min(end, window.size))
    if layout.fragments:
        yield from _fragment_behind(window, layout, probes, verdict)
    if verdict.until < 0 or layout.ended:
        return
    first = int(np.searchsorted(probes.starts, verdict.beyond))
    for width in _widths(window, probes, first):
        yield from _borders(window, probes, max(verdict.last, layout.movie_box.end if layout.movie_box else 0), first, width)


def _widths(window: Window, probes: Probes, first: int) -> Iterator[int]:
    """Yield how wide a gap before the ``first`` wrong probe can be: where late samples lie that many bytes further on."""
    after = np.flatnonzero(probes.starts >= probes.ends[first])
    late = [int(i) for i in after[:256] if probes.strong(int(i))]
    if not late:
        return
    testers, block = late[:_TESTERS], window.block
    start, most = int(probes.starts[testers[0]]), probes.most(testers[0])
    if most:
        likely: Iterator[int] = (
            p + first for first, lengths in words(window, start) for p in np.flatnonzero((lengths > 0) & (lengths <= most)).tolist()
        )
    else:
        likely = iter(range(1, min(_MOST_PLACES, (window.size - start) // block) + 1))
    for place in likely:
        if all(probes.good(window, i, place * block) for i in testers):
            yield place * block


def _borders(window: Window, probes: Probes, start: int, first: int, width: int) -> Iterator[tuple[int, int, bool]]:
    """Yield where a gap of a known width can begin: behind ``start``, in or before the probe ``first``, which is wrong without it."""
    last = first
    while last < min(len(probes), first + 64) and not probes.good(window, last, width):
        last += 1  # those lie across the gap
    end = int(probes.ends[first:last].max()) - 1 if last > first else int(probes.starts[first])
    yield from _tried(window, probes, start, end, width)


def _tried(window: Window, probes: Probes, start: int, end: int, width: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the block borders from ``start`` to ``end`` with which all probes around are right."""
    block, deep = window.block, replace(probes, deep=True)
    near = np.flatnonzero((probes.ends > start - 1) & (probes.starts <= end + block))[:64].tolist()
    reach = [(i, int(probes.starts[i]), int(probes.ends[i])) for i in near]
    here = {i: deep.good(window, i) for i in near}
    there = {i: deep.good(window, i, width) for i in near}
    largest = max((b - a for i, a, b in reach if probes.strong(i)), default=0)
    fitting = []
    for border in borders_of(window, start, end, largest + 4096):
        whole = _without(window, border, width)
        if all(here[i] if b <= border else there[i] if a >= border else deep.good(whole, i) for i, a, b in reach):
            fitting.append(border)
    likely = likeliest(window, fitting, width)
    if likely is not None:
        yield likely[0], width, likely[1]


def _index_behind(window: Window, layout: Layout, expected: int) -> Iterator[tuple[int, int, bool]]:
    """Yield gaps with an index behind them that tells of these media."""
    tried = 0
    for width in widths(window, expected + 4, (b"moov",)):
        box = box_at(window, expected + width)
        movie = read_movie(window, box) if box is not None and tried < _MOST_MOVIES else None
        tried += movie is not None
        if movie is None or not movie.whole:
            continue
        tracks = [track for track in movie.tracks if not track.elsewhere]
        inside, total = lying_in(tracks, layout.media(1 << 62))
        if not total or inside < total:
            continue
        probes = probes_of(tracks)
        verdict = judge(window, probes, 0, expected)
        if not verdict.tried:
            continue
        if verdict.until < 0:  # all samples that say much are before the gap
            yield from _tried(window, probes, _unsure(window, probes), expected, width)
        else:
            first = int(np.searchsorted(probes.starts, verdict.beyond))
            yield from _borders(window, probes, max(verdict.last, layout.media(1 << 62)[0][0]), first, width)


def _fragment_behind(window: Window, layout: Layout, probes: Probes, verdict: Verdict) -> Iterator[tuple[int, int, bool]]:
    """Yield gaps with the next fragment behind them: the number after that of the last one."""
    last = [box for box in layout.boxes if box.kind == b"moof"][-1]
    number = int.from_bytes(window.at(last.offset + 20, 4), "big")
    for width in widths(window, layout.end + 4, (b"moof",)):
        head = window.at(layout.end + width, 24)
        if head[12:16] != b"mfhd" or int.from_bytes(head[20:24], "big") != number + 1:
            continue
        own = probes.only(np.flatnonzero(probes.starts >= last.offset))
        start = verdict.last if verdict.until >= 0 else _unsure(window, own)
        yield from _tried(window, probes, max(start, last.end), layout.end, width)


def _unsure(window: Window, probes: Probes) -> int:
    """Return where the last probe begins that is right without a gap, of those before the first that is not: the gap is not before it."""
    last = 0
    for index in range(max(len(probes) - _MOST_PROBED, 0), len(probes)):
        if not probes.good(window, index):
            return int(probes.starts[last])
        last = index
    return int(probes.starts[last]) if len(probes) else 0
