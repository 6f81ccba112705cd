"""Where text that lies among other things ends: text has no end mark, but what follows a file of it on a medium gives that away.

A file's last sector is filled with zeros behind the text; or the file fills it exactly, and the next sector is another's. So text ends at
the first zero byte, or at the last beginning of a sector before bytes that no text has, or where another text begins with a sector.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from triage.carving.window import Window

SECTOR = 512
_NO_TEXT = bytes([*range(9), *range(14, 27), *range(28, 32), 127])  # tabs, line ends and the escape of ISO 2022 belong to text
_FIRST = re.compile(b"[" + re.escape(_NO_TEXT) + b"]")
_AROUND = 64
"""Bytes behind an odd one that are looked at: more odd ones, and it was no text."""
_STRAYS = 200
"""Odd bytes by themselves that text may have."""
_SLOWLY = 128
"""Bytes behind the beginning of a sector within which what is no text shows itself."""

# How files of text begin that may follow on one in the next sector; what is no text is known by its bytes.
OTHER_TEXT = re.compile(
    rb"%PDF-\d|\{\\rtf|(?:\xef\xbb\xbf|\s{0,4})<(?:!DOCTYPE|html[\s>]|\?xml\s)|BEGIN:V(?:CARD|CALENDAR)|#!/|%!PS", re.IGNORECASE
)


class End(StrEnum):
    """What follows a text.

    ``zeros`` to the end of its last sector; something else from the next ``sector`` on; nothing, since the ``space`` ends; other bytes
    in the ``middle`` of a sector.
    """

    ZEROS = "zeros"
    SECTOR = "sector"
    SPACE = "space"
    MIDDLE = "middle"


@dataclass(frozen=True, slots=True)
class TextEnd:
    """Where text ends, and what follows."""

    offset: int
    end: End

    @property
    def why(self) -> str:
        """Return it in words for an examiner."""
        return {
            End.ZEROS: "zeros follow to the end of its sector",
            End.SECTOR: "the next sector holds something else",
            End.SPACE: "the space ends",
            End.MIDDLE: "bytes follow that are no text",
        }[self.end]


class Text:
    """The text from an offset on, in pieces.

    ``end`` is set once all were handed out. ``behind``: what stands between there and the first byte that no text has, if that is close:
    it was taken for the beginning of something else, but where text does not begin with a sector it may be its last line.
    """

    def __init__(self, window: Window, start: int = 0, *, most: int = 64 << 20, another: Callable[[bytes], bool] | None = None) -> None:
        """Read at most ``most`` bytes. ``another(head)``: whether a file of text begins there, asked at the beginning of each sector."""
        self._window = window
        self._start = start
        self._most = most
        self._another = another
        self.end: TextEnd | None = None
        self.behind = b""

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield ``(offset, bytes)``."""
        window, strays = self._window, 0
        stop = min(window.size, self._start + self._most)
        for offset, piece in window.chunks(self._start, stop):
            limit = len(piece)
            at = self._another_at(piece, offset)
            if at is not None:
                limit, self.end = at, TextEnd(offset + at, End.SECTOR)
            pos = 0
            while pos < limit and (found := _odd(piece, pos, limit)) >= 0:
                end = self._end_at(offset + found, piece[found])
                if end is None and strays < _STRAYS:
                    strays, pos = strays + 1, found + 1
                    continue
                end = end or TextEnd(offset + found, End.MIDDLE)
                self.end = TextEnd(max(end.offset, self._start), end.end)
                self.behind = window.at(self.end.offset, offset + found - self.end.offset)
                limit = max(0, self.end.offset - offset)
                break
            if limit:
                yield offset, piece[:limit]
            if self.end is not None:
                return
        self.end = TextEnd(stop, End.SPACE if stop == window.size else End.MIDDLE)

    def to_the_last(self) -> Iterator[tuple[int, bytes]]:
        """Yield the text, and ``behind`` as well: for what knows by itself where it ends."""
        yield from self
        if self.end is not None and self.behind:
            yield self.end.offset, self.behind

    def _another_at(self, piece: bytes, offset: int) -> int | None:
        """Return where in ``piece`` another file of text begins, with a sector."""
        if self._another is None:
            return None
        first = -offset % SECTOR or (SECTOR if offset == self._start else 0)
        for at in range(first, len(piece), SECTOR):
            if piece[at] in _BEGINNINGS and self._another(piece[at : at + 4096]):
                return at
        return None

    def _end_at(self, at: int, byte: int) -> TextEnd | None:
        """Return where the text ends, given a byte that no text has; ``None`` if it is one by itself."""
        begins = at // SECTOR * SECTOR
        if byte == 0:
            rest = self._window.at(at, SECTOR - (at - begins))
            if not rest.strip(b"\0"):
                return TextEnd(at, End.ZEROS if at > begins else End.SECTOR)
        elif len(_FIRST.findall(self._window.at(at, _AROUND))) < 3:
            return None
        if at - begins <= _SLOWLY and begins > self._start:
            return TextEnd(begins, End.SECTOR)
        return TextEnd(at, End.MIDDLE)


_BEGINNINGS = frozenset(b"%{<#BFRDMSTCX\xef \r\n\tAEIPLUK")
"""First bytes of files of text: asked before anything dearer."""


def _odd(piece: bytes, start: int, end: int) -> int:
    """Return where the first byte stands that no text has; -1 for nowhere."""
    zero = piece.find(b"\0", start, end)
    if not start and is_text(piece[: end if zero < 0 else zero]):  # the usual case, and eight times as fast to tell as searching is
        return zero
    found = _FIRST.search(piece, start, end)
    return found.start() if found else -1


def is_text(data: bytes) -> bool:
    """Whether no byte is one that text has not."""
    return len(data.translate(None, _NO_TEXT)) == len(data)


def blanks_end(window: Window, at: int, most: int = 1024) -> int:
    """Return where the blanks and line ends behind ``at`` end, as far as they are of the same file.

    Those with which a sector begins are so only if zeros follow on them to its end: otherwise that sector is another file's.
    """
    data = window.at(at, most)
    blanks = len(data) - len(data.lstrip(b"\t\n\f\r "))
    first = -at % SECTOR
    if blanks < first or (blanks == first and first):
        return at + blanks
    rest = data[blanks : -(-(at + blanks) // SECTOR) * SECTOR - at]
    return at + (blanks if (at + blanks) % SECTOR and not any(rest) else first)


def begins_text(head: bytes) -> bool:
    """Whether a file of text begins there that is none of mail: those are up to whom they concern."""
    return OTHER_TEXT.match(head) is not None


def words(raw: bytes, most: int = 120) -> str:
    """Return a short text of evidence for a finding: spaces made single, cut."""
    return " ".join(raw[: most * 4].decode("utf-8", "replace").split())[:most]
