"""The compiled set: one memory-mapped file that answers a batch of digests without being read into memory.

For each algorithm three columns, sorted by digest: the first 8 bytes of each digest as a number, the rest of
the digest with a 16-bit code (see :mod:`triage.hashsets.sorting`), and a Bloom filter of 64-bit words, 4 bits
a digest. A look-up asks the filter (most digests end here), finds the survivors among the numbers by binary
search in sorted order, and compares every remaining byte.

File: 64 bytes that point to the header, the columns (each at a multiple of 64), the header as JSON. Numbers
are little-endian. The header has the columns' SHA-256 and ``integrity``, the SHA-256 of itself without
``integrity`` and ``imported``: the same list imported under the same name by the same version gives the same
integrity at any time and place.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import mmap
import os
import struct
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self

import numpy as np

from triage.errors import HashsetError
from triage.hashsets.records import ALGORITHMS, LENGTHS
from triage.hashsets.sorting import CONFLICT, NO_CATEGORY, PRIMARY, prefixes_of
from triage.model import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from triage.hashsets.sorting import Sorter

_MAGIC = b"triage-hashset\r\n"
_VERSION = 1
# Magic, version, 0, header offset, header length, header's SHA-256 cut to 16 bytes
_PREAMBLE = struct.Struct("<16sIIQQ16s")
_ALIGN = 64
_MAX_HEADER = 64 << 20
_BLOCK = 1 << 20
_BATCH = 1 << 17  # digests looked up at once: what bounds the memory of a look-up
_PER_WORD = 6  # digests a 64-bit Bloom word is made for, at most
_MIN_WORDS = 64
_FILTER_ROWS = 1 << 18

_REIMPORT = "import the list again"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """What a compiled set says about itself.

    ``imported`` is the operator's date or empty; nothing is computed from it. ``records`` counts different
    records, each by the strongest digest it has; ``digests`` different digests by algorithm.
    """

    name: str
    meaning: Meaning
    category: str = ""
    source: str = ""
    source_sha256: str = ""
    format: str = ""
    tool: str = ""
    imported: str = ""
    records: int = 0
    digests: Mapping[str, int] = field(default_factory=dict)
    conflicts: int = 0
    notes: tuple[str, ...] = ()
    integrity: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            **values,
            "meaning": self.meaning.value,
            "digests": dict(self.digests),
            "notes": list(self.notes),
        }


class Counts:
    """Different records, different digests and category conflicts, as a merge finds them."""

    def __init__(self) -> None:
        self.records = 0
        self.conflicts = 0
        self.digests: dict[str, int] = {}

    def blocks(self, algorithm: str, sorter: Sorter) -> Iterator[Any]:
        """Yield a sorter's merged rows, counting them."""
        for rows in sorter.merged():
            self.records += int(np.count_nonzero(rows.code & PRIMARY))
            self.conflicts += int(np.count_nonzero(rows.code & CONFLICT))
            self.digests[algorithm] = self.digests.get(algorithm, 0) + len(rows.code)
            yield rows


class _Column:
    """Writes one column at an aligned place, with its digest."""

    def __init__(self, stream: IO[bytes]) -> None:
        stream.write(bytes(-stream.tell() % _ALIGN))
        self.stream, self.offset, self.length, self._digest = stream, stream.tell(), 0, hashlib.sha256()

    def write(self, data: Any) -> None:
        view = np.ascontiguousarray(data).view(np.uint8).reshape(-1).data if isinstance(data, np.ndarray) else data
        self.stream.write(view)
        self._digest.update(view)
        self.length += len(view)

    def facts(self) -> list[Any]:
        return [self.offset, self.length, self._digest.hexdigest()]


def write_store(
    path: Path,
    sorters: Mapping[str, Sorter],
    categories: list[str],
    facts: SetFacts,
    progress: Callable[[str, int, int], None] | None = None,
) -> SetFacts:
    """Write a compiled set to ``path``, which nobody may be reading, and return its facts with the counts.

    Raises ``OSError``. Memory is bounded by the sorters' chunk. The file is complete and on the disk when
    this returns.
    """
    counts, columns = Counts(), {}
    with path.open("w+b") as stream:
        stream.write(bytes(_PREAMBLE.size))
        for algorithm in ALGORITHMS:
            if algorithm in sorters:
                table = _write_columns(stream, path.parent, counts.blocks(algorithm, sorters[algorithm]), progress)
                if table["rows"]:
                    columns[algorithm] = table
        header = facts.to_json() | {
            "records": counts.records,
            "digests": counts.digests,
            "conflicts": counts.conflicts,
            "categories": categories,
            "columns": columns,
        }
        header["integrity"] = _integrity(header)
        data = json.dumps(header, sort_keys=True, ensure_ascii=True).encode("ascii")
        stream.seek(0, os.SEEK_END)
        offset = stream.tell()
        stream.write(data)
        stream.seek(0)
        stream.write(_PREAMBLE.pack(_MAGIC, _VERSION, 0, offset, len(data), hashlib.sha256(data).digest()[:16]))
        stream.flush()
        os.fsync(stream.fileno())
    return _facts(header)


def _write_columns(
    stream: IO[bytes], folder: Path, blocks: Iterator[Any], progress: Callable[[str, int, int], None] | None
) -> dict[str, Any]:
    rows = 0
    prefix = _Column(stream)
    with tempfile.TemporaryFile(dir=folder) as spill:
        for block in blocks:
            prefix.write(block.prefix.astype("<u8", copy=False))
            tail = np.empty((len(block.code), block.rest.shape[1] + 2), np.uint8)
            tail[:, :-2] = block.rest
            tail[:, -2:] = block.code.astype("<u2").view(np.uint8).reshape(-1, 2)
            spill.write(tail.data)
            rows += len(block.code)
            if progress:
                progress("write", rows, 0)
        tails = _Column(stream)
        spill.seek(0)
        while data := spill.read(_BLOCK):
            tails.write(data)
    bloom = _Column(stream)
    words = _words(rows)
    for part in _bloom(stream, prefix.offset, rows, words):
        stream.seek(0, os.SEEK_END)
        bloom.write(part)
    return {"rows": rows, "prefix": prefix.facts(), "tail": tails.facts(), "bloom": bloom.facts()}


def _words(rows: int) -> int:
    return max(_MIN_WORDS, 1 << max(0, (-(-rows // _PER_WORD) - 1).bit_length()))


def _masks(prefix: NDArray[np.uint64]) -> NDArray[np.uint64]:
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
        merged, at = np.bitwise_or.reduceat(_masks(prefix), starts), word[starts]
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


class Hashset:
    """A compiled set that is open for look-ups. Reads of several processes at once are fine.

    The file is never written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._arrays: dict[str, tuple[Any, Any, Any]] = {}
        try:
            with path.open("rb") as stream:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise HashsetError(f"there is no compiled set {path}", hint=_REIMPORT) from error
        except (OSError, ValueError) as error:
            raise HashsetError(f"the compiled set {path} cannot be opened: {error}", hint=_REIMPORT) from error
        try:
            header = self._header()
            self.facts = _facts(header)
            self.categories: list[str] = [str(c) for c in header["categories"]]
            self._columns: dict[str, dict[str, Any]] = header["columns"]
            self._arrays = {name: self._open_columns(name, table) for name, table in self._columns.items()}
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            self.close()
            raise HashsetError(f"the compiled set {path} is damaged: {error}", hint=_REIMPORT) from error
        except HashsetError:
            self.close()
            raise

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that the set has digests of, strongest first."""
        return tuple(name for name in reversed(ALGORITHMS) if name in self._arrays)

    def lookup(self, algorithm: str, digests: bytes) -> NDArray[np.int32]:
        """Return the category number of each digest (raw, end to end), -1 for one that is not in the set.

        The category's text is :meth:`category`'s.
        """
        length = LENGTHS[algorithm]
        rows = np.frombuffer(digests, np.uint8).reshape(-1, length)
        found = np.full(len(rows), -1, np.int32)
        if algorithm in self._arrays:
            for start in range(0, len(rows), _BATCH):
                part = rows[start : start + _BATCH]
                self._find(algorithm, part, found[start : start + _BATCH])
        return found

    def category(self, number: int) -> str:
        """Return the text of a category number; the set's own category for a record that has none."""
        if number == NO_CATEGORY:
            return self.facts.category
        if not 0 <= number < len(self.categories):
            raise HashsetError(f"the compiled set {self.path} is damaged: no category {number}", hint=_REIMPORT)
        return self.categories[number]

    def check(self, progress: Callable[[str, int, int], None] | None = None) -> None:
        """Read the whole file and compare its digests; raise ``HashsetError`` where it is damaged."""
        done = 0
        for algorithm, table in self._columns.items():
            for column in ("prefix", "tail", "bloom"):
                offset, length, stored = table[column]
                digest = hashlib.sha256()
                for at in range(offset, offset + length, _BLOCK):
                    digest.update(self._map[at : min(at + _BLOCK, offset + length)])
                    done += _BLOCK
                    if progress:
                        progress("check", min(done, len(self._map)), len(self._map))
                if digest.hexdigest() != stored:
                    raise HashsetError(
                        f"the compiled set {self.path} is damaged: its {algorithm} column {column} changed",
                        hint=_REIMPORT,
                    )

    def close(self) -> None:
        """Unmap the file. Arrays that look-ups returned stay valid."""
        self._arrays = {}
        # A column is still in use, in a traceback say: it goes with its last user
        with contextlib.suppress(BufferError):
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _header(self) -> dict[str, Any]:
        size = len(self._map)
        if size < _PREAMBLE.size:
            raise ValueError("the file is too short")
        magic, version, _, offset, length, digest = _PREAMBLE.unpack_from(self._map)
        if magic != _MAGIC:
            raise ValueError("it does not begin as a compiled set does")
        if version != _VERSION:
            raise HashsetError(
                f"the compiled set {self.path} has layout {version}, this version reads {_VERSION}",
                hint=_REIMPORT,
            )
        if length > _MAX_HEADER or offset + length != size:
            raise ValueError("the file is cut short or has grown")
        data = self._map[offset : offset + length]
        if hashlib.sha256(data).digest()[:16] != digest:
            raise ValueError("its header has changed")
        header = json.loads(data)
        if header["integrity"] != _integrity(header):
            raise ValueError("its header does not fit itself")
        return dict(header)

    def _open_columns(self, algorithm: str, table: dict[str, Any]) -> tuple[Any, Any, Any]:
        rows, tail = int(table["rows"]), LENGTHS[algorithm] - 6
        wanted = {"prefix": 8 * rows, "tail": tail * rows, "bloom": 8 * _words(rows)}
        for name, length in wanted.items():
            offset, stored, _ = table[name]
            if rows < 1 or stored != length or offset < 0 or offset % _ALIGN or offset + length > len(self._map):
                raise ValueError(f"the place of its {algorithm} {name} column is wrong")
        words = np.frombuffer(self._map, "<u8", _words(rows), table["bloom"][0])
        prefix = np.frombuffer(self._map, "<u8", rows, table["prefix"][0])
        tails = np.frombuffer(self._map, np.uint8, tail * rows, table["tail"][0]).reshape(rows, tail)
        return words, prefix, tails

    def _find(self, algorithm: str, rows: NDArray[np.uint8], found: NDArray[np.int32]) -> None:
        words, prefixes, tails = self._arrays[algorithm]
        wanted = prefixes_of(rows)
        mask = _masks(wanted)
        maybe = np.flatnonzero((words[wanted >> np.uint64(64 - (len(words).bit_length() - 1))] & mask) == mask)
        if not len(maybe):
            return
        maybe = maybe[np.argsort(wanted[maybe])]
        sought = wanted[maybe]
        at = np.searchsorted(prefixes, sought)
        at[at == len(prefixes)] = 0
        same = prefixes[at] == sought
        maybe, at = maybe[same], at[same]
        if not len(maybe):
            return
        tail = tails[at]
        full = (tail[:, :-2] == rows[maybe, 8:]).all(axis=1)
        found[maybe[full]] = _category_numbers(tail[full])
        # Several digests with the same first 8 bytes: look among them one by one. Only a made list has many.
        after = np.minimum(at + 1, len(prefixes) - 1)
        for index in np.flatnonzero(~full & (after > at) & (prefixes[after] == prefixes[at])):
            row, low = int(maybe[index]), int(at[index])
            high = int(np.searchsorted(prefixes, prefixes[low], "right"))
            rest = rows[row, 8:].tobytes()
            while low < high:
                middle = (low + high) // 2
                if tails[middle, :-2].tobytes() < rest:
                    low = middle + 1
                else:
                    high = middle
            if low < len(prefixes) and prefixes[low] == wanted[row] and tails[low, :-2].tobytes() == rest:
                found[row] = _category_numbers(tails[low : low + 1])[0]


def _category_numbers(tails: NDArray[np.uint8]) -> NDArray[np.int32]:
    code = np.ascontiguousarray(tails[:, -2:]).view("<u2").reshape(-1)
    return (code & NO_CATEGORY).astype(np.int32)


def _integrity(header: dict[str, Any]) -> str:
    lasting = {name: value for name, value in header.items() if name not in ("integrity", "imported")}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, ensure_ascii=True).encode("ascii")).hexdigest()


def _facts(header: dict[str, Any]) -> SetFacts:
    return SetFacts(
        **{
            name: str(header[name])
            for name in (
                "name",
                "category",
                "source",
                "source_sha256",
                "format",
                "tool",
                "imported",
                "integrity",
            )
        },
        meaning=Meaning(header["meaning"]),
        records=int(header["records"]),
        conflicts=int(header["conflicts"]),
        digests={str(name): int(count) for name, count in header["digests"].items()},
        notes=tuple(str(note) for note in header["notes"]),
    )
