"""Write the compiled set: columns at aligned places, each with its digest, and a header that points to them.

The layout is described in :mod:`triage.hashsets.store`, which reads it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import tempfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from triage.hashsets import hamming
from triage.hashsets.facts import SetFacts
from triage.hashsets.records import KEYS, LIKENESS, ROWS
from triage.hashsets.sorting import CONFLICT, PRIMARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from triage.hashsets.facts import Label
    from triage.hashsets.sorting import Sorter

    Progress = Callable[[str, int, int], None]

MAGIC = b"triage-hashset\r\n"
VERSION = 2
# Magic, version, 0, header offset, header length, header's SHA-256 cut to 16 bytes
PREAMBLE = struct.Struct("<16sIIQQ16s")
ALIGN = 64
BLOCK = 1 << 20
_PER_WORD = 6  # digests a 64-bit Bloom word is made for, at most
_MIN_WORDS = 64
_FILTER_ROWS = 1 << 18


class Counts:
    """Different records, different digests and category conflicts, as a merge finds them."""

    def __init__(self) -> None:
        self.records = 0
        self.conflicts = 0
        self.digests: dict[str, int] = {}

    def blocks(self, kind: str, sorter: Sorter) -> Iterator[Any]:
        """Yield a sorter's merged rows, counting them."""
        for rows in sorter.merged():
            self.records += int(np.count_nonzero(rows.code & np.uint32(PRIMARY)))
            self.conflicts += int(np.count_nonzero(rows.code & np.uint32(CONFLICT)))
            self.digests[kind] = self.digests.get(kind, 0) + len(rows.code)
            yield rows


class _Column:
    """Writes one column at an aligned place, with its digest."""

    def __init__(self, stream: IO[bytes]) -> None:
        stream.seek(0, os.SEEK_END)
        stream.write(bytes(-stream.tell() % ALIGN))
        self.stream, self.offset, self.length, self._digest = stream, stream.tell(), 0, hashlib.sha256()

    def write(self, data: Any) -> None:
        view = np.ascontiguousarray(data).view(np.uint8).reshape(-1).data if isinstance(data, np.ndarray) else data
        self.stream.write(view)
        self._digest.update(view)
        self.length += len(view)

    def copy(self, spill: IO[bytes]) -> list[Any]:
        spill.seek(0)
        while data := spill.read(BLOCK):
            self.write(data)
        return self.facts()

    def facts(self) -> list[Any]:
        return [self.offset, self.length, self._digest.hexdigest()]


def write_store(
    path: Path,
    sorters: Mapping[str, Sorter],
    labels: Sequence[Label],
    facts: SetFacts,
    progress: Progress | None = None,
    *,
    linked: bool = False,
    numbers: int = 0,
    extra: Mapping[str, NDArray[Any]] | None = None,
    blobs: Mapping[str, Iterable[bytes]] | None = None,
) -> SetFacts:
    """Write a compiled set to ``path``, which nobody may be reading, and return its facts with the counts.

    ``linked``: rows keep their record's number, of which there are ``numbers``. ``extra``: arrays about records, ``blobs``: bytes that
    are no rows, both by name. Raises ``OSError``. Memory is bounded by the sorters' chunk, except for hashes that are compared by
    likeness (32 bytes each). The file is complete and on the disk when this returns.
    """
    counts, tables = Counts(), {}
    with path.open("w+b") as stream:
        stream.write(bytes(PREAMBLE.size))
        for kind in KEYS:
            if kind in sorters:
                write = _write_likeness if kind in LIKENESS else _write_exact
                table = write(stream, path, kind, counts.blocks(kind, sorters[kind]), linked, progress)
                if table["rows"]:
                    tables[kind] = table
        pieces = {name: [array] for name, array in (extra or {}).items()} | dict(blobs or {})
        header = facts.to_json() | {
            "records": counts.records,
            "digests": counts.digests,
            "conflicts": counts.conflicts,
            "labels": [label.to_json() for label in labels],
            "linked": linked,
            "numbers": numbers,
            "columns": tables,
            "extra": {name: _written(stream, parts) for name, parts in pieces.items()},
        }
        header["integrity"] = integrity_of(header)
        data = json.dumps(header, sort_keys=True, ensure_ascii=True).encode("ascii")
        stream.seek(0, os.SEEK_END)
        offset = stream.tell()
        stream.write(data)
        stream.seek(0)
        stream.write(PREAMBLE.pack(MAGIC, VERSION, 0, offset, len(data), hashlib.sha256(data).digest()[:16]))
        stream.flush()
        os.fsync(stream.fileno())
    return SetFacts.from_json(header)


def integrity_of(header: dict[str, Any]) -> str:
    """Return the SHA-256 of a header without ``integrity`` and the dates of imports."""
    lasting = {name: value for name, value in header.items() if name not in ("integrity", "imported")}
    lasting["history"] = [{n: v for n, v in step.items() if n != "imported"} for step in header["history"]]
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()


def _written(stream: IO[bytes], parts: Iterable[Any]) -> list[Any]:
    column = _Column(stream)
    for part in parts:
        column.write(part)
    return column.facts()


def _write_exact(
    stream: IO[bytes], path: Path, _kind: str, blocks: Iterator[Any], linked: bool, progress: Progress | None
) -> dict[str, Any]:
    rows = 0
    prefix = _Column(stream)
    with tempfile.TemporaryFile(dir=path.parent) as spill, tempfile.TemporaryFile(dir=path.parent) as links:
        for block in blocks:
            prefix.write(block.prefix.astype("<u8", copy=False))
            tail = np.empty((len(block.code), block.rest.shape[1] + 4), np.uint8)
            tail[:, :-4] = block.rest
            tail[:, -4:] = block.code.astype("<u4").view(np.uint8).reshape(-1, 4)
            spill.write(tail.data)
            if linked:
                links.write(block.record.astype("<u4").data)
            rows += len(block.code)
            if progress:
                progress("write", rows, 0)
        table: dict[str, Any] = {"rows": rows, "prefix": prefix.facts(), "tail": _Column(stream).copy(spill)}
        if linked:
            table["record"] = _Column(stream).copy(links)
    bloom = _Column(stream)
    for part in _bloom(stream, prefix.offset, rows, words_for(rows)):
        stream.seek(0, os.SEEK_END)
        bloom.write(part)
    return table | {"bloom": bloom.facts()}


def _write_likeness(
    stream: IO[bytes], path: Path, kind: str, blocks: Iterator[Any], linked: bool, progress: Progress | None
) -> dict[str, Any]:
    more = ROWS[kind] - KEYS[kind]
    rows = 0
    hashes = _Column(stream)
    with contextlib.ExitStack() as stack:
        spill, codes, links = (stack.enter_context(tempfile.TemporaryFile(dir=path.parent)) for _ in range(3))
        for block in blocks:
            whole = np.empty((len(block.code), ROWS[kind]), np.uint8)
            whole[:, :8] = block.prefix.astype(">u8").view(np.uint8).reshape(-1, 8)
            whole[:, 8:] = block.rest
            hashes.write(np.ascontiguousarray(whole[:, : KEYS[kind]]))
            spill.write(np.ascontiguousarray(whole[:, KEYS[kind] :]).data if more else b"")
            codes.write(block.code.astype("<u4").data)
            links.write(block.record.astype("<u4").data)
            rows += len(block.code)
            if progress:
                progress("write", rows, 0)
        table: dict[str, Any] = {"rows": rows, "hash": hashes.facts(), "more": _Column(stream).copy(spill)}
        table["code"] = _Column(stream).copy(codes)
        if linked:
            table["record"] = _Column(stream).copy(links)
    stream.flush()
    if rows:
        known = np.memmap(path, np.uint8, "r", hashes.offset, (rows, KEYS[kind]))
        table["index"] = {}
        for name, array in hamming.build_columns(known):
            table["index"][name] = [*_written(stream, [array]), array.dtype.str, list(array.shape)]
    return table


def words_for(rows: int) -> int:
    """Return how many 64-bit words the filter of so many digests has."""
    return max(_MIN_WORDS, 1 << max(0, (-(-rows // _PER_WORD) - 1).bit_length()))


def masks_of(prefix: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the 4 bits that a digest sets in its word: from its prefix's low 24 bits, as the high ones choose the word."""
    one, six = np.uint64(1), np.uint64(63)
    mask = one << (prefix & six)
    for shift in (6, 12, 18):
        mask |= one << ((prefix >> np.uint64(shift)) & six)
    return mask


def _bloom(stream: IO[bytes], offset: int, rows: int, words: int) -> Iterator[NDArray[np.uint64]]:
    """Yield the filter's words in order, reading the sorted prefixes back: they come in the words' order."""
    shift = np.uint64(64 - (words.bit_length() - 1))
    done, carry = 0, np.uint64(0)  # words that were yielded; what the next one has so far
    for start in range(0, rows, _FILTER_ROWS):
        stream.seek(offset + 8 * start)
        prefix = np.frombuffer(stream.read(8 * min(_FILTER_ROWS, rows - start)), "<u8")
        word = (prefix >> shift).astype(np.int64)
        starts = np.flatnonzero(np.concatenate(([True], word[1:] != word[:-1])))
        last = int(word[-1])
        # Words far apart (a list whose digests begin alike) are yielded in bounded pieces.
        merged, at = np.bitwise_or.reduceat(masks_of(prefix), starts), word[starts]
        for low in range(done, last + 1, _FILTER_ROWS):
            high = min(low + _FILTER_ROWS, last + 1)
            part = np.zeros(high - low, "<u8")
            here = (at >= low) & (at < high)
            part[at[here] - low] = merged[here]
            if low == done:
                part[0] |= carry
            if high == last + 1:
                carry = part[-1]
                part = part[:-1]
            yield part
        done = last
    if rows:
        yield np.array([carry], "<u8")
        done += 1
    for low in range(done, words, _FILTER_ROWS):
        yield np.zeros(min(_FILTER_ROWS, words - low), "<u8")
