"""ZIP archives: the list of members, and the bytes of one member. Nothing is extracted.

Format: PKWARE APPNOTE 6.3.10, sections named where they matter. Zip64 is read; archives in several parts and encrypted members are not,
and that is said of each.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts.expansion import PIECE, Budget, Expansion, Expected, Limits
from triage.artifacts.members import Member, MemberKind, refusal
from triage.evidence import decoders
from triage.model import TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.artifacts.structure import Notes, ReadAt

LOCAL, CENTRAL, END, END64, LOCATOR64 = (b"PK" + mark for mark in (b"\3\4", b"\1\2", b"\5\6", b"\6\6", b"\6\7"))
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_MOST_DIRECTORY = 16 << 20
_SEARCH = 1 << 20  # bytes at once when headers are looked for
_SEARCHED = 64 << 20  # and in all
_METHODS = {0: "stored", 8: "deflate", 9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 98: "PPMd", 99: "AES"}
_AES = 0x9901


@dataclass(slots=True, kw_only=True)
class ZipEntry:
    """What a header says of a member. ``offset`` is its local header's place in the item."""

    name: bytes
    flags: int
    method: int
    crc32: int
    packed: int
    size: int
    offset: int
    mtime: int | None = None
    time_basis: TimeBasis = TimeBasis.UNKNOWN
    attributes: int = 0
    made_by: int = 0
    overlaps: bool = False
    end: int = 0
    """Where the next header stands: a member's bytes end before."""

    @property
    def encrypted(self) -> bool:
        """Whether the member is (4.4.4: bit 0; bit 13 hides its header as well)."""
        return bool(self.flags & 0x2001) or self.method == 99


@dataclass(slots=True, kw_only=True)
class ZipList:
    """The members of an archive. ``from_directory`` is False when they had to be found by their own headers."""

    entries: list[ZipEntry] = field(default_factory=list)
    from_directory: bool = True


def list_members(read_at: ReadAt, size: int, notes: Notes, most: int) -> ZipList:
    """Return at most ``most`` members, from the central directory or, where that is missing, from their own headers."""
    found = _from_directory(read_at, size, notes, most)
    if found is None:
        found = ZipList(entries=_from_headers(read_at, size, notes, most), from_directory=False)
    _mark_overlaps(found.entries, size)
    notes.add("a member shares its bytes with another one and is not read", sum(e.overlaps for e in found.entries))
    return found


# -- the central directory (4.3.12 to 4.3.16) -----------------------------------------------------------------------------------


def _from_directory(read_at: ReadAt, size: int, notes: Notes, most: int) -> ZipList | None:
    tail_start = max(size - (1 << 16) - 22, 0)
    tail = read_at(tail_start, size - tail_start)
    at = _end_record(tail)
    if at is None:
        return None
    _, disk, _, _, count, length, offset, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if 0xFFFF in (count, disk) or 0xFFFFFFFF in (length, offset):
        wide = _end_record64(read_at, tail, at, tail_start)
        if wide is not None:
            end, count, length, offset = wide
    start = end - length  # whatever precedes the archive shifts its own offsets, not this distance
    if start < 0 or (count and read_at(start, 4) != CENTRAL):
        start = offset
        if read_at(start, 4) != CENTRAL:
            return None
    shift = max(start - offset, 0)
    raw = read_at(start, min(length, _MOST_DIRECTORY))
    found = ZipList(entries=_directory_entries(raw, shift, start, most))
    if len(found.entries) < count:
        if len(found.entries) == most:
            notes.add(f"members of a ZIP archive beyond the first {most:,} are not looked at", count - most)
        elif length > _MOST_DIRECTORY:
            notes.add("a ZIP archive's list is larger than 16 MiB: members are left out", count - len(found.entries))
        elif not found.entries:
            return None
        else:
            notes.add("a ZIP archive's list is damaged: members are missing", count - len(found.entries))
    return found


def _end_record(tail: bytes) -> int | None:
    """Return where the end record stands: the last one whose comment reaches the end, else the last one at all."""
    at, last = len(tail), None
    for _ in range(100):
        at = tail.rfind(END, 0, at)
        if at < 0:
            return last
        if len(tail) - at >= 22:
            if at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail):
                return at
            last = at if last is None else last
    return last


def _end_record64(read_at: ReadAt, tail: bytes, at: int, tail_start: int) -> tuple[int, int, int, int] | None:
    """Return the place of the zip64 end record, and count, length and offset of the directory."""
    if at < 20 or tail[at - 20 : at - 16] != LOCATOR64:
        return None
    stated = int.from_bytes(tail[at - 12 : at - 4], "little")
    for place in (tail_start + at - 76, stated):  # right before its locator in all but extended ones
        raw = read_at(place, 56)
        if len(raw) == 56 and raw.startswith(END64):
            *_, count, length, offset = _END64.unpack(raw)
            return place, count, length, offset
    return None


def _directory_entries(raw: bytes, shift: int, start: int, most: int) -> list[ZipEntry]:
    entries: list[ZipEntry] = []
    at = 0
    while len(entries) < most and at + 46 <= len(raw):
        if raw[at : at + 4] != CENTRAL:
            break
        _, made_by, _, flags, method, clock, day, crc, packed, size, *more = _CENTRAL.unpack_from(raw, at)
        name_length, extra_length, comment, _, _, attributes, offset = more
        extra = raw[at + 46 + name_length : at + 46 + name_length + extra_length]
        entry = ZipEntry(
            name=raw[at + 46 : at + 46 + name_length],
            flags=flags,
            method=method,
            crc32=crc,
            packed=packed,
            size=size,
            offset=offset,
            attributes=attributes,
            made_by=made_by >> 8,
            end=start,
        )
        entry.mtime = _dos_time(day, clock)
        entry.time_basis = TimeBasis.LOCAL if entry.mtime is not None else TimeBasis.UNKNOWN
        _read_extra(entry, extra)
        entry.offset += shift
        entries.append(entry)
        at += 46 + name_length + extra_length + comment
    return entries


def _read_extra(entry: ZipEntry, extra: bytes) -> None:
    """Take what the extra fields (4.5) say: sizes past 32 bits, and a time in UTC."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        body = extra[at + 4 : at + 4 + length]
        at += 4 + length
        if kind == 1:  # 4.5.3: only those that are full in the header, in this order
            for name in ("size", "packed", "offset"):
                if getattr(entry, name) == 0xFFFFFFFF and len(body) >= 8:
                    setattr(entry, name, int.from_bytes(body[:8], "little"))
                    body = body[8:]
        elif kind == 0x5455 and len(body) >= 5 and body[0] & 1:
            entry.mtime, entry.time_basis = int.from_bytes(body[1:5], "little", signed=True) * 10**9, TimeBasis.UTC


def _dos_time(day: int, clock: int) -> int | None:
    try:
        moment = datetime(1980 + (day >> 9), day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 10**9


# -- without a directory (4.3.7) ------------------------------------------------------------------------------------------------


def _from_headers(read_at: ReadAt, size: int, notes: Notes, most: int) -> list[ZipEntry]:
    notes.add("a ZIP archive without a list of its members: they are found by their own headers, deleted ones among them")
    entries: list[ZipEntry] = []
    searched = [0]
    at = _find(read_at, LOCAL, 0, size, searched)
    while at is not None:
        if len(entries) >= most:
            notes.add(f"members of a ZIP archive beyond the first {most:,} are not looked at")
            break
        head = read_at(at, 30)
        if len(head) < 30:
            break
        _, _, flags, method, clock, day, crc, packed, expanded, name_length, extra_length = _LOCAL.unpack(head)
        rest = read_at(at + 30, name_length + extra_length)
        entry = ZipEntry(name=rest[:name_length], flags=flags, method=method, crc32=crc, packed=packed, size=expanded, offset=at, end=size)
        entry.mtime = _dos_time(day, clock)
        entry.time_basis = TimeBasis.LOCAL if entry.mtime is not None else TimeBasis.UNKNOWN
        entry.offset = 0xFFFFFFFE  # no zip64 field may change it
        _read_extra(entry, rest[name_length:])
        entry.offset = at
        body = at + 30 + name_length + extra_length
        follows = body + entry.packed
        if (flags & 8 and not entry.packed) or read_at(follows, 2) != b"PK":
            follows = body  # 4.4.4, bit 3: the sizes stand behind the bytes; or they lie
        at = _find(read_at, LOCAL, follows, size, searched)
        if flags & 8 and not entry.packed:
            entry.packed, entry.size, entry.crc32 = (at or size) - body, -1, -1
        entries.append(entry)
    if searched[0] >= _SEARCHED:
        notes.add("headers of a ZIP archive's members were looked for in 64 MiB; what lies behind is left out")
    return entries


def _find(read_at: ReadAt, mark: bytes, start: int, size: int, searched: list[int]) -> int | None:
    """Return the next place of a mark; ``searched`` counts the bytes that were looked through."""
    if read_at(start, len(mark)) == mark:
        return start
    length = 4096
    while start < size and searched[0] < _SEARCHED:
        window = read_at(start, min(length, size - start))
        at = window.find(mark)
        searched[0] += at if at >= 0 else len(window)
        if at >= 0:
            return start + at
        if len(window) < len(mark):
            return None
        start += len(window) - len(mark) + 1
        length = min(length * 2, _SEARCH)
    return None


# -- members --------------------------------------------------------------------------------------------------------------------


def _mark_overlaps(entries: list[ZipEntry], size: int) -> None:
    """Mark members whose bytes belong to another one as well: what makes 10 MB expand to 281 TB (Fifield, WOOT '19)."""
    ordered = sorted(entries, key=lambda e: e.offset)
    holder, reach = None, 0
    for entry, following in zip(ordered, [*ordered[1:], None], strict=False):
        least = entry.offset + 30 + len(entry.name) + entry.packed
        if holder is not None and entry.offset < reach:
            holder.overlaps = entry.overlaps = True
        if least > reach:
            holder, reach = entry, least
        entry.end = min(entry.end, following.offset if following is not None else size, size)


def to_member(entry: ZipEntry, read_at: ReadAt, budget: Budget) -> Member:
    """Return a listed entry as a member whose bytes can be asked for."""
    unix = entry.attributes >> 16 if entry.made_by in (3, 19) else 0
    kind = MemberKind.FILE
    if entry.name.endswith((b"/", b"\\")) or stat.S_ISDIR(unix):
        kind = MemberKind.DIRECTORY
    elif stat.S_ISLNK(unix):
        kind = MemberKind.SYMLINK
    elif unix and stat.S_IFMT(unix) not in (0, stat.S_IFREG):
        kind = MemberKind.DEVICE if stat.S_ISBLK(unix) or stat.S_ISCHR(unix) else MemberKind.OTHER
    refused = ""
    if entry.encrypted:
        refused = "encrypted"
    elif entry.overlaps:
        refused = "it shares its bytes with another member"
    elif entry.method not in _DECODERS:
        refused = f"compressed by {_METHODS.get(entry.method, f'method {entry.method}')}, which is not read"
    return Member(
        name=entry.name,
        kind=kind,
        size=entry.size if entry.size >= 0 else None,
        packed=entry.packed,
        mode=unix or None,
        mtime=entry.mtime,
        time_basis=entry.time_basis,
        encrypted=entry.encrypted,
        method=_METHODS.get(entry.method, str(entry.method)),
        refused=refused,
        opener=(lambda: _open(entry, read_at, budget)) if kind in (MemberKind.FILE, MemberKind.SYMLINK) else None,
        placer=(lambda: _steps(entry, read_at)) if kind is MemberKind.FILE else None,
    )


class _Place(NamedTuple):
    """Where a member's packed bytes are, and the properties that LZMA needs."""

    start: int
    end: int
    properties: bytes = b""


def _place(entry: ZipEntry, read_at: ReadAt) -> _Place | str:
    """Return where a member's bytes are, or why they cannot be had."""
    try:
        head = read_at(entry.offset, 30)
        if len(head) < 30 or not head.startswith(LOCAL):
            return "there is no member where the archive's list says"
        _, _, flags, method, _, _, _, _, _, name_length, extra_length = _LOCAL.unpack(head)
        start = entry.offset + 30 + name_length + extra_length
        end = start + entry.packed
        if method != entry.method or flags & 1:
            return "its two headers contradict each other"
        if end > entry.end:
            return "it runs into what follows it"
        if end < start or entry.size >= 1 << 48:
            return "its size cannot be"
        if method != 14:
            return _Place(start, end)
        properties = read_at(start, 9)  # 5.8.8: version, length of properties, properties
        if len(properties) < 9 or start + 9 > end or properties[2:4] != b"\5\0" or decoders.lzma1_decoders(properties[4:]) is None:
            return "its LZMA properties are not ones that are read"
        return _Place(start + 9, end, properties[4:])
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"[:200]


def _steps(entry: ZipEntry, read_at: ReadAt) -> list[list[Any]] | str:
    place = _place(entry, read_at)
    if isinstance(place, str):
        return place
    cut: list[Any] = ["cut", place.start, place.end - place.start]
    if entry.method == 0:
        return [cut]
    name = f"lzma:{place.properties.hex()}" if entry.method == 14 else _METHODS[entry.method]
    return [cut, ["undo", name, entry.size if entry.size >= 0 else Limits().member]]


def _open(entry: ZipEntry, read_at: ReadAt, budget: Budget) -> Expansion:
    place = _place(entry, read_at)
    if isinstance(place, str):
        return refusal(place)
    decoder = decoders.lzma1_decoders(place.properties) if entry.method == 14 else _DECODERS[entry.method]
    expected = Expected(size=entry.size if entry.size >= 0 else None, crc32=entry.crc32 if entry.crc32 >= 0 else None)
    return Expansion(pieces_of(read_at, place.start, place.end), budget, decoder, open_ended=entry.method == 14, expected=expected)


def pieces_of(read_at: ReadAt, start: int, end: int) -> Iterator[bytes]:
    """Yield the item's bytes from ``start`` to ``end`` in pieces, until there are no more."""
    while start < end:
        piece = read_at(start, min(PIECE, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)


_DECODERS: dict[int, Callable[[], decoders.Decoder] | None] = {
    0: None,
    8: decoders.deflate_decoder,
    9: decoders.deflate64_decoder,
    12: decoders.bzip2_decoder,
    14: decoders.deflate_decoder,  # replaced once the member's properties are known
    93: decoders.zstd_decoder,
    95: decoders.xz_decoder,
}
