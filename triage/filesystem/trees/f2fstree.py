"""An F2FS volume as a tree: files in use by their folders' names, and deleted ones by inodes that lie in its main area and count no more.

Each write of an inode goes to a new block, so old ones stay until their segment is cleaned: of a deleted file the newest is taken. It has
the name and the folder's number in it. Blocks of addresses that belonged to it are found by their footers in the same search.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from triage.filesystem.trees.f2fs import BLOCK, F2fs, Inode
from triage.filesystem.trees.tree import Fault, Named, run_reader
from triage.model import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt

_FOOTER = struct.Struct("<IIIQ")
_DATA_TYPES = 3
_MOST_FOLDERS, _DEEPEST, _MOST_STALE = 5_000_000, 512, 2_000_000
_PIECE = 256
_HOLES = (0, 0xFFFFFFFF, 0xFFFFFFFE)
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.LINK}
Run = tuple[int | None, int]
Nodes = Callable[[int], bytes | None]


class F2fsTree:
    """The names of one volume. A name's address is the number of its inode."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        self._offset = offset
        self._read_at: ReadAt = lambda at, length: medium.read_at(offset + at, length)
        self._beat = beat
        self.fs = F2fs(self._read_at, beat)
        self.label = self.fs.label
        self.block_size = BLOCK
        self.size = self.fs.blocks * BLOCK
        self.checked = False
        self._folders: dict[int, tuple[bytes, ...]] = {}
        self._stale_at: dict[int, int] = {}
        self._encrypted = self._compressed = self._lost = 0

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name in use, then deleted files."""
        seen: set[int] = {self.fs.root}
        stack: list[tuple[int, tuple[bytes, ...]]] = [(self.fs.root, ())]
        self._folders[self.fs.root] = ()
        gone: list[tuple[bytes, int, tuple[bytes, ...]]] = []
        while stack:
            number, path = stack.pop()
            folder = self.fs.inode(number)
            if folder is None:
                yield Fault(Severity.ERROR, "a directory cannot be listed: its inode is damaged", path)
                continue
            if folder.encrypted:
                yield Fault(Severity.WARNING, "the names in a directory are encrypted: they are shown as they are stored", path)
            below = []
            for name, inode, _, used in self.fs.names(folder):
                if name in (b".", b".."):
                    continue
                if not used:
                    gone.append((name, inode, path))
                    continue
                one = self.fs.inode(inode)
                yield self._named(one, inode, (*path, name))
                if one is None:
                    self._lost += 1
                elif stat.S_ISDIR(one.mode) and inode not in seen and len(path) < _DEEPEST and len(seen) < _MOST_FOLDERS:
                    self._folders[inode] = (*path, name)
                    below.append((inode, (*path, name)))
                seen.add(inode)
            stack.extend(reversed(below))
        yield from self._deleted(seen, gone)
        missing = self.fs.valid_inodes - self.fs.hidden - len(seen)
        self.checked = missing <= 0 and not self._lost and self.fs.unmounted
        if not self.fs.unmounted:
            message = "the volume was not unmounted: what was written since its last checkpoint is shown as deleted, or as it was before"
            yield Fault(Severity.WARNING, message)
        if missing > 0:
            yield Fault(Severity.ERROR, f"{missing} inodes in use were reached by no name: directories are damaged, or files were open")
        encrypted = "files are encrypted by the system (file-based encryption): nothing in them was examined"
        compressed = "files are compressed by the file system, which is not undone: nothing in them was examined"
        for count, severity, what in (
            (self._lost, Severity.ERROR, "names lead to inodes that are damaged: only the names are known"),
            (self._encrypted, Severity.WARNING, encrypted),
            (self._compressed, Severity.ERROR, compressed),
        ):
            if count:
                yield Fault(severity, f"{count} {what}")

    def _named(self, one: Inode | None, number: int, path: tuple[bytes, ...]) -> Named:
        if one is None:
            return Named(path=path, kind=Kind.FILE, address=number, readable=False)
        return self._made(one, path, self.fs.node, deleted=False)

    def _made(self, one: Inode, path: tuple[bytes, ...], node: Nodes, *, deleted: bool, orphan: bool = False) -> Named:
        kind = _KINDS.get(stat.S_IFMT(one.mode), Kind.SPECIAL)
        locked = (one.encrypted or one.compressed) and kind is Kind.FILE and one.size > 0
        if locked and not deleted:
            self._encrypted += one.encrypted
            self._compressed += one.compressed and not one.encrypted
        runs = self.runs(one, node) if kind in (Kind.FILE, Kind.LINK) and not locked else ()
        target = None
        if kind is Kind.LINK and not one.encrypted:
            target = b"".join(self._read_run(run) for run in runs)[: min(one.size, BLOCK)]
        return Named(
            path=path, kind=kind, address=one.number, size=one.size if kind is not Kind.DIRECTORY else 0, mtime=one.mtime, atime=one.atime,
            ctime=one.ctime, crtime=one.crtime, mode=one.mode, uid=one.uid, gid=one.gid, nlink=one.links, link_target=target,
            runs=runs if kind is Kind.FILE else (), resident=one.inline_data, deleted=deleted, orphan=orphan,
            readable=kind is Kind.FILE and not locked, encrypted=one.encrypted and kind is Kind.FILE, by_runs=deleted,
        )  # fmt: skip

    def _read_run(self, run: Run) -> bytes:
        offset, length = run
        return self._read_at(offset - self._offset, min(length, BLOCK)) if offset is not None else b""

    def runs(self, one: Inode, node: Nodes) -> tuple[Run, ...]:
        """Return where a file's bytes lie on the medium, as far as its size goes."""
        if one.inline_data:
            address = self._inode_address(one)
            length = min(one.size, 4 * max(0, one.many - 1))
            return ((self._offset + address * BLOCK + one.first + 4, length),) if address and length else ()
        found: list[Run] = []
        left = one.size
        for address in self.fs.addresses(one, node):
            if left <= 0:
                break
            length = min(BLOCK, left)
            left -= length
            at = None if address in _HOLES or address >= max(self.fs.blocks, 1) else self._offset + address * BLOCK
            if found and _goes_on(found[-1], at):
                found[-1] = (found[-1][0], found[-1][1] + length)
            else:
                found.append((at, length))
        return tuple(found)

    def _inode_address(self, one: Inode) -> int:
        return self._stale_at.get(one.number) or self.fs.address_of(one.number)

    # ---- deleted ones ------------------------------------------------------------------------------------------------------

    def _deleted(self, seen: set[int], gone: list[tuple[bytes, int, tuple[bytes, ...]]]) -> Iterator[Named | Fault]:
        """Yield what old inodes in the main area tell of files that are gone."""
        newest: dict[int, tuple[int, int]] = {}
        nodes: dict[int, dict[int, tuple[int, int]]] = {}
        for address, number, inode, version in self._old_nodes():
            if inode in seen:
                continue
            if number == inode:
                if inode not in newest or (version, address) > newest[inode]:
                    newest[inode] = (version, address)
            else:
                of = nodes.setdefault(inode, {})
                if number not in of or (version, address) > of[number]:
                    of[number] = (version, address)
            if len(newest) + len(nodes) > _MOST_STALE:
                yield Fault(Severity.ERROR, f"more than {_MOST_STALE} old nodes were found: deleted files behind that are not listed")
                break
        self._stale_at = {number: address for number, (_, address) in newest.items()}
        parsed = {number: self.fs.parse(number, self.fs.block(address)) for number, (_, address) in sorted(newest.items())}
        told = set()
        for number, one in parsed.items():
            if not one.name or stat.S_IFMT(one.mode) not in _KINDS or one.size >> 50:
                continue
            above = self._above(one.parent, parsed)
            own = nodes.get(number, {})

            def node(wanted: int, own: dict[int, tuple[int, int]] = own) -> bytes | None:
                found = own.get(wanted)
                return self.fs.block(found[1]) if found is not None else None

            orphan = above is None
            told.add(number)
            yield self._made(one, (*(above if above is not None else (b"$OrphanFiles",)), one.name), node, deleted=True, orphan=orphan)
        for name, number, path in gone:
            if number not in told and number not in seen:
                told.add(number)
                yield Named(path=(*path, name), kind=Kind.FILE, address=number, deleted=True, readable=False)

    def _above(self, parent: int, parsed: dict[int, Inode]) -> tuple[bytes, ...] | None:
        """Return the path of a folder that is there or was; ``None`` when it is not known."""
        parts: list[bytes] = []
        for _ in range(_DEEPEST):
            found = self._folders.get(parent)
            if found is not None:
                return (*found, *reversed(parts))
            one = parsed.get(parent)
            if one is None or not stat.S_ISDIR(one.mode) or not one.name:
                return None
            parts.append(one.name)
            parent = one.parent
        return None

    def _old_nodes(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield address, node, inode and checkpoint's version of nodes that do not count, in segments that may hold nodes."""
        for segment in range(self.fs.main_segments):
            if self._holds_data(segment):
                continue
            first = self.fs.main + segment * self.fs.segment
            for start in range(first, first + self.fs.segment, _PIECE):
                self._beat()
                try:
                    piece = self._read_at(start * BLOCK, _PIECE * BLOCK)
                except OSError:
                    continue
                for at in range(0, len(piece) - BLOCK + 1, BLOCK):
                    number, inode, _, version = _FOOTER.unpack_from(piece, at + 4072)
                    if not number or not inode or number > self.fs.most_nodes or inode > self.fs.most_nodes or not version:
                        continue
                    address = start + at // BLOCK
                    if version <= self.fs.version and self.fs.address_of(number) != address:
                        yield address, number, inode, version

    def _holds_data(self, segment: int) -> bool:
        """Whether a segment is in use for data, by the segment information table."""
        entry = self.fs.segment_info(segment)
        return entry is not None and bool(entry & 0x3FF) and entry >> 10 < _DATA_TYPES

    # ---- bytes -------------------------------------------------------------------------------------------------------------

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return the bytes of a file in use by the number of its inode."""
        one = self.fs.inode(address)
        if one is None or not stat.S_ISREG(one.mode) or one.encrypted or one.compressed:
            raise OSError("there is no file in use that can be read under this number")
        runs = [(None if at is None else at - self._offset, length) for at, length in self.runs(one, self.fs.node)]
        return run_reader(self._read_at, runs)


def _goes_on(last: Run, at: int | None) -> bool:
    """Whether a block follows a run, holes too."""
    return at is None if last[0] is None else at == last[0] + last[1]
