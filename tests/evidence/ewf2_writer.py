"""A tiny writer of Ex01 and Lx01 for tests: the sections of the *EWF 2 specification* and nothing else, so that every byte is known.

It shares no code with the reader; what it writes with zlib is read by libewf as well (test_evidence_ewf2.py).
"""

from __future__ import annotations

import bz2
import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ewf_writer import adler

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEVICE, CASE, SECTORS, TABLE, ERRORS, MD5, SHA1, KEYS, NEXT, DONE, FILES = 1, 2, 3, 4, 5, 8, 9, 0xB, 0xD, 0xF, 0x20
PACK = {1: zlib.compress, 2: bz2.compress}
FACTS = {"nm": "a card", "cn": "2026-17", "en": "EX-3", "ex": "R. Examiner", "nt": "one\1two\3three", "av": "8", "os": "Linux", "tt": "0"}


@dataclass
class Ewf2:
    """What was written: segment files in order, and ``(segment, type, start and end of the data)`` of each section."""

    paths: list[Path]
    sections: list[tuple[int, int, int, int]] = field(default_factory=list)

    def where(self, kind: int, number: int = 0) -> tuple[Path, int, int]:
        segment, _, start, end = [s for s in self.sections if s[1] == kind][number]
        return self.paths[segment], start, end


def aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def text(values: dict[str, str], method: int) -> bytes:
    lines = "1\nmain\n" + "\t".join(values) + "\n" + "\t".join(values.values()) + "\n\n"
    return PACK[method](b"\xff\xfe" + lines.encode("utf-16-le"))


def table(first: int, entries: list[tuple[int, int, int]]) -> bytes:
    head = struct.pack("<QI4x", first, len(entries))
    body = b"".join(struct.pack("<QII", *entry) for entry in entries)
    return head + adler(head) + bytes(12) + body + adler(body) + bytes(12)


def write_ewf2(
    folder: Path,
    data: bytes,
    *,
    extensions: tuple[str, ...] = ("Ex01",),
    method: int = 1,
    chunk_sectors: int = 8,
    a_table: int = 1000,
    packed: Callable[[int], bool] = lambda number: number % 2 == 0,
    patterns: bool = False,
    files: str | None = None,
    flags: int = 0,
    facts: dict[str, str] = FACTS,
    unread: int = 0,
    identifier: bytes = b"0123456789abcdef",
) -> Ewf2:
    """Write ``data`` as a set of as many segments as there are extensions, ``a_table`` chunks a table.

    ``patterns``: chunks of zeros are said by a pattern. ``files``: the list of files of an Lx01.
    """
    size = chunk_sectors * 512
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    each = -(-len(chunks) // len(extensions))
    made = Ewf2([folder / f"image.{e}" for e in extensions])
    device = {"ts": str(len(data) // 512), "bp": "512", "dt": "l" if files is not None else "f", "sn": "S-1", "md": "Maker"}
    case = facts | {"tb": str(len(chunks)), "cp": str(method), "sb": str(chunk_sectors)}
    for segment, path in enumerate(made.paths):
        mark = b"LEF2" if files is not None else b"EVF2"
        out = bytearray(mark + b"\r\n\x81\0" + struct.pack("<BBHI", 2, 1, method, segment + 1) + identifier)
        before = 0

        def add(kind: int, body: bytes = b"", segment: int = segment, out: bytearray = out, more: int = 0) -> None:
            nonlocal before
            start = len(out)
            out.extend(body)
            digest = hashlib.md5(body, usedforsecurity=False).digest() if more & 1 else bytes(16)
            head = struct.pack("<IIQQII16s12x", kind, more | flags, before, len(body), 64, 0, digest)
            before = len(out)
            made.sections.append((segment, kind, start, len(out)))
            out.extend(head + adler(head))

        add(DEVICE, aligned(text(device, method)))
        add(CASE, aligned(text(case, method)))
        numbers = list(range(segment * each, min((segment + 1) * each, len(chunks))))
        for at in range(0, len(numbers), a_table):
            body, entries = bytearray(), []
            for number in numbers[at : at + a_table]:
                chunk, place = chunks[number], len(out) + len(body)
                if patterns and not any(chunk):
                    entries.append((0, 0, 5))
                    continue
                stored = PACK[method](chunk) if packed(number) else chunk + adler(chunk)
                entries.append((place, len(stored), 1 if packed(number) else 2))
                body += aligned(stored)
            add(SECTORS, bytes(body))
            add(TABLE, table(numbers[at], entries))
        if segment + 1 < len(made.paths):
            add(NEXT)
        else:
            if files is not None:
                add(FILES, b"\xff\xfe" + files.encode("utf-16-le", "surrogatepass"), more=1)
            if unread:
                head = struct.pack("<I12x", unread)
                body = b"".join(struct.pack("<QI4x", n * 8, 8) for n in range(unread))
                add(ERRORS, head + adler(head) + bytes(12) + body + adler(body) + bytes(12))
            md5, sha1 = hashlib.md5(data, usedforsecurity=False).digest(), hashlib.sha1(data, usedforsecurity=False).digest()
            add(MD5, md5 + adler(md5) + bytes(12))
            add(SHA1, sha1 + adler(sha1) + bytes(8))
            add(DONE)
        path.write_bytes(out)
    return made
