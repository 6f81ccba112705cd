"""The records of a ZIP file at offsets of a window: members, the central directory and its end. PKWARE APPNOTE 6.3.10, sections named.

A member's bytes are inflated and checksummed where its method allows it; nothing of them is kept but the first bytes of the few members
by which a package is known.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from triage.artifacts.zips import CENTRAL, END, END64, LOCAL, LOCATOR64
from triage.carving.zipinflate import Budget, Ending, Inflated, inflate
from triage.carving.zipkinds import CONTENT_TYPES, KEEP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_METHODS = frozenset({*range(11), 12, 14, 16, 18, 19, 20, *range(93, 100)})
_FULL = 0xFFFFFFFF
DESCRIPTOR = b"PK\7\x08"
MARKS = (LOCAL, CENTRAL, END, END64, b"PK\6\x08", DESCRIPTOR)
_TRIES = 4096
"""End records, or descriptors of one member, that are looked at."""
_ENTRIES = 500_000
_MOST_DIRECTORY = 128 << 20
_UNCERTAIN = 16 << 20
"""Stored bytes that are checked although no header stands behind them."""


class State(Enum):
    """What is known of a member: its checksum agrees, or not; it cannot be checked; its end was not found."""

    WHOLE = "whole"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    OPEN = "open"


@dataclass(slots=True, kw_only=True)
class Member:
    """A member by its local header (4.3.7). ``data``: where its bytes begin; ``end``: what is behind its descriptor.

    ``reached``: up to where its bytes are its own, as far as can be told. ``goes_on``: another record stands at ``end``.
    """

    offset: int
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    data: int
    end: int = 0
    reached: int = 0
    state: State = State.OPEN
    goes_on: bool = False
    head: bytes = b""

    @property
    def encrypted(self) -> bool:
        """Whether its bytes are (4.4.4)."""
        return bool(self.flags & 0x2041) or self.method == 99

    @property
    def streamed(self) -> bool:
        """Whether its sizes may stand behind it (4.4.4, bit 3)."""
        return bool(self.flags & 8)


@dataclass(slots=True, frozen=True)
class Listed:
    """What the central directory says of a member (4.3.12)."""

    offset: int
    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int


@dataclass(slots=True, frozen=True)
class End:
    """An end record (4.3.16) that stands at ``at``. ``records``: where the records behind the directory begin, zip64 ones among them.

    ``offset``, ``size``, ``count``: what it says of the directory, all in the file's own terms; ``end``: behind its comment.
    """

    at: int
    records: int
    offset: int
    size: int
    count: int
    end: int

    @property
    def gap(self) -> int:
        """How much further back the directory's end lies in the window than in the file."""
        return self.records - self.offset - self.size


@dataclass(slots=True)
class Directory:
    """The entries from ``start`` on, up to ``stop``, and the end record there, if it is."""

    start: int
    stop: int
    entries: list[Listed] = field(default_factory=list)
    end: End | None = None


# -- members --------------------------------------------------------------------------------------------------------------------


def local_header(window: Window, offset: int) -> Member | None:
    """Return the member that begins there, not looked into yet; ``None`` when that is no header."""
    head = window.at(offset, 256)
    if len(head) < 30 or not head.startswith(LOCAL):
        return None
    _, version, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack_from(head)
    if version & 0xFF > 99 or method not in _METHODS or not 0 < name_length <= 4096:
        return None
    if len(head) < 30 + name_length + extra_length:
        head = window.at(offset, 30 + name_length + extra_length)
        if len(head) < 30 + name_length + extra_length:
            return None
    name = head[30 : 30 + name_length]
    if b"\0" in name:
        return None
    if _FULL in (packed, size):
        size, packed, _ = _wide(head[30 + name_length : 30 + name_length + extra_length], size, packed, 0)
    data = offset + 30 + name_length + extra_length
    if not method and not flags & 9 and packed != size:
        return None
    return Member(
        offset=offset, name=name, flags=flags, method=method, crc=crc, packed=packed, size=size, data=data, end=data, reached=data
    )


def _wide(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Return the sizes and the offset, from the zip64 field where they are full (4.5.3)."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = [int.from_bytes(extra[n : n + 8], "little") for n in range(at + 4, min(at + 4 + length, len(extra)) - 7, 8)]
            taken = iter(values)
            size, packed, offset = (next(taken, v) if v == _FULL else v for v in (size, packed, offset))
            break
        at += 4 + length
    return size, packed, offset


def read_member(window: Window, offset: int, budget: Budget, listed: Listed | None = None) -> Member | None:
    """Return the member that begins there with its end and state. ``listed``: what the directory says, where it is known."""
    member = local_header(window, offset)
    if member is None:
        return None
    known = bool(member.packed) or not member.streamed
    if listed is not None:
        if listed.name != member.name or listed.method != member.method:
            return None
        member.crc, member.packed, member.size, known = listed.crc, listed.packed, listed.size, True
    if known:
        _read_sized(window, member, budget)
    elif member.method == 8 and not member.encrypted:
        _read_streamed(window, member, budget)
    else:
        _find_descriptor(window, member)
    member.goes_on = member.state is not State.OPEN and window.at(member.end, 4) in MARKS
    if member.state is State.UNKNOWN and not member.goes_on:
        member.state = State.WRONG
    return member


def _read_sized(window: Window, member: Member, budget: Budget) -> None:
    end = member.data + member.packed
    inside = end <= window.size
    if member.method == 8 and not member.encrypted:
        found = inflate(window, member.data, min(end, window.size), budget, keep=_wanted(member))
        member.head = found.head
        member.reached = member.data + found.consumed
        if not inside:
            return
        if found.ending is Ending.SPENT:
            member.state = State.UNKNOWN
        elif found.ending is Ending.ENDED and found.consumed == member.packed and found.size & _FULL == member.size & _FULL:
            _compare(window, member, found)
        else:
            member.state = State.WRONG
    elif not inside:
        return
    elif member.method == 0 and not member.encrypted:
        if member.packed > _UNCERTAIN and window.at(end, 4) not in MARKS:
            member.state = State.WRONG
        else:
            crc, head = 0, b""
            for _, data in window.chunks(member.data, end):
                head = head or data[: _wanted(member)]
                crc = zlib.crc32(data, crc)
            member.head = head
            _compare(window, member, Inflated(Ending.ENDED, member.packed, crc, member.packed))
    else:
        member.state = State.UNKNOWN
    member.end = end
    if member.state in (State.WHOLE, State.UNKNOWN):
        member.reached = end
    if member.streamed:
        member.end = end + _descriptor(window, end, member, loose=member.state is not State.WHOLE)


def _compare(window: Window, member: Member, found: Inflated) -> None:
    """Judge a member by the checksum in its header, or behind it when that one has none."""
    if member.crc or not member.streamed or not found.size:
        member.state = State.WHOLE if found.crc == member.crc else State.WRONG
    else:
        member.crc = found.crc
        member.state = State.WHOLE if _descriptor(window, member.data + found.consumed, member) else State.WRONG


def _wanted(member: Member) -> int:
    return KEEP if member.name in (b"mimetype", CONTENT_TYPES) else 0


def _descriptor(window: Window, at: int, member: Member, *, loose: bool = False) -> int:
    """Return the length of the data descriptor there (4.3.9: with a mark or without, of 32 or 64 bits), 0 when it is none of this member.

    ``loose``: what it says need not agree, as long as a record stands behind.
    """
    data = window.at(at, 28)
    for mark in (DESCRIPTOR, b""):
        for form in ("<III", "<IQQ"):
            length = len(mark) + struct.calcsize(form)
            if len(data) < length or not data.startswith(mark):
                continue
            crc, packed, size = struct.unpack_from(form, data, len(mark))
            if (crc, packed, size) == (member.crc, member.packed, member.size) or (loose and data[length : length + 4] in MARKS):
                return length
    return 0


def _read_streamed(window: Window, member: Member, budget: Budget) -> None:
    """Find the end of a member whose sizes stand behind it: where its stream ends."""
    found = inflate(window, member.data, window.size, budget, keep=_wanted(member))
    member.head = found.head
    member.reached = member.data + found.consumed
    if found.ending is not Ending.ENDED:
        return
    member.crc, member.packed, member.size = found.crc, found.consumed, found.size
    length = _descriptor(window, member.reached, member)
    member.state = State.WHOLE if length else State.WRONG
    member.end = member.reached + (length or _descriptor(window, member.reached, member, loose=True))


def _find_descriptor(window: Window, member: Member) -> None:
    """Find the end of a streamed member that cannot be inflated: at a descriptor that says how far away its header is."""
    for at in _places(window, DESCRIPTOR, member.data, member.data + _UNCERTAIN):
        data = window.at(at, 28)
        for form in ("<III", "<IQQ"):
            length = 4 + struct.calcsize(form)
            if len(data) < length or struct.unpack_from(form, data, 4)[1] != at - member.data or data[length : length + 4] not in MARKS:
                continue
            member.crc, member.packed, member.size = struct.unpack_from(form, data, 4)
            member.end, member.reached, member.state = at + length, at, State.UNKNOWN
            if not member.method and not member.encrypted:
                crc = 0
                for _, piece in window.chunks(member.data, at):
                    crc = zlib.crc32(piece, crc)
                member.state = State.WHOLE if crc == member.crc else State.WRONG
            return


def _places(window: Window, mark: bytes, start: int, stop: int) -> Iterator[int]:
    """Yield where a mark stands between two offsets, the first thousands of times."""
    tail, left = b"", _TRIES
    for offset, data in window.chunks(start, stop):
        joined = tail + data
        at = joined.find(mark)
        while at >= 0 and left:
            left -= 1
            yield offset - len(tail) + at
            at = joined.find(mark, at + 1)
        if not left:
            return
        tail = joined[-3:]


# -- the central directory ------------------------------------------------------------------------------------------------------


def read_directory(window: Window, start: int, most: int = _ENTRIES) -> Directory:
    """Return the entries that stand at ``start`` one behind the other, and the end record behind them, if there is one."""
    found = Directory(start, start)
    buffer, base, step = b"", start, 16 << 10
    while len(found.entries) < most and found.stop - start < _MOST_DIRECTORY:
        entry = _entry(buffer, found.stop - base)
        if entry is not None:
            found.entries.append(entry[0])
            found.stop += entry[1]
        elif buffer and base == found.stop and (len(buffer) < step or step > 16 << 10):
            break
        else:  # the buffer's end, unless it began here and was longer than an entry can be
            step = step if not buffer else 1 << 20
            base, buffer = found.stop, window.at(found.stop, step)
            if not buffer:
                break
    if not found.entries:
        return found
    at = found.stop
    mark = window.at(at, 20)
    if mark.startswith(b"PK\5\5"):  # 4.3.13: a digital signature
        at += 6 + int.from_bytes(mark[4:6], "little")
        mark = window.at(at, 20)
    if mark.startswith(END64) and len(mark) == 20:  # 4.3.14 and 4.3.15: with a locator behind
        at += 32 + min(int.from_bytes(mark[4:12], "little"), 1 << 20)
    found.end = end_at(window, at)
    return found


def _entry(buffer: bytes, at: int) -> tuple[Listed, int] | None:
    if len(buffer) - at < 46 or buffer[at : at + 4] != CENTRAL:
        return None
    _, _, _, flags, method, _, _, crc, packed, size, *more = _CENTRAL.unpack_from(buffer, at)
    name_length, extra_length, comment_length, _, _, _, offset = more
    length = 46 + name_length + extra_length + comment_length
    if len(buffer) - at < length:
        return None
    name = buffer[at + 46 : at + 46 + name_length]
    if _FULL in (packed, size, offset):
        extra = buffer[at + 46 + name_length : at + 46 + name_length + extra_length]
        size, packed, offset = _wide(extra, size, packed, offset)
    return Listed(offset, name, flags, method, crc, packed, size), length


def ends(window: Window, start: int, stop: int) -> Iterator[End]:
    """Yield the end records between two offsets that make sense, in order. Archives in several parts are none."""
    return filter(None, (end_at(window, at) for at in _places(window, END, start, stop)))


def end_at(window: Window, at: int) -> End | None:
    """Return the end record that stands there, if it makes sense."""
    raw = window.at(at, 22)
    if len(raw) < 22 or not raw.startswith(END):
        return None
    _, disk, first, here, count, size, offset, comment = _END.unpack(raw)
    records = at
    before = window.at(at - 20, 20) if at >= 76 else b""
    if before.startswith(LOCATOR64):
        wide = window.at(at - 76, 56)
        if wide.startswith(END64):
            records = at - 76
            _, _, _, _, disk64, first64, here64, count64, size64, offset64 = _END64.unpack(wide)
            if count64 & 0xFFFF not in (count, 0xFFFF) and count != 0xFFFF:
                return None
            disk, first, here, count, size, offset = disk64, first64, here64, count64, size64, offset64
    if disk or first or here != count or not count or size < 46 * min(count, 0xFFFF) or size > _MOST_DIRECTORY:
        return None
    return End(at, records, offset, size, count, at + 22 + comment)
