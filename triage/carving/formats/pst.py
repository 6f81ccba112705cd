"""Outlook's stores, PST and OST: pages of allocation at fixed distances, and trees of pages with a checksum each ([MS-PST]).

The header has a checksum of its own and says how long the file is (2.2.2.6, 2.2.2.5). Every 253,952 bytes stands a page of the allocation
map (2.2.2.7.2), and the tree of blocks says where all content lies (2.2.2.7.7): when those pages are in place and whole, so is the file.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_MAGIC = b"!BDN"
_CLIENTS = {b"SM": "pst", b"SO": "ost"}
_HEADER = 564
_FIRST_MAP = 0x4400
_BETWEEN_MAPS = 253_952
_MAP, _BLOCKS = 0x84, 0x80
_MOST_PAGES = 100_000
"""Pages of the trees that are read; of more, the rest is left unread."""
_DEEPEST = 8
_MOST_BLOCKS = 4096
"""Blocks of content whose checksums are looked at, at equal distances."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where things stand in one of the two layouts: 64 bits since 2003, 32 bits before."""

    size_at: int
    tree_at: int
    number: str
    trailer: int
    meta: int

    @property
    def wide(self) -> bool:
        return self.number == "<Q"


_WIDE = _Layout(size_at=0xB8, tree_at=0xF0, number="<Q", trailer=16, meta=488)
_NARROW = _Layout(size_at=0xA8, tree_at=0xC4, number="<I", trailer=12, meta=496)


def _checksum(data: bytes) -> int:
    """Return the checksum of 5.3: CRC-32 without the inversions."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _HEADER)
    if len(head) < _HEADER or head[:4] != _MAGIC or head[8:10] not in _CLIENTS:
        return None
    version = int.from_bytes(head[10:12], "little")
    if int.from_bytes(head[4:8], "little") != _checksum(head[8:479]):
        return None
    extension = _CLIENTS[head[8:10]]
    facts: Facts = {"version": version}
    layout = _WIDE if version >= 23 else _NARROW if version in (14, 15) else None
    if layout is None:
        return None
    length = struct.unpack_from(layout.number, head, layout.size_at)[0]
    if not _FIRST_MAP < length <= 1 << 40 or window.size < _FIRST_MAP + 512:
        return None
    if version >= 36:  # pages of 4 KiB, whose trees are not read here
        return _large_pages(window, layout, head, length, extension, facts)
    if length > window.size:
        return _cut(window, layout, length, extension, facts)
    whole = _maps(window, layout, length)
    blocks: list[tuple[int, int, int]] = []
    wrong = _tree(window, layout, struct.unpack_from(layout.number, head, layout.tree_at)[0], length, blocks)
    if whole < length:
        why = f"its allocation map does not stand at byte {whole}, where it should"
        if whole == _FIRST_MAP:
            return None
        structure = Structure.TRUNCATED if wrong else Structure.DAMAGED
        return Walked(length=length, structure=structure, why=why, extension=extension, valid=whole, facts=facts)
    if wrong:
        return Walked(length=length, structure=Structure.DAMAGED, why=wrong, extension=extension, valid=_FIRST_MAP, facts=facts)
    facts["blocks"] = len(blocks)
    odd = _blocks(window, layout, blocks)
    if odd is not None:
        why = f"the block at byte {odd} does not have the checksum that it should"
        return Walked(length=length, structure=Structure.DAMAGED, why=why, extension=extension, valid=min(odd, length), facts=facts)
    why = f"its header says how long it is; its maps are in place, and the {len(blocks)} blocks that it lists"
    # Behind the last block may be room that nothing is in: no checksum says anything of it.
    checked = bool(blocks) and not window.joints(max(blocks)[0], length)
    return Walked(length=length, structure=Structure.COMPLETE, why=why, extension=extension, checked=checked, facts=facts)


def _large_pages(window: Window, layout: _Layout, head: bytes, length: int, extension: str, facts: Facts) -> Walked:
    """Say what there is of a file with pages of 4 KiB, as offline stores have since 2013: only the first of its tree is looked at."""
    if length > window.size:
        why = f"the space ends inside it: by its header it has {length} bytes"
        return Walked(length=window.size, structure=Structure.TRUNCATED, why=why, extension=extension, valid=_HEADER, facts=facts)
    root = struct.unpack_from(layout.number, head, layout.tree_at)[0]
    if window.at(root + 4096 - 24, 2) != bytes((_BLOCKS, _BLOCKS)):
        why = f"the page of its tree of blocks that should stand at byte {root} is not there"
        return Walked(length=length, structure=Structure.DAMAGED, why=why, extension=extension, valid=_HEADER, facts=facts)
    why = "its header, which has the right checksum, says how long it is, and its tree of blocks begins where it should"
    return Walked(length=length, structure=Structure.COMPLETE, why=why, extension=extension, facts=facts)


def _cut(window: Window, layout: _Layout, length: int, extension: str, facts: Facts) -> Walked | None:
    whole = _maps(window, layout, window.size)
    if whole <= _FIRST_MAP:
        return None
    why = f"the space ends inside it: by its header it has {length} bytes"
    valid = min(whole, window.size)
    return Walked(length=window.size, structure=Structure.TRUNCATED, why=why, extension=extension, valid=valid, facts=facts)


def _maps(window: Window, layout: _Layout, length: int) -> int:
    """Return the first place of a page of the allocation map where none is, or ``length``."""
    at = _FIRST_MAP
    while at + 512 <= length:
        if _page(window, layout, at, _MAP) is None:
            return at
        at += _BETWEEN_MAPS
    return length


def _page(window: Window, layout: _Layout, at: int, kind: int) -> bytes | None:
    """Return a page if it is of that kind and has the right checksum (2.2.2.7.1)."""
    data = window.at(at, 512)
    start = 512 - layout.trailer
    if len(data) < 512 or data[start] != kind or data[start + 1] != kind:
        return None
    stated = data[start + 4 : start + 8] if layout.wide else data[start + 8 : start + 12]
    return data if _checksum(data[:start]) == int.from_bytes(stated, "little") else None


def _tree(window: Window, layout: _Layout, root: int, length: int, blocks: list[tuple[int, int, int]]) -> str:
    """Read the tree of blocks from its root page on; put ``(offset, size, id)`` of each into ``blocks``; return what is wrong."""
    waiting, seen = [(root, _DEEPEST)], set[int]()
    number = struct.Struct(layout.number)
    while waiting:
        at, most = waiting.pop()
        if at in seen or len(seen) >= _MOST_PAGES:
            continue
        seen.add(at)
        page = _page(window, layout, at, _BLOCKS) if at + 512 <= length else None
        if page is None:
            return f"the page of its tree of blocks that should stand at byte {at} is not there"
        count, _, size, level = page[layout.meta : layout.meta + 4]
        if size * count > layout.meta or level >= most or size < (24 if layout.wide else 12):
            return f"the page of its tree of blocks at byte {at} is not what it should be"
        for entry in range(0, size * count, size):
            if level:
                waiting.append((number.unpack_from(page, entry + 2 * number.size)[0], level))
            else:
                block, place = number.unpack_from(page, entry)[0], number.unpack_from(page, entry + number.size)[0]
                blocks.append((place, int.from_bytes(page[entry + 2 * number.size : entry + 2 * number.size + 2], "little"), block))
    return ""


def _blocks(window: Window, layout: _Layout, blocks: list[tuple[int, int, int]]) -> int | None:
    """Return where a block of those looked at does not end with its own size, number and checksum (2.2.2.8.1)."""
    blocks.sort()
    for at, size, number in blocks[:: max(1, -(-len(blocks) // _MOST_BLOCKS))]:
        end = -(-(size + layout.trailer) // 64) * 64 - layout.trailer
        data = window.at(at, end + layout.trailer)
        trailer = data[end:]
        if len(trailer) < layout.trailer:
            return at
        if layout.wide:
            stated, _, checksum, own = struct.unpack("<HHIQ", trailer)
        else:
            stated, _, own, checksum = struct.unpack("<HHII", trailer)
        if stated != size or own & ~1 != number & ~1 or checksum != _checksum(data[:size]):
            return at
    return None


FORMATS = (Format(name="pst", extension="pst", headers=(Header(_MAGIC),), walk=_walk, largest=1 << 40),)
