"""Disks whose blocks lie where tables say: what the readers of virtual disks share.

A reader tells where a stretch of blocks lies (:meth:`MappedMedium.places`); here the bytes are put together, with as few reads as can be.
What a table or the file no longer gives is a read error at its place on the disk, never zeros; zeros are only what the format says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np

from triage.evidence.medium import DamagedRangeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from triage.evidence.medium import Medium

    Places = NDArray[np.int64]

ZERO, PARENT, PACKED, LOST_TABLE, LOST_PLACE, UNREAD = -1, -2, -3, -4, -5, -6
"""What stands for a place in the file: zeros; what the disk below has; a compressed block; one that no table leads to any more; one whose
place cannot be; one that is packed in a way that is not read."""
LARGEST = 1 << 46
"""Bytes of the largest disk that is believed: 64 TiB, what VHDX and VMDK can have."""
REASONS = {
    LOST_TABLE: "the table that leads to it cannot be read",
    LOST_PLACE: "its place lies outside of the file",
    UNREAD: "it is packed in a way that is not read",
}
MOST_PLACES = 1 << 16
"""Blocks that are looked up at once."""
_CACHED = 32 << 20
_PAGE = 1 << 13
_MOST_SURVEYED, _LEAST_SURVEYED = 1 << 28, 1 << 11  # blocks that are looked through, and what one look counts at least

_Kept = TypeVar("_Kept")


class DiskError(ValueError):
    """Why a virtual disk is not opened, as it is said behind its name; ``hint`` as in ``EvidenceError``."""

    def __init__(self, message: str, hint: str = "get a whole copy") -> None:
        super().__init__(message)
        self.hint = hint


class Cache(Generic[_Kept]):
    """The values that were used last: as many as ``most`` bytes hold, and at least one."""

    def __init__(self, size_of: Callable[[_Kept], int], most: int = _CACHED) -> None:
        self._size_of, self._most, self._size = size_of, most, 0
        self._held: OrderedDict[int, _Kept] = OrderedDict()

    def get(self, key: int) -> _Kept | None:
        """Return what is kept, ``None`` when it is not."""
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    def keep(self, key: int, value: _Kept) -> _Kept:
        """Keep a value that is not kept yet, and return it."""
        self._held[key] = value
        self._size += self._size_of(value)
        while self._size > self._most and len(self._held) > 1:
            self._size -= self._size_of(self._held.popitem(last=False)[1])
        return value


class Table:
    """A table of numbers in a file, of which only what is asked for is read: its length is what a header says. ``kind``: NumPy's type."""

    def __init__(self, file: Medium, at: int, count: int, kind: str) -> None:
        self.count = count
        self._file, self._at, self._kind = file, at, np.dtype(kind)
        self._pages: Cache[Places] = Cache(lambda page: page.nbytes)

    def slice(self, first: int, count: int) -> tuple[Places, int]:
        """Return at most ``count`` numbers from ``first`` on, and how many were asked for; fewer come where the file ends."""
        page, inside = divmod(first, _PAGE)
        count = min(count, _PAGE - inside, self.count - first)
        values = self._pages.get(page)
        if values is None:
            width = self._kind.itemsize
            at, length = self._at + page * _PAGE * width, min(_PAGE, self.count - page * _PAGE) * width
            raw = self._file.read_at(at, length) if at < self._file.size else b""
            values = np.frombuffer(raw[: len(raw) // width * width], dtype=self._kind).astype(np.int64)
            self._pages.keep(page, values)
        return values[inside : inside + count], count

    def pages(self) -> Iterator[tuple[int, Places]]:
        """Yield the numbers page by page with the first one's index, as far as the file goes; raise ``OSError``."""
        for first in range(0, self.count, _PAGE):
            values, asked = self.slice(first, _PAGE)
            if len(values):
                yield first, values
            if len(values) < asked:
                return


def padded(values: Places, count: int) -> Places:
    """Return the places with those that the table no longer gave."""
    return values if len(values) == count else np.concatenate((values, np.full(count - len(values), LOST_TABLE, dtype=np.int64)))


def stretches(first: int, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield where neighbours are chosen: the first one's number and how many."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], chosen, [False])).astype(np.int8)))
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield first + start, end - start


class Survey(NamedTuple):
    """What a look through all tables found, in bytes of the disk. ``lost``: by reason. ``whole``: whether all were looked through."""

    stored: int
    lost: dict[str, int]
    whole: bool


class MappedMedium(ABC):
    """A disk of ``size`` bytes in blocks of ``unit`` bytes; see :class:`triage.evidence.medium.Medium`.

    ``parent``: the disk that it continues; when that is not there, ``missing`` is its name, and what lies in it cannot be read.
    """

    def __init__(self, file: Medium, size: int, unit: int, parent: Medium | None = None, missing: str = "") -> None:
        if not 0 < size <= LARGEST:
            raise DiskError(f"cannot be opened: it states a size of {size} bytes")
        self.size, self.sector_size = size, 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self.unit = unit
        self.file = file
        self._parent, self._missing = parent, missing
        self._unpacked: Cache[bytes] = Cache(len)

    @abstractmethod
    def places(self, first: int, count: int) -> Places:
        """Return where blocks lie, at least one and at most ``count`` from ``first`` on: in ``file``, or one of the numbers above.

        What lies in the file follows each other block by block. May raise ``OSError``.
        """

    @abstractmethod
    def tables(self) -> Iterator[tuple[int, int]]:
        """Yield stretches of blocks (the first, how many) that have tables; all others are zeros, or the parent's."""

    def notes(self) -> list[str]:
        """Return what else was found out about the disk, in words."""
        return []

    def unpack(self, block: int) -> tuple[int, bytes]:
        """Return where a packed piece begins on the disk and what it holds; raise ``OSError``. ``block`` lies in it."""
        raise OSError(f"block {block} is not packed")

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        end = offset + max(0, min(length, self.size - offset))
        pieces: list[bytes] = []
        at = offset
        while at < end:
            first = at // self.unit
            places = self._look_up(first, min(-(-end // self.unit) - first, MOST_PLACES))
            for start, many, place in runs(places, self.unit):
                stop = min(end, (first + start + many) * self.unit)
                inside = at - (first + start) * self.unit
                pieces.append(self._piece(at, stop - at, place + inside if place >= 0 else place))
                at = stop
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _look_up(self, first: int, count: int) -> Places:
        try:
            return self.places(first, count)
        except OSError as error:
            raise self.lose(first * self.unit, self.unit, error.strerror or str(error)) from error

    def _piece(self, at: int, many: int, place: int) -> bytes:
        if place >= 0:
            try:
                data = self.file.read_at(place, many)
            except OSError as error:
                raise self.lose(at, many, error.strerror or str(error)) from error
            if len(data) < many:
                raise self.lose(at + len(data), many - len(data), "the file ends before it")
            return data
        if place == ZERO:
            return bytes(many)
        if place == PARENT:
            return self._below(at, many)
        if place == PACKED:
            return self._packed(at, many)
        raise self.lose(at, many, REASONS.get(place, "it cannot be read"))

    def _below(self, at: int, many: int) -> bytes:
        if self._parent is None:
            if self._missing:
                raise self.lose(at, many, f"it lies in {self._missing}, which is not there")
            return bytes(many)
        try:
            return self._parent.read_at(at, many).ljust(many, b"\0")
        except DamagedRangeError as error:
            self.damaged[error.offset] = (error.length, error.reason)
            raise
        except OSError as error:
            raise self.lose(at, many, error.strerror or str(error)) from error

    def _packed(self, at: int, many: int) -> bytes:
        pieces = []
        while many:
            block = at // self.unit
            start, data = self._undone(block)
            piece = data[at - start : at - start + many]
            if not piece:
                raise self.lose(at, min(many, self.unit), "its compressed data end too early")
            pieces.append(piece)
            at += len(piece)
            many -= len(piece)
        return b"".join(pieces)

    def _undone(self, block: int) -> tuple[int, bytes]:
        try:
            return self.unpack(block)
        except OSError as error:
            raise self.lose(block * self.unit, self.unit, error.strerror or str(error)) from error

    def lose(self, offset: int, length: int, why: str) -> DamagedRangeError:
        """Note a range that cannot be read, and return the error to raise."""
        length = max(1, min(length, self.size - offset))
        self.damaged[offset] = (length, why)
        return DamagedRangeError(offset, length, why)

    def survey(self, beat: Callable[[], None] = lambda: None, size: int | None = None) -> Survey:
        """Look through the tables, as far as is bearable; what lies in the disk below does not count.

        ``size``: bytes that count, all of it when it is not given.
        """
        size = self.size if size is None else min(size, self.size)
        counts = np.zeros(1 - UNREAD, dtype=np.int64)  # by what stands for a place, without its sign; 0 for those in the file
        seen = 0
        for start, many in self.tables():
            at, end = start, min(start + many, -(-size // self.unit))
            while at < end:
                try:
                    places = self.places(at, min(end - at, MOST_PLACES))
                except OSError:
                    places = np.full(1, LOST_TABLE, dtype=np.int64)
                kinds = np.where(places >= self.file.size, LOST_PLACE, np.clip(places, UNREAD, 0))
                counts += np.bincount(-kinds, minlength=len(counts))
                at += len(places)
                seen += max(len(places), _LEAST_SURVEYED)
                beat()
                if seen > _MOST_SURVEYED:
                    break
            if seen > _MOST_SURVEYED:
                break
        lost = {why: min(size, int(counts[-kind]) * self.unit) for kind, why in REASONS.items() if counts[-kind]}
        stored = min(size, int(counts[0] + counts[-PACKED]) * self.unit)
        return Survey(stored, lost, seen <= _MOST_SURVEYED)

    def close(self) -> None:
        """Close the files."""
        self.file.close()
        if self._parent is not None:
            self._parent.close()


def runs(places: Places, unit: int) -> list[tuple[int, int, int]]:
    """Return the first block, the number of blocks and the place of stretches that lie in one piece, or are of one kind."""
    if len(places) == 1:
        return [(0, 1, int(places[0]))]
    before, behind = places[:-1], places[1:]
    same = np.where(before >= 0, behind == before + unit, behind == before)
    starts = [0, *(np.flatnonzero(~same) + 1).tolist()]
    ends = [*starts[1:], len(places)]
    return [(start, end - start, int(places[start])) for start, end in zip(starts, ends, strict=True)]


class Window:
    """A stretch of another medium; what of it cannot be read is told by its place in the stretch. ``length`` is its size in bytes."""

    def __init__(self, below: Medium, start: int, length: int) -> None:
        self.sector_size, self.size = below.sector_size, max(0, min(length, below.size - start))
        self.damaged: dict[int, tuple[int, str]] = {}
        self._below, self._start = below, start

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        try:
            return self._below.read_at(self._start + offset, max(0, min(length, self.size - offset)))
        except DamagedRangeError as error:
            self.damaged[error.offset - self._start] = (error.length, error.reason)
            raise DamagedRangeError(error.offset - self._start, error.length, error.reason) from error

    def close(self) -> None:
        """Close the files below."""
        self._below.close()


class JoinedMedium:
    """Media that follow each other, each with its size here: of shorter ones the rest cannot be read. None is zeros."""

    def __init__(self, parts: Sequence[tuple[int, Medium | None]]) -> None:
        self.sector_size = 512
        self.damaged: dict[int, tuple[int, str]] = {}
        self._parts: list[tuple[int, int, Medium | None]] = []
        start = 0
        for size, medium in parts:
            self._parts.append((start, start + size, medium))
            start += size
        self.size = start
        self._starts = [part[0] for part in self._parts]
        if not 0 < start <= LARGEST:
            raise DiskError(f"cannot be opened: it states a size of {start} bytes")

    def read_at(self, offset: int, length: int) -> bytes:
        """Return the bytes; see :class:`triage.evidence.medium.Medium`."""
        at, end = offset, offset + max(0, min(length, self.size - offset))
        pieces: list[bytes] = []
        number = int(np.searchsorted(self._starts, at, side="right")) - 1
        while at < end:
            start, stop, medium = self._parts[number]
            many = min(end, stop) - at
            if many > 0:
                pieces.append(self._read(start, at, many, medium))
                at += many
            number += 1
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, start: int, at: int, many: int, medium: Medium | None) -> bytes:
        if medium is None:
            return bytes(many)
        try:
            data = medium.read_at(at - start, many)
        except DamagedRangeError as error:
            raise self._lose(start + error.offset, error.length, error.reason) from error
        except OSError as error:
            raise self._lose(at, many, error.strerror or str(error)) from error
        if len(data) < many:
            raise self._lose(at + len(data), many - len(data), "the file ends before it")
        return data

    def _lose(self, offset: int, length: int, why: str) -> DamagedRangeError:
        self.damaged[offset] = (length, why)
        return DamagedRangeError(offset, length, why)

    def survey(self, beat: Callable[[], None] = lambda: None) -> Survey:
        """Add up what the parts have stored and lost."""
        found: list[Survey] = []
        for start, stop, medium in self._parts:
            if isinstance(medium, MappedMedium):
                found.append(medium.survey(beat, stop - start))
            elif medium is not None:
                there = min(stop - start, max(0, medium.size))
                found.append(Survey(there, {REASONS[LOST_PLACE]: stop - start - there} if there < stop - start else {}, whole=True))
        lost: dict[str, int] = {}
        for one in found:
            for why, size in one.lost.items():
                lost[why] = lost.get(why, 0) + size
        return Survey(sum(one.stored for one in found), lost, all(one.whole for one in found))

    def notes(self) -> list[str]:
        """Return what was found out about the parts."""
        return [line for _, _, medium in self._parts if isinstance(medium, MappedMedium) for line in medium.notes()]

    def close(self) -> None:
        """Close the files."""
        for _, _, medium in self._parts:
            if medium is not None:
                medium.close()
