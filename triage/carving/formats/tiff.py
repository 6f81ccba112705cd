"""TIFF, BigTIFF, and the raw files of cameras that are built on it: directories say where everything lies, so that the end is the largest.

Sources: see ``triage.carving.tiffs``; DNG 1.7 (Adobe, 2023); ExifTool's tag tables for RW2, ORF, CR2, NEF, ARW, PEF. Panasonic's RW2 does
not say how long its pixels are: that follows from the sensor's size (measured: a DMC-GF7's 4816 x 3464 pixels take 1164 blocks of 16 KiB).
"""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from triage.carving.forms import Facts, Format, Header, Part, Structure, Walked
from triage.carving.tiffgap import find_seam
from triage.carving.tiffs import (
    BITS,
    COMPRESSION,
    HEIGHT,
    JPEG,
    JPEG_BYTES,
    MAKE,
    MODEL,
    PHOTOMETRIC,
    SAMPLES,
    STRIPS,
    SUBFILE,
    WIDTH,
    Directory,
    Tiff,
)
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.carving.window import Window

_KINDS = {
    b"II*\0": ("<", ""),
    b"MM\0*": (">", ""),
    b"II+\0": ("<", "big"),
    b"MM\0+": (">", "big"),
    b"IIRO": ("<", "orf"),
    b"IIRS": ("<", "orf"),
    b"MMOR": (">", "orf"),
    b"IIU\0": ("<", "rw2"),
}
_RAW = {32803, 34892}
"""Photometric interpretations of what a sensor saw: colour filter array, linear raw (TIFF/EP, DNG)."""
_MAKERS = (
    ("nikon", "nef"),
    ("sony", "arw"),
    ("pentax", "pef"),
    ("ricoh", "pef"),
    ("samsung", "srw"),
    ("hasselblad", "3fr"),
    ("phase one", "iiq"),
    ("leaf", "mos"),
    ("epson", "erf"),
    ("eastman kodak", "dcr"),
    ("kodak", "dcr"),
    ("mamiya", "mef"),
    ("leica", "dng"),
)
_DNG_VERSION, _SOFTWARE, _PHOTOSHOP = 0xC612, 0x131, 0x935C
_SAMPLED = 64
"""Strips that are looked at: enough to notice that sectors in between are somebody else's."""
_BEGINNINGS: dict[int, Callable[[bytes], bool]] = {
    5: lambda b: (b[0] == 0x80 and b[1] < 0x80) or (b[0] == 0 and b[1] & 1 == 1),
    7: lambda b: b[:2] == b"\xff\xd8",
    8: lambda b: b[0] & 15 == 8 and (b[0] << 8 | b[1]) % 31 == 0,
    32946: lambda b: b[0] & 15 == 8 and (b[0] << 8 | b[1]) % 31 == 0,
    34712: lambda b: b[:2] in (b"\xff\x4f", b"\0\0"),
    50000: lambda b: b[:2] == b"\x28\xb5",
    50001: lambda b: b[:2] == b"RI",
}
"""How a strip begins, by its compression: LZW's first code clears its table, zlib's header has a checksum, JPEG has its marker."""
_NO_MARKER = re.compile(rb"\xff[\x01-\xc3\xc5-\xcf\xdc\xde-\xfd]")
_SECTOR = 512
_STRAY = 1 << 20
"""Bytes behind the last picture within which values are believed to lie."""
_SEEN = 4096
"""Bytes of picture data that there must be of a file that is cut off."""
_PARTS = 8


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 16)
    order, kind = _KINDS.get(head[:4], ("", ""))
    if len(head) < 16 or not order:
        return None
    name: Literal["little", "big"] = "little" if order == "<" else "big"
    if kind == "big":
        start = int.from_bytes(head[8:16], name) if int.from_bytes(head[4:8], name) == (8 << 16 if order == ">" else 8) else 0
    else:
        start = int.from_bytes(head[4:8], name)
    if not (16 if kind == "big" else 8) <= start < window.size:
        return None
    tiff = Tiff(window, order, big=kind == "big")
    tiff.read(start)
    if not tiff.directories:
        return None if kind else _joined(window)
    if kind == "rw2":
        _panasonic(tiff)
    return _judged(tiff, kind, head)


def _judged(tiff: Tiff, kind: str, head: bytes, *, joining: bool = True) -> Walked | None:
    window = tiff.window
    shown = [d for d in tiff.directories if len(d.images)]
    sane = [d for d in shown if _plausible(tiff, d)]
    if not any(kind == "rw2" or WIDTH in d.entries for d in sane) or not any(WIDTH in d.entries or kind == "rw2" for d in tiff.directories):
        return None
    images = np.concatenate([d.images for d in sane])
    ends = images[:, 0] + images[:, 1]
    here = ends <= window.size
    facts = _facts(tiff, sane, kind)
    extension = _extension(tiff, kind, head)
    if int(images[:, 0].min()) + min(_SEEN, int(images[:, 1].min())) > window.size:
        return None
    end = max(tiff.end, int(ends[here].max(initial=0)))
    covered = int(images[here, 1].sum()) + sum(d.end - d.offset for d in tiff.directories)
    limit = min(end + _STRAY, window.size)
    for offset, length in tiff.values:
        if offset + length <= limit:
            covered += length
            end = max(end, offset + length)
    end = _padded(tiff, end)
    parts = _parts(tiff, sane, end, kind)
    if not here.all():
        lost = len(images) - int(here.sum())
        why = f"the space ends before {lost} of the {len(images)} stretches of picture data that it leads to"
        return Walked(
            length=window.size,
            structure=Structure.TRUNCATED,
            why=why,
            extension=extension,
            valid=min(end, window.size),
            parts=parts,
            facts=facts,
        )
    proofs, wrong = _content(tiff, sane)
    broken = tiff.broken + len(shown) - len(sane)
    if wrong or broken or covered * 4 < end:
        why = (
            f"{wrong} of {wrong + proofs} stretches of picture data do not begin as they should"
            if wrong
            else f"{broken} of the directories that it leads to are none"
            if broken
            else "most of what lies in between is led to by nothing"
        )
        structure = Structure.DAMAGED
        if wrong > proofs and not any(d.offset > int(images[:, 0].min()) for d in tiff.directories):
            # Its first sectors, and none of what they speak of.
            joined = _joined(window) if joining and not kind else None
            return joined or _only_head(images, extension, facts, parts, wrong)
        return Walked(length=end, structure=structure, why=why, extension=extension, valid=tiff.end, parts=parts, facts=facts)
    behind = tiff.directories[0].offset >= int(ends.min())
    return Walked(
        length=end,
        structure=Structure.COMPLETE,
        why="all of the directories, values and picture data that it leads to are there",
        extension=extension,
        checked=not tiff.lost and (behind or proofs >= 3),
        parts=parts,
        facts=facts,
    )


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    return _joined(window) if walked.structure is Structure.DAMAGED else None


def _joined(window: Window) -> Walked | None:
    """Put together what breaks off in a packed strip and goes on, or has its directory, behind a gap."""
    head = window.at(0, 8)
    order, kind = _KINDS.get(head[:4], ("", ""))
    start = int.from_bytes(head[4:8], "little" if order == "<" else "big")
    seam = find_seam(window, order, start) if order and not kind else None
    if seam is None:
        return None
    cut, gap = seam
    whole = window.spliced(((0, cut), (cut + gap, window.size - cut - gap)))
    tiff = Tiff(whole, order)
    tiff.read(start)
    walked = _judged(tiff, "", whole.at(0, 16), joining=False) if tiff.directories else None
    if walked is None or walked.structure is not Structure.COMPLETE or walked.length <= cut:
        return None
    why = "put together out of 2 pieces: only so the strip that lies in both unpacks as it should"
    pieces = ((0, cut), (cut + gap, walked.length - cut))
    return replace(walked, structure=Structure.FRAGMENTED, why=why, checked=True, pieces=pieces)


def _only_head(images: np.ndarray, extension: str, facts: Facts, parts: tuple[Part, ...], wrong: int) -> Walked | None:
    first = int(images[:, 0].min())
    kept = tuple(p for p in parts if p.offset + p.length <= first)
    why = f"{wrong} stretches of picture data do not begin as they should"
    end = max(p.offset + p.length for p in kept) if kept else 0
    if not end:
        return None
    return Walked(length=max(end, first), structure=Structure.TRUNCATED, why=why, extension=extension, valid=end, parts=kept, facts=facts)


def _plausible(tiff: Tiff, directory: Directory) -> bool:
    """Whether pictures have no more bytes than their pixels need, and some to spare."""
    total = int(directory.images[:, 1].sum())
    width, height = tiff.number(directory, WIDTH), tiff.number(directory, HEIGHT)
    if WIDTH not in directory.entries or HEIGHT not in directory.entries:
        return 0 < total < 1 << 30
    pixels = (
        width * height * max(1, min(tiff.number(directory, SAMPLES, 1), 1 << 10)) * max(8, min(tiff.number(directory, BITS, 8), 64)) // 8
    )
    return 0 < width < 1 << 26 and 0 < height < 1 << 26 and 0 < total <= 2 * pixels + (1 << 20) + 4096 * len(directory.images)


def _content(tiff: Tiff, directories: list[Directory]) -> tuple[int, int]:
    """Return how many strips and tiles are as their compression has it, and how many are not."""
    proofs = wrong = 0
    for directory in directories[:_SAMPLED]:
        method = tiff.number(directory, COMPRESSION, 1)
        begins = _BEGINNINGS.get(method)
        if begins is None or JPEG in directory.entries:
            continue
        whole = _WHOLE.get(method)
        step = max(1, len(directory.images) // _SAMPLED) if whole is None else 1
        for offset, length in directory.images[::step].tolist():
            if length < 4:
                continue
            right = begins(tiff.window.at(offset, 2)) and (whole is None or whole(tiff.window, offset, length))
            proofs += right
            wrong += not right
        if whole is None:
            wrong += sum(_empty(tiff.window, offset, length) for offset, length in directory.images.tolist() if length > 2 * _SECTOR)
    return proofs, wrong


def _empty(window: Window, offset: int, length: int) -> bool:
    """Whether a sector of nothing but zeros lies in data that no compression makes of anything."""
    return window.find(bytes(_SECTOR), offset, offset + length) >= 0


def _inflates(window: Window, offset: int, length: int) -> bool:
    """Whether a zlib stream ends as its checksum says it should."""
    machine = zlib.decompressobj()
    try:
        for _, data in window.chunks(offset, offset + length):
            piece = data
            while piece and not machine.eof:
                window.spend(len(machine.decompress(piece, 1 << 20)) >> 3)
                piece = machine.unconsumed_tail
    except zlib.error:
        return False
    return machine.eof


def _scans(window: Window, offset: int, length: int) -> bool:
    """Whether a JPEG stream has no marker where none can be (ISO/IEC 10918-1, B.1.1.5)."""
    start = window.find(b"\xff\xda", offset, offset + min(length, 1 << 16))
    return start >= 0 and window.search(_NO_MARKER, start + 2, offset + length, longest=2) is None


_WHOLE: dict[int, Callable[[Window, int, int], bool]] = {7: _scans, 8: _inflates, 32946: _inflates}
"""What proves a whole strip, by its compression."""


def _padded(tiff: Tiff, end: int) -> int:
    """Return the end with the zeros that writers are known to put there.

    Photoshop fills up to a multiple of four, and puts four more behind its own data block. Pillow begins each page of several at a
    multiple of 16, its directory 8 bytes further, and fills up behind the last as well.
    """
    pages = [d.offset for d in tiff.directories if d.main]
    if len(pages) > 1 and all(offset % 16 == 8 for offset in pages):
        more = -end % 16
    elif tiff.text(tiff.directories[0], _SOFTWARE).startswith("Adobe Photoshop"):
        own = tiff.directories[0].entries.get(_PHOTOSHOP)
        more = 4 if own is not None and own.offset + own.size == end else -end % 4
    else:
        more = 0
    return end + more if tiff.window.at(end, more) == bytes(more) else end


def _panasonic(tiff: Tiff) -> None:
    """Give an RW2's directory the pixels that it only says the beginning of: rows of packets of 16 bytes, in blocks of 16 KiB."""
    first = tiff.directories[0]
    start = tiff.number(first, 0x118) or tiff.number(first, STRIPS)
    width, height, depth = tiff.number(first, 2), tiff.number(first, 3), tiff.number(first, 0xA, 12)
    packing = tiff.number(first, 0x2D, 4)
    pixels = {5: 10 if depth == 12 else 9, 6: 14 if depth == 12 else 11, 7: 9}.get(packing, 14)
    if packing > 7 or not 0 < width < 1 << 16 or not 0 < height < 1 << 16 or start == 0xFFFFFFFF:
        first.images = np.zeros((0, 2), np.int64)
        return
    length = -(-width // pixels) * 16 * height
    if packing <= 5:
        length = -(-length // 0x4000) * 0x4000
    first.images = np.array([[start, length]], np.int64)


def _extension(tiff: Tiff, kind: str, head: bytes) -> str:
    first = tiff.directories[0]
    make = tiff.text(first, MAKE).lower()
    if kind in {"orf", "rw2"}:
        return "rwl" if kind == "rw2" and make.startswith("leica") else kind
    if head[8:10] == b"CR":
        return "cr2"
    if _DNG_VERSION in first.entries:
        return "dng"
    if any(tiff.number(d, PHOTOMETRIC) in _RAW for d in tiff.directories[:64]) or head[8:12] == b"IIII":
        for beginning, extension in _MAKERS:
            if make.startswith(beginning):
                return "nrw" if extension == "nef" and "coolpix" in tiff.text(first, MODEL).lower() else extension
    return "tif"


def _facts(tiff: Tiff, directories: list[Directory], kind: str) -> Facts:
    sizes = [(tiff.number(d, WIDTH), tiff.number(d, HEIGHT)) for d in directories[:256]]
    first = tiff.directories[0]
    if kind == "rw2":
        sizes.append((tiff.number(first, 2), tiff.number(first, 3)))
    width, height = max(sizes, key=lambda s: s[0] * s[1])
    facts: Facts = {"width": width, "height": height}
    pages = sum(1 for d in directories if d.main and not tiff.number(d, SUBFILE) & 1 and WIDTH in d.entries and JPEG not in d.entries)
    if pages > 1:
        facts["frames"] = pages
    camera = " ".join(t for t in (tiff.text(first, MAKE), tiff.text(first, MODEL)) if t)
    if camera:
        facts["camera"] = show(camera)
    return facts


def _parts(tiff: Tiff, directories: list[Directory], end: int, kind: str) -> tuple[Part, ...]:
    """Return the JPEG pictures inside that any viewer shows: previews and thumbnails, not a sensor's data in lossless JPEG."""
    found: dict[int, int] = {}
    for directory in directories[:_SAMPLED]:
        if JPEG in directory.entries:
            found[tiff.number(directory, JPEG)] = tiff.number(directory, JPEG_BYTES)
        elif len(directory.images) == 1 and tiff.number(directory, COMPRESSION) in (6, 7):
            offset, length = directory.images[0].tolist()
            found[offset] = length
    entry = tiff.directories[0].entries.get(0x2E)
    if kind == "rw2" and entry is not None:
        found[entry.offset] = entry.size
    parts: list[Part] = []
    for offset, given in sorted(found.items()):
        length = _jpeg(tiff.window, offset, given) if 0 < offset < offset + given <= end and len(parts) < _PARTS else 0
        if length:
            parts.append(Part(offset=offset, length=length, extension="jpg", name=f"preview-{len(parts) + 1}"))
    return tuple(parts)


def _jpeg(window: Window, offset: int, length: int) -> int:
    """Return the length, up to its end marker, of a JPEG stream that any viewer shows; 0 for another."""
    at = offset + 2
    if length < 128 or window.at(offset, 3) != b"\xff\xd8\xff":
        return 0
    for _ in range(64):
        marker = window.at(at, 4)
        if len(marker) < 4 or marker[0] != 0xFF or at > offset + length:
            return 0
        if marker[1] in (0xC0, 0xC1, 0xC2):
            tail = window.at(offset + length - min(length, 4096), min(length, 4096))
            last = tail.rfind(b"\xff\xd9")
            return length - len(tail) + last + 2 if last >= 0 else 0
        if marker[1] in (0xC3, 0xDA):
            return 0
        at += 2 + int.from_bytes(marker[2:4], "big")
    return 0


FORMATS = (
    Format(name="tiff", extension="tif", headers=tuple(Header(magic) for magic in _KINDS), walk=_walk, rejoin=_rejoin, largest=1 << 36),
)
