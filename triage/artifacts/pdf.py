"""The objects of a PDF document, found one by one: its table of them is not asked, so that damaged and updated files give all they hold.

Source: ISO 32000-1, sections 7.2 (lexical conventions), 7.3 (objects), 7.5 (file structure: object streams, incremental updates).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from triage.artifacts import pdffilters
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import Notes

LARGEST = 256 << 20
_MOST_OBJECTS, _LONGEST_DICT, _DEEPEST, _MOST_VALUES = 300_000, 256 << 10, 24, 20_000
_MOST_UNDONE, _UNDONE_IN_ALL = 16 << 20, 128 << 20
_IN_VAIN = 4 << 20
"""Bytes that are read, of a whole document, of values that then turn out to be none: objects of a damaged one may lie inside each other."""
_COMMENT = re.compile(rb"%[^\r\n]*")
_LETTERS = re.compile(rb"[^()\\]+")
_NUMBERS = re.compile(rb"(\d{1,10})[\0\t\n\f\r ]{1,8}(\d{1,5})[\0\t\n\f\r ]{1,8}$")
_SPACE = b"\0\t\n\f\r "
_DELIMITERS = _SPACE + b"()<>[]{}/%"
_WORD = re.compile(rb"[^\0\t\n\f\r ()<>\[\]{}/%]{1,200}")
_REFERENCE = re.compile(rb"[\0\t\n\f\r ]{1,8}(\d{1,5})[\0\t\n\f\r ]{1,8}R(?![^\0\t\n\f\r ()<>\[\]{}/%])")
_ESCAPES = {0x6E: b"\n", 0x72: b"\r", 0x74: b"\t", 0x62: b"\b", 0x66: b"\f"}


class Ref(NamedTuple):
    """A reference to another object, by its number."""

    number: int


class Name(str):
    """A name, without its slash."""

    __slots__ = ()


@dataclass(slots=True)
class Object:
    """An object: its number, value, and where its stream's bytes lie (``None`` for none). ``replaced``: a later one has its number.

    ``place``: where it stands in the file, or the stream does that it is in.
    """

    number: int
    value: Any
    stream: tuple[int, int] | None = None
    replaced: bool = False
    place: int = 0


@dataclass(slots=True)
class Document:
    """All objects of a document, in the order they stand in it. ``by_number``: the last of each number."""

    objects: list[Object] = field(default_factory=list)
    by_number: dict[int, Object] = field(default_factory=dict)
    trailers: list[dict[str, Any]] = field(default_factory=list)
    ends: int = 0

    def value(self, given: Any) -> Any:
        """Return a value, or what a reference leads to."""
        for _ in range(8):
            if not isinstance(given, Ref):
                return given
            found = self.by_number.get(given.number)
            given = found.value if found is not None else None
        return None

    @property
    def encrypted(self) -> bool:
        """Whether the document is encrypted: its strings and streams say nothing then."""
        return any("Encrypt" in trailer for trailer in self.trailers)


class _Reader:
    """Reads values at a place; what is damaged ends the value that it is in."""

    def __init__(self, data: bytes, end: int) -> None:
        self.data, self.end = data, end
        self.values = 0
        self.reached = 0
        """How far it has read."""

    def skip(self, at: int) -> int:
        data, end = self.data, self.end
        while at < end:
            byte = data[at]
            if byte == 0x25:
                match = _COMMENT.match(data, at, end)
                at = match.end() if match is not None else end
            elif byte in _SPACE:
                at += 1
            else:
                break
        return at

    def value(self, at: int, depth: int = 0) -> tuple[Any, int]:
        """Return the value at a place and where it ends; raise :class:`StructureError` when there is none."""
        at = self.reached = self.skip(at)
        self.values += 1
        if at >= self.end or depth > _DEEPEST or self.values > _MOST_VALUES:
            raise StructureError("a value that breaks off, or is too deep")
        data, byte = self.data, self.data[at]
        if data.startswith(b"<<", at):
            return self._dictionary(at + 2, depth)
        if byte == 0x5B:
            return self._array(at + 1, depth)
        if byte == 0x2F:
            match = _WORD.match(data, at + 1, self.end)
            raw = match[0] if match is not None else b""
            return Name(_unescaped(raw)), at + 1 + len(raw)
        if byte == 0x28:
            return self._string(at + 1)
        if byte == 0x3C:
            stop = data.find(b">", at, self.end)
            if stop < 0:
                self.reached = self.end
                raise StructureError("a string that breaks off")
            digits = data[at + 1 : stop].translate(None, _SPACE)
            return _hexadecimal(digits), stop + 1
        match = _WORD.match(data, at, self.end)
        if match is None:
            raise StructureError("a value that is none")
        word = match[0]
        if word.isdigit() and len(word) <= 10:
            reference = _REFERENCE.match(data, match.end(), min(self.end, match.end() + 40))
            if reference is not None:
                return Ref(int(word)), reference.end()
        return _plain(word), match.end()

    def _dictionary(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while True:
            at = self.skip(at)
            if self.data.startswith(b">>", at):
                return found, at + 2
            if at >= self.end or self.data[at] != 0x2F:
                raise StructureError("a dictionary that breaks off")
            key, at = self.value(at, depth + 1)
            value, at = self.value(at, depth + 1)
            found.setdefault(str(key), value)

    def _array(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        while True:
            at = self.skip(at)
            if at < self.end and self.data[at] == 0x5D:
                return found, at + 1
            value, at = self.value(at, depth + 1)
            found.append(value)

    def _string(self, at: int) -> tuple[bytes, int]:
        data, open_, found = self.data, 1, bytearray()
        while at < self.end and len(found) < _LONGEST_DICT:
            match = _LETTERS.match(data, at, self.end)
            if match is not None:
                found += match[0]
                at = match.end()
                continue
            byte = data[at]
            at += 1
            if byte == 0x5C and at < self.end:
                following = data[at]
                at += 1
                if 0x30 <= following <= 0x37:
                    digits = bytes([following])
                    while len(digits) < 3 and at < self.end and 0x30 <= data[at] <= 0x37:
                        digits += data[at : at + 1]
                        at += 1
                    found.append(int(digits, 8) & 255)
                elif following not in b"\r\n":
                    found += _ESCAPES.get(following, bytes([following]))
                elif following == 0x0D and data[at : at + 1] == b"\n":
                    at += 1
                continue
            open_ += (byte == 0x28) - (byte == 0x29)
            if not open_:
                return bytes(found), at
            found.append(byte)
        self.reached = at
        raise StructureError("a string that breaks off")


def _unescaped(raw: bytes) -> str:
    if b"#" in raw:
        raw = re.sub(rb"#([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), raw)
    return raw.decode("utf-8", "replace")


def _hexadecimal(digits: bytes) -> bytes:
    try:
        return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    except ValueError:
        return b""


def _plain(word: bytes) -> Any:
    if word in (b"true", b"false"):
        return word == b"true"
    text = word.decode("ascii", "replace")
    try:
        return int(text) if len(text) < 20 and text.lstrip("+-").isdigit() else float(text) if len(text) < 40 else None
    except ValueError:
        return None


def read_pdf(data: bytes, notes: Notes) -> Document:
    """Return the objects of a document. Never raises: what cannot be read is left out, and told by ``notes``."""
    document = Document(ends=data.count(b"%%EOF"))
    at, broken, left = 0, 0, _IN_VAIN
    while (at := data.find(b"obj", at)) >= 0:
        begin, at = at, at + 3
        match = _NUMBERS.search(data, max(0, begin - 32), begin)
        if match is None:
            continue
        if len(document.objects) >= _MOST_OBJECTS:
            notes.add(f"a PDF document of more than {_MOST_OBJECTS:,} objects: the rest is left out")
            break
        reader = _Reader(data, min(len(data), at + _LONGEST_DICT))
        try:
            value, stop = reader.value(at)
        except StructureError:
            broken += 1
            left -= reader.reached - at
            if left < 0:
                notes.add("a PDF document is damaged in too many places: what follows is left out")
                break
            continue
        one = Object(int(match[1]), value, place=begin)
        document.objects.append(one)
        if isinstance(value, dict):
            one.stream = _stream(data, stop, value)
            at = one.stream[0] + one.stream[1] if one.stream is not None else stop
    for trailer in _trailers(data):
        document.trailers.append(trailer)
    _number(document)
    _lengths(document, data)
    document.trailers += [o.value for o in document.objects if isinstance(o.value, dict) and o.value.get("Type") == "XRef"]
    if not document.encrypted:
        _unpack(document, data, notes)
        _number(document)
    notes.add("an object of a PDF document is damaged: it is left out", broken)
    return document


def _number(document: Document) -> None:
    """Say which object of a number is the last one: an object stream's stand where the stream does."""
    document.by_number.clear()
    for one in sorted(document.objects, key=lambda found: found.place):
        before = document.by_number.get(one.number)
        if before is not None:
            before.replaced = True
        document.by_number[one.number] = one


def _stream(data: bytes, at: int, value: dict[str, Any]) -> tuple[int, int] | None:
    """Return where a stream's bytes begin and how many they are, by its length if that fits, else by its end mark."""
    at += len(data[at : at + 64]) - len(data[at : at + 64].lstrip(_SPACE))
    if not data.startswith(b"stream", at):
        return None
    at += 6
    at += 2 if data.startswith(b"\r\n", at) else 1 if data[at : at + 1] in (b"\n", b"\r") else 0
    length = value.get("Length")
    if isinstance(length, int) and 0 <= length <= len(data) - at and b"endstream" in data[at + length : at + length + 24]:
        return at, length
    stop = data.find(b"endstream", at)
    if stop < 0:
        stop = len(data)
    length = stop - at
    if isinstance(value.get("Length"), Ref):
        return at, length  # put right when all objects are known
    return at, length - (data[stop - 1 : stop] in (b"\n", b"\r") and length > 0) - (data[stop - 2 : stop] == b"\r\n" and length > 1)


def _lengths(document: Document, data: bytes) -> None:
    """Put right the lengths that stand in objects of their own."""
    for one in document.objects:
        given = one.value.get("Length") if isinstance(one.value, dict) else None
        if one.stream is None or not isinstance(given, Ref):
            continue
        begin, length = one.stream
        stated = document.value(given)
        if isinstance(stated, int) and 0 <= stated <= length and b"endstream" in data[begin + stated : begin + stated + 24]:
            one.stream = (begin, stated)


def _trailers(data: bytes) -> Iterator[dict[str, Any]]:
    at, left = 0, _IN_VAIN
    for _ in range(1000):
        at = data.find(b"trailer", at)
        if at < 0 or left < 0:
            return
        at += 7
        reader = _Reader(data, min(len(data), at + _LONGEST_DICT))
        try:
            value, at = reader.value(at)
        except StructureError:
            left -= reader.reached - at
            continue
        if isinstance(value, dict):
            yield value


def _unpack(document: Document, data: bytes, notes: Notes) -> None:
    """Add the objects that stand in object streams."""
    left = _UNDONE_IN_ALL
    for outer in list(document.objects):
        if outer.stream is None or outer.value.get("Type") != "ObjStm":
            continue
        begin, length = outer.stream
        text, why = pdffilters.undone(data[begin : begin + length], filters(document, outer.value), min(_MOST_UNDONE, left))
        if why:
            notes.add("a stream of objects is damaged, too large or packed in a way that is not read: not all that is in it was read")
        left -= len(text)
        if left <= 0:
            notes.add("a PDF document's streams of objects are larger than 128 MiB: the rest is left out")
            return
        first, many = document.value(outer.value.get("First")), document.value(outer.value.get("N"))
        if isinstance(first, int) and isinstance(many, int) and 0 < first < len(text):
            _unpack_one(document, outer.place, text, first, many, notes)


def _unpack_one(document: Document, place: int, text: bytes, first: int, many: int, notes: Notes) -> None:
    numbers = text[:first].split()[: 2 * max(0, min(many, _MOST_OBJECTS))]
    # Each stands in bytes of its own: who reads more than there are is led in circles.
    left, broken = 2 * len(text), 0
    for number, offset in zip(numbers[::2], numbers[1::2], strict=False):
        if not number.isdigit() or not offset.isdigit():
            continue
        if len(document.objects) >= _MOST_OBJECTS or left < 0:
            notes.add("objects of a stream lie over each other, or are too many: the rest is left out")
            break
        begin = first + int(offset[:10])
        reader = _Reader(text, len(text))
        try:
            value, stop = reader.value(begin)
        except StructureError:
            broken += 1
            left -= max(0, reader.reached - begin) + 1
            continue
        left -= stop - begin
        document.objects.append(Object(int(number[:10]), value, place=place))
    notes.add("an object of a PDF document is damaged: it is left out", broken)


def filters(document: Document, value: dict[str, Any]) -> list[str]:
    """Return the names of a stream's filters, in the order they are undone."""
    given = document.value(value.get("Filter", value.get("F") if isinstance(value.get("F"), Name | list) else None))
    many = given if isinstance(given, list) else [given] if given is not None else []
    short = pdffilters.SHORT
    return [short.get(str(document.value(one)), str(document.value(one))) for one in many[:8]]


def text_of(value: Any, longest: int = 1000) -> str:
    """Return a text string: UTF-16 with a mark, UTF-8 with one, else Latin (PDFDocEncoding, but for its rare signs)."""
    if not isinstance(value, bytes):
        return ""
    if value.startswith((b"\xfe\xff", b"\xff\xfe")):
        text = value[: 2 * longest + 2].decode("utf-16", "replace")
    elif value.startswith(b"\xef\xbb\xbf"):
        text = value[3:].decode("utf-8", "replace")
    else:
        text = value.decode("latin-1")
    return text.strip("\0 ")[:longest]


_DATE = re.compile(r"D?:?(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(\d\d)?)?")


def date_of(value: Any) -> str:
    """Return a date as ISO 8601, with its offset from UTC if it has one; "" for none."""
    match = _DATE.match(text_of(value, 40))
    if match is None:
        return ""
    year, month, day, hour, minute, second = (match[n] or ("01" if n in (2, 3) else "00") for n in range(1, 7))
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31 and int(hour) < 24 and int(minute) < 60 and int(second) < 60):
        return ""
    zone = "Z" if match[7] else f"{match[8]}{match[9]}:{match[10] or '00'}" if match[8] else ""
    if zone[1:] == "00:00":
        zone = "Z"
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{zone}"
