"""Files in which other files lie as they are, and which of their bytes are worth a search at every offset.

By content: databases of SQLite, whose deleted rows stay where they were (:mod:`triage.carving.sqlitefree`), and thumbnail stores of
Windows. By name, since nothing in them says what they are: page, swap and hibernation files, and thumbnail stores of Android.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.cfb import MAGIC as OLE
from triage.carving.cfb import read_compound
from triage.carving.sqlitefree import DeletedRows
from triage.carving.sqlitepages import MAGIC as SQLITE
from triage.carving.sqlitepages import read_header
from triage.carving.window import Window, WindowSpentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    ReadAt = Callable[[int, int], bytes]

_WINDOWS = {
    "pagefile.sys": ("page file", ""),
    "swapfile.sys": ("page file", ""),
    "hiberfil.sys": ("hibernation file", "its compressed blocks are not unpacked: what lies in them is not found"),
}
_THUMBNAILS = re.compile(r"\.thumbdata[0-9-].*|imgcache(?:[._-].*)?|iconcache(?:_[0-9a-z_]+)?\.db", re.DOTALL)
_CACHE = b"CMMM"
_CACHE_HEADER = 24
_ALLOWANCE = 1 << 30
"""Bytes that are read of a file beyond four times its size."""
_STREAMS = 100_000
_SECTOR = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What is searched of a file. ``ranges``: ``(offset, length)`` in bytes, in the order in which they are read as one.

    ``note``: what an examiner has to know, or nothing.
    """

    kind: str
    ranges: tuple[tuple[int, int], ...]
    note: str = ""


def container_of(name: str, type_name: str, read_at: ReadAt, size: int) -> Container | None:
    """Return which bytes of a file are worth a search, ``None`` for a file that holds no others.

    ``name`` is its last part; ``type_name`` its type's short name, or nothing if it is not known. ``read_at(offset, length)`` may return
    fewer bytes; what it raises goes through. The same bytes give the same answer.
    """
    if size <= 0:
        return None
    name = name.lower()
    if name in _WINDOWS:
        kind, note = _WINDOWS[name]
        return Container(kind=kind, ranges=((0, size),), note=note)
    head = read_at(0, min(size, 512))
    window = Window(read_at, size, allowance=_ALLOWANCE + 4 * size)
    if head.startswith(SQLITE):
        return _database(window, head)
    if head.startswith(_CACHE) and size > _CACHE_HEADER:
        return Container(kind="thumbnail store", ranges=((_CACHE_HEADER, size - _CACHE_HEADER),))
    if head.startswith(OLE) and (type_name == "thumbs" or name == "thumbs.db"):
        return _thumbs(window)
    if _THUMBNAILS.fullmatch(name) or type_name == "hiberfil":
        kind, note = _WINDOWS["hiberfil.sys"] if type_name == "hiberfil" else ("thumbnail store", "")
        return Container(kind=kind, ranges=((0, size),), note=note)
    return None


def _database(window: Window, head: bytes) -> Container | None:
    """What was deleted from a database."""
    header = read_header(head)
    if header is None:
        return None
    try:
        found = DeletedRows(window, header)
    except WindowSpentError:
        note = "its free pages were not searched: following them takes too long"
        return Container(kind="database", ranges=(), note=note)
    note = f"{found.left_out:,} of its free pages were not searched: there are too many" if found.left_out else ""
    if not found.ranges and not note:
        return None
    return Container(kind="database", ranges=tuple(found.ranges), note=note)


def _thumbs(window: Window) -> Container:
    """The streams of a Thumbs.db, each in the order of its sectors, and then what is in no stream: thumbnails that were taken out.

    A file whose streams cannot be followed is searched as it lies.
    """
    whole = Container(kind="thumbnail store", ranges=((0, window.size),))
    try:
        found = read_compound(window)
    except WindowSpentError:
        return whole
    if found is None or found.lost or not found.entries:
        return whole
    ranges: list[tuple[int, int]] = []
    for entry in found.entries[:_STREAMS]:
        if entry.kind == 2 and entry.name != "Catalog":
            if entry.chain is None:
                return whole
            ranges += found.pieces(entry)
    inside = [(at, length) for at, length in ranges if at >= 0 and length > 0 and at + length <= window.size]
    if not inside:
        return whole
    return Container(kind="thumbnail store", ranges=(*inside, *_between(inside, window.size)))


def _between(ranges: list[tuple[int, int]], size: int) -> Iterator[tuple[int, int]]:
    """Yield what no range has of a file, in pieces of a sector at least, without its header."""
    at = _SECTOR
    for start, length in sorted([*ranges, (size, 0)]):
        if start - at >= _SECTOR:
            yield at, start - at
        at = max(at, start + length)
