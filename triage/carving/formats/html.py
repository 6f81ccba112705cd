"""Web pages: text from ``<!DOCTYPE html`` or ``<html`` to ``</html>`` and what little follows it (HTML Living Standard, 13.1).

Pages may leave out ``</html>`` (13.1.2.4), and what follows it may be blank lines, comments or scripts of those who serve them: the page
ends where its text does. In UTF-8, in one of the older sets of 8 bits, or in UTF-16 with its mark.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mailtext import begins_any
from triage.carving.textual import SECTOR, End, Text, TextEnd, blanks_end, words
from triage.carving.window import window_of

if TYPE_CHECKING:
    from triage.carving.window import Window

_LARGEST = 64 << 20
_LARGEST_WIDE = 8 << 20
_BEGINS = re.compile(rb"\s{0,8}<(?:!doctype\s+html\b|html[\s>]|\?xml\s[^<]{0,200}<(?:!doctype\s+html\b|html[\s>]))", re.IGNORECASE)
_TAG = re.compile(rb"<(?:head|body|title|meta|script|style|link|div|table|p|h1|h2|frameset|center|font|img|a|br|pre)[\s/>]", re.IGNORECASE)
_CLOSE = re.compile(rb"</html\s{0,16}>", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{1,400})", re.IGNORECASE)
_HEAD = 8192
_LEAST = 256
"""Bytes of a page that breaks off, below which it tells an examiner nothing."""
_MARKS = ((b"\xff\xfe", 0), (b"\xfe\xff", 1))


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _HEAD)
    for mark, low in _MARKS:
        if head.startswith(mark):
            return _walk_wide(window, low)
    skip = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    return _walk_text(window, head, skip)


def _walk_text(window: Window, head: bytes, skip: int) -> Walked | None:
    begins = _BEGINS.match(head, skip)
    if begins is None or _TAG.search(head, begins.end()) is None:
        return None
    text = Text(window, most=_LARGEST, another=begins_any)
    closed, tail = -1, b""
    for offset, piece in text:
        joined, base = tail + piece, offset - len(tail)
        # Searching without regard to case is ten times as slow as this.
        last = joined.lower().rfind(b"</html")
        if last >= 0 and (found := _CLOSE.match(joined, last)) is not None:
            closed = base + found.end()
        tail = joined[-32:]
    if text.end is None:
        return None
    end = text.end
    facts: Facts = {}
    if (title := _TITLE.search(head, 0, min(len(head), end.offset))) and (shown := words(title[1])):
        facts["title"] = shown
    if (late := _CLOSE.search(text.behind)) is not None:
        length = _end_behind(window, end.offset + late.end(), TextEnd(end.offset + len(text.behind), End.MIDDLE))
        return Walked(length=length, structure=Structure.COMPLETE, why="its last </html> was reached", facts=facts)
    if closed >= 0:
        length = _end_behind(window, closed, end)
        return Walked(length=length, structure=Structure.COMPLETE, why="its last </html> was reached", facts=facts)
    if begins.end() >= end.offset or _TAG.search(head, begins.end(), min(len(head), end.offset)) is None:
        return None
    if end.end is End.ZEROS or (end.end is End.SECTOR and tail.rstrip(b" \t").endswith(b"\n")):
        why = f"its text ends without </html>: {end.why}"
        return Walked(length=end.offset, structure=Structure.COMPLETE, why=why, facts=facts)
    if end.offset < _LEAST:
        return None
    why = f"its text breaks off without </html>: {end.why}"
    return Walked(length=end.offset, structure=Structure.TRUNCATED, why=why, facts=facts)


def _end_behind(window: Window, closed: int, end: TextEnd) -> int:
    """Return where a page ends whose last ``</html>`` ends at ``closed``, and whose text ends there."""
    behind = blanks_end(window, closed)
    if behind % SECTOR == 0 or closed % SECTOR == 0 or end.end not in (End.ZEROS, End.SECTOR):
        return behind
    return end.offset  # text that goes on to the zeros, or to the end of its sector, is the page's


def _walk_wide(window: Window, low: int) -> Walked | None:
    """Walk a page in UTF-16: tags are ASCII, so every second byte tells the structure; the text ends at a character 0."""
    units = bytearray()
    size, stop = 16 << 10, -1
    while True:
        data = window.at(2, size)
        units = bytearray(data[low::2][: len(data) // 2])
        high = data[1 - low :: 2][: len(units)]
        # What is no ASCII stands for a letter here: the text's end is a zero in both halves.
        stop = _zero(bytes(units), high)
        if stop >= 0 or len(data) < size or size >= _LARGEST_WIDE:
            break
        size *= 4
    stop = len(units) if stop < 0 else stop
    plain = bytes(u if not h else 0x78 for u, h in zip(units[:stop], high[:stop], strict=True)) if any(high[:stop]) else bytes(units[:stop])
    found = _walk_text(window_of(plain + bytes(-len(plain) % 512)), plain[:_HEAD], 0)
    if found is None:
        return None
    return Walked(length=2 + 2 * min(found.length, stop), structure=found.structure, why=f"in UTF-16: {found.why}", facts=found.facts)


def _zero(low: bytes, high: bytes) -> int:
    at = low.find(0)
    while at >= 0 and high[at : at + 1] not in (b"\0", b""):
        at = low.find(0, at + 1)
    return at


def _headers() -> tuple[Header, ...]:
    plain = [b"<!DOCTYPE html", b"<!DOCTYPE HTML", b"<!doctype html", b"<!doctype HTML", b"<!Doctype html", b"<html", b"<HTML", b"<Html"]
    wide = [b"<\0!\0", b"<\0h\0", b"<\0H\0"]
    found = [Header(start + tag) for tag in plain for start in (b"", b"\xef\xbb\xbf", b"\n", b"\r\n")]
    found += [Header(b"\xff\xfe" + tag) for tag in wide]
    found += [Header(b"\xfe\xff" + b"".join(bytes((0, tag[i])) for i in range(0, 4, 2))) for tag in wide]
    return (*found, Header(b"<?xml "), Header(b"\xef\xbb\xbf<?xml "))


FORMATS = (Format(name="html", extension="html", headers=_headers(), walk=_walk, largest=_LARGEST),)
