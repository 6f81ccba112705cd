"""Property lists of Apple systems: binary ones, whose trailer is the only thing that says where they end, and those in XML.

Formats: the comment at the head of Apple's CFBinaryPList.c; the document type PropertyList-1.0. A binary one is believed when its
trailer says that the table of objects ends right in front of it, and checked when the objects fill what lies between header and table.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_LARGEST = 32 << 20
_FIRST = 64 << 10
_OBJECTS = 1 << 20
_TRIED = 32
_NEAR = 4096
"""Objects that are tried, and bytes behind the last one in which a trailer is looked for, before a long search."""
_TRAILER = struct.Struct(">5xBBBQQQ")
_SIZES = re.compile(rb"[\x01-\x08][\x01-\x08]\0\0\0\0")
"""In a trailer: bytes of an offset, bytes of a reference, and the upper half of the count of objects."""


def _walk_binary(window: Window) -> Walked | None:
    head = window.at(0, 16)
    if len(head) < 16 or not _begins(head[8]):
        return None
    for data in _growing(window):
        if len(data) <= _FIRST and not any(_plausible(data, refs) for refs in (1, 2, 3, 4)):
            return None
        for end in _trailers(data):
            walked = _binary(data[:end])
            if walked is not None:
                return walked
    return None


def _growing(window: Window) -> Iterator[bytes]:
    """Yield the beginning of the window, more each time: most lists are small."""
    size = _FIRST
    while True:
        data = window.at(0, min(size, _LARGEST))
        yield data
        if len(data) < size or size >= _LARGEST:
            return
        size *= 8


def _begins(marker: int) -> bool:
    return marker >> 4 in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13) or marker in (0, 8, 9)


def _plausible(data: bytes, refs: int) -> bool:
    """Whether objects follow each other from the header on, were references of so many bytes: before far more is searched for an end."""
    at = empty = 0
    end = 8
    for _ in range(_TRIED):
        at = end
        if at + 40 > len(data):  # what is left may be table and trailer
            return True
        kind = data[at] >> 4
        empty = empty + 1 if data[at] == 0 else 0
        end = _object_end(data, at, refs, 1 << 62)
        if end < 0 or empty > 1:
            return _trailer_near(data, at)
        if kind == 5 and not data[end - min(end - at - 1, 64) : end].isascii():
            return False
    return True


def _trailer_near(data: bytes, at: int) -> bool:
    """Whether a trailer comes so soon that the objects may have ended here."""
    return next(_trailers(data[: at + _NEAR]), 0) > 0


def _trailers(data: bytes) -> Iterator[int]:
    """Yield where the file would end, for every trailer that says that its table ends in front of it."""
    for match in _SIZES.finditer(data, 8 + 1 + 6):
        start = match.start() - 6
        if any(data[start : start + 6]) or start + 32 > len(data):
            continue
        _, size, refs, count, top, table = _TRAILER.unpack_from(data, start)
        if top < count <= _OBJECTS and table >= 9 and table + count * size == start and refs <= 8:
            yield start + 32


def _binary(data: bytes) -> Walked | None:
    _, size, refs, count, top, table = _TRAILER.unpack_from(data, len(data) - 32)
    raw = data[table : table + count * size]
    offsets = [int.from_bytes(raw[at : at + size], "big") for at in range(0, len(raw), size)]
    wrong = [at for at in offsets if not 8 <= at < table]
    if wrong:
        return None
    facts: Facts = {"objects": count}
    kind = data[offsets[top]] >> 4
    facts["top"] = {13: "dictionary", 10: "array"}.get(kind, "value")
    places = sorted(set(offsets))
    ends = [_object_end(data, at, refs, table) for at in places]
    length = len(data)
    if places[0] == 8 and ends == [*places[1:], table]:
        why = "its trailer was found, and its objects fill it"
        return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=True, facts=facts)
    none = sum(end < 0 for end in ends)
    if none:
        if none * 2 > count:
            return None
        why = f"{none} of its {count} objects are none"
        return Walked(length=length, structure=Structure.DAMAGED, why=why, facts=facts)
    return Walked(length=length, structure=Structure.COMPLETE, why="its trailer was found", facts=facts)


def _object_end(data: bytes, at: int, refs: int, table: int) -> int:
    """Return where an object ends, -1 for what is none."""
    kind, low = data[at] >> 4, data[at] & 15
    if kind == 0:
        return at + 1 if low in (0, 8, 9, 15) else -1
    if kind in (1, 2, 3):
        end = at + 1 + (1 << low) if low <= 4 else -1
    elif kind == 8:
        end = at + 2 + low
    elif kind in (4, 5, 6, 7, 10, 11, 12, 13):
        start, count = at + 1, low
        if low == 15:
            if data[start] >> 4 != 1 or data[start] & 15 > 3:
                return -1
            width = 1 << (data[start] & 15)
            count = int.from_bytes(data[start + 1 : start + 1 + width], "big")
            start += 1 + width
        end = start + count * {6: 2, 10: refs, 11: refs, 12: refs, 13: 2 * refs}.get(kind, 1)
    else:
        end = -1
    return end if end <= table else -1


# -- XML --------------------------------------------------------------------------------------------------------------------------

_BEGIN = re.compile(rb"\A(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}\?>\s{0,16}(?:<!DOCTYPE plist[^>]{0,200}>\s{0,16})?<plist[ >]")
_END = b"</plist>"
_NO_TEXT = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f]")
_PAIRS = (b"dict", b"array", b"key", b"string", b"data", b"integer", b"date", b"real")
_BETWEEN = re.compile(
    rb"(?:</(?:dict|array|key|string|data|integer|date|real)>|<(?:dict|array)>|<(?:dict|array|true|false|string)/>)\s*[^\s<]"
)
"""Text where only blanks may be."""
_KEY = re.compile(rb"<key>([^<]{1,80})</key>")


def _walk_xml(window: Window) -> Walked | None:
    head = window.at(0, 1024)
    begin = _BEGIN.match(head)
    if begin is None:
        return None
    end = window.find(_END, begin.end(), _LARGEST)
    stop = window.search(_NO_TEXT, begin.end(), end if end >= 0 else _LARGEST, longest=1)
    again = window.find(b"<?xml", begin.end(), end if end >= 0 else (stop[0] if stop else _LARGEST))
    limits = [at for at in (stop[0] if stop else -1, again) if at >= 0]
    if end < 0 or limits:
        limit = min(limits, default=min(window.size, _LARGEST))
        data = window.at(0, limit)
        if data.count(b"</key>") < 2:
            return None
        kept = data.rfind(b">") + 1
        why = (
            "what follows is no text"
            if stop and limit == stop[0]
            else "another document begins there"
            if limits
            else "its end is not there"
        )
        return Walked(length=kept, structure=Structure.TRUNCATED, why=why, facts=_keys(data))
    data = window.at(0, end + len(_END))
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is no text"
        return Walked(length=_line_end(window, len(data)), structure=Structure.DAMAGED, why=why, facts=_keys(data))
    uneven = [name for name in _PAIRS if data.count(b"<" + name + b">") != data.count(b"</" + name + b">")]
    length = _line_end(window, len(data))
    if uneven or _BETWEEN.search(data):
        why = "its elements do not close as they open" if uneven else "text stands between its elements"
        return Walked(length=length, structure=Structure.DAMAGED, why=why, facts=_keys(data))
    why = "its closing element was reached"
    return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=True, facts=_keys(data))


def _line_end(window: Window, end: int) -> int:
    """Return the end with the line end that most files have behind their closing element."""
    following = window.at(end, 2)
    if following == b"\r\n":
        return end + 2
    return end + 1 if following[:1] == b"\n" else end


def _keys(data: bytes) -> Facts:
    names = [match[1].decode("utf-8", "replace") for match in _KEY.finditer(data[:4096])]
    return {"keys": show(", ".join(names[:8]))} if names else {}


FORMATS = (
    Format(name="plist", extension="plist", headers=(Header(b"bplist0"),), walk=_walk_binary, largest=_LARGEST),
    Format(
        name="plist-xml",
        extension="plist",
        headers=(Header(b"<?xml "), Header(b"\xef\xbb\xbf<?xml ")),
        walk=_walk_xml,
        largest=_LARGEST,
    ),
)
