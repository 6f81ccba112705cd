"""Disk images as fuzz inputs: an input is not the image but a list of changes to one, aimed at where it is not empty.

A record is four bytes that choose a place and one that says how many bytes follow (1 to 8). Places are those rows of 16 bytes that
hold something: metadata, mostly, since the built-in images hold little else.
"""

from __future__ import annotations

import contextlib
import gzip
import struct
from functools import cache
from pathlib import Path

import numpy as np

from triage.filesystem.trees.tree import Named, Tree

IMAGES = Path(__file__).resolve().parents[1] / "images"


@cache
def image(name: str) -> bytes:
    """Return the medium in a built-in image."""
    from triage.evidence.opening import open_evidence

    if name.endswith(".gz"):
        return gzip.decompress((IMAGES / name).read_bytes())
    _, medium, _ = open_evidence(IMAGES / name)
    try:
        return medium.read_at(0, medium.size)
    finally:
        medium.close()


@cache
def rows(name: str) -> np.ndarray:
    """Return the numbers of the rows of 16 bytes that are not empty."""
    data = image(name)
    table = np.frombuffer(data, np.uint64, len(data) // 16 * 2).reshape(-1, 2)
    return np.flatnonzero(table.any(axis=1))


class PatchedMedium:
    """A medium with changes: what :class:`triage.evidence.medium.Medium` asks for."""

    sector_size = 512

    def __init__(self, name: str, script: bytes) -> None:
        self._data = image(name)
        self.size = len(self._data)
        self.damaged: dict[int, tuple[int, str]] = {}
        self._changes = list(self._parse(script, rows(name)))[:64]

    @staticmethod
    def _parse(script: bytes, places: np.ndarray):
        at = 0
        while at + 6 <= len(script):
            (where, length) = struct.unpack_from("<IB", script, at)
            length = length % 8 + 1
            yield int(places[(where >> 4) % len(places)]) * 16 + (where & 15), script[at + 5 : at + 5 + length]
            at += 5 + length

    def read_at(self, offset: int, length: int) -> bytes:
        data = self._data[offset : offset + max(length, 0)]
        for start, value in self._changes:
            if start < offset + len(data) and start + len(value) > offset:
                low, high = max(start, offset), min(start + len(value), offset + len(data))
                data = data[: low - offset] + value[low - start : high - start] + data[high - offset :]
        return data

    def close(self) -> None:
        pass


def scripts(name: str) -> list[bytes]:
    """Return seeds: no change, and one edge value each at places all over the image."""
    found = [b""]
    total = len(rows(name))
    for number, value in enumerate((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0", b"\0\0\0\1") * 8):
        place = number * 7919 % min(total, 400) if number % 2 else number * 104729 % total
        found.append(struct.pack("<IB", place << 4 | number * 5 & 15, 3) + value)
    return found


class SparseVolume:
    """A volume whose blocks are those of an input, at the places that they came from; zeros elsewhere."""

    sector_size = 512

    def __init__(self, data: bytes, places: tuple[int, ...], block: int, size: int) -> None:
        self.size = size
        self.damaged: dict[int, tuple[int, str]] = {}
        self._block = block
        self._blocks = {at: data[n * block : (n + 1) * block].ljust(block, b"\0") for n, at in enumerate(places)}

    def read_at(self, offset: int, length: int) -> bytes:
        end = max(0, min(offset + length, self.size))
        first = offset // self._block * self._block
        return b"".join(self._blocks.get(at, bytes(self._block)) for at in range(first, end, self._block))[offset - first : end - first]

    def close(self) -> None:
        pass


def open_some(tree: Tree) -> None:
    """List a tree and read from its first files."""
    opened = 0
    for one in tree.names():
        if isinstance(one, Named) and opened < 40:
            opened += 1
            with contextlib.suppress(OSError):
                assert len(tree.open(one.address, one.sequence, one.attribute)(0, 100_000)) <= 100_000
