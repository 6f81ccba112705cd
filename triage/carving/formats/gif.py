"""GIF: blocks up to a trailer; pixels lie in sub-blocks, each behind its length (GIF87a, GIF89a specification, CompuServe 1990).

Encoders fill every sub-block of an image but the last one. A length that is another in between is where somebody else's bytes begin,
unless the codes agree all the same: the lengths are as good as checksums, one for every 255 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from triage.carving.ahead import Ahead
from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.lzw import measure

if TYPE_CHECKING:
    from triage.carving.window import Window

_BLOCKS = 300_000
_EXTENSIONS = {0x01: 12, 0xF9: 4, 0xFE: 0, 0xFF: 11}
"""Labels of extensions (GIF89a 23-26), and how long the first sub-block of each must be; 0: any length."""
_DECODED = 256 << 10
"""Bytes of one image's codes that are followed when the lengths do not say enough."""
_PROVEN = 4 << 20
"""Bytes of the codes of an image that was put together: of one with more, nothing is proven."""
_COST, _HOP = 64, 64
"""What following a byte of codes costs, and what a hop does, in bytes read."""
_EQUAL = 8
"""Sub-blocks of one length after which another length is a break."""
_SURELY = 64
"""So many make it needless to look at the codes."""
_GAPS = 4096
"""Blocks behind a break within which the rest is looked for."""
_BREAKS = 4
_INTRODUCERS = (b"\x21", b"\x2c")
"""How an extension and an image begin."""


@dataclass(slots=True)
class _Image:
    """An image's sub-blocks. ``end``: behind the empty one, or -1. ``odd``: where the first length of another kind is.

    ``sure``: where the last length stands that is like the first, ``equal``: how many are, before an odd one.
    """

    start: int
    bits: int = 0
    pixels: int = 0
    common: int = 0
    end: int = -1
    odd: int | None = None
    equal: int = 0
    sure: int = 0


@dataclass(slots=True)
class _State:
    """How far it was followed.

    ``block``: where the block begins that is followed now; ``picture``: where the last image begins, and ``image`` its sub-blocks.
    ``broken``: where a length stands that is not as it should be. ``loose``: images whose lengths do not prove them.
    ``doubted``: the next image is looked at more closely. ``crossed``: images in which one of ``cuts`` lies.
    """

    offset: int
    block: int = 0
    picture: int = 0
    image: _Image | None = None
    broken: int | None = None
    frames: int = 0
    loose: int = 0
    doubted: bool = False
    cuts: tuple[int, ...] = ()
    crossed: list[_Image] = field(default_factory=list)
    ended: bool = False
    why: str = ""

    @property
    def sure(self) -> int:
        """Where something stands that is surely the file's."""
        return self.image.sure if self.image is not None else 0


def _screen(window: Window) -> tuple[int, int, int]:
    """Return width and height of the screen, and where the blocks begin; no width when it is none."""
    head = window.at(0, 13)
    if len(head) < 13 or head[:6] not in (b"GIF87a", b"GIF89a"):
        return 0, 0, 0
    width, height, flags = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little"), head[10]
    return width if height else 0, height, 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)


def _follow(window: Window, state: _State, size: tuple[int, int], *, strict: bool = False) -> None:
    """Follow the blocks from ``state.offset`` on. ``strict``: stop where an image's lengths break."""
    ahead = Ahead(window, 1024) if state.doubted else Ahead(window)
    for _ in range(_BLOCKS):
        state.block = state.offset
        start = ahead.at(state.offset, 2)
        if not start:
            state.why = "the space ends inside it"
            return
        if start[0] == 0x3B:
            state.offset += 1
            state.ended = True
            return
        if start[0] == 0x2C:
            if not _image(ahead, state, size, strict):
                return
        elif start[0] == 0x21:
            if not _extension(ahead, state):
                return
        elif start[0] == 0 and start[1:] in {b"\x21", b"\x2c", b"\x3b"}:  # some writers end a block twice
            state.offset += 1
        else:
            state.why = f"what follows byte {state.offset} is no block"
            return
    state.why = f"it has more than {_BLOCKS} blocks: given up"


def _extension(ahead: Ahead, state: _State) -> bool:
    head = ahead.at(state.offset, 8)
    first = _EXTENSIONS.get(head[1]) if len(head) == 8 else None
    if first is None or (first and head[2] != first) or (head[1] == 0xF9 and head[7]):
        state.why = f"what follows byte {state.offset} is no block"
        return False
    blocks = _Image(state.offset + 2)
    _sub_blocks(ahead, blocks)
    if blocks.end < 0:
        state.why = "the space ends inside it"
        return False
    state.offset = blocks.end
    return True


def _image(ahead: Ahead, state: _State, size: tuple[int, int], strict: bool) -> bool:
    head = ahead.at(state.offset, 10)
    left, top, width, height = (int.from_bytes(head[n : n + 2], "little") for n in (1, 3, 5, 7))
    data = state.offset + 10 + (3 << (head[9] & 7) + 1 if len(head) == 10 and head[9] & 0x80 else 0)
    bits = ahead.at(data, 1)
    if not bits:
        state.why = "the space ends inside it"
        return False
    image = _Image(data + 1, bits[0], width * height)
    fits = left + width <= size[0] and top + height <= size[1]
    if not image.pixels or not 2 <= image.bits <= 8 or head[9] & 0x18:
        state.why = f"what follows byte {state.offset} is no block"
        return False
    _sub_blocks(ahead, image)
    if not fits and image.equal < _EQUAL:
        state.why = f"what follows byte {state.offset} is no image that the screen has room for"
        return False
    state.picture, state.image = state.offset, image
    doubted, state.doubted = state.doubted, False
    if image.odd is not None or (doubted and image.equal < _EQUAL):
        sure = image.equal >= _SURELY or (doubted and image.odd is not None)
        verdict = "wrong" if sure else _codes(ahead.window, image)
        if verdict == "wrong" or (verdict == "unknown" and image.equal >= _EQUAL):
            state.broken = image.odd if state.broken is None and image.odd is not None else state.broken
            if strict:
                state.why = f"an image breaks off before byte {image.odd or image.end}"
                return False
        state.loose += verdict == "unknown"
    if image.end < 0:
        state.why = "the space ends inside it"
        return False
    if any(image.start < cut < image.end for cut in state.cuts):
        state.crossed.append(image)
    state.offset = image.end
    state.frames += 1
    return True


def _sub_blocks(ahead: Ahead, image: _Image) -> None:
    """Hop from length to length."""
    data, base = ahead.data, ahead.base
    at = image.start - base
    if not 0 <= at < len(data):
        ahead.fill(image.start)
        data, base, at = ahead.data, ahead.base, 0
        if not data:
            return
    common, counted = data[at], at
    step = common + 1
    image.common = common
    image.sure = image.start
    while True:
        end = len(data)
        if common:
            while at < end and data[at] == common:
                at += step
        ahead.window.spend(_HOP * (1 + (at - counted) // step))
        if image.odd is None:
            image.equal += (at - counted) // step
            if at > counted:
                image.sure = base + at - step
        if at + 256 >= end and base + end < ahead.window.size:
            ahead.fill(base + at)
            data, base, at = ahead.data, ahead.base, 0
            counted = at
            if data and data[0] == common and common:
                continue
        if at >= len(data):
            return
        length = data[at]
        after = at + length + 1
        if length == 0:
            image.end = base + at + 1
            return
        if after >= len(data):
            return
        if image.odd is None and data[after]:
            image.odd = base + at
        at = counted = after


def _codes(window: Window, image: _Image, most: int = _DECODED) -> str:
    """Return whether an image's codes are ``right``, ``wrong``, or ``unknown``: too many to be followed."""
    end = image.end if image.end >= 0 else window.size
    if most == _PROVEN and end - image.start > most:
        return "unknown"
    raw = window.at(image.start, min(end - image.start, most))
    window.spend(_COST * len(raw))
    pieces, at = [], 0
    while at < len(raw) and raw[at]:
        pieces.append(raw[at + 1 : at + 1 + raw[at]])
        at += raw[at] + 1
    pixels, ended, right = measure(b"".join(pieces), image.bits, image.pixels)
    if not right:
        return "wrong"
    if not ended:
        return "unknown" if image.end < 0 or len(raw) == most else "wrong"
    return "right" if pixels == image.pixels else "wrong"


def _walk(window: Window) -> Walked | None:
    width, height, start = _screen(window)
    if not width:
        return None
    state = _State(start)
    _follow(window, state, (width, height))
    if state.ended:
        if not state.frames:
            return None
        facts = _facts(width, height, state.frames)
        if state.broken is not None:
            why = f"its trailer was reached, but the image data at byte {state.broken} are not its own"
            return Walked(length=state.offset, structure=Structure.DAMAGED, why=why, valid=state.sure, facts=facts)
        why = "block by block up to its trailer"
        return Walked(length=state.offset, structure=Structure.COMPLETE, why=why, checked=not state.loose, facts=facts)
    if state.broken is not None:  # what was hopped over behind the break was hopped over by chance
        state = _State(start)
        _follow(window, state, (width, height), strict=True)
    length = _reached(window, state)
    if not state.frames and (state.image is None or state.image.equal < 2):
        # Nothing to be seen: it is worth something only if the rest is found, and that is looked for only if something begins at all.
        return _joined(window) if window.at(state.block, 1) in _INTRODUCERS else None
    facts = _facts(width, height, state.frames)
    if not state.frames:
        facts["frames"] = "a part of the first"
    return Walked(length=length, structure=Structure.TRUNCATED, why=state.why, valid=min(state.sure + 1, length), facts=facts)


def _reached(window: Window, state: _State) -> int:
    """Return where a file that breaks off does so: it is at the end of a sector between a length that is right and one that is not."""
    if state.broken is None:
        sector = state.offset // 512 * 512
        inside = state.why.startswith("the space ends")
        return window.size if inside else max(state.offset if sector <= state.sure else sector, 1)
    sector = state.broken // 512 * 512
    return sector if sector > state.sure else state.broken


def _facts(width: int, height: int, frames: int) -> Facts:
    return {"width": width, "height": height, "frames": frames} if frames > 1 else {"width": width, "height": height}


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    return _joined(window) if walked.structure in (Structure.TRUNCATED, Structure.DAMAGED) else None


def _joined(window: Window) -> Walked | None:
    """Find the rest: behind the break, the lengths have to stand where they would if there were no gap."""
    width, height, start = _screen(window)
    whole, pieces = window, [(0, window.size)]
    state = _State(start)
    _follow(whole, state, (width, height), strict=True)
    for _ in range(_BREAKS):
        if state.ended:
            break
        found = _seam(whole, state, (width, height))
        if found is None:
            return None
        cut, gap, state = found
        before = sum(length for _, length in pieces[:-1])
        origin = pieces[-1][0] - before
        pieces[-1] = (pieces[-1][0], cut - before)
        pieces.append((origin + cut + gap, window.size - origin - cut - gap))
        whole = window.spliced(pieces)
    if not state.ended or len(pieces) < 2 or not state.frames:
        return None
    before = sum(length for _, length in pieces[:-1])
    pieces[-1] = (pieces[-1][0], state.offset - before)
    # Blocks are multiples of 256 bytes: behind a hole in the same image lengths stand right as well. Its codes tell what is missing.
    proof = _State(start, cuts=tuple(accumulate(length for _, length in pieces[:-1])))
    _follow(whole, proof, (width, height), strict=True)
    if not proof.ended or any(_codes(whole, image, _PROVEN) != "right" for image in proof.crossed):
        return None
    return Walked(
        length=state.offset,
        structure=Structure.FRAGMENTED,
        why=f"put together out of {len(pieces)} pieces: only so its codes give the pixels that they should",
        checked=True,
        pieces=tuple(pieces),
        facts=_facts(width, height, state.frames),
    )


def _seam(window: Window, state: _State, size: tuple[int, int]) -> tuple[int, int, _State] | None:
    """Return where the break is, how wide the gap, and how far it can be followed behind it."""
    image = state.image
    if image is not None:
        step = image.common + 1
        # One length in 256 is like the others by chance: the break may be before the last that seemed right.
        for sure, most in ((image.sure, _GAPS), (image.sure - step, _GAPS // 16)):
            if sure >= image.start:
                found = _in_image(window, state, image, sure, size, most)
                if found is not None:
                    return found
        if image.equal >= 2 and state.broken is not None:
            return None
    block, start = window.block, state.block
    begun = window.at(start, 1) in _INTRODUCERS  # if nothing begins there, then what should lies behind a gap
    for cut in range(-(-start // block) * block, state.offset + 11 + 768 if begun else start + 1, block):
        for gap in _gaps(window, cut):
            if cut == start and window.at(start + gap, 1) not in _INTRODUCERS:
                continue
            joined = window.spliced(((0, cut), (cut + gap, window.size - cut - gap)))
            then = _State(start, frames=state.frames, doubted=True)
            _follow(joined, then, size, strict=True)
            if then.frames > state.frames:  # a trailer alone, one byte, would be found in any noise
                return cut, gap, then
    return None


def _gaps(window: Window, cut: int, most: int = _GAPS) -> range:
    block = window.block
    return range(block, min(most * block, max(window.size - cut - 1, 0)) + 1, block)


def _in_image(window: Window, state: _State, image: _Image, sure: int, size: tuple[int, int], most: int) -> tuple[int, int, _State] | None:
    """Look for a break behind the length at ``sure``: before the next one, or before the end of the sub-block that would be the last."""
    block, step = window.block, image.common + 1
    hop = sure + step
    frames = state.frames - (state.block > state.picture)
    short = window.at(hop, 1)
    for cut in range(sure // block * block + block, hop + (short[0] if short else 0) + 3, block):
        for gap in _gaps(window, cut, most):
            if not (_goes_on(window, hop + gap, image.common) if cut <= hop else _stops(window, hop + short[0] + 1, cut, gap)):
                continue
            joined = window.spliced(((0, cut), (cut + gap, window.size - cut - gap)))
            if _crossed(joined, image, hop):
                then = _State(state.picture, frames=frames)
                _follow(joined, then, size, strict=True)
                return cut, gap, then
    return None


def _goes_on(window: Window, offset: int, common: int) -> bool:
    """Whether a length can stand there: one like those before, or the last one."""
    there = window.at(offset, 1)
    if not there or there[0] == common:
        return bool(there)
    return _stops(window, offset + there[0] + 1 if there[0] else offset, 0, 0)


def _stops(window: Window, offset: int, cut: int, gap: int) -> bool:
    """Whether an image can end there, where bytes from ``cut`` on are read behind the gap."""
    ends = b"".join(window.at(at + gap if at >= cut else at, 1) for at in (offset, offset + 1))
    return ends[:1] == b"\0" and ends[1:] in {b"\x21", b"\x2c", b"\x3b"}


def _crossed(window: Window, image: _Image, hop: int) -> bool:
    """Whether an image goes on behind a break: by lengths that are right for long, or by codes that give the pixels that they should."""
    crossing = _Image(image.start, image.bits, image.pixels)
    _sub_blocks(Ahead(window), crossing)
    if crossing.sure - hop >= 3 * (crossing.common + 1):
        return True
    return crossing.odd is None and crossing.end >= 0 and _codes(window, crossing) == "right"


FORMATS = (
    Format(name="gif", extension="gif", headers=(Header(b"GIF87a"), Header(b"GIF89a")), walk=_walk, rejoin=_rejoin, largest=1 << 31),
)
