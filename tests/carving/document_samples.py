"""Documents that the tests of carving build: PDF files, OLE files and what lies in them, mail."""

from __future__ import annotations

import random
import struct
import zlib
from functools import cache

END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


@cache
def words(count: int, seed: int = 1) -> bytes:
    """Return text, the same every time."""
    chance = random.Random(seed)
    return b" ".join(bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz", k=chance.randrange(2, 9))) for _ in range(count))


# -- PDF ------------------------------------------------------------------------------------------------------------------------------


def stream(data: bytes, extra: bytes = b"/Filter/FlateDecode") -> bytes:
    """Return an object's content that is a stream."""
    data = zlib.compress(data, 6) if b"FlateDecode" in extra else data
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(data), extra, data)


def contents(count: int = 12, size: int = 3000, seed: int = 1) -> list[bytes]:
    """Return what the objects of a document hold: small dictionaries and streams of text."""
    found = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>"]
    return found + [stream(words(size, seed + n)) for n in range(count)]


def pdf(
    objects: list[bytes], *, table: str = "table", end: bytes = b"%%EOF\n", before: bytes = b"", previous: int = 0, first: int = 1
) -> bytes:
    """Return a PDF with these objects; with ``before`` as an update of that file, whose table stands at ``previous``."""
    out = bytearray(before or b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, first):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    at, size = len(out), first + len(objects)
    prev = b"/Prev %d" % previous if before else b""
    if table == "table":
        zero = b"" if before else b"0000000000 65535 f \n"
        out += b"xref\n%d %d\n%b" % (first if before else 0, len(places) + (not before), zero)
        out += b"".join(b"%010d 00000 n \n" % place for place in places)
        out += b"trailer\n<</Size %d/Root 1 0 R%b>>\n" % (size, prev)
    else:
        rows = [b"\0\0\0\0\0\xff"] if not before else []
        rows += [b"\1" + place.to_bytes(4, "big") + b"\0" for place in [*places, at]]
        if table == "predicted":
            above = bytes(6)
            data = b""
            for row in rows:
                data += b"\2" + bytes((a - b) & 0xFF for a, b in zip(row, above, strict=True))
                above = row
            extra = b"/Filter/FlateDecode/DecodeParms<</Columns 6/Predictor 12>>"
        else:
            data, extra = b"".join(rows), b"/Filter/FlateDecode"
        index = b"/Index[%d %d]" % (first if before else 0, len(rows))
        extra += b"/Type/XRef/W[1 4 1]/Size %d/Root 1 0 R" % (size + 1) + index + prev
        out += b"%d 0 obj\n%b\nendobj\n" % (size, stream(data, extra))
    return bytes(out + b"startxref\n%d\n" % at + end)


def table_of(data: bytes) -> int:
    """Return where a PDF's last table stands."""
    return int(data[data.rfind(b"startxref") + 9 :].split()[0])


# -- OLE ------------------------------------------------------------------------------------------------------------------------------


def ole(streams: dict[str, bytes], *, clsid: bytes = bytes(16), late: bool = True) -> bytes:
    """Return a compound file with these streams in its root; ``late``: its tables stand at the end, as Word writes them."""
    sectors: list[bytes] = []
    fat: list[int] = []

    def put(data: bytes) -> int:
        if not data:
            return END
        first, count = len(sectors), -(-len(data) // 512)
        sectors.extend(data[i * 512 : (i + 1) * 512].ljust(512, b"\0") for i in range(count))
        fat.extend([*range(first + 1, first + count), END])
        return first

    mini, mini_fat, placed = b"", [], {}
    if not late:
        put(bytes(512))  # the first sector is the table's
    for name, data in streams.items():
        if len(data) >= 4096:
            placed[name] = put(data)
        else:
            first, count = len(mini_fat), -(-len(data) // 64)
            placed[name] = first if count else END
            mini_fat += [*range(first + 1, first + count), END] if count else []
            mini += data.ljust(count * 64, b"\0")
    root = put(mini)
    raw = struct.pack(f"<{len(mini_fat)}I", *mini_fat)
    minis = put(raw + b"\xff" * (-len(raw) % 512))
    names = list(streams)
    directory = _entry("Root Entry", 5, root, len(mini), child=1 if names else FREE, clsid=clsid)
    for i, name in enumerate(names):
        directory += _entry(name, 2, placed[name], len(streams[name]), right=i + 2 if i + 1 < len(names) else FREE)
    directory += bytes(-len(directory) % 512)
    first = put(directory)
    places = [0] if not late else []
    while len(places) * 128 < len(fat) + len(places):
        places.append(len(sectors))
        sectors.append(b"")
        fat.append(FREE)
    for place in places:
        fat[place] = FAT
    raw = struct.pack(f"<{len(fat)}I", *fat).ljust(len(places) * 512, b"\xff")
    for i, place in enumerate(places):
        sectors[place] = raw[i * 512 : (i + 1) * 512]
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<9I", 0, len(places), first, 0, 4096, minis, -(-len(mini_fat) // 128), END, 0)
    header += struct.pack("<109I", *(places + [FREE] * 109)[:109])
    return header + b"".join(sectors)


def _entry(name: str, kind: int, start: int, size: int, *, right: int = FREE, child: int = FREE, clsid: bytes = bytes(16)) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<64sHBBIII16sI16xIQ", text, len(text), kind, 1, FREE, right, child, clsid, 0, start, size)


def properties(title: bytes = b"a title") -> bytes:
    """Return a stream of properties."""
    value = struct.pack("<II", 30, len(title) + 1) + title + bytes(4 - len(title) % 4)
    body = struct.pack("<IIII", 16 + len(value), 1, 2, 16) + value
    return struct.pack("<HHI16xI16xI", 0xFFFE, 0, 5, 1, 48) + body


def record(kind: int, data: bytes) -> bytes:
    """Return a record of a workbook."""
    return struct.pack("<HH", kind, len(data)) + data


def workbook(sheets: int = 2, rows: int = 300) -> bytes:
    """Return the stream of a workbook: its globals, then its sheets."""
    bof, eof = record(0x0809, struct.pack("<HHHHII", 0x0600, 5, 0, 0, 0, 6)), record(0x000A, b"")
    cells = b"".join(record(0x0203, struct.pack("<HHHd", row, 1, 15, row * 1.5)) for row in range(rows))
    sheet = bof + cells + eof
    size = len(bof) + sheets * len(record(0x0085, bytes(14))) + len(eof)
    named = b"".join(record(0x0085, struct.pack("<IHBB", size + n * len(sheet), 0, 6, 0) + b"Sheet%d" % n) for n in range(sheets))
    return bof + named + eof + sheet * sheets


def slides(count: int = 40) -> dict[str, bytes]:
    """Return the streams of a presentation."""
    atoms = b"".join(struct.pack("<HHI", 0, 0x0FA8, 100) + words(100, n)[:100] for n in range(count))
    container = struct.pack("<HHI", 0xF, 0x03E8, len(atoms)) + atoms
    edit = struct.pack("<HHI", 0, 0x0FF5, 28) + bytes(28)
    user = struct.pack("<HHIIII", 0, 0x0FF6, 20, 20, 0xE391C05F, len(container)) + bytes(8)
    return {"PowerPoint Document": container + edit, "Current User": user}


# -- text -----------------------------------------------------------------------------------------------------------------------------


def rtf(size: int = 4000, end: bytes = b"}") -> bytes:
    """Return a document in rich text, with braces in it that are text and bytes that are none."""
    text = b"\\pard " + words(size // 10) + b"\\par \\{ 5 \\} \\\\ "
    return b"{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Arial;}}{\\pict\\bin8 }}{{\0\x01\xff\x7f}" + text * 2 + end


def html(size: int = 4000, end: bytes = b"</body>\n</html>\n") -> bytes:
    """Return a page."""
    text = words(size // 6)
    return b"<!DOCTYPE html>\n<html>\n<head><title>A page  of\nours</title></head>\n<body>\n<p>" + text + b"</p>\n" + end


def mail(size: int = 2000, *, parts: bool = False, seed: int = 1) -> bytes:
    """Return a message."""
    head = b"Return-Path: <a@example.org>\r\nReceived: from x.example.org by y.example.org;\r\n\tMon, 5 Jan 2026 10:00:00 +0100\r\n"
    head += b"From: A <a@example.org>\r\nTo: b@example.org\r\nSubject: about %d\r\nDate: Mon, 5 Jan 2026 10:00:00 +0100\r\n" % seed
    text = words(size // 6, seed).replace(b" b", b"\r\nb") + b"\r\n"
    if not parts:
        return head + b"\r\n" + text
    head += b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary="=_part_%d"\r\n' % seed
    part = b"--=_part_%d\r\nContent-Type: text/plain\r\n\r\n" % seed + text
    return head + b"\r\n" + part * 2 + b"--=_part_%d--\r\n" % seed


def mailbox(count: int = 4) -> bytes:
    """Return a mailbox."""
    messages = [b"From a@example.org Mon Jan  5 10:00:00 2026\n" + mail(900, seed=n).replace(b"\r\n", b"\n") + b"\n" for n in range(count)]
    return b"".join(messages)
