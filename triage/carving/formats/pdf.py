"""PDF: objects, and tables of where they stand, found from the file's end (ISO 32000-2, 7.5; linearized files: annex F).

A file may have been updated: each update adds objects, a table and another ``%%EOF``. The end is the last of them that belongs here:
its ``startxref`` leads to a table of this file. Then every object must stand where the tables say, and long streams must decode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.pdfobjects import Objects, check_objects, check_stream, stands_at
from triage.carving.pdftables import OBJECT, STREAM, Tables, leads_to_table, number_of, read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_SPACE = rb"[\0\t\n\f\r ]"
_HEADER = re.compile(rb"%PDF-([12]\.\d)(?=[\r\n\t %\0])")
_OPENED = re.compile(rb"(?:^|[\r\n\t ])\d{1,10}[\t\r\n ]{1,4}\d{1,5}[\t\r\n ]{1,4}obj\b")
_LENGTH = re.compile(rb"/L[\0\t\n\f\r ]+(\d{1,12})(?=[\0\t\n\f\r />])")
_STARTXREF = re.compile(rb"startxref[\0\t\n\f\r ]{1,8}(\d{1,12})[\0\t\n\f\r ]{1,8}(?:%[^\r\n]{0,64}[\r\n]{1,2})?$")
_OBJECT = re.compile(rb"\d{1,10}[\0\t\n\f\r ]{1,4}\d{1,5}[\0\t\n\f\r ]{1,4}obj")
_GOES_ON = re.compile(rb"[\t\n\f\r ]{0,32}(?:\d{1,10}[\t\r\n ]{1,4}\d{1,5}[\t\r\n ]{1,4}obj\b|xref[\r\n\t ]|endstream|endobj|startxref)")
_COUNTED = re.compile(rb"xref[\t\r\n ]{1,4}0 (\d{1,7})[\t\r\n ]{1,3}")
_OBJECT_END = re.compile(rb"endobj[\0\t\n\f\r ]{0,16}(?=\d{1,10}[\t\r\n ]|xref|startxref|trailer|%|$)")
_END = b"%%EOF"
_SECTOR = 512
_UNBROKEN = 4 << 20
"""Bytes without a sign of an object, besides those that a stream says it has, behind which no more of a file is looked for."""
_LONGEST_STREAM = 256 << 20
_ENDS = 4096
_CHAIN = 200_000
_CUTS = 256
"""Places of a gap that are tried."""
_TRAILERS = 64
"""Ends behind a gap that are looked at."""
_FURTHEST = 48 << 20
"""Bytes behind a file's first in which its rest is looked for."""


@dataclass(frozen=True, slots=True)
class _End:
    """An ``%%EOF`` at ``at``; the file would end at ``end``. ``table``: what its ``startxref`` says, ``None`` where there is none."""

    at: int
    end: int
    table: int | None


@dataclass(frozen=True, slots=True)
class _Gap:
    """A gap behind the beginning of the object at ``before``, the ``count``-th; the next should stand at ``behind``."""

    before: int
    behind: int
    count: int
    encrypted: bool


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 4096)
    version = _HEADER.match(head)
    if version is None or not _OPENED.search(head):
        return None
    facts: Facts = {"version": version[1].decode("ascii")}
    linearized = _linearized(head)
    if linearized is not None:
        facts["linearized"] = "yes"
    goes_on = False
    good: _End | None = None
    broken: _End | None = None
    for one in _ends(window, stop_at_headers=True):
        follows = _GOES_ON.match(window.at(one.end, 64)) is not None
        if one.table is not None and one.table < one.at and leads_to_table(window, one.table):
            good, broken, goes_on = one, None, follows
            if not follows and not (linearized is not None and one.end < min(linearized, window.size) - 8):
                break
        elif one.table != 0 and not follows:  # 0: the first half of a linearized file
            broken = one
            if one.table is not None:
                break
    if good is not None and linearized is not None and good.at < linearized <= good.end + 8 and not window.at(good.end, 1).strip(b"\0"):
        # Annex F: /L is the length, whatever stands behind the mark.
        good, goes_on = _End(good.at, min(linearized, window.size), good.table), False
    if good is not None and good.table is not None and broken is None and not goes_on:
        return _judge(window, good, good.table, linearized, facts)
    return _unfinished(window, good, broken, facts)


def _linearized(head: bytes) -> int | None:
    """Return the length that a linearized file states in its first dictionary (F.3.3)."""
    first = head[: max(head.find(b"endobj"), 0)]
    length = _LENGTH.search(first) if b"/Linearized" in first else None
    return int(length[1]) if length else None


def _ends(window: Window, start: int = 0, *, stop_at_headers: bool) -> Iterator[_End]:
    """Yield the ``%%EOF`` marks, until another file begins or no sign of an object was seen for long."""
    tail, sign, count = b"", start, 0
    for offset, data in window.chunks(start):
        joined, base = tail + data, offset - len(tail)
        stop = len(joined)
        pos = joined.find(b"%PDF-", 1 if base == start else 0)
        while stop_at_headers and pos >= 0:
            if (base + pos) % _SECTOR == 0:
                stop = pos
                break
            pos = joined.find(b"%PDF-", pos + 5)
        pos = joined.find(_END, 0, stop)
        while pos >= 0:
            yield _end_at(window, base + pos)
            count += 1
            pos = joined.find(_END, pos + 5, stop)
        last = joined.rfind(b"obj", 0, stop)
        sign = base + last if last >= 0 else sign
        if stop < len(joined) or count > _ENDS:
            return
        if base + stop - sign > _UNBROKEN and base + stop - sign > _UNBROKEN + _stated(window, sign):
            return
        tail = joined[-4:]


def _stated(window: Window, sign: int) -> int:
    """Return how long the stream of the object that begins before ``sign`` says that it is."""
    head = window.at(sign, 4096)
    opened = STREAM.search(head)
    return min(number_of(head[: opened.start()], b"Length") or 0, _LONGEST_STREAM) if opened else 0


def _end_at(window: Window, at: int) -> _End:
    before = window.at(max(0, at - 256), min(256, at))
    table = _STARTXREF.search(before)
    behind = window.at(at + len(_END), 64)
    end = at + len(_END) + len(behind) - len(behind.lstrip(b"\t\n\f\r "))
    return _End(at, end, int(table[1]) if table else None)


def _judge(window: Window, last: _End, table: int, linearized: int | None, facts: Facts) -> Walked:
    """Hold a file whose end is known against its own tables."""
    tables, objects = _checked(window, table, last.end)
    _tell(facts, tables)
    length = last.end
    if objects.agree and not tables.broken:
        why = f"its last %%EOF leads to its table, and the {objects.right} objects looked at stand where it says"
        return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=True, facts=facts)
    if not objects.right and not objects.wrong and not tables.broken:
        why = "its last %%EOF leads to its table"
        return Walked(length=length, structure=Structure.COMPLETE, why=why, facts=facts)
    if objects.broken is not None and not objects.wrong:
        why = f"the stream of the object at byte {objects.broken[0]} breaks off at about byte {objects.broken[1]}"
    elif objects.wrong:
        seen = objects.wrong + objects.right
        why = f"{objects.wrong} of {seen} objects do not stand where its table says, the first at byte {objects.first_wrong}"
    else:
        why = "one of its earlier tables cannot be read"
    if not objects.right:
        why = f"its end was found, but none of its objects: {why}"
    valid = objects.broken[0] if objects.broken is not None else objects.first_wrong
    if linearized is not None and length != linearized and objects.wrong:
        why += f"; it says that it is {linearized} bytes long"
    return Walked(length=length, structure=Structure.DAMAGED, why=why, valid=min(valid or length, length), facts=facts)


def _checked(window: Window, table: int, end: int) -> tuple[Tables, Objects]:
    tables = read_tables(window, table, end)
    places = sorted({(offset, number) for number, offset in tables.offsets if offset})  # some write 0 for what is free
    return tables, check_objects(window, places, end, encrypted=tables.encrypted)


def _tell(facts: Facts, tables: Tables) -> None:
    facts["objects"] = len({number for number, _ in tables.offsets})
    if tables.encrypted:
        facts["encrypted"] = "yes"


def _unfinished(window: Window, good: _End | None, broken: _End | None, facts: Facts) -> Walked | None:
    """Say what there is of a file whose end was not found, or whose end does not fit what stands before it."""
    if good is not None:
        why = "an update follows that breaks off: this is the file before it"
        return Walked(length=good.end, structure=Structure.TRUNCATED, why=why, facts=facts)
    shift = None if broken is None else _shift(window, broken)
    gap = None if broken is None or not shift else _gap(window, broken, shift)
    if broken is not None and shift is not None and shift < 0:
        why = f"{-shift} bytes of it are missing: its table does not stand where its end says"
        valid = gap.before if gap is not None else 8
        return Walked(length=broken.end, structure=Structure.DAMAGED, why=why, valid=min(valid, broken.end), facts=facts)
    whole, count = _whole_objects(window)
    if not count:
        return _first_object(window, facts)
    if gap is not None and gap.before < whole:
        # Objects go on behind the gap as well: what lies in it is not this file's.
        facts["whole objects"] = gap.count - 1
        stops = check_stream(window, gap.before, gap.behind, encrypted=gap.encrypted).broken or gap.behind
        why = f"{shift} bytes of others lie behind its object at byte {gap.before}"
        return Walked(length=min(stops, whole), structure=Structure.TRUNCATED, why=why, valid=gap.before, facts=facts)
    facts["whole objects"] = count
    why = f"behind byte {whole} nothing of it follows"
    return Walked(length=whole, structure=Structure.TRUNCATED, why=why, facts=facts)


def _first_object(window: Window, facts: Facts) -> Walked | None:
    """Say how far the first object can be read, if it has a long stream: scanners begin with the picture."""
    opened = _OPENED.search(window.at(0, 4096))
    start = opened.end() if opened else 0
    broken = check_stream(window, start, min(window.size, start + _UNBROKEN + _stated(window, start))).broken
    if broken is None or broken - start < 4096:
        return None
    why = f"its first object breaks off at about byte {broken}"
    return Walked(length=broken, structure=Structure.TRUNCATED, why=why, valid=start, facts=facts)


def _shift(window: Window, last: _End) -> int | None:
    """Return how much further back the table stands than the end says: bytes that lie in between, or (negative) are missing."""
    if last.table is None:
        return None
    size = 64 << 10
    while True:
        start = max(0, last.at - size)
        found = _last_table(window.at(start, last.at - start))
        if found >= 0:
            return start + found - last.table
        if start == 0 or size >= 16 << 20:
            return None
        size *= 8


def _last_table(before: bytes) -> int:
    """Return where the last table or object of a cross-reference stream begins; -1 for none."""
    table = before.rfind(b"xref")
    while table >= 5 and before[table - 5 : table] == b"start":
        table = before.rfind(b"xref", 0, table - 5)
    named = before.rfind(b"/XRef")
    opened = [m.start() for m in _OBJECT.finditer(before, max(0, named - 1024), max(0, named))]
    return max(table, opened[-1] if opened else -1)


def _whole_objects(window: Window) -> tuple[int, int]:
    """Return where the last object ends that follows on another, and how many there are."""
    end, count, tail = 0, 0, b""
    for offset, data in window.chunks(0):
        joined, base = tail + data, offset - len(tail)
        pos = 0
        while (found := joined.find(b"endobj", pos)) >= 0:
            pos = found + 6
            if base + pos <= end:
                continue
            if not _OBJECT_END.match(window.at(base + found, 40)):
                # What stands behind is not of this file, but the object itself may be.
                return (base + pos if count == 0 or base + found - end < _SECTOR else end), max(count, 1)
            if (another := joined.find(b"%PDF-", max(end - base, 1), found)) >= 0 and (base + another) % _SECTOR == 0:
                return end, count
            end, count = base + pos, count + 1
            if count >= _CHAIN:
                return end, count
        if base + len(joined) - end > _UNBROKEN:
            break
        tail = joined[-5:]
    return end, count


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    """Look for the rest of a file behind a gap: its end says where its table would stand, and so how long the gap is.

    The objects before the gap stand where the tables say, those behind it that much further on; the stream that lies across it
    tells the exact block, since it decodes with no other.
    """
    tried = 0
    for one in _ends(window, stop_at_headers=False):
        if one.at > _FURTHEST or tried >= _TRAILERS:
            return None
        if not one.table:
            continue
        tried += 1
        shifts = [shift for shift in (_shift(window, one), _overlong(window, one)) if shift is not None and shift > 0]
        for shift in shifts:
            if shift % _SECTOR == 0 and (joined := _joined(window, one, shift, dict(walked.facts))) is not None:
                return joined
        if (joined := _joined_in_table(window, one, dict(walked.facts))) is not None:
            return joined
    return None


def _overlong(window: Window, one: _End) -> int | None:
    """Return by how much a linearized file is longer than it says: its end leads to the table at its beginning."""
    length = _linearized(window.at(0, 4096))
    if length is None:
        return None
    shifts = [end - length for end in range(one.at + len(_END), one.end + 1) if (end - length) % _SECTOR == 0]
    return shifts[0] if shifts else None


def _gap(window: Window, last: _End, shift: int) -> _Gap | None:
    """Return between which objects the gap lies; ``None`` if they do not stand as the tables say before and behind it."""
    end, table = last.end - shift, last.table or 0
    tables = read_tables(window, table, last.end, shift=shift)
    places = sorted({(offset, number) for number, offset in tables.offsets if offset})
    if tables.broken or len(places) < 2 or places[-1][0] >= end:
        return None
    low, high = 0, len(places)  # how many stand before the gap
    while low < high:
        middle = (low + high) // 2
        if stands_at(window, *places[middle]):
            low = middle + 1
        else:
            high = middle
    if low == 0 or (low < len(places) and not stands_at(window, places[low][0] + shift, places[low][1])):
        return None
    before, behind = places[low - 1][0], places[low][0] if low < len(places) else min(table, end)
    return _Gap(before, max(behind, before + 1), low, tables.encrypted)


def _joined(window: Window, last: _End, shift: int, facts: Facts) -> Walked | None:
    gap, end = _gap(window, last, shift), last.end - shift
    cut = None if gap is None else _cut(window, gap, shift, end)
    return None if cut is None else _proven(window, cut, shift, end, last.table or 0, facts)


def _joined_in_table(window: Window, last: _End, facts: Facts) -> Walked | None:
    """Put together a file whose gap lies in its last table: the table says itself where it should end."""
    table = last.table or 0
    head = window.at(table, 4096)
    if (opened := _COUNTED.match(head)) is not None:
        expected, mark = table + opened.end() + 20 * int(opened[1]), b"trailer"
    elif (stream := STREAM.search(head)) is not None and b"/XRef" in head[: stream.start()]:
        length = number_of(head[: stream.start()], b"Length") or 0
        expected, mark = table + stream.end() + length, b"endstream"
    else:
        return None
    if not table < expected < last.at:
        return None
    shift = window.find(mark, expected, last.at) - expected
    unit = next((unit for unit in (window.block, _SECTOR) if shift % unit < 3), _SECTOR)
    shift -= shift % unit  # an end of line may come before the word
    if shift <= 0:
        return None
    for n in range(table // unit + 1, min(expected // unit, table // unit + _CUTS) + 1):
        if (found := _proven(window, n * unit, shift, last.end - shift, table, dict(facts))) is not None:
            return found
    return None


def _proven(window: Window, cut: int, shift: int, end: int, table: int, facts: Facts) -> Walked | None:
    pieces = ((0, cut), (cut + shift, end - cut))
    tables, objects = _checked(window.spliced(pieces), table, end)
    if not objects.agree or tables.broken:
        return None
    _tell(facts, tables)
    facts.pop("whole objects", None)
    why = f"{shift} bytes of others lie behind byte {cut}; without them its {objects.right} objects stand where its table says"
    return Walked(length=end, structure=Structure.FRAGMENTED, why=why, checked=True, pieces=pieces, facts=facts)


def _cut(window: Window, gap: _Gap, shift: int, end: int) -> int | None:
    """Return where the gap begins, between the beginnings of two objects: where the stream across it decodes.

    Where nothing in it proves that, only if no other place will do.
    """
    unit = next((unit for unit in (window.block, _SECTOR) if shift % unit == 0), _SECTOR)
    before, behind, encrypted = gap.before, gap.behind, gap.encrypted
    first, last = before // unit + 1, behind // unit
    match = OBJECT.match(window.at(before, 64))
    start = before + (match.end() if match else 0)
    broken = check_stream(window, start, behind, encrypted=encrypted).broken
    middle = min(max((behind if broken is None else broken) // unit, first), max(last, first))
    fitting = []
    for n in [*range(middle, first - 1, -1), *range(middle + 1, last + 1)][:_CUTS]:  # the likeliest first
        cut: int = n * unit
        stream = check_stream(window.spliced([(0, cut), (cut + shift, end - cut)]), start, behind, encrypted=encrypted)
        if stream.proven:
            return cut
        if stream.broken is None:
            fitting.append(cut)
    return fitting[0] if len(fitting) == 1 and last - first < _CUTS else None


FORMATS = (Format(name="pdf", extension="pdf", headers=(Header(b"%PDF-"),), walk=_walk, rejoin=_rejoin, holds_files=True, largest=1 << 32),)
