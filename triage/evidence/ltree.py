"""The list of files of an L01 ("ltree"), as text.

Source: J. B. Metz, "Expert Witness Compression Format", section on the ltree section: a head of 48 bytes (MD5 of the text, its length,
Adler-32 of the head), then lines in UTF-16, little-endian, which may hold unpaired surrogates.
"""

from __future__ import annotations

import hashlib
import re
import zlib

HEAD = 48
_RECORD = re.compile(r"(?:^|\n)rec\n([^\n]{1,400})\n([^\n]{1,4000})\n")


def text_of(section: bytes) -> tuple[str, str]:
    """Return a section's text, and what is wrong with it, "" for nothing."""
    head, length = section[:HEAD], int.from_bytes(section[16:24], "little")
    data = section[HEAD : HEAD + length]
    wrong = ""
    if len(head) < HEAD or zlib.adler32(head[:24] + bytes(4) + head[28:]).to_bytes(4, "little") != head[24:28]:
        wrong, data = "its head has a wrong checksum", section[HEAD:]
    elif len(data) < length:
        wrong = "it is cut off"
    elif hashlib.md5(data, usedforsecurity=False).digest() != head[:16]:
        wrong = "its digest is wrong"
    return data[: len(data) // 2 * 2].decode("utf-16-le", "surrogatepass"), wrong


def total_bytes_in(text: str) -> int | None:
    """Return how many bytes the files have together, by the category ``rec`` of a list; ``None`` when that is not said."""
    match = _RECORD.search(text)
    values = dict(zip(match[1].split("\t"), match[2].split("\t"), strict=False)) if match is not None else {}
    found = values.get("tb", "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 19 else None


def unescape(value: str) -> str:
    """Put line feeds, carriage returns and tabs back into a value ("EWF 2 specification", chapter "Serialized (file) object data")."""
    return value.translate({1: "\n", 2: "\r", 3: "\t"})
