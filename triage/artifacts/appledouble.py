"""Extended attributes that macOS keeps beside a file on other file systems and in archives (``._name``, AppleDouble), and what is in them.

Formats: RFC 1740, appendix B (u32 0x00051607, u32 version, 16 bytes, u16 count, entries of u32 number, u32 place, u32 length);
Apple's copyfile and XNU (``vfs_xattr.c``): behind the 32 bytes of the Finder's information (entry 9) and two more stands ``ATTR``, u32
tag, u32 whole size, u32 place of data, u32 their length, 12 bytes, u16 flags, u16 count, then for each attribute u32 place, u32 length,
u16 flags, u8 length of the name, the name with a zero, filled up to four bytes. Places count from the file's start. All big-endian.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts import times
from triage.artifacts.fileaddress import shown
from triage.artifacts.plist import Date, parse_plist
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from triage.artifacts.plist import Value
    from triage.model import Json

MAGIC = b"\0\5\x16\7"
MAX_BYTES = 4 << 20
WHERE_FROM, QUARANTINE = "com.apple.metadata:kMDItemWhereFroms", "com.apple.quarantine"
DOWNLOADED, COMMENT, USED = (
    "com.apple.metadata:kMDItemDownloadedDate",
    "com.apple.metadata:kMDItemFinderComment",
    "com.apple.lastuseddate#PS",
)
XDG_URL, XDG_REFERRER = "user.xdg.origin.url", "user.xdg.referrer.url"
_FINDER, _MOST_ENTRIES, _MOST_ATTRIBUTES, _MOST_URLS = 9, 64, 500, 20
_MAIL = re.compile(r"(?:message:|[^\s<>@/]{1,100} <[^\s<>@/]{1,100}@)")


class Attribute(NamedTuple):
    """An extended attribute: its name, and where in the file its bytes are."""

    name: str
    offset: int
    length: int


def read_attributes(data: bytes) -> tuple[list[Attribute], tuple[str, ...]]:
    """Return the extended attributes of an AppleDouble file, and notes. Raises :class:`StructureError` for what is none."""
    if data[:4] != MAGIC or len(data) < 26:
        raise StructureError("no AppleDouble file")
    notes, found = Notes(), list[Attribute]()
    place = 0
    for number in range(min(int.from_bytes(data[24:26], "big"), _MOST_ENTRIES, (len(data) - 26) // 12)):
        kind, offset, length = struct.unpack_from(">3I", data, 26 + 12 * number)
        if kind == _FINDER and length > 34:
            place = offset + 34
            break
    if not place or data[place : place + 4] != b"ATTR":
        return found, ()
    if place + 36 > len(data):
        return found, ("the attributes of an AppleDouble file break off",)
    count = int.from_bytes(data[place + 34 : place + 36], "big")
    at = place + 36
    for _ in range(min(count, _MOST_ATTRIBUTES)):
        if at + 11 > len(data):
            break
        offset, length, _flags, size = struct.unpack_from(">IIHB", data, at)
        name = shown(data[at + 11 : at + 11 + size].rstrip(b"\0").decode("utf-8", "replace"))
        if offset + length > len(data):
            notes.add("an attribute of an AppleDouble file breaks off, and was left out")
        elif name:
            found.append(Attribute(name, offset, length))
        at += (11 + size + 3) // 4 * 4
    if count > _MOST_ATTRIBUTES or at > len(data):
        notes.add("not all attributes of an AppleDouble file can be read")
    return found, notes.lines()


def origin_of(attributes: dict[str, bytes]) -> Json:
    """Return what attributes say of where a file came from: ``host_url``, ``referrer_url``, ``time``, ``program``; empty for nothing.

    Values of other attributes that tell more of it stand beside: ``downloaded``, ``last_used``, ``comment``. Values that cannot be read
    are named in ``unread``.
    """
    said: Json = {}
    unread = []
    for name, raw in attributes.items():
        told = _VALUES[name](raw) if name in _VALUES else {}
        if told is None:
            unread.append(name)
        elif told:
            said |= {key: value for key, value in told.items() if value not in (None, "", [])}
    if unread:
        said["unread"] = sorted(unread)
    return said


def _where_from(raw: bytes) -> Json | None:
    value = _plist(raw)
    texts = [shown(one, 8192) for one in (value if isinstance(value, list) else [value]) if isinstance(one, str) and one][:_MOST_URLS]
    if not texts:
        return None if not isinstance(value, list) or value else {}
    if _MAIL.match(texts[0]) or (len(texts) > 2 and "://" not in texts[0]):  # a mail: sender, subject, message
        return {"mail": texts}
    return {"host_url": texts[0], "referrer_url": texts[1] if len(texts) > 1 else "", "more": texts[2:]}


def _quarantine(raw: bytes) -> Json | None:
    parts = raw[:4096].rstrip(b"\0").decode("utf-8", "replace").split(";")
    if len(parts) < 3 or not re.fullmatch(r"[0-9a-fA-F]{1,8}", parts[0]):
        return None
    when = times.unix(int(parts[1], 16)) if re.fullmatch(r"[0-9a-fA-F]{1,10}", parts[1]) else None
    return {
        "time": times.iso(when),
        "program": shown(parts[2].replace("\\x20", " "), 200),
        "flags": parts[0].lower(),
        "event": shown(parts[3], 100) if len(parts) > 3 else "",
    }


def _downloaded(raw: bytes) -> Json | None:
    value = _plist(raw)
    first = value[0] if isinstance(value, list) and value else value
    return {"downloaded": times.iso(first.nanoseconds)} if isinstance(first, Date) else None


def _comment(raw: bytes) -> Json | None:
    value = _plist(raw)
    return {"comment": shown(value, 4000)} if isinstance(value, str) else None


def _used(raw: bytes) -> Json | None:
    """Seconds and nanoseconds since 1970, 64 bits each, little-endian."""
    return {"last_used": times.iso(times.unix(int.from_bytes(raw[:8], "little")))} if len(raw) == 16 else None


def _url(raw: bytes) -> Json:
    return {"host_url": shown(raw.rstrip(b"\0").decode("utf-8", "surrogateescape"), 8192)}


def _referrer(raw: bytes) -> Json:
    return {"referrer_url": _url(raw)["host_url"]}


_VALUES = {
    WHERE_FROM: _where_from, QUARANTINE: _quarantine, DOWNLOADED: _downloaded, COMMENT: _comment, USED: _used,
    XDG_URL: _url, XDG_REFERRER: _referrer,
}  # fmt: skip
KNOWN = tuple(_VALUES)


def _plist(raw: bytes) -> Value:
    try:
        return parse_plist(raw).value
    except StructureError:
        return None
