"""The sections of Ex01 and Lx01, the second version of Expert Witness files: walked from a segment's end, or searched where that breaks.

Source: J. B. Metz, "Expert Witness Compression Format 2 (EWF2)" (libewf documentation), chapters 4 and 5: a section's descriptor of 64
bytes stands behind its data, and says where the one before it is.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING, NamedTuple

from triage.evidence.ewf_index import checksum_fits
from triage.evidence.medium import pread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PHYSICAL = b"EVF2\r\n\x81\0"
LOGICAL = b"LEF2\r\n\x81\0"
HEAD = 32
"""Bytes of a segment's header."""
DESCRIPTOR = 64
DEVICE, CASE, SECTORS, TABLE, ERRORS, MD5, SHA1, KEYS, NEXT, DONE, FILES = 1, 2, 3, 4, 5, 8, 9, 0xB, 0xD, 0xF, 0x20
_HASHED, _ENCRYPTED = 1, 2
_LARGEST_TYPE = 0xFF
_SIZE_FIELD = DESCRIPTOR.to_bytes(4, "little")
_BLOCK = 4 << 20
_MOST_SECTIONS = 4_000_000


class Head(NamedTuple):
    """A segment's header: whether it is a logical image's, how it is compressed (1 zlib, 2 bzip2), its number and its set."""

    logical: bool
    version: int
    method: int
    number: int
    set_id: bytes


class Section(NamedTuple):
    """A section: its type, where its data begin and end in the segment, and where the descriptor before it is said to be."""

    kind: int
    start: int
    end: int
    before: int
    encrypted: bool
    digest: bytes
    """The MD5 of the data, b"" when there is none."""

    def read(self, file: int, most: int) -> bytes:
        """Return the data, at most ``most`` bytes of them."""
        return pread(file, min(self.end - self.start, most), self.start)

    def fits(self, data: bytes) -> bool:
        """Whether the data are those whose MD5 the descriptor has; they are, too, when it has none."""
        return not self.digest or hashlib.md5(data, usedforsecurity=False).digest() == self.digest


def read_head(raw: bytes) -> Head | None:
    """Read a segment's first 32 bytes; ``None`` when they are not those of the format."""
    if len(raw) < HEAD or raw[:8] not in (PHYSICAL, LOGICAL):
        return None
    method, number = struct.unpack_from("<HI", raw, 10)
    return Head(raw[:8] == LOGICAL, raw[8], method, number, raw[16:32])


def read_descriptor(raw: bytes, at: int) -> Section | None:
    """Return the section whose descriptor ``raw`` lies at byte ``at``, if it can be believed."""
    if len(raw) < DESCRIPTOR or not checksum_fits(raw[:60], raw[60:DESCRIPTOR]):
        return None
    kind, flags, before, length, own = struct.unpack_from("<IIQQI", raw)
    if own != DESCRIPTOR or not 0 < kind <= _LARGEST_TYPE or length > at - HEAD or (before and not HEAD <= before <= at - DESCRIPTOR):
        return None
    return Section(kind, at - length, at, before, bool(flags & _ENCRYPTED), raw[32:48] if flags & _HASHED else b"")


def find_sections(file: int, beat: Callable[[], None]) -> tuple[list[Section], list[int]]:
    """Return a segment's sections in order, and the bytes where their chain was broken and had to be searched for.

    A searched one is believed when it also says rightly where the section before it ends: a copy elsewhere, or an Ex01 that the
    medium holds, does not.
    """
    size = os.lseek(file, 0, os.SEEK_END)
    found: list[Section] = []
    broken: list[int] = []
    at = size - DESCRIPTOR
    while len(found) < _MOST_SECTIONS:
        section = read_descriptor(pread(file, DESCRIPTOR, at), at) if at >= HEAD else None
        if section is None or (found and section.end + DESCRIPTOR > found[-1].start):
            broken.append(max(HEAD, at))
            section = next(_search(file, min(at, size) if not found else min(at + DESCRIPTOR, found[-1].start), beat), None)
            if section is None:
                break
        found.append(section)
        if not section.before:
            if section.start > HEAD:  # what is before the first section's data: nothing is known of it
                broken.append(HEAD)
            break
        at = section.before
    return found[::-1], broken[::-1]


def _search(file: int, end: int, beat: Callable[[], None]) -> Iterator[Section]:
    """Yield the believed sections whose descriptors end at byte ``end`` or before, the last first."""
    while end > HEAD:
        beat()
        start = max(HEAD, end - _BLOCK)
        block = pread(file, end - start, start)
        place = block.rfind(_SIZE_FIELD)
        while place >= 24:
            at = start + place - 24
            section = read_descriptor(block[place - 24 : place + 40], at)
            if section is not None and section.start == (section.before + DESCRIPTOR if section.before else HEAD):
                yield section
            place = block.rfind(_SIZE_FIELD, 0, place + 3)
        end = start + DESCRIPTOR - 1 if start > HEAD else HEAD
