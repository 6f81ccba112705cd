"""The file systems that are read as trees, by the names that their marks have (:mod:`triage.filesystem.signatures`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.filesystem.trees.apfs import ApfsTree
from triage.filesystem.trees.btrfstree import BtrfsTree
from triage.filesystem.trees.f2fstree import F2fsTree
from triage.filesystem.trees.xfs import XfsTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import SizedTree

TREES: dict[str, Callable[..., SizedTree]] = {"APFS": ApfsTree, "Btrfs": BtrfsTree, "F2FS": F2fsTree, "XFS": XfsTree}


def tree_named(name: str, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> SizedTree | None:
    """Return the tree of a file system; ``None`` for one that is not read so. Raises ``ValueError`` or ``OSError`` when it is damaged."""
    make = TREES.get(name)
    return make(medium, offset, size, beat) if make is not None else None
