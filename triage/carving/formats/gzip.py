"""gzip: members one behind the other, each a deflate stream with its checksum and length behind it (RFC 1952)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.zipextent import looks_packed, without_zeros
from triage.carving.zipinflate import MUCH, Budget, Ending, Inflated, inflate
from triage.escape import show_name

if TYPE_CHECKING:
    from triage.carving.window import Window

_MAGIC = b"\x1f\x8b\x08"
_MEMBERS = 1_000_000
_PART = 2048
"""Bytes of a single member that has a wrong checksum and is worth keeping: garbage seldom passes for deflate that long."""
_HEAD = 1024
_FIELD = 1024
_SYSTEMS = frozenset({*range(14), 255})


@dataclass(slots=True)
class _Member:
    """A member's header (2.3). ``start``: where its stream begins."""

    start: int
    name: bytes
    form: bytes


def _header(window: Window, at: int) -> _Member | None:
    head = window.at(at, 10 + 2 * _FIELD)
    if len(head) < 18 or not head.startswith(_MAGIC) or head[3] & 0xE0 or head[8] not in (0, 2, 4) or head[9] not in _SYSTEMS:
        return None
    flags, end, name = head[3], 10, b""
    if flags & 4:
        end += 2 + int.from_bytes(head[10:12], "little")
        if end > len(head):
            head = window.at(at, end + 2 * _FIELD)
    for flag in (8, 16):
        if flags & flag:
            stop = head.find(b"\0", end, end + _FIELD)
            if stop < 0 or any(c < 32 and c not in b"\t\n\r" for c in head[end:stop]):
                return None
            name = head[end:stop] if flag == 8 else name
            end = stop + 1
    if flags & 2:
        if zlib.crc32(head[:end]) & 0xFFFF != int.from_bytes(head[end : end + 2], "little"):
            return None
        end += 2
    if len(head) <= end or head[end] & 6 == 6:  # RFC 1951, 3.2.3: no such block
        return None
    return _Member(at + end, name, head[3:4] + head[8:10])


def _walk(window: Window) -> Walked | None:
    first = member = _header(window, 0)
    if first is None or member is None:
        return None
    budget = Budget(MUCH)
    facts: Facts = {"members": 0}
    extension, end, expanded, aligned = "gz", 0, 0, False
    for number in range(_MEMBERS):
        found = inflate(window, member.start, window.size, budget, keep=0 if number else _HEAD)
        if not number:
            extension = _extension(found.head)
            if first.name:
                facts["name"] = show_name(first.name)[0]
        if found.ending is not Ending.ENDED:
            return _cut(window, member, found, end, facts, extension)
        stop = member.start + found.consumed
        trailer = window.at(stop, 8)
        if len(trailer) < 8:
            return _cut(window, member, found, end, facts, extension)
        expanded += found.size
        facts["members"], facts["expanded_size"] = number + 1, expanded
        end = stop + 8
        if (int.from_bytes(trailer[:4], "little"), int.from_bytes(trailer[4:], "little")) != (found.crc, found.size & 0xFFFFFFFF):
            if found.consumed < _PART and not number:
                return None
            why = f"the checksum of member {number + 1} is wrong"
            return Walked(length=end, structure=Structure.DAMAGED, why=why, extension=extension, facts=facts)
        following = _header(window, end)
        # What begins exactly where a block does may be another file, unless earlier members followed elsewhere too.
        if following is None or following.form != first.form or (end % window.block == 0 and (following.name or not aligned)):
            break
        aligned, member = aligned or end % window.block != 0, following
    why = "the checksum and the length behind it are right" if facts["members"] == 1 else "those behind each of its members are right"
    return Walked(length=end, structure=Structure.COMPLETE, why=why, extension=extension, checked=True, facts=facts)


def _cut(window: Window, member: _Member, found: Inflated, end: int, facts: Facts, extension: str) -> Walked | None:
    """Return what there is of a file whose last member does not end."""
    reached = min(member.start + found.consumed, window.size)
    reached = without_zeros(window, member.start, reached)
    if not end and not looks_packed(window, member.start, reached):
        return None
    facts["expanded_size"] = int(facts.get("expanded_size", 0)) + found.size
    why = {
        Ending.BROKEN: f"what follows byte {reached} is not compressed data of it",
        Ending.SPENT: f"up to byte {reached} it expands to {found.size} bytes: given up",
    }.get(found.ending, "the space ends inside it")
    return Walked(length=reached, structure=Structure.TRUNCATED, why=why, extension=extension, valid=end or member.start, facts=facts)


def _extension(head: bytes) -> str:
    """Tell what is compressed by its first bytes: TAR archives (POSIX.1 pax, ustar) and SVG have extensions of their own."""
    if head[257:262] == b"ustar":
        return "tgz"
    return "svgz" if b"<svg" in head and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "gz"


FORMATS = (Format(name="gzip", extension="gz", headers=(Header(_MAGIC),), walk=_walk),)
