"""A tiny E01 writer for tests: the sections of the *EWF specification* and nothing else, so that every byte is known.

It shares no code with the reader. ``Ewf.sections`` says where each section lies, so that tests can damage exactly one.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SECTOR = 512
FACTS = {"c": "2024-17", "n": "EX-3", "a": "a card", "e": "R. Examiner", "t": "notes", "av": "3", "ov": "Linux", "m": "0", "u": "0"}


@dataclass
class Ewf:
    """What was written: segment files in order, and ``(segment, type, offset of the descriptor, offset of the end)``."""

    paths: list[Path]
    data: bytes
    sections: list[tuple[int, str, int, int]] = field(default_factory=list)

    def where(self, kind: str) -> tuple[Path, int, int]:
        """Return the first section of a type: its file, the offset of its body and its end."""
        segment, _, start, end = next(s for s in self.sections if s[1] == kind)
        return self.paths[segment], start + 76, end


def adler(data: bytes) -> bytes:
    return struct.pack("<I", zlib.adler32(data))


def section(kind: str, at: int, body: bytes) -> bytes:
    """A descriptor and its body; ``next`` and ``done`` point at themselves."""
    size = 76 + len(body)
    following = at if kind in ("next", "done") else at + size
    head = struct.pack("<16sQQ40x", kind.encode(), following, 0 if kind in ("next", "done") else size)
    return head + adler(head) + body


def header_text(values: Mapping[str, str]) -> str:
    return "1\nmain\n" + "\t".join(values) + "\n" + "\t".join(values.values()) + "\n\n"


def table_body(offsets: list[int], base: int = 0) -> bytes:
    head = struct.pack("<I4xQ4x", len(offsets), base)
    entries = struct.pack(f"<{len(offsets)}I", *offsets)
    return head + adler(head) + entries + adler(entries)


def volume_body(chunks: int, sectors: int, chunk_sectors: int, sector: int = SECTOR, identifier: bytes = bytes(16)) -> bytes:
    body = bytearray(1048)
    struct.pack_into("<IIIIQ", body, 0, 1, chunks, chunk_sectors, sector, sectors)
    body[64:80] = identifier
    return bytes(body) + adler(bytes(body))


def write_ewf(
    folder: Path, data: bytes, *, name: str = "image", extensions: tuple[str, ...] = ("E01",), chunk_sectors: int = 8,
    packed: Callable[[int], bool] = lambda number: number % 2 == 0, table2: bool = True, digest: bool = True, hash_: bool = True,
    facts: Mapping[str, str] | None = None, header2: bytes | None = None, base: int = 0, identifier: bytes = bytes(16),
    flagged: bool = True,
) -> Ewf:
    """Write ``data`` (whole sectors) as an E01 set of as many segments as there are extensions."""
    assert len(data) % SECTOR == 0
    size = chunk_sectors * SECTOR
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    each = -(-len(chunks) // len(extensions))
    made = Ewf([folder / f"{name}.{e}" for e in extensions], data)
    for segment, path in enumerate(made.paths):
        out = bytearray(b"EVF\x09\x0d\x0a\xff\x00\x01" + struct.pack("<HH", segment + 1, 0))

        def add(kind: str, body: bytes = b"", segment: int = segment, out: bytearray = out) -> int:
            at = len(out)
            out += section(kind, at, body)
            made.sections.append((segment, kind, at, len(out)))
            return at

        volume = volume_body(len(chunks), len(data) // SECTOR, chunk_sectors, identifier=identifier)
        if segment == 0:
            if header2 is not None:
                add("header2", header2)
            add("header", zlib.compress(header_text(FACTS if facts is None else facts).encode("cp1252", "replace")))
            add("volume", volume)
        else:
            add("data", volume)
        body, offsets = bytearray(), []
        first = len(out) + 76
        for number in range(segment * each, min((segment + 1) * each, len(chunks))):
            deflated = packed(number)
            offsets.append((first + len(body) - base) | (0x80000000 if deflated and flagged else 0))
            body += zlib.compress(chunks[number]) if deflated else chunks[number] + adler(chunks[number])
        add("sectors", bytes(body))
        add("table", table_body(offsets, base))
        if table2:
            add("table2", table_body(offsets, base))
        if segment + 1 < len(made.paths):
            add("next")
        else:
            md5 = hashlib.md5(data, usedforsecurity=False).digest()
            sha1 = hashlib.sha1(data, usedforsecurity=False).digest()
            if digest:
                add("digest", md5 + sha1 + bytes(40) + adler(md5 + sha1 + bytes(40)))
            if hash_:
                add("hash", md5 + bytes(16) + adler(md5 + bytes(16)))
            add("done")
        path.write_bytes(out)
    return made


def sample(size: int) -> bytes:
    """Bytes that are the same every time: stretches that deflate well and others that do not."""
    out = bytearray()
    block = b"triage"
    while len(out) < size:
        block = hashlib.sha256(block).digest()
        out += block * (1 + block[0] % 40) if block[1] % 2 else hashlib.shake_256(block).digest(700)
    return bytes(out[:size])


def damage(path: Path, at: int, change: Callable[[int], int] = lambda byte: byte ^ 0xFF) -> None:
    """Change one byte of a file in place."""
    raw = bytearray(path.read_bytes())
    raw[at] = change(raw[at])
    path.write_bytes(raw)


def read_by_libewf(paths: list[Path]) -> bytes:
    """Return the medium of a set as libewf reads it."""
    import pyewf

    handle = pyewf.handle()
    handle.open([str(p) for p in paths])
    try:
        return bytes(handle.read_buffer_at_offset(handle.get_media_size(), 0))
    finally:
        handle.close()
