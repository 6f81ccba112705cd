"""Windows shortcuts: a header, an item list, link information, strings and extra blocks, each with its size, up to a terminal block.

Format: [MS-SHLLINK] 2.1 to 2.5. Every part is measured, and a part that does not add up means that something else lies there.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_MAGIC = b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"
_LARGEST = 1 << 20
_HAS_IDS, _HAS_INFO, _UNICODE = 1, 2, 0x80
_STRINGS = 5
"""Name, relative path, working directory, arguments, icon: flags 2 to 6, in this order (2.4)."""
_FLAGS = (1 << 27) - 1
_ATTRIBUTES = 0x7FFFF
_LONGEST = 4096
"""Characters of a string: Windows takes far fewer (2.4)."""
_BLOCKS = range(0xA0000001, 0xA000000D)
_MOST_BLOCKS = 64


class _Cut(Exception):  # noqa: N818 - never leaves this file
    """The bytes end (``short``), or stop being a shortcut's. ``offset``: how far they were one."""

    def __init__(self, offset: int, *, short: bool = False) -> None:
        self.offset = offset
        self.short = short


def _walk(window: Window) -> Walked | None:
    data = window.at(0, 4096)
    if len(data) < 76 or any(data[66:76]):
        return None
    flags, attributes = struct.unpack_from("<II", data, 20)
    if flags & ~_FLAGS or not flags & 0x7F or attributes & ~_ATTRIBUTES:
        return None
    facts: Facts = {}
    try:
        try:
            length = _Parts(data, facts).end(flags)
        except _Cut as cut:
            if window.size <= len(data) or not cut.short:
                raise
            facts.clear()
            length = _Parts(window.at(0, _LARGEST), facts).end(flags)
    except _Cut as cut:
        if cut.offset <= 76 or "target" not in facts:
            return None
        why = "its parts do not go on to a terminal block"
        return Walked(length=cut.offset, structure=Structure.TRUNCATED, why=why, facts=facts)
    return Walked(length=length, structure=Structure.COMPLETE, why="its terminal block was reached", checked=True, facts=facts)


class _Parts:
    """The parts behind the header, one after the other."""

    def __init__(self, data: bytes, facts: Facts) -> None:
        self._data = data
        self._facts = facts

    def _need(self, start: int, end: int) -> None:
        if end > len(self._data):
            raise _Cut(start, short=True)

    def _number(self, at: int, size: int) -> int:
        self._need(at, at + size)
        return int.from_bytes(self._data[at : at + size], "little")

    def end(self, flags: int) -> int:
        """Return the offset behind the terminal block."""
        at = 76
        if flags & _HAS_IDS:
            at = self._ids(at)
        if flags & _HAS_INFO:
            at = self._info(at)
        for bit in range(_STRINGS):
            if flags >> (bit + 2) & 1:
                at = self._string(at, wide=bool(flags & _UNICODE))
        for _ in range(_MOST_BLOCKS):
            size = self._number(at, 4)
            if size < 4:
                return at + 4
            if size < 8 or self._number(at + 4, 4) not in _BLOCKS:
                raise _Cut(at)
            self._need(at, at + size)
            at += size
        raise _Cut(at)

    def _ids(self, at: int) -> int:
        """2.2: items with their sizes, and a size of zero at the very end."""
        end = at + 2 + self._number(at, 2)
        item = at + 2
        while (size := self._number(item, 2)) != 0:
            if size < 3 or item + size + 2 > end:
                raise _Cut(at)
            item += size
        if item + 2 != end:
            raise _Cut(at)
        self._need(at, end)
        return end

    def _info(self, at: int) -> int:
        """2.3: the target's path is told."""
        size, header, _, volume, base, _, suffix = (self._number(at + n, 4) for n in range(0, 28, 4))
        if size < 28 or header < 28 or header > size or max(volume, base, suffix) >= size:
            raise _Cut(at)
        self._need(at, at + size)
        data = self._data[at : at + size]
        path = b"".join(data[start : data.find(b"\0", start)] for start in (base, suffix) if start and data.find(b"\0", start) >= 0)
        if path:
            self._facts["target"] = show(path[:512].decode("cp1252", "replace"))
        return at + size

    def _string(self, at: int, *, wide: bool) -> int:
        count = self._number(at, 2)
        if count > _LONGEST:
            raise _Cut(at)
        end = at + 2 + count * (2 if wide else 1)
        self._need(at, end)
        return end


FORMATS = (Format(name="lnk", extension="lnk", headers=(Header(_MAGIC),), walk=_walk, largest=_LARGEST),)
