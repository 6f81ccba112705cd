"""HFS+ times before 1970, for which TSK gives 0: read from the catalog as they are stored.

TN1150, "HFS Plus Dates": 32 bits of seconds since 1904, in UTC; 0 is no time. The catalog is searched by the file's ID for its folder,
and of the folder all files with such a time are kept, so that each folder is read once.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.filesystem.checks.hfsformat import CATALOG, FIRST_USER, ROOT
from triage.filesystem.checks.hfstree import INDEX, LEAF, TreeHeader, read_tree_header

if TYPE_CHECKING:
    from collections.abc import Iterator

_SINCE_1904 = 2_082_844_800
_FIELDS = (("crtime", 12), ("mtime", 16), ("ctime", 20), ("atime", 24))
"""Where a file's or folder's record keeps its times: createDate, contentModDate, attributeModDate, accessDate."""
_KEPT_NODES = 64
_MAX_DEPTH = 16


class _Record(NamedTuple):
    """A record of a node: the folder and length of the name in its key, and what follows the key."""

    parent: int
    letters: int
    body: bytes


class HfsTimes:
    """Gives the times before 1970 of a volume that TSK opened. What cannot be read leaves TSK's times as they are."""

    def __init__(self, fs: Any) -> None:
        self._catalog: Any = None
        self._header: TreeHeader | None = None
        self._nodes: dict[int, bytes] = {}
        self._early: dict[int, dict[str, Any]] = {}
        self._folders: set[int] = set()
        try:
            self._catalog = fs.open_meta(CATALOG)
            self._header = read_tree_header(self._catalog.read_random(0, 512))
        except OSError:
            self._header = None

    def of(self, address: int) -> dict[str, Any] | None:
        """Return the times before 1970 of a file or folder by name, ``None`` when it has none."""
        if self._header is None or (address < FIRST_USER and address != ROOT):
            return None
        if address not in self._early:
            folder = self._folder(address)
            if folder is not None and folder not in self._folders:
                self._folders.add(folder)
                self._early.update(self._in_folder(folder))
        found = self._early.get(address)
        return dict(found) if found is not None else None

    def _node(self, number: int) -> bytes:
        size = self._header.node if self._header is not None else 0
        if number not in self._nodes:
            if len(self._nodes) >= _KEPT_NODES:
                self._nodes.clear()
            try:
                self._nodes[number] = self._catalog.read_random(number * size, size)
            except OSError:
                self._nodes[number] = b""
        return self._nodes[number]

    def _leaf(self, folder: int) -> int:
        """Return the leaf where a folder's own record is, which comes before those of what it holds; 0 when none is found."""
        number = self._header.root if self._header is not None else 0
        for _ in range(_MAX_DEPTH):
            node = self._node(number)
            if len(node) < 14 or node[8] != INDEX:
                return number if len(node) >= 14 and node[8] == LEAF else 0
            below = 0
            for record in _records(node):
                if below and (record.parent, record.letters) > (folder, 0):
                    break
                below = int.from_bytes(record.body[:4], "big")
            number = below
        return 0

    def _rows(self, folder: int) -> Iterator[_Record]:
        """Yield the records whose key names a folder."""
        number = self._leaf(folder)
        seen: set[int] = set()
        while number and number not in seen:
            seen.add(number)
            node = self._node(number)
            if len(node) < 14 or node[8] != LEAF:
                return
            for record in _records(node):
                if record.parent > folder:
                    return
                if record.parent == folder:
                    yield record
            number = int.from_bytes(node[:4], "big")

    def _folder(self, address: int) -> int | None:
        """Return the folder of a file or folder by its thread record."""
        for record in self._rows(address):
            if record.letters or len(record.body) < 10:
                return None
            kind, _, parent = struct.unpack_from(">HHI", record.body)
            return int(parent) if kind in (3, 4) else None
        return None

    def _in_folder(self, folder: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield what lies in a folder and has a time before 1970, with these times."""
        for record in self._rows(folder):
            if len(record.body) < 88 or record.body[:2] not in (b"\0\1", b"\0\2"):
                continue
            stored = {name: struct.unpack_from(">I", record.body, at)[0] for name, at in _FIELDS}
            times = {name: (value - _SINCE_1904) * 1_000_000_000 for name, value in stored.items() if 0 < value <= _SINCE_1904}
            if times:
                yield struct.unpack_from(">I", record.body, 8)[0], times


def _records(node: bytes) -> Iterator[_Record]:
    """Yield a catalog node's records, up to the first that does not fit."""
    count, size = int.from_bytes(node[10:12], "big"), len(node)
    for number in range(min(count, size // 4)):
        start, end = struct.unpack_from(">H", node, size - 2 * (number + 1))[0], struct.unpack_from(">H", node, size - 2 * (number + 2))[0]
        if not 14 <= start < end <= size or end - start < 10:
            return
        key, parent, letters = struct.unpack_from(">HIH", node, start)
        if key < 6 or start + 2 + key > end:
            return
        yield _Record(parent, letters, node[start + 2 + key : end])
