"""A Btrfs volume as a tree: subvolumes where their names stand, snapshots of them as what differs, deleted files by old nodes.

A subvolume is a tree of its own and its number a name's ``sequence``. A snapshot begins as the same tree as what it was made of: a file
whose inode says the same there is the same file, and not listed again; how many were is said. Nodes are never changed in place: those of
files that were deleted stay until their place is used anew, and are found by their heads in the chunks of metadata.
"""

from __future__ import annotations

import stat
import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.filesystem.trees.btrfs import MOST, ROOT_BACKREF, ROOT_ITEM, Btrfs, BtrfsError, NodeError, Root
from triage.filesystem.trees.btrfsdata import reader_of
from triage.filesystem.trees.btrfsinode import (
    DIR_INDEX,
    EXTENT_DATA,
    INODE_EXTREF,
    INODE_ITEM,
    INODE_REF,
    XATTR_ITEM,
    Entry,
    Inode,
    entry_of,
    gather,
)  # fmt: skip
from triage.filesystem.trees.tree import Fault, Named
from triage.model import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt

_TOP, _FIRST, _LAST = 5, 256, MOST - 256
_ORPHAN, _ORPHAN_ITEM = MOST - 4, 48
_METADATA = 4
_DEEPEST, _MOST_STALE, _MOST_SUBVOLUMES = 512, 1_000_000, 65_536
_LONGEST_LINK = 4096
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.LINK}
_ORPHANS = b"$OrphanFiles"
Path = tuple[bytes, ...]
Run = tuple[int | None, int]
_TOLD = (INODE_ITEM, INODE_REF, INODE_EXTREF, XATTR_ITEM, EXTENT_DATA)
_Old = dict[tuple[int, int, int], tuple[tuple[int, int], bytes]]
"""Items of an inode that is not in use: from which transaction and how long the file was, and their bytes."""


class Subvolume(NamedTuple):
    """A tree of files: where it begins, its identifier, and that of what it is a snapshot of."""

    root: Root
    uuid: bytes
    parent: bytes


class BtrfsTree:
    """The names of one volume. A name's address is the number of its inode, its sequence that of its subvolume."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        self._offset, self._beat = offset, beat
        self._read_at: ReadAt = lambda at, length: medium.read_at(offset + at, max(0, min(length, size - at)))
        self.fs = Btrfs(self._read_at, beat)
        self.label, self.block_size, self.size = self.fs.label, self.fs.block_size, min(self.fs.size, size)
        self.checked = False
        self._subvolumes = self._roots()
        if _TOP not in self._subvolumes:
            raise BtrfsError("its tree of files cannot be found")
        self._by_uuid = {one.uuid: number for number, one in self._subvolumes.items() if any(one.uuid)}
        self._paths: dict[tuple[int, int], Path] = {}
        self._old: dict[tuple[int, int], _Old] = {}

    def _roots(self) -> dict[int, Subvolume]:
        found: dict[int, Subvolume] = {}
        for (number, kind, _), data in self.fs.items(self.fs.root, (_TOP, 0, 0), (_LAST, 255, MOST)):
            if kind != ROOT_ITEM or len(data) < 239 or (number != _TOP and number < _FIRST) or len(found) >= _MOST_SUBVOLUMES:
                continue
            (at,) = struct.unpack_from("<Q", data, 176)
            wide = data.ljust(279, b"\0")
            found[number] = Subvolume(Root(at, data[238]), wide[247:263], wide[263:279])
        return found

    # ---- names -------------------------------------------------------------------------------------------------------------

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name in use, then deleted files."""
        yield from self._told()
        reached: set[int] = set()
        waiting: list[tuple[int, Path]] = [(_TOP, ())]
        while waiting:
            number, path = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            yield from self._walk(number, path, waiting)
        for number in sorted(set(self._subvolumes) - reached):
            path = (_ORPHANS, b"subvolume %d" % number)
            yield Fault(Severity.WARNING, f"no folder leads to subvolume {number}: it was being deleted, or the folder is damaged")
            yield from self._walk(number, path, [])
        if self.fs.lost:
            yield Fault(
                Severity.ERROR, f"{self.fs.lost} nodes of its trees are damaged or on another device: names behind them are missing"
            )
        self.checked = not self.fs.lost and not self.fs.lost_chunks and self.fs.devices == 1
        yield from self._deleted()

    def _told(self) -> Iterator[Fault]:
        if self.fs.devices > 1:
            message = f"the file system lies on {self.fs.devices} devices and this is one of them: what lies on the others cannot be read"
            yield Fault(Severity.ERROR, message)
        if self.fs.log:
            yield Fault(
                Severity.WARNING, "what was written last is in the log of the file system and not put in: it may lack names and bytes"
            )
        if self.fs.checksum in ("xxhash", "unknown"):
            yield Fault(Severity.WARNING, f"checksums of its trees ({self.fs.checksum}) were not verified")
        if self.fs.superblock != 1 << 16:
            yield Fault(Severity.WARNING, "the first superblock is damaged: a copy was taken")

    def _walk(self, number: int, base: Path, waiting: list[tuple[int, Path]]) -> Iterator[Named | Fault]:
        """Yield the names of one subvolume. Folders of a snapshot are named when something in them is."""
        subvolume = self._subvolumes[number]
        origin = self._by_uuid.get(subvolume.parent) if any(subvolume.parent) else None
        source = self._subvolumes[origin].root if origin is not None and origin != number else None
        held: dict[Path, Named] = {}
        same = 0
        top = self._inode(subvolume.root, _FIRST)
        if base and base != (_ORPHANS, base[-1]):
            yield self._made(top, base, number)
        stack: list[tuple[int, Path]] = [(_FIRST, base)]
        folders = {_FIRST}
        while stack:
            inode, path = stack.pop()
            self._paths.setdefault((number, inode), path)
            below: list[tuple[int, Path]] = []
            for entry in self._folder(subvolume.root, inode):
                if isinstance(entry, Fault):
                    yield entry._replace(path=path)
                    continue
                here = (*path, entry.name)
                if entry.kind == ROOT_ITEM:
                    if len(here) < _DEEPEST and self._stands(entry, number, inode):
                        waiting.append((entry.number, here))
                    else:  # a snapshot keeps the names of subvolumes, and not what is in them
                        yield Named(path=here, kind=Kind.DIRECTORY, address=0, sequence=number)
                    continue
                found = self._inode(subvolume.root, entry.number)
                if not found.whole:
                    yield Fault(Severity.ERROR, "a name leads to an inode that is missing or damaged", here)
                    continue
                folder = stat.S_ISDIR(found.numbers()[8])
                if folder:
                    if entry.number in folders or len(here) >= _DEEPEST:
                        yield Fault(Severity.ERROR, "a folder is named twice, or lies too deep: it is not entered again", here)
                        continue
                    folders.add(entry.number)
                    below.append((entry.number, here))
                if source is not None and self._same(found, source):
                    if folder:
                        held[here] = self._made(found, here, number)
                    else:
                        same += 1
                    continue
                for length in range(len(base) + 1, len(here)):
                    above = held.pop(here[:length], None)
                    if above is not None:
                        yield above
                yield from self._all(found, here, number)
            stack += reversed(below)
        if same:
            what = "1 file of a snapshot is" if same == 1 else f"{same:,} files of a snapshot are"
            message = f"{what} as in subvolume {origin}, of which it was made: not listed again"
            yield Fault(Severity.INFO, message, base)
        yield from self._orphans(subvolume.root, number)

    def _stands(self, entry: Entry, number: int, folder: int) -> bool:
        """Whether a subvolume says that it stands in this folder of this one under this name."""
        if entry.number not in self._subvolumes:
            return False
        key = (entry.number, ROOT_BACKREF, number)
        for _, data in self.fs.items(self.fs.root, key, key):
            (where,) = struct.unpack_from("<Q", data.ljust(18, b"\0"))
            return where == folder and data[18:] == entry.name
        return False

    def _orphans(self, root: Root, number: int) -> Iterator[Named]:
        """Yield files that were deleted while they were open."""
        for (_, kind, inode), _ in self.fs.items(root, (_ORPHAN, _ORPHAN_ITEM, 0), (_ORPHAN, _ORPHAN_ITEM, MOST)):
            found = self._inode(root, inode) if kind == _ORPHAN_ITEM else None
            if found is not None and found.whole and not found.numbers()[5]:
                yield self._made(found, (_ORPHANS, b"inode %d" % inode), number, orphan=True)

    def _folder(self, root: Root, inode: int) -> Iterator[Entry | Fault]:
        seen: set[bytes] = set()
        for _, data in self.fs.items(root, (inode, DIR_INDEX, 0), (inode, DIR_INDEX, MOST)):
            entry = entry_of(data)
            if entry is None or entry.name in seen:
                yield Fault(Severity.ERROR, "a name in a folder is damaged")
                continue
            seen.add(entry.name)
            yield entry

    def _inode(self, root: Root, number: int) -> Inode:
        return gather(number, self.fs.items(root, (number, 0, 0), (number, 255, MOST)))

    def _same(self, one: Inode, source: Root) -> bool:
        """Whether an inode is as it is in another tree: created in the same transaction, size, times of change and modification.

        The last transaction is not held against the other's: that a file was read changes it.
        """
        for _, data in self.fs.items(source, (one.number, INODE_ITEM, 0), (one.number, INODE_ITEM, 0)):
            return all(data[place] == one.item[place] for place in (slice(8), slice(16, 24), slice(124, 148)))
        return False

    # ---- entries -----------------------------------------------------------------------------------------------------------

    def _all(self, one: Inode, path: Path, number: int) -> Iterator[Named | Fault]:
        yield self._made(one, path, number)
        if one.damaged:
            yield Fault(Severity.ERROR, f"{one.damaged} pieces of a file are encrypted or damaged: zeros stand in their place", path)
        if one.left_out:
            yield Fault(Severity.WARNING, f"{one.left_out} extended attributes of a file are left out", path)
        for attribute, name, value in one.attributes:
            if name.startswith(b"user."):
                yield Named(
                    path=path, kind=Kind.FILE, address=one.number, sequence=number, attribute=attribute, size=len(value),
                    resident=True, stream=name,
                )  # fmt: skip

    def _made(self, one: Inode, path: Path, number: int, *, deleted: bool = False, orphan: bool = False) -> Named:
        _, _, size, _, _, links, user, group, mode, *_ = one.numbers()
        kind = _KINDS.get(stat.S_IFMT(mode), Kind.SPECIAL if mode else Kind.DIRECTORY)
        allowed = stat.S_IMODE(mode) if mode else None
        inline = len(one.extents) == 1 and one.extents[0].data is not None
        target = None
        if kind is Kind.LINK and size <= _LONGEST_LINK:
            try:
                target = reader_of(self.fs, one.extents, size)(0, size)
            except OSError:
                target = None
        return Named(
            path=path, kind=kind, address=one.number, sequence=number, size=0 if kind is Kind.DIRECTORY else size,
            mtime=one.time(2), atime=one.time(0), ctime=one.time(1), crtime=one.time(3), mode=allowed, uid=user, gid=group,
            nlink=links or None, link_target=target, runs=self._runs(one, size) if kind is Kind.FILE and not inline else (),
            resident=inline, deleted=deleted, orphan=orphan, attribute=(1, 0) if deleted else None,
        )  # fmt: skip

    def _runs(self, one: Inode, size: int) -> tuple[Run, ...]:
        """Return where a file's bytes lie as they are; () when a part of them is packed or on another device."""
        runs: list[Run] = []
        at = 0
        for extent in sorted(one.extents, key=lambda e: e.start):
            if extent.packing or extent.data is not None or extent.start < at:
                return ()
            if extent.start > at:
                runs.append((None, extent.start - at))
            at = extent.start
            length = min(extent.length, max(0, size - at))
            if not extent.place:
                runs += [(None, length)] if length else []
            else:
                for places, many in self.fs.places(extent.place + extent.skip, length):
                    if not places:
                        return ()
                    runs.append((self._offset + places[0], many))
            at += length
        if size > at:
            runs.append((None, size - at))
        return tuple(runs)

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return the bytes of an inode of a subvolume, or of one of its extended attributes."""
        if attribute is not None and attribute[0] == 1:
            return self._open_old(address, sequence or 0)
        subvolume = self._subvolumes.get(sequence or 0)
        if subvolume is None:
            raise OSError("there is no such subvolume")
        items = self.fs.items(subvolume.root, (address, 0, 0), (address, 255, MOST), strict=True)
        one = gather(address, items)
        if attribute is not None:
            for place, _, value in one.attributes:
                if place == attribute:
                    return lambda at, length: value[max(0, at) : max(0, at) + length]
            raise OSError("there is no such attribute")
        if not one.whole:
            raise OSError("there is no such inode")
        return reader_of(self.fs, one.extents, one.numbers()[2])

    # ---- deleted files -----------------------------------------------------------------------------------------------------

    def _stale(self) -> dict[tuple[int, int], _Old]:
        """Return what old leaves have of inodes that are not in use, by subvolume and number: items of the newest that has them."""
        found: dict[tuple[int, int], _Old] = {}
        used: dict[tuple[int, int], bool] = {}
        for chunk in self.fs.chunks():
            if not chunk.kind & _METADATA:
                continue
            for at in range(chunk.start, chunk.start + chunk.length - self.fs.node_size + 1, self.fs.node_size):
                self._beat()
                leaf = self.fs.leaf(at)
                if leaf is None or (leaf[0] != _TOP and not _FIRST <= leaf[0] <= _LAST):
                    continue
                owner, generation, items = leaf
                for key, data in items:
                    number = (owner, key[0])
                    if not _FIRST <= key[0] <= _LAST or key[1] not in _TOLD:
                        continue
                    if number not in used and len(used) < _MOST_STALE:
                        used[number] = self._in_use(*number)
                    if used.get(number, True):
                        continue
                    # While a file is deleted, its inode is written once more, without a name and shorter and shorter.
                    # And while it is written, more than once in one transaction: the longest form is the last.
                    rank = (generation, 0)
                    if key[1] == INODE_ITEM:
                        rank = (generation if data[40:44] != bytes(4) else 0, int.from_bytes(data[16:24], "little"))
                    old = found.setdefault(number, {})
                    if key not in old or rank > old[key][0]:
                        old[key] = (rank, data)
        return found

    def _in_use(self, number: int, inode: int) -> bool:
        subvolume = self._subvolumes.get(number)
        return subvolume is not None and any(self.fs.items(subvolume.root, (inode, INODE_ITEM, 0), (inode, INODE_ITEM, 0)))

    def _gone(self, number: int, inode: int) -> Inode:
        old = self._old.get((number, inode), {})
        return gather(inode, [(key, old[key][1]) for key in sorted(old)])

    def _deleted(self) -> Iterator[Named | Fault]:
        try:
            self._old = self._stale()
        except OSError as error:
            yield Fault(Severity.ERROR, f"deleted files were not looked for to the end: {error}")
            return
        for number, inode in sorted(self._old):
            one = self._gone(number, inode)
            if not one.whole or not stat.S_ISREG(one.numbers()[8]):
                continue
            parent, name = one.names[0] if one.names else (0, b"inode %d" % inode)
            above = self._above(number, parent)
            path = (*(above if above is not None else (_ORPHANS,)), name)
            yield self._made(one, path, number, deleted=True, orphan=above is None)

    def _above(self, number: int, folder: int) -> Path | None:
        """Return the path of a folder, of one that was deleted too; ``None`` when it is not known."""
        names: list[bytes] = []
        for _ in range(_DEEPEST):
            known = self._paths.get((number, folder))
            if known is not None:
                return (*known, *reversed(names))
            one = self._gone(number, folder)
            if not one.names:
                return None
            folder, name = one.names[0]
            names.append(name)
        return None

    def _open_old(self, address: int, number: int) -> ReadAt:
        if not self._old:
            self._old = self._stale()
        one = self._gone(number, address)
        if not one.whole:
            raise NodeError("the node that told of this file is not there")
        return reader_of(self.fs, one.extents, one.numbers()[2])
