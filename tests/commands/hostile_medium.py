"""A disk that attacks whoever reads about it: every text that evidence may choose is a payload, in an E01 whose facts are too."""

from __future__ import annotations

import hashlib
import struct
import uuid
import zlib
from typing import TYPE_CHECKING

from ewf_writer import write_ewf
from ext_image import ROOT, ExtImage
from fat_image import make_fat
from payloads import PAYLOADS

if TYPE_CHECKING:
    from pathlib import Path

SECTOR = 512
_BASIC = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")


def names(texts: list[str]) -> dict[bytes, str]:
    """Return the payloads as names of a file system: at most 255 bytes, each once; TSK ends them at a NUL."""
    found: dict[bytes, str] = {}
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")[:255].partition(b"\0")[0]
        if raw not in (b"", b".", b".."):
            found.setdefault(raw, text)
    return found


def jpeg(maker: str, model: str, serial: str) -> bytes:
    """A JPEG whose EXIF says who made it (Exif 2.32, 4.6.4 and 4.6.5)."""
    values = [(0x10F, maker), (0x110, model), (0x131, serial), (0x13B, maker)]
    raw = [(tag, text.encode("utf-8", "surrogatepass")[:300].replace(b"\0", b"?") + b"\0") for tag, text in values]
    at = 8 + 2 + 12 * len(raw) + 4
    entries, bodies = b"", b""
    for tag, body in raw:
        place = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack("<I", at + len(bodies))
        if len(body) > 4:
            bodies += body
        entries += struct.pack("<HHI", tag, 2, len(body)) + place
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", len(raw)) + entries + bytes(4) + bodies
    app1 = b"Exif\0\0" + tiff
    return b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(10) + b"\xff\xe1" + struct.pack(">H", len(app1) + 2) + app1 + b"\xff\xda\0\2\xff\xd9"


def ext_volume(texts: list[str], label: bytes) -> bytes:
    """Each payload as a name, in a picture's EXIF, as the origin of a download, as a link's target and as a folder."""
    image = ExtImage(block=4096)
    pictures, downloads, links, folders = (image.directory(n) for n in (b"DCIM", b"Downloads", b"links", b"folders"))
    for number, (raw, text) in enumerate(names(texts).items()):
        image.file(raw, jpeg(text, text, f"{number}"), pictures)
        address = text.replace("\r", "%0d").replace("\n", "%0a")[:1500]
        zone = f"[ZoneTransfer]\r\nZoneId=3\r\nHostUrl=https://x.example/{address}\r\nReferrerUrl={address}\r\n"
        image.file(b"%04d:Zone.Identifier" % number, zone.encode("utf-8", "surrogatepass"), downloads)
        image.link(b"%04d" % number, raw, links)
        if number % 8 == 0:
            image.file(b"inside", b"%d" % number, image.directory(raw, folders))
    image.special(b"device \x1b[31m", 0o060666)
    image.special(b"pipe <script>", 0o010666)
    image.special(b"socket =1+1", 0o140666)
    image.file(b"size \x1b[2J", b"short", ROOT, size=1 << 50)
    image.file(b"all.txt", "".join(f"{t}\n" for t in texts).encode("utf-8", "surrogatepass") + bytes(range(256)))
    raw = bytearray(image.build())
    raw[1024 + 120 : 1024 + 136] = label.ljust(16, b"\0")[:16]
    return bytes(raw)


def gpt(volumes: list[tuple[str, bytes]]) -> bytes:
    """Lay volumes out behind a GUID partition table (UEFI 2.10, 5.3) with these names, at most 36 UTF-16 units each."""
    at, entries, body = 64, b"", b""
    for number, (name, data) in enumerate(volumes):
        sectors = -(-len(data) // SECTOR)
        text = name.encode("utf-16-le", "surrogatepass")[:72].ljust(72, b"\0")
        guid = uuid.UUID(int=number + 1).bytes_le
        entries += struct.pack("<16s16sQQQ72s", _BASIC.bytes_le, guid, at, at + sectors - 1, 0, text)
        body += data.ljust(sectors * SECTOR, b"\0")
        at += sectors
    entries = entries.ljust(128 * 128, b"\0")
    last = at + 33

    def header(here: int, other: int, table: int) -> bytes:
        def pack(crc: int) -> bytes:
            return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, here, other, 34, last - 34,
                               uuid.UUID(int=99).bytes_le, table, 128, 128, zlib.crc32(entries))
        return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")

    protective = bytes(446) + struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, last) + bytes(48) + b"\x55\xaa"
    front = (protective + header(1, last, 2) + entries).ljust(64 * SECTOR, b"\0")
    return front + body + entries + header(last, 1, last - 32)


def write(folder: Path, texts: list[str] = PAYLOADS, *, harmless: bool = False) -> tuple[Path, Path]:
    """Write the disk as an E01 and a list of notable digests; return both. ``harmless``: the same with plain words."""
    if harmless:
        texts = [f"harmless{n}" for n, _ in enumerate(texts)]
    short = [t for t in texts if 0 < len(t) <= 36]
    volume = ext_volume(texts, texts[0].encode("utf-8", "surrogatepass") if harmless else b"<b>\x1b[31m=1+1")
    small = bytearray(make_fat({"A.TXT": b"hello"}))
    small[43:54] = b"PLAIN LABEL" if harmless else b"<i>\x1b[2J=1+1"
    disk = gpt([(short[n], volume if n == 0 else bytes(small)) for n in range(8)])
    disk += bytes(-len(disk) % SECTOR)
    pieces = [t.replace("\t", " ").replace("\n", " ").replace("\r", " ") for t in texts if 0 < len(t) < 60]
    step = max(1, len(pieces) // 12)
    keys = ("c", "n", "a", "e", "t", "av", "ov", "md", "sn", "l", "pid")
    facts = {key: " | ".join(pieces[n * step : (n + 1) * step])[:2000] for n, key in enumerate(keys)}
    text = "1\nmain\n" + "\t".join(facts) + "\n" + "\t".join(facts.values()) + "\n\n"
    header2 = zlib.compress(b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass"))
    made = write_ewf(folder, disk, name="disk", header2=header2, facts=facts)
    notable = folder / "notable.csv"
    lines = ["md5,category"]
    for number, (_, each) in enumerate(names(texts).items()):
        category = '"' + each.replace('"', '""').replace("\0", "") + '"'
        lines.append(f"{hashlib.md5(jpeg(each, each, f'{number}')).hexdigest()},{category}")
    notable.write_bytes("\r\n".join(lines).encode("utf-8", "replace"))
    return made.paths[0], notable
