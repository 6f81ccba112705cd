"""One name and its metadata, as TSK has them, made into entries: the file itself, its streams, where their bytes lie."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any, Protocol

from triage.escape import show, show_name
from triage.filesystem.image import tsk_reason
from triage.filesystem.ntfsname import FILE_NAME, exact_name, is_whole
from triage.filesystem.ntfstimes import ntfs_times
from triage.filesystem.volumes import file_system_name
from triage.filesystem.walkphases import OPENING
from triage.model import Entry, Kind, Locator, Problem, Recoverability, Run, Severity, TimeBasis, Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.filesystem.checks import Found
    from triage.filesystem.hfsforks import HfsForks, Place
    from triage.filesystem.ownership import Ownership

MAX_RUNS = 4096
"""Runs an entry's record holds; ownership counts them all."""

# TSK 4.15, tsk_fs.h: TSK_FS_META_TYPE_ENUM, TSK_FS_NAME_TYPE_ENUM, flags, TSK_FS_ATTR_TYPE_ENUM.
_META_KIND = {
    1: Kind.FILE,
    2: Kind.DIRECTORY,
    3: Kind.SPECIAL,
    4: Kind.SPECIAL,
    5: Kind.SPECIAL,
    6: Kind.LINK,
    7: Kind.SPECIAL,
    8: Kind.SPECIAL,
    9: Kind.SPECIAL,
    10: Kind.SPECIAL,
    11: Kind.DIRECTORY,
}
_NAME_KIND = {
    1: Kind.SPECIAL,
    2: Kind.SPECIAL,
    3: Kind.DIRECTORY,
    4: Kind.SPECIAL,
    5: Kind.FILE,
    6: Kind.LINK,
    7: Kind.SPECIAL,
    8: Kind.SPECIAL,
    9: Kind.SPECIAL,
    10: Kind.SPECIAL,
    11: Kind.DIRECTORY,
}
_ALLOCATED = 1
_VIRTUAL_FILE, _VIRTUAL_DIRECTORY = 10, 11
_WITHOUT_CONTENT = frozenset({3, 4, 5, 8})
"""Pipes, devices, sockets: an ext inode has a device's number where others have their first blocks, and TSK takes it for one."""
_NTFS_DATA, _NTFS_INDEX, _NTFS_REPARSE = 128, 160, 192
_NTFS_SMALL = frozenset({16, 48, 64, 96, 112})
"""$STANDARD_INFORMATION, $FILE_NAME, $OBJECT_ID, $VOLUME_NAME, $VOLUME_INFORMATION: always within the record."""
_SYMLINK, _JUNCTION, _WOF = 0xA000000C, 0xA0000003, 0x80000017
_HFS_DATA, _HFS_RESOURCE = 0x1100, 0x1101
_NON_RESIDENT, _RESIDENT, _ENCRYPTED = 2, 4, 16
_RUN_FILLER, _RUN_SPARSE = 1, 2


class Times(Protocol):
    """Where times are read that TSK does not give or gives wrong."""

    def of(self, address: int) -> dict[str, Any] | None:
        """Return an entry's fields by name, ``None`` to take TSK's; what is wrong with them, if anything, stands under ``wrong``."""


class Names(Protocol):
    """Where names are read that TSK does not give whole."""

    def exact(self, address: int, text: bytes) -> tuple[bytes, bool]:
        """Return the stored name behind TSK's text, and whether that text is still what to show."""


class EntryMaker:
    """Makes the entries of one volume.

    ``problems`` collects what is wrong with them, ``ownership`` which blocks allocated ones own; ``times``, where set, is asked for
    an entry's times before TSK is. ``base`` is where block 0 lies on the medium.
    """

    def __init__(self, fs: Any, volume: Volume, announce: Callable[[int, int, int], None], medium_size: int, ownership: Ownership) -> None:
        self._fs = fs
        self._volume = volume
        self._announce = announce
        self._medium_size = medium_size
        self._block = int(fs.info.block_size)
        name = file_system_name(fs)
        self._ntfs = name == "NTFS"
        self._hfs = name == "HFS+"
        # FAT stores no zone; ISO 9660 does, and TSK leaves it out: see isotimes.
        self._basis = TimeBasis.LOCAL if name.startswith(("FAT", "ISO")) else TimeBasis.UTC
        self._reparse: tuple[int, int] | None = None  # of the entry in hand: attribute id and size
        self.names: Names | None = None
        self.forks: HfsForks | None = None
        self._locked: set[int] = set()  # of the entry in hand: ids of its attributes that are encrypted
        self._name_sizes: set[int] = set()  # of the entry in hand: sizes of its $FILE_NAME attributes
        self.ownership = ownership
        self.times: Times | None = None
        self.base = volume.offset
        self.problems: list[Problem] = []

    def bare(
        self,
        address: int,
        text: bytes,
        kind: Kind,
        raw: bytes,
        shown: str,
        depth: int,
        *,
        allocated: bool,
        counted: dict[bytes, int],
        orphan: bool = False,
    ) -> Entry:
        """Return the entry of a name without metadata."""
        display, exact = show_name(text)
        return Entry(
            id=self._id(address, None, None, None, raw + b"/" + text, counted),
            evidence=self._volume.evidence,
            orphan=orphan,
            volume=self._volume.number,
            path=f"{shown}/{display}",
            name=display,
            name_raw=None if exact else text,
            kind=kind,
            name_allocated=allocated,
            meta_allocated=allocated,
            meta_addr=address or None,
            depth=depth,
        )

    def undeleted(self, address: int, text: bytes, kind: Kind, raw: bytes, shown: str, *, orphan: bool, counted: dict[bytes, int]) -> Entry:
        """Return the bare entry of something deleted that only our own reading of the file system brought."""
        made = self.bare(address, text, kind, raw, shown, shown.count("/"), allocated=False, counted=counted, orphan=orphan)
        return made.replace(id=self._id(address, None, -2, None, raw + b"/" + text, counted), time_basis=self._basis)

    def placed(self, found: Found, counted: dict[bytes, int]) -> Entry:
        """Return the entry of something in use that only our own reading of the file system brought."""
        kind = Kind.DIRECTORY if found.directory else Kind.FILE
        *above, text = found.path
        raw = b"".join(b"/" + name for name in above)
        shown = "/".join([self._volume.name, *(show_name(name)[0] for name in above)])
        runs = tuple(Run(image_offset=self._volume.offset + start, length=length) for start, length in found.runs)
        for run in runs:
            self.ownership.add(run.image_offset or 0, run.length)
        readable = bool(runs) or not found.size
        return self.bare(0, text, kind, raw, shown, len(above), allocated=True, counted=counted).replace(
            # Not the identifier of a bare name with that path, which may be listed as well.
            id=self._id(0, None, -1, None, raw + b"/" + text, counted),
            size=found.size,
            crtime=found.crtime,
            time_basis=self._basis,
            runs=runs[:MAX_RUNS],
            locator=Locator(evidence=self._volume.evidence, volume_offset=self._volume.offset, runs=runs) if readable else None,
        )

    def entries(
        self,
        file: Any,
        name: Any,
        text: bytes,
        raw: bytes,
        shown: str,
        depth: int,
        *,
        orphan: bool,
        counted: dict[bytes, int],
        allocated: bool | None = None,
    ) -> Iterator[tuple[Entry, int]]:
        """Make the entry of a name and those of its streams."""
        meta = file.info.meta
        if self._hfs and meta is not None and not int(meta.addr):
            meta = None  # TSK leaves them empty where the catalog leads nowhere; it would look like a deleted file
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
            bare = self.bare(address, text, kind, raw, shown, depth, allocated=name_allocated, counted=counted, orphan=orphan)
            if name_allocated:
                self.problems.append(self.problem(Severity.ERROR, "the entry's metadata cannot be read", entry=bare))
            yield bare, 0
            return
        meta_type = int(meta.type)
        meta_allocated = bool(int(meta.flags) & _ALLOCATED)
        address, seq = int(meta.addr), int(meta.seq)
        kind = _META_KIND.get(meta_type) or (_NAME_KIND.get(int(name.type), Kind.FILE) if name is not None else Kind.FILE)
        reused = reused or (meta_allocated and not name_allocated and not orphan)
        common: dict[str, Any] = {
            "evidence": self._volume.evidence,
            "volume": self._volume.number,
            "name_allocated": name_allocated,
            "meta_allocated": meta_allocated,
            "orphan": orphan,
            "meta_addr": address,
            "meta_seq": seq or None,
            "depth": depth,
            "time_basis": self._basis,
        }
        if reused and self._ntfs:
            # The record's sequence number says that it is another file's by now: nothing of that file is this one's.
            yield (
                Entry(
                    id=self._id(address, seq, None, None, full, counted),
                    path=path,
                    name=display,
                    kind=kind,
                    name_raw=None if exact else text,
                    recoverability=Recoverability.OVERWRITTEN,
                    **common,
                ),
                meta_type,
            )
            return
        if reused:
            # Elsewhere it cannot be told from a file that was only renamed: what the metadata hold now is shown, and said to
            # be owned by an allocated file.
            common["recoverability"] = Recoverability.OVERWRITTEN
        common.update(
            mtime=_time(meta.mtime, meta.mtime_nano),
            atime=_time(meta.atime, meta.atime_nano),
            ctime=_time(meta.ctime, meta.ctime_nano),
            crtime=_time(meta.crtime, meta.crtime_nano),
            mode=int(meta.mode),
            uid=int(meta.uid),
            gid=int(meta.gid),
            nlink=int(meta.nlink),
        )
        said = len(self.problems)
        if (times := self._other_times(file, meta, address)) is not None:
            if wrong := times.pop("wrong", ""):
                message = "a time is stored that no time can be, or that is past the years 1677 to 2262: it is left out"
                self.problems.append(self.problem(Severity.WARNING, message, path=path, detail=wrong))
            common.update(times)
        attributes = () if meta_type in _WITHOUT_CONTENT and not self._hfs else file
        main, streams = self._attributes(attributes, path, kind, allocated=meta_allocated and meta_type != _VIRTUAL_FILE)
        forks = None
        if self._hfs and main is None and kind is Kind.FILE and int(meta.size) > 0 and self.forks is not None:
            forks = self.forks.of(address)  # TSK has given up on this file's attributes
        if self._name_sizes and not is_whole(text, self._name_sizes):
            alike = b"%d|" % address + text
            text = exact_name(file, text, int(name.par_addr) if name is not None else 0, counted.get(alike, 0))
            counted[alike] = counted.get(alike, 0) + 1
            display, exact = show_name(text)
            path, full = f"{shown}/{display}", raw + b"/" + text
            self.problems[said:] = [p.replace(path=path) for p in self.problems[said:]]
        elif self.names is not None and kind in (Kind.FILE, Kind.DIRECTORY) and meta_type not in (_VIRTUAL_FILE, _VIRTUAL_DIRECTORY):
            stored, keep = self.names.exact(address, text)
            if stored != text:
                text, exact, full = stored, False, raw + b"/" + stored
                display = display if keep else show_name(stored)[0]
                path = f"{shown}/{display}"
                self.problems[said:] = [p.replace(path=path) for p in self.problems[said:]]
        size = int(meta.size)
        locked = common.pop("encrypted", False)
        target = self._link_target(file, meta) if kind is Kind.LINK and not locked else None
        unpacked = True
        if self._reparse is not None:
            tag, aim = self._read_reparse(file)
            if tag in (_SYMLINK, _JUNCTION):
                kind, target = Kind.LINK, show(aim)
            elif tag == _WOF:
                unpacked = False
                self.problems.append(
                    self.problem(
                        Severity.WARNING,
                        "Windows keeps this file compressed in its stream WofCompressedData, which is not unpacked: the "
                        "file itself was not read",
                        path=path,
                    )
                )
        runs, resident, attr_type, attr_id = main or ((), False, None, None)
        if size < 0 or size > 1 << 62:
            self.problems.append(self.problem(Severity.ERROR, f"the size field says {size} bytes, which cannot be", path=path))
            size = 0
        entry = Entry(
            id=self._id(address, seq, attr_type, attr_id, full, counted),
            path=path,
            name=display,
            kind=kind,
            name_raw=None if exact else text,
            size=size,
            runs=runs[:MAX_RUNS],
            resident=resident,
            encrypted=locked or attr_id in self._locked,
            link_target=target,
            locator=None
            if not unpacked or (self._ntfs and main is None and kind is Kind.FILE)
            else self._locator(address, seq, attr_type, attr_id),
            **common,
        )
        if forks is not None:
            yield from ((one, meta_type) for one in self._by_forks(entry, forks.places, full, counted))
            if forks.lost:
                message = f"{forks.lost} forks or extended attributes of this file cannot be placed: they are not listed"
                self.problems.append(self.problem(Severity.ERROR, message, entry=entry))
            return
        self.note(entry, runs)
        yield entry, meta_type
        for stream_name, stream_size, runs, resident, attr_type, attr_id in streams:
            stream_shown, stream_exact = show_name(stream_name)
            stream = Entry(
                id=self._id(address, seq, attr_type, attr_id, full + b":" + stream_name, counted),
                parent=entry.id,
                path=f"{path}:{stream_shown}",
                name=f"{display}:{stream_shown}",
                kind=Kind.STREAM,
                size=stream_size,
                name_raw=None if exact and stream_exact else text + b":" + stream_name,
                runs=runs[:MAX_RUNS],
                resident=resident,
                encrypted=attr_id in self._locked,
                locator=self._locator(address, seq, attr_type, attr_id),
                **common,
            )
            self.note(stream, runs)
            yield stream, meta_type

    def _by_forks(self, entry: Entry, forks: list[Place], full: bytes, counted: dict[bytes, int]) -> Iterator[Entry]:
        """Yield a file of HFS+ and its streams by the places of their bytes, which our own reading of the catalog gave."""
        address, seq = entry.meta_addr or 0, entry.meta_seq
        for one in forks:
            runs = tuple(Run(image_offset=self.base + start, length=length) for start, length in one.runs)
            for start, length in one.runs:
                room = length if start % self._block else -(-length // self._block) * self._block  # what is inside of a file is no block
                self.ownership.add(self.base + start, room)
            place = Locator(evidence=self._volume.evidence, volume_offset=self._volume.offset, runs=runs)
            made = entry.replace(size=one.size, runs=runs[:MAX_RUNS], locator=place)
            if one.name:
                shown, exact = show_name(one.name)
                exact = exact and entry.name_raw is None
                made = made.replace(
                    id=self._id(address, seq, -3, None, full + b":" + one.name, counted),
                    parent=entry.id,
                    path=f"{entry.path}:{shown}",
                    name=f"{entry.name}:{shown}",
                    name_raw=None if exact else (entry.name_raw or entry.name.encode()) + b":" + one.name,
                    kind=Kind.STREAM,
                )
            self.note(made, runs)
            yield made

    def _other_times(self, file: Any, meta: Any, address: int) -> dict[str, Any] | None:
        """Return times that TSK does not give: on NTFS and HFS+ it has 0 for those, elsewhere they are asked for first."""
        if (self._ntfs or self._hfs) and meta.mtime and meta.atime and meta.ctime and meta.crtime:
            return None
        if self._ntfs:
            return ntfs_times(file)
        return self.times.of(address) if self.times is not None else None

    def _deleted_metadata(self, file: Any, name: Any) -> tuple[Any, bool]:
        """Open the metadata of a deleted name that TSK leaves out, and say whether they are another file's by now.

        TSK compares the sequence number of an NTFS name with its MFT record's, which is one higher once the file is deleted
        (Microsoft, "FILE_RECORD_SEGMENT_HEADER"). More than one higher: the record has been used again since.
        """
        self._announce(OPENING, int(name.meta_addr), 0)
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

    def note(self, entry: Entry, runs: tuple[Run, ...]) -> None:
        """Say what is odd about where an entry lies; ``runs`` are all of them."""
        if len(runs) > MAX_RUNS:
            self.problems.append(
                self.problem(Severity.INFO, f"the file lies in {len(runs)} pieces; the places of {MAX_RUNS} are kept", entry=entry)
            )
        stored = sum(r.length for r in runs if r.image_offset is not None)
        if stored > self._medium_size:
            self.problems.append(self.problem(Severity.WARNING, "the file claims more blocks than the medium has", entry=entry))
        if entry.size > self._medium_size:
            message = f"the size is {entry.size} bytes, more than the whole medium has: {min(stored, entry.size)} of them lie on it"
            self.problems.append(self.problem(Severity.WARNING, message, entry=entry))

    def _attributes(
        self, attributes: Any, path: str, kind: Kind, *, allocated: bool
    ) -> tuple[
        tuple[tuple[Run, ...], bool, int | None, int | None] | None,
        list[tuple[bytes, int, tuple[Run, ...], bool, int, int]],
    ]:
        """Return the main content's place, and the streams beside it; take note of who owns which blocks."""
        # A directory without blocks of its own lies in its MFT record.
        main: tuple[tuple[Run, ...], bool, int | None, int | None] | None = (
            ((), True, None, None) if self._ntfs and kind is Kind.DIRECTORY else None
        )
        self._reparse = None
        self._name_sizes, self._locked = set(), set()
        streams: list[tuple[bytes, int, tuple[Run, ...], bool, int, int]] = []
        try:
            for attribute in attributes:
                info = attribute.info
                attr_type = int(info.type)
                if self._ntfs and attr_type in _NTFS_SMALL:
                    if attr_type == FILE_NAME:
                        self._name_sizes.add(int(info.size))
                    continue
                flags = int(info.flags)
                runs: tuple[Run, ...] = ()
                if not flags & _RESIDENT:
                    runs = self._runs(attribute)
                    if allocated:
                        add = self.ownership.add
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
                    if flags & _ENCRYPTED:
                        self._locked.add(int(info.id))
                        self.problems.append(
                            self.problem(Severity.WARNING, "the file is encrypted by Windows (EFS): nothing in it was examined", path=path)
                        )
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
            self.problems.append(
                self.problem(Severity.ERROR, "the places of an entry's blocks cannot be read", path=path, detail=tsk_reason(error))
            )
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
        block, base = self._block, self.base
        runs = []
        for run in attribute:
            flags = int(run.flags)
            if flags & _RUN_FILLER or not run.len:
                continue
            runs.append(Run(image_offset=None if flags & _RUN_SPARSE else base + run.addr * block, length=run.len * block))
        return tuple(runs)

    def _locator(self, address: int, seq: int, attr_type: int | None, attr_id: int | None) -> Locator:
        return Locator(
            evidence=self._volume.evidence,
            volume_offset=self._volume.offset,
            meta_addr=address,
            meta_seq=seq or None,
            attr_type=attr_type,
            attr_id=attr_id,
        )

    def _id(self, address: int, seq: int | None, attr_type: int | None, attr_id: int | None, path: bytes, counted: dict[bytes, int]) -> str:
        """Return a digest of the name's place and bytes; a name that stands twice at one place is told apart by a count."""
        basis = (
            b"%s|%d|%d|%d|%d|%d|" % (self._volume.evidence.encode(), self._volume.offset, address, seq or 0, attr_type or 0, attr_id or 0)
            + path
        )
        times = counted.get(basis, 0)
        counted[basis] = times + 1
        if times:
            basis += b"|%d" % times
        return hashlib.blake2b(basis, digest_size=12).hexdigest()

    def problem(self, severity: Severity, message: str, *, entry: Entry | None = None, path: str = "", detail: str = "") -> Problem:
        """Return a problem of this volume."""
        return Problem(
            severity=severity,
            stage="filesystem",
            message=message,
            evidence=self._volume.evidence,
            volume=self._volume.number,
            entry=entry.id if entry else None,
            path=entry.path if entry else path,
            detail=show(detail),
        )


EXT_KINDS = {1: Kind.FILE, 2: Kind.DIRECTORY, 3: Kind.SPECIAL, 4: Kind.SPECIAL, 5: Kind.SPECIAL, 6: Kind.SPECIAL, 7: Kind.LINK}


def _text(link: Any) -> str:
    return link.decode("utf-8", "surrogateescape") if isinstance(link, bytes) else str(link)


def _time(seconds: int, nanoseconds: int) -> int | None:
    """Return nanoseconds; ``None`` for no time, and for those that TSK cannot express: it gives 0 seconds."""
    if not seconds:
        return None
    value = int(seconds) * 1_000_000_000 + (nanoseconds if 0 <= nanoseconds < 1_000_000_000 else 0)
    return value if abs(value) < 1 << 63 else None
