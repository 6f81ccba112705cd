"""XFS: its superblock, allocation groups, trees, inodes, directories and attributes."""

from __future__ import annotations

import lzma
from functools import cache
from pathlib import Path

from patches import SparseVolume, open_some
from targets import Target

from triage.filesystem.trees.xfs import XfsTree

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


def _listed(data: bytes) -> None:
    open_some(XfsTree(SparseVolume(data, _places(), _BLOCK, _SIZE), 0, _SIZE))


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
