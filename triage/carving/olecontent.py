"""What lies in the streams of OLE documents, walked far enough to tell whether a block of it was overwritten.

[MS-XLS] 2.1.4 (records), 2.4.28 (BoundSheet8); [MS-PPT] 2.3.1 (record header), 2.3.2 (current user); [MS-DOC] 2.5.1 (Fib), 2.9.38 (Clx),
2.8.5 (PlcBteChpx); [MS-OLEPS]; Thumbs.db: a header of 12 or 24 bytes and a JPEG or PNG in each stream.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from triage.carving.forms import Part

if TYPE_CHECKING:
    from triage.carving.cfb import CfbEntry, Compound
    from triage.carving.window import Window

_MOST_RECORDS = 400_000
_MOST_READ = 64 << 20
"""Bytes of a stream that are walked."""
_PICTURES = 10_000
_MOST_PROPERTIES = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """``proven``: what of the content agrees, in words; ``wrong``: what does not. Both empty: nothing that could be told.

    ``at``: where what is wrong stands: by the stream, or by the file when ``check_content`` returns it.
    """

    proven: str = ""
    wrong: str = ""
    at: int | None = None


def check_content(window: Window, found: Compound, extension: str) -> Content:
    """Walk the main stream of the kinds that are known, and look at the properties that any may have."""
    for name in ("\x05SummaryInformation", "\x05DocumentSummaryInformation"):
        entry = _entry(found, name)
        if entry is not None and entry.size >= 28 and (wrong := _properties(window, found, entry)):
            return Content(wrong=wrong)
    if extension == "xls" and (book := _stream(window, found, "Workbook") or _stream(window, found, "Book")):
        return _placed(found, "Workbook" if _entry(found, "Workbook") else "Book", _workbook(book))
    if extension == "ppt" and (slides := _stream(window, found, "PowerPoint Document")):
        content = _slides(slides, _stream(window, found, "Current User"), _stream(window, found, "Pictures"))
        return _placed(found, "PowerPoint Document", content)
    if extension == "doc" and (text := _stream(window, found, "WordDocument")):
        table = "1Table" if len(text) > 11 and text[11] & 2 else "0Table"
        return _document(text, _stream(window, found, table))
    if extension == "db":
        return _thumbs(window, found)
    return Content()


def _placed(found: Compound, name: str, content: Content) -> Content:
    """Say where in the file a place of a stream is."""
    entry = _entry(found, name)
    left = content.at
    if entry is None or left is None:
        return content
    for at, length in found.pieces(entry):
        if left < length:
            return replace(content, at=at + left)
        left -= length
    return replace(content, at=None)


def _entry(found: Compound, name: str) -> CfbEntry | None:
    return next((entry for entry in found.entries if entry.top and entry.kind == 2 and entry.name == name), None)


def _stream(window: Window, found: Compound, name: str) -> bytes:
    entry = _entry(found, name)
    if entry is None or entry.size > _MOST_READ:
        return b""
    return b"".join(window.at(at, length) for at, length in found.pieces(entry))


def _properties(window: Window, found: Compound, entry: CfbEntry) -> str:
    """Return what is wrong with a stream of properties ([MS-OLEPS] 2.20, 2.21): it says where its first set begins, and its length."""
    data = b"".join(window.at(at, length) for at, length in found.pieces(entry)) if entry.size <= _MOST_PROPERTIES else b""
    if not data:
        return ""
    start = int.from_bytes(data[44:48], "little")
    length, count = int.from_bytes(data[start : start + 4], "little"), int.from_bytes(data[start + 4 : start + 8], "little")
    if data[:4] != b"\xfe\xff\0\0" or not 48 <= start < len(data) or start + length > len(data) or 8 + 8 * count > length:
        return "the properties of the document are not what they should be"
    offsets = [int.from_bytes(data[start + 12 + 8 * i : start + 16 + 8 * i], "little") for i in range(count)]
    return "" if all(8 <= at < length for at in offsets) else "the properties of the document do not stand where they should"


def _workbook(data: bytes) -> Content:
    """Walk the records of a workbook: each begins with BOF, ends with EOF, and says where its sheets begin."""
    if data[:2] != b"\x09\x08" or len(data) < 8:
        return Content()
    header, size, at, depth, begins, sheets = struct.Struct("<HH").unpack_from, len(data), 0, 0, set(), []
    for _ in range(_MOST_RECORDS):
        if at + 4 > size:
            break
        kind, length = header(data, at)
        if depth == 0 and kind != 0x0809:
            break
        if kind == 0x0809:
            begins.add(at)
            depth += 1
        elif kind == 0x000A:
            depth -= 1
        elif kind == 0x0085 and length >= 8 and depth == 1:
            sheets.append(int.from_bytes(data[at + 4 : at + 8], "little"))
        if not kind or length > 8224 or at + 4 + length > size:  # 2.1.4
            return Content(wrong=f"its workbook breaks off at byte {at}: what stands there is no record", at=at)
        at += 4 + length
    else:
        return Content()
    if depth:
        return Content(wrong=f"its workbook breaks off at byte {at}", at=at)
    if not set(sheets) <= begins:
        return Content(wrong="a sheet of its workbook does not begin where it should")
    if any(data[at : at + 65536]):
        return Content()
    return Content(proven=f"the records of its workbook, with {len(sheets)} sheets, follow on each other to the end")


def _slides(data: bytes, user: bytes, images: bytes) -> Content:
    """Walk the records of a presentation, containers opened, and those of its pictures."""
    header, size, at, count = struct.Struct("<HHI").unpack_from, len(data), 0, 0
    edits = set()
    while at + 8 <= size and count < _MOST_RECORDS:
        version, kind, length = header(data, at)
        if not (0x03E8 <= kind <= 0x3000 or 0xF000 <= kind <= 0xF200) or at + 8 + length > size:
            if not any(data[at : at + 4096]) and count:
                break
            return Content(wrong=f"its slides break off at byte {at}: what stands there is no record", at=at)
        if kind == 0x0FF5:
            edits.add(at)
        at += 8 if version & 0xF == 0xF else 8 + length
        count += 1
    if count >= _MOST_RECORDS:
        return Content()
    edit = int.from_bytes(user[16:20], "little") if len(user) >= 20 else -1
    if edit not in edits:
        return Content(wrong="the last edit of its slides is not where it should be")
    at = 0
    while at + 8 <= len(images):
        _, kind, length = header(images, at)
        if not 0xF007 <= kind <= 0xF029 or at + 8 + length > len(images):
            return Content(wrong=f"its pictures break off at byte {at}")
        at += 8 + length
    return Content(proven=f"its {count} records follow on each other to the end")


def _document(text: bytes, table: bytes) -> Content:
    """Hold the tables of a Word document against its text: its pieces, and the pages of character formats."""
    if text[:2] != b"\xec\xa5" or len(text) < 0x1AA or int.from_bytes(text[2:4], "little") < 0x00C1 or not table:
        return Content()
    if text[11] & 1:  # encrypted
        return Content()
    start, length = struct.unpack_from("<II", text, 0x1A2)
    if length and (start + length > len(table) or table[start] not in (1, 2)):
        return Content(wrong="the list of the pieces of its text is not where it should be")
    start, length = struct.unpack_from("<II", text, 0xFA)
    count = (length - 4) // 8
    if length < 12 or start + length > len(table):
        return Content(wrong="the list of its character formats is not where it should be") if length else Content()
    first = struct.unpack_from(f"<{count + 1}I", table, start)
    pages = struct.unpack_from(f"<{count}I", table, start + 4 * (count + 1))
    for begins, ends, page in zip(first, first[1:], pages, strict=False):
        at = (page & 0x3FFFFF) * 512
        if at + 512 > len(text) or not begins < ends or text[at : at + 4] != begins.to_bytes(4, "little"):
            return Content(wrong=f"a page of character formats is not at byte {at} of its text")
    return Content()


def _thumbs(window: Window, found: Compound) -> Content:
    seen = 0
    for entry in found.entries[1 : _PICTURES + 1]:
        if entry.kind == 2 and entry.size > 32 and entry.name != "Catalog":
            pieces = found.pieces(entry)
            head, tail = _edges(window, pieces)
            start, extension = _picture(head)
            if start < 0:
                continue  # of Windows 98 and 2000: no JPEG of its own
            if (b"\xff\xd9" if extension == "jpg" else b"IEND\xaeB`\x82") not in tail[-24:]:
                return Content(wrong=f"the picture {seen + 1} in it does not end as it should")
            seen += 1
    return Content(proven=f"the {seen} pictures in it begin and end as they should") if seen else Content()


def _picture(head: bytes) -> tuple[int, str]:
    """Return where a picture begins behind the header of a thumbnail, and its extension; -1 for none."""
    if (start := head.find(b"\xff\xd8\xff", 0, 32)) >= 0:
        return start, "jpg"
    return head.find(b"\x89PNG", 0, 32), "png"


def _edges(window: Window, pieces: list[tuple[int, int]]) -> tuple[bytes, bytes]:
    """Return up to 64 bytes each from the beginning and the end."""
    if not pieces:
        return b"", b""
    last = pieces[-1]
    tail = window.at(last[0] + max(0, last[1] - 64), min(64, last[1]))
    if len(tail) < 64 and len(pieces) > 1:
        before = pieces[-2]
        tail = window.at(before[0] + max(0, before[1] - 64), min(64, before[1])) + tail
    return window.at(pieces[0][0], min(64, pieces[0][1])), tail


def pictures(window: Window, found: Compound) -> tuple[Part, ...]:
    """Return the pictures of a Thumbs.db that lie in it in one piece."""
    parts: list[Part] = []
    for entry in found.entries[1 : _PICTURES + 1]:
        if entry.kind != 2 or entry.name == "Catalog" or len(pieces := found.pieces(entry)) != 1:
            continue
        at, length = pieces[0]
        start, extension = _picture(window.at(at, min(64, length)))
        if start >= 0:
            parts.append(Part(offset=at + start, length=length - start, extension=extension, name="thumbnail"))
    return tuple(parts)
