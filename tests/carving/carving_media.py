"""Media in memory, and formats whose walks are simple enough to be checked by eye."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from triage.carving.forms import Format, Header, Part, Structure, Walked
from triage.carving.space import Area
from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.window import Window


class Memory:
    """A medium of bytes; reading what is in ``damaged`` fails."""

    sector_size = 512

    def __init__(self, data: bytes, damaged: Sequence[tuple[int, int]] = ()) -> None:
        self.data = data
        self.size = len(data)
        self._damaged = damaged
        self.damaged: dict[int, tuple[int, str]] = {}
        self.read = 0

    def read_at(self, offset: int, length: int) -> bytes:
        for start, size in self._damaged:
            if offset < start + size and start < offset + length:
                raise DamagedRangeError(offset, length, "a test says so")
        piece = self.data[offset : offset + length]
        self.read += len(piece)
        return piece

    def close(self) -> None:
        """Nothing is open."""


def area(*stretches: tuple[int, int], block: int = 512, joined: bool = True, aligned: bool = True) -> Area:
    return Area(
        evidence="e",
        volume=1,
        volume_offset=0,
        kind="unallocated",
        name="vol1",
        stretches=tuple(stretches),
        block=block,
        joined=joined,
        aligned=aligned,
    )


def box(payload: bytes, magic: bytes = b"BOX!") -> bytes:
    """A file of the format below: magic, length of the payload, SHA-256 of the payload, payload, end mark."""
    return magic + len(payload).to_bytes(4, "big") + hashlib.sha256(payload).digest() + payload + b"XOB!"


HEAD = 40


def walk_box(window: Window) -> Walked | None:
    length = int.from_bytes(window.at(4, 4), "big")
    if length > 1 << 24:
        return None
    end = HEAD + length + 4
    if end > window.size:
        return Walked(length=window.size, structure=Structure.TRUNCATED, why="the space ends inside it", valid=HEAD)
    payload = window.at(HEAD, length)
    whole = window.at(end - 4, 4) == b"XOB!"
    if hashlib.sha256(payload).digest() != window.at(8, 32):
        state = Structure.DAMAGED if whole else Structure.TRUNCATED
        return Walked(length=end, structure=state, why="its digest is another", valid=HEAD)
    parts = (Part(offset=HEAD, length=length, extension="bin", name="payload"),) if payload.startswith(b"part") else ()
    return Walked(length=end, structure=Structure.COMPLETE, why="its digest is right", checked=True, parts=parts, facts={"payload": length})


def rejoin_box(window: Window, walked: Walked) -> Walked | None:
    length = int.from_bytes(window.at(4, 4), "big")
    end = HEAD + length + 4
    for cut in range(window.block, end, window.block):
        for at in range(cut + window.block, window.size - (end - cut) + 1, window.block):
            pieces = ((0, cut), (at, end - cut))
            joined = walk_box(window.spliced(pieces))
            if joined is not None and joined.checked:
                return Walked(length=end, structure=Structure.FRAGMENTED, why="found behind a gap", checked=True, pieces=pieces)
    return None


BOX = Format(name="box", extension="box", headers=(Header(b"BOX!"),), walk=walk_box, rejoin=rejoin_box, holds_files=True)


def padded(data: bytes, size: int = 512) -> bytes:
    return data + bytes(-len(data) % size)
