"""A SQLite database in two pieces: its trees say which kinds of pages must come, and where they do is where it goes on.

The first piece's trees lead to pages behind the break, and each of those must be one of its tree. A distance at which all of them are is
tried by walking the two pieces as one: every page must be what its tree, the free list or a chain of overflow wants.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from triage.carving.forms import Structure, Walked
from triage.carving.sqlitepages import FAMILY, HEAD, Pages, cells_are_whole, read_header, tree_pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.carving.sqlitepages import Heads, Mask
    from triage.carving.window import Window

_REACH = 1 << 20
"""Bytes behind the break in which the second piece is looked for."""
_EXPECTED = 64
_DISTANCES = 16
_BREAKS = 32
_TRIES = 128
"""Pages that are asked for at once; distances and places of the break that are tried, and both together."""


def join(window: Window, walk: Callable[[Window], Walked | None]) -> Walked | None:
    """Return the database whose first piece begins the window, put together of two; ``None`` if the second is not found."""
    header = read_header(window.at(0, 512))
    if header is None:
        return None
    pages = Pages(window, header)
    pages.follow()
    wrong = {*(p for p in pages.wrong if p <= pages.last), *(p for p in pages.broken_overflow() if not pages.good[p - 1])}
    # Empty pages could be the ends of overflow chains, or what lies between the pieces.
    empty = np.flatnonzero(pages.rest() & ~pages.heads.any(axis=1)) + 1
    tries = _TRIES
    for bad in sorted({min(wrong, default=0), int(empty[0]) if len(empty) and wrong else 0}):
        found, used = _from(window, pages, bad, tries, walk) if bad > 1 else (None, 0)
        if found is not None:
            return found
        tries -= used
    return None


def _from(window: Window, pages: Pages, bad: int, tries: int, walk: Callable[[Window], Walked | None]) -> tuple[Walked | None, int]:
    """Return the database whose first page that is not its own is ``bad``, or ``None``, and how often that was tried."""
    size = pages.header.page_size
    tree = np.flatnonzero(pages.tree)
    expected = [(int(p), int(pages.tree[p])) for p in tree[tree >= bad] if pages.parents.get(int(p), bad) < bad][:_EXPECTED]
    if not expected:
        return None, 0
    good = [int(p) for p in tree[tree < bad] if int(p) not in pages.wrong]
    breaks = _breaks(size, window.block, max(good, default=1), bad)
    used = 0
    for distance in _distances(window, size, pages.header.usable, expected):
        chosen = breaks[: tries - used]
        used += len(chosen)
        found = _joined(window, chosen, distance, walk)
        if found is not None or used >= tries:
            return found, used
    return None, used


def _breaks(page: int, block: int, last: int, bad: int) -> list[int]:
    """Return the offsets at which the first piece may end: ends of blocks behind its last good page, the later ones first."""
    lowest, highest = -(-last * page // block) * block, (bad - 1) * page // block * block
    if page > block:  # it may end inside of a page whose beginning is good
        lowest = -(-((last - 1) * page + 1) // block) * block
    found = list(range(highest, lowest - 1, -block))
    return found[:_BREAKS]


def _distances(window: Window, page: int, usable: int, expected: list[tuple[int, int]]) -> list[int]:
    """Return how far behind their places all expected pages could lie, nearest first."""
    unit = math.gcd(page, window.block)
    if unit < HEAD:
        return []
    base = (expected[0][0] - 1) * page
    heads = _heads(window, base, unit)
    good = tree_pages(heads, usable)
    kinds = {wanted: good & np.isin(heads[:, 0], [k for k, family in FAMILY.items() if family & wanted]) for wanted in (1, 2, 3)}
    step = window.block // unit
    count = max(0, (len(heads) - 1) // step)
    fits: Mask = np.ones(count, bool)
    for number, family in expected:
        start = ((number - 1) * page - base) // unit + step
        here = kinds[family][start::step][:count]
        fits[len(here) :] = False
        fits[: len(here)] &= here
    return [(int(n) + 1) * window.block for n in np.flatnonzero(fits)[:_DISTANCES]]


def _heads(window: Window, base: int, unit: int) -> Heads:
    """Return the first bytes of every unit from ``base`` on."""
    parts: list[Heads] = []
    tail = b""
    for _, chunk in window.chunks(base, min(window.size, base + _REACH)):
        data = tail + chunk if tail else chunk
        whole = len(data) // unit
        tail = data[whole * unit :]
        if whole:
            parts.append(np.frombuffer(data, np.uint8, whole * unit).reshape(whole, unit)[:, :HEAD].copy())
    found: np.ndarray[Any, np.dtype[np.uint8]] = np.concatenate(parts) if parts else np.zeros((0, HEAD), np.uint8)
    return found


def _joined(window: Window, breaks: list[int], distance: int, walk: Callable[[Window], Walked | None]) -> Walked | None:
    """Return the database when it is whole with the break at one of the offsets; proven when no other is as good."""
    found: list[tuple[int, int, Walked]] = []
    for end in breaks:
        rest = window.size - end - distance
        if end <= 0 or rest <= 0:
            continue
        both = window.spliced([(0, end), (end + distance, rest)])
        walked = walk(both)
        if walked is not None and not _seam_fits(both, end):
            continue
        if walked is not None and walked.structure is Structure.COMPLETE and walked.length > end and _explained(both, walked):
            found.append((_score(both, walked), end, walked))
    if not found:
        return None
    found.sort(key=lambda one: (-one[0], -one[1]))
    _, end, walked = found[0]
    return Walked(
        length=walked.length,
        structure=Structure.FRAGMENTED,
        why=f"{walked.why}; it goes on {distance} bytes behind byte {end}",
        checked=walked.checked and (len(found) == 1 or found[0][0] > found[1][0]),
        pieces=((0, end), (end + distance, walked.length - end)),
        facts=walked.facts,
    )


def _seam_fits(window: Window, end: int) -> bool:
    """Whether the cells of the page that the seam goes through, if it does, are whole."""
    header = read_header(window.at(0, 512))
    if header is None or not end % header.page_size:
        return True
    number = end // header.page_size + 1
    page = window.at((number - 1) * header.page_size, header.page_size)
    return page[:1] not in (b"\x0d", b"\x0a") or cells_are_whole(page, header.usable)


def _explained(window: Window, walked: Walked) -> bool:
    """Whether every page is one of a tree, free, or overflow: where its header does not count them, the walk does not ask."""
    header = read_header(window.at(0, 512))
    if header is None or header.pages is not None:
        return header is not None
    pages = Pages(window.spliced([(0, walked.length)]), header)
    pages.follow()
    return not pages.broken_overflow()


def _score(window: Window, walked: Walked) -> int:
    """Return how many pages look like a database's. More than one place of the break may do when free pages lie about it."""
    header = read_header(window.at(0, 512))
    if header is None or "free_pages" not in walked.facts:
        return 0
    return Pages(window, header).plausible()
