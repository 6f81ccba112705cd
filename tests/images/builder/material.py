"""The bytes that the files in the images are made of: all generated, from fixed seeds, and harmless.

Nothing here comes from a camera, a person or another program's installation: pictures are drawn shapes on
noise, programs are a PE header with nothing to run, documents say that they are test material.
"""

from __future__ import annotations

import io
import random
import sqlite3
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

_DATE = (2024, 5, 1, 10, 0, 0)


@dataclass(frozen=True)
class Thing:
    """Some bytes and the short name of their type; ``None`` for bytes that are of no type."""

    data: bytes
    type: str | None


def picture(seed: int, form: str = "jpeg", size: tuple[int, int] = (160, 120)) -> Thing:
    """Draw a picture that looks like no other seed's: coarse noise, and circles and boxes on it."""
    rng = random.Random(f"picture {seed}")
    noise = Image.frombytes("RGB", (8, 6), rng.randbytes(8 * 6 * 3))
    image = noise.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y, r = rng.randrange(size[0]), rng.randrange(size[1]), rng.randrange(6, 30)
        colour = tuple(rng.randbytes(3))
        if rng.random() < 0.5:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        else:
            draw.rectangle((x - r, y - r // 2, x + r, y + r // 2), fill=colour)
    draw.text((4, 4), f"TEST {seed}", fill=(255, 255, 255))
    out = io.BytesIO()
    if form == "gif":
        image = image.quantize(32)
    image.save(out, form, **({"quality": 75} if form == "jpeg" else {}))
    return Thing(out.getvalue(), form)


def noise(seed: int, length: int) -> Thing:
    """Bytes without structure: what encrypted or compressed data looks like."""
    rng = random.Random(f"noise {seed}")
    return Thing(b"\x91\xf3\x07\xe5" + rng.randbytes(length - 4), None)


def text(body: str) -> Thing:
    """Plain text with Windows line ends."""
    return Thing(body.replace("\n", "\r\n").encode(), "text")


def log(seed: int, length: int) -> Thing:
    """A log file of plain text, exactly so many bytes long."""
    rng = random.Random(f"log {seed}")
    words = ("started", "opened", "closed", "checked", "copied", "waiting", "finished", "skipped")
    lines = bytearray()
    while len(lines) < length:
        minute = len(lines) // 64
        lines += (
            f"2024-04-{1 + minute // 1440 % 28:02d} {minute // 60 % 24:02d}:{minute % 60:02d} job "
            f"{rng.randrange(900):03d} "
            f"{rng.choice(words)}, {rng.randrange(10_000)} bytes\r\n".encode()
        )
    return Thing(bytes(lines[:length]), "text")


def archive(members: dict[str, bytes]) -> Thing:
    """A ZIP archive with fixed dates."""
    return Thing(_zip(members), "zip")


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 0
            z.writestr(info, data)
    return out.getvalue()


def docx(body: str) -> Thing:
    """A word processing document with one paragraph."""
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    return Thing(
        _zip(
            {
                "[Content_Types].xml": (
                    head + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
                    '<Default Extension="rels" '
                    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
                    f'<Default Extension="xml" ContentType="application/xml"/>'
                    f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>'
                ).encode(),
                "_rels/.rels": (
                    head + '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
                    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/>'
                    "</Relationships>"
                ).encode(),
                "word/document.xml": (
                    head + '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'
                    f"{body}</w:t></w:r></w:p></w:body></w:document>"
                ).encode(),
            }
        ),
        "docx",
    )


def pdf(body: str) -> Thing:
    """A page with one line of text and a right cross-reference table."""
    stream = f"BT /F1 18 Tf 72 720 Td ({body}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = bytearray(b"%PDF-1.4\n")
    places = []
    for number, body_bytes in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body_bytes)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % p for p in places)
    out += b"trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
    return Thing(bytes(out), "pdf")


def database(script: str) -> Thing:
    """A SQLite database made by an SQL script."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.db")
        connection = sqlite3.connect(path)
        connection.executescript(f"PRAGMA page_size=1024; PRAGMA journal_mode=DELETE; {script}")
        connection.commit()
        connection.close()
        data = bytearray(path.read_bytes())
    data[96:100] = struct.pack(">I", 3_045_000)  # the version of SQLite that wrote it, else different on every machine
    return Thing(bytes(data), "sqlite")


def program(seed: int, length: int = 2048) -> Thing:
    """A PE file whose one section holds noise and whose code is a return."""
    rng = random.Random(f"program {seed}")
    dos = b"MZ" + b"\0" * 58 + struct.pack("<I", 64)
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x14C, 1, 0x66320000, 0, 0, 224, 0x102)
    optional = struct.pack("<HBBIIIIII", 0x10B, 14, 0, 512, 0, 0, 0x1000, 0x1000, 0x2000)
    optional += (
        struct.pack(
            "<IIIHHHHHHIIIIHHIIIIII",
            0x400000,
            0x1000,
            512,
            6,
            0,
            0,
            0,
            6,
            0,
            0,
            0x3000,
            512,
            0,
            3,
            0,
            0x100000,
            0x1000,
            0x100000,
            0x1000,
            0,
            16,
        )
        + b"\0" * 128
    )
    section = b".text\0\0\0" + struct.pack("<IIIIIIHHI", 512, 0x1000, 512, 512, 0, 0, 0, 0, 0x60000020)
    head = (dos + coff + optional + section).ljust(512, b"\0")
    return Thing((head + b"\xc3" + rng.randbytes(length - 513)), "pe")


def mail(subject: str) -> Thing:
    """A short e-mail message."""
    return Thing(
        b"From: alex@example.org\r\nTo: sam@example.net\r\nDate: Wed, 1 May 2024 10:00:00 +0000\r\n"
        b"Message-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; "
        b"charset=utf-8\r\nSubject: " + subject.encode() + b"\r\n\r\nThis message is test material.\r\n",
        "eml",
    )


def page(title: str) -> Thing:
    """A web page."""
    return Thing(
        f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><p>Test material.</p></body></html>\n".encode(),
        "html",
    )


NOTABLE = {
    "plain": picture(101),
    "renamed": picture(102),
    "stream": picture(103),
    "deleted": picture(104),
    "exfat": picture(105, "png", (96, 72)),
    "gap": picture(106),
}
"""The pictures on the list of notable ones; "gap" lies in space that no volume covers."""
CATEGORIES = {"plain": "1", "renamed": "1", "stream": "2", "deleted": "1", "exfat": "2", "gap": "2"}
"""What the list calls their categories; they mean nothing."""
SYSTEM32 = {
    name: program(500 + number) for number, name in enumerate(("kernel32.dll", "ntdll.dll", "user32.dll", "calc.exe", "notepad.exe"))
}
"""The programs on the list of known software."""
EMPTY = Thing(b"", "empty")
