"""One unit of an area: its headers, the walk behind each, and what is kept of that. What it answers depends on bytes alone.

A unit is a stretch of the area in which candidates begin; what begins there is followed as far as it goes.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from triage.carving.catalog import known_formats
from triage.carving.forms import Format, Part, Structure, Walked
from triage.carving.scan import Headers
from triage.carving.space import SECTOR, Area, Space, SpaceReader
from triage.carving.window import Window, WindowSpentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from triage.evidence.medium import Medium

UNIT = 32 << 20
"""Bytes of a unit."""
_BLOCK = 8 << 20
_FINE_BLOCK = 1 << 20
"""Bytes that are searched for headers at once: at sectors, and at every byte, where each could be one."""
_ALLOWANCE = 64 << 20
_AGAIN = 3
"""What a candidate may read: so much and so many times what there is of it. A rejoining reads the same ground again and again."""
_REJOIN = 1 << 30
_WASTE = 1 << 30
"""Bytes that candidates of one unit may read in vain; behind that each may read only so much:"""
_SCANTY = 64 << 10
_DOUBTFUL = 1 << 20
"""Bytes behind the last that is surely a cut file's that are kept with it."""
_MISTAKES = (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, RecursionError, struct.error, zlib.error)
_WHY = 300
_FACTS = 24


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
    facts: dict[str, str | int] = field(default_factory=dict)


@dataclass(slots=True)
class UnitTotals:
    """What a unit saw. ``cut``: candidates whose walk was ended because it read too much; ``rejected``: what only looked like a file."""

    candidates: int = 0
    rejected: int = 0
    cut: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0


class Carver:
    """Carves the units of one area. ``announce(offset)`` is told which candidate is walked next, ``beat()`` that something moves."""

    def __init__(
        self,
        medium: Medium,
        area: Area,
        *,
        formats: Sequence[Format] | None = None,
        announce: Callable[[int], None] = lambda _offset: None,
        beat: Callable[[], None] = lambda: None,
        headers: Headers | None = None,
    ) -> None:
        self._area = area
        self._space = Space(area.stretches)
        self._reader = SpaceReader(medium, self._space, beat)
        self._headers = headers or Headers(known_formats() if formats is None else formats)
        self._announce = announce
        self._wasted = 0
        self.totals = UnitTotals()

    @property
    def space(self) -> Space:
        """The area's bytes as one string."""
        return self._space

    def unit(self, start: int, end: int, avoid: Collection[int] = ()) -> Iterator[Carved]:
        """Yield what begins between two offsets, in order. ``avoid``: candidates that a worker was lost over."""
        self._wasted = 0
        self.totals = UnitTotals()
        unreadable = self._reader.unreadable
        end = min(end, self._space.size)
        behind = start
        claimed: list[tuple[int, int]] = []
        held: Carved | None = None
        for offset, formats in self._candidates(start, end):
            if offset < behind or offset in avoid or any(a <= offset < b for a, b in claimed):
                continue
            self._announce(offset)
            found = self._found(offset, formats)
            if found is None:
                self.totals.rejected += 1
                continue
            behind = found.until
            claimed = [(a, b) for a, b in claimed if b > offset] + [(at, at + size) for at, size in found.pieces[1:]]
            if held is not None:
                yield _ended_by(held, offset)
            held = found
        if held is not None:
            yield held
        self.totals.unreadable = self._reader.unreadable - unreadable

    def _candidates(self, start: int, end: int) -> Iterator[tuple[int, list[Format]]]:
        headers, step = self._headers, _BLOCK if self._area.aligned else _FINE_BLOCK
        while start < end:
            length = min(step, end - start)
            data = self._reader.load(start, length + headers.reach)
            offsets = headers.aligned(data, length) if self._area.aligned else headers.anywhere(data, length)
            for offset in offsets:
                formats = headers.formats_at(data, offset)
                if formats:
                    yield start + offset, formats
            start += length

    def _found(self, offset: int, formats: Sequence[Format]) -> Carved | None:
        self.totals.candidates += 1
        for one in formats:
            window = self._window(offset, one)
            try:
                walked = one.walk(window)
                if walked is not None:
                    found = self._kept(offset, one, window, walked)
                    if found is not None:
                        return found
            except WindowSpentError:
                self.totals.cut += 1
            except _MISTAKES as error:
                self.totals.failed[f"{one.name}: {type(error).__name__}"] += 1
            self._wasted += window.spent
        return None

    def _window(self, offset: int, one: Format) -> Window:
        space, read = self._space, self._reader.read
        end = space.size if self._area.joined else space.stretch_end(offset)
        size = min(end - offset, one.largest)
        allowance = _ALLOWANCE + _AGAIN * size if self._wasted < _WASTE else _SCANTY
        return Window(
            lambda at, length: read(offset + at, length),
            size,
            block=self._area.block,
            allowance=allowance,
            joints=lambda first, last: [j - offset for j in space.joints(offset + first, offset + last)],
        )

    def _kept(self, offset: int, one: Format, window: Window, walked: Walked) -> Carved | None:
        """Return what is reported of a walk; try to find the rest of what it could not follow."""
        if not 0 < walked.length <= window.size or (walked.valid is not None and not 0 <= walked.valid <= walked.length):
            raise ValueError("a length outside of the window")
        walked = _bounded(walked)
        first = walked.pieces[0][1] if walked.pieces else walked.length
        jumps = bool(self._space.joints(offset, offset + walked.length)) and not walked.pieces
        broken = walked.structure in (Structure.TRUNCATED, Structure.DAMAGED)
        if one.rejoin is not None and (broken or (jumps and not walked.checked)):
            window.allowance = window.spent + (_REJOIN if self._wasted < _WASTE else 0)
            before = window.spent
            try:
                rejoined = one.rejoin(window, walked)
            except (WindowSpentError, *_MISTAKES):
                rejoined = None
            if rejoined is not None:
                walked, jumps = rejoined, False
                first = walked.pieces[0][1] if walked.pieces else walked.length
                broken = walked.structure in (Structure.TRUNCATED, Structure.DAMAGED)
            else:
                self._wasted += window.spent - before
        pieces = walked.pieces or ((0, walked.length),)
        if pieces[0][0] != 0 or sum(size for _, size in pieces) != walked.length:
            raise ValueError("pieces that do not make up the file")
        if any(at < 0 or size <= 0 or at + size > window.size for at, size in pieces):
            raise ValueError("pieces outside of the window")
        if jumps and walked.structure is Structure.COMPLETE:
            note = "another file's bytes lie between its pieces" + ("" if walked.checked else ", that they belong together is not proven")
            walked = replace(walked, structure=Structure.FRAGMENTED, why=f"{walked.why}; {note}")
        known = first if walked.valid is None else min(first, walked.valid)
        until = offset + (max(SECTOR, known // SECTOR * SECTOR) if broken else known) if self._area.aligned else offset + max(1, known)
        if window.spent > _AGAIN * (until - offset) + _SCANTY:
            self._wasted += window.spent  # the same ground may be gone over again from the next header on
        return Carved(
            offset=offset,
            length=walked.length,
            format=one.name,
            extension=walked.extension or one.extension,
            structure=walked.structure,
            confidence=confidence(walked, jumps=jumps),
            why=walked.why[:_WHY],
            pieces=tuple((offset + at, size) for at, size in pieces),
            until=until,
            checked=walked.checked,
            parts=tuple(p for p in walked.parts if p.offset >= 0 and p.length > 0 and p.offset + p.length <= walked.length),
            facts=dict(list(walked.facts.items())[:_FACTS]),
        )


def _ended_by(one: Carved, offset: int) -> Carved:
    """Return a cut file without what lies behind the header of the next one."""
    if one.structure is not Structure.TRUNCATED or len(one.pieces) > 1 or not one.until <= offset < one.offset + one.length:
        return one
    length = offset - one.offset
    parts = tuple(p for p in one.parts if p.offset + p.length <= length)
    return replace(one, length=length, pieces=((one.offset, length),), parts=parts)


def _bounded(walked: Walked) -> Walked:
    """Return a cut file without most of what is not surely its own: a lying length must not make gigabytes of it."""
    if walked.structure is not Structure.TRUNCATED or walked.pieces or walked.valid is None or walked.length <= walked.valid + _DOUBTFUL:
        return walked
    return replace(walked, length=walked.valid + _DOUBTFUL)


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
