"""One volume's names by TSK: allocated, deleted and orphan, streams and links, with where their bytes lie.

TSK can hang inside C on hostile metadata (an ext2 inode with a vast size and no blocks stalls the listing of its whole
directory), so the walk announces each directory and position before it touches it. Whoever runs it in a process of its own can
kill it, and start it again with what it must not touch: see :class:`Avoid`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.filesystem.checks import Fault, Found, Missed, VolumeReader, check_for
from triage.filesystem.checks.hfsformat import embedded
from triage.filesystem.dosname import DosNames
from triage.filesystem.dostime import EntryTimes
from triage.filesystem.extdir import index_names, index_size, read_ext_directory
from triage.filesystem.extpoison import poisoned_inodes
from triage.filesystem.exttimes import ExtTimes
from triage.filesystem.extundeleteentries import Undeleted
from triage.filesystem.extundeleteorphans import deleted_inodes
from triage.filesystem.hfsforks import HfsForks
from triage.filesystem.hfstimes import HfsTimes
from triage.filesystem.image import tsk_reason
from triage.filesystem.isotimes import IsoZones
from triage.filesystem.listed import Folder, Listed
from triage.filesystem.orphans import OrphanGuard
from triage.filesystem.tskentry import EXT_KINDS, EntryMaker
from triage.filesystem.volumes import file_system_name, open_file_system
from triage.filesystem.walkphases import CHECKING, NAMES, OPENING, ORPHANS
from triage.filesystem.walktotals import WalkTotals
from triage.filesystem.yaffsname import YaffsNames
from triage.model import Entry, Kind, Problem, Recoverability, Run, Severity, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium

MAX_DEPTH = 1024
MAX_PATH = 32_768
"""Characters of a shown path, as many as Windows allows: each name below would cost as much again."""
MAX_DIRECTORY = 64 << 20
"""Bytes of a directory that is read without TSK's own listing."""
HANGS = "reading this entry's metadata hangs Sleuth Kit: only its name is known"
_ALLOCATED = 1
_VIRTUAL_DIRECTORY = 11
_ORPHANS = b"$OrphanFiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoid:
    """What an earlier walk of the same volume died on.

    ``directories``: listed without TSK's own directory reader where another way exists (then so are all others), else given up.
    ``metadata``: addresses never opened; their names are listed bare. ``orphans``: the search for orphans is left out. ``checks``: the
    file system's self-checks are.
    """

    directories: frozenset[int] = frozenset()
    metadata: frozenset[int] = frozenset()
    orphans: bool = False
    checks: bool = False


class _Place(NamedTuple):
    """A directory to go into: its metadata address, raw and shown path, and depth below the root."""

    address: int
    raw: bytes
    shown: str
    depth: int


class Walker:
    """Walks one volume. ``announce(phase, address, position)`` is told what is touched next; phases are below."""

    NAMES, OPENING, ORPHANS, CHECKING = NAMES, OPENING, ORPHANS, CHECKING

    def __init__(
        self,
        image: Any,
        volume: Volume,
        announce: Callable[[int, int, int], None],
        *,
        avoid: Avoid,
        max_entries: int,
        max_orphans: int,
        medium: Medium,
    ) -> None:
        self._volume = volume
        self._medium = medium
        self._announce = announce
        self._avoid = avoid
        self._max_entries = max_entries
        self._max_orphans = max_orphans
        self._fs = open_file_system(image, volume.offset)
        self._block = int(self._fs.info.block_size)
        self._name = file_system_name(self._fs)
        self._ntfs = self._name == "NTFS"
        self._fat = self._name.startswith(("FAT", "exFAT"))
        # One inode on which TSK hangs is named by many directories (the root by each of its children): where there is one, names come
        # from our own reader, which opens every inode by itself and leaves that one alone.
        if self._name.startswith("ext"):
            reader = VolumeReader(medium, volume, lambda: announce(self.OPENING, 0, 0))
            self._avoid = replace(avoid, metadata=avoid.metadata | poisoned_inodes(reader))
        self._poisoned = self._name.startswith("ext") and bool(avoid.directories or self._avoid.metadata)
        self._listed = Listed()
        self._maker = EntryMaker(self._fs, volume, announce, medium.size, self._listed.ownership)
        if self._fat:
            slots = EntryTimes(self._fs, medium, volume, exfat=self._name == "exFAT")
            self._maker.times = slots
            self._maker.names = DosNames(slots, exfat=self._name == "exFAT")
        elif self._name.startswith("ext"):
            self._maker.times = ExtTimes(medium, volume)
        elif self._name == "YAFFS2":
            self._maker.names = YaffsNames()
        elif self._name == "HFS+":
            self._maker.times = HfsTimes(self._fs)
            self._maker.forks = HfsForks(self._fs, self._block)
            self._maker.base += embedded(VolumeReader(medium, volume, lambda: None))
        self._zones: IsoZones | None = None
        self._orphan_directory: int | None = None
        self._held: list[Entry] = []  # deleted ones wait until it is known who owns their blocks
        self._places: list[tuple[int, tuple[Run, ...]]] = []  # of ext: directories that exist, and where they lie
        self._undeleted: Undeleted | None = None
        self._named: set[int] = set()  # of ext: deleted inodes that a name is left of
        self.totals = WalkTotals()

    def walk(self) -> Iterator[Entry | Problem]:
        """Yield every name once, then the deleted ones, the orphans, and what only the file system's books know of."""
        root = int(self._fs.info.root_inum)
        self._listed.folders[root] = Folder(self._volume.name, None)
        if self._name == "ISO 9660":
            self._listed.paths = {}
            beats = count(1)
            self._zones = IsoZones(self._medium, self._volume, lambda: self._announce(self.NAMES, root, next(beats)))
        visited = {root}
        yield from self._descend(_Place(root, b"", self._volume.name, 0), visited)
        yield from self._read_journal(root)
        yield from self._judged()
        if self._orphan_directory is not None:
            yield from self._orphans(self._orphan_directory, visited)
        if self._undeleted is not None:
            for entry in self._undeleted.rest(self._max_orphans):
                yield from self._emit(entry)
            yield from self._judged()
            yield from self._drain()
            yield from self._undeleted.statement()
        yield from self._checked(visited)
        self.totals.free = self._listed.free
        self.totals.owned = sum(end - start for start, end in self._maker.ownership.ranges())

    def _descend(self, top: _Place, visited: set[int]) -> Iterator[Entry | Problem]:
        """Yield every name below a directory; deleted ones are held back."""
        stack = [top]
        while stack:
            place = stack.pop()
            below: list[_Place] = []
            for made, meta_type in self._directory(place.address, place.raw, place.shown, place.depth, orphan=False):
                if made.kind is Kind.DIRECTORY and meta_type == _VIRTUAL_DIRECTORY and made.name == "$OrphanFiles" and not place.depth:
                    self._orphan_directory = made.meta_addr
                    continue
                yield from self._emit(made)
                self._listed.note(made, place.address)
                if self._leads_on(made, place.depth, visited) and made.meta_addr is not None:
                    visited.add(made.meta_addr)
                    self._listed.folders[made.meta_addr] = Folder(made.path, place.address)
                    below.append(_Place(made.meta_addr, place.raw + b"/" + _raw_name(made), made.path, place.depth + 1))
                if self.totals.names >= self._max_entries:
                    yield self._maker.problem(Severity.ERROR, f"more than {self._max_entries} names: the rest of the volume was not listed")
                    stack = []
                    below = []
                    break
            stack.extend(reversed(below))
            yield from self._drain()

    def _leads_on(self, made: Entry, depth: int, visited: set[int]) -> bool:
        """Whether an entry is a directory to go into; why not, where that is odd, goes to the problems."""
        if made.kind is not Kind.DIRECTORY or made.locator is None or made.meta_addr is None:
            return False
        if made.meta_allocated and not made.name_allocated and not made.orphan:
            return False  # another directory's by now: it is listed under its own name
        if self._emptied(made):
            return False
        if made.meta_addr in visited:
            if made.state.value == "allocated":
                message = "a directory is its own ancestor or stands twice; it was listed once"
                self._maker.problems.append(self._maker.problem(Severity.WARNING, message, entry=made))
            return False
        if depth >= MAX_DEPTH:
            message = f"directories nest deeper than {MAX_DEPTH}: what lies below was not listed"
            self._maker.problems.append(self._maker.problem(Severity.ERROR, message, entry=made))
            return False
        if len(made.path) > MAX_PATH:
            message = f"a path is longer than {MAX_PATH:,} characters: what lies below was not listed"
            self._maker.problems.append(self._maker.problem(Severity.ERROR, message, entry=made))
            return False
        return True

    def _emptied(self, made: Entry) -> bool:
        """Whether deleting a directory has taken from its inode where it lies, as ext3 and ext4 do: TSK cannot list it then."""
        return self._name.startswith("ext") and not made.meta_allocated and all(run.image_offset is None for run in made.runs)

    def _emit(self, entry: Entry) -> Iterator[Entry]:
        if self._zones is not None:
            entry = self._zones.in_utc(entry)
        self.totals.names += 1
        if entry.kind is Kind.DIRECTORY:
            self.totals.directories += 1
            if self._name.startswith("ext") and entry.meta_allocated and entry.meta_addr is not None:
                self._places.append((entry.meta_addr, entry.runs))
        if self._name.startswith("ext") and not entry.name_allocated and entry.meta_addr is not None:
            self._named.add(entry.meta_addr)
        if entry.state.value == "allocated" or entry.recoverability is Recoverability.OVERWRITTEN:
            yield entry
        else:
            self._held.append(entry)

    def _read_journal(self, root: int) -> Iterator[Problem]:
        """Read what the journal of an ext volume still knows of deleted files."""
        if not self._name.startswith("ext"):
            return
        if self._avoid.checks:
            message = "the journal was not read after the self-checks had stalled: deleted files that only it knows of are not listed"
            yield self._maker.problem(Severity.WARNING, message)
            return
        beats = count(1)
        reader = VolumeReader(self._medium, self._volume, lambda: self._announce(self.CHECKING, root, next(beats)))
        try:
            self._undeleted = Undeleted(reader, self._listed, self._maker, self._places)
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, struct.error) as error:
            message = "the journal could not be read: deleted files that it knows of are listed without size and place, or not at all"
            yield self._maker.problem(Severity.WARNING, message, detail=f"{type(error).__name__}: {error}")

    def _judged(self) -> Iterator[Entry]:
        """Give the deleted ones their recoverability, now that every allocated file's blocks are known."""
        for held in self._held:
            entry = held if self._undeleted is None else self._undeleted.complete(held)
            # What is in use without a name owns its blocks itself: that is no other file that has overwritten it.
            own = entry.resident or (entry.orphan and entry.meta_allocated)
            judged = Recoverability.INTACT if own else self._maker.ownership.recoverability(self._once(entry))
            if self._undeleted is not None:
                judged = self._undeleted.judged(entry, judged)
            yield entry.replace(recoverability=judged)
        self._held = []

    def _once(self, entry: Entry) -> tuple[Run, ...]:
        """Return where a deleted file lay. FAT keeps only its first cluster: it is taken to have lain in one piece.

        TSK steps over clusters that are owned by now and reads on behind them; that would hide what was overwritten.
        """
        if not self._fat or not entry.runs or entry.runs[0].image_offset is None or entry.kind is Kind.DIRECTORY:
            return entry.runs
        end = self._volume.offset + self._volume.size
        length = min(-(-entry.size // self._block) * self._block, end - entry.runs[0].image_offset)
        return (Run(image_offset=entry.runs[0].image_offset, length=max(length, 0)),)

    def _drain(self) -> Iterator[Problem]:
        yield from self._maker.problems
        self._maker.problems = []

    def _orphans(self, address: int, visited: set[int]) -> Iterator[Entry | Problem]:
        """List what no name leads to. On FAT most of it can be chance: it is weighed, counted and bounded."""
        if self._avoid.orphans:
            yield self._maker.problem(
                Severity.ERROR, "the search for orphan files was given up after it stalled: files that no name leads to are not listed"
            )
            return
        guard = OrphanGuard(fat=self._fat, volume=self._volume, limit=self._max_orphans)
        stack: list[tuple[int, bytes, str, int]] = [(address, b"/" + _ORPHANS, f"{self._volume.name}/$OrphanFiles", 1)]
        while stack and not guard.full:
            here, raw, shown, depth = stack.pop()
            self._announce(self.ORPHANS, here, 0)
            for made, _ in self._directory(here, raw, shown, depth, orphan=True):
                if self._ntfs and made.meta_addr is not None and 16 <= made.meta_addr < 24 and not made.size:
                    continue  # MFT records 16 to 23 are reserved by the format: never used, never deleted
                if guard.full:
                    break
                if not guard.admit(made):
                    continue
                yield from self._emit(made)
                leads_on = made.kind is Kind.DIRECTORY and made.meta_addr not in visited and not self._emptied(made)
                if leads_on and made.meta_addr and depth < MAX_DEPTH:
                    visited.add(made.meta_addr)
                    stack.append((made.meta_addr, raw + b"/" + _raw_name(made), made.path, depth + 1))
            yield from self._drain()
        yield from self._judged()
        self.totals.orphans_seen, self.totals.orphans_dropped = guard.seen, guard.dropped
        self.totals.orphan_reasons = dict(guard.reasons)
        message = guard.statement()
        if message:
            yield self._maker.problem(Severity.WARNING, message)

    def _checked(self, visited: set[int]) -> Iterator[Entry | Problem]:
        """Hold what was listed against the file system's own books; list what only they know of."""
        check = check_for(self._name)
        if check is None or self.totals.names >= self._max_entries:  # the coverage statement says so; the bound was said
            return
        if self._avoid.checks:
            message = "the file system's self-checks were given up after they stalled: whether names are missing was not checked"
            yield self._maker.problem(Severity.ERROR, message)
            return
        beats = 0

        def beat() -> None:
            nonlocal beats
            beats += 1
            self._announce(self.CHECKING, 0, beats)

        beat()
        missed: list[Missed] = []
        found: list[Found] = []
        reader = VolumeReader(self._medium, self._volume, beat)
        try:
            for one in check(reader, self._listed):
                if isinstance(one, Fault):
                    yield self._maker.problem(one.severity, one.message, path=one.path, detail=one.detail)
                elif len(missed) + len(found) >= self._max_orphans:
                    message = f"more than {self._max_orphans} entries in use were not reached by any name: the others are not listed"
                    yield self._maker.problem(Severity.ERROR, message)
                    break
                elif isinstance(one, Found):
                    found.append(one)
                else:
                    missed.append(one)
            self.totals.checked = True
        except (OSError, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as error:
            # The walk must not be lost over its check, whatever the evidence made of it.
            message = "the file system's self-check could not be finished: whether names are missing was not checked in full"
            yield self._maker.problem(Severity.ERROR, message, detail=f"{type(error).__name__}: {error}")
        if reader.unreadable:
            message = f"{reader.unreadable} bytes of the file system's own structures cannot be read: names may be missing"
            yield self._maker.problem(Severity.ERROR, message)
        yield from self._recovered(missed, visited, found)
        yield from self._placed(found)

    def _placed(self, found: list[Found]) -> Iterator[Entry | Problem]:
        """List entries in use that TSK cannot open, by the place of their bytes."""
        counted: dict[bytes, int] = {}
        for one in found:
            made = self._maker.placed(one, counted)
            self.totals.missed += 1
            yield from self._emit(made)
            if made.locator is None and made.size and made.kind is Kind.FILE:
                yield self._maker.problem(Severity.ERROR, "this entry's bytes cannot be placed: only its name is known", entry=made)
        if found:
            message = f"{len(found)} entries in use were not listed by Sleuth Kit; they were found by our own reading of the file system"
            yield self._maker.problem(Severity.WARNING, message)

    def _recovered(self, missed: list[Missed], visited: set[int], found: list[Found]) -> Iterator[Entry | Problem]:
        """List entries that are in use and that no name led to: directories first, since what they hold has names then.

        What TSK cannot open and is known otherwise goes to ``found``.
        """
        lost = {m.address for m in missed}
        addresses = self._listed.addresses
        seen, known = set(addresses), len(addresses)
        ordered = sorted(missed, key=lambda m: m.folder in lost)
        for directories in (True, False):
            for one in ordered:
                if one.address in seen:
                    continue
                folder = self._listed.folders.get(one.folder) if one.folder is not None else None
                text = one.name or b"OrphanFile-%d" % one.address
                shown = folder.path if folder is not None else f"{self._volume.name}/{_ORPHANS.decode()}"
                if one.address in self._avoid.metadata:
                    if not directories:
                        seen.add(one.address)
                        yield from self._hung(one.address, text, shown, orphan=folder is None)
                    continue
                self._announce(self.OPENING, one.address, 0)
                try:
                    file = self._fs.open_meta(one.address)
                except OSError:
                    continue  # counted below as not listed
                meta = file.info.meta
                if meta is None or (int(meta.type) in (2, 11)) is not directories:
                    continue
                seen.add(one.address)
                made_of = self._maker.entries(
                    file, None, text, shown.encode(), shown, 1, orphan=folder is None, counted={}, allocated=folder is not None
                )
                for made, _ in made_of:
                    self.totals.missed += 1
                    yield from self._emit(made)
                    if self._leads_on(made, 1, visited) and made.meta_addr is not None:
                        visited.add(made.meta_addr)
                        self._listed.folders[made.meta_addr] = Folder(made.path, one.folder)
                        yield from self._descend(_Place(made.meta_addr, made.path.encode(), made.path, 2), visited)
                seen.update(addresses[known:])
                known = len(addresses)
                yield from self._drain()
        yield from self._judged()
        if missed:
            found.extend(m.otherwise for m in missed if m.otherwise is not None and m.address not in seen)
            seen.update(m.address for m in missed if m.otherwise is not None)
            unopened = len(lost - seen)
            message = f"{len(lost)} entries in use were reached by no name: directories are damaged, or these were deleted while open"
            message += f"; {unopened} of them cannot be opened and are not listed" if unopened else "; they are listed apart"
            yield self._maker.problem(Severity.ERROR, message)

    def _directory(self, address: int, raw: bytes, shown: str, depth: int, *, orphan: bool) -> Iterator[tuple[Entry, int]]:
        """Yield a directory's entries with their metadata type; its damage goes to the problems."""
        phase = self.ORPHANS if orphan else self.NAMES
        if address in self._avoid.directories or (self._poisoned and not orphan):
            yield from self._directory_without_tsk(address, raw, shown, depth)
            return
        announce = self._announce
        announce(phase, address, 0)
        try:
            listing = iter(self._fs.open_dir(inode=address))
        except OSError as error:
            if address == self._orphan_directory and self._name.startswith("ext"):
                yield from self._orphans_without_tsk(raw, shown, depth)
                return
            self._maker.problems.append(
                self._maker.problem(Severity.ERROR, "a directory cannot be listed", path=shown, detail=tsk_reason(error))
            )
            return
        false = self._index_names(address, listing) if self._name.startswith("ext") else frozenset()
        position = 0
        failures = 0
        counted: dict[bytes, int] = {}
        while True:
            position += 1
            announce(phase, address, position)
            try:
                file = next(listing)
            except StopIteration:
                break
            except OSError as error:
                failures += 1
                self._maker.problems.append(
                    self._maker.problem(Severity.ERROR, "an entry of a directory cannot be read", path=shown, detail=tsk_reason(error))
                )
                if failures >= 100:
                    self._maker.problems.append(self._maker.problem(Severity.ERROR, "the rest of a directory was given up", path=shown))
                    break
                continue
            name = file.info.name
            text: bytes = name.name or b""
            if text in (b".", b".."):
                continue
            if false and (int(name.meta_addr), text) in false:
                continue  # a piece of the directory's index that TSK took for a name
            yield from self._maker.entries(file, name, text, raw, shown, depth, orphan=orphan, counted=counted)

    def _orphans_without_tsk(self, raw: bytes, shown: str, depth: int) -> Iterator[tuple[Entry, int]]:
        """List the deleted inodes of an ext volume that no name is left of, by our own search."""
        beats = count(1)
        reader = VolumeReader(self._medium, self._volume, lambda: self._announce(self.ORPHANS, 0, next(beats)))
        counted: dict[bytes, int] = {}
        unopened = 0
        for address in deleted_inodes(reader):
            if address in self._named:
                continue
            if address in self._avoid.metadata:
                unopened += 1
                continue
            try:
                self._announce(self.OPENING, address, 0)
                file = self._fs.open_meta(address)
            except OSError:
                unopened += 1
                continue
            text = b"OrphanFile-%d" % address
            yield from self._maker.entries(file, None, text, raw, shown, depth, orphan=True, counted=counted, allocated=False)
        if unopened:
            message = f"{unopened} deleted files that no name leads to cannot be opened and are not listed"
            self._maker.problems.append(self._maker.problem(Severity.WARNING, message))

    def _hung(self, address: int, text: bytes, shown: str, *, orphan: bool) -> Iterator[Entry | Problem]:
        """List what an earlier walk died on by its name alone."""
        bare = self._maker.bare(address, text, Kind.FILE, shown.encode(), shown, 1, allocated=True, counted={}, orphan=orphan)
        yield self._maker.problem(Severity.ERROR, HANGS, entry=bare)
        yield from self._emit(bare)

    def _index_names(self, address: int, listing: Any) -> frozenset[tuple[int, bytes]]:
        """Return what TSK takes for names in the index of a large ext directory."""
        try:
            size = int(listing.info.fs_file.meta.size)
            if size < index_size(self._block):
                return frozenset()
            return index_names(self._fs.open_meta(address).read_random, size, self._block, int(self._fs.info.last_inum))
        except (OSError, AttributeError):  # no metadata, or no content: then there is no index
            return frozenset()

    def _directory_without_tsk(self, address: int, raw: bytes, shown: str, depth: int) -> Iterator[tuple[Entry, int]]:
        """List a directory whose listing hangs in TSK: our own parser for ext, nothing for the others."""
        if not self._name.startswith("ext") or address in self._avoid.metadata:
            self._maker.problems.append(
                self._maker.problem(Severity.ERROR, "the listing of a directory hung and was given up: names in it are missing", path=shown)
            )
            return
        self._announce(self.OPENING, address, 0)
        try:
            content = self._fs.open_meta(address)
            size = int(content.info.meta.size)
            data = content.read_random(0, min(size, MAX_DIRECTORY))
        except OSError as error:
            self._maker.problems.append(
                self._maker.problem(Severity.ERROR, "a directory cannot be listed", path=shown, detail=tsk_reason(error))
            )
            return
        if len(data) < size:
            message = f"only {len(data)} of a directory's {size} bytes were read: names in the rest are missing"
            self._maker.problems.append(self._maker.problem(Severity.ERROR, message, path=shown))
        counted: dict[bytes, int] = {}
        last = int(self._fs.info.last_inum)
        false = index_names(lambda start, length: data[start : start + length], len(data), self._block, last)
        for found in read_ext_directory(data, self._block, last):
            if found.name in (b".", b"..") or (found.inode, found.name) in false:
                continue
            kind = EXT_KINDS.get(found.file_type, Kind.FILE)
            if found.inode in self._avoid.metadata or not found.inode:
                bare = self._maker.bare(found.inode, found.name, kind, raw, shown, depth, allocated=found.allocated, counted=counted)
                if found.inode:
                    self._maker.problems.append(self._maker.problem(Severity.ERROR, HANGS, entry=bare))
                yield bare, 0
                continue
            self._announce(self.OPENING, found.inode, 0)
            try:
                file = self._fs.open_meta(found.inode)
            except OSError as error:
                bare = self._maker.bare(found.inode, found.name, kind, raw, shown, depth, allocated=found.allocated, counted=counted)
                self._maker.problems.append(
                    self._maker.problem(Severity.ERROR, "the entry's metadata cannot be read", entry=bare, detail=tsk_reason(error))
                )
                yield bare, 0
                continue
            yield from self._maker.entries(
                file, None, found.name, raw, shown, depth, orphan=False, counted=counted, allocated=found.allocated
            )


def _raw_name(entry: Entry) -> bytes:
    return entry.name_raw if entry.name_raw is not None else entry.name.encode()
