"""Internet Explorer's index.dat (WinINet's cache file, versions 4.7 and 5.2: Internet Explorer 4 to 9), records left over in it included.

The source is the description of the format that goes with libmsiecf ("MSIE Cache File (index.dat) format", J. Metz); sections are named.
A header of 0x4000 bytes with a bitmap of the blocks in use, then blocks of 128 bytes; a record begins at a block, with four letters.
"""

from __future__ import annotations

import re
import struct
from calendar import timegm
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import times
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"Client UrlCache MMF Ver "
_FIRST, _BLOCK, _TABLE = 0x4000, 128, 4096
_BITMAP = 0x250
_MOST_FOLDERS, _LONGEST, _LONGEST_DATA = 32, 8192, 64 << 10
_KINDS = frozenset((b"URL ", b"REDR", b"LEAK"))
_FLAG_POST, _FLAG_DELETE = 0x1000, 0x400000
_DATES = re.compile(r":(\d{8})(\d{8}): ")
_SCHEMES = ("cookie", "iecompat", "iecompatua", "ietld", "privacie", "feedplat", "userdata", "domstore", "iedownload", "dntexception")


class Header(NamedTuple):
    """``version``: "4.7" or "5.2"; ``size`` in bytes as it states; ``folders``: names of the cache's directories, in their order."""

    version: str
    size: int
    folders: tuple[str, ...]


class Record(NamedTuple):
    """A record at ``offset``, ``length`` bytes of blocks long. Times are nanoseconds since 1970.

    ``kind``: ``url``, ``redirect`` or ``leak`` (its file could not be deleted). ``state``: ``in use`` (the hash table leads to it),
    ``not in the hash table`` or ``deleted`` (its blocks are free). ``primary`` and ``secondary`` mean different things by the kind of
    file (:meth:`seen`). ``folder``: the number of the cache's directory, ``None`` for none. ``cut``: it breaks off.
    """

    offset: int
    length: int
    kind: str
    state: str
    location: str = ""
    file: str = ""
    folder: int | None = None
    size: int = 0
    primary: int | None = None
    secondary: int | None = None
    expires: int | None = None
    checked: int | None = None
    hits: int = 0
    posted: bool = False
    doomed: bool = False
    data: bytes = b""
    cut: bool = False


class Place(NamedTuple):
    """What a location says. ``store``: ``cache``, ``visited``, ``daily``, ``weekly``, or the scheme of another store (``cookie``)."""

    store: str
    user: str
    url: str


def read_header(data: bytes) -> Header:
    """Return what the header says. Raise ``StructureError`` for another file or version."""
    if len(data) < _BITMAP or not data.startswith(SIGNATURE):
        raise StructureError("it is no cache index of Internet Explorer, or breaks off in its head")
    version = data[24:27].decode("latin-1")
    if version not in ("4.7", "5.2"):
        raise StructureError("a version that is not read")
    size, count = _u32(data, 28), min(_u32(data, 72), _MOST_FOLDERS)
    folders = tuple(_text(data[76 + 12 * n + 4 : 76 + 12 * n + 12]) for n in range(count))
    return Header(version, size, folders)


def records(data: bytes, header: Header, notes: Notes) -> Iterator[Record]:
    """Yield every record, in the order in which they lie, those in free blocks and those that no table leads to included.

    Time is linear: a record that is in use ends where the next one in use begins, one left over where any next one begins.
    """
    starts = [at for at in range(_FIRST, len(data) - 7, _BLOCK) if data[at : at + 4] in _KINDS]
    used = _table(data, notes)
    end_used = end_any = len(data)
    ends = [0] * len(starts)
    for number in range(len(starts) - 1, -1, -1):
        at = starts[number]
        ends[number] = end_used if at in used else end_any
        end_any = at
        if at in used:
            end_used = at
    for at, end in zip(starts, ends, strict=True):
        blocks = _u32(data, at + 4)
        if not blocks:
            continue
        length = min(blocks * _BLOCK, end - at)
        free = not _is_allocated(data, at)
        state = "in use" if at in used else "deleted" if free else "not in the hash table"
        record = _record(data[at : at + length], at, header.version, state)
        if record is None:
            notes.add("a record has no readable fields")
            continue
        yield record._replace(cut=record.cut or (length < blocks * _BLOCK and state == "in use"))


def _table(data: bytes, notes: Notes) -> frozenset[int]:
    """Return the offsets that the hash table leads to ("Hash table record"); an entry of 1 or 3, or with itself as offset, is unused."""
    found: set[int] = set()
    seen: set[int] = set()
    at = _u32(data, 32)
    while at:
        if at in seen or at < _FIRST or data[at : at + 4] != b"HASH":
            notes.add("the hash table leads astray: which records are in use is known in part")
            break
        seen.add(at)
        part = data[at + 16 : at + _TABLE]
        for code, offset in struct.iter_unpack("<II", part[: len(part) // 8 * 8]):
            if code not in (1, 3, offset) and offset >= _FIRST and not offset % _BLOCK:
                found.add(offset)
        at = _u32(data, at + 8)
    return frozenset(found)


def _is_allocated(data: bytes, offset: int) -> bool:
    number = (offset - _FIRST) // _BLOCK
    at = _BITMAP + number // 8
    return at >= _FIRST or bool(data[at] >> number % 8 & 1)


def _record(data: bytes, offset: int, version: str, state: str) -> Record | None:
    kind = data[:4]
    if kind == b"REDR":
        return Record(offset, len(data), "redirect", state, location=_zero_ended(data, 16), cut=len(data) <= 16)
    if len(data) < 104:
        return None
    old = version == "4.7"
    where, folder, name = (_u32(data, 56), data[60], _u32(data, 64)) if old else (_u32(data, 52), data[56], _u32(data, 60))
    if kind == b"LEAK":
        # Its other fields are remnants ("Leak record").
        return Record(
            offset, len(data), "leak", state, file=_zero_ended(data, name), folder=folder if folder < _MOST_FOLDERS else None,
            size=_u32(data, 32), cut=name >= len(data),
        )  # fmt: skip
    flags, at, length, checked, hits = struct.unpack_from("<III4xII", data, 68 if old else 64)
    expires = times.filetime(_u64(data, 24)) if old else fat_time(_u32(data, 24))
    size = _u32(data, 32) if old else _u64(data, 32)
    body = data[at : at + min(length, _LONGEST_DATA)] if at >= 64 else b""
    return Record(
        offset, len(data), "url", state,
        location=_zero_ended(data, where), file=_zero_ended(data, name), folder=folder if folder < _MOST_FOLDERS else None,
        size=size, primary=times.filetime(_u64(data, 16)), secondary=times.filetime(_u64(data, 8)), expires=expires,
        checked=fat_time(checked), hits=hits, posted=bool(flags & _FLAG_POST), doomed=bool(flags & _FLAG_DELETE), data=body,
        cut=where >= len(data) or (at >= 64 and at + length > len(data)),
    )  # fmt: skip


def place_of(location: str) -> Place:
    """Return store, user and address of a location ("URL record types"); an address has no user before it where there is none."""
    if location.startswith("Visited: "):
        user, _, url = location[9:].partition("@")
        return Place("visited", user, url)
    match = _DATES.match(location)
    if match:
        user, _, url = location[match.end() :].partition("@")
        first, last = (timegm((int(d[:4]), int(d[4:6]), int(d[6:]), 0, 0, 0)) if _is_date(d) else 0 for d in match.groups())
        return Place("daily" if last - first <= 86400 else "weekly", user, url)
    scheme, colon, rest = location.partition(":")
    if colon and scheme.lower() in _SCHEMES:
        user, at, url = rest.partition("@") if scheme.lower() in ("cookie", "userdata") else ("", "", rest)
        return Place(scheme.lower(), user, url if at else rest)
    return Place("cache", "", location)


def _is_date(text: str) -> bool:
    return "19700102" <= text < "22000101" and "01" <= text[4:6] <= "12" and "01" <= text[6:] <= "31"


def cached_user(data: bytes) -> str:
    """Return the user whom a cached answer's headers end with (``~U:name``), "" for none."""
    at = data.rfind(b"~U:")
    return _text(data[at + 3 : at + 259].split(b"\r")[0]) if at >= 0 else ""


def visit_values(data: bytes) -> dict[int, str]:
    """Return the texts in a visited record's data by their type: 0x10 the page's title, 0x15 its icon, 0x16 a file's address.

    Entries ("Visited URL record data"): u16 size of the whole entry, u8 type, u8 type of value (0x1e ANSI, 0x1f UTF-16), the value.
    """
    found: dict[int, str] = {}
    at = 0
    while at + 4 <= len(data) and len(found) < 64:
        size = int.from_bytes(data[at : at + 2], "little")
        if size < 4:
            break
        value = data[at + 4 : at + size]
        if data[at + 3] == 0x1F:
            found.setdefault(data[at + 2], value.decode("utf-16-le", "replace").partition("\0")[0][:2048])
        elif data[at + 3] == 0x1E:
            found.setdefault(data[at + 2], _text(value[:2048]))
        at += size
    return found


class Download(NamedTuple):
    """A download. ``started``: nanoseconds since 1970; ``size`` and ``received`` in bytes; ``referrer``: the page that it came from."""

    state: str
    started: int | None
    size: int
    received: int
    url: str
    path: str
    referrer: str


_STATES = {1: "in progress", 3: "paused", 6: "interrupted", 11: "complete"}


def read_download(data: bytes) -> Download | None:
    """Return what the data of a download's record say ("Download URL record data"), ``None`` if it is none or breaks off.

    Internet Explorer 10, 11 and Edge keep the same in ``ResponseHeaders`` of the container ``iedownload``. Behind 312 bytes are texts in
    UTF-16: a company and a page by flags, then the address, and last the file's path.
    """
    if len(data) < 316:
        return None
    state, started = _u32(data, 4), times.filetime(_u64(data, 36))
    size, received, flags = _u64(data, 72), _u64(data, 80), _u32(data, 120)
    rest = data[312 : 312 + (len(data) - 312) // 2 * 2].decode("utf-16-le", "replace")
    texts = [text[:_LONGEST] for text in rest.split("\0")[:64] if text]
    if not texts:
        return None
    urls = [text for text in texts if re.match(r"[A-Za-z][A-Za-z0-9+.-]{1,15}:/", text)]
    path = texts[-1] if texts[-1] not in urls else ""
    referrer = urls[-2] if flags & 0x10 and len(urls) > 1 else ""
    return Download(_STATES.get(state, ""), started, size, received, urls[-1] if urls else "", path, referrer)


def fat_time(value: int) -> int | None:
    """Return the time of a FAT date (lower 16 bits) and time ("FAT date time"; UTC here), ``None`` for none."""
    date, clock = value & 0xFFFF, value >> 16
    year, month, day = 1980 + (date >> 9), date >> 5 & 15, date & 31
    hour, minute, second = clock >> 11, clock >> 5 & 63, (clock & 31) * 2
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return None
    return times.unix(timegm((year, month, day, hour, minute, second)))


def _zero_ended(data: bytes, at: int) -> str:
    """Return the text at an offset of a record; "" for offset 0 (there is none)."""
    return _text(data[at : at + _LONGEST]) if 8 <= at < len(data) else ""


def _text(raw: bytes) -> str:
    raw = raw.partition(b"\0")[0]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")  # the machine's code page, which the file does not name


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _u64(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")
