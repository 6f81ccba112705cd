"""Where the objects of a PDF stand: its cross-reference tables and streams, read one revision after the other.

Specification: ISO 32000-2, 7.5.4 (tables), 7.5.5 (trailer), 7.5.8 (streams), 7.4.4.4 (predictors). Offsets are bytes from the file's first.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from triage.carving.window import Window

OBJECT = re.compile(rb"[\0\t\n\f\r ]{0,8}(\d{1,10})[\0\t\n\f\r ]{1,4}\d{1,5}[\0\t\n\f\r ]{1,4}obj")
_TABLE = re.compile(rb"[\0\t\n\f\r ]{0,8}xref[\0\t\n\f\r ]{1,8}(?=\d)")
_WIDTHS = re.compile(rb"/W[\0\t\n\f\r ]*\[[\0\t\n\f\r ]*(\d)[\0\t\n\f\r ]+(\d)[\0\t\n\f\r ]+(\d)[\0\t\n\f\r ]*\]")
_INDEX = re.compile(rb"/Index[\0\t\n\f\r ]*\[([\d\0\t\n\f\r ]{1,65536})\]")
_NUMBER = {name: re.compile(rb"/" + name + rb"[\0\t\n\f\r ]+(\d{1,12})(?!\d|[\0\t\n\f\r ]+\d+[\0\t\n\f\r ]+R)") for name in
           (b"Prev", b"XRefStm", b"Size", b"Length", b"Predictor", b"Columns")}  # fmt: skip
STREAM = re.compile(rb"stream(\r\n|\n|\r)")
_REVISIONS = 512
_MOST = 1 << 20
"""Objects of a revision that are read at most."""
_LONGEST = 24 << 20
"""Bytes of a table that are read at most: more than so many objects take."""
_LONGEST_DICTIONARY = 64 << 10


@dataclass(slots=True)
class Tables:
    """What the tables of a file say. ``offsets``: ``(number, offset)`` of each object, newest revision first."""

    offsets: list[tuple[int, int]] = field(default_factory=list)
    revisions: int = 0
    broken: bool = False
    encrypted: bool = False


def read_tables(window: Window, start: int, end: int, *, shift: int = 0) -> Tables:
    """Return what the table at ``start`` and those before it say; ``broken`` if one of them is not there or cannot be read.

    ``shift``: bytes by which the tables stand further back than the file says, because others lie in between.
    """
    found, seen, waiting = Tables(), set(), [start]
    while waiting:
        at = waiting.pop(0)
        if at in seen:
            continue
        seen.add(at)
        if len(seen) > _REVISIONS or not 0 < at < end:
            found.broken = True
            break
        older = _read_one(window, at + shift, end, found)
        if older is None and shift:
            older = _read_one(window, at, end, found)
        if older is None:
            found.broken = True
            break
        found.revisions += 1
        waiting += older
    return found


def leads_to_table(window: Window, start: int) -> bool:
    """Whether a table, or an object that may be a cross-reference stream, begins there."""
    head = window.at(start, 64)
    return bool(start > 0 and (_TABLE.match(head) or OBJECT.match(head)))


def _read_one(window: Window, at: int, end: int, found: Tables) -> list[int] | None:
    head = window.at(at, min(4096, end - at))
    try:
        if (table := _TABLE.match(head)) is not None:
            return _read_table(window, at, end, head, table.end(), found)
        if (opened := OBJECT.match(head)) is not None:
            return _read_stream(window, at, end, head, opened.end(), found)
    except (ValueError, IndexError):  # words where numbers belong
        return None
    return None


def _read_table(window: Window, at: int, end: int, data: bytes, pos: int, found: Tables) -> list[int] | None:
    want = 64 << 10
    while (stop := data.find(b"trailer", pos)) < 0:
        if len(data) >= min(_LONGEST, end - at):
            return None
        data = window.at(at, min(want, end - at, _LONGEST))
        want *= 8
    if data[pos:stop].translate(None, b"0123456789nf \t\r\n"):
        return None
    words = data[pos:stop].split()  # "first count", then "offset generation n" count times, and so on; how lines end differs
    at_word = 0
    while at_word < len(words):
        first, count = int(words[at_word]), int(words[at_word + 1])
        entries = words[at_word + 2 : at_word + 2 + 3 * count]
        if count > _MOST or len(entries) < 3 * count:
            return None
        if set(entries[2::3]) - {b"n", b"f"}:
            return None
        places = zip(entries[::3], entries[2::3], strict=True)
        found.offsets += [(first + i, int(offset)) for i, (offset, kind) in enumerate(places) if kind == b"n"]
        at_word += 2 + 3 * count
    trailer = data[stop : stop + _LONGEST_DICTIONARY]
    if (closed := trailer.find(b"startxref")) < 0:
        trailer = window.at(at + stop, min(_LONGEST_DICTIONARY, end - at - stop))
        closed = trailer.find(b"startxref")
    trailer = trailer[: closed if closed >= 0 else len(trailer)]
    found.encrypted = found.encrypted or b"/Encrypt" in trailer
    return [value for name in (b"XRefStm", b"Prev") if (value := number_of(trailer, name))]  # some write 0 for none


def number_of(dictionary: bytes, name: bytes) -> int | None:
    """Return the number that stands in a dictionary under a name, if it stands there itself."""
    match = _NUMBER[name].search(dictionary)
    return int(match[1]) if match else None


def _read_stream(window: Window, at: int, end: int, head: bytes, pos: int, found: Tables) -> list[int] | None:
    opened = STREAM.search(head, pos)
    if opened is None:
        head = window.at(at, min(_LONGEST_DICTIONARY, end - at))
        opened = STREAM.search(head, pos)
    if opened is None:
        return None
    dictionary = head[pos : opened.start()]
    widths, size = _WIDTHS.search(dictionary), number_of(dictionary, b"Size")
    if b"/XRef" not in dictionary or widths is None or size is None:
        return None
    start = at + opened.end()
    length = number_of(dictionary, b"Length")
    if length is None:
        length = window.find(b"endstream", start, min(end, start + _LONGEST)) - start
    if not 0 < length <= min(_LONGEST, end - start):
        return None
    data: bytes | None = window.at(start, length)
    if b"/Filter" in dictionary:
        data = _inflated(window, data or b"", dictionary)
    if data is None:
        return None
    w = [int(widths[i]) for i in (1, 2, 3)]
    index = _INDEX.search(dictionary)
    numbers = [int(n) for n in index[1].split()] if index else [0, size]
    found.encrypted = found.encrypted or b"/Encrypt" in dictionary
    if not _entries(data, w, numbers, found):
        return None
    previous = number_of(dictionary, b"Prev")
    return [previous] if previous else []


def _inflated(window: Window, data: bytes, dictionary: bytes) -> bytes | None:
    """Return the entries of a compressed stream, the predictor undone (7.4.4.4); ``None`` for a filter that is none of these."""
    if b"/FlateDecode" not in dictionary:
        return None
    decoder = zlib.decompressobj()
    try:
        plain = decoder.decompress(data, _LONGEST)
    except zlib.error:
        return None
    if not decoder.eof:
        return None
    window.spend(len(plain))
    if (number_of(dictionary, b"Predictor") or 1) < 10:
        return plain
    columns = number_of(dictionary, b"Columns") or 1
    if columns > 64:
        return None
    rows = np.frombuffer(plain, np.uint8, len(plain) // (columns + 1) * (columns + 1)).reshape(-1, columns + 1)
    tags, values = rows[:, 0], rows[:, 1:]
    # Runs of one predictor at a time: writers use one for all rows (up), so this is one step.
    changes = [0, *(np.flatnonzero(tags[1:] != tags[:-1]) + 1).tolist(), len(tags)]
    if len(changes) > 4096:
        return None
    undone = np.empty_like(values)
    above = np.zeros(columns, np.uint8)
    for first, stop in pairwise(changes):
        if first == stop:
            continue
        piece = values[first:stop]
        if tags[first] == 0:
            undone[first:stop] = piece
        elif tags[first] == 1:
            undone[first:stop] = np.cumsum(piece, axis=1, dtype=np.uint8)
        elif tags[first] == 2:
            undone[first:stop] = np.cumsum(piece, axis=0, dtype=np.uint8) + above
        else:
            return None
        above = undone[stop - 1]
    return undone.tobytes()


def _entries(data: bytes, w: list[int], numbers: list[int], found: Tables) -> bool:
    """Add the objects that stand in the file itself: entries of type 1 (7.5.8.3)."""
    width = sum(w)
    if not 1 <= width <= 24 or max(w) > 8 or len(numbers) % 2:
        return False
    at = 0
    for first, count in zip(numbers[::2], numbers[1::2], strict=True):
        if count > _MOST or at + count * width > len(data):
            return False
        rows = np.frombuffer(data, np.uint8, count * width, at).reshape(count, width)
        kinds = rows[:, w[0] - 1] if w[0] else np.ones(count, np.uint8)
        places = np.zeros(count, np.uint64)
        for column in range(w[0], w[0] + w[1]):
            places = (places << np.uint64(8)) | rows[:, column]
        inside = np.flatnonzero(kinds == 1)
        found.offsets += list(zip((inside + first).tolist(), places[inside].tolist(), strict=True))
        at += count * width
    return True
