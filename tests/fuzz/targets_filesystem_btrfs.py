"""Btrfs: its superblock, chunks, nodes, inodes and extents."""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path

from patches import SparseVolume, open_some
from targets import Target

from triage.filesystem.trees.btrfs import BtrfsError
from triage.filesystem.trees.btrfsdata import lzo1x
from triage.filesystem.trees.btrfstree import BtrfsTree

_BLOCK, _NODE, _SIZE = 4096, 16384, 120 << 20


@cache
def _places() -> tuple[int, ...]:
    """Where the volume's superblock and nodes in use are."""
    data = _whole()
    label = data[0x10020:0x10030]
    nodes = [at for at in range(0, _SIZE, _NODE) if data[at + 32 : at + 48] == label]
    return tuple(sorted({1 << 16, *(at + inner for at in nodes for inner in range(0, _NODE, _BLOCK))}))


@cache
def _whole() -> bytes:
    return lzma.decompress((Path(__file__).resolve().parents[1] / "filesystem" / "btrfs.img.xz").read_bytes())


def _seed() -> bytes:
    data = bytearray(b"".join(_whole()[at : at + _BLOCK] for at in _places()))
    data[_places().index(1 << 16) * _BLOCK + 0xC4] = 1  # a checksum that is not verified: what lies behind it is to be met
    return bytes(data)


def _listed(data: bytes) -> None:
    open_some(BtrfsTree(SparseVolume(data, _places(), _BLOCK, _SIZE), 0, _SIZE))


TARGETS = [
    Target(
        "btrfs",
        _listed,
        lambda: [_seed()],
        tuple(f"triage.filesystem.trees.{name}" for name in ("btrfs", "btrfsinode", "btrfstree")),
        (BtrfsError,),
    ),
    Target(
        "lzo",
        lambda data: bool(lzo1x(data, 100_000)),
        lambda: [b"\x16hello\x11\0\0"],
        ("triage.filesystem.trees.btrfsdata",),
        (ValueError, IndexError),
    ),
]
