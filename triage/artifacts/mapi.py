"""MAPI properties ([MS-OXPROPS], [MS-OXCDATA] 2.11): the values that Outlook keeps in MSG, PST and TNEF files, by their numbers.

A property has a number of 16 bits and a type. Numbers from 0x8000 on stand for other things in each file; a table in the file says for
which ([MS-OXMSG] 2.2.3, [MS-PST] 2.4.7). Those of the sets that calendars, contacts and tasks use get wide numbers here that are the same
everywhere: the set's number above the property's (``0x2004_8083``: set 00062004, e-mail address).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from triage.artifacts import times

Properties = dict[int, Any]

INT16, INT32, FLOAT, DOUBLE, CURRENCY, APP_TIME, BOOLEAN, OBJECT, INT64 = 2, 3, 4, 5, 6, 7, 0xB, 0xD, 0x14
STRING8, STRING, TIME, GUID, BINARY, MULTIPLE = 0x1E, 0x1F, 0x40, 0x48, 0x102, 0x1000
FIXED = {INT16: 2, INT32: 4, FLOAT: 4, DOUBLE: 8, CURRENCY: 8, APP_TIME: 8, 0xA: 4, BOOLEAN: 2, INT64: 8, TIME: 8}
"""Bytes of the types whose values stand where the property does."""

BODY, HTML, RTF, ATTACHED = 0x1000, 0x1013, 0x1009, 0x3701
BODIES = (BODY, HTML, RTF)
METHOD_EMBEDDED, METHOD_OLE = 5, 6

_SET_END = bytes.fromhex("0000 0000 c000 000000000046")
_SETS = {0x00062002: 0x2002, 0x00062003: 0x2003, 0x00062004: 0x2004, 0x00062008: 0x2008}
_MOST_NAMES = 65_536
_PAGES = {
    20127: "ascii", 20866: "koi8_r", 21866: "koi8_u", 50220: "iso2022_jp", 50221: "iso2022_jp", 50222: "iso2022_jp", 50225: "iso2022_kr",
    51932: "euc_jp", 51949: "euc_kr", 51936: "gb2312", 52936: "hz", 54936: "gb18030", 65000: "utf-7", 65001: "utf-8", 10000: "mac_roman",
    936: "gbk", 1361: "johab",
}  # fmt: skip
_WESTERN = "cp1252"


@dataclass(slots=True)
class Attached:
    """A file with a message. ``steps``: how its bytes are had, none if they are not here; ``inner``: a message that is attached."""

    properties: Properties
    steps: list[list[Any]] = field(default_factory=list)
    size: int = 0
    inner: Message | None = None
    why: str = ""

    @property
    def name(self) -> str:
        """The long name, or the short one, or what it is shown as."""
        for number in (0x3707, 0x3704, 0x3001):
            found = text(self.properties, number)
            if found:
                return found
        return ""

    @property
    def mime(self) -> str:
        """What it is, as the sender said."""
        return text(self.properties, 0x370E)[:200]


@dataclass(slots=True)
class Message:
    """A message. ``places``: how the bytes of its bodies are had, and how many they are, by property; they may be cut in ``properties``."""

    properties: Properties
    recipients: list[Properties] = field(default_factory=list)
    attached: list[Attached] = field(default_factory=list)
    places: dict[int, tuple[list[list[Any]], int]] = field(default_factory=dict)
    where: tuple[tuple[int, int], ...] = ()

    @property
    def kind(self) -> str:
        """Its class in lower case (``ipm.note``)."""
        return text(self.properties, 0x001A).lower()


def text(properties: Properties, *numbers: int) -> str:
    """Return the first of some properties that is a text and not empty, cut at its first NUL."""
    for number in numbers:
        value = properties.get(number)
        if isinstance(value, str):
            value = value.partition("\0")[0].strip()
            if value:
                return value
    return ""


def number_of(properties: Properties, number: int) -> int:
    """Return a property that is a whole number, 0 for none."""
    value = properties.get(number)
    return int(value) if isinstance(value, int) else 0


def time_of(properties: Properties, *numbers: int) -> int | None:
    """Return the first of some properties that is a time, in nanoseconds since 1970."""
    for number in numbers:
        value = properties.get(number)
        if isinstance(value, int) and not isinstance(value, bool):
            found = times.filetime(value)
            if found is not None:
                return found
    return None


def charset_of(page: int) -> str:
    """Return Python's name of a Windows code page; that of Western Europe for what is none."""
    if page in _PAGES:
        return _PAGES[page]
    if 28591 <= page <= 28606:
        return f"iso8859_{page - 28590}"
    if 1250 <= page <= 1258 or page in (437, 737, 775, 850, 852, 855, 857, 860, 861, 862, 863, 864, 865, 866, 869, 874, 932, 949, 950):
        return f"cp{page}"
    return _WESTERN


def letters(raw: bytes, charset: str = _WESTERN) -> str:
    """Return the text of some bytes; damage is replaced. What is stated to be UTF-8 and is not is taken for Western Europe's."""
    if charset == "utf-8":
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            if error.end < len(raw) - 3:  # not only a letter that was cut at the end
                charset = _WESTERN
    try:
        return raw.decode(charset, "replace")
    except (LookupError, ValueError):
        return raw.decode("latin-1")


def value_of(kind: int, raw: bytes, charset: str = _WESTERN) -> Any:
    """Return a value of a type; ``None`` for types that are not read and for too few bytes."""
    if kind == STRING:
        return raw[: len(raw) // 2 * 2].decode("utf-16-le", "replace")
    if kind == STRING8:
        return letters(raw, charset)
    if kind == BINARY:
        return raw
    length = FIXED.get(kind)
    if length is None or len(raw) < length:
        return None
    if kind == BOOLEAN:
        return raw[0] != 0
    if kind in (FLOAT, DOUBLE, APP_TIME):
        found = struct.unpack_from("<f" if kind == FLOAT else "<d", raw)[0]
        return found if found == found and abs(found) < 1e300 else None  # noqa: PLR0124 - not a number
    return int.from_bytes(raw[:length], "little", signed=kind in (INT16, INT32, INT64, CURRENCY))


def pages_of(properties: Properties) -> str:
    """Return the character set of a message's 8-bit texts, by the code pages that it states (0x3FFD, 0x3FDE)."""
    for number in (0x3FFD, 0x3FDE):
        value = properties.get(number)
        if isinstance(value, int) and value > 0:
            return charset_of(value)
    return _WESTERN


def names_of(guids: bytes, entries: bytes) -> dict[int, int]:
    """Return the wide numbers of a file's own numbers, of the sets that are known here.

    ``guids``: sets of 16 bytes each, counted from 3 on; ``entries``: u32 number, u16 with the set's place above its lowest bit (which says
    whether it is a name instead), u16 place from 0x8000 on.
    """
    found: dict[int, int] = {}
    for at in range(0, min(len(entries) // 8, _MOST_NAMES) * 8, 8):
        number, kind, place = struct.unpack_from("<IHH", entries, at)
        start = ((kind >> 1) - 3) * 16
        guid = guids[start : start + 16] if start >= 0 else b""
        if kind & 1 or len(guid) < 16 or number > 0xFFFF or guid[4:] != _SET_END:
            continue
        known = _SETS.get(int.from_bytes(guid[:4], "little"))
        if known is not None and place < 0x8000:
            found[0x8000 + place] = known << 16 | number
    return found
