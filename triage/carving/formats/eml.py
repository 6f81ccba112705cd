"""Mail messages as files: a header block, a blank line, a body of text (RFC 5322; parts of the body: RFC 2046, 5.1.1).

A body of parts ends with its closing boundary. Any other ends where the text does. Archives of web pages (MHTML, RFC 2557) are built alike.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mailjoin import find_rest, fits
from triage.carving.mailtext import FIRST, Headers, begins_any, begins_message, read_headers
from triage.carving.textual import SECTOR, End, Text, TextEnd, words

if TYPE_CHECKING:
    from triage.carving.window import Window

_LARGEST = 256 << 20
_LEAST = 256
"""Bytes of a message that breaks off, below which it tells an examiner nothing."""
_UNIQUE = 12
"""Bytes of a boundary that two messages do not share by chance."""
_LINES = re.compile(rb"[ \t]*(?:\r?\n)*")
_EPILOGUE = 4096
"""Bytes of text behind the closing boundary that still belong to the message: a list's note, blank lines."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 4096)
    if not begins_message(head):
        return None
    headers = read_headers(window, 0)
    facts = _facts(headers)
    extension = _extension(headers)
    if not headers.whole:
        return _without_body(window, headers, facts, extension)
    boundary = headers.boundary
    if boundary is not None:
        return _of_parts(window, headers, boundary, facts, extension)
    text = Text(window, headers.end, most=_LARGEST, another=begins_any)
    last = b""
    for _, piece in text:
        last = piece[-2:]
    end = text.end or TextEnd(headers.end, End.SPACE)
    if end.end is End.ZEROS or (end.end is not End.MIDDLE and last.endswith(b"\n")):
        return Walked(length=end.offset, structure=Structure.COMPLETE, why=f"its text ends: {end.why}", extension=extension, facts=facts)
    if end.offset < _LEAST:
        return None
    why = f"its text breaks off: {end.why}"
    return Walked(length=end.offset, structure=Structure.TRUNCATED, why=why, extension=extension, facts=facts)


def _facts(headers: Headers) -> Facts:
    facts: Facts = {}
    for name in (b"subject", b"from", b"date"):
        if value := headers.fields.get(name):
            facts[name.decode("ascii")] = words(value)
    return facts


def _extension(headers: Headers) -> str:
    fields = headers.fields
    saved = fields.get(b"from", b"").startswith(b"<Saved by ") or b"snapshot-content-location" in fields
    return "mht" if saved else "eml"


def _without_body(window: Window, headers: Headers, facts: Facts, extension: str) -> Walked | None:
    """Say what a message is whose header block breaks off."""
    text = Text(window, most=headers.end + 4096, another=begins_any)
    for _ in text:
        pass
    end = text.end or TextEnd(headers.end, End.SPACE)
    if end.offset > headers.end + 2048 or headers.count < 4 or end.offset < _LEAST:
        return None  # what follows is text, but no header block: this was none either
    why = f"its header block breaks off: {end.why}"
    return Walked(length=max(end.offset, 1), structure=Structure.TRUNCATED, why=why, extension=extension, facts=facts)


def _of_parts(window: Window, headers: Headers, boundary: bytes, facts: Facts, extension: str) -> Walked:
    mark = b"\n--" + boundary + b"--"
    text = Text(window, headers.end - 1, most=_LARGEST)
    tail, base = b"", headers.end - 1
    for offset, piece in text:
        joined, base = tail + piece, offset - len(tail)
        if (found := joined.find(mark)) >= 0:
            return _closed(window, base + found + len(mark), facts, extension)
        tail = joined[-len(mark) :]
        base = offset + len(piece) - len(tail)
    if (found := (tail + text.behind).find(mark)) >= 0:
        return _closed(window, base + found + len(mark), facts, extension)
    text = Text(window, headers.end, most=_LARGEST, another=begins_any)  # no such mark: another message may begin before the text ends
    for _ in text:
        pass
    end = text.end or TextEnd(headers.end, End.SPACE)
    why = f"its parts break off: {end.why}"
    return Walked(length=end.offset, structure=Structure.TRUNCATED, why=why, extension=extension, facts=facts)


def _closed(window: Window, at: int, facts: Facts, extension: str) -> Walked:
    why = "the closing boundary of its parts was reached"
    return Walked(length=_behind(window, at), structure=Structure.COMPLETE, why=why, extension=extension, facts=facts)


def _behind(window: Window, at: int) -> int:
    """Return where a message ends whose parts are closed at ``at``."""
    behind = window.at(at, _EPILOGUE)
    lines = _LINES.match(behind)
    end = at + (lines.end() if lines else 0)
    if end % SECTOR == 0 or not behind[end - at : end - at + 1].strip(b"\0"):
        return end
    text = Text(window, end, most=_EPILOGUE, another=begins_any)
    for _ in text:
        pass
    return text.end.offset if text.end is not None and text.end.end is End.ZEROS else end


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    """Look for the rest of a message of several parts: its closing boundary is one that no other message has."""
    headers = read_headers(window, 0)
    boundary = headers.boundary
    if boundary is None or not headers.whole or len(boundary) < _UNIQUE:
        return None
    if walked.structure is Structure.COMPLETE:
        joints = window.joints(0, walked.length)
        if not joints or not all(fits(window, joint, joint) for joint in joints):
            return None
        why = f"{walked.why}, and it is no other message's"
        return replace(walked, structure=Structure.FRAGMENTED, why=why, checked=True)
    cut = walked.length
    if cut <= headers.end or cut % SECTOR:
        return None
    place = find_rest(window, cut, b"\n--" + boundary + b"--")
    if place is None:
        return None
    whole = _walk(window.spliced([(0, cut), (place, window.size - place)]))
    if whole is None or whole.structure is not Structure.COMPLETE or whole.length <= cut:
        return None
    why = f"its closing boundary, which is no other message's, stands {place - cut} bytes further on"
    pieces = ((0, cut), (place, whole.length - cut))
    return replace(whole, structure=Structure.FRAGMENTED, why=why, checked=True, pieces=pieces)


FORMATS = (
    Format(
        name="eml",
        extension="eml",
        headers=tuple(Header(name if name.endswith(b"-") else name + b":") for name in FIRST),
        walk=_walk,
        rejoin=_rejoin,
        holds_files=True,
        largest=_LARGEST,
    ),
)
