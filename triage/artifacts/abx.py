"""Android Binary XML (``ABX``): XML documents of Android's system from version 12 on, as the tree that text gives.

Format: AOSP, ``BinaryXmlSerializer``, ``BinaryXmlPullParser`` and ``FastDataOutput`` (Apache-2.0). Behind four bytes of magic stands a row
of events: a byte with the event in the lower and the type of its value in the upper half, then names and values, numbers with the highest
byte first. A text is its length in two bytes and UTF-8 as Java writes it; one that may come again is preceded by FFFF the first time, and
is only its number from then on.
"""

from __future__ import annotations

import base64
import struct

from triage.artifacts.structure import Notes, StructureError
from triage.artifacts.xmlfile import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_TEXT, Element, XmlDocument, parse_xml

MAGIC = b"ABX\0"
_MOST_TEXTS = 0xFFFF
_START_TAG, _END_TAG, _TEXT, _CDATA, _ENTITY, _ATTRIBUTE = 2, 3, 4, 5, 6, 15
_WITHOUT = (0, 1)
"""Start and end of the document."""
_ASIDE = (7, 8, 9, 10)
"""White space, instructions, comments, document types: read over."""
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "apos": "'", "quot": '"'}
_NULL, _STRING, _INTERNED, _HEX, _BASE64, _TRUE, _FALSE = 0x10, 0x20, 0x30, 0x40, 0x50, 0xC0, 0xD0
_NUMBERS = {0x60: ">i", 0x70: ">i", 0x80: ">q", 0x90: ">q", 0xA0: ">f", 0xB0: ">d"}
_IN_HEX = (0x70, 0x90)


def read_xml(data: bytes) -> XmlDocument:
    """Return the tree of a document in text or binary form. Raises :class:`StructureError` when there is not even a root element."""
    return parse_abx(data) if data.startswith(MAGIC) else parse_xml(data)


def parse_abx(data: bytes) -> XmlDocument:
    """Return the tree of a binary document; values are the text that the XML of text would have.

    Raises :class:`StructureError` when it is none. Where it breaks off or is damaged, what came before is kept and that is noted. Several
    roots, which some files have, become children of an element without a name.
    """
    if not data.startswith(MAGIC):
        raise StructureError("no Android Binary XML")
    if len(data) > MAX_BYTES:
        raise StructureError(f"an XML document of more than {MAX_BYTES:,} bytes is not read")
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, len(MAGIC)
        self._interned: list[str] = []
        self._roots: list[Element] = []
        self._open: list[tuple[Element, list[str]]] = []
        self._nodes = self._characters = 0

    def read(self) -> XmlDocument:
        notes = Notes()
        try:
            while self._at < len(self._data):
                self._event()
        except StructureError as error:
            notes.add(f"{error}: the rest is left out")
        if not self._roots:
            raise StructureError("not an XML document: " + ("; ".join(notes.lines()) or "no element"))
        if self._open and not len(notes):
            notes.add("it breaks off: the rest is left out")
        while self._open:
            self._close()
        root = self._roots[0] if len(self._roots) == 1 else Element("", children=self._roots)
        return XmlDocument(root, notes.lines())

    def _event(self) -> None:
        mark = self._number(1)
        event, kind = mark & 0x0F, mark & 0xF0
        if event in _WITHOUT:
            return
        if event == _START_TAG:
            self._start(self._text_again())
        elif event == _END_TAG:
            self._text_again()
            if self._open:
                self._close()
        elif event == _ATTRIBUTE:
            name, value = self._text_again(), self._value(kind)
            if not self._open:
                raise StructureError("an attribute of no element")
            self._count(len(name) + len(value))
            self._open[-1][0].attributes.setdefault(name, value)
        elif event in (_TEXT, _CDATA, _ENTITY, *_ASIDE):
            text = self._value(kind)
            if self._open and event not in _ASIDE:
                text = _entity(text) if event == _ENTITY else text
                self._count(len(text))
                self._open[-1][1].append(text)
        else:
            raise StructureError("an event of no known kind")

    def _start(self, name: str) -> None:
        self._count(len(name))
        if len(self._open) >= MAX_DEPTH:
            raise StructureError(f"nested more than {MAX_DEPTH} deep")
        element = Element(name)
        (self._open[-1][0].children if self._open else self._roots).append(element)
        self._open.append((element, []))

    def _close(self) -> None:
        element, parts = self._open.pop()
        element.text = "".join(parts)

    def _count(self, characters: int) -> None:
        self._nodes += 1
        self._characters += characters
        if self._nodes > MAX_NODES:
            raise StructureError(f"more than {MAX_NODES:,} elements, attributes and texts")
        if self._characters > MAX_TEXT:
            raise StructureError(f"more than {MAX_TEXT:,} characters of text")

    def _value(self, kind: int) -> str:
        if kind in (_NULL, 0):
            return ""
        if kind == _STRING:
            return self._text()
        if kind == _INTERNED:
            return self._text_again()
        if kind in (_HEX, _BASE64):
            raw = self._take(self._number(2))
            return raw.hex() if kind == _HEX else base64.b64encode(raw).decode("ascii")
        if kind in (_TRUE, _FALSE):
            return "true" if kind == _TRUE else "false"
        form = _NUMBERS.get(kind)
        if form is None:
            raise StructureError("a value of no known kind")
        (number,) = struct.unpack(form, self._take(struct.calcsize(form)))
        return f"{number:x}" if kind in _IN_HEX else str(number)

    def _text(self) -> str:
        raw = self._take(self._number(2))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            # Java's own UTF-8: zero as two bytes, characters beyond 16 bits as two halves.
            halves = raw.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass" if _is_java(raw) else "replace")
            return halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")

    def _text_again(self) -> str:
        number = self._number(2)
        if number != 0xFFFF:
            if number >= len(self._interned):
                raise StructureError("a text that did not come before")
            return self._interned[number]
        text = self._text()
        if len(self._interned) < _MOST_TEXTS:
            self._interned.append(text)
        return text

    def _number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _take(self, size: int) -> bytes:
        raw = self._data[self._at : self._at + size]
        if len(raw) < size:
            raise StructureError("it breaks off")
        self._at += size
        return raw


def _is_java(raw: bytes) -> bool:
    try:
        raw.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _entity(name: str) -> str:
    number = name[1:]
    if name.startswith("#") and number.isascii() and number.isdigit() and len(number) < 8 and int(number) < 0x110000:
        return chr(int(number))
    return _ENTITIES.get(name, f"&{name};")
