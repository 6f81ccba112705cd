"""7z: a signature header says where the archive's own header lies, which is its end; both have checksums (7zFormat.txt of the 7-Zip SDK).

The packed streams between have theirs inside that header, mostly compressed: what lies there is not checked.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.zipextent import looks_packed, packed_end

if TYPE_CHECKING:
    from triage.carving.window import Window

_SIGNATURE = b"7z\xbc\xaf\x27\x1c"
_START = 32
_HEADER, _ENCODED = 1, 0x17
_AES = b"\x24\x06\xf1\x07\x01"
"""The coder's identifier 06F10701, AES-256 and SHA-256, with the byte before it that says how long it is."""
_MOST_HEADER = 256 << 20


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _START)
    if len(head) < _START or head[6] or zlib.crc32(head[12:]) != int.from_bytes(head[8:12], "little"):
        return None
    offset, size, checksum = (int.from_bytes(head[a:b], "little") for a, b in ((12, 20), (20, 28), (28, 32)))
    end = _START + offset + size
    if end == _START or not size or size > _MOST_HEADER:
        return None  # an archive of nothing, or one that was never finished
    facts: Facts = {"version": f"{head[6]}.{head[7]}", "stated_size": end}
    if end > window.size:
        return _cut(window, end, facts, "the space ends before its header, which lies at its end")
    crc, first, encrypted = 0, b"", False
    for _, data in window.chunks(end - size, end):
        crc = zlib.crc32(data, crc)
        encrypted = encrypted or _AES in data
        first = first or data[:1]
    if crc != checksum:
        return _cut(window, end, facts, f"the checksum of its header, which should lie at byte {end - size}, is wrong")
    if first[0] not in (_HEADER, _ENCODED):
        return None
    if encrypted:
        facts["encrypted"] = "names too" if first[0] == _ENCODED else "content"
    return Walked(length=end, structure=Structure.COMPLETE, why="its header lies where it should and has its checksum", facts=facts)


def _cut(window: Window, end: int, facts: Facts, why: str) -> Walked | None:
    """Return the streams without the header: 7-Zip finds nothing in them, but those of one coder can be decoded by hand."""
    if not looks_packed(window, _START, end):
        return None
    length = packed_end(window, _START, end)
    return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=_START, facts=facts)


FORMATS = (Format(name="7z", extension="7z", headers=(Header(_SIGNATURE),), walk=_walk),)
