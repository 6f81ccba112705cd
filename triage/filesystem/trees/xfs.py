"""XFS as a tree: what names lead to, what is in use without a name, and deleted files by what is left of them.

A deleted file's inode keeps the records of where its bytes lay until it is used again, and its directory the name and most of its number
(Linux, ``xfs_ifree``, ``xfs_dir2_data_make_free``). How long the file was is not kept. Whether all was listed is told by the counts of
inodes in the allocation groups' own headers.
"""

from __future__ import annotations

import stat
import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from triage.filesystem.trees.tree import Fault, Named, run_reader
from triage.filesystem.trees.xfsinode import BTREE, EXTENTS, LOCAL, Extent, Inode, Xfs, XfsError
from triage.filesystem.trees.xfslog import was_unmounted
from triage.filesystem.trees.xfsnames import DIRECTORY, LINK, Attribute, Name, attributes_of, names_of, value_of
from triage.model import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt

_NONE = 0xFFFFFFFFFFFFFFFF
_LINK_MARK, _LINK_HEAD, _LONGEST_LINK = b"XSLM", 56, 8192
_MOST_ATTRIBUTES, _DEEPEST, _MOST_LEFT, _MOST_GONE, _MOST_PROBES = 20_000, 500, 500_000, 2_000_000, 2_000_000
_ATTRIBUTE = 1
_KINDS = {stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFREG: Kind.FILE, stat.S_IFLNK: Kind.LINK}
_FOLDER_MARKS = (b"XD2B", b"XD2D", b"XDB3", b"XDD3")
_ORPHANS = b"$OrphanFiles"
Run = tuple[int | None, int]


class _Gone(NamedTuple):
    """A name that was taken out of a directory, or stood in one that was deleted."""

    path: tuple[bytes, ...]
    name: Name
    parent: int


class XfsTree:
    """The names of an XFS volume. A name's address is the number of its inode."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        """Raise ``ValueError`` or ``OSError`` when it is damaged beyond use."""
        self._offset, self._beat = offset, beat

        def read_at(at: int, length: int) -> bytes:
            return medium.read_at(offset + at, max(0, min(length, size - at)))

        self.fs = Xfs(read_at, beat)
        self.label = self.fs.label
        self.block_size = self.fs.block
        self.size = min(self.fs.blocks * self.fs.block, size)
        root = self.fs.inode(self.fs.root)
        if root is None or not stat.S_ISDIR(root.mode):
            raise ValueError("its root directory cannot be found")
        self.checked = False
        self._complete = True
        self._seen: set[int] = set()
        self._gone: deque[_Gone] = deque()
        self._dropped_names = 0

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name in use, what is in use without a name, then deleted ones."""
        self._complete, self._seen, self._gone, self._dropped_names = True, {self.fs.root}, deque(), 0
        stack: list[tuple[int, tuple[bytes, ...]]] = [(self.fs.root, ())]
        entered = {self.fs.root}
        while stack:
            number, path = stack.pop()
            folder = self.fs.inode(number)
            if folder is None:
                continue
            below = []
            for found in self._listed(folder, path):
                if isinstance(found, Fault):
                    yield self._fault(found)
                    continue
                name, one = found
                yield from self._with_streams(one, (*path, name.text), name.number)
                if one is None or not stat.S_ISDIR(one.mode):
                    continue
                if name.number in entered or len(path) >= _DEEPEST:
                    yield self._fault(
                        Fault(Severity.ERROR, "a directory inside itself, or too deep: it was not entered", (*path, name.text))
                    )
                    continue
                entered.add(name.number)
                below.append((name.number, (*path, name.text)))
            stack += reversed(below)
        yield from self._without_names()

    def _fault(self, fault: Fault) -> Fault:
        self._complete = False
        return fault

    def _listed(self, folder: Inode, path: tuple[bytes, ...]) -> Iterator[tuple[Name, Inode | None] | Fault]:
        """Yield a directory's names in use and their inodes; names taken out are kept for later."""
        live: set[tuple[bytes, int]] = set()
        gone: list[Name] = []
        try:
            for name in names_of(self.fs, folder, [] if folder.form == LOCAL else self.fs.extents(folder)):
                self._beat()
                if name.text in (b".", b".."):
                    continue
                if not name.used:
                    gone.append(name)
                    continue
                live.add((name.text, name.number))
                try:
                    one = self.fs.inode(name.number)
                except OSError:
                    one = None
                self._seen.add(name.number)
                yield name, one
        except (XfsError, OSError) as error:
            yield Fault(Severity.ERROR, "the directory cannot be read whole: names in it may be missing", path, str(error))
        short = {(text, number & 0xFFFFFFFF) for text, number in live}
        for name in dict.fromkeys(gone):
            if (name.text, name.number & 0xFFFFFFFF) not in short:
                self._keep(path, name, folder.number)

    def _keep(self, path: tuple[bytes, ...], name: Name, parent: int) -> None:
        """Keep a name that is in use no more for later."""
        if len(self._gone) < _MOST_GONE:
            self._gone.append(_Gone(path, name, parent))
        else:
            self._dropped_names += 1

    # ---- one name ----------------------------------------------------------------------------------------------------------

    def _with_streams(self, one: Inode | None, path: tuple[bytes, ...], number: int, *, orphan: bool = False) -> Iterator[Named | Fault]:
        if one is None or not one.mode:
            yield Named(path=path, kind=Kind.FILE, address=number, readable=False)
            what = "damaged" if one is None else "not in use"
            yield self._fault(Fault(Severity.ERROR, f"a name leads to an inode that is {what}: only the name is known", path))
            return
        kind = _KINDS.get(stat.S_IFMT(one.mode), Kind.SPECIAL)
        runs: tuple[Run, ...] = ()
        target, readable = None, kind is Kind.FILE
        try:
            if kind is Kind.FILE and one.realtime:
                readable = False
                yield self._fault(Fault(Severity.ERROR, "the bytes of a file lie on a real-time device, which is not read", path))
            elif kind is Kind.FILE:
                extents = self.fs.extents(one)
                runs = self._placed(extents, one.size)
                if len(extents) != one.extents:
                    message = f"{len(extents)} stretches of a file's bytes were found, its inode counts {one.extents}: it may not be whole"
                    yield self._fault(Fault(Severity.WARNING, message, path))
            elif kind is Kind.LINK:
                target = self._target(one)
        except (XfsError, OSError) as error:
            readable = False
            message = "where the bytes of a file lie cannot be read: only its name is known"
            yield self._fault(Fault(Severity.ERROR, message, path, str(error)))
        named = Named(
            path=path, kind=kind, address=number, size=one.size if kind is Kind.FILE else 0, mtime=one.mtime, atime=one.atime,
            ctime=one.ctime, crtime=one.crtime, mode=one.mode & 0o7777, uid=one.uid, gid=one.gid, nlink=one.links, link_target=target,
            runs=runs, readable=readable, orphan=orphan,
        )  # fmt: skip
        yield named
        if kind not in (Kind.FILE, Kind.DIRECTORY):
            return
        try:
            attributes = attributes_of(self.fs, one)
        except (XfsError, OSError) as error:
            yield self._fault(Fault(Severity.ERROR, "extended attributes of a file cannot be read", path, str(error)))
            return
        if len(attributes) > _MOST_ATTRIBUTES:
            message = f"{len(attributes) - _MOST_ATTRIBUTES} extended attributes of a file are left out"
            yield self._fault(Fault(Severity.WARNING, message, path))
        for place, attribute in enumerate(attributes[:_MOST_ATTRIBUTES]):
            yield Named(
                path=path, kind=Kind.FILE, address=number, size=attribute.size, attribute=(_ATTRIBUTE, place), mtime=one.mtime,
                atime=one.atime, ctime=one.ctime, crtime=one.crtime, uid=one.uid, gid=one.gid, stream=attribute.name, orphan=orphan,
            )  # fmt: skip

    def _placed(self, extents: list[Extent], size: int) -> tuple[Run, ...]:
        """Return where a file's bytes lie on the medium, in whole blocks; ``size``: its own, which a hole may reach."""
        found: list[Run] = []
        behind = 0
        for one in extents:
            start = one.first * self.block_size
            if start > behind:
                found.append((None, start - behind))
            length = one.many * self.block_size
            at = None if one.unwritten else self._offset + one.place
            last = found[-1] if found else None
            if last is not None and (at is None if last[0] is None else at == last[0] + last[1]):
                found[-1] = (last[0], last[1] + length)
            else:
                found.append((at, length))
            behind = start + length
        if behind < size:
            found.append((None, size - behind))
        return tuple(found)

    def _target(self, one: Inode) -> bytes:
        if one.form == LOCAL:
            return one.data_fork[: one.size]
        found = b""
        for extent in self.fs.extents(one):
            for number in range(extent.many):
                block = self.fs.read_at(extent.place + number * self.block_size, self.block_size)
                if block.startswith(_LINK_MARK) and self.fs.v5:
                    block = block[_LINK_HEAD : _LINK_HEAD + int.from_bytes(block[8:12], "big")]
                found += block
                if len(found) >= min(one.size, _LONGEST_LINK):
                    return found[: one.size]
        return found[: one.size]

    # ---- what no name leads to ---------------------------------------------------------------------------------------------

    def _without_names(self) -> Iterator[Named | Fault]:
        """Yield files in use without a name, then deleted ones; say what the allocation groups' own counts say."""
        used: int | None = 0
        left: dict[int, Inode] = {}
        own = self._internal()
        listed = len(self._seen) + len(own - self._seen)
        dropped = 0
        for group in range(self.fs.groups):
            try:
                head = self.fs.group_head(group)
                used = used + max(0, head[0] - head[1]) if used is not None and head is not None else None
                for number, one, free in self._inodes(group):
                    if free and not one.mode:
                        if len(left) < _MOST_LEFT:
                            left[number] = one
                        else:
                            dropped += 1
                    elif free:
                        continue
                    elif number not in self._seen and number not in own and one.mode:
                        listed += 1
                        if not one.internal:
                            path = (_ORPHANS, b"OrphanFile-%d" % number)
                            yield from self._with_streams(one, path, number, orphan=True)
            except (XfsError, OSError) as error:
                yield self._fault(Fault(Severity.ERROR, "inodes cannot be told: deleted files may be missing", (), str(error)))
        if dropped:
            yield Fault(Severity.WARNING, f"{dropped} inodes of deleted files more than {_MOST_LEFT:,} were found: they are left out")
        yield from self._freed_chunks(left)
        yield from self._deleted(left)
        if used is None:
            yield Fault(Severity.WARNING, "the headers of its allocation groups cannot be read: whether all was listed is not known")
            return
        try:
            clean = was_unmounted(self.fs)
        except OSError:
            clean = None
        self.checked = self._complete and used == listed and clean is True
        if clean is False:
            message = "the volume was not unmounted: its journal holds changes that were not put in their places and are not shown"
            yield Fault(Severity.WARNING, message)
        elif clean is None:
            yield Fault(Severity.WARNING, "its journal cannot be read: whether all changes are in what was listed is not known")
        if used > listed:
            yield Fault(Severity.WARNING, f"{used - listed} inodes are in use that no name leads to: they were not listed")

    def _inodes(self, group: int) -> Iterator[tuple[int, Inode, bool]]:
        """Yield number, inode and whether it is free, of those that can be read; of free ones only those in which something is left."""
        for first, there, free in self.fs.chunks(group):
            self._beat()
            if not free and all(first + bit in self._seen for bit in range(64)):
                continue
            raw = self.fs.read_at(max(0, self.fs.inode_place(first)), 64 * self.fs.inode_size)
            for bit in range(64):
                if not there >> bit & 1:
                    continue
                one = self.fs.parse(first + bit, raw[bit * self.fs.inode_size : (bit + 1) * self.fs.inode_size])
                if one is not None and (not free >> bit & 1 or any(one.raw[one.core : one.core + 16])):
                    yield first + bit, one, bool(free >> bit & 1)

    def _internal(self) -> set[int]:
        """Return the numbers of inodes that the file system uses for itself: of the real-time device, of quotas."""
        head = self.fs.head
        places = [*struct.unpack_from(">QQ", head, 64), *struct.unpack_from(">QQ", head, 160)]
        if self.fs.v5:
            places.append(struct.unpack_from(">Q", head, 232)[0])
        return {number for number in places if number not in (0, _NONE)}

    # ---- deleted ones ------------------------------------------------------------------------------------------------------

    def _freed_chunks(self, left: dict[int, Inode]) -> Iterator[Fault]:
        """Add the inodes of chunks that were given up: all of their files had been deleted. They lie in free space as they last were."""
        probes = 0
        for group in range(self.fs.groups):
            try:
                for start, many in self.fs.free_blocks(group):
                    first = -(-start // self.fs.aligned) * self.fs.aligned
                    for block in range(first, start + many, self.fs.aligned):
                        self._beat()
                        probes += 1
                        if probes > _MOST_PROBES or len(left) >= _MOST_LEFT:
                            message = "free space was searched for inodes of deleted files in part: some may be missing"
                            yield Fault(Severity.WARNING, message, (), f"up to block {block} of allocation group {group}")
                            return
                        at = (group * self.fs.group_blocks + block) * self.block_size
                        if self.fs.read_at(at, 2) == b"IN":
                            self._take_chunk(group, block, at, left)
            except (XfsError, OSError) as error:
                yield Fault(Severity.WARNING, "free space cannot be searched for inodes of deleted files", (), str(error))

    def _take_chunk(self, group: int, block: int, at: int, left: dict[int, Inode]) -> None:
        size = self.fs.inode_size
        raw = self.fs.read_at(at, self.fs.chunk_blocks * self.block_size)
        first = self.fs.number_at(group, block)
        for place in range(len(raw) // size):
            one = self.fs.parse(first + place, raw[place * size : (place + 1) * size])
            if one is not None and one.number not in self._seen and (one.mode or any(one.raw[one.core : one.core + 16])):
                left.setdefault(one.number, one)

    def _deleted(self, left: dict[int, Inode]) -> Iterator[Named | Fault]:
        """Yield what names that were taken out and inodes that are free tell of files that are gone."""
        self._by_low: dict[int, list[int]] = {}
        for number in left:
            self._by_low.setdefault(number & 0xFFFFFFFF, []).append(number)
        self._told: set[int] = set()
        self._named: set[tuple[tuple[bytes, ...], int]] = set()
        self._guessed = 0
        yield from self._gone_names(left)
        folders = {number: one for number, one in left.items() if number not in self._told and self._kind(one, 0) is Kind.DIRECTORY}
        inner = {number for one in folders.values() for number in self._inside(one)}
        for number in [*(n for n in folders if n not in inner), *(n for n in folders if n in inner)]:
            if number not in self._told:
                self._told.add(number)
                yield from self._entered(folders[number], (_ORPHANS, b"OrphanFile-%d" % number), 0, orphan=True)
                yield from self._gone_names(left)
        for number, one in left.items():
            if number not in self._told and self._kind(one, 0) is Kind.FILE:
                self._beat()
                made = self._made(one, (_ORPHANS, b"OrphanFile-%d" % number), 0, orphan=True)
                if made.runs or one.mode:
                    yield made
        if self._dropped_names:
            message = f"{self._dropped_names} names of deleted files more than {_MOST_GONE:,} were found: they are left out"
            yield Fault(Severity.WARNING, message)
        if self._guessed:
            message = f"how long {self._guessed} deleted files were is not kept: each was taken to end at its last byte that is not zero"
            yield Fault(Severity.INFO, message)

    def _gone_names(self, left: dict[int, Inode]) -> Iterator[Named]:
        """Yield the names that were kept for later, and those that stood in the directories among them."""
        while self._gone:
            path, name, parent = self._gone.popleft()
            self._beat()
            number = self._number(name, parent)
            whole = (*path, name.text)
            if (whole, number) in self._named:
                continue
            self._named.add((whole, number))
            one = left.get(number)
            if one is None or number in self._told:  # it is in use again, or another name led to it
                kind = {DIRECTORY: Kind.DIRECTORY, LINK: Kind.LINK}.get(name.kind, Kind.FILE)
                yield Named(path=whole, kind=kind, address=number, deleted=True, readable=False)
                continue
            self._told.add(number)
            yield from self._entered(one, whole, name.kind)

    def _entered(self, one: Inode, path: tuple[bytes, ...], kind: int, *, orphan: bool = False) -> Iterator[Named]:
        made = self._made(one, path, kind, orphan=orphan)
        yield made
        if made.kind is Kind.DIRECTORY and len(path) < _DEEPEST:
            for name in self._names_of(one):
                self._keep(path, name, one.number)

    def _inside(self, folder: Inode) -> set[int]:
        return {self._number(name, folder.number) for name in self._names_of(folder)}

    def _names_of(self, folder: Inode) -> list[Name]:
        """Return what stood in a deleted directory, as far as it has not been written over."""
        found: list[Name] = []
        try:
            owner = not folder.mode or folder.form != LOCAL
            found.extend(name for name in names_of(self.fs, folder, self._extents(folder), owner=owner) if name.text not in (b".", b".."))
        except (XfsError, OSError):
            pass  # its blocks may be others' by now: what there is before the first of them counts
        return found

    def _extents(self, one: Inode) -> list[Extent]:
        """Return where a deleted file's bytes were, by an inode as it last was or by what is left in it."""
        if one.mode and one.form == LOCAL:
            return []
        if one.mode:
            try:
                return self.fs.extents(one)
            except (XfsError, OSError):
                pass
        return self.fs.left_behind(one)

    def _kind(self, one: Inode, said: int) -> Kind:
        """Return what a deleted file was: by its inode, by its name's type, or by its first bytes."""
        if one.mode:
            return _KINDS.get(stat.S_IFMT(one.mode), Kind.SPECIAL)
        if said:
            return {DIRECTORY: Kind.DIRECTORY, LINK: Kind.LINK}.get(said, Kind.FILE)
        extents = self._extents(one)
        try:
            mark = self.fs.read_at(extents[0].place, 4) if extents else b""
        except OSError:
            mark = b""
        return Kind.DIRECTORY if mark in _FOLDER_MARKS else Kind.LINK if mark == _LINK_MARK else Kind.FILE

    def _number(self, name: Name, parent: int) -> int:
        """Return a name's inode; where half of its number is lost, the one that it can be, or the one in its directory's part."""
        if not name.low:
            return name.number
        found = self._by_low.get(name.number, [])
        return found[0] if len(found) == 1 else parent >> 32 << 32 | name.number

    def _made(self, one: Inode, path: tuple[bytes, ...], said: int, *, orphan: bool = False) -> Named:
        """Return a deleted file by what is left of it."""
        kind = self._kind(one, said)
        runs: tuple[Run, ...] = ()
        size = 0
        if kind is Kind.FILE:
            known = bool(one.mode) and not one.size >> 62
            runs = self._placed(self._extents(one), one.size if known else 0)
            size = one.size if known else self._length(runs)
            self._guessed += not known and size > 0
        return Named(
            path=path, kind=kind, address=one.number, size=size, mtime=one.mtime, atime=one.atime, ctime=one.ctime, crtime=one.crtime,
            mode=one.mode & 0o7777 if one.mode else None, uid=one.uid, gid=one.gid, runs=runs, deleted=True, orphan=orphan,
            readable=bool(runs), by_runs=True,
        )  # fmt: skip

    def _length(self, runs: tuple[Run, ...]) -> int:
        """Return how long a deleted file was at least: XFS fills the last block with zeros behind a file's end."""
        whole: int = sum(length for _, length in runs)
        at, length = runs[-1] if runs else (None, 0)
        if at is None:
            return whole
        try:
            block = self.fs.read_at(at - self._offset + length - self.block_size, self.block_size)
        except OSError:
            return whole
        empty: int = len(block) - len(block.rstrip(b"\0"))
        return whole - empty % self.block_size

    def used(self) -> Iterator[tuple[int, int]]:
        """Yield the stretches of the medium that are in use by the books of free space, whatever for."""
        for group in range(self.fs.groups):
            first = group * self.fs.group_blocks
            end = min(first + self.fs.group_blocks, self.fs.blocks)
            behind, free = first, []
            try:
                free = sorted(self.fs.free_blocks(group))
            except (XfsError, OSError):
                continue  # said where deleted files are looked for
            for start, many in [*free, (end - first, 0)]:
                if first + start > behind:
                    yield self._offset + behind * self.block_size, (first + start - behind) * self.block_size
                behind = max(behind, first + start + many)

    # ---- bytes -------------------------------------------------------------------------------------------------------------

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return ``read_at(offset, length)``; see :class:`triage.filesystem.trees.tree.Tree`."""
        one = self.fs.inode(address)
        if one is None:
            raise OSError(f"there is no inode {address}")
        try:
            if attribute is not None:
                found: list[Attribute] = attributes_of(self.fs, one)
                if attribute[1] >= len(found):
                    raise OSError("there is no such attribute")
                value = value_of(self.fs, one, found[attribute[1]])
                return lambda offset, length: value[offset : offset + length]
            if not stat.S_ISREG(one.mode) or one.form not in (EXTENTS, BTREE) or one.realtime:
                raise OSError("there is no file under this number that can be read")
            runs = [(None if at is None else at - self._offset, length) for at, length in self._placed(self.fs.extents(one), one.size)]
        except XfsError as error:
            raise OSError(str(error)) from error
        inner, size = run_reader(self.fs.read_at, runs), one.size
        return lambda offset, length: inner(offset, max(0, min(length, size - offset)))
