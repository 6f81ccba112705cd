"""Btrfs: its superblock, chunks, nodes, inodes and extents."""

from __future__ import annotations

import contextlib
import lzma
import sys
from functools import cache
from pathlib import Path

from targets import Target

from triage.filesystem.trees.btrfs import BtrfsError
from triage.filesystem.trees.btrfsdata import lzo1x
from triage.filesystem.trees.btrfstree import BtrfsTree
from triage.filesystem.trees.tree import Named

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes

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


class _Sparse(Bytes):
    """A volume whose blocks are those of an input, at the places that they came from."""

    def __init__(self, data: bytes) -> None:
        super().__init__(b"")
        self.size = _SIZE
        self._blocks = {at: data[n * _BLOCK : (n + 1) * _BLOCK].ljust(_BLOCK, b"\0") for n, at in enumerate(_places())}

    def read_at(self, offset: int, length: int) -> bytes:
        end = min(offset + length, _SIZE)
        first = offset // _BLOCK * _BLOCK
        return b"".join(self._blocks.get(at, bytes(_BLOCK)) for at in range(first, end, _BLOCK))[offset - first : end - first]


def _listed(data: bytes) -> None:
    tree = BtrfsTree(_Sparse(data), 0, _SIZE)
    opened = 0
    for one in tree.names():
        if isinstance(one, Named) and opened < 40:
            opened += 1
            with contextlib.suppress(OSError):
                assert len(tree.open(one.address, one.sequence, one.attribute)(0, 100_000)) <= 100_000


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
