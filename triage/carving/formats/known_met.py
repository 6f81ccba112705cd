"""eMule's and aMule's known.met, the list of files that were shared or downloaded, and part.met, one download that was not finished.

Format: aMule source, KnownFile.cpp, KnownFileList.cpp, PartFile.cpp, Tag.cpp. Neither has a signature worth the name, so that every record
must be right to its last tag: a time, a hash, hashes of parts, and tags of which one is the file's name.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_LARGEST = 64 << 20
_FIRST = 64 << 10
_RECORDS = 1_000_000
_TAGS = 4096
_NAMED = 3
_PARTS = 8192
_EARLIEST, _LATEST = 946_684_800, 2_208_988_800
"""Times that are believed, in seconds since 1970: 2000 to 2040. 0 is one as well."""
_WIDTHS = {1: 16, 3: 4, 4: 4, 5: 1, 8: 2, 9: 1, 0x0B: 8}
"""Bytes of a tag's value by its type; those with a length of their own are read apart."""
_NAME, _SIZE = 1, 2


def _begins(window: Window, at: int) -> bool:
    """Whether a record could begin there: a few bytes tell, before many are read."""
    head = window.at(at, 26)
    if len(head) < 26:
        return False
    when, parts = int.from_bytes(head[:4], "little"), int.from_bytes(head[20:22], "little")
    if (when and not _EARLIEST <= when <= _LATEST) or parts > _PARTS:
        return False
    count = int.from_bytes(window.at(at + 22 + 16 * parts, 4) if parts else head[22:26], "little")
    return 0 < count <= _TAGS


class _Cut(Exception):  # noqa: N818 - never leaves this file
    """The bytes end inside a record."""


class _Wrong(Exception):  # noqa: N818 - never leaves this file
    """What should be a record is none."""


def _record(data: bytes, at: int) -> tuple[int, str, int, bytes]:
    """Return where a record ends, the file's name, its size in bytes, and its ed2k hash."""
    if at + 22 > len(data):
        raise _Cut
    when, digest, parts = struct.unpack_from("<I16sH", data, at)
    if (when and not _EARLIEST <= when <= _LATEST) or parts > _PARTS:
        raise _Wrong
    at += 22 + 16 * parts
    if at + 4 > len(data):
        raise _Cut
    count = int.from_bytes(data[at : at + 4], "little")
    at += 4
    if not 0 < count <= _TAGS:
        raise _Wrong
    name, size = "", 0
    for _ in range(count):
        at, ident, value = _tag(data, at)
        if ident == _NAME and isinstance(value, str) and not name:
            name = value
        elif ident == _SIZE and isinstance(value, int):
            size = value
    if not name or "\0" in name or (size and parts > size // 9_728_000 + 1) or not any(digest):
        raise _Wrong
    return at, name, size, digest


def _tag(data: bytes, at: int) -> tuple[int, int, str | int | None]:
    """Return where a tag ends, its number (-1 for one with a name of several bytes), and its value when it is text or a number."""
    if at + 3 > len(data):
        raise _Cut
    kind = data[at]
    at += 1
    if kind & 0x80:
        kind, ident = kind & 0x7F, data[at]
        at += 1
    else:
        length = int.from_bytes(data[at : at + 2], "little")
        if not 0 < length <= 256:
            raise _Wrong
        ident = data[at + 2] if length == 1 and at + 2 < len(data) else -1
        at += 2 + length
    if at + 4 > len(data):
        at_end = at + (_WIDTHS.get(kind, 4) if kind != 2 else 4)
        if at_end > len(data):
            raise _Cut
    if kind == 2 or 0x11 <= kind <= 0x20:
        size = int.from_bytes(data[at : at + 2], "little") if kind == 2 else kind - 0x10
        at += 2 if kind == 2 else 0
        return _past(data, at + size), ident, data[at : at + size].decode("utf-8", "replace")
    if kind == 7:
        return _past(data, at + 4 + int.from_bytes(data[at : at + 4], "little")), ident, None
    if kind == 0x0A:
        return _past(data, at + 1 + data[at]), ident, None
    if kind not in _WIDTHS:
        raise _Wrong
    end = _past(data, at + _WIDTHS[kind])
    return end, ident, int.from_bytes(data[at:end], "little") if kind in (3, 8, 9, 0x0B) else None


def _past(data: bytes, end: int) -> int:
    if end > len(data):
        raise _Cut
    return end


def _walk_known(window: Window) -> Walked | None:
    count = int.from_bytes(window.at(1, 4), "little")
    if not 0 < count <= _RECORDS or not _begins(window, 5):
        return None
    names: list[str] = []
    data = window.at(0, _FIRST)
    at, done = 5, 0
    while done < count:
        try:
            end, name, _, _ = _record(data, at)
        except (_Cut, IndexError):
            if len(data) >= min(window.size, _LARGEST):
                break
            data = window.at(0, min(len(data) * 8, _LARGEST))
            continue
        except _Wrong:
            break
        at = end
        done += 1
        if len(names) < _NAMED:
            names.append(name[:100])
    if not done:
        return None
    facts: Facts = {"files": done, "names": show(" | ".join(names))}
    if done < count:
        if done < 2:
            return None
        why = f"{done} of {count} records are there"
        return Walked(length=at, structure=Structure.TRUNCATED, why=why, facts=facts)
    return Walked(length=at, structure=Structure.COMPLETE, why="all its records are there", checked=True, facts=facts)


def _walk_part(window: Window) -> Walked | None:
    if not _begins(window, 1):
        return None
    data = window.at(0, _FIRST)
    try:
        try:
            end, name, size, digest = _record(data, 1)
        except (_Cut, IndexError):
            if len(data) >= window.size:
                return None
            end, name, size, digest = _record(window.at(0, _FIRST * 32), 1)
    except (_Cut, _Wrong, IndexError):
        return None
    if not size:
        return None
    facts: Facts = {"name": show(name[:200]), "size": size, "ed2k": digest.hex()}
    return Walked(length=end, structure=Structure.COMPLETE, why="its last tag was reached", checked=True, facts=facts)


FORMATS = (
    Format(
        name="known-met",
        extension="met",
        # Two certain bytes and no more: it begins files, and is not looked for at every byte.
        headers=(Header(b"\x0e\0\0\0", mask=b"\xff\0\0\xff"), Header(b"\x0f\0\0\0", mask=b"\xff\0\0\xff")),
        walk=_walk_known,
        largest=_LARGEST,
    ),
    Format(
        name="part-met",
        extension="part.met",
        headers=(Header(b"\xe0\0", mask=b"\xff\0"), Header(b"\xe2\0", mask=b"\xff\0")),
        walk=_walk_part,
        largest=_FIRST * 32,
    ),
)
