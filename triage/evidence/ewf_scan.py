"""The sections of a damaged E01 segment: those whose descriptor can be believed, and what may lie between them.

A descriptor is believed when its Adler-32 is right and it says where it lies itself: ``next`` is its own offset plus its size
(its own offset in ``next`` and ``done``). A copy of one somewhere else, or an E01 stored inside the medium, fails the second.
Sections lie back to back (specification, section 2): what is between two believed ones is a stretch whose sections lost their
descriptors, and some of those can still be told by the checksum of their body.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.evidence.ewf_index import DESCRIPTOR, VOLUME_BODY, checksum_fits
from triage.evidence.medium import open_read_only, pread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST = 13
"""Where a segment's first section begins: behind the file header."""
_TYPES = ("header", "header2", "volume", "disk", "data", "sectors", "table", "table2", "next", "done", "digest", "hash", "error2",
          "session", "incomplete", "xheader", "xhash")  # fmt: skip
_PATTERNS = tuple(name.encode().ljust(16, b"\0") for name in _TYPES)
_KNOWN_BODIES = (("data", VOLUME_BODY), ("digest", 80), ("hash", 36))
_LAST = ("next", "done")
_MOST_SECTIONS = 1_000_000
_BLOCK = 4 << 20
_MAX_ENTRIES = 1 << 20
_EDGE = 1 << 20
_HEAD = 8 << 10
"""How far behind the head of a stretch a volume section may begin."""


class Section(NamedTuple):
    """A section at byte ``at`` of its segment; ``kind`` is empty for a stretch between believed ones.

    ``end`` is cut to the file; ``whole`` says that it was not cut. ``sure`` says that the descriptor was believed, not deduced.
    """

    kind: str
    at: int
    end: int
    whole: bool = True
    sure: bool = True


def read_descriptor(raw: bytes, at: int, size: int) -> Section | None:
    """Return the section whose descriptor ``raw`` lies at byte ``at`` of a file of ``size`` bytes, if it can be believed.

    A damaged one is believed when one of its fields follows from the others so that the checksum fits again, or when everything
    but the checksum and the padding does.
    """
    if len(raw) < DESCRIPTOR:
        return None
    kind = raw[:16].rstrip(b"\0").decode("ascii", "replace")
    following, length = struct.unpack_from("<QQ", raw, 16)
    if checksum_fits(raw[:72], raw[72:DESCRIPTOR]):
        return _section(kind, following, length, at, size)
    stored = raw[72:DESCRIPTOR]
    for name in (kind,) if kind in _TYPES else _TYPES:
        last = name in _LAST
        normal = ((following, length), (at + length, length), (following, following - at))
        for after, long in ((at, 0), (at, DESCRIPTOR)) if last else normal:
            if not 0 <= after < 1 << 64 or not 0 <= long < 1 << 64:
                continue
            fits = checksum_fits(struct.pack("<16sQQ40x", name.encode(), after, long), stored)
            section = _section(name, after, long, at, size)
            agrees = name == kind and (after, long) == (following, length) and (last or following == at + length)
            if section is not None and (fits or agrees):
                return section
    return None


def _section(kind: str, following: int, length: int, at: int, size: int) -> Section | None:
    if kind in _LAST:
        return Section(kind, at, at + DESCRIPTOR) if following == at else None
    if kind not in _TYPES or following < at + DESCRIPTOR or length not in (following - at, 0):
        return None
    return Section(kind, at, min(following, size), whole=following <= size)


def find_sections(file: int, size: int, beat: Callable[[], None]) -> list[Section]:
    """Return a segment's sections and the stretches between them, in order, without gaps from byte 13 on."""
    found: list[Section] = []
    at = FIRST
    while at < size and len(found) < _MOST_SECTIONS:
        section = read_descriptor(pread(file, DESCRIPTOR, at), at, size)
        if section is None:
            following = _next_section(file, at + 1, size, beat)
            found += _inside(file, at, following, found[-1].kind if found else "")
            at = following
        else:
            found.append(section)
            at = section.end
    if at < size:
        found.append(Section("", at, size))
    return found


def _next_section(file: int, start: int, size: int, beat: Callable[[], None]) -> int:
    """Return where the next believed descriptor from ``start`` on lies; ``size`` when there is none."""
    step = 4096  # grows, so that a file full of little stretches costs no more than its bytes
    while start < size:
        beat()
        block = pread(file, step + DESCRIPTOR, start)
        places: list[int] = []
        for pattern in _PATTERNS:
            place = block.find(pattern)
            while 0 <= place < step:
                places.append(place)
                place = block.find(pattern, place + 1)
        for place in sorted(places):
            # Without a chain that leads here, a section that does not say its size is not believed.
            if any(block[place + 24 : place + 32]) or block[place : place + 4] in (b"next", b"done"):
                section = read_descriptor(block[place : place + DESCRIPTOR], start + place, size)
                if section is not None:
                    return start + place
        start += step
        step = min(step * 2, _BLOCK)
    return size


def _inside(file: int, at: int, end: int, before: str) -> list[Section]:
    """Return what a stretch without believed descriptors holds: sections told by their bodies' checksums, and the rest."""
    found: list[Section] = []
    while end - at > DESCRIPTOR:
        section = _told_by_body(file, at, end, before)
        if section is None:
            break
        found.append(section)
        at, before = section.end, section.kind
    behind: list[Section] = []
    for kind, length in _KNOWN_BODIES:  # the volume section ends before the chunks, the hash section before the last descriptor
        start = end - length - DESCRIPTOR
        if start > at and _has_checksum(pread(file, length, end - length), length):
            behind.append(Section(kind, start, end, sure=False))
            end = start
            break
    if end > at:  # the volume section comes right behind the headers; later, what looks like one is the medium's
        found += _by_search(file, at, end) if before in ("", "header", "header2") else [Section("", at, end, sure=False)]
    return found + behind


def _by_search(file: int, at: int, end: int) -> list[Section]:
    """Look for a volume section at the head of a stretch, where a damaged header before it hides how far on it is."""
    length = VOLUME_BODY - 4
    for place in checksummed(pread(file, min(end - at, _HEAD), at), length):
        start = at + place - DESCRIPTOR
        if start >= at:
            before = [Section("", at, start, sure=False)] if start > at else []
            volume = Section("data", start, start + DESCRIPTOR + VOLUME_BODY, sure=False)
            return [*before, volume, *([Section("", volume.end, end, sure=False)] if volume.end < end else [])]
    return [Section("", at, end, sure=False)]


def checksummed(raw: bytes, length: int) -> list[int]:
    """Return where ``length`` bytes, not all zero, lie in front of their own Adler-32 (RFC 1950), little-endian."""
    places = len(raw) - length - 3
    if places <= 0:
        return []
    data = np.frombuffer(raw, np.uint8).astype(np.int64)
    sums = np.concatenate(([0], np.cumsum(data)))
    weighted = np.concatenate(([0], np.cumsum(data * np.arange(len(data)))))
    starts = np.arange(places)
    plain = sums[starts + length] - sums[starts]
    low = (1 + plain) % 65521
    high = (length + (length + starts) * plain - (weighted[starts + length] - weighted[starts])) % 65521
    stored = sum(data[length + n : length + n + places] << (8 * n) for n in range(4))
    fits: list[int] = np.nonzero((stored == high << 16 | low) & (plain > 0))[0].tolist()
    return fits


def _told_by_body(file: int, at: int, end: int, before: str) -> Section | None:
    body = at + DESCRIPTOR
    raw = pread(file, min(end - body, VOLUME_BODY), body)
    for kind, length in _KNOWN_BODIES:
        if _has_checksum(raw, length):
            return Section(kind, at, body + length, sure=False)
    if len(raw) >= 28 and checksum_fits(raw[:20], raw[20:24]):
        count = int.from_bytes(raw[:4], "little")
        if 0 < count <= _MAX_ENTRIES and body + 28 + 4 * count <= end:
            return Section("table2" if before == "table" else "table", at, body + 28 + 4 * count, sure=False)
    return None


def _has_checksum(raw: bytes, length: int) -> bool:
    return len(raw) >= length and any(raw[: length - 4]) and checksum_fits(raw[: length - 4], raw[length - 4 : length])


def find_heads(raw: bytes) -> Iterator[int]:
    """Yield where a table's head of 24 bytes lies whose checksum and padding are right and whose entries find room."""
    for place in checksummed(raw, 20):
        head = raw[place : place + 24]
        count = int.from_bytes(head[:4], "little")
        if count and not any(head[4:8]) and not any(head[16:20]) and place + 28 + 4 * count <= len(raw):
            yield place


def looks_like_segment(path: Path) -> bool:
    """Whether a file without an E01's first bytes holds believed descriptors at its start, or near either of its ends."""
    file = open_read_only(path)
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        if read_descriptor(pread(file, DESCRIPTOR, FIRST), FIRST, size) is not None:
            return True
        for start in (FIRST, max(FIRST, size - _EDGE)):
            end = min(size, start + _EDGE)
            if _next_section(file, start, end, lambda: None) < end:
                return True
        # Every descriptor is gone; a volume section or a table with a right checksum is still none of a raw medium's first or last.
        if checksummed(pread(file, _HEAD, 0), VOLUME_BODY - 4):
            return True
        return any(True for _ in find_heads(pread(file, _EDGE, max(0, size - _EDGE))))
    finally:
        os.close(file)
