"""XFS, listed by libfsxfs. Whether all was listed is told by the counts of inodes in the allocation groups' own headers.

Source: "XFS Algorithms & Data Structures", 3rd edition: superblock (sb_*), AG inode management (agi_*).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from triage.evidence.medium import PartMedium
from triage.evidence.yal import ERRORS, MediumFile, reason
from triage.filesystem.trees.tree import Fault
from triage.filesystem.trees.yaltree import YalTree, named_target
from triage.model import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import Named, ReadAt

_MOST_GROUPS = 1 << 20
_NONE = 0xFFFFFFFFFFFFFFFF
_LINK, _LINK_HEAD, _LONGEST_LINK, _MOST_EXTENTS = b"XSLM", 56, 8192, 16


class XfsTree:
    """The names of an XFS volume. Deleted ones are not listed: XFS keeps no way to them."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        """Raise ``ValueError`` or ``OSError`` when it is damaged beyond use."""
        try:
            import pyfsxfs  # noqa: PLC0415 - its absence must not stop other file systems
        except ImportError as error:
            raise ValueError("libfsxfs is not installed (pip install libfsxfs-python)") from error
        part = PartMedium(medium, offset, size)
        head = part.read_at(0, 512)
        if len(head) < 512 or not head.startswith(b"XFSB"):
            raise ValueError("it has no XFS superblock")
        self.block_size, blocks = struct.unpack_from(">IQ", head, 4)
        if self.block_size not in (512 << n for n in range(8)):
            raise ValueError("the size of its blocks cannot be")
        self.size = min(blocks * self.block_size, size)
        self._part, self._head = part, head
        self._volume, self._file = pyfsxfs.volume(), MediumFile(part)
        try:
            self._volume.open_file_object(self._file)
            self.label = str(self._volume.get_label() or "")
            root = self._volume.get_root_directory()
        except ERRORS as error:
            raise ValueError(reason(error)) from error
        self._tree = YalTree(
            offset, root, lambda entry: int(entry.get_inode_number()), self._volume.get_file_entry_by_inode, raw=True,
            target_of=self._target, beat=beat,
        )  # fmt: skip
        self.checked = False

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name; see :class:`triage.filesystem.trees.tree.Tree`."""
        yield from self._tree.names()
        used = self._inodes()
        if used is None:
            yield Fault(Severity.WARNING, "the headers of its allocation groups cannot be read: whether all was listed is not known")
            return
        listed = len(self._tree.seen) + self._internal()
        self.checked = self._tree.complete and used == listed
        if used > listed:
            message = f"{used - listed} inodes are in use that no name leads to: they were not listed"
            yield Fault(Severity.WARNING, f"{message}; or the volume was not unmounted, and its journal holds what is missing")

    def _target(self, entry: Any) -> bytes:
        """Return where a symbolic link leads to: of a long one the binding gives the head of the block that it lies in."""
        target = named_target(entry)
        if not target.startswith(_LINK) or entry.get_number_of_extents() < 1:
            return target
        pieces = []
        for number in range(min(int(entry.get_number_of_extents()), _MOST_EXTENTS)):
            at, length, _ = entry.get_extent(number)
            for place in range(at, at + min(length, _LONGEST_LINK), self.block_size):
                block = self._part.read_at(place, self.block_size)
                if block.startswith(_LINK) and len(block) >= _LINK_HEAD:
                    pieces.append(block[_LINK_HEAD : _LINK_HEAD + int.from_bytes(block[8:12], "big")])
        return b"".join(pieces)[: int(entry.get_size() or 0)]

    def _inodes(self) -> int | None:
        """Return how many inodes are in use by the headers of the allocation groups; ``None`` when one cannot be read."""
        length, many = struct.unpack_from(">II", self._head, 84)
        (sector,) = struct.unpack_from(">H", self._head, 102)
        if not 0 < many <= _MOST_GROUPS or not 512 <= sector <= 32768:
            return None
        total = 0
        for number in range(many):
            try:
                group = self._part.read_at(number * length * self.block_size + 2 * sector, 32)
            except OSError:
                return None
            if len(group) < 32 or not group.startswith(b"XAGI"):
                return None
            count, free = struct.unpack_from(">I", group, 16)[0], struct.unpack_from(">I", group, 28)[0]
            total += max(0, count - free)
        return total

    def _internal(self) -> int:
        """Return how many inodes the file system uses for itself: of the real-time device, of quotas."""
        places = [*struct.unpack_from(">QQ", self._head, 64), *struct.unpack_from(">QQ", self._head, 160)]
        if struct.unpack_from(">H", self._head, 100)[0] & 15 == 5:
            places.append(struct.unpack_from(">Q", self._head, 232)[0])
        return len({number for number in places if number not in (0, _NONE)})

    def open(self, address: int, sequence: int | None, attribute: tuple[int, int] | None) -> ReadAt:
        """Return ``read_at(offset, length)``; see :class:`triage.filesystem.trees.tree.Tree`."""
        return self._tree.open(address, sequence, attribute)
