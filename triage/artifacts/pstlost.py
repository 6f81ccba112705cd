"""What is left of deleted messages in a store of Outlook: pages of the tree of nodes that are in it no more, and blocks that none lists.

Outlook writes its trees' pages anew elsewhere and leaves the old ones as they were until their place is needed; blocks of deleted nodes
stay, too. Both are found by the marks at their ends ([MS-PST] 2.2.2.7.1, 2.2.2.8.1, 5.5) and are taken only with the right checksum.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from triage.artifacts import pstcodec
from triage.artifacts.pst import LARGE, NODES, Block, Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from triage.artifacts.pst import Pst

_LARGEST = 4 << 30
_WINDOW = 4 << 20
_MOST_BLOCKS, _MOST_NODES = 500_000, 200_000
_MESSAGE = 4


def find_lost(pst: Pst, known: set[int]) -> list[Node]:
    """Return nodes of messages that stand only in free pages, in the order of their numbers, and keep lost blocks in ``pst.lost``.

    ``known``: numbers of the nodes that the tree has. Of several states of a node the latest whose data is there is given.
    """
    if pst.size > _LARGEST:
        pst.notes.add("free pages of a store of more than 4 GiB were not searched for deleted messages")
        return []
    states: dict[int, list[Node]] = {}
    count = 0
    for start in range(0, pst.size, _WINDOW):
        data = pst.bytes_at(start, min(_WINDOW, pst.size - start))
        for node in _nodes(pst, data, start):
            if node.number & 0x1F == _MESSAGE and node.number not in known and count < _MOST_NODES:
                count += 1
                states.setdefault(node.number, []).append(node)
        _blocks(pst, data, start)
    found = []
    for _, kept in sorted(states.items()):
        readable = [node for node in kept if pst.block(node.data) is not None]
        if readable:
            found.append(max(readable, key=lambda node: (node.data, node.below)))
        else:
            pst.notes.add("a deleted message is named in a free page, and its data is gone")
    return found


def _nodes(pst: Pst, data: bytes, start: int) -> list[Node]:
    """Return the nodes that leaves of the tree name, free ones or not, in a stretch of the file."""
    layout = pst.layout
    rows = _rows(data, layout.page)
    end = layout.page - layout.trailer
    found: list[Node] = []
    for place in np.flatnonzero((rows[:, end] == NODES) & (rows[:, end + 1] == NODES)):
        raw = bytes(rows[place].tobytes())
        stated, number = (raw[end + 4 : end + 8], raw[end + 8 : end + 12]) if layout.wide else (raw[end + 8 :], raw[end + 4 : end + 8])
        mixed = (start + int(place) * layout.page) & 0xFFFFFFFF ^ int.from_bytes(number, "little")
        if int.from_bytes(raw[end + 2 : end + 4], "little") != (mixed >> 16 ^ mixed) & 0xFFFF:
            continue  # it was written for another place: in a store that is attached to a mail, say
        if checksum(raw[:end]) != int.from_bytes(stated, "little"):
            continue
        page = pst.parse(raw, NODES)
        if page is not None and not page.level:
            found += [Node(*entry) for entry in page.entries]
    return found


def _blocks(pst: Pst, data: bytes, start: int) -> None:
    """Keep the blocks that end in a stretch of the file and that the tree does not have."""
    layout = pst.layout
    tails = np.ascontiguousarray(_rows(data, layout.unit)[:, layout.unit - layout.trailer :])
    sizes = _numbers(tails, 0, 2)
    marks = _numbers(tails, 2, 2)
    numbers = _numbers(tails, 8, 4) if layout.wide else _numbers(tails, 4, 4)
    above = _numbers(tails, 12, 4) if layout.wide else np.zeros(len(tails), np.int64)
    ends = start + (np.arange(len(tails), dtype=np.int64) + 1) * layout.unit
    places = ends - -(-(sizes + layout.trailer) // layout.unit) * layout.unit
    mixed = (places & 0xFFFFFFFF) ^ numbers
    fits = (sizes > 0) & (sizes <= pstcodec.LARGEST_BLOCK) & (places >= 0) & (marks == (mixed >> 16 ^ mixed) & 0xFFFF)
    for row in np.flatnonzero(fits):
        number, place, size = (int(above[row]) << 32 | int(numbers[row])) & ~1, int(places[row]), int(sizes[row])
        if len(pst.lost) >= _MOST_BLOCKS:
            pst.notes.add("lost blocks beyond the first 500,000 were left out")
            return
        if pst.block(number) is not None:
            continue
        stated = int(_numbers(tails[row : row + 1], 4 if layout.wide else 8, 4)[0])
        if checksum(pst.bytes_at(place, size)) == stated:
            raw = int(_numbers(tails[row : row + 1], 18, 2)[0]) if layout is LARGE else size
            pst.lost[number] = Block(number, place, size, raw or size)


def checksum(data: bytes) -> int:
    """Return the checksum of 5.3: CRC-32 without the inversions."""
    return zlib.crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def _rows(data: bytes, width: int) -> NDArray[np.uint8]:
    count = len(data) // width
    return np.frombuffer(data, np.uint8, count * width).reshape(count, width)


def _numbers(rows: NDArray[np.uint8], at: int, width: int) -> NDArray[np.int64]:
    found = np.zeros(len(rows), np.int64)
    for n in range(width):
        found |= rows[:, at + n].astype(np.int64) << (8 * n)
    return found
