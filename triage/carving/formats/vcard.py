"""Contacts and calendars: lines from ``BEGIN:VCARD`` to ``END:VCARD`` (RFC 6350, 3.3) and ``BEGIN:VCALENDAR`` alike (RFC 5545, 3.4).

A file holds one after the other; exports of phones hold hundreds.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mailtext import begins_any
from triage.carving.textual import End, Text, TextEnd, blanks_end, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_LARGEST = 256 << 20
_FIRST_LINE = re.compile(rb"BEGIN:V(?:CARD|CALENDAR)[ \t]*\r?\n[A-Za-z0-9.-]{1,60}[;:]", re.IGNORECASE)
_NAMED = re.compile(rb"\n(?:FN|N|SUMMARY|X-WR-CALNAME)[^:\r\n]{0,80}:([^\r\n]{1,300})", re.IGNORECASE)
_LONGEST = 64
_LEAST = 64


def _begins_other(kind: bytes, head: bytes) -> bool:
    return begins_any(head) and head[: 6 + len(kind)].upper() != b"BEGIN:" + kind


def _walk(window: Window, kind: bytes, counted: str) -> Walked | None:
    head = window.at(0, 4096)
    if not _FIRST_LINE.match(head) or head[6 : 6 + len(kind)].upper() != kind:
        return None
    text = Text(window, most=_LARGEST, another=partial(_begins_other, kind))
    depth, count, end = 0, 0, 0
    for at, behind, begins in _lines(text, kind):
        if begins:
            if depth == 0 and count and (at - end > _LONGEST or window.at(end, at - end).strip()):
                break  # text of another kind stands in between
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                count, end = count + 1, behind
    stop = text.end or TextEnd(window.size, End.SPACE)
    facts: Facts = {counted: count}
    if (name := _NAMED.search(head)) is not None and (shown := words(name[1], 60)):
        facts["first name"] = shown
    if count and depth == 0:
        length = blanks_end(window, end)
        why = f"the last of its {count} {counted} is closed, and none follows"
        return Walked(length=length, structure=Structure.COMPLETE, why=why, facts=facts)
    if stop.offset < _LEAST:
        return None
    why = f"it breaks off behind {count} whole {counted}: {stop.why}"
    return Walked(length=stop.offset, structure=Structure.TRUNCATED, why=why, facts=facts)


def _lines(text: Text, kind: bytes) -> Iterator[tuple[int, int, bool]]:
    """Yield where each line stands that begins or ends one, where it ends, and which of both it is."""
    line = re.compile(rb"(?:^|\n)(BEGIN|END):" + kind + rb"[ \t]*(?=\r?\n|\r?$)", re.IGNORECASE)
    tail, done = b"", -1
    for offset, piece in text.to_the_last():
        joined, base = tail + piece, offset - len(tail)
        for found in line.finditer(joined):
            at = base + found.start(1)
            if at > done and (found.start(1) or not base):
                done = at
                yield at, base + found.end(), found[1].upper() == b"BEGIN"
        tail = joined[-_LONGEST:]


FORMATS = (
    Format(
        name="ical",
        extension="ics",
        headers=(Header(b"BEGIN:VCALENDAR"),),
        walk=partial(_walk, kind=b"VCALENDAR", counted="calendars"),
        largest=_LARGEST,
    ),
    Format(
        name="vcard",
        extension="vcf",
        headers=(Header(b"BEGIN:VCARD"), Header(b"begin:vcard")),
        walk=partial(_walk, kind=b"VCARD", counted="cards"),
        largest=_LARGEST,
    ),
)
