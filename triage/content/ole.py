"""Names in the root directory of an OLE compound file, without following its sector chains.

Format: [MS-CFB]. The first directory sector's place stands in the header; in almost every file it lists the
streams that tell a Word document from a workbook. Chains are not followed, so no file can make this loop.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MINI_CUTOFF = 4096
_HEADER = struct.Struct("<H16xI")  # at 30: sector shift; at 48: first directory sector


@dataclass(frozen=True, slots=True)
class OleEntry:
    """One directory entry. ``offset`` is its first bytes' place in the file, ``None`` in the mini stream."""

    name: str
    size: int
    offset: int | None
    clsid: bytes


def directory(read_at: Callable[[int, int], bytes]) -> tuple[OleEntry, ...]:
    """Return the first directory sector's entries; nothing when ``read_at(offset, n)`` does not reach it."""
    head = read_at(0, 512)
    if len(head) < 512 or not head.startswith(MAGIC):
        return ()
    shift, first = _HEADER.unpack_from(head, 30)
    if shift not in (9, 12):
        return ()
    sector = 1 << shift
    raw = read_at((first + 1) << shift, sector)
    entries = []
    for at in range(0, len(raw) - 127, 128):
        length = int.from_bytes(raw[at + 64 : at + 66], "little")
        if raw[at + 66] not in (1, 2, 5) or not 2 <= length <= 64:
            continue
        name = raw[at : at + length - 2].decode("utf-16-le", "replace")
        start, size = struct.unpack_from("<II", raw, at + 116)
        offset = (start + 1) << shift if size >= MINI_CUTOFF and start < 0xFFFFFFFA else None
        entries.append(OleEntry(name, size, offset, raw[at + 80 : at + 96]))
    return tuple(entries)


_BY_STREAM = (
    ("EncryptedPackage", "office-encrypted"),
    ("WordDocument", "doc"),
    ("Workbook", "xls"),
    ("Book", "xls"),
    ("PowerPoint Document", "ppt"),
    ("__properties_version1.0", "msg"),
    ("__nameid_version1.0", "msg"),
    ("VisioDocument", "vsd"),
    ("HwpSummaryInformation", "hwp"),
    ("\x05HwpSummaryInformation", "hwp"),
    ("Catalog", "thumbs"),
    ("DestList", "jumplist"),
)
_INSTALLER = bytes.fromhex("84100c0000000000c000000000000046")  # MSI, and with 82/86 instead of 84: transform, patch


def ole_type(head: bytes) -> str:
    """Return a compound file's type by the streams it lists; ``ole`` when ``head`` does not reach them."""
    return type_of(directory(lambda offset, length: head[offset : offset + length]))


def type_of(entries: tuple[OleEntry, ...]) -> str:
    """Return a compound file's type by the entries of its directory, the root first; ``ole`` for none that is known."""
    names = {entry.name for entry in entries}
    for stream, name in _BY_STREAM:
        if stream in names:
            return name
    if entries and entries[0].clsid[1:] == _INSTALLER[1:]:
        return "msi"
    return "ole"
