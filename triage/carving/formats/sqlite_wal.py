"""SQLite's logs beside a database: the write-ahead log, and the rollback journal.

Format: sqlite.org/fileformat2.html, sections 4 (write-ahead log) and 3 (rollback journal). A log that was begun again from its start keeps
the frames of before behind the new ones: they have older salts and belong to the file, and to what an examiner wants of it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.artifacts.sqlitelog import Checksums, plain_checksum
from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_WAL = (b"\x37\x7f\x06\x82\x00\x2d\xe2\x18", b"\x37\x7f\x06\x83\x00\x2d\xe2\x18")
_PAGE_SIZES = frozenset(1 << n for n in range(9, 17))
_WORD = 0xFFFFFFFF
_PAGES = 1 << 24
"""Numbers above that are no page's: a frame that is none."""
_BEGINNINGS = 1 << 20
"""How often a log may have been begun again since a frame was written: its first salt grows by one each time (4.1)."""
_FRAMES = 1 << 22
_OVERWRITTEN = 64 << 10
"""Bytes behind a bad frame in which a good one is looked for."""


def _walk_log(window: Window) -> Walked | None:
    head = window.at(0, 32)
    if len(head) < 32:
        return None
    magic, _, page, _, salt, other, *stored = _HEADER.unpack(head)
    little = magic == 0x377F0682
    checksum = plain_checksum((0, 0), head[:24], little=little)
    if page not in _PAGE_SIZES or checksum != tuple(stored):
        return None
    step = page + 24
    sums = Checksums(page, little=little)
    at = 32
    valid = commits = unproven = older = 0
    wrong = False  # whether a frame of this log has been met whose checksum is not right
    missing: int | None = None
    for _ in range(_FRAMES):
        frame = window.at(at, step)
        if len(frame) < 24:
            break
        number, size, first, second, *stored = _FRAME.unpack_from(frame)
        own = (first, second) == (salt, other)
        if not 0 < number <= _PAGES or size > _PAGES or not (own or 0 < (salt - first) & _WORD <= _BEGINNINGS):
            ahead = _own_ahead(window, at, step, (salt, other)) if missing is None and valid else 0
            if not ahead:
                break
            missing = at
            at += step * ahead
            wrong = True
            continue
        if len(frame) < step:
            if not valid:
                return None
            return _cut(window.size, at, _facts(page, valid, commits, older))
        if not own:
            older += 1
        elif wrong or (checksum := sums.of(checksum, frame, 0)) != tuple(stored):
            wrong = True
            unproven += 1
        else:
            valid += 1
            commits += size != 0
        at += step
    facts = _facts(page, valid, commits, older)
    if missing is not None:
        why = f"the frame at byte {missing} has been overwritten, those behind it are there"
        return Walked(length=at, structure=Structure.DAMAGED, why=why, valid=missing, facts=facts)
    if at == 32 or (not valid and not older):
        return None
    if unproven:
        facts["frames_unproven"] = unproven
    why = "the frames stop there"
    return Walked(length=at, structure=Structure.COMPLETE, why=why, checked=valid > 0 and not unproven, facts=facts)


def _own_ahead(window: Window, at: int, step: int, salts: tuple[int, int]) -> int:
    """Return how many frames on one of the log's own follows again: an overwritten cluster takes few. 0 for none."""
    for ahead in range(1, _OVERWRITTEN // step + 2):
        head = window.at(at + ahead * step, 24)
        if len(head) < 24:
            return 0
        number, _, *found = struct.unpack_from(">4I", head)
        if 0 < number <= _PAGES and tuple(found) == salts:
            return ahead
    return 0


def _cut(length: int, valid: int, facts: Facts) -> Walked:
    return Walked(length=length, structure=Structure.TRUNCATED, why="the space ends inside a frame", valid=valid, facts=facts)


def _facts(page: int, valid: int, commits: int, older: int) -> Facts:
    return {"page_size": page, "frames": valid, "transactions": commits, "older_frames": older}


# -- rollback journal -------------------------------------------------------------------------------------------------------------

_JOURNAL = bytes.fromhex("d9d505f920a163d7")
_JOURNAL_HEADER = struct.Struct(">8sIIIII")
_RECORDS = 1 << 22


def _walk_journal(window: Window) -> Walked | None:
    found = _segment(window, 0)
    if found is None:
        return None
    records = end = page = 0
    sector = int.from_bytes(window.at(20, 4), "big")
    while found is not None:
        end, count, whole, page, last = found
        records += count
        if not whole:
            if not records:
                return None
            why = "its records break off"
            return Walked(length=end, structure=Structure.TRUNCATED, why=why, facts={"page_size": page, "pages": records})
        found = None if last else _segment(window, -(-end // sector) * sector, page)
    if not records:
        return None
    facts: Facts = {"page_size": page, "pages": records}
    length = end + _name_behind(window, end)
    return Walked(length=length, structure=Structure.COMPLETE, why="its records stop there", checked=True, facts=facts)


def _segment(window: Window, start: int, size: int = 0) -> tuple[int, int, bool, int, bool] | None:
    """Return a segment's end, how many records it has, whether they are all there, the page size, and whether it is the last one.

    ``None`` for what is none. One that was not synced is the last: those in front of it are synced before it is begun.

    Until a segment behind the first (``size`` is its page size) is synced its mark and its count are zeros, the rest of its header is not.
    """
    head = window.at(start, 28)
    if len(head) < 28 or not (head.startswith(_JOURNAL) or (size and not any(head[:12]))):
        return None
    _, count, nonce, _, sector, page = _JOURNAL_HEADER.unpack(head)
    if page not in _PAGE_SIZES or (size and page != size) or not 28 <= sector <= 65536 or sector & (sector - 1):
        return None
    at = start + sector
    record = page + 8
    for number in range(min(count, _RECORDS)):
        data = window.at(at, record)
        if len(data) < record or not _right(data, nonce, page):
            return min(at, window.size), number, count == _WORD, page, True
        at += record
    if count == 0:  # it was never synced: the records count as far as their checksums hold
        for number in range(_RECORDS):
            data = window.at(at, record)
            if len(data) < record or not _right(data, nonce, page):
                return (at, number, True, page, True) if number else None
            at += record
    return at, count, True, page, False


def _right(record: bytes, nonce: int, page: int) -> bool:
    """Whether a record's checksum is right: the nonce and every 200th byte from the end (3)."""
    content = record[4 : 4 + page]
    number = int.from_bytes(record[:4], "big")
    total = (nonce + sum(content[page - 200 : 0 : -200])) & _WORD
    return 0 < number <= _PAGES and total == int.from_bytes(record[4 + page :], "big")


def _name_behind(window: Window, at: int) -> int:
    """Return the bytes of the name of a super-journal behind the records (3.1)."""
    data = window.at(at, 4096)
    end = data.find(_JOURNAL)
    if end < 12:
        return 0
    length = int.from_bytes(data[end - 8 : end - 4], "big")
    name = data[end - 8 - length : end - 8]
    total = sum(b - 256 if b > 127 else b for b in name) & _WORD
    if 0 < length == len(name) and end == 12 + length and total == int.from_bytes(data[end - 4 : end], "big"):
        return end + 8
    return 0


FORMATS = (
    Format(name="sqlite-journal", extension="sqlite-journal", headers=(Header(_JOURNAL),), walk=_walk_journal, largest=1 << 36),
    Format(name="sqlite-wal", extension="sqlite-wal", headers=tuple(Header(magic) for magic in _WAL), walk=_walk_log, largest=1 << 36),
)
