"""What the Finder notes of a folder in ``.DS_Store``: names of files it showed, comments, where thrown-away files came from.

Format as publicly described (Wim Lewis, Mac::Finder::DSStore, "DS_Store Format"): u32 1, ``Bud1``, u32 place and u32 size of the root
block, the place once more; places count from byte 4. Root block: u32 count of blocks, u32 0, the blocks' addresses (place, in the lowest
five bits the power of two of the size) filled up to a multiple of 256, u32 count of names, each u8 length, name, u32 number of a block.
``DSDB`` is the head of a B-tree: u32 number of its root. A node: u32 block of the rightmost child, 0 in a leaf, u32 count of records,
each in inner nodes after the u32 block of the child before it. A record: u32 length, name in UTF-16, four letters each of what and of
which type, the value. All big-endian. ``ptbL`` and ``ptbN`` (folder and name before it was thrown away) and ``cmmt`` are texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from triage.artifacts.structure import Notes, StructureError
from triage.escape import show

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\0\0\0\1Bud1"
MAX_BYTES = 16 << 20
_MOST_NODES, _MOST_RECORDS, _LONGEST_NAME = 20_000, 200_000, 255
_MOST_LEFT = 50_000
_LENGTHS = {b"long": 4, b"shor": 4, b"bool": 1, b"type": 4, b"comp": 8, b"dutc": 8}
_RECORD = re.compile(rb"[A-Za-z0-9]{4}(?:long|shor|bool|type|comp|dutc|blob|ustr)")
_CUT = "a node of a .DS_Store breaks off"


class Record(NamedTuple):
    """What is noted of a file. ``what``: four letters; ``text``: the value when it is one; ``left``: in no node any more."""

    name: str
    what: str
    text: str
    offset: int
    left: bool


def read_dsstore(data: bytes) -> tuple[list[Record], tuple[str, ...]]:
    """Return the records in the order of the tree, behind them what is left of others, and notes of what could not be read.

    Raises :class:`StructureError` for what is no such file.
    """
    if not data.startswith(MAGIC) or len(data) < 36:
        raise StructureError("no store of the Finder")
    notes = Notes()
    if len(data) > MAX_BYTES:
        notes.add(f"of a .DS_Store only the first {MAX_BYTES:,} bytes were read")
        data = data[:MAX_BYTES]
    held = list(_walk(data, notes))
    if len(held) >= _MOST_RECORDS:
        notes.add(f"of a .DS_Store only the first {_MOST_RECORDS:,} records were read")
    seen = {one.offset for one in held}
    return held + list(_left(data, seen, notes)), notes.lines()


def _walk(data: bytes, notes: Notes) -> Iterator[Record]:
    """Yield the records of the tree's nodes; of a node that breaks off what comes before."""
    blocks, top = _blocks(data)
    head = blocks[top] if top < len(blocks) else 0
    if not head:
        notes.add("a .DS_Store whose list of blocks is damaged: only what is left of records was read")
        return
    waiting, seen, count = [_u32(data, head)], set[int](), 0
    while waiting and len(seen) < _MOST_NODES and count < _MOST_RECORDS:
        number = waiting.pop()
        if number in seen or number >= len(blocks) or not blocks[number]:
            notes.add("a node of a .DS_Store is missing or comes twice")
            continue
        seen.add(number)
        at = blocks[number]
        last, records = _u32(data, at), _u32(data, at + 4)
        at += 8
        children = []
        for _ in range(records):
            if last:
                children.append(_u32(data, at))
                at += 4
            found, at = _record(data, at, left=False)
            if found is None:
                notes.add(_CUT)
                break
            count += 1
            yield found
            if count >= _MOST_RECORDS:
                break
        waiting += ([last] if last else []) + children[::-1]
    if len(seen) >= _MOST_NODES:
        notes.add(f"of a .DS_Store only the first {_MOST_NODES:,} nodes were read")


def _blocks(data: bytes) -> tuple[list[int], int]:
    """Return the places of the blocks in the file, 0 for none, and the number of the tree's head (``len`` of them if it has none)."""
    root = 4 + _u32(data, 8)
    count = min(_u32(data, root), (len(data) - root) // 4 if root < len(data) else 0)
    blocks = []
    for number in range(count):
        address = _u32(data, root + 8 + 4 * number)
        place = 4 + (address & ~31)
        blocks.append(place if address and place <= len(data) - 8 else 0)
    at = root + 8 + 4 * ((count + 255) // 256 * 256)
    for _ in range(min(_u32(data, at), 16)):
        at += 4
        length = data[at] if at < len(data) else 0
        if data[at + 1 : at + 1 + length] == b"DSDB":
            return blocks, _u32(data, at + 1 + length)
        at += 1 + length
    return blocks, len(blocks)


def _record(data: bytes, at: int, *, left: bool) -> tuple[Record | None, int]:
    """Return the record there and where it ends; ``None`` for one that breaks off or makes no sense."""
    length = _u32(data, at)
    mid = at + 4 + 2 * length
    if not 0 < length <= _LONGEST_NAME or mid + 8 > len(data):
        return None, at
    what, kind = data[mid : mid + 4], data[mid + 4 : mid + 8]
    size, text, start = _LENGTHS.get(kind, -1), "", mid + 8
    if kind in (b"blob", b"ustr"):
        size = _u32(data, start) * (2 if kind == b"ustr" else 1)
        start += 4
        if kind == b"ustr":
            text = show(data[start : start + min(size, 8192)].decode("utf-16-be", "replace"))
    if size < 0 or start + size > len(data):
        return None, at
    name = show(data[at + 4 : mid].decode("utf-16-be", "replace"))
    return Record(name, what.decode("latin-1"), text, at, left), start + size


def _left(data: bytes, seen: set[int], notes: Notes) -> Iterator[Record]:
    """Yield records in no node any more: found by their eight letters, behind a name whose length stands before it."""
    known = {at + 4 + 2 * _u32(data, at) for at in seen}
    tried = 0
    for match in _RECORD.finditer(data):
        mid = match.start()
        if mid in known:
            continue
        tried += 1
        if tried > _MOST_LEFT:  # each costs a look at all lengths that a name can have
            notes.add(f"of what may be records left in a .DS_Store only the first {_MOST_LEFT:,} were tried")
            return
        for length in range(1, min(_LONGEST_NAME, (mid - 4) // 2) + 1):
            at = mid - 2 * length - 4
            if _u32(data, at) == length:
                found, _ = _record(data, at, left=True)
                if found is not None and "\ufffd" not in found.name and found.name.isprintable():
                    yield found
                break


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")
