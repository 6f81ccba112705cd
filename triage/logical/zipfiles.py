"""Files in a ZIP archive as a tree: a phone's file system as extraction tools write it, of any number of files and bytes.

Format: PKWARE APPNOTE 6.3.10, sections named where they matter. The list of members is read in pieces and never held whole. Times of the
extra fields (0x5455 in seconds, 0x000A in 100 ns, 0x5855) are UTC and preferred; those of the header itself are local, in steps of 2 s.
A member's address is the place of its header in the list. In a report of Cellebrite (UFDR) files stand by kind, and the report says where
each was: they are listed there.
"""

from __future__ import annotations

import stat
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.structure import StructureError
from triage.artifacts.ufdr import FileFact, Report, is_report, member_key, read_report
from triage.escape import show
from triage.evidence import decoders
from triage.evidence.inflated import Inflated
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.paths import Folders, split_path
from triage.logical.ziptimes import dos_time, extra_fields, times_of
from triage.model import Kind, Severity, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR64 = struct.Struct("<4sIQI")
_PIECE = 1 << 20
_USUAL = 4096
_TRAILER, _DESCRIPTOR, _SLACK = 22 + 20 + 56, 24, 4096
_LONGEST = _CENTRAL.size + 3 * 0xFFFF
_METHODS = {0: "stored", 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "zstd", 95: "xz", 98: "PPMd", 99: "AES"}
_DECODED = {8, 12, 14, 93, 95}
_MAC, _UNIX = 19, 3
_REPORT_HEAD = 4 << 20


class Central(NamedTuple):
    """What the list says of a member. ``place``: of its header in the list; ``offset``: of its local header, as stated."""

    place: int
    made_by: int
    flags: int
    method: int
    dos_time: int
    crc32: int
    packed: int
    size: int
    attributes: int
    offset: int
    name: bytes
    extra: bytes

    @property
    def encrypted(self) -> bool:
        """Whether the member is (4.4.4: bit 0; bit 13 hides its header as well)."""
        return bool(self.flags & 0x2001) or self.method == 99


class NoListError(ValueError):
    """An archive whose list of members is missing or cannot be read."""


class ZipTree:
    """The members of one archive. Raises :class:`NoListError` when it has no list that can be read."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        self.label = ""
        self.block_size = 1
        self.checked = False
        self._read_at: ReadAt = lambda at, length: medium.read_at(offset + at, length)
        self._base = offset
        self._size = size
        self._beat = beat
        self._systems = False
        self.count, self._length, self._start, self._shift = self._find_list()

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
            raise NoListError("it is one of several parts of an archive")
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
        """Yield what the list says, member after member, as far as it can be read."""
        at, buffer, begun = self._start, b"", 0
        end = min(self._start + max(self._length, 1), self._size)
        while True:
            if len(buffer) - begun < _LONGEST and at < end:
                buffer, begun = buffer[begun:], 0
                piece = self._read_at(at, min(_PIECE, end - at))
                self._beat()
                buffer += piece
                at = at + len(piece) if piece else end
            found = parse_central(buffer, begun, at - len(buffer) + begun)
            if found is None:
                return
            yield found
            begun += _CENTRAL.size + sum(struct.unpack_from("<HHH", buffer, begun + 28))

    def names(self) -> Iterator[Named | Fault]:
        """Yield each member, before it the folders that lead to it and have no member of their own."""
        folders = Folders()
        report = yield from self._told()
        seen, encrypted = 0, 0
        unread: dict[str, int] = {}
        owned = self._length + _TRAILER
        for one in self.members():
            seen += 1
            path, fact = split_path(_name(one)), None
            if report is not None:
                fact = report.files.get(member_key(_name(one)))
                path = self._place(fact) if fact is not None else path
            mode = one.attributes >> 16 if one.made_by in (_UNIX, _MAC) else 0
            directory = one.name.endswith((b"/", b"\\")) or stat.S_ISDIR(mode)
            yield from folders.above(path, self._start)
            owned += self._owned(one)
            if directory and not folders.add(path):
                continue
            made = self._named(one, path, mode, directory=directory)
            if fact is not None:
                _as_told(made, fact)
            if not directory and not made.readable and one.size:
                if one.encrypted:
                    encrypted += 1
                else:
                    method = _METHODS.get(one.method, f"method {one.method}")
                    unread[method] = unread.get(method, 0) + 1
            yield made
        self.checked = seen >= self.count
        if not self.checked:
            yield Fault(Severity.ERROR, f"the archive's list is damaged: {self.count - seen} of {self.count} members are missing")
        if (rest := self._size - owned) > _SLACK:
            yield Fault(Severity.WARNING, f"about {rest} bytes of the archive belong to no member: nothing in them was examined")
        if encrypted:
            yield Fault(Severity.ERROR, f"{encrypted} files of the archive are encrypted: nothing in them was examined")
        for method, count in sorted(unread.items()):
            yield Fault(Severity.ERROR, f"{count} files of the archive are compressed by {method}, which is not read")

    # ---- a report of Cellebrite --------------------------------------------------------------------------------------------

    def _report(self) -> Central | None:
        """Return the member that is the report, if this archive has one."""
        for one in self.members():
            if one.name.lower() == b"report.xml" and not one.encrypted:
                try:
                    return one if is_report(self._reader(one)(0, _USUAL)) else None
                except OSError:
                    return None
        return None

    @property
    def is_report(self) -> bool:
        """Whether the archive is a report of Cellebrite (UFDR)."""
        return self._report() is not None

    def facts(self) -> dict[str, str]:
        """Return what a report says of the device: that stands in front of it."""
        one = self._report()
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
        one = self._report()
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
        owner = fields.get(0x7875, b"")
        uid, gid = _ids(owner)
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
            readable=start is not None and not one.encrypted and (one.method == 0 or one.method in _DECODED),
        )  # fmt: skip

    def _owned(self, one: Central) -> int:
        """Return how many bytes a member takes with its local header, and the record that may follow it."""
        start = self._start_of(one)
        return start + one.packed - one.offset - self._shift + (_DESCRIPTOR if one.flags & 8 else 0) if start is not None else 0

    def _start_of(self, one: Central) -> int | None:
        """Return where a member's bytes begin, by its local header (4.3.7); ``None`` when that is none."""
        at = one.offset + self._shift
        raw = self._read_at(at, _LOCAL.size) if 0 <= at < self._size else b""
        if len(raw) < _LOCAL.size or raw[:4] != b"PK\3\4":
            return None
        name, extra = struct.unpack_from("<HH", raw, 26)
        start: int = at + _LOCAL.size + name + extra
        return start if start + one.packed <= self._size else None

    # ---- bytes -------------------------------------------------------------------------------------------------------------

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return a member's bytes by the place of its header."""
        one = parse_central(self._read_at(address, _USUAL), 0, address) or parse_central(self._read_at(address, _LONGEST), 0, address)
        if one is None:
            raise OSError("there is no member of the archive at this place")
        return self._reader(one)

    def _reader(self, one: Central) -> ReadAt:
        start = self._start_of(one)
        if start is None:
            raise OSError("its header in the archive is damaged, or lies beyond the end")
        if one.encrypted:
            raise OSError("it is encrypted")
        source, begin = self._read_at, start

        def packed(offset: int, length: int) -> bytes:
            return source(begin + offset, max(0, min(length, one.packed - offset)))

        if one.method == 0:
            return Checked(packed, one.size, one.crc32)
        if one.method == 8:
            return Checked(Inflated(packed, one.packed, -zlib.MAX_WBITS, one.size).read_at, one.size, one.crc32)
        if one.method == 14:
            head = packed(0, 9)
            make = decoders.lzma1_decoders(head[4:9]) if len(head) == 9 and head[2:4] == b"\5\0" else None
            if make is None:
                raise OSError("the properties of its compression cannot be")
            stream = Inflated(lambda at, length: packed(9 + at, length), one.packed - 9, make, one.size)
            return Checked(stream.read_at, one.size, one.crc32)
        plain = {12: decoders.bzip2_decoder, 93: decoders.zstd_decoder, 95: decoders.xz_decoder}.get(one.method)
        if plain is None:
            raise OSError(f"it is compressed by {_METHODS.get(one.method, f'method {one.method}')}, which is not read")
        return Checked(Inflated(packed, one.packed, plain, one.size).read_at, one.size, one.crc32)

    def _bytes(self, one: Central) -> bytes | None:
        try:
            return self._reader(one)(0, one.size)
        except OSError:
            return None


def _as_told(made: Named, fact: FileFact) -> None:
    """Put in what a report says of a file; its times count more than the archive's, which are of the extraction."""
    made.mtime, made.atime = fact.times.get("mtime"), fact.times.get("atime")
    made.ctime, made.crtime = fact.times.get("ctime"), fact.times.get("crtime")
    made.time_basis = TimeBasis.UTC if fact.times else TimeBasis.UNKNOWN
    made.deleted = fact.deleted


class Checked:
    """A member's bytes, held against the archive's CRC-32 when read in order: the last read of such a pass fails where they differ."""

    def __init__(self, read_at: ReadAt, size: int, crc32: int) -> None:
        self._read_at, self._size, self._stated = read_at, size, crc32
        self._at, self._crc = 0, 0

    def __call__(self, offset: int, length: int) -> bytes:
        """Return the bytes."""
        data = self._read_at(offset, length)
        if offset == 0:
            self._at, self._crc = 0, 0
        if offset == self._at and data:
            self._crc = zlib.crc32(data, self._crc)
            self._at += len(data)
            if self._at == self._size and self._crc != self._stated:
                raise OSError("its checksum is wrong")
        return data


def parse_central(buffer: bytes, at: int, place: int) -> Central | None:
    """Return the header of the list at a place of a buffer (4.3.12), with the wide numbers of its extra field (4.5.3)."""
    if len(buffer) - at < _CENTRAL.size or buffer[at : at + 4] != b"PK\1\2":
        return None
    (_, made, _, flags, method, time, date, crc, packed, size, name_length, extra_length, comment, _, _, attributes, offset) = (
        _CENTRAL.unpack_from(buffer, at)
    )
    start = at + _CENTRAL.size
    if start + name_length + extra_length + comment > len(buffer):
        return None
    name, extra = buffer[start : start + name_length], buffer[start + name_length : start + name_length + extra_length]
    if 0xFFFFFFFF in (size, packed, offset):
        wide = extra_fields(extra).get(1, b"")
        numbers = [int.from_bytes(wide[n : n + 8], "little") for n in range(0, len(wide) & ~7, 8)]
        if size == 0xFFFFFFFF and numbers:
            size = numbers.pop(0)
        if packed == 0xFFFFFFFF and numbers:
            packed = numbers.pop(0)
        if offset == 0xFFFFFFFF and numbers:
            offset = numbers.pop(0)
    return Central(place, made >> 8, flags, method, date << 16 | time, crc, packed, size, attributes, offset, name, extra)


def _ids(field: bytes) -> tuple[int | None, int | None]:
    """Return user and group of the field 0x7875 (Info-ZIP, "Unix UID/GID"): version 1, then each number with its length before it."""
    if len(field) < 3 or field[0] != 1:
        return None, None
    many = field[1]
    uid = int.from_bytes(field[2 : 2 + many], "little")
    rest = field[2 + many :]
    gid = int.from_bytes(rest[1 : 1 + rest[0]], "little") if rest else None
    return (uid if uid < 1 << 32 else None), (gid if gid is not None and gid < 1 << 32 else None)


def _name(one: Central) -> bytes:
    """Return a member's name in UTF-8 where that is known: by its flag (4.4.4, bit 11), the field 0x7075, or as it stands."""
    if not one.flags & 0x800 and not one.name.isascii():
        field = extra_fields(one.extra).get(0x7075, b"")
        if len(field) > 5 and field[0] == 1 and int.from_bytes(field[1:5], "little") == zlib.crc32(one.name):
            return field[5:]
        try:
            one.name.decode("utf-8")
        except UnicodeDecodeError:
            return one.name.decode("cp437").encode("utf-8")
    return one.name
