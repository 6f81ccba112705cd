"""What a SQLite database's write-ahead log or rollback journal makes of its pages, without letting SQLite near the evidence.

Format: sqlite.org/fileformat2.html, sections 3 (rollback journal) and 4 (write-ahead log). Opening a database with its log in place
changes both files; here the log is applied to a copy in memory, as far as its checksums hold.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from triage.artifacts.structure import Notes

_WAL_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_WAL_MAGIC = 0x377F0682
_WAL_VERSION = 3007000
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_JOURNAL_HEADER = struct.Struct(">8sIIIII")
_PAGE_SIZES = frozenset(1 << n for n in range(9, 17))
_WORD = 0xFFFFFFFF


def page_size_of(main: bytes) -> int | None:
    """Return the page size that a database's header states (section 1.3.2), ``None`` when it can be none."""
    stated = int.from_bytes(main[16:18], "big")
    size = 65536 if stated == 1 else stated
    return size if size in _PAGE_SIZES else None


def apply_wal(main: bytes, wal: bytes, most: int, notes: Notes) -> bytearray | None:
    """Return the database with every committed frame of the log in its place, at most ``most`` bytes; ``None`` when there is none.

    Frames count as long as salts and the running checksum fit, up to the last commit: that is what SQLite itself would take.
    """
    header = _wal_header(main, wal, notes)
    if header is None:
        return None
    page, little, salts, checksum = header
    total = (len(wal) - 32) // (24 + page)
    sums = Checksums(page, little=little)
    pending: dict[int, int] = {}
    committed: dict[int, int] = {}
    pages = good = taken = 0
    for number in range(total):
        at = 32 + number * (24 + page)
        target, size, salt1, salt2, *stored = _FRAME.unpack_from(wal, at)
        if (salt1, salt2) != salts or not target:
            break
        checksum = sums.of(checksum, wal, at)
        if checksum != tuple(stored):
            break
        good += 1
        pending[target] = at + 24
        if size:
            committed.update(pending)
            pending, pages, taken = {}, size, good
    _say_rest(wal, salts, page, (taken, good, total), notes)
    if not committed:
        return None
    return _with_pages(main, page, pages, {n: wal[at : at + page] for n, at in committed.items()}, most, notes)


def _wal_header(main: bytes, wal: bytes, notes: Notes) -> tuple[int, bool, tuple[int, int], tuple[int, int]] | None:
    if not wal:
        return None
    if len(wal) < 32:
        notes.add("a write-ahead log is too short for its header and was not used")
        return None
    magic, version, page, _, salt1, salt2, *stored = _WAL_HEADER.unpack_from(wal)
    little = magic == _WAL_MAGIC
    if magic not in (_WAL_MAGIC, _WAL_MAGIC + 1) or version != _WAL_VERSION or page not in _PAGE_SIZES:
        notes.add("a write-ahead log has no header that is known and was not used")
        return None
    if main and page_size_of(main) != page:
        notes.add("a write-ahead log has another page size than its database and was not used")
        return None
    checksum = plain_checksum((0, 0), wal[:24], little=little)
    if checksum != tuple(stored):
        notes.add("a write-ahead log's header has a wrong checksum: none of it was used")
        return None
    return page, little, (salt1, salt2), checksum


def _say_rest(wal: bytes, salts: tuple[int, int], page: int, counts: tuple[int, int, int], notes: Notes) -> None:
    """Say what of the log was not used: that a change was written is a fact even where it was never committed."""
    taken, good, total = counts
    notes.add("a frame of a write-ahead log belongs to no finished transaction and was not used", good - taken)
    behind = [_FRAME.unpack_from(wal, 32 + number * (24 + page)) for number in range(good, total)]
    same = sum((frame[2], frame[3]) == salts for frame in behind)
    notes.add("a frame of a write-ahead log is damaged, or stands behind a damaged one, and was not used", same)
    notes.add("a frame of a write-ahead log is left over from before and was not used", len(behind) - same)
    if (len(wal) - 32) % (24 + page):
        notes.add("a write-ahead log ends inside a frame")


def _with_pages(main: bytes, page: int, pages: int, changed: dict[int, bytes], most: int, notes: Notes) -> bytearray | None:
    length = pages * page
    if length > most:
        notes.add(f"a database grows past {most:,} bytes with its log, which was not used")
        return None
    data = bytearray(main[:length])
    data.extend(bytes(length - len(data)))
    for number, content in changed.items():
        if number <= pages:
            data[(number - 1) * page : number * page] = content
    return data


def plain_checksum(checksum: tuple[int, int], data: bytes, *, little: bool) -> tuple[int, int]:
    """Section 4.2: two running sums over pairs of 32-bit words."""
    first, second = checksum
    for one, two in struct.iter_unpack("<II" if little else ">II", data):
        first = (first + one + second) & _WORD
        second = (second + two + first) & _WORD
    return first, second


class Checksums:
    """Checksums of frames with pages of one size.

    A step takes the sums (a, b) and words (x, y) to (a + b + x, a + 2b + x + y): it is linear, so that a page's part is a sum of its
    words with weights that are the same for every page. In NumPy that takes a hundredth of a Python loop's time.
    """

    def __init__(self, page: int, *, little: bool) -> None:
        steps = page // 8
        self._little = little
        self._dtype = np.dtype("<u4" if little else ">u4")
        power = (1, 0, 0, 1)  # the matrix ((1, 1), (1, 2)) to the power of the steps that follow a word
        weights = np.empty((4, steps), np.uint64)
        for step in range(steps - 1, -1, -1):
            p, q, r, s = power
            weights[:, step] = ((p + q) & _WORD, q, (r + s) & _WORD, s)  # of x and y in the first sum, and in the second
            power = ((p + q) & _WORD, (p + 2 * q) & _WORD, (r + s) & _WORD, (r + 2 * s) & _WORD)
        self._power = power
        self._weights = weights

    def of(self, checksum: tuple[int, int], wal: bytes, at: int) -> tuple[int, int]:
        """Return the sums behind the frame at ``at``: over the first eight bytes of its header, and its page."""
        first, second = plain_checksum(checksum, wal[at : at + 8], little=self._little)
        words = np.frombuffer(wal, self._dtype, self._weights.shape[1] * 2, at + 24).astype(np.uint64)
        x, y = words[0::2], words[1::2]
        p, q, r, s = self._power
        # Sums wrap at 2**64, of which 2**32 is a divisor: their lower halves are right.
        own = [int((x * self._weights[n]).sum()) + int((y * self._weights[n + 1]).sum()) for n in (0, 2)]
        return (p * first + q * second + own[0]) & _WORD, (r * first + s * second + own[1]) & _WORD


def apply_journal(main: bytes, journal: bytes, most: int, notes: Notes) -> bytearray | None:
    """Return the database with an unfinished transaction taken back; ``None`` when the journal is not hot or holds nothing.

    A journal whose header is zeroed belongs to a transaction that ended. Whether another file that it may name decides over it (section
    3.1, super-journals) cannot be told from here, and is said.
    """
    if not journal:
        return None
    if not journal.startswith(_JOURNAL_MAGIC) or len(journal) < _JOURNAL_HEADER.size:
        ended = not any(journal[: _JOURNAL_HEADER.size])
        notes.add(
            "a rollback journal of a finished transaction was not used" if ended else "a rollback journal has no valid header: not used"
        )
        return None
    _, _, _, pages, _, page = _JOURNAL_HEADER.unpack_from(journal)
    if page not in _PAGE_SIZES or (main and page_size_of(main) not in (page, None)):
        notes.add("a rollback journal has another page size than its database and was not used")
        return None
    changed = _journal_pages(journal, page, notes)
    if journal.endswith(_JOURNAL_MAGIC):
        notes.add("a rollback journal is part of a transaction over several databases: whether it was finished is not known")
    if not changed:
        notes.add("a hot rollback journal holds no page: the database had not been changed yet")
        return None
    notes.add("a hot rollback journal: the last transaction was not finished; both states are read")
    return _with_pages(main, page, pages, changed, most, notes)


def _journal_pages(journal: bytes, page: int, notes: Notes) -> dict[int, bytes]:
    """Return the pages as they were before, of every valid record in every segment of the journal."""
    changed: dict[int, bytes] = {}
    at = 0
    while journal.startswith(_JOURNAL_MAGIC, at) and len(journal) - at >= _JOURNAL_HEADER.size:
        _, count, nonce, _, sector, _ = _JOURNAL_HEADER.unpack_from(journal, at)
        if not (32 <= sector <= 65536 and sector & (sector - 1) == 0):
            notes.add("a rollback journal's header is damaged: what follows was not used")
            break
        at += sector
        record = page + 8
        present = max(len(journal) - at, 0) // record
        for number in range(present if count == _WORD else min(count, present)):
            start = at + number * record
            target = int.from_bytes(journal[start : start + 4], "big")
            content = journal[start + 4 : start + 4 + page]
            total = (nonce + sum(content[page - 200 : 0 : -200])) & _WORD
            if not target or total != int.from_bytes(journal[start + 4 + page : start + record], "big"):
                notes.add("a record of a rollback journal has a wrong checksum: it and those behind it were not used")
                return changed
            changed.setdefault(target, content)
        if count == _WORD:
            break
        if count > present:
            notes.add("a rollback journal is shorter than it states", count - present)
            break
        at = -(-(at + count * record) // sector) * sector
    return changed
