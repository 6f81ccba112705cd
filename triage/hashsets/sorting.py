"""Sort and fold more digests than memory holds: sorted runs in one temporary file, merged range by range.

A row is a digest, a code and the number of its record. The code's low 30 bits number the label (the category and what
else the list says of the record); the top bit stands where the digest is the strongest one that its record has, which makes
different records countable; the bit below it where the list has the digest under more than one label.
"""

from __future__ import annotations

import tempfile
from array import array
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np

from triage.hashsets.records import EMPTY_FILE, ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    U32 = NDArray[np.uint32]
    U64 = NDArray[np.uint64]

PRIMARY, CONFLICT = 0x80000000, 0x40000000
NO_CATEGORY = 0x3FFFFFFF  # the largest number, so that of two rows with one digest the one with a label stays
MAX_RECORDS = 0xFFFFFFFF
CHUNK_BYTES = 16 << 20  # digests of one algorithm that are held before they are spilled
_U32 = "I" if array("I").itemsize == 4 else "L"  # the array type of 32 bits
_SAMPLE = 1024  # rows between two samples of a run


class Rows(NamedTuple):
    """Digests in columns: the first 8 bytes as a number, whose order is the digests' order, the rest, codes, records."""

    prefix: U64
    rest: U8
    code: U32
    record: U32

    def take(self, order: Any) -> Rows:
        """Return the rows that an index, a mask or a slice picks."""
        return Rows(self.prefix[order], self.rest[order], self.code[order], self.record[order])


class _Run(NamedTuple):
    offset: int  # in the temporary file, in bytes
    rows: int
    samples: U64  # each _SAMPLE-th row's prefix


def prefixes_of(digests: U8) -> U64:
    """Return the first 8 bytes of each digest as a number, in the digests' order."""
    return np.ascontiguousarray(digests[:, :8]).view(">u8").reshape(-1).astype(np.uint64)


def fold(rows: Rows) -> Rows:
    """Sort rows and make one of each digest, with the label and the record that the list named first and every flag."""
    order = np.argsort(rows.prefix)
    prefix = rows.prefix[order]
    if len(prefix) < 2:
        return rows
    equal = prefix[1:] == prefix[:-1]
    if not equal.any():
        return Rows(prefix, rows.rest[order], rows.code[order], rows.record[order])
    # Rows whose prefix another row has: only these need the other bytes compared
    tied = np.zeros(len(prefix), bool)
    tied[1:] |= equal
    tied[:-1] |= equal
    at = np.flatnonzero(tied)
    some = rows.take(order[at])
    words = np.zeros((len(at), -(-some.rest.shape[1] // 8) * 8), np.uint8)
    words[:, : some.rest.shape[1]] = some.rest
    columns = words.view(">u8").astype(np.uint64)
    order[at] = order[at][np.lexsort((*columns.T[::-1], some.prefix))]
    rows = rows.take(order)
    first = np.ones(len(prefix), bool)
    first[1:] = ~(equal & (rows.rest[1:] == rows.rest[:-1]).all(axis=1))
    starts = np.flatnonzero(first)
    category = rows.code & np.uint32(NO_CATEGORY)
    lowest = np.minimum.reduceat(category, starts)
    highest = np.maximum.reduceat(np.where(category == NO_CATEGORY, 0, category), starts)
    flags = np.bitwise_or.reduceat(rows.code & np.uint32(PRIMARY | CONFLICT), starts)
    flags[(lowest != NO_CATEGORY) & (highest > lowest)] |= np.uint32(CONFLICT)
    code: U32 = np.bitwise_or(lowest, flags)
    return Rows(rows.prefix[starts], rows.rest[starts], code, np.minimum.reduceat(rows.record, starts))


class Sorter:
    """All digests of one kind on their way into a store.

    Added in any order, read back sorted and folded.
    """

    def __init__(self, kind: str, folder: Path | None, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.length = ROWS[kind]
        self._empty = EMPTY_FILE.get(kind)
        self._folder = folder
        self._chunk_rows = max(1, chunk_bytes // self.length)
        self._digests, self._codes, self._records = bytearray(), array(_U32), array(_U32)
        self._file: IO[bytes] | None = None
        self._runs: list[_Run] = []

    def add(self, digest: bytes, code: int, record: int = 0) -> None:
        """Add one digest, which is not the empty file's."""
        self._digests += digest
        self._codes.append(code)
        self._records.append(record)
        if len(self._codes) >= self._chunk_rows:
            self._spill()

    def add_packed(self, digests: bytes, record: int = 0) -> int:
        """Add digests end to end, each its record's only one and without a label; ``record`` is the first one's number.

        Return how many were the empty file's.
        """
        refused = 0
        if self._empty is not None and self._empty in digests:
            rows = np.frombuffer(digests, np.uint8).reshape(-1, self.length)
            keep = (rows != np.frombuffer(self._empty, np.uint8)).any(axis=1)
            refused = len(rows) - int(np.count_nonzero(keep))
            digests = rows[keep].tobytes()
        count = len(digests) // self.length
        self.add_rows(digests, np.full(count, NO_CATEGORY | PRIMARY, np.uint32), np.arange(record, record + count, dtype=np.uint32))
        return refused

    def add_rows(self, digests: bytes, codes: U32, records: U32) -> None:
        """Add digests end to end with their codes and records."""
        step = self._chunk_rows
        for at in range(0, len(codes), step):
            self._digests += digests[at * self.length : (at + step) * self.length]
            self._codes.frombytes(codes[at : at + step].tobytes())
            self._records.frombytes(records[at : at + step].tobytes())
            if len(self._codes) >= self._chunk_rows:
                self._spill()

    def merged(self, block_rows: int | None = None) -> Iterator[Rows]:
        """Yield all rows, sorted and folded, in blocks of about ``block_rows``.

        To be read once, when all were added.
        """
        if not self._runs:
            rows = self._chunk()
            if len(rows.prefix):
                yield rows
            return
        self._spill()
        assert self._file is not None  # noqa: S101 - a run was spilled into it
        pivots = self._pivots(block_rows or self._chunk_rows)
        starts = [0] * len(self._runs)
        for pivot in [*pivots, None]:
            pieces = []
            for number, run in enumerate(self._runs):
                end = run.rows if pivot is None else self._position(run, pivot)
                if end > starts[number]:
                    pieces.append(self._read(run, starts[number], end))
                starts[number] = end
            if pieces:
                yield fold(Rows(*(np.concatenate(column) for column in zip(*pieces, strict=True))))

    def close(self) -> None:
        """Give back memory and the temporary file."""
        self._digests, self._codes, self._records, self._runs = bytearray(), array(_U32), array(_U32), []
        if self._file:
            self._file.close()
            self._file = None

    def _chunk(self) -> Rows:
        digests = np.frombuffer(bytes(self._digests), np.uint8).reshape(-1, self.length)
        codes, records = (np.frombuffer(a.tobytes(), np.uint32) for a in (self._codes, self._records))
        self._digests, self._codes, self._records = bytearray(), array(_U32), array(_U32)
        return fold(Rows(prefixes_of(digests), digests[:, 8:], codes, records))

    def _spill(self) -> None:
        if not self._codes:
            return
        rows = self._chunk()
        if self._file is None:
            # Unnamed on POSIX and deleted on close elsewhere: a killed import leaves nothing of it behind.
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - lives until close()
        self._file.seek(0, 2)
        self._runs.append(_Run(self._file.tell(), len(rows.prefix), rows.prefix[::_SAMPLE].copy()))
        for column in rows:
            self._file.write(np.ascontiguousarray(column).data)
        self._file.flush()

    def _pivots(self, block_rows: int) -> list[np.uint64]:
        """Return prefixes between which about ``block_rows`` rows lie, all runs together."""
        samples = np.sort(np.concatenate([run.samples for run in self._runs]))
        step = max(1, block_rows // _SAMPLE)
        return list(np.unique(samples[step::step]))

    def _position(self, run: _Run, pivot: np.uint64) -> int:
        """Return how many rows of a run come before a prefix."""
        sample = int(np.searchsorted(run.samples, pivot))
        if sample == 0:
            return 0
        low, high = (sample - 1) * _SAMPLE, min(sample * _SAMPLE, run.rows)
        return low + int(np.searchsorted(self._column(run.offset + 8 * low, high - low, np.uint64), pivot))

    def _read(self, run: _Run, start: int, end: int) -> Rows:
        width, count = self.length - 8, end - start
        rest_at = run.offset + 8 * run.rows
        code_at = rest_at + width * run.rows
        return Rows(
            self._column(run.offset + 8 * start, count, np.uint64),
            self._column(rest_at + width * start, width * count, np.uint8).reshape(-1, width),
            self._column(code_at + 4 * start, count, np.uint32),
            self._column(code_at + 4 * (run.rows + start), count, np.uint32),
        )

    def _column(self, offset: int, count: int, kind: Any) -> Any:
        assert self._file is not None  # noqa: S101 - only runs in it are read
        self._file.seek(offset)
        size = count * np.dtype(kind).itemsize
        data = self._file.read(size)
        if len(data) != size:
            raise OSError("the temporary file of the import is cut short")
        return np.frombuffer(data, kind)
