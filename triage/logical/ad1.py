"""The files of an AccessData logical image (AD1, versions 3 and 4), with the paths, times and owners that it noted.

An entry has the places of the next one beside it, of its first child, of its attributes and of its bytes. The bytes are pieces of 64 KiB,
each deflated by itself. Attributes are a chain of texts; which number means what was told from the samples of Dissect's tests and from what
is published of images of known files: a file's time of access, making and change of content are 7, 8 and 9.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.ad1 import IMAGE
from triage.filesystem.trees.tree import Fault, Named
from triage.logical.paths import Folders
from triage.model import Kind, Severity, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.evidence.medium import Medium
    from triage.filesystem.trees.tree import ReadAt

_ENTRY = struct.Struct("<5QII")
_ATTRIBUTE = struct.Struct("<QIII")
_ACCESSED, _MADE, _CHANGED, _RECORD_CHANGED, _ALLOCATED = 7, 8, 9, 0xC003, 0x1E
_MODE, _OWNER, _GROUP = 0x2001, 0x2002, 0x2003
_FOLDER = 5
_WINDOW, _MOST_ATTRIBUTES, _LONGEST_NAME, _MOST_ENTRIES, _DEEPEST, _MOST_PIECES = 4096, 256, 65_535, 20_000_000, 500, 1 << 26
_TABLES, _UNDONE = 16, 32
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?")
_KINDS = {"d": Kind.DIRECTORY, "l": Kind.LINK, "b": Kind.SPECIAL, "c": Kind.SPECIAL, "p": Kind.SPECIAL, "s": Kind.SPECIAL}


class Ad1Error(ValueError):
    """An image whose list of files cannot be read."""


class _Entry(NamedTuple):
    """An entry as it stands in the image; places in bytes from its beginning, 0 for none."""

    place: int
    beside: int
    child: int
    attributes: int
    data: int
    size: int
    kind: int
    name: bytes


class Ad1Tree:
    """The files of one image."""

    def __init__(self, medium: Medium, offset: int, size: int, beat: Callable[[], None] = lambda: None) -> None:
        """Raise :class:`Ad1Error` or ``OSError``."""
        self.label, self.block_size, self.checked = "", 1, False
        self._read_at: ReadAt = lambda at, length: medium.read_at(offset + at, length)
        self._beat = beat
        head = self._read_at(0, 0x5C)
        if len(head) < 0x5C or not head.startswith(IMAGE):
            raise Ad1Error("it has no head of a logical image")
        version, _, self._piece = struct.unpack_from("<III", head, 16)
        if version not in (3, 4):
            raise Ad1Error(f"it is an AD1 of version {version}, which is not known")
        if not 512 <= self._piece <= 16 << 20:
            raise Ad1Error("the length of its pieces cannot be")
        (self._first,) = struct.unpack_from("<Q", head, 0x24)
        (named,) = struct.unpack_from("<I", head, 0x2C)
        self.label = self._read_at(0x5C, min(named, 1000)).decode("utf-8", "replace")
        self._tables: OrderedDict[int, tuple[int, ...]] = OrderedDict()
        self._undone: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def names(self) -> Iterator[Named | Fault]:
        """Yield each entry, a folder before what is in it."""
        folders = Folders()
        seen: set[int] = set()
        stack: list[tuple[int, tuple[bytes, ...]]] = [(self._first, ())]
        self.checked = True
        while stack:
            place, above = stack.pop()
            while place:
                self._beat()
                if place in seen or len(seen) >= _MOST_ENTRIES or len(above) >= _DEEPEST:
                    self.checked = False
                    yield Fault(Severity.ERROR, "the list of files leads in a circle or is too long: what follows is not listed", above)
                    break
                seen.add(place)
                try:
                    entry = self._entry(place)
                    attributes = self._attributes(entry.attributes)
                except (Ad1Error, OSError) as error:
                    self.checked = False
                    yield Fault(Severity.ERROR, f"an entry of the image cannot be read: what follows it is not listed: {error}", above)
                    break
                path = (*above, *_parts(entry.name))
                yield from folders.above(path, place)
                one = _named(entry, path, attributes)
                if one.kind is not Kind.DIRECTORY or folders.add(path):
                    yield one
                if entry.beside:
                    stack.append((entry.beside, above))
                place, above = entry.child, path

    def _entry(self, place: int) -> _Entry:
        raw = self._read_at(place, _ENTRY.size)
        if len(raw) < _ENTRY.size:
            raise Ad1Error(f"the image ends before the entry at byte {place}")
        beside, child, attributes, data, size, kind, length = _ENTRY.unpack(raw)
        if length > _LONGEST_NAME:
            raise Ad1Error(f"the entry at byte {place} has a name that is too long")
        return _Entry(place, beside, child, attributes, data, size, kind, self._read_at(place + _ENTRY.size, length))

    def _attributes(self, place: int) -> dict[int, str]:
        """Return the texts that stand at an entry, by their number. Mostly they lie behind each other: they are read at once."""
        found: dict[int, str] = {}
        window, begin = b"", 0
        for _ in range(_MOST_ATTRIBUTES):
            if not place:
                break
            at = place - begin
            if not 0 <= at <= len(window) - _ATTRIBUTE.size:
                window, begin, at = self._read_at(place, _WINDOW), place, 0
            if len(window) - at < _ATTRIBUTE.size:
                break
            following, _, number, length = _ATTRIBUTE.unpack_from(window, at)
            text = window[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + min(length, _WINDOW)]
            if len(text) < min(length, _WINDOW):
                text = self._read_at(place + _ATTRIBUTE.size, min(length, _WINDOW))
            found.setdefault(number, text.decode("utf-8", "replace"))
            place = following
        return found

    def open(self, address: int, sequence: int | None = None, attribute: tuple[int, int] | None = None) -> ReadAt:
        """Return a file's bytes by the place of its entry."""
        try:
            entry = self._entry(address)
        except Ad1Error as error:
            raise OSError(str(error)) from error
        if not entry.size:
            return lambda _offset, _length: b""
        table = self._table(entry)
        return lambda offset, length: self._bytes(entry, table, offset, length)

    def _table(self, entry: _Entry) -> tuple[int, ...]:
        """Return where each of a file's pieces begins, and the last one ends."""
        table = self._tables.get(entry.place)
        if table is not None:
            return table
        many = -(-entry.size // self._piece)
        head = self._read_at(entry.data, 8) if entry.data else b""
        if not entry.data or many > _MOST_PIECES or int.from_bytes(head, "little") != many:
            raise OSError("the list of the file's pieces cannot be read, or fits another size")
        raw = self._read_at(entry.data + 8, 8 * (many + 1))
        if len(raw) < 8 * (many + 1):
            raise OSError("the list of the file's pieces is cut off")
        table = struct.unpack(f"<{many + 1}Q", raw)
        self._tables[entry.place] = table
        if len(self._tables) > _TABLES:
            self._tables.popitem(last=False)
        return table

    def _bytes(self, entry: _Entry, table: tuple[int, ...], offset: int, length: int) -> bytes:
        end = min(entry.size, offset + max(0, length))
        pieces, at = [], max(0, offset)
        while at < end:
            number, inside = divmod(at, self._piece)
            piece = self._undo(entry, table, number)[inside : inside + end - at]
            pieces.append(piece)
            at += len(piece)
        return b"".join(pieces)

    def _undo(self, entry: _Entry, table: tuple[int, ...], number: int) -> bytes:
        key = (entry.place, number)
        data = self._undone.get(key)
        if data is not None:
            return data
        begin, stop = table[number], table[number + 1]
        wanted = min(self._piece, entry.size - number * self._piece)
        if not 0 <= stop - begin <= 2 * self._piece + 1024:
            raise OSError("a piece of the file has a length that cannot be")
        raw = self._read_at(begin, stop - begin)
        try:
            data = zlib.decompressobj().decompress(raw, wanted)
        except zlib.error as error:
            raise OSError(f"a piece of the file is damaged: {error}") from error
        if len(data) < wanted:
            raise OSError("a piece of the file is cut off")
        self._undone[key] = data
        if len(self._undone) > _UNDONE:
            self._undone.popitem(last=False)
        return data


def _parts(name: bytes) -> tuple[bytes, ...]:
    """Return an entry's name as parts of a path: those of a folder that was chosen are a path themselves."""
    parts = tuple(part for part in name.replace(b"\\", b"/").split(b"/") if part not in (b"", b"."))
    return parts or (b"unnamed",)


def _named(entry: _Entry, path: tuple[bytes, ...], attributes: dict[int, str]) -> Named:
    mode = attributes.get(_MODE, "")
    kind = _KINDS.get(mode[:1], Kind.DIRECTORY if entry.kind == _FOLDER or (entry.child and not entry.size) else Kind.FILE)
    return Named(
        path=path, kind=kind, address=entry.place, size=entry.size if kind is Kind.FILE else 0, atime=_time(attributes.get(_ACCESSED)),
        mtime=_time(attributes.get(_CHANGED)), crtime=_time(attributes.get(_MADE)), ctime=_time(attributes.get(_RECORD_CHANGED)),
        time_basis=TimeBasis.UTC if _CHANGED in attributes else TimeBasis.UNKNOWN, uid=_number(attributes.get(_OWNER)),
        gid=_number(attributes.get(_GROUP)), deleted=attributes.get(_ALLOCATED, "").lower() == "false",
        readable=kind is Kind.FILE,
    )  # fmt: skip


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 11 else None


def _time(text: str | None) -> int | None:
    """Return nanoseconds since 1970 of ``20170331T180231.189682``, in UTC."""
    match = _TIME.match(text or "")
    if match is None:
        return None
    try:
        seconds = datetime(*(int(match[n]) for n in range(1, 7)), tzinfo=UTC).timestamp()  # type: ignore[arg-type, misc]
    except ValueError:
        return None
    return int(seconds) * 10**9 + int((match[7] or "").ljust(9, "0")[:9] or 0)
