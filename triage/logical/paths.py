"""Paths of archives as names from the root on, and the folders that archives leave out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.filesystem.trees.tree import Named
from triage.model import Kind, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 200
_MOST = 5_000_000


def split_path(name: bytes) -> tuple[bytes, ...]:
    """Return the parts of a member's name. Empty parts and ``.`` mean nothing; ``..`` is kept as a name, since nothing is written by it.

    A backslash separates only where the name has no other separator: some programs of Windows write it, phones use it in names.
    """
    if b"/" not in name and b"\\" in name:
        name = name.replace(b"\\", b"/")
    parts = tuple(part for part in name.split(b"/") if part not in (b"", b"."))
    if len(parts) > _DEEPEST:
        parts = (*parts[: _DEEPEST - 1], b"/".join(parts[_DEEPEST - 1 :]))
    return parts or (b"unnamed",)


class Folders:
    """Which folders were named already."""

    def __init__(self) -> None:
        self._seen: set[tuple[bytes, ...]] = set()

    def add(self, path: tuple[bytes, ...]) -> bool:
        """Take note of a folder; return whether it is new."""
        if path in self._seen or len(self._seen) >= _MOST:
            return False
        self._seen.add(path)
        return True

    def above(self, path: tuple[bytes, ...], address: int) -> Iterator[Named]:
        """Yield the folders that lead to a path and were not named yet."""
        missing = []
        for depth in range(len(path) - 1, 0, -1):
            if path[:depth] in self._seen:
                break
            missing.append(path[:depth])
        for folder in reversed(missing):
            if self.add(folder):
                yield Named(path=folder, kind=Kind.DIRECTORY, address=address, time_basis=TimeBasis.UNKNOWN, readable=False)
