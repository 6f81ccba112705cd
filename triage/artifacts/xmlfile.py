"""XML documents as a tree of plain values, with what makes XML dangerous refused before the parser sees it.

The standard library's expat does the parsing (W3C XML 1.0, fifth edition). A document type declaration with an internal subset, where
entities and default attributes are declared, is refused by a look at the prolog: some versions of expat go on expanding after a handler
has objected, and versions before 2.7 may overflow their stack. Nothing outside the document is ever fetched. What is not well-formed
ends the tree there, and that is said; what came before is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from triage.artifacts.structure import Notes, StructureError

MAX_BYTES = 64 << 20
MAX_DEPTH = 200
MAX_NODES = 500_000
"""Elements and attributes together."""
MAX_TEXT = 64 << 20
"""Characters of text and attributes together."""

_DECLARATION = re.compile(rb"""<\?xml\s[^>]{0,200}?\bencoding\s{0,20}=\s{0,20}["']([A-Za-z][A-Za-z0-9._-]{0,30})["']""")
# Encodings in which markup is ASCII: the look at the prolog sees what the parser will see.
_ENCODINGS = re.compile(
    r"utf-?8|us-ascii|ascii|iso-?8859-?\d{1,2}|latin-?1|(?:windows-?|cp)125\d|koi8-[ru]|cp\d{3}|macintosh|mac-roman", re.IGNORECASE
)
_SPACE = b" \t\r\n"


@dataclass(slots=True)
class Element:
    """An element. ``name`` is as written, prefix included; ``text`` is all text directly inside it, joined."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def find(self, *names: str) -> Element | None:
        """Return the first element down the path of child names."""
        here: Element | None = self
        for name in names:
            here = next((child for child in here.children if child.name == name), None) if here is not None else None
        return here


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """A document's root, and notes on what was left out."""

    root: Element
    notes: tuple[str, ...]


def parse_xml(data: bytes) -> XmlDocument:
    """Return the tree of a document. Raises :class:`StructureError` when there is not even a root element, or it may not be read."""
    if len(data) > MAX_BYTES:
        raise StructureError(f"an XML document of more than {MAX_BYTES:,} bytes is not read")
    notes = Notes()
    text = _decoded(data, notes)
    _check_prolog(text)
    builder = _Builder(notes)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.buffer_size = 64 << 10
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.EntityDeclHandler = builder.refuse
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(text, True)  # at once: in pieces, old versions take quadratic time over long tokens
    except _Stop:
        pass
    except expat.ExpatError as error:
        parser.buffer_text = False  # gives out the text that it still holds
        notes.add(f"not well-formed from line {error.lineno:,} on: the rest is left out")
    if builder.root is None:
        raise StructureError("not an XML document: " + ("; ".join(notes.lines()) or "no element"))
    builder.close()
    return XmlDocument(builder.root, notes.lines())


class _Stop(Exception):  # noqa: N818 - no error: a limit is reached
    """Ends the parsing."""


class _Builder:
    def __init__(self, notes: Notes) -> None:
        self.root: Element | None = None
        self._notes = notes
        self._open: list[tuple[Element, list[str]]] = []
        self._nodes = 0
        self._characters = 0
        self._stopped = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._stopped:
            return
        self._nodes += 1 + len(attributes)
        self._count(len(name) + sum(len(k) + len(v) for k, v in attributes.items()))
        if self._nodes > MAX_NODES:
            self._stop(f"more than {MAX_NODES:,} elements and attributes")
        if len(self._open) >= MAX_DEPTH:
            self._stop(f"nested more than {MAX_DEPTH} deep")
        element = Element(name, attributes)
        if self._open:
            self._open[-1][0].children.append(element)
        elif self.root is None:
            self.root = element
        self._open.append((element, []))

    def end(self, _name: str) -> None:
        if not self._stopped and self._open:
            element, parts = self._open.pop()
            element.text = "".join(parts)

    def characters(self, text: str) -> None:
        if not self._stopped and self._open:
            self._count(len(text))
            self._open[-1][1].append(text)

    def refuse(self, *_: object) -> None:
        self._stop("entities are declared")

    def close(self) -> None:
        """Give elements that were never closed the text that they have."""
        while self._open:
            element, parts = self._open.pop()
            element.text = "".join(parts)

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > MAX_TEXT:
            self._stop(f"more than {MAX_TEXT:,} characters of text")

    def _stop(self, why: str) -> None:
        self._notes.add(f"{why}: the rest is left out")
        self._stopped = True
        raise _Stop


def _decoded(data: bytes, notes: Notes) -> bytes:
    """Return the document as UTF-8 (XML 1.0, appendix F: how its encoding is told)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif data.startswith(b"<\0"):
        encoding = "utf-16-le"
    elif data.startswith(b"\0<"):
        encoding = "utf-16-be"
    else:
        encoding = _stated(data)
    try:
        return data.decode(encoding).encode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        notes.add("an XML document has bytes that its encoding does not: they are shown as \\xNN")
        return data.decode(encoding, "backslashreplace").encode("utf-8", "surrogatepass")
    except LookupError as error:
        raise StructureError("an XML document in an encoding that is not read") from error


def _stated(data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    match = _DECLARATION.match(data[:512].lstrip(_SPACE))
    if match is None:
        return "utf-8-sig"
    name = match[1].decode("ascii")
    if not _ENCODINGS.fullmatch(name):
        raise StructureError("an XML document in an encoding that is not read")
    return "utf-8-sig" if name.lower() in ("utf-8", "utf8") else name


def _check_prolog(text: bytes) -> None:
    """Refuse a document type declaration with an internal subset: only before the root element can there be one (section 2.8)."""
    at = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    while True:
        while text[at : at + 1] and text[at] in _SPACE:
            at += 1
        if text.startswith(b"<?", at):
            at = text.find(b"?>", at) + 2
        elif text.startswith(b"<!--", at):
            at = text.find(b"-->", at + 4) + 3
        elif text.startswith(b"<!DOCTYPE", at):
            at = _behind_doctype(text, at + 9)
        else:
            return
        if at < 4:  # not closed: the parser will say so
            return


def _behind_doctype(text: bytes, at: int) -> int:
    """Return the place behind ``>``; raise for a ``[``. Quoted identifiers may hold either."""
    while at < len(text):
        here = text[at : at + 1]
        if here == b"[":
            raise StructureError("an XML document that declares entities or defaults of its own is not read")
        if here == b">":
            return at + 1
        if here in (b'"', b"'"):
            at = text.find(here, at + 1)
            if at < 0:
                return 0
        at += 1
    return 0
