"""One volume's names by TSK: allocated, deleted and orphan, streams and links, with where their bytes lie.

TSK can hang inside C on hostile metadata (an ext2 inode with a vast size and no blocks stalls the listing of its whole
directory), so the walk announces each directory and position before it touches it. Whoever runs it in a process of its own can
kill it, and start it again with what it must not touch: see :class:`Avoid`.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from triage.escape import show, show_name
from triage.filesystem.extdir import read_ext_directory
from triage.filesystem.image import tsk_reason
from triage.filesystem.orphans import OrphanGuard
from triage.filesystem.ownership import Ownership
from triage.filesystem.volumes import file_system_name, open_file_system
from triage.model import Entry, Kind, Locator, Problem, Recoverability, Run, Severity, TimeBasis, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DEPTH = 1024
MAX_RUNS = 4096
"""Runs an entry's record holds; ownership counts them all."""

# TSK 4.15, tsk_fs.h: TSK_FS_META_TYPE_ENUM, TSK_FS_NAME_TYPE_ENUM, flags, TSK_FS_ATTR_TYPE_ENUM.
_META_KIND = {1: Kind.FILE, 2: Kind.DIRECTORY, 3: Kind.SPECIAL, 4: Kind.SPECIAL, 5: Kind.SPECIAL, 6: Kind.LINK,
              7: Kind.SPECIAL, 8: Kind.SPECIAL, 9: Kind.SPECIAL, 10: Kind.SPECIAL, 11: Kind.DIRECTORY}
_NAME_KIND = {1: Kind.SPECIAL, 2: Kind.SPECIAL, 3: Kind.DIRECTORY, 4: Kind.SPECIAL, 5: Kind.FILE, 6: Kind.LINK,
              7: Kind.SPECIAL, 8: Kind.SPECIAL, 9: Kind.SPECIAL, 10: Kind.SPECIAL, 11: Kind.DIRECTORY}
_ALLOCATED = 1
_VIRTUAL_FILE, _VIRTUAL_DIRECTORY = 10, 11
_NTFS_DATA, _NTFS_INDEX, _NTFS_REPARSE = 128, 160, 192
_NTFS_SMALL = frozenset({16, 48, 64, 96, 112})
"""$STANDARD_INFORMATION, $FILE_NAME, $OBJECT_ID, $VOLUME_NAME, $VOLUME_INFORMATION: always within the record."""
_SYMLINK, _JUNCTION, _WOF = 0xA000000C, 0xA0000003, 0x80000017
_HFS_DATA, _HFS_RESOURCE = 0x1100, 0x1101
_NON_RESIDENT, _RESIDENT = 2, 4
_RUN_FILLER, _RUN_SPARSE = 1, 2
_ORPHANS = b"$OrphanFiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoid:
    """What an earlier walk of the same volume died on.

    ``directories``: listed without TSK's own directory reader where another way exists, else given up. ``metadata``:
    addresses never opened; their names are listed bare. ``orphans``: the search for orphans is left out.
    """

    directories: frozenset[int] = frozenset()
    metadata: frozenset[int] = frozenset()
    orphans: bool = False


@dataclass(slots=True)
class WalkTotals:
    """What a walk saw, for the coverage statement. Bytes are of the medium."""

    names: int = 0
    directories: int = 0
    owned: int = 0
    orphans_seen: int = 0
    orphans_dropped: int = 0
    orphan_reasons: dict[str, int] = field(default_factory=dict)


class Walker:
    """Walks one volume. ``announce(phase, address, position)`` is told what is touched next; phases are below."""

    NAMES, OPENING, ORPHANS = 1, 2, 3

    def __init__(
        self, image: Any, volume: Volume, announce: Callable[[int, int, int], None], *, avoid: Avoid,
        max_entries: int, max_orphans: int, medium_size: int,
    ) -> None:
        self._volume = volume
        self._announce = announce
        self._avoid = avoid
        self._max_entries = max_entries
        self._max_orphans = max_orphans
        self._medium_size = medium_size
        self._fs = open_file_system(image, volume.offset)
        self._block = int(self._fs.info.block_size)
        self._name = file_system_name(self._fs)
        self._ntfs = self._name == "NTFS"
        self._hfs = self._name == "HFS+"
        self._fat = self._name.startswith(("FAT", "exFAT"))
        self._basis = TimeBasis.LOCAL if self._name.startswith("FAT") else TimeBasis.UTC
        self._ownership = Ownership()
        self._held: list[Entry] = []  # deleted ones wait until it is known who owns their blocks
        self._bad: list[Problem] = []
        self._reparse: tuple[int, int] | None = None  # of the entry in hand: attribute id and size
        self.totals = WalkTotals()

    def walk(self) -> Iterator[Entry | Problem]:
        """Yield every name once, then the deleted ones, then the orphans."""
        root = int(self._fs.info.root_inum)
        stack: list[tuple[int, bytes, str, int]] = [(root, b"", self._volume.name, 0)]
        visited = {root}
        orphan_directory: int | None = None
        while stack:
            address, raw, shown, depth = stack.pop()
            below: list[tuple[int, bytes, str, int]] = []
            for made, meta_type in self._directory(address, raw, shown, depth, orphan=False):
                if made.kind is Kind.DIRECTORY and meta_type == _VIRTUAL_DIRECTORY and made.name == "$OrphanFiles" and not depth:
                    orphan_directory = made.meta_addr
                    continue
                yield from self._emit(made)
                if made.kind is Kind.DIRECTORY and made.locator is not None and made.meta_addr is not None:
                    if made.meta_allocated and not made.name_allocated:
                        continue  # another directory's by now: it is listed under its own name
                    if made.meta_addr in visited:
                        if made.state.value == "allocated":
                            self._bad.append(self._problem(Severity.WARNING, "a directory is its own ancestor or stands twice; "
                                                           "it was listed once", entry=made))
                        continue
                    if depth >= MAX_DEPTH:
                        self._bad.append(self._problem(Severity.ERROR, f"directories nest deeper than {MAX_DEPTH}: what lies "
                                                       "below was not listed", entry=made))
                        continue
                    visited.add(made.meta_addr)
                    below.append((made.meta_addr, raw + b"/" + _raw_name(made), made.path, depth + 1))
                if self.totals.names >= self._max_entries:
                    yield self._problem(Severity.ERROR, f"more than {self._max_entries} names: the rest of the volume was not listed")
                    stack = []
                    below = []
                    break
            stack.extend(reversed(below))
            yield from self._drain()
        yield from self._judged()
        if orphan_directory is not None:
            yield from self._orphans(orphan_directory, visited)
        self.totals.owned = sum(end - start for start, end in self._ownership.ranges())

    def _emit(self, entry: Entry) -> Iterator[Entry]:
        self.totals.names += 1
        if entry.kind is Kind.DIRECTORY:
            self.totals.directories += 1
        if entry.state.value == "allocated" or entry.recoverability is Recoverability.OVERWRITTEN:
            yield entry
        else:
            self._held.append(entry)

    def _judged(self) -> Iterator[Entry]:
        """Give the deleted ones their recoverability, now that every allocated file's blocks are known."""
        for entry in self._held:
            judged = Recoverability.INTACT if entry.resident else self._ownership.recoverability(self._once(entry))
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
        yield from self._bad
        self._bad = []

    def _orphans(self, address: int, visited: set[int]) -> Iterator[Entry | Problem]:
        """List what no name leads to. On FAT most of it can be chance: it is weighed, counted and bounded."""
        if self._avoid.orphans:
            yield self._problem(Severity.ERROR, "the search for orphan files was given up after it stalled: files that no name "
                                "leads to are not listed")
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
                if made.kind is Kind.DIRECTORY and made.meta_addr not in visited and depth < MAX_DEPTH and made.meta_addr:
                    visited.add(made.meta_addr)
                    stack.append((made.meta_addr, raw + b"/" + _raw_name(made), made.path, depth + 1))
            yield from self._drain()
        yield from self._judged()
        self.totals.orphans_seen, self.totals.orphans_dropped = guard.seen, guard.dropped
        self.totals.orphan_reasons = dict(guard.reasons)
        message = guard.statement()
        if message:
            yield self._problem(Severity.WARNING, message)

    def _directory(
        self, address: int, raw: bytes, shown: str, depth: int, *, orphan: bool
    ) -> Iterator[tuple[Entry, int]]:
        """Yield a directory's entries with their metadata type; its damage goes to the problems."""
        phase = self.ORPHANS if orphan else self.NAMES
        if address in self._avoid.directories:
            yield from self._directory_without_tsk(address, raw, shown, depth)
            return
        announce = self._announce
        announce(phase, address, 0)
        try:
            listing = iter(self._fs.open_dir(inode=address))
        except OSError as error:
            self._bad.append(self._problem(Severity.ERROR, "a directory cannot be listed", path=shown, detail=tsk_reason(error)))
            return
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
                self._bad.append(self._problem(Severity.ERROR, "an entry of a directory cannot be read", path=shown,
                                               detail=tsk_reason(error)))
                if failures >= 100:
                    self._bad.append(self._problem(Severity.ERROR, "the rest of a directory was given up", path=shown))
                    break
                continue
            name = file.info.name
            text: bytes = name.name or b""
            if text in (b".", b".."):
                continue
            yield from self._entries(file, name, text, raw, shown, depth, orphan=orphan, counted=counted)

    def _directory_without_tsk(self, address: int, raw: bytes, shown: str, depth: int) -> Iterator[tuple[Entry, int]]:
        """List a directory whose listing hangs in TSK: our own parser for ext, nothing for the others."""
        if not self._name.startswith("ext") or address in self._avoid.metadata:
            self._bad.append(self._problem(Severity.ERROR, "the listing of a directory hung and was given up: names in it are missing",
                                           path=shown))
            return
        self._announce(self.OPENING, address, 0)
        try:
            content = self._fs.open_meta(address)
            data = content.read_random(0, min(int(content.info.meta.size), 64 << 20))
        except OSError as error:
            self._bad.append(self._problem(Severity.ERROR, "a directory cannot be listed", path=shown, detail=tsk_reason(error)))
            return
        counted: dict[bytes, int] = {}
        for found in read_ext_directory(data, self._block, int(self._fs.info.last_inum)):
            if found.name in (b".", b".."):
                continue
            kind = _NAME_KIND_EXT.get(found.file_type, Kind.FILE)
            if found.inode in self._avoid.metadata or not found.inode:
                bare = self._bare(found.inode, found.name, kind, raw, shown, depth, allocated=found.allocated, counted=counted)
                if found.inode:
                    self._bad.append(self._problem(Severity.ERROR, "reading this entry's metadata hung: only its name is known",
                                                   entry=bare))
                yield bare, 0
                continue
            self._announce(self.OPENING, found.inode, 0)
            try:
                file = self._fs.open_meta(found.inode)
            except OSError as error:
                bare = self._bare(found.inode, found.name, kind, raw, shown, depth, allocated=found.allocated, counted=counted)
                self._bad.append(self._problem(Severity.ERROR, "the entry's metadata cannot be read", entry=bare,
                                               detail=tsk_reason(error)))
                yield bare, 0
                continue
            yield from self._entries(file, None, found.name, raw, shown, depth, orphan=False, counted=counted,
                                     allocated=found.allocated)

    def _bare(
        self, address: int, text: bytes, kind: Kind, raw: bytes, shown: str, depth: int, *, allocated: bool,
        counted: dict[bytes, int], orphan: bool = False,
    ) -> Entry:
        display, exact = show_name(text)
        return Entry(
            id=self._id(address, None, None, None, raw + b"/" + text, counted), evidence=self._volume.evidence, orphan=orphan,
            volume=self._volume.number, path=f"{shown}/{display}", name=display, name_raw=None if exact else text, kind=kind,
            name_allocated=allocated, meta_allocated=allocated, meta_addr=address or None, depth=depth,
        )

    def _entries(
        self, file: Any, name: Any, text: bytes, raw: bytes, shown: str, depth: int, *, orphan: bool,
        counted: dict[bytes, int], allocated: bool | None = None,
    ) -> Iterator[tuple[Entry, int]]:
        """Make the entry of a name and those of its streams."""
        meta = file.info.meta
        reused = False
        if meta is None and name is not None and int(name.meta_addr) and (orphan or not int(name.flags) & _ALLOCATED):
            file, reused = self._deleted_metadata(file, name)
            meta = file.info.meta
        name_allocated = allocated if allocated is not None else bool(int(name.flags) & _ALLOCATED)
        display, exact = show_name(text)
        path = f"{shown}/{display}"
        full = raw + b"/" + text
        if meta is None:
            kind = _NAME_KIND.get(int(name.type), Kind.FILE) if name is not None else Kind.FILE
            address = int(name.meta_addr) if name is not None else 0
            bare = self._bare(address, text, kind, raw, shown, depth, allocated=name_allocated, counted=counted,
                              orphan=orphan)
            if name_allocated:
                self._bad.append(self._problem(Severity.ERROR, "the entry's metadata cannot be read", entry=bare))
            yield bare, 0
            return
        meta_type = int(meta.type)
        meta_allocated = bool(int(meta.flags) & _ALLOCATED)
        address, seq = int(meta.addr), int(meta.seq)
        kind = _META_KIND.get(meta_type) or (_NAME_KIND.get(int(name.type), Kind.FILE) if name is not None else Kind.FILE)
        reused = reused or (meta_allocated and not name_allocated and not orphan)
        common: dict[str, Any] = {
            "evidence": self._volume.evidence, "volume": self._volume.number, "name_allocated": name_allocated,
            "meta_allocated": meta_allocated, "orphan": orphan, "meta_addr": address, "meta_seq": seq or None, "depth": depth,
            "time_basis": self._basis,
        }
        if reused and self._ntfs:
            # The record's sequence number says that it is another file's by now: nothing of that file is this one's.
            yield Entry(
                id=self._id(address, seq, None, None, full, counted), path=path, name=display, kind=kind,
                name_raw=None if exact else text, recoverability=Recoverability.OVERWRITTEN, **common,
            ), meta_type
            return
        if reused:
            # Elsewhere it cannot be told from a file that was only renamed: what the metadata hold now is shown, and said to
            # be owned by an allocated file.
            common["recoverability"] = Recoverability.OVERWRITTEN
        common.update(
            mtime=_time(meta.mtime, meta.mtime_nano), atime=_time(meta.atime, meta.atime_nano),
            ctime=_time(meta.ctime, meta.ctime_nano), crtime=_time(meta.crtime, meta.crtime_nano),
            mode=int(meta.mode), uid=int(meta.uid), gid=int(meta.gid), nlink=int(meta.nlink),
        )
        main, streams = self._attributes(file, path, kind, allocated=meta_allocated and meta_type != _VIRTUAL_FILE)
        size = int(meta.size)
        target = self._link_target(file, meta) if kind is Kind.LINK else None
        unpacked = True
        if self._reparse is not None:
            tag, aim = self._read_reparse(file)
            if tag in (_SYMLINK, _JUNCTION):
                kind, target = Kind.LINK, show(aim)
            elif tag == _WOF:
                unpacked = False
                self._bad.append(self._problem(
                    Severity.WARNING, "Windows keeps this file compressed in its stream WofCompressedData, which is not unpacked: the "
                    "file itself was not read", path=path))
        runs, resident, attr_type, attr_id = main or ((), False, None, None)
        if size < 0 or size > 1 << 62:
            self._bad.append(self._problem(Severity.ERROR, f"the size field says {size} bytes, which cannot be", path=path))
            size = 0
        entry = Entry(
            id=self._id(address, seq, attr_type, attr_id, full, counted), path=path, name=display, kind=kind,
            name_raw=None if exact else text, size=size, runs=runs[:MAX_RUNS], resident=resident,
            link_target=target,
            locator=None if not unpacked or (self._ntfs and main is None and kind is Kind.FILE) else self._locator(address, seq, attr_type, attr_id),
            **common,
        )
        self._note(entry, runs)
        yield entry, meta_type
        for stream_name, stream_size, runs, resident, attr_type, attr_id in streams:
            stream_shown, stream_exact = show_name(stream_name)
            stream = Entry(
                id=self._id(address, seq, attr_type, attr_id, full + b":" + stream_name, counted), parent=entry.id,
                path=f"{path}:{stream_shown}", name=f"{display}:{stream_shown}", kind=Kind.STREAM, size=stream_size,
                name_raw=None if exact and stream_exact else text + b":" + stream_name, runs=runs[:MAX_RUNS],
                resident=resident, locator=self._locator(address, seq, attr_type, attr_id), **common,
            )
            self._note(stream, runs)
            yield stream, meta_type

    def _deleted_metadata(self, file: Any, name: Any) -> tuple[Any, bool]:
        """Open the metadata of a deleted name that TSK leaves out, and say whether they are another file's by now.

        TSK compares the sequence number of an NTFS name with its MFT record's, which is one higher once the file is deleted
        (Microsoft, "FILE_RECORD_SEGMENT_HEADER"). More than one higher: the record has been used again since.
        """
        self._announce(self.OPENING, int(name.meta_addr), 0)
        try:
            opened = self._fs.open_meta(int(name.meta_addr))
        except OSError:
            return file, False
        meta = opened.info.meta
        if meta is None:
            return file, False
        if self._ntfs and int(meta.seq) not in (int(name.meta_seq), (int(name.meta_seq) + 1) & 0xFFFF):
            return opened, True
        return opened, False

    def _note(self, entry: Entry, runs: tuple[Run, ...]) -> None:
        if len(runs) > MAX_RUNS:
            self._bad.append(self._problem(Severity.INFO, f"the file lies in {len(runs)} pieces; the places of {MAX_RUNS} are kept",
                                           entry=entry))
        stored = sum(r.length for r in runs if r.image_offset is not None)
        if stored > self._medium_size:
            self._bad.append(self._problem(Severity.WARNING, "the file claims more blocks than the medium has", entry=entry))

    def _attributes(self, file: Any, path: str, kind: Kind, *, allocated: bool) -> tuple[
        tuple[tuple[Run, ...], bool, int | None, int | None] | None,
        list[tuple[bytes, int, tuple[Run, ...], bool, int, int]],
    ]:
        """Return the main content's place, and the streams beside it; take note of who owns which blocks."""
        # A directory without blocks of its own lies in its MFT record.
        main: tuple[tuple[Run, ...], bool, int | None, int | None] | None = (
            ((), True, None, None) if self._ntfs and kind is Kind.DIRECTORY else None)
        self._reparse = None
        streams: list[tuple[bytes, int, tuple[Run, ...], bool, int, int]] = []
        try:
            for attribute in file:
                info = attribute.info
                attr_type = int(info.type)
                if self._ntfs and attr_type in _NTFS_SMALL:
                    continue
                flags = int(info.flags)
                runs: tuple[Run, ...] = ()
                if not flags & _RESIDENT:
                    runs = self._runs(attribute)
                    if allocated:
                        add = self._ownership.add
                        for run in runs:
                            if run.image_offset is not None:
                                add(run.image_offset, run.length)
                if self._ntfs:
                    if attr_type == _NTFS_INDEX and kind is Kind.DIRECTORY:
                        main = (runs, False, None, None)
                    elif attr_type == _NTFS_REPARSE:
                        self._reparse = (int(info.id), int(info.size))
                    if attr_type != _NTFS_DATA:
                        continue
                    if info.name:
                        streams.append((info.name, int(info.size), runs, bool(flags & _RESIDENT), attr_type, int(info.id)))
                    elif kind is not Kind.DIRECTORY:
                        main = (runs, bool(flags & _RESIDENT), attr_type, int(info.id))
                elif self._hfs and attr_type not in (_HFS_DATA, 1):
                    if int(info.size) and attr_type < 0x1103:
                        label = info.name or (b"rsrc" if attr_type == _HFS_RESOURCE else b"xattr-%d" % int(info.id))
                        streams.append((label, int(info.size), runs, bool(flags & _RESIDENT), attr_type, int(info.id)))
                elif main is None:
                    main = (runs, bool(flags & _RESIDENT), None, None)
        except OSError as error:
            self._bad.append(self._problem(Severity.ERROR, "the places of an entry's blocks cannot be read", path=path,
                                           detail=tsk_reason(error)))
        return main, streams

    @staticmethod
    def _link_target(file: Any, meta: Any) -> str | None:
        """Return where a symbolic link leads; TSK leaves out those of ext4 whose target lies in a block of its own."""
        if meta.link:
            return show(_text(meta.link))
        try:
            return show(_text(file.read_random(0, min(int(meta.size), 4096)))) if int(meta.size) > 0 else None
        except OSError:
            return None

    def _read_reparse(self, file: Any) -> tuple[int, str]:
        """Return a reparse point's tag, and where it leads for symbolic links and junctions ([MS-FSCC] 2.1.2)."""
        attr_id, size = self._reparse or (0, 0)
        try:
            data: bytes = file.read_random(0, min(size, 16 << 10), _NTFS_REPARSE, attr_id)
        except OSError:
            return 0, ""
        if len(data) < 16:
            return 0, ""
        tag, start, length = struct.unpack_from("<I4xHH", data)
        names = 20 if tag == _SYMLINK else 16
        return tag, data[names + start : names + start + length].decode("utf-16-le", "replace")

    def _runs(self, attribute: Any) -> tuple[Run, ...]:
        block, base = self._block, self._volume.offset
        runs = []
        for run in attribute:
            flags = int(run.flags)
            if flags & _RUN_FILLER or not run.len:
                continue
            runs.append(Run(image_offset=None if flags & _RUN_SPARSE else base + run.addr * block, length=run.len * block))
        return tuple(runs)

    def _locator(self, address: int, seq: int, attr_type: int | None, attr_id: int | None) -> Locator:
        return Locator(evidence=self._volume.evidence, volume_offset=self._volume.offset, meta_addr=address,
                       meta_seq=seq or None, attr_type=attr_type, attr_id=attr_id)

    def _id(
        self, address: int, seq: int | None, attr_type: int | None, attr_id: int | None, path: bytes, counted: dict[bytes, int]
    ) -> str:
        """Return a digest of the name's place and bytes; a name that stands twice at one place is told apart by a count."""
        basis = b"%s|%d|%d|%d|%d|%d|" % (self._volume.evidence.encode(), self._volume.offset, address, seq or 0,
                                         attr_type or 0, attr_id or 0) + path
        times = counted.get(basis, 0)
        counted[basis] = times + 1
        if times:
            basis += b"|%d" % times
        return hashlib.blake2b(basis, digest_size=12).hexdigest()

    def _problem(
        self, severity: Severity, message: str, *, entry: Entry | None = None, path: str = "", detail: str = ""
    ) -> Problem:
        return Problem(severity=severity, stage="filesystem", message=message, evidence=self._volume.evidence,
                       volume=self._volume.number, entry=entry.id if entry else None,
                       path=entry.path if entry else path, detail=show(detail))


_NAME_KIND_EXT = {1: Kind.FILE, 2: Kind.DIRECTORY, 3: Kind.SPECIAL, 4: Kind.SPECIAL, 5: Kind.SPECIAL, 6: Kind.SPECIAL, 7: Kind.LINK}


def _text(link: Any) -> str:
    return link.decode("utf-8", "surrogateescape") if isinstance(link, bytes) else str(link)


def _raw_name(entry: Entry) -> bytes:
    return entry.name_raw if entry.name_raw is not None else entry.name.encode()


def _time(seconds: int, nanoseconds: int) -> int | None:
    """Return nanoseconds; ``None`` for no time, and for those that TSK cannot express: it gives 0 seconds with a rest."""
    if not seconds:
        return None
    value = int(seconds) * 1_000_000_000 + (nanoseconds if 0 <= nanoseconds < 1_000_000_000 else 0)
    return value if abs(value) < 1 << 63 else None
