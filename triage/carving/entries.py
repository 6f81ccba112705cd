"""Carved files as entries like any other, and as the lines that the pipe between processes carries."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from triage.carving.carved import MOST_PARTS, MOST_PIECES, Carved
from triage.carving.forms import Part, Structure
from triage.model import Entry, Finding, Kind, Locator, Recoverability, Run, TimeBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from triage.carving.space import Area, Space
    from triage.model import Json

FOLDER = "$CarvedFiles"
PLUGIN = "carving"
"""What findings about carved files name as their origin."""
_EXTENSION = re.compile(r"(?=.{1,16}\Z)[a-z0-9]+(?:[-.][a-z0-9]+)*")
_FORMAT = re.compile(r"[a-z0-9_-]{1,20}")
_NAME = re.compile(r"[a-z0-9-]{1,24}")
_TEXT, _WHY, _FACTS = 200, 400, 24
_STATES = {
    Structure.COMPLETE: Recoverability.INTACT,
    Structure.FRAGMENTED: Recoverability.INTACT,
    Structure.TRUNCATED: Recoverability.PARTLY_OVERWRITTEN,
    Structure.DAMAGED: Recoverability.PARTLY_OVERWRITTEN,
}


def pack(one: Carved) -> Json:
    """Return a carved file as JSON values."""
    return {
        "offset": one.offset,
        "length": one.length,
        "format": one.format,
        "extension": _plain(one.extension, _EXTENSION, "bin"),
        "structure": one.structure.value,
        "confidence": one.confidence,
        "why": one.why,
        "pieces": [list(p) for p in one.pieces],
        "until": one.until,
        "checked": one.checked,
        "parts": [[p.offset, p.length, _plain(p.extension, _EXTENSION, "bin"), _plain(p.name, _NAME, "part")] for p in one.parts],
        "facts": {str(k)[:40]: v if type(v) is int else str(v)[:_TEXT] for k, v in one.facts.items()},
    }


def unpack(data: Json, size: int) -> Carved:
    """Build a carved file from a worker's answer about a space of ``size`` bytes.

    Raises ``ValueError``, ``TypeError`` or ``LookupError`` for what does not fit.
    """
    pieces = tuple((_number(at), _number(length)) for at, length in data["pieces"])
    parts = tuple(
        Part(offset=_number(at), length=_number(length), extension=_word(extension, _EXTENSION), name=_word(name, _NAME))
        for at, length, extension, name in data["parts"]
    )
    facts = data["facts"]
    if type(facts) is not dict or len(facts) > _FACTS or any(type(v) not in (int, str) or len(str(v)) > _TEXT for v in facts.values()):
        raise ValueError("facts that are none")
    if type(data["why"]) is not str or len(data["why"]) > _WHY or type(data["checked"]) is not bool:
        raise ValueError("no reason")
    one = Carved(
        offset=_number(data["offset"]),
        length=_number(data["length"]),
        format=_word(data["format"], _FORMAT),
        extension=_word(data["extension"], _EXTENSION),
        structure=Structure(data["structure"]),
        confidence=_number(data["confidence"]),
        why=data["why"],
        pieces=pieces,
        until=_number(data["until"]),
        checked=data["checked"],
        parts=parts,
        facts=facts,
    )
    if not pieces or len(pieces) > MOST_PIECES or pieces[0][0] != one.offset or sum(n for _, n in pieces) != one.length:
        raise ValueError("pieces that do not make up the file")
    if any(n <= 0 or at + n > size for at, n in pieces) or not one.offset < one.until <= size + 512 or one.confidence > 100:
        raise ValueError("a file outside of the space")
    if len(parts) > MOST_PARTS or any(p.length <= 0 or p.offset + p.length > one.length for p in parts):
        raise ValueError("parts outside of the file")
    return one


def entries_of(area: Area, space: Space, one: Carved) -> list[Entry]:
    """Return the entry of a carved file and, behind it, those of what lies inside."""
    runs = space.runs(one.pieces)
    name = f"{runs[0].image_offset or 0:012d}.{one.extension}"
    path = f"{area.name}/{FOLDER}/{name}"
    top = _entry(area, path, runs, kind=Kind.CARVED, recoverability=_STATES[one.structure], parent=None, depth=1)
    found = [top]
    for number, part in enumerate(one.parts, 1):
        below = f"{path}/{number:03d}-{part.name}.{part.extension}"
        inside = space.runs(_within(one.pieces, part.offset, part.length))
        found.append(_entry(area, below, inside, kind=Kind.DERIVED, recoverability=Recoverability.UNKNOWN, parent=top.id, depth=2))
    return found


def finding_of(area: Area, entry: Entry, one: Carved) -> Finding:
    """Return what is said of a carved file: how whole it is, how sure that is, and why its end is where it is."""
    return Finding(
        entry=entry.id,
        plugin=PLUGIN,
        kind="carved",
        title=f"{one.extension}, {one.structure.value} ({one.confidence}/100): {one.why}",
        data={
            "format": one.format,
            "extension": one.extension,
            "structure": one.structure.value,
            "confidence": one.confidence,
            "checked": one.checked,
            "why": one.why,
            "pieces": len(entry.runs),
            "area": area.kind,
            **({"source": area.source} if area.source else {}),
            "facts": one.facts,
        },
    )


def _entry(
    area: Area, path: str, runs: tuple[Run, ...], *, kind: Kind, recoverability: Recoverability, parent: str | None, depth: int
) -> Entry:
    named = repr((kind.value, area.evidence, path.rsplit("/", 1)[-1], [(r.image_offset, r.length) for r in runs]))
    return Entry(
        id=hashlib.blake2b(named.encode(), digest_size=12).hexdigest(),
        evidence=area.evidence,
        volume=area.volume,
        path=path,
        name=path.rsplit("/", 1)[-1],
        kind=kind,
        name_allocated=False,
        meta_allocated=False,
        recoverability=recoverability,
        size=sum(r.length for r in runs),
        time_basis=TimeBasis.UNKNOWN,
        runs=runs,
        parent=parent,
        depth=depth,
        locator=Locator(evidence=area.evidence, volume_offset=area.volume_offset, runs=runs),
    )


def _within(pieces: Sequence[tuple[int, int]], offset: int, length: int) -> list[tuple[int, int]]:
    """Return where in the space ``length`` bytes from ``offset`` of a file in pieces are."""
    found, start = [], 0
    for at, size in pieces:
        skip = offset - start
        if 0 <= skip < size and length > 0:
            take = min(length, size - skip)
            found.append((at + skip, take))
            offset += take
            length -= take
        start += size
    return found


def _plain(text: str, form: re.Pattern[str], otherwise: str) -> str:
    """Return a word that a format gave to what it found, or another when it is not fit to be part of a file's name."""
    return text if form.fullmatch(text) else otherwise


def _number(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a number from 0 on is needed")
    return value


def _word(value: Any, form: re.Pattern[str]) -> str:
    if type(value) is not str or not form.fullmatch(value):
        raise ValueError("not a word of ours")
    return value
