"""Databases of the Extensible Storage Engine (WebCacheV01.dat, SRUDB.dat, Windows.edb ...): a header, its copy, and pages with checksums.

Format: libesedb, "Extensible Storage Engine (ESE) Database File (EDB) format" (Metz), sections 2 (header) and 4 to 6 (pages, page tags,
space tree). How many pages there are stands nowhere but in the tree of the space that the database owns: the key of its last node.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_MAGIC = b"\xef\xcd\xab\x89\x20\x06\0\0"
_SEED = 0x89ABCDEF
_PAGE_SIZES = (2048, 4096, 8192, 16384, 32768)
_WIDE = 16384
"""Pages from this size on have a longer header, since revision 17."""
_OWNED = 2
"""The page of the tree of what the database owns; page 1 is its root (6)."""
_LEAF = 2
_LEVELS = 8
_STATES = {1: "just created", 2: "dirty", 3: "clean"}
_EXTENT = 256
"""Pages by which a database grows. One that has grown has so many ahead of need, still zeros (measured)."""
_BAD = 1 << 20
"""Bytes of bad pages behind which nothing is looked for."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 668)
    if len(head) < 668:
        return None
    kind, state = struct.unpack_from("<I", head, 12)[0], struct.unpack_from("<I", head, 52)[0]
    revision, page = struct.unpack_from("<II", head, 232)
    if page not in _PAGE_SIZES or kind > 1 or state > 5:
        return None
    first = window.at(0, page)
    if len(first) < page:
        return None
    if int(np.bitwise_xor.reduce(np.frombuffer(first, "<u4", page // 4 - 1, 4))) ^ _SEED != int.from_bytes(first[:4], "little"):
        return None
    last = _last_page(window, page, revision)
    facts: Facts = {"page_size": page, "state": _STATES.get(state, str(state))}
    if not last:
        return None
    good, bad, first_bad = _verify(window, page, last, wide=page >= _WIDE and revision >= 17)
    facts["pages"] = last
    length = (last + 2) * page
    if length <= window.size and not bad:
        length = _grown(window, length, last, page)
        why = "every page that it owns is there"
        return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=True, facts=facts)
    if length <= window.size and good == last:
        why = f"{bad} of {last} pages do not have the checksums that they should"
        return Walked(length=length, structure=Structure.DAMAGED, why=why, valid=(first_bad + 1) * page, facts=facts)
    if good < 4:
        return None
    facts["pages_found"] = good
    why = f"{good} of {last} pages are there"
    valid = (min(first_bad, good + 1) + 1) * page
    return Walked(length=(good + 2) * page, structure=Structure.TRUNCATED, why=why, valid=valid, facts=facts)


def _last_page(window: Window, page: int, revision: int) -> int:
    """Return the number of the last page that the database owns, 0 where that cannot be told. The header and its copy are none."""
    number = _OWNED
    for _ in range(_LEVELS):
        data = window.at((number + 1) * page, page)
        if len(data) < page:
            return 0
        flags, tags = int.from_bytes(data[36:40], "little"), int.from_bytes(data[34:36], "little")
        start = 80 if page >= _WIDE and revision >= 17 else 40
        if tags < 2 or tags * 4 > page - start:
            return 0
        node = _node(data, start, tags - 1, wide=start == 80)
        if node is None:
            return 0
        key, value = node
        if flags & _LEAF:
            return int.from_bytes(key, "big") if len(key) == 4 and len(value) == 4 else 0
        number = int.from_bytes(value[:4], "little")
        if len(value) != 4 or not 0 < number < window.size // page:
            return 0
    return 0


def _node(data: bytes, start: int, number: int, *, wide: bool) -> tuple[bytes, bytes] | None:
    """Return the key and the value of the node that a tag leads to. A part of the key may stand in the page's first node (5)."""
    size, offset = struct.unpack_from("<HH", data, len(data) - 4 * (number + 1))
    mask = 0x7FFF if wide else 0x1FFF
    raw = data[start + (offset & mask) : start + (offset & mask) + (size & mask)]
    flags = offset >> 13
    if wide and len(raw) >= 2:
        flags = raw[1] >> 5
        raw = raw[:1] + bytes([raw[1] & 0x1F]) + raw[2:]
    common = b""
    if flags & 4:
        count = int.from_bytes(raw[:2], "little")
        raw = raw[2:]
        top_size, top_offset = struct.unpack_from("<HH", data, len(data) - 4)
        common = data[start + (top_offset & mask) : start + (top_offset & mask) + (top_size & mask)][:count]
    length = int.from_bytes(raw[:2], "little")
    if len(raw) < 2 + length:
        return None
    return common + raw[2 : 2 + length], raw[2 + length :]


def _grown(window: Window, length: int, last: int, page: int) -> int:
    """Return the file's length with the pages ahead of need, when they are zeros."""
    grown = length + _EXTENT * page
    if last <= _EXTENT or last % _EXTENT or grown > window.size:
        return length
    return grown if all(data.count(0) == len(data) for _, data in window.chunks(length, grown)) else length


def _verify(window: Window, page: int, last: int, *, wide: bool) -> tuple[int, int, int]:
    """Return the last good page's number, how many are none, and the first of those. Pages of zeros have not been used."""
    good = bad = 0
    first = last + 1
    lost = 0
    number = 1
    tail = b""
    for _, chunk in window.chunks(2 * page, (last + 2) * page):
        data = tail + chunk if tail else chunk
        count = len(data) // page
        tail = data[count * page :]
        if not count:
            continue
        words = np.frombuffer(data, "<u4", count * page // 4).reshape(count, page // 4)
        numbers = np.arange(number, number + count, dtype=np.uint32)
        zero = ~words.any(axis=1)
        if wide:
            right = (words[:, 16] == numbers) & (words[:, 17] == 0)
        else:
            sums = np.bitwise_xor.reduce(words[:, 2:], axis=1)
            right = (words[:, 0] == sums ^ numbers) | ((words[:, 0] == sums ^ words[:, 1] ^ _SEED) & (words[:, 1] == numbers))
        fine = zero | right
        wrong = int((~fine).sum())
        bad += wrong
        if wrong and first > last:
            first = number + int(np.flatnonzero(~fine)[0])
        if right.any() or not wrong:
            found = right if wrong else fine
            good = int(numbers[np.flatnonzero(found)[-1]])
            lost = 0
        else:
            lost += len(data)
        number += count
        if lost > _BAD:
            break
    return good, bad, first


FORMATS = (Format(name="ese", extension="edb", headers=(Header(_MAGIC, at=4),), walk=_walk, largest=1 << 40),)
