"""Windows Prefetch files: plain ones state their size, those since Windows 10 are compressed, and end where decompressing them ends.

Format: libscca, "Windows Prefetch File (PF) format" (Metz), sections 2 (compressed) and 4 (file header).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.xpress import decode
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_VERSIONS = (17, 23, 26, 30, 31)
_PACKED = b"MAM\x04"
_LARGEST = 4 << 20
_COST = 16
"""What decoding a byte costs, in bytes that could be read in that time."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 84)
    if len(head) < 84:
        return None
    if head.startswith(_PACKED):
        return _walk_packed(window, int.from_bytes(head[4:8], "little"))
    size = _size(head)
    if not size:
        return None
    facts = _facts(head)
    if size > window.size:
        why = f"its size stands in its header: {size} bytes"
        return Walked(length=window.size, structure=Structure.TRUNCATED, why=why, valid=84, facts=facts)
    data = window.at(0, size)
    if not _sections_fit(data):
        return None
    return Walked(length=size, structure=Structure.COMPLETE, why="its size stands in its header", checked=_volumes_fit(data), facts=facts)


def _walk_packed(window: Window, size: int) -> Walked | None:
    if not 84 <= size <= _LARGEST:
        return None
    data = window.at(0, min(size + 1024, window.size))
    try:
        start, _ = decode(data, 8, size, stop=84)
        if _size(start) != size:
            return None
        window.spend(size * _COST)
        plain, end = decode(data, 8, size)
    except (ValueError, IndexError):
        return None
    if end > len(data) or _size(plain) != size or not _sections_fit(plain):
        return None
    why = "it is decompressed to the size that its header states"
    return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=True, facts=_facts(plain))


def _size(head: bytes) -> int:
    version, size = int.from_bytes(head[:4], "little"), int.from_bytes(head[12:16], "little")
    return size if version in _VERSIONS and head[4:8] == b"SCCA" and 84 < size <= _LARGEST else 0


def _facts(head: bytes) -> Facts:
    name = head[16:76].decode("utf-16-le", "replace").partition("\0")[0]
    return {"executable": show(name), "version": int.from_bytes(head[:4], "little")}


def _sections_fit(data: bytes) -> bool:
    """Whether the parts that the header names lie behind it and in the file, the names of files in UTF-16 (4.2)."""
    metrics, _, _, _, names, length, volumes, _, volumes_size = struct.unpack_from("<9I", data, 84)
    if not (84 < metrics <= len(data) and metrics <= names <= len(data) and names + length <= volumes <= len(data)):
        return False
    return volumes + volumes_size <= len(data) and not length % 2


def _volumes_fit(data: bytes) -> bool:
    """Whether the volumes' section goes to the end of the file, and begins with the place of a device path, which is text."""
    volumes, count, size = struct.unpack_from("<3I", data, 84 + 24)
    if volumes + size != len(data) or not count or size < 8:
        return False
    place, length = struct.unpack_from("<II", data, volumes)
    return data[volumes + place : volumes + place + min(2 * length, 2)] == b"\\\0"


FORMATS = (
    Format(
        name="prefetch",
        extension="pf",
        headers=(Header(_PACKED), *(Header(struct.pack("<I", version) + b"SCCA") for version in _VERSIONS)),
        walk=_walk,
        largest=2 * _LARGEST,
    ),
)
