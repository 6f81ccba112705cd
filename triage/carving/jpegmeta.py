"""What the segments of a JPEG say besides the picture: camera and time, the thumbnail, and what belongs to the file behind its end marker.

Sources: EXIF in APP1 (CIPA DC-008, 4.5 and 4.7: TIFF 6.0 directories, the second of which has the thumbnail), further pictures in APP2
(CIPA DC-007, Multi-Picture Format, 5.2), Adobe XMP with Google's container of further items (motion photos, gain maps); Samsung's trailer
(entries, their directory ``SEFH``, ``SEFT``), Canon's VRD block, and segments that cameras by HP and Qualcomm put behind the end.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Part
from triage.carving.jpegparts import APP1, APP2, read_picture
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.jpegparts import Picture
    from triage.carving.window import Window

_MAX_TAGS = 256
_MAX_TEXT = 64
_MAX_PICTURES = 64
_MAX_ENTRIES = 512
_MOST_BEHIND = 1 << 28
"""Bytes that may belong to a file behind its first picture: motion photos and previews are far smaller."""
_MOST_SEGMENTS = 4096

_TEXTS = {0x010F: "make", 0x0110: "model", 0x0132: "date"}
_THUMB_AT, _THUMB_LENGTH = 0x0201, 0x0202
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_VIDEO_OFFSET = re.compile(rb"MicroVideoOffset[\s=\"'>]{1,8}(\d{1,10})")
_ITEM = re.compile(rb"<Container:Item\b[^>]{1,600}>")
_ITEM_LENGTH = re.compile(rb"Item:Length\s{0,4}=\s{0,4}[\"'](\d{1,10})")
_ITEM_VIDEO = re.compile(rb"Item:(?:Mime\s{0,4}=\s{0,4}[\"']video/|Semantic\s{0,4}=\s{0,4}[\"']MotionPhoto)")
_CANON = b"CANON OPTIONAL DATA\0"


def exif(window: Window, segments: Sequence[tuple[int, int, int]]) -> tuple[Facts, tuple[Part, ...]]:
    """Return make, model and date as the picture has them, and the thumbnail, out of the first EXIF segment."""
    for marker, start, end in segments:
        if marker == APP1:
            block = window.at(start, end - start)
            if block[:6] in (b"Exif\0\0", b"Exif\0\xff"):
                try:
                    return _directories(block[6:], start + 6)
                except struct.error:
                    return {}, ()
    return {}, ()


def _directories(block: bytes, base: int) -> tuple[Facts, tuple[Part, ...]]:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    facts: Facts = {}
    if order is None:
        return facts, ()
    tags, second = _directory(block, order, struct.unpack_from(order + "I", block, 4)[0])
    for tag, name in _TEXTS.items():
        kind, count, value = tags.get(tag, (0, 0, b""))
        if kind == 2 and count:
            at = struct.unpack(order + "I", value)[0]
            raw = value[:count] if count <= 4 else block[at : at + min(count, _MAX_TEXT)]
            if text := show(raw.partition(b"\0")[0].decode("latin-1").strip()):
                facts[name] = text
    tags, _ = _directory(block, order, second)
    if _THUMB_AT not in tags or _THUMB_LENGTH not in tags:
        return facts, ()
    at, length = (struct.unpack(order + "I", tags[tag][2])[0] for tag in (_THUMB_AT, _THUMB_LENGTH))
    thumb = block[at : at + length]
    end = thumb.rfind(b"\xff\xd9") + 2
    if len(thumb) < length or thumb[:3] != b"\xff\xd8\xff" or end < 4:
        return facts, ()
    return facts, (Part(offset=base + at, length=end, extension="jpg", name="thumbnail"),)


def _directory(block: bytes, order: str, at: int) -> tuple[dict[int, tuple[int, int, bytes]], int]:
    """Return the tags of a directory (TIFF 6.0, section 2), and where the next one is."""
    if not 8 <= at <= len(block) - 2:
        return {}, 0
    count = struct.unpack_from(order + "H", block, at)[0]
    if count > _MAX_TAGS:
        return {}, 0
    table = block[at + 2 : at + 2 + 12 * count]
    tags = {tag: (kind, number, value) for tag, kind, number, value in struct.iter_unpack(order + "HHI4s", table[: len(table) // 12 * 12])}
    behind = block[at + 2 + 12 * count : at + 6 + 12 * count]
    return tags, struct.unpack(order + "I", behind)[0] if len(behind) == 4 else 0


def behind(window: Window, picture: Picture) -> tuple[int, list[Part], list[str]]:
    """Return where the file ends that begins with this whole picture, the further files in it, and what lies behind its end marker."""
    end = picture.end
    parts: list[Part] = []
    names: list[str] = []
    for start, length in _further(window, picture):
        if end <= start and start + length <= min(window.size, picture.end + _MOST_BEHIND):
            inner = read_picture(window.spliced(((start, length),)))
            if inner is None or inner.stop:
                break
            parts.append(Part(offset=start, length=length, extension="jpg", name=f"picture {len(parts) + 2}"))
            end = start + length
    if parts:
        names.append(f"{len(parts)} more pictures" if len(parts) > 1 else "one more picture")
    for length in _videos(window, picture):
        if end + length <= window.size and window.at(end + 4, 4) == b"ftyp":
            parts.append(Part(offset=end, length=length, extension="mp4", name="video"))
            end += length
            names.append("a video")
            break
    for name, size in (("segments", _segments), ("a Samsung trailer", _samsung), ("a Canon trailer", _canon)):
        if length := size(window, end):
            end += length
            names.append(name)
    return end, parts, names


def _further(window: Window, picture: Picture) -> list[tuple[int, int]]:
    """Return offset and length of the pictures that a multi-picture index lists behind the first one."""
    for marker, start, end in picture.segments:
        if marker != APP2 or window.at(start, 4) != b"MPF\0":
            continue
        block = window.at(start + 4, min(end - start - 4, 1 << 16))
        order = {b"II": "<", b"MM": ">"}.get(block[:2])
        if order is None or len(block) < 8:
            return []
        tags, _ = _directory(block, order, struct.unpack_from(order + "I", block, 4)[0])
        count, value = tags.get(0xB002, (0, 0, b""))[1:]
        if len(value) < 4:
            return []
        at = struct.unpack(order + "I", value)[0]
        table = block[at : at + min(count // 16, _MAX_PICTURES) * 16]
        rows = struct.iter_unpack(order + "IIIHH", table[: len(table) // 16 * 16])
        return sorted({(start + 4 + offset, length) for _, length, offset, _, _ in rows if offset and length > 4})
    return []


def _videos(window: Window, picture: Picture) -> list[int]:
    """Return the lengths of a video that, XMP says, comes behind the pictures."""
    found = []
    for marker, start, end in picture.segments:
        if marker == APP1 and window.at(start, len(_XMP)) == _XMP:
            text = window.at(start, min(end - start, 1 << 16))
            found += [int(match[1]) for match in _VIDEO_OFFSET.finditer(text)]
            for item in _ITEM.finditer(text):
                length = _ITEM_LENGTH.search(item[0])
                if length is not None and _ITEM_VIDEO.search(item[0]):
                    found.append(int(length[1]))
    return [length for length in found[:8] if 8 < length <= _MOST_BEHIND]


def _segments(window: Window, start: int) -> int:
    """Return the length of the segments of applications that follow right behind the end marker."""
    at = start
    for _ in range(_MOST_SEGMENTS):
        head = window.at(at, 4)
        length = int.from_bytes(head[2:4], "big")
        if len(head) < 4 or head[0] != 0xFF or not 0xE0 <= head[1] < 0xF0 or length < 2 or at + 2 + length > window.size:
            break
        at += 2 + length
    return at - start


def _samsung(window: Window, start: int) -> int:
    """Return the length of Samsung's trailer: entries of ``00 00``, type and name, then a directory that counts back to each of them."""
    head = window.at(start, 8)
    if len(head) < 8 or head[:2] != b"\0\0" or not 0 < int.from_bytes(head[4:], "little") <= 256:
        return 0
    at = start
    while (at := window.find(b"SEFH", at, start + _MOST_BEHIND)) >= 0:
        fields = window.at(at + 4, 8)
        count = int.from_bytes(fields[4:], "little")
        if len(fields) == 8 and 0 < count <= _MAX_ENTRIES:
            table = window.at(at + 12, 12 * count + 8)
            rows = list(struct.iter_unpack("<HHII", table[: 12 * count]))
            size = 12 + 12 * count
            whole = len(table) == 12 * count + 8 and table[-4:] == b"SEFT" and int.from_bytes(table[-8:-4], "little") == size
            if whole and max(back for _, _, back, _ in rows) == at - start:
                return at + size + 8 - start
        at += 4
    return 0


def _canon(window: Window, start: int) -> int:
    """Return the length of Canon's block: its name and size before and behind the data."""
    head = window.at(start, 28)
    if head[:20] != _CANON:
        return 0
    length = int.from_bytes(head[24:28], "big")
    return 28 + length + 64 if window.at(start + 28 + length, 20) == _CANON else 0
