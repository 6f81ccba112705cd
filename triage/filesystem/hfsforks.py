"""Forks and extended attributes of HFS+ files that TSK gives up on: it opens nothing of a file that has a large extended attribute.

TN1150, "Catalog File Data", "Attributes File" (HFSPlusAttrForkData, HFSPlusAttrExtents); Apple, ``hfs_format.h``, HFSPlusAttrData.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.filesystem.checks.hfsformat import ATTRIBUTES, CATALOG, Extent, read_extents, read_fork, utf8
from triage.filesystem.hfsrecords import Record, Records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FILE, _FILE_THREAD = b"\0\2", b"\0\4"
_DATA_FORK, _RESOURCE_FORK = 88, 168
_INLINE, _FORK, _EXTENTS = 0x10, 0x20, 0x30
_MOST = 1000
"""Extended attributes of one file."""


class Place(NamedTuple):
    """Where bytes lie: their name beside the file ("" for the file itself), and ``(offset in the volume, length)`` of each run."""

    name: bytes
    size: int
    runs: tuple[tuple[int, int], ...]


class Forks(NamedTuple):
    """Where what belongs to a file lies, its data first; ``lost``: how many further forks and attributes could not be placed."""

    places: list[Place]
    lost: int


class HfsForks:
    """Finds them in a volume that TSK opened, of blocks of ``block`` bytes."""

    def __init__(self, fs: Any, block: int) -> None:
        self._fs, self._block = fs, block
        self._catalog: Records | None = None
        self._attributes: Records | None = None
        self._lies: list[tuple[int, int]] = []  # of the attributes file: where its runs begin in the volume, and how long they are

    def of(self, address: int) -> Forks | None:
        """Return where a file's data, its resource fork and its extended attributes lie, in this order.

        ``None`` where its record is not found, or its data are in more than eight pieces, the further of which stand elsewhere.
        """
        if self._catalog is None or self._attributes is None:
            self._catalog, self._attributes = Records(self._fs, CATALOG), Records(self._fs, ATTRIBUTES)
            self._lies = self._runs_of(self._attributes.file)
        body = self._record(self._catalog, address)
        if body is None:
            return None
        found: list[Place | None] = []
        for name, at in ((b"", _DATA_FORK), (b"RSRC", _RESOURCE_FORK)):
            fork = read_fork(body, at)
            runs = self._places(fork.extents, fork.size)
            if runs is None and not name:
                return None
            if fork.size or not name:
                found.append(Place(name, fork.size, runs) if runs is not None else None)
        found += self._extended(self._attributes, address)
        return Forks([one for one in found if one is not None], found.count(None))

    @staticmethod
    def _record(catalog: Records, address: int) -> bytes | None:
        """Return a file's record, which is found in its folder, which its thread names."""
        for thread in catalog.of(address):
            if thread.letters or len(thread.body) < 10 or not thread.body.startswith(_FILE_THREAD):
                return None
            folder = struct.unpack_from(">I", thread.body, 4)[0]
            for record in catalog.of(folder):
                body = record.body
                if len(body) >= 248 and body.startswith(_FILE) and struct.unpack_from(">I", body, 8)[0] == address:
                    return body
        return None

    def _extended(self, tree: Records, address: int) -> Iterator[Place | None]:
        """Yield a file's extended attributes, ``None`` for one that cannot be placed."""
        forks: dict[bytes, tuple[int, list[Extent]]] = {}
        for number, record in enumerate(tree.of(address)):
            if number >= _MOST:
                yield None
                continue
            body = record.body
            kind = int.from_bytes(body[:4], "big")
            if kind == _INLINE and len(body) >= 16:
                size = struct.unpack_from(">I", body, 12)[0]
                yield self._inline(record, size)
            elif kind == _FORK and len(body) >= 88:
                fork = read_fork(body, 8)
                forks[record.name] = (fork.size, list(fork.extents))
            elif kind == _EXTENTS and len(body) >= 72 and record.name in forks:
                forks[record.name][1].extend(read_extents(body, 8))
            else:
                yield None
        for name, (size, extents) in forks.items():
            runs = self._places(extents, size)
            yield Place(utf8(name), size, runs) if runs is not None else None

    def _inline(self, record: Record, size: int) -> Place | None:
        """Return where an attribute's bytes stand in the attributes file, as far as that lies in one run."""
        at = record.place + 16
        for start, length in self._lies:
            if at < length:
                return Place(utf8(record.name), size, ((start + at, size),)) if at + size <= length and size <= len(record.body) else None
            at -= length
        return None

    def _runs_of(self, file: Any) -> list[tuple[int, int]]:
        try:
            return [(run.addr * self._block, run.len * self._block) for attribute in file for run in attribute] if file is not None else []
        except OSError:
            return []

    def _places(self, extents: Sequence[Extent], size: int) -> tuple[tuple[int, int], ...] | None:
        """Return where so many bytes of extents lie, ``None`` if they are not as many."""
        runs, left = [], size
        for start, count in extents:
            length = min(count * self._block, left)
            if length > 0:
                runs.append((start * self._block, length))
            left -= length
        return tuple(runs) if left <= 0 else None
