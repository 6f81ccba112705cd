"""PNG, and APNG which is built alike: chunks with a checksum each, from IHDR to IEND (W3C PNG specification, third edition, 5).

Apple's CgBI variant puts a chunk before IHDR and leaves out the zlib header of the pixels.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.carving.ahead import Ahead
from triage.carving.crc import Seam
from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.carving.window import Window

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NAME = re.compile(rb"[A-Za-z]{2}[A-Z][A-Za-z]")
"""A chunk's type; the third letter is reserved to be a capital (5.4)."""
_LONGEST = (1 << 31) - 1
"""Bytes a chunk's data may have (5.3)."""
_CHUNKS = 1_000_000
_COST = 2000
"""What a step to the next chunk costs besides, in bytes read."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bits a sample may have, by colour type (11.2.1)."""
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_GAPS, _SPAN = 4096, 8 << 20
"""Blocks behind a break within which the rest is looked for, and bytes, whichever are more."""
_MOST_BREAKS = 1 << 18
"""Blocks of a chunk at whose ends it may break."""
_BREAKS = 8
_EMPTY = 4096
"""Zeros in pixels that are not there: what is of one colour compresses to zeros as well, but to so many only by the million."""
_DECODED = 64 << 20
"""Bytes of pixels that are decoded of a picture that is cut off."""


@dataclass(slots=True)
class _Chain:
    """Chunks that follow each other. ``offset``: where it stopped; ``length``: the data's of a chunk there that is not right, or -1."""

    offset: int
    length: int = -1
    why: str = ""
    ended: bool = False
    wrong: int = 0
    frames: int = 0
    data: list[tuple[int, int]] = field(default_factory=list)


def _head(window: Window) -> tuple[int, bytes]:
    """Return where IHDR begins and its 13 bytes; none when it is not what a PNG has there."""
    head = window.at(0, 49)
    at = 8
    if head[8:16] == b"\0\0\0\x04CgBI":
        at = 24
    data = head[at + 8 : at + 21]
    if head[at : at + 8] != b"\0\0\0\x0dIHDR" or zlib.crc32(head[at + 4 : at + 21]) != int.from_bytes(head[at + 21 : at + 25], "big"):
        return 0, b""
    width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    sane = 0 < width <= _LONGEST and 0 < height <= _LONGEST and data[8] in _DEPTHS.get(data[9], ()) and not data[10] and not data[11]
    return (at, data) if sane and data[12] < 2 else (0, b"")


def _follow(window: Window, chain: _Chain, *, strict: bool = False) -> None:
    """Follow the chunks from ``chain.offset`` on. ``strict``: stop at the first one that is not right."""
    ahead = Ahead(window)
    for _ in range(_CHUNKS):
        offset = chain.offset
        window.spend(_COST)
        start = ahead.at(offset, 8)
        if len(start) < 8:
            chain.why = "the space ends inside it"
            return
        length, name = int.from_bytes(start[:4], "big"), start[4:]
        if length > _LONGEST or not _NAME.fullmatch(name):
            chain.why = f"what follows byte {offset} is no chunk"
            return
        end = offset + 12 + length
        if end > window.size:
            chain.length, chain.why = length, "the space ends inside it"
            return
        if not _intact(window, ahead, offset, length):
            after = ahead.at(end, 8)
            if strict or not (_NAME.fullmatch(after[4:]) and int.from_bytes(after[:4], "big") <= window.size - end):
                chain.length, chain.why = length, f"the chunk at byte {offset} does not have the checksum that it should"
                return
            chain.wrong += 1
        elif name == b"acTL" and length == 8:
            chain.frames = int.from_bytes(ahead.at(offset + 8, 4), "big")
        if name == b"IDAT":
            chain.data.append((offset + 8, length))
        chain.offset = end
        if name == b"IEND":
            chain.ended = True
            return
    chain.why = f"it has more than {_CHUNKS} chunks: given up"


def _intact(window: Window, ahead: Ahead, offset: int, length: int) -> bool:
    """Whether a chunk's checksum, over its type and data, is right (5.3)."""
    if length <= 1 << 16:
        data = ahead.at(offset + 4, length + 8)
        return zlib.crc32(memoryview(data)[:-4]) == int.from_bytes(data[-4:], "big")
    checksum = 0
    for _, data in window.chunks(offset + 4, offset + 8 + length):
        checksum = zlib.crc32(data, checksum)
    return checksum == int.from_bytes(ahead.at(offset + 8 + length, 4), "big")


def _walk(window: Window) -> Walked | None:
    at, head = _head(window)
    if not head:
        return None
    chain = _Chain(at + 25)
    _follow(window, chain)
    facts = _facts(head, chain)
    if chain.ended:
        if not chain.data:
            return None
        if chain.wrong:
            why = f"its IEND chunk was reached, but {chain.wrong} of its chunks do not have the checksums that they should"
            return Walked(length=chain.offset, structure=Structure.DAMAGED, why=why, facts=facts)
        why = "its IEND chunk was reached, and every chunk has the checksum that it should"
        return Walked(length=chain.offset, structure=Structure.COMPLETE, why=why, checked=True, facts=facts)
    return _cut_off(window, head, chain, facts, raw=at != 8)


def _facts(head: bytes, chain: _Chain) -> Facts:
    facts: Facts = {"width": int.from_bytes(head[:4], "big"), "height": int.from_bytes(head[4:8], "big")}
    if chain.frames:
        facts["frames"] = chain.frames
    return facts


def _cut_off(window: Window, head: bytes, chain: _Chain, facts: Facts, *, raw: bool) -> Walked | None:
    """Say how much of a picture that ends early can be seen: nothing is none."""
    pieces = list(chain.data)
    if chain.length >= 0 and window.at(chain.offset + 4, 4) == b"IDAT":
        pieces.append((chain.offset + 8, min(chain.length, window.size - chain.offset - 8)))
    height = int.from_bytes(head[4:8], "big")
    row = (int.from_bytes(head[:4], "big") * _SAMPLES[head[9]] * head[8] + 7) // 8 + 1
    decoded, reached = _decode(window, pieces, row, min(row * height * 2, _DECODED), raw=raw, interlaced=bool(head[12]))
    if decoded < row:  # nothing to be seen: it is worth something only if the rest is found
        return _joined(window)
    rows = min(decoded // row, height)
    facts["decoded"] = f"{decoded} bytes of interlaced rows" if head[12] else f"{rows} of {height} rows"
    return Walked(
        length=max(reached, chain.offset) if chain.wrong or chain.length < 0 else reached,
        structure=Structure.TRUNCATED,
        why=chain.why,
        valid=min(reached, chain.offset) if not chain.wrong else None,
        facts=facts,
    )


def _decode(window: Window, pieces: list[tuple[int, int]], row: int, most: int, *, raw: bool, interlaced: bool) -> tuple[int, int]:
    """Inflate what there is of the pixels; return how many bytes came out, and behind which byte of the window it went no further.

    Huffman codes make something of any bytes: what belongs to something else is noticed by rows that begin with no filter's number
    (9.2), and by nothing but zeros.
    """
    machine = zlib.decompressobj(-15 if raw else 15)
    decoded, reached, empty = 0, pieces[0][0] if pieces else 0, (0, 0, 0)
    for offset, data in _data(window, pieces):
        for start in range(0, len(data), 512):  # so that the place where it fails is known to a sector
            piece = data[start : start + 512]
            if piece.count(0) < len(piece):
                empty = (0, 0, 0)
            elif empty[0] >= _EMPTY:
                return empty[1:]
            else:
                empty = (empty[0] + len(piece), *(empty[1:] if empty[0] else (decoded, reached)))
            try:
                while piece and not machine.eof and decoded < most:
                    out = machine.decompress(piece, 1 << 20)
                    window.spend(len(out) >> 3)
                    filters = b"" if interlaced else out[-decoded % row :: row]
                    if filters and max(filters) > 4:
                        rows = -(-decoded // row) + next(n for n, f in enumerate(filters) if f > 4)
                        return rows * row, offset + min(start + 512, len(data))
                    decoded += len(out)
                    piece = machine.unconsumed_tail
            except zlib.error:
                return decoded, reached
            reached = offset + min(start + 512, len(data))
            if machine.eof or decoded >= most:
                return decoded, reached
    return decoded, reached


def _data(window: Window, pieces: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    for offset, length in pieces:
        yield from window.chunks(offset, offset + length)


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    """Find the rest of a picture that breaks off at the end of a block and goes on at the beginning of a later one.

    The chunk that the break lies in says where the next one begins, if only the width of the gap were known: every width of whole
    blocks is tried for whether a chunk begins there, and the checksum then says between which blocks the break is.
    """
    return _joined(window) if walked.structure is Structure.TRUNCATED else None


def _joined(window: Window) -> Walked | None:
    at, head = _head(window)
    if not head:
        return None
    pieces = [(0, window.size)]
    whole, chain = window, _Chain(at + 25)
    _follow(whole, chain, strict=True)
    for _ in range(_BREAKS):
        if chain.ended:
            break
        seam = _seam(whole, chain)
        if seam is None:
            return None
        # Pieces are relative to what was put together so far: the last one of it is cut, and goes on behind the gap.
        start = sum(length for _, length in pieces[:-1])
        origin = pieces[-1][0] - start
        pieces[-1] = (pieces[-1][0], seam[0] - start)
        pieces.append((origin + seam[0] + seam[1], window.size - origin - seam[0] - seam[1]))
        whole = window.spliced(pieces)
        chain.length = -1
        _follow(whole, chain, strict=True)
    if not chain.ended or len(pieces) < 2 or not chain.data:
        return None
    start = sum(length for _, length in pieces[:-1])
    pieces[-1] = (pieces[-1][0], chain.offset - start)
    return Walked(
        length=chain.offset,
        structure=Structure.FRAGMENTED,
        why=f"put together out of {len(pieces)} pieces: only so every chunk up to IEND has the checksum that it should",
        checked=True,
        pieces=tuple(pieces),
        facts=_facts(head, chain),
    )


def _seam(window: Window, chain: _Chain) -> tuple[int, int] | None:
    """Return where the break lies, in the chunk at ``chain.offset``, and how many bytes the gap behind it has."""
    block, offset = window.block, chain.offset
    first = -(-offset // block) * block  # the first block's end that is not before the chunk
    if first < offset + 8:  # the chunk's length may be beyond the break
        found = _in_header(window, offset, first)
        if found:
            return found
    if chain.length < 0:
        return None
    if chain.length > _MOST_BREAKS * block:
        return None
    end = offset + 12 + chain.length
    seam: Seam | None = None
    for gap in range(block, max(_GAPS * block, _SPAN) + 1, block):
        after = window.at(end + gap, 8)
        if len(after) < 8:
            return None
        if not _NAME.fullmatch(after[4:]) or int.from_bytes(after[:4], "big") > window.size - end - gap:
            continue
        if seam is None:
            seam = Seam(window, offset + 4, end - 4, block)
        cut = seam.find(gap)
        if cut is not None:
            return cut, gap
    return None


def _in_header(window: Window, offset: int, cut: int) -> tuple[int, int] | None:
    """Return the break at ``cut``, at or inside a chunk's first eight bytes, and the gap behind it."""
    kept = window.at(offset, cut - offset)
    for gap in range(window.block, max(_GAPS * window.block, _SPAN) + 1, window.block):
        head = kept + window.at(cut + gap, offset + 8 - cut)
        if len(head) < 8:
            return None
        length, name = int.from_bytes(head[:4], "big"), head[4:]
        end = offset + gap + 12 + length
        if not _NAME.fullmatch(name) or end > window.size:
            continue
        after = window.at(end, 8) if name != b"IEND" else b"\0\0\0\0IEND"
        if not _NAME.fullmatch(after[4:]):
            continue
        joined = window.spliced(((0, cut), (cut + gap, end - cut - gap)))
        if _intact(joined, Ahead(joined), offset, length):
            return cut, gap
    return None


FORMATS = (Format(name="png", extension="png", headers=(Header(_SIGNATURE),), walk=_walk, rejoin=_rejoin, largest=1 << 32),)
