"""Whether bytes are those that a RAR archive's checksums are of: CRC-32, or BLAKE2sp, which is eight BLAKE2s side by side.

Source: RAR 5.0 archive format (rarlab.com); BLAKE2 (blake2.net), chapter 2.10 for the parameters of its trees.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triage.artifacts.rar import RarFile

_LANES, _BLOCK = 8, 64
_ROW = _LANES * _BLOCK


class Check:
    """Takes a file's bytes, in pieces of any length."""

    def __init__(self, one: RarFile) -> None:
        self._one = one
        self._crc = 0
        self._held = b""
        self._lanes = [_node(number, 0, last=number == _LANES - 1) for number in range(_LANES)] if one.blake else []

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        if self._one.crc is not None:
            self._crc = zlib.crc32(data, self._crc)
        if self._lanes:
            self._held += data
            whole = len(self._held) // _ROW * _ROW
            self._spread(memoryview(self._held)[:whole])
            self._held = self._held[whole:]

    def right(self) -> bool:
        """Whether what was taken is the file, as far as its checksums tell. Nothing may be added afterwards."""
        if self._one.crc is not None and self._crc != self._one.crc:
            return False
        if not self._lanes:
            return True
        self._spread(memoryview(self._held))
        root = _node(0, 1, last=True)
        for lane in self._lanes:
            root.update(lane.digest())
        return root.digest() == self._one.blake

    def _spread(self, data: memoryview) -> None:
        for number, lane in enumerate(self._lanes):
            lane.update(b"".join([data[at : at + _BLOCK] for at in range(number * _BLOCK, len(data), _ROW)]))


def _node(offset: int, depth: int, *, last: bool) -> hashlib.blake2s:
    return hashlib.blake2s(fanout=_LANES, depth=2, inner_size=32, node_offset=offset, node_depth=depth, last_node=last)
