"""Rich text: groups in braces, one in another; the file ends with the first (Rich Text Format Specification 1.9.1, "RTF Syntax").

A brace behind a backslash is text, and behind ``\\bin`` follow as many bytes of any kind as it says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.carving.textual import SECTOR, End, Text, TextEnd

if TYPE_CHECKING:
    from triage.carving.window import Window

_BEGINS = re.compile(rb"\{\\rtf\d{0,3}[\s\\{}]")
_WORD = re.compile(rb"\\(?:ansi|mac|pc|pca|fonttbl|deff|colortbl|stylesheet|par|pard|info|viewkind|uc|fs|f)(?:-?\d{1,6})?[\s\\{};]")
_TOKEN = re.compile(rb"\\bin(\d{1,10}) ?|\\[\\{}]|[{}]|[\0-\x08\x0e-\x1a\x1c-\x1f]")
_LONGEST_TOKEN = 32
_STEP = 256 << 10
_LARGEST = 1 << 30
_TRAIL = re.compile(rb"(?:\r\n\0|\n\0|[\r\n \t]*)")
_RICH_EDIT = re.compile(rb"\\\*\\generator (?:Riched20|Msftedit)|\\viewkind")
_LEAST = 64
"""Bytes of text that something cut off must have."""


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 4096)
    if not _BEGINS.match(head) or not _WORD.search(head, 5):
        return None
    end, depth = _close(window)
    facts: Facts = {}
    if depth == 0:
        length = _behind(window, end, head)
        return Walked(length=length, structure=Structure.COMPLETE, why="its first group is closed", facts=facts)
    text = Text(window, max(0, end - _LEAST), most=_LEAST * 4)  # tells the sector from which on it is none
    for _ in text:
        pass
    stop = text.end or TextEnd(end, End.SPACE)
    length = min(stop.offset, end)
    if length < _LEAST or not _WORD.search(head, 5, length):
        return None
    why = f"it breaks off {depth} groups deep: {stop.why}"
    return Walked(length=length, structure=Structure.TRUNCATED, why=why, facts=facts)


def _close(window: Window) -> tuple[int, int]:
    """Return where the first group ends and 0, or where the text breaks off and how many groups are open there."""
    offset, depth = 0, 0
    stop = min(window.size, _LARGEST)
    while offset < stop:
        data = window.at(offset, min(_STEP, stop - offset))
        last = offset + len(data) >= stop
        pos = 0
        while (token := _TOKEN.search(data, pos)) is not None:
            if token.start() > len(data) - _LONGEST_TOKEN and not last:
                break
            pos = token.end()
            byte = data[token.start()]
            if byte == 0x7B:
                depth += 1
            elif byte == 0x7D:
                depth -= 1
                if depth == 0:
                    return offset + pos, 0
            elif token[1] is not None:
                pos += int(token[1])
                if pos >= len(data):
                    break
            elif byte != 0x5C:
                return offset + token.start(), depth
        offset += max(pos, len(data) if last else len(data) - _LONGEST_TOKEN)
    return min(offset, stop), max(depth, 1)


def _behind(window: Window, end: int, head: bytes) -> int:
    """Return where a file ends whose text does at ``end``: line ends may follow, and RichEdit writes the zero of its string as well."""
    trail = _TRAIL.match(window.at(end, 64))
    behind = trail.group() if trail else b""
    if behind == b"\n\0" and not _RICH_EDIT.search(head):
        behind = b"\n"
    return end + len(behind)


def _rejoin(window: Window, walked: Walked) -> Walked | None:
    """Say of what was walked across joints that it belongs together.

    No other text closes groups that this one opened, and zeros follow only on the last sector of a file.
    """
    if walked.structure is not Structure.COMPLETE or not window.joints(0, walked.length):
        return None
    behind = window.at(walked.length, -walked.length % SECTOR)
    if not behind or any(behind):
        return None
    return replace(walked, structure=Structure.FRAGMENTED, checked=True, why=f"{walked.why} in its last sector")


FORMATS = (Format(name="rtf", extension="rtf", headers=(Header(b"{\\rtf"),), walk=_walk, rejoin=_rejoin, largest=_LARGEST),)
