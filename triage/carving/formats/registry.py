"""Windows registry hives: a header with a checksum and the size of the bins behind it, which follow each other.

Format: "Windows registry file format specification" (Suhanov). A hive's file is longer than its bins: it grows in steps, and what is
behind them is zeros or what older bins left. Measured on 14 hives of Windows XP to 10: multiples of 256 KiB, of newer ones that are smaller
a power of two, and saved ones (RegSaveKey) end with their bins.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_MAGIC = b"regf"
_HEADER = struct.Struct("<4sIIQIIIIII")
_BASE = 4096
_STEP = 256 << 10
_LARGEST = 1 << 32
_MOST_BIN = 64 << 20
_REACH = 256 << 20
_HITS = 64
"""Bytes behind the break in which the second piece is looked for, and places that are tried."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _BASE)
    if len(head) < _BASE:
        return None
    _, first, second, _, major, minor, kind, form, root, size = _HEADER.unpack_from(head)
    checksum = int(np.bitwise_xor.reduce(np.frombuffer(head, "<u4", 127)))
    checksum = {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(checksum, checksum)
    if checksum != int.from_bytes(head[508:512], "little") or major != 1 or minor > 6 or kind > 8 or form != 1:
        return None
    if not size or size % 4096 or root >= size:
        return None
    end = _BASE + size
    at, wrong, torn = _BASE, 0, 0
    while at < end:
        step = _bin(window, at, end)
        if not step:
            following = _next_bin(window, at, end)
            if following < 0:
                break
            wrong, torn = wrong + 1, torn or at
            step = following - at
        at += step
    facts: Facts = {"bins_bytes": at - _BASE}
    name = head[48:112].decode("utf-16-le", "replace").partition("\0")[0]
    if name:
        facts["name"] = show(name)
    if at == _BASE:
        return None
    if at < end:
        why = f"its bins go to byte {at} of {end}"
        return Walked(length=at, structure=Structure.TRUNCATED, why=why, facts=facts)
    if wrong:
        why = f"what should be a bin at byte {torn} is none"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, valid=torn, facts=facts)
    length = end if (first, second) == (1, 1) else _allocated(window, end, minor)
    why = "its bins go to where its header says" if length == end else "its bins go to where its header says, and the room behind them"
    return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=_cells_fit(window, end), facts=facts)


def _bin(window: Window, at: int, end: int) -> int:
    """Return a bin's size in bytes, 0 for what is none: it states its own place."""
    head = window.at(at, 12)
    if len(head) < 12 or head[:4] != b"hbin":
        return 0
    offset, size = struct.unpack_from("<II", head, 4)
    fits = offset == at - _BASE and 0 < size <= _MOST_BIN and size % 4096 == 0 and at + size <= min(end, window.size)
    return size if fits else 0


def _next_bin(window: Window, at: int, end: int) -> int:
    """Return where a bin of this hive follows again, within 1 MiB; -1 for nowhere."""
    for offset in range(at + 4096, min(end, at + (1 << 20)), 4096):
        if _bin(window, offset, end):
            return offset
    return -1


def _cells_fit(window: Window, end: int) -> bool:
    """Whether the cells of every bin fill it: sizes that are negative for those in use. Content that was overwritten breaks the chain."""
    at = _BASE
    while at < end:
        size = int.from_bytes(window.at(at + 8, 4), "little")
        data = window.at(at, size)
        offset = 32
        while offset < size:
            cell = abs(int.from_bytes(data[offset : offset + 4], "little", signed=True))
            if cell < 8 or cell % 8 or offset + cell > size:
                return False
            offset += cell
        at += size
    return True


def _allocated(window: Window, end: int, minor: int) -> int:
    """Return the file's length with the room behind the bins, when that looks as such room does: zeros, or older bins."""
    sizes = [-(-end // _STEP) * _STEP]
    if minor >= 5 and end < _STEP:
        sizes.insert(0, 1 << (end - 1).bit_length())
    for size in sizes:
        if size == end or size > window.size:
            continue
        start = window.at(end, 12)
        if start[:4] == b"hbin" and int.from_bytes(start[4:8], "little") <= _LARGEST and start[8:12] != bytes(4):
            return size
        if all(data.count(0) == len(data) for _, data in window.chunks(end, size)):
            return size
    return end


def _rejoin(window: Window, _walked: Walked) -> Walked | None:
    """Look for the bin that is missed: it states its place, and begins a block, as bins are multiples of 4096 bytes."""
    end = _BASE + int.from_bytes(window.at(40, 4), "little")
    at = _BASE
    while size := _bin(window, at, end):
        at += size
    wanted = b"hbin" + struct.pack("<I", at - _BASE)
    found, limit = at, min(window.size, at + _REACH)
    for _ in range(_HITS):
        found = window.find(wanted, found + 1, limit)
        if found < 0:
            return None
        if (found - at) % window.block:
            continue
        walked = _walk(window.spliced([(0, at), (found, window.size - found)]))
        if walked is not None and walked.structure is Structure.COMPLETE and walked.checked:
            pieces = ((0, at), (found, walked.length - at))
            why = f"{walked.why}; it goes on {found - at} bytes behind byte {at}"
            return replace(walked, structure=Structure.FRAGMENTED, why=why, pieces=pieces)
    return None


FORMATS = (Format(name="registry", extension="hve", headers=(Header(_MAGIC),), walk=_walk, rejoin=_rejoin, largest=_LARGEST),)
