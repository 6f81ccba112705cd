"""ARJ archives: their list of files, and where the bytes of those are that are not compressed. Nothing is extracted.

Format: TECHNOTE.TXT of ARJ 2.86 ("ARJ archive headers"); only the first part of an archive of several is looked at.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import times
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

MAGIC = b"\x60\xea"
MOST_FILES = 100_000
_MOST_HEADER, _MOST_EXTENDED = 2600, 100
_METHODS = {0: "stored", 1: "most compressed", 2: "compressed", 3: "fast compressed", 4: "fastest compressed", 8: "no data", 9: "no data"}
_UNIX = (2, 8)


class ArjFile(NamedTuple):
    """A file: ``start`` of its packed bytes in the item, ``packed`` how many.

    ``time`` in nanoseconds since 1970, in the clock of the machine that made it unless ``utc``. ``kind`` is 0 for a file of bytes, 1 for
    text, 3 for a folder, 4 for a volume's name, 5 for a chapter's.
    """

    name: bytes
    kind: int
    method: int
    encrypted: bool
    continued: bool
    size: int
    packed: int
    start: int
    time: int | None
    utc: bool
    crc32: int

    @property
    def how(self) -> str:
        """How it was packed, in words."""
        return _METHODS.get(self.method, f"method {self.method}")


@dataclass(slots=True)
class ArjArchive:
    """An opened archive. ``name`` as it was called when it was made; ``made`` in nanoseconds since 1970, local unless ``utc``."""

    name: bytes = b""
    comment: bytes = b""
    made: int | None = None
    utc: bool = False
    files: list[ArjFile] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)


def read_arj(read_at: ReadAt, size: int) -> ArjArchive:
    """Return the files of an archive in its order; raise :class:`StructureError` for what is none."""
    found = ArjArchive()
    main = _header(read_at, 0, found.notes)
    if main is None or main[0][6] != 2:
        raise StructureError("no ARJ archive")
    raw, at = main
    found.utc = raw[3] in _UNIX
    found.made = _time(raw, 8)
    found.name, found.comment = _names(raw)
    while at < size:
        if read_at(at, 4) == MAGIC + b"\0\0":
            return found
        header = _header(read_at, at, found.notes)
        if header is None:
            found.notes.add("an ARJ archive has no header where its next file should be")
            return found
        raw, start = header
        if len(found.files) >= MOST_FILES:
            found.notes.add(f"an ARJ archive goes on behind the first {MOST_FILES:,} files: the rest is not looked at")
            return found
        packed, whole, crc = struct.unpack_from("<III", raw, 12)
        if start + packed > size:
            found.notes.add("an ARJ archive ends inside a file")
        flags, utc = raw[4], raw[3] in _UNIX
        file = ArjFile(
            name=_names(raw)[0],
            kind=raw[6],
            method=raw[5],
            encrypted=bool(flags & 1),
            continued=bool(flags & 0x0C),
            size=whole,
            packed=max(0, min(packed, size - start)),
            start=start,
            time=_time(raw, 8),
            utc=utc,
            crc32=crc,
        )
        found.files.append(file)
        at = start + packed
    found.notes.add("an ARJ archive has no end mark: it is cut off")
    return found


def _header(read_at: ReadAt, at: int, notes: Notes) -> tuple[bytes, int] | None:
    """Return the basic header at a place and where the bytes behind its header begin; ``None`` for no header."""
    head = read_at(at, 4)
    length = int.from_bytes(head[2:4], "little")
    if head[:2] != MAGIC or not 30 <= length <= _MOST_HEADER:
        return None
    raw = read_at(at + 4, length)
    if len(raw) < length or not 30 <= raw[0] <= length:
        return None
    if zlib.crc32(raw) != int.from_bytes(read_at(at + 4 + length, 4), "little"):
        notes.add("a header of an ARJ archive does not fit its checksum")
    at += 4 + length + 4
    for _ in range(_MOST_EXTENDED):
        more = int.from_bytes(read_at(at, 2), "little")
        at += 2
        if not more:
            return raw, at
        at += more + 4
    return None


def _names(raw: bytes) -> tuple[bytes, bytes]:
    """Return name and comment, which stand behind the fixed part and end in a zero each."""
    name, _, rest = raw[raw[0] :].partition(b"\0")
    return name, rest.partition(b"\0")[0]


def _time(raw: bytes, at: int) -> int | None:
    clock, day = struct.unpack_from("<HH", raw, at)
    if raw[3] in _UNIX:
        return times.unix(clock | day << 16)
    try:
        moment = datetime(1980 + (day >> 9), day >> 5 & 15, day & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 10**9
