"""Values that Microsoft's Foundation Classes wrote to an archive (``CArchive``), one behind the other, without names or types.

Whoever reads them knows the order (MFC, ``arccore.cpp``): numbers are little-endian; a count has 16 bits, behind 0xFFFF 32, behind
0xFFFFFFFF 64; a text has its length before it (8 bits, behind 0xFF 16, behind 0xFFFF 32), and FF FE FF before that when it is UTF-16.
"""

from __future__ import annotations

from triage.artifacts.structure import StructureError

_LONGEST_TEXT = 1 << 20
_KEPT_TEXT = 4096


class MfcArchive:
    """Reads values from ``at`` on. Each read past the end raises :class:`StructureError`."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def take(self, length: int) -> bytes:
        """Return ``length`` bytes."""
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise StructureError("it breaks off in the middle of a value")
        piece = self.data[self.at : end]
        self.at = end
        return piece

    def skip(self, length: int) -> None:
        """Pass over ``length`` bytes, which must be there."""
        if length < 0 or self.at + length > len(self.data):
            raise StructureError("it breaks off in the middle of a value")
        self.at += length

    def number(self, length: int) -> int:
        """Return an unsigned number of so many bytes."""
        return int.from_bytes(self.take(length), "little")

    def count(self) -> int:
        """Return a count, no larger than there are bytes left: nothing that is counted takes less than one."""
        count = self.number(2)
        if count == 0xFFFF:
            count = self.number(4)
            if count == 0xFFFFFFFF:
                count = self.number(8)
        if count > len(self.data) - self.at:
            raise StructureError("a count is larger than the file can hold")
        return count

    def text(self) -> str:
        """Return a text, at most 4,096 characters of it; bytes of the old kind are taken for Windows-1252."""
        length, wide = self.number(1), False
        if length == 0xFF:
            length = self.number(2)
            if length == 0xFFFE:
                wide = True
                length = self.number(1)
                if length == 0xFF:
                    length = self.number(2)
            if length == 0xFFFF:
                length = self.number(4)
        if length > _LONGEST_TEXT:
            raise StructureError("a text is longer than is read")
        raw = self.take(length * 2 if wide else length)
        return raw.decode("utf-16-le", "replace")[:_KEPT_TEXT] if wide else raw.decode("cp1252", "replace")[:_KEPT_TEXT]

    def flagged(self, length: int) -> bytes:
        """Return bytes before which a 32-bit number says whether they are there; b"" if they are not."""
        there = self.number(4)
        if there > 1:
            raise StructureError("a mark that is neither 0 nor 1")
        return self.take(length) if there else b""
