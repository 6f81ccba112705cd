"""What a SQLite database holds of rows that were deleted, put in the order in which it was written.

Format: sqlite.org/fileformat2.html, sections 1.5 (free list), 1.6 (cells, freeblocks, overflow pages). A large value begins in a page of a
tree and goes on from overflow page to overflow page, each of which begins with the number of the next. When its row is deleted the cell
becomes a freeblock, which loses its first four bytes and keeps its last four, the number of the first overflow page; the overflow pages
become leaf pages of the free list, whose content stays. So a picture in a deleted row can be followed from its first byte to its last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.carving.sqlitepages import Pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triage.carving.sqlitepages import DatabaseHeader
    from triage.carving.window import Window

MAX_RANGES = 200_000
"""Ranges of bytes that are named of one database."""
_GAP = 512
"""Bytes that free room in a page that is in use must have to be worth a search, where it leads to no free page."""
_REST = 64
_LEAF = 13


class DeletedRows:
    """The ranges, ``(offset, length)`` in bytes, in the order to read them in. ``left_out``: free pages that the limit left no room for."""

    def __init__(self, window: Window, header: DatabaseHeader) -> None:
        self._pages = Pages(window, header)
        self._size = header.page_size
        self._usable = header.usable
        self._free = set(self._pages.leaves)
        self._used: set[int] = set()
        self.ranges: list[tuple[int, int]] = []
        self.left_out = 0
        if self._pages.last:
            self._find()

    def _find(self) -> None:
        pages = self._pages
        leaves = np.flatnonzero(pages.good & (pages.heads[:, 0] == _LEAF)) + 1
        trees = {int(page) for page in leaves}
        for page in sorted(self._free & trees):
            self._free_leaf(page)
        for page in sorted(trees - self._free - set(pages.trunks)):
            self._live_leaf(page)
        self._overflow(sorted(self._free - trees - self._used))
        for page in pages.trunks:
            head = pages.page(page)[:8]
            self._add(page, 8 + 4 * int.from_bytes(head[4:8], "big"), self._usable)

    def _add(self, page: int, start: int, end: int) -> None:
        if end > start and len(self.ranges) < MAX_RANGES:
            self.ranges.append(((page - 1) * self._size + start, end - start))
        elif end > start:
            self.left_out += 1

    def _next(self, page: int) -> int:
        return int.from_bytes(self._pages.heads[page - 1, :4].tobytes(), "big")

    def _chain(self, page: int) -> Iterator[int]:
        """Yield the free pages that follow each other as overflow, each page of a database once."""
        while page in self._free and page not in self._used:
            self._used.add(page)
            yield page
            page = self._next(page)

    def _free_leaf(self, page: int) -> None:
        """A page of a table that is free as a whole: its cells are as they were."""
        if page in self._used:
            return
        self._used.add(page)
        data = self._pages.page(page)
        taken: list[tuple[int, int]] = []
        for cell in self._pages.spilled(page, data):
            if cell.page not in self._free or cell.page in self._used or cell.start + cell.kept > self._usable:
                continue
            self._add(page, cell.start, cell.start + cell.kept)
            taken.append((cell.start, cell.start + cell.kept))
            left = cell.payload - cell.kept
            for number in self._chain(cell.page):
                self._add(number, 4, 4 + min(self._usable - 4, left))
                left -= self._usable - 4
                if left <= 0:
                    break
        for start, end in _without(taken, self._usable):
            self._add(page, start, end)

    def _live_leaf(self, page: int) -> None:
        """A page of a table that is in use: its free room."""
        data = self._pages.page(page)
        start = 100 if page == 1 else 0
        block = int.from_bytes(data[start + 1 : start + 3], "big")
        cells = int.from_bytes(data[start + 3 : start + 5], "big")
        content = int.from_bytes(data[start + 5 : start + 7], "big") or 65536
        self._room(page, data, start + 8 + 2 * cells, min(content, self._usable))
        before = 0
        while before < block <= self._usable - 4:
            size = int.from_bytes(data[block + 2 : block + 4], "big")
            self._room(page, data, block + 4, min(block + size, self._usable))
            before, block = block, int.from_bytes(data[block : block + 2], "big")

    def _room(self, page: int, data: bytes, start: int, end: int) -> None:
        """Free room of a page, and the overflow pages that the number at its end leads to."""
        if end - start < 4:
            return
        following = int.from_bytes(data[end - 4 : end], "big")
        if following in self._free and following not in self._used:
            self._add(page, start, end - 4)
            for number in self._chain(following):
                self._add(number, 4, self._usable)
        elif end - start >= _GAP and data.count(0, start, end) < end - start:
            self._add(page, start, end)

    def _overflow(self, pages: list[int]) -> None:
        """The free pages that nothing leads to: chains from their first page on, then what goes round."""
        led_to = {self._next(page) for page in pages}
        for page in [*(p for p in pages if p not in led_to), *(p for p in pages if p in led_to)]:
            for number in self._chain(page):
                following = self._next(number)
                self._add(number, 4 if not following or following in self._free else 0, self._usable)


def _without(taken: Iterable[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Yield what is left of a page, in pieces that are worth a search."""
    at = 0
    for start, end in sorted([*taken, (size, size)]):
        if start - at >= _REST:
            yield at, start
        at = max(at, end)
