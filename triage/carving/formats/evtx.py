"""Event logs of Windows since Vista: a header with a checksum and chunks of 64 KiB with checksums of their own.

Format: libevtx, "Windows XML Event Log (EVTX) format" (Metz), sections 2 (file header) and 3 (chunk). The header counts chunks, but not
while the log is open, and files are longer than what they hold: they begin with one chunk, grow by sixteen, and many end at 16 (a limit of
1028 KiB); what is not in use yet is zeros. Measured on 24 logs of four Windows versions.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_MAGIC = b"ElfFile\0"
_CHUNK_MAGIC = b"ElfChnk\0"
_HEADER = struct.Struct("<8sQQQIHHHH")
_CHUNK = 65536
_START = 4096
_CLUSTER = 4096
_CHUNKS = 65536
_STEP = 16
"""Chunks by which a log grows."""
_ZEROS = bytes(_CHUNK)
_REACH = 256 << 20
_HITS = 256
"""Bytes behind the break in which the second piece is looked for, and chunks that are tried."""
_CHANNEL = "Channel".encode("utf-16-le") + b"\0\0\2"
_TEXT = b"\5\1"
_OPERATIONAL = "/Operational".encode("utf-16-le")
_LARGE = ("Windows-Sysmon/", "Windows-PowerShell/")
"""Operational logs that may be larger than 1028 KiB from the start."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _START)
    if len(head) < _START:
        return None
    _, _, _, _, size, minor, major, block, count = _HEADER.unpack_from(head)
    crc = int.from_bytes(head[124:128], "little")
    flags = int.from_bytes(head[120:124], "little")
    right = zlib.crc32(head[:120]) == crc
    if size != 128 or block != _START or major != 3 or minor > 9 or any(head[128:_START]) or not (right or flags & 4):
        return None
    chunks = records = 0
    missing: list[int] = []
    unproven: list[int] = []
    full = True
    name = ""
    while chunks < _CHUNKS:
        data = window.at(_START + chunks * _CHUNK, _CHUNK)
        if len(data) < _CHUNK:
            break
        if data.startswith(_CHUNK_MAGIC):
            sound, proven, number = _chunk(data)
            if not sound and not flags & 4:
                missing.append(chunks)
            records += number
            if not proven:
                unproven.append(chunks)
            full = full and _full(data)
            name = name or _channel(data)
        elif chunks < count and any(window.at(_START + n * _CHUNK, 8) == _CHUNK_MAGIC for n in range(chunks + 1, min(count, chunks + 9))):
            missing.append(chunks)
        elif not _empty_until_chunk(window, chunks):
            break
        chunks += 1
    facts: Facts = {"chunks": chunks - len(missing), "records": records}
    if name:
        facts["channel"] = name
    if chunks <= len(missing):
        return None
    end = _START + chunks * _CHUNK
    if chunks < count:
        return _cut(window, end, chunks, count, facts)
    length = _allocated(window, chunks, name)
    if not flags & 5:
        missing = sorted({*missing, *unproven})
    if missing:
        why = f"{len(missing)} of its {chunks} chunks are none, or have wrong checksums"
        return Walked(length=length, structure=Structure.DAMAGED, why=why, valid=_START + missing[0] * _CHUNK, facts=facts)
    why = "every chunk was reached" if length == end else "every chunk was reached, and the room that it keeps for more"
    return Walked(length=length, structure=Structure.COMPLETE, why=why, checked=right and full and not unproven, facts=facts)


def _cut(window: Window, end: int, chunks: int, count: int, facts: Facts) -> Walked:
    why = f"{chunks} of {count} chunks are there"
    partial = window.at(end, 8) == _CHUNK_MAGIC
    return Walked(length=window.size if partial else end, structure=Structure.TRUNCATED, why=why, valid=end, facts=facts)


def _chunk(data: bytes) -> tuple[bool, bool, int]:
    """Return whether a chunk's header is right, whether its records are (not while they are written), and how many there are."""
    first, last = struct.unpack_from("<QQ", data, 8)
    header = zlib.crc32(data[128:512], zlib.crc32(data[:120])) == int.from_bytes(data[124:128], "little")
    end = int.from_bytes(data[48:52], "little")
    records = 512 <= end <= _CHUNK and zlib.crc32(data[512:end]) == int.from_bytes(data[52:56], "little")
    return header, header and records, last - first + 1 if first <= last < first + _CHUNK else 0


def _full(data: bytes) -> bool:
    """Whether the checksums are over all of a chunk but less than a cluster: older records are left behind the last one."""
    end = int.from_bytes(data[48:52], "little")
    return end > _CHUNK - _CLUSTER or data.count(0, end) == _CHUNK - end


def _channel(data: bytes) -> str:
    """Return the channel of a chunk's first record, as far as it can be told without reading binary XML.

    It stands as text behind the name of its element, or among the values, where only a name of the common form is known for one.
    """
    text = data[512:8192]
    at = text.find(_CHANNEL)
    if at >= 0 and text[at + len(_CHANNEL) :].startswith(_TEXT):
        start = at + len(_CHANNEL) + len(_TEXT)
        length = 2 * int.from_bytes(text[start : start + 2], "little")
        return show(text[start + 2 : start + 2 + min(length, 400)].decode("utf-16-le", "replace"))
    mark = text.find(_OPERATIONAL)
    if mark < 0:
        return ""
    start = mark
    while start >= 2 and text[start - 1] == 0 and (chr(text[start - 2]).isalnum() or text[start - 2] in b"-_ "):
        start -= 2
    return show(text[start : mark + len(_OPERATIONAL)].decode("utf-16-le", "replace"))


def _empty_until_chunk(window: Window, chunks: int) -> bool:
    """Whether empty chunks follow, and behind them one that is not: some are kept so."""
    for number in range(chunks, chunks + _STEP):
        data = window.at(_START + number * _CHUNK, _CHUNK)
        if data.startswith(_CHUNK_MAGIC):
            return number > chunks and _chunk(data)[0]
        if data != _ZEROS:
            return False
    return False


def _allocated(window: Window, chunks: int, name: str) -> int:
    """Return the file's length: its chunks, and those that are kept for later, when what is there is zeros and adds up."""
    if chunks == 1:
        return _START + _CHUNK
    if chunks <= _STEP and name.endswith("/Operational") and not any(large in name for large in _LARGE):
        sizes = [_STEP]
    else:
        sizes = [1 + -(-(chunks - 1) // _STEP) * _STEP, _STEP]
    for size in sizes:
        end = _START + size * _CHUNK
        if size <= chunks or end > window.size:
            continue
        if all(data.count(0) == len(data) for _, data in window.chunks(_START + chunks * _CHUNK, end)):
            return end
    return _START + chunks * _CHUNK


def _rejoin(window: Window, _walked: Walked) -> Walked | None:
    """Look for where the log goes on: the checksums of the chunk that was torn say at which block it was."""
    chunks = 0
    while _proven(window, _START + chunks * _CHUNK):
        chunks += 1
    torn = _START + chunks * _CHUNK
    if not chunks:
        return None
    found, limit = torn, min(window.size, torn + _REACH)
    for _ in range(_HITS):
        found = window.find(_CHUNK_MAGIC, found + 1, limit)
        if found < 0:
            return None
        # It is the torn chunk itself, or the one behind it.
        for distance in (found - torn, found - torn - _CHUNK):
            if distance <= 0 or distance % window.block:
                continue
            walked = _joined(window, torn, distance)
            if walked is not None:
                return walked
    return None


def _proven(window: Window, at: int) -> bool:
    data = window.at(at, _CHUNK)
    return len(data) == _CHUNK and data.startswith(_CHUNK_MAGIC) and _chunk(data)[1]


def _follow(window: Window, at: int) -> bool:
    """Whether the records of the chunk at ``at`` are numbered on from those in front of it, or there is no chunk."""
    before, after = window.at(at - _CHUNK, 40), window.at(at, 40)
    if not after.startswith(_CHUNK_MAGIC):
        return True
    return int.from_bytes(after[24:32], "little") == int.from_bytes(before[32:40], "little") + 1


def _joined(window: Window, torn: int, distance: int) -> Walked | None:
    """Return the log when its torn chunk is right with a break at one of the blocks in it."""
    first = -(-torn // window.block) * window.block
    for end in range(first, torn + _CHUNK + 1, window.block):
        both = window.spliced([(0, end), (end + distance, window.size - end - distance)])
        if _proven(both, torn) and (torn < end < torn + _CHUNK or _follow(both, min(end, torn + _CHUNK))):
            walked = _walk(both)
            if walked is None or walked.structure is not Structure.COMPLETE or walked.length <= end:
                return None
            pieces = ((0, end), (end + distance, walked.length - end))
            why = f"{walked.why}; it goes on {distance} bytes behind byte {end}"
            return replace(walked, structure=Structure.FRAGMENTED, why=why, pieces=pieces)
    return None


FORMATS = (Format(name="evtx", extension="evtx", headers=(Header(_MAGIC),), walk=_walk, rejoin=_rejoin, largest=1 << 33),)
