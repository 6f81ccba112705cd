"""The $I files of the Windows recycle bin: what a deleted file was called, how large it was, and when it was deleted.

Format: "Windows Recycle.Bin file formats" (Metz), $I file. Its signature is a small number, so that all of it must be right: a size and a
time that are possible, and a path that begins with a drive or a server and is text to its end.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Header, Structure, Walked
from triage.escape import show

if TYPE_CHECKING:
    from triage.carving.window import Window

_HEADER = struct.Struct("<QQQ")
_OLD, _NEW = 1, 2
"""Of Vista to 8.1, with room for 260 characters, and of Windows 10 on, with a count of characters."""
_OLD_SIZE = 544
_MOST = 32_768
_MOST_SIZE = 1 << 48
_TIMES = range(125_911_584_000_000_000, 160_000_000_000_000_000)
"""FILETIMEs from 2000 to 2108."""
_PATH = re.compile(r"(?:[A-Za-z]:\\|\\\\)[^\x00-\x1f<>|\"*?\ufffe\uffff]+")


def _walk(window: Window) -> Walked | None:
    head = window.at(0, 28)
    if len(head) < 28:
        return None
    version, size, when = _HEADER.unpack_from(head)
    if version not in (_OLD, _NEW) or size > _MOST_SIZE or when not in _TIMES:
        return None
    if version == _OLD:
        length, raw = _OLD_SIZE, window.at(24, _OLD_SIZE - 24)
        if len(raw) < _OLD_SIZE - 24:
            return None
    else:
        count = int.from_bytes(head[24:28], "little")
        if not 4 <= count <= _MOST:
            return None
        length, raw = 28 + 2 * count, window.at(28, 2 * count)
        if len(raw) < 2 * count:
            return None
    path, zero, rest = raw.decode("utf-16-le", "surrogatepass").partition("\0")
    if not _PATH.fullmatch(path) or (version == _NEW and (not zero or rest)):
        return None
    facts: Facts = {"path": show(path), "size": size}
    return Walked(length=length, structure=Structure.COMPLETE, why="its path ends where it should", checked=version == _NEW, facts=facts)


FORMATS = (
    Format(
        name="recycle-bin",
        extension="recycled",
        # Two certain bytes: it begins files, and is not looked for at every byte, where small numbers are everywhere.
        headers=(Header(b"\x01\0"), Header(b"\x02\0")),
        walk=_walk,
        largest=28 + 2 * _MOST,
    ),
)
