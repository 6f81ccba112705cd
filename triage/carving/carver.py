"""One unit of an area: its headers, the walk behind each, and what is kept of that. What it answers depends on bytes alone.

A unit is a stretch of the area in which candidates begin; what begins there is followed as far as it goes.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from triage.carving.carved import MISTAKES, MOST_RUNS, Carved, carved_of, checked_walk
from triage.carving.catalog import known_formats
from triage.carving.forms import Format, Structure, Walked
from triage.carving.rejoin import Broken, Rejoiner
from triage.carving.scan import Headers
from triage.carving.space import SECTOR, Area, Space, SpaceReader
from triage.carving.window import Window, WindowSpentError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from triage.carving.known import KnownBlock, KnownBlocks
    from triage.evidence.medium import Medium

_BLOCK = 8 << 20
_FINE_BLOCK = 1 << 20
"""Bytes that are searched for headers at once: at sectors, and at every byte, where each could be one."""
_ALLOWANCE = 64 << 20
_MOST_BLOCKS = 1 << 17
"""Known blocks that a unit can have: one a sector, for two files each."""
_AGAIN = 3
"""What a candidate may read: so much and so many times what there is of it."""
_WASTE = 1 << 30
"""Bytes that candidates of one unit may read in vain; behind that each may read only so much:"""
_SCANTY = 64 << 10
_WHOLE = (Structure.COMPLETE, Structure.FRAGMENTED)
_DOUBTFUL = 1 << 20
"""Bytes behind the last that is surely a cut file's that are kept with it."""


@dataclass(slots=True)
class UnitTotals:
    """What a unit saw. ``cut``: candidates whose walk was ended because it read too much; ``rejected``: what only looked like a file.

    ``given_up``: searches for the rest of a file that were ended for the same reason.
    """

    candidates: int = 0
    rejected: int = 0
    cut: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    given_up: int = 0
    blocks: list[KnownBlock] = field(default_factory=list)


class Carver:
    """Carves the units of one area. ``announce(offset)`` is told which candidate is walked next, ``beat()`` that something moves.

    ``join``: whether the rest of what broke off is looked for. ``known`` sees all that is scanned for headers, in blocks; what it
    recognises is in :attr:`UnitTotals.blocks`.
    """

    def __init__(
        self,
        medium: Medium,
        area: Area,
        *,
        formats: Sequence[Format] | None = None,
        announce: Callable[[int], None] = lambda _offset: None,
        beat: Callable[[], None] = lambda: None,
        headers: Headers | None = None,
        known: KnownBlocks | None = None,
        join: bool = True,
    ) -> None:
        self._area = area
        self._space = Space(area.stretches)
        self._reader = SpaceReader(medium, self._space, beat)
        self._headers = headers or Headers(known_formats() if formats is None else formats)
        self._announce = announce
        self._known = known
        self._join = join
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
        found: list[Carved] = []
        broken: list[Broken] = []
        behind = start
        claimed: list[tuple[int, int]] = []  # further pieces of what a walk found in several
        for offset, formats in self._candidates(start, end):
            if offset < behind or offset in avoid or any(a <= offset < a + length for a, length in claimed):
                continue
            self._announce(offset)
            one = self._found(offset, formats, broken)
            if one is None:
                self.totals.rejected += 1
                continue
            behind = one.until
            claimed = [(a, length) for a, length in (*claimed, *one.pieces[1:]) if a + length > offset]
            found.append(one)
        if broken and self._join:
            rejoiner = Rejoiner(self._reader, self._area, self._announce)
            found = rejoiner.rejoin(found, broken)
            self.totals.given_up = rejoiner.given_up
        for one, following in itertools.pairwise([*found, None]):
            if one is not None:
                yield one if following is None else _ended_by(one, following.offset)
        self.totals.unreadable = self._reader.unreadable - unreadable

    def _candidates(self, start: int, end: int) -> Iterator[tuple[int, list[Format]]]:
        headers, step = self._headers, _BLOCK if self._area.aligned else _FINE_BLOCK
        if self._area.aligned:  # a unit that is carved again begins at a file's end
            start = start // SECTOR * SECTOR
        while start < end:
            length = min(step, end - start)
            data = self._reader.load(start, length + max(headers.reach, self._known.size if self._known is not None else 0))
            offsets = headers.aligned(data, length) if self._area.aligned else headers.anywhere(data, length)
            if self._known is not None:
                self._look(data, start, length)
            for offset in offsets:
                formats = headers.formats_at(data, offset)
                if formats:
                    yield start + offset, formats
            start += length

    def _look(self, data: bytes, start: int, length: int) -> None:
        """Keep the known blocks that begin in what is scanned, those on the border to what comes next among them."""
        assert self._known is not None  # noqa: S101 - asked by the caller
        seen = self._known.look(data[: length + self._known.size - SECTOR], start)
        self.totals.blocks += [block for block in seen if block.offset < start + length][: _MOST_BLOCKS - len(self.totals.blocks)]

    def _found(self, offset: int, formats: Sequence[Format], broken: list[Broken]) -> Carved | None:
        self.totals.candidates += 1
        for one in formats:
            window = self._window(offset, one)
            try:
                walked = one.walk(window)
                if walked is not None:
                    found = self._kept(offset, one, window, walked)
                    jumps = found.structure is Structure.FRAGMENTED and not walked.checked
                    if one.rejoin is not None and (jumps or walked.structure in (Structure.TRUNCATED, Structure.DAMAGED)):
                        broken.append(Broken(found, one, walked))
                    return found
            except WindowSpentError:
                self.totals.cut += 1
            except MISTAKES as error:
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
            beat=self._reader.beat,
        )

    def _kept(self, offset: int, one: Format, window: Window, walked: Walked) -> Carved:
        """Return what is reported of a walk."""
        walked = self._in_few_places(offset, _bounded(checked_walk(walked, window.size)))
        jumps = bool(self._space.joints(offset, offset + walked.length)) and not walked.pieces
        if jumps and walked.structure is Structure.COMPLETE:
            note = "another file's bytes lie between its pieces" + ("" if walked.checked else ", that they belong together is not proven")
            walked = replace(walked, structure=Structure.FRAGMENTED, why=f"{walked.why}; {note}")
        pieces = [(offset + at, size) for at, size in walked.pieces or ((0, walked.length),)]
        found = carved_of(walked, one, pieces, self._area, jumps=jumps)
        if not (walked.checked and walked.structure in _WHOLE) and window.spent > _AGAIN * (found.until - offset) + _SCANTY:
            self._wasted += window.spent  # the same ground may be gone over again from the next header on
        return found

    def _in_few_places(self, offset: int, walked: Walked) -> Walked:
        """Return a file without what lies behind its first 65,536 places on the medium: each has to be kept."""
        joints = [] if walked.pieces else self._space.joints(offset, offset + walked.length)
        if len(joints) < MOST_RUNS:
            return walked
        length = joints[MOST_RUNS - 1] - offset
        why = f"it lies in more than {MOST_RUNS} places: {walked.length - length} bytes were left out; {walked.why}"
        parts = tuple(p for p in walked.parts if p.offset + p.length <= length)
        return replace(walked, length=length, structure=Structure.TRUNCATED, why=why, valid=length, checked=False, parts=parts)


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
