"""Blocks of known files, wherever they lie: the place where a store of block digests looks at all that is scanned.

A file that is on a list leaves blocks behind when it is deleted and overwritten in part; each can be recognised by its digest alone. The
store is not made here but of hash lists (:mod:`triage.hashsets.blockscan`): whoever has one gives it to
:class:`triage.carving.carver.Carver` as ``known``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class KnownBlock:
    """A block of a known file. ``offset`` is relative to the area's space; ``position`` is the block's place in the file, in bytes."""

    offset: int
    file: str
    position: int


class KnownBlocks(Protocol):
    """A store of the digests of blocks. ``size``: bytes of a block, a multiple of 512."""

    size: int

    def look(self, data: bytes, offset: int) -> Iterable[KnownBlock]:
        """Return which of the blocks that ``data`` is made of are known; ``offset``: where ``data`` begins in the space."""
