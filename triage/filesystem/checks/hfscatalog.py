"""What the leaves of the three B-trees of HFS+ hold, as columns: files and folders, threads, extents, attributes.

TN1150, "Catalog File", "Extents Overflow File", "Attributes File". Records arrive before it is known which leaves are in use: ``settle``
keeps those of the leaves that are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from triage.filesystem.checks.columns import Bytes, Columns, Tally
from triage.filesystem.checks.hfsformat import Extent, utf8
from triage.filesystem.listed import name_digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.filesystem.checks.columns import Column

FOLDER, FILE, FOLDER_THREAD, FILE_THREAD = 1, 2, 3, 4
DATA_FORK, RESOURCE_FORK, ATTRIBUTE_FORK = 0, 255, 1
"""Kinds of forks as the extents overflow file has them; the last one is ours."""
_LENGTHS = np.array([0, 88, 248, 10, 10])
_HARD_LINKS = (int.from_bytes(b"hlnkhfs+", "big"), int.from_bytes(b"fdrpMACS", "big"))
_INLINE, _FORK, _EXTENTS = 0x10, 0x20, 0x30
_SYMLINK = int.from_bytes(b"slnkrhap", "big")
_DIRECTORY, _REGULAR, _LINK = 4, 8, 10
_SPECIAL = (1, 2, 6, 12)
"""Types in the upper four bits of a mode (HFSPlusBSDInfo.fileMode): FIFO, devices, socket."""


class Rows(ABC):
    """Rows of records with the node each came from, and what does not fit. ``blocks``: how many the volume has."""

    def __init__(self, blocks: int) -> None:
        self.wrong = Tally()
        self.columns = Columns()
        self.extents: list[Extent] = []
        self.node_size = 0
        self._blocks = blocks
        self._live = np.zeros(0, bool)

    def settle(self, extents: list[Extent], node_size: int, live: Column) -> None:
        """Say where the tree lies and which nodes' records count."""
        self.extents, self.node_size, self._live = extents, node_size, live

    @abstractmethod
    def take(self, here: Bytes, at: Column, length: Column, node: Column) -> None:
        """Take leaves' records: their places, lengths and nodes."""

    def column(self, table: str, name: str) -> Column:
        """Return a column of the records that count."""
        node = self.columns.whole(f"{table}.node")
        whole = self.columns.whole(f"{table}.{name}")
        inside = node < len(self._live)
        column: Column = whole[inside][self._live[node[inside]]]
        return column

    def _add(self, table: str, **columns: Column) -> None:
        self.columns.add(**{f"{table}.{name}": column for name, column in columns.items()})

    def _extents(self, here: Bytes, at: Column, node: Column, owner: Column, fork: Column) -> Column:
        """Keep the eight extents at each place, in their order; return how many blocks they have in all."""
        places = at[:, None] + 8 * np.arange(8)
        start, count = here.at(places, 4), here.at(places + 4, 4)
        going = np.logical_and.accumulate(count > 0, axis=1)
        fits = start + count <= self._blocks
        node, owner, fork = (np.repeat(column[:, None], 8, axis=1) for column in (node, owner, fork))
        self.wrong.add("lie outside of the volume", owner[going & ~fits])
        keep = going & fits
        self._add("extents", node=node[keep], owner=owner[keep], fork=fork[keep], start=start[keep], count=count[keep])
        total: Column = np.where(going, count, 0).sum(axis=1)
        return total


class Catalog(Rows):
    """``things``: files and folders; ``threads``: their records by ID; ``forks`` and ``extents``: where files lie."""

    def take(self, here: Bytes, at: Column, length: Column, node: Column) -> None:
        """Take leaves' records: key (length, parent, name), then the record."""
        key = here.at(at, 2)
        letters = here.at(at + 6, 2)
        body = at + 2 + key
        fits = (key >= 6) & (key == 6 + 2 * letters) & (key + 4 <= length) & (letters <= 255)
        kind = np.where(fits, here.at(np.where(fits, body, 0), 2), 0)
        fits &= (kind >= FOLDER) & (kind <= FILE_THREAD)
        fits &= 2 + key + _LENGTHS[np.where(fits, kind, 0)] <= length
        self.wrong.add("records do not fit", node[~fits])
        at, body, kind, node, letters, length = at[fits], body[fits], kind[fits], node[fits], letters[fits], length[fits]
        parent = here.at(at + 2, 4)
        thing = kind <= FILE
        self._things(here, at[thing], body[thing], kind[thing], node[thing], parent[thing], letters[thing])
        thread = ~thing
        body, kind, node, letters, identity = body[thread], kind[thread], node[thread], letters[thread], parent[thread]
        told = here.at(body + 8, 2)
        fits = (letters == 0) & (told <= 255) & (body + 10 + 2 * told <= at[thread] + length[thread])
        self.wrong.add("records do not fit", node[~fits])
        body, kind, node, told, identity = body[fits], kind[fits], node[fits], told[fits], identity[fits]
        self._add(
            "threads",
            node=node,
            id=identity,
            folder=kind == FOLDER_THREAD,
            parent=here.at(body + 4, 4),
            told=_digests(here, body + 10, told, here.at(body + 4, 4)),
        )

    def _things(self, here: Bytes, at: Column, body: Column, kind: Column, node: Column, parent: Column, letters: Column) -> None:
        identity = here.at(body + 8, 4)
        file = kind == FILE
        marks = np.where(file, here.unsigned(body + 48), 0)
        sizes, blocks, held = [], [], []
        for place, fork in ((88, DATA_FORK), (168, RESOURCE_FORK)):
            where = (body + place)[file]
            sizes.append(here.at(where, 8))
            blocks.append(here.at(where + 12, 4))
            held.append(self._extents(here, where + 16, node[file], identity[file], np.full(len(where), fork)))
        for fork, size, claimed, first in zip((DATA_FORK, RESOURCE_FORK), sizes, blocks, held, strict=True):
            if fork == DATA_FORK:
                self._modes(here, body, file, marks, size, identity)
            self._add("forks", node=node[file], id=identity[file], fork=np.full(len(size), fork), size=size, blocks=claimed, first=first)
        self._add(
            "things",
            node=node,
            id=identity,
            parent=parent,
            folder=~file,
            link=np.isin(marks, np.array(_HARD_LINKS, dtype=np.uint64)),
            valence=np.where(file, 0, here.at(body + 4, 4)),
            told=_digests(here, at + 8, letters, parent),
            digest=_digests(here, at + 8, letters, parent, utf8),
            place=at + 8,
            letters=letters,
        )

    def _modes(self, here: Bytes, body: Column, file: Column, marks: Column, size: Column, identity: Column) -> None:
        """The kind in the mode (0 before Mac OS X) against the kind of record, a symbolic link's mark, and content that devices lack."""
        kind = here.at(body + 42, 2) >> 12
        content = np.zeros(len(body), np.int64)
        content[file] = size
        plain = (kind == _REGULAR) & (marks != _SYMLINK) | (kind == _LINK) & (marks == _SYMLINK)
        plain |= np.isin(kind, _SPECIAL) & (content == 0) & (marks != _SYMLINK)
        fits = (kind == 0) | np.where(file, plain, kind == _DIRECTORY)
        self.wrong.add("are not of the kind that their mode says", identity[~fits])


class Overflow(Rows):
    """The extents beyond the first eight of a fork: ``parts`` has a row a record."""

    def take(self, here: Bytes, at: Column, length: Column, node: Column) -> None:
        """Take leaves' records: key (length, fork, file, first block), then eight extents."""
        fits = (here.at(at, 2) == 10) & (length >= 76)
        self.wrong.add("records do not fit", node[~fits])
        at, node = at[fits], node[fits]
        fork, owner = here.raw[at + 2].astype(np.int64), here.at(at + 4, 4)
        total = self._extents(here, at + 12, node, owner, fork)
        self._add("parts", node=node, owner=owner, fork=fork, first=here.at(at + 8, 4), total=total)

    def of(self, owner: int, fork: int) -> list[Extent]:
        """Return one fork's further extents in their order."""
        rows = (self.column("parts", "owner") == owner) & (self.column("parts", "fork") == fork)
        if not rows.any():
            return []
        columns = (self.column("extents", name) for name in ("owner", "fork", "start", "count"))
        owners, forks, start, count = columns
        mine = (owners == owner) & (forks == fork)
        return [Extent(int(s), int(c)) for s, c in zip(start[mine], count[mine], strict=True)]


class Attributes(Rows):
    """Extended attributes: ``rows`` has one an attribute."""

    def take(self, here: Bytes, at: Column, length: Column, node: Column) -> None:
        """Take leaves' records: key (length, file, first block, name), then the record."""
        key, letters = here.at(at, 2), here.at(at + 12, 2)
        body = at + 2 + key
        fits = (key == 12 + 2 * letters) & (letters <= 127) & (key + 6 <= length)
        kind = here.at(np.where(fits, body, 0), 4)
        room = length - 2 - key
        size = here.at(np.where(fits & (room >= 16), body + 12, 0), 4)
        needed = np.select(
            [kind == _INLINE, kind == _FORK, kind == _EXTENTS], [16 + size, np.full(len(at), 88), np.full(len(at), 72)], 1 << 40
        )
        fits &= needed <= room
        self.wrong.add("records do not fit", node[~fits])
        at, body, kind, node = at[fits], body[fits], kind[fits], node[fits]
        owner = here.at(at + 4, 4)
        self._add("rows", node=node, owner=owner)
        for of, place in ((_FORK, 24), (_EXTENTS, 8)):
            which = kind == of
            forks = np.full(int(which.sum()), ATTRIBUTE_FORK)
            self._extents(here, (body + place)[which], node[which], owner[which], forks)


def _digests(here: Bytes, at: Column, letters: Column, parent: Column, form: Callable[[bytes], bytes] = bytes) -> Column:
    """Return what names in folders are compared by: as UTF-16, or in another form."""
    data = here.raw.data
    rows = zip(at.tolist(), letters.tolist(), parent.tolist(), strict=True)
    digests = [name_digest(form(bytes(data[start : start + 2 * count])), folder) for start, count, folder in rows]
    return np.array(digests, dtype=np.int64)
