"""What was packed together in a RAR archive, one file behind the other: what a recipe's ``rar`` means.

``rar:4`` or ``rar:5``, the form of the blocks, which are what is undone: they begin with the block of the first file, and each file goes
on with the dictionary of the one before it. ``>`` and a number behind it: so many of the bytes that come out are passed over. Files that
are stored are no part of it. What of one is missing is zeros when others follow it, so that those lie where they should.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from triage.artifacts.codec import Codec
from triage.artifacts.expansion import Limits
from triage.artifacts.rar import RarArchive, read_blocks
from triage.artifacts.rar2coder import Rar2Decoder
from triage.artifacts.rar3coder import Rar3Decoder
from triage.artifacts.rar5coder import Rar5Decoder
from triage.artifacts.rarbits import Work
from triage.artifacts.rarcheck import Check

if TYPE_CHECKING:
    from collections.abc import Callable

    from triage.artifacts.rar import RarFile
    from triage.artifacts.structure import ReadAt

LARGEST = 256 << 20
"""Bytes of one file, and that are undone at once."""
MOST_DICTIONARY = 256 << 20
"""Bytes of a dictionary that are held."""
DEEPEST = 1 << 30
"""Bytes that are undone of what was packed together, those that are passed over among them."""
_WORK, _LEAST = 64, 1 << 24


class Decoder(Protocol):
    """A generation's decoder, kept from member to member."""

    def member(self, data: bytes, size: int, dictionary: int) -> tuple[bytes, str]:
        """Return at most ``size`` bytes that a member's packed ones are, and why not all, "" if all.

        ``dictionary``: bytes of what came before it that it may refer to.
        """


_DECODERS: dict[int, Callable[[Work], Decoder]] = {2: Rar2Decoder, 3: Rar3Decoder, 5: Rar5Decoder, 7: lambda work: Rar5Decoder(work, 1)}


def packed_together(one: RarFile) -> bool:
    """Whether a file is a part of what was packed together."""
    return not (one.stored or one.directory or one.service) and bool(one.size)


def _undo(read_at: ReadAt, size: int, parameters: str, limit: int) -> tuple[bytes, str]:
    form, _, skipped = parameters.partition(">")
    archive, skip = RarArchive(), int(skipped or 0)
    if skip + limit > DEEPEST:
        raise OSError(f"it lies more than {DEEPEST >> 20} MiB deep in what was packed together")
    read_blocks(archive, read_at, 0, size, new=form == "5")
    members = [one for one in archive.files if packed_together(one)]
    if archive.files and archive.files[0].service:
        members = archive.files[:1]
    # A byte that is read of what is packed is the sign that it gets on.
    work, decoder, generation = Work(_WORK * (skip + limit) + _LEAST, lambda: read_at(0, 1)), None, 0
    out, place, packed, why = bytearray(), 0, 0, ""
    most = Limits()
    for number, one in enumerate(members, 1):
        wanted = one.size or 0
        if place >= skip + limit:
            break
        if wanted > LARGEST or one.generation not in _DECODERS or (decoder is not None and one.generation != generation):
            why = why or "what is packed otherwise is in between"
            break
        if decoder is None:
            generation = one.generation
            decoder = _DECODERS[generation](work)
        packed += one.packed
        allowed = max(most.ratio_free, most.ratio * packed) - place
        got, reason = decoder.member(read_at(one.start, one.packed), min(wanted, allowed), min(one.dictionary, MOST_DICTIONARY))
        if not reason:
            reason = _checked(one, got) if wanted <= allowed else f"expands more than {most.ratio} times"
        if reason and not why:
            why = f"{reason} (file {number:,} of {len(members):,} that were packed together)" if len(members) > 1 else reason
        last = number == len(members) or wanted > allowed
        got = got if last else got.ljust(wanted, b"\0")
        out += got[max(0, skip - place) : max(0, skip + limit - place)]
        place += wanted
        if last:
            break
    return bytes(out), why


def _checked(one: RarFile, data: bytes) -> str:
    check = Check(one)
    check.add(data)
    return "" if check.right() else "its checksum is wrong"


CODEC = Codec(re.compile(r"[45](?:>[0-9]{1,12})?"), _undo)
