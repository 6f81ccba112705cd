"""TNEF ([MS-OXTNEF]), the ``winmail.dat`` of mails that Outlook sent: attributes one behind the other, with MAPI properties in some.

An attribute has its level (1 byte, the message or an attachment), number and type (u32), length (u32), bytes, and their sum (u16).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from triage.artifacts import mapi
from triage.artifacts.mapi import Attached, Message, Properties
from triage.artifacts.structure import Notes, StructureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

MAGIC = b"\x78\x9f\x3e\x22"
_MESSAGE, _ATTACHMENT = 1, 2
_CODE_PAGE, _MSG_PROPERTIES, _RECIPIENTS, _CLASS = 0x9007, 0x9003, 0x9004, 0x8008
_FROM, _SUBJECT, _BODY, _SENT = 0x8000, 0x8004, 0x800C, 0x8005
_NEXT, _DATA, _TITLE, _ATT_PROPERTIES = 0x9002, 0x800F, 0x8010, 0x9005
_MOST_ATTRIBUTES, _MOST_PROPERTIES, _MOST_RECIPIENTS, _MOST_ATTACHED, _DEEPEST = 20_000, 20_000, 2000, 5000, 12
_LARGEST = 64 << 20
_MOST_VALUE, _MOST_BODY = 64 << 10, 1 << 20
_INNER = bytes.fromhex("0703020000000000c000000000000046")
"""The number of an interface that says that an object is a message: another TNEF stream."""


class Attribute(NamedTuple):
    """An attribute. ``start`` and ``size``: where its bytes are in the file; ``data`` is empty for those that are not read."""

    level: int
    number: int
    start: int
    size: int
    data: bytes


class Value(NamedTuple):
    """A property's value: its type, and where its bytes are in what was parsed."""

    number: int
    kind: int
    start: int
    size: int


def read_tnef(read_at: ReadAt, size: int) -> tuple[Message, str, Notes]:
    """Return the message, when it was sent by a clock of no known zone ("" if unknown), and what was left out.

    Raises :class:`StructureError` for what is no TNEF stream.
    """
    reader = _Reader(read_at)
    message, sent = reader.message(0, size, 0)
    return message, sent, reader.notes


class _Reader:
    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self.notes = Notes()

    def message(self, base: int, size: int, depth: int) -> tuple[Message, str]:
        """Return the message whose stream lies at ``base`` in the file."""
        if self._read_at(base, 4) != MAGIC:
            raise StructureError("no TNEF stream")
        found = Message({})
        plain: Properties = {}
        charset, sent = "cp1252", ""
        now: Attached | None = None
        for one in self._attributes(base + 6, base + size):
            if one.level == _ATTACHMENT:
                if one.number == _NEXT or now is None:
                    now = Attached({})
                    if len(found.attached) < _MOST_ATTACHED:
                        found.attached.append(now)
                    else:
                        self.notes.add("attachments beyond the first 5,000 were left out")
                self._attachment(now, one, charset, depth)
            elif one.number == _CODE_PAGE and len(one.data) >= 4:
                charset = mapi.charset_of(int.from_bytes(one.data[:4], "little"))
            elif one.number == _MSG_PROPERTIES:
                for value in self._values(one.data, 0)[0]:
                    self._keep(found.properties, one, value, charset)
                    if value.number in mapi.BODIES and value.size:
                        found.places.setdefault(value.number, ([["cut", one.start + value.start, value.size]], value.size))
            elif one.number == _RECIPIENTS:
                found.recipients = self._recipients(one, charset)
            elif one.number == _FROM:
                self._sender(plain, one.data, charset)
            elif one.number in (_SUBJECT, _BODY, _CLASS):
                number = {_SUBJECT: 0x0037, _BODY: mapi.BODY, _CLASS: 0x001A}[one.number]
                plain[number] = mapi.letters(one.data[:_MOST_BODY], charset)
                if number == mapi.BODY and one.size:
                    found.places.setdefault(number, ([["cut", one.start, one.size]], one.size))
            elif one.number == _SENT:
                sent = _clock(one.data)
        plain[0x001A] = plain.get(0x001A, "").replace("IPM.Microsoft Mail.Note", "IPM.Note")
        found.properties = {**plain, **found.properties}
        return found, sent

    def _attributes(self, at: int, end: int) -> Iterator[Attribute]:
        for _ in range(_MOST_ATTRIBUTES):
            head = self._read_at(at, 9)
            if len(head) < 9 or at + 9 > end:
                self.notes.add("what stands behind the last attribute was not read", bool(head[: end - at].strip(b"\0\r\n ")))
                return
            level, tag, size = struct.unpack("<BII", head)
            if level not in (_MESSAGE, _ATTACHMENT):
                self.notes.add("what stands behind the last attribute was not read")
                return
            number, start = tag & 0xFFFF, at + 9
            if start + size > end:
                self.notes.add("an attribute breaks off")
                size = max(0, end - start)
            data = b""
            if number != _DATA:
                data = self._read_at(start, min(size, _LARGEST))
                self.notes.add("an attribute of more than 64 MiB was cut", size > _LARGEST)
                stated = self._read_at(start + size, 2)
                if (
                    size <= _LARGEST
                    and len(stated) == 2
                    and int.from_bytes(stated, "little") != int(np.frombuffer(data, np.uint8).sum()) & 0xFFFF
                ):
                    self.notes.add("the sum of an attribute's bytes is not what it says")
            yield Attribute(level, number, start, size, data)
            at = start + size + 2
        self.notes.add("attributes beyond the first 20,000 were left out")

    def _attachment(self, now: Attached, one: Attribute, charset: str, depth: int) -> None:
        if one.number == _DATA and one.size:
            now.steps, now.size = [["cut", one.start, one.size]], one.size
        elif one.number == _TITLE:
            now.properties.setdefault(0x3704, mapi.letters(one.data[:1000], charset))
        elif one.number == _ATT_PROPERTIES:
            for value in self._values(one.data, 0)[0]:
                if value.number != mapi.ATTACHED:
                    self._keep(now.properties, one, value, charset)
                elif value.kind == mapi.OBJECT and value.size > 16:
                    self._object(now, one, value, depth)
                elif value.size and not now.steps:
                    now.steps, now.size = [["cut", one.start + value.start, value.size]], value.size

    def _object(self, now: Attached, one: Attribute, value: Value, depth: int) -> None:
        start, size = one.start + value.start + 16, value.size - 16
        if one.data[value.start : value.start + 16] == _INNER:
            if depth >= _DEEPEST:
                now.why = "messages in messages are nested too deep"
                return
            try:
                now.inner = self.message(start, size, depth + 1)[0]
            except StructureError:
                now.why = "a message that is attached is damaged"
        else:
            now.steps, now.size = [["cut", start, size]], size

    def _recipients(self, one: Attribute, charset: str) -> list[Properties]:
        count, at = int.from_bytes(one.data[:4], "little"), 4
        found: list[Properties] = []
        for _ in range(min(count, _MOST_RECIPIENTS)):
            if at + 4 > len(one.data):
                break
            values, at = self._values(one.data, at)
            row: Properties = {}
            for value in values:
                self._keep(row, one, value, charset)
            found.append(row)
        self.notes.add("recipients of a mail were left out", max(0, count - len(found)))
        return found

    def _sender(self, plain: Properties, data: bytes, charset: str) -> None:
        """A structure of four u16, the third and fourth how long the name and the address behind it are (2.1.3.3.2)."""
        if len(data) < 8:
            return
        _, _, name, address = struct.unpack_from("<4H", data)
        plain[0x0C1A] = mapi.letters(data[8 : 8 + name], charset)
        kind, colon, mail = mapi.letters(data[8 + name : 8 + name + address], charset).partition(":")
        plain[0x0C1F], plain[0x0C1E] = (mail, kind) if colon else (kind, "")

    def _keep(self, into: Properties, one: Attribute, value: Value, charset: str) -> None:
        limit = _MOST_BODY if value.number in mapi.BODIES else _MOST_VALUE
        found = mapi.value_of(value.kind, one.data[value.start : value.start + min(value.size, limit)], charset)
        if found is not None:
            into.setdefault(value.number, found)

    def _values(self, data: bytes, at: int) -> tuple[list[Value], int]:
        """Return the values of a list of properties and where it ends (2.1.3.4)."""
        count = int.from_bytes(data[at : at + 4], "little")
        at += 4
        found: list[Value] = []
        for _ in range(min(count, _MOST_PROPERTIES)):
            if at + 4 > len(data):
                self.notes.add("a list of properties breaks off")
                break
            kind, number = struct.unpack_from("<HH", data, at)
            at += 4
            if number >= 0x8000:
                number, at = _named(data, at, number)
            many, kind = bool(kind & mapi.MULTIPLE), kind & ~mapi.MULTIPLE
            fixed = 16 if kind == mapi.GUID else mapi.FIXED.get(kind)
            if fixed is None and kind not in (mapi.STRING, mapi.STRING8, mapi.BINARY, mapi.OBJECT):
                self.notes.add("a property of a type that is not known: those behind it are missing")
                at = len(data)
                break
            times = 1
            if many or fixed is None:
                times = int.from_bytes(data[at : at + 4], "little")
                at += 4
            for _ in range(times):
                size = fixed
                if size is None:
                    size = int.from_bytes(data[at : at + 4], "little")
                    at += 4
                if at >= len(data) or len(found) >= _MOST_PROPERTIES:
                    break
                found.append(Value(number if not many else -1, kind, at, min(size, len(data) - at)))
                at += size + -size % 4
        return found, min(at, len(data))


def _named(data: bytes, at: int, number: int) -> tuple[int, int]:
    """Return the wide number of a property with a set and a number or a name, and where its value begins."""
    guid, kind = data[at : at + 16], int.from_bytes(data[at + 16 : at + 20], "little")
    value = int.from_bytes(data[at + 20 : at + 24], "little")
    if kind:
        return number, min(len(data), at + 24 + value + -value % 4)
    wide = mapi.names_of(guid, struct.pack("<IHH", value, 3 << 1, 0))
    return wide.get(0x8000, number), at + 24


def _clock(data: bytes) -> str:
    """Return a date of seven u16 as text without a zone, "" for what is none."""
    if len(data) < 12:
        return ""
    year, month, day, hour, minute, second = struct.unpack_from("<6H", data)
    if not (1980 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 60):
        return ""
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
