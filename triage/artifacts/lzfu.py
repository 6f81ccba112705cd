"""Compressed RTF ([MS-OXRTFCP]): the bodies of Outlook's messages, packed by repetitions from a window of 4 KiB that begins half filled."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from triage.artifacts.codec import Codec
from triage.artifacts.structure import StructureError

if TYPE_CHECKING:
    from triage.artifacts.structure import ReadAt

_HEADER = 16
_PACKED, _PLAIN = 0x75465A4C, 0x414C454D
_WINDOW = 4096
_LARGEST = 64 << 20
_BEGIN = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArial"
    rb"Times New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def decode(data: bytes, limit: int) -> tuple[bytes, str]:
    """Return the RTF that was packed, at most ``limit`` bytes, and why not all of it, "" if all.

    Raises :class:`StructureError` for what is not packed so (3.1.1 of the specification).
    """
    if len(data) < _HEADER:
        raise StructureError("no compressed RTF")
    packed, size, kind, _ = struct.unpack_from("<IIII", data)
    end = min(len(data), packed + 4)
    most = min(limit, size)
    if kind == _PLAIN:
        found = data[_HEADER : _HEADER + most]
        return found, "" if len(found) == size else "its RTF is not all there"
    if kind != _PACKED:
        raise StructureError("RTF that is packed in a way that is not known")
    window = bytearray(_BEGIN.ljust(_WINDOW, b"\0"))
    out = bytearray()
    place, at = len(_BEGIN), _HEADER
    while at < end and len(out) < most:
        control = data[at]
        at += 1
        for bit in range(8):
            if at >= end:
                break
            if not control >> bit & 1:
                out.append(data[at])
                window[place] = data[at]
                place = (place + 1) % _WINDOW
                at += 1
                continue
            if at + 2 > end:
                at = end
                break
            word = data[at] << 8 | data[at + 1]
            at += 2
            source = word >> 4
            if source == place:  # the mark of the end
                return bytes(out[:most]), "" if len(out) >= size else "its RTF is not all there"
            for _ in range((word & 15) + 2):
                letter = window[source]
                out.append(letter)
                window[place] = letter
                source, place = (source + 1) % _WINDOW, (place + 1) % _WINDOW
    return bytes(out[:most]), "" if len(out) >= size else "its RTF is not all there"


def _undo(read_at: ReadAt, size: int, _parameters: str, limit: int) -> tuple[bytes, str]:
    try:
        return decode(read_at(0, min(size, _LARGEST)), limit)
    except StructureError as error:
        raise OSError(str(error)) from error


CODEC = Codec(re.compile(""), _undo)
