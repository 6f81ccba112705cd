"""Chromium's session files (SNSS): tabs that are open, and tabs and windows that were closed.

Format: Chromium (BSD), ``components/sessions/core``: ``command_storage_backend.cc`` (``SNSS``, u32 version, then u16 size, u8 command, what
belongs to it), ``session_service_commands.cc`` and ``tab_restore_service_impl.cc`` (the commands, which differ in the two kinds of file),
``serialized_navigation_entry.cc`` (a page). Versions 1 and 3 are plain, 2, 4 and 5 encrypted. Such a file is a log: what a later command
took back still stands in it, and is given as such.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts import times
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"SNSS"
PLAIN, ENCRYPTED = (1, 3), (2, 4, 5)
_HEAD = 8
_HOW = {0: "link", 1: "typed", 2: "bookmark", 3: "subframe", 5: "suggested", 6: "start page", 7: "form", 8: "reload", 9: "keyword"}
_MOST_MOVED = 5_000_000
"""Pages that all commands together which shorten the lists of tabs may move: each goes through its tab's list."""


@dataclass(slots=True)
class Page:
    """A page of a tab. Times are nanoseconds since 1970; ``start`` and ``size``: of its command in the file."""

    index: int
    url: str
    title: str
    referrer: str = ""
    asked: str = ""
    how: str = ""
    posted: bool = False
    time: int | None = None
    terms: str = ""
    status: int | None = None
    start: int = 0
    size: int = 0


@dataclass(slots=True)
class Tab:
    """A tab. ``pages`` are those in its list, by their place; ``gone`` those that were in it before."""

    number: int
    window: int | None = None
    selected: int | None = None
    pinned: bool = False
    active: int | None = None
    closed: bool = False
    closed_at: int | None = None
    reopened: bool = False
    pages: dict[int, Page] = field(default_factory=dict)
    gone: list[Page] = field(default_factory=list)


class Session:
    """A file of one of the two kinds. ``notes``: what could not be read, once the tabs were asked for."""

    def __init__(self, data: bytes, *, closed: bool) -> None:
        """``closed``: a file of closed tabs (``Tabs_*``, ``Last Tabs``). Raises :class:`StructureError` for what is no such file."""
        if data[:4] != MAGIC or len(data) < _HEAD:
            raise StructureError("no session file")
        self.version = int.from_bytes(data[4:8], "little")
        self.encrypted = self.version in ENCRYPTED
        if not self.encrypted and self.version not in PLAIN:
            raise StructureError(f"a session file of version {self.version}, which is not known")
        self._data, self._closed = data, closed
        self._moved = 0
        self.notes = Notes()

    def records(self) -> int:
        """Return how many records an encrypted file of version 5 has."""
        at, count = _HEAD, 0
        while at + 4 <= len(self._data):
            at += 4 + int.from_bytes(self._data[at : at + 4], "little")
            count += at <= len(self._data)
        return count

    def tabs(self) -> list[Tab]:
        """Return the tabs in the order in which the file first names them."""
        return self._closed_tabs() if self._closed else self._open_tabs()

    def _commands(self) -> Iterator[tuple[int, bytes, int]]:
        """Yield each command: what it is, what belongs to it, where it begins."""
        data, at = self._data, _HEAD
        while at + 2 <= len(data):
            size = int.from_bytes(data[at : at + 2], "little")
            if size == 0 or at + 2 + size > len(data):
                break
            yield data[at + 2], data[at + 3 : at + 2 + size], at
            at += 2 + size
        if at < len(data):
            self.notes.add("a session file breaks off: bytes behind its last whole command were left out")

    def _page(self, body: bytes, at: int) -> tuple[int, Page] | None:
        pickle = _Pickle(body)
        number, index, url = pickle.integer(), pickle.integer(), pickle.text()
        title = pickle.wide()
        if number is None or index is None or title is None or url is None:
            self.notes.add("a page of a tab cannot be read")
            return None
        page = Page(index, url, title, start=at, size=len(body) + 3)
        pickle.text()  # the page's state: scroll positions and fields, in a format of its own
        page.how = _HOW.get((pickle.integer() or 0) & 0xFF, "")
        page.posted = bool((pickle.integer() or 0) & 1)
        page.referrer = pickle.text() or ""
        pickle.integer()
        page.asked = pickle.text() or ""
        pickle.integer()
        page.time = times.webkit(pickle.long())
        page.terms = pickle.wide() or ""
        page.status = pickle.integer() or None
        return number, page

    def _open_tabs(self) -> list[Tab]:
        tabs: dict[int, Tab] = {}
        ended: dict[int, int | None] = {}
        for command, body, at in self._commands():
            if command == 6:
                found = self._page(body, at)
                if found is not None:
                    self._put(tabs.setdefault(found[0], Tab(found[0])), found[1])
                continue
            if len(body) < 8 or command not in (0, 5, 7, 11, 12, 16, 17, 21, 24):
                continue
            first, second = struct.unpack_from("<ii", body)
            if command == 0:
                tabs.setdefault(second, Tab(second)).window = first
                continue
            if command == 17:
                ended[first] = _when(body, 8)
                continue
            tab = tabs.setdefault(first, Tab(first))
            if command == 7:
                tab.selected = second
            elif command == 12:
                tab.pinned = bool(body[4])
            elif command == 16:
                tab.closed, tab.closed_at = True, _when(body, 8)
            elif command == 21:
                tab.active = _when(body, 8)
            elif command == 5:
                self._prune(tab, second, 1 << 31)
            elif command == 11:
                self._prune(tab, 0, second)
            elif len(body) >= 12:
                self._prune(tab, second, struct.unpack_from("<i", body, 8)[0])
        for tab in tabs.values():
            if tab.window in ended and not tab.closed:
                tab.closed, tab.closed_at = True, ended[tab.window]
        return [tab for tab in tabs.values() if tab.pages or tab.gone]

    def _closed_tabs(self) -> list[Tab]:
        tabs: list[Tab] = []
        by_number: dict[int, list[Tab]] = {}
        waiting, window, when = 0, None, None
        for command, body, at in self._commands():
            if command == 1:
                found = self._page(body, at)
                if found is None:
                    continue
                if not tabs:
                    tabs.append(Tab(found[0], closed=True))
                # Places are those of the list that the tab had: not all of it was written.
                page = found[1]
                page.index = len(tabs[-1].pages)
                tabs[-1].pages[page.index] = page
            elif command == 4 and len(body) >= 8:
                number, selected = struct.unpack_from("<ii", body)
                closed_at = _when(body, 8)
                tab = Tab(number, selected=selected, closed=True, closed_at=closed_at)
                if waiting > 0:
                    waiting -= 1
                    tab.window, tab.closed_at = window, closed_at if closed_at is not None else when
                    by_number.setdefault(window or 0, []).append(tab)
                by_number.setdefault(number, []).append(tab)
                tabs.append(tab)
            elif command in (3, 9):
                pickle = _Pickle(body) if command == 9 else _Pickle(b"\0\0\0\0" + body)
                window, _, count = pickle.integer(), pickle.integer(), pickle.integer()
                when = times.webkit(pickle.long() if command == 9 else int.from_bytes(body[16:24], "little"))
                waiting = max(0, count or 0)
            elif command == 2 and len(body) >= 4:
                for tab in by_number.pop(struct.unpack_from("<i", body)[0], []):
                    tab.reopened = True
            elif command == 5 and tabs:
                tabs[-1].pinned = True
        return [tab for tab in tabs if tab.pages]

    def _put(self, tab: Tab, page: Page) -> None:
        before = tab.pages.get(page.index)
        if before is not None and before.url != page.url:
            tab.gone.append(before)
        tab.pages[page.index] = page

    def _prune(self, tab: Tab, first: int, count: int) -> None:
        """Take pages out of a tab's list; those behind them move up."""
        if first < 0 or count <= 0:
            return
        self._moved += len(tab.pages)
        if self._moved > _MOST_MOVED:
            self.notes.add("a session file takes more pages out of lists than may be followed: some are given as if they were still there")
            return
        kept: dict[int, Page] = {}
        for index, page in tab.pages.items():
            if first <= index < first + count:
                tab.gone.append(page)
            else:
                page.index = index if index < first else index - count
                kept[page.index] = page
        tab.pages = kept
        if tab.selected is not None and tab.selected >= first:
            tab.selected = first - 1 if tab.selected < first + count else tab.selected - count


def _when(body: bytes, at: int) -> int | None:
    return times.webkit(int.from_bytes(body[at : at + 8], "little", signed=True)) if len(body) >= at + 8 else None


class _Pickle:
    """Values one behind the other (``base/pickle.h``), each on a multiple of four bytes. What is not there is ``None``."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._end = min(len(data), 4 + int.from_bytes(data[:4], "little")) if data[:4] != b"\0\0\0\0" else len(data)
        self._at = 4

    def integer(self) -> int | None:
        """A number of four bytes."""
        raw = self._take(4)
        return int.from_bytes(raw, "little", signed=True) if raw is not None else None

    def long(self) -> int | None:
        """A number of eight bytes."""
        raw = self._take(8)
        return int.from_bytes(raw, "little", signed=True) if raw is not None else None

    def text(self) -> str | None:
        """A text in UTF-8."""
        raw = self._counted(1)
        return raw.decode("utf-8", "replace") if raw is not None else None

    def wide(self) -> str | None:
        """A text in UTF-16."""
        raw = self._counted(2)
        return raw.decode("utf-16-le", "replace") if raw is not None else None

    def _counted(self, width: int) -> bytes | None:
        count = self.integer()
        return self._take(count * width) if count is not None and count >= 0 else None

    def _take(self, length: int) -> bytes | None:
        if self._at + length > self._end:
            self._at = self._end  # nothing behind what breaks off can be told
            return None
        raw = self._data[self._at : self._at + length]
        self._at += length + -length % 4
        return raw
