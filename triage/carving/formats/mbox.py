"""Mailboxes in mbox format: messages one after the other, each behind a line ``From sender date`` (RFC 4155, appendix A)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mailtext import FROM_LINE, begins_mailbox, read_headers
from triage.carving.textual import End, Text, begins_text, words

if TYPE_CHECKING:
    from triage.carving.window import Window

_LARGEST = 8 << 30
_NEXT = re.compile(rb"\n(From [^\r\n\0]{1,300}?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [^\r\n\0]{0,40}\d{1,2}:\d\d[^\r\n\0]{0,40}\r?\n)")
_LONGEST_LINE = 512


def _walk(window: Window) -> Walked | None:
    if not begins_mailbox(window.at(0, 4096)):
        return None
    text = Text(window, most=_LARGEST, another=begins_text)
    count, last, tail, base = 1, 0, b"", 0
    for offset, piece in text:
        joined, base = tail + piece, offset - len(tail)
        for found in _NEXT.finditer(joined):
            if base + found.start(1) > last:
                count, last = count + 1, base + found.start(1)
        tail = joined[-_LONGEST_LINE:]
    if text.end is None:
        return None
    end = text.end
    first = read_headers(window, _behind_line(window, 0))
    facts: Facts = {"messages": count}
    if date := first.fields.get(b"date"):
        facts["first date"] = words(date, 60)
    headers = read_headers(window, _behind_line(window, last))
    boundary = headers.boundary
    if boundary is not None:
        close = window.find(b"--" + boundary + b"--", min(headers.end, end.offset), end.offset)
        if headers.end < end.offset and close >= 0:
            why = f"{end.why}; the last of its {count} messages is whole"
            return Walked(length=end.offset, structure=Structure.COMPLETE, why=why, facts=facts)
        why = f"the last of its {count} messages breaks off: {end.why}"
        return Walked(length=end.offset, structure=Structure.TRUNCATED, why=why, facts=facts)
    if end.end is End.ZEROS or (end.end is not End.MIDDLE and tail.endswith(b"\n")):
        why = f"its {count} messages end: {end.why}"
        return Walked(length=end.offset, structure=Structure.COMPLETE, why=why, facts=facts)
    why = f"the last of its {count} messages may break off: {end.why}"
    return Walked(length=end.offset, structure=Structure.TRUNCATED, why=why, facts=facts)


def _behind_line(window: Window, start: int) -> int:
    line = FROM_LINE.match(window.at(start, 1024))
    return start + (line.end() if line else 0)


FORMATS = (Format(name="mbox", extension="mbox", headers=(Header(b"From "),), walk=_walk, largest=_LARGEST),)
