"""The files of a solid group of a RAR archive, one behind the other: what a recipe's ``rar`` means.

``rar:GENERATION;PACKED.SIZE.HOW.CRC+…``: the generation is 2, 3, 5 or 7; how is 0 for stored and 1 for packed; the CRC-32 in hexadecimal,
or ``-``. What comes out are the files' bytes one behind the other. What of one is missing is zeros: those behind it lie where they should.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Protocol

from triage.artifacts.codec import Codec
from triage.artifacts.rar2coder import Rar2Decoder
from triage.artifacts.rar3coder import Rar3Decoder
from triage.artifacts.rar5coder import Rar5Decoder
from triage.artifacts.rarbits import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.artifacts.structure import ReadAt

MOST_MEMBERS = 1000
_WORK, _LEAST = 64, 1 << 24
_MEMBER = r"\d{1,12}\.\d{1,12}\.[01]\.(?:[0-9a-f]{8}|-)"


class Decoder(Protocol):
    """A generation's decoder, kept from member to member of a solid group."""

    def member(self, data: bytes, size: int) -> tuple[bytes, str]:
        """Return at most ``size`` bytes that a member's packed ones are, and why not all, "" if all."""


_DECODERS: dict[str, Callable[[Work], Decoder]] = {
    "2": Rar2Decoder,
    "3": Rar3Decoder,
    "5": Rar5Decoder,
    "7": lambda work: Rar5Decoder(work, 1),
}


def member(packed: int, size: int, *, stored: bool, crc: int | None) -> str:
    """Return a member as it stands among the parameters."""
    return f"{packed}.{size}.{0 if stored else 1}.{'-' if crc is None else f'{crc:08x}'}"


def _undo(read_at: ReadAt, size: int, parameters: str, limit: int) -> tuple[bytes, str]:
    generation, _, rest = parameters.partition(";")
    members = [one.split(".") for one in rest.split("+")]
    total = sum(int(one[1]) for one in members)
    work = Work(_WORK * min(total, limit) + _LEAST)
    made = _DECODERS[generation](work)
    out, at, why = bytearray(), 0, ""
    for packed_, size_, how, crc in members:
        packed, wanted = int(packed_), int(size_)
        if len(out) + wanted > limit:
            return bytes(out), why or "more than may be undone"
        data = read_at(at, min(packed, max(0, size - at)))
        at += packed
        got, reason = (data[:wanted], "") if how == "0" else made.member(data, wanted)
        if len(got) < wanted:
            reason = reason or "its packed bytes are cut off"
        elif crc != "-" and zlib.crc32(got) != int(crc, 16):
            reason = reason or "its checksum is wrong"
        why = why or reason
        out += got[:wanted].ljust(wanted, b"\0")
    return bytes(out), why


CODEC = Codec(re.compile(rf"[2357];{_MEMBER}(?:\+{_MEMBER}){{0,{MOST_MEMBERS - 1}}}"), _undo)
