"""The members of a ZIP archive by the headers before their bytes, where its list is missing or damaged.

Format: PKWARE APPNOTE 6.3.10, 4.3.7 and 4.3.9. A member that was written as a stream has its sizes in a record behind its bytes: that is
the one whose distance from their beginning is the size that it states. Where the chain breaks, the next header is looked for.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.logical import zipbytes
from triage.logical.zipheaders import CENTRAL_MARK, LOCAL, LOCAL_MARK, LONGEST, USUAL, parse_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.filesystem.trees.tree import ReadAt
    from triage.logical.zipheaders import Central

_DESCRIPTOR = b"PK\7\x08"
_LIST = (CENTRAL_MARK, b"PK\6\6", b"PK\5\6", b"PK\6\7")
_MARKS = (LOCAL_MARK, *_LIST)
_ANY = re.compile(b"PK(?:\7\x08|\3\4|\1\2|\6\6|\5\6)")
_SHORT, _WIDE = struct.Struct("<III"), struct.Struct("<IQQ")
_PIECE, _FIRST_PIECE = 1 << 20, 16 << 10
_REACH = 1 << 30
"""Bytes behind the header of a next member within which the record of sizes is looked for: a stored archive has headers inside."""
_FREE, _TIMES = 1 << 30, 16
"""Bytes that one pass may look at or undo to find out where members end, and of them those for each byte of the archive."""
_NOTHING = 32
"""Bytes that no bytes at all become at most, by any method."""


class Followed(NamedTuple):
    """A member whose sizes are what is there of it. ``whole``: whether its end was found.

    ``stated``: its size by its header, where fewer bytes than that are there.
    """

    member: Central
    start: int
    end: int
    whole: bool = True
    stated: int | None = None


class Sizes(NamedTuple):
    """A record behind a member's bytes (4.3.9). ``end``: what is behind it."""

    crc32: int
    packed: int
    size: int
    end: int


class Follower:
    """Follows the headers of one archive, whose bytes ``read_at`` reads; ``beat`` is called now and then."""

    def __init__(self, read_at: ReadAt, size: int, beat: Callable[[], None]) -> None:
        self._read_at, self._size, self._beat = read_at, size, beat
        self._left = self._allowed = _FREE + _TIMES * size

    def begins(self) -> bool:
        """Whether a member's header stands at the beginning, where a mark of archives in several parts may precede it (8.5.4)."""
        return self.header(0) is not None or self.header(4) is not None

    def header(self, place: int) -> Central | None:
        """Return the header at a place as it stands there."""
        return parse_local(self._read_at(place, USUAL), place) or parse_local(self._read_at(place, LONGEST), place)

    def at(self, place: int) -> Followed | None:
        """Return the member at a place."""
        one = self.header(place)
        return self._measured(one) if one is not None else None

    def members(self) -> Iterator[Followed]:
        """Yield each member in the order of the archive."""
        at = 0
        self._left = self._allowed
        while 0 <= at < self._size:
            self._beat()
            found = self.at(at)
            if found is None:
                if at and self._read_at(at, 4) in _LIST:
                    return
                at = self._next(at + 1)
                continue
            yield found
            at = found.end
            # Of a member whose size is wrong, the headers behind it lie in what seem to be its bytes.
            if at < self._size and self._read_at(at, 4) not in _MARKS and not self._right(found):
                at = found.start

    def _next(self, at: int) -> int:
        """Return where the next header stands, -1 for nowhere."""
        while at < self._size:
            piece = self._read_at(at, _PIECE)
            self._beat()
            place = piece.find(LOCAL_MARK)
            while place >= 0:
                if self.header(at + place) is not None:
                    return at + place
                place = piece.find(LOCAL_MARK, place + 1)
            at += max(len(piece) - 3, 1)
        return -1

    # ---- one member --------------------------------------------------------------------------------------------------------

    def _measured(self, one: Central) -> Followed:
        raw = self._read_at(one.place, LOCAL.size)
        start = one.place + LOCAL.size + sum(struct.unpack_from("<HH", raw, 26))
        if one.streamed and not one.packed:
            found = self._record(start)
            if isinstance(found, Sizes):
                return Followed(one._replace(crc32=found.crc32, packed=found.packed, size=found.size), start, found.end)
            return self._short(one, start, found, None)
        end = start + one.packed
        if end > self._size:
            return self._short(one, start, self._size, one.size)
        return Followed(one, start, self._behind(one, end))

    def _behind(self, one: Central, end: int) -> int:
        """Return what is behind the record of sizes, where one follows a member although its header has them as well."""
        if not one.streamed or self._read_at(end, 4) in _MARKS:
            return end
        signed = 4 if self._read_at(end, 4) == _DESCRIPTOR else 0
        return next((place for place in (end + signed + 12, end + signed + 20) if self._read_at(place, 4) in _MARKS), end)

    def _short(self, one: Central, start: int, end: int, stated: int | None) -> Followed:
        """Return a member of which only the bytes up to ``end`` are there, or not even its end is known."""
        packed = max(end - start, 0)
        one = one._replace(crc32=None, packed=packed, size=packed)
        if one.method and not one.encrypted:
            source = zipbytes.packed_bytes(self._read_at, start, packed)
            try:
                one = one._replace(size=zipbytes.unpacked(source, one, None).measure(max(self._left, 0), self._beat))
            except OSError:
                one = one._replace(size=0)
            self._worked(one.size)
        return Followed(one, start, max(end, start), whole=False, stated=stated)

    def _right(self, found: Followed) -> bool:
        """Whether a member's bytes are those that its checksum is of."""
        if not found.whole or found.member.encrypted:
            return False
        try:
            read, at = zipbytes.reader(self._read_at, found.member, found.start), 0
            while at < found.member.size:
                piece = read(at, _PIECE)
                self._worked(len(piece))
                if not piece or self._left <= 0:
                    return False
                at += len(piece)
        except OSError:
            return False
        return True

    def _worked(self, many: int) -> None:
        self._left -= many
        self._beat()

    def _record(self, start: int) -> Sizes | int:
        """Return the record of the sizes of a member whose bytes begin at ``start``; where what may be its own ends, if there is none."""
        at, length, following = start, _FIRST_PIECE, -1
        while at < self._size and (following < 0 or at < following + _REACH) and self._left > 0:
            piece = self._read_at(at, length)
            self._worked(len(piece))
            for found in _ANY.finditer(piece):
                place = at + found.start()
                record = self._sizes(start, place, signed=found[0] == _DESCRIPTOR)
                if record is not None:
                    return record
                if following < 0 and found[0] == LOCAL_MARK and self.header(place) is not None:
                    following = place
            at += max(len(piece) - 3, 1)
            length = min(4 * length, _PIECE)
        return following if following >= 0 else self._size

    def _sizes(self, start: int, place: int, *, signed: bool) -> Sizes | None:
        """Return the record of sizes that begins at a mark of its own, or ends at another record's mark, if its size is the distance."""
        fitting = []
        for form in (_SHORT, _WIDE):
            begin = place if signed else place - form.size
            raw = self._read_at(begin + 4 * signed, form.size) if begin >= start else b""
            if len(raw) == form.size:
                crc32, packed, size = form.unpack(raw)
                if packed == begin - start and (size or packed <= _NOTHING):
                    fitting.append(Sizes(crc32, packed, size, begin + 4 * signed + form.size))
        if len(fitting) == 2:
            # The short form of a wide record has the same size: which it is, is told by what follows.
            fitting.sort(key=lambda record: record.end < self._size and self._read_at(record.end, 4) not in _MARKS)
        return fitting[0] if fitting else None
