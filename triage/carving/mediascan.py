"""Media whose index is missing: where units with lengths before them, or pictures with start codes, follow each other.

ISO/IEC 14496-15, 5.3.4 (H.264 and HEVC units in files); ISO/IEC 14496-2, 6.2 (MPEG-4 Visual), JPEG and ProRes by their beginnings.
Sound lies between the frames of a film and says nothing of itself, so a chain is taken up again behind it: some way off if three
units follow each other there, near by if another chain lies near behind that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.carving.samples import avc_unit, escaped, hevc_unit
from triage.content.signatures import at_start, elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.carving.window import Window

_FAR = 256 << 10
"""Bytes behind the end of a chain in which a long one is looked for."""
_NEAR = 8 << 10
"""Bytes behind the end of a chain in which a short one is."""
_LONG = 3
_MOST_UNITS = 1 << 18
_MOST_CHAINS = 1 << 14
_LARGEST_UNIT = 8 << 20
_LARGEST_ALONE = 1 << 20
_TRIED = 1024
_START = 64 << 10
# Four bytes of length, of which the first is 0, then the first byte of what is usual: parameter sets, delimiters, messages and slices.
_AVC = re.compile(rb"\0(?=[\0-\x7f][\0-\xff]{2}[\x01\x06\x09\x21\x25\x27\x28\x41\x61\x65\x67\x68])", re.S)
_HEVC = re.compile(rb"\0(?=[\0-\x7f][\0-\xff]{2}[\0\x02\x26\x28\x2a\x40\x42\x44\x46\x4e][\x01-\x07])", re.S)
_CODES = (("MPEG-4 Visual", b"\0\0\1\xb6"), ("JPEG", b"\xff\xd8\xff"), ("ProRes", b"icpf"))


def scan(window: Window, start: int, end: int, least: int) -> tuple[str, int, int] | None:
    """Return ``(codec, end of what is media, units)`` of media data; ``None`` when fewer units than ``least`` follow each other."""
    best: tuple[str, int, int] | None = None
    for name, pattern, coded in (("H.264", _AVC, avc_unit), ("HEVC", _HEVC, hevc_unit)):
        until, count = _chains(window, start, end, pattern, coded)
        if count >= least and (best is None or count > best[2]):
            best = (name, until, count)
    if best is not None:
        return best
    head = window.at(start, min(_START, end - start))
    found = [(head.find(code), name, code) for name, code in _CODES if code in head]
    return _codes(window, start, end, least, *min(found)[1:]) if found else None


def _chains(window: Window, start: int, end: int, pattern: re.Pattern[bytes], coded: Callable[[bytes], bool]) -> tuple[int, int]:
    """Follow chains of units until none is found any more; return where the last ends and how many units there were."""
    until, count, last = _follow(window, start, end, coded, _MOST_UNITS)
    for _ in range(_MOST_CHAINS):
        found = _next_chain(window, until, end, pattern, coded, _MOST_UNITS - count)
        if found is None:
            break
        other = _other_file(window, last, found[3])
        if other >= 0:
            return min(until, other), count
        until, count, last = found[0], count + found[1], found[2]
    return until, count


def _other_file(window: Window, start: int, end: int) -> int:
    """Return at which border of blocks another file begins, by its header; -1 for none. A chain may go on in another film."""
    block = window.block
    for border in range(start // block * block + block, min(end, start + _FAR) + 1, block):
        head = window.at(border, 64)
        if at_start(head, window.size) or elsewhere(head, window.size):
            return border
    return -1


def _next_chain(
    window: Window, start: int, end: int, pattern: re.Pattern[bytes], coded: Callable[[bytes], bool], most: int
) -> tuple[int, int, int, int] | None:
    """Return end, units, the last one's start and the start of the next chain that is long enough, or of two that are near each other."""
    for reach in (_NEAR, _FAR):
        chain = _chain_within(window, start, min(end, start + reach), end, pattern, coded, most)
        if chain is not None:
            return chain
    return None


def _chain_within(
    window: Window, start: int, stop: int, end: int, pattern: re.Pattern[bytes], coded: Callable[[bytes], bool], most: int
) -> tuple[int, int, int, int] | None:
    """Return the same of the first such chain that begins before ``stop``."""
    data = window.at(start, stop - start)
    for number, found in enumerate(pattern.finditer(data)):
        if number >= _TRIED:
            break
        place = start + found.start()
        until, count, last = _follow(window, place, end, coded, most)
        if count >= _LONG:
            return until, count, last, place
        if count and found.start() < _NEAR and _alone(window, place, until):
            near = window.at(until, min(_NEAR, end - until))
            for second in list(pattern.finditer(near))[:_TRIED]:
                reached, more, _ = _follow(window, until + second.start(), end, coded, _LONG)
                if more >= _LONG or (more and _alone(window, until + second.start(), reached)):
                    return until, count, last, place
    return None


def _alone(window: Window, start: int, end: int) -> bool:
    """Whether a short chain is one by what is in it as well."""
    data = window.at(start, end - start) if end - start <= _LARGEST_ALONE else b""
    at = 0
    while at + 5 < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < 16 or not escaped(data, at + 5, at + 4 + length):
            return False
        at += 4 + length
    return bool(data)


def _follow(window: Window, offset: int, end: int, coded: Callable[[bytes], bool], most: int) -> tuple[int, int, int]:
    """Follow units with four bytes of length each; return where they stop, how many they were, and where the last begins."""
    count, last = 0, offset
    while count < most:
        head = window.at(offset, 6)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 6 or not 2 <= length <= _LARGEST_UNIT or offset + 4 + length > end or not coded(head[4:]):
            break
        last, offset = offset, offset + 4 + length
        count += 1
    return offset, count, last


def _codes(window: Window, start: int, end: int, least: int, name: str, code: bytes) -> tuple[str, int, int] | None:
    """Count the beginnings of pictures; stop where none comes for long."""
    until, count = start, 0
    while count < _MOST_UNITS:
        found = window.find(code, until, min(until + _FAR, end))
        if found < 0:
            break
        until, count = found + len(code), count + 1
    return (name, until, count) if count >= least else None
