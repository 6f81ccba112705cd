"""SQLite 3 databases: the header says how many pages there are, the trees say which, and each must be what its tree wants.

Format: sqlite.org/fileformat2.html; how the pages are followed stands in :mod:`triage.carving.sqlitepages`. Applications that let their
databases grow in steps leave pages of zeros behind the last one (SQLITE_FCNTL_CHUNK_SIZE); the steps of Mozilla's and of those of Windows'
timeline and notifications were measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.sqlitejoin import join
from triage.carving.sqlitepages import MAGIC, Pages, read_header

if TYPE_CHECKING:
    from triage.carving.window import Window

_NAMED = 12
"""Tables that a fact names."""
_GROWING = (
    (32768, "moz_places", 5 << 20),
    (32768, "moz_icons", 5 << 20),
    (32768, "moz_", 512 << 10),
    (4096, "ActivityOperation", 1 << 20),
    (4096, "NotificationHandler", 1 << 20),
)
"""Page size, what a table's name begins with, bytes in whose multiples the database grows."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 512)
    header = read_header(head)
    if header is None or len(head) < 512 or head[100] not in (5, 13) or (header.pages or 0) * header.page_size > 1 << 40:
        return None
    if window.size < header.page_size:
        return None
    pages = Pages(window, header)
    if not pages.last or not pages.good[0]:
        return None
    pages.follow()
    count = header.pages or _inferred(pages)
    facts = _facts(pages, count)
    size = header.page_size
    bad = sorted(pages.wrong)
    if header.pages or bad or count > pages.last:  # where the size is not kept, what lies behind the last page is not told from overflow
        bad = sorted({*bad, *(p for p in pages.broken_overflow() if not (bad or count > pages.last) or not pages.good[p - 1])})
    if not bad and count <= pages.last and pages.sound and (not header.pages or not (bad := pages.broken_maps())):
        length = _grown(window, pages, count * size)
        why = "every page that its header counts was reached" if header.pages else "every page that its trees lead to was reached"
        # What a free page holds cannot be checked; that none is missing can, as long as pages that can be are behind them.
        proven = max(pages.leaves, default=0) < int(np.flatnonzero(pages.tree)[-1])
        return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=proven, facts=facts)
    bad = [page for page in bad if page <= count]
    here = min(pages.last, count, _other(pages) - 1)
    if here == count and (not bad or _resumes(pages, bad[0], count)):
        why = f"{len(bad)} of {count} pages are not what they should be" if bad else "its list of free pages is not what its header says"
        valid = (bad[0] - 1) * size if bad else None
        return Walked(length=count * size, structure=Structure.DAMAGED, why=why, valid=valid, facts=facts)
    kept = _end_of_good(pages, bad, here)
    if kept < 2:
        return None
    facts["pages_found"] = kept
    why = f"{kept} of {count} pages are there"
    return Walked(length=kept * size, structure=Structure.TRUNCATED, why=why, facts=facts)


def _other(pages: Pages) -> int:
    """Return the number of the page at which another database begins, or one that is not there."""
    found = np.flatnonzero((pages.heads[1:] == np.frombuffer(MAGIC, np.uint8)).all(axis=1))
    return int(found[0]) + 2 if len(found) else 1 << 30


def _inferred(pages: Pages) -> int:
    return max(pages.reached(), 1)


def _facts(pages: Pages, count: int) -> Facts:
    header = pages.header
    tables = [t.name for t in pages.tables if t.kind == "table" and not t.name.startswith("sqlite_")]
    facts: Facts = {"page_size": header.page_size, "pages": count, "tables": len(tables)}
    if names := sorted(name for name in tables if name):
        facts["table_names"] = ", ".join(names[:_NAMED])
    if header.free_pages:
        facts["free_pages"] = header.free_pages
    if header.application:
        facts["application_id"] = f"0x{header.application:08x}"
    return facts


def _resumes(pages: Pages, bad: int, count: int) -> bool:
    """Whether the database goes on behind its first bad page: trees lead there, or what is there looks like pages of trees."""
    behind = np.arange(bad, count)  # page numbers above the bad one, less one
    if not len(behind):
        return False
    wrong = np.zeros(pages.last + 1, bool)
    wrong[[p for p in pages.wrong if p <= pages.last]] = True
    fits = (pages.tree[behind + 1] > 0) & ~wrong[behind + 1]
    return bool(fits.any()) or float(pages.good[behind].mean()) > 0.5


def _end_of_good(pages: Pages, bad: list[int], here: int) -> int:
    """Return the last page that is surely the database's: none behind the last one that a tree leads to and that is one of its pages.

    A bad page in front of good ones is kept with them.
    """
    first = bad[0] if bad else here + 1
    if first <= here and _resumes(pages, first, here):
        wrong = {*bad}
        return max(p for p in range(1, here + 1) if pages.tree[p] and p not in wrong)
    last = min(first - 1, here)
    while last > 1 and not pages.tree[last] and not pages.heads[last - 1].any():
        last -= 1
    return last


def _grown(window: Window, pages: Pages, length: int) -> int:
    """Return the file's length with the empty pages behind its last one, where the application is known for them."""
    names = [t.name for t in pages.tables if t.kind == "table"]
    for size, prefix, step in _GROWING:
        grown = -(-length // step) * step
        if size == pages.header.page_size and grown <= window.size and any(name.startswith(prefix) for name in names):
            empty = not any(data.count(0) < len(data) for _, data in window.chunks(length, grown))
            return grown if empty else length
    return length


def _rejoin(window: Window, _walked: Walked) -> Walked | None:
    return join(window, _walk)


_HEADERS = (Header(MAGIC),)
FORMATS = (Format(name="sqlite", extension="sqlite", headers=_HEADERS, walk=_walk, rejoin=_rejoin, holds_files=True),)
