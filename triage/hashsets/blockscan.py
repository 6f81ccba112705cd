"""Recognise blocks of known files in the bytes of a medium that no file owns.

A file can have begun at any sector, so a block can too: each sector is asked about. The first 8 bytes of a block's key are read straight
off the data, and the set's filter turns away all but one or two of a hundred; only those are digested.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from triage.carving.known import KnownBlock
from triage.content import blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.hashsets.store import Hashset

STEP = 512
COMMON = 16
"""A block that so many known files have, or more, is no file's own."""


class BlockStore:
    """The blocks of some sets, as :class:`triage.carving.known.KnownBlocks` wants them.

    ``hashsets``: (number of the set, the set). ``file`` of what is found is the set's number and the record's, with a colon between them.
    """

    size = blocks.SIZE

    def __init__(self, hashsets: Sequence[tuple[int, Hashset]]) -> None:
        self._sets = [(number, hashset) for number, hashset in hashsets if hashset.count("block")]
        self.common = 0

    def __bool__(self) -> bool:
        """Whether there is any block to look for."""
        return bool(self._sets)

    def look(self, data: bytes, offset: int) -> list[KnownBlock]:
        """Return the known blocks that begin at a sector of ``data``, which itself begins at ``offset`` of the space."""
        if len(data) < blocks.SIZE:
            return []
        samples = blocks.samples(data, STEP)
        view = memoryview(data)
        found: list[KnownBlock] = []
        for number, hashset in self._sets:
            maybe = np.flatnonzero(hashset.has_prefix("block", samples) & (samples != 0))
            if not len(maybe):
                continue
            places = (maybe * STEP).tolist()
            rows = hashset.find("block", b"".join(blocks.block_key(view[at : at + blocks.SIZE]) for at in places))
            for at, row in zip(places, rows.tolist(), strict=True):
                if row >= 0:
                    found += self._files(number, hashset, row, offset + at)
        return found

    def _files(self, number: int, hashset: Hashset, row: int, offset: int) -> list[KnownBlock]:
        same = hashset.same_key("block", row, COMMON)
        if len(same) >= COMMON:
            self.common += 1
            return []
        raw = hashset.rows("block", same.start, same.stop)
        # The place of a block in its file is bytes 20 to 23 of its row; the record is the column's, which knows of repeated ones.
        records = hashset.records("block", np.arange(same.start, same.stop)).tolist()
        positions = [int.from_bytes(one[20:24].tobytes(), "big") * blocks.SIZE for one in raw]
        return [KnownBlock(offset, f"{number}:{record}", position) for record, position in zip(records, positions, strict=True)]
