"""XFS: its superblock, allocation groups, trees, inodes, directories and attributes."""

from __future__ import annotations

import contextlib
import lzma
import sys
from functools import cache
from pathlib import Path

from targets import Target

from triage.filesystem.trees.tree import Named
from triage.filesystem.trees.xfs import XfsTree

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from evidence_bytes import Bytes

_BLOCK, _SIZE = 1024, 40 << 20
_MARKS = (b"XFSB", b"XAGF", b"XAGI", b"IAB3", b"AB3B", b"BMA3", b"XDB3", b"XDD3")


@cache
def _whole() -> bytes:
    return lzma.decompress((Path(__file__).resolve().parents[1] / "filesystem" / "xfs_deleted.img.xz").read_bytes())


@cache
def _places() -> tuple[int, ...]:
    """Where superblocks, headers, trees, directories and inodes are."""
    data = _whole()

    def counts(block: bytes) -> bool:
        return block.startswith((*_MARKS, b"IN")) or any(block[at : at + 4] in _MARKS for at in (512,)) or block[8:10] == b"\x3b\xee"

    return tuple(at for at in range(0, _SIZE, _BLOCK) if counts(data[at : at + _BLOCK]))[:700]


class _Sparse(Bytes):
    """A volume whose blocks are those of an input, at the places that they came from."""

    def __init__(self, data: bytes) -> None:
        super().__init__(b"")
        self.size = _SIZE
        self._blocks = {at: data[n * _BLOCK : (n + 1) * _BLOCK].ljust(_BLOCK, b"\0") for n, at in enumerate(_places())}

    def read_at(self, offset: int, length: int) -> bytes:
        end = max(0, min(offset + length, _SIZE))
        first = offset // _BLOCK * _BLOCK
        return b"".join(self._blocks.get(at, bytes(_BLOCK)) for at in range(first, end, _BLOCK))[offset - first : end - first]


def _listed(data: bytes) -> None:
    tree = XfsTree(_Sparse(data), 0, _SIZE)
    opened = 0
    for one in tree.names():
        if isinstance(one, Named) and opened < 40:
            opened += 1
            with contextlib.suppress(OSError):
                assert len(tree.open(one.address, one.sequence, one.attribute)(0, 100_000)) <= 100_000


TARGETS = [
    Target(
        "xfs",
        _listed,
        lambda: [b"".join(_whole()[at : at + _BLOCK] for at in _places())],
        tuple(f"triage.filesystem.trees.{name}" for name in ("xfs", "xfsinode", "xfslog", "xfsnames")),
        (ValueError, OSError),
        (*_MARKS, b"IN", b"\xff\xff", b"XSLM", b"XARM"),
    )
]
