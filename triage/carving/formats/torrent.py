"""BitTorrent metadata: one bencoded dictionary, which ends where its own "e" stands. uTorrent's resume.dat is written alike.

Format: BEP 3 (bencoding, metainfo), BEP 12 (announce-list), BEP 52 (version 2). The info hash is the SHA-1 of the dictionary "info" as it
stands.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_STARTS = (
    b"d8:announce",
    b"d13:announce-list",
    b"d4:infod",
    b"d7:comment",
    b"d10:created by",
    b"d13:creation date",
    b"d8:encoding",
    b"d8:url-list",
    b"d9:httpseeds",
    b"d5:nodesl",
    b"d12:piece layers",
    b"d7:privatei",
)
_RESUME = b"d10:.fileguard40:"
_LARGEST = 64 << 20
_FIRST = 64 << 10
_DEPTH = 64
_TOKENS = 1_000_000
_TOKEN = re.compile(rb"i(-?[0-9]{1,20})e|(0|[1-9][0-9]{0,9}):|([ldep])")
_SHORT = 256


class _Parsed:
    """How far a dictionary goes. ``end``: behind its last byte, or where it stops being one. ``spans``: values of keys near the top."""

    def __init__(self) -> None:
        self.end = 0
        self.whole = False
        self.cut = False
        self.spans: dict[tuple[bytes, ...], tuple[int, int]] = {}
        self.files = 0


def _parse(data: bytes) -> _Parsed:
    """Follow the tokens with a stack of our own: dictionaries want a string for each key."""
    found = _Parsed()
    kinds: list[int] = []  # of what is open: "d" or "l"
    keys: list[bytes | None] = []  # the key whose value comes next, in each
    starts: list[int] = []
    at = 0
    for _ in range(_TOKENS):
        match = _TOKEN.match(data, at)
        if match is None:
            found.cut = len(data) - at < 24
            break
        start, end = at, match.end()
        dictionary = bool(kinds) and kinds[-1] == 0x64
        mark = match[3]
        if mark == b"e":
            if not kinds or (dictionary and keys[-1] is not None):
                break
            kinds.pop()
            keys.pop()
            start = starts.pop()
        elif match[2] is not None:
            length = int(match[2])
            if end + length > len(data):
                found.cut = True
                break
            if dictionary and keys[-1] is None:
                keys[-1] = data[end : end + min(length, _SHORT)]
                at = end + length
                found.end = at
                continue
            start = end
            end += length
        elif mark is not None:
            if mark == b"p" or (dictionary and keys[-1] is None) or len(kinds) >= _DEPTH:
                break
            kinds.append(mark[0])
            keys.append(None)
            starts.append(start)
            at = end
            found.end = at
            continue
        elif dictionary and keys[-1] is None:
            break
        at = found.end = end
        if not kinds:
            found.whole = mark == b"e"
            break
        _note(found, kinds, keys, (start, end))
    return found


def _note(found: _Parsed, kinds: list[int], keys: list[bytes | None], span: tuple[int, int]) -> None:
    """Remember where a value that has just ended stands, when it is one of the few that are looked at."""
    if kinds[-1] == 0x64:
        if len(kinds) <= 2:
            found.spans.setdefault(tuple(key or b"" for key in keys), span)
        keys[-1] = None
    elif len(kinds) == 3 and keys[1] == b"files":
        found.files += 1


def _growing(window: Window) -> Iterator[bytes]:
    size = _FIRST
    while True:
        data = window.at(0, min(size, _LARGEST))
        yield data
        if len(data) < size or size >= _LARGEST:
            return
        size *= 8


def _walk(window: Window) -> Walked | None:
    data, found = b"", _Parsed()
    for data in _growing(window):
        found = _parse(data)
        if not found.cut:
            break
    resume = data.startswith(_RESUME)
    facts = {} if resume else _facts(data, found)
    if found.whole:
        length = found.end
        if resume:
            why = "its dictionary ends there"
            return Walked(length=length, structure=Structure.COMPLETE, why=why, extension="dat", checked=True, facts=facts)
        if not _is_metainfo(found):
            return None
        return Walked(length=length, structure=Structure.COMPLETE, why="its dictionary ends there", checked=True, facts=facts)
    if "name" not in facts and "tracker" not in facts:
        return None
    length = window.size if found.cut and len(data) == window.size else found.end
    why = "its dictionary does not go on" if length == found.end else "the space ends inside it"
    return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=found.end, facts=facts)


def _is_metainfo(found: _Parsed) -> bool:
    """Whether a whole dictionary has what a torrent must have: pieces of 20 bytes, or version 2's tree."""
    spans = found.spans
    if (b"info",) not in spans or (b"info", b"name") not in spans or (b"info", b"piece length") not in spans:
        return False
    pieces = spans.get((b"info", b"pieces"))
    if pieces is not None:
        return (pieces[1] - pieces[0]) % 20 == 0
    return (b"info", b"file tree") in spans


def _facts(data: bytes, found: _Parsed) -> Facts:
    facts: Facts = {}
    for fact, key in (("name", (b"info", b"name")), ("tracker", (b"announce",)), ("comment", (b"comment",))):
        span = found.spans.get(key)
        if span is not None:
            facts[fact] = show(data[span[0] : min(span[1], span[0] + 300)].decode("utf-8", "replace"))
    info = found.spans.get((b"info",))
    if info is not None:
        facts["info_hash"] = hashlib.sha1(data[info[0] : info[1]], usedforsecurity=False).hexdigest()
        facts["files"] = max(found.files, 1)
    size = found.spans.get((b"info", b"length"))
    if size is not None:
        facts["size"] = int(data[size[0] + 1 : size[1] - 1])
    return facts


FORMATS = (
    Format(name="torrent", extension="torrent", headers=tuple(Header(s) for s in (*_STARTS, _RESUME)), walk=_walk, largest=_LARGEST),
)
