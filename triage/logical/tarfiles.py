"""Files in a TAR archive as a tree: a phone's file system as extraction tools write it, with the times and owners of its extended headers.

A member's address is the place of its first header, an extended one if there is one.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from triage.evidence.tarheaders import BLOCK, FileSource, Header, HeaderReader
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.paths import Folders, split_path
from triage.model import Kind, Severity, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from triage.evidence.medium import Medium
    from triage.evidence.tarsparse import Sparse
    from triage.filesystem.trees.tree import ReadAt

_KINDS = {b"2": Kind.LINK, b"3": Kind.SPECIAL, b"4": Kind.SPECIAL, b"6": Kind.SPECIAL}
_IGNORED = frozenset((b"V", b"M"))
_MOST_LINKED = 2_000_000
"""Files that later members may be further names of: so many are remembered."""


class _Said:
    """What the reader of headers tells, once each."""

    def __init__(self) -> None:
        self.lines: dict[str, int] = {}

    def add(self, line: str, count: int = 1) -> None:
        """Tell one thing."""
        self.lines[line] = self.lines.get(line, 0) + count


class TarTree:
    """The members of one archive."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        self.label = ""
        self.block_size = 1
        self.checked = False
        self._read_at: ReadAt = lambda at, length: medium.read_at(offset + at, length)
        self._base = offset
        self._size = size
        self._beat = beat
        self._first: dict[tuple[bytes, ...], tuple[int, int]] = {}

    def names(self) -> Iterator[Named | Fault]:
        """Yield each member, before it the folders that lead to it and have no member of their own."""
        said = _Said()
        source = FileSource(self._read_at, self._size)
        reader = HeaderReader(source, said)
        folders = Folders()
        begun, sparse = 0, 0
        while (header := reader.next_header()) is not None:
            self._beat()
            body = source.position
            path = split_path(header.name)
            if header.type not in _IGNORED:
                yield from folders.above(path, begun)
                if not header.directory or folders.add(path):
                    whole = self._sparse(header, body) if header.sparse else None
                    sparse += header.sparse and whole is None
                    yield self._named(header, path, begun, body, whole)
            if source.skip(header.stored) < header.stored:
                said.add("a TAR archive ends inside a member")
                break
            source.skip(-header.stored % BLOCK)
            begun = source.position
        self.checked = not said.lines
        for line, count in said.lines.items():
            yield Fault(Severity.ERROR, line if count == 1 else f"{line} ({count} times)")
        if sparse:
            message = f"{sparse} sparse files of the archive have a map that cannot be: they were read as they stand, in pieces"
            yield Fault(Severity.WARNING, message)

    def _sparse(self, header: Header, body: int) -> Sparse | None:
        return header.sparse_map(lambda length: self._read_at(body, length)) if header.regular else None

    def _named(self, header: Header, path: tuple[bytes, ...], begun: int, body: int, whole: Sparse | None) -> Named:
        kind = Kind.DIRECTORY if header.directory else _KINDS.get(header.type, Kind.FILE)
        hard = header.type == b"1"
        target = split_path(header.link) if hard else ()
        address, size = begun, header.stored if kind is Kind.FILE else 0
        runs: tuple[tuple[int | None, int], ...] = ((self._base + body, header.stored),)
        if whole is not None:
            size, runs = whole.size, whole.runs(self._base + body)
        if hard:
            found = self._first.get(target)
            address, size = found if found is not None else (begun, 0)
            runs = ()
        elif kind is Kind.FILE and len(self._first) < _MOST_LINKED:
            self._first[path] = (begun, size)
        return Named(
            path=path, kind=kind, address=address, size=size, mode=header.mode, uid=_small(header.uid), gid=_small(header.gid),
            mtime=header.mtime, atime=header.atime, ctime=header.ctime, crtime=header.crtime,
            time_basis=TimeBasis.UTC if header.mtime is not None else TimeBasis.UNKNOWN,
            link_target=header.link if kind is Kind.LINK or hard else None, runs=runs if kind is Kind.FILE and size else (),
            readable=kind is Kind.FILE,
        )  # fmt: skip

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return a member's bytes by the place of its header."""
        source = FileSource(self._read_at, self._size, address)
        header = HeaderReader(source, _Said()).next_header() if 0 <= address < self._size else None
        if header is None or not header.regular:
            raise OSError("there is no file of the archive at this place")
        begin, size, read_at = source.position, header.stored, self._read_at
        whole = self._sparse(header, begin) if header.sparse else None
        if whole is not None:
            return _over(whole.runs(begin), read_at)
        return lambda offset, length: read_at(begin + offset, max(0, min(length, size - offset)))


def _over(runs: Sequence[tuple[int | None, int]], read_at: ReadAt) -> ReadAt:
    """Return the bytes of runs, holes as zeros."""
    ends = list(accumulate(length for _, length in runs))

    def read(offset: int, length: int) -> bytes:
        pieces: list[bytes] = []
        number = bisect_right(ends, offset)
        while length > 0 and number < len(runs):
            place, size = runs[number]
            skip = offset - (ends[number] - size)
            many = min(length, size - skip)
            piece = bytes(many) if place is None else read_at(place + skip, many)
            pieces.append(piece)
            if len(piece) < many:
                break
            offset, length, number = offset + many, length - many, number + 1
        return b"".join(pieces)

    return read


def _small(number: int | None) -> int | None:
    return number if number is not None and number < 1 << 32 else None
