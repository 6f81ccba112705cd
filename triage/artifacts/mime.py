"""The parts of an e-mail (RFC 5322, RFC 2045 to 2047): where each one's bytes are, and what its head says.

Written for what is found, not for what is valid: any line ends, heads that break off, boundaries that are never closed. The bytes of a part
are given as a place in the mail and the encoding that is to be undone, so that no copy of an attachment is needed to read it again.
"""

from __future__ import annotations

import binascii
import quopri
import re
from dataclasses import dataclass, field
from email.header import decode_header
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_HEAD = 256 << 10
_MOST_FIELDS = 500
_MOST_PARTS = 1000
_DEEPEST = 20
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_PARAMETER = re.compile(r';\s*([A-Za-z0-9*_-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')
_POSTMARK = re.compile(rb"From [^\r\n]*\d\d:\d\d")  # a line of text may begin so, too; a mail's has a time
_ENCODINGS = {"base64": "base64", "quoted-printable": "quoted", "x-uuencode": "uu", "uuencode": "uu", "x-uue": "uu", "uue": "uu"}


@dataclass(slots=True)
class Part:
    """A part. ``start`` and ``end``: of its body in the mail; ``encoding``: what is to be undone (``base64``, ``quoted``, ``uu`` or "")."""

    headers: dict[str, str]
    start: int
    end: int
    type: str = "text/plain"
    encoding: str = ""
    name: str = ""
    charset: str = ""
    attached: bool = False
    depth: int = 0
    parameters: dict[str, str] = field(default_factory=dict)


def parts_of(data: bytes, start: int = 0, end: int | None = None, depth: int = 0, counted: list[int] | None = None) -> Iterator[Part]:
    """Yield the head of a mail as a part whose body is all of it, and behind it its parts, in their order.

    ``counted`` holds how many parts there were: no more than a thousand are given.
    """
    end = len(data) if end is None else end
    counted = counted if counted is not None else [0]
    counted[0] += 1
    if counted[0] > _MOST_PARTS or depth > _DEEPEST:
        return
    part = _head(data, start, end, depth)
    yield part
    boundary = part.parameters.get("boundary", "").encode("utf-8", "replace")
    if part.type.startswith("multipart/") and boundary:
        for first, last in _between(data, part.start, part.end, boundary):
            yield from parts_of(data, first, last, depth + 1, counted)
    elif part.type == "message/rfc822" and not part.encoding:
        yield from parts_of(data, part.start, part.end, depth + 1, counted)


def _head(data: bytes, start: int, end: int, depth: int) -> Part:
    if data[start : start + 1] in (b"\n", b"\r"):  # a part without a head
        body = start + (2 if data[start : start + 2] == b"\r\n" else 1)
        return Part({}, min(body, end), end, depth=depth)
    found = _HEAD_END.search(data, start, min(end, start + _LONGEST_HEAD))
    head, body = (data[start : found.start()], found.end()) if found else (data[start : min(end, start + _LONGEST_HEAD)], end)
    headers: dict[str, str] = {}
    for line in _FOLD.sub(b" ", head).replace(b"\r\n", b"\n").split(b"\n")[:_MOST_FIELDS]:
        name, colon, value = line.partition(b":")
        if colon and name and b" " not in name.strip():
            headers.setdefault(name.strip().decode("latin-1").lower(), _text(value.strip()[:8192]))
    part = Part(headers, body, end, depth=depth)
    stated = headers.get("content-type", "text/plain")
    part.type = stated.partition(";")[0].strip().lower() or "text/plain"
    part.parameters = _parameters(stated)
    disposition = headers.get("content-disposition", "")
    named = _parameters(disposition)
    part.name = decoded(named.get("filename", "") or part.parameters.get("name", ""))
    part.attached = disposition.partition(";")[0].strip().lower() == "attachment"
    part.encoding = _ENCODINGS.get(headers.get("content-transfer-encoding", "").strip().lower(), "")
    part.charset = part.parameters.get("charset", "")
    return part


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _parameters(value: str) -> dict[str, str]:
    """Return a header's parameters by lower-case name; those in pieces (RFC 2231) put together."""
    plain: dict[str, str] = {}
    pieces: dict[str, list[tuple[int, str, bool]]] = {}
    for name, raw in _PARAMETER.findall(value[:8192])[:100]:
        text = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw.startswith('"') and raw.endswith('"') and len(raw) > 1 else raw.strip()
        base, star, number = name.lower().partition("*")
        if not star:
            plain.setdefault(base, text)
        else:
            place = number.rstrip("*")
            order = int(place) if place.isdigit() and len(place) < 4 else 0
            pieces.setdefault(base, []).append((order, text, number.endswith("*") or not number))
    for base, found in pieces.items():
        found.sort(key=lambda one: one[0])
        charset, raw = "utf-8", b""
        for place, text, extended in found:
            if extended and place == 0 and text.count("'") >= 2:
                charset, _, text = text.split("'", 2)  # noqa: PLW2901 - its charset and language stand before it
            raw += unquote_to_bytes(text) if extended else text.encode("utf-8", "replace")
        plain[base] = _decode(raw, charset)
    return plain


def _decode(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def text_of(raw: bytes, part: Part) -> str:
    """Return the text of a part's first bytes: its encoding undone, its character set as it states, damage replaced."""
    if part.encoding == "quoted":
        raw = quopri.decodestring(raw)
    elif part.encoding == "base64":
        letters = raw.translate(None, b" \t\r\n")
        try:
            raw = binascii.a2b_base64(letters[: len(letters) // 4 * 4])
        except binascii.Error:
            return ""
    return _decode(raw, part.charset)


def decoded(text: str) -> str:
    """Return a header's text with its encoded words undone (RFC 2047), as far as they can be."""
    if "=?" not in text:
        return text
    try:
        found = decode_header(text)
    except (binascii.Error, ValueError, UnicodeError):
        return text
    return "".join(_decode(part, charset or "") if isinstance(part, bytes) else part for part, charset in found)


def _between(data: bytes, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Yield the places of the parts between the lines of a boundary; the last may lack its closing line."""
    mark = b"--" + boundary
    first: int | None = None
    at = data.find(mark, start, end)
    while at >= 0:
        if at == start or data[at - 1 : at] == b"\n":
            if first is not None:
                last = at - 1
                yield first, last - (data[last - 1 : last] == b"\r") if last > first else first
            behind = at + len(mark)
            if data[behind : behind + 2] == b"--":
                return
            line = data.find(b"\n", behind, end)
            if line < 0:
                return
            first = line + 1
        at = data.find(mark, at + len(mark), end)
    if first is not None:
        yield first, end


def date_of(text: str) -> int | None:
    """Return a mail's date in nanoseconds since 1970, ``None`` for what is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        from datetime import UTC  # noqa: PLC0415

        moment = moment.replace(tzinfo=UTC)
    try:
        seconds = moment.timestamp()
    except (ValueError, OverflowError):
        return None
    return int(seconds) * 10**9 if 0 < seconds < 7_258_118_400 else None


def mails_of(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each mail of an mbox file begins and ends: behind a line that begins with ``From`` and follows a blank one (RFC 4155)."""
    if not data.startswith(b"From "):
        yield 0, len(data)
        return
    start = 0
    while start < len(data):
        line = data.find(b"\n", start)
        if line < 0:
            return
        begin = line + 1
        at = begin - 1
        while True:
            at = data.find(b"\nFrom ", at)
            blank = data[at - 1 : at] == b"\n" or data[at - 2 : at] == b"\n\r"
            if at < 0 or (blank and _POSTMARK.match(data, at + 1, at + 300)):
                break
            at += 1
        end = len(data) if at < 0 else at
        yield begin, end
        if at < 0:
            return
        start = at + 1
