"""Prefetch files of Windows (XP to 11): which program ran, how often, when the last eight times, from which volumes, with which files.

Layout by libyal, "Windows Prefetch File (PF) format" (little-endian): u32 version (17 XP, 23 Vista and 7, 26 8.1, 30 and 31 10 and 11),
``SCCA``, the program's name in UTF-16 at 16, a hash of its path at 76; then places of the names of files (100, 104) and of volumes (108 to
116), and times and counts. From Windows 10 on the file is packed: ``MAM\\x04``, u32 length, Xpress Huffman.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import NamedTuple

from triage.artifacts.structure import StructureError
from triage.artifacts.xpress import decode

LARGEST = 32 << 20
VERSIONS = (17, 23, 26, 30, 31)
_LONGEST, _MOST_FILES, _MOST_VOLUMES = 2048, 20_000, 64
_TIMES = {17: (120, 1), 23: (128, 1), 26: (128, 8), 30: (128, 8), 31: (128, 8)}
_VOLUME = {17: 40, 23: 104, 26: 104, 30: 96, 31: 96}


class Volume(NamedTuple):
    """A volume that the program was started from or read. ``created``: FILETIME; ``folders``: names of folders on it."""

    path: str
    created: int
    serial: int
    folders: tuple[str, ...]


@dataclass(slots=True)
class Prefetch:
    """What a prefetch file says. ``runs``: FILETIMEs of the last runs, newest first; ``cut``: it breaks off or does not fit its size."""

    version: int
    program: str
    hash: int
    count: int
    runs: list[int] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    volumes: list[Volume] = field(default_factory=list)
    cut: bool = False


def unpacked(data: bytes) -> bytes:
    """Return a prefetch file unpacked. Raise ``StructureError`` for what is none."""
    if data[:3] != b"MAM":
        return data
    size = int.from_bytes(data[4:8], "little")
    if len(data) < 264 or data[3] & 0x7F != 4 or not 84 <= size <= LARGEST:
        raise StructureError("it is packed in a way that is not known")
    start = 12 if data[3] & 0x80 else 8  # a checksum comes first
    return decode(data[start:], size)


def read_prefetch(data: bytes) -> Prefetch:
    """Return what a prefetch file, packed or not, says. Raise ``StructureError`` for what is none."""
    wanted = int.from_bytes(data[4:8], "little") if data[:3] == b"MAM" else 0
    data = unpacked(data)
    if len(data) < 156 or data[4:8] != b"SCCA":
        raise StructureError("it is no prefetch file")
    version, size = int.from_bytes(data[:4], "little"), int.from_bytes(data[12:16], "little")
    if version not in VERSIONS:
        raise StructureError("it is of a version that is not known")
    first, length, volumes, number = struct.unpack_from("<4I", data, 100)
    at, most = _TIMES[version]
    # Of version 30 there are two forms: the older one has eight bytes more before the count.
    place = {17: 144, 23: 152, 26: 208}.get(version, 208 if int.from_bytes(data[84:88], "little") == 304 else 200)
    if len(data) < place + 4:
        raise StructureError("it breaks off in its first part")
    found = Prefetch(version, _text(data[16:76]), int.from_bytes(data[76:80], "little"), int.from_bytes(data[place : place + 4], "little"))
    found.runs = [time for time in struct.unpack_from(f"<{most}Q", data, at) if time]
    found.cut = len(data) < max(wanted, size)
    names = data[first : first + min(length, LARGEST)]
    found.cut |= len(names) < length
    found.files = [name[:_LONGEST] for name in names[: len(names) & ~1].decode("utf-16-le", "replace").split("\0") if name][:_MOST_FILES]
    block = data[volumes:]
    for index in range(min(number, _MOST_VOLUMES)):
        one = _volume(block, index * _VOLUME[version])
        if one is None:
            found.cut = True
            break
        found.volumes.append(one)
    return found


def _volume(block: bytes, at: int) -> Volume | None:
    if at + 36 > len(block):
        return None
    where, length, created, serial, _, _, folders, count = struct.unpack_from("<IIQIIIII", block, at)
    found, place = [], folders
    for _ in range(min(count, _MOST_FILES)):
        size = int.from_bytes(block[place : place + 2], "little") * 2
        raw = block[place + 2 : place + 2 + size]
        if len(raw) < size or place + 2 > len(block):
            break
        found.append(raw.decode("utf-16-le", "replace")[:_LONGEST])
        place += size + 4
    return Volume(_text(block[where : where + 2 * min(length, _LONGEST)]), created, serial, tuple(found))


def _text(raw: bytes) -> str:
    return raw[: len(raw) & ~1].decode("utf-16-le", "replace").partition("\0")[0]
