"""Event logs of Windows up to XP: a header that states the file's size, and a ring of records that goes round behind it.

Format: Windows SDK, ELF_LOGFILE_HEADER, EVENTLOGRECORD and ELF_EOF_RECORD ("Event Log File Format"). While the log is open the header's
places of the oldest and the next record are out of date; its size is not.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked

if TYPE_CHECKING:
    from triage.carving.window import Window

_HEADER = struct.Struct("<I4s10I")
_MAGIC = b"\x30\0\0\0LfLe\x01\0\0\0\x01\0\0\0"
_RECORD = struct.Struct("<I4sI")
_UNIT = 0x10000
"""Bytes in whose multiples a log is kept."""
_MOST = 1 << 20
_TORN = 4096
_LARGEST_RECORD = 1 << 18
_EOF = struct.pack("<5I", 0x28, 0x11111111, 0x22222222, 0x33333333, 0x44444444)


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 48)
    if len(head) < 48:
        return None
    _, _, _, _, oldest, end, following, first, size, _, _, again = _HEADER.unpack(head)
    if again != 48 or not 48 <= end < size or not 48 <= oldest < size or size % _UNIT:
        return None
    whole = size <= window.size
    data = window.at(0, min(size, window.size))
    found = [at for at in _starts(data) if _sound(data, at)]
    facts: Facts = {"records": len(found)}
    if len(found) == 1 and found[0] == 48 and first == 0 and following <= 1:
        return None  # no record has been written yet: nothing to tell what is behind from
    if not found and not (data[48:68] == _EOF and whole and not any(data[88:_UNIT])):
        return None
    chain = _chain(data, found)
    if whole and chain is None:
        checked = data.find(_EOF, 48) >= 0
        return Walked(length=size, structure=Structure.COMPLETE, why="its size stands in its header", checked=checked, facts=facts)
    if chain is not None and any(at > chain for at in found[-1:]) and whole:
        why = f"its records break off at byte {chain} and go on behind"
        return Walked(length=size, structure=Structure.DAMAGED, why=why, valid=chain, facts=facts)
    last = chain if chain is not None else len(data)
    why = f"its records break off at byte {last} of {size}"
    return Walked(length=last, structure=Structure.TRUNCATED, why=why, facts=facts)


def _starts(data: bytes) -> list[int]:
    """Return where records may begin: four bytes before their mark."""
    starts: list[int] = []
    at = data.find(b"LfLe", 48)
    while at >= 0 and len(starts) < _MOST:
        starts.append(at - 4)
        at = data.find(b"LfLe", at + 4)
    return starts


def _sound(data: bytes, at: int) -> bool:
    """Whether a record ends with its length, as it begins (a record that goes round the end is believed)."""
    length = int.from_bytes(data[at : at + 4], "little")
    if not 56 <= length <= _LARGEST_RECORD:
        return False
    return at + length > len(data) or data[at + length - 4 : at + length] == data[at : at + 4]


def _chain(data: bytes, found: list[int]) -> int | None:
    """Return where records stop following each other other than at the ring's seam, or ``None``.

    At the seam the newest record is followed by an end-of-file record, over what is left of the oldest ones. Gaps of less than a page
    are met in logs that were open: a page of them had been written, the next one not yet.
    """
    end = 48
    for at in [*found, len(data)]:
        # The log begins with what is left of a record that goes round its end.
        allowed = _TORN if end > 48 else _LARGEST_RECORD
        if at - end >= allowed and data[end : end + 20] != _EOF and (at < len(data) or any(data[end:at])):
            return end
        end = max(end, at + int.from_bytes(data[at : at + 4], "little"))
    return None


FORMATS = (Format(name="evt", extension="evt", headers=(Header(_MAGIC),), walk=_walk, largest=1 << 30),)
