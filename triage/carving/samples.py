"""What the bytes of one coded sample must look like, by codec: how a walk tells media from what overwrote them.

H.264 and HEVC samples are units with a length each in front (ISO/IEC 14496-15, 5.3.4) that add up to the sample's size, and inside a
unit three bytes 00 00 0x with x < 3 cannot occur (ISO/IEC 14496-10 and 23008-2, 7.3.1 and 7.4.1). AV1: units with a length each (AV1
Bitstream Specification, 5.3). Others begin with a start code, a sync word or a narrow choice of first bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.bmff import children
from triage.carving.plainness import STRETCH, plain
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.carving.window import Window

MOST_UNITS = 1024
"""Units of one sample that are followed."""
_DEEP = 1 << 20
"""Bytes of one sample that are read whole."""


_MARKER = re.compile(b"\xff[^\0\xd0-\xd7]", re.S)
_MOST_SEGMENTS = 256
_AFTER_SCAN = frozenset({0xC4, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xFE, 0xFF, *range(0xE0, 0xF0)})


@dataclass(frozen=True, slots=True)
class Codec:
    """How samples are checked. ``test(window, offset, size, deep)``; ``deep`` reads all bytes where that says more.

    ``strong``: other bytes pass once in many thousand times; else once in four or less, and only a group of samples says something.
    ``prefix``: bytes of the length before each unit, or 0. ``deep``: whether reading all of a sample says more than its beginning.
    """

    name: str
    test: Callable[[Window, int, int, bool], bool]
    strong: bool = True
    prefix: int = 0
    deep: bool = False


def avc_unit(head: bytes) -> bool:
    """Whether a byte is a unit's header: types 1 to 23; a reference where there must, none where there must not be (7.4.1)."""
    kind, reference = head[0] & 31, head[0] & 0x60
    return not head[0] & 0x80 and 1 <= kind <= 23 and (kind != 5 or reference != 0) and (kind not in {6, 9, 10, 11, 12} or not reference)


def hevc_unit(head: bytes) -> bool:
    """Whether two bytes are a unit's header: a known type, a layer that is used, a temporal number (7.3.1.2)."""
    kind, layer = head[0] >> 1 & 63, (head[0] & 1) << 5 | head[1] >> 3
    return not head[0] & 0x80 and (kind <= 9 or 16 <= kind <= 21 or 32 <= kind <= 40 or kind >= 62) and layer <= 1 and bool(head[1] & 7)


def escaped(data: bytes, start: int, end: int) -> bool:
    """Whether what lies there is free of the three bytes that must not occur inside a unit."""
    at = data.find(b"\0\0", start, end)
    while 0 <= at < end - 2:
        if data[at + 2] < 3:
            return not data[at:end].strip(b"\0")  # zeros behind a unit are harmless
        at = data.find(b"\0\0", at + 2, end)
    return True


def _coded(data: bytes, start: int, end: int) -> bool:
    """Whether what lies there can be inside of a unit: no start code, and nothing plain."""
    return escaped(data, start, end) and (end - start < 2 * STRETCH or not plain(data[start:end]))


def _inside(test: Callable[[Window, int, int, bool], bool]) -> Callable[[Window, int, int, bool], bool]:
    """Return a test that looks for what is plain as well, where a sample is read whole."""

    def both(window: Window, offset: int, size: int, deep: bool) -> bool:
        if not test(window, offset, size, deep):
            return False
        return not deep or not 2 * STRETCH < size <= _DEEP or not plain(window.at(offset + 64, size - 64))

    return both


def units(window: Window, offset: int, size: int, *, prefix: int, hevc: bool, deep: bool) -> bool:
    """Whether units with lengths of ``prefix`` bytes before them fill a sample exactly."""
    data = window.at(offset, min(size, _DEEP if deep else 64))
    start, at, end = 0, 0, offset + size
    header, coded = (2, hevc_unit) if hevc else (1, avc_unit)
    for _ in range(MOST_UNITS):
        if at + prefix + header > len(data):
            start, at = start + at, 0
            data = window.at(offset + start, min(size - start, _DEEP if deep else 64))
            if len(data) < prefix + header:
                return False
        length = int.from_bytes(data[at : at + prefix], "big")
        first = data[at + prefix : at + prefix + header]
        if length < header or not coded(first):
            return False
        at += prefix
        # Only coded slices: parameter sets and messages are written carelessly by some.
        slices = first[0] >> 1 & 63 < 32 if hevc else 1 <= first[0] & 31 <= 5
        if deep and slices and not _coded(data, at + header, min(at + length, len(data))):
            return False
        at += length
        place = offset + start + at
        if place >= end:
            return place == end
        if at > len(data):
            start, at, data = start + at, 0, b""
    return False


def _obus(window: Window, offset: int, size: int, _deep: bool) -> bool:
    """Whether AV1 units fill a sample exactly; the last of several may go without a length."""
    end = offset + size
    for count in range(MOST_UNITS):
        head = window.at(offset, 10)
        if not head or head[0] & 0x81 or not (1 <= head[0] >> 3 & 15 <= 8 or head[0] >> 3 & 15 == 15):
            return False
        at = 2 if head[0] & 4 else 1
        if not head[0] & 2:
            return count > 0 and offset + at <= end
        length, shift = 0, 0
        while at < len(head) and shift < 56:
            length |= (head[at] & 127) << shift
            shift += 7
            at += 1
            if head[at - 1] < 128:
                break
        offset += at + length
        if offset >= end:
            return offset == end
    return False


def _starts(*codes: bytes, mask: int = 0xFF) -> Callable[[Window, int, int, bool], bool]:
    """Return a test for a code of two or three bytes at the start; ``mask`` is for its last."""
    longest = max(len(code) for code in codes)

    def test(window: Window, offset: int, _size: int, _deep: bool) -> bool:
        head = window.at(offset, longest)
        return any(head[: len(c) - 1] == c[:-1] and len(head) >= len(c) and head[len(c) - 1] & mask == c[-1] for c in codes)

    return test


def _prores(window: Window, offset: int, size: int, _deep: bool) -> bool:
    head = window.at(offset, 8)
    return head[4:] == b"icpf" and int.from_bytes(head[:4], "big") == size


def _jpeg(window: Window, offset: int, size: int, deep: bool) -> bool:
    """Whether a picture begins and ends there; some pad it. ITU-T T.81, B.1.1: in coded data, FF comes before 00 or a restart only."""
    whole = deep and size <= _DEEP
    data = window.at(offset, size if whole else 3)
    if data[:3] != b"\xff\xd8\xff" or b"\xff\xd9" not in window.at(offset + max(size - 64, 0), min(size, 64)):
        return False
    if not whole:
        return True
    at = 2
    for _ in range(_MOST_SEGMENTS):
        if data[at : at + 1] != b"\xff" or data[at + 1] < 0xC0:
            return False
        if data[at + 1] == 0xDA:
            break
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if data.find(bytes(64), at) >= 0:
        return False
    found = _MARKER.search(data, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
    return found is None or found[0][1] in _AFTER_SCAN


def _vp8(window: Window, offset: int, size: int, _deep: bool) -> bool:
    """RFC 6386, 9.1: frame tag, and the start code of key frames."""
    head = window.at(offset, 6)
    tag = int.from_bytes(head[:3], "little")
    if len(head) < 3 or tag >> 1 & 7 > 3 or tag >> 5 > size:
        return False
    return bool(tag & 1) or head[3:6] == b"\x9d\x01\x2a"


def _vp9(window: Window, offset: int, _size: int, _deep: bool) -> bool:
    """VP9 Bitstream Specification, 6.2: the frame marker, and the sync code of key frames."""
    head = window.at(offset, 4)
    if not head or head[0] >> 6 != 2:
        return False
    return head[0] & 0x30 == 0x30 or head[0] & 0x0C != 0 or head[1:4] == b"\x49\x83\x42"


def _aac(window: Window, offset: int, size: int, _deep: bool) -> bool:
    """ISO/IEC 14496-3, 4.4.2.1: the first element is one channel or two, numbered low, or data or filling before it; three set bits end it.

    Behind those are no more than seven bits, of any value.
    """
    head, tail = window.at(offset, 4), window.at(offset + max(size - 2, 0), min(size, 2))
    if not head.strip(b"\0") or not (head[0] & 0xDC == 0 or head[0] >> 5 in {4, 6}):
        return False
    last = int.from_bytes(tail, "big")
    return any(last >> shift & 7 == 7 for shift in range(8))


def _amr(frames: tuple[int, ...]) -> Callable[[Window, int, int, bool], bool]:
    """Return a test for speech frames (RFC 4867, 5.3): a byte that tells the length of each; they fill the sample."""

    def test(window: Window, offset: int, size: int, _deep: bool) -> bool:
        data = window.at(offset, min(size, 1 << 16))
        at = 0
        while at < len(data):
            if data[at] & 0x83 or data[at] >> 3 >= len(frames) or frames[data[at] >> 3] < 0:
                return False
            at += 1 + frames[data[at] >> 3]
        return at == size

    return test


def _exif(window: Window, offset: int, _size: int, _deep: bool) -> bool:
    """ISO/IEC 23008-12, A.2.1: the offset of the TIFF header, and that."""
    skip = int.from_bytes(window.at(offset, 4), "big")
    return window.at(offset + 4 + min(skip, 64), 4) in {b"II*\0", b"MM\0*"}


def avc(prefix: int) -> Codec:
    """Return H.264 with unit lengths of so many bytes."""
    return Codec("H.264", lambda w, o, s, deep: units(w, o, s, prefix=prefix, hevc=False, deep=deep), prefix=prefix, deep=True)


def hevc(prefix: int) -> Codec:
    """Return HEVC with unit lengths of so many bytes."""
    return Codec("HEVC", lambda w, o, s, deep: units(w, o, s, prefix=prefix, hevc=True, deep=deep), prefix=prefix, deep=True)


AV1 = Codec("AV1", _inside(_obus))
VP8 = Codec("VP8", _inside(_vp8), strong=False)
VP9 = Codec("VP9", _inside(_vp9), strong=False)
AAC = Codec("AAC", _aac, strong=False)
MPEG4 = Codec("MPEG-4 Visual", _inside(_starts(b"\0\0\1")))
H263 = Codec("H.263", _inside(_starts(b"\0\0\x80", mask=0xFC)))
MJPEG = Codec("JPEG", _jpeg, deep=True)
PRORES = Codec("ProRes", _prores)
PNG = Codec("PNG", _starts(b"\x89PN"))
AC3 = Codec("AC-3", _starts(b"\x0b\x77"))
MP3 = Codec("MP3", _starts(b"\xff\xe0", mask=0xE0), strong=False)
AMR = Codec("AMR", _amr((12, 13, 15, 17, 19, 20, 26, 31, 5, -1, -1, -1, -1, -1, -1, 0)))
AMR_WB = Codec("AMR-WB", _amr((17, 23, 32, 36, 40, 46, 50, 58, 60, 5, -1, -1, -1, -1, 0, 0)))
CRX = Codec("Canon raw", _starts(b"\xff\x01", b"\xff\x11"))
FLAC = Codec("FLAC", _starts(b"\xff\xf8", mask=0xFE))

_PLAIN = {
    b"av01": AV1,
    b"vp08": VP8,
    b"vp09": VP9,
    b"mp4v": MPEG4,
    b"m4v ": MPEG4,
    b"aac ": AAC,
    b"s263": H263,
    b"h263": H263,
    b"jpeg": MJPEG,
    b"mjpa": Codec("JPEG", _starts(b"\xff\xd8\xff")),
    b"png ": PNG,
    b"ac-3": AC3,
    b"ec-3": AC3,
    b".mp3": MP3,
    b"fLaC": FLAC,
    b"samr": AMR,
    b"sawb": AMR_WB,
    b"Exif": Codec("Exif", _exif),
    **dict.fromkeys((b"apch", b"apcn", b"apcs", b"apco", b"ap4h", b"ap4x"), PRORES),
}
_NAMES = {b"mp4a": "MPEG-4 audio", b"alac": "ALAC", b"Opus": "Opus"}


def codec_of(entry: bytes, config: bytes) -> Codec | None:
    """Return how samples of a sample entry are checked (14496-12, 8.5.2), ``None`` where nothing certain is known of them."""
    if entry in _PLAIN:
        return _PLAIN[entry] if entry != b"mp4v" or _object(config)[:1] in {b"\x20", b""} else None
    if entry == b"CRAW":
        return MJPEG if b"JPEG" in config else CRX
    if entry in {b"mp4a", b"avc1", b"avc2", b"avc3", b"hvc1", b"hev1", b"dvh1", b"dvhe", b"dvav", b"dva1"}:
        for kind, start, end in children(config, 0, len(config)):
            if kind == b"avcC" and end - start >= 7 and config[start] == 1:
                return avc((config[start + 4] & 3) + 1)
            if kind == b"hvcC" and end - start >= 23:
                return hevc((config[start + 21] & 3) + 1)
        kind = _object(config)
        if entry == b"mp4a" and kind[:1] == b"\x40" and len(kind) > 1 and kind[1] >> 3 in {2, 5, 29}:
            return AAC
        if entry == b"mp4a" and kind[:1] in {b"\x69", b"\x6b"}:
            return MP3
    return None


def name_of(entry: bytes, config: bytes) -> str:
    """Return a codec's name for people."""
    codec = codec_of(entry, config)
    if codec is not None:
        return codec.name
    return _NAMES.get(entry) or show(entry.decode("latin-1").strip())


def _object(config: bytes) -> bytes:
    """Return object type and decoder's own settings out of ``esds`` (ISO/IEC 14496-1, 7.2.6.5): one byte, then those."""
    at = config.find(b"esds")
    if at < 0:
        return b""
    at += 8
    kind, at = _descriptor(config, at)
    if kind == 3:
        at += 3  # the flags that would lengthen it are not allowed in files
        kind, at = _descriptor(config, at)
    if kind != 4:
        return b""
    found = config[at : at + 1]
    kind, at = _descriptor(config, at + 13)
    return found + config[at : at + 2] if kind == 5 else found


def _descriptor(data: bytes, at: int) -> tuple[int, int]:
    """Return a descriptor's tag, and where its content begins."""
    kind = data[at] if at < len(data) else -1
    at += 1
    for _ in range(4):
        at += 1
        if at > len(data) or data[at - 1] < 128:
            break
    return kind, at
