"""Types without a magic number at their start, told by fields that must agree with each other.

Every function takes ``(head, size)``, never raises, and returns a type name or "".
"""

from __future__ import annotations

import re
import struct

_V1_L3 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_V1_L2 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_V1_L1 = (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448)
_V2_L1 = (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)
_V2_L23 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def frame_length(head: bytes, at: int) -> int:
    """Return the length of the MPEG audio frame at ``at``; 0 when it is none (ISO/IEC 11172-3, 2.4.2.3)."""
    if at + 4 > len(head) or head[at] != 0xFF or head[at + 1] & 0xE0 != 0xE0:
        return 0
    second, third = head[at + 1], head[at + 2]
    version, layer = second >> 3 & 3, second >> 1 & 3
    rate, speed = third >> 4, third >> 2 & 3
    if version == 1 or layer == 0 or speed == 3 or rate in (0, 15):
        return 0
    kilobits = (_V1_L3, _V1_L2, _V1_L1)[layer - 1][rate] if version == 3 else (_V2_L1 if layer == 3 else _V2_L23)[rate]
    hertz = _RATES[version][speed]
    padding = third >> 1 & 1
    if layer == 3:
        return (12000 * kilobits // hertz + padding) * 4
    samples = 72 if layer == 1 and version != 3 else 144
    return samples * 1000 * kilobits // hertz + padding


def adts_length(head: bytes, at: int) -> int:
    """Return the length of the ADTS frame at ``at`` in bytes; 0 when it is none (ISO/IEC 13818-7, 6.2)."""
    if at + 7 > len(head) or head[at] != 0xFF or head[at + 1] & 0xF6 != 0xF0 or head[at + 2] >> 2 & 15 > 12:
        return 0
    length = (head[at + 3] & 3) << 11 | head[at + 4] << 3 | head[at + 5] >> 5
    return length if length >= 7 else 0


def audio_frames(head: bytes, size: int, at: int = 0) -> str:
    """MPEG audio or AAC when at least two frames follow each other (three when there is room)."""
    if at + 2 > len(head) or head[at] != 0xFF:
        return ""
    measure = adts_length if head[at + 1] & 0xF6 == 0xF0 else frame_length
    here, frames = at, 0
    while frames < 3 and (length := measure(head, here)):
        frames += 1
        here += length
        if here == size or here + 7 > len(head):
            break
    if frames < 3 and not (frames == 2 and here >= min(len(head), size) - 7):
        return ""
    if measure is adts_length:
        return "aac"
    return "mp3" if head[at + 1] >> 1 & 3 == 1 else "mp2"


def id3_type(head: bytes, size: int) -> str:
    """Tell what follows an ID3v2 tag: sound of layer III unless something else is seen."""
    if len(head) < 10 or head[3] not in {2, 3, 4} or any(b & 0x80 for b in head[6:10]):
        return ""
    length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    at = 10 + length
    after = head[at : at + 4]
    if after == b"fLaC":
        return "flac"
    if after == b"MAC ":
        return "ape"
    return audio_frames(head, size, at) or "mp3"


def transport_stream(head: bytes, _size: int) -> str:
    """Packets of 188 bytes that each start with 0x47, with four bytes of time code before each on Blu-ray."""
    for first, step in ((0, 188), (4, 192)):
        marks = head[first : first + step * 8 : step]
        if len(marks) >= 4 and marks.count(b"\x47") == len(marks):
            return "mpeg-ts"
    return ""


def icon(head: bytes, size: int) -> str:
    """Icon and cursor: a directory of 1 to 255 pictures, the first of which lies inside the file."""
    if len(head) < 22:
        return ""
    kind, count = struct.unpack_from("<HH", head, 2)
    length, offset = struct.unpack_from("<II", head, 14)
    if not 0 < count < 256 or head[9] or offset < 6 + 16 * count or length < 8 or offset + length > size:
        return ""
    return "ico" if kind == 1 else "cur"


def bitmap(head: bytes, size: int) -> str:
    """Windows bitmap: a header of a known length and pixels that start behind it."""
    if len(head) < 26:
        return ""
    pixels, header = struct.unpack_from("<II", head, 10)
    return "bmp" if header in {12, 16, 40, 52, 56, 64, 108, 124} and 14 + header <= pixels <= max(size, 14 + header) else ""


def true_type(head: bytes, _size: int) -> str:
    """TrueType: 1 to 255 tables, the first with a printable tag."""
    if len(head) < 28 or not 0 < int.from_bytes(head[4:6], "big") < 256:
        return ""
    return "ttf" if head[12:16].isascii() and head[12:16].decode("ascii").isprintable() else ""


_PIXMAP = re.compile(rb"P[1-6]\s(?:\s|#[^\n]{0,500}\n){0,20}\d{1,6}\s{1,4}(?:#[^\n]{0,500}\n)?\d{1,6}\s|P7\nWIDTH ")


def pixmap(head: bytes, _size: int) -> str:
    """Netpbm: the letter P, a digit, width and height."""
    return "pnm" if _PIXMAP.match(head) else ""


def der(head: bytes, size: int) -> str:
    """ASN.1 DER: an outer sequence that is as long as the item, or a certificate's two nested sequences."""
    length = int.from_bytes(head[2:4], "big")
    return "der" if length + 4 == size or (head[4:6] == b"\x30\x82" and length + 4 <= size) else ""


def old_cpio(head: bytes, _size: int) -> str:
    """Binary cpio: the length of the first name stands at 20 and the name ends with NUL."""
    length = int.from_bytes(head[20:22], "little")
    return "cpio" if 1 < length < 4096 and head[26 + length - 1 : 26 + length] == b"\0" else ""


_TAR_FIELDS = re.compile(rb"[0-7 ]{1,7}[ \0]")


def old_tar(head: bytes, size: int) -> str:
    """Tar from before ``ustar``: the header's checksum agrees."""
    if len(head) < 512 or size % 512 or not head[0] or not _TAR_FIELDS.match(head, 100):
        return ""
    try:
        stored = int(head[148:156].strip(b" \0") or b"x", 8)
    except ValueError:
        return ""
    return "tar" if stored == sum(head[:148]) + 256 + sum(head[156:512]) else ""


def known_met(head: bytes, size: int) -> str:
    """EMule's list of known files: a count, then records of time, MD4 and tags."""
    if len(head) < 29:
        return ""
    (count, seconds) = struct.unpack_from("<II", head, 1)
    parts = int.from_bytes(head[25:27], "little")
    if not 0 < count <= size // 26 or not 946_684_800 <= seconds < 2_208_988_800:
        return ""
    at = 27 + 16 * parts
    tags = int.from_bytes(head[at : at + 4], "little") if at + 5 <= len(head) else 0
    return "known.met" if 0 < tags < 64 and head[at + 4] & 0x7F in range(1, 0x25) else ""


def recycle_bin(head: bytes, size: int) -> str:
    """Windows ``$I`` record: version 1 is 544 bytes long, version 2 says its length; a FILETIME fits."""
    if not 28 <= len(head) == size <= 70_000:
        return ""
    version, _, when = struct.unpack_from("<QQQ", head)
    if not 116_444_736_000_000_000 < when < 170_000_000_000_000_000:
        return ""
    if version == 1:
        return "recycle-bin" if size in (543, 544) else ""
    return "recycle-bin" if version == 2 and size == 28 + 2 * int.from_bytes(head[24:28], "little") else ""


def pgp_packets(head: bytes, size: int) -> str:
    """Binary OpenPGP (RFC 9580, 4.2): a first packet whose type, length and version fit each other."""
    if len(head) < 8 or not head[0] & 0x80:
        return ""
    first, second = head[0], head[1]
    if first & 0x40:
        tag = first & 0x3F
        if second < 192:
            length, at = second, 2
        elif second < 224:
            length, at = ((second - 192) << 8) + head[2] + 192, 3
        elif second == 255:
            length, at = int.from_bytes(head[2:6], "big"), 6
        else:
            length, at = 0, 0
    else:
        tag, width = first >> 2 & 15, (1, 2, 4, 0)[first & 3]
        length, at = int.from_bytes(head[1 : 1 + width], "big"), 1 + width
    if not 0 < length <= size - at or at + 2 > len(head):
        return ""
    return _pgp_body(tag, length, head[at : at + 11], at + length == size or head[at + length : at + length + 1] >= b"\x80")


def _pgp_body(tag: int, length: int, body: bytes, goes_on: bool) -> str:
    if not goes_on or len(body) < 3:
        return ""
    version = body[0]
    if tag == 1 and version == 3 and len(body) >= 9 and body[9:10] in {b"\x01", b"\x02", b"\x10", b"\x12"}:
        return "pgp"
    if tag == 3 and version in (4, 5) and body[1] in range(1, 14) and body[2] in (0, 1, 3, 4) and length < 100:
        return "pgp"
    if tag in (5, 6) and length > 40:
        algorithm = body[7:8] if version in (2, 3) else body[5:6] if version == 4 else b""
        return "pgp-key" if algorithm in {b"\x01", b"\x02", b"\x03", b"\x10", b"\x11", b"\x12", b"\x13", b"\x16", b"\x19", b"\x1b"} else ""
    return ""
