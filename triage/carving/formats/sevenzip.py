"""7z: a signature header says where the archive's own header lies, which is its end; both have checksums (7zFormat.txt of the 7-Zip SDK).

The packed streams between have theirs inside that header, mostly packed itself: they are decoded and held against them where that is cheap.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.zip7 import read_contents, verify
from triage.carving.zipextent import looks_packed, packed_end

if TYPE_CHECKING:
    from triage.carving.window import Window

_SIGNATURE = b"7z\xbc\xaf\x27\x1c"
_START = 32
_MOST_HEADER = 16 << 20
"""Bytes of a header that is read; one that is longer only has its checksum looked at."""
_LONGEST = 1 << 30


def _walk(window: Window) -> Walked | None:
    head = window.at(0, _START)
    if len(head) < _START or head[6] or zlib.crc32(head[12:]) != int.from_bytes(head[8:12], "little"):
        return None
    offset, size, checksum = (int.from_bytes(head[a:b], "little") for a, b in ((12, 20), (20, 28), (28, 32)))
    end = _START + offset + size
    if end == _START or not size or size > _LONGEST:
        return None  # an archive of nothing, or one that was never finished
    facts: Facts = {"version": f"{head[6]}.{head[7]}", "stated_size": end}
    if end > window.size:
        return _cut(window, end, facts, "the space ends before its header, which lies at its end")
    if size > _MOST_HEADER:
        crc, header = 0, b""
        for _, data in window.chunks(end - size, end):
            crc = zlib.crc32(data, crc)
    else:
        header = window.at(end - size, size)
        crc = zlib.crc32(header)
    if crc != checksum:
        return _cut(window, end, facts, f"the checksum of its header, which should lie at byte {end - size}, is wrong")
    why, right = "its header lies where it should and has its checksum", None
    if header:
        try:
            contents = read_contents(window, header)
        except ValueError:
            why = "its header has its checksum, but what it tells makes no sense or cannot be unpacked"
            return Walked(length=end, structure=Structure.DAMAGED, why=why, facts=facts)
        if contents.read:
            facts["members"] = contents.files
            right = verify(window, contents.streams)
        if contents.streams.encrypted:
            facts["encrypted"] = "names too" if contents.names_too else "content"
    if right is False:
        why = "its header has its checksum, but what is packed has not those that the header says"
        return Walked(length=end, structure=Structure.DAMAGED, why=why, facts=facts)
    why += ", and so has all that is packed" if right else ""
    return Walked(length=end, structure=Structure.COMPLETE, why=why, checked=bool(right), facts=facts)


def _cut(window: Window, end: int, facts: Facts, why: str) -> Walked | None:
    """Return the streams without the header: 7-Zip finds nothing in them, but those of one coder can be decoded by hand."""
    if not looks_packed(window, _START, end):
        return None
    length = packed_end(window, _START, end)
    return Walked(length=length, structure=Structure.TRUNCATED, why=why, valid=_START, facts=facts)


FORMATS = (Format(name="7z", extension="7z", headers=(Header(_SIGNATURE),), walk=_walk),)
