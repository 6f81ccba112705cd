"""What programs write into pictures beside EXIF: XMP packets, texts of PNG, content credentials (C2PA).

Where they stand: XMP 1.0 part 3 (JPEG APP1 with ``http://ns.adobe.com/xap/1.0/``, PNG iTXt ``XML:com.adobe.xmp``, WebP ``XMP ``); PNG
(W3C, 11.3.3: tEXt, zTXt, iTXt); C2PA 2.1, annex A (JPEG APP11 with JUMBF boxes, ISO/IEC 19566-5; PNG ``caBX``; WebP ``C2PA``).
Segments and chunks are walked up to the picture's data in JPEG, to the end in PNG and WebP, within a number.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.artifacts.structure import StructureError
from triage.artifacts.xmlfile import parse_xml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt
    from triage.artifacts.xmlfile import Element

TYPES = ("jpeg", "png", "webp")
"""The types that :func:`read_notes` knows where to look in."""
_MOST_PARTS, _MOST_BYTES, _MOST_TEXTS, _LONGEST = 20_000, 4 << 20, 100, 16 << 10
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_XMP = "XML:com.adobe.xmp"
_CLAIM = re.compile(rb"(?:\x6f|\x78\x0f)claim_generator(?!_)")
_INFO_NAME = re.compile(rb"\x74claim_generator_info.{0,40}?\x64name", re.DOTALL)
_SOURCE = re.compile(rb"digitalSourceType.{0,4}?(https?://[\x21-\x7e]{10,120}?/(?:digitalsourcetype)/([A-Za-z]{5,60}))", re.DOTALL)
_HISTORY_MOST = 50


@dataclass(slots=True)
class ImageNotes:
    """What was found. ``texts``: a PNG's by keyword; ``xmp``: packets; ``credentials``: bytes of the JUMBF boxes; ``why``: what was cut."""

    texts: dict[str, str] = field(default_factory=dict)
    xmp: list[bytes] = field(default_factory=list)
    credentials: bytes = b""
    why: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Xmp:
    """What an XMP packet says: properties by local name, and the steps of its history (what was done, by which program, when)."""

    properties: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, str]] = field(default_factory=list)


def read_notes(read_at: ReadAt, kind: str) -> ImageNotes:
    """Return the notes of a picture of a type of :data:`TYPES`; of another, none."""
    found = ImageNotes()
    walk = {"jpeg": _jpeg, "png": _png, "webp": _webp}.get(kind)
    if walk is not None:
        walk(read_at, found)
    return found


def _jpeg(read_at: ReadAt, found: ImageNotes) -> None:
    boxes: dict[tuple[int, int], list[tuple[int, bytes]]] = {}
    at, kept = 2, 0
    for _ in range(_MOST_PARTS):
        head = read_at(at, 4)
        if len(head) < 4 or head[0] != 0xFF:
            break
        marker, length = head[1], int.from_bytes(head[2:4], "big")
        if marker == 0xFF:
            at += 1
            continue
        if marker in (0xD9, 0xDA) or length < 2:
            break
        if marker in (0xE1, 0xEB) and kept < _MOST_BYTES:
            data = read_at(at + 4, length - 2)
            kept += len(data)
            if marker == 0xE1 and data.startswith(_XMP):
                found.xmp.append(data[len(_XMP) :])
            elif marker == 0xEB and data[:2] == b"JP" and len(data) > 16:
                # 2 bytes of identifier, a box's number, the packet's number, then the box's length and type, which each packet repeats.
                number, packet = int.from_bytes(data[2:4], "big"), int.from_bytes(data[4:8], "big")
                boxes.setdefault((number, int.from_bytes(data[8:12], "big")), []).append((packet, data[8:] if packet <= 1 else data[16:]))
        elif marker in (0xE1, 0xEB):
            _say(found, "a picture holds more notes than are read")
        at += 2 + length
    found.credentials = b"".join(data for key in sorted(boxes) for _, data in sorted(boxes[key]))[:_MOST_BYTES]


def _png(read_at: ReadAt, found: ImageNotes) -> None:
    at, kept = 8, 0
    for _ in range(_MOST_PARTS):
        head = read_at(at, 8)
        if len(head) < 8:
            return
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        if name in (b"tEXt", b"zTXt", b"iTXt", b"caBX"):
            if kept + length > _MOST_BYTES or len(found.texts) >= _MOST_TEXTS:
                _say(found, "a picture holds more notes than are read")
            else:
                data = read_at(at + 8, length)
                kept += len(data)
                if name == b"caBX":
                    found.credentials += data
                else:
                    _text(name, data, found)
        if name == b"IEND":
            return
        at += 12 + length
    _say(found, "a picture has more parts than are looked at")


def _text(name: bytes, data: bytes, found: ImageNotes) -> None:
    raw, zero, rest = data.partition(b"\0")
    keyword = raw[:79].decode("latin-1")
    if not zero:
        return
    if name == b"tEXt":
        text = rest.decode("latin-1")
        # Image generators write UTF-8 where the standard has Latin-1.
        text = _utf8(rest) or text
    elif name == b"zTXt":
        text = _inflated(rest[1:]).decode("latin-1")
    else:
        packed, rest = rest[:1] == b"\x01", rest[2:]
        body = rest.partition(b"\0")[2].partition(b"\0")[2]
        body = _inflated(body) if packed else body
        if keyword == _PNG_XMP:
            found.xmp.append(body)
            return
        text = body.decode("utf-8", "replace")
    if keyword not in found.texts:
        found.texts[keyword] = text[:_LONGEST]


def _utf8(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, _MOST_BYTES)
    except zlib.error:
        return b""


def _webp(read_at: ReadAt, found: ImageNotes) -> None:
    at = 12
    for _ in range(_MOST_PARTS):
        head = read_at(at, 8)
        if len(head) < 8:
            return
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name in (b"XMP ", b"C2PA"):
            data = read_at(at + 8, min(length, _MOST_BYTES))
            if length > _MOST_BYTES:
                _say(found, "a picture holds more notes than are read")
            if name == b"XMP ":
                found.xmp.append(data)
            else:
                found.credentials = data
        at += 8 + length + (length & 1)
    _say(found, "a picture has more parts than are looked at")


def _say(found: ImageNotes, why: str) -> None:
    if why not in found.why:
        found.why.append(why)


def read_xmp(packet: bytes) -> Xmp | None:
    """Return what a packet says; ``None`` when it is no XML that may be read. Of several properties of one name the first."""
    try:
        root = parse_xml(packet.strip(b"\0 \r\n\t")).root
    except StructureError:
        return None
    found = Xmp()
    for element in _walk(root):
        name = _local(element.name)
        if name == "History":
            found.history += list(_steps(element))
            continue
        for attribute, value in element.attributes.items():
            if ":" in attribute and not attribute.startswith(("xmlns", "rdf:", "xml:")):
                found.properties.setdefault(_local(attribute), value[:_LONGEST])
        text = element.text.strip()
        if not text and len(element.children) == 1:
            # A list, or a text by languages: the first of it.
            text = next((child.text.strip() for child in element.children[0].children if child.text.strip()), "")
        if text and not element.name.startswith("rdf:"):
            found.properties.setdefault(name, text[:_LONGEST])
    return found


def _walk(root: Element) -> Iterator[Element]:
    stack = [root]
    while stack:
        one = stack.pop()
        yield one
        # Steps of a history say of themselves what a picture says of itself.
        if _local(one.name) != "History":
            stack.extend(reversed(one.children))


def _steps(history: Element) -> Iterator[dict[str, str]]:
    for sequence in history.children[:1]:
        for step in sequence.children[:_HISTORY_MOST]:
            said = {_local(name): value[:300] for name, value in step.attributes.items() if name.startswith("stEvt:")}
            said |= {_local(child.name): child.text.strip()[:300] for child in step.children if child.name.startswith("stEvt:")}
            kept = {name: said[name] for name in ("action", "when", "softwareAgent", "parameters") if said.get(name)}
            if kept:
                yield kept


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def credentials_say(data: bytes) -> dict[str, str]:
    """Return what content credentials name: the program that made the claim, and the kind of source. No signature is checked.

    The claim is CBOR (RFC 8949) in a JUMBF box; the two values are looked for by their keys, as text of a stated length.
    """
    said: dict[str, str] = {}
    for pattern in (_CLAIM, _INFO_NAME):
        match = pattern.search(data)
        text = _cbor_text(data, match.end()) if match else ""
        if text:
            said["claim_generator"] = text
            break
    source = _SOURCE.search(data)
    if source:
        said["source_type"] = source[2].decode("ascii")
    return said


def _cbor_text(data: bytes, at: int) -> str:
    head = data[at : at + 1]
    if not head or head[0] >> 5 != 3:
        return ""
    short = head[0] & 31
    width = {24: 1, 25: 2}.get(short, 0)
    if short > 25:
        return ""
    length = int.from_bytes(data[at + 1 : at + 1 + width], "big") if width else short
    return data[at + 1 + width : at + 1 + width + min(length, 300)].decode("utf-8", "replace")
