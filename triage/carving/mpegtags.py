"""What stands before and behind the sound of MP3, AAC and FLAC files: ID3, APE and Lyrics3 tags.

Sources: ID3v1; ID3v2.2, 2.3.0 and 2.4.0 (id3.org); APEv2 (Hydrogenaudio); Lyrics3 2.00 (id3.org). Offsets and lengths are in bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from triage.carving.forms import Header, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

ID3_HEADERS = tuple(Header(b"ID3" + bytes([version])) for version in (2, 3, 4))
_LONGEST_GAP = 64 << 10
"""Zeros that may stand between a tag and the sound: some writers count their padding wrongly."""
_SECTOR, _CLUSTER = 512, 2048
"""Blocks that are smaller are those of a medium whose clusters are not known."""
_FRAMES = 1000
_TRAILERS = 16
_LYRICS = 1 << 20
_PICTURES = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG", "png"), (b"GIF8", "gif"), (b"BM", "bmp"))
_YEAR = re.compile(rb"[0-9 \0]{4}")
TRAILING = re.compile(rb"TAG|APETAGEX|LYRICSBEGIN")
"""How what stands behind the sound begins."""


def id3_length(head: bytes) -> int:
    """Return the length of the ID3v2 tag that begins with ``head`` (10 bytes), its header and footer included; 0 when it is none."""
    if len(head) < 10 or head[:3] != b"ID3" or head[3] not in (2, 3, 4) or head[4] == 0xFF:
        return 0
    if any(byte & 0x80 for byte in head[6:10]):
        return 0
    footer = 10 if head[3] == 4 and head[5] & 0x10 else 0
    return 10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + footer


def behind_tags(window: Window, start: int = 0) -> int:
    """Return where what follows the ID3v2 tags at ``start`` begins; ``start`` where there is none."""
    offset = start
    for _ in range(_TRAILERS):
        length = id3_length(window.at(offset, 10))
        if not length:
            return offset
        offset += length
        ahead = window.at(offset, 64)
        if ahead and not ahead.strip(b"\0"):
            ahead = window.at(offset, _LONGEST_GAP)
            offset += len(ahead) - len(ahead.lstrip(b"\0"))
    return offset


def pictures(window: Window, end: int) -> tuple[Part, ...]:
    """Return the pictures of the ID3v2 tag at the window's start that ends at ``end``: they lie there in plain bytes."""
    head = window.at(0, 10)
    if head[5] & 0x80:  # unsynchronised: bytes were put in
        return ()
    return tuple(part for _, start, size in _tag_frames(window, head[3], end) for part in _picture(window, head[3], start, size))


def _tag_frames(window: Window, version: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and size of the content of the frames that hold pictures."""
    letters = 3 if version == 2 else 4
    offset = 10
    for _ in range(_FRAMES):
        head = window.at(offset, 10)
        name = head[:letters]
        if len(head) < 10 or offset >= end or not name.isalnum():
            return
        if version == 2:
            start, size = offset + 6, int.from_bytes(head[3:6], "big")
        elif version == 4:
            start, size = offset + 10, head[4] << 21 | head[5] << 14 | head[6] << 7 | head[7]
        else:
            start, size = offset + 10, int.from_bytes(head[4:8], "big")
        if start + size > end:
            return
        if name in (b"PIC", b"APIC") and (version == 2 or not head[9]):  # flags: compressed, encrypted, ...
            yield name, start, size
        offset = start + size


def _picture(window: Window, version: int, start: int, size: int) -> Iterator[Part]:
    """Yield the picture of a frame: encoding, type, kind and description come before it (ID3v2.4.0 frames, 4.14)."""
    head = window.at(start, min(size, 1024))
    at = 5 if version == 2 else head.find(b"\0", 1) + 2
    for magic, extension in _PICTURES:
        found = head.find(magic, at) if at > 1 else -1
        if found >= 0:
            yield Part(offset=start + found, length=size - found, extension=extension, name="cover")
            return


def trailers(window: Window, offset: int) -> int:
    """Return where the tags end that begin at ``offset``: ``offset`` itself when there are none, or when the space ends in one."""
    for _ in range(_TRAILERS):
        length = _trailer(window, offset)
        if not length or offset + length > window.size:
            return offset
        offset += length
    return offset


def _trailer(window: Window, offset: int) -> int:
    head = window.at(offset, 128)
    if head[:3] == b"TAG":
        if head[3:4] == b"+" and window.at(offset + 227, 3) == b"TAG":
            return 227
        return 128 if len(head) == 128 and _YEAR.fullmatch(head, 93, 97) else 0
    if head[:8] == b"APETAGEX" and head[8:12] in (b"\xd0\7\0\0", b"\xe8\3\0\0"):
        size, flags = int.from_bytes(head[12:16], "little"), int.from_bytes(head[20:24], "little")
        return 32 + size if flags & 0x20000000 else 32
    if head[:11] == b"LYRICSBEGIN":
        tail = window.search(re.compile(rb"LYRICS200|LYRICSEND"), offset + 11, offset + _LYRICS, longest=9)
        return tail[0] + 9 - offset if tail is not None else 0
    return 0


def blank_behind(window: Window, end: int) -> bool:
    """Whether only zeros stand between a file's end and that of its last sector, or in the next one: systems write them there."""
    rest = window.at(end, -end % _SECTOR or _SECTOR)
    return bool(rest) and not rest.strip(b"\0")


def next_tag(window: Window, start: int, end: int) -> int:
    """Return where at a sector's start between two offsets an ID3v2 tag begins, with which another file does; ``end`` for nowhere."""
    for offset, data in window.chunks(-(-start // _SECTOR) * _SECTOR, end):
        for at in range(0, len(data), _SECTOR):
            if data[at] == 0x49 and id3_length(data[at : at + 10]):
                return offset + at
    return end


def doubt(window: Window, last: int, end: int) -> str:
    """Return words for a stream without an end mark that ends at ``end``, its last unit at ``last``, when it may be cut there.

    It cannot be when no sector begins in that unit, or when zeros fill the sector behind it as systems do.
    """
    inside = end // _SECTOR * _SECTOR > last
    return "; it may have gone on, and be written over there" if inside and not blank_behind(window, end) and end < window.size else ""


def is_cut(window: Window, last: int, end: int) -> bool:
    """Whether a stream without an end mark is rather cut in its last unit than whole: a cluster begins in there, and no zeros follow.

    Of whole files that is so by chance of the one's length to the other's; of those that something is written over it always is.
    """
    inside = (end - 1) // window.block * window.block > last
    return inside and window.block >= _CLUSTER and end < window.size and not blank_behind(window, end)
