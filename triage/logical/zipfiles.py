"""Files in a ZIP archive as a tree: a phone's file system as extraction tools write it, of any number of files and bytes.

Format: PKWARE APPNOTE 6.3.10, sections named where they matter. The list of members is read in pieces and never held whole. Times of the
extra fields (0x5455 in seconds, 0x000A in 100 ns, 0x5855) are UTC and preferred; those of the header itself are local, in steps of 2 s.
A member's address is the place of its header in the list, or of that before its bytes where the list cannot be used. In a report of
Cellebrite (UFDR) files stand by kind, and the report says where each was: they are listed there.
"""

from __future__ import annotations

import contextlib
import stat
import struct
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from triage.artifacts.structure import StructureError
from triage.artifacts.ufdr import FileFact, Report, is_report, member_key, read_report
from triage.escape import show
from triage.filesystem.trees.tree import Fault, Named
from triage.logical import zipbytes
from triage.logical.paths import Folders, split_path
from triage.logical.zipfollow import Follower
from triage.logical.zipheaders import CENTRAL, LOCAL, LOCAL_MARK, LONGEST, METHODS, USUAL, name_of, owner_of, parse_central
from triage.logical.ziptimes import dos_time, extra_fields, times_of
from triage.model import Kind, Severity, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt
    from triage.logical.zipheaders import Central

_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_PIECE = 1 << 20
_TRAILER, _DESCRIPTOR, _SLACK = 22 + 20 + 56, 24, 4096
_MAC, _UNIX = 19, 3
_REPORT_HEAD = 4 << 20
_MOST_FOLDERS = 1_000_000


class NoListError(ValueError):
    """An archive whose list of members is missing or cannot be read."""


class PartError(NoListError):
    """One of several parts of an archive."""


@dataclass(slots=True)
class _Told:
    """What is known of an archive while its members are told: folders, the report, and what could not be read."""

    report: Report | None
    owned: int
    folders: Folders = field(default_factory=Folders)
    encrypted: int = 0
    damaged: int = 0
    unread: Counter[str] = field(default_factory=Counter)


class ZipTree:
    """The members of one archive, by the headers before their bytes where its list is missing or is that of an archive inside.

    Raises :class:`NoListError` when it has neither a list that can be read nor a member at its beginning.
    """

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None, *, note: str = "") -> None:
        """``note``: what is to be said of how the archive is read."""
        self.label = ""
        self._note = note
        self.block_size = 1
        self.checked = False
        self._read_at: ReadAt = lambda at, length: medium.read_at(offset + at, length)
        self._base = offset
        self._size = size
        self._beat = beat
        self._systems = False
        self._follower = Follower(self._read_at, size, beat)
        self._missing = ""
        try:
            self.count, self._length, self._start, self._shift = self._find_list()
            # An archive of more than 4 GiB may state places without their upper half, by which no member would be found, too.
            if self._shift and self._follower.begins():
                self._missing = "its end is that of an archive inside, or states wrong places"
        except PartError:
            raise
        except NoListError as error:
            if not self._follower.begins():
                raise
            self._missing = str(error)
        if self._missing:
            self.count = self._length = self._start = self._shift = 0

    # ---- the list (4.3.12 to 4.3.16) ---------------------------------------------------------------------------------------

    def _find_list(self) -> tuple[int, int, int, int]:
        tail_start = max(self._size - (1 << 16) - _END.size, 0)
        tail = self._read_at(tail_start, self._size - tail_start)
        at = tail.rfind(b"PK\5\6")
        while at >= 0 and at + _END.size > len(tail):
            at = tail.rfind(b"PK\5\6", 0, at)
        if at < 0:
            raise NoListError("its list of members is missing: the archive is cut, or was not written to its end")
        _, disk, first_disk, _, count, length, offset, _ = _END.unpack_from(tail, at)
        end = tail_start + at
        if 0xFFFF in (count, disk, first_disk) or 0xFFFFFFFF in (length, offset):
            found = self._wide_end(tail_start + at)
            if found is not None:
                end, count, length, offset = found
        elif disk or first_disk:
            raise PartError("it is one of several parts of an archive")
        start = end - length  # whatever precedes the archive shifts its own offsets, not this distance
        if start < 0 or (count and self._read_at(start, 4) != b"PK\1\2"):
            start = offset
        if count and (start < 0 or self._read_at(start, 4) != b"PK\1\2"):
            raise NoListError("its list of members is not where the archive's end says")
        return count, length, start, max(start - offset, 0)

    def _wide_end(self, end: int) -> tuple[int, int, int, int] | None:
        raw = self._read_at(max(end - _LOCATOR64.size, 0), _LOCATOR64.size)
        if len(raw) < _LOCATOR64.size or raw[:4] != b"PK\6\7":
            return None
        _, _, place, _ = _LOCATOR64.unpack(raw)
        for at in (place, end - _LOCATOR64.size - _END64.size):
            record = self._read_at(at, _END64.size) if 0 <= at < self._size else b""
            if len(record) == _END64.size and record[:4] == b"PK\6\6":
                _, _, _, _, _, _, _, count, length, offset = _END64.unpack(record)
                return at, count, length, offset
        return None

    def members(self) -> Iterator[Central]:
        """Yield what the list says, member after member, as far as it can be read; without a list, what their own headers say."""
        return (one.member for one in self._follower.members()) if self._missing else self._listed()

    def _listed(self) -> Iterator[Central]:
        at, buffer, begun = self._start, b"", 0
        end = min(self._start + max(self._length, 1), self._size)
        while True:
            if len(buffer) - begun < LONGEST and at < end:
                buffer, begun = buffer[begun:], 0
                piece = self._read_at(at, min(_PIECE, end - at))
                self._beat()
                buffer += piece
                at = at + len(piece) if piece else end
            found = parse_central(buffer, begun, at - len(buffer) + begun)
            if found is None:
                return
            yield found
            begun += CENTRAL.size + sum(struct.unpack_from("<HHH", buffer, begun + 28))

    def names(self) -> Iterator[Named | Fault]:
        """Yield each member, before it the folders that lead to it and have no member of their own."""
        if self._note:
            yield Fault(Severity.WARNING, f"{self._note}: its files are listed as the archive has them")
        told = _Told((yield from self._told()), self._length + _TRAILER)
        if self._missing:
            found = yield from self._followed(told, set())
            yield Fault(
                Severity.ERROR,
                f"the archive's list of members cannot be used ({self._missing}): {found} members were found by their own headers, which "
                "do not say what is a link, and no names of others",
            )
        else:
            seen = 0
            for seen, one in enumerate(self.members(), 1):  # noqa: B007 - how many is what is asked for afterwards
                yield from self._member(one, told)
            self.checked = seen >= self.count
            if not self.checked:
                found = yield from self._followed(told, {one.offset + self._shift for one in self.members()})
                yield Fault(
                    Severity.ERROR,
                    f"the archive's list is damaged: {self.count - seen} of {self.count} members are missing in it; {found} were found by "
                    "their own headers",
                )
        if (rest := self._size - told.owned) > _SLACK:
            yield Fault(Severity.WARNING, f"about {rest} bytes of the archive belong to no member: nothing in them was examined")
        if told.encrypted:
            yield Fault(Severity.WARNING, f"{told.encrypted} files of the archive are encrypted: nothing in them was examined")
        if told.damaged:
            yield Fault(Severity.ERROR, f"{told.damaged} files of the archive have a damaged header, or lie beyond its end")
        for method, count in sorted(told.unread.items()):
            yield Fault(Severity.ERROR, f"{count} files of the archive are compressed by {method}, which is not read")

    def _followed(self, told: _Told, known: set[int]) -> Generator[Named | Fault, None, int]:
        """Yield the members that stand elsewhere than at ``known`` places, and what is not there of them; return how many."""
        count = 0
        for one in self._follower.members():
            if one.member.place in known:
                continue
            count += 1
            yield from self._member(one.member._replace(offset=one.member.place - self._shift), told)
            if not one.whole:
                of = f" of {one.stated}" if one.stated is not None else ""
                there = f"only the first {one.member.size}{of} bytes of this file are there"
                yield Fault(Severity.ERROR, f"{there}: the archive is cut or damaged", split_path(name_of(one.member)))
        return count

    def _member(self, one: Central, told: _Told) -> Iterator[Named]:
        """Yield a member, and before it the folders that lead to it."""
        path, fact = split_path(name_of(one)), None
        if told.report is not None:
            fact = told.report.files.get(member_key(name_of(one)))
            path = self._place(fact) if fact is not None else path
        mode = _mode(one)
        directory = one.name.endswith((b"/", b"\\")) or stat.S_ISDIR(mode)
        for folder in told.folders.above(path, self._start):
            stated = self._looked[1].get(folder.path)
            yield self._named(stated, folder.path, _mode(stated), directory=True) if stated is not None else folder
        told.owned += self._owned(one)
        if directory and not told.folders.add(path):
            return
        made = self._named(one, path, mode, directory=directory)
        if fact is not None:
            _as_told(made, fact)
        if not directory and not made.readable and one.size:
            if one.encrypted:
                told.encrypted += 1
            elif one.method in (0, *zipbytes.DECODED):
                told.damaged += 1
            else:
                told.unread[METHODS.get(one.method, f"method {one.method}")] += 1
        yield made

    # ---- a report of Cellebrite --------------------------------------------------------------------------------------------

    @cached_property
    def _looked(self) -> tuple[Central | None, dict[tuple[bytes, ...], Central]]:
        """The member that is the report, if this archive has one, and else the folders that are members: they may follow their files."""
        folders: dict[tuple[bytes, ...], Central] = {}
        for one in self.members():
            if one.name.lower() == b"report.xml" and not one.encrypted:
                with contextlib.suppress(OSError):
                    if is_report(self._reader(one)(0, USUAL)):
                        return one, {}
            elif one.name.endswith(b"/") and len(folders) < _MOST_FOLDERS:
                folders.setdefault(split_path(name_of(one)), one)
        return None, folders

    @property
    def _report(self) -> Central | None:
        return self._looked[0]

    @property
    def is_report(self) -> bool:
        """Whether the archive is a report of Cellebrite (UFDR)."""
        return self._report is not None

    def facts(self) -> dict[str, str]:
        """Return what a report says of the device: that stands in front of it."""
        one = self._report
        if one is None:
            return {}
        try:
            found = read_report(self._pieces(one, _REPORT_HEAD), self._beat).device
        except (StructureError, OSError):
            return {}
        return {name: show(value)[:200] for name, value in found.items()}

    def _pieces(self, one: Central, most: int) -> Iterator[bytes]:
        read = self._reader(one)
        for at in range(0, min(one.size, most), _PIECE):
            yield read(at, min(_PIECE, one.size - at))

    def _told(self) -> Generator[Fault, None, Report | None]:
        """Return the report, if there is one; yield what is wrong with it."""
        one = self._report
        if one is None:
            return None
        try:
            found = read_report(self._pieces(one, one.size), self._beat)
        except (StructureError, OSError) as error:
            yield Fault(Severity.ERROR, f"the report of this archive cannot be read: files stand where it keeps them ({error})")
            return None
        if not found.whole:
            yield Fault(
                Severity.ERROR,
                "the report of this archive is damaged or too long: some files stand where it keeps them",
            )
        self._systems = len({fact.system for fact in found.files.values()}) > 1
        return found

    def _place(self, fact: FileFact) -> tuple[bytes, ...]:
        """Return where a file was: below the name of its file system where the report has several."""
        path = split_path(fact.path.encode("utf-8", "surrogatepass"))
        return (fact.system.encode("utf-8", "surrogatepass").replace(b"/", b"_") or b"unnamed", *path) if self._systems else path

    def _named(self, one: Central, path: tuple[bytes, ...], mode: int, *, directory: bool) -> Named:
        kind = Kind.DIRECTORY if directory else Kind.LINK if stat.S_ISLNK(mode) else Kind.FILE
        fields = extra_fields(one.extra)
        found = times_of(fields)
        basis = TimeBasis.UTC if found else TimeBasis.LOCAL
        if not found:
            found = {"mtime": dos_time(one.dos_time)}
        uid, gid = owner_of(one.extra)
        start = self._start_of(one)
        timed = any(value is not None for value in found.values())
        stored = one.method == 0 and not one.encrypted and start is not None and kind is Kind.FILE
        target = None
        if kind is Kind.LINK and one.size <= 4096:
            target = self._bytes(one)
        return Named(
            path=path, kind=kind, address=one.place, size=one.size if not directory else 0, mode=mode or None, uid=uid, gid=gid,
            mtime=found.get("mtime"), atime=found.get("atime"), crtime=found.get("crtime"),
            time_basis=basis if timed else TimeBasis.UNKNOWN, link_target=target,
            runs=((self._base + start, one.packed),) if stored and start is not None and one.size else (),
            encrypted=one.encrypted and kind is Kind.FILE,
            readable=start is not None and not one.encrypted and (one.method == 0 or one.method in zipbytes.DECODED),
        )  # fmt: skip

    def _owned(self, one: Central) -> int:
        """Return how many bytes a member takes with its local header, and the record that may follow it."""
        start = self._start_of(one)
        return start + one.packed - one.offset - self._shift + (_DESCRIPTOR if one.flags & 8 else 0) if start is not None else 0

    def _start_of(self, one: Central) -> int | None:
        """Return where a member's bytes begin, by its local header (4.3.7); ``None`` when that is none."""
        at = one.offset + self._shift
        raw = self._read_at(at, LOCAL.size) if 0 <= at < self._size else b""
        if len(raw) < LOCAL.size or raw[:4] != b"PK\3\4":
            return None
        name, extra = struct.unpack_from("<HH", raw, 26)
        start: int = at + LOCAL.size + name + extra
        return start if start + one.packed <= self._size else None

    # ---- bytes -------------------------------------------------------------------------------------------------------------

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return a member's bytes by the place of its header."""
        one = self._at(address)
        if one is None:
            raise OSError("there is no member of the archive at this place")
        return self._reader(one)

    def _at(self, address: int) -> Central | None:
        if self._read_at(address, 4) == LOCAL_MARK:
            found = self._follower.at(address)
            return found.member._replace(offset=address - self._shift) if found is not None else None
        return parse_central(self._read_at(address, USUAL), 0, address) or parse_central(self._read_at(address, LONGEST), 0, address)

    def _reader(self, one: Central) -> ReadAt:
        start = self._start_of(one)
        if start is None:
            raise OSError("its header in the archive is damaged, or lies beyond the end")
        return zipbytes.reader(self._read_at, one, start)

    def _bytes(self, one: Central) -> bytes | None:
        try:
            return self._reader(one)(0, one.size)
        except OSError:
            return None


def _mode(one: Central) -> int:
    """Return a member's mode, 0 where the archive was not made on a system that has them."""
    return one.attributes >> 16 if one.made_by in (_UNIX, _MAC) else 0


def _as_told(made: Named, fact: FileFact) -> None:
    """Put in what a report says of a file; its times count more than the archive's, which are of the extraction."""
    made.mtime, made.atime = fact.times.get("mtime"), fact.times.get("atime")
    made.ctime, made.crtime = fact.times.get("ctime"), fact.times.get("crtime")
    made.time_basis = TimeBasis.UTC if fact.times else TimeBasis.UNKNOWN
    made.deleted = fact.deleted
