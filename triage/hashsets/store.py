"""The compiled set: one memory-mapped file that answers a batch of digests without being read into memory.

For each kind of digest that is compared byte by byte three columns, sorted by digest: the first 8 bytes of each digest as a number,
the rest of the row with a 32-bit code (see :mod:`triage.hashsets.sorting`), and a Bloom filter of 64-bit words, 4 bits a digest. A
look-up asks the filter (most digests end here), finds the survivors among the numbers by binary search in sorted order, and compares
every remaining byte. For each kind that is compared by likeness: the hashes, what more each row holds, the codes, and the columns of
the index (:mod:`triage.hashsets.hamming`). In a *linked* set each row has its record's number, so that the digests of one file stay
one record; arrays about records follow.

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
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from triage.errors import HashsetError
from triage.hashsets.columns import ALIGN, BLOCK, MAGIC, PREAMBLE, VERSION, integrity_of, masks_of, words_for
from triage.hashsets.facts import Label, RecordFacts, SetFacts
from triage.hashsets.hamming import HammingIndex
from triage.hashsets.records import ALGORITHMS, KEYS, LIKENESS, ROWS
from triage.hashsets.sorting import NO_CATEGORY, prefixes_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

_MAX_HEADER = 256 << 20
_BATCH = 1 << 17  # digests looked up at once: what bounds the memory of a look-up
_EXTRA = {"known": "<u4", "sizes": "<u8", "blocks": "<u4", "frames": "<u4", "name_ends": "<u8"}
"""Arrays about records, of one length: which record, its size, blocks, frames, and where its name ends among ``names``."""

_REIMPORT = "import the list again"


class Hashset:
    """A compiled set that is open for look-ups. Reads of several processes at once are fine.

    The file is never written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._exact: dict[str, tuple[Any, Any, Any]] = {}
        self._alike: dict[str, tuple[HammingIndex, Any, Any]] = {}
        self._records: dict[str, Any] = {}
        self._about: dict[str, Any] = {}
        try:
            with path.open("rb") as stream:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise HashsetError(f"there is no compiled set {path}", hint=_REIMPORT) from error
        except (OSError, ValueError) as error:
            raise HashsetError(f"the compiled set {path} cannot be opened: {error}", hint=_REIMPORT) from error
        try:
            header = self._header()
            self.facts = SetFacts.from_json(header)
            self.labels = [Label.from_json(label) for label in header["labels"]]
            self.linked, self.numbers = bool(header["linked"]), int(header["numbers"])
            self._columns: dict[str, dict[str, Any]] = header["columns"]
            self._extra: dict[str, list[Any]] = header["extra"]
            self._open_columns()
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            self.close()
            raise HashsetError(f"the compiled set {path} is damaged: {error}", hint=_REIMPORT) from error
        except HashsetError:
            self.close()
            raise

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of rows that the set has."""
        return tuple(name for name in KEYS if name in self._exact or name in self._alike)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The digests of whole files that the set has and that every file is given, strongest first."""
        return tuple(name for name in reversed(ALGORITHMS) if name in self._exact)

    def count(self, kind: str) -> int:
        """Return how many rows of a kind there are."""
        return int(self._columns[kind]["rows"]) if kind in self._columns else 0

    def find(self, kind: str, keys: bytes) -> NDArray[np.int64]:
        """Return the row of each key (raw, end to end; the first of several rows), -1 for one that is not in the set."""
        asked = np.frombuffer(keys, np.uint8).reshape(-1, KEYS[kind])
        found = np.full(len(asked), -1, np.int64)
        if kind in self._exact:
            for start in range(0, len(asked), _BATCH):
                self._find(kind, asked[start : start + _BATCH], found[start : start + _BATCH])
        return found

    def has_prefix(self, kind: str, prefixes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which numbers may be the first 8 bytes of a key of the set: a few are that are not, none is missed."""
        if kind not in self._exact:
            return np.zeros(len(prefixes), bool)
        words = self._exact[kind][0]
        mask = masks_of(prefixes)
        found: NDArray[np.bool_] = (words[prefixes >> np.uint64(64 - (len(words).bit_length() - 1))] & mask) == mask
        return found

    def lookup(self, kind: str, keys: bytes) -> NDArray[np.int32]:
        """Return the label number of each key, -1 for one that is not in the set. :meth:`category` has its text."""
        rows = self.find(kind, keys)
        found = np.full(len(rows), -1, np.int32)
        hit = np.flatnonzero(rows >= 0)
        if len(hit):
            found[hit] = self.codes(kind, rows[hit])
        return found

    def codes(self, kind: str, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the label numbers of rows."""
        return (self.raw_codes(kind, rows) & np.uint32(NO_CATEGORY)).astype(np.int32)

    def raw_codes(self, kind: str, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Return the codes of rows with their flags (:mod:`triage.hashsets.sorting`)."""
        if kind in self._alike:
            return np.asarray(self._alike[kind][2][rows], np.uint32)
        return np.ascontiguousarray(self._exact[kind][2][rows, -4:]).view("<u4").reshape(-1).astype(np.uint32)

    def records(self, kind: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the record numbers of rows; of a set that is not linked, where each row is a record, the rows themselves."""
        return self._records[kind][rows].astype(np.int64) if kind in self._records else np.asarray(rows, np.int64)

    def rows(self, kind: str, start: int, end: int) -> NDArray[np.uint8]:
        """Return whole rows, as :data:`triage.hashsets.records.ROWS` describes them."""
        if kind in self._alike:
            index, more, _ = self._alike[kind]
            return np.concatenate([index.hashes[start:end], more[start:end]], axis=1)
        _, prefix, tail = self._exact[kind]
        high = prefix[start:end].astype(">u8").view(np.uint8).reshape(-1, 8)
        return np.concatenate([high, tail[start:end, :-4]], axis=1)

    def same_key(self, kind: str, row: int, most: int = 1 << 20) -> range:
        """Return the rows that have the same key as ``row``, the first of them; no more than ``most``."""
        _, prefix, tail = self._exact[kind]
        rest, end = KEYS[kind] - 8, row + 1
        while end < min(len(prefix), row + most) and prefix[end] == prefix[row] and (tail[end, :rest] == tail[row, :rest]).all():
            end += 1
        return range(row, end)

    def alike(self, kind: str) -> HammingIndex | None:
        """Return the index of the hashes that are compared by likeness, ``None`` if there are none."""
        return self._alike[kind][0] if kind in self._alike else None

    def more(self, kind: str, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return what rows of a kind that is compared by likeness hold behind their hash."""
        found: NDArray[np.uint8] = self._alike[kind][1][rows]
        return found

    def label(self, number: int) -> Label:
        """Return a label by its number; one with the set's own category for a record that has none."""
        if number == NO_CATEGORY:
            return Label(self.facts.category)
        if not 0 <= number < len(self.labels):
            raise HashsetError(f"the compiled set {self.path} is damaged: no label {number}", hint=_REIMPORT)
        label = self.labels[number]
        return label if label.category else label._replace(category=self.facts.category)

    def category(self, number: int) -> str:
        """Return the category of a label number."""
        return self.label(number).category

    def known_records(self) -> list[int]:
        """Return the records that :meth:`about` knows something of."""
        return [int(n) for n in self._about["known"]] if "known" in self._about else []

    def about(self, record: int) -> RecordFacts:
        """Return what the set keeps of a record."""
        if "known" not in self._about:
            return RecordFacts()
        known = self._about["known"]
        at = int(np.searchsorted(known, record))
        if at >= len(known) or known[at] != record:
            return RecordFacts()
        ends = self._about["name_ends"]
        raw = bytes(self._about["names"][int(ends[at - 1]) if at else 0 : int(ends[at])])
        size, blocks, frames = (int(self._about[n][at]) for n in ("sizes", "blocks", "frames"))
        return RecordFacts(size, blocks, frames, raw.decode("utf-8", "replace"))

    def blob(self, name: str) -> memoryview | None:
        """Return bytes that are no rows, without copying them."""
        if name not in self._extra:
            return None
        offset, length, _ = self._extra[name]
        self._array(self._extra[name], "|u1", [int(length)])
        return memoryview(self._map)[offset : offset + length]

    def check(self, progress: Callable[[str, int, int], None] | None = None) -> None:
        """Read the whole file and compare its digests; raise ``HashsetError`` where it is damaged."""
        done = 0
        for name, (offset, length, stored, *_) in self._places():
            digest = hashlib.sha256()
            for at in range(offset, offset + length, BLOCK):
                digest.update(self._map[at : min(at + BLOCK, offset + length)])
                done += BLOCK
                if progress:
                    progress("check", min(done, len(self._map)), len(self._map))
            if digest.hexdigest() != stored:
                raise HashsetError(f"the compiled set {self.path} is damaged: its column {name} changed", hint=_REIMPORT)

    def close(self) -> None:
        """Unmap the file. Arrays that look-ups returned stay valid."""
        self._exact, self._alike, self._records, self._about = {}, {}, {}, {}
        # A column is still in use, in a traceback say: it goes with its last user
        with contextlib.suppress(BufferError):
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _places(self) -> list[tuple[str, list[Any]]]:
        """Return every column's name with its offset, length and digest."""
        places = []
        for kind, table in self._columns.items():
            places += [(f"{kind} {name}", place) for name, place in table.items() if isinstance(place, list)]
            places += [(f"{kind} index {name}", place) for name, place in table.get("index", {}).items()]
        return places + list(self._extra.items())

    def _header(self) -> dict[str, Any]:
        size = len(self._map)
        if size < PREAMBLE.size:
            raise ValueError("the file is too short")
        magic, version, _, offset, length, digest = PREAMBLE.unpack_from(self._map)
        if magic != MAGIC:
            raise ValueError("it does not begin as a compiled set does")
        if version != VERSION:
            raise HashsetError(
                f"the compiled set {self.path} has layout {version}, this version reads {VERSION}",
                hint=_REIMPORT,
            )
        if length > _MAX_HEADER or offset + length != size:
            raise ValueError("the file is cut short or has grown")
        data = self._map[offset : offset + length]
        if hashlib.sha256(data).digest()[:16] != digest:
            raise ValueError("its header has changed")
        header = json.loads(data)
        if header["integrity"] != integrity_of(header):
            raise ValueError("its header does not fit itself")
        return dict(header)

    def _open_columns(self) -> None:
        for kind, table in self._columns.items():
            if kind in LIKENESS:
                self._open_likeness(kind, table)
            else:
                self._open_exact(kind, table)
            if "record" in table:
                self._records[kind] = self._array(table["record"], "<u4", [int(table["rows"])])
        if "known" in self._extra:
            count = int(self._extra["known"][1]) // 4
            self._about = {name: self._array(self._extra[name], dtype, [count]) for name, dtype in _EXTRA.items()}
            length = self._extra["names"][1]
            self._about["names"] = self._array(self._extra["names"], "|u1", [int(length)])
            ends = self._about["name_ends"]
            if count and (int(ends[-1]) != length or (ends[1:] < ends[:-1]).any()):
                raise ValueError("its records' names do not fit")

    def _open_exact(self, kind: str, table: dict[str, Any]) -> None:
        rows, tail = int(table["rows"]), ROWS[kind] - 8 + 4
        if rows < 1:
            raise ValueError(f"it has no rows of {kind}")
        self._exact[kind] = (
            self._array(table["bloom"], "<u8", [words_for(rows)]),
            self._array(table["prefix"], "<u8", [rows]),
            self._array(table["tail"], "|u1", [rows, tail]),
        )

    def _open_likeness(self, kind: str, table: dict[str, Any]) -> None:
        rows = int(table["rows"])
        if rows < 1:
            raise ValueError(f"it has no rows of {kind}")
        hashes = self._array(table["hash"], "|u1", [rows, KEYS[kind]])
        more = self._array(table["more"], "|u1", [rows, ROWS[kind] - KEYS[kind]])
        index = {str(name): self._array(place[:3], str(place[3]), list(place[4])) for name, place in table["index"].items()}
        self._alike[kind] = (HammingIndex(hashes, index), more, self._array(table["code"], "<u4", [rows]))

    def _array(self, place: list[Any], dtype: str, shape: list[int]) -> NDArray[Any]:
        """Return a column as an array over the mapped file; raise ``ValueError`` if it is not where and as long as it must be."""
        offset, length, _ = place
        kind = np.dtype(dtype)
        if kind.hasobject or kind.itemsize < 1 or any(type(n) is not int or n < 0 for n in shape):
            raise ValueError("a column has no proper type")
        count = 1
        for number in shape:
            count *= number
        if length != count * kind.itemsize or offset < 0 or offset % ALIGN or offset + length > len(self._map):
            raise ValueError("the place of a column is wrong")
        return np.frombuffer(self._map, kind, count, offset).reshape(shape) if count else np.zeros(shape, kind)

    def _find(self, kind: str, asked: NDArray[np.uint8], found: NDArray[np.int64]) -> None:
        _, prefixes, tails = self._exact[kind]
        rest = asked.shape[1] - 8
        wanted = prefixes_of(asked)
        maybe = np.flatnonzero(self.has_prefix(kind, wanted))
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
        full = (tails[at, :rest] == asked[maybe, 8:]).all(axis=1)
        found[maybe[full]] = at[full]
        # Several digests with the same first 8 bytes: look among them one by one. Only a made list has many.
        after = np.minimum(at + 1, len(prefixes) - 1)
        for index in np.flatnonzero(~full & (after > at) & (prefixes[after] == prefixes[at])):
            row, low = int(maybe[index]), int(at[index])
            high = int(np.searchsorted(prefixes, prefixes[low], "right"))
            sought_rest = asked[row, 8:].tobytes()
            while low < high:
                middle = (low + high) // 2
                if tails[middle, :rest].tobytes() < sought_rest:
                    low = middle + 1
                else:
                    high = middle
            if low < len(prefixes) and prefixes[low] == wanted[row] and tails[low, :rest].tobytes() == sought_rest:
                found[row] = low



