"""A tiny L01 writer for tests: the sections that EnCase 7 writes, as the format's description has them."""

from __future__ import annotations

import hashlib
import struct
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "evidence"))
from ewf2_writer import write_ewf2
from ewf_writer import FACTS, adler, header_text, section, table_body, volume_body

TYPES = [
    "mid", "ls", "be", "id", "cr", "ac", "wr", "mo", "dl", "sig", "ha", "sha", "ent", "snh", "p", "n", "du", "lo", "po", "pm", "oes",
    "opr", "src", "sub", "cid", "jq", "alt", "ep", "aq", "cfi", "sg", "ea", "lpt"
]  # fmt: skip
"""Types of an entry's values, as EnCase 7 orders them."""
OLD_TYPES = [
    "p", "n", "id", "opr", "src", "sub", "cid", "jq", "cr", "ac", "wr", "mo", "dl", "aq", "ha", "ls", "du", "lo", "po", "mid", "cfi",
    "be", "pm", "lpt"
]  # fmt: skip
MADE = 1_142_163_845


@dataclass
class File:
    """A file or folder to write. ``values``: what is said of it besides."""

    name: str
    data: bytes = b""
    below: list[File] = field(default_factory=list)
    folder: bool = False
    values: dict[str, str] = field(default_factory=dict)


def _entries(files: list[File], types: list[str], media: bytearray, counter: list[int], mark: int) -> str:
    text = ""
    for one in files:
        counter[0] += 1
        at, length = len(media), max(1, len(one.data))
        media += one.data or b"\0"
        values = {"n": one.name, "id": str(counter[0]), "pm": "0", "lo": "-1", "po": "-1", "ha": "0" * 32}
        if one.folder:
            values["p"] = "1"
        else:
            values |= {"ls": str(len(one.data)), "be": f"1 {at:x} {length:x}", "cr": str(MADE), "ac": str(MADE + 1), "wr": str(MADE + 2)}
            values["ha"] = hashlib.md5(one.data, usedforsecurity=False).hexdigest()
        values |= one.values
        text += f"{mark}\t{len(one.below)}\n" + "\t".join(values.get(kind, "") for kind in types) + "\n"
        text += _entries(one.below, types, media, counter, mark)
    return text


def listed(files: list[File], media: bytearray, types: list[str] = TYPES) -> str:
    """Return the list's text; the files' bytes are put at the end of ``media``."""
    counter = [0]
    mark = 26 if types is TYPES else 0
    entries = _entries(files, types, media, counter, mark)
    root = "\t".join("LogicalEntries" if kind == "n" and mark else "1" if kind == "p" else "" for kind in types)
    text = f"5\nrec\ntb\tcl\tn\tfp\tpg\tlg\tig\n{len(media)}\t1\t1\t\t\t\t\n\n"
    text += "perm\n0\t1\np\tn\ts\tpr\tnta\tnti\n0\t0\n1\t\t\t10\t\t\n\n"
    text += "srce\n0\t1\np\tn\tid\tev\ttb\tlo\tpo\tah\tgu\taq\n0\t0\n\t\t\t\t\t\t\t\t\t\n\n"
    text += "sub\n0\t1\np\tn\tid\tnu\tco\tgu\n0\t0\n\t\t\t\t\t\n\n"
    text += f"entry\n{counter[0]}\t1\n" + "\t".join(types) + f"\n{mark}\t{len(files)}\n{root}\n{entries}\n"
    return text


def ltree(files: list[File], media: bytearray, *, types: list[str] = TYPES, cut: int | None = None) -> bytes:
    """Return the section's body; the files' bytes are put at the end of ``media``."""
    data = listed(files, media, types).encode("utf-16-le", "surrogatepass")[:cut]
    head = hashlib.md5(data, usedforsecurity=False).digest() + struct.pack("<Q", len(data))
    return head + adler(head + bytes(24)) + bytes(20) + data


def write_l01(path: Path, files: list[File], *, types: list[str] = TYPES, chunk_sectors: int = 8, cut: int | None = None) -> Path:
    """Write an image of one segment."""
    media = bytearray()
    tree = ltree(files, media, types=types, cut=cut)
    size = chunk_sectors * 512
    chunks = [bytes(media[at : at + size]) for at in range(0, len(media), size)]
    out = bytearray(b"LVF\x09\x0d\x0a\xff\x00\x01" + struct.pack("<HH", 1, 0))

    def add(kind: str, body: bytes = b"") -> None:
        out.extend(section(kind, len(out), body))

    add("header", zlib.compress(header_text(FACTS).encode("cp1252")))
    volume = bytearray(volume_body(len(chunks), len(media) // 512, chunk_sectors)[:-4])
    volume[0] = 0x0E
    add("volume", bytes(volume) + adler(bytes(volume)))
    body, offsets, first = bytearray(), [], len(out) + 76
    for number, chunk in enumerate(chunks):
        offsets.append((first + len(body)) | (0x80000000 if number % 2 == 0 else 0))
        body += zlib.compress(chunk) if number % 2 == 0 else chunk + adler(chunk)
    add("sectors", bytes(body))
    add("table", table_body(offsets))
    add("table2", table_body(offsets))
    add("ltypes", bytes(6))
    add("ltree", tree)
    add("data", bytes(volume) + adler(bytes(volume)))
    add("done")
    path.write_bytes(out)
    return path


def write_lx01(folder: Path, files: list[File], *, extensions: tuple[str, ...] = ("Lx01",)) -> Path:
    """Write an image of the second version; return its first segment."""
    media = bytearray()
    text = listed(files, media)
    return write_ewf2(folder, bytes(media), extensions=extensions, files=text).paths[0]
