"""A carved file: what is reported of a walk, and how sure it is."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from triage.carving.forms import Facts, Format, Part, Structure, Walked
from triage.carving.space import SECTOR, Area

if TYPE_CHECKING:
    from collections.abc import Sequence

MISTAKES = (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RecursionError, struct.error, zlib.error)
"""What a walk may end in when the evidence leads it astray: its candidate is none."""
_WHY = 300
_FACTS = 24
MOST_PARTS, MOST_PIECES, MOST_RUNS = 1000, 10_000, 1 << 16
"""What one carved file may have: files inside, pieces, and places on the medium. What is left out is said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carved:
    """A file that was found. Offsets are relative to the area's space; ``pieces``: ``(offset, length)``, the first begins at ``offset``.

    ``confidence``: out of 100, see :func:`confidence`.
    """

    offset: int
    length: int
    format: str
    extension: str
    structure: Structure
    confidence: int
    why: str
    pieces: tuple[tuple[int, int], ...]
    until: int
    checked: bool = False
    parts: tuple[Part, ...] = ()
    facts: Facts = field(default_factory=dict)


def checked_walk(walked: Walked, size: int) -> Walked:
    """Return what a walk found in a window of ``size`` bytes; raise ``ValueError`` when it does not add up."""
    if not 0 < walked.length <= size or (walked.valid is not None and not 0 <= walked.valid <= walked.length):
        raise ValueError("a length outside of the window")
    if walked.pieces:
        if walked.pieces[0][0] != 0 or sum(length for _, length in walked.pieces) != walked.length:
            raise ValueError("pieces that do not make up the file")
        if any(at < 0 or length <= 0 or at + length > size for at, length in walked.pieces):
            raise ValueError("pieces outside of the window")
        if len(walked.pieces) > MOST_PIECES:
            raise ValueError("too many pieces")
    return walked


def carved_of(walked: Walked, one: Format, pieces: Sequence[tuple[int, int]], area: Area, *, jumps: bool) -> Carved:
    """Return a carved file of a walk; ``pieces`` are relative to the area's space, ``jumps`` as :func:`confidence` has it."""
    offset, first = pieces[0]
    known = first if walked.valid is None else min(first, walked.valid)
    if walked.structure in (Structure.TRUNCATED, Structure.DAMAGED) and area.aligned:
        known = max(SECTOR, known // SECTOR * SECTOR)
    parts = tuple(p for p in walked.parts if p.offset >= 0 and p.length > 0 and p.offset + p.length <= walked.length)
    facts = dict(list(walked.facts.items())[:_FACTS])
    if len(parts) > MOST_PARTS:
        facts = {**dict(list(facts.items())[: _FACTS - 1]), "inside_left_out": len(parts) - MOST_PARTS}
    return Carved(
        offset=offset,
        length=walked.length,
        format=one.name,
        extension=walked.extension or one.extension,
        structure=walked.structure,
        confidence=confidence(walked, jumps=jumps),
        why=walked.why[:_WHY],
        pieces=tuple(pieces),
        until=offset + max(1, known),
        checked=walked.checked,
        parts=parts[:MOST_PARTS],
        facts=facts,
    )


def confidence(walked: Walked, *, jumps: bool) -> int:
    """Return how sure it is, out of 100, that the bytes are those of one file, whole.

    95: from header to end, and its content agrees with checksums or inner offsets; 80: from header to end by its structure; 50: so too,
    but across a place where another file's bytes lie in between and nothing proves that the pieces belong together; 40: its end was
    found, but something in between is wrong; 30: it breaks off.
    """
    if walked.structure is Structure.TRUNCATED:
        return 30
    if walked.structure is Structure.DAMAGED:
        return 40
    if walked.checked:
        return 95
    return 50 if jumps else 80
