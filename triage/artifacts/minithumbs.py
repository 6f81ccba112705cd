"""Android's file of small thumbnails (``DCIM/.thumbnails/.thumbdata3--1967290299``): slots of one size, one a picture.

Layout (AOSP, ``android.media.MiniThumbFile``; big-endian): slots of 10,000 bytes (some makers: 16,384), the slot's number is the picture's
id in MediaStore; u8 status (1: in use), u64 a magic number that MediaStore has as well (``mini_thumb_magic``), u32 length, then a JPEG. The
name's number is the hash of what the pictures are. Makers' version 5 numbers slots otherwise and has an index for that beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triage.artifacts.structure import ReadAt

SLOTS = (10_000, 16_384)
_HEAD, _PIECE = 13, 1 << 20
KINDS = {"-1967290299": "image", "1763508120": "video"}
"""What the hash in the name stands for: ``content://media/external/images/media`` and the same of videos."""


class Mini(NamedTuple):
    """A thumbnail: its slot, where its JPEG is and how long it says to be, the magic number, and whether it is in use."""

    slot: int
    offset: int
    length: int
    magic: int
    in_use: bool


def slot_size(read_at: ReadAt, size: int) -> int:
    """Return how large the slots of a file are: the size that puts more JPEGs at a slot's beginning among the first 64 MiB; 0 when none."""
    found = dict.fromkeys(SLOTS, 0)
    for start in range(0, min(size, 64 << 20), _PIECE):
        data = read_at(start, min(_PIECE + _HEAD + 3, size - start))
        for step in SLOTS:
            first = -(-start // step) * step
            found[step] += sum(
                data[at - start + _HEAD : at - start + _HEAD + 3] == b"\xff\xd8\xff" for at in range(first, start + _PIECE, step)
            )
    best = max(SLOTS, key=lambda step: found[step])
    return best if found[best] else 0


def minis(read_at: ReadAt, size: int, step: int) -> Iterator[Mini]:
    """Yield the slots that have a JPEG, also those that are not in use any more."""
    many = max(_PIECE // step, 1)
    for first in range(0, -(-size // step), many):
        data = read_at(first * step, min(many * step, size - first * step))
        for number in range(many):
            at = number * step
            if data[at + _HEAD : at + _HEAD + 3] != b"\xff\xd8\xff":
                continue
            offset = (first + number) * step + _HEAD
            stated = int.from_bytes(data[at + 9 : at + 13], "big")
            room = min(step - _HEAD, size - offset)
            magic = int.from_bytes(data[at + 1 : at + 9], "big")
            yield Mini(first + number, offset, stated if 0 < stated <= room else room, magic, data[at] == 1)
