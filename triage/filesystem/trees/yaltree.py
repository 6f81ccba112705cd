"""A volume that a libyal binding lists (APFS), as a tree: its entries from the root on, and their extended attributes as streams."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

from triage.evidence.yal import ERRORS, reason
from triage.filesystem.trees.tree import Fault, Named
from triage.model import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.filesystem.trees.tree import ReadAt

_DEEPEST, _MOST_CHILDREN, _MOST_ATTRIBUTES, _MOST_EXTENTS = 500, 4_000_000, 20_000, 10_000
_ATTRIBUTE = 1
_HOLE = 1
_TOLD = 20
_KINDS = {stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFREG: Kind.FILE, stat.S_IFLNK: Kind.LINK}


def _target_of(entry: Any) -> bytes:
    """Return where a symbolic link leads to, as the binding has it."""
    return str(entry.get_symbolic_link_target() or "").encode("utf-8", "surrogatepass")


class YalTree:
    """Walks what a binding calls file entries.

    ``offset``: of the volume on the medium; ``address_of``: a file entry's number; ``find``: the file entry of a number. ``raw``: whether
    its extents lie on the medium as they are.
    """

    def __init__(
        self, offset: int, root: Any, address_of: Callable[[Any], int], find: Callable[[int], Any], *, raw: bool,
        hidden: frozenset[str] = frozenset(), beat: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._offset, self._root, self._address_of, self._find = offset, root, address_of, find
        self._raw, self._hidden, self._beat = raw, hidden, beat
        self.seen: set[int] = set()
        self.complete = True

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name once, a directory before what is in it."""
        self.seen.clear()
        self.complete = True
        stack: list[tuple[Any, tuple[bytes, ...]]] = [(self._root, ())]
        self.seen.add(self._address_of(self._root))
        entered = set(self.seen)
        while stack:
            folder, path = stack.pop()
            inner = []
            for child in self._children(folder, path):
                self._beat()
                if isinstance(child, Fault):
                    self.complete = False
                    yield child
                    continue
                try:
                    one = self._named(child, path)
                    yield one
                    yield from self._streams(child, one)
                except ERRORS as error:
                    self.complete = False
                    yield Fault(Severity.ERROR, "an entry of it cannot be read: it is left out", path, reason(error))
                    continue
                self.seen.add(one.address)
                if one.kind is Kind.DIRECTORY:
                    if one.address in entered or len(one.path) >= _DEEPEST:
                        self.complete = False
                        yield Fault(Severity.ERROR, "a directory inside itself, or too deep: it was not entered", one.path)
                        continue
                    entered.add(one.address)
                    inner.append((child, one.path))
            stack += reversed(inner)

    def _children(self, folder: Any, path: tuple[bytes, ...]) -> Iterator[Any]:
        try:
            many = min(int(folder.get_number_of_sub_file_entries()), _MOST_CHILDREN)
        except ERRORS as error:
            yield Fault(Severity.ERROR, "the directory cannot be read: nothing in it was listed", path, reason(error))
            return
        wrong = 0
        for number in range(many):
            try:
                yield folder.get_sub_file_entry(number)
            except ERRORS as error:
                wrong += 1
                if wrong <= _TOLD:
                    yield Fault(Severity.ERROR, f"entry {number} of the directory cannot be read", path, reason(error))
        if wrong > _TOLD:
            yield Fault(Severity.ERROR, f"{wrong} entries of the directory cannot be read", path)

    def _named(self, entry: Any, path: tuple[bytes, ...]) -> Named:
        name = str(entry.get_name() or "").encode("utf-8", "surrogatepass")
        mode = int(entry.get_file_mode() or 0)
        kind = _KINDS.get(stat.S_IFMT(mode), Kind.SPECIAL)
        return Named(
            path=(*path, name), kind=kind, address=self._address_of(entry), size=int(entry.get_size() or 0) if kind is Kind.FILE else 0,
            mtime=entry.get_modification_time_as_integer(), atime=entry.get_access_time_as_integer(),
            ctime=entry.get_inode_change_time_as_integer(), crtime=entry.get_creation_time_as_integer(), mode=mode & 0o7777,
            uid=entry.get_owner_identifier(), gid=entry.get_group_identifier(), nlink=entry.get_number_of_links(),
            link_target=_target_of(entry) if kind is Kind.LINK else None,
            runs=self._runs(entry) if kind is Kind.FILE and self._raw else (), readable=kind is Kind.FILE,
        )  # fmt: skip

    def _runs(self, entry: Any) -> tuple[tuple[int | None, int], ...]:
        """Return where a file's bytes lie; nothing when they are kept otherwise (inside the inode, compressed)."""
        try:
            many = min(int(entry.get_number_of_extents()), _MOST_EXTENTS)
            extents = [entry.get_extent(number) for number in range(many)]
        except ERRORS:
            return ()
        return tuple((None if flags & _HOLE else self._offset + int(at), int(size)) for at, size, flags in extents if size > 0)

    def _streams(self, entry: Any, one: Named) -> Iterator[Named | Fault]:
        if one.kind not in (Kind.FILE, Kind.DIRECTORY):
            return
        many = int(entry.get_number_of_extended_attributes())
        if many > _MOST_ATTRIBUTES:
            yield Fault(Severity.WARNING, f"{many - _MOST_ATTRIBUTES} extended attributes of a file are left out", one.path)
        for number in range(min(many, _MOST_ATTRIBUTES)):
            attribute = entry.get_extended_attribute(number)
            name = str(attribute.get_name() or "")
            if name in self._hidden or not name:
                continue
            yield Named(
                path=one.path, kind=Kind.FILE, address=one.address, size=int(attribute.get_size() or 0), attribute=(_ATTRIBUTE, number),
                mtime=one.mtime, atime=one.atime, ctime=one.ctime, crtime=one.crtime, uid=one.uid, gid=one.gid,
                stream=name.encode("utf-8", "surrogatepass"),
            )  # fmt: skip

    def open(self, address: int, sequence: int | None, attribute: tuple[int, int] | None) -> ReadAt:
        """Return ``read_at(offset, length)``; see :class:`triage.filesystem.trees.tree.Tree`."""
        try:
            entry = self._find(address)
            if entry is None:
                raise OSError(f"there is no entry {address}")
            inner = entry.get_extended_attribute(attribute[1]) if attribute is not None else entry
            size = int(inner.get_size() or 0)
        except ERRORS as error:
            raise OSError(reason(error)) from error

        def read_at(offset: int, length: int) -> bytes:
            pieces, at, end = [], offset, min(offset + max(0, length), size)
            while at < end:
                try:
                    piece: bytes = inner.read_buffer_at_offset(end - at, at)
                except ERRORS as error:
                    raise OSError(reason(error)) from error
                if not piece:
                    break
                pieces.append(piece)
                at += len(piece)
            return b"".join(pieces)

        return read_at
