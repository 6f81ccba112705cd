"""What a format that TSK does not read offers, names and the bytes behind each, and the walk that makes entries of it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from triage.escape import show, show_name
from triage.filesystem.ownership import Ownership
from triage.filesystem.walkphases import NAMES, OPENING
from triage.filesystem.walktotals import WalkTotals
from triage.model import Entry, Kind, Locator, Problem, Recoverability, Run, Severity, TimeBasis, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

ReadAt = Callable[[int, int], bytes]
MAX_RUNS = 10_000
_LONGEST_PATH = 32_768
_TIMES = 1 << 63
_HUNG = "an earlier attempt to list this entry ended the worker: only its name is known"


@dataclass(slots=True, kw_only=True)
class Named:
    """One name as a format has it.

    ``path``: the names from the root on, as bytes; ``address``: by which :meth:`Tree.open` finds it again (with ``sequence`` and
    ``attribute`` where the format needs them); times in nanoseconds since 1970, ``None`` for none; ``runs``: where the bytes lie on the
    medium as they are, ``(offset on the medium or None for a hole, length)``, empty when they lie there otherwise (compressed, in
    metadata). ``deleted``: the name is not in use; ``orphan``: no name led to it. ``stream``: the name of a further stream of the same
    file, "" for the file itself. ``readable``: whether there are bytes to open.
    """

    path: tuple[bytes, ...]
    kind: Kind
    address: int
    size: int = 0
    sequence: int | None = None
    attribute: tuple[int, int] | None = None
    mtime: int | None = None
    atime: int | None = None
    ctime: int | None = None
    crtime: int | None = None
    time_basis: TimeBasis = TimeBasis.UTC
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    nlink: int | None = None
    link_target: bytes | None = None
    runs: tuple[tuple[int | None, int], ...] = ()
    resident: bool = False
    deleted: bool = False
    orphan: bool = False
    stream: bytes = b""
    readable: bool = True
    encrypted: bool = False
    """Whether its bytes are there, and encrypted with a key that is not."""
    by_runs: bool = False
    """Whether its bytes are those of ``runs``, since no address leads to them any more."""


class Fault(NamedTuple):
    """What is wrong with a volume or one of its names."""

    severity: Severity
    message: str
    path: tuple[bytes, ...] = ()
    detail: str = ""


class Tree(Protocol):
    """A volume's names and their bytes. Made with a medium, the volume's offset and size there, and a function to call now and then."""

    label: str
    block_size: int
    checked: bool
    """Whether, once all names were asked for, the format's own books say that these were all."""

    def names(self) -> Iterator[Named | Fault]:
        """Yield each name once, a directory before what is in it; deleted ones may come at the end."""

    def open(self, address: int, sequence: int | None, attribute: tuple[int, int] | None) -> ReadAt:
        """Return ``read_at(offset, length)`` over the bytes of a name; raise ``OSError`` here or there when they cannot be had."""


@runtime_checkable
class BookedTree(Protocol):
    """A tree that keeps books of which blocks are in use, also for what is no file."""

    def used(self) -> Iterator[tuple[int, int]]:
        """Yield offsets on the medium and lengths, in bytes."""


class SizedTree(Tree, Protocol):
    """A tree that is a file system: it knows how long it is."""

    size: int


@dataclass(slots=True)
class TreeWalker:
    """Walks one tree as :class:`triage.filesystem.tsk.Walker` does a volume of TSK's."""

    tree: Tree
    volume: Volume
    announce: Callable[[int, int, int], None]
    max_entries: int
    max_orphans: int
    skip: frozenset[int] = frozenset()
    """Addresses that an earlier walk died on."""
    totals: WalkTotals = field(default_factory=WalkTotals)
    _ownership: Ownership = field(default_factory=Ownership)
    _counted: dict[bytes, int] = field(default_factory=dict)
    _shown: dict[tuple[bytes, ...], tuple[str, str | None]] = field(default_factory=dict)
    """Of directories: their shown path and entry identifier."""

    def walk(self) -> Iterator[Entry | Problem]:
        """Yield every name as an entry, then the deleted ones with what became of their blocks."""
        held: deque[Entry] = deque()
        position = 0
        for one in self.tree.names():
            position += 1
            self.announce(NAMES, 0, position)
            if isinstance(one, Fault):
                yield self._problem(one)
                continue
            gone = one.deleted or one.orphan
            if gone:
                self.totals.orphans_seen += 1
                if len(held) >= self.max_orphans:
                    self.totals.orphans_dropped += 1
                    continue
            entry = self._entry(one)
            self.totals.names += 1
            if one.address in self.skip and one.kind is Kind.FILE:
                yield self._problem(Fault(Severity.ERROR, _HUNG, one.path))
            if len(entry.path) >= _LONGEST_PATH:
                yield self._problem(Fault(Severity.WARNING, f"a path is longer than {_LONGEST_PATH:,} characters: it is shown cut"))
            if one.kind is Kind.DIRECTORY:
                self.totals.directories += 1
            if gone:
                held.append(entry)
            else:
                for run in entry.runs:
                    if run.image_offset is not None:
                        self._ownership.add(run.image_offset, run.length)
                yield entry
            if self.totals.names >= self.max_entries:
                message = f"more than {self.max_entries} names: the rest of the volume was not listed"
                yield self._problem(Fault(Severity.ERROR, message))
                break
        self.totals.owned = sum(end - start for start, end in self._ownership.ranges())
        if held and isinstance(self.tree, BookedTree):
            for start, length in self.tree.used():
                self._ownership.add(start, length)
        while held:
            entry = held.popleft()
            judged = Recoverability.INTACT if entry.resident else self._ownership.recoverability(entry.runs)
            yield entry.replace(recoverability=judged)
        if self.totals.orphans_dropped:
            message = f"{self.totals.orphans_dropped} deleted entries more than {self.max_orphans} were found; they are not listed"
            yield self._problem(Fault(Severity.WARNING, message))
        self.totals.checked = self.tree.checked and self.totals.names < self.max_entries

    def _entry(self, one: Named) -> Entry:
        self.announce(OPENING, one.address, self.totals.names)
        above, parent = self._folder(one.path[:-1])
        text = one.path[-1] if one.path else b""
        display, exact = show_name(text)
        name, raw = display, text
        if one.stream:
            stream, whole = show_name(one.stream)
            name, raw, exact = f"{display}:{stream}", text + b":" + one.stream, exact and whole
        path = f"{above}/{name}"
        if len(path) > _LONGEST_PATH:
            path = path[:_LONGEST_PATH]
        attr_type, attr_id = one.attribute if one.attribute is not None else (None, None)
        place = Locator(
            evidence=self.volume.evidence, volume_offset=self.volume.offset, meta_addr=one.address, meta_seq=one.sequence,
            attr_type=attr_type, attr_id=attr_id,
        )  # fmt: skip
        if one.by_runs:
            runs = tuple(Run(image_offset=at, length=length) for at, length in one.runs)
            place = Locator(evidence=self.volume.evidence, volume_offset=self.volume.offset, runs=runs)
        size = one.size if 0 <= one.size < 1 << 62 else 0
        entry = Entry(
            id=self._id(one, raw), evidence=self.volume.evidence, volume=self.volume.number, path=path, name=name,
            name_raw=None if exact else raw, kind=Kind.STREAM if one.stream else one.kind, name_allocated=not one.deleted,
            meta_allocated=not (one.deleted or one.orphan), orphan=one.orphan, size=size, mtime=_time(one.mtime), atime=_time(one.atime),
            ctime=_time(one.ctime), crtime=_time(one.crtime), time_basis=one.time_basis, meta_addr=one.address, meta_seq=one.sequence,
            mode=one.mode, uid=one.uid, gid=one.gid, nlink=one.nlink,
            link_target=show(one.link_target.decode("utf-8", "surrogateescape")) if one.link_target is not None else None,
            runs=tuple(Run(image_offset=at, length=length) for at, length in one.runs[:MAX_RUNS]), resident=one.resident,
            parent=parent if one.stream else None, depth=max(0, len(one.path) - 1),
            encrypted=one.encrypted,
            locator=place if self._opens(one) else None,
        )  # fmt: skip
        if one.kind is Kind.DIRECTORY and not one.stream and not one.deleted:
            self._shown.setdefault(one.path, (path, entry.id))
        return entry

    def _opens(self, one: Named) -> bool:
        return (one.readable or one.encrypted) and one.kind not in (Kind.DIRECTORY, Kind.SPECIAL) and one.address not in self.skip

    def _folder(self, path: tuple[bytes, ...]) -> tuple[str, str | None]:
        """Return a directory's shown path and identifier; of one that was not named itself its path alone."""
        if not path:
            return self.volume.name, None
        found = self._shown.get(path)
        if found is None:
            above, _ = self._folder(path[:-1]) if len(path) < 500 else (self.volume.name, None)
            found = (f"{above}/{show_name(path[-1])[0]}"[:_LONGEST_PATH], None)
            if len(self._shown) < self.max_entries:
                self._shown[path] = found
        return found

    def _id(self, one: Named, raw: bytes) -> str:
        attr_type, attr_id = one.attribute or (0, 0)
        place = (self.volume.evidence, self.volume.offset, one.address, one.sequence or 0, attr_type, attr_id)
        basis = repr(place).encode() + b"/".join((*one.path[:-1], raw))
        times = self._counted.get(key := hashlib.blake2b(basis, digest_size=12).digest(), 0)
        self._counted[key] = times + 1
        return hashlib.blake2b(basis + b"|%d" % times, digest_size=12).hexdigest() if times else key.hex()

    def _problem(self, fault: Fault) -> Problem:
        path = self._folder(fault.path)[0] if fault.path else ""
        return Problem(
            severity=fault.severity, stage="filesystem", message=fault.message, evidence=self.volume.evidence, volume=self.volume.number,
            path=path, detail=show(fault.detail),
        )  # fmt: skip


def _time(value: int | None) -> int | None:
    return value if value is not None and abs(value) < _TIMES else None


def run_reader(read_at: ReadAt, runs: list[tuple[int | None, int]]) -> ReadAt:
    """Return ``read_at`` over runs, one behind the other; holes are zeros."""

    def read(offset: int, length: int) -> bytes:
        pieces, start = [], 0
        for at, size in runs:
            skip = offset - start
            if 0 <= skip < size and length > 0:
                take = min(length, size - skip)
                pieces.append(bytes(take) if at is None else read_at(at + skip, take))
                offset, length = offset + take, length - take
            start += size
        return b"".join(pieces)

    return read
