"""XML documents that are files of their own: drawings (SVG), tracks and places (GPX, KML), Office 2003 and any other (XML 1.0, 2.1).

One element holds all others: the document ends with its end tag. Web pages and property lists in XML are carved as what they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.mailtext import begins_any
from triage.carving.textual import SECTOR, End, Text, TextEnd, blanks_end, words

if TYPE_CHECKING:
    from triage.carving.window import Window

_LARGEST = 256 << 20
_HEAD = 16 << 10
_NAME = re.compile(rb"<([A-Za-z_][A-Za-z0-9_.:-]{0,100})(?=[\s/>])")
_PROLOG = ((b"<!--", b"-->"), (b"<?", b"?>"), (b"<!DOCTYPE", b">"))
_EXTENSIONS = {b"svg": "svg", b"kml": "kml", b"gpx": "gpx", b"TrainingCenterDatabase": "tcx", b"osm": "osm", b"xbel": "xbel"}
_OTHERS = frozenset((b"html", b"plist"))
_TRAIL = 4096
_LONGEST_TAG = 256
_LEAST = 512
"""Bytes of a document that breaks off, below which it tells an examiner nothing."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _HEAD)
    start = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    declared = head.startswith(b"<?xml", start)
    found = _root(head, start)
    if found is None:
        return None
    name, opened = found
    local = name.rpartition(b":")[2]
    if local in _OTHERS or (not declared and local not in _EXTENSIONS):
        return None
    extension = _EXTENSIONS.get(local, "xml")
    facts: Facts = {"root": words(name, 60)}
    text = Text(window, most=_LARGEST, another=begins_any)
    end = _end_tag(text, name, opened)
    if end is not None:
        length = _behind(window, end)
        return Walked(
            length=length, structure=Structure.COMPLETE, why="the end tag of its root was reached", extension=extension, facts=facts
        )
    stop = text.end or TextEnd(window.size, End.SPACE)
    if stop.offset < _LEAST or stop.offset <= opened:
        return None
    why = f"it breaks off without the end tag of its root: {stop.why}"
    return Walked(length=stop.offset, structure=Structure.TRUNCATED, why=why, extension=extension, facts=facts)


def _root(head: bytes, pos: int) -> tuple[bytes, int] | None:
    """Return the name of the element that holds all others, and where its start tag begins (2.8: what may stand before it)."""
    while True:
        pos += len(head[pos:]) - len(head[pos:].lstrip(b"\t\n\r "))
        for begins, ends in _PROLOG:
            if head.startswith(begins, pos):
                stop = head.find(ends, pos + len(begins))
                inside = head.find(b"[", pos, max(stop, 0)) if begins == b"<!DOCTYPE" else -1
                if inside >= 0:  # declarations of its own
                    stop = head.find(b">", max(head.find(b"]", inside), 0) or len(head))
                if stop < 0:
                    return None
                pos = stop + len(ends)
                break
        else:
            name = _NAME.match(head, pos)
            return (name[1], pos) if name else None


def _end_tag(text: Text, name: bytes, opened: int) -> int | None:
    """Return where the end tag of the root ends; elements of the same name may lie in it."""
    tag = re.compile(rb"<(/?)" + re.escape(name) + rb"(?=[\s/>])[^<>]{0,128}>")
    depth, tail, done = 0, b"", opened
    for offset, piece in text.to_the_last():
        joined, base = tail + piece, offset - len(tail)
        for found in tag.finditer(joined, max(0, done - base)):
            done = base + found.end()
            if found[1]:
                depth -= 1
                if depth <= 0:
                    return done
            elif not found.group().endswith(b"/>"):
                depth += 1
        if depth == 0 and base <= opened < base + len(joined):
            depth = 1  # a start tag longer than the pattern takes
        tail = joined[-_LONGEST_TAG:]
    return None


def _behind(window: Window, end: int) -> int:
    """Return where a document ends whose root does at ``end``: blanks and comments may follow (2.1), and what some write all the same."""
    length = blanks_end(window, end)
    if end % SECTOR == 0 or length % SECTOR == 0 or window.at(length, 1) != b"<":
        return length
    text = Text(window, length, most=_TRAIL, another=begins_any)
    for _ in text:
        pass
    return text.end.offset if text.end is not None and text.end.end is End.ZEROS else length


FORMATS = (
    Format(
        name="xml",
        extension="xml",
        headers=tuple(Header(tag) for tag in (b"<?xml ", b"\xef\xbb\xbf<?xml ", b"<svg ", b"<kml ", b"<gpx ")),
        walk=_walk,
        largest=_LARGEST,
    ),
)
