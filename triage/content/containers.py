"""What is inside a container, read off its first bytes: zip, ISO media, RIFF, Matroska, ASF, TIFF.

Every function takes ``(head, size)``, never raises, looks at a bounded number of fields, and returns a type
name or "".
"""

from __future__ import annotations

import re
import struct

_ZIP_LOCAL = b"PK\x03\x04"
_ZIP_HEADER = struct.Struct("<4sHHHHHIIIHH")
_ZIP_MEMBERS = 40
_ZIP_REACH = 1 << 18
_ODF = b"application/vnd.oasis.opendocument."


def zip_type(head: bytes, _size: int) -> str:
    """Tell office documents, books and programs from plain archives by their first members."""
    at, seen, names = 0, 0, []
    while at >= 0 and seen < _ZIP_MEMBERS and len(head) - at >= 30:
        (magic, _, flags, method, _, _, _, packed, _, name_length, extra) = _ZIP_HEADER.unpack_from(head, at)
        if magic != _ZIP_LOCAL:
            break
        start = at + 30
        name = head[start : start + name_length]
        body = start + name_length + extra
        if seen == 0 and name == b"mimetype" and not method:
            return _by_mimetype(head[body : body + 80])
        if found := _by_member(name):
            return found
        names.append(name)
        seen += 1
        at = head.find(_ZIP_LOCAL, body, _ZIP_REACH) if flags & 8 and not packed else body + packed
    if b"[Content_Types].xml" in names or b"_rels/.rels" in names:
        return "ooxml"
    if b"META-INF/MANIFEST.MF" in names or b"META-INF/" in names[:1]:
        return "jar"
    return "zip"


def _by_mimetype(text: bytes) -> str:
    if text.startswith(b"application/epub+zip"):
        return "epub"
    if text.startswith(_ODF):
        rest = text[len(_ODF) :]
        for word, name in ((b"text", "odt"), (b"spreadsheet", "ods"), (b"presentation", "odp")):
            if rest.startswith(word):
                return name
        return "odf"
    return "hwp" if text.startswith(b"application/hwp") else "zip"


def _by_member(name: bytes) -> str:
    if name.startswith(b"word/"):
        return "docx"
    if name.startswith(b"xl/"):
        return "xlsx"
    if name.startswith(b"ppt/"):
        return "pptx"
    return "apk" if name in {b"AndroidManifest.xml", b"classes.dex"} else ""


_BRANDS = {
    b"qt  ": "mov",
    b"M4A ": "m4a",
    b"M4B ": "m4a",
    b"M4P ": "m4a",
    b"M4V ": "m4v",
    b"M4VP": "m4v",
    b"M4VH": "m4v",
    b"crx ": "cr3",
    b"jp2 ": "jp2",
    b"jpx ": "jp2",
    b"avif": "avif",
    b"avis": "avif",
    b"aax ": "m4a",
    b"jxl ": "jxl",
    b"heic": "heic",
    b"heix": "heic",
    b"heim": "heic",
    b"heis": "heic",
    b"hevc": "heic",
    b"hevx": "heic",
    b"hevm": "heic",
    b"hevs": "heic",
}
_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})


def isobmff_type(head: bytes, size: int) -> str:
    """Tell by the brand of the file type box (ISO/IEC 14496-12, 4.3), or by older QuickTime's boxes."""
    box = head[4:8]
    length = int.from_bytes(head[:4], "big")
    if box == b"ftyp":
        brand = head[8:12]
        if brand in _BRANDS:
            return _BRANDS[brand]
        if brand[:2] == b"3g":
            return "3gp"
        if brand in {b"mif1", b"msf1", b"miaf"}:
            return "avif" if b"avif" in head[16 : min(max(length, 16), 256)] else "heic"
        return "mp4"
    if box not in _QUICKTIME or (length < 8 and length != 1) or length > size:
        return ""
    inner = head[length + 4 : length + 8]  # a second box must follow unless the first fills the file
    if box == b"moov":
        return "mov" if head[12:16] in {b"mvhd", b"cmov", b"udta", b"trak", b"rmra"} else ""
    if len(inner) < 4 or inner in _QUICKTIME or length == 1:
        return "mov"
    return ""


def riff_type(head: bytes, _size: int) -> str:
    """Tell RIFF and RIFX forms apart."""
    form = head[8:12]
    return {
        b"WAVE": "wav",
        b"AVI ": "avi",
        b"AVIX": "avi",
        b"WEBP": "webp",
        b"ACON": "ani",
        b"RMID": "midi",
    }.get(form, "")


def form_type(head: bytes, _size: int) -> str:
    """Tell IFF forms apart."""
    return {b"AIFF": "aiff", b"AIFC": "aiff"}.get(head[8:12], "")


def ebml_type(head: bytes, _size: int) -> str:
    """Tell WebM from Matroska by the document type of the EBML header."""
    start = head[:256]
    if b"webm" in start:
        return "webm"
    return "mkv" if b"matroska" in start else ""


_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_ASF_AUDIO = bytes.fromhex("409e69f84d5bcf11a8fd00805f5c442b")


def asf_type(head: bytes, _size: int) -> str:
    """Tell sound alone from moving pictures by the stream properties objects of the ASF header."""
    if head.find(_ASF_VIDEO, 0, 65536) < 0 and head.find(_ASF_AUDIO, 0, 65536) >= 0:
        return "wma"
    return "wmv"


def ogg_type(head: bytes, _size: int) -> str:
    """Tell sound from moving pictures by the first pages' codec marks."""
    start = head[:512]
    return "ogv" if b"theora" in start or b"fishead" in start or b"\x01video" in start else "ogg"


_MAKES = ((b"NIKON", "nef"), (b"SONY", "arw"), (b"PENTAX", "pef"), (b"SAMSUNG", "srw"))


def tiff_type(head: bytes, size: int) -> str:
    """Tell camera raws from plain TIFF: DNG by its version tag, others by maker and raw sub-images."""
    order = "<" if head[:1] == b"I" else ">"
    if len(head) < 8:
        return ""
    if head[8:10] == b"CR":
        return "cr2"
    (first,) = struct.unpack_from(order + "I", head, 4)
    if not 8 <= first <= max(size, 8):
        return ""
    if first + 2 > len(head):
        return "tiff"
    (count,) = struct.unpack_from(order + "H", head, first)
    table = head[first + 2 : first + 2 + 12 * min(count, 200)]
    make, sub_images = b"", False
    for tag, _, number, value in struct.iter_unpack(order + "HHII", table[: len(table) // 12 * 12]):
        if tag == 0xC612:
            return "dng"
        if tag == 0x10F and 4 < number < 256:
            make = head[value : value + number].upper()
        sub_images = sub_images or tag in {0x14A, 0xC634}
    if sub_images:
        for word, name in _MAKES:
            if make.startswith(word):
                return name
    return "tiff"


def mach_or_class(head: bytes, _size: int) -> str:
    """Tell a Java class from a fat Mach-O: class versions start at 45, nobody ships 43 architectures."""
    number = int.from_bytes(head[4:8], "big")
    return "macho" if 0 < number < 43 else "class"


def mz_type(head: bytes, size: int) -> str:
    """Tell Windows programs (PE) from DOS and 16-bit ones; "" when the header makes no sense."""
    if len(head) < 28:
        return ""
    if len(head) >= 64:
        at = int.from_bytes(head[60:64], "little")
        if head[at : at + 4] == b"PE\0\0":
            return "pe"
        if head[at : at + 2] in {b"NE", b"LE", b"LX"}:
            return "mz"
    last_page, pages = struct.unpack_from("<HH", head, 2)
    (header,) = struct.unpack_from("<H", head, 8)
    return "mz" if last_page < 512 and pages > 0 and header * 16 <= pages * 512 <= size + 511 else ""


_TORRENT = re.compile(rb"d\d{1,2}:[a-z]")


def torrent_type(head: bytes, _size: int) -> str:
    """Tell a torrent from other bencoded dictionaries by its ``info``."""
    if not _TORRENT.match(head):
        return ""
    known = head.startswith((b"d8:announce", b"d13:announce-list"))
    return "torrent" if known or head.find(b"4:infod", 0, 65536) > 0 else ""
